//! Bulk jobs and their recipients. What happens to them while messages leave is written by the ledger.
//!
//! A job is stored in steps, so that a long list holds nobody up, and begins to exist with the last: a
//! crash in between leaves a `loading` row that nobody sees, and [`Store::tidy`] takes it away.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

pub use super::ledger::Retried;
use super::ledger::{Change, Changed, Idempotency, JobName};
use super::tx::{Texts, Tx, Value, values};
use super::{Result, Store, StoreError, TenantStore};
use crate::clock::At;
use crate::crash;
use crate::id::{SessionId, SessionKey, TenantId};
use crate::job::{Hold, JobId, Outcome, Plan, Restriction, State};
use crate::key::Mode;
use crate::message::Status;
use crate::pacing::{Draw, Windows};
use crate::phone::Phone;

/// Recipients in one step. So many are about 20 ms of work, which is as long as a send may have to wait.
const STEP: usize = 1_024;
/// Jobs of one session that are not over. Each is read whenever the session's runner looks.
pub const JOBS_MAX: i64 = 100;
/// A job that was not finished storing after this long was cut short by a crash.
const LOADING_MS: i64 = 3_600_000;

/// A job to be made.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub session: SessionKey,
    pub session_id: SessionId,
    pub name: Option<String>,
    pub plan: Plan,
    pub schedule_at: Option<At>,
    pub idempotency: Option<Idempotency>,
}

/// One row of the caller's list.
#[derive(Debug, Clone)]
pub struct Listed<'a> {
    pub seq: i64,
    pub phone: Option<&'a str>,
    /// Compact JSON object of strings.
    pub fields: Option<&'a str>,
    pub variant: i64,
    /// `Queued`, `Invalid` or `Duplicate`.
    pub outcome: Outcome,
    pub code: Option<&'static str>,
    pub error: Option<String>,
}

/// A job that was made, or that an earlier request with the same idempotency key made.
#[derive(Debug, Clone)]
pub struct MadeJob {
    pub id: JobId,
    pub repeated: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum NewJobError {
    #[error("the Idempotency-Key was used for a different request")]
    KeyReused,
    /// It was removed meanwhile.
    #[error("there is no such session")]
    NoSession,
    #[error("the session has {JOBS_MAX} jobs that are not over; cancel one, or wait")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for NewJobError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

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

macro_rules! select_jobs {
    ($rest:literal) => {
        concat!(
            "SELECT j.id, j.session_key, j.session_id, j.name, j.state, j.reason, j.plan, j.total, j.succeeded,
                j.failed, j.skipped, j.duplicates, j.invalid, j.not_before, j.hold, j.created_at, j.started_at,
                j.finished_at, p.hold AS restriction, p.hold_until AS restricted_until
             FROM jobs j LEFT JOIN pace p ON p.session_key = j.session_key
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

/// What a session's jobs want sent, and how fast.
#[derive(Debug, Clone)]
pub struct Agenda {
    /// Those that may run or will, the one whose turn it is first.
    pub jobs: Vec<Active>,
    pub last_at: Option<At>,
    pub draw: Draw,
    pub restriction: Option<(Restriction, At)>,
    /// Refusals in a row.
    pub strikes: i64,
    pub rules: Rules,
}

/// What a tenant and its session set for their jobs, and may change at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub time_zone: String,
    /// Of jobs that have none of their own.
    pub windows: Windows,
    /// Messages a day: the tenant's, the session's.
    pub limits: (Option<i64>, Option<i64>),
}

#[derive(Debug, Clone)]
pub struct Active {
    pub id: JobId,
    pub plan: Plan,
    pub not_before: At,
    pub hold: Option<Hold>,
    /// When its last message was released, and where the pause after it ends.
    pub released: Option<(At, Draw)>,
}

/// A recipient whose turn comes.
#[derive(Debug, Clone)]
pub struct Waiting {
    pub seq: i64,
    pub phone: Phone,
    pub fields: Option<String>,
    pub variant: usize,
    /// Messages that were made for them before.
    pub attempts: i64,
    pub opted_out: bool,
}

const INSERT_JOB: &str =
    "INSERT INTO jobs (tenant_id, mode, id, session_key, session_id, name, state, plan, not_before, hold, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, 'loading', $7, $8, $9, $10)";

const INSERT_RECIPIENTS: &str =
    "WITH v (job_id, seq, phone, fields, variant, state, error_code, error) AS ({rows})
    INSERT INTO recipients (job_id, seq, phone, fields, variant, state, error_code, error)
    SELECT v.job_id, v.seq, v.phone, v.fields, v.variant, v.state, v.error_code, v.error
    FROM v WHERE v.job_id IS NOT NULL";

/// Changes nothing and holds the session's row: a removal that comes later finds the job, and fails it.
const LOCK_SESSION: &str = "UPDATE sessions SET removing = removing
     WHERE tenant_id = $1 AND mode = $2 AND key = $3 AND NOT removing";

const UNFINISHED: &str = "SELECT COUNT(*) FROM jobs
     WHERE session_key = $1 AND state IN ('pending', 'running', 'paused')";

const BEGIN_JOB: &str = "UPDATE jobs SET state = 'pending', total = $2, duplicates = $3, invalid = $4
     WHERE id = $1 AND state = 'loading'";

/// The key is taken with the job's last step: what a crash cut short is not remembered as done.
const TAKE_KEY: &str =
    "INSERT INTO idempotency_keys (tenant_id, mode, key, fingerprint, message_key, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (tenant_id, mode, key) DO UPDATE SET fingerprint = excluded.fingerprint,
        message_key = excluded.message_key, created_at = excluded.created_at, expires_at = excluded.expires_at
    WHERE idempotency_keys.expires_at <= excluded.created_at
    RETURNING key";

const KEY_TAKEN: &str = "SELECT fingerprint, message_key FROM idempotency_keys
    WHERE tenant_id = $1 AND mode = $2 AND key = $3 AND expires_at > $4";

/// Only while it loads: a commit whose answer was lost may have begun it.
const DROP_RECIPIENTS: &str = "DELETE FROM recipients WHERE job_id = $1 AND seq IN
    (SELECT seq FROM recipients WHERE job_id = $1 ORDER BY seq LIMIT $2)
    AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = $1 AND j.state = 'loading')";

const JOB: &str = select_jobs!("AND j.id = $3");

const OUTLOOK: &str = "SELECT t.time_zone, t.daily_limit, s.daily_limit, o.windows,
        (SELECT COUNT(*) FROM jobs j WHERE j.session_key = s.key AND j.state IN ('pending', 'running'))
    FROM sessions s JOIN tenants t ON t.id = s.tenant_id
    LEFT JOIN tenant_settings o ON o.tenant_id = s.tenant_id AND o.mode = s.mode
    WHERE s.tenant_id = $1 AND s.mode = $2 AND s.key = $3";

const USED: &str = "SELECT
    COALESCE((SELECT used FROM daily_usage WHERE tenant_id = $1 AND mode = $2 AND day = $4), 0),
    COALESCE((SELECT used FROM session_usage WHERE session_key = $3 AND day = $4), 0)";

/// A recipient is on its way as long as its message has no result.
const UNDERWAY: &str = "SELECT COUNT(*) FROM jobs j
    JOIN messages m ON m.session_key = j.session_key AND m.pending AND m.job_id = j.id
    WHERE j.tenant_id = $1 AND j.mode = $2 AND j.id = $3";

const PAGE: &str = "SELECT r.seq, r.phone, r.fields, r.variant, r.state AS outcome, r.attempts,
        r.error_code, r.error, r.settled_at, m.wa_id, m.status, m.delivered_at, m.read_at
    FROM jobs j JOIN recipients r ON r.job_id = j.id
    LEFT JOIN messages m ON m.tenant_id = $1 AND m.mode = $2 AND m.key = r.message_key
    WHERE j.tenant_id = $1 AND j.mode = $2 AND j.id = $3 AND r.job_id = $3 AND r.seq > $4
        AND ($5 IS NULL OR r.state = $5)
    ORDER BY r.seq LIMIT $6";

const CONTEXT: &str = "SELECT t.time_zone, o.windows, t.daily_limit AS tenant_limit,
        s.daily_limit AS session_limit, p.last_at, p.draw, p.hold, p.hold_until, p.strikes
    FROM sessions s JOIN tenants t ON t.id = s.tenant_id
    LEFT JOIN tenant_settings o ON o.tenant_id = s.tenant_id AND o.mode = s.mode
    LEFT JOIN pace p ON p.session_key = s.key
    WHERE s.key = $1 AND NOT s.removing";

const ACTIVE: &str = "SELECT id, plan, not_before, hold, released_at, draw FROM jobs
    WHERE session_key = $1 AND state IN ('pending', 'running')
    ORDER BY COALESCE(released_at, 0), id";

/// The inner part asks for nothing that the index of those who wait does not hold.
const NEXT: &str = "SELECT r.seq, r.phone, r.fields, r.variant, r.attempts, o.phone IS NOT NULL AS opted_out
    FROM (SELECT job_id, seq FROM recipients WHERE job_id = $1 AND state = 'queued' ORDER BY seq LIMIT $2) n
    JOIN jobs j ON j.id = n.job_id
    JOIN recipients r ON r.job_id = n.job_id AND r.seq = n.seq
    LEFT JOIN opt_outs o ON o.tenant_id = j.tenant_id AND o.mode = j.mode AND o.phone = r.phone
    ORDER BY r.seq";

const HOLD: &str = "UPDATE jobs SET hold = $2, not_before = $3
    WHERE id = $1 AND state IN ('pending', 'running')";

const UNHOLD: &str = "UPDATE jobs SET hold = NULL, not_before = $3 WHERE id = $1 AND hold = $2";

/// What WhatsApp restricts is looked at when that ends: its wake-up says when, and so does this.
const DUE: &str = "SELECT session_key FROM jobs WHERE state IN ('pending', 'running') AND not_before <= $1
    AND NOT EXISTS (SELECT 1 FROM pace p WHERE p.session_key = jobs.session_key AND p.hold_until > $1)";

const MET: &str = "SELECT key FROM messages WHERE phone = $1 AND tenant_id = $2 AND mode = $3
    AND status IN ('received', 'delivered', 'read', 'played') LIMIT 1";

fn is_full(unfinished: &[(i64,)]) -> bool {
    unfinished.first().is_some_and(|(count,)| *count >= JOBS_MAX)
}

impl TenantStore {
    /// Stores a job with its list.
    ///
    /// # Errors
    /// [`NewJobError::KeyReused`]; then, as with every error, there is no job.
    pub async fn create_job<'a>(
        &self,
        new: NewJob,
        list: impl Iterator<Item = Listed<'a>> + Send,
    ) -> Result<MadeJob, NewJobError> {
        if let Some(key) = &new.idempotency
            && let Some(made) = self.job_of_key(key).await?
        {
            return Ok(made);
        }
        // Asked before a long list is stored, and again with its last step.
        if is_full(&self.store.db.rows(UNFINISHED, values![new.session.as_str()]).await?) {
            return Err(NewJobError::TooMany);
        }
        let now = self.store.clock.now();
        let id = JobId::new(now);
        let hold = new.schedule_at.map(|_| Hold::Scheduled.as_str());
        let row = values![
            self.tenant.as_str(),
            self.mode.as_str(),
            id.as_str(),
            new.session.as_str(),
            new.session_id.as_str(),
            new.name.as_deref(),
            serde_json::to_string(&new.plan).map_err(StoreError::from)?,
            new.schedule_at.unwrap_or(now),
            hold,
            now,
        ];
        let mut tx = self.store.db.begin().await?;
        tx.run(INSERT_JOB, row).await?;
        tx.commit().await?;
        crash::point("job.inserted");
        match self.fill_job(&id, &new, list).await {
            Ok(made) if made.id == id => Ok(made),
            other => {
                // Whatever is left of it, `tidy` takes away.
                let _ = self.store.drop_job(&id).await;
                other
            }
        }
    }

    async fn fill_job<'a>(
        &self,
        id: &JobId,
        new: &NewJob,
        list: impl Iterator<Item = Listed<'a>> + Send,
    ) -> Result<MadeJob, NewJobError> {
        let (mut total, mut duplicates, mut invalid) = (0, 0, 0);
        let mut texts = Texts::default();
        let mut list = list.peekable();
        while list.peek().is_some() {
            let rows: Vec<Vec<Value>> = list
                .by_ref()
                .take(STEP)
                .map(|one| {
                    match one.outcome {
                        Outcome::Invalid => invalid += 1,
                        Outcome::Duplicate => duplicates += 1,
                        _ => total += 1,
                    }
                    values![
                        id.as_str(),
                        one.seq,
                        one.phone,
                        one.fields,
                        one.variant,
                        one.outcome.as_str(),
                        one.code,
                        one.error,
                    ]
                })
                .collect();
            let mut tx = self.store.db.begin().await?;
            tx.run_many(&mut texts, INSERT_RECIPIENTS, rows).await?;
            tx.commit().await?;
            crash::point("job.step");
        }
        let mut tx = self.store.db.begin().await?;
        if let Some(key) = &new.idempotency {
            let row = values![
                self.tenant.as_str(),
                self.mode.as_str(),
                key.key.as_str(),
                hex::encode(key.fingerprint),
                id.as_str(),
                self.store.clock.now(),
                key.expires_at,
            ];
            if tx.rows::<(String,)>(TAKE_KEY, row).await?.is_empty() {
                // Another request with this key was faster.
                drop(tx);
                let made = self.job_of_key(key).await?;
                return made.ok_or_else(|| StoreError::Closed.into());
            }
        }
        let session = values![self.tenant.as_str(), self.mode.as_str(), new.session.as_str()];
        if tx.run(LOCK_SESSION, session).await? == 0 {
            return Err(NewJobError::NoSession);
        }
        if is_full(&tx.rows(UNFINISHED, values![new.session.as_str()]).await?) {
            return Err(NewJobError::TooMany);
        }
        if tx.run(BEGIN_JOB, values![id.as_str(), total, duplicates, invalid]).await? == 0 {
            return Err(NewJobError::NoSession);
        }
        crash::point("job.filled");
        tx.commit().await?;
        crash::point("job.begun");
        Ok(MadeJob { id: id.clone(), repeated: false })
    }

    /// The job that this key made.
    ///
    /// # Errors
    /// [`NewJobError::KeyReused`] when it was used for anything else.
    pub async fn job_of_key(&self, key: &Idempotency) -> Result<Option<MadeJob>, NewJobError> {
        let place =
            values![self.tenant.as_str(), self.mode.as_str(), key.key.as_str(), self.store.clock.now()];
        let found: Option<(String, String)> = self.store.db.rows(KEY_TAKEN, place).await?.pop();
        match found {
            None => Ok(None),
            Some((print, made)) if print == hex::encode(key.fingerprint) => match JobId::parse(&made) {
                Some(id) => Ok(Some(MadeJob { id, repeated: true })),
                None => Err(NewJobError::KeyReused),
            },
            Some(_) => Err(NewJobError::KeyReused),
        }
    }

    pub async fn job(&self, id: &JobId) -> Result<Option<JobRow>> {
        let place = values![self.tenant.as_str(), self.mode.as_str(), id.as_str()];
        let row = self.store.db.rows::<StoredJob>(JOB, place).await?.pop();
        row.map(StoredJob::read).transpose()
    }

    /// Newest first, older than `before`.
    pub async fn jobs(&self, filter: &JobFilter, before: Option<&JobId>, limit: i64) -> Result<Vec<JobRow>> {
        let mut sql = String::from(select_jobs!(""));
        let mut place = values![self.tenant.as_str(), self.mode.as_str()];
        let mut and = |condition: &str, value: Value| {
            place.push(value);
            let _ = write!(sql, "{condition} ${} ", place.len());
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
        let rows: Vec<StoredJob> = self.store.db.rows(AssertSqlSafe(sql), place).await?;
        rows.into_iter().map(StoredJob::read).collect()
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
    ) -> Result<Vec<RecipientRow>> {
        let place = values![
            self.tenant.as_str(),
            self.mode.as_str(),
            id.as_str(),
            after,
            outcome.map(Outcome::as_str),
            limit,
        ];
        Ok(self.store.db.rows(PAGE, place).await?)
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

type StoredActive = (JobId, String, At, Option<Hold>, Option<At>, i64);

#[derive(Debug, sqlx::FromRow)]
struct Context {
    #[sqlx(flatten)]
    rules: StoredRules,
    last_at: Option<At>,
    draw: Option<i64>,
    hold: Option<Restriction>,
    hold_until: Option<At>,
    strikes: Option<i64>,
}

#[derive(Debug, sqlx::FromRow)]
struct StoredRules {
    time_zone: String,
    windows: Option<String>,
    tenant_limit: Option<i64>,
    session_limit: Option<i64>,
}

impl StoredRules {
    fn read(self) -> Result<Rules> {
        Ok(Rules {
            time_zone: self.time_zone,
            windows: self.windows.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default(),
            limits: (self.tenant_limit, self.session_limit),
        })
    }
}

/// For the session's task, which works for every tenant.
impl Store {
    /// What the jobs of a session want now or later.
    pub async fn agenda(&self, session: &SessionKey) -> Result<Option<Agenda>> {
        let context: Option<Context> = self.db.rows(CONTEXT, values![session.as_str()]).await?.pop();
        let Some(Context { rules, last_at, draw, hold, hold_until, strikes }) = context else {
            return Ok(None);
        };
        let jobs: Vec<StoredActive> = self.db.rows(ACTIVE, values![session.as_str()]).await?;
        let jobs = jobs
            .into_iter()
            .map(|(id, plan, not_before, hold, released_at, draw)| {
                let released = released_at.map(|at| (at, Draw(draw)));
                Ok(Active { id, plan: serde_json::from_str(&plan)?, not_before, hold, released })
            })
            .collect::<Result<_>>()?;
        Ok(Some(Agenda {
            jobs,
            // A row that only knows of a refusal has no last message.
            last_at,
            draw: Draw(draw.unwrap_or(0)),
            restriction: hold.zip(hold_until),
            strikes: strikes.unwrap_or(0),
            rules: rules.read()?,
        }))
    }

    /// What is set for a session's jobs now.
    pub async fn rules(&self, session: &SessionKey) -> Result<Option<Rules>> {
        let context: Option<Context> = self.db.rows(CONTEXT, values![session.as_str()]).await?.pop();
        context.map(|context| context.rules.read()).transpose()
    }

    /// The next recipients of a job, in order.
    pub async fn waiting(&self, job: &JobId, limit: i64) -> Result<Vec<Waiting>> {
        type Row = (i64, Option<Phone>, Option<String>, i64, i64, bool);
        let rows: Vec<Row> = self.db.rows(NEXT, values![job.as_str(), limit]).await?;
        Ok(rows
            .into_iter()
            .filter_map(|(seq, phone, fields, variant, attempts, opted_out)| {
                let variant = usize::try_from(variant).unwrap_or(0);
                Some(Waiting { seq, phone: phone?, fields, variant, attempts, opted_out })
            })
            .collect())
    }

    /// Lets a job wait for a reason of its own. Whoever reads the rules afterwards and finds others than
    /// those that the reason came from takes it back: who changes them ends the holds of before.
    pub async fn hold_job(&self, job: &JobId, hold: Hold, until: At) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if matches!(tx, Tx::Postgres(_)) {
            // Waits for a change of limits that is being committed.
            const LOCK: &str = "SELECT j.id FROM jobs j JOIN sessions s ON s.key = j.session_key
                JOIN tenants t ON t.id = s.tenant_id WHERE j.id = $1 FOR SHARE OF s, t";
            tx.rows::<(String,)>(LOCK, values![job.as_str()]).await?;
        }
        tx.run(HOLD, values![job.as_str(), hold.as_str(), until]).await?;
        Ok(tx.commit().await?)
    }

    /// The reason is gone.
    pub async fn unhold_job(&self, job: &JobId, hold: Hold) -> Result<()> {
        self.run(UNHOLD, values![job.as_str(), hold.as_str(), self.clock.now()]).await
    }

    /// Lets every job of a session wait until then: WhatsApp said so.
    pub async fn restrict(&self, session: &SessionKey, why: Restriction, until: At) -> Result<()> {
        const RESTRICT: &str = "INSERT INTO pace (session_key, last_at, draw, hold, hold_until, strikes)
            VALUES ($1, $2, 0, $3, $4, 1)
            ON CONFLICT (session_key) DO UPDATE SET hold = excluded.hold, hold_until = excluded.hold_until";
        let now = self.clock.now();
        self.run(RESTRICT, values![session.as_str(), now, why.as_str(), until]).await
    }

    /// What WhatsApp holds against a session's number, and how many refusals in a row it has met.
    pub async fn standing(&self, session: &SessionKey) -> Result<Option<(Option<(Restriction, At)>, i64)>> {
        const STANDING: &str = "SELECT hold, hold_until, strikes FROM pace WHERE session_key = $1";
        let rows: Vec<(Option<Restriction>, Option<At>, i64)> =
            self.db.rows(STANDING, values![session.as_str()]).await?;
        Ok(rows.into_iter().next().map(|(hold, until, strikes)| (hold.zip(until), strikes)))
    }

    /// A message was taken again: the next refusal is a first one.
    pub async fn forgive(&self, session: &SessionKey) -> Result<()> {
        const FORGIVE: &str = "UPDATE pace SET hold = NULL, hold_until = NULL, strikes = 0
             WHERE session_key = $1 AND hold_until <= $2";
        self.run(FORGIVE, values![session.as_str(), self.clock.now()]).await
    }

    /// Sessions with a job that may send.
    pub async fn sessions_with_work(&self, now: At) -> Result<Vec<SessionKey>> {
        let rows: Vec<(SessionKey,)> = self.db.rows(DUE, values![now]).await?;
        let sessions: BTreeSet<SessionKey> = rows.into_iter().map(|(key,)| key).collect();
        Ok(sessions.into_iter().collect())
    }

    /// Who wrote to this number, on any session of the tenant, or got a message from it that arrived:
    /// somebody who is on WhatsApp.
    pub async fn was_met(&self, tenant: &TenantId, mode: Mode, phone: &Phone) -> Result<bool> {
        let place = values![phone.digits(), tenant.as_str(), mode.as_str()];
        Ok(!self.db.rows::<(String,)>(MET, place).await?.is_empty())
    }

    async fn run(&self, sql: &'static str, values: Vec<Value>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.run(sql, values).await?;
        Ok(tx.commit().await?)
    }

    /// Jobs that a crash cut short while they were stored; how many rows went.
    pub(super) async fn drop_unfinished_jobs(&self, now: At) -> Result<u64> {
        const CUT: &str = "SELECT id FROM jobs WHERE state = 'loading' AND created_at <= $1";
        let cut: Vec<(JobId,)> = self.db.rows(CUT, values![now.plus_ms(-LOADING_MS)]).await?;
        let mut dropped = 0;
        for (id,) in cut {
            dropped += self.drop_job(&id).await?;
        }
        Ok(dropped)
    }

    async fn drop_job(&self, id: &JobId) -> Result<u64> {
        const DROP: &str = "DELETE FROM jobs WHERE id = $1 AND state = 'loading'";
        let step = i64::try_from(STEP).expect("a step is small");
        let mut dropped = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let gone = tx.run(DROP_RECIPIENTS, values![id.as_str(), step]).await?;
            if gone == 0 {
                dropped += tx.run(DROP, values![id.as_str()]).await?;
            }
            tx.commit().await?;
            dropped += gone;
            if gone == 0 {
                return Ok(dropped);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::Plans;

    /// What a runner or a poll asks must cost the same for the last recipient of a long list as for the
    /// first, and beside a long log.
    #[tokio::test]
    async fn what_runs_per_send_or_poll_finds_its_rows_by_an_index() {
        let mut plans = Plans::sqlite().await;
        for (sql, walk) in [
            (JOB, ""),
            (KEY_TAKEN, ""),
            (OUTLOOK, ""),
            (USED, ""),
            (CONTEXT, ""),
            (ACTIVE, ""),
            // The first of those who wait, in order.
            (NEXT, "recipients_queued (job_id=? AND state=?)"),
            (HOLD, ""),
            (UNHOLD, ""),
            (UNFINISHED, "jobs_by_session (session_key=? AND state=?)"),
            // What is due is what the sweep is to wake.
            (DUE, "jobs_active (not_before<?)"),
            // One person's messages.
            (MET, "messages_by_phone (phone=? AND tenant_id=? AND mode=?)"),
            // What is not answered yet is as much as a session can send at once.
            (UNDERWAY, "messages_pending (session_key=?)"),
            // From the cursor on, a page's length.
            (PAGE, "recipients (job_id=? AND seq>?)"),
        ] {
            let walks: Vec<&str> = Some(walk).filter(|walk| !walk.is_empty()).into_iter().collect();
            let wide = plans.wide_steps(sql, "", &walks).await;
            assert!(wide.is_empty(), "{sql}: {wide:?}");
        }
    }
}
