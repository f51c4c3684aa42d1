//! Reading the message log.

use serde_json::Value;

use super::{Result, TenantStore};
use crate::clock::At;
use crate::id::{MessageKey, SessionId};
use crate::message::{Direction, Status};
use crate::phone::Phone;

/// A row of the log.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct MessageRow {
    pub key: MessageKey,
    pub session_id: SessionId,
    pub direction: Direction,
    /// `api`, `phone` or `contact`.
    pub origin: String,
    pub wa_id: String,
    pub chat: String,
    pub sender: String,
    pub phone: Option<String>,
    pub lid: Option<String>,
    pub sender_name: Option<String>,
    pub kind: String,
    pub body: String,
    pub status: Status,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub created_at: At,
    pub sent_at: Option<At>,
    pub delivered_at: Option<At>,
    pub read_at: Option<At>,
}

/// Which rows; empty is all.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    pub session: Option<SessionId>,
    pub direction: Option<Direction>,
    pub status: Option<Status>,
    pub phone: Option<Phone>,
    /// Inclusive.
    pub from: Option<At>,
    /// Exclusive.
    pub to: Option<At>,
}

impl TenantStore {
    /// Newest first: rows `offset..offset + limit`, and how many there are in all.
    pub async fn messages_page(
        &self,
        filter: &MessageFilter,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<MessageRow>, i64)> {
        todo!("{filter:?} {limit} {offset}")
    }

    /// Newest first, older than `before`. Costs the same however deep it reads.
    pub async fn messages_before(
        &self,
        filter: &MessageFilter,
        before: Option<&MessageKey>,
        limit: i64,
    ) -> Result<Vec<MessageRow>> {
        todo!("{filter:?} {before:?} {limit}")
    }

    pub async fn message(&self, key: &MessageKey) -> Result<Option<MessageRow>> {
        todo!("{key}")
    }

    /// The message that an unexpired idempotency key made, and the fingerprint of its request.
    pub async fn idempotency_key(&self, key: &str) -> Result<Option<([u8; 32], MessageKey)>> {
        todo!("{key}")
    }

    /// Messages counted against today's limit, and the limit.
    pub async fn usage_today(&self) -> Result<(i64, Option<i64>)> {
        todo!()
    }

    /// Events after `after`, oldest first: `(id, session, kind, occurred_at, data)` as stored.
    pub async fn events_after(&self, after: Option<&str>, limit: i64) -> Result<Vec<Value>> {
        todo!("{after:?} {limit}")
    }
}
