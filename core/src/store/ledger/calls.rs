//! The calls of the store that are written by the ledger, and the handle to its line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::operation::{Done, Op};
use super::task::Waiting;
use super::vocabulary::{
    Accepted, Attempt, Change, ChangeJob, Changed, Dismissal, FileDone, FileNews, GroupNews, Heard, Inbound,
    Intent, JobName, OptOutWish, Owner, ReceiptNews, Received, Refused, Retried, Retry, Settlement, Switch,
    Unsettled,
};
use super::{job_changes, task};
use crate::clock::{At, Clock};
use crate::event::NewEvent;
use crate::id::{MessageKey, SessionKey};
use crate::job::JobId;
use crate::people::News;
use crate::phone::Recipient;
use crate::store::error::{Result, StoreError};
use crate::store::hub::Hub;
use crate::store::sessions::Saved;
use crate::store::{Db, Store};

/// How many calls wait in line before callers wait to get into it.
const LINE: usize = 4_096;

/// The writer's handle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    line: mpsc::Sender<Waiting>,
    /// Did the database refuse the last commit?
    failed: Arc<AtomicBool>,
}

impl Ledger {
    pub(in crate::store) fn start(db: Db, clock: Clock, hub: Hub) -> Self {
        let (line, inbox) = mpsc::channel(LINE);
        let failed = Arc::<AtomicBool>::default();
        tokio::spawn(task::run(db, clock, hub, inbox, failed.clone()));
        Self { line, failed }
    }

    pub(in crate::store) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Operations handed in and not yet committed.
    pub(in crate::store) fn depth(&self) -> usize {
        self.line.max_capacity() - self.line.capacity()
    }

    /// Finishes what was handed in; later calls answer [`StoreError::Closed`].
    pub(in crate::store) async fn close(&self) {
        // An error means that it is closed already.
        let _ = self.hand_in(Op::Close).await;
    }

    async fn hand_in(&self, op: Op) -> Result<Done> {
        self.put(op).await?.await.map_err(|_| StoreError::Closed)?
    }

    /// Puts it into the line, behind what is there.
    async fn put(&self, op: Op) -> Result<oneshot::Receiver<Result<Done>>> {
        let (reply, answer) = oneshot::channel();
        self.line.send(Waiting { op, reply }).await.map_err(|_| StoreError::Closed)?;
        Ok(answer)
    }
}

/// Calls are written even when nobody waits for the answer any more: what a cancelled caller handed
/// in is committed all the same.
impl Store {
    /// Quota, idempotency key, message row and id, in one transaction.
    ///
    /// # Errors
    /// [`Refused`]; then nothing was written.
    pub async fn accept(&self, intent: Intent) -> Result<Accepted, Refused> {
        match self.ledger.hand_in(Op::Accept(Box::new(intent))).await? {
            Done::Accept(result) => result,
            other => unreachable!("an intent is answered as one, not with {other:?}"),
        }
    }

    /// The result of a transmission, its counters and its event. A message that already moved on
    /// (a receipt overtook the ack) keeps its status.
    pub async fn settle(&self, settlement: Settlement) -> Result<()> {
        self.ledger.hand_in(Op::Settle(settlement)).await.map(drop)
    }

    /// Moves statuses forward; a receipt for an unknown or further message changes nothing.
    pub async fn note_receipt(&self, news: ReceiptNews) -> Result<()> {
        self.ledger.hand_in(Op::Receipt(news)).await.map(drop)
    }

    /// Stores what arrived, once each; answers which were new. WhatsApp is told only after this
    /// returns. What arrives for a session that is gone is not stored. Who says a word to stop is on the
    /// list of opt-outs from here on.
    pub async fn receive(&self, inbound: Vec<Inbound>) -> Result<Received> {
        self.receive_shared(inbound.into()).await
    }

    /// The same, for a caller who keeps what arrived until it is stored.
    pub async fn receive_shared(&self, inbound: Arc<[Inbound]>) -> Result<Received> {
        match self.ledger.hand_in(Op::Receive(inbound)).await? {
            Done::Receive(new) => Ok(new),
            other => unreachable!("what arrived is answered as that, not with {other:?}"),
        }
    }

    /// Writes what was heard of people: names, the state of chats, and what is told of them as events.
    pub async fn hear(&self, owner: Owner, news: Vec<News>) -> Result<()> {
        self.ledger.hand_in(Op::People(Heard { owner, news })).await.map(drop)
    }

    /// What groups are called now, and the events of what happened in them.
    pub async fn note_groups(&self, news: GroupNews) -> Result<()> {
        self.ledger.hand_in(Op::Groups(news)).await.map(drop)
    }

    /// Gives a bulk job's recipient an outcome without a message. One that does not wait any more keeps
    /// what it has.
    pub async fn dismiss(&self, dismissal: Dismissal) -> Result<()> {
        self.ledger.hand_in(Op::Dismiss(dismissal)).await.map(drop)
    }

    pub(in crate::store) async fn change_job(&self, job: JobName, change: Change) -> Result<Changed> {
        match self.ledger.hand_in(Op::ChangeJob(ChangeJob { job, change })).await? {
            Done::ChangeJob(changed) => Ok(changed),
            other => unreachable!("a change is answered as one, not with {other:?}"),
        }
    }

    /// In steps, so that a long list holds nobody up.
    pub(in crate::store) async fn retry_job(&self, job: JobName, unknown_too: bool) -> Result<Retried> {
        let mut queued = 0;
        loop {
            let step = Retry { job: job.clone(), unknown_too, is_first: queued == 0 };
            match self.ledger.hand_in(Op::Retry(step)).await? {
                Done::Retry(Retried::Queued { count: job_changes::RETRY_STEP, .. }) => {
                    queued += job_changes::RETRY_STEP
                }
                Done::Retry(Retried::Queued { count, unknown }) => {
                    return Ok(Retried::Queued { count: queued + count, unknown });
                }
                // What became of the job between two steps does not undo the first.
                Done::Retry(_) if queued > 0 => return Ok(Retried::Queued { count: queued, unknown: 0 }),
                Done::Retry(other) => return Ok(other),
                other => unreachable!("a retry is answered as one, not with {other:?}"),
            }
        }
    }

    /// Puts a number on the list of opt-outs, or takes it off; `false` when it was so already.
    pub(in crate::store) async fn wish(&self, wish: OptOutWish) -> Result<bool> {
        Ok(self.change(Op::OptOut(wish)).await?.unwrap_or_default())
    }

    /// Turns an endpoint on or off; `None` when there is none, `Some(false)` when it was so already.
    pub(in crate::store) async fn switch(&self, switch: Switch) -> Result<Option<bool>> {
        self.change(Op::Switch(switch)).await
    }

    /// What became of a file that came with a message, and its event.
    pub(in crate::store) async fn end_file(&self, news: FileNews) -> Result<FileDone> {
        match self.ledger.hand_in(Op::File(Box::new(news))).await? {
            Done::File(done) => Ok(done),
            other => unreachable!("a file's end is answered as one, not with {other:?}"),
        }
    }

    async fn change(&self, op: Op) -> Result<Option<bool>> {
        match self.ledger.hand_in(op).await? {
            Done::Changed(changed) => Ok(changed),
            other => unreachable!("a change is answered as one, not with {other:?}"),
        }
    }

    /// The result of one attempt, its line in the log of attempts, and what its owner hears of it. Returns when
    /// it is in line, behind those before it; what it returns ends with the commit.
    pub async fn note_attempt(
        &self,
        attempt: Attempt,
    ) -> Result<impl Future<Output = Result<()>> + Send + use<>> {
        let answer = self.ledger.put(Op::Attempt(attempt)).await?;
        Ok(async move { answer.await.map_err(|_| StoreError::Closed)?.map(drop) })
    }

    /// Deletes a session's row and fails its jobs, in the transaction of the event that says so.
    pub(in crate::store) async fn delete_session(&self, key: &SessionKey, event: NewEvent) -> Result<()> {
        self.ledger.hand_in(Op::Remove { key: key.clone(), event }).await.map(drop)
    }

    /// Writes what changed of a session and the event that says so, in one transaction. Either may be
    /// missing. A session that is gone stays gone.
    ///
    /// `epoch` is that of the lease under which something happened; `None` is what somebody wishes, whoever runs
    /// the session. `false`, and nothing written, where a later lease has begun: a process that was frozen does not
    /// speak for a session that another one runs by now.
    pub async fn save_session(
        &self,
        key: &SessionKey,
        epoch: Option<i64>,
        saved: Option<Saved>,
        event: Option<NewEvent>,
    ) -> Result<bool> {
        match self.ledger.hand_in(Op::Save { key: key.clone(), epoch, saved, event }).await? {
            Done::Changed(Some(is_written)) => Ok(is_written),
            other => unreachable!("a saved session is answered as that, not with {other:?}"),
        }
    }

    /// The session's messages with intent but no result, oldest first, now claimed by `epoch`.
    pub async fn claim_unsettled(&self, session: &SessionKey, epoch: i64) -> Result<Vec<Unsettled>> {
        let mut rows: Vec<UnsettledRow> = crate::write!(&self.db, |tx| {
            sqlx::query_as(CLAIM).bind(session).bind(epoch).fetch_all(&mut *tx).await?
        });
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        rows.into_iter().map(UnsettledRow::read).collect()
    }
}

pub(super) const CLAIM: &str = "UPDATE messages SET claimed_epoch = $2
     WHERE session_key = $1 AND pending AND claimed_epoch <= $2
     RETURNING key, wa_id, chat, content, created_at, job_id, job_seq";

#[derive(sqlx::FromRow)]
struct UnsettledRow {
    key: MessageKey,
    wa_id: String,
    chat: String,
    content: String,
    created_at: At,
    job_id: Option<JobId>,
    job_seq: Option<i64>,
}

impl UnsettledRow {
    fn read(self) -> Result<Unsettled> {
        use serde::de::Error;
        Ok(Unsettled {
            to: Recipient::parse(&self.chat, None).map_err(serde_json::Error::custom)?,
            content: serde_json::from_str(&self.content)?,
            key: self.key,
            wa_id: self.wa_id,
            created_at: self.created_at,
            job: self.job_id.zip(self.job_seq),
        })
    }
}
