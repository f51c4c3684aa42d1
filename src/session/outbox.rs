//! What leaves a session: in order within a chat, side by side across chats.
//!
//! By the time a message is here its intent is committed and *whether* to send is decided. It stays
//! until WhatsApp answered and the answer is committed. A lost connection, or silence, sends it again
//! under the same id; receivers drop the copy.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::{error, warn};
use wapid_core::clock::At;
use wapid_core::content::Content;
use wapid_core::crash;
use wapid_core::id::MessageKey;
use wapid_core::job::JobId;
use wapid_core::nack::{BLOCKED, Nack};
use wapid_core::phone::Recipient;
use wapid_core::store::StoreError;
use wapid_core::store::ledger::{Outcome, Owner, SEND_FAILED, Settlement, Unsettled};
use wapid_core::store::messages::Pending;

use super::Sessions;
use super::underway::Custody;
use crate::link::{Answer, InFlight, Letter, Link, SendFailure};
use crate::preview::Shown;

/// Chats that are written to at the same time. A cold recipient costs two round trips before its
/// first message; others need not wait for them.
const WRITING_MAX: usize = 16;
/// And those to whom a file or a page is on its way first, which may take minutes.
const CARRYING_MAX: usize = 32;
/// After this much silence we ask whether anybody is there at all.
const PROBE_AFTER_MS: i64 = 8_000;
/// WhatsApp answers within a second or not at all; then the message is sent again. Doubles with each
/// try, up to 64 times this.
const ANSWER_PATIENCE_MS: i64 = 30_000;
/// The first pause after a failure on our side; four times longer with each, up to the longest.
const FAULT_PAUSE_MS: i64 = 250;
const FAULT_PAUSE_MAX_MS: i64 = 60_000;
/// Failures on our side before a message is given up that a caller waits for.
const TRIES_MAX: u32 = 4;
/// How long a job's message is tried on; then its recipient waits in line again.
const JOB_TRIES_MS: i64 = 10 * 60_000;
/// A message is sent again for this long; then its outcome stays unknown.
pub const RESEND_WINDOW_MS: i64 = 24 * 3_600_000;
/// The longest pause between tries to commit a result while the database is away.
const SETTLE_PAUSE_MAX: Duration = Duration::from_secs(5);

/// A message with intent and without a verdict.
#[derive(Debug)]
pub struct Outgoing {
    pub key: MessageKey,
    pub wa_id: String,
    pub to: Recipient,
    pub content: Content,
    pub created_at: At,
    /// Of the bulk job and its row, where it is for one.
    pub job: Option<(JobId, i64)>,
    pub tries: u32,
    /// Of the first failure on our side.
    pub failing_since: Option<At>,
    pub silences: u32,
    /// Told when it was written for the first time, or could not be.
    pub written: Option<Arc<Notify>>,
    /// Ends with it: then whoever reads its row may take it up.
    custody: Custody,
}

impl Outgoing {
    /// One with intent and without a verdict: just accepted, or left by an earlier process.
    pub fn of(row: Unsettled, custody: Custody) -> Self {
        Self {
            key: row.key,
            wa_id: row.wa_id,
            to: row.to,
            content: row.content,
            created_at: row.created_at,
            job: row.job,
            tries: 0,
            failing_since: None,
            silences: 0,
            written: None,
            custody,
        }
    }

    /// Notes a failure on our side: how long until the next try, unless it is given up.
    fn failed(&mut self, now: At) -> Option<i64> {
        let since = *self.failing_since.get_or_insert(now);
        self.tries += 1;
        let goes_on =
            if self.job.is_some() { now.since(since) < JOB_TRIES_MS } else { self.tries < TRIES_MAX };
        goes_on.then(|| (FAULT_PAUSE_MS << (2 * self.tries).min(16)).min(FAULT_PAUSE_MAX_MS))
    }

    /// Is something uploaded or read before it leaves?
    fn takes_its_time(&self) -> bool {
        self.content.file().is_some() || self.content.wants_preview()
    }

    /// Past the window in which it may be sent again?
    pub fn is_too_old(&self, now: At) -> bool {
        now.since(self.created_at) > RESEND_WINDOW_MS
    }
}

/// What became of a message, for whoever waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Sent { at: At },
    Failed { code: String, error: String },
}

/// How a written message ended.
pub enum Ended {
    Settled,
    /// Unanswered; written again.
    Again {
        outgoing: Box<Outgoing>,
        when: Again,
    },
}

/// When an unanswered message is written again.
#[derive(Debug, Clone, Copy)]
pub enum Again {
    /// The connection stands; only the answer stayed away.
    Now,
    /// Its pause is over.
    Rested,
    /// On a connection after this one, which may have come already.
    After(u64),
}

/// What a transmission needs to know of its session.
#[derive(Clone)]
pub struct Context {
    pub sessions: Sessions,
    pub owner: Owner,
    pub epoch: i64,
}

/// Why a message was not written.
#[derive(Debug)]
pub enum NotWritten {
    Failed(SendFailure),
    /// It turned out to be for somebody who is not to get it.
    Unwanted {
        code: &'static str,
        error: &'static str,
    },
}

impl From<SendFailure> for NotWritten {
    fn from(failure: SendFailure) -> Self {
        Self::Failed(failure)
    }
}

struct Written {
    chat: String,
    outgoing: Outgoing,
    connection: u64,
    link: Arc<Link>,
    result: Result<InFlight, NotWritten>,
}

#[derive(Default)]
pub struct Outbox {
    waiting: HashMap<String, BTreeMap<MessageKey, Outgoing>>,
    /// Chats with something to write and nobody writing.
    ready: VecDeque<String>,
    writing_to: HashSet<String>,
    /// Chats whose first message is tried again in a while, because of a fault of ours: what stands behind it waits.
    paused: HashSet<String>,
    writing: JoinSet<Written>,
    /// Of those, how many carry a file or wish a preview: it may have to be uploaded or read first, and others
    /// do not wait for that.
    carrying: usize,
    /// Counts connections; what was lost on an older one may go at once.
    connection: u64,
    /// The client refused to write although the session believes itself ready.
    suspects_loss: bool,
    unanswered: JoinSet<Ended>,
}

impl Outbox {
    pub fn push(&mut self, outgoing: Outgoing) {
        let chat = outgoing.to.jid();
        let queue = self.waiting.entry(chat.clone()).or_default();
        queue.insert(outgoing.key.clone(), outgoing);
        if queue.len() == 1 {
            self.free(chat);
        }
    }

    /// Starts writing what may be written now.
    pub fn pump(&mut self, link: &Arc<Link>, context: &Context) {
        while let Some(chat) = self.next_ready() {
            let Some(outgoing) = self.take_first(&chat) else { continue };
            self.writing_to.insert(chat.clone());
            self.carrying += usize::from(outgoing.takes_its_time());
            let (link, connection, context) = (link.clone(), self.connection, context.clone());
            self.writing.spawn(async move {
                crash::point("message.taken");
                let mut outgoing = outgoing;
                let written = write(&context, &mut outgoing, &link);
                let result = AssertUnwindSafe(written)
                    .catch_unwind()
                    .await
                    .unwrap_or_else(|_| Err(SendFailure::Internal("the client panicked".to_owned()).into()));
                Written { chat, outgoing, connection, link, result }
            });
        }
    }

    /// A new connection: whatever waits may be written.
    pub fn reconnected(&mut self) {
        self.connection += 1;
        self.suspects_loss = false;
        self.ready = self.waiting.keys().filter(|chat| !self.is_held(chat)).cloned().collect();
    }

    /// Did the client refuse to write on a connection that the session takes for good?
    pub fn suspects_loss(&mut self) -> bool {
        std::mem::take(&mut self.suspects_loss)
    }

    /// Hands back what waits; what is on its way ends as it ends.
    pub fn take_waiting(&mut self) -> BTreeMap<MessageKey, Outgoing> {
        self.ready.clear();
        std::mem::take(&mut self.waiting).into_values().flatten().collect()
    }

    /// Waits for the next thing to happen to a message on its way. Never, if there is none.
    pub async fn progress(&mut self, context: &Context) {
        tokio::select! {
            Some(written) = self.writing.join_next() => match written {
                Ok(written) => self.written(written, context),
                // Its panics are caught, and it is never cancelled.
                Err(_) => error!("Writing a message ended by a panic"),
            },
            Some(ended) = self.unanswered.join_next() => match ended {
                Ok(Ended::Settled) => {}
                Ok(Ended::Again { outgoing, when }) => self.again(*outgoing, when),
                Err(_) => error!("A message's task ended by a panic"),
            },
            else => std::future::pending().await,
        }
    }

    /// The first chat in line whose message has a place to be written in.
    fn next_ready(&mut self) -> Option<String> {
        let plain = self.writing.len() - self.carrying;
        let has_place = |chat: &String| {
            let first = self.waiting.get(chat).and_then(|queue| queue.first_key_value());
            if first.is_some_and(|(_, outgoing)| outgoing.takes_its_time()) {
                self.carrying < CARRYING_MAX
            } else {
                plain < WRITING_MAX
            }
        };
        let place = self.ready.iter().position(has_place)?;
        self.ready.remove(place)
    }

    fn take_first(&mut self, chat: &str) -> Option<Outgoing> {
        let queue = self.waiting.get_mut(chat)?;
        let first = queue.pop_first().map(|(_, outgoing)| outgoing);
        if queue.is_empty() {
            self.waiting.remove(chat);
        }
        first
    }

    fn written(&mut self, written: Written, context: &Context) {
        let Written { chat, mut outgoing, connection, link, result } = written;
        self.writing_to.remove(&chat);
        self.carrying -= usize::from(outgoing.takes_its_time());
        if let Some(written) = outgoing.written.take() {
            written.notify_one();
        }
        let (code, error) = match result {
            Ok(in_flight) => {
                crash::point("message.written");
                self.free(chat);
                return self.follow(await_answer(context.clone(), outgoing, in_flight, link, connection));
            }
            // The chat's order is kept: what stands behind waits as well.
            Err(NotWritten::Failed(SendFailure::Lost)) => {
                self.suspects_loss |= connection == self.connection;
                return self.again(outgoing, Again::After(connection));
            }
            Err(NotWritten::Failed(SendFailure::Internal(why))) => {
                warn!(message.key = %outgoing.key, "A message did not leave");
                tracing::debug!("{why}");
                let clock = context.sessions.store().clock().clone();
                if let Some(pause) = outgoing.failed(clock.now()) {
                    self.paused.insert(chat);
                    return self.follow(async move {
                        clock.until(clock.now().plus_ms(pause)).await;
                        Ended::Again { outgoing: Box::new(outgoing), when: Again::Rested }
                    });
                }
                (SEND_FAILED, "the message could not be sent".to_owned())
            }
            Err(NotWritten::Failed(failure @ SendFailure::NotOnWhatsApp)) => {
                ("NOT_ON_WHATSAPP", failure.to_string())
            }
            Err(NotWritten::Failed(failure @ SendFailure::NotInGroup)) => {
                ("NOT_IN_GROUP", failure.to_string())
            }
            Err(NotWritten::Failed(failure @ SendFailure::NoGroup)) => {
                ("GROUP_NOT_FOUND", failure.to_string())
            }
            Err(NotWritten::Failed(failure @ SendFailure::FileGone)) => ("MEDIA_GONE", failure.to_string()),
            Err(NotWritten::Failed(SendFailure::BadAddress(why))) => ("INVALID_RECIPIENT", why),
            Err(NotWritten::Unwanted { code, error }) => (code, error.to_owned()),
        };
        self.free(chat);
        self.follow(give_up(context.clone(), outgoing, code, error));
    }

    /// Sees a message to its end. One whose task meets a bug is nobody's from then on, so that
    /// `reconcile` finds it.
    pub fn follow(&mut self, work: impl Future<Output = Ended> + Send + 'static) {
        self.unanswered.spawn(async move {
            AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
                // What a panic says may hold what a caller sent; the panic hook has said where.
                error!("A message's task ended by a panic");
                Ended::Settled
            })
        });
    }

    fn again(&mut self, outgoing: Outgoing, when: Again) {
        let chat = outgoing.to.jid();
        // Else it was settled meanwhile, as by an unlink, or is taken up from its row.
        if outgoing.custody.is_current() {
            self.waiting.entry(chat.clone()).or_default().insert(outgoing.key.clone(), outgoing);
        }
        let at_once = match when {
            Again::Now => true,
            Again::Rested => self.paused.remove(&chat),
            Again::After(connection) => connection < self.connection,
        };
        if at_once {
            self.free(chat);
        }
    }

    /// What waits for this chat may be written, unless somebody writes or is to write already.
    fn free(&mut self, chat: String) {
        if self.waiting.contains_key(&chat) && !self.is_held(&chat) && !self.ready.contains(&chat) {
            self.ready.push_back(chat);
        }
    }

    /// Does somebody write to this chat, or does it rest behind a fault of ours?
    fn is_held(&self, chat: &str) -> bool {
        self.writing_to.contains(chat) || self.paused.contains(chat)
    }
}

/// Writes one message, once it is known whose address its number is, the file that it carries is on WhatsApp's
/// servers, and the page that it leads to is read.
async fn write(context: &Context, outgoing: &mut Outgoing, link: &Link) -> Result<InFlight, NotWritten> {
    context.sessions.readdress(&context.owner, outgoing, link).await?;
    let Outgoing { to, content, wa_id, created_at, .. } = outgoing;
    let chat = &to.jid();
    let file = context.sessions.carried(&context.owner, content, link).await?;
    let shown = previewed(context, content).await;
    let content = context.sessions.in_time(&context.owner.session, chat, content);
    let content = content.as_ref();
    let with_page = shown.as_ref().map(|shown| content.showing(shown.page.clone()));
    let letter = Letter {
        content: with_page.as_ref().unwrap_or(content),
        file: file.as_ref(),
        thumbnail: shown.as_ref().and_then(|shown| shown.thumbnail.as_deref()),
        wa_id,
        made_at: *created_at,
    };
    Ok(link.transmit(chat, letter).await?)
}

/// The page that a text leads to, where it is wished and can be had. A try after this one may read another: it
/// is the same message all the same.
async fn previewed(context: &Context, content: &Content) -> Option<Arc<Shown>> {
    if !content.wants_preview() {
        return None;
    }
    let text = content.body.words()?.rendered();
    let Owner { tenant, mode, .. } = &context.owner;
    let sessions = &context.sessions;
    sessions.0.parts.previews.of(tenant, *mode, &text, sessions.now()).await
}

async fn await_answer(
    context: Context,
    mut outgoing: Outgoing,
    in_flight: InFlight,
    link: Arc<Link>,
    connection: u64,
) -> Ended {
    let clock = context.sessions.store().clock().clone();
    let patience = ANSWER_PATIENCE_MS << outgoing.silences.min(6);
    let probed = async {
        clock.until(clock.now().plus_ms(PROBE_AFTER_MS)).await;
        link.probe();
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = in_flight.answer() => answer,
        () = probed => unreachable!("a probe only makes a dead connection answer by its end"),
        () = clock.until(clock.now().plus_ms(patience)) => {
            outgoing.silences += 1;
            if outgoing.is_too_old(clock.now()) {
                return give_up_late(context, outgoing).await;
            }
            return Ended::Again { outgoing: Box::new(outgoing), when: Again::Now };
        }
    };
    crash::point("message.answered");
    match answer {
        Ok(Answer::Taken { at_ms }) => {
            // In whole seconds, so it may lie before the message was made.
            let at = at_ms.map_or_else(|| clock.now(), At).max(outgoing.created_at);
            settle(&context, &outgoing, Outcome::Sent, Verdict::Sent { at }, at).await
        }
        Ok(Answer::Nack { code }) => {
            let nack = Nack::to(&outgoing.to, &code);
            let verdict = Verdict::Failed { code: nack.code().to_owned(), error: nack.words() };
            settle(&context, &outgoing, Outcome::Refused(nack), verdict, clock.now()).await
        }
        Err(_) if outgoing.is_too_old(clock.now()) => give_up_late(context, outgoing).await,
        Err(_) => Ended::Again { outgoing: Box::new(outgoing), when: Again::After(connection) },
    }
}

/// Sent, and no word of it for the whole window.
pub async fn give_up_late(context: Context, outgoing: Outgoing) -> Ended {
    let error = "WhatsApp did not answer for a day".to_owned();
    give_up(context, outgoing, "OUTCOME_UNKNOWN", error).await
}

/// Not sent within the window, and nobody is connected: whoever connects later does not send it either.
pub async fn give_up_unsent(sessions: &Sessions, message: &Pending) -> Result<(), StoreError> {
    let (code, error) = ("OUTCOME_UNKNOWN".to_owned(), "the number was not connected for a day".to_owned());
    let settlement = Settlement {
        owner: message.owner.clone(),
        key: message.key.clone(),
        // No lease has this epoch: whoever may have tried it last has lost it.
        epoch: i64::MAX,
        outcome: Outcome::Failed { code: code.clone(), error: error.clone() },
        at: sessions.now(),
    };
    sessions.store().settle(settlement).await?;
    sessions.0.underway.resolve(&message.wa_id, Verdict::Failed { code, error });
    Ok(())
}

pub async fn give_up(context: Context, outgoing: Outgoing, code: &str, error: String) -> Ended {
    let at = context.sessions.now();
    let outcome = Outcome::Failed { code: code.to_owned(), error: error.clone() };
    let verdict = Verdict::Failed { code: code.to_owned(), error };
    settle(&context, &outgoing, outcome, verdict, at).await
}

async fn settle(context: &Context, outgoing: &Outgoing, outcome: Outcome, verdict: Verdict, at: At) -> Ended {
    let sessions = &context.sessions;
    let mut pause = Duration::from_millis(100);
    loop {
        let settlement = Settlement {
            owner: context.owner.clone(),
            key: outgoing.key.clone(),
            // Of now: while the database was away, the session may have taken its lease again.
            epoch: sessions.epoch_of(&context.owner.session).unwrap_or(context.epoch),
            outcome: outcome.clone(),
            at,
        };
        match sessions.store().settle(settlement).await {
            Ok(()) => {
                crash::point("message.settled");
                let outcome = if matches!(&verdict, Verdict::Failed { .. }) { "failed" } else { "sent" };
                metrics::counter!("wapid_messages_settled_total", "outcome" => outcome).increment(1);
                if outgoing.job.is_some() {
                    metrics::counter!("wapid_job_recipients_total", "outcome" => outcome).increment(1);
                }
                // Whoever was refused: the jobs of this number wait from here on.
                if matches!(&verdict, Verdict::Failed { code, .. } if code == BLOCKED) {
                    sessions.poke_jobs(&context.owner.session);
                }
                sessions.0.underway.resolve(&outgoing.wa_id, verdict);
                return Ended::Settled;
            }
            Err(StoreError::Closed) => return Ended::Settled,
            Err(error) => {
                error!(message.key = %outgoing.key, "A result was not committed and is tried again: {error}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(SETTLE_PAUSE_MAX);
            }
        }
    }
}
