//! What the owner writes on the phone is told with all that it says.

use axum::http::StatusCode;
use image::ImageFormat;
use serde_json::json;

use super::{ANA, SHOP, base64, picture, shop_and_ana, shows, writes};
use crate::app::{TestApp, until};
use crate::on_both_engines;
use crate::receiver::Receiver;

on_both_engines! {
    async fn what_the_owner_types_is_told_as_what_arrives_is(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (standard, classic) = (Receiver::new().await, Receiver::new().await);
        shop.test.post("/api/whatsapp/webhooks", json!({"url": standard.url, "events": ["message.sent"]})).await.ok();
        let crm = json!({"url": classic.url, "events": ["message", "message.sent"]});
        shop.test.put("/api/whatsapp/webhook", crm).await.ok();
        let (session, ana) = shop_and_ana(&shop).await;
        let owner = shop.phone(SHOP).await;
        let question = ana.send(SHOP, "Do you open on Sundays?").await;
        session.until_logged(&question, "received").await;

        let typed = json!({"to": ANA, "type": "text", "message": "We do", "quotedMessageId": question, "mentions": [ANA]});
        let typed = writes(&shop, &owner, typed).await;
        let told = session.until_told("message.sent", &typed).await["data"].clone();
        shows(&told, json!({
            "body": "We do", "type": "text", "origin": "phone", "direction": "out", "status": "sent", "phone": ANA,
            "from": "5511900000001@s.whatsapp.net", "isGroup": false, "hasMedia": false,
            "mentions": ["5511900000002@s.whatsapp.net"],
        }));
        shows(&told["quoted"], json!({"messageId": question, "body": "Do you open on Sundays?"}));
        assert!(told["timestamp"].is_i64() && told.get("mentionedMe").is_none(), "{told}");
        let row = session.until_logged(&typed, "sent").await;
        shows(&row, json!({"message": "We do", "origin": "phone", "direction": "out"}));

        // With its file, which is fetched as those that arrive are.
        let jpeg = picture(ImageFormat::Jpeg);
        let photo = json!({"to": ANA, "type": "image", "message": "The shop", "mediaBase64": base64(&jpeg)});
        let photo = writes(&shop, &owner, photo).await;
        let told = session.until_told("message.sent", &photo).await["data"].clone();
        shows(&told, json!({"body": "The shop", "type": "image", "hasMedia": true, "origin": "phone"}));
        assert_eq!((&told["media"]["id"], &told["media"]["mimeType"]), (&told["mediaId"], &json!("image/jpeg")));
        session.until_told("media.stored", &photo).await;
        let media = told["mediaId"].as_str().expect("an id");
        let content = shop.test.get(&format!("/api/whatsapp/media/{media}/content")).await;
        assert_eq!(content.status, StatusCode::OK);

        // Every way out says the same.
        let got = standard.until_gets("the photo", |got| got.json()["data"]["messageId"] == photo.as_str()).await;
        assert_eq!(got.json()["data"], told);
        let stream = shop.test.events_of("/api/whatsapp/events/stream", "after=oldest&types=message.sent").await;
        assert!(stream.contains("\"body\":\"The shop\""), "{stream}");
        let got = classic.until_gets("the text", |got| got.json()["data"]["id"] == typed.as_str()).await;
        let body = got.json();
        assert_eq!(body["event"], "message.sent");
        let data = &body["data"];
        let seed = json!([data["id"], data["from"], data["body"], data["type"], data["isGroup"], data["hasMedia"], data["origin"]]);
        assert_eq!(seed, json!([typed, "5511900000001@s.whatsapp.net", "We do", "text", false, false, "phone"]));
        let got = classic.until_gets("Ana's", |got| got.json()["event"] == "message").await;
        assert_eq!(got.json()["data"]["id"], question.as_str());
    }
}

on_both_engines! {
    async fn what_was_sent_from_here_says_so_and_does_not_repeat_its_text(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let code = session.says(json!({"to": ANA, "message": "Your code is 123456"})).await;
        ana.until_has(&code).await;
        let log = until("what became of it", || async {
            let log = shop.test.get("/api/whatsapp/events?types=message.*&limit=100").await.ok();
            let events = log["events"].as_array().expect("events").clone();
            events.iter().any(|event| event["type"] == "message.delivered").then_some(events)
        })
        .await;
        for event in &log {
            assert_eq!(event["data"]["origin"], "api", "{event}");
            assert!(!event.to_string().contains("123456"), "a code is in an event: {event}");
        }
    }
}

on_both_engines! {
    async fn what_the_owner_typed_is_erased_from_its_event(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, _) = shop_and_ana(&shop).await;
        let owner = shop.phone(SHOP).await;
        let typed = writes(&shop, &owner, json!({"to": ANA, "type": "text", "message": "private words"})).await;
        session.until_told("message.sent", &typed).await;
        shop.test.delete(&format!("/api/whatsapp/messages/{typed}")).await.ok();
        let told = session.until_told("message.sent", &typed).await;
        assert!(!told.to_string().contains("private words"), "{told}");
        shows(&told["data"], json!({"origin": "phone", "direction": "out", "body": "", "erased": true}));
    }
}
