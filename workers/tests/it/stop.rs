//! A stop is quick and loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::fixture::{Place, SOON, Seen, both};
use crate::redis::Redis;

const QUICK: Duration = Duration::from_secs(3);

both!(a_stop_in_the_middle_leaves_the_rest_for_the_next_start, a_stop_finishes_what_is_being_executed);

async fn a_stop_in_the_middle_leaves_the_rest_for_the_next_start(place: Place) {
    const MANY: usize = 20_000;
    let (_wakeups, seen, running) = place.run().await;
    place.put_in_by_hand(MANY, place.now().plus_ms(1_000)).await;
    place.clock.advance(Duration::from_millis(1_000));
    seen.until_distinct(100, SOON).await;
    let began = Instant::now();
    running.stop().await;
    assert!(began.elapsed() < QUICK, "{:?}", began.elapsed());
    let before = seen.distinct();
    assert!(before < MANY, "all of it was executed before the stop");

    let (_wakeups, rest, _running) = place.run().await;
    place.until_empty().await;
    let lost = (0..MANY).map(|n| n.to_string()).filter(|key| seen.times(key) + rest.times(key) == 0);
    assert_eq!(lost.count(), 0);
    assert_eq!(seen.distinct(), before, "a stopped queue executes");
}

async fn a_stop_finishes_what_is_being_executed(place: Place) {
    let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Arc::new(parking_lot::Mutex::new(wait));
    let (wakeups, seen) = (place.open().await, Seen::default());
    let running = wakeups.run({
        let (begun, ended, seen) = (begun.clone(), ended.clone(), seen.clone());
        move |key: &str| {
            begun.fetch_add(1, Ordering::AcqRel);
            seen.note(key);
            let _ = wait.lock().recv_timeout(SOON);
            ended.fetch_add(1, Ordering::AcqRel);
        }
    });
    wakeups.wake("slow", place.now()).await;
    seen.until("slow").await;
    let began = Instant::now();
    let stopped = tokio::spawn(running.stop());
    go.send(()).unwrap();
    stopped.await.unwrap();
    assert!(began.elapsed() < QUICK, "{:?}", began.elapsed());
    assert_eq!((begun.load(Ordering::Acquire), ended.load(Ordering::Acquire)), (1, 1));
    // What was finished is not done again.
    let (wakeups, seen, _running) = place.run().await;
    wakeups.wake("marker", place.now()).await;
    seen.until("marker").await;
    place.until_empty().await;
    assert_eq!(seen.times("slow"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_wait_for_a_redis_that_hangs() {
    let redis = Redis::start().await;
    let place = Place::at(&redis.url());
    let (wakeups, seen, running) = place.run().await;
    wakeups.wake("key", place.now()).await;
    seen.until("key").await;
    redis.signal("STOP");
    let began = Instant::now();
    running.stop().await;
    assert!(began.elapsed() < QUICK, "{:?}", began.elapsed());
    redis.signal("CONT");
}
