//! One message: how far it got, why it did not, and that it never waits for ever.

use std::time::Duration;

use serde_json::{Value, json};
use wapid_core::clock::Clock;
use wapid_core::content::Content;
use wapid_core::id::SessionId;
use wapid_core::message::new_wa_id;
use wapid_core::phone::{Phone, Recipient};
use wapid_core::store::ledger::{Intent, Owner};

use crate::app::{Engine, TestApp, until};
use crate::on_both_engines;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";

fn steps(message: &Value) -> Vec<&str> {
    let timeline = message["timeline"].as_array().expect("a timeline");
    assert!(timeline.iter().all(|step| step["at"].as_str().is_some_and(|at| at.ends_with('Z'))), "{message}");
    timeline.iter().map(|step| step["status"].as_str().expect("a status")).collect()
}

on_both_engines! {
    async fn a_message_tells_each_step_of_its_way(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        let sent = session.send(ANA, "hello").await.ok();
        let id = sent["messageId"].as_str().expect("an id");
        session.until_logged(id, "delivered").await;
        let read = |id: String| {
            let caller = &shop.test;
            async move { caller.get(&format!("/api/whatsapp/messages/{id}")).await.ok() }
        };
        let message = read(id.to_owned()).await;
        assert_eq!(steps(&message), ["sending", "sent", "delivered"]);
        assert_eq!(message["timeline"][0]["at"], message["createdAt"]);
        shop.test.post(&ana.path("/read"), json!({"messageId": id})).await.ok();
        session.until_logged(id, "read").await;
        shop.test.post(&ana.path("/played"), json!({"messageId": id})).await.ok();
        session.until_logged(id, "played").await;
        let message = read(id.to_owned()).await;
        assert_eq!(steps(&message), ["sending", "sent", "delivered", "read", "played"]);
        assert_eq!(message["timeline"][4]["at"], message["playedAt"]);
        assert_eq!((&message["origin"], &message["direction"]), (&json!("api"), &json!("out")));
        // By our key, and in its session.
        let key = message["key"].as_str().expect("a key");
        assert_eq!(read(key.to_owned()).await, message);
        assert_eq!(read(format!("{id}?session=main")).await, message);
        assert_eq!(read(format!("{key}?session=main")).await, message);
        for elsewhere in [format!("{id}?session=other"), format!("{key}?session=other")] {
            shop.test.get(&format!("/api/whatsapp/messages/{elsewhere}")).await.refused(404, "MESSAGE_NOT_FOUND");
        }
        let answer = ana.send(SHOP, "hi").await;
        session.until_logged(&answer, "received").await;
        let message = read(answer).await;
        assert_eq!((steps(&message), &message["origin"]), (vec!["received"], &json!("contact")));

        session.fault("nack_463").await;
        let refused = session.send(ANA, "not now").await.refused(400, "BLOCKED_BY_WHATSAPP");
        let message = read(refused["messageId"].as_str().expect("an id").to_owned()).await;
        assert_eq!(steps(&message), ["sending", "failed"]);
        assert_eq!(message["error"], json!({
            "code": "BLOCKED_BY_WHATSAPP", "whatsappCode": 463,
            "message": "WhatsApp does not let this number start a chat with this recipient now (463)",
        }));
        shop.test.get(&format!("/api/whatsapp/messages/{id}?sessionId=x")).await.refused(400, "INVALID_PARAMETER");
    }
}

/// As a crash of a task would leave it: the intent is committed, and nobody knows of it.
async fn leave_behind(app: &TestApp, tenant: &str, text: &str) -> String {
    let store = &app.gateway().store;
    let tenant = store
        .tenants()
        .await
        .expect("tenants")
        .into_iter()
        .find(|one| one.name == tenant)
        .expect("it is there");
    let scoped = store.tenant(tenant.id, wapid_core::key::Mode::Test);
    let session = scoped.session(&SessionId("main".into())).await.expect("an answer").expect("the session");
    let wa_id = new_wa_id();
    let intent = Intent {
        owner: Owner {
            tenant: session.tenant,
            mode: session.mode,
            session: session.key,
            session_id: session.id,
        },
        to: Recipient::Person(Phone::parse(ANA, None).expect("a number")),
        asked: None,
        lid: None,
        content: Content::text(text),
        wa_id: wa_id.clone(),
        // The session's first hold of its lease, as its own messages have it.
        epoch: 1,
        idempotency: None,
        job: None,
    };
    store.accept(intent).await.expect("accepted");
    wa_id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_nobody_works_on_is_taken_up_within_two_minutes() {
    let app = TestApp::with_clock(Engine::Sqlite, Clock::manual(Clock::System.now())).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    let id = leave_behind(&app, "shop", "left behind").await;
    assert_eq!(shop.test.get(&format!("/api/whatsapp/messages/{id}")).await.ok()["status"], "sending");
    // Once, for to a clock that goes on by jumps WhatsApp seems silent, and the message is sent again.
    app.clock.advance(Duration::from_secs(61));
    ana.until_shows("left behind").await;
    session.until_logged(&id, "delivered").await;
    assert_eq!(ana.inbox().await["redelivered"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_a_number_that_is_offline_is_unknown_after_a_day_and_not_sent_later() {
    let app = TestApp::with_clock(Engine::Sqlite, Clock::manual(Clock::System.now())).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    shop.test.post(&session.path("/stop"), json!({})).await.ok();
    let id = leave_behind(&app, "shop", "too late").await;
    let path = format!("/api/whatsapp/messages/{id}");
    app.clock.advance(Duration::from_secs(23 * 3600));
    assert_eq!(shop.test.get(&path).await.ok()["status"], "sending");
    let failed = until("a day is over", || async {
        app.clock.advance(Duration::from_secs(600));
        let message = shop.test.get(&path).await.ok();
        (message["status"] == "failed").then_some(message)
    })
    .await;
    assert_eq!(failed["error"]["code"], "OUTCOME_UNKNOWN");
    let age = failed["failedAt"].as_str().expect("a time") > failed["createdAt"].as_str().expect("a time");
    assert!(age, "{failed}");
    shop.test.post(&session.path("/start"), json!({})).await.ok();
    session.until_ready().await;
    session.send(ANA, "on time").await.ok();
    ana.until_shows("on time").await;
    let inbox = ana.inbox().await;
    assert_eq!(inbox["messages"].as_array().map(Vec::len), Some(1), "{inbox}");
}
