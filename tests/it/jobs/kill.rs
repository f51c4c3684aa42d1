//! The gateway dies at any instant, stops, freezes or is two, and every recipient gets it once.
//!
//! In `./test` in a bounded size. In full, with the sizes of a real campaign:
//! `WAPID_TEST_FULL=1 cargo nextest run --workspace --profile full -E 'test(/jobs::kill/)'`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Job, crowd_of, each_got_it_once, size};
use crate::app::{Caller, Database, Engine, until_within};
use crate::process::{Home, Process, free_address, home, link_main, serve_sandbox, try_get};

pub fn redis() -> String {
    std::env::var("WAPID_TEST_REDIS")
        .expect("WAPID_TEST_REDIS names a Redis; `./test` starts one and sets it")
}

const MASTER_KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// A linked session `main` and a crowd.
pub async fn link(caller: &Caller, count: usize) -> Vec<String> {
    let phones = crowd_of(caller, count).await;
    link_main(caller, "5511900000001").await;
    phones
}

pub async fn send_bulk(caller: &Caller, phones: &[String], delay_max: i64) -> String {
    let body = json!({"recipients": phones, "message": "Sale", "delayMin": 0, "delayMax": delay_max});
    let made = caller.post("/api/whatsapp/session/main/send-bulk", body).await.ok();
    made["jobId"].as_str().expect("a jobId").to_owned()
}

async fn progress(caller: &Caller, id: &str) -> Option<Value> {
    try_get(caller, &format!("/api/whatsapp/bulk-job/{id}")).await.filter(|job| job["total"].is_i64())
}

/// A job through many ends of its process.
async fn survives(
    home: Home,
    recipients: usize,
    ends: usize,
    end: impl AsyncFn(Process) -> (),
) -> (i64, usize) {
    let (_, key) = home.create_tenant().await;
    let mut process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let phones = link(&caller, recipients).await;
    let id = send_bulk(&caller, &phones, 5).await;
    let step = i64::try_from((recipients / ends).max(2)).expect("a small number");
    let mut ended = 0;
    loop {
        let before = progress(&caller, &id).await.map_or(0, |job| job["processed"].as_i64().unwrap());
        let more = rand::random_range(1..=step);
        let is_over = until_within(Duration::from_secs(60), "some are sent", || async {
            let job = progress(&caller, &id).await?;
            let processed = job["processed"].as_i64().unwrap();
            // Never more done than asked for, and never less than before.
            assert!(before <= processed && processed <= job["total"].as_i64().unwrap(), "{job}");
            if job["status"] == "completed" {
                return Some(true);
            }
            (processed >= before + more).then_some(false)
        })
        .await;
        if is_over {
            break;
        }
        end(process).await;
        process = home.start().await;
        ended += 1;
    }
    let job = progress(&caller, &id).await.expect("an answer");
    assert_eq!((job["succeeded"].clone(), job["failed"].clone()), (json!(recipients), json!(0)));
    let dropped = each_got_it_once(&caller, &phones, "Sale").await;
    process.kill().await;
    println!("{recipients} recipients, {ended} ends of the process, {dropped} copies dropped by phones");
    (dropped, ended)
}

async fn survives_kills(engine: Engine, with_redis: bool) {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(engine, dir.path()).await;
    let mut home = home(dir.path(), &database, Some(serve_sandbox().await));
    home.redis = with_redis.then(redis);
    let kill = async |process: Process| process.kill().await;
    let (dropped, kills) = survives(home, size(300, 10_000), size(20, 200), kill).await;
    assert!(kills >= 5, "only {kills} kills: it proves little");
    assert!(
        usize::try_from(dropped).is_ok_and(|dropped| dropped <= kills),
        "{dropped} copies for {kills} kills"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_instant_on_sqlite() {
    survives_kills(Engine::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_at_any_instant_on_postgres_and_redis() {
    survives_kills(Engine::Postgres, true).await;
}

/// A deploy sends nothing twice, not even a copy that phones drop, and is quick.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_at_any_instant_repeats_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, Some(serve_sandbox().await));
    let stop = async |mut process: Process| {
        let started = Instant::now();
        process.signal("TERM");
        process.child.wait().await.expect("it ends");
        assert!(started.elapsed() < Duration::from_secs(10), "a stop took {:?}", started.elapsed());
    };
    let (dropped, stops) = survives(home, size(200, 10_000), size(10, 200), stop).await;
    assert!(stops >= 3, "only {stops} stops: it proves little");
    assert_eq!(dropped, 0, "a message was sent again after an orderly stop");
}

/// Two gateways on one database, and one Redis.
struct Pair {
    _dirs: [tempfile::TempDir; 2],
    _database: Database,
    homes: [Home; 2],
}

impl Pair {
    async fn new() -> Self {
        let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let database = Database::new(Engine::Postgres, dirs[0].path()).await;
        let sandbox = serve_sandbox().await;
        let homes = [0, 1].map(|place| Home {
            redis: Some(redis()),
            master_key: Some(MASTER_KEY.to_owned()),
            listen: free_address(),
            ..home(dirs[place].path(), &database, Some(sandbox.clone()))
        });
        Self { _dirs: dirs, _database: database, homes }
    }
}

/// A caller may ask either gateway; the one that holds the session sends. When it dies, the other one goes
/// on where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_gateway_takes_a_job_over() {
    let pair = Pair::new().await;
    let (_, key) = pair.homes[0].create_tenant().await;
    let first = pair.homes[0].start().await;
    let at_first = Caller::new(first.url.clone(), &key);
    let phones = link(&at_first, size(120, 2_000)).await;
    let second = pair.homes[1].start().await;
    let at_second = Caller::new(second.url.clone(), &key);

    // Asked of the second, done by the first, at once: the wake-up goes through Redis.
    let asked = Instant::now();
    let quick = send_bulk(&at_second, &phones[..1], 0).await;
    let job = Job { caller: &at_second, id: quick };
    job.until_completed().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());

    let body = json!({"recipients": phones[1..], "message": "Sale", "delayMin": 20, "delayMax": 60});
    let made = at_second.post("/api/whatsapp/session/main/send-bulk", body).await.ok();
    let job = Job { caller: &at_second, id: made["jobId"].as_str().unwrap().to_owned() };
    job.until_processed(10).await;
    first.kill().await;
    let killed = Instant::now();
    let before = job.read().await["processed"].as_i64().unwrap();
    job.until_processed(before + 5).await;
    println!("taken over {:?} after the kill", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(40), "{:?}", killed.elapsed());
    job.until_completed().await;
    each_got_it_once(&at_second, &phones, "Sale").await;
    second.kill().await;
}

/// A process that slept through its lease is fenced: what it does late counts for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_gateway_wakes_up_to_nothing() {
    let pair = Pair::new().await;
    let (_, key) = pair.homes[0].create_tenant().await;
    let first = pair.homes[0].start().await;
    let at_first = Caller::new(first.url.clone(), &key);
    let phones = link(&at_first, size(150, 2_000)).await;
    let second = pair.homes[1].start().await;
    let at_second = Caller::new(second.url.clone(), &key);
    let body = json!({"recipients": phones, "message": "Sale", "delayMin": 20, "delayMax": 60});
    let made = at_first.post("/api/whatsapp/session/main/send-bulk", body).await.ok();
    let job = Job { caller: &at_second, id: made["jobId"].as_str().unwrap().to_owned() };
    job.until_processed(10).await;
    first.signal("STOP");
    let before = job.read().await["processed"].as_i64().unwrap();
    job.until_processed(before + 10).await;
    first.signal("CONT");
    let done = job.until_completed().await;
    assert_eq!(done["succeeded"], json!(phones.len()));
    each_got_it_once(&at_second, &phones, "Sale").await;
    first.kill().await;
    second.kill().await;
}
