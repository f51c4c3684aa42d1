//! A message of the log, and which of them somebody wants. Reading many is `log`'s.

use std::collections::BTreeSet;

use super::ledger::Owner;
use super::listed::readable;
use super::tx::values;
use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::content::{Body, Content, Poll, TEXT_MAX, Words};
use crate::id::{MediaId, MessageKey, SessionId, SessionKey, TenantId};
use crate::job::JobId;
use crate::key::Mode;
use crate::message::{Direction, MessageName, Origin, Status};
use crate::phone::{Phone, Recipient};
use crate::search::Query;

/// After every key, however text is sorted.
const AFTER_ALL: &str = "n";
/// Edits of a message that are read at a time.
const EDITS_MAX: usize = 100;

/// A row of the log.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct MessageRow {
    pub key: MessageKey,
    pub session_id: SessionId,
    pub direction: Direction,
    pub origin: Origin,
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
    pub played_at: Option<At>,
    pub failed_at: Option<At>,
    /// WhatsApp's own code, where it refused.
    pub refusal: Option<i64>,
    /// When what it said was erased on request.
    pub erased_at: Option<At>,
    pub job_id: Option<JobId>,
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
    /// Is it in the chat of two with somebody of these names, as [`TenantStore::aliases_of`] tells them?
    pub fn is_with(&self, aliases: &BTreeSet<String>) -> bool {
        let of_chat = match self.chat.split_once('@') {
            Some((digits, "s.whatsapp.net")) => format!("p:{digits}"),
            Some((lid, "lid")) => format!("l:{lid}"),
            _ => return false,
        };
        let number = self.phone.as_ref().map(|phone| format!("p:{phone}"));
        let lid = self.lid.as_ref().map(|lid| format!("l:{lid}"));
        [Some(of_chat), number, lid].into_iter().flatten().any(|alias| aliases.contains(&alias))
    }

    /// WhatsApp's id is one message's within a chat only, so what names a message counts from its own chat alone. A chat
    /// of two has two names.
    pub fn shares_chat(&self, other: &Self) -> bool {
        let is_group = |row: &Self| row.chat.ends_with("@g.us");
        if self.chat == other.chat || is_group(self) || is_group(other) {
            return self.chat == other.chat;
        }
        let is_same = |ours: &Option<String>, theirs: &Option<String>| ours.is_some() && ours == theirs;
        is_same(&self.phone, &other.phone) || is_same(&self.lid, &other.lid)
    }

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
            // Only what is as long as can be may have been cut.
            content.context.truncated = self.body.chars().count() >= TEXT_MAX;
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
    /// `text`, `image` and so on.
    pub kind: Option<String>,
    pub chat: Option<Recipient>,
    pub origin: Option<Origin>,
    pub job: Option<JobId>,
    pub search: Option<Query>,
}

macro_rules! columns {
    () => {
        "key, session_id, direction, origin, wa_id, chat, sender, phone, lid, sender_name, kind, body, status, \
         error_code, error, created_at, sent_at, delivered_at, read_at, played_at, failed_at, refusal, erased_at, \
         job_id, content, target, media_id, chat_name, original, edited_at, deleted_at"
    };
}
pub(super) use columns;

const ONE: &str =
    concat!("SELECT ", columns!(), " FROM messages WHERE tenant_id = $1 AND mode = $2 AND key = $3");

/// WhatsApp's id is one message's within a chat only: one that we sent comes first, then the newest. Each of
/// the tenant's sessions is asked, the removed ones too.
const NAMED: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM (SELECT key AS of_session FROM sessions WHERE tenant_id = $1 AND mode = $2
            AND ($4 = '' OR session_id = $4)
        UNION ALL SELECT session_key AS of_session FROM past_sessions WHERE tenant_id = $1 AND mode = $2
            AND ($4 = '' OR session_id = $4)) s
    JOIN messages ON session_key = s.of_session AND wa_id = $3
    WHERE tenant_id || '' = $1 AND mode || '' = $2
    ORDER BY direction DESC, key DESC LIMIT 1"
);

/// Of one session, where the id is one message's within a chat only.
const NAMED_IN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM messages WHERE tenant_id || '' = $1 AND mode || '' = $2 AND session_key = $3 AND wa_id = $4 \
     ORDER BY key DESC LIMIT 8"
);

const KEYED_IN: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM messages WHERE tenant_id = $1 AND mode = $2 AND key = $4 AND session_key || '' = $3"
);

/// What was said to a message.
macro_rules! changes {
    ($what:expr, $rest:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM messages WHERE tenant_id || '' = $1 AND mode || '' = $2 AND target = $4 AND session_key =
                (SELECT session_key FROM messages WHERE tenant_id = $1 AND mode = $2 AND key = $3) ",
            $rest
        )
    };
}

/// A contact may edit as often as they like.
const EDIT_SIZES: &str = changes!(
    "key, CAST(512 + octet_length(body) + COALESCE(octet_length(content), 0) AS BIGINT)",
    "AND kind = 'edit' AND status <> 'failed' AND key < $5 ORDER BY key DESC LIMIT 101"
);
const EDITS: &str =
    changes!(columns!(), "AND kind = 'edit' AND status <> 'failed' AND key < $5 AND key >= $6 ORDER BY key");

/// The last of each person. A group has 1,024 members.
const MARKS: &str = changes!(
    columns!(),
    "AND kind IN ('reaction', 'vote') AND status <> 'failed' AND key IN
        (SELECT MAX(key) FROM messages WHERE target = $4 AND session_key =
                (SELECT session_key FROM messages WHERE tenant_id = $1 AND mode = $2 AND key = $3)
            AND kind IN ('reaction', 'vote') AND status <> 'failed' GROUP BY kind, direction, sender, chat)
     ORDER BY key DESC LIMIT 2200"
);

const POLL: &str = "SELECT content FROM messages WHERE session_key = $1 AND wa_id = $2 AND kind = 'poll'";

const USAGE: &str = "SELECT used FROM daily_usage WHERE tenant_id = $1 AND mode = $2 AND day = $3";

/// Few: what is on its way, and nothing else.
const PENDING: &str = "SELECT m.tenant_id, m.mode, m.session_key, m.session_id, m.key, m.wa_id, m.created_at,
        l.owner AS lease_owner
    FROM messages m LEFT JOIN leases l ON l.name = m.session_key AND l.until > $2
    WHERE m.pending AND m.created_at <= $1";

/// A message that has no result yet.
#[derive(Debug, Clone)]
pub struct Pending {
    pub owner: Owner,
    pub key: MessageKey,
    pub wa_id: String,
    pub created_at: At,
    /// The process that runs its session.
    pub lease_owner: Option<String>,
}

#[derive(sqlx::FromRow)]
struct PendingRow {
    tenant_id: TenantId,
    mode: Mode,
    session_key: SessionKey,
    session_id: SessionId,
    key: MessageKey,
    wa_id: String,
    created_at: At,
    lease_owner: Option<String>,
}

impl From<PendingRow> for Pending {
    fn from(row: PendingRow) -> Self {
        let PendingRow { tenant_id, mode, session_key, session_id, key, wa_id, created_at, lease_owner } =
            row;
        let owner = Owner { tenant: tenant_id, mode, session: session_key, session_id };
        Self { owner, key, wa_id, created_at, lease_owner }
    }
}

impl Store {
    /// Messages of before then that have no result yet, of every session.
    pub async fn pending_since(&self, before: At) -> Result<Vec<Pending>> {
        let rows: Vec<PendingRow> = self.db.rows(PENDING, values![before, self.clock.now()]).await?;
        Ok(rows.into_iter().map(Pending::from).collect())
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
    pub async fn messages_named(&self, session: &SessionKey, id: &MessageName) -> Result<Vec<MessageRow>> {
        let sql = if MessageKey::parse(id.as_str()).is_some() { KEYED_IN } else { NAMED_IN };
        let values = values![self.tenant.as_str(), self.mode.as_str(), session.as_str(), id.as_str()];
        Ok(self.store.db.rows(sql, values).await?)
    }

    /// The newest edits of a message before `before`, oldest first, as many as are read at a time; and where to read on.
    pub async fn edits_of(
        &self,
        message: &MessageRow,
        before: Option<&MessageKey>,
    ) -> Result<(Vec<MessageRow>, Option<MessageKey>)> {
        let (key, wa_id) = (message.key.as_str(), message.wa_id.as_str());
        let before = before.map_or(AFTER_ALL, MessageKey::as_str);
        let mut place = values![self.tenant.as_str(), self.mode.as_str(), key, wa_id, before];
        let sizes: Vec<(MessageKey, i64)> = self.store.db.rows(EDIT_SIZES, place.clone()).await?;
        let (count, _) = readable(sizes.iter().take(EDITS_MAX).map(|(_, bytes)| *bytes));
        let count = usize::try_from(count).unwrap_or(0);
        let Some((oldest, _)) = sizes[..count].last() else { return Ok((vec![], None)) };
        place.extend(values![oldest.as_str()]);
        let mut rows: Vec<MessageRow> = self.store.db.rows(EDITS, place).await?;
        rows.retain(|edit| edit.shares_chat(message));
        Ok((rows, (count < sizes.len()).then(|| oldest.clone())))
    }

    /// What each person's reaction to a message is, and their vote: oldest first.
    pub async fn marks_of(&self, message: &MessageRow) -> Result<Vec<MessageRow>> {
        let (key, wa_id) = (message.key.as_str(), message.wa_id.as_str());
        let values = values![self.tenant.as_str(), self.mode.as_str(), key, wa_id];
        let mut rows: Vec<MessageRow> = self.store.db.rows(MARKS, values).await?;
        rows.retain(|mark| mark.shares_chat(message));
        rows.reverse();
        Ok(rows)
    }

    pub async fn message(&self, key: &MessageKey) -> Result<Option<MessageRow>> {
        let values = values![self.tenant.as_str(), self.mode.as_str(), key.as_str()];
        Ok(self.store.db.rows(ONE, values).await?.pop())
    }

    /// A message by WhatsApp's id, in one session or in any.
    pub async fn message_named(
        &self,
        wa_id: &MessageName,
        session: Option<&SessionId>,
    ) -> Result<Option<MessageRow>> {
        let session = session.map_or("", SessionId::as_str);
        let values = values![self.tenant.as_str(), self.mode.as_str(), wa_id.as_str(), session];
        Ok(self.store.db.rows(NAMED, values).await?.pop())
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
