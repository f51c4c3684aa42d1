//! Keeps a worker at work, whatever ends one.
//!
//! Between two workers nobody executes, so whatever the last one held is taken back then: at once after
//! a kill, where apalis would wait for 30 s of silence, and without what it cannot read, which would end
//! every worker that meets it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::wakeups::Inner;

/// Between a worker's end and the next one's start.
const PAUSE: Duration = Duration::from_millis(500);

pub async fn run<F>(wakeups: Arc<Inner>, poke: F, stop: CancellationToken)
where
    F: Fn(&str) + Clone + Send + Sync + 'static,
{
    while !stop.is_cancelled() {
        // Not all of apalis' panics are ours to avoid.
        let life = AssertUnwindSafe(live(wakeups.clone(), poke.clone(), &stop)).catch_unwind().await;
        let ended = life.unwrap_or_else(|_| Err(anyhow::anyhow!("the worker panicked")));
        if ended.is_err() {
            wakeups.working.note(&ended);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn live<F>(wakeups: Arc<Inner>, poke: F, stop: &CancellationToken) -> anyhow::Result<()>
where
    F: Fn(&str) + Clone + Send + Sync + 'static,
{
    take_back(&wakeups).await?;
    let (executor, pushed) = (wakeups.executor.clone(), wakeups.pushed.clone());
    executor.work(poke, move || wakeups.working.end(), pushed, stop).await
}

/// Puts them in again before the queue forgets them: a crash in between wakes twice.
async fn take_back(wakeups: &Inner) -> anyhow::Result<()> {
    let held = wakeups.executor.held_by_the_dead().await?;
    let now = wakeups.clock.now();
    for key in &held.keys {
        wakeups.later.put(key, now).await?;
    }
    if !held.keys.is_empty() {
        wakeups.put.notify_one();
    }
    wakeups.executor.forget(held).await
}
