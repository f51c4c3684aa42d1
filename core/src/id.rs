//! The names of things.
//!
//! Ids we make are a short prefix and a ULID, so that they sort by creation and say what they name.
//! [`SessionId`] is the one that callers choose.

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// How long a caller-chosen session id may be, in bytes.
pub const SESSION_ID_MAX: usize = 128;

fn is_made(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|ulid| {
        ulid.len() == 26 && ulid.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident $(, $prefix:literal)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub String);

        impl $name {
            $(
                /// A new one, later than every one this process made before it in an earlier millisecond.
                pub fn new() -> Self {
                    Self(format!(concat!($prefix, "_{}"), Ulid::new().to_string().to_lowercase()))
                }

                /// One that may be ours; `None` for anything else that a caller may write.
                pub fn parse(text: &str) -> Option<Self> {
                    is_made(text, concat!($prefix, "_")).then(|| Self(text.to_owned()))
                }
            )?

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        $(
            impl Default for $name {
                /// Same as [`Self::new`]; the prefix is
                #[doc = $prefix]
                fn default() -> Self {
                    Self::new()
                }
            }
        )?

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// One customer account. `default` on a fresh database, `ten_…` otherwise.
    TenantId,
    "ten"
);
id!(
    /// One API key, not its secret.
    KeyId,
    "key"
);
id!(
    /// Our own name for a session, the same for ever; [`SessionId`] is the tenant's name for it.
    SessionKey,
    "ses"
);
id!(
    /// One row of the message log. Sorts by creation, so it is also the log's cursor.
    MessageKey,
    "msg"
);
id!(
    /// One event. Stable across retries, replays and fan-out.
    EventId,
    "evt"
);
id!(
    /// Where a tenant's events go.
    EndpointId,
    "ep"
);
id!(
    /// A wish to deliver again what an endpoint missed.
    RecoveryId,
    "rec"
);
id!(
    /// One file: sent, to be sent, or received.
    MediaId,
    "med"
);
id!(
    /// One person for a tenant, whichever names WhatsApp gives.
    ContactId,
    "con"
);
id!(
    /// What the tenant calls a session ("main"). Unique within a tenant and mode.
    SessionId
);

impl MessageKey {
    /// Not after any key of a row created at `at` or later, and after all earlier ones.
    pub fn first_at(at: crate::clock::At) -> Self {
        Self(format!("msg_{}", first_ulid(at)))
    }

    /// After this key, and before every later one.
    #[must_use]
    pub fn just_above(&self) -> Self {
        Self(format!("{self}~"))
    }

    /// When its row was created. What follows the key in a position is left aside.
    pub fn made_at(&self) -> Option<crate::clock::At> {
        let id = self.0.strip_prefix("msg_")?.get(..ulid::ULID_LEN)?;
        let ms = Ulid::from_string(id).ok()?.timestamp_ms();
        i64::try_from(ms).ok().map(crate::clock::At)
    }
}

impl EventId {
    /// Not after any id of an event written at `at` or later, and after all earlier ones.
    pub fn first_at(at: crate::clock::At) -> Self {
        Self(format!("evt_{}", first_ulid(at)))
    }
}

fn first_ulid(at: crate::clock::At) -> String {
    Ulid::from_parts(u64::try_from(at.0).unwrap_or(0), 0).to_string().to_lowercase()
}

/// Why a session id was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionIdError {
    #[error("sessionId must not be empty")]
    Empty,
    #[error("sessionId must be at most {SESSION_ID_MAX} bytes")]
    TooLong,
    #[error("sessionId must not contain control characters, '/' or spaces around it")]
    BadCharacter,
}

impl SessionId {
    /// Seed 001 says "any unique string"; we refuse only what a URL or a log could not carry.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, SessionIdError> {
        if text.is_empty() {
            Err(SessionIdError::Empty)
        } else if text.len() > SESSION_ID_MAX {
            Err(SessionIdError::TooLong)
        } else if text.trim() != text
            || text == "."
            || text == ".."
            || text.chars().any(|c| c.is_control() || c == '/')
        {
            Err(SessionIdError::BadCharacter)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_it_names() {
        assert!(MessageKey::new().as_str().starts_with("msg_"));
        assert_eq!(MessageKey::new().as_str().len(), 30);
    }

    #[test]
    fn a_session_id_is_any_string_a_url_can_carry() {
        for good in ["main", "loja 1", "a@b", "日本", "x:y"] {
            assert!(SessionId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " x", "x ", "a/b", "a\nb", "..", &"x".repeat(129)] {
            assert!(SessionId::parse(bad).is_err(), "{bad}");
        }
    }
}
