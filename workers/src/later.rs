//! Wake-ups that are not due yet: each key once, with its earliest time, in milliseconds.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use wapid_core::clock::At;

/// A Redis that does not answer within this is away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Only if it is still due: somebody may have put it off meanwhile. KEYS[1]: the set; ARGV: now, key, key, …
const REMOVE: &str = "local n = 0
    for i = 2, #ARGV do
        local at = redis.call('zscore', KEYS[1], ARGV[i])
        if at and tonumber(at) <= tonumber(ARGV[1]) then n = n + redis.call('zrem', KEYS[1], ARGV[i]) end
    end
    return n";

#[derive(Clone)]
pub enum Later {
    Redis { connection: ConnectionManager, set: String },
    Sqlite(SqlitePool),
}

/// The set of another process.
pub fn set_of(instance: &str) -> String {
    // Braces: every key of one process in one slot of a cluster.
    format!("wapid:{{{instance}}}:later")
}

impl Later {
    /// A Redis that is away is no error; it is tried again with every use.
    pub fn redis(url: &str, instance: &str) -> anyhow::Result<Self> {
        let connection = connect(url, ANSWER_TIMEOUT)?;
        Ok(Self::Redis { connection, set: set_of(instance) })
    }

    /// A file of its own: the queue's writes must not wait for the log's, nor the other way round.
    pub async fn sqlite(path: &Path) -> anyhow::Result<Self> {
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
            .connect_with(options)
            .await
            .with_context(|| format!("cannot open {}", path.display()))?;
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS later (key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID",
        )
        .execute(&pool)
        .await?;
        sqlx::query("CREATE INDEX IF NOT EXISTS later_by_time ON later (at)").execute(&pool).await?;
        Ok(Self::Sqlite(pool))
    }

    pub async fn put(&self, key: &str, at: At) -> anyhow::Result<()> {
        match self {
            Self::Redis { connection, set } => put_into(connection, set, key, at).await,
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
            Self::Redis { connection, .. } => put_into(connection, &set_of(instance), key, at).await,
            Self::Sqlite(_) => Ok(()),
        }
    }

    /// Keys that are due, the longest due first.
    pub async fn due(&self, now: At, limit: usize) -> anyhow::Result<Vec<String>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        match self {
            Self::Redis { connection, set } => Ok(redis::cmd("ZRANGEBYSCORE")
                .arg(set)
                .arg("-inf")
                .arg(now.0)
                .arg("LIMIT")
                .arg(0)
                .arg(limit)
                .query_async(&mut connection.clone())
                .await?),
            Self::Sqlite(pool) => {
                let due = "SELECT key FROM later WHERE at <= $1 ORDER BY at LIMIT $2";
                Ok(sqlx::query_scalar(due).bind(now).bind(limit).fetch_all(pool).await?)
            }
        }
    }

    /// Takes keys out that were due at `now` and still are.
    pub async fn remove(&self, now: At, keys: &[String]) -> anyhow::Result<()> {
        match self {
            Self::Redis { connection, set } => {
                let script = redis::Script::new(REMOVE);
                let mut call = script.key(set);
                call.arg(now.0);
                for key in keys {
                    call.arg(key);
                }
                let _: i64 = call.invoke_async(&mut connection.clone()).await?;
            }
            Self::Sqlite(pool) => {
                let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                for key in keys {
                    sqlx::query("DELETE FROM later WHERE key = $1 AND at <= $2")
                        .bind(key)
                        .bind(now)
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// When the first of them is due.
    pub async fn next(&self) -> anyhow::Result<Option<At>> {
        match self {
            Self::Redis { connection, set } => {
                let first: Vec<(String, f64)> = redis::cmd("ZRANGE")
                    .arg(set)
                    .arg(0)
                    .arg(0)
                    .arg("WITHSCORES")
                    .query_async(&mut connection.clone())
                    .await?;
                #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit a double's 53 bits")]
                Ok(first.first().map(|(_, at)| At(*at as i64)))
            }
            Self::Sqlite(pool) => Ok(sqlx::query_scalar("SELECT MIN(at) FROM later").fetch_one(pool).await?),
        }
    }

    pub async fn len(&self) -> anyhow::Result<u64> {
        match self {
            Self::Redis { connection, set } => {
                Ok(redis::cmd("ZCARD").arg(set).query_async(&mut connection.clone()).await?)
            }
            Self::Sqlite(pool) => {
                let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM later").fetch_one(pool).await?;
                Ok(u64::try_from(count).unwrap_or(0))
            }
        }
    }
}

async fn put_into(connection: &ConnectionManager, set: &str, key: &str, at: At) -> anyhow::Result<()> {
    // LT: a new key, or an earlier time for a known one.
    let put: Result<i64, _> =
        redis::cmd("ZADD").arg(set).arg("LT").arg(at.0).arg(key).query_async(&mut connection.clone()).await;
    put.map(drop).map_err(Into::into)
}

/// A connection that comes back by itself, for ever. Its patience is its user's.
pub fn connect(url: &str, answer_timeout: Duration) -> anyhow::Result<ConnectionManager> {
    let client = redis::Client::open(url).context("WAPID_REDIS_URL is not a Redis URL")?;
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(answer_timeout))
        .set_min_delay(Duration::from_millis(50))
        .set_max_delay(Duration::from_secs(1))
        .set_number_of_retries(2);
    Ok(ConnectionManager::new_lazy_with_config(client, config)?)
}
