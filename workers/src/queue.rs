//! The queue that executes; the only file that names apalis.
//!
//! apalis 1.0.0 as it comes loses, repeats or stops in ways that were measured, so: batches of one (a
//! bigger batch is acknowledged late and run again after a crash), a look of our own ([`Look`]; by itself
//! it looks with its heartbeat), a worker name that is new with every start (an old one is refused for a while after a
//! kill), results that are kept although nobody reads them (without a result nothing is acknowledged, and
//! all of it is run again 30 s after the worker's end), no events, no tracking, a codec that reads
//! everything (a task that does not read ends every worker that meets it), and a loop around the worker
//! (`worker`), because any error of Redis ends it. Its handler never fails and never panics (`wakeups`
//! sees to it): it pokes, and what is poked has rows to go by.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt as _;
use apalis::prelude::{
    BackendExt as _, BoxDynError, Codec, Event, EventListenerExt as _, TaskSink as _, WorkerBuilder,
};
use apalis_core::backend::ext::poll_strategy::{PollSnapshot, PollStrategy};
use apalis_redis::RedisStorage;
use apalis_sqlite::SqliteStorage;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Interval;
use tokio_util::sync::CancellationToken;
use tracing::error;
use ulid::Ulid;

use super::server::Server;
use super::wakeups::KEY_MAX;

/// Keys in one task. A task costs its queue some ten times what a poke costs.
const KEYS_PER_TASK: usize = 64;
/// The largest task of ours: JSON writes some bytes as six.
const TASK_MAX: usize = KEYS_PER_TASK * (6 * KEY_MAX + 3) + 16;
/// How often a worker looks although nothing was pushed.
const LOOK: Duration = Duration::from_secs(1);
/// And once more after a push: the look that was under way then may have come too early.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const HEARTBEAT: Duration = Duration::from_secs(10);
const MISSED_HEARTBEATS: usize = 3;
const CONCURRENCY: usize = 8;
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
struct Poke {
    keys: Vec<String>,
}

impl Poke {
    /// What is none of ours has no keys: done at once, and gone.
    fn read(bytes: &[u8]) -> Self {
        let task = (bytes.len() <= TASK_MAX).then(|| serde_json::from_slice::<Self>(bytes).ok()).flatten();
        let ours = |key: &String| (1..=KEY_MAX).contains(&key.len());
        if let Some(task) = task.filter(|task| task.keys.iter().all(ours)) {
            return task;
        }
        say_dropped(bytes.len());
        Self { keys: Vec::new() }
    }
}

fn say_dropped(bytes: usize) {
    error!("A task of {bytes} bytes in the queue of wake-ups is none of ours; it was dropped");
}

/// Reads everything.
#[derive(Clone)]
struct Lenient;

impl Codec<Poke> for Lenient {
    type Compact = Vec<u8>;
    type Error = serde_json::Error;

    fn encode(&self, poke: &Poke) -> Result<Vec<u8>, Self::Error> {
        serde_json::to_vec(poke)
    }

    fn decode(&self, bytes: &Vec<u8>) -> Result<Poke, Self::Error> {
        Ok(Poke::read(bytes))
    }
}

/// When a worker looks for tasks: as soon as one was pushed, and now and then.
///
/// apalis' own interval arms its next timer only when it is asked again. A fetch that is answered at once
/// is not followed by a question; then the worker sleeps until its next heartbeat, as was seen with SQLite.
struct Look {
    every: Interval,
    pushed: Arc<Notify>,
    push: Pin<Box<OwnedNotified>>,
}

impl Look {
    fn new(pushed: Arc<Notify>) -> Self {
        let push = Box::pin(pushed.clone().notified_owned());
        Self { every: tokio::time::interval(LOOK), pushed, push }
    }
}

impl PollStrategy for Look {
    /// Each is asked until it says that it will wake us.
    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        while self.push.as_mut().poll(cx).is_ready() {
            self.push.set(self.pushed.clone().notified_owned());
            self.every.reset_after(LOOK_AGAIN);
        }
        while self.every.poll_tick(cx).is_ready() {}
        Poll::Pending
    }
}

#[derive(Clone)]
pub enum Executor {
    Redis { server: Server, config: apalis_redis::Config },
    Sqlite { pool: SqlitePool, config: apalis_sqlite::Config },
}

/// What workers held when they ended.
#[derive(Default)]
pub struct Held {
    pub keys: Vec<String>,
    /// Their ids on Redis, and their row numbers on SQLite.
    tasks: Vec<Vec<u8>>,
    rows: Vec<i64>,
    workers: Vec<Vec<u8>>,
}

/// One worker's life. A macro, because the two backends have no type in common that can be named.
macro_rules! work_once {
    ($storage:expr, $poke:expr, $alive:expr, $pushed:expr, $stop:expr) => {{
        let (poke, alive, stop) = ($poke, $alive, $stop.clone());
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
        let worker = WorkerBuilder::new(format!("{}-{}", std::process::id(), Ulid::new()))
            .backend($storage.with_codec(Lenient).poll_with_strategy(Look::new($pushed)))
            .concurrency(CONCURRENCY)
            .on_event(move |_, event| {
                if matches!(event, Event::HeartBeat) {
                    alive();
                }
            })
            .build(handler);
        // Boxed: the compiler does not see through the types of a worker that is spawned.
        let life: BoxFuture<'static, _> = Box::pin(worker.run_until(stopped));
        Ok(life.await?)
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
        let tasks = keys.chunks(KEYS_PER_TASK).map(|keys| Poke { keys: keys.to_vec() }).collect();
        match self {
            Self::Redis { server, config } => {
                let storage = RedisStorage::<Poke>::new(server.connection());
                storage.with_config(config.clone()).push_bulk(tasks).await?;
            }
            Self::Sqlite { pool, config } => {
                SqliteStorage::<Poke>::new(pool).with_config(config.clone()).push_bulk(tasks).await?;
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

    /// What workers took and did not finish, while no worker lives.
    pub async fn held_by_the_dead(&self) -> anyhow::Result<Held> {
        let mut held = Held::default();
        match self {
            Self::Redis { server, config } => {
                let mut redis = server.connection();
                // Names and ids are bytes here: what is none of ours need not read.
                held.workers = redis::cmd("ZRANGE")
                    .arg(config.workers_set())
                    .arg(0)
                    .arg(-1)
                    .query_async(&mut redis)
                    .await?;
                for worker in &held.workers {
                    let taken = under(&config.inflight_jobs_set(), worker);
                    let ids: Vec<Vec<u8>> = redis::cmd("SMEMBERS").arg(taken).query_async(&mut redis).await?;
                    held.tasks.extend(ids);
                }
                for id in &held.tasks {
                    let payload: Option<Vec<u8>> = redis::cmd("HGET")
                        .arg(config.job_data_hash())
                        .arg(id)
                        .query_async(&mut redis)
                        .await?;
                    held.keys.extend(Poke::read(&payload.unwrap_or_default()).keys);
                }
            }
            Self::Sqlite { pool, .. } => {
                let unfinished: Vec<(i64, String, Vec<u8>, bool)> = sqlx::query_as(
                    "SELECT rowid, CAST(id AS TEXT), CAST(job AS BLOB), status <> 'Pending' FROM Jobs
                     WHERE status IN ('Pending', 'Queued', 'Running')",
                )
                .fetch_all(pool)
                .await?;
                for (row, id, payload, was_taken) in unfinished {
                    // Over such an id the worker ends before it has taken the row.
                    if Ulid::from_string(&id).is_err() {
                        say_dropped(payload.len());
                    } else if was_taken {
                        held.keys.extend(Poke::read(&payload).keys);
                    } else {
                        continue;
                    }
                    held.rows.push(row);
                }
            }
        }
        Ok(held)
    }

    /// Takes away what the dead held, and the dead; apalis keeps them for ever.
    pub async fn forget(&self, held: Held) -> anyhow::Result<()> {
        match self {
            Self::Redis { server, config } => {
                let mut all = redis::pipe();
                for id in &held.tasks {
                    all.cmd("HDEL").arg(config.job_data_hash()).arg(id);
                    all.cmd("DEL").arg(under(&config.job_meta_hash(), id));
                }
                for worker in &held.workers {
                    all.cmd("DEL").arg(under(&config.inflight_jobs_set(), worker));
                    all.cmd("DEL").arg(under(&format!("{}:metadata", config.workers_set()), worker));
                    all.cmd("ZREM").arg(config.workers_set()).arg(worker);
                }
                if !held.workers.is_empty() {
                    all.exec_async(&mut server.connection()).await?;
                }
            }
            Self::Sqlite { pool, .. } => {
                let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                for row in held.rows {
                    sqlx::query("DELETE FROM Jobs WHERE rowid = $1").bind(row).execute(&mut *tx).await?;
                }
                // What is finished names its worker.
                sqlx::query("DELETE FROM Jobs WHERE status NOT IN ('Pending', 'Queued', 'Running')")
                    .execute(&mut *tx)
                    .await?;
                sqlx::query("DELETE FROM Workers WHERE id NOT IN (SELECT lock_by FROM Jobs WHERE lock_by IS NOT NULL)")
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// Works until told to stop, or until something ends the worker. `pushed` is rung after a push;
    /// `alive` is called whenever the worker has shown that it lives.
    pub async fn work<F, A>(
        self,
        poke: F,
        alive: A,
        pushed: Arc<Notify>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()>
    where
        F: Fn(&str) + Clone + Send + Sync + 'static,
        A: Fn() + Send + Sync + 'static,
    {
        match self {
            Self::Redis { server, config } => {
                // A connection per life: an old one may be dead without knowing it.
                let storage = RedisStorage::<Poke>::new(server.connect(ANSWER_TIMEOUT)?).with_config(config);
                work_once!(storage, poke, alive, pushed, stop)
            }
            Self::Sqlite { pool, config } => {
                let storage = SqliteStorage::<Poke>::new(&pool).with_config(config);
                work_once!(storage, poke, alive, pushed, stop)
            }
        }
    }
}

/// A key of Redis.
fn under(prefix: &str, rest: &[u8]) -> Vec<u8> {
    [prefix.as_bytes(), b":", rest].concat()
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::Instant;

    use super::*;

    /// Polls whenever woken, as a fetch that has nothing leaves no waker behind, until `is_over`.
    async fn poll(look: &mut Look, patience: Duration, mut is_over: impl FnMut() -> bool) {
        let over = poll_fn(|cx| {
            let _ = look.poll_drive(cx, &PollSnapshot::new());
            if is_over() { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::time::timeout(patience, over).await.expect("nobody wakes the worker");
    }

    #[tokio::test]
    async fn a_worker_whose_fetch_is_answered_at_once_is_woken_again() {
        let mut polls = 0;
        let third = || {
            polls += 1;
            polls == 3
        };
        poll(&mut Look::new(Arc::default()), HEARTBEAT / 2, third).await;
    }

    #[tokio::test]
    async fn a_push_wakes_a_worker_at_once_and_a_little_later() {
        let pushed = Arc::<Notify>::default();
        let mut look = Look::new(pushed.clone());
        poll(&mut look, LOOK, || true).await;
        let began = Instant::now();
        pushed.notify_one();
        poll(&mut look, HEARTBEAT, || began.elapsed() >= LOOK_AGAIN).await;
        assert!(began.elapsed() < LOOK / 2, "{:?}", began.elapsed());
    }
}
