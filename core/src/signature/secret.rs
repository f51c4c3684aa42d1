//! The key of an endpoint, as its owner writes it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// How Standard Webhooks marks a key that is written in base64.
const PREFIX: &str = "whsec_";
/// A key of ours: as long as the hash.
const NEW: usize = 32;
const TEXT_MAX: usize = 256;
/// A new key has as many bytes at least: 128 bits, which nobody guesses where they are random.
const KEY_MIN: usize = 16;

/// A secret. One that begins with `whsec_` signs with the bytes that its base64 says, as Standard Webhooks
/// wants it; any other with its UTF-8 bytes. The same key signs everything. Prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    key: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("secret must not be empty")]
    Empty,
    #[error(
        "secret must have at least {KEY_MIN} bytes that nobody guesses; where it is left out, one is made"
    )]
    TooShort,
    #[error("secret must be at most {TEXT_MAX} bytes")]
    TooLong,
    #[error("secret begins with whsec_, so the rest must be base64")]
    NotBase64,
}

impl Secret {
    /// A new one, of 256 random bits.
    pub fn generate() -> Self {
        let key = rand::random::<[u8; NEW]>();
        Self { text: format!("{PREFIX}{}", BASE64_STANDARD.encode(key)), key: key.to_vec() }
    }

    /// A secret for an endpoint from here on.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse_new(text: &str) -> Result<Self, SecretError> {
        Self::parse(text).and_then(|secret| secret.check_length().map(|()| secret))
    }

    /// # Errors
    /// [`SecretError::TooShort`] for one that is no new endpoint's.
    pub fn check_length(&self) -> Result<(), SecretError> {
        if self.key.len() < KEY_MIN { Err(SecretError::TooShort) } else { Ok(()) }
    }

    /// A secret that is in use: it may be shorter than a new one.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if text.len() > TEXT_MAX {
            return Err(SecretError::TooLong);
        }
        let key = match text.strip_prefix(PREFIX) {
            Some(encoded) => BASE64_STANDARD.decode(encoded).map_err(|_| SecretError::NotBase64)?,
            None => text.as_bytes().to_vec(),
        };
        if key.is_empty() {
            return Err(SecretError::Empty);
        }
        Ok(Self { text: text.to_owned(), key })
    }

    /// The whole secret, as it was given. Show it once, and seal it.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_secret_is_one_of_standard_webhooks_and_no_two_are_the_same() {
        let secret = Secret::generate();
        assert_eq!(Secret::parse(secret.reveal()), Ok(secret.clone()));
        assert_eq!(secret.reveal().len(), "whsec_".len() + 44);
        assert_ne!(secret, Secret::generate());
    }

    #[test]
    fn plain_text_signs_with_its_bytes_and_base64_with_what_it_says() {
        assert_eq!(Secret::parse("s3cret ü").unwrap().key(), "s3cret ü".as_bytes());
        assert_eq!(Secret::parse("whsec_AAEC").unwrap().key(), [0, 1, 2]);
        assert_eq!(Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap().key().len(), 32);
    }

    #[test]
    fn a_new_key_has_sixteen_bytes_at_least_and_an_old_one_stays() {
        for short in ["x", "s3cret", "fifteen bytes..", "whsec_AAEC", "whsec_AAECAwQFBgcICQoLDA0O"] {
            assert_eq!(Secret::parse_new(short), Err(SecretError::TooShort), "{short}");
            assert!(Secret::parse(short).is_ok(), "{short}");
        }
        for long in ["sixteen bytes ..", "whsec_AAECAwQFBgcICQoLDA0ODw==", "übergroßes Gehe"] {
            assert!(Secret::parse_new(long).is_ok(), "{long}");
        }
        assert_eq!(Secret::parse_new(""), Err(SecretError::Empty));
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_and_never_shown() {
        assert_eq!(Secret::parse(""), Err(SecretError::Empty));
        assert_eq!(Secret::parse("whsec_"), Err(SecretError::Empty));
        assert_eq!(Secret::parse("whsec_!"), Err(SecretError::NotBase64));
        assert_eq!(Secret::parse(&"x".repeat(257)), Err(SecretError::TooLong));
        assert_eq!(format!("{:?}", Secret::parse("s3cret").unwrap()), "Secret");
    }
}
