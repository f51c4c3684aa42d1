//! One task per session, and the only place that opens, closes and writes to its link.
//!
//! The rules are in `wapid_core::session`; this does what they say. Signals carry the number of the
//! link they came from, so that a late word of a closed link is not taken for news.

mod parting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info, warn};
use wapid_core::clock::At;
use wapid_core::crash;
use wapid_core::event::{Kind, NewEvent};
use wapid_core::key::Mode;
use wapid_core::people::News;
use wapid_core::session::{Effect, End, Input, Offer, Rest, State, Status};
use wapid_core::store::StoreError;
use wapid_core::store::leases::LEASE_MS;
use wapid_core::store::ledger::{Owner, ReceiptNews};
use wapid_core::store::sessions::{Saved, SessionRow};

use super::fetcher::Fetcher;
use super::outbox::{self, Context, Outbox, Outgoing};
use super::send::owner_of;
use super::{CodeRefusal, Command, Parts, Sessions, View, groups, inbound};
use crate::link::groups::{GroupNews, Setting, What};
use crate::link::{Link, Proxy, ProxyError, Signal, Way, Wiring};
use crate::outgoing::Asker;

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
            turned_away: None,
            epoch: 0,
            wake: None,
            code_for: None,
            code_answer: None,
            recovery_owed: false,
            took_up: false,
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
                    self.step(Input::Due { jitter: jitter() }).await;
                }
                () = self.outbox.progress(&context) => {}
            }
            if self.outbox.suspects_loss() {
                self.check_pulse().await;
            }
            self.pump();
        }
    }

    /// A closed link cannot speak of the session, and one that was turned away of nothing.
    fn is_heard(&self, link_no: u64, signal: &Signal) -> bool {
        let is_open = link_no == self.link_no && self.link.is_some();
        self.turned_away != Some(link_no) && (signal.lasts() || is_open)
    }

    /// WhatsApp tells these things once, and this process will not ask again.
    async fn hear_the_rest(&mut self) {
        while let Ok((link_no, signal)) = self.signals.try_recv() {
            if signal.lasts() && self.is_heard(link_no, &signal) {
                self.hear(signal).await;
            }
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
            Command::Start => self.step(Input::Start).await,
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
            Command::Refresh(row) => self.row = *row,
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

    async fn hear(&mut self, signal: Signal) {
        let now = self.sessions.now();
        match signal {
            Signal::Qr { secret, lives_ms } => {
                let offer = Offer { secret, expires_at: now.plus_ms(lives_ms) };
                self.step(Input::OfferedQr(offer)).await;
                self.ask_for_code();
            }
            Signal::Code { secret, lives_ms } => {
                if let Some(answer) = self.code_answer.take() {
                    let _ = answer.send(Ok(secret.clone()));
                }
                let offer = Offer { secret, expires_at: now.plus_ms(lives_ms) };
                self.step(Input::OfferedCode(offer)).await;
            }
            Signal::CodeRefused(why) => {
                if let Some(answer) = self.code_answer.take() {
                    let _ = answer.send(Err(CodeRefusal::Refused(why)));
                }
            }
            Signal::Passkey(request) => self.step(Input::PasskeyAsked(request)).await,
            Signal::Linked(account) => self.linked(account).await,
            Signal::Up => {
                self.learn_timers().await;
                self.step(Input::Up).await;
                self.recover().await;
                self.learn_groups();
                self.sessions.poke_jobs(&self.row.key);
                self.fetch_files();
                self.ask_for_blocks();
            }
            Signal::Down => self.step(Input::Down).await,
            Signal::Gone { why, lasts_ms } => {
                let until = lasts_ms.map(|ms| now.plus_ms(ms));
                self.step(Input::Gone { why, until, jitter: jitter() }).await;
            }
            Signal::Over(end) => {
                let over = self.over(end).await;
                self.step(over).await;
            }
            Signal::Receipt { by, wa_ids, status, at_ms } => {
                let news = ReceiptNews { owner: self.owner.clone(), by, wa_ids, status, at: At(at_ms) };
                self.sessions.0.receipts.note(news);
            }
            Signal::People(news) => {
                self.sessions.0.timers.hear(&self.row.key, &news);
                self.sessions.0.heard.note(&self.owner, news);
            }
            Signal::Group(news) => self.hear_of_group(news),
        }
    }

    /// What the end of a link means. Of a session that another process runs by now it is not the end: WhatsApp has
    /// replaced a connection that was frozen by that process's. Where the database cannot say, the link is tried
    /// again, and told again if it is over.
    async fn over(&self, end: End) -> Input {
        let Parts { store, owner, .. } = &self.sessions.0.parts;
        let why = match store.holds_lease(&self.row.key, owner, self.epoch).await {
            Ok(true) => return Input::Over(end),
            Ok(false) => Rest::HeldElsewhere,
            Err(error) => {
                error!(session.key = %self.row.key, "The lease could not be looked at: {error}");
                Rest::Unreachable
            }
        };
        Input::Gone { why, until: None, jitter: jitter() }
    }

    /// So that the first send need not wait for the answer.
    fn ask_for_blocks(&self) {
        if let Some(link) = self.link.clone() {
            tokio::spawn(async move { link.block_list().await });
        }
    }

    /// Before the first message leaves. Without them it would stay where others disappear.
    async fn learn_timers(&self) {
        self.written().await;
        let tenant = self.sessions.store().tenant(self.owner.tenant.clone(), self.owner.mode);
        match tenant.disappearing(&self.row.key).await {
            Ok(known) => self.sessions.0.timers.load(&self.row.key, known.into_iter()),
            Err(error) => {
                error!(session.key = %self.row.key, "Timers of chats were not read: {error}");
            }
        }
    }

    /// Once per number and process; what changes later WhatsApp tells.
    fn learn_groups(&self) {
        if let (State::Ready { .. }, Some(link)) = (&self.state, &self.link)
            && !self.knows_groups.load(Ordering::Acquire)
        {
            let (store, session) = (self.sessions.store().clone(), self.row.key.clone());
            let timers = self.sessions.0.timers.clone();
            let (link, knows_groups) = (link.clone(), self.knows_groups.clone());
            tokio::spawn(async move {
                let known = groups::learn(&store, &session, &link, &timers).await;
                knows_groups.fetch_or(known, Ordering::AcqRel);
            });
        }
    }

    fn hear_of_group(&self, news: GroupNews) {
        let own = self.state.account().map(groups::person).unwrap_or_default();
        if let (What::Came { .. }, Some(link)) = (&news.what, self.link.clone()) {
            let jid = news.jid.clone();
            // What fails is asked again with the next message to that group.
            tokio::spawn(async move { link.relearn_group(&jid).await });
        }
        if let What::Changed(Setting::EphemeralSeconds(seconds))
        | What::Came { ephemeral_seconds: seconds, .. } = &news.what
        {
            let news = vec![News::Disappears { who: None, chat: news.jid.clone(), seconds: *seconds }];
            self.sessions.0.timers.hear(&self.row.key, &news);
            self.sessions.0.heard.note(&self.owner, news);
        }
        self.sessions.0.heard.note_group(groups::written(&self.row.key, groups::told(&own, news)));
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

    /// Another process runs the session by now: this one waits to be needed again.
    async fn stand_back(&mut self) {
        self.close().await;
        let (now, account) = (self.sessions.now(), self.row.account.clone());
        let until = now.plus_ms(LEASE_MS);
        self.state = State::Resting { account, why: Rest::HeldElsewhere, until, since: now, failures: 0 };
        self.wake = Some(until);
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
            Err(error) => error!(session.key = %self.row.key, "A session's state was not written: {error}"),
            Ok(false) => {
                warn!(session.key = %self.row.key, "Another process runs this session by now");
                return false;
            }
            Ok(true) => {
                if let Some(saved) = saved {
                    self.row.wanted = saved.wanted;
                    self.row.account = saved.account;
                    self.row.ended = saved.ended;
                }
            }
        }
        true
    }

    async fn open(&mut self) -> Result<(), Input> {
        let failed = |why| Input::Gone { why, until: None, jitter: jitter() };
        let parts = &self.sessions.0.parts;
        match parts.store.claim(&self.row.key, &parts.owner).await {
            Ok(Some(epoch)) => (self.epoch, self.took_up) = (epoch, false),
            Ok(None) => return Err(failed(Rest::HeldElsewhere)),
            Err(error) => {
                error!(session.key = %self.row.key, "The lease could not be asked for: {error}");
                return Err(failed(Rest::Unreachable));
            }
        }
        // The process that ran it until now may have stopped, ended or removed it.
        match parts.store.session_by_key(&self.row.key).await {
            Ok(Some(row)) if row.wanted || row.removing => {}
            Ok(_) => {
                self.release().await;
                return Err(failed(Rest::HeldElsewhere));
            }
            Err(error) => {
                error!(session.key = %self.row.key, "The session could not be read: {error}");
                self.release().await;
                return Err(failed(Rest::Unreachable));
            }
        }
        let way = match self.way().await {
            Ok(way) => way,
            Err(error) => {
                error!(session.key = %self.row.key, "The session's proxy cannot be used: {error}");
                self.release().await;
                return Err(failed(Rest::ProxyRefused));
            }
        };
        self.link_no += 1;
        let (link_no, signals) = (self.link_no, self.signal_tx.clone());
        let tell = move |signal| {
            // The task outlives its links; if it is gone, nobody needs to know.
            let _ = signals.send((link_no, signal));
        };
        let wiring = Wiring {
            keys: parts.keystores.of(self.row.key.clone()).under(self.epoch),
            way,
            hides: self.hides.clone(),
            device_name: self.row.device_name.clone().unwrap_or_else(|| parts.device_name.clone()),
        };
        let commands = self.sessions.commands_of(&self.row.key);
        let timers = self.sessions.0.timers.clone();
        let commit =
            inbound::commit_into(parts.store.clone(), self.owner.clone(), commands, timers, parts.auto_fetch);
        let recall = inbound::recall_from(parts.store.clone(), self.row.key.clone());
        match Link::open(wiring, tell, commit, recall).await {
            Ok(link) => {
                self.link = Some(Arc::new(link));
                Ok(())
            }
            Err(error) => {
                error!(session.key = %self.row.key, "A link did not open: {error:#}");
                self.release().await;
                Err(failed(Rest::Unreachable))
            }
        }
    }

    async fn way(&self) -> Result<Way, ProxyError> {
        let parts = &self.sessions.0.parts;
        Ok(match self.row.mode {
            Mode::Test => {
                let book = self.row.tenant.as_str();
                Way::Sandbox {
                    transport: parts.sandbox.transport(book),
                    http: parts.sandbox.http(book),
                    static_key: parts.sandbox.static_key(),
                }
            }
            Mode::Live => {
                let asker = Asker { tenant: self.row.tenant.clone(), mode: Mode::Live };
                // Never without the proxy that the session is to have, and never through one that leads inside.
                let proxy = self.row.proxy.as_deref();
                let proxy = proxy.map(|text| Proxy::parse(text, &parts.outgoing, asker)).transpose()?;
                if let Some(proxy) = &proxy {
                    proxy.look_up().await?;
                }
                Way::Live { url: parts.whatsapp_url.clone(), proxy }
            }
        })
    }

    async fn close(&mut self) {
        (self.code_for, self.code_answer) = (None, None);
        if let Some(link) = self.link.take() {
            link.close().await;
            self.release().await;
        }
    }

    async fn release(&self) {
        self.others_may_hear();
        let parts = &self.sessions.0.parts;
        if let Err(error) = parts.store.release(&self.row.key, &parts.owner).await {
            warn!("A lease was not released and will run out: {error}");
        }
    }

    /// Another process may run this session from here on: what is remembered of its chats may be old then.
    fn others_may_hear(&self) {
        self.sessions.0.timers.forget(&self.row.key);
        self.knows_groups.store(false, Ordering::Release);
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

    /// Takes up what an earlier connection, or an earlier process, left without a verdict. Receipts
    /// that came with the offline queue count first: they may tell that a message had arrived.
    async fn recover(&mut self) {
        crash::point("session.recovers");
        self.recovery_owed = false;
        // While the database is away this task still has to hear that it should stop.
        if tokio::time::timeout(HEARD_PATIENCE, self.sessions.0.receipts.written()).await.is_err() {
            self.recovery_owed = true;
            self.outbox.reconnected();
            return;
        }
        match self.sessions.store().claim_unsettled(&self.row.key, self.epoch).await {
            Ok(rows) => {
                let mut waiting = self.outbox.take_waiting();
                for row in rows {
                    let taken_up = || {
                        let job = row.job.as_ref().map(|(job, _)| job);
                        self.sessions.0.underway.take_up(&row.wa_id, job)
                    };
                    let outgoing = match waiting.remove(&row.key) {
                        Some(outgoing) => outgoing,
                        None => match taken_up() {
                            Some(custody) => Outgoing::of(row, custody),
                            // Somebody has it, and sees it to its end.
                            None => continue,
                        },
                    };
                    if outgoing.is_too_old(self.sessions.now()) {
                        outbox::give_up_late(self.context(), outgoing).await;
                    } else {
                        self.outbox.push(outgoing);
                    }
                }
                // The rows are the list: what is left of `waiting` was settled elsewhere, and is let go of here.
                drop(waiting);
                self.took_up = true;
                self.show();
            }
            Err(error) => {
                error!("Unsettled messages could not be read and are tried again: {error}");
                self.recovery_owed = true;
            }
        }
        self.outbox.reconnected();
    }
}

/// What the world hears of a session. Never a QR or a code.
fn event_of(row: &SessionRow, state: &State, expected: Option<String>, now: At) -> NewEvent {
    let kind = match state.status() {
        Status::Initializing => Kind::SessionInitializing,
        Status::QrReady => Kind::SessionQrReady,
        Status::PasskeyRequired => Kind::SessionPasskeyRequired,
        Status::Authenticated => Kind::SessionAuthenticated,
        Status::Ready => Kind::SessionReady,
        Status::Disconnected => Kind::SessionDisconnected,
    };
    let mut data = serde_json::json!({
        "sessionId": row.id,
        "status": state.status().as_str(),
        "reason": state.reason(),
        "phoneNumber": state.account().map(|account| &account.phone),
        "since": now,
    });
    if let Some(expected) = expected {
        data["expectedPhoneNumber"] = expected.into();
    }
    NewEvent { kind, occurred_at: now, data }
}

/// 0 to 1000 per mille.
fn jitter() -> u16 {
    rand::random_range(0..=1000)
}
