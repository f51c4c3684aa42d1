//! The one task that writes the log, and the line in front of it.
//!
//! While a commit runs, calls queue up; when it is done they are the next batch. A batch that the
//! database refuses because of one bad member is tried again by halves. A database that is
//! not there refuses the whole batch at once, and the next batch finds out whether it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot};

use super::batch;
use super::operation::{Done, Op};
use super::workbench::Workbench;
use crate::clock::Clock;
use crate::crash;
use crate::store::db::Db;
use crate::store::error::{Result, StoreError, is_about_one};
use crate::store::hub::Hub;
use crate::store::postgres::OwnConnection;
use crate::store::tx::Tx;

/// The most calls in one commit. So many are about 30 ms of work, which is as long as anybody should
/// hold up everybody.
const BATCH_MAX: usize = 512;

/// Every statement of the ledger finds rows by an index. Postgres makes plans once, perhaps while a table
/// was still empty, so the ways that only suit small tables are shut, and touching rows that are not asked
/// for is called dear. Without that, it read the whole log per batch: 490 sends/s instead of 1,880
/// (2 cores, 64 callers).
pub(super) const PLANNER: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("cpu_tuple_cost", "100"),
    ("cpu_index_tuple_cost", "100"),
];

/// Texts of statements that Postgres has made plans for.
const STATEMENTS_KEPT: usize = 256;

/// A call in line, and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub op: Op,
    pub reply: oneshot::Sender<Result<Done>>,
}

impl Waiting {
    fn answer(self, with: Result<Done>) {
        // Whoever asked may be gone; what was written stays written.
        let _ = self.reply.send(with);
    }

    /// Answers, or stays in line if it is not decided yet.
    fn answer_or_keep(self, done: Done) -> Option<Self> {
        if matches!(done, Done::NotYet) {
            return Some(self);
        }
        self.answer(Ok(done));
        None
    }
}

/// Runs until the last handle is dropped or somebody closes the ledger.
pub(super) async fn run(
    db: Db,
    clock: Clock,
    hub: Hub,
    mut inbox: mpsc::Receiver<Waiting>,
    failed: Arc<AtomicBool>,
) {
    let mut desk = Desk { line: Line::to(db), clock, hub, bench: Workbench::default(), failed };
    let mut waiting = Vec::new();
    let mut closing = Vec::new();
    loop {
        if waiting.is_empty() && inbox.recv_many(&mut waiting, BATCH_MAX).await == 0 {
            break;
        }
        for goodbye in waiting.extract_if(.., |one| matches!(one.op, Op::Close)) {
            inbox.close();
            closing.push(goodbye);
        }
        waiting = desk.commit(waiting).await;
        // Those who were put off go first, together with whoever came meanwhile.
        while waiting.len() < BATCH_MAX
            && let Ok(next) = inbox.try_recv()
        {
            waiting.push(next);
        }
    }
    for goodbye in closing {
        goodbye.answer(Ok(Done::Written));
    }
}

struct Desk {
    line: Line,
    clock: Clock,
    hub: Hub,
    bench: Workbench,
    failed: Arc<AtomicBool>,
}

impl Desk {
    /// Commits a batch and answers its members; returns those that must wait for the next one.
    async fn commit(&mut self, batch: Vec<Waiting>) -> Vec<Waiting> {
        let (ops, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.op, one.reply)).unzip();
        let result = self.write(&ops).await;
        let mut members = ops.into_iter().zip(replies).map(|(op, reply)| Waiting { op, reply });
        let mut put_off = Vec::new();
        match result {
            Ok(done) => {
                put_off.extend(members.zip(done).filter_map(|(one, done)| one.answer_or_keep(done)));
            }
            // Halves of halves: one bad member among 512 costs some twenty commits.
            Err(error) if replies_may_differ(&error) && members.len() > 1 => {
                tracing::debug!(%error, "A batch of {} was refused; trying its halves", members.len());
                let mut first: Vec<Waiting> = members.collect();
                let second = first.split_off(first.len() / 2);
                for half in [first, second] {
                    put_off.extend(Box::pin(self.commit(half)).await);
                }
            }
            Err(error) if replies_may_differ(&error) => {
                if let Some(one) = members.next() {
                    one.answer(Err(error));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for one in members {
                    one.answer(Err(StoreError::Commit(Arc::clone(&error))));
                }
            }
        }
        put_off
    }

    async fn write(&mut self, ops: &[Op]) -> Result<Vec<Done>> {
        let result = self.try_write(ops).await;
        let news = std::mem::take(&mut self.bench.news);
        let is_broken = result.as_ref().is_err_and(|error| !replies_may_differ(error));
        self.failed.store(is_broken, Ordering::Relaxed);
        match &result {
            Ok(_) => self.hub.tell(news),
            Err(error) => {
                self.line.after(error);
                // Some of them may not have been stored.
                self.bench.contacts.clear();
                self.bench.chats.clear();
            }
        }
        result
    }

    async fn try_write(&mut self, ops: &[Op]) -> Result<Vec<Done>> {
        let mut attempted = self.attempt(ops).await;
        if let (Err(Unwritten::BeforeItBegan(_)), Line::Postgres(connection)) = (&attempted, &mut self.line) {
            // The connection was gone, and nothing has happened on it: nobody need hear of that.
            connection.leave();
            attempted = self.attempt(ops).await;
        }
        attempted.map_err(|(Unwritten::BeforeItBegan(error) | Unwritten::Refused(error))| error)
    }

    async fn attempt(&mut self, ops: &[Op]) -> Result<Vec<Done>, Unwritten> {
        let now = self.clock.now();
        let mut tx = self.line.begin().await.map_err(|error| Unwritten::BeforeItBegan(error.into()))?;
        let done = batch::write(&mut tx, &mut self.bench, now, ops).await?;
        crash::point("ledger.written");
        tx.commit().await.map_err(StoreError::from)?;
        crash::point("ledger.committed");
        Ok(done)
    }
}

/// Why a batch was not written, or may not have been.
enum Unwritten {
    BeforeItBegan(StoreError),
    Refused(StoreError),
}

impl From<StoreError> for Unwritten {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// Is it the fault of one member, rather than of the database as a whole?
fn replies_may_differ(error: &StoreError) -> bool {
    match error {
        StoreError::Database(error) => is_about_one(error),
        StoreError::Closed => false,
        _ => true,
    }
}

/// The ledger's own way to the database.
enum Line {
    /// The writing connection is everybody's: SQLite has one writer.
    Sqlite(SqlitePool),
    Postgres(Box<OwnConnection>),
}

impl Line {
    fn to(db: Db) -> Self {
        match db {
            Db::Sqlite { write, .. } => Self::Sqlite(write),
            Db::Postgres(pool) => {
                Self::Postgres(Box::new(OwnConnection::beside(&pool, &PLANNER, STATEMENTS_KEPT)))
            }
        }
    }

    async fn begin(&mut self) -> sqlx::Result<Tx<'_>> {
        match self {
            Self::Sqlite(pool) => Ok(Tx::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
            Self::Postgres(connection) => connection.begin().await.map(Tx::Postgres),
        }
    }

    /// After an error that may have broken the connection, the next batch gets a new one.
    fn after(&mut self, error: &StoreError) {
        if let Self::Postgres(connection) = self
            && !replies_may_differ(error)
        {
            connection.leave();
        }
    }
}
