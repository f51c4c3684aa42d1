//! What one runner does until nothing is left for a while.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rand::RngExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, warn};
use wapid_core::clock::At;
use wapid_core::crash;
use wapid_core::job::{Hold, JobId, Outcome, Plan};
use wapid_core::message::new_wa_id;
use wapid_core::pacing::{Draw, due, next_midnight, zone_of};
use wapid_core::people::Who;
use wapid_core::phone::{Phone, Recipient};
use wapid_core::recipient::Fields;
use wapid_core::session::State;
use wapid_core::store::StoreError;
use wapid_core::store::jobs::{Active, Agenda, Waiting};
use wapid_core::store::ledger::{Accepted, BLOCKED, Dismissal, Intent, JobPart, Refused, Unsettled};
use wapid_core::store::sessions::SessionRow;

use super::check::itself;
use super::{Bell, Notes, wake_key};
use crate::session::lookup::{SAME_ACCOUNT, recipient};
use crate::session::outbox::{Outgoing, Verdict};
use crate::session::script::Script;
use crate::session::send::owner_of;
use crate::session::{Command, Sessions, View};

/// What is due later than this is left to the queue, so that a session that waits for tomorrow costs
/// nothing until then.
const NEAR_MS: i64 = 30_000;
/// Recipients that are read at once.
const PAGE: i64 = 64;
/// Messages of jobs that may wait for WhatsApp's answer at the same time, per session: they share commits
/// where no pause is wanted. More would go on into a wall that the first answer shows.
const UNANSWERED_MAX: usize = 16;
/// With pauses each message has its answer before the next one leaves, unless it takes longer than this.
const ANSWER_PATIENCE_MS: i64 = 10_000;
/// One that has no answer for so long does not stop the others any more.
const FORGOTTEN_MS: i64 = 60_000;
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
    /// Numbers that were not on WhatsApp when they were asked for together with others.
    pub(super) absent: HashMap<Phone, At>,
    /// How often WhatsApp could not look up a number.
    pub(super) unclear: HashMap<Phone, u32>,
    /// Accounts that got a job's message under another number than theirs, since its queue was read.
    reached: HashMap<JobId, HashSet<Phone>>,
    pub(super) notes: Notes,
}

impl Runner {
    pub(super) fn new(
        sessions: Sessions,
        row: SessionRow,
        view: watch::Receiver<View>,
        bell: Arc<Bell>,
        notes: Notes,
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
            absent: HashMap::new(),
            unclear: HashMap::new(),
            reached: HashMap::new(),
            notes,
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
        let mut places = self.sessions.0.runners.0.lock();
        let leaves = !self.bell.rung.load(Ordering::Acquire) || self.is_over();
        if leaves {
            places.bells.remove(&self.row.key);
            if self.notes != Notes::default() {
                places.notes.insert(self.row.key.clone(), self.notes);
            }
        }
        leaves
    }

    fn is_over(&self) -> bool {
        // Whose task is gone shows its last state for ever.
        let is_gone = self.view.has_changed().is_err();
        is_gone
            || *self.sessions.0.closing.borrow()
            || !matches!(self.view.borrow().state, State::Ready { .. })
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
        self.reached.clear();
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
        // Half of them at once share a commit; one at a time would not.
        if self.unanswered.len() > UNANSWERED_MAX / 2 {
            return Ok(Next::Answer);
        }
        let now = self.sessions.now();
        let turn = self.whose_turn(now).await?;
        let Some(agenda) = &self.agenda else { return Ok(Next::Again) };
        let Some((place, due)) = turn else {
            let next = agenda.jobs.iter().map(|job| job.not_before).filter(|at| *at > now).min();
            return Ok(next.map_or(Next::End(None), Next::Wait));
        };
        if let Some(due) = due.filter(|due| *due > now) {
            return Ok(Next::Wait(due));
        }
        let job = &agenda.jobs[place];
        if job.plan.delay.max_ms > 0
            && !self.unanswered.is_empty()
            && let Some(patience) = agenda.last_at.map(|last| last.min(now).plus_ms(ANSWER_PATIENCE_MS))
            && patience > now
        {
            return Ok(Next::Wait(patience));
        }
        let id = job.id.clone();
        let check_numbers = job.plan.check_numbers;
        let recipient = self.waiting[&id].front().cloned().expect("its queue was filled");
        if recipient.opted_out {
            self.dismiss(&id, &recipient, Outcome::Skipped, "OPTED_OUT", "opted out").await?;
            return Ok(Next::Again);
        }
        if self.is_reached(&id, &recipient) {
            self.dismiss(&id, &recipient, Outcome::Skipped, SAME_ACCOUNT.0, SAME_ACCOUNT.1).await?;
            return Ok(Next::Again);
        }
        let who = if check_numbers {
            match self.check(place, &recipient).await? {
                ControlFlow::Continue(who) => who,
                ControlFlow::Break(next) => return Ok(next),
            }
        } else {
            self.known_account(&recipient).unwrap_or_else(|| itself(&recipient))
        };
        if let Some((code, why)) = self.unwanted(&id, &recipient, &who).await? {
            self.dismiss(&id, &recipient, Outcome::Skipped, code, why).await?;
            return Ok(Next::Again);
        }
        self.release(place, &who).await
    }

    /// The job whose turn comes first, and when, with a recipient in its queue. No agenda afterwards
    /// means that it must be read again.
    async fn whose_turn(&mut self, now: At) -> Result<Option<(usize, Option<At>)>, StoreError> {
        loop {
            let Some((place, due)) = self.next_in_line(now).await? else { return Ok(None) };
            let agenda = self.agenda.as_mut().expect("its line was read");
            let id = &agenda.jobs[place].id;
            let queue = self.waiting.entry(id.clone()).or_default();
            if queue.is_empty() {
                self.reached.remove(id);
                queue.extend(self.sessions.store().waiting(id, PAGE).await?);
                if agenda.strikes > 0 {
                    // Whoever was refused may be the reason: the others first.
                    queue.make_contiguous().sort_by_key(|waiting| waiting.attempts);
                }
            }
            if !queue.is_empty() {
                return Ok(Some((place, due)));
            }
            // The rest is on its way; a recipient that comes back rings the bell.
            agenda.jobs.remove(place);
        }
    }

    /// Of the jobs that may send now: the one that has waited longest among those whose pause is over, or
    /// the one whose pause ends first.
    async fn next_in_line(&mut self, now: At) -> Result<Option<(usize, Option<At>)>, StoreError> {
        let mut open = Vec::new();
        let mut place = 0;
        while let Some(agenda) = &self.agenda
            && place < agenda.jobs.len()
        {
            let job = &agenda.jobs[place];
            if job.not_before <= now {
                let windows = job.plan.windows.as_ref().unwrap_or(&agenda.rules.windows);
                let opens = windows.opens(now, &zone_of(&agenda.rules.time_zone));
                if opens > now {
                    self.hold(place, Hold::Window, opens).await?;
                } else {
                    open.push(place);
                }
            }
            place += 1;
        }
        let Some(agenda) = &self.agenda else { return Ok(None) };
        let pause = |place: usize| agenda.jobs[place].plan.delay.at(agenda.draw);
        let Some(shortest) = open.iter().map(|place| pause(*place)).min() else { return Ok(None) };
        let turns = open.into_iter().map(|place| {
            let job = &agenda.jobs[place];
            (place, due(job.plan.delay, job.released, agenda.last_at, shortest, now).filter(|due| *due > now))
        });
        // Of equals the first: that is the one that has waited longest.
        Ok(turns.min_by_key(|(_, due)| *due))
    }

    /// Lets a job wait. If what it waits for was changed meanwhile, it does not, and the agenda is to be
    /// read again.
    pub(super) async fn hold(&mut self, place: usize, why: Hold, until: At) -> Result<(), StoreError> {
        let store = self.sessions.store().clone();
        let agenda = self.agenda.as_mut().expect("it names the job");
        let job = &mut agenda.jobs[place];
        store.hold_job(&job.id, why, until).await?;
        (job.not_before, job.hold) = (until, Some(why));
        if why != Hold::NumberCheck
            && store.rules(&self.row.key).await?.is_some_and(|rules| rules != agenda.rules)
        {
            store.unhold_job(&job.id, why).await?;
            self.look_again();
        }
        Ok(())
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
        metrics::counter!("wapid_job_recipients_total", "outcome" => outcome.as_str()).increment(1);
        self.pop(job);
        Ok(())
    }

    fn pop(&mut self, job: &JobId) {
        if let Some(queue) = self.waiting.get_mut(job) {
            queue.pop_front();
        }
    }

    /// Takes the recipient whose turn it is, its quota and its message's row in one transaction, then hands
    /// the message over. Where no pause is wanted, those behind it come along.
    async fn release(&mut self, place: usize, who: &Who) -> Result<Next, StoreError> {
        let agenda = self.agenda.as_ref().expect("it names the job");
        let Active { id, plan, .. } = agenda.jobs[place].clone();
        let Some(handle) = self.sessions.handle(&self.row.key) else { return Ok(Next::End(None)) };
        let epoch = handle.view.borrow().epoch;
        let room = if plan.delay.max_ms == 0 { UNANSWERED_MAX - self.unanswered.len() } else { 1 };
        let mut drafts = Vec::new();
        for recipient in self.waiting[&id].iter().take(room).cloned().collect::<Vec<_>>() {
            // The account of the first is called so, and has got its message then.
            let is_first = who.phone.as_ref() == Some(&recipient.phone);
            if !drafts.is_empty() && (is_first || !self.may_come_along(&id, &plan, &recipient).await) {
                break;
            }
            let script = self.scripts.entry(id.clone()).or_insert_with(|| Script::of(&plan));
            let fields = Fields::parse(recipient.fields.as_deref().unwrap_or("{}"));
            let content = script.content(recipient.variant, &recipient.phone, &fields);
            match content.unfit() {
                None => drafts.push((recipient, content)),
                Some(_) if !drafts.is_empty() => break,
                Some((code, error)) => {
                    self.dismiss(&id, &recipient, Outcome::Failed, code, error).await?;
                    return Ok(Next::Again);
                }
            }
        }
        // What is accepted while the process stops has to wait for the next one.
        if *self.sessions.0.closing.borrow() {
            return Ok(Next::Again);
        }
        let draw = Draw::random();
        // Whoever comes along is called as in the list.
        let mut first = recipient(who);
        let mut lid = who.lid.clone();
        let accepting = drafts.into_iter().map(|(recipient, content)| {
            let to = first.take().unwrap_or_else(|| Recipient::Person(recipient.phone.clone()));
            let intent = Intent {
                owner: owner_of(&self.row),
                to: to.clone(),
                asked: Some(recipient.phone),
                lid: lid.take(),
                content,
                wa_id: new_wa_id(),
                epoch,
                idempotency: None,
                job: Some(JobPart { job: id.clone(), seq: recipient.seq, draw }),
            };
            let custody = self.sessions.0.underway.take_over(&intent.wa_id, Some(&id));
            let (turn, store) = (self.sessions.turn(&self.row.key, &to), self.sessions.store().clone());
            async move {
                // Kept until the message is handed over: rows of a chat and their transmissions queue in
                // one order.
                let turn = turn.lock_owned().await;
                (store.accept(intent.clone()).await, intent, custody, turn)
            }
        });
        let accepting: Vec<_> = accepting.collect();
        crash::point("job.chosen");
        let mut refusal = None;
        let mut written = None;
        for (accepted, intent, custody, turn) in futures::future::join_all(accepting).await {
            let (key, created_at) = match accepted {
                Ok(Accepted::New { key, created_at }) => (key, created_at),
                Ok(Accepted::Repeat { .. }) => unreachable!("it has no idempotency key"),
                Err(refused) => {
                    refusal.get_or_insert(refused);
                    continue;
                }
            };
            crash::point("job.released");
            let Intent { to, asked, content, wa_id, job, .. } = intent;
            if let Some(account) = to.phone().filter(|account| Some(*account) != asked.as_ref()) {
                self.reached.entry(id.clone()).or_default().insert(account.clone());
            }
            let job = job.map(|part| (part.job, part.seq));
            let seq = job.as_ref().map(|(_, seq)| *seq);
            let mut verdict = custody.watch();
            let row = Unsettled { key, wa_id, to, content, created_at, job };
            let mut outgoing = Outgoing::of(row, custody);
            written = outgoing.written.insert(Arc::default()).clone().into();
            handle.transmit(outgoing);
            drop(turn);
            crash::point("job.handed");
            if let Some(queue) = self.waiting.get_mut(&id) {
                queue.retain(|waiting| Some(waiting.seq) != seq);
            }
            let agenda = self.agenda.as_mut().expect("it names the job");
            (agenda.last_at, agenda.draw) = (Some(created_at), draw);
            agenda.jobs[place].released = Some((created_at, draw));
            let clock = self.sessions.store().clock().clone();
            self.unanswered.spawn(async move {
                tokio::select! {
                    verdict = verdict.wait_for(Option::is_some) => verdict.ok().and_then(|v| v.clone()),
                    () = clock.until(created_at.plus_ms(FORGOTTEN_MS)) => None,
                }
            });
        }
        if let Some(refused) = refusal {
            return self.refused(place, refused).await;
        }
        // The others' turn first.
        let agenda = self.agenda.as_mut().expect("it names the job");
        let job = agenda.jobs.remove(place);
        agenda.jobs.push(job);
        if let Some(written) = written.filter(|_| plan.delay.max_ms > 0) {
            tokio::select! {
                () = written.notified() => {}
                () = no_longer_ready(&mut self.view) => {}
            }
        }
        Ok(Next::Again)
    }

    /// Did another row of the list lead to this one's account?
    fn is_reached(&self, job: &JobId, recipient: &Waiting) -> bool {
        recipient.is_reached || self.reached.get(job).is_some_and(|all| all.contains(&recipient.phone))
    }

    /// Is nothing to be asked or told about a recipient behind the one whose turn it is?
    async fn may_come_along(&self, job: &JobId, plan: &Plan, recipient: &Waiting) -> bool {
        if recipient.opted_out || self.is_reached(job, recipient) {
            return false;
        }
        let who = match self.known_account(recipient) {
            Some(who) if who.phone.as_ref() == Some(&recipient.phone) => who,
            None if !plan.check_numbers => itself(recipient),
            _ => return false,
        };
        !self.sessions.is_blocked(&self.row, &who).await
    }

    async fn refused(&mut self, place: usize, refused: Refused) -> Result<Next, StoreError> {
        match refused {
            Refused::LimitReached { .. } => {
                let agenda = self.agenda.as_ref().expect("it names the job");
                let midnight = next_midnight(self.sessions.now(), &zone_of(&agenda.rules.time_zone));
                let until = midnight.plus_ms(rand::rng().random_range(0..MORNING_SPREAD_MS));
                self.hold(place, Hold::DailyLimit, until).await?;
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
