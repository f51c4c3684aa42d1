//! One by one, with the pauses that were asked for; an OTP waits for nobody.

use std::time::{Duration, Instant};

use serde_json::json;
use wapid_core::clock::{At, Clock};
use wapid_core::id::SessionId;
use wapid_core::key::Mode;

use super::{crowd, ms, size};
use crate::app::{Engine, Tenant, TestApp};

/// When the job messages of a session left, oldest first, with the phone each went to.
async fn departures(shop: &Tenant, count: usize) -> Vec<(At, String)> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    while all.len() < count {
        let page =
            shop.test.get(&format!("/api/whatsapp/messages?limit=100&direction=out{cursor}")).await.ok();
        for message in page["messages"].as_array().unwrap() {
            if message["message"] != "OTP" {
                let at = At::parse(message["createdAt"].as_str().unwrap()).unwrap();
                all.push((at, message["to"].as_str().unwrap().to_owned()));
            }
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    all.reverse();
    all
}

fn gaps(departures: &[(At, String)]) -> Vec<i64> {
    departures.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect()
}

/// The greatest distance between the gaps' distribution and a uniform one.
fn kolmogorov_smirnov(gaps: &[i64], min: i64, max: i64) -> f64 {
    let mut sorted = gaps.to_vec();
    sorted.sort_unstable();
    let n = sorted.len() as f64;
    let uniform = |gap: i64| ((gap - min) as f64 / (max - min) as f64).clamp(0.0, 1.0);
    let distance = |(place, gap): (usize, &i64)| {
        (uniform(*gap) - place as f64 / n).abs().max((uniform(*gap) - (place + 1) as f64 / n).abs())
    };
    sorted.iter().enumerate().map(distance).fold(0.0, f64::max)
}

/// The clock is turned to each message's moment, so every gap is exactly the pause that was drawn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pauses_are_uniform_over_their_range() {
    let clock = Clock::manual(Clock::System.now());
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let count = size(300, 10_000);
    let phones = crowd(&shop, count).await;
    let (min, max) = (2_000, 5_000);
    let body = json!({"recipients": phones, "message": "Hi", "delayMin": min, "delayMax": max});
    let job = session.bulk(body).await;

    let store = &app.gateway().store;
    let tenant = store.find_tenant("shop").await.unwrap().unwrap();
    let id = SessionId::parse("main").unwrap();
    let row = store.tenant(tenant.id, Mode::Test).session(&id).await.unwrap().unwrap();
    for sent in 1..i64::try_from(count).unwrap() {
        job.until_processed(sent).await;
        let agenda = store.agenda(&row.key).await.unwrap().unwrap();
        let due = agenda.last_at.unwrap().plus_ms(agenda.jobs[0].plan.delay.at(agenda.draw));
        // A millisecond too early: it does not leave.
        clock.advance(ms(due.since(clock.now()) - 1));
        clock.advance(ms(1));
    }
    job.until_completed().await;

    let departures = departures(&shop, count).await;
    assert_eq!(departures.iter().map(|(_, to)| to.clone()).collect::<Vec<_>>(), phones, "out of order");
    let gaps = gaps(&departures);
    assert!(gaps.iter().all(|gap| (min..=max).contains(gap)), "{gaps:?}");
    // p = 0.0001: a test that is run often must not fail by chance.
    let bound = 2.23 / (gaps.len() as f64).sqrt();
    let distance = kolmogorov_smirnov(&gaps, min, max);
    assert!(distance < bound, "distance {distance}, at most {bound}: {gaps:?}");
}

/// 150 pauses of a real clock, in which a busy machine may only be late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pauses_are_drawn_from_the_whole_range_and_never_shorter() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 150).await;
    let (min, max) = (40, 160);
    let body = json!({"recipients": phones, "message": "Hi", "delayMin": min, "delayMax": max});
    let job = session.bulk(body).await;
    job.until_completed().await;
    let departures = departures(&shop, 150).await;
    assert_eq!(departures.iter().map(|(_, to)| to.clone()).collect::<Vec<_>>(), phones, "out of order");
    let gaps = gaps(&departures);
    assert!(gaps.iter().all(|gap| *gap >= min), "{:?}", gaps.iter().min());
    // 1.63 / sqrt(149) is p = 0.01; what a busy machine adds is taken off the range's upper end.
    let distance = kolmogorov_smirnov(&gaps, min, max + 10);
    assert!(distance < 0.134 + 0.06, "distance {distance}: {gaps:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_one_session_share_its_pace_fairly() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 60).await;
    let body =
        |phones: &[String]| json!({"recipients": phones, "message": "Hi", "delayMin": 30, "delayMax": 60});
    let first = session.bulk(body(&phones[..40])).await;
    first.until_processed(3).await;
    let second = session.bulk(body(&phones[40..])).await;
    second.until_completed().await;
    first.until_completed().await;
    let departures = departures(&shop, 60).await;
    assert!(gaps(&departures).iter().all(|gap| *gap >= 30), "{:?}", gaps(&departures));
    // From the second's first message to its last they take turns.
    let is_second = |to: &String| phones[40..].contains(to);
    let turns: Vec<bool> = departures.iter().map(|(_, to)| is_second(to)).collect();
    let start = turns.iter().position(|second| *second).unwrap();
    let end = turns.iter().rposition(|second| *second).unwrap();
    assert!(
        turns[start..=end].windows(3).all(|three| three.iter().any(|t| *t) && !three.iter().all(|t| *t)),
        "{turns:?}"
    );
}

/// Each keeps its own pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_job_does_not_hold_up_a_fast_one() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 30).await;
    let slow = json!({"recipients": phones[..10], "message": "Hi", "delayMin": 600_000, "delayMax": 600_000});
    let slow = session.bulk(slow).await;
    slow.until_processed(1).await;
    let fast = json!({"recipients": phones[10..], "message": "Hi", "delayMin": 30, "delayMax": 60});
    session.bulk(fast).await.until_completed().await;
    assert_eq!(slow.read().await["processed"], json!(1));
    let departures = departures(&shop, 21).await;
    // After the slow one's only message the fast one waited for its own pause, not for ten minutes.
    assert!(gaps(&departures).iter().all(|gap| *gap >= 30), "{:?}", gaps(&departures));
}

/// A single send during a large job leaves at once, and the job's pauses stay what they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_otp_does_not_wait_for_a_job() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 40).await;
    let recipients: Vec<String> =
        phones[1..].iter().cloned().chain((0..99_000).map(|n| format!("55117{n:08}"))).collect();
    let body = json!({"recipients": recipients, "message": "Hi", "delayMin": 100, "delayMax": 200, "checkNumbers": false});
    let job = session.bulk(body).await;
    job.until_processed(2).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let asked = Instant::now();
        session.send(&phones[0], "OTP").await.ok();
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "an OTP took {slowest:?}");
    job.until_processed(20).await;
    job.post("/cancel").await.ok();
    let gaps = gaps(&departures(&shop, 20).await);
    assert!(gaps.iter().all(|gap| *gap >= 100), "{gaps:?}");
}

/// A deploy, or a crash, does not shorten a pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_does_not_shorten_a_pause() {
    let mut app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 2).await;
    let body = json!({"recipients": phones, "message": "Hi", "delayMin": 4_000, "delayMax": 4_000});
    let job = session.bulk(body).await;
    job.until_processed(1).await;
    app.stop().await;
    app.start().await;
    let shop = Tenant {
        test: crate::app::Caller::new(app.url(), &shop.test.key),
        live: crate::app::Caller::new(app.url(), &shop.live.key),
        live_key: shop.live_key.clone(),
    };
    let job = super::Job { caller: &shop.test, id: job.id };
    job.until_completed().await;
    let gaps = gaps(&departures(&shop, 2).await);
    assert!((4_000..9_000).contains(&gaps[0]), "{gaps:?}");
}
