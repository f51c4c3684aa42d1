//! What leaves a session: in order within a chat, side by side across chats.
//!
//! By the time a message is here its intent is committed and *whether* to send is decided. It stays
//! until WhatsApp answered and the answer is committed. A lost connection, or silence, sends it again
//! under the same id; receivers drop the copy.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tracing::{error, warn};
use wapid_core::clock::At;
use wapid_core::id::MessageKey;
use wapid_core::message::Content;
use wapid_core::phone::Recipient;
use wapid_core::store::ledger::{Outcome, Owner, Settlement};

use super::Sessions;
use crate::link::{Answer, InFlight, Link, SendFailure};

/// Chats that are written to at the same time. A cold recipient costs two round trips before its
/// first message; others need not wait for them.
const WRITING_MAX: usize = 16;
/// After this much silence we ask whether anybody is there at all.
const PROBE_AFTER_MS: i64 = 8_000;
/// WhatsApp answers within a second or not at all; then the message is sent again. Doubles with each
/// try, up to 64 times this.
const ANSWER_PATIENCE_MS: i64 = 30_000;
/// Failures on our side before a message is given up.
const TRIES_MAX: u32 = 4;
/// A message is sent again for this long; then its outcome stays unknown.
const RESEND_WINDOW_MS: i64 = 24 * 3_600_000;
/// A result that cannot be committed is tried again this often, before the row is left for the next
/// reconnect.
const SETTLE_TRIES: u32 = 5;

/// A message with intent and without a verdict.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub key: MessageKey,
    pub wa_id: String,
    pub to: Recipient,
    pub content: Content,
    pub created_at: At,
    pub tries: u32,
    pub silences: u32,
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
        outgoing: Outgoing,
        when: Again,
    },
}

/// When an unanswered message is written again.
#[derive(Debug, Clone, Copy)]
pub enum Again {
    /// The connection stands; only the answer stayed away.
    Now,
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

struct Written {
    chat: String,
    outgoing: Outgoing,
    connection: u64,
    link: Arc<Link>,
    result: Result<InFlight, SendFailure>,
}

#[derive(Default)]
pub struct Outbox {
    waiting: HashMap<String, BTreeMap<MessageKey, Outgoing>>,
    /// Chats with something to write and nobody writing.
    ready: VecDeque<String>,
    writing_to: HashSet<String>,
    writing: JoinSet<Written>,
    /// Counts connections; what was lost on an older one may go at once.
    connection: u64,
    unanswered: JoinSet<Ended>,
}

impl Outbox {
    pub fn push(&mut self, outgoing: Outgoing) {
        let chat = outgoing.to.jid();
        let queue = self.waiting.entry(chat.clone()).or_default();
        queue.insert(outgoing.key.clone(), outgoing);
        if queue.len() == 1 && !self.writing_to.contains(&chat) {
            self.ready.push_back(chat);
        }
    }

    /// Starts writing what may be written now.
    pub fn pump(&mut self, link: &Arc<Link>) {
        while self.writing.len() < WRITING_MAX
            && let Some(chat) = self.ready.pop_front()
        {
            let Some(outgoing) = self.take_first(&chat) else { continue };
            self.writing_to.insert(chat.clone());
            let (link, connection) = (link.clone(), self.connection);
            self.writing.spawn(async move {
                let result = link.transmit(&chat, &outgoing.content, &outgoing.wa_id).await;
                Written { chat, outgoing, connection, link, result }
            });
        }
    }

    /// A new connection: whatever waits may be written.
    pub fn reconnected(&mut self) {
        self.connection += 1;
        self.ready = self.waiting.keys().filter(|chat| !self.writing_to.contains(*chat)).cloned().collect();
    }

    /// Waits for the next thing to happen to a message on its way. Never, if there is none.
    pub async fn progress(&mut self, context: &Context) {
        tokio::select! {
            Some(written) = self.writing.join_next() => match written {
                Ok(written) => self.written(written, context),
                Err(panic) => self.recover_from(&panic),
            },
            Some(ended) = self.unanswered.join_next() => match ended {
                Ok(Ended::Settled) => {}
                Ok(Ended::Again { outgoing, when }) => self.again(outgoing, when),
                Err(panic) => error!("A message's task ended by a panic: {panic}"),
            },
            else => std::future::pending().await,
        }
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
        if self.waiting.contains_key(&chat) {
            self.ready.push_back(chat);
        }
        match result {
            Ok(in_flight) => {
                let answer = await_answer(context.clone(), outgoing, in_flight, link, connection);
                self.unanswered.spawn(answer);
            }
            Err(SendFailure::Lost) => self.again(outgoing, Again::After(connection)),
            Err(SendFailure::Internal(why)) if outgoing.tries + 1 < TRIES_MAX => {
                outgoing.tries += 1;
                warn!(message.key = %outgoing.key, "A message did not leave and is tried again");
                tracing::debug!("{why}");
                self.again(outgoing, Again::Now);
            }
            Err(SendFailure::Internal(_)) => {
                let error = "the message could not be sent".to_owned();
                self.unanswered.spawn(give_up(context.clone(), outgoing, "SEND_FAILED", error));
            }
            Err(SendFailure::Invalid(why)) => {
                self.unanswered.spawn(give_up(context.clone(), outgoing, "INVALID_RECIPIENT", why));
            }
        }
    }

    fn again(&mut self, outgoing: Outgoing, when: Again) {
        let chat = outgoing.to.jid();
        self.waiting.entry(chat.clone()).or_default().insert(outgoing.key.clone(), outgoing);
        let at_once = match when {
            Again::Now => true,
            Again::After(connection) => connection < self.connection,
        };
        if at_once && !self.writing_to.contains(&chat) && !self.ready.contains(&chat) {
            self.ready.push_back(chat);
        }
    }

    /// A panic inside the client took one message's future; its row is still `sending`, so the next
    /// reconnect finds it. The chats go on.
    fn recover_from(&mut self, panic: &tokio::task::JoinError) {
        error!("Writing a message ended by a panic: {panic}");
        if self.writing.is_empty() {
            self.writing_to.clear();
            self.reconnected();
        }
    }
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
        link.probe().await;
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        answer = in_flight.answer() => answer,
        () = probed => unreachable!("a probe only makes a dead connection answer by its end"),
        () = clock.until(clock.now().plus_ms(patience)) => {
            outgoing.silences += 1;
            let too_old = clock.now().since(outgoing.created_at) > RESEND_WINDOW_MS;
            if too_old {
                let error = "WhatsApp did not answer for a day".to_owned();
                return give_up(context, outgoing, "OUTCOME_UNKNOWN", error).await;
            }
            return Ended::Again { outgoing, when: Again::Now };
        }
    };
    match answer {
        Ok(Answer::Taken { at_ms }) => {
            let at = at_ms.map_or_else(|| clock.now(), At);
            settle(&context, &outgoing, Outcome::Sent, Verdict::Sent { at }, at).await
        }
        Ok(Answer::Nack { code }) => {
            let (name, error) = nack(&code);
            give_up(context, outgoing, name, error).await
        }
        Err(_) => Ended::Again { outgoing, when: Again::After(connection) },
    }
}

async fn give_up(context: Context, outgoing: Outgoing, code: &str, error: String) -> Ended {
    let at = context.sessions.now();
    let outcome = Outcome::Failed { code: code.to_owned(), error: error.clone() };
    let verdict = Verdict::Failed { code: code.to_owned(), error };
    settle(&context, &outgoing, outcome, verdict, at).await
}

async fn settle(context: &Context, outgoing: &Outgoing, outcome: Outcome, verdict: Verdict, at: At) -> Ended {
    let sessions = &context.sessions;
    let settlement = Settlement {
        owner: context.owner.clone(),
        key: outgoing.key.clone(),
        epoch: context.epoch,
        outcome,
        at,
    };
    for attempt in 0..SETTLE_TRIES {
        match sessions.store().settle(settlement.clone()).await {
            Ok(()) => {
                sessions.resolve(&outgoing.wa_id, verdict);
                return Ended::Settled;
            }
            Err(error) => {
                error!(message.key = %outgoing.key, "A result was not committed: {error}");
                tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            }
        }
    }
    // Still `sending` in the database: the next reconnect sends it again under the same id.
    sessions.abandon(&outgoing.wa_id);
    Ended::Settled
}

/// WhatsApp's refusals of a message, in our words. Codes: whatsapp-rust 0.7.0 `client/node_io.rs`.
fn nack(code: &str) -> (&'static str, String) {
    match code {
        "463" => (
            "BLOCKED_BY_WHATSAPP",
            "WhatsApp does not let this number start a chat with this recipient now (463)".to_owned(),
        ),
        "404" => ("NOT_ON_WHATSAPP", "WhatsApp does not know the recipient (404)".to_owned()),
        other => ("REFUSED_BY_WHATSAPP", format!("WhatsApp refused the message ({other})")),
    }
}
