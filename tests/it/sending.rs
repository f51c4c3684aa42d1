//! A send is answered by WhatsApp's own answer, happens once, and is counted right.

use serde_json::{Value, json};

use crate::app::{Session, TestApp, until};
use crate::on_both_engines;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";

on_both_engines! {
    async fn a_text_is_decrypted_by_the_phone_and_its_receipts_come_back(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        let otp = json!({
            "to": ANA, "header": "Verification Code",
            "message": "Your OTP is *123456*.", "footer": "The Shop"
        });
        let sent = shop.test.post(&session.path("/send"), otp).await;
        assert!(!sent.text.contains(": "), "not compact: {}", sent.text);
        let sent = sent.ok();
        assert_eq!(sent["success"], true);
        let id = sent["messageId"].as_str().expect("an id");
        assert!(id.starts_with("3EB0") && id.len() == 22);
        let age = app.clock.now().seconds() - sent["timestamp"].as_i64().expect("seconds");
        assert!((-5..60).contains(&age), "timestamp is {age} s old");

        let shown = ana.until_shows("*Verification Code*\n\nYour OTP is *123456*.\n\n_The Shop_").await;
        assert_eq!((&shown["id"], &shown["from"], &shown["fromMe"]), (&json!(id), &json!(SHOP), &json!(false)));
        session.until_logged(id, "delivered").await;
        shop.test.post(&ana.path("/read"), json!({"messageId": id})).await.ok();
        session.until_logged(id, "read").await;
        shop.test.post(&ana.path("/played"), json!({"messageId": id})).await.ok();
        let row = session.until_logged(id, "played").await;
        assert_eq!(row["message"], "Your OTP is *123456*.");
        assert_eq!((&row["to"], &row["from"], &row["direction"]), (&json!(ANA), &json!(SHOP), &json!("out")));

        // The owner's own phone shows what the session sent.
        let own = shop.phone(SHOP).await;
        let copy = own.until_shows("*Verification Code*\n\nYour OTP is *123456*.\n\n_The Shop_").await;
        assert_eq!(copy["fromMe"], true);
    }
}

on_both_engines! {
    async fn an_inbound_text_is_in_the_log_with_its_senders_number(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        let id = ana.send(SHOP, "I need help with my order").await;
        let row = session.until_logged(&id, "received").await;
        assert_eq!((&row["direction"], &row["from"], &row["to"]), (&json!("in"), &json!(ANA), &json!(SHOP)));
        assert_eq!((&row["message"], &row["type"], &row["phone"]), (&json!("I need help with my order"), &json!("text"), &json!(ANA)));
        assert!(row["lid"].is_string(), "{row}");

        // What the owner types on the phone is in the log as well.
        let own = shop.phone(SHOP).await;
        let id = own.send(ANA, "typed on the phone").await;
        let row = session.until_logged(&id, "sent").await;
        assert_eq!((&row["direction"], &row["to"]), (&json!("out"), &json!(ANA)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_spelling_of_a_number_reaches_the_same_phone() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    let spellings = [
        "5511900000002",
        "+5511900000002",
        "+55 (11) 90000-0002",
        "5511900000002@s.whatsapp.net",
        "5511900000002@c.us",
    ];
    for spelling in spellings {
        session.send(spelling, spelling).await.ok();
        ana.until_shows(spelling).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_codes_and_change_nothing() {
    let app = TestApp::new().await;
    let shop = app.tenant_with("shop", "UTC", Some(5), None).await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "idle"})).await.ok();
    let idle = Session { caller: &shop.test, id: "idle".into(), phone: String::new() };
    idle.until_status("qr_ready").await;
    let refused = idle.send(ANA, "hello").await.refused(400, "SESSION_NOT_READY");
    assert_eq!((&refused["status"], &refused["reason"]), (&json!("qr_ready"), &json!("waiting_for_scan")));

    let session = shop.linked("main", SHOP).await;
    session.send("5511999999999", "nobody").await.refused(400, "NOT_ON_WHATSAPP");
    session.send("0123", "x").await.refused(400, "INVALID_RECIPIENT");
    session.send("status@broadcast", "x").await.refused(400, "INVALID_RECIPIENT");
    session.send(ANA, " ").await.refused(400, "INVALID_REQUEST");
    session.send(ANA, &"x".repeat(65_537)).await.refused(400, "MESSAGE_TOO_LONG");
    let log = shop.test.get("/api/whatsapp/messages").await.ok();
    assert_eq!(log["total"], 0);

    // Somebody who joins later is found.
    shop.phone("5511999999999").await;
    session.send("5511999999999", "welcome").await.ok();
}

on_both_engines! {
    async fn the_daily_limit_is_exact_under_a_rush(app: TestApp) {
        let shop = app.tenant_with("shop", "America/Sao_Paulo", Some(10), None).await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        session.send(ANA, "warm").await.ok();
        let answers = futures::future::join_all((0..64).map(|i| {
            let session = &session;
            async move { session.send(ANA, &format!("rush {i}")).await }
        }))
        .await;
        let (sent, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status.is_success());
        assert_eq!(sent.len(), 9);
        for answer in refused {
            let told = answer.refused(429, "SENT_LIMIT_EXCEEDED");
            assert_eq!(told["error"], "Daily sent message limit reached");
            assert_eq!([&told["limit"], &told["used"]], [10, 10]);
            // The tenant's next midnight, in three hours' difference from UTC.
            assert!(told["resetAt"].as_str().expect("a time").ends_with("T03:00:00.000Z"), "{told}");
            let seconds = told["retryAfter"].as_u64().expect("seconds");
            assert!((1..=86_400).contains(&seconds), "{told}");
        }
        let count = until("10 messages arrived", || async {
            let count = ana.inbox().await["messages"].as_array().expect("messages").len();
            (count >= 10).then_some(count)
        })
        .await;
        assert_eq!(count, 10);
    }
}

on_both_engines! {
    async fn an_idempotency_key_sends_once(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        let send = |message: &'static str, key: &'static str| {
            let (caller, path) = (&shop.test, session.path("/send"));
            async move {
                let body = json!({"to": ANA, "message": message}).to_string().into_bytes();
                caller.call(reqwest::Method::POST, &path, &[("Idempotency-Key", key)], Some(body)).await
            }
        };
        let answers = futures::future::join_all((0..100).map(|_| send("once", "order-1"))).await;
        let ids: std::collections::HashSet<_> =
            answers.iter().map(|answer| answer.ok()["messageId"].to_string()).collect();
        assert_eq!(ids.len(), 1);
        let replayed = answers.iter().filter(|a| a.headers.contains_key("idempotency-replayed")).count();
        assert_eq!(replayed, 99);
        send("another text", "order-1").await.refused(400, "IDEMPOTENCY_KEY_REUSED");
        // Quoted, as the draft writes it, is the same key; and the order of fields does not matter.
        let body = format!(r#"{{ "message":"once",  "to":"{ANA}" }}"#).into_bytes();
        let quoted = [("Idempotency-Key", "\"order-1\"")];
        let answer = shop.test.call(reqwest::Method::POST, &session.path("/send"), &quoted, Some(body)).await;
        assert_eq!(answer.headers["idempotency-replayed"], "true");

        // A retry is answered even while the session is away.
        shop.test.post(&session.path("/stop"), json!({})).await.ok();
        send("once", "order-1").await.ok();
        send("new", "order-2").await.refused(400, "SESSION_NOT_READY");
        let inbox = ana.inbox().await;
        assert_eq!(inbox["messages"].as_array().map(Vec::len), Some(1));
        for bad in ["", &"k".repeat(256)] {
            let body = json!({"to": ANA, "message": "x"}).to_string().into_bytes();
            let answer = shop.test.call(reqwest::Method::POST, &session.path("/send"), &[("Idempotency-Key", bad)], Some(body)).await;
            answer.refused(400, "INVALID_IDEMPOTENCY_KEY");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_a_chat_arrive_in_the_order_they_were_accepted() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    futures::future::join_all((0..50).map(|i| {
        let session = &session;
        async move { session.send(ANA, &format!("text {i}")).await.ok() }
    }))
    .await;
    let log = shop.test.get("/api/whatsapp/messages?limit=100&direction=out").await.ok();
    let rows = log["messages"].as_array().expect("messages");
    let mut accepted: Vec<_> = rows.iter().map(|row| row["messageId"].clone()).collect();
    accepted.reverse();
    let inbox = ana.inbox().await;
    let shown: Vec<Value> =
        inbox["messages"].as_array().expect("messages").iter().map(|message| message["id"].clone()).collect();
    assert_eq!(shown, accepted);
}

on_both_engines! {
    async fn a_key_whose_message_left_the_log_says_so_and_sends_nothing(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        let send = async |text: &str| {
            let body = json!({"to": ANA, "message": text}).to_string().into_bytes();
            let key = [("Idempotency-Key", "order-1")];
            shop.test.call(reqwest::Method::POST, &session.path("/send"), &key, Some(body)).await
        };
        send("once").await.ok();
        ana.until_shows("once").await;
        app.execute("DELETE FROM messages").await;
        let refused = send("once").await.refused(400, "IDEMPOTENCY_KEY_OUTLIVED");
        assert!(refused["error"].as_str().is_some_and(|text| text.contains("another key")), "{refused}");
        send("another text").await.refused(400, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(ana.inbox().await["messages"].as_array().map(Vec::len), Some(1));
    }
}
