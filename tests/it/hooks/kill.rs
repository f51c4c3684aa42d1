//! The gateway dies at any instant, and every event is delivered.
//!
//! In `./test` in a bounded size; with 100,000 events:
//! `WAPID_TEST_FULL=1 cargo nextest run --workspace --profile full -E 'test(/hooks::kill/)'`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};

use super::log_of;
use crate::app::{Caller, Database, Engine, until_within};
use crate::jobs::kill::redis;
use crate::jobs::{is_full, size};
use crate::process::{Home, home, try_get};
use crate::receiver::Receiver;

const CONCURRENCY: usize = 8;
const PRODUCERS: u32 = 8;

/// Makes events, through as many ends of the process as there are; counts what was answered.
async fn produce(home: &Home, key: &str, from: u32, count: u32, done: &AtomicUsize) {
    for number in from..from + count {
        let phone = json!({"phone": format!("55119{number:08}")});
        while home.try_post(key, "/api/whatsapp/opt-outs", &phone, "none").await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        done.fetch_add(1, Ordering::SeqCst);
    }
}

/// Does the dice say no? The same event may be refused again and again, up to a point: the schedule waits
/// longer each time, a quarter of an hour in all after five times and days after that.
fn is_refused(before: usize) -> bool {
    before < size(2, 5) && rand::random_range(0..10) < 3
}

async fn nothing_is_lost(engine: Engine, with_redis: bool, is_ordered: bool) {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(engine, dir.path()).await;
    let mut home = home(dir.path(), &database, None);
    home.redis = with_redis.then(redis);
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let receiver = Receiver::answering(move |_, before| {
        // In order each refusal stops all for a second.
        let is_refused =
            if is_ordered { before == 0 && rand::random_range(0..20) == 0 } else { is_refused(before) };
        if is_refused {
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        } else {
            StatusCode::OK.into_response()
        }
    })
    .await;
    let wish = json!({"url": receiver.url, "concurrency": CONCURRENCY, "ordered": is_ordered});
    caller.post("/api/whatsapp/webhooks", wish).await.ok();
    let total = if is_ordered { size(160, 2_000) } else { size(1_600, 100_000) };
    let kills = size(8, 20);
    let produced = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let share = u32::try_from(total).unwrap() / PRODUCERS;
    let producing = async {
        let all = (0..PRODUCERS).map(|one| produce(&home, &key, one * share, share, &produced));
        futures::future::join_all(all).await;
        is_over.store(true, Ordering::SeqCst);
    };
    let killing = async {
        let mut process = process;
        let mut killed = 0;
        while killed < kills {
            // Somewhere in the work; the last ones while only deliveries are left.
            let goal = (total * killed / kills).min(total - 1);
            until_within(Duration::from_secs(600), "some are taken", || async {
                (receiver.count() >= goal).then_some(())
            })
            .await;
            tokio::time::sleep(Duration::from_millis(rand::random_range(20..300))).await;
            process.kill().await;
            process = home.start().await;
            killed += 1;
        }
        (killed, process)
    };
    let ((), (killed, process)) = tokio::join!(producing, killing);
    assert!(is_over.load(Ordering::SeqCst) && produced.load(Ordering::SeqCst) == total);
    let patience = Duration::from_secs(if is_full() { 7_200 } else { 120 });
    until_within(patience, "nothing waits", || async {
        let hooks = try_get(&caller, "/api/whatsapp/webhooks").await?;
        let id = hooks["webhooks"][0]["id"].as_str()?.to_owned();
        let waiting =
            try_get(&caller, &format!("/api/whatsapp/webhooks/{id}/deliveries?state=waiting&limit=1"))
                .await?;
        (waiting["deliveries"] == json!([])).then_some(())
    })
    .await;

    let log = log_of(&caller, "types=optout.added").await;
    let phones: BTreeSet<_> = log.iter().map(|event| event["data"]["phone"].as_str().unwrap()).collect();
    assert_eq!((log.len(), phones.len()), (total, total), "each that was answered happened once");
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for id in receiver.taken() {
        *taken.entry(id).or_default() += 1;
    }
    let missing: Vec<&Value> =
        log.iter().filter(|event| !taken.contains_key(event["id"].as_str().unwrap())).collect();
    assert!(missing.is_empty(), "{} of {total} were lost", missing.len());
    let copies: usize = taken.values().map(|count| count - 1).sum();
    println!("{total} events, {killed} kills, {} requests, {copies} taken twice", receiver.count());
    let places = if is_ordered { 1 } else { CONCURRENCY };
    assert!(copies <= killed * places, "{copies} copies for {killed} kills");
    if is_ordered {
        let mut seen = BTreeSet::new();
        let firsts: Vec<_> = receiver.taken().into_iter().filter(|id| seen.insert(id.clone())).collect();
        let order: Vec<_> =
            log_of(&caller, "").await.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(firsts, order);
    }
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_on_sqlite() {
    nothing_is_lost(Engine::Sqlite, false, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_on_postgres_and_redis() {
    nothing_is_lost(Engine::Postgres, true, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_on_sqlite() {
    nothing_is_lost(Engine::Sqlite, false, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_on_postgres() {
    nothing_is_lost(Engine::Postgres, false, true).await;
}

/// T23 and the gaps that random kills rarely meet: an event without its delivery, a request without its
/// result.
async fn each_gap_is_survived(engine: Engine) {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(engine, dir.path()).await;
    let home = Arc::new(home(dir.path(), &database, None));
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let receiver = Receiver::new().await;
    let wish = json!({"url": receiver.url, "concurrency": CONCURRENCY});
    caller.post("/api/whatsapp/webhooks", wish).await.ok();
    process.kill().await;
    let places = ["ledger.written", "ledger.committed", "delivery.chosen", "delivery.sent"];
    let passes: &[u32] = if is_full() { &[1, 2, 3, 7, 20] } else { &[1, 4] };
    let mut number = 0;
    let mut deaths = 0;
    for place in places {
        for pass in passes {
            let mut process = home.start_to_die_at(place, *pass).await;
            let work = async {
                loop {
                    number += 1;
                    let phone = json!({"phone": format!("55119{number:08}")});
                    if home.try_post(&key, "/api/whatsapp/opt-outs", &phone, "none").await.is_none() {
                        return;
                    }
                }
            };
            let what = format!("{place}:{pass}");
            let ended = tokio::time::timeout(Duration::from_secs(60), async {
                tokio::join!(work, process.child.wait()).1
            });
            let ended =
                ended.await.unwrap_or_else(|_| panic!("{what}: nothing passed there")).expect("it is ours");
            assert!(!ended.success(), "{what}: it stopped in good order");
            deaths += 1;
        }
    }
    let process = home.start().await;
    let log = log_of(&caller, "").await;
    assert!(log.len() >= places.len() * passes.len() / 2, "{} events", log.len());
    until_within(Duration::from_secs(60), "every event is taken", || async {
        let taken: BTreeSet<_> = receiver.taken().into_iter().collect();
        log.iter().all(|event| taken.contains(event["id"].as_str().unwrap())).then_some(())
    })
    .await;
    let taken = receiver.taken();
    let known: BTreeSet<_> = log.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert!(taken.iter().all(|id| known.contains(id.as_str())), "a delivery of an event that never was");
    assert!(taken.len() <= known.len() + deaths * CONCURRENCY);
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_gap_is_survived_on_sqlite() {
    each_gap_is_survived(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_gap_is_survived_on_postgres() {
    each_gap_is_survived(Engine::Postgres).await;
}
