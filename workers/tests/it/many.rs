//! Everything at once. apalis-redis by itself fails for ever when 8,000 tasks are due.

use std::time::Duration;

use redis::AsyncCommands as _;
use tokio::time::Instant;

use crate::fixture::{Place, SOON, both};

const MANY: usize = 50_000;
const PATIENCE: Duration = Duration::from_secs(90);

/// A full queue by our own measure: 256 tasks, and one step more.
const FULL: std::ops::RangeInclusive<i64> = 257..=272;

both!(fifty_thousand_that_are_due_in_the_same_second_all_come);

async fn fifty_thousand_that_are_due_in_the_same_second_all_come(place: Place) {
    let (wakeups, seen, _running) = place.run().await;
    let due = place.now().plus_ms(60_000);
    place.put_in_by_hand(MANY, due).await;
    assert_eq!(wakeups.depth().await, Some(MANY as u64));
    assert_eq!(seen.total(), 0, "before their time");

    let began = Instant::now();
    place.clock.advance(Duration::from_secs(60));
    seen.until_distinct(1, PATIENCE).await;
    let new = Instant::now();
    wakeups.wake("a new one", place.now()).await;
    assert!(seen.comes("a new one", PATIENCE).await, "the new one waits behind for ever");
    let waited = new.elapsed();
    seen.until_distinct(MANY + 1, PATIENCE).await;
    println!("{MANY} executed in {:.1?}; a new one waited {waited:.1?}", began.elapsed());
    place.until_empty().await;
    assert_eq!(seen.total(), MANY + 1, "somebody came twice");
}

/// Beyond 8,000 tasks it could not be emptied again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_without_a_worker_is_not_filled_up() {
    let Some(place) = Place::redis() else { return };
    let mut redis = place.redis_connection().await;
    let workers = format!("wapid:{{{}}}:now:workers", place.instance);
    // Where the names of workers belong; none can begin.
    let () = redis.set(&workers, "something else").await.unwrap();
    let (_wakeups, seen, _running) = place.run().await;
    place.put_in_by_hand(MANY, place.now()).await;
    let deadline = Instant::now() + SOON;
    while place.tasks().await < *FULL.start() {
        assert!(Instant::now() < deadline, "{} tasks", place.tasks().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for _ in 0..20 {
        assert!(FULL.contains(&place.tasks().await), "{} tasks", place.tasks().await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(seen.total(), 0);
    let () = redis.del(&workers).await.unwrap();
    seen.until_distinct(MANY, PATIENCE).await;
    place.until_empty().await;
    place.clear().await;
}
