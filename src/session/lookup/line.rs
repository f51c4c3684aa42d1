//! Who waits for which number, and what is asked next: one line for each session.
//!
//! A number stands in a line once, however many want to know; whoever comes while it is being asked about
//! waits for that answer. One driver asks for all of them, and ends when nobody waits any more.

use std::collections::HashMap;

use tokio::sync::watch;
use wapid_core::clock::At;
use wapid_core::lookup::{Pace, Rest, Spent};
use wapid_core::phone::Phone;

use super::{Unanswered, Urgency};
use crate::link::{ASKED_MAX, AskFailure, Listing};

/// So many refusals in a row are waited out by whoever sends; from then on WhatsApp is left alone, and callers
/// are told at once.
pub const PATIENT_REFUSALS: u32 = 3;

/// What a number's look-up came to.
pub type Reply = Result<Listing, Unanswered>;

#[derive(Default)]
pub struct Line {
    pub pace: Pace,
    waiting: HashMap<Phone, Waiter>,
    joined: u64,
    /// Somebody drives it.
    pub is_driven: bool,
}

/// A number that somebody waits for.
struct Waiter {
    urgency: Urgency,
    /// Who came first is asked about first.
    place: u64,
    /// Taken out of the hour before.
    is_taken: bool,
    is_asked: bool,
    reply: watch::Sender<Option<Reply>>,
}

impl Line {
    /// Takes numbers of a check out of the hour.
    ///
    /// # Errors
    /// [`Spent`].
    pub fn take(&mut self, count: usize, now: At) -> Result<(), Spent> {
        if count == 0 { Ok(()) } else { self.pace.take(count, now) }
    }

    /// Is WhatsApp left alone now, by whoever is so urgent? Callers wait a short while for it.
    pub fn rest_from(&self, urgency: Urgency, now: At) -> Option<Rest> {
        self.pace.rest(now).filter(|rest| !is_patient(urgency, rest))
    }

    /// Waits for a number's answer with all others who do.
    ///
    /// # Errors
    /// [`Rest`] while WhatsApp is left alone.
    pub fn join(
        &mut self,
        phone: &Phone,
        urgency: Urgency,
        now: At,
    ) -> Result<watch::Receiver<Option<Reply>>, Rest> {
        if let Some(rest) = self.rest_from(urgency, now) {
            return Err(rest);
        }
        let place = self.joined;
        self.joined += 1;
        let waiter = self.waiting.entry(phone.clone()).or_insert_with(|| Waiter {
            urgency,
            place,
            is_taken: false,
            is_asked: false,
            reply: watch::Sender::new(None),
        });
        waiter.urgency = waiter.urgency.min(urgency);
        waiter.is_taken |= urgency == Urgency::Check;
        Ok(waiter.reply.subscribe())
    }

    /// Forgets numbers whose askers have all left. Is anybody there?
    pub fn is_wanted(&mut self) -> bool {
        self.waiting.retain(|_, waiter| waiter.reply.receiver_count() > 0);
        !self.waiting.is_empty()
    }

    /// The numbers of the next question: those that matter most, and of equals who came first.
    pub fn put_question(&mut self, gap_ms: i64, now: At) -> Vec<Phone> {
        let mut next: Vec<(&Phone, &mut Waiter)> = self.waiting.iter_mut().collect();
        next.sort_unstable_by_key(|(_, waiter)| (waiter.urgency, waiter.place));
        next.truncate(ASKED_MAX);
        let untaken = next.iter().filter(|(_, waiter)| !waiter.is_taken).count();
        self.pace.ask(untaken, gap_ms, now);
        let asked = next.into_iter().map(|(phone, waiter)| {
            waiter.is_asked = true;
            phone.clone()
        });
        asked.collect()
    }

    /// The question was lost on its way, and is put again.
    pub fn lose_question(&mut self) {
        self.waiting.values_mut().for_each(|waiter| waiter.is_asked = false);
    }

    pub fn reply(&mut self, phone: &Phone, reply: Reply) {
        if let Some(waiter) = self.waiting.remove(phone) {
            waiter.reply.send_replace(Some(reply));
        }
    }

    /// The same answer for everybody who waits.
    pub fn reply_to_all(&mut self, reply: &Reply) {
        for (_, waiter) in self.waiting.drain() {
            waiter.reply.send_replace(Some(reply.clone()));
        }
    }

    /// WhatsApp refused the question. Whoever was in it is told, and whoever does not wait for its rest.
    pub fn refuse(&mut self, why: &AskFailure, backoff_ms: Option<i64>, now: At) -> Rest {
        let rest = self.pace.refused(backoff_ms, now);
        self.waiting.retain(|_, waiter| {
            let is_told = waiter.is_asked || !is_patient(waiter.urgency, &rest);
            if is_told {
                let refused = Unanswered::Refused { why: why.clone(), rest };
                waiter.reply.send_replace(Some(Err(refused)));
            }
            !is_told
        });
        rest
    }
}

fn is_patient(urgency: Urgency, rest: &Rest) -> bool {
    urgency != Urgency::Job && rest.refusals < PATIENT_REFUSALS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(number: usize) -> Phone {
        Phone::from_whatsapp(&format!("1555{number:07}")).expect("a number")
    }

    #[test]
    fn many_who_ask_about_one_number_are_one_and_who_leaves_cancels_no_other() {
        let mut line = Line::default();
        let mut askers: Vec<_> =
            (0..64).map(|_| line.join(&phone(1), Urgency::Send, At(0)).expect("no rest")).collect();
        askers.truncate(1);
        assert!(line.is_wanted());
        assert_eq!(line.put_question(0, At(0)), [phone(1)]);
        // One who comes meanwhile waits for the same answer.
        let late = line.join(&phone(1), Urgency::Check, At(0)).expect("no rest");
        line.reply(&phone(1), Ok(Listing::Nobody));
        for asker in askers.iter().chain([&late]) {
            assert!(matches!(*asker.borrow(), Some(Ok(Listing::Nobody))));
        }
        drop((askers, late));
        let gone = line.join(&phone(2), Urgency::Send, At(0)).expect("no rest");
        drop(gone);
        assert!(!line.is_wanted(), "nobody waits any more");
    }

    #[test]
    fn sends_go_before_checks_and_those_before_jobs_fifty_in_a_question() {
        let mut line = Line::default();
        let mut askers = Vec::new();
        let mut join = |line: &mut Line, from: usize, to: usize, urgency| {
            askers
                .extend((from..to).map(|number| line.join(&phone(number), urgency, At(0)).expect("no rest")));
        };
        join(&mut line, 0, 40, Urgency::Job);
        join(&mut line, 100, 140, Urgency::Check);
        join(&mut line, 200, 205, Urgency::Send);
        // A job's number that somebody writes to now is theirs.
        join(&mut line, 39, 40, Urgency::Send);
        let asked = line.put_question(0, At(0));
        let wanted: Vec<_> =
            [39].into_iter().chain(200..205).chain(100..140).chain(0..4).map(phone).collect();
        assert_eq!(asked, wanted);
        assert_eq!(asked.len(), ASKED_MAX);
    }

    #[test]
    fn a_refusal_is_told_to_whom_it_concerns() {
        let why = AskFailure::Refused { code: 429, backoff_s: None };
        let is_told = |asker: &watch::Receiver<Option<Reply>>| {
            matches!(*asker.borrow(), Some(Err(Unanswered::Refused { .. })))
        };
        let mut line = Line::default();
        let asked = line.join(&phone(1), Urgency::Send, At(0)).expect("no rest");
        line.put_question(0, At(0));
        let later = line.join(&phone(2), Urgency::Send, At(0)).expect("no rest");
        let job = line.join(&phone(3), Urgency::Job, At(0)).expect("no rest");
        assert_eq!(line.refuse(&why, None, At(0)), Rest { refusals: 1, until: At(1_000) });
        // Who sends waits for the rest; a job says that it waits, and its runner goes on.
        assert_eq!([&asked, &later, &job].map(is_told), [true, false, true]);
        line.refuse(&why, None, At(1_000));
        line.refuse(&why, None, At(3_000));
        assert!(is_told(&later), "of the third everybody is told");
    }

    #[test]
    fn whoever_sends_waits_out_two_refusals_and_is_told_of_the_third() {
        let mut line = Line::default();
        for refusals in 1..=2 {
            let until = line.pace.refused(None, At(0)).until;
            assert!(line.join(&phone(1), Urgency::Send, At(0)).is_ok());
            assert_eq!(line.join(&phone(2), Urgency::Job, At(0)).err(), Some(Rest { refusals, until }));
        }
        let rest = line.pace.refused(None, At(0));
        assert_eq!(line.join(&phone(1), Urgency::Send, At(0)).err(), Some(rest));
        assert!(line.join(&phone(1), Urgency::Send, rest.until).is_ok(), "it is over");
    }
}
