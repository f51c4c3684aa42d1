//! What owners want of their jobs: pause, resume, cancel.

use super::batch::{Done, Op};
use super::events::Events;
use super::jobs::Told;
use super::{Change, Changed, Result};
use crate::clock::At;
use crate::event::Kind;
use crate::job::State;
use crate::store::tx::{Tx, values};

/// Pauses, resumes or cancels; one at a time, they are rare.
pub(super) async fn change(
    tx: &mut Tx<'_>,
    now: At,
    ops: &[Op],
    done: &mut [Done],
    events: &mut Events,
) -> Result<()> {
    const CURRENT: &str = "SELECT state FROM jobs WHERE tenant_id = $1 AND mode = $2 AND id = $3";
    const CHANGE: &str = "UPDATE jobs SET
            state = CASE WHEN $4 = 'resume' THEN CASE WHEN started_at IS NULL THEN 'pending' ELSE 'running' END
                ELSE $5 END,
            finished_at = CASE WHEN $4 = 'cancel' THEN $6 ELSE finished_at END
        WHERE tenant_id = $1 AND mode = $2 AND id = $3
            AND (($4 = 'pause' AND state IN ('pending', 'running'))
                OR ($4 = 'resume' AND state = 'paused')
                OR ($4 = 'cancel' AND state IN ('pending', 'running', 'paused')))
        RETURNING id, session_key, session_id, state, total, succeeded, failed, skipped";
    for (place, (tenant, mode, job, change)) in ops.iter().enumerate().filter_map(|(place, op)| match op {
        Op::ChangeJob { tenant, mode, job, change } => Some((place, (tenant, mode, job, change))),
        _ => None,
    }) {
        let (word, state, kind) = match change {
            Change::Pause => ("pause", State::Paused, Kind::JobPaused),
            Change::Resume => ("resume", State::Running, Kind::JobResumed),
            Change::Cancel => ("cancel", State::Cancelled, Kind::JobCancelled),
        };
        let name = values![tenant.as_str(), mode.as_str(), job.as_str()];
        let mut wanted = name.clone();
        wanted.extend(values![word, state.as_str(), now]);
        let changed: Option<Told> = tx.rows(CHANGE, wanted).await?.pop();
        let answer = match changed {
            Some(job) => {
                events.extend([job.event(kind, now)]);
                Changed::Done
            }
            None => match tx.rows::<(State,)>(CURRENT, name).await?.pop() {
                Some((current,)) if current == state || (*change == Change::Resume && !current.is_over()) => {
                    Changed::AlreadySo
                }
                Some((State::Loading,)) | None => Changed::NotFound,
                Some((current,)) => Changed::TooLate(current),
            },
        };
        done[place] = Done::ChangeJob(answer);
    }
    Ok(())
}
