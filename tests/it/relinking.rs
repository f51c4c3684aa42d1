//! A session stays its number's: another one is turned away, unless it is asked for.

use serde_json::{Value, json};

use crate::app::{Session, Tenant, TestApp, until};
use crate::on_both_engines;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";
const OTHER: &str = "5511900000003";

impl Session<'_> {
    /// Its phone removes it from the list of linked devices.
    async fn unlinked_by(&self, phone: &str) {
        let path = format!("/api/sandbox/phones/{phone}/unlink");
        self.caller.post(&path, json!({"sessionId": self.id})).await.ok();
        self.until_reason("logged_out").await;
    }

    async fn started(&self, wish: Value) -> Value {
        self.caller.post(&self.path("/start"), wish).await.ok();
        self.until_status("qr_ready").await
    }

    async fn scanned_by(&self, phone: &str) {
        let qr = self.until_status("qr_ready").await["qrText"].clone();
        self.caller.post(&format!("/api/sandbox/phones/{phone}/scan"), json!({"qr": qr})).await.ok();
    }
}

/// How many devices the phone shows in its list.
async fn devices(app: &TestApp, phone: &str) -> usize {
    let tenants = app.gateway().store.tenants().await.unwrap();
    let shop = tenants.into_iter().find(|tenant| tenant.name == "shop").unwrap();
    app.gateway().sessions.sandbox().devices(shop.id.as_str(), phone).await.unwrap().len()
}

async fn texts(shop: &Tenant) -> Vec<Value> {
    let log = shop.test.get("/api/whatsapp/messages?limit=100").await.ok();
    log["messages"].as_array().unwrap().iter().map(|row| row["message"].clone()).collect()
}

on_both_engines! {
    async fn another_number_is_turned_away_and_nothing_of_it_is_kept(app: TestApp) {
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        let (ana, other) = (shop.phone(ANA).await, shop.phone(OTHER).await);
        ana.send(SHOP, "To the shop").await;
        main.until_event("message.received", |data| data["body"] == "To the shop").await;
        main.unlinked_by(SHOP).await;
        // What waits for the other number is not this session's to read.
        ana.send(OTHER, "Not for the shop").await;
        let status = main.started(json!({})).await;
        assert_eq!(status["expectedPhoneNumber"], SHOP);
        main.scanned_by(OTHER).await;
        let status = main.until_reason("other_number").await;
        assert_eq!((&status["status"], &status["expectedPhoneNumber"]), (&json!("disconnected"), &json!(SHOP)));
        assert!(status.get("phoneNumber").is_none(), "{status}");
        let told = main.until_event("session.disconnected", |data| data["reason"] == "other_number").await;
        assert_eq!((&told["expectedPhoneNumber"], &told["phoneNumber"]), (&json!(SHOP), &Value::Null));
        until("the other phone shows no device", async || (devices(&app, OTHER).await == 0).then_some(())).await;
        main.send(ANA, "As another?").await.refused(400, "SESSION_NOT_READY");

        // Its own number is as welcome as before.
        main.started(json!({})).await;
        main.scanned_by(SHOP).await;
        let status = main.until_ready().await;
        assert_eq!(status["phoneNumber"], SHOP);
        assert!(status.get("expectedPhoneNumber").is_none(), "{status}");
        ana.send(SHOP, "To the shop again").await;
        main.until_event("message.received", |data| data["body"] == "To the shop again").await;
        ana.send(&other.phone, "Still not for the shop").await;
        assert_eq!(texts(&shop).await, ["To the shop again", "To the shop"]);
    }
}

on_both_engines! {
    async fn another_number_is_linked_where_that_was_asked_for(app: TestApp) {
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        shop.phone(OTHER).await;
        // While a number is linked the wish is nobody's.
        shop.test.post(&main.path("/start"), json!({"allowOtherNumber": true})).await.ok();
        main.unlinked_by(SHOP).await;
        main.started(json!({})).await;
        main.scanned_by(OTHER).await;
        main.until_reason("other_number").await;

        let status = main.started(json!({"allowOtherNumber": true})).await;
        assert!(status.get("expectedPhoneNumber").is_none(), "{status}");
        // Asked for once, it may be started again without a word.
        shop.test.post(&main.path("/stop"), json!({})).await.ok();
        main.started(json!({})).await;
        main.scanned_by(OTHER).await;
        assert_eq!(main.until_ready().await["phoneNumber"], OTHER);

        // And from here on the session is the new number's.
        main.unlinked_by(OTHER).await;
        assert_eq!(main.started(json!({})).await["expectedPhoneNumber"], OTHER);
        main.scanned_by(SHOP).await;
        main.until_reason("other_number").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wish_can_be_taken_back_and_survives_a_restart() {
    let mut app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let main = shop.linked("main", SHOP).await;
    main.unlinked_by(SHOP).await;
    main.started(json!({"allowOtherNumber": true})).await;
    let status = main.started(json!({"allowOtherNumber": false})).await;
    assert_eq!(status["expectedPhoneNumber"], SHOP);
    main.started(json!({"allowOtherNumber": true})).await;
    app.stop().await;
    app.start().await;
    let test = crate::app::Caller::new(app.url(), &shop.test.key);
    let main = Session { caller: &test, id: "main".into(), phone: SHOP.into() };
    let status = main.until_status("qr_ready").await;
    assert!(status.get("expectedPhoneNumber").is_none(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_made_anew_is_anybodys() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let main = shop.linked("main", SHOP).await;
    shop.test.delete(&main.path("")).await.ok();
    assert_eq!(shop.linked("main", OTHER).await.status().await["phoneNumber"], OTHER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_for_another_number_is_refused_before_it_is_typed() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let main = shop.linked("main", SHOP).await;
    shop.phone(OTHER).await;
    main.unlinked_by(SHOP).await;
    let code = |phone: &str, allow: bool| json!({"sessionId": "main", "phoneNumber": phone, "allowOtherNumber": allow});
    let refused =
        shop.test.post("/api/whatsapp/session", code(OTHER, false)).await.refused(400, "OTHER_NUMBER");
    assert!(refused["error"].as_str().unwrap().contains(SHOP), "{refused}");
    assert_eq!(main.status().await["reason"], "logged_out", "a refusal started something");
    shop.test.post("/api/whatsapp/session", code(SHOP, false)).await.ok();
    let made = shop.test.post("/api/whatsapp/session", code(OTHER, true)).await.ok();
    let typed = json!({"code": made["pairingCode"]});
    shop.test.post(&format!("/api/sandbox/phones/{OTHER}/enter-code"), typed).await.ok();
    assert_eq!(main.until_ready().await["phoneNumber"], OTHER);
}

/// It was scanned, and the process ended before it could say no.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_number_is_turned_away_after_a_crash_as_well() {
    let mut app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let main = shop.linked("main", SHOP).await;
    shop.phone(OTHER).await;
    main.unlinked_by(SHOP).await;
    main.started(json!({"allowOtherNumber": true})).await;
    main.scanned_by(OTHER).await;
    main.until_ready().await;
    app.stop().await;
    // The row as it was before the number was written down; the keys are those of the other one.
    let pool = sqlx::SqlitePool::connect(&app.database.url).await.unwrap();
    let before =
        "UPDATE sessions SET account = NULL, last_phone = $1, wanted = TRUE WHERE session_id = 'main'";
    sqlx::query(before).bind(SHOP).execute(&pool).await.unwrap();
    pool.close().await;
    app.start().await;
    let test = crate::app::Caller::new(app.url(), &shop.test.key);
    let main = Session { caller: &test, id: "main".into(), phone: SHOP.into() };
    main.until_reason("other_number").await;
    until("the other phone shows no device", async || (devices(&app, OTHER).await == 0).then_some(())).await;
    main.started(json!({})).await;
    main.scanned_by(SHOP).await;
    assert_eq!(main.until_ready().await["phoneNumber"], SHOP);
}
