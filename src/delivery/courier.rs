//! One endpoint's deliveries, until nothing is to be done for a while.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, warn};
use wapid_core::clock::{At, Clock};
use wapid_core::crash;
use wapid_core::delivery::{Standing, Turn, pause_after};
use wapid_core::endpoint::Reason;
use wapid_core::id::EndpointId;
use wapid_core::pacing::Draw;
use wapid_core::store::deliveries::Due;
use wapid_core::store::endpoints::Target;
use wapid_core::store::ledger::{Attempt, Next};
use wapid_core::store::{Store, StoreError};

use super::request::{Sent, Trial};
use super::sockets::Socket;
use super::{Bell, Deliveries};

/// What is due later than this is left to the queue.
const NEAR_MS: i64 = 30_000;
/// A courier stays so long without work, so that an endpoint with little traffic costs no lease per event.
const LINGER_MS: i64 = 10_000;
/// A lease lives 15 s without renewal; looked at more often than that, it is never another's unnoticed.
const LOOK_MS: i64 = 4_000;
/// Deliveries that are read at once, per place at the receiver.
const READ_AHEAD: usize = 4;
/// An endpoint's settings are read again after so long, whoever forgot to say that they changed.
const READ_AGAIN_MS: i64 = 1_000;
const FAULT_PAUSE_MS: i64 = 1_000;
/// While another process works for an endpoint, it is not asked more often than that.
const TAKEN_PAUSE_MS: i64 = 2_000;

pub(super) struct Courier {
    deliveries: Deliveries,
    endpoint: EndpointId,
    bell: Arc<Bell>,
    /// The endpoint as it was last read.
    target: Option<Arc<Target>>,
    read_at: At,
    is_recovering: bool,
    /// How the endpoint does, as of the last result.
    standing: Standing,
    queue: VecDeque<Due>,
    underway: HashSet<i64>,
    trials: JoinSet<Tried>,
    /// Results that are being committed; each still holds its place.
    commits: JoinSet<i64>,
}

/// What one trial ended with.
struct Tried {
    target: Arc<Target>,
    sent: Sent,
    due: Due,
    at: At,
}

/// What a courier does next.
enum Step {
    Wait(Option<At>),
    /// Until another delivery has ended, of this endpoint or of any.
    WaitForSocket,
    End(Option<At>),
}

impl Courier {
    pub(super) fn new(deliveries: Deliveries, endpoint: EndpointId, bell: Arc<Bell>) -> Self {
        Self {
            deliveries,
            endpoint,
            bell,
            target: None,
            read_at: At(0),
            is_recovering: false,
            standing: Standing::default(),
            queue: VecDeque::new(),
            underway: HashSet::new(),
            trials: JoinSet::new(),
            commits: JoinSet::new(),
        }
    }

    fn store(&self) -> &Store {
        self.deliveries.store()
    }

    fn clock(&self) -> Clock {
        self.store().clock().clone()
    }

    pub(super) async fn run(mut self) {
        loop {
            let next = self.hold().await;
            if self.deliveries.leave(&self.endpoint, &self.bell) {
                if let Some(at) = next {
                    self.deliveries.wake_at(&self.endpoint, at).await;
                }
                return;
            }
        }
    }

    /// Works under the endpoint's lease, where it can be had; answers when to look again.
    async fn hold(&mut self) -> Option<At> {
        self.bell.rung.store(false, Ordering::Release);
        let owner = self.deliveries.0.parts.owner.clone();
        let holder = self.store().lease_owner(&self.endpoint).await.ok().flatten();
        let claimed = match &holder {
            Some(other) if *other != owner => Ok(None),
            _ => self.store().claim(&self.endpoint, &owner).await,
        };
        match claimed {
            Ok(Some(epoch)) => {
                // What another did meanwhile is not known.
                self.queue.clear();
                self.target = None;
                let next = self.work(&owner, epoch).await;
                if let Err(error) = self.store().release(&self.endpoint, &owner).await {
                    warn!(endpoint.id = %self.endpoint, "An endpoint's lease was not released: {error}");
                }
                next
            }
            Ok(None) => {
                // Its events the other hears of itself.
                if let Some(other) = holder.filter(|_| self.bell.changed.swap(false, Ordering::AcqRel)) {
                    self.deliveries.wake_elsewhere(&other, &self.endpoint).await;
                }
                let clock = self.clock();
                let mut closing = self.deliveries.0.closing.subscribe();
                tokio::select! {
                    () = clock.until(clock.now().plus_ms(TAKEN_PAUSE_MS)) => {}
                    () = wait_closing(&mut closing) => {}
                }
                None
            }
            Err(StoreError::Closed) => None,
            Err(error) => {
                warn!(endpoint.id = %self.endpoint, "An endpoint's lease was not taken: {error}");
                Some(self.clock().now().plus_ms(FAULT_PAUSE_MS))
            }
        }
    }

    async fn work(&mut self, owner: &str, epoch: i64) -> Option<At> {
        let clock = self.clock();
        let mut closing = self.deliveries.0.closing.subscribe();
        let mut looked_at = clock.now();
        let mut idle_since = None;
        let sockets = self.deliveries.0.sockets.clone();
        loop {
            let mut freed = pin!(sockets.freed());
            freed.as_mut().enable();
            let mut waits_for_socket = false;
            if *closing.borrow() {
                self.finish().await;
                return None;
            }
            let now = clock.now();
            if now.since(looked_at) >= LOOK_MS {
                match self.store().holds_lease(&self.endpoint, owner, epoch).await {
                    Ok(true) => looked_at = now,
                    Ok(false) => {
                        self.finish().await;
                        return None;
                    }
                    Err(error) => warn!(endpoint.id = %self.endpoint, "A lease was not read: {error}"),
                }
            }
            self.bell.rung.store(false, Ordering::Release);
            let step = match self.step(now).await {
                Ok(step) => step,
                Err(StoreError::Closed) => return None,
                Err(error) => {
                    error!(endpoint.id = %self.endpoint, "An endpoint's deliveries could not go on: {error}");
                    self.queue.clear();
                    Step::Wait(Some(clock.now().plus_ms(FAULT_PAUSE_MS)))
                }
            };
            let until = match step {
                Step::WaitForSocket => {
                    waits_for_socket = true;
                    None
                }
                Step::End(at) if self.is_idle() => {
                    let since = *idle_since.get_or_insert(now);
                    let lingers = since.plus_ms(LINGER_MS);
                    match at {
                        _ if self.bell.rung.load(Ordering::Acquire) => Some(now),
                        Some(at) if at.since(now) <= NEAR_MS => Some(at),
                        at if lingers <= now => return at,
                        _ => Some(lingers),
                    }
                }
                Step::Wait(at) | Step::End(at) => at,
            };
            if !self.is_idle() {
                idle_since = None;
            }
            // So that a lost lease is noticed.
            let look = clock.now().plus_ms(LOOK_MS);
            let until = until.map_or(look, |at| at.min(look));
            tokio::select! {
                () = clock.until(until) => {}
                Some(tried) = self.trials.join_next() => self.heard(tried.ok()).await,
                Some(committed) = self.commits.join_next() => self.committed(committed.ok()),
                () = self.bell.ring.notified() => {}
                () = freed, if waits_for_socket => {}
                () = wait_closing(&mut closing) => {}
            }
        }
    }

    /// Sends what may be sent now.
    async fn step(&mut self, now: At) -> Result<Step, StoreError> {
        self.look(now).await?;
        let Some(target) = self.target.clone() else {
            self.queue.clear();
            return Ok(Step::End(None));
        };
        if self.is_recovering {
            let log = (&target.tenant, target.mode);
            self.is_recovering = self.store().recover(log, &self.endpoint, &target.endpoint.settings).await?;
        }
        let again = self.is_recovering.then_some(now);
        let may_at = self.standing.may_try_at(now);
        if may_at > now {
            return Ok(if again.is_some() { Step::Wait(again) } else { Step::End(Some(may_at)) });
        }
        let settings = &target.endpoint.settings;
        let is_ordered = settings.is_ordered;
        let places = if self.standing.is_probing() || is_ordered {
            1
        } else {
            usize::from(settings.concurrency.max(1))
        };
        while self.trials.len() + self.commits.len() < places {
            let Some(socket) = self.deliveries.0.sockets.take(&target.tenant) else {
                return Ok(Step::WaitForSocket);
            };
            let Some(due) = self.next(is_ordered, places, now).await? else { break };
            if due.next_at > now {
                let at = due.next_at;
                self.queue.clear();
                return Ok(if self.is_idle() { Step::End(Some(at)) } else { Step::Wait(Some(at)) });
            }
            self.underway.insert(due.pos);
            self.trials.spawn(attempt(self.deliveries.clone(), target.clone(), due, self.clock(), socket));
        }
        if !self.is_idle() || again.is_some() {
            return Ok(Step::Wait(again));
        }
        Ok(Step::End(self.store().next_due(&self.endpoint).await?))
    }

    /// Reads the endpoint anew where it may have changed.
    async fn look(&mut self, now: At) -> Result<(), StoreError> {
        let has_changed = self.bell.changed.swap(false, Ordering::AcqRel);
        if !has_changed && self.target.is_some() && now.since(self.read_at) < READ_AGAIN_MS {
            return Ok(());
        }
        let before = self.target.take().map(|target| target.endpoint.changed_at);
        self.target = self.store().target(&self.endpoint).await?.map(Arc::new);
        self.read_at = now;
        self.is_recovering = self.target.is_some();
        if has_changed {
            self.queue.clear();
        }
        if let Some(target) = &self.target
            && (self.is_idle() || before != Some(target.endpoint.changed_at))
        {
            self.standing = target.endpoint.standing;
        }
        Ok(())
    }

    /// The next that is not on its way yet. In order it is the oldest, due or not.
    async fn next(&mut self, is_ordered: bool, places: usize, now: At) -> Result<Option<Due>, StoreError> {
        if is_ordered {
            let head = self.store().head(&self.endpoint).await?;
            return Ok(head.filter(|due| !self.underway.contains(&due.pos)));
        }
        if self.queue.is_empty() {
            let due =
                self.store().due(&self.endpoint, now, places * READ_AHEAD + self.underway.len()).await?;
            self.queue.extend(due.into_iter().filter(|due| !self.underway.contains(&due.pos)));
        }
        Ok(self.queue.pop_front())
    }

    fn is_idle(&self) -> bool {
        self.trials.is_empty() && self.commits.is_empty()
    }

    /// Judges what became of a trial, and has it written down.
    async fn heard(&mut self, tried: Option<Tried>) {
        let Some(Tried { target, sent, due, at }) = tried else { return };
        metrics::counter!("wapid_deliveries_total", "outcome" => sent.error.unwrap_or("taken")).increment(1);
        let now = self.clock().now();
        let before = self.standing;
        let (standing, turn) = if sent.is_success() {
            before.after_success()
        } else {
            before.after_failure(at, now, sent.asked_ms)
        };
        self.standing = standing;
        let disables = match turn {
            _ if sent.is_gone() => Some(Reason::Gone),
            Turn::GiveUp => Some(Reason::Failing),
            _ => None,
        };
        let attempts = due.attempts + 1;
        let most = target.endpoint.settings.attempts_max;
        let next = match pause_after(u32::try_from(attempts).unwrap_or(u32::MAX), most, Draw::random()) {
            _ if sent.is_success() => Next::Delivered,
            Some(pause) => Next::Again(now.plus_ms(pause.max(sent.asked_ms.unwrap_or(0)))),
            None => Next::Failed,
        };
        let attempt = Attempt {
            tenant: target.tenant.clone(),
            mode: target.mode,
            endpoint: self.endpoint.clone(),
            pos: due.pos,
            is_of_endpoint: due.event.kind.starts_with("endpoint."),
            event: due.event.id,
            attempts,
            tried: due.tried + 1,
            is_replay: due.attempts == 0 && due.tried > 0,
            at,
            duration_ms: i64::try_from(sent.duration.as_millis()).unwrap_or(i64::MAX),
            status: sent.status.map(|status| i64::from(status.as_u16())),
            error: sent.error,
            answer: sent.answer,
            next,
            standing: (standing != before).then_some(standing),
            turn,
            disables,
        };
        let (store, clock, bell) = (self.store().clone(), self.clock(), self.bell.clone());
        // In line at once, in the order of results: the endpoint's standing is that of the last one.
        let mut answer = store.note_attempt(attempt.clone()).await;
        self.commits.spawn(async move {
            loop {
                let written = match answer {
                    Ok(answer) => answer.await,
                    Err(error) => Err(error),
                };
                match written {
                    Ok(()) | Err(StoreError::Closed) => break,
                    Err(error) => error!("An attempt could not be written down and is tried again: {error}"),
                }
                clock.until(clock.now().plus_ms(FAULT_PAUSE_MS)).await;
                answer = store.note_attempt(attempt.clone()).await;
            }
            if attempt.disables.is_some() {
                bell.changed.store(true, Ordering::Release);
            }
            attempt.pos
        });
    }

    fn committed(&mut self, pos: Option<i64>) {
        if let Some(pos) = pos {
            self.underway.remove(&pos);
        }
    }

    async fn finish(&mut self) {
        while let Some(tried) = self.trials.join_next().await {
            self.heard(tried.ok()).await;
        }
        while let Some(committed) = self.commits.join_next().await {
            self.committed(committed.ok());
        }
    }
}

async fn wait_closing(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

async fn attempt(
    deliveries: Deliveries,
    target: Arc<Target>,
    due: Due,
    clock: Clock,
    _socket: Socket,
) -> Tried {
    let at = clock.now();
    let trial = async {
        let trial = Trial {
            tenant: &target.tenant,
            mode: target.mode,
            settings: &target.endpoint.settings,
            keys: &target.keys,
            event: &due.event,
            at,
        };
        crash::point("delivery.chosen");
        match trial.signed() {
            Ok(signed) => trial.send(&deliveries.0.parts.outgoing, &signed).await,
            Err(error) => {
                error!(event.id = %due.event.id, "An event could not be written out: {error}");
                Sent::failed("unreadable_event")
            }
        }
    };
    // A panic is one more way to fail: it is counted, and leaves room for the next.
    let sent = AssertUnwindSafe(trial).catch_unwind().await.unwrap_or_else(|_| {
        error!(event.id = %due.event.id, "A delivery met a panic");
        Sent::failed("internal")
    });
    crash::point("delivery.sent");
    Tried { target, sent, due, at }
}
