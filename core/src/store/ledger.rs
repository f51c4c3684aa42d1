//! Writing the log: many use cases, one commit.
//!
//! Every write on the hot path is handed to one task that takes whatever has queued while the last
//! commit was running and commits it together. So the cost of a commit (an fsync, a round trip) is
//! shared by everyone who waited, nobody waits for a timer, and order is the order of arrival. If a
//! batch fails, its members are tried one by one, so that one bad row never takes others with it.
//!
//! Each event is written in the transaction of its cause and numbered within its session.

use super::{Db, Result, Store, StoreError};
use crate::clock::{At, Clock};
use crate::id::{MessageKey, SessionId, SessionKey, TenantId};
use crate::key::Mode;
use crate::message::{Content, Status};
use crate::phone::{Phone, Recipient};

/// Whose message it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub tenant: TenantId,
    pub mode: Mode,
    pub session: SessionKey,
    pub session_id: SessionId,
}

/// A message that somebody wants sent.
#[derive(Debug, Clone)]
pub struct Intent {
    pub owner: Owner,
    pub to: Recipient,
    pub content: Content,
    /// Chosen before sending, kept for ever: a resend after a crash carries the same.
    pub wa_id: String,
    /// Of the session's lease.
    pub epoch: i64,
    pub idempotency: Option<Idempotency>,
}

#[derive(Debug, Clone)]
pub struct Idempotency {
    pub key: String,
    /// SHA-256 of route and canonical body.
    pub fingerprint: [u8; 32],
    pub expires_at: At,
}

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Committed as `sending`; transmit it now.
    New { key: MessageKey, created_at: At },
    /// The same idempotency key was used for the same request; this is its message.
    Repeat { key: MessageKey },
}

#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("Daily sent message limit reached")]
    LimitReached { limit: i64, used: i64 },
    #[error("the Idempotency-Key was used for a different request")]
    KeyReused,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The end of an attempt to transmit.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub owner: Owner,
    pub key: MessageKey,
    /// Of the session's lease; a result from an older epoch than the row's is dropped.
    pub epoch: i64,
    pub outcome: Outcome,
    pub at: At,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    /// WhatsApp's server took it at this time.
    Sent,
    /// Refused for good. The reserved quota is given back.
    Failed { code: String, error: String },
}

/// A receipt from a recipient (or our own phone).
#[derive(Debug, Clone)]
pub struct ReceiptNews {
    pub owner: Owner,
    pub wa_ids: Vec<String>,
    /// Delivered, Read or Played.
    pub status: Status,
    pub at: At,
}

/// A message that arrived, or that the owner sent from the phone.
#[derive(Debug, Clone)]
pub struct Inbound {
    pub owner: Owner,
    pub wa_id: String,
    /// JID of the chat.
    pub chat: String,
    /// JID of who wrote it.
    pub sender: String,
    /// The other party's number, where WhatsApp or our mapping knows it.
    pub phone: Option<Phone>,
    pub lid: Option<String>,
    pub sender_name: Option<String>,
    /// Sent by the owner from the phone or another device: logged as `out`, no quota.
    pub from_me: bool,
    pub is_group: bool,
    pub kind: String,
    pub body: String,
    pub sent_at: At,
}

/// A message whose outcome is not known: sent again under the same id.
#[derive(Debug, Clone)]
pub struct Unsettled {
    pub key: MessageKey,
    pub wa_id: String,
    pub to: Recipient,
    pub content: Content,
    pub created_at: At,
}

/// The writer's handle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger;

impl Ledger {
    pub(super) fn start(db: Db, clock: Clock) -> Self {
        todo!("{db:?} {clock:?}")
    }

    /// Operations handed in and not yet committed.
    pub(super) fn depth(&self) -> usize {
        todo!()
    }

    /// Finishes what was handed in; later calls answer [`StoreError::Closed`].
    pub(super) async fn close(&self) {
        todo!()
    }
}

impl Store {
    /// Quota, idempotency key, message row and id, in one transaction.
    ///
    /// # Errors
    /// [`Refused`]; then nothing was written.
    pub async fn accept(&self, intent: Intent) -> Result<Accepted, Refused> {
        todo!("{intent:?}")
    }

    /// The result of a transmission, its counters and its event. A message that already moved on
    /// (a receipt overtook the ack) keeps its status.
    pub async fn settle(&self, settlement: Settlement) -> Result<()> {
        todo!("{settlement:?}")
    }

    /// Moves statuses forward; a receipt for an unknown or further message changes nothing.
    pub async fn note_receipt(&self, news: ReceiptNews) -> Result<()> {
        todo!("{news:?}")
    }

    /// Stores what arrived, once each; answers which were new. WhatsApp is told only after this
    /// returns.
    pub async fn receive(&self, inbound: Vec<Inbound>) -> Result<Vec<bool>> {
        todo!("{inbound:?}")
    }

    /// The session's messages with intent but no result, oldest first, now claimed by `epoch`.
    pub async fn unsettled(&self, session: &SessionKey, epoch: i64) -> Result<Vec<Unsettled>> {
        todo!("{session} {epoch}")
    }
}
