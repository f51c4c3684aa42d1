//! How a session parts: from its link's keys, from one number for another, from the world.

use std::sync::Arc;

use tracing::{error, info, warn};
use wapid_core::people::News;
use wapid_core::session::{Account, End, Input, Rest, State};
use wapid_core::store::StoreError;
use wapid_core::store::ledger::Unsettled;

use super::{Task, jitter};
use crate::link::Signal;
use crate::session::Parts;
use crate::session::outbox::{self, Context, Ended, Outgoing, Verdict};

/// How long a device of another number gets to log in, so that it can be logged out. WhatsApp's client fetches keys
/// and account state before it says that it is there.
const TURN_AWAY_PATIENCE_MS: i64 = 30_000;
/// How long a removal waits for a connection on which it can log the device out.
const GOODBYE_PATIENCE_MS: i64 = 10_000;

impl Task {
    /// The number is unlinked: its keys are worthless, and what had no verdict gets none any more.
    pub(super) async fn unlinked(&mut self) {
        self.forget().await;
        self.strand_all().await;
    }

    /// What cannot be read now goes again when the number is linked again, or is given up after a day.
    pub(super) async fn strand_all(&mut self) {
        // Let go of once each is taken over: who waits for one is told its end, and not that nobody knows.
        let waiting = self.outbox.take_waiting();
        let unsettled = || self.sessions.store().claim_unsettled(&self.row.key, self.epoch);
        for row in self.insist("unsettled messages", unsettled).await.unwrap_or_default() {
            let outgoing = self.taken_over(row);
            strand(self.context(), outgoing).await;
        }
        drop(waiting);
    }

    /// A message that nobody else is to work on any more.
    fn taken_over(&self, row: Unsettled) -> Outgoing {
        let job = row.job.as_ref().map(|(job, _)| job);
        let custody = self.sessions.0.underway.take_over(&row.wa_id, job);
        Outgoing::of(row, custody)
    }

    /// A number is linked, now or since before this link was opened. Which one may be, the row says.
    pub(super) async fn linked(&mut self, account: Account) {
        let expected =
            self.insist("expected number", || self.sessions.store().expected_phone(&self.row.key)).await;
        let is_known = match &expected {
            None => false,
            Some(Some(expected)) if *expected != account.phone => true,
            Some(_) => {
                self.knows_groups = Arc::default();
                self.strand_unless(&account.phone).await
            }
        };
        let Some(expected) = expected.filter(|_| is_known) else {
            // A guess would cost the session all that it knows: its link is closed, and the next one tells again.
            let gone = Input::Gone { why: Rest::Unreachable, until: None, jitter: jitter() };
            return self.step(gone).await;
        };
        self.step(Input::Linked { account, expected }).await;
        if let (Some(_), Some(link)) = (self.state.account(), &self.link) {
            link.admit();
        }
    }

    /// The number that the session belongs to, as far as it can be said now.
    pub(super) async fn expected_phone(&self) -> Option<String> {
        self.sessions.store().expected_phone(&self.row.key).await.ok().flatten()
    }

    /// Another number was linked than the session's. Its device leaves the phone's list again; nothing that
    /// its link heard is kept, and what it was sent is in nobody's log.
    pub(super) async fn turn_away(&mut self) {
        self.turned_away = Some(self.link_no);
        self.show();
        let Some(link) = self.link.clone() else { return };
        link.turn_away();
        // A device can be logged out once it has logged in, for which the scan's connection ends first. A crash
        // before that finds the keys of the other number, and comes back here.
        let told = self.until_up(TURN_AWAY_PATIENCE_MS).await && link.log_out().await;
        if !told {
            warn!(session.key = %self.row.key, "A device of another number could not be logged out at WhatsApp");
        }
    }

    /// Did the link come up in that time? What else it tells is left aside.
    async fn until_up(&mut self, patience_ms: i64) -> bool {
        let clock = self.sessions.store().clock().clone();
        let give_up = clock.now().plus_ms(patience_ms);
        loop {
            tokio::select! {
                Some((link_no, signal)) = self.signals.recv() => match signal {
                    _ if link_no != self.link_no => {}
                    Signal::Up => return true,
                    Signal::Over(_) | Signal::Gone { .. } => return false,
                    _ => {}
                },
                () = clock.until(give_up) => return false,
            }
        }
    }

    /// Takes a message that was accepted. One that was accepted while the number was being unlinked has nobody
    /// left to send it.
    pub(super) fn transmit(&mut self, outgoing: Outgoing) {
        if self.state.account().is_some() {
            return self.outbox.push(outgoing);
        }
        self.outbox.follow(strand(self.context(), outgoing));
    }

    /// What another number has sent, and had no answer to, does not go again from this one: whoever got
    /// it would get it twice, for the id only counts within a chat. `false` where the database did not say.
    async fn strand_unless(&self, phone: &str) -> bool {
        let store = self.sessions.store();
        let Some(last) = self.insist("last number", || store.last_phone(&self.row.key)).await else {
            return false;
        };
        if last.as_deref().is_none_or(|last| last == phone) {
            return true;
        }
        // Before the new number is written down, so that a crash in between finds the old one again; and after
        // what was heard for that one.
        self.written().await;
        let news = || store.hear(self.owner.clone(), vec![News::NumberChanged]);
        if self.insist("change of number", news).await.is_none() {
            return false;
        }
        self.sessions.0.timers.forget(&self.row.key);
        let unsettled = || store.claim_unsettled(&self.row.key, self.epoch);
        let Some(rows) = self.insist("unsettled messages", unsettled).await else { return false };
        for row in rows {
            let error = "another number was linked before WhatsApp answered".to_owned();
            outbox::give_up(self.context(), self.taken_over(row), "OUTCOME_UNKNOWN", error).await;
        }
        true
    }

    /// Logs out, forgets, deletes; `None` where another process runs the session and does it, or has done it. Whatever
    /// fails on the way, a restart begins here again.
    pub(super) async fn remove(&mut self) -> Result<Option<bool>, StoreError> {
        if self.sessions.store().session_by_key(&self.row.key).await?.is_none() {
            return Ok(None);
        }
        let told = self.say_goodbye().await;
        // Its lease is kept: another process would begin to remove the session as well.
        if let Some(link) = self.link.take() {
            link.close().await;
        }
        let Parts { store, owner, .. } = &self.sessions.0.parts;
        let Some(epoch) = store.claim(&self.row.key, owner).await? else { return Ok(None) };
        self.epoch = epoch;
        self.forget().await;
        let store = self.sessions.store();
        // The store fails what has no verdict yet; whoever waits for it hears so at once.
        let open = store.claim_unsettled(&self.row.key, i64::MAX).await?;
        store.remove_session(&self.row.key, told).await?;
        for row in open {
            let (code, error) = ("SESSION_REMOVED".to_owned(), "the session was removed".to_owned());
            self.sessions.0.underway.resolve(&row.wa_id, Verdict::Failed { code, error });
        }
        info!(session.key = %self.row.key, "Session removed");
        Ok(Some(told))
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
        let Some(link) = self.link.clone() else { return false };
        if link.log_out().await {
            return true;
        }
        // WhatsApp may end the stream as logged out before its answer is read; that is an answer.
        while let Ok((link_no, signal)) = self.signals.try_recv() {
            if link_no == self.link_no && matches!(signal, Signal::Over(End::LoggedOut)) {
                return true;
            }
        }
        false
    }

    async fn forget(&self) {
        let keys = self.sessions.0.parts.keystores.of(self.row.key.clone()).under(self.epoch);
        if let Err(error) = keys.forget().await {
            error!(session.key = %self.row.key, "A session's keys were not forgotten: {error}");
        }
    }
}

/// A job outlives the loss of its link: its message goes again, under the same id, when the number is linked
/// again. Every other one has failed, and whoever waits for its verdict hears so at once.
async fn strand(context: Context, outgoing: Outgoing) -> Ended {
    if outgoing.job.is_some() {
        return Ended::Settled;
    }
    let error = "the number was unlinked before WhatsApp answered".to_owned();
    outbox::give_up(context, outgoing, "LOGGED_OUT", error).await
}
