//! What owners want of their jobs: pause, resume, cancel, try again; and what becomes of the jobs of a
//! session that goes. Each in one commit with the event that tells it.

use super::jobs::Told;
use super::operation::{Done, Op, members};
use super::vocabulary::{Change, ChangeJob, Changed, JobName, Retried, Retry};
use super::workbench::Batch;
use crate::event::{EventData, JobEvent};
use crate::id::SessionKey;
use crate::job::State;
use crate::store::error::Result;
use crate::store::tx::{Value, values};

pub(super) const CURRENT: &str = "SELECT state FROM jobs WHERE tenant_id = $1 AND mode = $2 AND id = $3";

pub(super) const CHANGE: &str = "UPDATE jobs SET
        state = CASE WHEN $4 = 'resume' THEN CASE WHEN started_at IS NULL THEN 'pending' ELSE 'running' END
            ELSE $5 END,
        finished_at = CASE WHEN $4 = 'cancel' THEN $6 ELSE finished_at END
    WHERE tenant_id = $1 AND mode = $2 AND id = $3
        AND (($4 = 'pause' AND state IN ('pending', 'running'))
            OR ($4 = 'resume' AND state = 'paused')
            OR ($4 = 'cancel' AND state IN ('pending', 'running', 'paused')))
    RETURNING id, session_key, session_id, state, total, succeeded, failed, skipped";

/// Failed recipients that are put back in one commit. So many are about 20 ms of work, which is as long as
/// a send may have to wait.
pub(super) const RETRY_STEP: i64 = 1_024;

/// Holds the job's row.
pub(super) const MAY_RETRY: &str =
    "UPDATE jobs SET state = state WHERE tenant_id = $1 AND mode = $2 AND id = $3
    AND state <> 'loading' RETURNING state";

pub(super) const SENDER: &str = "SELECT s.key FROM sessions s JOIN jobs j ON j.session_key = s.key
    WHERE j.id = $1 AND NOT s.removing";

/// All who failed, and those of them whose message may have arrived.
pub(super) const FAILED: &str = "SELECT COUNT(*), COUNT(*) FILTER (WHERE error_code = 'OUTCOME_UNKNOWN')
    FROM recipients WHERE job_id = $1 AND state = 'failed'";

pub(super) const REQUEUE: &str = "UPDATE recipients SET state = 'queued', attempts = 0, message_key = NULL,
        error_code = NULL, error = NULL, settled_at = NULL
    FROM (SELECT f.job_id, f.seq FROM recipients f WHERE f.job_id = $1 AND f.state = 'failed'
        AND (f.error_code <> 'OUTCOME_UNKNOWN' OR $2) LIMIT $3) n
    WHERE recipients.job_id = n.job_id AND recipients.seq = n.seq";

pub(super) const REOPEN: &str = "UPDATE jobs SET failed = failed - $2, finished_at = NULL,
        state = CASE WHEN state = 'paused' THEN 'paused' WHEN started_at IS NULL THEN 'pending' ELSE 'running' END
    WHERE id = $1
    RETURNING id, session_key, session_id, state, total, succeeded, failed, skipped";

/// Nobody is left to send them.
pub(super) const FAIL: &str = "UPDATE jobs SET state = 'failed', reason = 'session_removed', finished_at = $2
    WHERE session_key = $1 AND state IN ('pending', 'running', 'paused')
    RETURNING id, session_key, session_id, state, total, succeeded, failed, skipped";

impl JobName {
    /// As each of the statements begins.
    fn values(&self) -> Vec<Value> {
        values![self.tenant.as_str(), self.mode.as_str(), self.id.as_str()]
    }
}

/// Pauses, resumes or cancels; one at a time, they are rare.
pub(super) async fn change(batch: &mut Batch<'_, '_>, ops: &[Op], done: &mut [Done]) -> Result<()> {
    for (place, ChangeJob { job, change }) in members!(ops, ChangeJob) {
        let (word, state) = match change {
            Change::Pause => ("pause", State::Paused),
            Change::Resume => ("resume", State::Running),
            Change::Cancel => ("cancel", State::Cancelled),
        };
        let name = job.values();
        let mut wanted = name.clone();
        wanted.extend(values![word, state.as_str(), batch.now]);
        let changed: Option<Told> = batch.tx.rows(CHANGE, wanted).await?.pop();
        let answer = match changed {
            Some(job) => {
                let data = match change {
                    Change::Pause => EventData::JobPaused(job.shown()),
                    Change::Resume => EventData::JobResumed(job.shown()),
                    Change::Cancel => EventData::JobCancelled(job.shown()),
                };
                batch.events.extend([job.event(data, batch.now)]);
                Changed::Done
            }
            None => match batch.tx.rows::<(State,)>(CURRENT, name).await?.pop() {
                Some((State::Loading,)) | None => Changed::NotFound,
                Some((current,)) if current == state || (*change == Change::Resume && !current.is_over()) => {
                    Changed::AlreadySo
                }
                Some((current,)) => Changed::TooLate(current),
            },
        };
        done[place] = Done::ChangeJob(answer);
    }
    Ok(())
}

/// Puts failed recipients back in line, one step per call. The job's owner is told with the first step, and
/// of all that are to follow.
pub(super) async fn retry(batch: &mut Batch<'_, '_>, ops: &[Op], done: &mut [Done]) -> Result<()> {
    for (place, Retry { job, unknown_too, is_first }) in members!(ops, Retry) {
        let id = job.id.as_str();
        let answer = match batch.tx.rows::<(State,)>(MAY_RETRY, job.values()).await?.pop() {
            None => Retried::NotFound,
            Some((state @ (State::Cancelled | State::Failed | State::Loading),)) => Retried::TooLate(state),
            // Nobody is left to send them.
            Some(_) if batch.tx.rows::<(String,)>(SENDER, values![id]).await?.is_empty() => {
                Retried::TooLate(State::Failed)
            }
            Some((state,)) => {
                let failed: Vec<(i64, i64)> = batch.tx.rows(FAILED, values![id]).await?;
                let (failed, unknown) = failed.first().copied().unwrap_or_default();
                let unknown = if *unknown_too { 0 } else { unknown };
                let count = (failed - unknown).min(RETRY_STEP);
                if count > 0 {
                    batch.tx.run(REQUEUE, values![id, *unknown_too, count]).await?;
                    let reopened: Vec<Told> = batch.tx.rows(REOPEN, values![id, count]).await?;
                    // A job that was completed between two steps goes on once more.
                    if *is_first || state == State::Completed {
                        batch.events.extend(reopened.iter().map(|job| {
                            let retried = Some(failed - unknown);
                            job.event(EventData::JobResumed(JobEvent { retried, ..job.shown() }), batch.now)
                        }));
                    }
                }
                Retried::Queued { count, unknown }
            }
        };
        done[place] = Done::Retry(answer);
    }
    Ok(())
}

/// Fails what can no longer go on.
pub(super) async fn fail(batch: &mut Batch<'_, '_>, session: &SessionKey) -> Result<()> {
    let failed: Vec<Told> = batch.tx.rows(FAIL, values![session.as_str(), batch.now]).await?;
    batch.events.extend(failed.iter().map(|job| {
        let reason = Some("session_removed");
        job.event(EventData::JobFailed(JobEvent { reason, ..job.shown() }), batch.now)
    }));
    Ok(())
}
