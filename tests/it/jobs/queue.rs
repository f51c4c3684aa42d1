//! The queue only wakes. Whatever happens to it, jobs go on: rows are the truth.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wapid::config::Config;
use wapid_core::clock::{At, Clock};

use super::{crowd, each_got_it_once};
use crate::app::{Engine, TestApp, until};
use crate::redis::Redis;

async fn app_with(redis: &Redis) -> TestApp {
    TestApp::with(Engine::Sqlite, |config| config.redis_url = Some(redis.url().into())).await
}

/// Restarted, paused, flushed and full while a job runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_whatever_happens_to_redis() {
    let mut redis = Redis::start().await;
    let app = app_with(&redis).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 100).await;
    let body = json!({"recipients": phones, "message": "Hi", "delayMin": 20, "delayMax": 80});
    let job = session.bulk(body).await;
    job.until_processed(10).await;
    redis.ask("FLUSHALL");
    job.until_processed(25).await;
    redis.restart();
    job.until_processed(40).await;
    redis.signal("STOP");
    job.until_processed(60).await;
    // A caller does not wait for a queue that is away.
    let asked = Instant::now();
    job.post("/pause").await.ok();
    job.post("/resume").await.ok();
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    redis.signal("CONT");
    redis.until_up().await;
    redis.ask("CONFIG SET maxmemory-policy noeviction");
    redis.ask("CONFIG SET maxmemory 1");
    job.until_completed().await;
    each_got_it_once(&shop.test, &phones, "Hi").await;
}

/// A job for later, whose wake-up is lost with all of Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_wake_up_is_found_by_the_sweep() {
    let redis = Redis::start().await;
    let clock = Clock::manual(Clock::System.now());
    let set = |config: &mut Config| config.redis_url = Some(redis.url().into());
    let app = TestApp::build(Engine::Sqlite, clock.clone(), set).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 3).await;
    let due = clock.now().plus_ms(3_600_000);
    let body =
        json!({"recipients": phones, "message": "Hi", "delayMin": 0, "delayMax": 0, "scheduleAt": due.iso()});
    let job = session.bulk(body).await;
    let waiting = job.until_waiting("scheduled").await;
    assert_eq!(
        (waiting["status"].clone(), waiting["scheduleAt"].clone()),
        (json!("pending"), json!(due.iso()))
    );
    until("the wake-up is in Redis", || async {
        redis.ask("KEYS *later*").filter(|keys| keys.contains("later"))
    })
    .await;
    redis.ask("FLUSHALL");
    clock.advance(Duration::from_secs(3_500));
    assert_eq!(job.read().await["processed"], json!(0), "it began before its time");
    clock.advance(Duration::from_secs(115));
    job.until_completed().await;
    each_got_it_once(&shop.test, &phones, "Hi").await;
}

async fn begins_on_time(redis: Option<String>) {
    let app = TestApp::with(Engine::Sqlite, |config| config.redis_url = redis.map(Into::into)).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 1).await;
    let due = Clock::System.now().plus_ms(2_000);
    let body = json!({"recipients": phones, "message": "Hi", "scheduleAt": due.0});
    let done = session.bulk(body).await.until_completed().await;
    let late = At::parse(done["startedAt"].as_str().unwrap()).unwrap().since(due);
    assert!((0..3_000).contains(&late), "{late} ms after its time");
    let past = json!({"recipients": phones, "message": "Hi again", "scheduleAt": due.plus_ms(-60_000).0});
    session.bulk(past).await.until_completed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_job_begins_on_time_without_redis() {
    begins_on_time(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_job_begins_on_time_with_redis() {
    begins_on_time(Some(std::env::var("WAPID_TEST_REDIS").expect("`./test` starts a Redis"))).await;
}

/// Between its steps of being stored, a job is nobody's business; cut short, it never was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_begins_to_exist_with_its_last_row() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let recipients: Vec<Value> = (0..20_000).map(|n| json!(format!("55117{n:08}"))).collect();
    let body = json!({"recipients": recipients, "message": "Hi", "scheduleAt": "2026-12-31T00:00:00Z"});
    let posted = tokio::spawn({
        let (caller, path) = (shop.test.clone(), session.path("/send-bulk"));
        async move { caller.post(&path, body).await }
    });
    while !posted.is_finished() {
        let jobs = shop.test.get("/api/whatsapp/bulk-jobs").await.ok();
        for job in jobs["jobs"].as_array().unwrap() {
            assert_eq!(job["total"], json!(20_000), "{job}");
        }
    }
    posted.await.unwrap().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_without_an_offset_goes_by_the_tenants_clock() {
    let now = At::parse("2026-12-01T12:00:00Z").unwrap();
    let app = TestApp::build(Engine::Sqlite, Clock::manual(now), |_| ()).await;
    let shop = app.tenant_with("shop", "America/Sao_Paulo", None, None).await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let path = "/api/whatsapp/session/main/send-bulk";
    let scheduled = async |caller: &crate::app::Caller, at: &str| {
        let body = json!({"recipients": ["5511960000001"], "message": "Hi", "scheduleAt": at});
        let made = caller.post(path, body).await.ok();
        let job =
            caller.get(&format!("/api/whatsapp/bulk-job/{}", made["jobId"].as_str().unwrap())).await.ok();
        job["scheduleAt"].as_str().unwrap().to_owned()
    };
    for (given, at) in [
        ("2026-12-24T09:00", "2026-12-24T12:00:00.000Z"),
        ("2026-12-24T09:00:30", "2026-12-24T12:00:30.000Z"),
        ("2026-12-24 09:00", "2026-12-24T12:00:00.000Z"),
        ("2026-12-24T09:00+01:00", "2026-12-24T08:00:00.000Z"),
    ] {
        assert_eq!(scheduled(&shop.test, given).await, at, "{given}");
    }
    let berlin = app.tenant_with("berlin", "Europe/Berlin", None, None).await;
    berlin.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    for (given, at) in [
        // Left out in spring: the hour after it. Twice in autumn: the first.
        ("2027-03-28T02:30", "2027-03-28T01:30:00.000Z"),
        ("2027-10-31T02:30", "2027-10-31T00:30:00.000Z"),
    ] {
        assert_eq!(scheduled(&berlin.test, given).await, at, "{given}");
    }
    for (given, told) in [
        (json!("2026-12-24"), "time of day"),
        (json!("24/12/2026 09:00"), "a time such as"),
        (json!(1_798_000_000), "seconds"),
        (json!(true), "a time such as"),
        (json!("2026-11-01T09:00"), "has passed"),
    ] {
        let body = json!({"recipients": ["5511960000001"], "message": "Hi", "scheduleAt": given});
        let refused = shop.test.post(path, body).await.refused(400, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains(told), "{given}: {refused}");
    }
}
