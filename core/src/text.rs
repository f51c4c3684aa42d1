//! Words of strangers that can be stored.

use std::borrow::Cow;

/// The same text without NUL, which Postgres has in no text: what it refuses would come again for ever.
pub fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) }
}
