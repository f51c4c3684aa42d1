//! Bulk jobs of a session: whose turn it is, when, and what is said.
//!
//! While a session is ready and has something to send soon, one *runner* works for it in the process that
//! holds its link. Rows are the truth: a runner may vanish at any instant, and the next one reads where
//! the last one was. What is far off (a closed window, a spent limit, a schedule) is a wake-up in the
//! queue, and a sweep starts whatever a lost wake-up left lying.
//!
//! Messages leave one by one, in the order of the list: the next is written when the one before has been
//! written. Single sends do not pass here, so they wait for nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::{error, warn};
use wapid_core::clock::At;
use wapid_core::crash;
use wapid_core::id::SessionKey;
use wapid_core::job::JobId;

use super::Sessions;
use crate::link::Health;
use runner::Runner;

mod check;
mod restriction;
mod runner;

/// How often everything that could send is looked at, whatever woke or did not.
const SWEEP_MS: i64 = 10_000;
/// How long a pause or a cancel waits for what has left already.
const SETTLING_PATIENCE: Duration = Duration::from_secs(2);

/// The runners of this process.
#[derive(Default)]
pub struct Runners(Mutex<Places>);

#[derive(Default)]
struct Places {
    bells: HashMap<SessionKey, Arc<Bell>>,
    notes: HashMap<SessionKey, Notes>,
}

/// What a runner leaves to the next one of its session, beside the rows. Who starts without asks WhatsApp
/// once more than was needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Notes {
    /// The restriction whose end has been asked for.
    asked_about: Option<At>,
}

/// How a runner is told to look again.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    ring: Notify,
}

impl Sessions {
    /// Something changed for the jobs of a session: look now, here or in the process that holds it.
    pub async fn wake_jobs(&self, session: &SessionKey) {
        if self.holds(session) {
            return self.poke_jobs(session);
        }
        match self.store().lease_owner(session).await {
            Ok(Some(owner)) if owner != self.0.parts.owner => {
                self.0.parts.wakeups.wake_elsewhere(&owner, &wake_key(session), self.now()).await;
            }
            // Nobody holds it: whoever brings it up looks.
            Ok(_) => {}
            Err(error) => warn!("Who holds a session could not be read: {error}"),
        }
    }

    /// Looks at the jobs of a session at a time to come.
    pub async fn wake_jobs_at(&self, session: &SessionKey, at: At) {
        let wakeups = &self.0.parts.wakeups;
        match self.store().lease_owner(session).await {
            Ok(Some(owner)) if owner != self.0.parts.owner => {
                wakeups.wake_elsewhere(&owner, &wake_key(session), at).await;
            }
            _ => wakeups.wake(&wake_key(session), at).await,
        }
    }

    /// Looks at the jobs of a session if this process holds it; otherwise does nothing.
    pub fn poke_jobs(&self, session: &SessionKey) {
        let Some(handle) = self.handle(session).filter(|_| self.holds(session)) else { return };
        let mut places = self.0.runners.0.lock();
        let Places { bells, notes } = &mut *places;
        let bell = bells.entry(session.clone()).or_insert_with(|| {
            let bell = Arc::new(Bell::default());
            let notes = notes.remove(session).unwrap_or_default();
            let row = handle.row.as_ref().clone();
            let runner = Runner::new(self.clone(), row, handle.view.clone(), bell.clone(), notes);
            let (sessions, session) = (self.clone(), session.clone());
            tokio::spawn(async move {
                // What a panic says may hold what a caller sent; the panic hook has said where.
                if tokio::spawn(runner.run()).await.is_err() {
                    error!(session.key = %session, "A session's jobs met a panic");
                    // The sweep begins again.
                    sessions.0.runners.0.lock().bells.remove(&session);
                }
            });
            bell
        });
        bell.rung.store(true, Ordering::Release);
        bell.ring.notify_one();
    }

    /// Looks at whatever a wake-up names.
    pub fn heed(&self, key: &str) {
        crash::point("wakeup.heard");
        if let Some(session) = key.strip_prefix("send:") {
            self.poke_jobs(&SessionKey(session.to_owned()));
        }
    }

    /// Waits until what a job has sent is answered; for a pause or a cancel that was committed.
    pub async fn settle_job(&self, job: &JobId) {
        let underway = self.0.underway.of_job(job).into_iter();
        let settled = futures::future::join_all(underway.map(|mut verdict| async move {
            let _ = verdict.wait_for(Option::is_some).await;
        }));
        let _ = tokio::time::timeout(SETTLING_PATIENCE, settled).await;
    }

    /// What WhatsApp says of a number; `None` while it cannot be asked here.
    pub async fn health(&self, session: &SessionKey) -> Option<Health> {
        let link = self.view(session)?.link?.upgrade()?;
        link.health().await.ok()
    }

    pub(super) fn holds(&self, session: &SessionKey) -> bool {
        self.view(session).is_some_and(|view| view.link.is_some())
    }
}

fn wake_key(session: &SessionKey) -> String {
    format!("send:{session}")
}

/// Starts what could send and does not, for ever: wake-ups may be lost with their queue.
pub(super) async fn sweep(sessions: Sessions) {
    let mut closing = sessions.0.closing.subscribe();
    let clock = sessions.store().clock().clone();
    let mut rounds = clock.rounds(SWEEP_MS);
    loop {
        tokio::select! {
            () = rounds.next() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        match sessions.store().sessions_with_work(clock.now()).await {
            Ok(due) => due.iter().for_each(|session| sessions.poke_jobs(session)),
            Err(error) => warn!("Jobs that could send could not be read: {error}"),
        }
    }
}
