//! What one process leaves to another: sessions that it does not run, messages that have no verdict yet, and wishes
//! of callers elsewhere, which are in the row.

use tracing::error;
use wapid_core::clock::At;
use wapid_core::crash;
use wapid_core::session::{Input, Rest, State};
use wapid_core::store::leases::LEASE_MS;
use wapid_core::store::sessions::SessionRow;

use super::{HEARD_PATIENCE, Task, is_to_run, jitter};
use crate::session::outbox::{self, Outgoing};

impl Task {
    /// Where the session stands, the row of a session that runs here has from this task.
    pub(super) fn refresh(&mut self, row: SessionRow) {
        let SessionRow { wanted, account, ended, .. } = if self.link.is_some() { &self.row } else { &row };
        let standing = (*wanted, account.clone(), *ended);
        self.row = row;
        (self.row.wanted, self.row.account, self.row.ended) = standing;
        if let State::Resting { account, why: Rest::HeldElsewhere, .. } = &mut self.state {
            account.clone_from(&self.row.account);
        }
    }

    /// Somebody else may have written what is wanted of the session.
    pub(super) async fn look_at_row(&mut self) {
        if self.is_unsaved {
            let epoch = matches!(self.state, State::Ended { .. }).then_some(self.epoch);
            self.write_down(epoch, true, false).await;
            return;
        }
        match self.sessions.store().session_by_key(&self.row.key).await {
            Ok(Some(row)) if !row.wanted && self.link.is_some() => self.step(Input::Stop).await,
            Ok(Some(row)) if is_to_run(&row) && !self.state.is_running() => {
                self.row = row;
                self.take_over().await;
            }
            Ok(_) => {}
            Err(error) => error!(session.key = %self.row.key, "The session could not be read: {error}"),
        }
    }

    /// Runs a session that another process made or ran, once that one does not run it any more. Until then it is that
    /// one's to tell of it.
    pub(super) async fn take_over(&mut self) {
        self.rest_until(self.sessions.now());
        self.come_due().await;
    }

    /// The time to try has come. What another process runs is shown as that until its lease is free.
    pub(super) async fn come_due(&mut self) {
        let still_elsewhere = self.is_resting_elsewhere()
            && self.sessions.is_held_elsewhere(&self.row.key).await.unwrap_or(true);
        let input = if still_elsewhere {
            Input::Gone { why: Rest::HeldElsewhere, until: None, jitter: jitter() }
        } else {
            Input::Due { jitter: jitter() }
        };
        self.step(input).await;
    }

    /// Another process runs the session by now: this one waits to be needed again.
    pub(super) async fn stand_back(&mut self) {
        self.close().await;
        self.rest_until(self.sessions.now().plus_ms(LEASE_MS));
    }

    pub(super) fn is_resting_elsewhere(&self) -> bool {
        matches!(self.state, State::Resting { why: Rest::HeldElsewhere, .. })
    }

    /// As a session that another process runs.
    pub(super) fn rest_until(&mut self, until: At) {
        let (since, account) = (self.sessions.now(), self.row.account.clone());
        self.state = State::Resting { account, why: Rest::HeldElsewhere, until, since, failures: 0 };
        self.wake = Some(until);
    }

    /// Takes up what an earlier connection, or an earlier process, left without a verdict. Receipts
    /// that came with the offline queue count first: they may tell that a message had arrived.
    pub(super) async fn recover(&mut self) {
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
