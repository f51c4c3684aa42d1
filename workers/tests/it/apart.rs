//! Processes that share a Redis.

use std::time::Duration;

use crate::fixture::{Place, SOON, both};

both!(two_processes_do_not_take_each_others_wake_ups);

async fn two_processes_do_not_take_each_others_wake_ups(place: Place) {
    const EACH: usize = 500;
    let other = place.of_another_process();
    let (ours, our_seen, _ours_running) = place.run().await;
    let (theirs, their_seen, _theirs_running) = other.run().await;
    for n in 0..EACH {
        ours.wake(&format!("ours {n}"), place.now()).await;
        theirs.wake(&format!("theirs {n}"), place.now()).await;
        // The same key is two wake-ups.
        ours.wake(&format!("both {n}"), place.now()).await;
        theirs.wake(&format!("both {n}"), place.now()).await;
    }
    our_seen.until_distinct(2 * EACH, SOON).await;
    their_seen.until_distinct(2 * EACH, SOON).await;
    place.until_empty().await;
    other.until_empty().await;
    for n in 0..EACH {
        assert_eq!((our_seen.times(&format!("ours {n}")), their_seen.times(&format!("theirs {n}"))), (1, 1));
    }
    assert_eq!((our_seen.distinct(), their_seen.distinct()), (2 * EACH, 2 * EACH));
    other.clear().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_wakes_another_one() {
    let Some(place) = Place::redis() else { return };
    let other = place.of_another_process();
    let (ours, our_seen, _ours_running) = place.run().await;
    let (_theirs, their_seen, _theirs_running) = other.run().await;
    ours.wake_elsewhere(&other.instance, "now", place.now()).await;
    their_seen.until("now").await;
    ours.wake_elsewhere(&other.instance, "later", place.now().plus_ms(1_000)).await;
    ours.wake_elsewhere(&other.instance, "later", place.now().plus_ms(3_000)).await;
    place.clock.advance(Duration::from_millis(1_000));
    their_seen.until("later").await;
    assert_eq!(our_seen.distinct(), 0);
    place.clear().await;
    other.clear().await;
}

/// A file has one process. Another one's is not written to, and its sweep finds what there is to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_with_a_file_wakes_nobody_else() {
    let place = Place::sqlite();
    let (wakeups, seen, _running) = place.run().await;
    wakeups.wake_elsewhere("gw_other", "key", place.now()).await;
    wakeups.wake("marker", place.now()).await;
    seen.until("marker").await;
    assert_eq!(seen.distinct(), 1);
}
