//! The gateway dies between any two steps of a send, of making a job and of a wake-up.
//!
//! Random kills (`kill.rs`) meet the short gaps rarely; here each gap is met on purpose
//! (`wapid_core::crash`), at the first pass and later ones. In full, with every ordered pair of places:
//! `WAPID_TEST_FULL=1 cargo nextest run --workspace --profile full -E 'test(/jobs::crash_points/)'`.

use std::time::Duration;

use serde_json::json;
use wapid_core::clock::Clock;

use super::kill::{link, redis, send_bulk};
use super::{Job, crowd_of, each_got_it_once, is_full};
use crate::app::{Caller, Database, Engine, until};
use crate::process::{Process, home, serve_sandbox};

/// In the order in which a message meets them. The ledger's are met by every write.
const OF_A_SEND: [&str; 9] = [
    "job.chosen",
    "ledger.written",
    "ledger.committed",
    "job.released",
    "job.handed",
    "message.taken",
    "message.written",
    "message.answered",
    "message.settled",
];
const OF_A_NEW_JOB: [&str; 4] = ["job.inserted", "job.step", "job.filled", "job.begun"];
const OF_A_WAKE_UP: [&str; 4] = ["wakeup.put", "wakeup.pushed", "wakeup.moved", "wakeup.heard"];

/// How a death is waited for: linking again and a few messages, on a busy machine.
const DEATH_DEADLINE: Duration = Duration::from_secs(60);

/// Which deaths, one after another: (place, pass).
fn deaths() -> Vec<(&'static str, u32)> {
    let passes: &[u32] = if is_full() { &[1, 2, 9] } else { &[1, 5] };
    let mut deaths = vec![("session.recovers", 1)];
    deaths.extend(passes.iter().flat_map(|pass| OF_A_SEND.iter().map(move |place| (*place, *pass))));
    if is_full() {
        // The second death comes while the first is being mended.
        for first in OF_A_SEND {
            deaths.extend(OF_A_SEND.iter().flat_map(|second| [(first, 2), (*second, 1)]));
        }
    }
    deaths
}

/// Waits until the process has died of itself.
async fn until_dead(process: &mut Process, what: &str) {
    let ended = tokio::time::timeout(DEATH_DEADLINE, process.child.wait()).await;
    let ended = ended.unwrap_or_else(|_| panic!("{what}: nothing passed there")).expect("it is ours");
    assert!(!ended.success(), "{what}: it stopped in good order");
}

async fn a_send_survives(engine: Engine, with_redis: bool) {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(engine, dir.path()).await;
    let mut home = home(dir.path(), &database, Some(serve_sandbox().await));
    home.redis = with_redis.then(redis);
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let deaths = deaths();
    // Each death needs at most as many messages as its pass, and some are sent meanwhile.
    let most: u32 = deaths.iter().map(|(_, pass)| pass + 4).sum();
    let phones = link(&caller, most as usize).await;
    let job = send_bulk(&caller, &phones, 2).await;
    process.kill().await;
    let mut met = 0;
    for (place, pass) in &deaths {
        let mut process = home.start_to_die_at(place, *pass).await;
        until_dead(&mut process, &format!("{place}:{pass}")).await;
        met += 1;
    }
    let process = home.start().await;
    let done = Job { caller: &caller, id: job }.until_completed().await;
    assert_eq!((&done["succeeded"], &done["failed"]), (&json!(phones.len()), &json!(0)));
    let dropped = each_got_it_once(&caller, &phones, "Sale").await;
    assert!(dropped <= met, "{dropped} copies for {met} deaths");
    println!("{met} deaths, {dropped} copies dropped by phones");
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_survives_a_death_between_any_two_steps_on_sqlite() {
    a_send_survives(Engine::Sqlite, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_survives_a_death_between_any_two_steps_on_postgres_and_redis() {
    a_send_survives(Engine::Postgres, true).await;
}

/// Cut short at any step, a request that is repeated with its key makes the job once.
async fn a_new_job_survives(engine: Engine) {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(engine, dir.path()).await;
    let home = home(dir.path(), &database, Some(serve_sandbox().await));
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let phones = link(&caller, 5).await;
    process.kill().await;
    for place in OF_A_NEW_JOB {
        let text = format!("Sale at {place}");
        let body = json!({"recipients": phones, "message": text, "delayMin": 0, "delayMax": 0});
        let mut process = home.start_to_die_at(place, 1).await;
        let asked = home.try_post(&key, "/api/whatsapp/session/main/send-bulk", &body, place);
        assert!(asked.await.is_none(), "{place}: it answered and should have died");
        until_dead(&mut process, place).await;
        let process = home.start().await;
        let answer = home.try_post(&key, "/api/whatsapp/session/main/send-bulk", &body, place).await;
        let id = answer.expect("an answer")["jobId"].as_str().expect("a jobId").to_owned();
        let jobs = caller.get("/api/whatsapp/bulk-jobs").await.ok();
        let made = jobs["jobs"].as_array().expect("jobs").iter();
        assert_eq!(made.filter(|job| job["jobId"] == id.as_str()).count(), 1, "{place}: {jobs}");
        Job { caller: &caller, id }.until_completed().await;
        for phone in &phones {
            let shown = super::shown(&caller, phone).await;
            assert_eq!(shown.iter().filter(|shown| **shown == text).count(), 1, "{place}: {shown:?}");
        }
        process.kill().await;
    }
    let process = home.start().await;
    let jobs = caller.get("/api/whatsapp/bulk-jobs").await.ok();
    assert_eq!(jobs["jobs"].as_array().map(Vec::len), Some(OF_A_NEW_JOB.len()), "{jobs}");
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_job_survives_a_death_at_any_step_on_sqlite() {
    a_new_job_survives(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_job_survives_a_death_at_any_step_on_postgres() {
    a_new_job_survives(Engine::Postgres).await;
}

/// A job for later, whose wake-up dies on its way.
async fn a_wake_up_survives(with_redis: bool) {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let mut home = home(dir.path(), &database, Some(serve_sandbox().await));
    home.redis = with_redis.then(redis);
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    link(&caller, 0).await;
    let phones = crowd_of(&caller, OF_A_WAKE_UP.len()).await;
    process.kill().await;
    for (place, phone) in OF_A_WAKE_UP.iter().zip(&phones) {
        let mut process = home.start_to_die_at(place, 1).await;
        let due = Clock::System.now().plus_ms(1_500);
        let body = json!({"recipients": [phone], "message": "Sale", "scheduleAt": due.0});
        // Its answer is lost where the wake-up's own storing dies.
        home.try_post(&key, "/api/whatsapp/session/main/send-bulk", &body, place).await;
        until_dead(&mut process, place).await;
        let process = home.start().await;
        until(&format!("{place}: the phone shows it"), || async {
            let shown = super::shown(&caller, phone).await;
            (shown == ["Sale"]).then_some(())
        })
        .await;
        process.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_up_survives_a_death_at_any_step_without_redis() {
    a_wake_up_survives(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wake_up_survives_a_death_at_any_step_with_redis() {
    a_wake_up_survives(true).await;
}
