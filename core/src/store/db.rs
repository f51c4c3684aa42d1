//! The two engines behind one SQL text.
//!
//! SQLite has one writing connection and several reading ones: WAL lets readers go on while the one
//! writer commits, and a single writer never meets `SQLITE_BUSY` inside this process. Postgres has
//! one pool for both ([`patient`](super::patient)).

use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};

use super::patient::PatientPool;
use super::{Result, StoreError, postgres};
use crate::private;
use crate::seal::Seal;

/// What a power cut may take. Killing the process never takes anything.
///
/// `Power` is the default because many calls share one fsync. Measured on 2 busy cores, 64 callers,
/// sends of three writes each (`benches/ledger.rs`): SQLite 4,800/s with `Process` and 2,100 to
/// 2,700/s with `Power`; on Postgres no slowdown was seen. With 8 callers the fsync shows: SQLite
/// 2,300/s and 500/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// SQLite `synchronous=NORMAL`, Postgres `synchronous_commit=off`: a power cut may take the last
    /// commits (SQLite: since the last checkpoint; Postgres: at most about 600 ms), never
    /// consistency.
    Process,
    /// SQLite `synchronous=FULL`, Postgres `synchronous_commit=on`: what was answered survives a
    /// power cut.
    #[default]
    Power,
}

/// A connected database. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Db {
    Sqlite { write: SqlitePool, read: SqlitePool },
    Postgres(PatientPool),
}

/// Runs one body against a pool for reading: `read!(db, |pool| query.fetch_all(pool).await)`.
#[macro_export]
macro_rules! read {
    ($db:expr, |$pool:ident| $body:expr) => {
        match $db {
            $crate::store::Db::Sqlite { read: $pool, .. } => $body,
            $crate::store::Db::Postgres($pool) => $body,
        }
    };
}

/// Runs one body in a transaction and commits it; `?` or `return` inside rolls back.
///
/// `write!(db, |tx| query.execute(&mut *tx).await?)`. SQLite begins `IMMEDIATE`, so a transaction
/// that reads before it writes cannot fail half-way because the CLI wrote in between.
#[macro_export]
macro_rules! write {
    ($db:expr, |$tx:ident| $body:expr) => {
        match $db {
            $crate::store::Db::Sqlite { write, .. } => {
                let mut $tx = write.begin_with("BEGIN IMMEDIATE").await?;
                let out = $body;
                $tx.commit().await?;
                out
            }
            $crate::store::Db::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                let out = $body;
                $tx.commit().await?;
                out
            }
        }
    };
}

/// Where SQLite has rolled back by itself, as on a full disk, sqlx 0.9.0 finds nothing to roll back, believes its
/// transaction to be open for ever, and begins no other. A pool that asks this after each use replaces such a
/// connection.
///
/// # Errors
/// When the connection does not answer.
pub async fn is_clean(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    if connection.is_in_transaction() {
        // A rollback may be on its way yet; this comes back after it.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

impl Db {
    /// # Errors
    /// [`StoreError::UnknownEngine`] for a URL of another kind.
    pub async fn connect(url: &str, durability: Durability) -> Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(postgres::open(url, durability).await?));
        }
        if !url.starts_with("sqlite:") {
            let kind = url.split(':').next().unwrap_or_default();
            return Err(StoreError::UnknownEngine(kind.to_owned()));
        }
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                Durability::Process => SqliteSynchronous::Normal,
                Durability::Power => SqliteSynchronous::Full,
            })
            .busy_timeout(Duration::from_secs(10))
            .pragma("temp_store", "memory")
            .statement_cache_capacity(256);
        let file = options.get_filename();
        // In memory, or named by a URI of SQLite's own.
        if !file.as_os_str().is_empty() && !file.to_string_lossy().contains(':') {
            // A folder that is not there SQLite tells of itself.
            let _ = private::make(file);
        }
        // Measured with `benches/ledger.rs`: a bigger cache, mmap and pages of 8 KiB move nothing beyond
        // the noise of 15 %, so SQLite's own small defaults stay; a checkpoint every 4,000 pages writes
        // 10 % more, but the slowest sends wait half as long again. A file needs no sign of life before
        // each use, which saves 10 % CPU in small batches.
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(30))
            .after_release(|connection, _| Box::pin(is_clean(connection)))
            .connect_with(options.clone())
            .await?;
        let read = SqlitePoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self::Sqlite { write, read })
    }

    /// Brings the schema up to date. Safe to run by several processes at once.
    pub(super) async fn migrate(&self) -> Result<()> {
        match self {
            Self::Sqlite { write, .. } => {
                let steps = sqlx::migrate!("../migrations/sqlite");
                // sqlx locks only Postgres here. Two processes may take the same step; the second one
                // is refused, and finds it done when it looks again.
                for _ in steps.iter() {
                    if steps.run(write).await.is_ok() {
                        return Ok(());
                    }
                }
                Ok(steps.run(write).await?)
            }
            Self::Postgres(pool) => postgres::migrate(pool).await,
        }
    }

    /// A sealed canary tells a wrong master key at the start instead of at the first secret.
    pub(super) async fn check_seal(&self, seal: &Seal) -> Result<()> {
        const PLACE: &str = "settings:canary";
        let fresh = seal.seal(PLACE, b"wapid");
        let stored: Vec<u8> = crate::write!(self, |tx| {
            sqlx::query_scalar(
                "INSERT INTO settings (name, value) VALUES ('canary', $1)
                 ON CONFLICT (name) DO UPDATE SET value = settings.value RETURNING value",
            )
            .bind(fresh)
            .fetch_one(&mut *tx)
            .await?
        });
        seal.open(PLACE, &stored).map(|_| ()).map_err(|_| StoreError::WrongMasterKey)
    }

    /// Can anything be written? Asked where a commit has failed.
    pub(super) async fn probe(&self) -> Result<()> {
        const PROBE: &str = "UPDATE settings SET value = value WHERE name = 'canary'";
        crate::write!(self, |tx| sqlx::query(PROBE).execute(&mut *tx).await.map(drop)?);
        Ok(())
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As SQLite does it by itself when the disk is full.
    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_is_not_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("wapid.db").display());
        let db = Db::connect(&url, Durability::Process).await.unwrap();
        db.migrate().await.unwrap();
        let Db::Sqlite { write, .. } = &db else { panic!("it is SQLite") };
        for _ in 0..3 {
            let mut tx = write.begin_with("BEGIN IMMEDIATE").await.unwrap();
            sqlx::query("ROLLBACK").execute(&mut *tx).await.unwrap();
            drop(tx);
            db.probe().await.unwrap();
        }
    }
}
