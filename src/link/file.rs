//! A file on WhatsApp's servers.

use serde::{Deserialize, Serialize};
use wapid_core::media::Kind;

use super::hosts::ServerPath;

/// Where a file lies, encrypted, and what opens it. Whoever has this has the file, so it is sealed at rest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub url: String,
    pub direct_path: ServerPath,
    #[serde(with = "hex")]
    pub media_key: [u8; 32],
    /// SHA-256 of the file, and of what lies on the server.
    #[serde(with = "hex")]
    pub sha256: [u8; 32],
    #[serde(with = "hex")]
    pub enc_sha256: [u8; 32],
    /// Of the file, in bytes.
    pub size: u64,
    /// When the key was made, in seconds since the epoch.
    pub made_at: i64,
    /// With which a player checks a video or audio while it arrives.
    #[serde(default, with = "hex_or_none", skip_serializing_if = "Option::is_none")]
    pub sidecar: Option<Vec<u8>>,
}

/// What is shown of a file before it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    pub mime: String,
    pub file_name: Option<String>,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub seconds: Option<u32>,
    /// 64 heights of 0 to 100.
    pub waveform: Option<Vec<u8>>,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
}

/// A file as a message carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub kind: Kind,
    pub place: Place,
    pub look: Look,
}

/// Where a file is written to as it comes.
pub trait Sink: std::io::Write + Send + 'static {
    /// Throws away what was written so far.
    ///
    /// # Errors
    /// When it cannot begin anew.
    fn clear(&mut self) -> std::io::Result<()>;
}

/// The message whose file is asked for again.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub wa_id: &'a str,
    /// JIDs.
    pub chat: &'a str,
    pub sender: &'a str,
    pub from_me: bool,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({} bytes)", self.size)
    }
}

mod hex_or_none {
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde says how it is called")]
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&hex::encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(hex::decode).transpose().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_stored_and_does_not_print_its_key() {
        let place = Place {
            url: "https://mmg.example/a".into(),
            direct_path: ServerPath::parse("/a").unwrap(),
            media_key: [1; 32],
            sha256: [2; 32],
            enc_sha256: [3; 32],
            size: 9,
            made_at: 1_700_000_000,
            sidecar: Some(vec![4, 5]),
        };
        for place in [place.clone(), Place { sidecar: None, ..place }] {
            let json = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<Place>(&json).unwrap(), place);
            assert!(!format!("{place:?}").contains("01"));
        }
    }
}
