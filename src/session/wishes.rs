//! What callers and operators want of a session: that it runs, rests or goes, whichever process runs it.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::oneshot;
use tracing::info;
use wapid_core::id::SessionKey;
use wapid_core::session::State;
use wapid_core::store::StoreError;
use wapid_core::store::sessions::SessionRow;

use super::{Command, Sessions, View, task};

/// Sessions that are brought up at the same time when the process starts.
const RESTORE_CONCURRENCY: usize = 32;
/// One session may hold its place in the restore queue for this long.
const RESTORE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a caller waits for a session to begin.
const START_PATIENCE: Duration = Duration::from_secs(2);
/// How long a caller waits for a session to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// The same where another process runs it, which hears of it when it renews its leases.
const STOP_PATIENCE_ELSEWHERE_MS: i64 = 10_000;
/// How long a caller waits for a session to be removed by the process that runs it, or by this one once that lease
/// has run out.
const REMOVAL_PATIENCE_MS: i64 = 30_000;
/// How often a caller's wait looks at what another process did.
const LOOK_EVERY_MS: i64 = 250;
/// How long a caller waits for a pairing code, which needs a connection first.
const CODE_PATIENCE: Duration = Duration::from_secs(30);

/// Why a pairing code did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefusal {
    #[error("the session is linked already")]
    AlreadyLinked,
    #[error("WhatsApp gave no pairing code: {0}")]
    Refused(String),
    #[error("no pairing code came in time; is WhatsApp reachable?")]
    TimedOut,
}

/// What became of a session that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone. Where WhatsApp could not be told, the device still shows on the phone.
    Done { logged_out: bool },
    /// Another call of this process removed it first.
    ByAnother,
    /// The process that runs it has not done it yet, and will, or another one in its place.
    Underway,
}

impl Sessions {
    /// Brings every wanted session back, a bounded number at a time, and finishes removals that a
    /// crash cut short. Returns once each has had its chance.
    pub async fn restore(&self) -> anyhow::Result<()> {
        let rows = self.store().all_sessions().await?;
        let wanted = rows.iter().filter(|row| task::is_wanted(row)).count();
        if wanted > 0 {
            info!("Restoring {wanted} sessions");
        }
        let elsewhere = self.store().leases_of_others(&self.0.parts.owner).await?;
        let elsewhere = &elsewhere;
        futures::stream::iter(rows)
            .for_each_concurrent(RESTORE_CONCURRENCY, |row| async move {
                if *self.0.closing.borrow() {
                    return;
                }
                let removing = row.removing;
                let start = task::is_wanted(&row);
                let is_elsewhere = elsewhere.contains(row.key.as_str());
                let handle = self.adopt(row);
                if removing {
                    let (done, _) = oneshot::channel();
                    let _ = handle.commands.send(Command::Remove(done));
                } else if start && is_elsewhere {
                    let _ = handle.commands.send(Command::TakeOver);
                } else if start {
                    let _ = handle.commands.send(Command::Start);
                    let settled =
                        |view: &View| !matches!(view.state, State::Stopped { .. } | State::Connecting { .. });
                    let mut view = handle.view.clone();
                    let _ = tokio::time::timeout(RESTORE_PATIENCE, view.wait_for(settled)).await;
                }
            })
            .await;
        self.0.restored.send_replace(true);
        Ok(())
    }

    /// Starts a session, or starts it again; with a phone number, also asks for a pairing code. The row says already
    /// that it is wanted, which is enough for another process that runs it.
    pub async fn start(&self, row: SessionRow, phone: Option<&str>) -> Result<Option<String>, CodeRefusal> {
        if phone.is_none() && self.is_held_elsewhere(&row.key).await.unwrap_or(false) {
            return Ok(None);
        }
        let handle = self.adopt(row);
        let _ = handle.commands.send(Command::Start);
        let Some(phone) = phone else {
            // So that whoever asks next does not find the state of before.
            let mut view = handle.view.clone();
            let running = view.wait_for(|view| view.state.is_running());
            let _ = tokio::time::timeout(START_PATIENCE, running).await;
            return Ok(None);
        };
        let (answer, answered) = oneshot::channel();
        let _ = handle.commands.send(Command::RequestCode { phone: phone.to_owned(), answer });
        match tokio::time::timeout(CODE_PATIENCE, answered).await {
            Ok(Ok(answer)) => answer.map(Some),
            // Asked for again by somebody else, or the session ended.
            Ok(Err(_)) => Err(CodeRefusal::Refused("it was asked for again, or the linking ended".into())),
            Err(_) => Err(CodeRefusal::TimedOut),
        }
    }

    /// Takes a session offline and keeps its link to the number. Returns where it stands when it is, or after a while:
    /// then it is on its way, which its view shows.
    ///
    /// # Errors
    /// When the database cannot be told what is wanted.
    pub async fn stop(&self, row: &SessionRow) -> Result<View, StoreError> {
        let handle = self.handle(&row.key);
        let is_elsewhere = self.is_held_elsewhere(&row.key).await?;
        match handle {
            Some(handle) if !is_elsewhere => {
                let _ = handle.commands.send(Command::Stop);
                let mut view = handle.view.clone();
                let stopped = view.wait_for(|view| !view.state.is_running());
                let _ = tokio::time::timeout(STOP_PATIENCE, stopped).await;
                return Ok(self.view_of(row));
            }
            // It waits for the other process to be gone, and need not any more.
            Some(handle) => self.let_go(&handle),
            None => {}
        }
        self.store().want_no_more(&row.key).await?;
        let give_up = self.now().plus_ms(STOP_PATIENCE_ELSEWHERE_MS);
        while self.is_held_elsewhere(&row.key).await? && self.now() < give_up {
            self.until_next_look().await;
        }
        let row = self.store().session_by_key(&row.key).await?;
        Ok(row.map_or_else(
            || View::of(State::Stopped { account: None, since: self.now() }),
            |row| self.view_of(&row),
        ))
    }

    /// Logs the device out at WhatsApp, forgets its keys and deletes the session.
    ///
    /// # Errors
    /// When the database fails on the way; the removal is finished later, by a sweep or the next start.
    pub async fn remove(&self, row: SessionRow) -> Result<Removal, StoreError> {
        let tenant = self.store().tenant(row.tenant.clone(), row.mode);
        let told_until = tenant.log_ends().await?.last;
        self.store().begin_removal(&row.key).await?;
        let give_up = self.now().plus_ms(REMOVAL_PATIENCE_MS);
        loop {
            // Before the lease, which goes with the row.
            if self.store().session_by_key(&row.key).await?.is_none() {
                let logged_out = tenant.was_logged_out(&row.id, told_until).await?;
                return Ok(Removal::Done { logged_out });
            }
            if !self.is_held_elsewhere(&row.key).await? {
                let (tx, done) = oneshot::channel();
                let _ = self.adopt(row.clone()).commands.send(Command::Remove(tx));
                match done.await {
                    Ok(Ok(Some(logged_out))) => return Ok(Removal::Done { logged_out }),
                    Ok(Ok(None)) => {}
                    Ok(Err(error)) => return Err(error),
                    Err(_) => return Ok(Removal::ByAnother),
                }
            }
            if self.now() >= give_up {
                return Ok(Removal::Underway);
            }
            self.until_next_look().await;
        }
    }

    pub(super) async fn is_held_elsewhere(&self, key: &SessionKey) -> Result<bool, StoreError> {
        let owner = self.store().lease_owner(key).await?;
        Ok(owner.is_some_and(|owner| owner != self.0.parts.owner))
    }

    async fn until_next_look(&self) {
        let clock = self.store().clock();
        clock.until(clock.now().plus_ms(LOOK_EVERY_MS)).await;
    }
}
