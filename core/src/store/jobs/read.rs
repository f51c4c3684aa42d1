//! What a tenant asks of its jobs.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

use super::Retried;
use crate::clock::At;
use crate::id::{SessionId, SessionKey};
use crate::job::{Hold, JobId, Outcome, Plan, Restriction, State};
use crate::message::Status;
use crate::pacing::Windows;
use crate::store::ledger::{Change, Changed, JobName};
use crate::store::listed::{Listed, readable};
use crate::store::tx::{Value, values};
use crate::store::{Result, TenantStore};

/// A job, and what holds its session.
#[derive(Debug, Clone)]
pub struct JobRow {
    pub id: JobId,
    pub session_key: SessionKey,
    pub session_id: SessionId,
    pub name: Option<String>,
    pub state: State,
    pub reason: Option<String>,
    pub plan: Plan,
    pub total: i64,
    pub succeeded: i64,
    pub failed: i64,
    pub skipped: i64,
    pub duplicates: i64,
    pub invalid: i64,
    pub not_before: At,
    pub hold: Option<Hold>,
    pub created_at: At,
    pub started_at: Option<At>,
    pub finished_at: Option<At>,
    pub restriction: Option<Restriction>,
    pub restricted_until: Option<At>,
}

impl JobRow {
    pub fn processed(&self) -> i64 {
        self.succeeded + self.failed + self.skipped
    }
}

#[derive(Debug, sqlx::FromRow)]
struct StoredJob {
    id: JobId,
    session_key: SessionKey,
    session_id: SessionId,
    name: Option<String>,
    state: State,
    reason: Option<String>,
    plan: String,
    total: i64,
    succeeded: i64,
    failed: i64,
    skipped: i64,
    duplicates: i64,
    invalid: i64,
    not_before: At,
    hold: Option<Hold>,
    created_at: At,
    started_at: Option<At>,
    finished_at: Option<At>,
    restriction: Option<Restriction>,
    restricted_until: Option<At>,
}

impl StoredJob {
    fn read(self) -> Result<JobRow> {
        Ok(JobRow {
            plan: serde_json::from_str(&self.plan)?,
            id: self.id,
            session_key: self.session_key,
            session_id: self.session_id,
            name: self.name,
            state: self.state,
            reason: self.reason,
            total: self.total,
            succeeded: self.succeeded,
            failed: self.failed,
            skipped: self.skipped,
            duplicates: self.duplicates,
            invalid: self.invalid,
            not_before: self.not_before,
            hold: self.hold,
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            restriction: self.restriction,
            restricted_until: self.restricted_until,
        })
    }
}

/// What a job is, with all its texts.
macro_rules! whole {
    () => {
        "SELECT j.id, j.session_key, j.session_id, j.name, j.state, j.reason, j.plan, j.total, j.succeeded,
            j.failed, j.skipped, j.duplicates, j.invalid, j.not_before, j.hold, j.created_at, j.started_at,
            j.finished_at, p.hold AS restriction, p.hold_until AS restricted_until"
    };
}

macro_rules! select_jobs {
    ($what:expr, $rest:literal) => {
        concat!(
            $what,
            " FROM jobs j LEFT JOIN pace p ON p.session_key = j.session_key
             WHERE j.tenant_id = $1 AND j.mode = $2 AND j.state <> 'loading' ",
            $rest
        )
    };
}

/// Which jobs; empty is all.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    pub session: Option<SessionId>,
    pub state: Option<State>,
}

/// A recipient as its job's owner reads it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct RecipientRow {
    pub seq: i64,
    pub phone: Option<String>,
    pub fields: Option<String>,
    pub variant: i64,
    pub outcome: Outcome,
    pub attempts: i64,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub settled_at: Option<At>,
    /// Of its message, where there is one.
    pub wa_id: Option<String>,
    pub status: Option<Status>,
    pub delivered_at: Option<At>,
    pub read_at: Option<At>,
}

/// How many recipients of a variant ended how.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Tally {
    pub variant: i64,
    pub outcome: Outcome,
    pub status: Option<Status>,
    pub error_code: Option<String>,
    pub count: i64,
}

/// What stands between a session's jobs and their ends.
#[derive(Debug, Clone)]
pub struct Outlook {
    pub time_zone: String,
    /// Messages left today and messages a day, the tenant's or the session's, whichever is less.
    pub quota: Option<(i64, i64)>,
    /// Of jobs that have none of their own.
    pub windows: Windows,
    /// Jobs that share the session's pace.
    pub jobs: i64,
}

pub(super) const JOB: &str = select_jobs!(whole!(), "AND j.id = $3");

pub(super) const OUTLOOK: &str = "SELECT t.time_zone, t.daily_limit, s.daily_limit, o.windows,
        (SELECT COUNT(*) FROM jobs j WHERE j.session_key = s.key AND j.state IN ('pending', 'running'))
    FROM sessions s JOIN tenants t ON t.id = s.tenant_id
    LEFT JOIN tenant_settings o ON o.tenant_id = s.tenant_id AND o.mode = s.mode
    WHERE s.tenant_id = $1 AND s.mode = $2 AND s.key = $3";

pub(super) const USED: &str = "SELECT
    COALESCE((SELECT used FROM daily_usage WHERE tenant_id = $1 AND mode = $2 AND day = $4), 0),
    COALESCE((SELECT used FROM session_usage WHERE session_key = $3 AND day = $4), 0)";

/// A recipient is on its way as long as its message has no result.
pub(super) const UNDERWAY: &str = "SELECT COUNT(*) FROM jobs j
    JOIN messages m ON m.session_key = j.session_key AND m.pending AND m.job_id = j.id
    WHERE j.tenant_id = $1 AND j.mode = $2 AND j.id = $3";

pub(super) const PAGE: &str = "SELECT r.seq, r.phone, r.fields, r.variant, r.state AS outcome, r.attempts,
        r.error_code, r.error, r.settled_at, m.wa_id, m.status, m.delivered_at, m.read_at
    FROM jobs j JOIN recipients r ON r.job_id = j.id
    LEFT JOIN messages m ON m.tenant_id = $1 AND m.mode = $2 AND m.key = r.message_key
    WHERE j.tenant_id = $1 AND j.mode = $2 AND j.id = $3 AND r.job_id = $3 AND r.seq > $4
        AND ($5 IS NULL OR r.state = $5)
    ORDER BY r.seq LIMIT $6";

/// How large they are: a list's fields may be long.
pub(super) const SIZES: &str = "SELECT CAST(256 + COALESCE(octet_length(r.fields), 0) AS BIGINT)
    FROM jobs j JOIN recipients r ON r.job_id = j.id
    WHERE j.tenant_id = $1 AND j.mode = $2 AND j.id = $3 AND r.job_id = $3 AND r.seq > $4
        AND ($5 IS NULL OR r.state = $5)
    ORDER BY r.seq LIMIT $6";

impl TenantStore {
    pub async fn job(&self, id: &JobId) -> Result<Option<JobRow>> {
        let place = values![self.tenant.as_str(), self.mode.as_str(), id.as_str()];
        let row = self.store.db.rows::<StoredJob>(JOB, place).await?.pop();
        row.map(StoredJob::read).transpose()
    }

    /// Newest first, older than `before`.
    pub async fn jobs(
        &self,
        filter: &JobFilter,
        before: Option<&JobId>,
        limit: i64,
    ) -> Result<Listed<JobRow>> {
        const SIZES: &str = "SELECT CAST(512 + octet_length(j.plan) AS BIGINT)";
        let mut rest = String::new();
        let mut place = values![self.tenant.as_str(), self.mode.as_str()];
        let mut and = |condition: &str, value: Value| {
            place.push(value);
            let _ = write!(rest, "{condition} ${} ", place.len());
        };
        if let Some(session) = &filter.session {
            and("AND j.session_id =", session.as_str().into());
        }
        if let Some(state) = filter.state {
            and("AND j.state =", state.as_str().into());
        }
        if let Some(before) = before {
            and("AND j.id <", before.as_str().into());
        }
        and("ORDER BY j.id DESC LIMIT", limit.into());
        let sizes = format!("{SIZES}{}{rest}", select_jobs!("", ""));
        let sizes: Vec<(i64,)> = self.store.db.rows(AssertSqlSafe(sizes), place.clone()).await?;
        let (count, is_cut) = readable(sizes.iter().map(|(bytes,)| *bytes));
        place.pop();
        place.push(count.into());
        let sql = format!("{}{rest}", select_jobs!(whole!(), ""));
        let rows: Vec<StoredJob> = self.store.db.rows(AssertSqlSafe(sql), place).await?;
        Ok(Listed { rows: rows.into_iter().map(StoredJob::read).collect::<Result<_>>()?, is_cut })
    }

    /// What stands between a session's jobs and their ends; `None` when the session is gone.
    pub async fn outlook(&self, session: &SessionKey) -> Result<Option<Outlook>> {
        type Read = (String, Option<i64>, Option<i64>, Option<String>, i64);
        let mut place = values![self.tenant.as_str(), self.mode.as_str(), session.as_str()];
        let found: Option<Read> = self.store.db.rows(OUTLOOK, place.clone()).await?.pop();
        let Some((time_zone, tenant_limit, session_limit, windows, jobs)) = found else { return Ok(None) };
        let mut quota = None;
        if tenant_limit.is_some() || session_limit.is_some() {
            place.extend(values![crate::tenant::local_day(self.store.clock.now(), &time_zone)]);
            let used: Vec<(i64, i64)> = self.store.db.rows(USED, place).await?;
            let (by_tenant, by_session) = used.first().copied().unwrap_or_default();
            let left = |limit: Option<i64>, used| limit.map(|limit| (limit - used, limit));
            quota = [left(tenant_limit, by_tenant), left(session_limit, by_session)]
                .into_iter()
                .flatten()
                .reduce(|(a, b), (c, d)| (a.min(c), b.min(d)));
        }
        let windows = windows.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default();
        Ok(Some(Outlook { time_zone, quota, windows, jobs }))
    }

    /// From its answer on nothing new of a paused or cancelled job leaves; what had left before may
    /// still be on its way ([`Self::job_underway`]).
    pub async fn change_job(&self, id: &JobId, change: Change) -> Result<Changed> {
        self.store.change_job(self.named(id), change).await
    }

    /// How many of a job's messages are on their way.
    pub async fn job_underway(&self, id: &JobId) -> Result<i64> {
        let place = values![self.tenant.as_str(), self.mode.as_str(), id.as_str()];
        let count: Vec<(i64,)> = self.store.db.rows(UNDERWAY, place).await?;
        Ok(count.first().map_or(0, |(count,)| *count))
    }

    /// Puts the failed recipients of a job back in line. Those whose outcome is unknown may have got the
    /// message, so they are only taken if asked for.
    pub async fn retry_failed(&self, id: &JobId, unknown_too: bool) -> Result<Retried> {
        self.store.retry_job(self.named(id), unknown_too).await
    }

    fn named(&self, id: &JobId) -> JobName {
        JobName { tenant: self.tenant.clone(), mode: self.mode, id: id.clone() }
    }

    /// A job's list after row `after`, in its order.
    pub async fn recipients(
        &self,
        id: &JobId,
        outcome: Option<Outcome>,
        after: i64,
        limit: i64,
    ) -> Result<Listed<RecipientRow>> {
        let mut place = values![
            self.tenant.as_str(),
            self.mode.as_str(),
            id.as_str(),
            after,
            outcome.map(Outcome::as_str),
            limit,
        ];
        let sizes: Vec<(i64,)> = self.store.db.rows(SIZES, place.clone()).await?;
        let (count, is_cut) = readable(sizes.iter().map(|(bytes,)| *bytes));
        place.pop();
        place.push(count.into());
        Ok(Listed { rows: self.store.db.rows(PAGE, place).await?, is_cut })
    }

    /// Reads every recipient; for a page of results, not for polling.
    pub async fn tallies(&self, id: &JobId) -> Result<Vec<Tally>> {
        const COUNT: &str = "SELECT r.variant, r.state AS outcome, m.status,
                CASE WHEN r.state IN ('failed', 'invalid') THEN r.error_code END AS error_code, COUNT(*) AS count
            FROM jobs j JOIN recipients r ON r.job_id = j.id
            LEFT JOIN messages m ON m.tenant_id = $1 AND m.mode = $2 AND m.key = r.message_key
            WHERE j.tenant_id = $1 AND j.mode = $2 AND j.id = $3
            GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";
        let place = values![self.tenant.as_str(), self.mode.as_str(), id.as_str()];
        Ok(self.store.db.rows(COUNT, place).await?)
    }
}
