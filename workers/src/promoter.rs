//! Moves what is due into the queue, a bounded number at a time, and takes away what is finished.
//!
//! On the way a key is in neither place but noted as moving, so that a crash wakes twice, never not at
//! all; and whoever wakes it meanwhile puts it in anew, so that it is executed once more.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wapid_core::clock::At;
use wapid_core::crash;

use super::wakeups::Inner;

/// Keys that are moved at a time.
const STEP: usize = 1_024;
/// Tasks that may wait in the queue. apalis-redis fails for ever beyond 8,000.
const DEPTH_MAX: u64 = 256;
/// How often we look for what other processes put in.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How soon we look whether there is room again.
const ROOM_PAUSE: Duration = Duration::from_millis(50);
/// After an error.
const FAULT_PAUSE: Duration = Duration::from_millis(500);
/// How often finished tasks are taken away.
const TIDY_EVERY: Duration = Duration::from_secs(1);

pub async fn run(wakeups: Arc<Inner>, stop: CancellationToken) {
    loop {
        let step = promote(&wakeups).await;
        wakeups.moving.note(&step);
        match &step {
            Ok(_) => wakeups.note_answer(),
            Err(_) => wakeups.later.leave_connection(),
        }
        let pause = async {
            match step {
                Ok(Step::More) => {}
                Ok(Step::Full) => tokio::time::sleep(ROOM_PAUSE).await,
                Err(_) => tokio::time::sleep(FAULT_PAUSE).await,
                Ok(Step::Until(first)) => tokio::select! {
                    () = until(&wakeups, first) => {}
                    () = wakeups.put.notified() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                },
            }
        };
        tokio::select! {
            () = pause => {}
            () = stop.cancelled() => return,
        }
    }
}

enum Step {
    /// The queue has as much as it may have.
    Full,
    More,
    /// Nothing is due before then.
    Until(Option<At>),
}

async fn until(wakeups: &Inner, first: Option<At>) {
    match first {
        Some(first) => wakeups.clock.until(first).await,
        None => std::future::pending().await,
    }
}

async fn promote(wakeups: &Inner) -> anyhow::Result<Step> {
    let (now, first) = (wakeups.clock.now(), wakeups.later.next().await?);
    if first.is_none_or(|first| first > now) {
        return Ok(Step::Until(first));
    }
    if wakeups.executor.depth().await? > DEPTH_MAX {
        return Ok(Step::Full);
    }
    let due = wakeups.later.take(now, STEP).await?;
    // Somebody may have emptied Redis meanwhile.
    if !due.is_empty() {
        wakeups.executor.push(&due).await?;
        crash::point("wakeup.pushed");
        wakeups.pushed.notify_one();
        wakeups.later.moved(&due).await?;
        crash::point("wakeup.moved");
    }
    Ok(Step::More)
}

pub async fn tidy(wakeups: Arc<Inner>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            () = stop.cancelled() => return,
        }
        // Until there is nothing left, or the queue is away.
        while matches!(wakeups.executor.tidy().await, Ok(gone) if gone > 0) && !stop.is_cancelled() {}
    }
}
