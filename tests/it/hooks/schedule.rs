//! When a delivery is tried again, and when an endpoint is left alone: by a clock that the test turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use wapid_core::clock::{At, Clock};
use wapid_core::delivery::PAUSES_MS;

use super::{Hook, log_of, something};
use crate::app::{Caller, Engine, TestApp, until};
use crate::receiver::Receiver;

fn clock() -> Clock {
    Clock::manual(At::parse("2026-03-08T10:30:00Z").expect("a time"))
}

async fn with_clock(engine: Engine, clock: Clock) -> TestApp {
    TestApp::with_clock(engine, clock).await
}

fn millis(text: &Value) -> i64 {
    At::parse(text.as_str().expect("a time")).expect("a time").0
}

/// Turns the clock to `at`, and a little beyond.
fn turn_to(clock: &Clock, at: i64) {
    let left = u64::try_from(at - clock.now().0).unwrap_or(0);
    clock.advance(Duration::from_millis(left + 1));
}

/// T21: eleven attempts, each pause between what it says and a tenth more.
async fn the_schedule_is_kept_to_its_end(engine: Engine) {
    let clock = clock();
    let app = with_clock(engine, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let receiver = Receiver::answering(|_, _| StatusCode::BAD_GATEWAY.into_response()).await;
    let hook = Hook::new(&shop.test, &receiver, json!({})).await;
    let begun = clock.now().0;
    let event = something(&shop.test, 1).await;
    let mut at = begun;
    for (number, pause) in PAUSES_MS.iter().enumerate() {
        let delivery = until(&format!("attempt {}", number + 1), || async {
            let delivery = hook.delivery(&event).await;
            (delivery["attempts"] == number + 1).then_some(delivery)
        })
        .await;
        let next = millis(&delivery["nextAttemptAt"]);
        let waited = next - at;
        assert!((*pause..=pause + pause / 10 + 50).contains(&waited), "pause {number}: {waited} for {pause}");
        // Half of it is too early.
        clock.advance(Duration::from_millis(u64::try_from(pause / 2).unwrap()));
        assert_eq!(receiver.count(), number + 1);
        turn_to(&clock, next);
        at = clock.now().0;
    }
    let failed = hook.until_is(&event, "failed").await;
    let times: Vec<i64> = failed["tried"].as_array().unwrap().iter().map(|one| millis(&one["at"])).collect();
    assert_eq!((times.len(), receiver.count()), (11, 11));
    for (pause, pair) in PAUSES_MS.iter().zip(times.windows(2)) {
        let waited = pair[1] - pair[0];
        assert!((*pause..=pause + pause / 10 + 50).contains(&waited), "{waited} for {pause}");
    }
    assert!(hook.read().await["enabled"] == true, "one event in three days is no reason to turn it off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedule_is_kept_to_its_end_on_sqlite() {
    the_schedule_is_kept_to_its_end(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedule_is_kept_to_its_end_on_postgres() {
    the_schedule_is_kept_to_its_end(Engine::Postgres).await;
}

/// T26: ten failures in a row and it gets one try at a time, at growing pauses; after five days of
/// nothing else it is turned off. A restart forgets none of it. What was missed is then recovered, that
/// and no more.
async fn an_endpoint_that_is_down_is_left_alone_and_recovered(engine: Engine) {
    let clock = clock();
    let mut app = with_clock(engine, clock.clone()).await;
    let key = app.tenant("shop").await.test.key;
    let is_down = Arc::new(AtomicBool::new(false));
    let receiver = Receiver::answering({
        let is_down = is_down.clone();
        move |_, _| {
            if is_down.load(Ordering::SeqCst) {
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            } else {
                StatusCode::OK.into_response()
            }
        }
    })
    .await;
    let watch = Receiver::new().await;
    let caller = Caller::new(app.url(), &key);
    Hook::new(&caller, &watch, json!({"events": ["endpoint.*"]})).await;
    let hook = Hook::new(&caller, &receiver, json!({"events": ["optout.*"], "concurrency": 1})).await;
    let id = hook.id.clone();
    let before = something(&caller, 0).await;
    hook.until_is(&before, "delivered").await;

    is_down.store(true, Ordering::SeqCst);
    let down_at = clock.now();
    let mut missed = vec![];
    for number in 1..=10 {
        missed.push(something(&caller, number).await);
    }
    let broken = until("ten failures", || async {
        let hook = hook.read().await;
        (hook["failures"] == 10).then_some(hook)
    })
    .await;
    let paused_until = millis(&broken["pausedUntil"]);
    assert_eq!(paused_until - millis(&broken["failingSince"]), 30_000, "{broken}");
    watch.until_gets("that is told", |got| got.json()["type"] == "endpoint.failing").await;

    // A restart in the middle of the pause.
    app.stop().await;
    app.start().await;
    let caller = Caller::new(app.url(), &key);
    let hook = Hook { caller: &caller, id: id.clone(), secret: String::new() };
    let again = hook.read().await;
    assert_eq!((&again["failures"], &again["pausedUntil"]), (&broken["failures"], &broken["pausedUntil"]));
    let count = receiver.count();
    clock.advance(Duration::from_secs(15));
    missed.push(something(&caller, 11).await);
    turn_to(&clock, paused_until);
    let probed = until("one probe", || async {
        let hook = hook.read().await;
        (hook["failures"] == 11).then_some(hook)
    })
    .await;
    assert_eq!(receiver.count(), count + 1, "one try at a time");
    assert_eq!(millis(&probed["pausedUntil"]) - clock.now().0, 60_000, "twice as long");

    // Five days of nothing else, with something happening on each.
    let mut off = hook.read().await;
    for number in 12..40 {
        for _ in 0..10 {
            clock.advance(Duration::from_secs(1_800));
            let tried = receiver.count();
            off = until("a try, or nothing to try", || async {
                let hook = hook.read().await;
                let is_paused =
                    hook["pausedUntil"].is_string() && millis(&hook["pausedUntil"]) > clock.now().0;
                (receiver.count() > tried || is_paused || hook["enabled"] == false).then_some(hook)
            })
            .await;
        }
        if off["enabled"] == false {
            break;
        }
        missed.push(something(&caller, number).await);
    }
    assert_eq!(off["reason"], "failing");
    assert!(clock.now().since(down_at) >= 5 * 86_400_000, "too early");
    let told = watch.until_gets("that is told", |got| got.json()["type"] == "endpoint.disabled").await;
    assert_eq!(told.json()["data"]["reason"], "failing");
    let count = receiver.count();
    missed.push(something(&caller, 99).await);
    clock.advance(Duration::from_secs(3_600));

    // It is mended: turned on, with what happened while it was off.
    is_down.store(false, Ordering::SeqCst);
    assert_eq!(receiver.count(), count, "nothing is sent to what is off");
    let mut lost = 0;
    for event in &missed {
        let answer = caller.get(&hook.path(&format!("/deliveries/{event}"))).await;
        lost += usize::from(answer.status == 404 || answer.json()["state"] == "failed");
    }
    assert!(lost >= 1, "one was never queued");
    caller.post(&hook.path("/enable"), json!({"recover": true})).await.ok();
    for event in &missed {
        until(&format!("{event} is delivered, turning the clock"), || async {
            // The longest pause between two tries is a day.
            clock.advance(Duration::from_secs(1_800));
            (hook.delivery(event).await["state"] == "delivered").then_some(())
        })
        .await;
    }
    let recovery = until("the recovery is over", || async {
        let list = caller.get(&hook.path("/recoveries")).await.ok();
        let newest = list["recoveries"][0].clone();
        (newest["state"] == "completed").then_some(newest)
    })
    .await;
    assert_eq!(
        recovery["queued"], lost,
        "what waited goes on by itself, what was delivered stays: {recovery}"
    );
    assert_eq!(recovery["lookedAt"], recovery["total"]);
    assert_eq!(receiver.all().iter().filter(|got| got.id() == before).count(), 1);
    let taken: std::collections::BTreeSet<_> = receiver.taken().into_iter().collect();
    assert_eq!(taken.len(), missed.len() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_down_is_left_alone_and_recovered_on_sqlite() {
    an_endpoint_that_is_down_is_left_alone_and_recovered(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_down_is_left_alone_and_recovered_on_postgres() {
    an_endpoint_that_is_down_is_left_alone_and_recovered(Engine::Postgres).await;
}

/// An outage in which everything was given up is recovered: exactly that, under the same ids; once at a
/// time, and until somebody says stop.
async fn what_was_given_up_is_recovered(engine: Engine) {
    let app = TestApp::on(engine).await;
    let shop = app.tenant("shop").await;
    let is_down = Arc::new(AtomicBool::new(true));
    let receiver = Receiver::answering({
        let is_down = is_down.clone();
        move |_, _| {
            if is_down.load(Ordering::SeqCst) {
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            } else {
                StatusCode::OK.into_response()
            }
        }
    })
    .await;
    let early = something(&shop.test, 500).await;
    let hook = Hook::new(&shop.test, &receiver, json!({"events": ["optout.*"], "maxAttempts": 1})).await;
    let since = shop.test.get(&format!("/api/whatsapp/events?after={early}&limit=1")).await.ok();
    assert_eq!(since["events"], json!([]));
    let mut given_up = vec![];
    for number in 1..=9 {
        let event = something(&shop.test, number).await;
        hook.until_is(&event, "failed").await;
        given_up.push(event);
    }
    is_down.store(false, Ordering::SeqCst);
    let taken = something(&shop.test, 10).await;
    hook.until_is(&taken, "delivered").await;
    let wish = json!({"since": "2020-01-01T00:00:00Z"});
    let begun = shop.test.post(&hook.path("/recover"), wish).await.ok();
    let path = hook.path(&format!("/recoveries/{}", begun["recoveryId"].as_str().unwrap()));
    let done = until("the recovery is over", || async {
        let recovery = shop.test.get(&path).await.ok();
        (recovery["state"] == "completed").then_some(recovery)
    })
    .await;
    // What was given up, and what is older than the endpoint.
    assert_eq!(done["queued"], 10, "{done}");
    for event in given_up.iter().chain([&early]) {
        hook.until_is(event, "delivered").await;
    }
    let counts = |event: &str| receiver.all().iter().filter(|got| got.id() == event).count();
    assert_eq!((counts(&taken), counts(&early), counts(&given_up[0])), (1, 1, 2));
    shop.test.post(&format!("{path}/cancel"), json!({})).await.ok();
    assert_eq!(shop.test.get(&path).await.ok()["state"], "completed", "what is over stays as it is");
    shop.test.get(&hook.path("/recoveries/rec_nobody")).await.refused(404, "RECOVERY_NOT_FOUND");
    assert!(log_of(&shop.test, "types=endpoint.exhausted").await.len() == 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_is_recovered_on_sqlite() {
    what_was_given_up_is_recovered(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_is_recovered_on_postgres() {
    what_was_given_up_is_recovered(Engine::Postgres).await;
}
