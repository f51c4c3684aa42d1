//! One task per session, and the only place that opens, closes and writes to its link.
//!
//! The rules are in `wapid_core::session`; this does what they say. Signals carry the number of the
//! link they came from, so that a late word of a closed link is not taken for news.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};
use wapid_core::clock::At;
use wapid_core::event::{Kind, NewEvent};
use wapid_core::key::Mode;
use wapid_core::session::{Effect, End, Input, Offer, Rest, State, Status};
use wapid_core::store::ledger::Owner;
use wapid_core::store::sessions::{Saved, SessionRow};

use super::outbox::{Context, Outbox, Outgoing, Verdict};
use super::send::owner_of;
use super::{Command, Sessions, View, inbound};
use crate::link::{Link, Proxy, Signal, Way, Wiring};

/// How long a removal waits for a connection on which it can log the device out.
const GOODBYE_PATIENCE_MS: i64 = 10_000;

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
    /// Of the lease under which the link was opened.
    epoch: i64,
    wake: Option<At>,
    /// A pairing code was asked for before the link could give one.
    code_for: Option<String>,
    outbox: Outbox,
}

/// Should this session run when the process starts? An outdated client is tried again: the process
/// that starts may be the newer one.
pub fn is_wanted(row: &SessionRow) -> bool {
    row.wanted && !row.removing || matches!(row.ended, Some(End::ClientOutdated)) && !row.removing
}

/// Where a session stands before anything happened in this process.
pub fn state_of(row: &SessionRow, now: At) -> State {
    match row.ended {
        Some(why) => State::Ended { why, account: row.account.clone(), since: now },
        None => State::Stopped { account: row.account.clone(), since: now },
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
            epoch: 0,
            wake: None,
            code_for: None,
            outbox: Outbox::default(),
        }
    }

    pub async fn run(mut self) {
        let clock = self.sessions.store().clock().clone();
        loop {
            let context =
                Context { sessions: self.sessions.clone(), owner: self.owner.clone(), epoch: self.epoch };
            let wake = self.wake;
            let due = async {
                match wake {
                    Some(at) => clock.until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Shutdown(done)) => {
                        self.close().await;
                        let _ = done.send(());
                        return;
                    }
                    Some(Command::Remove(done)) => {
                        let _ = done.send(self.remove().await);
                        return;
                    }
                    Some(command) => self.obey(command).await,
                    None => return self.close().await,
                },
                Some((link_no, signal)) = self.signals.recv() => {
                    if link_no == self.link_no && self.link.is_some() {
                        self.hear(signal).await;
                    }
                }
                () = due => {
                    self.wake = None;
                    self.step(Input::Due { jitter: jitter() }).await;
                }
                () = self.outbox.progress(&context) => {}
            }
            self.pump();
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Start => self.step(Input::Start).await,
            Command::Stop => self.step(Input::Stop).await,
            Command::RequestCode(phone) => {
                self.view.send_modify(|view| view.code_refused = None);
                self.code_for = Some(phone);
                self.ask_for_code();
            }
            Command::Refresh(row) => self.row = *row,
            Command::Transmit(outgoing) => self.outbox.push(outgoing),
            Command::LeaseLost { epoch } if self.link.is_some() && epoch == self.epoch => {
                warn!(session.key = %self.row.key, "Lost the lease on a session; closing its link");
                self.step(Input::Gone { why: Rest::HeldElsewhere, until: None, jitter: jitter() }).await;
            }
            Command::LeaseLost { .. } => {}
            Command::Remove(_) | Command::Shutdown(_) => unreachable!("run() takes these itself"),
        }
    }

    async fn hear(&mut self, signal: Signal) {
        let now = self.sessions.now();
        match signal {
            Signal::Qr { secret, lives_ms } => {
                let offer = Offer { secret, expires_at: now.plus_ms(lives_ms) };
                self.step(Input::OfferedQr(offer)).await;
                self.ask_for_code();
            }
            Signal::Code { secret, lives_ms } => {
                let offer = Offer { secret, expires_at: now.plus_ms(lives_ms) };
                self.step(Input::OfferedCode(offer)).await;
            }
            Signal::CodeRefused(why) => self.view.send_modify(|view| view.code_refused = Some(why)),
            Signal::Passkey(request) => self.step(Input::PasskeyAsked(request)).await,
            Signal::Linked(account) => self.step(Input::Linked(account)).await,
            Signal::Up => {
                self.step(Input::Up).await;
                self.recover().await;
            }
            Signal::Down => self.step(Input::Down).await,
            Signal::Gone { why, lasts_ms } => {
                let until = lasts_ms.map(|ms| now.plus_ms(ms));
                self.step(Input::Gone { why, until, jitter: jitter() }).await;
            }
            Signal::Over(end) => self.step(Input::Over(end)).await,
            Signal::Receipt { wa_ids, status, at_ms } => {
                self.sessions.0.receipts.note(&self.owner, wa_ids, status, At(at_ms));
            }
        }
    }

    /// A code can be asked for once the socket is up, which the first QR shows.
    fn ask_for_code(&mut self) {
        let State::Linking { offers, .. } = &self.state else { return };
        if offers.qr.is_none() {
            return;
        }
        if let (Some(link), Some(phone)) = (self.link.clone(), self.code_for.take()) {
            // Apart from this task, which must stay able to stop. What comes of it comes as a signal.
            tokio::spawn(async move { link.request_code(&phone).await });
        }
    }

    /// Steps the machine and does what it says. Opening may fail, which is a step of its own.
    async fn step(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            let now = self.sessions.now();
            let before = self.state.status();
            let (state, effects) =
                std::mem::replace(&mut self.state, state_of(&self.row, now)).step(input, now);
            self.state = state;
            let save = effects.contains(&Effect::Save);
            let announce = effects.contains(&Effect::Announce);
            for effect in &effects {
                match effect {
                    Effect::Close => self.close().await,
                    Effect::Forget => self.forget().await,
                    Effect::WakeAt(at) => self.wake = Some(*at),
                    Effect::Open | Effect::Save | Effect::Announce => {}
                }
            }
            if save || announce {
                self.write_down(save, announce).await;
            }
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
        });
    }

    async fn write_down(&mut self, save: bool, announce: bool) {
        let saved = save.then(|| Saved {
            wanted: self.state.is_running(),
            account: self.state.account().cloned(),
            ended: match self.state {
                State::Ended { why, .. } => Some(why),
                _ => None,
            },
        });
        let event = announce.then(|| event_of(&self.row, &self.state, self.sessions.now()));
        if let Err(error) = self.sessions.store().save_session(&self.row.key, saved.clone(), event).await {
            error!(session.key = %self.row.key, "A session's state was not written: {error}");
        } else if let Some(saved) = saved {
            self.row.wanted = saved.wanted;
            self.row.account = saved.account;
            self.row.ended = saved.ended;
        }
    }

    async fn open(&mut self) -> Result<(), Input> {
        let failed = |why| Input::Gone { why, until: None, jitter: jitter() };
        let parts = &self.sessions.0.parts;
        match parts.store.claim(&self.row.key, &parts.owner).await {
            Ok(Some(epoch)) => self.epoch = epoch,
            Ok(None) => return Err(failed(Rest::HeldElsewhere)),
            Err(error) => {
                error!(session.key = %self.row.key, "The lease could not be asked for: {error}");
                return Err(failed(Rest::Unreachable));
            }
        }
        self.link_no += 1;
        let (link_no, signals) = (self.link_no, self.signal_tx.clone());
        let tell = move |signal| {
            // The task outlives its links; if it is gone, nobody needs to know.
            let _ = signals.send((link_no, signal));
        };
        let wiring = Wiring {
            backend: Arc::new(parts.keystores.of(self.row.key.clone())),
            way: self.way(),
            device_name: self.row.device_name.clone().unwrap_or_else(|| parts.device_name.clone()),
        };
        let commit = inbound::commit_into(parts.store.clone(), self.owner.clone());
        match Link::open(wiring, tell, commit).await {
            Ok(link) => {
                self.link = Some(Arc::new(link));
                Ok(())
            }
            Err(error) => {
                error!(session.key = %self.row.key, "A link did not open: {error:#}");
                Err(failed(Rest::Unreachable))
            }
        }
    }

    fn way(&self) -> Way {
        let parts = &self.sessions.0.parts;
        match self.row.mode {
            Mode::Test => {
                let book = self.row.tenant.as_str();
                Way::Sandbox {
                    transport: parts.sandbox.transport(book),
                    http: parts.sandbox.http(book),
                    static_key: parts.sandbox.static_key(),
                }
            }
            Mode::Live => Way::Live {
                url: parts.whatsapp_url.clone(),
                // Checked when it was stored.
                proxy: self.row.proxy.as_deref().and_then(|proxy| Proxy::parse(proxy).ok()),
            },
        }
    }

    async fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.close().await;
            let parts = &self.sessions.0.parts;
            if let Err(error) = parts.store.release(&self.row.key, &parts.owner).await {
                warn!("A lease was not released and will run out: {error}");
            }
        }
    }

    async fn forget(&self) {
        if let Err(error) = self.sessions.0.parts.keystores.of(self.row.key.clone()).forget().await {
            error!(session.key = %self.row.key, "A session's keys were not forgotten: {error}");
        }
    }

    fn pump(&mut self) {
        if let (State::Ready { .. }, Some(link)) = (&self.state, &self.link) {
            self.outbox.pump(link);
        }
    }

    /// Takes up what an earlier connection, or an earlier process, left without a verdict. Receipts
    /// that came with the offline queue count first: they may tell that a message had arrived.
    async fn recover(&mut self) {
        self.sessions.0.receipts.written().await;
        match self.sessions.store().unsettled(&self.row.key, self.epoch).await {
            Ok(rows) => {
                for row in rows {
                    let (_, first) = self.sessions.await_verdict(&row.wa_id);
                    if first {
                        self.outbox.push(Outgoing {
                            key: row.key,
                            wa_id: row.wa_id,
                            to: row.to,
                            content: row.content,
                            created_at: row.created_at,
                            tries: 0,
                            silences: 0,
                        });
                    }
                }
            }
            Err(error) => error!("Unsettled messages could not be read: {error}"),
        }
        self.outbox.reconnected();
    }

    /// Logs out, forgets, deletes. Whatever fails on the way, a restart begins here again.
    async fn remove(&mut self) -> bool {
        let told = self.say_goodbye().await;
        self.close().await;
        self.forget().await;
        let store = self.sessions.store();
        // The store fails what has no verdict yet; whoever waits for it hears so at once.
        let open = store.unsettled(&self.row.key, i64::MAX).await.unwrap_or_default();
        if let Err(error) = store.remove_session(&self.row.key).await {
            error!(session.key = %self.row.key, "A session was not removed: {error}");
        }
        for row in open {
            let (code, error) = ("SESSION_REMOVED".to_owned(), "the session was removed".to_owned());
            self.sessions.resolve(&row.wa_id, Verdict::Failed { code, error });
        }
        self.sessions.forget_handle(&self.row);
        info!(session.key = %self.row.key, "Session removed");
        told
    }

    /// A device that is linked but not connected is connected once more, to be logged out.
    async fn say_goodbye(&mut self) -> bool {
        if self.state.account().is_none() {
            return self.row.account.is_none();
        }
        if self.link.is_none() && self.open().await.is_err() {
            return false;
        }
        let clock = self.sessions.store().clock().clone();
        let give_up = clock.now().plus_ms(GOODBYE_PATIENCE_MS);
        while !matches!(self.state, State::Ready { .. }) {
            tokio::select! {
                Some((link_no, signal)) = self.signals.recv() => match signal {
                    Signal::Up if link_no == self.link_no => break,
                    // Already unlinked: nothing left to tell WhatsApp.
                    Signal::Over(End::LoggedOut) if link_no == self.link_no => return true,
                    _ => {}
                },
                () = clock.until(give_up) => return false,
            }
        }
        match &self.link {
            Some(link) => link.log_out().await,
            None => false,
        }
    }
}

/// What the world hears of a session. Never a QR or a code.
fn event_of(row: &SessionRow, state: &State, now: At) -> NewEvent {
    let kind = match state.status() {
        Status::Initializing => Kind::SessionInitializing,
        Status::QrReady => Kind::SessionQrReady,
        Status::PasskeyRequired => Kind::SessionPasskeyRequired,
        Status::Authenticated => Kind::SessionAuthenticated,
        Status::Ready => Kind::SessionReady,
        Status::Disconnected => Kind::SessionDisconnected,
    };
    let data = serde_json::json!({
        "sessionId": row.id,
        "status": state.status().as_str(),
        "reason": state.reason(),
        "phoneNumber": state.account().map(|account| &account.phone),
        "since": now,
    });
    NewEvent { kind, occurred_at: now, data }
}

/// 0 to 1000 per mille.
fn jitter() -> u16 {
    rand::random_range(0..=1000)
}
