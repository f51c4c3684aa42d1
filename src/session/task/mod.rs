//! One task per session, and the only place that opens, closes and writes to its link.
//!
//! The rules are in `wapid_core::session`; this does what they say. Signals carry the number of the
//! link they came from, so that a late word of a closed link is not taken for news.

mod hearing;
mod opening;
mod parting;
mod takeover;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};
use wapid_core::clock::At;
use wapid_core::event::{EventData, NewEvent, SessionEvent};
use wapid_core::session::{Effect, End, Input, Offers, Rest, State, Status, Trying};
use wapid_core::store::StoreError;
use wapid_core::store::leases::LEASE_MS;
use wapid_core::store::ledger::Owner;
use wapid_core::store::sessions::{Saved, SessionRow};

use super::fetcher::Fetcher;
use super::outbox::{Context, Outbox};
use super::send::owner_of;
use super::{CodeRefusal, Command, Sessions, View};
use crate::link::{Link, Signal};

/// How long a session waits for what it has heard to be written.
const HEARD_PATIENCE: Duration = Duration::from_secs(5);
/// How long one question to the database may take, and the pause before it is asked again.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
const INSIST_PAUSE_MS: i64 = 1_000;
/// How often a ready session asks its client whether it still has a connection.
const PULSE_MS: i64 = 5_000;

pub struct Task {
    sessions: Sessions,
    row: SessionRow,
    owner: Owner,
    state: State,
    view: watch::Sender<View>,
    commands: mpsc::UnboundedReceiver<Command>,
    signals: mpsc::UnboundedReceiver<(u64, Signal)>,
    signal_tx: mpsc::UnboundedSender<(u64, Signal)>,
    link: Option<Arc<Link>>,
    /// Counts the links this task opened.
    link_no: u64,
    /// The link that another number than the session's was linked with: nothing that it tells is heard.
    turned_away: Option<u64>,
    /// Of the lease under which the link was opened.
    epoch: i64,
    wake: Option<At>,
    /// A pairing code was asked for before the link could give one.
    code_for: Option<String>,
    /// Who waits for a pairing code.
    code_answer: Option<oneshot::Sender<Result<String, CodeRefusal>>>,
    /// Messages without a verdict could not be read; to be tried again.
    recovery_owed: bool,
    /// Were those that lay there when the lease was taken read once?
    took_up: bool,
    /// What must survive a restart was not written; to be tried again.
    is_unsaved: bool,
    /// Were the names of this number's groups asked for?
    knows_groups: Arc<AtomicBool>,
    /// The owner does not want to be seen, until the session is stopped.
    hides: Arc<AtomicBool>,
    outbox: Outbox,
    fetcher: Fetcher,
}

/// Should this session run when the process starts? An outdated client is tried again: the process
/// that starts may be the newer one.
pub fn is_wanted(row: &SessionRow) -> bool {
    !row.removing && (row.wanted || matches!(row.ended, Some(End::ClientOutdated)))
}

/// Not of one that ended, and that its owner must start again.
pub fn is_to_run(row: &SessionRow) -> bool {
    row.wanted && row.ended.is_none()
}

/// Where a session stands before anything happened in this process.
pub fn state_of(row: &SessionRow, now: At) -> State {
    match row.ended {
        Some(why) => State::Ended { why, account: row.account.clone(), since: now },
        None => State::Stopped { account: row.account.clone(), since: now },
    }
}

/// Where a session stands that this process does not know: it is about to bring it back, or another one runs it.
pub fn state_unseen(row: &SessionRow, is_restored: bool, now: At) -> State {
    let account = row.account.clone();
    match account {
        _ if !is_to_run(row) => state_of(row, now),
        account if is_restored => {
            State::Resting { account, why: Rest::HeldElsewhere, until: now, since: now, failures: 0 }
        }
        Some(account) => State::Connecting { account, trying: Trying::Starting, since: now, failures: 0 },
        None => State::Linking { offers: Offers::default(), since: now, failures: 0 },
    }
}

impl Task {
    pub fn new(
        sessions: Sessions,
        row: SessionRow,
        state: State,
        view: watch::Sender<View>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let (signal_tx, signals) = mpsc::unbounded_channel();
        Self {
            owner: owner_of(&row),
            sessions,
            row,
            state,
            view,
            commands,
            signals,
            signal_tx,
            link: None,
            link_no: 0,
            turned_away: None,
            epoch: 0,
            wake: None,
            code_for: None,
            code_answer: None,
            recovery_owed: false,
            took_up: false,
            is_unsaved: false,
            knows_groups: Arc::default(),
            hides: Arc::default(),
            outbox: Outbox::default(),
            fetcher: Fetcher::default(),
        }
    }

    pub async fn run(mut self) {
        let clock = self.sessions.store().clock().clone();
        let mut pulses = clock.rounds(PULSE_MS);
        loop {
            let context = self.context();
            let wake = self.wake;
            let due = async {
                match wake {
                    Some(at) => clock.until(at).await,
                    None => std::future::pending().await,
                }
            };
            let pulse = async {
                match &self.state {
                    // Whatever else keeps the session busy.
                    State::Ready { .. } => pulses.next().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown(done)) => {
                        self.close().await;
                        self.hear_the_rest().await;
                        let _ = done.send(());
                        return;
                    }
                    Some(Command::Remove(done)) => {
                        let removed = self.remove().await;
                        // Whatever happened, the next look begins from the row.
                        self.sessions.forget_handle(&self.row);
                        let _ = done.send(removed);
                        return;
                    }
                    Some(command) => self.obey(command).await,
                    None => {
                        self.close().await;
                        return self.hear_the_rest().await;
                    }
                },
                Some((link_no, signal)) = self.signals.recv() => {
                    if self.is_heard(link_no, &signal) {
                        self.hear(signal).await;
                    }
                }
                () = pulse => self.check_pulse().await,
                () = due => {
                    self.wake = None;
                    self.come_due().await;
                }
                () = self.outbox.progress(&context) => {}
            }
            if self.outbox.suspects_loss() {
                self.check_pulse().await;
            }
            self.pump();
        }
    }

    fn context(&self) -> Context {
        Context { sessions: self.sessions.clone(), owner: self.owner.clone(), epoch: self.epoch }
    }

    /// The client says nothing of some losses: a stream that the server ends politely, a dead socket
    /// that it replaces in vain.
    async fn check_pulse(&mut self) {
        let gone = self.link.as_ref().is_some_and(|link| !link.is_connected());
        if gone && matches!(self.state, State::Ready { .. }) {
            self.step(Input::Down).await;
        } else if self.recovery_owed {
            self.recover().await;
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Start if self.is_resting_elsewhere() => self.take_over().await,
            Command::Start => self.step(Input::Start).await,
            Command::TakeOver => self.take_over().await,
            Command::Stop => {
                self.hides.store(false, Ordering::Release);
                self.step(Input::Stop).await;
            }
            Command::RequestCode { answer, .. } if self.state.account().is_some() => {
                let _ = answer.send(Err(CodeRefusal::AlreadyLinked));
            }
            Command::RequestCode { phone, answer } => {
                self.step(Input::CodeAsked).await;
                self.code_for = Some(phone);
                self.code_answer = Some(answer);
                self.ask_for_code();
            }
            // Of a number that is not linked, nothing goes again.
            Command::Recover if self.state.account().is_none() && self.link.is_none() => {
                self.strand_all().await
            }
            Command::Recover => self.recover().await,
            Command::Refresh(row) => self.refresh(*row),
            Command::LookAtRow => self.look_at_row().await,
            Command::Transmit(outgoing) => self.transmit(*outgoing),
            Command::FetchFiles => self.fetch_files(),
            Command::LeaseLost { epoch } if self.link.is_some() && epoch == self.epoch => {
                warn!(session.key = %self.row.key, "Lost the lease on a session; closing its link");
                self.others_may_hear();
                self.step(Input::Gone { why: Rest::HeldElsewhere, until: None, jitter: jitter() }).await;
            }
            Command::LeaseLost { .. } => {}
            Command::Remove(_) | Command::Shutdown(_) => unreachable!("run() takes these itself"),
        }
    }

    /// Steps the machine and does what it says. Opening may fail, which is a step of its own.
    async fn step(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let now = self.sessions.now();
            let before = self.state.status();
            // What somebody wishes counts whoever runs the session; what a link tells does only while it is ours.
            let epoch = (!matches!(input, Input::Start | Input::Stop)).then_some(self.epoch);
            let (state, effects) =
                std::mem::replace(&mut self.state, state_of(&self.row, now)).step(input, now);
            self.state = state;
            let save = effects.contains(&Effect::Save);
            let announce = effects.contains(&Effect::Announce);
            for effect in &effects {
                match effect {
                    Effect::TurnAway => self.turn_away().await,
                    Effect::Close => self.close().await,
                    Effect::Forget => self.unlinked().await,
                    Effect::WakeAt(at) => self.wake = Some(*at),
                    Effect::Open | Effect::Save | Effect::Announce => {}
                }
            }
            if (save || announce) && !self.write_down(epoch, save, announce).await {
                self.stand_back().await;
            }
            self.show();
            if effects.contains(&Effect::Open)
                && let Err(failed) = self.open().await
            {
                next = Some(failed);
            }
            if before != self.state.status() {
                info!(
                    session.key = %self.row.key,
                    "Session is {}: {}", self.state.status().as_str(), self.state.reason()
                );
            }
            self.show();
        }
    }

    fn show(&self) {
        self.view.send_modify(|view| {
            view.state = self.state.clone();
            view.epoch = self.epoch;
            view.link = self.link.as_ref().map(Arc::downgrade);
            view.took_up = self.took_up;
        });
    }

    /// `false` where another process runs the session by now, and nothing was written.
    async fn write_down(&mut self, epoch: Option<i64>, save: bool, announce: bool) -> bool {
        let saved = save.then(|| Saved {
            wanted: self.state.is_running(),
            account: self.state.account().cloned(),
            ended: match self.state {
                State::Ended { why, .. } => Some(why),
                _ => None,
            },
        });
        let expected = match self.state {
            State::Ended { why: End::OtherNumber, .. } => self.expected_phone().await,
            _ => None,
        };
        let event = announce.then(|| event_of(&self.row, &self.state, expected, self.sessions.now()));
        match self.sessions.store().save_session(&self.row.key, epoch, saved.clone(), event).await {
            Err(error) => {
                error!(session.key = %self.row.key, "A session's state was not written: {error}");
                self.is_unsaved |= saved.is_some();
            }
            Ok(false) => {
                warn!(session.key = %self.row.key, "Another process runs this session by now");
                return false;
            }
            Ok(true) => {
                if let Some(saved) = saved {
                    self.is_unsaved = false;
                    self.row.wanted = saved.wanted;
                    self.row.account = saved.account;
                    self.row.ended = saved.ended;
                }
            }
        }
        true
    }

    /// A passing fault of the database is waited out, for as long as a lease lasts without it: `None` then, and when
    /// it is closed.
    async fn insist<T, F>(&self, what: &str, mut ask: impl FnMut() -> F) -> Option<T>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let clock = self.sessions.store().clock();
        let give_up = clock.now().plus_ms(LEASE_MS);
        loop {
            match tokio::time::timeout(ANSWER_PATIENCE, ask()).await {
                Ok(Ok(done)) => return Some(done),
                Ok(Err(StoreError::Closed)) => return None,
                Ok(Err(error)) => {
                    error!(session.key = %self.row.key, "The session's {what}: tried again after {error}");
                }
                Err(_) => error!(session.key = %self.row.key, "The session's {what}: the database is silent"),
            }
            if clock.now() >= give_up {
                return None;
            }
            clock.until(clock.now().plus_ms(INSIST_PAUSE_MS)).await;
        }
    }

    /// What was heard is in the store, unless that takes too long.
    async fn written(&self) {
        let _ = tokio::time::timeout(HEARD_PATIENCE, self.sessions.0.heard.written()).await;
    }

    /// Has what is due fetched, by a task apart from this one.
    fn fetch_files(&mut self) {
        if let (State::Ready { .. }, Some(link)) = (&self.state, &self.link) {
            self.fetcher.run(&self.sessions, &self.owner, link);
        }
    }

    fn pump(&mut self) {
        if let (State::Ready { .. }, Some(link)) = (&self.state, &self.link) {
            let context = self.context();
            self.outbox.pump(link, &context);
        }
    }
}

/// What the world hears of a session. Never a QR or a code.
fn event_of(row: &SessionRow, state: &State, expected: Option<String>, now: At) -> NewEvent {
    let told = SessionEvent {
        session_id: row.id.to_string(),
        status: state.status().as_str(),
        reason: Some(state.reason()),
        phone_number: state.account().map(|account| account.phone.clone()),
        expected_phone_number: expected,
        logged_out: None,
        since: now.0,
    };
    let data = match state.status() {
        Status::Initializing => EventData::SessionInitializing(told),
        Status::QrReady => EventData::SessionQrReady(told),
        Status::PasskeyRequired => EventData::SessionPasskeyRequired(told),
        Status::Authenticated => EventData::SessionAuthenticated(told),
        Status::Ready => EventData::SessionReady(told),
        Status::Disconnected => EventData::SessionDisconnected(told),
    };
    NewEvent::new(now, data)
}

/// 0 to 1000 per mille.
fn jitter() -> u16 {
    rand::random_range(0..=1000)
}
