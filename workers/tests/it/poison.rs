//! What cannot be executed harms nobody else, is not tried for ever, and does not stay.

use std::time::Duration;

use tokio::time::Instant;
use ulid::Ulid;
use wapid_workers::{Queue, Wakeups};

use crate::fixture::{Place, SOON, Seen, both};
use crate::redis::Redis;

const NEIGHBOURS: usize = 200;

both!(
    a_panic_at_one_key_is_nobody_elses,
    a_task_that_does_not_read_is_dropped_and_the_worker_lives,
    a_task_that_ends_its_worker_is_dropped_by_the_next,
);

/// Puts neighbours in and waits until each was executed. While a file is busy with megabytes, `wake` may
/// lose its patience; then they are put in again, as the sweep does.
async fn neighbours_come(place: &Place, wakeups: &Wakeups, seen: &Seen) {
    let names: Vec<_> = (0..NEIGHBOURS).map(|n| format!("neighbour {n}")).collect();
    let deadline = Instant::now() + SOON;
    loop {
        let missing: Vec<_> = names.iter().filter(|name| seen.times(name) == 0).collect();
        let Some(last) = missing.last() else { return };
        assert!(Instant::now() < deadline, "{} of {NEIGHBOURS} were not executed", missing.len());
        for name in &missing {
            wakeups.wake(name, place.now()).await;
        }
        seen.comes(last, Duration::from_secs(3)).await;
    }
}

async fn a_panic_at_one_key_is_nobody_elses(place: Place) {
    let (wakeups, seen) = (place.open().await, Seen::default());
    let _running = wakeups.run({
        let seen = seen.clone();
        move |key: &str| {
            seen.note(key);
            assert_ne!(key, "poison", "a bug at this key");
        }
    });
    let workers = place.until_worker(&[]).await;
    wakeups.wake("poison", place.now()).await;
    neighbours_come(&place, &wakeups, &seen).await;
    seen.until("poison").await;
    place.until_empty().await;
    assert_eq!(seen.times("poison"), 1, "it is tried again");
    assert_eq!(place.workers().await, workers, "the worker ended");
    wakeups.wake("poison", place.now()).await;
    wakeups.wake("marker", place.now()).await;
    seen.until("marker").await;
}

async fn a_task_that_does_not_read_is_dropped_and_the_worker_lives(place: Place) {
    let payloads: [&[u8]; 5] = [b"", b"not JSON", b"{\"keys\":[1]}", b"{\"keys\":[\"\"]}", b"\xff\xfe\x00"];
    dropped_while_the_worker_lives(place, payloads).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_megabytes_in_a_file_are_dropped_and_the_worker_lives() {
    sixteen_megabytes_are_dropped(Place::sqlite()).await;
}

/// In a Redis of its own: the others' would be busy with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_megabytes_in_redis_are_dropped_and_the_worker_lives() {
    let redis = Redis::start().await;
    sixteen_megabytes_are_dropped(Place::at(&redis.url())).await;
}

async fn sixteen_megabytes_are_dropped(place: Place) {
    let garbage = vec![b'x'; 16 << 20];
    let reads = format!("{{\"keys\":[\"{}\"]}}", "k".repeat(16 << 20));
    dropped_while_the_worker_lives(place, [&garbage[..], reads.as_bytes()]).await;
}

async fn dropped_while_the_worker_lives<const N: usize>(place: Place, payloads: [&[u8]; N]) {
    let (wakeups, seen, _running) = place.run().await;
    let workers = place.until_worker(&[]).await;
    for payload in payloads {
        place.push_by_hand(&Ulid::new().to_string(), payload).await;
    }
    neighbours_come(&place, &wakeups, &seen).await;
    place.until_empty().await;
    assert_eq!(place.workers().await, workers, "the worker ended");
    assert_eq!(seen.distinct(), NEIGHBOURS);
}

/// What fails in apalis before anything of ours sees it.
async fn a_task_that_ends_its_worker_is_dropped_by_the_next(place: Place) {
    let (wakeups, seen, _running) = place.run().await;
    place.until_worker(&[]).await;
    place.push_by_hand("an id that is no ULID", b"{\"keys\":[\"stranger\"]}").await;
    if let Queue::Redis { .. } = place.queue {
        let prefix = format!("wapid:{{{}}}:now", place.instance);
        let mut redis = place.redis_connection().await;
        // One without a payload, and one without anything about it.
        for id in [Ulid::new(), Ulid::new()].map(|id| id.to_string()) {
            let () = redis::cmd("RPUSH")
                .arg(format!("{prefix}:active"))
                .arg(&id)
                .query_async(&mut redis)
                .await
                .unwrap();
        }
        let half = Ulid::new().to_string();
        place.push_by_hand(&half, b"{\"keys\":[\"half\"]}").await;
        let () =
            redis::cmd("DEL").arg(format!("{prefix}:meta:{half}")).query_async(&mut redis).await.unwrap();
    }
    let began = Instant::now();
    neighbours_come(&place, &wakeups, &seen).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?} in the way of others", began.elapsed());
    place.until_empty().await;
    assert_eq!(place.workers().await.len(), 1);
}
