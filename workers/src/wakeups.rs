//! The front: wake, run, stop.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;
use wapid_core::clock::{At, Clock};
use wapid_core::crash;

use super::later::Later;
use super::queue::Executor;
use super::server::Server;
use super::trouble::Trouble;
use super::{promoter, worker};

/// The longest key, in bytes.
pub const KEY_MAX: usize = 256;
/// A caller never waits longer for a queue that is away,
const PATIENCE: Duration = Duration::from_secs(2);
/// and hardly at all once another one tried in vain.
const LITTLE_PATIENCE: Duration = Duration::from_millis(100);
/// A stop waits so long for what is being executed.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// Where wake-ups wait.
#[derive(Clone)]
pub enum Queue {
    /// With `rediss://` it proves who it is, by the file of an authority's certificates or by the system's own.
    Redis { url: String, authority: Option<PathBuf> },
    /// A file of its own.
    Sqlite(PathBuf),
}

impl Queue {
    /// A Redis, believed by whom the system believes.
    pub fn redis(url: impl Into<String>) -> Self {
        Self::Redis { url: url.into(), authority: None }
    }
}

/// A process's wake-ups. Cheap to clone.
#[derive(Clone)]
pub struct Wakeups(Arc<Inner>);

pub(super) struct Inner {
    pub later: Later,
    pub executor: Executor,
    pub clock: Clock,
    /// Something earlier than everything before was put in.
    pub put: Notify,
    /// The queue has something to execute.
    pub pushed: Arc<Notify>,
    pub moving: Trouble,
    pub working: Trouble,
    putting: Trouble,
    /// Somebody tried in vain, and nobody had an answer since.
    failed: AtomicBool,
}

impl Wakeups {
    /// `instance` names this process, and does so again after a restart.
    ///
    /// # Errors
    /// When the file does not open or the URL does not read. A Redis that is away is no error.
    pub async fn open(queue: Queue, instance: &str, clock: Clock) -> anyhow::Result<Self> {
        let mut is_encrypted = false;
        let (later, executor) = match queue {
            Queue::Redis { url, authority } => {
                let server = Server::at(&url, authority.as_deref())?;
                is_encrypted = server.is_encrypted();
                (Later::redis(server.clone(), instance), Executor::redis(server, instance))
            }
            Queue::Sqlite(path) => {
                let later = Later::sqlite(&path).await?;
                let Later::Sqlite(pool) = &later else { unreachable!("made above") };
                let executor = Executor::sqlite(pool.clone(), instance).await?;
                (later, executor)
            }
        };
        Ok(Self(Arc::new(Inner {
            later,
            executor,
            clock,
            put: Notify::new(),
            pushed: Arc::default(),
            moving: Trouble::with("Moving wake-ups into the queue", is_encrypted),
            working: Trouble::with("Executing wake-ups", is_encrypted),
            putting: Trouble::with("Putting wake-ups in", is_encrypted),
            failed: AtomicBool::new(false),
        })))
    }

    /// "Look at `key`, not before `at`", to this process. As good as it goes: what a queue that is away
    /// loses, the sweep finds.
    pub async fn wake(&self, key: &str, at: At) {
        if self.try_out(key, self.0.later.put(key, at)).await {
            crash::point("wakeup.put");
            self.0.put.notify_one();
        }
    }

    /// The same to another process.
    pub async fn wake_elsewhere(&self, instance: &str, key: &str, at: At) {
        self.try_out(key, self.0.later.put_elsewhere(instance, key, at)).await;
    }

    /// Calls `poke` with every key whose time has come, at least once each. It is to be quick.
    pub fn run<F>(&self, poke: F) -> Running
    where
        F: Fn(&str) + Clone + Send + Sync + 'static,
    {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let careful = move |key: &str| {
            // One key's bug is not its neighbours'.
            if std::panic::catch_unwind(AssertUnwindSafe(|| poke(key))).is_err() {
                error!("A wake-up met a panic: {key}");
            }
        };
        tasks.spawn(promoter::run(self.0.clone(), stop.clone()));
        tasks.spawn(promoter::tidy(self.0.clone(), stop.clone()));
        tasks.spawn(worker::run(self.0.clone(), careful, stop.clone()));
        Running { stop, tasks }
    }

    /// Wake-ups that wait; `None` while nobody can tell.
    pub async fn depth(&self) -> Option<u64> {
        let later = tokio::time::timeout(PATIENCE, self.0.later.len()).await.ok()?.ok()?;
        let now = tokio::time::timeout(PATIENCE, self.0.executor.depth()).await.ok()?.ok()?;
        Some(later + now)
    }

    async fn try_out(&self, key: &str, put: impl Future<Output = anyhow::Result<()>>) -> bool {
        if key.is_empty() || key.len() > KEY_MAX {
            error!("A wake-up's key has 1 to {KEY_MAX} bytes; this one was dropped");
            return false;
        }
        let patience = if self.0.failed.load(Ordering::Acquire) { LITTLE_PATIENCE } else { PATIENCE };
        let result = match tokio::time::timeout(patience, put).await {
            Ok(result) => result,
            Err(_) => Err(anyhow::anyhow!("no answer within {patience:?}")),
        };
        self.0.failed.store(result.is_err(), Ordering::Release);
        self.0.putting.note(&result);
        result.is_ok()
    }
}

impl Inner {
    /// The queue has answered.
    pub(super) fn note_answer(&self) {
        self.failed.store(false, Ordering::Release);
    }
}

/// Runs until it is stopped or dropped.
pub struct Running {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    /// Finishes what is being executed; the rest waits for the next start.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP_PATIENCE, finished).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
