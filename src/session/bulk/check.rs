//! Is a job's next recipient on WhatsApp, and under which address? Asked for several at once.

use std::ops::ControlFlow;

use wapid_core::job::{Hold, JobId, Outcome};
use wapid_core::people::Who;
use wapid_core::store::StoreError;
use wapid_core::store::jobs::Waiting;

use super::runner::{FAULT_PAUSE_MS, Next, Runner};
use crate::link::{ASKED_MAX, Listing};
use crate::session::lookup::{OPTED_OUT, SAME_ACCOUNT, Unanswered};
use crate::session::send::owner_of;

/// As many as this are asked about together: whoever sends meanwhile finds room in the same question.
const ASKED_AT_ONCE: usize = 20;
const _: () = assert!(ASKED_AT_ONCE < ASKED_MAX, "one question takes no more");
/// How long the answer "not on WhatsApp" counts for somebody whose turn is still to come.
const ABSENT_MS: i64 = 10 * 60_000;
/// Whom WhatsApp could not look up so often is written to all the same.
const UNCLEAR_MAX: u32 = 3;

impl Runner {
    /// Whose account the recipient's number leads to, or what to do instead of writing to it.
    pub(super) async fn check(
        &mut self,
        place: usize,
        recipient: &Waiting,
    ) -> Result<ControlFlow<Next, Who>, StoreError> {
        let job = &self.agenda.as_ref().expect("it names the job").jobs[place].id.clone();
        let now = self.sessions.now();
        if let Some(who) = self.known_account(recipient) {
            return Ok(ControlFlow::Continue(who));
        }
        // Only at its turn, and then forgotten: who tries again asks again.
        if self.absent.remove(&recipient.phone).is_some_and(|asked| now.since(asked) < ABSENT_MS) {
            return self.dismiss_absent(job, recipient).await;
        }
        let store = self.sessions.store().clone();
        let (tenant, mode) = (&self.row.tenant, self.row.mode);
        // Of a number with two spellings, what was written to one may have got to the other's chat.
        let has_one_spelling = recipient.phone.spellings().len() == 1;
        if has_one_spelling && store.was_met(tenant, mode, &recipient.phone).await? {
            self.sessions.note_account(tenant, mode, &recipient.phone);
            return Ok(ControlFlow::Continue(itself(recipient)));
        }
        let others = self.waiting[job].iter().filter(|waiting| {
            waiting.seq != recipient.seq
                && self.known_account(waiting).is_none()
                && !self.absent.contains_key(&waiting.phone)
        });
        let asked = std::iter::once(recipient).chain(others).take(ASKED_AT_ONCE);
        let asked: Vec<_> = asked.map(|waiting| waiting.phone.clone()).collect();
        let mut replies = self.sessions.look_up(&owner_of(&self.row), &asked).await;
        let now = self.sessions.now();
        self.absent.retain(|_, asked| now.since(*asked) < ABSENT_MS);
        for (phone, reply) in asked.into_iter().zip(&replies).skip(1) {
            if matches!(reply, Ok(Listing::Nobody)) {
                self.absent.insert(phone, now);
            }
        }
        let wait = || Ok(ControlFlow::Break(Next::Wait(now.plus_ms(FAULT_PAUSE_MS))));
        match replies.swap_remove(0) {
            Ok(Listing::Account(who)) => Ok(ControlFlow::Continue(who)),
            Ok(Listing::Nobody) => self.dismiss_absent(job, recipient).await,
            Ok(Listing::Unclear) => {
                let times = self.unclear.entry(recipient.phone.clone()).or_default();
                *times += 1;
                if *times < UNCLEAR_MAX {
                    return wait();
                }
                self.unclear.remove(&recipient.phone);
                Ok(ControlFlow::Continue(itself(recipient)))
            }
            // Whether the session is lost is its task's to find out.
            Err(Unanswered::NotReady(_) | Unanswered::Late) => wait(),
            Err(Unanswered::Refused { rest, .. }) => {
                self.hold(place, Hold::NumberCheck, rest.until).await?;
                Ok(ControlFlow::Break(Next::Again))
            }
        }
    }

    /// Is the account that the recipient's number leads to not to be written to? Then its code and words.
    pub(super) async fn unwanted(
        &self,
        job: &JobId,
        recipient: &Waiting,
        who: &Who,
    ) -> Result<Option<(&'static str, &'static str)>, StoreError> {
        if self.sessions.is_blocked(&self.row, who).await {
            return Ok(Some(("RECIPIENT_BLOCKED", "blocked by this account")));
        }
        let account = who.phone.as_ref().filter(|account| **account != recipient.phone);
        // Of the list's own number the statement that releases it asks.
        if account.is_none() && who.lid.is_none() {
            return Ok(None);
        }
        let store = self.sessions.store();
        let (tenant, mode) = (&self.row.tenant, self.row.mode);
        if store.tenant(tenant.clone(), mode).has_opted_out(who).await? {
            return Ok(Some(OPTED_OUT));
        }
        let Some(account) = account else { return Ok(None) };
        let has_reached = store.has_reached(tenant, mode, (job, recipient.seq), account).await?;
        Ok(has_reached.then_some(SAME_ACCOUNT))
    }

    pub(super) fn known_account(&self, recipient: &Waiting) -> Option<Who> {
        self.sessions.known_account(&self.row.tenant, self.row.mode, &recipient.phone)
    }

    async fn dismiss_absent(
        &mut self,
        job: &JobId,
        recipient: &Waiting,
    ) -> Result<ControlFlow<Next, Who>, StoreError> {
        let error = "the number is not on WhatsApp";
        self.dismiss(job, recipient, Outcome::Failed, "NOT_ON_WHATSAPP", error).await?;
        Ok(ControlFlow::Break(Next::Again))
    }
}

/// The recipient, as the list has them.
pub(super) fn itself(recipient: &Waiting) -> Who {
    Who { phone: Some(recipient.phone.clone()), lid: None }
}
