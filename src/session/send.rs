//! One send, as a caller sees it.
//!
//! Checks that change nothing come first; then intent (quota, id, row) in one transaction; then the
//! session's task transmits; then the verdict. A caller that gives up waiting changes nothing: the
//! message goes its way and the log tells.

use std::sync::{Arc, Weak};

use wapid_core::clock::At;
use wapid_core::content::Content;
use wapid_core::id::{MessageKey, SessionKey};
use wapid_core::message::{Status as MessageStatus, new_wa_id};
use wapid_core::people::Typing;
use wapid_core::phone::Recipient;
use wapid_core::session::State;
use wapid_core::store::StoreError;
use wapid_core::store::ledger::{Accepted, Idempotency, Intent, Owner, Refused, Unsettled};
use wapid_core::store::messages::MessageRow;
use wapid_core::store::sessions::SessionRow;

use super::lookup::{NoAddress, Urgency};
use super::outbox::{Outgoing, Verdict};
use super::people::{NotReady, TypingWish};
use super::task::is_wanted;
use super::underway::VerdictWatch;
use super::{Command, Handle, Sessions, Turn, View};
use crate::link::{Link, SendFailure};

/// How long a caller waits for WhatsApp's answer.
const CALLER_PATIENCE_MS: i64 = 30_000;
/// Chats that nobody writes to any more are forgotten when there are so many.
const TURNS_KEPT: usize = 4_096;

#[derive(Debug, Clone)]
pub struct SendRequest {
    pub to: Recipient,
    pub content: Content,
    /// Show that somebody types, or records, before it leaves.
    pub typing: Option<TypingWish>,
    pub idempotency: Option<Idempotency>,
}

/// WhatsApp's server took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub wa_id: String,
    pub at: At,
    /// The answer to an earlier request with the same idempotency key.
    pub repeated: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SendRefusal {
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error("the number is not on WhatsApp")]
    NotOnWhatsApp,
    /// WhatsApp would take it, and a person would have to unblock first.
    #[error("this session's account blocked the recipient; unblock them to write to them")]
    Blocked,
    #[error("Daily sent message limit reached")]
    LimitReached { limit: i64, used: i64 },
    #[error("the recipient has opted out, and your settings apply that to every message")]
    OptedOut,
    #[error("this Idempotency-Key was used for a different request")]
    KeyReused,
    /// The key outlived its message, which retention or somebody's request took from the log.
    #[error(
        "the message of this Idempotency-Key was accepted, and is not in the log any more; to send another, use \
         another key"
    )]
    KeyOutlived,
    /// It does not look up numbers for a while, or does not answer. When to try again.
    #[error("WhatsApp could not be asked about the number")]
    CheckFailed { retry_in_ms: i64 },
    /// The message's file did not get to WhatsApp's servers.
    #[error("the file could not be put on WhatsApp's servers: {0}")]
    FileNotCarried(String),
    #[error("the message's file is gone")]
    FileGone,
    /// Refused for good; it is in the log as failed.
    #[error("{error}")]
    Failed { wa_id: String, code: String, error: String },
    /// No answer in time. The message keeps its id and is sent again until WhatsApp answers.
    #[error("WhatsApp has not answered yet, so the outcome is unknown")]
    OutcomeUnknown { wa_id: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refused> for SendRefusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::LimitReached { limit, used } => Self::LimitReached { limit, used },
            Refused::KeyReused => Self::KeyReused,
            Refused::NoSession => Self::NotReady(NotReady::gone("removed")),
            Refused::OptedOut => Self::OptedOut,
            Refused::NotReleased => unreachable!("only a job's message is released"),
            Refused::LeaseLost => Self::NotReady(NotReady::gone("held_by_another_process")),
            Refused::Store(error) => error.into(),
        }
    }
}

impl From<NoAddress> for SendRefusal {
    fn from(why: NoAddress) -> Self {
        match why {
            NoAddress::NotReady(why) => why.into(),
            NoAddress::NotOnWhatsApp => Self::NotOnWhatsApp,
            NoAddress::Unasked { retry_in_ms } => Self::CheckFailed { retry_in_ms },
        }
    }
}

impl Sessions {
    /// Sends one message and waits for WhatsApp's own answer.
    ///
    /// # Errors
    /// [`SendRefusal`]. All but `Failed`, `OutcomeUnknown` and `Store` have changed nothing; after
    /// `Store` the message may go out all the same, so a retry wants an idempotency key.
    pub async fn send(&self, row: SessionRow, request: SendRequest) -> Result<Sent, SendRefusal> {
        let started = std::time::Instant::now();
        // A task of its own: a caller that hangs up must not stop a message between its intent and
        // its transmission.
        let sessions = self.clone();
        let sending = tokio::spawn(async move { sessions.send_inner(&row, request).await });
        let result = sending.await.unwrap_or_else(|_| Err(StoreError::Closed.into()));
        metrics::histogram!("wapid_send_seconds").record(started.elapsed().as_secs_f64());
        metrics::counter!("wapid_sends_total", "outcome" => outcome_word(&result)).increment(1);
        result
    }

    /// The answer to an earlier request with the same idempotency key. Asked before anything else, so that a
    /// retry is answered even while the session is away.
    ///
    /// # Errors
    /// [`SendRefusal::KeyReused`] where that request was another one, [`SendRefusal::KeyOutlived`] where nobody knows
    /// its answer any more; otherwise as it was answered.
    pub async fn repeated(
        &self,
        row: &SessionRow,
        idempotency: &Idempotency,
    ) -> Result<Option<Sent>, SendRefusal> {
        let tenant = self.store().tenant(row.tenant.clone(), row.mode);
        match tenant.idempotency_key(&idempotency.key).await? {
            Some((fingerprint, key)) if fingerprint == idempotency.fingerprint => {
                self.verdict_of_row(row, &key).await.map(Some)
            }
            Some(_) => Err(SendRefusal::KeyReused),
            None => Ok(None),
        }
    }

    /// Could this session send now? Asked before work is done for nothing.
    ///
    /// # Errors
    /// [`SendRefusal::NotReady`].
    pub fn check_ready(&self, row: &SessionRow) -> Result<(), SendRefusal> {
        self.ready(row).map(drop)
    }

    fn ready(&self, row: &SessionRow) -> Result<Standing, SendRefusal> {
        let Some(handle) = self.handle(&row.key) else {
            return Err(NotReady::in_state(&self.view_of(row).state).into());
        };
        let (epoch, link) = {
            let view = handle.view.borrow();
            if !matches!(view.state, State::Ready { .. }) {
                return Err(NotReady::in_state(&view.state).into());
            }
            (view.epoch, view.link.clone())
        };
        Ok(Standing { handle, epoch, link })
    }

    async fn send_inner(&self, row: &SessionRow, request: SendRequest) -> Result<Sent, SendRefusal> {
        if let Some(key) = &request.idempotency
            && let Some(sent) = self.repeated(row, key).await?
        {
            return Ok(sent);
        }
        let Standing { link, .. } = self.ready(row)?;
        // From here on it is the account that WhatsApp names, however the number was written.
        let owner = owner_of(row);
        let (to, who) = self.addressed(&owner, &request.to, Urgency::Send).await?;
        if self.is_blocked(row, &who).await {
            return Err(SendRefusal::Blocked);
        }
        self.carry_ahead(row, &request.content, link).await?;
        if let Some(wish) = request.typing {
            let what = if request.content.kind() == "voice" { Typing::Recording } else { Typing::Composing };
            let characters = request.content.body.text().chars().count();
            self.type_first(row, &to, wish, characters, what).await;
        }

        // Somebody's before it exists, so that whoever finds its row finds it underway.
        let wa_id = new_wa_id();
        let custody = self.0.underway.take_over(&wa_id, None);
        let intent = |epoch| Intent {
            owner: owner.clone(),
            asked: request.to.phone().cloned(),
            lid: who.lid.clone(),
            to: to.clone(),
            content: request.content.clone(),
            wa_id: wa_id.clone(),
            epoch,
            idempotency: request.idempotency.clone(),
            job: None,
        };
        // Rows of a chat and their transmissions queue in one order, whichever task wakes first.
        let turn = self.turn(&row.key, &to);
        let turn = turn.lock().await;
        let (handle, accepted) = loop {
            // Looked at anew: a look-up or an upload takes its time, and the session may have lost its link meanwhile,
            // or have another.
            let Standing { handle, epoch, .. } = self.ready(row)?;
            let accepted = self.store().accept(intent(epoch)).await;
            let is_outdated = matches!(accepted, Err(Refused::LeaseLost));
            if !(is_outdated && self.epoch_of(&row.key).is_some_and(|now| now != epoch)) {
                break (handle, accepted);
            }
        };
        let (key, created_at) = match accepted {
            Ok(Accepted::New { key, created_at }) => (key, created_at),
            Ok(Accepted::Repeat { key }) => {
                drop((turn, custody));
                return self.verdict_of_row(row, &key).await;
            }
            Err(refused) => {
                drop((turn, custody));
                if matches!(refused, Refused::Store(_)) {
                    // A commit whose answer was lost may stand: then the message is found, and goes.
                    let _ = handle.commands.send(Command::Recover);
                }
                return Err(refused.into());
            }
        };
        let verdict = custody.watch();
        let unsettled = Unsettled {
            key: key.clone(),
            wa_id: wa_id.clone(),
            to,
            content: request.content,
            created_at,
            job: None,
        };
        handle.transmit(Outgoing::of(unsettled, custody));
        drop(turn);
        let give_up = self.now().plus_ms(CALLER_PATIENCE_MS);
        match self.await_verdict(wa_id, verdict, give_up, false).await {
            Some(answer) => answer,
            None => self.answer_of_row(row, &key, give_up).await.map(|sent| Sent { repeated: false, ..sent }),
        }
    }

    /// Puts the message's file on WhatsApp's servers before there is a message: that may take long, and a
    /// caller whose file does not get there has changed nothing.
    async fn carry_ahead(
        &self,
        row: &SessionRow,
        content: &Content,
        link: Option<Weak<Link>>,
    ) -> Result<(), SendRefusal> {
        if content.file().is_none() {
            return Ok(());
        }
        let link = link.and_then(|link| link.upgrade()).ok_or_else(|| NotReady::gone("connection_lost"))?;
        match self.carried(&owner_of(row), content, &link).await {
            Ok(_) => Ok(()),
            Err(SendFailure::FileGone) => Err(SendRefusal::FileGone),
            // The session may have ended meanwhile, which says more.
            Err(failure) => {
                self.check_ready(row)?;
                Err(SendRefusal::FileNotCarried(failure.to_string()))
            }
        }
    }

    /// Whose turn it is in a chat.
    pub(super) fn turn(&self, session: &SessionKey, to: &Recipient) -> Arc<Turn> {
        let mut turns = self.0.turns.lock();
        if turns.len() >= TURNS_KEPT {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let known = turns.entry((session.clone(), to.jid())).or_default();
        known.upgrade().unwrap_or_else(|| {
            let turn = Arc::default();
            *known = Arc::downgrade(&turn);
            turn
        })
    }

    /// The answer that a stored message has, or will have.
    async fn verdict_of_row(&self, row: &SessionRow, key: &MessageKey) -> Result<Sent, SendRefusal> {
        self.answer_of_row(row, key, self.now().plus_ms(CALLER_PATIENCE_MS)).await
    }

    async fn answer_of_row(
        &self,
        row: &SessionRow,
        key: &MessageKey,
        give_up: At,
    ) -> Result<Sent, SendRefusal> {
        let tenant = self.store().tenant(row.tenant.clone(), row.mode);
        loop {
            // The log's retention may have taken it; the key outlived the message.
            let message = tenant.message(key).await?.ok_or(SendRefusal::KeyOutlived)?;
            if message.status != MessageStatus::Sending {
                return answer_of(message);
            }
            if let Some(verdict) = self.0.underway.watch(&message.wa_id) {
                let wa_id = message.wa_id.clone();
                if let Some(answer) = self.await_verdict(wa_id, verdict, give_up, true).await {
                    return answer;
                }
                // Nobody works on it any more, and its row says the rest: a receipt may have told first.
                return answer_of(tenant.message(key).await?.ok_or(SendRefusal::KeyOutlived)?);
            }
            // Left by an earlier process. The session takes it up as soon as it is connected.
            if !self.wait_for_take_up(row, give_up).await {
                return answer_of(tenant.message(key).await?.ok_or(SendRefusal::KeyOutlived)?);
            }
        }
    }

    /// Waits until a session has taken up what it found without a verdict; `false` where it had done so already, or
    /// does not come to it in time.
    async fn wait_for_take_up(&self, row: &SessionRow, give_up: At) -> bool {
        let known = self.handle(&row.key);
        if known.is_none() && is_wanted(row) {
            // The process has just begun, and has not come to it yet.
            let mut restored = self.0.restored.subscribe();
            tokio::select! {
                _ = restored.wait_for(|is_over| *is_over) => {}
                () = self.store().clock().until(give_up) => return false,
            }
        }
        let Some(handle) = known.or_else(|| self.handle(&row.key)) else { return false };
        let mut view = handle.view.clone();
        let is_coming = |view: &View| {
            let begins = matches!(view.state, State::Stopped { .. }) && is_wanted(row);
            !view.took_up && (begins || matches!(view.state, State::Connecting { .. } | State::Ready { .. }))
        };
        if !is_coming(&view.borrow()) {
            return false;
        }
        tokio::select! {
            changed = view.wait_for(|view| !is_coming(view)) => changed.is_ok_and(|view| view.took_up),
            () = self.store().clock().until(give_up) => false,
        }
    }

    /// `None` where nobody works on the message any more, or it takes too long.
    async fn await_verdict(
        &self,
        wa_id: String,
        mut verdict: VerdictWatch,
        give_up: At,
        repeated: bool,
    ) -> Option<Result<Sent, SendRefusal>> {
        let verdict = tokio::select! {
            verdict = verdict.wait_for(Option::is_some) => verdict.ok().and_then(|verdict| verdict.clone()),
            () = self.store().clock().until(give_up) => None,
        };
        Some(match verdict? {
            Verdict::Sent { at } => Ok(Sent { wa_id, at, repeated }),
            Verdict::Failed { code, error } => Err(SendRefusal::Failed { wa_id, code, error }),
        })
    }
}

pub(super) fn owner_of(row: &SessionRow) -> Owner {
    Owner { tenant: row.tenant.clone(), mode: row.mode, session: row.key.clone(), session_id: row.id.clone() }
}

/// A session that is ready.
struct Standing {
    handle: Handle,
    epoch: i64,
    link: Option<Weak<Link>>,
}

fn answer_of(message: MessageRow) -> Result<Sent, SendRefusal> {
    match message.status {
        MessageStatus::Sending => Err(SendRefusal::OutcomeUnknown { wa_id: message.wa_id }),
        MessageStatus::Failed => Err(SendRefusal::Failed {
            wa_id: message.wa_id,
            code: message.error_code.unwrap_or_else(|| "SEND_FAILED".to_owned()),
            error: message.error.unwrap_or_default(),
        }),
        _ => Ok(Sent {
            wa_id: message.wa_id,
            at: message.sent_at.unwrap_or(message.created_at),
            repeated: true,
        }),
    }
}

fn outcome_word(result: &Result<Sent, SendRefusal>) -> &'static str {
    match result {
        Ok(_) => "sent",
        Err(SendRefusal::NotReady(_)) => "not_ready",
        Err(SendRefusal::NotOnWhatsApp) => "not_on_whatsapp",
        Err(SendRefusal::Blocked) => "blocked",
        Err(SendRefusal::LimitReached { .. }) => "limit_reached",
        Err(SendRefusal::OptedOut) => "opted_out",
        Err(SendRefusal::KeyReused | SendRefusal::KeyOutlived) => "key_reused",
        Err(SendRefusal::Failed { .. }) => "failed",
        Err(SendRefusal::OutcomeUnknown { .. }) => "unknown",
        Err(SendRefusal::FileNotCarried(_) | SendRefusal::FileGone) => "file",
        Err(SendRefusal::CheckFailed { .. } | SendRefusal::Store(_)) => "error",
    }
}
