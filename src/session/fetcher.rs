//! Files of messages that arrived: fetched while the session is ready, a few at a time, until nothing is due.
//!
//! What is to be fetched are rows; this only works them off. A file that WhatsApp's servers have no longer is
//! asked for again from the phone that sent it, once per try.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{error, warn};
use wapid_core::id::MediaId;
use wapid_core::media::{State, retry_after};
use wapid_core::session::State as SessionState;
use wapid_core::store::ledger::Owner;
use wapid_core::store::media::{MediaRow, Next, Waiting};
use wapid_core::store::{StoreError, TenantStore};

use super::{Command, Sessions};
use crate::link::{Asked, FileFailure, Link, Place, Sink};
use crate::media::Draft;

/// Files of one session that are fetched at the same time.
const FETCHES: usize = 4;
/// How long one may take: 2 GiB at some 2 MiB/s.
const FETCH_PATIENCE: Duration = Duration::from_secs(20 * 60);
/// A database that is away is asked again after this.
const FAULT_PAUSE_MS: i64 = 2_000;
/// A timer that is farther off is looked for again then.
const LOOK_AGAIN_MS: i64 = 60_000;

/// The one task that fetches for a session, on its newest link.
#[derive(Default)]
pub struct Fetcher {
    bell: Arc<Notify>,
    running: Option<(JoinHandle<()>, Weak<Link>)>,
}

impl Fetcher {
    /// Begins, or lets who has begun look again.
    pub fn run(&mut self, sessions: &Sessions, owner: &Owner, link: &Arc<Link>) {
        let is_running = self.running.as_ref().is_some_and(|(task, of)| {
            !task.is_finished() && of.upgrade().is_some_and(|of| Arc::ptr_eq(&of, link))
        });
        if is_running {
            self.bell.notify_one();
            return;
        }
        if let Some((task, _)) = self.running.take() {
            task.abort();
        }
        let work = Work {
            sessions: sessions.clone(),
            owner: owner.clone(),
            link: Arc::downgrade(link),
            bell: self.bell.clone(),
        };
        self.running = Some((tokio::spawn(work.run()), Arc::downgrade(link)));
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        if let Some((task, _)) = self.running.take() {
            task.abort();
        }
    }
}

#[derive(Clone)]
struct Work {
    sessions: Sessions,
    owner: Owner,
    link: Weak<Link>,
    bell: Arc<Notify>,
}

impl Work {
    async fn run(self) {
        let store = self.sessions.store().clone();
        let clock = store.clock().clone();
        let mut fetches: JoinSet<MediaId> = JoinSet::new();
        let mut underway: Vec<MediaId> = Vec::new();
        loop {
            if self.link.upgrade().is_none_or(|link| !link.is_connected()) {
                // The next link begins anew.
                return;
            }
            let limit = i64::try_from(FETCHES).expect("a few");
            let due = match store.due_media(&self.owner.session, clock.now(), limit).await {
                Ok(due) => due,
                Err(StoreError::Closed) => return,
                Err(error) => {
                    error!("Files to fetch could not be read and are looked for again: {error}");
                    clock.until(clock.now().plus_ms(FAULT_PAUSE_MS)).await;
                    continue;
                }
            };
            for waiting in due {
                if fetches.len() >= FETCHES {
                    break;
                }
                if underway.contains(&waiting.row.id) {
                    continue;
                }
                underway.push(waiting.row.id.clone());
                let work = self.clone();
                fetches.spawn(async move { work.fetch(waiting).await });
            }
            let next = match store.next_media_at(&self.owner.session, clock.now()).await {
                Ok(next) => next,
                Err(_) => Some(clock.now().plus_ms(FAULT_PAUSE_MS)),
            };
            let soon = clock.now().plus_ms(LOOK_AGAIN_MS);
            // What is due already waits for a place, which the end of a fetch frees.
            let next = next.filter(|at| *at > clock.now()).map_or(soon, |at| at.min(soon));
            tokio::select! {
                Some(done) = fetches.join_next() => match done {
                    Ok(id) => underway.retain(|other| *other != id),
                    Err(_) => {
                        error!("Fetching a file ended by a panic");
                        return;
                    }
                },
                () = self.bell.notified() => {}
                () = clock.until(next) => {}
            }
        }
    }

    async fn fetch(self, waiting: Waiting) -> MediaId {
        let id = waiting.row.id.clone();
        let tenant = self.sessions.store().tenant(self.owner.tenant.clone(), self.owner.mode);
        let fetched = tokio::time::timeout(FETCH_PATIENCE, self.try_fetch(&tenant, &waiting)).await;
        match fetched.unwrap_or(Err(FileFailure::Unreachable.into())) {
            Ok(()) => {}
            // Nothing is wrong with the file: the next link fetches it.
            Err(FetchFailure::File(FileFailure::Unreachable))
                if self.link.upgrade().is_none_or(|link| !link.is_connected()) => {}
            Err(failure) => self.note(&tenant, &waiting, &failure).await,
        }
        self.sessions.0.fetched.send_modify(|count| *count += 1);
        id
    }

    async fn try_fetch(&self, tenant: &TenantStore, waiting: &Waiting) -> Result<(), FetchFailure> {
        let broken =
            |error: &dyn std::fmt::Display| FetchFailure::File(FileFailure::Broken(error.to_string()));
        let media = &self.sessions.0.parts.media;
        let row = &waiting.row;
        let mut place: Place = serde_json::from_str(&waiting.wire).map_err(|error| broken(&error))?;
        let mut asked = false;
        loop {
            // What nobody asked for is bounded by the operator's word, whatever its sender says of its size.
            let auto_fetch = self.sessions.0.parts.auto_fetch;
            let most = if place.size <= auto_fetch { auto_fetch } else { u64::MAX };
            let draft = media.draft(tenant, most).await.map_err(|error| broken(&error))?;
            let link = self.link.upgrade().ok_or(FileFailure::Unreachable)?;
            let is_full = Arc::new(AtomicBool::new(false));
            let sink = Drafted { draft, is_full: is_full.clone() };
            match link.download(row.kind, &place, sink).await {
                Err(_) if is_full.load(Ordering::Acquire) => {
                    return Err(if most == auto_fetch {
                        FetchFailure::Outgrown
                    } else {
                        FetchFailure::TooLarge
                    });
                }
                Ok(Drafted { draft, .. }) => {
                    media.keep(tenant, &row.id, draft).await.map_err(|error| broken(&error))?;
                    return Ok(());
                }
                Err(FileFailure::Gone) if !asked => {
                    let Some(message) = &row.message else { return Err(FileFailure::Gone.into()) };
                    let request = Asked {
                        wa_id: &message.wa_id,
                        chat: &message.chat,
                        sender: &message.sender,
                        from_me: message.from_me,
                    };
                    place = link.ask_again(&request, &place).await?;
                    asked = true;
                    let wire = serde_json::to_string(&place).map_err(|error| broken(&error))?;
                    tenant.change_media_wire(&row.id, &wire).await.map_err(|error| broken(&error))?;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    async fn note(&self, tenant: &TenantStore, waiting: &Waiting, failure: &FetchFailure) {
        let row = &waiting.row;
        let (code, next) = match failure {
            FetchFailure::File(FileFailure::Gone) => ("gone", Next::Gone),
            FetchFailure::File(FileFailure::Unreachable) => ("unreachable", self.later(row)),
            FetchFailure::File(FileFailure::Broken(_)) => ("broken", self.later(row)),
            FetchFailure::TooLarge => ("too_large", Next::Failed),
            FetchFailure::Outgrown => {
                if let Err(error) = self.forget_size(tenant, waiting).await {
                    error!("That a file is larger than its sender says could not be written: {error:#}");
                    return;
                }
                ("larger_than_said", Next::Asked)
            }
        };
        warn!(media.id = %row.id, "A file was not fetched: {code}");
        tracing::debug!("{failure}");
        if let Err(error) = tenant.note_media_failure(&row.id, code, next).await {
            error!("That a file was not fetched could not be written: {error}");
        }
    }

    /// Its sender's word counts no more: it is one of the large ones, which are fetched when somebody asks.
    async fn forget_size(&self, tenant: &TenantStore, waiting: &Waiting) -> anyhow::Result<()> {
        let mut place: Place = serde_json::from_str(&waiting.wire)?;
        place.size = self.sessions.0.parts.auto_fetch.saturating_add(1);
        tenant.forget_media_size(&waiting.row.id, &serde_json::to_string(&place)?).await?;
        Ok(())
    }

    fn later(&self, row: &MediaRow) -> Next {
        let now = self.sessions.now();
        retry_after(row.tries + 1).map_or(Next::Failed, |pause| Next::At(now.plus_ms(pause)))
    }
}

/// How long somebody who wants a file waits for it; it is fetched on after that.
const WANTED_PATIENCE_MS: i64 = 20_000;

impl Sessions {
    /// A file that is not here, once it was tried to fetch it; as it is where nothing can be done or it takes
    /// too long.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn fetch_file(&self, tenant: &TenantStore, row: MediaRow) -> Result<MediaRow, StoreError> {
        let Some(message) = &row.message else { return Ok(row) };
        let Some(handle) = self.handle(&message.session) else { return Ok(row) };
        if !matches!(handle.view.borrow().state, SessionState::Ready { .. }) {
            return Ok(row);
        }
        let mut fetched = self.0.fetched.subscribe();
        if !tenant.fetch_media(&row.id, self.now()).await? {
            return Ok(row);
        }
        let _ = handle.commands.send(Command::FetchFiles);
        let clock = self.store().clock();
        let give_up = clock.now().plus_ms(WANTED_PATIENCE_MS);
        loop {
            let is_over = tokio::select! {
                changed = fetched.changed() => changed.is_err(),
                () = clock.until(give_up) => true,
            };
            match tenant.media(&row.id).await? {
                // It is here, it is lost, or it waits for its next try.
                Some(now) if is_over || now.state != State::Waiting || now.tries > 0 => {
                    return Ok(now);
                }
                Some(_) => {}
                None => return Ok(row),
            }
        }
    }
}

/// Why a file was not fetched.
#[derive(Debug, thiserror::Error)]
enum FetchFailure {
    #[error(transparent)]
    File(#[from] FileFailure),
    /// It went on beyond what is fetched unasked, and was cut there.
    #[error("the file is larger than its sender says")]
    Outgrown,
    /// It went on beyond what there is room for.
    #[error("the file is larger than what this tenant may store")]
    TooLarge,
}

/// The media store's place for a file, as a link writes into it. Bytes are counted as they come.
struct Drafted {
    draft: Draft,
    /// No more was taken. What the client makes of that error is its own business.
    is_full: Arc<AtomicBool>,
}

impl std::io::Write for Drafted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.draft.write(bytes);
        if written.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::FileTooLarge) {
            self.is_full.store(true, Ordering::Release);
        }
        written
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.draft.flush()
    }
}

impl Sink for Drafted {
    fn clear(&mut self) -> std::io::Result<()> {
        self.draft.clear()
    }
}
