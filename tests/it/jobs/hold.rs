//! What a job waits for: the next day, a window, its session, WhatsApp. It says so, nobody fails for it,
//! and it goes on by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use wapid_core::clock::{At, Clock};
use wapid_core::content::Content;
use wapid_core::id::SessionId;
use wapid_core::key::Mode;
use wapid_core::message::new_wa_id;
use wapid_core::phone::Recipient;
use wapid_core::store::ledger::{Intent, Owner};
use wapid_core::tenant::local_day;

use super::{crowd, each_got_it_once, ms, shown};
use crate::app::{Engine, Tenant, TestApp, until};

const HOUR: Duration = Duration::from_secs(3_600);
/// Past the next look at everything that could send.
const SWEEP: Duration = Duration::from_secs(11);

/// So many a local day, on each of 30 days, through the day that has 23 hours and the one that has 25; a
/// limit that is raised counts at once, and so does another time zone.
async fn spends_each_days_messages(engine: Engine) {
    const LIMIT: i64 = 2;
    const DAYS: i64 = 30;
    // Fifteen days in the middle of which New York's clocks go forward, and as many with the way back.
    let clock = Clock::manual(At::parse("2027-03-07T15:00:00Z").unwrap());
    let autumn = At::parse("2027-10-31T15:00:00Z").unwrap();
    let app = TestApp::with_clock(engine, clock.clone()).await;
    let shop = app.tenant_with("shop", "America/New_York", Some(LIMIT), None).await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 72).await;
    let job = session.quick(&phones, "Hi").await;
    let day_of = |at: At| local_day(at, "America/New_York");
    for day in 1..=DAYS {
        // It waits as soon as the last one has left; its answer may come after.
        job.until_waiting("daily_limit").await;
        let waiting = job.until_processed(day * LIMIT).await;
        assert_eq!(waiting["processed"], json!(day * LIMIT), "{day} days of {LIMIT}");
        assert_eq!(waiting["waiting"]["reason"], "daily_limit");
        assert_eq!(waiting["status"], "running");
        assert!(waiting["estimatedEndAt"].is_string(), "{waiting}");
        // A single send is told so, in the seed's words.
        let refused = session.send(&phones[0], "OTP").await;
        let refused = refused.refused(429, "SENT_LIMIT_EXCEEDED");
        assert_eq!((refused["limit"].clone(), refused["used"].clone()), (json!(LIMIT), json!(LIMIT)));
        // It goes on within the first minute of the next day.
        let until_when = At::parse(waiting["waiting"]["until"].as_str().unwrap()).unwrap();
        assert_ne!(day_of(until_when), day_of(clock.now()));
        assert_eq!(day_of(until_when.plus_ms(-61_000)), day_of(clock.now()));
        if day == DAYS / 2 {
            clock.advance(ms(autumn.since(clock.now())));
        }
        while day < DAYS && clock.now() < until_when {
            clock.advance(HOUR);
        }
    }
    let mut per_day: BTreeMap<String, i64> = BTreeMap::new();
    for message in sent(&shop).await {
        *per_day.entry(day_of(message)).or_default() += 1;
    }
    assert_eq!(
        per_day.values().copied().collect::<Vec<_>>(),
        vec![LIMIT; usize::try_from(DAYS).unwrap()],
        "{per_day:?}"
    );

    // Raised at noon: it goes on at noon.
    clock.advance(HOUR * 12);
    let store = &app.gateway().store;
    let mut tenant = store.find_tenant("shop").await.unwrap().unwrap();
    tenant.daily_limit = Some(LIMIT + 2);
    store.update_tenant(&tenant).await.unwrap();
    clock.advance(SWEEP);
    job.until_processed(DAYS * LIMIT + 2).await;
    job.until_waiting("daily_limit").await;
    // Where it is tomorrow already, there is a new day's limit.
    let (here, there) = (clock.now(), "Pacific/Kiritimati");
    assert_ne!(local_day(here, there), day_of(here));
    there.clone_into(&mut tenant.time_zone);
    store.update_tenant(&tenant).await.unwrap();
    clock.advance(SWEEP);
    job.until_processed(DAYS * LIMIT + 6).await;
    job.until_waiting("daily_limit").await;
    tenant.daily_limit = None;
    store.update_tenant(&tenant).await.unwrap();
    clock.advance(SWEEP);
    job.until_completed().await;
    each_got_it_once(&shop.test, &phones, "Hi").await;
}

/// When each message left, oldest first.
async fn sent(shop: &Tenant) -> Vec<At> {
    let log = shop.test.get("/api/whatsapp/messages?limit=100&direction=out").await.ok();
    let times = log["messages"].as_array().unwrap().iter().rev();
    times.map(|message| At::parse(message["createdAt"].as_str().unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daily_limit_is_spent_on_each_day_on_sqlite() {
    spends_each_days_messages(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daily_limit_is_spent_on_each_day_on_postgres() {
    spends_each_days_messages(Engine::Postgres).await;
}

/// 64 at once with 10 left, jobs or not: 10 get through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_for_the_last_messages_of_a_day_is_won_by_as_many() {
    let app = TestApp::on(Engine::Postgres).await;
    let shop = app.tenant_with("shop", "UTC", Some(10), None).await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 2).await;
    let sends = (0..64).map(|n| session.send(&phones[n % 2], "OTP"));
    let answers = futures::future::join_all(sends).await;
    assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 10);
    for answer in answers.iter().filter(|answer| !answer.status.is_success()) {
        let refused = answer.refused(429, "SENT_LIMIT_EXCEEDED");
        assert_eq!((refused["limit"].clone(), refused["used"].clone()), (json!(10), json!(10)));
    }
}

/// A number has a limit of its own, beside its tenant's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_has_a_daily_limit_of_its_own() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let limited = |limit: i64| {
        shop.test.post("/api/whatsapp/session", json!({"sessionId": "main", "dailyLimit": limit}))
    };
    limited(3).await.ok();
    let phones = crowd(&shop, 6).await;
    let job = session.quick(&phones, "Hi").await;
    job.until_waiting("daily_limit").await;
    assert_eq!(job.until_processed(3).await["processed"], json!(3));
    session.send(&phones[5], "OTP").await.refused(429, "SENT_LIMIT_EXCEEDED");
    let other = shop.linked("other", "5511900000002").await;
    other.send(&phones[5], "from the other number").await.ok();
    limited(5).await.ok();
    job.until_processed(5).await;
    limited(-1).await.ok();
    job.until_completed().await;
    assert_eq!(shown(&shop.test, &phones[5]).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_window_opens_by_itself_next_morning() {
    // A Friday evening in São Paulo.
    let clock = Clock::manual(At::parse("2027-03-12T22:00:00Z").unwrap());
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant_with("shop", "America/Sao_Paulo", None, None).await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 2).await;
    let office = json!([{"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "18:00"}]);
    let settings = json!({"windows": office});
    let bytes = Some(settings.to_string().into_bytes());
    shop.test.call(reqwest::Method::PUT, "/api/whatsapp/settings", &[], bytes).await.ok();

    let job = session.quick(&phones, "Hi").await;
    let waiting = job.until_waiting("window").await;
    assert_eq!(waiting["waiting"]["until"], "2027-03-15T12:00:00.000Z");
    assert_eq!(waiting["estimatedEndAt"], "2027-03-15T12:00:00.002Z");
    // A job of its own hours, and a single send, do not wait for the tenant's.
    let body = json!({"recipients": phones, "message": "Now", "delayMin": 0, "delayMax": 0, "windows": []});
    session.bulk(body).await.until_completed().await;
    session.send(&phones[0], "OTP").await.ok();
    assert_eq!(job.read().await["processed"], json!(0));
    for _ in 0..61 {
        clock.advance(HOUR);
    }
    assert_eq!(job.read().await["processed"], json!(0), "it is Monday, 08:00");
    clock.advance(HOUR);
    job.until_completed().await;

    // Settings that open the window open it at once.
    clock.advance(HOUR * 24 * 5);
    let job = session.quick(&phones, "Hi again").await;
    job.until_waiting("window").await;
    let bytes = Some(json!({"windows": []}).to_string().into_bytes());
    shop.test.call(reqwest::Method::PUT, "/api/whatsapp/settings", &[], bytes).await.ok();
    job.until_completed().await;
}

/// Dropped, stopped or unlinked: the job waits and shows why, and nobody fails for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_away_fails_nobody() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 60).await;
    let body = json!({"recipients": phones, "message": "Hi", "delayMin": 10, "delayMax": 40});
    let job = session.bulk(body).await;
    job.until_processed(5).await;
    session.fault("drop").await;
    job.until_processed(15).await;
    session.fault("503").await;
    job.until_processed(25).await;
    shop.test.post(&session.path("/stop"), json!({})).await.ok();
    job.until_waiting_as("session", "stopped").await;
    shop.test.post(&session.path("/start"), json!({})).await.ok();
    job.until_processed(35).await;

    // Unlinked on the phone: it waits until the number is linked again.
    shop.test.post("/api/sandbox/phones/5511900000001/unlink", json!({"sessionId": "main"})).await.ok();
    let waiting = job.until_waiting_as("session", "logged_out").await;
    assert_eq!(waiting["failed"], json!(0));
    shop.linked("main", "5511900000001").await;
    let done = job.until_completed().await;
    assert_eq!((done["succeeded"].clone(), done["failed"].clone()), (json!(60), json!(0)));
    each_got_it_once(&shop.test, &phones, "Hi").await;
}

/// A session that is removed for good takes its jobs with it, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_session_ends_its_jobs() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 20).await;
    let body = json!({"recipients": phones, "message": "Hi", "delayMin": 50, "delayMax": 90});
    let job = session.bulk(body).await;
    job.until_processed(2).await;
    shop.test.delete(&session.path("")).await.ok();
    let over = job.read().await;
    assert_eq!((over["status"].clone(), over["reason"].clone()), (json!("failed"), json!("session_removed")));
    job.post("/resume").await.refused(400, "JOB_IS_OVER");
}

/// Whoever failed is not put in line again for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_a_removed_session_is_not_tried_again() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let job = session.quick(&["5511799999999".to_owned()], "Hi").await;
    let done = job.until_completed().await;
    assert_eq!(done["failed"], json!(1));
    assert!(
        done["startedAt"].is_null() || done["startedAt"].as_str() <= done["finishedAt"].as_str(),
        "{done}"
    );
    shop.test.delete(&session.path("")).await.ok();
    job.post("/retry-failed").await.refused(400, "JOB_IS_OVER");
    assert_eq!(job.read().await["status"], "completed");
}

/// WhatsApp refuses to let the number start a chat: the job holds, says until when, and goes on by itself;
/// whom it refused is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_by_whatsapp_holds_the_jobs_of_the_number() {
    let clock = Clock::manual(Clock::System.now());
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 6).await;
    session.fault_with(json!({"kind": "nack_463", "count": 1})).await;
    let job = session.quick(&phones, "Hi").await;
    let waiting = job.until_waiting("blocked").await;
    assert_eq!(waiting["failed"], json!(0), "{waiting}");
    let until_when = At::parse(waiting["waiting"]["until"].as_str().unwrap()).unwrap();
    assert_eq!(until_when.since(clock.now()), 30 * 60_000);
    let health = shop.test.get(&session.path("/health")).await.ok();
    assert_eq!(health["restriction"]["reason"], "blocked", "{health}");
    // Whoever asked for an OTP gets it.
    session.send(&phones[5], "OTP").await.ok();
    clock.advance(Duration::from_secs(29 * 60));
    let still = job.read().await;
    assert_eq!(still["waiting"]["reason"], "blocked");
    clock.advance(Duration::from_secs(2 * 60));
    let done = job.until_completed().await;
    assert_eq!((done["succeeded"].clone(), done["failed"].clone()), (json!(6), json!(0)));
    let tries: Vec<i64> = job.recipients("").await.iter().map(|r| r["attempts"].as_i64().unwrap()).collect();
    assert_eq!(tries.iter().sum::<i64>(), 7, "one was refused once: {tries:?}");
    let health = shop.test.get(&session.path("/health")).await.ok();
    assert_eq!(health["restriction"], Value::Null, "{health}");
}

/// WhatsApp does not look up numbers for a while: the job says so, asks less and less often, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_cannot_be_looked_up_hold_a_job_and_fail_nobody() {
    let clock = Clock::manual(Clock::System.now());
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 6).await;
    session.fault_with(json!({"kind": "lookup_refused", "count": 4})).await;
    let job = session.quick(&phones, "Hi").await;
    let mut last = At(0);
    for pause in [1_000, 2_000, 4_000, 8_000] {
        let waiting = job
            .until("waiting for its next question", |job| {
                let until = job["waiting"]["until"].as_str().and_then(At::parse);
                job["waiting"]["reason"] == "number_check" && until > Some(last)
            })
            .await;
        last = At::parse(waiting["waiting"]["until"].as_str().unwrap()).unwrap();
        assert_eq!(last.since(clock.now()), pause);
        assert_eq!((&waiting["processed"], &waiting["status"]), (&json!(0), &json!("pending")));
        clock.advance(ms(pause));
    }
    let done = job.until_completed().await;
    assert_eq!((&done["succeeded"], &done["failed"]), (&json!(6), &json!(0)));
    each_got_it_once(&shop.test, &phones, "Hi").await;
}

/// Its unanswered messages may have arrived, and the new number's would be second ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_does_not_repeat_what_the_last_one_sent() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 6).await;
    let body = json!({"recipients": phones, "message": "Hi", "delayMin": 600, "delayMax": 600});
    let job = session.bulk(body).await;
    job.until_processed(1).await;
    // From here on neither an ack nor a receipt settles anything.
    session.fault("stall").await;
    until("one on its way", async || (!job.recipients("&outcome=sending").await.is_empty()).then_some(()))
        .await;
    shop.test.post("/api/sandbox/phones/5511900000001/unlink", json!({"sessionId": "main"})).await.ok();
    // It hears of it once it has found its connection dead, and another.
    job.until_waiting_as("session", "logged_out").await;
    let before = job.read().await["processed"].as_i64().unwrap();
    shop.test.post(&session.path("/start"), json!({"allowOtherNumber": true})).await.ok();
    shop.linked("main", "5511900000009").await;
    let done = job.until_completed().await;
    assert_eq!(done["processed"], json!(6), "{before} before");
    for phone in &phones {
        assert!(shown(&shop.test, phone).await.len() <= 1, "twice");
    }
    let unknown = job.recipients("&outcome=failed").await;
    assert!(!unknown.is_empty(), "nobody is left in the open: {done}");
    assert!(unknown.iter().all(|one| one["code"] == "OUTCOME_UNKNOWN"), "{unknown:?}");
}

/// A message with intent on which nobody works, for whatever reason, is found and sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_everybody_forgot_is_found_within_two_minutes() {
    let clock = Clock::manual(Clock::System.now());
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 1).await;
    session.send(&phones[0], "first").await.ok();
    let store = &app.gateway().store;
    let tenant = store.find_tenant("shop").await.unwrap().unwrap();
    let id = SessionId::parse("main").unwrap();
    let row = store.tenant(tenant.id.clone(), Mode::Test).session(&id).await.unwrap().unwrap();
    let owner = Owner { tenant: tenant.id, mode: Mode::Test, session: row.key, session_id: row.id };
    let intent = Intent {
        owner,
        to: Recipient::parse(&phones[0], None).unwrap(),
        asked: None,
        lid: None,
        content: Content::text("forgotten"),
        wa_id: new_wa_id(),
        epoch: 1,
        idempotency: None,
        job: None,
    };
    store.accept(intent).await.unwrap();
    for _ in 0..2 {
        clock.advance(Duration::from_secs(60));
    }
    until("the phone shows it", || async {
        shown(&shop.test, &phones[0]).await.contains(&"forgotten".to_owned()).then_some(())
    })
    .await;
}

/// WhatsApp names the end of its restriction, and that is when the job goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timelock_is_waited_out_to_its_named_end() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 3).await;
    let ana = shop.phone(&phones[0]).await;
    ana.send(&session.phone, "Hello").await;
    until("her message is in the log", || async {
        let log = shop.test.get("/api/whatsapp/messages?direction=in").await.ok();
        (log["total"] == json!(1)).then_some(())
    })
    .await;
    session.fault_with(json!({"kind": "reachout_timelock", "ms": 6_000})).await;
    let job = session.quick(&phones, "Hi").await;
    let waiting = job.until_waiting("timelock").await;
    assert_eq!(waiting["failed"], json!(0));
    let until_when = At::parse(waiting["waiting"]["until"].as_str().unwrap()).unwrap();
    assert!((0..8_000).contains(&until_when.since(Clock::System.now())), "{waiting}");
    // A warm chat goes.
    session.send(&phones[0], "an answer").await.ok();
    let done = job.until_completed().await;
    assert!(At::parse(done["finishedAt"].as_str().unwrap()).unwrap() >= until_when);
    assert_eq!((done["succeeded"].clone(), done["failed"].clone()), (json!(3), json!(0)));

    session.fault_with(json!({"kind": "new_chat_capped", "ms": 4_000})).await;
    let phones = crowd(&shop, 5).await;
    let job = session.quick(&phones[3..], "Hi").await;
    job.until_waiting("new_chat_limit").await;
    job.until_completed().await;
}

/// A number that WhatsApp banned for a while waits for the ban's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_temporary_ban_is_waited_out() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 30).await;
    let body = json!({"recipients": phones, "message": "Hi", "delayMin": 20, "delayMax": 40});
    let job = session.bulk(body).await;
    job.until_processed(3).await;
    session.fault_with(json!({"kind": "temporary_ban", "expire": 3, "count": 1})).await;
    let waiting = job.until("waiting for its ban", |job| {
        job["waiting"]["message"].as_str().is_some_and(|text| text.contains("temporary_ban"))
    });
    let waiting = waiting.await;
    assert!(waiting["waiting"]["until"].is_string(), "{waiting}");
    let done = job.until_completed().await;
    assert_eq!(done["failed"], json!(0));
    each_got_it_once(&shop.test, &phones, "Hi").await;
}
