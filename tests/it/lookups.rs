//! Whether a number is on WhatsApp is asked once, by one desk, and not at all while WhatsApp refuses.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use wapid_core::clock::{At, Clock};

use crate::app::{Engine, Session, TestApp, until};
use crate::jobs::crowd;
use crate::on_both_engines;
use crate::people::{ANA, BEA, SHOP, shop_and_ana};

impl Session<'_> {
    /// What this session's phone was asked of numbers: questions, and numbers in them.
    pub async fn asked(&self) -> (i64, i64) {
        let phones = self.caller.get("/api/sandbox/phones").await.ok();
        let phones = phones["phones"].as_array().unwrap();
        let own = phones.iter().find(|phone| phone["phone"] == self.phone.as_str()).expect("its phone");
        let count = |what: &str| own["lookups"][what].as_i64().expect("a count");
        (count("questions"), count("numbers"))
    }

    async fn refuse_lookups(&self, count: u32) {
        self.fault_with(json!({"kind": "lookup_refused", "count": count})).await;
    }
}

on_both_engines! {
    async fn callers_who_ask_about_one_number_make_one_question(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let sends = join_all((0..32).map(async |n: usize| session.send(ANA, &format!("{n}")).await));
        let checks = join_all((0..32).map(async |_: usize| {
            session.tell("/numbers/check", json!({"phone": ANA})).await[0]["exists"].clone()
        }));
        let (sent, checked) = futures::future::join(sends, checks).await;
        for answer in &sent {
            answer.ok();
        }
        assert!(checked.iter().all(|exists| *exists == true));
        assert_eq!(session.asked().await, (1, 1));
        until("all of them", || async {
            (ana.inbox().await["messages"].as_array().unwrap().len() == 32).then_some(())
        })
        .await;
        // A restart of the session asks nothing anew: the answer is the network's.
        shop.test.post(&session.path("/stop"), json!({})).await.ok();
        shop.test.post(&session.path("/start"), json!({})).await.ok();
        session.until_ready().await;
        session.send(ANA, "again").await.ok();
        assert_eq!(session.asked().await, (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_who_ask_about_many_numbers_share_questions() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let phones = crowd(&shop, 64).await;
    // The first is told nothing for a second, and whoever comes meanwhile joins.
    session.refuse_lookups(1).await;
    for answer in join_all(phones.iter().map(async |phone: &String| session.send(phone, "Hi").await)).await {
        answer.ok();
    }
    let (questions, _) = session.asked().await;
    assert!(questions <= 5, "{questions} questions for 64 numbers");
}

/// What others of the network know need not be asked again; what they checked is theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_of_one_network_share_what_is_known() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    let other = shop.linked("other", BEA).await;
    session.send(ANA, "one").await.ok();
    other.send(ANA, "two").await.ok();
    ana.until_shows("two").await;
    assert_eq!((session.asked().await.0, other.asked().await.0), (1, 0));
}

/// Turns the clock until something has come of it.
async fn turning<T>(clock: &Clock, work: impl Future<Output = T>) -> T {
    let turned = async {
        loop {
            clock.advance(Duration::from_millis(100));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        done = work => done,
        () = turned => unreachable!("a clock turns for ever"),
    }
}

async fn a_send_while_whatsapp_refuses(engine: Engine) {
    let clock = Clock::manual(Clock::System.now());
    let app = TestApp::with_clock(engine, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    session.refuse_lookups(1_000).await;
    let refused = turning(&clock, session.send(ANA, "hello")).await;
    let body = refused.refused(500, "NUMBER_CHECK_FAILED");
    assert_eq!(session.asked().await.0, 3);
    assert_eq!(body["retryAfter"], 4, "{body}");
    assert_eq!(refused.headers["retry-after"], "4");
    assert!(body["error"].as_str().unwrap().contains("try again in 4 s"), "{body}");
    // Whoever comes within that is told at once, while the clock stands, and WhatsApp is left alone.
    for other in join_all((0..16).map(async |_: usize| session.send(BEA, "hello").await)).await {
        let left = other.refused(500, "NUMBER_CHECK_FAILED")["retryAfter"].as_i64().unwrap();
        assert!((3..=4).contains(&left), "{left}");
    }
    let check = shop.test.post(&session.path("/numbers/check"), json!({"phone": BEA})).await;
    assert!(check.refused(429, "WHATSAPP_RATE_LIMIT")["retryAfter"].as_i64() >= Some(3));
    assert!(check.headers.contains_key("retry-after"));
    assert_eq!(session.asked().await.0, 3);
    // After it one question is asked, and the next pause is twice as long.
    clock.advance(Duration::from_secs(4));
    assert_eq!(session.send(ANA, "hello").await.refused(500, "NUMBER_CHECK_FAILED")["retryAfter"], 8);
    assert_eq!(session.asked().await.0, 4);
    // Nothing of it is in the log, and all goes on.
    assert_eq!(shop.test.get("/api/whatsapp/messages").await.ok()["total"], 0);
    session.fault("clear").await;
    clock.advance(Duration::from_secs(8));
    session.send(ANA, "hello").await.ok();
    ana.until_shows("hello").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_while_whatsapp_refuses_asks_three_times_and_says_when_to_try_again() {
    a_send_while_whatsapp_refuses(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_while_whatsapp_refuses_asks_three_times_on_postgres() {
    a_send_while_whatsapp_refuses(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_refusals_are_waited_out_by_all_who_send() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, _ana) = shop_and_ana(&shop).await;
    session.refuse_lookups(2).await;
    for answer in join_all((0..64).map(async |n: usize| session.send(ANA, &format!("{n}")).await)).await {
        answer.ok();
    }
    assert_eq!(session.asked().await.0, 3);
}

/// Three refusals of one's sends hold the other's questions as well, and the pauses double for both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_and_sends_share_the_pauses() {
    let clock = Clock::manual(Clock::System.now());
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let (session, _ana) = shop_and_ana(&shop).await;
    let phones = crowd(&shop, 3).await;
    session.refuse_lookups(4).await;
    let job = session.quick(&phones, "Hi").await;
    let waits_for = async |pause: i64| {
        let waits = |job: &Value| {
            let until = job["waiting"]["until"].as_str().and_then(At::parse);
            job["waiting"]["reason"] == "number_check"
                && until.is_some_and(|at| at.since(clock.now()) == pause)
        };
        job.until(&format!("waiting for {pause} ms"), waits).await;
    };
    waits_for(1_000).await;
    // A send waits for the same pauses; what both ask is one refusal.
    let send = session.send(ANA, "hello");
    let turned = async {
        for (pause, next) in [(1_000, 2_000), (2_000, 4_000)] {
            clock.advance(Duration::from_millis(pause));
            waits_for(next).await;
        }
    };
    let (refused, ()) = futures::future::join(send, turned).await;
    assert_eq!(refused.refused(500, "NUMBER_CHECK_FAILED")["retryAfter"], 4);
    assert_eq!(session.asked().await.0, 3, "the job and the send together");
    clock.advance(Duration::from_secs(4));
    waits_for(8_000).await;
    session.send(ANA, "hello").await.refused(500, "NUMBER_CHECK_FAILED");
    assert_eq!(session.asked().await.0, 4);
    clock.advance(Duration::from_secs(8));
    let done = job.until_completed().await;
    assert_eq!((&done["succeeded"], &done["failed"]), (&json!(3), &json!(0)));
    session.send(ANA, "hello").await.ok();
}

/// A caller that waits for an answer is told at once that there will be none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_answers_whoever_waits() {
    let clock = Clock::manual(Clock::System.now());
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let (session, _ana) = shop_and_ana(&shop).await;
    session.refuse_lookups(1).await;
    let send = session.send(ANA, "hello");
    let path = session.path("/numbers/check");
    let check = shop.test.post(&path, json!({"phone": BEA}));
    let stopped = async {
        until("refused once", || async { (session.asked().await.0 == 1).then_some(()) }).await;
        shop.test.post(&session.path("/stop"), json!({})).await.ok();
    };
    // The clock stands: nothing but the end of the session answers the send.
    let (sent, checked, ()) = futures::future::join3(send, check, stopped).await;
    sent.refused(400, "SESSION_NOT_READY");
    assert!(matches!(checked.code().as_str(), "SESSION_NOT_READY" | "WHATSAPP_RATE_LIMIT"));
}

/// A probe of a silent connection is no question about a number, and its refusal no silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_answers_is_not_replaced_while_whatsapp_refuses_look_ups() {
    let clock = Clock::manual(Clock::System.now());
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    session.send(ANA, "first").await.ok();
    let before = session.asked().await;
    session.refuse_lookups(1_000).await;
    // Taken, and neither acknowledged nor delivered: the connection is probed.
    ana.does("/block", json!({"phone": SHOP, "blocked": true})).await;
    session.fault_with(json!({"kind": "never_ack", "count": 1})).await;
    turning(&clock, session.send(ANA, "second")).await;
    assert_eq!(session.asked().await, before, "nobody was looked up");
    let events = shop.test.get("/api/whatsapp/events?types=session.ready,session.disconnected").await.ok();
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "{events}");
}
