//! What one runner does until nothing is left for a while.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rand::RngExt as _;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::{error, warn};
use wapid_core::clock::At;
use wapid_core::crash;
use wapid_core::job::{Hold, JobId, Outcome};
use wapid_core::message::{TEXT_MAX, new_wa_id};
use wapid_core::pacing::{Draw, next_midnight, zone_of};
use wapid_core::phone::{Phone, Recipient};
use wapid_core::recipient::Fields;
use wapid_core::session::State;
use wapid_core::store::StoreError;
use wapid_core::store::jobs::{Active, Agenda, Waiting};
use wapid_core::store::ledger::{Accepted, BLOCKED, Dismissal, Intent, JobPart, Refused, Unsettled};
use wapid_core::store::sessions::SessionRow;

use super::{Bell, wake_key};
use crate::session::outbox::{Outgoing, Verdict};
use crate::session::script::Script;
use crate::session::send::owner_of;
use crate::session::{Command, Sessions, View};

/// What is due later than this is left to the queue, so that a session that waits for tomorrow costs
/// nothing until then.
const NEAR_MS: i64 = 30_000;
/// Recipients that are read at once.
const PAGE: i64 = 64;
/// Messages of jobs that may wait for WhatsApp's answer at the same time, per session, where no pause is
/// wanted. More would go on into a wall that the first answer shows.
const UNANSWERED_MAX: usize = 4;
/// With pauses each message has its answer before the next one leaves, unless it takes longer than this.
const ANSWER_PATIENCE_MS: i64 = 10_000;
/// When the next day begins, not every tenant's jobs begin in its first second.
const MORNING_SPREAD_MS: i64 = 60_000;
/// The pause after a database or a connection that failed.
pub(super) const FAULT_PAUSE_MS: i64 = 1_000;

/// Apart from its callers, because what a watch lends out must not be held across an await.
async fn no_longer_ready(view: &mut watch::Receiver<View>) {
    let _ = view.wait_for(|view| !matches!(view.state, State::Ready { .. })).await;
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// What a runner does next.
pub(super) enum Next {
    Again,
    /// Until then, or until something happens.
    Wait(At),
    /// Until something happens to a message on its way.
    Answer,
    /// Nothing soon; look again then.
    End(Option<At>),
}

pub(super) struct Runner {
    pub(super) sessions: Sessions,
    pub(super) row: SessionRow,
    pub(super) view: watch::Receiver<View>,
    bell: Arc<Bell>,
    pub(super) agenda: Option<Agenda>,
    scripts: HashMap<JobId, Script>,
    pub(super) waiting: HashMap<JobId, VecDeque<Waiting>>,
    unanswered: JoinSet<Option<Verdict>>,
    pub(super) last_question: Option<At>,
    /// Numbers that were not on WhatsApp when they were asked for together with others.
    pub(super) absent: HashMap<Phone, At>,
    /// The restriction whose end has been asked for.
    pub(super) asked_about: Option<At>,
}

impl Runner {
    pub(super) fn new(
        sessions: Sessions,
        row: SessionRow,
        view: watch::Receiver<View>,
        bell: Arc<Bell>,
    ) -> Self {
        Self {
            sessions,
            row,
            view,
            bell,
            agenda: None,
            scripts: HashMap::new(),
            waiting: HashMap::new(),
            unanswered: JoinSet::new(),
            last_question: None,
            absent: HashMap::new(),
            asked_about: None,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            let end = self.work().await;
            if self.leave() {
                if let Some(at) = end {
                    self.sessions.0.parts.wakeups.wake(&wake_key(&self.row.key), at).await;
                }
                return;
            }
        }
    }

    /// Gives up the place, unless the bell was rung meanwhile.
    fn leave(&self) -> bool {
        let mut runners = self.sessions.0.runners.0.lock();
        let leaves = !self.bell.rung.load(Ordering::Acquire) || self.is_over();
        if leaves {
            runners.remove(&self.row.key);
        }
        leaves
    }

    fn is_over(&self) -> bool {
        *self.sessions.0.closing.borrow() || !matches!(self.view.borrow().state, State::Ready { .. })
    }

    /// Sends what is due, one by one, until nothing is for a while.
    async fn work(&mut self) -> Option<At> {
        let clock = self.sessions.store().clock().clone();
        let mut closing = self.sessions.0.closing.subscribe();
        loop {
            if self.is_over() {
                // The next link looks by itself.
                return None;
            }
            if self.bell.rung.swap(false, Ordering::AcqRel) {
                self.look_again();
            }
            let next = match self.next().await {
                Ok(next) => next,
                Err(StoreError::Closed) => return None,
                Err(error) => {
                    error!(session.key = %self.row.key, "A session's jobs could not go on: {error}");
                    self.look_again();
                    clock.until(clock.now().plus_ms(FAULT_PAUSE_MS)).await;
                    Next::Again
                }
            };
            let until = match next {
                Next::Again => continue,
                Next::End(at) if self.unanswered.is_empty() => return at,
                Next::Wait(at) if at.since(clock.now()) > NEAR_MS && self.unanswered.is_empty() => {
                    return Some(at);
                }
                Next::Wait(at) | Next::End(Some(at)) => Some(at),
                Next::Answer | Next::End(None) => None,
            };
            let due = async {
                match until {
                    Some(at) => clock.until(at).await,
                    None => std::future::pending().await,
                }
            };
            let answered = tokio::select! {
                () = due => None,
                Some(verdict) = self.unanswered.join_next() => verdict.ok().flatten(),
                () = self.bell.ring.notified() => None,
                () = no_longer_ready(&mut self.view) => None,
                () = closed(&mut closing) => None,
            };
            if let Some(verdict) = answered {
                self.hear(verdict).await;
            }
        }
    }

    /// Reads everything anew.
    fn look_again(&mut self) {
        self.agenda = None;
        self.waiting.clear();
    }

    async fn hear(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Failed { code, .. } if code == BLOCKED => self.look_again(),
            Verdict::Sent { .. } => {
                // What left before a refusal and is answered after it proves nothing.
                let now = self.sessions.now();
                let is_free = |agenda: &&mut Agenda| agenda.restriction.is_none_or(|(_, until)| until <= now);
                let struck = self.agenda.as_mut().filter(|agenda| agenda.strikes > 0);
                let Some(agenda) = struck.filter(is_free) else { return };
                (agenda.strikes, agenda.restriction) = (0, None);
                if let Err(error) = self.sessions.store().forgive(&self.row.key).await {
                    warn!("A session's refusals were not forgotten: {error}");
                }
            }
            Verdict::Failed { .. } => {}
        }
    }

    async fn next(&mut self) -> Result<Next, StoreError> {
        let store = self.sessions.store().clone();
        if self.agenda.is_none() {
            match store.agenda(&self.row.key).await? {
                Some(agenda) if !agenda.jobs.is_empty() => {
                    self.scripts.retain(|job, _| agenda.jobs.iter().any(|active| active.id == *job));
                    self.agenda = Some(agenda);
                }
                _ => return Ok(Next::End(None)),
            }
        }
        if let Some(until) = self.restricted().await? {
            return Ok(Next::Wait(until));
        }
        if self.unanswered.len() >= UNANSWERED_MAX {
            return Ok(Next::Answer);
        }
        let now = self.sessions.now();
        let Some(place) = self.whose_turn(now).await? else {
            let agenda = self.agenda.as_ref().expect("read above");
            let next = agenda.jobs.iter().map(|job| job.not_before).filter(|at| *at > now).min();
            return Ok(next.map_or(Next::End(None), Next::Wait));
        };
        let agenda = self.agenda.as_ref().expect("read above");
        let job = &agenda.jobs[place];
        if let Some(last) = agenda.last_at {
            let due = last.plus_ms(job.plan.delay.at(agenda.draw));
            if due > now {
                return Ok(Next::Wait(due));
            }
        }
        if job.plan.delay.max_ms > 0
            && !self.unanswered.is_empty()
            && let Some(patience) = agenda.last_at.map(|last| last.plus_ms(ANSWER_PATIENCE_MS))
            && patience > now
        {
            return Ok(Next::Wait(patience));
        }
        let id = job.id.clone();
        let Some(recipient) = self.waiting.get(&id).and_then(|queue| queue.front()).cloned() else {
            return Ok(Next::Again);
        };
        if recipient.opted_out {
            self.dismiss(&id, &recipient, Outcome::Skipped, "OPTED_OUT", "opted out").await?;
            return Ok(Next::Again);
        }
        if job.plan.check_numbers
            && let Some(next) = self.check(&id, &recipient).await?
        {
            return Ok(next);
        }
        self.release(place, recipient).await
    }

    /// The job whose turn it is, with a recipient in its queue.
    async fn whose_turn(&mut self, now: At) -> Result<Option<usize>, StoreError> {
        let store = self.sessions.store().clone();
        let agenda = self.agenda.as_mut().expect("there is one");
        let zone = zone_of(&agenda.time_zone);
        let mut place = 0;
        while place < agenda.jobs.len() {
            let job = &mut agenda.jobs[place];
            if job.not_before > now {
                place += 1;
                continue;
            }
            let windows = job.plan.windows.as_ref().unwrap_or(&agenda.windows);
            let opens = windows.opens(now, &zone);
            if opens > now {
                store.hold_job(&job.id, Hold::Window, opens).await?;
                (job.not_before, job.hold) = (opens, Some(Hold::Window));
                continue;
            }
            let queue = self.waiting.entry(job.id.clone()).or_default();
            if queue.is_empty() {
                queue.extend(store.waiting(&job.id, PAGE).await?);
            }
            if queue.is_empty() {
                // The rest is on its way; a recipient that comes back rings the bell.
                agenda.jobs.remove(place);
                continue;
            }
            return Ok(Some(place));
        }
        Ok(None)
    }

    pub(super) async fn dismiss(
        &mut self,
        job: &JobId,
        recipient: &Waiting,
        outcome: Outcome,
        code: &'static str,
        error: &str,
    ) -> Result<(), StoreError> {
        let dismissal = Dismissal {
            job: job.clone(),
            seq: recipient.seq,
            outcome,
            code,
            error: error.to_owned(),
            at: self.sessions.now(),
        };
        self.sessions.store().dismiss(dismissal).await?;
        self.pop(job);
        Ok(())
    }

    fn pop(&mut self, job: &JobId) {
        if let Some(queue) = self.waiting.get_mut(job) {
            queue.pop_front();
        }
    }

    /// Takes the recipient, its quota and its message's row in one transaction, then writes the message.
    async fn release(&mut self, place: usize, recipient: Waiting) -> Result<Next, StoreError> {
        let agenda = self.agenda.as_ref().expect("there is one");
        let Active { id, plan, .. } = agenda.jobs[place].clone();
        let script = self.scripts.entry(id.clone()).or_insert_with(|| Script::of(&plan));
        let fields = Fields::parse(recipient.fields.as_deref().unwrap_or("{}"));
        let content = script.content(recipient.variant, &recipient.phone, &fields);
        if content.text().len() > TEXT_MAX {
            let error = "with its fields filled in, the message is too long";
            self.dismiss(&id, &recipient, Outcome::Failed, "MESSAGE_TOO_LONG", error).await?;
            return Ok(Next::Again);
        }
        if content.text().trim().is_empty() {
            let error = "with its fields filled in, the message is empty";
            self.dismiss(&id, &recipient, Outcome::Failed, "MESSAGE_EMPTY", error).await?;
            return Ok(Next::Again);
        }
        let Some(handle) = self.sessions.handle(&self.row.key) else { return Ok(Next::End(None)) };
        let epoch = handle.view.borrow().epoch;
        let to = Recipient::Person(recipient.phone.clone());
        let wa_id = new_wa_id();
        let (mut verdict, _) = self.sessions.await_verdict(&self.row.key, &wa_id, Some(&id));
        let draw = Draw::random();
        let intent = Intent {
            owner: owner_of(&self.row),
            to: to.clone(),
            content: content.clone(),
            wa_id: wa_id.clone(),
            epoch,
            idempotency: None,
            job: Some(JobPart { job: id.clone(), seq: recipient.seq, draw }),
        };
        let turn = self.sessions.turn(&self.row.key, &to);
        let turn = turn.lock().await;
        crash::point("job.chosen");
        let accepted = self.sessions.store().accept(intent).await;
        let (key, created_at) = match accepted {
            Ok(Accepted::New { key, created_at }) => (key, created_at),
            Ok(Accepted::Repeat { .. }) => unreachable!("it has no idempotency key"),
            Err(refused) => {
                drop(turn);
                self.sessions.abandon(&wa_id);
                return self.refused(place, refused).await;
            }
        };
        crash::point("job.released");
        let written = Arc::new(Notify::new());
        let mut outgoing =
            Outgoing::of(Unsettled { key, wa_id, to, content, created_at, job: Some(id.clone()) });
        outgoing.written = Some(written.clone());
        let _ = handle.commands.send(Command::Transmit(outgoing));
        drop(turn);
        crash::point("job.handed");
        self.pop(&id);
        let agenda = self.agenda.as_mut().expect("there is one");
        (agenda.last_at, agenda.draw) = (Some(created_at), draw);
        // The others' turn first.
        let job = agenda.jobs.remove(place);
        agenda.jobs.push(job);
        self.unanswered
            .spawn(async move { verdict.wait_for(Option::is_some).await.ok().and_then(|v| v.clone()) });
        tokio::select! {
            () = written.notified() => {}
            () = no_longer_ready(&mut self.view) => {}
        }
        Ok(Next::Again)
    }

    async fn refused(&mut self, place: usize, refused: Refused) -> Result<Next, StoreError> {
        match refused {
            Refused::LimitReached { .. } => {
                let agenda = self.agenda.as_mut().expect("there is one");
                let midnight = next_midnight(self.sessions.now(), &zone_of(&agenda.time_zone));
                let until = midnight.plus_ms(rand::rng().random_range(0..MORNING_SPREAD_MS));
                let job = &mut agenda.jobs[place];
                self.sessions.store().hold_job(&job.id, Hold::DailyLimit, until).await?;
                (job.not_before, job.hold) = (until, Some(Hold::DailyLimit));
                Ok(Next::Again)
            }
            Refused::NotReleased => {
                self.look_again();
                Ok(Next::Again)
            }
            Refused::Store(error) => {
                // A commit whose answer was lost may stand: then the message is found, and goes.
                if let Some(handle) = self.sessions.handle(&self.row.key) {
                    let _ = handle.commands.send(Command::Recover);
                }
                Err(error)
            }
            Refused::NoSession | Refused::LeaseLost | Refused::KeyReused | Refused::OptedOut => {
                Ok(Next::End(None))
            }
        }
    }
}
