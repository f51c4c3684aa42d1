//! Making a job: its list is stored in steps, so that a long one holds nobody up.
//!
//! A job begins to exist with the last step: a crash in between leaves a `loading` row that nobody sees, and
//! [`Store::tidy`] takes it away.

use crate::clock::At;
use crate::crash;
use crate::id::{SessionId, SessionKey};
use crate::job::{Hold, JobId, Outcome, Plan};
use crate::store::ledger::Idempotency;
use crate::store::tx::{Texts, Value, values};
use crate::store::{Result, Store, StoreError, TenantStore};

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

pub(super) const UNFINISHED: &str = "SELECT COUNT(*) FROM jobs
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

pub(super) const KEY_TAKEN: &str = "SELECT fingerprint, message_key FROM idempotency_keys
    WHERE tenant_id = $1 AND mode = $2 AND key = $3 AND expires_at > $4";

/// Only while it loads: a commit whose answer was lost may have begun it.
const DROP_RECIPIENTS: &str = "DELETE FROM recipients WHERE job_id = $1 AND seq IN
    (SELECT seq FROM recipients WHERE job_id = $1 ORDER BY seq LIMIT $2)
    AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = $1 AND j.state = 'loading')";

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
}

impl Store {
    /// Jobs that a crash cut short while they were stored; how many rows went.
    pub(in crate::store) async fn drop_unfinished_jobs(&self, now: At) -> Result<u64> {
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
