//! Who is calling, and which rows are theirs.
//!
//! Every way in (the API today) makes a [`Caller`] of what its requests prove, and passes it to `usecases/`. From
//! there on nobody asks how the caller proved it. What a request looks like is not known here.
//!
//! | file | what |
//! |---|---|
//! | `key` | callers with an API key |
//! | `own_session` | the session that a caller names, if it is theirs |

use wapid_core::id::KeyId;
use wapid_core::key::Mode;
use wapid_core::store::TenantStore;

mod key;
mod own_session;

pub use own_session::OwnSession;

/// A caller that was recognised, with the rows of its tenant and mode and no others.
#[derive(Clone)]
pub struct Caller {
    pub store: TenantStore,
    pub key: KeyId,
}

impl Caller {
    pub fn mode(&self) -> Mode {
        self.store.mode()
    }
}
