//! A call that may be repeated, and is done once: what it asked for is kept with its key for a day.

use sha2::{Digest, Sha256};
use wapid_core::clock::At;
use wapid_core::store::ledger::Idempotency;
use wapid_core::store::sessions::SessionRow;

use super::refusal::Refusal;

/// The longest key, in bytes.
pub const KEY_MAX: usize = 255;
/// How long a key is remembered.
const KEY_LIFE_MS: i64 = 24 * 3_600_000;

/// What a front knows of a call that is to be done once.
pub struct Once {
    pub key: String,
    /// All that was asked for, so that the key of one request is not taken for that of another.
    pub asked: Vec<u8>,
}

impl Once {
    /// As it is kept, of the call of that name on that session.
    ///
    /// # Errors
    /// For what is no key.
    pub fn of_call(self, call: &str, session: &SessionRow, now: At) -> Result<Idempotency, Refusal> {
        let Self { key, asked } = self;
        let is_visible = key.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        if key.is_empty() || key.len() > KEY_MAX || !is_visible {
            return Err(Refusal::IdempotencyKey);
        }
        let fingerprint = Sha256::new()
            .chain_update(call)
            .chain_update(b"\0")
            .chain_update(session.key.as_str())
            .chain_update(b"\0")
            .chain_update(asked)
            .finalize()
            .into();
        Ok(Idempotency { key, fingerprint, expires_at: now.plus_ms(KEY_LIFE_MS) })
    }
}
