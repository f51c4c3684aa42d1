//! WhatsApp's ids of messages, as their writers' programs chose them.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes. WhatsApp's own ids have at most some 40.
pub const WA_ID_MAX: usize = 128;

/// The id of a message: 1 to 128 bytes without control characters, so that it can be stored, looked for and shown
/// whatever program chose it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WaId(String);

/// What is no id of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a message, 1 to {WA_ID_MAX} bytes without control characters")]
pub struct WaIdError;

impl WaId {
    /// # Errors
    /// For an empty text, one that is too long, and one with control characters.
    pub fn parse(text: &str) -> Result<Self, WaIdError> {
        let is_id = !text.trim().is_empty() && text.len() <= WA_ID_MAX && !text.chars().any(char::is_control);
        is_id.then(|| Self(text.to_owned())).ok_or(WaIdError)
    }

    /// Of a message that arrived. What is no id gets one made of it, always the same: the message comes again until
    /// it is stored.
    pub fn of_arrived(text: &str) -> Self {
        Self::parse(text)
            .unwrap_or_else(|_| Self(format!("unreadable-{}", hex::encode(&Sha256::digest(text)[..16]))))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for WaId {
    type Err = WaIdError;

    fn from_str(text: &str) -> Result<Self, WaIdError> {
        Self::parse(text)
    }
}

impl std::fmt::Display for WaId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_can_be_stored_and_shown() {
        for id in ["3EB0AA", "A", "false_5511900000001@c.us_3EB0", "ürgendwas", &"x".repeat(WA_ID_MAX)] {
            assert_eq!(WaId::parse(id).unwrap().as_str(), id);
            assert_eq!(WaId::of_arrived(id).as_str(), id);
        }
        for text in ["", "  ", "A\0B", "A\nB", "\u{85}", &"x".repeat(WA_ID_MAX + 1)] {
            assert_eq!(WaId::parse(text), Err(WaIdError), "{text:?}");
            let made = WaId::of_arrived(text);
            assert_eq!(made, WaId::of_arrived(text));
            assert!(WaId::parse(made.as_str()).is_ok(), "{made}");
        }
        assert_ne!(WaId::of_arrived("A\0B"), WaId::of_arrived("A\0C"));
    }
}
