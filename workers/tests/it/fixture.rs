//! A queue of its own per test, and a record of what it woke.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, AsyncConnectionConfig};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::Instant;
use wapid_core::clock::{At, Clock};
use wapid_workers::{Queue, Running, Wakeups};

/// 2026-03-08 10:30 UTC.
pub const START: At = At(1_772_965_800_000);
/// For what takes a moment on an idle machine and longer on a busy one.
pub const SOON: Duration = Duration::from_secs(30);

/// Runs each named test on SQLite and on Redis: `both!(a_fact, another)`.
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::fixture::Place::sqlite()).await;
            })*
        }
        mod on_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(place) = $crate::fixture::Place::redis() {
                    super::$name(place.clone()).await;
                    place.clear().await;
                }
            })*
        }
    };
}
pub(crate) use both;

/// Where the wake-ups of one process are, across its restarts.
#[derive(Clone)]
pub struct Place {
    pub queue: Queue,
    pub instance: String,
    pub clock: Clock,
    /// Deleted when the last clone goes.
    _folder: Option<Arc<TempDir>>,
}

impl Place {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = Queue::Sqlite(folder.path().join("wakeups.db"));
        Self { queue, instance: new_instance(), clock: Clock::manual(START), _folder: Some(Arc::new(folder)) }
    }

    /// In the Redis that all tests share.
    pub fn redis() -> Option<Self> {
        let Ok(url) = std::env::var("WAPID_TEST_REDIS") else {
            let meant = std::env::var("WAPID_TEST_SQLITE_ONLY").is_ok_and(|v| v == "1");
            assert!(meant, "set WAPID_TEST_REDIS, or WAPID_TEST_SQLITE_ONLY=1 to leave Redis out");
            return None;
        };
        Some(Self::at(&url))
    }

    pub fn at(url: &str) -> Self {
        let queue = Queue::redis(url);
        Self { queue, instance: new_instance(), clock: Clock::manual(START), _folder: None }
    }

    /// That of another process: in the same Redis, or in a file of its own.
    pub fn of_another_process(&self) -> Self {
        let other = match &self.queue {
            Queue::Redis { url, .. } => Self::at(url),
            Queue::Sqlite(_) => Self::sqlite(),
        };
        Self { clock: self.clock.clone(), ..other }
    }

    /// On the clock that everybody has.
    #[must_use]
    pub fn in_real_time(mut self) -> Self {
        self.clock = Clock::System;
        self
    }

    pub fn now(&self) -> At {
        self.clock.now()
    }

    /// The wake-ups as one process has them.
    pub async fn open(&self) -> Wakeups {
        Wakeups::open(self.queue.clone(), &self.instance, self.clock.clone()).await.unwrap()
    }

    /// A process that executes and remembers.
    pub async fn run(&self) -> (Wakeups, Seen, Running) {
        let (wakeups, seen) = (self.open().await, Seen::default());
        let running = wakeups.run(seen.recorder());
        (wakeups, seen, running)
    }

    /// A task as a stranger puts it into the queue that executes.
    pub async fn push_by_hand(&self, id: &str, payload: &[u8]) {
        match &self.queue {
            Queue::Redis { .. } => {
                let prefix = self.now_prefix();
                let meta: [(&str, &str); 3] =
                    [("attempts", "0"), ("max_attempts", "25"), ("status", "Pending")];
                let mut redis = self.redis_connection().await;
                let () = redis.hset(format!("{prefix}:data"), id, payload).await.unwrap();
                let () = redis.hset_multiple(format!("{prefix}:meta:{id}"), &meta).await.unwrap();
                let () = redis.rpush(format!("{prefix}:active"), id).await.unwrap();
            }
            Queue::Sqlite(_) => {
                sqlx::query(
                    "INSERT INTO Jobs (job, id, job_type, status, run_at) VALUES ($1, $2, $3, 'Pending', 0)",
                )
                .bind(payload)
                .bind(id)
                .bind(format!("wapid:{}", self.instance))
                .execute(&mut self.file().await)
                .await
                .unwrap();
            }
        }
    }

    /// So many wake-ups, `0`, `1`, …, in the second before `due`. `wake` would take longer than the test.
    pub async fn put_in_by_hand(&self, count: usize, due: At) {
        let count = i64::try_from(count).unwrap();
        match &self.queue {
            Queue::Redis { .. } => {
                let set = format!("wapid:{{{}}}:later", self.instance);
                let all: Vec<_> = (0..count).map(|n| (due.0 - n % 1_000, n)).collect();
                let mut redis = self.redis_connection().await;
                for some in all.chunks(5_000) {
                    let () = redis.zadd_multiple(&set, some).await.unwrap();
                }
            }
            Queue::Sqlite(_) => {
                sqlx::query(
                    "INSERT INTO later (key, at)
                     WITH RECURSIVE each (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM each WHERE n + 1 < $1)
                     SELECT n, $2 - n % 1000 FROM each",
                )
                .bind(count)
                .bind(due)
                .execute(&mut self.file().await)
                .await
                .unwrap();
            }
        }
    }

    /// How many tasks wait for a worker in Redis.
    pub async fn tasks(&self) -> i64 {
        let (prefix, mut redis) = (self.now_prefix(), self.redis_connection().await);
        let active: i64 = redis.llen(format!("{prefix}:active")).await.unwrap();
        let scheduled: i64 = redis.zcard(format!("{prefix}:scheduled")).await.unwrap();
        active + scheduled
    }

    /// What the queue holds beyond its one living worker. Empty when there is nothing to do.
    pub async fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        match &self.queue {
            Queue::Redis { .. } => {
                left.extend(self.keys().await);
                left.retain(|key| !key.contains(":workers"));
            }
            Queue::Sqlite(_) => {
                let mut file = self.file().await;
                for table in ["Jobs", "later", "moving"] {
                    let count = format!("SELECT COUNT(*) FROM {table}");
                    let count: i64 =
                        sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&mut file).await.unwrap();
                    if count > 0 {
                        left.push(format!("{table}: {count}"));
                    }
                }
            }
        }
        left
    }

    /// Waits until everything was executed and is forgotten.
    pub async fn until_empty(&self) {
        let deadline = Instant::now() + SOON;
        loop {
            let left = self.leftovers().await;
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still there: {left:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The names of workers that the queue remembers, living or dead.
    pub async fn workers(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.queue {
            Queue::Redis { .. } => {
                let prefix = self.now_prefix();
                let mut redis = self.redis_connection().await;
                let mut names: Vec<String> = redis.zrange(format!("{prefix}:workers"), 0, -1).await.unwrap();
                let about = format!("{prefix}:workers:metadata:");
                let known = self.keys().await;
                names.extend(known.iter().filter_map(|key| key.strip_prefix(&about)).map(Into::into));
                names
            }
            Queue::Sqlite(_) => {
                let names = sqlx::query_scalar("SELECT id FROM Workers");
                names.fetch_all(&mut self.file().await).await.unwrap()
            }
        };
        names.sort();
        names.dedup();
        names
    }

    /// Waits for a living worker, other than those before.
    pub async fn until_worker(&self, before: &[String]) -> Vec<String> {
        let deadline = Instant::now() + SOON;
        loop {
            let names = self.workers().await;
            if names.iter().any(|name| !before.contains(name)) {
                return names;
            }
            assert!(Instant::now() < deadline, "no worker but {before:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Every key of this process in Redis.
    pub async fn keys(&self) -> Vec<String> {
        let pattern = format!("wapid:{{{}}}:*", self.instance);
        self.redis_connection().await.keys(pattern).await.unwrap()
    }

    pub async fn redis_connection(&self) -> MultiplexedConnection {
        let Queue::Redis { url, .. } = &self.queue else { panic!("on SQLite") };
        let client = redis::Client::open(url.as_str()).unwrap();
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(SOON));
        client.get_multiplexed_async_connection_with_config(&patient).await.unwrap()
    }

    pub fn path(&self) -> &PathBuf {
        let Queue::Sqlite(path) = &self.queue else { panic!("on Redis") };
        path
    }

    pub async fn file(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path()).busy_timeout(SOON);
        options.connect().await.unwrap()
    }

    fn now_prefix(&self) -> String {
        format!("wapid:{{{}}}:now", self.instance)
    }

    /// Leaves a shared Redis as it was.
    pub async fn clear(&self) {
        if matches!(self.queue, Queue::Sqlite(_)) {
            return;
        }
        let mut redis = self.redis_connection().await;
        for key in self.keys().await {
            let () = redis.del(key).await.unwrap();
        }
    }
}

fn new_instance() -> String {
    format!("test_{:016x}", rand::random::<u64>())
}

/// What was executed: each key's times, by the real clock.
#[derive(Clone)]
pub struct Seen(Arc<watch::Sender<HashMap<String, Vec<At>>>>);

impl Default for Seen {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(HashMap::new())))
    }
}

impl Seen {
    pub fn note(&self, key: &str) {
        let now = Clock::System.now();
        self.0.send_modify(|seen| seen.entry(key.to_owned()).or_default().push(now));
    }

    pub fn recorder(&self) -> impl Fn(&str) + Clone + Send + Sync + 'static {
        let seen = self.clone();
        move |key| seen.note(key)
    }

    /// How often.
    pub fn times(&self, key: &str) -> usize {
        self.0.borrow().get(key).map_or(0, Vec::len)
    }

    pub fn distinct(&self) -> usize {
        self.0.borrow().len()
    }

    pub fn total(&self) -> usize {
        self.0.borrow().values().map(Vec::len).sum()
    }

    pub fn at(&self, key: &str) -> Option<At> {
        self.0.borrow().get(key).and_then(|times| times.first().copied())
    }

    pub async fn until(&self, key: &str) {
        assert!(self.comes(key, SOON).await, "`{key}` was not executed; {} others were", self.distinct());
    }

    /// Whether it is executed within that time.
    pub async fn comes(&self, key: &str, patience: Duration) -> bool {
        let mut watch = self.0.subscribe();
        let come = watch.wait_for(|seen| seen.contains_key(key));
        tokio::time::timeout(patience, come).await.is_ok()
    }

    pub async fn until_distinct(&self, count: usize, patience: Duration) {
        let mut watch = self.0.subscribe();
        let come = watch.wait_for(|seen| seen.len() >= count);
        let come = tokio::time::timeout(patience, come).await.is_ok();
        assert!(come, "{} of {count} were executed within {patience:?}", self.distinct());
    }
}

/// Runs calls side by side, so many at a time.
pub async fn side_by_side<F: Future<Output = ()> + Send + 'static>(
    width: usize,
    calls: impl Iterator<Item = F> + Send,
) {
    use futures::StreamExt as _;
    futures::stream::iter(calls).for_each_concurrent(width, |call| call).await;
}
