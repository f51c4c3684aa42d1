//! What was said is erased on request, and kept for as long as the tenant says.

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::on_both_engines;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";

on_both_engines! {
    async fn an_erased_message_is_a_bare_fact_everywhere(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        let id = ana.send(SHOP, "my secret address").await;
        let row = session.until_logged(&id, "received").await;
        let key = row["key"].as_str().expect("a key").to_owned();
        let erased = shop.test.delete(&format!("/api/whatsapp/messages/{id}")).await.ok();
        assert_eq!((&erased["success"], &erased["key"], &erased["messageId"]), (&json!(true), &json!(key), &json!(id)));
        let bare = shop.test.get(&format!("/api/whatsapp/messages/{key}")).await.ok();
        assert_eq!((&bare["message"], &bare["erasedAt"]), (&json!(""), &erased["erasedAt"]));
        assert_eq!((&bare["phone"], &bare["createdAt"]), (&json!(ANA), &row["createdAt"]));
        for place in ["messages?search=secret", "messages", "messages/export?format=jsonl", "events"] {
            let answer = shop.test.get(&format!("/api/whatsapp/{place}")).await;
            assert!(answer.status.is_success() && !answer.text.contains("secret"), "{place}: {}", answer.text);
        }
        // Twice is once.
        let again = shop.test.delete(&format!("/api/whatsapp/messages/{key}")).await.ok();
        assert_eq!(again["erasedAt"], erased["erasedAt"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_is_forgotten_and_stays_opted_out() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    session.send(ANA, "secret one").await.ok();
    let id = ana.send(SHOP, "secret two").await;
    session.until_logged(&id, "received").await;
    shop.test.post("/api/whatsapp/opt-outs", json!({"phone": ANA})).await.ok();
    let forgotten = shop.test.post(&format!("/api/whatsapp/contacts/{ANA}/forget"), json!({})).await.ok();
    assert_eq!(forgotten, json!({"success": true, "phone": ANA, "erased": 2, "hasMore": false}));
    let log = shop.test.get("/api/whatsapp/messages").await.ok();
    let texts: Vec<&Value> =
        log["messages"].as_array().expect("messages").iter().map(|row| &row["message"]).collect();
    assert_eq!(texts, [&json!(""), &json!("")]);
    let list = shop.test.get("/api/whatsapp/opt-outs").await.ok();
    assert_eq!(list["optOuts"][0]["phone"], ANA);
    shop.test
        .post("/api/whatsapp/contacts/5511900000009/forget", json!({}))
        .await
        .refused(404, "MESSAGE_NOT_FOUND");
    shop.test.post("/api/whatsapp/contacts/x/forget", json!({})).await.refused(400, "INVALID_RECIPIENT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_of_ours_cannot_be_erased() {
    let app = TestApp::new().await;
    let (a, b) = (app.tenant("a").await, app.tenant("b").await);
    let session = a.linked("main", SHOP).await;
    a.phone(ANA).await;
    let sent = session.send(ANA, "mine").await.ok();
    let id = sent["messageId"].as_str().expect("an id");
    let path = format!("/api/whatsapp/messages/{id}");
    for stranger in [&b.test, &a.live] {
        stranger.delete(&path).await.refused(404, "MESSAGE_NOT_FOUND");
        stranger.get(&path).await.refused(404, "MESSAGE_NOT_FOUND");
    }
    for nobody in ["nothing", "msg_00000000000000000000000000", &"x".repeat(500), "%00"] {
        a.test.delete(&format!("/api/whatsapp/messages/{nobody}")).await.refused(404, "MESSAGE_NOT_FOUND");
    }
    a.test.delete(&format!("{path}?session=other")).await.refused(404, "MESSAGE_NOT_FOUND");
    assert_eq!(a.test.get(&path).await.ok()["message"], "mine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_says_how_long_messages_are_kept() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let path = "/api/whatsapp/settings";
    let before = shop.test.get(path).await.ok();
    assert!(before.get("messagesKeepDays").is_some_and(Value::is_null), "for ever: {before}");
    assert_eq!(shop.test.put(path, json!({"messagesKeepDays": 365})).await.ok()["messagesKeepDays"], 365);
    assert_eq!(shop.test.get(path).await.ok()["messagesKeepDays"], 365);
    assert!(shop.live.get(path).await.ok()["messagesKeepDays"].is_null(), "the other mode has its own");
    for bad in [0, -1, 3_651] {
        shop.test.put(path, json!({"messagesKeepDays": bad})).await.refused(400, "INVALID_REQUEST");
    }
    assert!(shop.test.put(path, json!({})).await.ok()["messagesKeepDays"].is_null());
}
