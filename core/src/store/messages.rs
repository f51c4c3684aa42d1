//! A message of the log, and which of them somebody wants. Reading many is `log`'s.

use super::ledger::Owner;
use super::tx::values;
use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::id::{MessageKey, SessionId, SessionKey, TenantId};
use crate::job::JobId;
use crate::key::Mode;
use crate::message::{Direction, Origin, Status};
use crate::phone::{Phone, Recipient};
use crate::search::Query;

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
         error_code, error, created_at, sent_at, delivered_at, read_at, played_at, failed_at, refusal, erased_at, job_id"
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

impl TenantStore {
    pub async fn message(&self, key: &MessageKey) -> Result<Option<MessageRow>> {
        let values = values![self.tenant.as_str(), self.mode.as_str(), key.as_str()];
        Ok(self.store.db.rows(ONE, values).await?.pop())
    }

    /// A message by WhatsApp's id, in one session or in any.
    pub async fn message_named(
        &self,
        wa_id: &str,
        session: Option<&SessionId>,
    ) -> Result<Option<MessageRow>> {
        let session = session.map_or("", SessionId::as_str);
        let values = values![self.tenant.as_str(), self.mode.as_str(), wa_id, session];
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
