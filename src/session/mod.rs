//! Long-lived numbers.
//!
//! [`Sessions`] is the only handle others hold: it starts, stops, removes and watches sessions and
//! sends through them. Each session is one task (`task`), which alone talks to its link.
//!
//! | file | what |
//! |---|---|
//! | `task` | the task: signals and commands in, effects out |
//! | `outbox` | what leaves, in order per chat; sent again after a lost connection |
//! | `send` | one send as a caller sees it: check, intent, transmit, verdict |
//! | `inbound` | commit, then acknowledge; receipts |
//! | `carry` | files of messages that leave: on WhatsApp's servers once |
//! | `fetcher` | files of messages that arrived |
//! | `timers` | after how long the messages of which chats disappear |
//! | `groups` | a number's groups: read, changed, and what is told of them |
//! | `bulk` | jobs: whose turn it is, when, and what is said |
//! | `script` | a job's templates, filled in |
//! | `lookup` | the one desk where it is asked who is on WhatsApp, and under which address |
//! | `people` | what callers ask and tell of people |
//! | `heard` | what is heard of people, on its way into the store |
//! | `underway` | who works on which message, and who waits for its verdict |
//! | `lease` | which process runs which session |

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{error, info};
use wapid_core::clock::At;
use wapid_core::id::{SessionId, SessionKey, TenantId};
use wapid_core::key::Mode;
use wapid_core::session::{State, Status};
use wapid_core::store::sessions::SessionRow;
use wapid_core::store::{Store, StoreError, TenantStore};
use wapid_keystore::Keystores;
use wapid_sandbox::Network;
use wapid_workers::Wakeups;

use crate::link::Link;
use crate::media::Media;
use crate::outgoing::Outgoing;
use crate::preview::Previews;

mod bulk;
mod carry;
mod fetcher;
pub mod groups;
mod heard;
mod inbound;
mod lease;
mod lookup;
mod outbox;
mod people;
mod reconcile;
mod script;
mod send;
mod task;
mod timers;
mod underway;

pub use crate::link::{AskFailure, Listing, PictureSize};
pub use lookup::Checked;
pub use outbox::Verdict;
pub use people::{AskRefusal, Contact, Named, NotReady, OwnProfile, Portrayed, READ_MAX, ToRead, TypingWish};
pub use script::Script;
pub use send::{SendRefusal, SendRequest, Sent};

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
/// How long after a panic a session begins again.
const PANIC_PAUSE: Duration = Duration::from_secs(2);
/// How long a stop waits for WhatsApp's answers to what has left.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);
/// And for what was heard to be written.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a caller waits for a pairing code, which needs a connection first.
const CODE_PATIENCE: Duration = Duration::from_secs(30);

/// What sessions need to run.
pub struct Parts {
    pub store: Store,
    pub keystores: Keystores,
    /// The network of test sessions.
    pub sandbox: Network,
    /// Where live sessions dial: WhatsApp, unless a test says otherwise.
    pub whatsapp_url: String,
    /// Vets the proxies that tenants name.
    pub outgoing: Outgoing,
    /// Shown on the phone where a session names no device of its own.
    pub device_name: String,
    pub wakeups: Wakeups,
    pub media: Media,
    pub previews: Previews,
    /// Files of messages that arrive are fetched by themselves up to this size, in bytes.
    pub auto_fetch: u64,
    /// This process in leases; the same after a restart on the same data folder.
    pub owner: String,
}

/// The running sessions. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    parts: Parts,
    table: RwLock<Table>,
    underway: underway::Underway,
    /// Chats in which somebody is accepting a message.
    turns: Mutex<HashMap<(SessionKey, String), Weak<Turn>>>,
    lookups: lookup::Desk,
    people: people::Desk,
    heard: heard::Heard,
    timers: timers::Timers,
    runners: bulk::Runners,
    receipts: inbound::Receipts,
    carriage: carry::Carriage,
    fetched: watch::Sender<u64>,
    /// Had every session of before the start its chance?
    is_restored: AtomicBool,
    closing: watch::Sender<bool>,
}

/// Held by whoever accepts a message for a chat.
type Turn = tokio::sync::Mutex<()>;

#[derive(Default)]
struct Table {
    handles: HashMap<SessionKey, Handle>,
    /// What callers call them.
    names: HashMap<(TenantId, Mode, SessionId), SessionKey>,
}

/// How the rest of the process reaches a session's task.
#[derive(Clone)]
struct Handle {
    row: Arc<SessionRow>,
    commands: mpsc::UnboundedSender<Command>,
    view: watch::Receiver<View>,
}

/// What a session shows of itself.
#[derive(Clone)]
pub struct View {
    pub state: State,
    /// Of the lease under which the session's link was opened.
    epoch: i64,
    link: Option<Weak<Link>>,
    /// Were the messages taken up that lay there without a verdict when the lease was taken?
    took_up: bool,
}

impl View {
    fn of(state: State) -> Self {
        Self { state, epoch: 0, link: None, took_up: false }
    }
}

impl Handle {
    /// Hands a message to the session's task. One that has ended drops it, and it is found by its row.
    fn transmit(&self, outgoing: outbox::Outgoing) {
        let _ = self.commands.send(Command::Transmit(Box::new(outgoing)));
    }
}

enum Command {
    Start,
    Stop,
    /// Another process made it or ran it: run it once that one does not.
    TakeOver,
    /// Somebody else may have written what is wanted of the session.
    LookAtRow,
    /// Ask WhatsApp for a code that is typed into this phone.
    RequestCode {
        phone: String,
        answer: oneshot::Sender<Result<String, CodeRefusal>>,
    },
    /// The row's settings changed (device name, proxy): used from the next connection on.
    Refresh(Box<SessionRow>),
    Transmit(Box<outbox::Outgoing>),
    /// Files of messages that arrived are due.
    FetchFiles,
    /// Log out, forget, delete; answers whether WhatsApp was told. `None` where another process runs the session.
    Remove(oneshot::Sender<Result<Option<bool>, StoreError>>),
    /// Look for messages without a verdict: one may have been committed without our knowing.
    Recover,
    /// The lease of this epoch is another process's now.
    LeaseLost {
        epoch: i64,
    },
    /// Close the link and end the task; the session stays wanted.
    Shutdown(oneshot::Sender<()>),
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

impl Sessions {
    pub fn new(parts: Parts) -> Self {
        let receipts = inbound::Receipts::start(parts.store.clone());
        let heard = heard::Heard::start(parts.store.clone());
        let sessions = Self(Arc::new(Inner {
            parts,
            table: RwLock::default(),
            underway: underway::Underway::default(),
            turns: Mutex::default(),
            lookups: lookup::Desk::default(),
            people: people::Desk::default(),
            heard,
            timers: timers::Timers::default(),
            runners: bulk::Runners::default(),
            receipts,
            carriage: carry::Carriage::default(),
            fetched: watch::Sender::new(0),
            is_restored: AtomicBool::new(false),
            closing: watch::Sender::new(false),
        }));
        tokio::spawn(lease::renew(sessions.clone()));
        tokio::spawn(bulk::sweep(sessions.clone()));
        tokio::spawn(reconcile::run(sessions.clone()));
        sessions
    }

    pub fn store(&self) -> &Store {
        &self.0.parts.store
    }

    /// The sandbox that test sessions live in.
    pub fn sandbox(&self) -> &Network {
        &self.0.parts.sandbox
    }

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
        self.0.is_restored.store(true, Ordering::Release);
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

    async fn is_held_elsewhere(&self, key: &SessionKey) -> Result<bool, StoreError> {
        let owner = self.store().lease_owner(key).await?;
        Ok(owner.is_some_and(|owner| owner != self.0.parts.owner))
    }

    async fn until_next_look(&self) {
        let clock = self.store().clock();
        clock.until(clock.now().plus_ms(LOOK_EVERY_MS)).await;
    }

    /// Where a session stands; `None` for one this process has not seen.
    pub fn view(&self, key: &SessionKey) -> Option<View> {
        self.handle(key).map(|handle| handle.view.borrow().clone())
    }

    /// Where a session stands, seen from here: one that this process never ran rests where its row
    /// says.
    pub fn view_of(&self, row: &SessionRow) -> View {
        self.view(&row.key).unwrap_or_else(|| {
            let is_restored = self.0.is_restored.load(Ordering::Acquire);
            View::of(task::state_unseen(row, is_restored, self.now()))
        })
    }

    /// The tenant's session of that name: from memory where this process runs it, else from the database, which knows
    /// what others did with it. Nothing is started by a look.
    pub async fn find(&self, tenant: &TenantStore, id: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        let name = (tenant.tenant_id().clone(), tenant.mode(), id.clone());
        let known = {
            let table = self.0.table.read();
            let handle = table.names.get(&name).and_then(|key| table.handles.get(key));
            handle.filter(|handle| handle.view.borrow().link.is_some()).map(|handle| handle.row.clone())
        };
        match known {
            Some(row) => Ok(Some(row.as_ref().clone())),
            None => tenant.session(id).await,
        }
    }

    /// The number that a session of this tenant is linked to.
    pub fn own_number(&self, tenant: &TenantStore, id: &SessionId) -> Option<String> {
        let table = self.0.table.read();
        let key = table.names.get(&(tenant.tenant_id().clone(), tenant.mode(), id.clone()))?;
        let view = table.handles.get(key)?.view.borrow();
        view.state.account().map(|account| account.phone.clone())
    }

    /// Follows a session's standing.
    pub fn watch(&self, key: &SessionKey) -> Option<watch::Receiver<View>> {
        self.handle(key).map(|handle| handle.view)
    }

    /// How many sessions stand where, for metrics.
    pub fn census(&self) -> HashMap<Status, usize> {
        let mut census: HashMap<_, _> = Status::ALL.into_iter().map(|status| (status, 0)).collect();
        for handle in self.0.table.read().handles.values() {
            *census.entry(handle.view.borrow().state.status()).or_default() += 1;
        }
        census
    }

    /// Messages with intent and without a verdict, in this process.
    pub fn underway(&self) -> usize {
        self.0.underway.len()
    }

    /// Wake-ups of this process that wait; `None` while nobody can tell.
    pub async fn wakeups_waiting(&self) -> Option<u64> {
        self.0.parts.wakeups.depth().await
    }

    /// Closes every link; sessions stay wanted. Returns when all are closed. What has left gets a moment
    /// for its answer, so that it need not be sent again.
    pub async fn shutdown(&self) {
        self.0.closing.send_replace(true);
        let answered =
            futures::future::join_all(self.0.underway.all().into_iter().map(|mut verdict| async move {
                let _ = verdict.wait_for(Option::is_some).await;
            }));
        let _ = tokio::time::timeout(ANSWER_PATIENCE, answered).await;
        let handles: Vec<_> = std::mem::take(&mut *self.0.table.write()).handles.into_values().collect();
        futures::future::join_all(handles.into_iter().map(|handle| async move {
            let (tx, done) = oneshot::channel();
            if handle.commands.send(Command::Shutdown(tx)).is_ok() {
                let _ = done.await;
            }
        }))
        .await;
        let written = futures::future::join(self.0.receipts.written(), self.0.heard.written());
        let _ = tokio::time::timeout(WRITE_PATIENCE, written).await;
    }

    fn handle(&self, key: &SessionKey) -> Option<Handle> {
        self.0.table.read().handles.get(key).cloned()
    }

    /// The way to a session's own task, for what works beside it.
    fn commands_of(&self, key: &SessionKey) -> Option<mpsc::WeakUnboundedSender<Command>> {
        self.handle(key).map(|handle| handle.commands.downgrade())
    }

    /// The task of this row, spawned if it is not running yet.
    fn adopt(&self, row: SessionRow) -> Handle {
        let mut table = self.0.table.write();
        if let Some(handle) = table.handles.get_mut(&row.key) {
            if *handle.row != row {
                handle.row = Arc::new(row.clone());
                let _ = handle.commands.send(Command::Refresh(Box::new(row)));
            }
            return handle.clone();
        }
        let (commands, inbox) = mpsc::unbounded_channel();
        let now = self.store().clock().now();
        let state = task::state_of(&row, now);
        let (view_tx, view) = watch::channel(View::of(state.clone()));
        let handle = Handle { row: Arc::new(row.clone()), commands, view };
        table.names.insert((row.tenant.clone(), row.mode, row.id.clone()), row.key.clone());
        table.handles.insert(row.key.clone(), handle.clone());
        let task = task::Task::new(self.clone(), row.clone(), state, view_tx, inbox);
        let sessions = self.clone();
        tokio::spawn(async move {
            // A panic in one session is a bug, and must not look like a healthy silence: the session
            // begins again from its row, and its messages are found there.
            // What the panic says may hold what a caller sent; the panic hook has said where.
            if tokio::spawn(task.run()).await.is_err() {
                error!(session.key = %row.key, "A session's task ended by a panic");
                sessions.begin_again(&row).await;
            }
        });
        handle
    }

    fn forget_handle(&self, row: &SessionRow) {
        let mut table = self.0.table.write();
        table.handles.remove(&row.key);
        self.0.timers.forget(&row.key);
        self.0.lookups.forget(&row.key);
        let name = (row.tenant.clone(), row.mode, row.id.clone());
        // The name may be a newer session's by now.
        if table.names.get(&name) == Some(&row.key) {
            table.names.remove(&name);
        }
    }

    /// A session that another process runs is not waited for any more.
    fn let_go(&self, handle: &Handle) {
        self.forget_handle(&handle.row);
        let (done, _) = oneshot::channel();
        let _ = handle.commands.send(Command::Shutdown(done));
    }

    async fn begin_again(&self, row: &SessionRow) {
        self.forget_handle(row);
        // The dropped link ends on its next poll; the same keys must not be opened before.
        tokio::time::sleep(PANIC_PAUSE).await;
        match self.store().session_by_key(&row.key).await {
            Ok(Some(row)) if task::is_wanted(&row) => {
                let _ = self.adopt(row).commands.send(Command::Start);
            }
            Ok(_) => {}
            Err(error) => error!(session.key = %row.key, "A session could not be begun again: {error}"),
        }
    }

    /// Of the lease under which this process runs a session.
    fn epoch_of(&self, key: &SessionKey) -> Option<i64> {
        self.handle(key).map(|handle| handle.view.borrow().epoch)
    }

    fn now(&self) -> At {
        self.store().clock().now()
    }
}
