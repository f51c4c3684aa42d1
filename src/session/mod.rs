//! Long-lived numbers.
//!
//! [`Sessions`] is the only handle others hold: it starts, stops, removes and watches sessions and
//! sends through them. Each session is one task (`task`), which alone talks to its link.
//!
//! | file | what |
//! |---|---|
//! | `table` | the sessions that this process knows, and what each shows of itself |
//! | `wishes` | start, stop, remove, and bring back, whichever process runs the session |
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
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::{oneshot, watch};
use wapid_core::clock::At;
use wapid_core::id::SessionKey;
use wapid_core::store::sessions::SessionRow;
use wapid_core::store::{Store, StoreError};
use wapid_keystore::Keystores;
use wapid_sandbox::Network;
use wapid_workers::Wakeups;

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
mod table;
mod task;
mod timers;
mod underway;
mod wishes;

pub use crate::link::{AskFailure, Listing, PictureSize};
pub use lookup::Checked;
pub use outbox::Verdict;
pub use people::{AskRefusal, Contact, Named, NotReady, OwnProfile, Portrayed, READ_MAX, ToRead, TypingWish};
pub use script::Script;
pub use send::{SendRefusal, SendRequest, Sent};
pub use table::View;
use table::{Handle, Table};
pub use wishes::{CodeRefusal, Removal};

/// How long a stop waits for WhatsApp's answers to what has left.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);
/// And for what was heard to be written.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);

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
    restored: watch::Sender<bool>,
    closing: watch::Sender<bool>,
}

/// Held by whoever accepts a message for a chat.
type Turn = tokio::sync::Mutex<()>;

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
            restored: watch::Sender::new(false),
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

    fn now(&self) -> At {
        self.store().clock().now()
    }
}
