//! What one process leaves to another: sessions that it does not run, and messages that have no verdict yet.

use tracing::error;
use wapid_core::crash;
use wapid_core::session::{Rest, State};
use wapid_core::store::leases::LEASE_MS;

use super::{HEARD_PATIENCE, Task};
use crate::session::outbox::{self, Outgoing};

impl Task {
    /// Another process runs the session by now: this one waits to be needed again.
    pub(super) async fn stand_back(&mut self) {
        self.close().await;
        let (now, account) = (self.sessions.now(), self.row.account.clone());
        let until = now.plus_ms(LEASE_MS);
        self.state = State::Resting { account, why: Rest::HeldElsewhere, until, since: now, failures: 0 };
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
