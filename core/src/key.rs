//! What an API key looks like: `wapid_live_…` or `wapid_test_…`.
//!
//! 8 public characters (looked up, shown in lists), 32 secret ones (190 bits), 6 of checksum, all
//! base62: a scanner can recognise one, and a typo is known without asking the database. The key
//! itself is shown once; the store keeps a keyed hash.

use rand::RngExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const PUBLIC: usize = 8;
const SECRET: usize = 32;
const CHECK: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `live` or `test`. A test key sees only the sandbox, a live key only the real network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Mode {
    Live,
    Test,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key as a caller presents it. Never printed, never stored.
pub struct ApiKey {
    text: String,
    mode: Mode,
}

impl ApiKey {
    pub fn new(mode: Mode) -> Self {
        let mut rng = rand::rng();
        let body: String =
            (0..PUBLIC + SECRET).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])).collect();
        Self { text: format!("wapid_{mode}_{body}{}", checksum(mode, &body)), mode }
    }

    /// `None` for anything that cannot be a key of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("wapid_")?;
        let (mode, body) = if let Some(body) = rest.strip_prefix("live_") {
            (Mode::Live, body)
        } else {
            (Mode::Test, rest.strip_prefix("test_")?)
        };
        let (body, check) = body.split_at_checked(PUBLIC + SECRET)?;
        (checksum(mode, body) == check).then(|| Self { text: text.to_owned(), mode })
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The whole key. Show it once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The part that is looked up and shown in lists: `wapid_test_` and 8 characters.
    pub fn public(&self) -> &str {
        let start = "wapid_live_".len();
        &self.text[start..start + PUBLIC]
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey(wapid_{}_{}…)", self.mode, self.public())
    }
}

fn checksum(mode: Mode, body: &str) -> String {
    let digest = Sha256::new().chain_update(mode.as_str()).chain_update(body).finalize();
    digest[..CHECK].iter().map(|b| char::from(ALPHABET[usize::from(*b) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_recognised_and_a_typo_is_not() {
        let key = ApiKey::new(Mode::Live);
        let text = key.reveal().to_owned();
        assert_eq!(ApiKey::parse(&text).unwrap().mode(), Mode::Live);
        assert!(ApiKey::parse(&text.replace("live", "test")).is_none());
        assert!(ApiKey::parse(&text[..text.len() - 1]).is_none());
        assert!(ApiKey::parse("").is_none());
        assert!(ApiKey::parse("wapid_live_ü").is_none());
    }

    #[test]
    fn a_key_prints_without_its_secret() {
        let key = ApiKey::new(Mode::Test);
        assert_eq!(format!("{key:?}"), format!("ApiKey(wapid_test_{}…)", key.public()));
    }
}
