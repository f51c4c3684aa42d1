//! How a blob is called: by what it is, and by the paths given out for it.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest as _, Sha256};

/// The SHA-256 of a blob as it is uploaded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token([u8; 32]);

impl Token {
    pub(crate) fn from_hash(hash: &[u8]) -> Option<Self> {
        hash.try_into().ok().map(Self)
    }

    /// Of what went through the hash.
    pub(super) fn of(hash: &Sha256) -> Self {
        Self(hash.clone().finalize().into())
    }

    /// As it is written in a URL.
    pub(in crate::media) fn parse(text: &str) -> Option<Self> {
        Self::from_hash(&BASE64.decode(text.trim_end_matches('=')).ok()?)
    }

    pub(super) fn file_name(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

/// The name of a blob within a direct path: what a client was given, whatever it put behind it.
pub(crate) fn path_id(direct_path: &str) -> Option<&str> {
    let path = direct_path.split(['?', '&']).next()?;
    path.rsplit('/').next()?.strip_suffix(SUFFIX)
}

/// How names of blobs end in a path, as WhatsApp's do.
const SUFFIX: &str = ".enc";

/// The path to a blob. WhatsApp's always have a query, and clients append to it.
pub(super) fn direct_path(book: &str, id: &str) -> String {
    format!("/v/{book}/{id}{SUFFIX}?ccb=11-4")
}
