//! How soon a lone wake-up is executed. `benches/wakeups.rs` measures; this keeps an idle queue from
//! falling back to the heartbeat with which apalis looks by itself.

use std::time::Duration;

use tokio::time::Instant;

use crate::fixture::{Place, SOON, both};

const LONE: usize = 20;
/// The promise is 300 ms on Redis and 1 s on SQLite; other tests run beside this one.
const LONGEST: Duration = Duration::from_secs(2);
const MEDIAN: Duration = Duration::from_millis(300);

both!(a_lone_wake_up_is_executed_at_once, one_that_waits_is_executed_at_its_time,);

async fn a_lone_wake_up_is_executed_at_once(place: Place) {
    let place = place.in_real_time();
    let (wakeups, seen, _running) = place.run().await;
    place.until_worker(&[]).await;
    let mut waits = Vec::new();
    for n in 0..LONE {
        let (key, began) = (format!("{n}"), Instant::now());
        wakeups.wake(&key, place.now()).await;
        seen.until(&key).await;
        waits.push(began.elapsed());
    }
    waits.sort();
    assert!(waits[LONE / 2] < MEDIAN && waits[LONE - 1] < LONGEST, "{waits:?}");
}

async fn one_that_waits_is_executed_at_its_time(place: Place) {
    let place = place.in_real_time();
    let (wakeups, seen, _running) = place.run().await;
    let due = place.now().plus_ms(1_234);
    wakeups.wake("key", due).await;
    assert!(seen.comes("key", SOON).await);
    let late = seen.at("key").unwrap().since(due);
    assert!((0..2_000).contains(&late), "{late} ms after its time");
}
