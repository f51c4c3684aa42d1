//! Wake-ups that are not due yet: each key once, with its earliest time, in milliseconds. And those on
//! their way into the queue.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use redis::aio::ConnectionManager;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use wapid_core::clock::At;

use super::server::Server;

/// What is moving since before goes first. KEYS: later, moving; ARGV: now, how many. The set grows before
/// the other shrinks: a Redis that is full refuses the first and then changes nothing.
const TAKE: &str = "local left = redis.call('smembers', KEYS[2])
    if #left > 0 then return left end
    local due = redis.call('zrangebyscore', KEYS[1], '-inf', ARGV[1], 'limit', 0, ARGV[2])
    if #due > 0 then
        redis.call('sadd', KEYS[2], unpack(due))
        redis.call('zrem', KEYS[1], unpack(due))
    end
    return due";

const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS later (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS later_by_time ON later (at)",
    "CREATE TABLE IF NOT EXISTS moving (key TEXT PRIMARY KEY) WITHOUT ROWID",
];

#[derive(Clone)]
pub enum Later {
    Redis { server: Server, later: String, moving: String },
    Sqlite(SqlitePool),
}

/// The set of another process.
fn set_of(instance: &str) -> String {
    format!("wapid:{{{instance}}}:later")
}

impl Later {
    pub fn redis(server: Server, instance: &str) -> Self {
        Self::Redis { server, later: set_of(instance), moving: format!("wapid:{{{instance}}}:moving") }
    }

    /// A file of its own: the queue's writes must not wait for the log's, nor the other way round.
    pub async fn sqlite(path: &Path) -> anyhow::Result<Self> {
        wapid_core::private::make(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A power cut may take the last wake-ups, which the sweep makes again.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10));
        // One connection: two writers wait for each other by sleeping, and while one waits the log, which
        // then holds everything that was ever written, cannot begin anew.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .after_release(|connection, _| Box::pin(wapid_core::store::is_clean(connection)))
            .connect_with(options)
            .await
            .with_context(|| format!("cannot open {}", path.display()))?;
        for table in TABLES {
            sqlx::query(table).execute(&pool).await?;
        }
        Ok(Self::Sqlite(pool))
    }

    pub async fn put(&self, key: &str, at: At) -> anyhow::Result<()> {
        match self {
            Self::Redis { server, later, .. } => put_into(server.connection(), later, key, at).await,
            Self::Sqlite(pool) => {
                sqlx::query(
                    "INSERT INTO later (key, at) VALUES ($1, $2)
                     ON CONFLICT (key) DO UPDATE SET at = min(at, excluded.at)",
                )
                .bind(key)
                .bind(at)
                .execute(pool)
                .await?;
                Ok(())
            }
        }
    }

    /// The same for another process. SQLite's file is this process's own; the other one's sweep finds it.
    pub async fn put_elsewhere(&self, instance: &str, key: &str, at: At) -> anyhow::Result<()> {
        match self {
            Self::Redis { server, .. } => put_into(server.connection(), &set_of(instance), key, at).await,
            Self::Sqlite(_) => Ok(()),
        }
    }

    /// When the first of them is due. What is moving since before is due.
    pub async fn next(&self) -> anyhow::Result<Option<At>> {
        match self {
            Self::Redis { server, later, moving } => {
                let (first, moving): (Vec<(String, f64)>, u64) = redis::pipe()
                    .cmd("ZRANGE")
                    .arg(later)
                    .arg(0)
                    .arg(0)
                    .arg("WITHSCORES")
                    .cmd("SCARD")
                    .arg(moving)
                    .query_async(&mut server.connection())
                    .await?;
                #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit a double's 53 bits")]
                let first = first.first().map(|(_, at)| At(*at as i64));
                Ok(if moving > 0 { Some(At(0)) } else { first })
            }
            Self::Sqlite(pool) => {
                let next = "SELECT CASE WHEN EXISTS (SELECT 1 FROM moving) THEN 0
                                        ELSE (SELECT MIN(at) FROM later) END";
                Ok(sqlx::query_scalar(next).fetch_one(pool).await?)
            }
        }
    }

    /// Takes keys that are due out and notes them as moving, the longest due first. What is moving since
    /// before goes alone.
    pub async fn take(&self, now: At, limit: usize) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Redis { server, later, moving } => Ok(redis::Script::new(TAKE)
                .key(later)
                .key(moving)
                .arg(now.0)
                .arg(limit)
                .invoke_async(&mut server.connection())
                .await?),
            Self::Sqlite(pool) => {
                let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM moving").fetch_one(&mut *tx).await?;
                if left == 0 {
                    let due = "INSERT INTO moving SELECT key FROM later WHERE at <= $1 ORDER BY at LIMIT $2";
                    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                    sqlx::query(due).bind(now).bind(limit).execute(&mut *tx).await?;
                    let gone = "DELETE FROM later WHERE key IN (SELECT key FROM moving)";
                    sqlx::query(gone).execute(&mut *tx).await?;
                }
                let keys = sqlx::query_scalar("SELECT key FROM moving").fetch_all(&mut *tx).await?;
                tx.commit().await?;
                Ok(keys)
            }
        }
    }

    /// The queue has them.
    pub async fn moved(&self, keys: &[String]) -> anyhow::Result<()> {
        match self {
            Self::Redis { server, moving, .. } => {
                let mut redis = server.connection();
                let _: u64 = redis::cmd("SREM").arg(moving).arg(keys).query_async(&mut redis).await?;
            }
            Self::Sqlite(pool) => {
                // A file has one process, which moves one step at a time.
                sqlx::query("DELETE FROM moving").execute(pool).await?;
            }
        }
        Ok(())
    }

    pub async fn len(&self) -> anyhow::Result<u64> {
        match self {
            Self::Redis { server, later, moving } => {
                let (later, moving): (u64, u64) = redis::pipe()
                    .cmd("ZCARD")
                    .arg(later)
                    .cmd("SCARD")
                    .arg(moving)
                    .query_async(&mut server.connection())
                    .await?;
                Ok(later + moving)
            }
            Self::Sqlite(pool) => {
                let count = "SELECT (SELECT COUNT(*) FROM later) + (SELECT COUNT(*) FROM moving)";
                let count: i64 = sqlx::query_scalar(count).fetch_one(pool).await?;
                Ok(u64::try_from(count).unwrap_or(0))
            }
        }
    }

    /// After an error: the next call takes another way.
    pub fn leave_connection(&self) {
        if let Self::Redis { server, .. } = self {
            server.leave_connection();
        }
    }
}

async fn put_into(mut redis: ConnectionManager, set: &str, key: &str, at: At) -> anyhow::Result<()> {
    // LT: a new key, or an earlier time for a known one.
    let _: u64 = redis::cmd("ZADD").arg(set).arg("LT").arg(at.0).arg(key).query_async(&mut redis).await?;
    Ok(())
}
