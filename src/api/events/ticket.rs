//! What lets a page in a browser read a stream, for a while and without a key.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use wapid_core::clock::At;
use wapid_core::id::{KeyId, SessionId, TenantId};
use wapid_core::key::Mode;
use wapid_core::store::Store;

use super::query::Wanted;
use crate::caller::Caller;

/// A browser opens a broken stream again with the URL it has: until then it works.
const VALID_MS: i64 = 10 * 60_000;
const PLACE: &str = "event ticket";
/// A ticket with all the names that one may have.
const TEXT_MAX: usize = 64 << 10;

/// Stored nowhere: sealed, it is its own proof. It ends with its key.
#[derive(Serialize, Deserialize)]
pub struct Ticket {
    pub tenant: TenantId,
    pub mode: Mode,
    pub key: KeyId,
    until: At,
    types: Vec<String>,
    sessions: Vec<SessionId>,
}

impl Ticket {
    pub fn seal(store: &Store, caller: &Caller, wanted: &Wanted) -> (String, At) {
        let until = store.clock().now().plus_ms(VALID_MS);
        let (types, sessions) = wanted.parts();
        let ticket = Self {
            tenant: caller.store.tenant_id().clone(),
            mode: caller.mode(),
            key: caller.key.clone(),
            until,
            types: types.to_vec(),
            sessions: sessions.to_vec(),
        };
        let plain = serde_json::to_vec(&ticket).expect("names and a time are JSON");
        (BASE64_URL_SAFE_NO_PAD.encode(store.seal().seal(PLACE, &plain)), until)
    }

    /// None where it is not ours, or no longer valid.
    pub fn open(store: &Store, text: &str) -> Option<Self> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(text.get(..TEXT_MAX.min(text.len()))?).ok()?;
        let plain = store.seal().open(PLACE, &sealed).ok()?;
        let ticket: Self = serde_json::from_slice(&plain).ok()?;
        (ticket.until > store.clock().now()).then_some(ticket)
    }

    pub fn wanted(&self) -> Wanted {
        Wanted::stored(self.types.clone(), self.sessions.clone())
    }
}
