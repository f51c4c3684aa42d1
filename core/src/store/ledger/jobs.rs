//! Bulk jobs in the log's transactions: a recipient is taken with its message's intent, and settled,
//! counted and told with its message's result. So a job's numbers are true at every instant.
//!
//! Rows are always taken in the order job, recipient, and jobs in the order of their ids, so that
//! processes do not wait for each other in a circle.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::candidate::Candidate;
use super::moved::Moved;
use super::operation::{Done, Op, members};
use super::vocabulary::{Refused, SEND_FAILED};
use super::workbench::Batch;
use crate::clock::At;
use crate::event::{EventData, JobEvent, NewEvent};
use crate::id::{MessageKey, SessionId, SessionKey};
use crate::job::{BLOCKED_TRIES, JobId, Outcome, STRICKEN_TRIES, State};
use crate::message::Status;
use crate::nack::BLOCKED;
use crate::pacing::Draw;
use crate::store::error::Result;
use crate::store::tx::{Tx, Value, values};

/// The first pause after WhatsApp refused to let a number write; doubles with each refusal in a row, up
/// to a day.
const BLOCKED_MS: i64 = 30 * 60_000;

/// Where recipients and their jobs stand. Conditions on that are not part of it, and the session is compared
/// as in `settle::ADVANCE`: each would have Postgres, while the tables are empty, choose a plan that later
/// reads everybody who waits.
pub(super) const READY: &str = "WITH v (tenant_id, mode, job_id, session_key, seq) AS ({rows})
    SELECT j.id, r.seq, j.state, r.state AS outcome, EXISTS (SELECT 1 FROM opt_outs o
        WHERE o.tenant_id = v.tenant_id AND o.mode = v.mode AND o.phone = r.phone) AS opted_out
    FROM v
    JOIN jobs j ON j.tenant_id = v.tenant_id AND j.mode = v.mode AND j.id = v.job_id
        AND j.session_key || '' = v.session_key
    JOIN recipients r ON r.job_id = v.job_id AND r.seq = v.seq";

/// Whose first message this is starts; whose turn it was waits for the others'.
pub(super) const TURN: &str = "WITH v (id, moment, draw) AS ({rows})
    UPDATE jobs SET state = 'running', started_at = COALESCE(jobs.started_at, v.moment), hold = NULL,
        released_at = v.moment, draw = v.draw
    FROM v WHERE jobs.id = v.id
    RETURNING jobs.id, jobs.session_key, jobs.session_id, jobs.state, jobs.total, jobs.succeeded, jobs.failed,
        jobs.skipped";

pub(super) const RELEASE: &str = "WITH v (job_id, seq, message_key) AS ({rows})
    UPDATE recipients SET state = 'sending', message_key = v.message_key, attempts = recipients.attempts + 1
    FROM v WHERE recipients.job_id = v.job_id AND recipients.seq = v.seq";

pub(super) const PACE: &str = "WITH v (session_key, last_at, draw) AS ({rows})
    INSERT INTO pace (session_key, last_at, draw) SELECT v.session_key, v.last_at, v.draw FROM v
    WHERE v.session_key IS NOT NULL
    ON CONFLICT (session_key) DO UPDATE SET last_at = excluded.last_at, draw = excluded.draw";

/// A message's recipient, or one whom no message was made for (`message_key` is NULL). One whom WhatsApp
/// would not let us write to, or whom our side could not, waits for another try, a few times.
pub(super) const OUTCOME: &str =
    "WITH v (job_id, seq, message_key, next, code, problem, moment, tries) AS ({rows})
    UPDATE recipients SET
        state = CASE WHEN recipients.attempts < v.tries THEN 'queued' ELSE v.next END,
        error_code = v.code, error = v.problem,
        settled_at = CASE WHEN recipients.attempts < v.tries THEN NULL ELSE v.moment END
    FROM v
    WHERE recipients.job_id = v.job_id AND recipients.seq = v.seq
        AND ((recipients.state = 'sending' AND recipients.message_key = v.message_key)
            OR (recipients.state = 'queued' AND v.message_key IS NULL))
    RETURNING recipients.job_id, recipients.seq, recipients.state";

/// Completes a job with its last recipient.
pub(super) const COUNT: &str = "WITH v (id, succeeded, failed, skipped, moment) AS ({rows})
    UPDATE jobs SET succeeded = jobs.succeeded + v.succeeded, failed = jobs.failed + v.failed,
        skipped = jobs.skipped + v.skipped,
        state = CASE WHEN jobs.state IN ('pending', 'running', 'paused') AND jobs.total <=
            jobs.succeeded + jobs.failed + jobs.skipped + v.succeeded + v.failed + v.skipped
            THEN 'completed' ELSE jobs.state END,
        finished_at = CASE WHEN jobs.state IN ('pending', 'running', 'paused') AND jobs.total <=
            jobs.succeeded + jobs.failed + jobs.skipped + v.succeeded + v.failed + v.skipped
            THEN v.moment ELSE jobs.finished_at END
    FROM v WHERE jobs.id = v.id
    RETURNING jobs.id, jobs.session_key, jobs.session_id, jobs.state, jobs.total, jobs.succeeded, jobs.failed,
        jobs.skipped";

/// Sessions of which nothing was taken since WhatsApp last refused.
pub(super) const STRICKEN: &str = "WITH v (session_key) AS ({rows})
    SELECT p.session_key FROM v JOIN pace p ON p.session_key = v.session_key WHERE p.strikes > 0";

/// Several refusals of one stretch are one.
pub(super) const BLOCK: &str = "WITH v (session_key, moment, first_pause) AS ({rows})
    INSERT INTO pace (session_key, last_at, draw, hold, hold_until, strikes)
    SELECT v.session_key, v.moment, 0, 'blocked', v.moment + v.first_pause, 1 FROM v
    WHERE v.session_key IS NOT NULL
    ON CONFLICT (session_key) DO UPDATE SET hold = 'blocked', strikes = pace.strikes + 1,
        hold_until = excluded.last_at + (excluded.hold_until - excluded.last_at) * CASE pace.strikes
            WHEN 0 THEN 1 WHEN 1 THEN 2 WHEN 2 THEN 4 WHEN 3 THEN 8 WHEN 4 THEN 16 ELSE 48 END
    WHERE pace.hold_until IS NULL OR pace.hold_until <= excluded.last_at";

/// A job as its events tell it.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Told {
    id: JobId,
    session_key: SessionKey,
    session_id: SessionId,
    state: State,
    total: i64,
    succeeded: i64,
    failed: i64,
    skipped: i64,
}

impl Told {
    pub(super) fn shown(&self) -> JobEvent {
        JobEvent {
            job_id: self.id.to_string(),
            session_id: self.session_id.to_string(),
            state: self.state.as_str(),
            total: self.total,
            succeeded: self.succeeded,
            failed: self.failed,
            skipped: self.skipped,
            processed: self.succeeded + self.failed + self.skipped,
            reason: None,
            retried: None,
        }
    }

    /// An event of its session.
    pub(super) fn event(&self, data: EventData, at: At) -> (SessionKey, NewEvent) {
        (self.session_key.clone(), NewEvent::new(at, data))
    }
}

/// Jobs that a batch's first messages start.
pub(super) type Starting = HashSet<String>;

/// Leaves those who are not part of a job, and one for each recipient of whom a message may be made. From
/// here to the commit nobody else changes these jobs or their recipients.
pub(super) async fn leave_ready<'a>(
    batch: &mut Batch<'_, '_>,
    candidates: Vec<Candidate<'a>>,
    done: &mut [Done],
) -> Result<(Vec<Candidate<'a>>, Starting)> {
    let parts = || candidates.iter().filter_map(|one| Some((one, one.intent.job.as_ref()?)));
    lock(batch, parts().map(|(_, part)| part.job.as_str())).await?;
    let rows = parts()
        .map(|(one, part)| {
            let (tenant, mode) = one.account();
            values![tenant, mode, part.job.as_str(), one.intent.owner.session.as_str(), part.seq]
        })
        .collect();
    let mut found: Vec<(String, i64, State, Outcome, bool)> = batch.many(READY, rows).await?;
    found.retain(|(_, _, state, outcome, opted_out)| {
        matches!(state, State::Pending | State::Running) && *outcome == Outcome::Queued && !opted_out
    });
    let starting = found.iter().filter(|(_, _, state, ..)| *state == State::Pending);
    let starting = starting.map(|(job, ..)| job.clone()).collect();
    let mut ready: HashSet<(&str, i64)> = found.iter().map(|(job, seq, ..)| (job.as_str(), *seq)).collect();
    let mut left = Vec::with_capacity(candidates.len());
    for one in candidates {
        match &one.intent.job {
            Some(part) if !ready.remove(&(part.job.as_str(), part.seq)) => {
                done[one.place] = Done::Accept(Err(Refused::NotReleased));
            }
            _ => left.push(one),
        }
    }
    Ok((left, starting))
}

/// Takes the recipients of those that are accepted, and stores when each session sent last and where the
/// pause after it ends.
pub(super) async fn release(
    batch: &mut Batch<'_, '_>,
    accepted: &[Candidate<'_>],
    starting: &Starting,
) -> Result<()> {
    let mut turns: BTreeMap<&JobId, (At, Draw)> = BTreeMap::new();
    let mut paces: BTreeMap<&SessionKey, Vec<Value>> = BTreeMap::new();
    let mut rows = Vec::new();
    for one in accepted {
        if let Some(part) = &one.intent.job {
            let session = &one.intent.owner.session;
            turns.insert(&part.job, (one.created_at, part.draw));
            paces.insert(session, values![session.as_str(), one.created_at, part.draw.0]);
            rows.push(values![part.job.as_str(), part.seq, one.key.as_str()]);
        }
    }
    let jobs = turns.iter().map(|(job, (at, draw))| values![job.as_str(), *at, draw.0]).collect();
    let going: Vec<Told> = batch.many(TURN, jobs).await?;
    let started = going.iter().filter(|job| starting.contains(job.id.as_str()));
    batch.events.extend(started.map(|job| job.event(EventData::JobStarted(job.shown()), turns[&job.id].0)));
    batch.run_many(RELEASE, rows).await?;
    batch.run_many(PACE, paces.into_values().collect()).await?;
    Ok(())
}

/// What became of a recipient, with the message it was about.
struct Settled<'a> {
    job: &'a str,
    seq: i64,
    message: Option<&'a MessageKey>,
    /// Of the message.
    session: Option<&'a SessionKey>,
    next: Outcome,
    code: Option<&'a str>,
    problem: Option<&'a str>,
    at: At,
}

/// The recipients of messages that moved.
pub(super) async fn settle<'a>(
    batch: &mut Batch<'_, '_>,
    moved: impl Iterator<Item = (&'a Moved, At)>,
) -> Result<()> {
    let settled = moved
        .filter_map(|(message, at)| {
            let next = if message.status == Status::Failed { Outcome::Failed } else { Outcome::Sent };
            Some(Settled {
                job: message.job_id.as_deref()?,
                seq: message.job_seq?,
                message: Some(&message.key),
                session: Some(&message.session_key),
                next,
                code: message.error_code.as_deref(),
                problem: message.error.as_deref(),
                at,
            })
        })
        .collect();
    count(batch, settled).await
}

/// The recipients whom no message is made for.
pub(super) async fn dismiss(batch: &mut Batch<'_, '_>, ops: &[Op]) -> Result<()> {
    let settled = members!(ops, Dismiss)
        .map(|(_, one)| Settled {
            job: one.job.as_str(),
            seq: one.seq,
            message: None,
            session: None,
            next: one.outcome,
            code: Some(one.code),
            problem: Some(&one.error),
            at: one.at,
        })
        .collect();
    count(batch, settled).await
}

async fn count(batch: &mut Batch<'_, '_>, mut settled: Vec<Settled<'_>>) -> Result<()> {
    let mut seen = HashSet::new();
    settled.retain(|one| seen.insert((one.job, one.seq)));
    let Some(at) = settled.iter().map(|one| one.at).max() else { return Ok(()) };
    lock(batch, settled.iter().map(|one| one.job)).await?;
    let stricken = stricken(batch, &settled).await?;
    let rows = settled
        .iter()
        .map(|one| {
            let tries = match one.code {
                Some(BLOCKED) if one.session.is_some_and(|key| stricken.contains(key)) => STRICKEN_TRIES,
                Some(BLOCKED | SEND_FAILED) => BLOCKED_TRIES,
                _ => 0,
            };
            values![
                one.job,
                one.seq,
                one.message.map(MessageKey::as_str),
                one.next.as_str(),
                one.code,
                one.problem,
                one.at,
                tries,
            ]
        })
        .collect();
    let outcomes: Vec<(String, i64, Outcome)> = batch.many(OUTCOME, rows).await?;
    let mut counts: BTreeMap<String, [i64; 3]> = BTreeMap::new();
    for (job, _, outcome) in outcomes {
        let place = match outcome {
            Outcome::Sent => 0,
            Outcome::Failed => 1,
            Outcome::Skipped => 2,
            _ => continue,
        };
        counts.entry(job).or_default()[place] += 1;
    }
    let rows = counts.into_iter().map(|(job, [s, f, k])| values![job, s, f, k, at]).collect();
    let told: Vec<Told> = batch.many(COUNT, rows).await?;
    let completed = told.iter().filter(|job| job.state == State::Completed);
    batch.events.extend(completed.map(|job| job.event(EventData::JobCompleted(job.shown()), at)));
    Ok(())
}

/// Where WhatsApp lets a number write to nobody, a refusal says nothing of the recipient.
async fn stricken(batch: &mut Batch<'_, '_>, settled: &[Settled<'_>]) -> Result<HashSet<SessionKey>> {
    let refused = settled.iter().filter(|one| one.code == Some(BLOCKED));
    let sessions: HashSet<&SessionKey> = refused.filter_map(|one| one.session).collect();
    let rows = sessions.into_iter().map(|key| values![key.as_str()]).collect();
    let found: Vec<(SessionKey,)> = batch.many(STRICKEN, rows).await?;
    Ok(found.into_iter().map(|(key,)| key).collect())
}

/// Takes the jobs' rows before their recipients', as everybody does. On SQLite there is one writer.
async fn lock<'a>(batch: &mut Batch<'_, '_>, jobs: impl Iterator<Item = &'a str>) -> Result<()> {
    const LOCK: &str = "WITH v (id) AS ({rows})
        SELECT j.id FROM jobs j WHERE j.id IN (SELECT v.id FROM v) ORDER BY j.id FOR UPDATE";
    if matches!(batch.tx, Tx::Postgres(_)) {
        let jobs: HashSet<&str> = jobs.collect();
        let rows = jobs.into_iter().map(|job| values![job]).collect();
        batch.many::<(String,)>(LOCK, rows).await?;
    }
    Ok(())
}

/// Sessions to which WhatsApp answered "not you, not now": their jobs wait.
pub(super) async fn block<'a>(
    batch: &mut Batch<'_, '_>,
    refused: impl Iterator<Item = (&'a Moved, At)>,
) -> Result<()> {
    let sessions: HashMap<&SessionKey, At> = refused
        .filter(|(message, _)| {
            message.status == Status::Failed && message.error_code.as_deref() == Some(BLOCKED)
        })
        .map(|(message, at)| (&message.session_key, at))
        .collect();
    let rows = sessions.into_iter().map(|(key, at)| values![key.as_str(), at, BLOCKED_MS]).collect();
    batch.run_many(BLOCK, rows).await?;
    Ok(())
}
