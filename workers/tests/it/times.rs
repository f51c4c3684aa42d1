//! When a wake-up comes, and how often.

use std::time::Duration;

use wapid_workers::KEY_MAX;

use crate::fixture::{Place, SOON, Seen, both};
use crate::redis::Redis;
use crate::wire::Wire;

both!(
    a_wake_up_comes_in_its_millisecond_and_not_before,
    a_key_comes_once_at_its_earliest_time,
    what_is_put_in_while_its_key_is_executed_comes_again,
    what_was_put_in_before_a_stop_comes_after_the_next_start,
    keys_are_any_text_of_256_bytes_and_no_more,
);

async fn a_wake_up_comes_in_its_millisecond_and_not_before(place: Place) {
    let (wakeups, seen, _running) = place.run().await;
    let due = place.now().plus_ms(2_500);
    wakeups.wake("later", due).await;
    place.clock.advance(Duration::from_millis(2_499));
    // It would be taken together with this one.
    wakeups.wake("marker", place.now()).await;
    seen.until("marker").await;
    assert_eq!(seen.times("later"), 0, "a millisecond before its time");
    place.clock.advance(Duration::from_millis(1));
    seen.until("later").await;
}

async fn a_key_comes_once_at_its_earliest_time(place: Place) {
    let (wakeups, seen, _running) = place.run().await;
    for ms in [500, 100, 900, 100, 300] {
        wakeups.wake("key", place.now().plus_ms(ms)).await;
    }
    place.clock.advance(Duration::from_millis(99));
    wakeups.wake("first marker", place.now()).await;
    seen.until("first marker").await;
    assert_eq!(seen.times("key"), 0);
    place.clock.advance(Duration::from_millis(1));
    seen.until("key").await;
    place.clock.advance(Duration::from_secs(10));
    wakeups.wake("second marker", place.now()).await;
    seen.until("second marker").await;
    assert_eq!(seen.times("key"), 1);
}

/// Whoever looks at rows on a wake-up, and whoever writes rows and then wakes, must not miss each other:
/// after `wake` has returned its key is executed once more, however busy the queue is with that key.
async fn what_is_put_in_while_its_key_is_executed_comes_again(place: Place) {
    let place = place.in_real_time();
    each_wake_up_leads_to_an_execution(&place).await;
}

/// The further Redis is, the longer a key is on its way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_in_while_its_key_is_executed_comes_again_on_a_far_redis() {
    let redis = Redis::start().await;
    let wire = Wire::to(&redis.url(), Duration::from_millis(20)).await;
    each_wake_up_leads_to_an_execution(&Place::at(&wire.url()).in_real_time()).await;
}

async fn each_wake_up_leads_to_an_execution(place: &Place) {
    const KEYS: usize = 600;
    const ROUNDS: usize = 3;
    let (wakeups, seen) = (place.open().await, Seen::default());
    let (executed, mut executions) = tokio::sync::mpsc::unbounded_channel::<String>();
    let _running = wakeups.run(move |key: &str| drop(executed.send(key.to_owned())));
    let wake = |key: String| {
        let (wakeups, now) = (wakeups.clone(), place.now());
        tokio::spawn(async move { wakeups.wake(&key, now).await })
    };
    for n in 0..KEYS {
        wake(n.to_string());
    }
    for left in (1..=KEYS * ROUNDS).rev() {
        let next = tokio::time::timeout(SOON, executions.recv()).await;
        let Ok(Some(key)) = next else { panic!("one of {left} wake-ups was swallowed") };
        seen.note(&key);
        if seen.times(&key) < ROUNDS {
            wake(key);
        }
    }
}

async fn what_was_put_in_before_a_stop_comes_after_the_next_start(place: Place) {
    let (wakeups, seen, running) = place.run().await;
    wakeups.wake("now", place.now()).await;
    seen.until("now").await;
    wakeups.wake("later", place.now().plus_ms(5_000)).await;
    running.stop().await;
    wakeups.wake("late", place.now()).await;
    drop(wakeups);
    place.clock.advance(Duration::from_secs(5));
    let (_wakeups, seen, _running) = place.run().await;
    seen.until("later").await;
    seen.until("late").await;
    assert_eq!(seen.times("now"), 0);
}

async fn keys_are_any_text_of_256_bytes_and_no_more(place: Place) {
    let (wakeups, seen, _running) = place.run().await;
    let longest = "k".repeat(KEY_MAX);
    for key in [&longest, "send:\u{1}\"';{}\n\\ ção 電", " "] {
        wakeups.wake(key, place.now()).await;
        seen.until(key).await;
    }
    wakeups.wake("", place.now()).await;
    wakeups.wake(&format!("{longest}k"), place.now()).await;
    wakeups.wake("marker", place.now()).await;
    seen.until("marker").await;
    place.until_empty().await;
    assert_eq!(seen.distinct(), 4);
}
