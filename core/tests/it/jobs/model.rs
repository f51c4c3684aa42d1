//! What a job is, kept in a list: the same rules as the store's, without a database. `stories` plays both.

use proptest::prelude::*;
use wapid_core::job::{BLOCKED_TRIES, Outcome, STRICKEN_TRIES, State};
use wapid_core::message::Status;
use wapid_core::store::jobs::Retried;
use wapid_core::store::ledger::{BLOCKED, Change, Changed, Outcome as Ending};

use super::{blocked, unknown};
use crate::fixture::failed;

pub const PEOPLE: usize = 5;

/// People and messages are meant modulo how many there are.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    Send(usize),
    /// The result of a message, from the process that has it.
    Settle(usize, Verdict),
    /// And from one that lost it.
    SettleLate(usize, Verdict),
    Receipt(usize, Status),
    Dismiss(usize, Outcome),
    Steer(Change),
    Retry {
        unknown_too: bool,
    },
    OptOut(usize),
    OptIn(usize),
    /// The process ends, and the next one takes up what is on its way.
    Restart,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Sent,
    Failed,
    Unknown,
    Blocked,
}

impl Verdict {
    pub fn ending(self) -> Ending {
        match self {
            Self::Sent => Ending::Sent,
            Self::Failed => failed(),
            Self::Unknown => unknown(),
            Self::Blocked => blocked(),
        }
    }

    fn code(self) -> Option<String> {
        match self.ending() {
            Ending::Sent => None,
            Ending::Failed { code, .. } => Some(code),
            Ending::Refused(nack) => Some(nack.code().to_owned()),
        }
    }
}

pub fn step() -> impl Strategy<Value = Step> {
    let person = || 0..PEOPLE;
    let message = || 0..64_usize;
    let verdict = || {
        prop_oneof![
            4 => Just(Verdict::Sent),
            2 => Just(Verdict::Failed),
            1 => Just(Verdict::Unknown),
            2 => Just(Verdict::Blocked),
        ]
    };
    let receipt = prop::sample::select(vec![Status::Delivered, Status::Read, Status::Played]);
    let change = prop::sample::select(vec![Change::Pause, Change::Resume, Change::Resume, Change::Cancel]);
    prop_oneof![
        14 => person().prop_map(Step::Send),
        14 => (message(), verdict()).prop_map(|(m, v)| Step::Settle(m, v)),
        2 => (message(), verdict()).prop_map(|(m, v)| Step::SettleLate(m, v)),
        4 => (message(), receipt).prop_map(|(m, s)| Step::Receipt(m, s)),
        3 => (person(), prop::sample::select(vec![Outcome::Failed, Outcome::Skipped]))
            .prop_map(|(p, o)| Step::Dismiss(p, o)),
        3 => change.prop_map(Step::Steer),
        4 => any::<bool>().prop_map(|unknown_too| Step::Retry { unknown_too }),
        1 => person().prop_map(Step::OptOut),
        1 => person().prop_map(Step::OptIn),
        1 => Just(Step::Restart),
    ]
}

/// What a step is answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Released(bool),
    Steered(Changed),
    Retried(Retried),
    TakenUp(usize),
}

/// The rules, in memory.
pub struct Model {
    pub state: State,
    started: bool,
    people: Vec<Person>,
    messages: Vec<Message>,
    epoch: i64,
    /// WhatsApp refused, and took nothing since.
    stricken: bool,
    /// How often each was told: started, paused, resumed, cancelled, completed.
    pub told: [usize; 5],
}

#[derive(Clone)]
struct Person {
    outcome: Outcome,
    attempts: i64,
    code: Option<String>,
    message: Option<usize>,
    opted_out: bool,
}

struct Message {
    person: usize,
    status: Status,
    epoch: i64,
}

impl Model {
    pub fn new() -> Self {
        let waits =
            Person { outcome: Outcome::Queued, attempts: 0, code: None, message: None, opted_out: false };
        Self {
            state: State::Pending,
            started: false,
            people: vec![waits; PEOPLE],
            messages: vec![],
            epoch: 1,
            stricken: false,
            told: [0; 5],
        }
    }

    pub fn counts(&self) -> [i64; 3] {
        [Outcome::Sent, Outcome::Failed, Outcome::Skipped].map(|outcome| {
            i64::try_from(self.people.iter().filter(|person| person.outcome == outcome).count()).unwrap()
        })
    }

    pub fn people(&self) -> Vec<(Outcome, i64, Option<String>)> {
        self.people.iter().map(|p| (p.outcome, p.attempts, p.code.clone())).collect()
    }

    pub fn is_done(&self) -> bool {
        self.people.iter().all(|p| !matches!(p.outcome, Outcome::Queued | Outcome::Sending))
    }

    pub fn take(&mut self, step: &Step) -> Answer {
        match *step {
            Step::Send(person) => return Answer::Released(self.send(person)),
            Step::Settle(..) | Step::SettleLate(..) | Step::Receipt(..) if self.messages.is_empty() => {}
            Step::Settle(message, verdict) => self.settle(message, verdict, self.epoch),
            Step::SettleLate(message, verdict) => self.settle(message, verdict, self.epoch - 1),
            Step::Receipt(message, status) => {
                let message = message % self.messages.len();
                if let Some(next) = self.messages[message].status.advance(status) {
                    self.messages[message].status = next;
                    self.outcome_of(message, Outcome::Sent, None);
                }
            }
            Step::Dismiss(person, outcome) => {
                let person = &mut self.people[person];
                if person.outcome == Outcome::Queued {
                    (person.outcome, person.code) = (outcome, Some("DISMISSED".into()));
                    self.complete();
                }
            }
            Step::Steer(change) => return Answer::Steered(self.steer(change)),
            Step::Retry { unknown_too } => return Answer::Retried(self.retry(unknown_too)),
            Step::OptOut(person) => self.people[person].opted_out = true,
            Step::OptIn(person) => self.people[person].opted_out = false,
            Step::Restart => {
                self.epoch += 1;
                let left = self.messages.iter_mut().filter(|message| message.status == Status::Sending);
                return Answer::TakenUp(left.map(|message| message.epoch = self.epoch).count());
            }
        }
        Answer::Done
    }

    fn send(&mut self, person: usize) -> bool {
        let runs = matches!(self.state, State::Pending | State::Running);
        let one = &mut self.people[person];
        if !runs || one.outcome != Outcome::Queued || one.opted_out {
            return false;
        }
        (one.outcome, one.message) = (Outcome::Sending, Some(self.messages.len()));
        one.attempts += 1;
        self.messages.push(Message { person, status: Status::Sending, epoch: self.epoch });
        self.told[0] += usize::from(!self.started);
        (self.state, self.started) = (State::Running, true);
        true
    }

    fn settle(&mut self, message: usize, verdict: Verdict, epoch: i64) {
        let place = message % self.messages.len();
        let message = &mut self.messages[place];
        let news = if verdict == Verdict::Sent { Status::Sent } else { Status::Failed };
        let Some(next) = message.status.advance(news).filter(|_| epoch >= message.epoch) else { return };
        message.status = next;
        let tries = self.people[message.person].attempts;
        let tries_max = if self.stricken { STRICKEN_TRIES } else { BLOCKED_TRIES };
        self.stricken |= verdict == Verdict::Blocked;
        match verdict {
            Verdict::Sent => self.outcome_of(place, Outcome::Sent, None),
            Verdict::Blocked if tries < tries_max => {
                self.outcome_of(place, Outcome::Queued, Some(BLOCKED.into()));
            }
            other => self.outcome_of(place, Outcome::Failed, other.code()),
        }
    }

    fn outcome_of(&mut self, message: usize, outcome: Outcome, code: Option<String>) {
        let person = &mut self.people[self.messages[message].person];
        if person.outcome == Outcome::Sending && person.message == Some(message) {
            (person.outcome, person.code) = (outcome, code);
            self.complete();
        }
    }

    fn complete(&mut self) {
        if self.is_done() && !self.state.is_over() {
            self.state = State::Completed;
            self.told[4] += 1;
        }
    }

    fn steer(&mut self, change: Change) -> Changed {
        let (to, place) = match change {
            Change::Pause => (State::Paused, 1),
            Change::Resume if self.started => (State::Running, 2),
            Change::Resume => (State::Pending, 2),
            Change::Cancel => (State::Cancelled, 3),
        };
        let is_so = match change {
            Change::Resume => matches!(self.state, State::Pending | State::Running),
            Change::Pause | Change::Cancel => self.state == to,
        };
        if is_so {
            return Changed::AlreadySo;
        }
        if self.state.is_over() {
            return Changed::TooLate(self.state);
        }
        self.state = to;
        self.told[place] += 1;
        Changed::Done
    }

    fn retry(&mut self, unknown_too: bool) -> Retried {
        if self.state == State::Cancelled {
            return Retried::TooLate(self.state);
        }
        let (mut count, mut left) = (0, 0);
        for person in self.people.iter_mut().filter(|person| person.outcome == Outcome::Failed) {
            if person.code.as_deref() == Some("OUTCOME_UNKNOWN") && !unknown_too {
                left += 1;
                continue;
            }
            *person = Person {
                outcome: Outcome::Queued,
                attempts: 0,
                code: None,
                message: None,
                opted_out: person.opted_out,
            };
            count += 1;
        }
        if count > 0 {
            self.told[2] += 1;
            if self.state != State::Paused {
                self.state = if self.started { State::Running } else { State::Pending };
            }
        }
        Retried::Queued { count, unknown: left }
    }
}
