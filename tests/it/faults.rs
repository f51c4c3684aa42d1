//! Every trouble that WhatsApp can make ends in the right status and reason, and back in ready where
//! it can.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wapid_core::clock::Clock;

use crate::app::{Engine, Session, Tenant, TestApp, until, until_within};
use crate::jobs::crowd;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";

/// A linked session and somebody to write to.
async fn linked(tenant: &Tenant) -> Session<'_> {
    tenant.phone(ANA).await;
    tenant.linked("main", SHOP).await
}

/// The session works: what it sends arrives.
async fn works(tenant: &Tenant, session: &Session<'_>, text: &str) {
    session.until_ready().await;
    session.send(ANA, text).await.ok();
    tenant.phone(ANA).await.until_shows(text).await;
}

/// Trouble after which the link comes back by itself.
async fn recovers(fault: Value) {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    let since = session.status().await["since"].clone();
    session.fault_with(fault.clone()).await;
    until_within(Duration::from_secs(120), &format!("{fault} shows"), || async {
        let status = session.status().await;
        (status["since"] != since).then_some(())
    })
    .await;
    until_within(Duration::from_secs(60), &format!("ready after {fault}"), || async {
        (session.status().await["status"] == "ready").then_some(())
    })
    .await;
    works(&shop, &session, "after the trouble").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_connection_is_disconnected_and_then_ready() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    session.fault("drop").await;
    let status = session.until_status("disconnected").await;
    assert_eq!(status["reason"], "connection_lost");
    assert_eq!(status["phoneNumber"], SHOP);
    works(&shop, &session, "after the drop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_looks_open_and_is_dead_is_noticed() {
    recovers(json!({"kind": "stall"})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_busy_is_tried_again() {
    for code in ["429", "500", "503"] {
        recovers(json!({"kind": code})).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_stream_is_no_trouble() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    session.fault("515").await;
    works(&shop, &session, "after 515").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_401_logs_out_and_a_new_scan_brings_it_back() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    session.fault("401").await;
    let status = session.until_reason("logged_out").await;
    assert_eq!((&status["status"], &status["connected"]), (&json!("disconnected"), &json!(false)));
    session.send(ANA, "x").await.refused(400, "SESSION_NOT_READY");
    let session = shop.linked("main", SHOP).await;
    works(&shop, &session, "after the second scan").await;
}

/// Some have left and are not acknowledged yet; when the session is back, their receipts say that they came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_meets_a_restart_of_its_session_is_answered() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let others = crowd(&shop, 8).await;
    let is_over = AtomicBool::new(false);
    let restarts = async {
        for _ in 0..8 {
            session.send(&others[0], "first").await.ok();
            shop.test.post(&session.path("/stop"), json!({})).await.ok();
            shop.test.post(&session.path("/start"), json!({})).await.ok();
            session.until_ready().await;
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let sends = others.iter().map(async |other| {
        while !is_over.load(Ordering::Relaxed) {
            let answer = session.send(other, "next").await;
            assert!(answer.status.is_success() || answer.code() == "SESSION_NOT_READY", "{}", answer.text);
        }
    });
    tokio::join!(futures::future::join_all(sends), restarts);
}

/// Some are accepted in the moment in which the number is unlinked. Nobody is left to send those.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_that_meets_an_unlink_hears_of_it_at_once() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let others = crowd(&shop, 8).await;
    for _ in 0..10 {
        let session = shop.linked("main", SHOP).await;
        let unlink = async {
            session.send(&others[0], "first").await.ok();
            let gone = json!({"sessionId": "main"});
            shop.test.post(&format!("/api/sandbox/phones/{SHOP}/unlink"), gone).await.ok();
        };
        let refusals = others.iter().map(async |other| {
            loop {
                let answer = session.send(other, "next").await;
                if !answer.status.is_success() {
                    return answer.code();
                }
            }
        });
        let (refusals, ()) = tokio::join!(futures::future::join_all(refusals), unlink);
        let known = ["LOGGED_OUT", "SESSION_NOT_READY"];
        assert!(refusals.iter().all(|code| known.contains(&code.as_str())), "{refusals:?}");
        session.until_reason("logged_out").await;
    }
    let left = shop.test.get("/api/whatsapp/messages?status=sending").await.ok();
    assert_eq!(left["total"], json!(0), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_logins_end_the_session_until_its_owner_starts_it_again() {
    for (fault, reason) in
        [("403", "account_blocked"), ("client_outdated", "client_outdated"), ("replaced", "replaced")]
    {
        let app = TestApp::new().await;
        let shop = app.tenant("shop").await;
        let session = linked(&shop).await;
        session.fault(fault).await;
        let status = session.until_reason(reason).await;
        assert_eq!(status["status"], "disconnected");
        session.fault("clear").await;
        shop.test.post(&session.path("/start"), json!({})).await.ok();
        works(&shop, &session, "after the start").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_temporary_ban_says_until_when_and_ends_by_itself() {
    let app = TestApp::with_clock(Engine::Sqlite, Clock::manual(Clock::System.now())).await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    session.fault_with(json!({"kind": "temporary_ban", "expire": 3600})).await;
    let status = session.until_reason("temporary_ban").await;
    assert_eq!(status["status"], "disconnected");
    assert_eq!(status["retryAt"].as_str().expect("until when"), app.clock.now().plus_ms(3_600_000).iso());
    let refused = session.send(ANA, "x").await.refused(400, "SESSION_NOT_READY");
    assert_eq!(refused["reason"], "temporary_ban");
    session.fault("clear").await;
    app.clock.advance(Duration::from_secs(3601));
    works(&shop, &session, "after the ban").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_never_ends_is_noticed_and_tried_again() {
    for kind in ["handshake_stall", "refuse_handshake"] {
        let app = TestApp::with_clock(Engine::Sqlite, Clock::manual(Clock::System.now())).await;
        let shop = app.tenant("shop").await;
        let session = linked(&shop).await;
        session.fault(kind).await;
        session.until_reason("connection_lost").await;
        app.clock.advance(Duration::from_secs(91));
        let status = session.until_reason("unreachable").await;
        assert!(status["retryAt"].is_string());
        session.fault("clear").await;
        app.clock.advance(Duration::from_secs(301));
        works(&shop, &session, "after the silence").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_whatsapp_refuses_is_failed_and_gives_its_quota_back() {
    let app = TestApp::new().await;
    let shop = app.tenant_with("shop", "UTC", Some(1), None).await;
    let session = linked(&shop).await;
    session.fault("nack_463").await;
    let refused = session.send(ANA, "not now").await.refused(400, "BLOCKED_BY_WHATSAPP");
    let row = session.until_logged(refused["messageId"].as_str().expect("an id"), "failed").await;
    assert_eq!(row["error"]["code"], "BLOCKED_BY_WHATSAPP");
    session.send(ANA, "now").await.ok();
    session.send(ANA, "over the limit").await.refused(429, "SENT_LIMIT_EXCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restricted_account_reaches_only_those_who_wrote_to_it() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    let warm = shop.phone("5511900000003").await;
    let hello = warm.send(SHOP, "hello").await;
    session.until_logged(&hello, "received").await;
    for (fault, code) in [("reachout_timelock", "463"), ("new_chat_capped", "475")] {
        session.fault_with(json!({"kind": fault, "ms": 3_600_000})).await;
        let refused = session.send(ANA, "cold").await.refused(400, "BLOCKED_BY_WHATSAPP");
        assert!(refused["error"].as_str().is_some_and(|error| error.contains(code)), "{refused}");
        session.send(&warm.phone, fault).await.ok();
        warm.until_shows(fault).await;
        session.fault("clear").await;
    }
    session.send(ANA, "after").await.ok();
    shop.phone(ANA).await.until_shows("after").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_delivered_and_never_acked_counts_as_sent() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    session.fault("never_ack").await;
    let sent = session.send(ANA, "no ack").await.ok();
    session.until_logged(sent["messageId"].as_str().expect("an id"), "delivered").await;
    let inbox = shop.phone(ANA).await.inbox().await;
    assert_eq!(inbox["messages"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_answers_that_the_outcome_is_unknown_and_the_message_goes_on() {
    let app = TestApp::with_clock(Engine::Sqlite, Clock::manual(Clock::System.now())).await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    session.send(ANA, "warm").await.ok();
    // Nothing moves on the socket any more; the client has not noticed yet.
    session.fault("stall").await;
    let (answer, ()) = tokio::join!(session.send(ANA, "in the dark"), async {
        until("the message is underway", || async {
            let log = shop.test.get("/api/whatsapp/messages?status=sending").await.ok();
            (log["total"] == 1).then_some(())
        })
        .await;
        app.clock.advance(Duration::from_secs(31));
    });
    let refused = answer.refused(500, "OUTCOME_UNKNOWN");
    let id = refused["messageId"].as_str().expect("an id").to_owned();
    let shown = until_within(Duration::from_secs(120), "the message arrives", || async {
        let inbox = shop.phone(ANA).await.inbox().await;
        let messages = inbox["messages"].as_array().expect("messages");
        messages.iter().find(|message| message["message"] == "in the dark").cloned()
    })
    .await;
    assert_eq!(shown["id"], id.as_str());
    session.until_logged(&id, "delivered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_ack_is_not_taken_for_silence() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    session.fault_with(json!({"kind": "slow_ack", "ms": 2000})).await;
    session.send(ANA, "slowly").await.ok();
    let ana = shop.phone(ANA).await;
    ana.until_shows("slowly").await;
    session.send(ANA, "and again").await.ok();
    ana.until_shows("and again").await;
    assert_eq!(ana.inbox().await["redelivered"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delivered_twice_is_logged_once() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    session.fault("duplicate_delivery").await;
    let id = shop.phone(ANA).await.send(SHOP, "twice").await;
    session.until_logged(&id, "received").await;
    let later = shop.phone(ANA).await.send(SHOP, "later").await;
    session.until_logged(&later, "received").await;
    let log = shop.test.get("/api/whatsapp/messages?direction=in").await.ok();
    assert_eq!(log["total"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_cannot_decrypt_asks_again_and_gets_the_message() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = linked(&shop).await;
    session.send(ANA, "first").await.ok();
    let ana = shop.phone(ANA).await;
    ana.until_shows("first").await;
    let lose = json!({"sessionId": "main", "phone": ANA, "kind": "lose_sessions"});
    shop.test.post("/api/sandbox/faults", lose).await.ok();
    let sent = session.send(ANA, "second").await.ok();
    ana.until_shows("second").await;
    session.until_logged(sent["messageId"].as_str().expect("an id"), "delivered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_passkey_gate_is_named_and_its_request_is_there() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.phone(SHOP).await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let session = Session { caller: &shop.test, id: "main".into(), phone: SHOP.into() };
    let qr = session.until_status("qr_ready").await["qrText"].clone();
    session.fault("passkey").await;
    shop.test.post(&format!("/api/sandbox/phones/{SHOP}/scan"), json!({"qr": qr})).await.ok();
    let status = session.until_status("passkey_required").await;
    assert_eq!(status["reason"], "passkey_required");
    assert!(status["passkeyRequest"]["challenge"].is_string(), "{status}");
}
