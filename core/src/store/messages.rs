//! Reading the message log.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

use super::tx::{self, values};
use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::content::{Body, Content, Poll, Words};
use crate::id::{MediaId, MessageKey, SessionId, SessionKey};
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
    /// JSON of [`Content`]; none where an older version received it.
    pub content: Option<String>,
    /// WhatsApp id of the message that this one changes.
    pub target: Option<String>,
    pub media_id: Option<MediaId>,
    /// A group's subject when the message came.
    pub chat_name: Option<String>,
    /// The first text of one that was edited.
    pub original: Option<String>,
    pub edited_at: Option<At>,
    pub deleted_at: Option<At>,
}

impl MessageRow {
    /// What it says now: the words of its last edit. `None` where that was not kept.
    ///
    /// # Errors
    /// When the row holds what is no content.
    pub fn said(&self) -> Result<Option<Content>> {
        let mut content: Content = match (&self.content, self.kind.as_str()) {
            (Some(json), _) => serde_json::from_str(json)?,
            (None, "text") => Content::text(self.body.as_str()),
            (None, _) => return Ok(None),
        };
        if self.edited_at.is_some()
            && let Some(words) = content.body.words_mut()
        {
            *words = Words::plain(self.body.as_str());
        }
        Ok(Some(content))
    }
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
    /// One conversation of a session, under one of its JIDs.
    pub chat: Option<(SessionKey, String)>,
}

macro_rules! columns {
    () => {
        "key, session_id, direction, origin, wa_id, chat, sender, phone, lid, sender_name, kind, body, status, \
         error_code, error, created_at, sent_at, delivered_at, read_at, content, target, media_id, chat_name, \
         original, edited_at, deleted_at"
    };
}

const ONE: &str =
    concat!("SELECT ", columns!(), " FROM messages WHERE tenant_id = $1 AND mode = $2 AND key = $3");

/// WhatsApp's id is one message's within a chat only.
const NAMED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM messages WHERE tenant_id || '' = $1 AND mode || '' = $2 AND session_key = $3 AND wa_id = $4 \
     ORDER BY key DESC LIMIT 8"
);

const KEYED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM messages WHERE tenant_id = $1 AND mode = $2 AND key = $4 AND session_key || '' = $3"
);

/// What was said to a message: edits, reactions, votes, oldest first. Few.
const CHANGES: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM messages WHERE tenant_id || '' = $1 AND mode || '' = $2 AND session_key = $3 AND target = $4 \
     ORDER BY key LIMIT 1000"
);

const POLL: &str = "SELECT content FROM messages WHERE session_key = $1 AND wa_id = $2 AND kind = 'poll'";

const USAGE: &str = "SELECT used FROM daily_usage WHERE tenant_id = $1 AND mode = $2 AND day = $3";

/// The `WHERE` of a filter, written with just the conditions it has, so that each has its index.
struct Where {
    sql: String,
    values: Vec<tx::Value>,
}

impl Where {
    fn of(tenant: &TenantStore, filter: &MessageFilter) -> Self {
        let mut it = Self {
            // What only changes a message is shown with it.
            sql: "WHERE tenant_id = $1 AND mode = $2 AND target IS NULL".into(),
            values: values![tenant.tenant.as_str(), tenant.mode.as_str()],
        };
        let MessageFilter { session, direction, status, phone, from, to, chat } = filter;
        if let Some((session, chat)) = chat {
            it.and("session_key =", session.as_str());
            it.and("chat =", chat.as_str());
        }
        if let Some(session) = session {
            it.and("session_id =", session.as_str());
        }
        if let Some(phone) = phone {
            it.and("phone =", phone.digits());
        }
        if let Some(direction) = direction {
            it.and("direction =", direction.as_str());
        }
        if let Some(status) = status {
            it.and("status =", status.as_str());
        }
        // A key begins with its row's `created_at`, and keys are indexed.
        if let Some(from) = from {
            it.and("key >=", MessageKey::first_at(*from).0);
        }
        if let Some(to) = to {
            it.and("key <", MessageKey::first_at(*to).0);
        }
        it
    }

    fn and(&mut self, condition: &str, value: impl Into<tx::Value>) {
        self.values.push(value.into());
        let _ = write!(self.sql, " AND {condition} ${}", self.values.len());
    }
}

/// Few: what is on its way, and nothing else.
const PENDING: &str = "SELECT session_key, wa_id FROM messages WHERE pending AND created_at <= $1";

impl Store {
    /// Messages of before then that have no result yet, of every session.
    pub async fn pending_since(&self, before: At) -> Result<Vec<(SessionKey, String)>> {
        Ok(self.db.rows(PENDING, values![before]).await?)
    }
}

impl Store {
    /// A poll that a session knows, by its WhatsApp id.
    pub async fn poll(&self, session: &SessionKey, wa_id: &str) -> Result<Option<Poll>> {
        let rows: Vec<(Option<String>,)> = self.db.rows(POLL, values![session.as_str(), wa_id]).await?;
        let Some(json) = rows.into_iter().find_map(|(content,)| content) else { return Ok(None) };
        match serde_json::from_str::<Content>(&json)?.body {
            Body::Poll(poll) => Ok(Some(poll)),
            _ => Ok(None),
        }
    }
}

impl TenantStore {
    /// Messages of a session by WhatsApp's id or by ours, newest first: few, for the id is one message's
    /// within a chat.
    pub async fn messages_named(&self, session: &SessionKey, id: &str) -> Result<Vec<MessageRow>> {
        let sql = if MessageKey::parse(id).is_some() { KEYED } else { NAMED };
        let values = values![self.tenant.as_str(), self.mode.as_str(), session.as_str(), id];
        Ok(self.store.db.rows(sql, values).await?)
    }

    /// What changed a message: its edits, reactions and votes, oldest first, at most 1,000.
    pub async fn changes_of(&self, session: &SessionKey, wa_id: &str) -> Result<Vec<MessageRow>> {
        let values = values![self.tenant.as_str(), self.mode.as_str(), session.as_str(), wa_id];
        Ok(self.store.db.rows(CHANGES, values).await?)
    }

    /// Newest first: rows `offset..offset + limit`, and how many there are in all.
    pub async fn messages_page(
        &self,
        filter: &MessageFilter,
        limit: i64,
        offset: i64,
    ) -> Result<(Vec<MessageRow>, i64)> {
        let Where { sql, mut values } = Where::of(self, filter);
        let db = &self.store.db;
        let count = format!("SELECT COUNT(*) FROM messages {sql}");
        let total: Vec<(i64,)> = db.rows(AssertSqlSafe(count), values.clone()).await?;
        values.extend(values![limit, offset]);
        let n = values.len();
        let page = format!(
            concat!("SELECT ", columns!(), " FROM messages {} ORDER BY key DESC LIMIT ${} OFFSET ${}"),
            sql,
            n - 1,
            n
        );
        let rows = db.rows(AssertSqlSafe(page), values).await?;
        Ok((rows, total.first().map_or(0, |(total,)| *total)))
    }

    /// Newest first, older than `before`. Costs the same however deep it reads.
    pub async fn messages_before(
        &self,
        filter: &MessageFilter,
        before: Option<&MessageKey>,
        limit: i64,
    ) -> Result<Vec<MessageRow>> {
        let mut filter = Where::of(self, filter);
        if let Some(before) = before {
            filter.and("key <", before.as_str());
        }
        let Where { sql, mut values } = filter;
        values.extend(values![limit]);
        let page = format!(
            concat!("SELECT ", columns!(), " FROM messages {} ORDER BY key DESC LIMIT ${}"),
            sql,
            values.len()
        );
        Ok(self.store.db.rows(AssertSqlSafe(page), values).await?)
    }

    pub async fn message(&self, key: &MessageKey) -> Result<Option<MessageRow>> {
        let values = values![self.tenant.as_str(), self.mode.as_str(), key.as_str()];
        Ok(self.store.db.rows(ONE, values).await?.pop())
    }

    /// Messages by their keys, in no order.
    pub async fn messages_by_key(&self, keys: &[MessageKey]) -> Result<Vec<MessageRow>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let Where { sql, mut values } = Where::of(self, &MessageFilter::default());
        let places: Vec<String> = (1..=keys.len()).map(|n| format!("${}", values.len() + n)).collect();
        values.extend(keys.iter().map(|key| key.as_str().into()));
        let some = format!(
            concat!("SELECT ", columns!(), " FROM messages {} AND key IN ({})"),
            sql,
            places.join(", ")
        );
        Ok(self.store.db.rows(AssertSqlSafe(some), values).await?)
    }

    /// The message that an unexpired idempotency key made, and the fingerprint of its request.
    pub async fn idempotency_key(&self, key: &str) -> Result<Option<([u8; 32], MessageKey)>> {
        const FIND: &str = "SELECT fingerprint, message_key FROM idempotency_keys
            WHERE tenant_id = $1 AND mode = $2 AND key = $3 AND expires_at > $4";
        let now = self.store.clock.now();
        let found: Option<(String, MessageKey)> = crate::read!(&self.store.db, |pool| {
            sqlx::query_as(FIND)
                .bind(&self.tenant)
                .bind(self.mode)
                .bind(key)
                .bind(now)
                .fetch_optional(pool)
                .await
        })?;
        Ok(found.map(|(print, message)| {
            let mut fingerprint = [0; 32];
            // What is no fingerprint of ours stays zero, and matches nothing.
            let _ = hex::decode_to_slice(print, &mut fingerprint);
            (fingerprint, message)
        }))
    }

    /// Messages counted against today's limit, and the limit.
    pub async fn usage_today(&self) -> Result<(i64, Option<i64>)> {
        let Some(tenant) = self.store.find_tenant(self.tenant.as_str()).await? else { return Ok((0, None)) };
        let day = crate::tenant::local_day(self.store.clock.now(), &tenant.time_zone);
        let values = values![self.tenant.as_str(), self.mode.as_str(), day];
        let used: Vec<(i64,)> = self.store.db.rows(USAGE, values).await?;
        Ok((used.first().map_or(0, |(used,)| *used), tenant.daily_limit))
    }
}
