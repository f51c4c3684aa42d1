//! What is finished leaves nothing behind. apalis by itself keeps it for ever.

use std::time::Duration;

use redis::AsyncCommands as _;
use wapid_workers::{Queue, Wakeups};

use crate::fixture::{Place, SOON, Seen, both, side_by_side};
use crate::redis::Redis;

const ROUND: usize = 10_000;

both!(starts_do_not_pile_up_workers);

async fn starts_do_not_pile_up_workers(place: Place) {
    let mut before = Vec::new();
    for start in 0..5 {
        let (wakeups, seen, running) = place.run().await;
        let key = format!("{start}");
        wakeups.wake(&key, place.now()).await;
        seen.until(&key).await;
        before = place.until_worker(&before).await;
        running.stop().await;
    }
    let (_wakeups, _seen, _running) = place.run().await;
    let after = place.until_worker(&before).await;
    // The last sign of life of the one before may arrive after this start looked; it goes with the next.
    assert!(after.len() <= 2, "{after:?}");
}

/// Puts in and executes so many, each with a key of its own.
async fn round(place: &Place, wakeups: &Wakeups, seen: &Seen) {
    let before = seen.distinct();
    let now = place.now();
    side_by_side(
        64,
        (before..before + ROUND).map(|n| {
            let wakeups = wakeups.clone();
            async move { wakeups.wake(&format!("send:{n:026}"), now).await }
        }),
    )
    .await;
    seen.until_distinct(before + ROUND, SOON).await;
    place.until_empty().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_as_small_after_twenty_thousand_as_before() {
    let redis = Redis::start().await;
    let place = Place::at(&redis.url());
    let (wakeups, seen, _running) = place.run().await;
    wakeups.wake("first", place.now()).await;
    seen.until("first").await;
    place.until_empty().await;
    let (keys, memory) = (names(&place).await, memory(&place).await);
    for _ in 0..2 {
        round(&place, &wakeups, &seen).await;
    }
    assert_eq!(names(&place).await, keys);
    let grown = self::memory(&place).await.saturating_sub(memory);
    assert!(grown < 1_000_000, "{grown} bytes");
}

async fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = place.redis_connection().await.keys("*").await.unwrap();
    names.sort();
    names
}

async fn memory(place: &Place) -> u64 {
    let mut redis = place.redis_connection().await;
    let info: String = redis::cmd("INFO").arg("memory").query_async(&mut redis).await.unwrap();
    info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_does_not_grow_with_what_is_finished() {
    let place = Place::sqlite();
    let (wakeups, seen, _running) = place.run().await;
    round(&place, &wakeups, &seen).await;
    let size = size(&place);
    round(&place, &wakeups, &seen).await;
    let after = self::size(&place);
    assert!(after <= size + size / 4, "{size} bytes became {after}");
    assert!(after < 16_000_000, "{after} bytes");
    assert_eq!(place.workers().await.len(), 1);
}

/// With its write-ahead log.
fn size(place: &Place) -> u64 {
    let log = format!("{}-wal", place.path().display());
    let length = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |about| about.len());
    length(place.path()) + length(log.as_ref())
}

/// An idle process asks its Redis a few times a second, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_queue_is_quiet() {
    const WHILE: Duration = Duration::from_secs(3);
    let redis = Redis::start().await;
    let place = Place::at(&redis.url()).in_real_time();
    let (wakeups, seen, _running) = place.run().await;
    wakeups.wake("first", place.now()).await;
    seen.until("first").await;
    place.until_empty().await;
    let before = commands(&place).await;
    // Not to synchronise: this is the time that is measured.
    tokio::time::sleep(WHILE).await;
    let asked = (commands(&place).await - before) / WHILE.as_secs();
    println!("{asked} commands a second");
    assert!(asked < 60, "{asked} commands a second");
    assert!(matches!(place.queue, Queue::Redis { .. }));
}

async fn commands(place: &Place) -> u64 {
    let mut redis = place.redis_connection().await;
    let info: String = redis::cmd("INFO").arg("stats").query_async(&mut redis).await.unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
    line.unwrap().trim().parse().unwrap()
}
