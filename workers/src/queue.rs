//! The queue that executes; the only file that names apalis.
//!
//! apalis 1.0.0 as it comes loses, repeats or stops in ways that were measured, so: batches of one (a
//! bigger batch is acknowledged late and run again after a crash), a poll of its own (otherwise it looks
//! every 30 s), a worker name that is new with every start (an old one is refused for a while after a
//! kill), results that are kept although nobody reads them (without a result nothing is acknowledged, and
//! all of it is run again 30 s after the worker's end), no events, no tracking, and a loop around the
//! worker, because any error of Redis ends it. Its handler never fails and never panics (`wakeups` sees to
//! it): it pokes, and what is poked has rows to go by.

use std::time::Duration;

use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{BackendExt as _, BoxDynError, TaskSink as _, WorkerBuilder};
use apalis_redis::RedisStorage;
use apalis_sqlite::SqliteStorage;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use super::server::Server;
use super::trouble::Trouble;

/// Keys in one task. A task costs its queue some ten times what a poke costs.
pub const KEYS_PER_TASK: usize = 64;
/// How often a worker looks.
const POLL: Duration = Duration::from_millis(150);
const HEARTBEAT: Duration = Duration::from_secs(10);
const MISSED_HEARTBEATS: usize = 3;
const CONCURRENCY: usize = 8;
/// Between a worker's end and its next start.
const RESTART_PAUSE: Duration = Duration::from_millis(500);
/// The worker's patience with Redis: longer than a caller of ours would wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Finished tasks that are taken away at a time.
const TIDY_STEP: usize = 500;

/// KEYS: done set, dead set, data hash; ARGV: prefix of the meta hashes, how many.
const TIDY: &str = "local gone = 0
    for _, set in ipairs({KEYS[1], KEYS[2]}) do
        for _, id in ipairs(redis.call('spop', set, ARGV[2])) do
            redis.call('hdel', KEYS[3], id)
            redis.call('hdel', ARGV[1] .. ':result', id)
            redis.call('del', ARGV[1] .. ':' .. id)
            gone = gone + 1
        end
    end
    return gone";

/// What apalis carries: keys to look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Poke {
    pub keys: Vec<String>,
}

#[derive(Clone)]
pub enum Executor {
    Redis { server: Server, config: apalis_redis::Config },
    Sqlite { pool: SqlitePool, config: apalis_sqlite::Config },
}

/// One worker's life. A macro, because the two backends have no type in common that can be named.
macro_rules! work_once {
    ($name:expr, $storage:expr, $poke:expr, $stop:expr) => {{
        let (poke, stop) = ($poke.clone(), $stop.clone());
        let handler = move |task: Poke| {
            let poke = poke.clone();
            async move {
                for key in &task.keys {
                    poke(key);
                }
                Ok::<(), BoxDynError>(())
            }
        };
        let stopped = async move {
            stop.cancelled().await;
            Ok::<(), std::io::Error>(())
        };
        let worker = WorkerBuilder::new($name)
            .backend($storage.poll_with_interval(POLL))
            .concurrency(CONCURRENCY)
            .build(handler);
        // Boxed: the compiler does not see through the types of a worker that is spawned.
        let life: BoxFuture<'static, _> = Box::pin(worker.run_until(stopped));
        life.await
    }};
}

impl Executor {
    pub fn redis(server: Server, instance: &str) -> Self {
        let config = apalis_redis::Config::default()
            .queue(format!("wapid:{{{instance}}}:now"))
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            .emit_events(false)
            .persist_results(true);
        Self::Redis { server, config }
    }

    pub async fn sqlite(pool: SqlitePool, instance: &str) -> anyhow::Result<Self> {
        // Not `setup`: it turns fsync off, on one connection of the pool.
        let mut steps = SqliteStorage::migrations();
        steps.set_ignore_missing(true).run(&pool).await?;
        let config = apalis_sqlite::Config::default()
            .queue(format!("wapid:{instance}"))
            .batch_size(1)
            .heartbeat_interval(HEARTBEAT)
            .missed_heartbeats(MISSED_HEARTBEATS)
            .persist_results(true);
        Ok(Self::Sqlite { pool, config })
    }

    /// Hands keys over for execution now.
    pub async fn push(&self, keys: &[String]) -> anyhow::Result<()> {
        for keys in keys.chunks(KEYS_PER_TASK) {
            let poke = Poke { keys: keys.to_vec() };
            match self {
                Self::Redis { server, config } => {
                    let mut storage =
                        RedisStorage::<Poke>::new(server.connection()).with_config(config.clone());
                    storage.push(poke).await?;
                }
                Self::Sqlite { pool, config } => {
                    let mut storage = SqliteStorage::<Poke>::new(pool).with_config(config.clone());
                    storage.push(poke).await?;
                }
            }
        }
        Ok(())
    }

    /// Tasks that wait.
    pub async fn depth(&self) -> anyhow::Result<u64> {
        match self {
            Self::Redis { server, config } => {
                let (active, scheduled): (u64, u64) = redis::pipe()
                    .cmd("LLEN")
                    .arg(config.active_jobs_list())
                    .cmd("ZCARD")
                    .arg(config.scheduled_jobs_set())
                    .query_async(&mut server.connection())
                    .await?;
                Ok(active + scheduled)
            }
            Self::Sqlite { pool, config } => {
                let count: i64 = sqlx::query_scalar(
                    "SELECT COUNT(*) FROM Jobs WHERE job_type = $1 AND status IN ('Pending', 'Queued')",
                )
                .bind(config.queue.to_string())
                .fetch_one(pool)
                .await?;
                Ok(u64::try_from(count).unwrap_or(0))
            }
        }
    }

    /// Takes some of what is finished away; apalis keeps it for ever. How many.
    pub async fn tidy(&self) -> anyhow::Result<usize> {
        match self {
            Self::Redis { server, config } => {
                let gone: usize = redis::Script::new(TIDY)
                    .key(config.done_jobs_set())
                    .key(config.dead_jobs_set())
                    .key(config.job_data_hash())
                    .arg(config.job_meta_hash())
                    .arg(TIDY_STEP)
                    .invoke_async(&mut server.connection())
                    .await?;
                Ok(gone)
            }
            Self::Sqlite { pool, .. } => {
                let gone = sqlx::query(
                    "DELETE FROM Jobs WHERE id IN
                        (SELECT id FROM Jobs WHERE status IN ('Done', 'Failed', 'Killed') LIMIT $1)",
                )
                .bind(i64::try_from(TIDY_STEP).unwrap_or(i64::MAX))
                .execute(pool)
                .await?;
                Ok(usize::try_from(gone.rows_affected()).unwrap_or(0))
            }
        }
    }

    /// Works until told to stop. Whatever ends a worker, the next one begins.
    pub async fn work<F>(self, poke: F, working: &Trouble, stop: CancellationToken)
    where
        F: Fn(&str) + Clone + Send + Sync + 'static,
    {
        while !stop.is_cancelled() {
            let ended = self.work_once(poke.clone(), &stop).await;
            if stop.is_cancelled() {
                return;
            }
            working.note(&ended);
            tokio::select! {
                () = tokio::time::sleep(RESTART_PAUSE) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn work_once<F>(&self, poke: F, stop: &CancellationToken) -> anyhow::Result<()>
    where
        F: Fn(&str) + Clone + Send + Sync + 'static,
    {
        let name = format!("{}-{}", std::process::id(), Ulid::new());
        match self {
            Self::Redis { server, config } => {
                // A connection per life: an old one may be dead without knowing it.
                let storage =
                    RedisStorage::<Poke>::new(server.connect(ANSWER_TIMEOUT)?).with_config(config.clone());
                Ok(work_once!(name, storage, poke, stop)?)
            }
            Self::Sqlite { pool, config } => {
                let storage = SqliteStorage::<Poke>::new(pool).with_config(config.clone());
                Ok(work_once!(name, storage, poke, stop)?)
            }
        }
    }
}
