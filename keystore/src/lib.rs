//! The memory of a linked session: whatsapp-rust's `Backend`, in our store, on both engines.
//!
//! [`Keystores`] is made once per process and shared; [`Keystores::of`] gives a session its
//! [`Keystore`], which holds nothing but the session's name: whatsapp-rust has its own caches.
//!
//! | file | what it keeps |
//! |---|---|
//! | `signal` | identities, ratchets, prekeys, sender keys |
//! | `app_sync` | the keys and hashes of synchronised settings |
//! | `protocol` | who has which device and token; what was sent, and what is not yet in the log |
//! | `secrets` | the keys of votes, reactions and edits |
//! | `device` | the linked device itself |
//! | `records` | what is only ever found by its name |
//! | `statement`, `writer` | how it is written: many sessions, one commit |
//!
//! # What it promises
//! - **Durable before it answers.** A write answers after its commit. One call is one transaction,
//!   however many rows it has.
//! - **In order.** A session's writes take effect in the order in which it gave them, so a crash
//!   leaves what some prefix of them wrote.
//! - **Over when it is over.** What a client still writes after [`Keystore::end`] is refused, so that it
//!   neither brings back what was forgotten nor meddles with its successor.
//! - **Sealed.** Every secret is sealed to `table:session:row`; a row copied elsewhere does not open.
//!
//! # Why a crash inside a flush breaks no ratchet
//! whatsapp-rust 0.7.0 flushes its Signal cache (`wacore::store::signal_cache`,
//! `SignalStoreCache::flush`) in several calls, each of which we commit alone: sessions, deleted
//! sessions, consumed prekeys, identities, deleted sender keys, sender keys. With "durable" and "in
//! order", each cut is safe:
//! - *before sessions*: a receiving chain is derived again from the older record, and the server
//!   sends again what was not acknowledged. A sending chain resumes at the end of its durable lease
//!   (`SessionRecord::reserve_sender_chain_counters`), never below it, because a send that raises the
//!   lease waits for the flush (`Client::persist_signal_state_pre_wire`).
//! - *between sessions and prekeys*: the session is there and the prekey is one too many; the copy
//!   of the first message finds its session. The reverse order would lose both, so a prekey must
//!   never go first, and within one session our lane never lets it.
//! - *between sessions and identities*: identities are trusted on first use and noted again by the
//!   next message (`IdentityAdapter::is_trusted_identity` is always true).
//! - *between sessions and sender keys*: a group key that arrived inside a durable message may be
//!   lost; the group's next message does not decrypt, whatsapp-rust asks for it again by a retry
//!   receipt and gets the key with it. Our own sending chain has the same lease as above.
//!
//! This stands on what was answered staying written. Under `Durability::Process` a power cut (not a
//! crash of the process) may take the last commits, and with them a lease.
//!
//! # What only the caller can do
//! **Flush between a receive and the next send** (`Client::flush_pending_signal_state`). A received
//! message may bring a new ratchet key of ours, and the reply on it is covered by the lease, so
//! whatsapp-rust sends it up to 25 ms before that key is handed to us
//! (`SessionRecord::rebase_lease_after_sender_chain_reset`). Killed in between, the session cannot
//! read what the other side answers, until a retry receipt builds a new one. `tests/it/crash.rs` proves
//! both: with the flush it never happens, without it a few kills are enough.
//!
//! # What it does not do
//! It does not decide who may run a session (`core::store::leases` does), but refuses what is written under a lease
//! that a later one has followed. It does not prune by
//! itself: whatsapp-rust's keepalive calls the `delete_expired_*` methods with its own clock, which
//! is why the ages here are told by that clock (`wacore::time`) too.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use wapid_core::id::SessionKey;
use wapid_core::seal::{Seal, SealError};
use wapid_core::store::Db;

mod app_sync;
mod device;
mod protocol;
mod records;
mod secrets;
mod sent;
mod signal;
mod statement;
mod writer;

use sent::UnwrittenMessages;
use statement::{Statement, storable};
use writer::Writer;

/// Inside the trait's methods, errors are whatsapp-rust's.
type Result<T, E = wacore::store::error::StoreError> = std::result::Result<T, E>;

/// The keystores of every session of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Keystores {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    db: Db,
    seal: Seal,
    writer: Writer,
}

/// One session's `Backend`. Cheap to clone; every clone is the same keystore, and ends with it.
#[derive(Debug, Clone)]
pub struct Keystore {
    shared: Arc<Shared>,
    session: SessionKey,
    /// Of the lease under which it writes.
    epoch: Option<i64>,
    has_ended: Arc<RwLock<bool>>,
    unwritten: Arc<Mutex<UnwrittenMessages>>,
}

/// Why a keystore could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    #[error("keystore: {0}")]
    Database(Arc<sqlx::Error>),
    #[error("keystore: {0}")]
    Sealed(#[from] SealError),
    #[error("keystore: a stored value does not read: {0}")]
    Unreadable(Arc<serde_json::Error>),
    #[error("keystore: the writer has stopped")]
    Closed,
    #[error("keystore: the link that writes here was closed")]
    Ended,
    #[error("keystore: another process runs this session by now")]
    Superseded,
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(Arc::new(error))
    }
}

impl From<Fault> for wacore::store::error::StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Database(_) => Self::Database(Box::new(fault)),
            Fault::Closed | Fault::Ended | Fault::Superseded => Self::Connection(Box::new(fault)),
            Fault::Sealed(_) | Fault::Unreadable(_) => Self::Serialization(Box::new(fault)),
        }
    }
}

impl Keystores {
    /// Starts the shared writer; needs a tokio runtime. `db` must be migrated.
    pub fn new(db: Db, seal: Seal) -> Self {
        let writer = Writer::start(&db);
        Self { shared: Arc::new(Shared { db, seal, writer }) }
    }

    pub fn of(&self, session: SessionKey) -> Keystore {
        Keystore {
            shared: Arc::clone(&self.shared),
            session,
            epoch: None,
            has_ended: Arc::default(),
            unwritten: Arc::default(),
        }
    }
}

impl Keystore {
    pub fn session(&self) -> &SessionKey {
        &self.session
    }

    /// Writes from here on only while no later lease on the session has begun than that of `epoch`: a process that
    /// was frozen while another took over does not put its older keys over that one's.
    #[must_use]
    pub fn under(self, epoch: i64) -> Self {
        Self { epoch: Some(epoch), ..self }
    }

    /// Refuses from here on what is written through this handle and its clones. What was handed in before
    /// is still written, and ahead of whatever the session's next handle is given.
    ///
    /// For a link that was closed. Whoever has an end of its client may still be writing: the client's
    /// own saver, a send on its way.
    pub fn end(&self) {
        *self.has_ended.write() = true;
    }

    fn has_ended(&self) -> bool {
        *self.has_ended.read()
    }

    /// Removes everything this session remembered, in one transaction.
    ///
    /// Close its link and [end](Self::end) its keystore first: a client that still runs writes its memory
    /// again.
    ///
    /// # Errors
    /// [`Fault`]; then nothing was removed.
    pub async fn forget(&self) -> Result<(), Fault> {
        const EVERYTHING: [&str; 9] = [
            "DELETE FROM keystore_records WHERE session_key = $1",
            "DELETE FROM keystore_prekeys WHERE session_key = $1",
            "DELETE FROM keystore_sender_key_devices WHERE session_key = $1",
            "DELETE FROM keystore_lid_mappings WHERE session_key = $1",
            "DELETE FROM keystore_tc_tokens WHERE session_key = $1",
            "DELETE FROM keystore_mutation_macs WHERE session_key = $1",
            "DELETE FROM keystore_sent_messages WHERE session_key = $1",
            "DELETE FROM keystore_pending_inbound WHERE session_key = $1",
            "DELETE FROM keystore_message_secrets WHERE session_key = $1",
        ];
        self.commit(EVERYTHING.map(|sql| self.statement(sql)).into()).await?;
        Ok(())
    }

    /// A statement whose `$1` is this session.
    fn statement(&self, sql: &'static str) -> Statement {
        Statement::new(sql).bind(self.session.as_str())
    }

    async fn commit(&self, statements: Vec<Statement>) -> Result<u64, Fault> {
        self.shared.writer.commit((&self.session, self.epoch), &self.has_ended, statements).await
    }

    fn db(&self) -> &Db {
        &self.shared.db
    }

    fn seal(&self, table: &str, row: &[&str], plain: &[u8]) -> Vec<u8> {
        self.shared.seal.seal(&self.place(table, row), plain)
    }

    fn open(&self, table: &str, row: &[&str], sealed: &[u8]) -> Result<Vec<u8>, Fault> {
        Ok(self.shared.seal.open(&self.place(table, row), sealed)?)
    }

    /// The parts of a row's key end with NUL, which no part contains: no two rows share a place.
    fn place(&self, table: &str, row: &[&str]) -> String {
        let mut place = format!("{table}:{}:", self.session);
        for part in row {
            place.push_str(&storable(part));
            place.push('\0');
        }
        place
    }
}
