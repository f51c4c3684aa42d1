//! Is a job's next recipient on WhatsApp? Asked for several at once, and not too often.

use tracing::warn;
use wapid_core::job::{Hold, JobId, Outcome};
use wapid_core::key::Mode;
use wapid_core::store::StoreError;
use wapid_core::store::jobs::Waiting;

use super::runner::{FAULT_PAUSE_MS, Next, Runner};
use crate::link::ASKED_MAX;
use crate::session::send::network_of;

/// WhatsApp restricts accounts that ask for many numbers: as many as this in one question, and so long
/// between two.
const ASKED_AT_ONCE: usize = 20;
const _: () = assert!(ASKED_AT_ONCE <= ASKED_MAX, "one question takes no more");
const QUESTION_GAP_MS: i64 = 1_000;
/// How long the answer "not on WhatsApp" counts for somebody whose turn is still to come.
const ABSENT_MS: i64 = 10 * 60_000;

/// The longest pause after questions that WhatsApp did not answer.
const ASK_AGAIN_MS: i64 = 10 * 60_000;
/// Whom WhatsApp could not look up so often is written to all the same.
const UNCLEAR_MAX: u32 = 3;

impl Runner {
    /// Is the recipient on WhatsApp? `None` when it may be written to.
    pub(super) async fn check(
        &mut self,
        place: usize,
        recipient: &Waiting,
    ) -> Result<Option<Next>, StoreError> {
        let job = &self.agenda.as_ref().expect("it names the job").jobs[place].id.clone();
        let now = self.sessions.now();
        let network = network_of(&self.row);
        let numbers = &self.sessions.0.numbers;
        if numbers.is_known(network, &recipient.phone, now) {
            return Ok(None);
        }
        // Only at its turn, and then forgotten: who tries again asks again.
        if self.absent.remove(&recipient.phone).is_some_and(|asked| now.since(asked) < ABSENT_MS) {
            return self.dismiss_absent(job, recipient).await;
        }
        let store = self.sessions.store().clone();
        if store.was_met(&self.row.tenant, self.row.mode, &recipient.phone).await? {
            numbers.remember(network, &recipient.phone, now);
            return Ok(None);
        }
        if let Some(until) = self.notes.ask_again.filter(|until| *until > now) {
            self.hold(place, Hold::NumberCheck, until).await?;
            return Ok(Some(Next::Again));
        }
        let gap = if self.row.mode == Mode::Live { QUESTION_GAP_MS } else { 0 };
        if let Some(next) = self.last_question.map(|last| last.plus_ms(gap)).filter(|next| *next > now) {
            return Ok(Some(Next::Wait(next)));
        }
        self.last_question = Some(now);
        let asked: Vec<_> = self.waiting[job]
            .iter()
            .map(|waiting| waiting.phone.clone())
            .filter(|phone| !numbers.is_known(network, phone, now) && !self.absent.contains_key(phone))
            .take(ASKED_AT_ONCE)
            .collect();
        let link = self.view.borrow().link.clone().and_then(|link| link.upgrade());
        let Some(link) = link else { return Ok(Some(Next::Wait(now.plus_ms(FAULT_PAUSE_MS)))) };
        let digits: Vec<&str> = asked.iter().map(|phone| phone.digits()).collect();
        let Ok(answers) = link.are_on_whatsapp(&digits).await else {
            // Whether the session is lost is its task's to find out.
            if !link.is_connected() {
                return Ok(Some(Next::Wait(now.plus_ms(FAULT_PAUSE_MS))));
            }
            let pause = FAULT_PAUSE_MS << self.notes.unanswered_questions.min(10);
            let until = self.sessions.now().plus_ms(pause.min(ASK_AGAIN_MS));
            self.notes.unanswered_questions += 1;
            self.notes.ask_again = Some(until);
            warn!(session.key = %self.row.key, "WhatsApp does not look up numbers; asking again later");
            self.hold(place, Hold::NumberCheck, until).await?;
            return Ok(Some(Next::Again));
        };
        (self.notes.unanswered_questions, self.notes.ask_again) = (0, None);
        self.absent.retain(|_, asked| now.since(*asked) < ABSENT_MS);
        for (phone, registered) in asked.into_iter().zip(answers) {
            match registered {
                Some(true) => numbers.remember(network, &phone, now),
                Some(false) => drop(self.absent.insert(phone, now)),
                None => *self.unclear.entry(phone).or_default() += 1,
            }
        }
        if self.absent.remove(&recipient.phone).is_some() {
            return self.dismiss_absent(job, recipient).await;
        }
        match self.unclear.get(&recipient.phone) {
            Some(times) if *times < UNCLEAR_MAX => Ok(Some(Next::Wait(now.plus_ms(FAULT_PAUSE_MS)))),
            Some(_) => {
                self.unclear.remove(&recipient.phone);
                Ok(None)
            }
            None => Ok(None),
        }
    }

    async fn dismiss_absent(&mut self, job: &JobId, recipient: &Waiting) -> Result<Option<Next>, StoreError> {
        let error = "the number is not on WhatsApp";
        self.dismiss(job, recipient, Outcome::Failed, "NOT_ON_WHATSAPP", error).await?;
        Ok(Some(Next::Again))
    }
}
