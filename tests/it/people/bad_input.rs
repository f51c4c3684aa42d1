//! Rubbish is refused with a reason, and nothing is asked of a session that is not ready.

use reqwest::Method;
use serde_json::json;

use super::{ANA, SHOP, asking_routes, shop_and_ana};
use crate::app::{Session, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_not_ready_says_so() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    ana.send(SHOP, "hello").await;
    session.until_chat(&format!("{ANA}@s.whatsapp.net"), "a chat", |_| true).await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "idle"})).await.ok();
    let idle = Session { caller: &shop.test, id: "idle".into(), phone: String::new() };
    idle.until_status("qr_ready").await;
    shop.test.post(&session.path("/stop"), json!({})).await.ok();
    for (method, tail, body) in asking_routes() {
        let method: Method = method.parse().expect("a method");
        for (session, reason) in [(&session, "stopped"), (&idle, "waiting_for_scan")] {
            let bytes = body.to_string().into_bytes();
            let answer = shop.test.call(method.clone(), &session.path(tail), &[], Some(bytes)).await;
            let refused = answer.refused(400, "SESSION_NOT_READY");
            assert_eq!(refused["reason"], reason, "{method} {tail}");
        }
    }
    // What is only read needs no connection.
    assert_eq!(session.ask("/chats").await["chats"][0]["phone"], ANA);
    assert_eq!(session.ask("/contacts").await["contacts"][0]["phone"], ANA);
    assert_eq!(session.ask(&format!("/chats/{ANA}/messages")).await["messages"][0]["message"], "hello");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_is_refused_with_its_reason() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    ana.send(SHOP, "hello").await;
    session.until_chat(&format!("{ANA}@s.whatsapp.net"), "a chat", |_| true).await;
    let many = |count: usize| vec![ANA; count];
    let long = "x".repeat(140);
    for (tail, body, code) in [
        ("/numbers/check", json!({}), "INVALID_REQUEST"),
        ("/numbers/check", json!({"phone": ANA, "phones": [ANA]}), "INVALID_REQUEST"),
        ("/numbers/check", json!({"phones": []}), "INVALID_REQUEST"),
        ("/numbers/check", json!({"phones": many(501)}), "INVALID_REQUEST"),
        ("/numbers/check", json!({"phone": "nobody"}), "INVALID_RECIPIENT"),
        ("/numbers/check", json!({"phones": [ANA, 7.5]}), "INVALID_REQUEST"),
        ("/numbers/check", json!({"phone": "123456789@g.us"}), "INVALID_RECIPIENT"),
        ("/numbers/check", json!({"phone": ANA, "x": 1}), "INVALID_REQUEST"),
        ("/read", json!({}), "INVALID_REQUEST"),
        ("/read", json!({"messageIds": ["3EB0AA"], "chat": ANA}), "INVALID_REQUEST"),
        ("/read", json!({"messageIds": []}), "INVALID_REQUEST"),
        ("/read", json!({"messageIds": [""]}), "INVALID_REQUEST"),
        ("/read", json!({"messageIds": ["a\u{0}b"]}), "INVALID_REQUEST"),
        ("/read", json!({"messageIds": ["x".repeat(129)]}), "INVALID_REQUEST"),
        ("/read", json!({"messageIds": vec!["3EB0AA"; 501]}), "INVALID_REQUEST"),
        ("/read", json!({"chat": "nobody"}), "INVALID_RECIPIENT"),
        ("/typing", json!({"to": ANA}), "INVALID_REQUEST"),
        ("/typing", json!({"to": ANA, "state": "dancing"}), "INVALID_REQUEST"),
        ("/typing", json!({"to": "", "state": "paused"}), "INVALID_RECIPIENT"),
        ("/typing", json!({"to": "status@broadcast", "state": "paused"}), "INVALID_RECIPIENT"),
        ("/presence", json!({}), "INVALID_REQUEST"),
        ("/presence", json!({"state": "around"}), "INVALID_REQUEST"),
        ("/contacts/nobody/block", json!({}), "INVALID_RECIPIENT"),
        ("/contacts/123456789@g.us/block", json!({}), "INVALID_RECIPIENT"),
        ("/contacts/0123/unblock", json!({}), "INVALID_RECIPIENT"),
        ("/chats/nobody/pin", json!({}), "INVALID_RECIPIENT"),
        ("/chats/5511900000002/mute", json!({"until": "tomorrow"}), "INVALID_REQUEST"),
        ("/chats/5511900000002/mute", json!({"until": "2020-01-01T00:00:00Z"}), "INVALID_REQUEST"),
        ("/chats/5511900000002/mute", json!({"until": 1_999_999_999}), "INVALID_REQUEST"),
        ("/chats/5511900000002/mute", json!({"for": 7}), "INVALID_REQUEST"),
        ("/chats/5511900000002/mute", json!([]), "INVALID_REQUEST"),
    ] {
        let answer = shop.test.post(&session.path(tail), body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, code),
            "{tail} {body}: {}",
            answer.text
        );
    }
    for body in [
        json!({}),
        json!({"name": ""}),
        json!({"name": "  "}),
        json!({"name": "x".repeat(26)}),
        json!({"name": "a\u{0}b"}),
        json!({"about": long}),
        json!({"name": 7}),
        json!({"name": "x", "picture": "y"}),
    ] {
        shop.test.put(&session.path("/profile"), body).await.refused(400, "INVALID_REQUEST");
    }
    for (tail, status, code) in [
        ("/presence/nobody", 400, "INVALID_RECIPIENT"),
        ("/presence/123456789@g.us", 400, "INVALID_RECIPIENT"),
        ("/presence/%FF", 404, "SESSION_NOT_FOUND"),
        ("/contacts?limit=0", 400, "INVALID_PARAMETER"),
        ("/contacts?limit=501", 400, "INVALID_PARAMETER"),
        ("/contacts?after=p%3B", 400, "INVALID_PARAMETER"),
        ("/contacts?page=2", 400, "INVALID_PARAMETER"),
        ("/contacts/con_x", 404, "CONTACT_NOT_FOUND"),
        ("/contacts/nobody", 400, "INVALID_RECIPIENT"),
        ("/contacts/5511900000002/picture?format=gif", 400, "INVALID_PARAMETER"),
        ("/contacts/5511900000002/picture?format=image&size=huge", 400, "INVALID_PARAMETER"),
        ("/chats?limit=101", 400, "INVALID_PARAMETER"),
        ("/chats?before=x", 400, "INVALID_PARAMETER"),
        ("/chats?after=x", 400, "INVALID_PARAMETER"),
        ("/chats/5511900000002/messages?limit=0", 400, "INVALID_PARAMETER"),
        ("/chats/nobody/messages", 400, "INVALID_RECIPIENT"),
    ] {
        shop.test.get(&session.path(tail)).await.refused(status, code);
    }
    let search = format!("/contacts?search={}", "x".repeat(101));
    shop.test.get(&session.path(&search)).await.refused(400, "INVALID_PARAMETER");
    shop.test
        .put("/api/whatsapp/settings", json!({"presenceEvents": "yes"}))
        .await
        .refused(400, "INVALID_REQUEST");
    for (tail, body, code) in [
        ("/presence", json!({"state": "around"}), "INVALID_REQUEST"),
        ("/typing", json!({"to": SHOP, "state": "dancing"}), "INVALID_REQUEST"),
        ("/typing", json!({"to": "5511900000009", "state": "paused"}), "NOT_ON_WHATSAPP"),
        ("/profile", json!({"picture": "%%%"}), "INVALID_REQUEST"),
        ("/profile", json!({"about": "x".repeat(513)}), "INVALID_REQUEST"),
        ("/block", json!({"phone": ANA}), "INVALID_REQUEST"),
        ("/contacts", json!({"phone": SHOP, "name": "x".repeat(101)}), "INVALID_REQUEST"),
        ("/call", json!({"to": "5511900000009"}), "NOT_ON_WHATSAPP"),
    ] {
        shop.test.post(&ana.path(tail), body).await.refused(400, code);
    }
    shop.test.get("/api/sandbox/phones/%FF/sees/5511900000001").await.refused(400, "INVALID_RECIPIENT");
    shop.test.get(&ana.path("/sees/5511900000009")).await.refused(400, "NOT_ON_WHATSAPP");
}
