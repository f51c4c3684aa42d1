//! Writing the log: many use cases, one commit.
//!
//! Every write on the hot path is handed to one task that takes whatever has queued while the last
//! commit was running and commits it together. So the cost of a commit (an fsync, a round trip) is
//! shared by everyone who waited, nobody waits for a timer, and order is the order of arrival. If a
//! batch fails, its members are tried one by one, so that one bad row never takes others with it.
//!
//! Each event is written in the transaction of its cause and numbered within its session.
//!
//! | file | what it writes |
//! |---|---|
//! | `task` | the queue, the batches and who gets which answer |
//! | `batch` | one transaction: the phases in order |
//! | `accept` | intents: idempotency keys, quota, rows |
//! | `settle` | results and receipts |
//! | `jobs` | what the two mean for bulk jobs |
//! | `steer` | what owners want of their jobs |
//! | `receive` | what arrived |
//! | `arrival` | what is told of it |
//! | `change` | what edits and deletes do to the messages they name |
//! | `files` | what became of files that came with messages |
//! | `chats` | conversations, moved by their messages |
//! | `people` | what is heard of people beside that |
//! | `groups` | what groups are called, what happened in them |
//! | `events` | events, numbered |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::hub::Hub;
use super::media::NewReceived;
use super::sessions::Saved;
use super::{Db, Result, Store, StoreError};
use crate::clock::{At, Clock};
use crate::content::Content;
use crate::event::NewEvent;
use crate::id::{MessageKey, SessionId, SessionKey, TenantId};
use crate::job::{JobId, State};
use crate::key::Mode;
use crate::message::{ReceiptSender, Status};
use crate::nack::Nack;
use crate::people::News;
use crate::phone::{Phone, Recipient};
use crate::wa_id::WaId;

mod accept;
mod arrival;
mod batch;
mod change;
mod chats;
mod contacts;
mod deliver;
mod events;
mod files;
mod groups;
mod jobs;
mod people;
mod receive;
mod settle;
mod steer;
mod task;
mod wish;

use batch::{Done, Op};
pub use change::EDITED_WITHIN_MS;
pub(super) use deliver::Switch;
pub use deliver::{Attempt, Next};
pub(super) use files::{FileDone, FileEnd, FileNews};
pub use groups::GroupNews;
pub use jobs::{Dismissal, JobPart};
use task::Waiting;
pub(super) use wish::OptOutWish;

pub use crate::nack::BLOCKED;
/// The code of a message that our side could not send.
pub const SEND_FAILED: &str = "SEND_FAILED";

/// How many calls wait in line before callers wait to get into it.
const LINE: usize = 4_096;

/// Whose message it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    pub tenant: TenantId,
    pub mode: Mode,
    pub session: SessionKey,
    pub session_id: SessionId,
}

/// A message that somebody wants sent.
#[derive(Debug, Clone)]
pub struct Intent {
    pub owner: Owner,
    pub to: Recipient,
    /// The number as somebody wrote it, which may not be that of the account that it leads to.
    pub asked: Option<Phone>,
    /// The account's LID, its digits, where WhatsApp named it.
    pub lid: Option<String>,
    pub content: Content,
    /// Chosen before sending, kept for ever: a resend after a crash carries the same.
    pub wa_id: String,
    /// Of the session's lease.
    pub epoch: i64,
    pub idempotency: Option<Idempotency>,
    /// The recipient of a bulk job that it is for.
    pub job: Option<JobPart>,
}

#[derive(Debug, Clone)]
pub struct Idempotency {
    pub key: String,
    /// SHA-256 of route and canonical body.
    pub fingerprint: [u8; 32],
    pub expires_at: At,
}

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Committed as `sending`; transmit it now.
    New { key: MessageKey, created_at: At },
    /// The same idempotency key was used for the same request; this is its message.
    Repeat { key: MessageKey },
}

#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("Daily sent message limit reached")]
    LimitReached { limit: i64, used: i64 },
    #[error("the Idempotency-Key was used for a different request")]
    KeyReused,
    /// Gone, being removed, or another tenant's.
    #[error("there is no such session")]
    NoSession,
    /// The job does not run, or its recipient does not wait any more or has opted out.
    #[error("the job's recipient is not to be sent to now")]
    NotReleased,
    /// And the tenant wants that to count for every message.
    #[error("the recipient has opted out")]
    OptedOut,
    /// The intent's epoch is older than the session's lease.
    #[error("another process runs this session now")]
    LeaseLost,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The end of an attempt to transmit.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub owner: Owner,
    pub key: MessageKey,
    /// Of the session's lease; a result from an older epoch than the row's is dropped.
    pub epoch: i64,
    pub outcome: Outcome,
    pub at: At,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    /// WhatsApp's server took it at this time.
    Sent,
    /// Not sent, for good. The reserved quota is given back.
    Failed { code: String, error: String },
    /// The same, because WhatsApp did not take it.
    Refused(Nack),
}

/// A receipt from a recipient (or our own phone).
#[derive(Debug, Clone)]
pub struct ReceiptNews {
    pub owner: Owner,
    pub by: ReceiptSender,
    pub wa_ids: Vec<String>,
    /// Delivered, Read or Played.
    pub status: Status,
    pub at: At,
}

/// A message that arrived, or that the owner sent from the phone.
#[derive(Debug, Clone)]
pub struct Inbound {
    pub owner: Owner,
    pub wa_id: WaId,
    /// JID of the chat.
    pub chat: String,
    /// JID of who wrote it.
    pub sender: String,
    /// The other party's number, where WhatsApp or our mapping knows it.
    pub phone: Option<Phone>,
    pub lid: Option<String>,
    pub sender_name: Option<String>,
    /// Sent by the owner from the phone or another device: logged as `out`, no quota.
    pub from_me: bool,
    pub is_group: bool,
    pub content: Content,
    /// Of a medium: what is known of its file, which is fetched later.
    pub file: Option<NewReceived>,
    pub sent_at: At,
}

/// What was heard of people, in order.
#[derive(Debug)]
pub(super) struct Heard {
    pub owner: Owner,
    pub news: Vec<News>,
}

/// What became of what arrived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// Which of them were new.
    pub new: Vec<bool>,
    /// Answers of ours were written with them, as messages without a verdict.
    pub answered: bool,
}

/// What an owner wants of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Pause,
    Resume,
    Cancel,
}

/// What became of that wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    Done,
    AlreadySo,
    /// It is over.
    TooLate(State),
    NotFound,
}

/// A job as its owner names it.
#[derive(Debug, Clone)]
pub(super) struct JobName {
    pub tenant: TenantId,
    pub mode: Mode,
    pub id: JobId,
}

/// A wish to change a job.
#[derive(Debug)]
pub(super) struct ChangeJob {
    pub job: JobName,
    pub change: Change,
}

/// A wish to try the failed recipients of a job again; one step of it.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    pub job: JobName,
    /// Also those whose message may have arrived?
    pub unknown_too: bool,
    pub is_first: bool,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// So many wait again, and so many were left out because their message may have arrived.
    Queued {
        count: i64,
        unknown: i64,
    },
    TooLate(State),
    NotFound,
}

/// A message whose outcome is not known: sent again under the same id.
#[derive(Debug, Clone)]
pub struct Unsettled {
    pub key: MessageKey,
    pub wa_id: String,
    pub to: Recipient,
    pub content: Content,
    pub created_at: At,
    /// The bulk job and the row of its list that it is for.
    pub job: Option<(JobId, i64)>,
}

/// The writer's handle. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    line: mpsc::Sender<Waiting>,
    /// Did the database refuse the last commit?
    failed: Arc<AtomicBool>,
}

impl Ledger {
    pub(super) fn start(db: Db, clock: Clock, hub: Hub) -> Self {
        let (line, inbox) = mpsc::channel(LINE);
        let failed = Arc::<AtomicBool>::default();
        tokio::spawn(task::run(db, clock, hub, inbox, failed.clone()));
        Self { line, failed }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Operations handed in and not yet committed.
    pub(super) fn depth(&self) -> usize {
        self.line.max_capacity() - self.line.capacity()
    }

    /// Finishes what was handed in; later calls answer [`StoreError::Closed`].
    pub(super) async fn close(&self) {
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

    pub(super) async fn change_job(&self, job: JobName, change: Change) -> Result<Changed> {
        match self.ledger.hand_in(Op::ChangeJob(ChangeJob { job, change })).await? {
            Done::ChangeJob(changed) => Ok(changed),
            other => unreachable!("a change is answered as one, not with {other:?}"),
        }
    }

    /// In steps, so that a long list holds nobody up.
    pub(super) async fn retry_job(&self, job: JobName, unknown_too: bool) -> Result<Retried> {
        let mut queued = 0;
        loop {
            let step = Retry { job: job.clone(), unknown_too, is_first: queued == 0 };
            match self.ledger.hand_in(Op::Retry(step)).await? {
                Done::Retry(Retried::Queued { count: steer::RETRY_STEP, .. }) => queued += steer::RETRY_STEP,
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
    pub(super) async fn wish(&self, wish: OptOutWish) -> Result<bool> {
        Ok(self.change(Op::OptOut(wish)).await?.unwrap_or_default())
    }

    /// Turns an endpoint on or off; `None` when there is none, `Some(false)` when it was so already.
    pub(super) async fn switch(&self, switch: Switch) -> Result<Option<bool>> {
        self.change(Op::Switch(switch)).await
    }

    /// What became of a file that came with a message, and its event.
    pub(super) async fn end_file(&self, news: FileNews) -> Result<FileDone> {
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
    pub(super) async fn delete_session(&self, key: &SessionKey, event: NewEvent) -> Result<()> {
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

const CLAIM: &str = "UPDATE messages SET claimed_epoch = $2
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

#[cfg(test)]
mod tests {
    use super::{
        CLAIM, accept, change, chats, contacts, deliver, events, groups, jobs, people, receive, settle,
        steer, task,
    };
    use crate::store::plan::Plans;

    #[tokio::test]
    async fn every_statement_finds_its_rows_by_a_whole_index_on_sqlite() {
        check(Plans::sqlite().await).await;
    }

    #[tokio::test]
    async fn every_statement_finds_its_rows_by_a_whole_index_on_postgres() {
        if let Some(plans) = Plans::postgres(&task::PLANNER).await {
            check(plans).await;
        }
    }

    /// A batch must cost the same however long the log is.
    async fn check(mut plans: Plans) {
        let whole = &[][..];
        // Of the echoes and receipts of one message there are few.
        let named = &["messages_by_wa_id (session_key=? AND wa_id=?)"][..];
        // What is not answered yet is as much as a session can send at once.
        let pending = &["messages_pending (session_key=?)"][..];
        // Those who failed, and no others.
        let failed = &["recipients_failed (job_id=? AND state=?)", "recipients_failed (job_id=?)"][..];
        // A session's jobs, when it goes.
        let jobs = &["jobs_by_session (session_key=?)"][..];
        // A tenant has few.
        let endpoints =
            &["endpoints (tenant_id=? AND mode=?)", "endpoints_pkey (tenant_id=? AND mode=?)"][..];
        let mut wide = Vec::new();
        for (sql, types, walks) in [
            (accept::OWNERS, "ttt", whole),
            (accept::OPTED_OUT, "ttt", whole),
            (accept::TAKE_KEY, "tttttii", whole),
            (accept::KEY_TAKEN, "ttt", whole),
            (accept::LEAVE_KEY, "ttt", whole),
            (accept::TAKE_QUOTA, "ttti", whole),
            (accept::LEAVE_QUOTA, "ttti", whole),
            (accept::TAKE_SESSION_QUOTA, "tti", whole),
            (accept::LEAVE_SESSION_QUOTA, "tti", whole),
            (accept::INSERT, "ttttttttttttitititt", whole),
            (jobs::READY, "tttti", whole),
            (jobs::TURN, "tii", whole),
            (jobs::RELEASE, "tit", whole),
            (jobs::OUTCOME, "tittttii", whole),
            (jobs::COUNT, "tiiii", whole),
            (jobs::PACE, "tii", whole),
            (jobs::BLOCK, "tii", whole),
            (jobs::STRICKEN, "t", whole),
            (events::NUMBER, "ti", whole),
            (events::PLACE, "tti", whole),
            (events::ENDPOINTS, "tt", endpoints),
            (contacts::FIND, "ttt", whole),
            (contacts::OTHER_LID, "tttt", whole),
            (chats::TOUCH, "tttttttii", whole),
            (chats::ABSORB, "tttt", whole),
            (chats::NAME, "ttttttt", whole),
            (chats::UNNAME, "tttt", whole),
            (people::SAVE, "tttttttt", whole),
            (people::READ, "tttti", named),
            (people::LESS, "tttti", whole),
            // What nobody has read of a chat.
            (people::READ_UNTIL, "ttttii", &["messages_unread (session_key=? AND chat=?)"]),
            (people::NUMBERS, "ttt", whole),
            // Once, when another number is linked.
            (people::READ_ALL, "ttti", &["messages_unread (session_key=?)"]),
            (deliver::TRIED, "titiiii", whole),
            (deliver::STAND, "tiiii", whole),
            (receive::INSERT, "ttttttttttttttttiiitttt", named),
            (change::APPLY, "ttti", named),
            (receive::WORDS, "tt", whole),
            (groups::NOTE, "ttti", whole),
            (groups::NAMES, "tt", whole),
            (settle::SETTLE, "tttitiitti", whole),
            (settle::ADVANCE, "tttttiittt", named),
            (settle::GIVE_BACK, "ttti", whole),
            (settle::GIVE_BACK_SESSION, "tti", whole),
            (CLAIM, "ti", pending),
            (steer::CHANGE, "ttttti", whole),
            (steer::CURRENT, "ttt", whole),
            (steer::MAY_RETRY, "ttt", whole),
            (steer::SENDER, "t", whole),
            (steer::FAILED, "t", failed),
            (steer::REQUEUE, "tbi", failed),
            (steer::REOPEN, "ti", whole),
            (steer::FAIL, "ti", jobs),
        ] {
            let steps = plans.wide_steps(sql, types, walks).await;
            wide.extend(steps.into_iter().map(|step| format!("{step} in {sql}")));
        }
        plans.close().await;
        assert_eq!(wide, Vec::<String>::new());
    }
}
