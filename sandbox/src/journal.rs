//! The memory of the network that outlives the process.
//!
//! The working copy is in memory; the journal is a table of records behind it. Whoever changes
//! state appends the changed records while still holding the lock of what changed, so that the
//! order of appends is the order of changes, and gets a number back. A connection writes a stanza
//! only once that number is committed: nothing is on the wire that a crash could undo. One task
//! commits whatever is waiting in one transaction, so a busy network pays for few of them.
//!
//! Kept in memory only, nothing is encoded and every number is zero.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Notify, watch};
use tracing::error;

use crate::error::SandboxError;
use crate::limits;
use crate::private;

/// A place in the order of commits; zero is always committed.
pub(crate) type Seq = u64;

/// One row as it was read back.
pub(crate) struct Record {
    pub kind: String,
    pub key: String,
    pub value: Vec<u8>,
}

enum Write {
    Put {
        kind: &'static str,
        key: String,
        value: Vec<u8>,
    },
    Delete {
        kind: &'static str,
        key: String,
    },
    /// Every kind, every key that begins so. The end of a phone, a device or a book.
    DeleteAll {
        prefix: String,
    },
}

/// Changes that become durable together.
#[derive(Default)]
pub(crate) struct Batch {
    is_kept: bool,
    writes: Vec<Write>,
}

impl Batch {
    /// `value` runs only when something will remember it.
    pub(crate) fn put(
        &mut self,
        kind: &'static str,
        key: impl FnOnce() -> String,
        value: impl FnOnce() -> Vec<u8>,
    ) {
        if self.is_kept {
            self.writes.push(Write::Put { kind, key: key(), value: value() });
        }
    }

    pub(crate) fn delete(&mut self, kind: &'static str, key: impl FnOnce() -> String) {
        if self.is_kept {
            self.writes.push(Write::Delete { kind, key: key() });
        }
    }

    pub(crate) fn delete_all(&mut self, prefix: impl FnOnce() -> String) {
        if self.is_kept {
            self.writes.push(Write::DeleteAll { prefix: prefix() });
        }
    }
}

#[derive(Clone)]
pub(crate) struct Journal(Option<Arc<Kept>>);

struct Kept {
    waiting: Mutex<Waiting>,
    woken: Notify,
    committed: watch::Sender<Seq>,
}

#[derive(Default)]
struct Waiting {
    writes: Vec<Write>,
    last: Seq,
    is_closed: bool,
}

impl Journal {
    pub(crate) fn in_memory() -> Self {
        Self(None)
    }

    /// Opens the file, makes it if needed, and starts the writer. Returns what it held.
    pub(crate) async fn open(folder: &Path) -> Result<(Self, Vec<Record>), SandboxError> {
        let storage = |error: &dyn std::fmt::Display| SandboxError::Storage(error.to_string());
        let file = folder.join("sandbox.db");
        private::make_folder(folder).and_then(|()| private::make(&file)).map_err(|e| storage(&e))?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .after_release(|connection, _| Box::pin(is_clean(connection)))
            .connect_with(options)
            .await
            .map_err(|e| storage(&e))?;
        sqlx::query(
            "create table if not exists records (kind text not null, key text not null, value blob not null, \
             primary key (key, kind)) without rowid",
        )
        .execute(&pool)
        .await
        .map_err(|e| storage(&e))?;
        let rows: Vec<(String, String, Vec<u8>)> =
            sqlx::query_as("select kind, key, value from records order by kind, key")
                .fetch_all(&pool)
                .await
                .map_err(|e| storage(&e))?;
        let records = rows.into_iter().map(|(kind, key, value)| Record { kind, key, value }).collect();

        let kept = Arc::new(Kept {
            waiting: Mutex::default(),
            woken: Notify::new(),
            committed: watch::Sender::new(0),
        });
        tokio::spawn(write(Arc::clone(&kept), pool));
        Ok((Self(Some(kept)), records))
    }

    pub(crate) fn batch(&self) -> Batch {
        Batch { is_kept: self.0.is_some(), writes: Vec::new() }
    }

    /// Call it while the lock of what changed is held.
    pub(crate) fn append(&self, batch: Batch) -> Seq {
        let Some(kept) = &self.0 else { return 0 };
        let mut waiting = kept.waiting.lock();
        if batch.writes.is_empty() {
            // What came before may be the reason for the stanza that carries this number.
            return waiting.last;
        }
        waiting.last += 1;
        waiting.writes.extend(batch.writes);
        let seq = waiting.last;
        drop(waiting);
        kept.woken.notify_one();
        seq
    }

    pub(crate) fn has_committed(&self, seq: Seq) -> bool {
        self.0.as_ref().is_none_or(|kept| *kept.committed.borrow() >= seq)
    }

    pub(crate) async fn committed(&self, seq: Seq) {
        if let Some(kept) = &self.0 {
            // An error means the writer is gone, which happens only when the process ends.
            let _ = kept.committed.subscribe().wait_for(|done| *done >= seq).await;
        }
    }

    /// Everything appended so far is on disk when this returns.
    pub(crate) async fn settled(&self) {
        if let Some(kept) = &self.0 {
            let last = kept.waiting.lock().last;
            self.committed(last).await;
        }
    }

    /// Holds a reader back while the disk is far behind.
    pub(crate) async fn room(&self) {
        if let Some(kept) = &self.0
            && kept.waiting.lock().writes.len() > limits::UNWRITTEN_RECORDS
        {
            self.settled().await;
        }
    }

    pub(crate) fn close(&self) {
        if let Some(kept) = &self.0 {
            kept.waiting.lock().is_closed = true;
            kept.woken.notify_one();
        }
    }
}

async fn write(kept: Arc<Kept>, pool: SqlitePool) {
    loop {
        let (writes, last, is_closed) = {
            let mut waiting = kept.waiting.lock();
            (std::mem::take(&mut waiting.writes), waiting.last, waiting.is_closed)
        };
        if writes.is_empty() {
            if is_closed {
                pool.close().await;
                return;
            }
            kept.woken.notified().await;
            continue;
        }
        let mut is_first_failure = true;
        while let Err(error) = commit(&pool, &writes).await {
            // Stanzas that depend on these records wait; clients see a slow network, not a lie.
            if std::mem::take(&mut is_first_failure) {
                error!(%error, "The sandbox cannot write its state and holds its stanzas back");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        kept.committed.send_replace(last);
    }
}

/// Where SQLite has rolled back by itself, as on a full disk, sqlx 0.9.0 believes its transaction to be open for
/// ever. Such a connection is replaced.
async fn is_clean(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    if connection.is_in_transaction() {
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

async fn commit(pool: &SqlitePool, writes: &[Write]) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    for write in writes {
        match write {
            Write::Put { kind, key, value } => {
                sqlx::query("insert into records (kind, key, value) values ($1, $2, $3) on conflict (key, kind) do update set value = excluded.value")
                    .bind(*kind)
                    .bind(key)
                    .bind(value)
                    .execute(&mut *transaction)
                    .await?;
            }
            Write::Delete { kind, key } => {
                sqlx::query("delete from records where key = $2 and kind = $1")
                    .bind(*kind)
                    .bind(key)
                    .execute(&mut *transaction)
                    .await?;
            }
            Write::DeleteAll { prefix } => {
                // Keys hold no character at or above `~`, see `record.rs`.
                sqlx::query("delete from records where key >= $1 and key < $2")
                    .bind(prefix)
                    .bind(format!("{prefix}~"))
                    .execute(&mut *transaction)
                    .await?;
            }
        }
    }
    transaction.commit().await
}
