//! What sandbox phones can be told to write, and how they show it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use crate::app::{Phone, Tenant, TestApp};

const ANA: &str = "5511900000001";
const BEN: &str = "5511900000002";

async fn two_phones(shop: &Tenant) -> (Phone<'_>, Phone<'_>) {
    (shop.phone(ANA).await, shop.phone(BEN).await)
}

/// What both phones show of a message.
async fn shown(phones: [&Phone<'_>; 2], id: &str) -> [Value; 2] {
    let mut seen = [Value::Null, Value::Null];
    for (seen, phone) in seen.iter_mut().zip(phones) {
        let inbox = phone.inbox().await;
        let messages = inbox["messages"].as_array().expect("messages");
        *seen = messages.iter().find(|message| message["id"] == id).expect("is shown").clone();
    }
    seen
}

async fn write(shop: &Tenant, phone: &Phone<'_>, body: Value) -> String {
    let answer = shop.test.post(&phone.path("/messages"), body).await.ok();
    answer["messageId"].as_str().expect("an id").to_owned()
}

/// The bytes of an answer.
async fn fetched(shop: &Tenant, path: &str) -> Vec<u8> {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = http.get(format!("{}{path}", shop.test.url)).header("X-API-Key", &shop.test.key);
    let answer = request.send().await.expect("the gateway answers").error_for_status().expect("a medium");
    assert_eq!(answer.headers()["content-disposition"], "attachment");
    answer.bytes().await.expect("the bytes").to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_writes_every_kind_of_message_and_both_show_it() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (ana, ben) = two_phones(&shop).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    let media = BASE64.encode(&bytes);

    for kind in ["image", "video", "audio", "voice", "document", "sticker"] {
        let id = write(&shop, &ana, json!({"to": BEN, "type": kind, "mediaBase64": media})).await;
        for message in shown([&ana, &ben], &id).await {
            assert_eq!(
                (&message["type"], &message["mediaSha256"]),
                (&json!(kind), &json!(hash)),
                "{message}"
            );
            assert_eq!(message["size"], 20_000);
        }
        assert_eq!(fetched(&shop, &ben.path(&format!("/messages/{id}/media"))).await, bytes);
    }
    let place = json!({"to": BEN, "type": "location", "latitude": 1.5, "longitude": -2.5, "name": "Office"});
    let id = write(&shop, &ana, place).await;
    let [_, place] = shown([&ana, &ben], &id).await;
    assert_eq!(
        (&place["latitude"], &place["longitude"], &place["name"]),
        (&json!(1.5), &json!(-2.5), &json!("Office"))
    );
    let cards = json!([{"name": "Cleo", "phone": "5511900000003"}]);
    let id = write(&shop, &ana, json!({"to": BEN, "type": "contact", "contacts": cards})).await;
    assert_eq!(shown([&ana, &ben], &id).await[1]["contacts"], cards);

    let poll = json!({"to": BEN, "type": "poll", "message": "Lunch?", "options": ["Yes", "No"]});
    let poll = write(&shop, &ana, poll).await;
    write(&shop, &ben, json!({"to": ANA, "type": "vote", "messageId": poll, "votes": ["Yes"]})).await;
    for message in shown([&ana, &ben], &poll).await {
        assert_eq!(message["votes"], json!({"Yes": [BEN], "No": []}));
    }

    let text = write(&shop, &ana, json!({"to": BEN, "message": "Helo"})).await;
    write(&shop, &ben, json!({"to": ANA, "type": "reaction", "messageId": text, "emoji": "👍"})).await;
    write(&shop, &ana, json!({"to": BEN, "type": "edit", "messageId": text, "message": "Hello"})).await;
    let reply = json!({
        "to": ANA, "message": "Hi @5511900000001", "quotedMessageId": text, "mentions": ["+55 11 90000-0001"],
        "forwarded": true, "expiration": 86_400
    });
    let reply = write(&shop, &ben, reply).await;
    for message in shown([&ana, &ben], &text).await {
        assert_eq!((&message["message"], &message["edited"]), (&json!("Hello"), &json!(true)));
        assert_eq!(message["reactions"], json!([{"from": BEN, "emoji": "👍"}]));
    }
    for message in shown([&ana, &ben], &reply).await {
        assert_eq!((&message["quotedMessageId"], &message["mentions"]), (&json!(text), &json!([ANA])));
        assert_eq!((&message["forwarded"], &message["expiration"]), (&json!(true), &json!(86_400)));
    }
    write(&shop, &ana, json!({"to": BEN, "type": "delete", "messageId": text})).await;
    for message in shown([&ana, &ben], &text).await {
        assert_eq!((&message["message"], &message["deleted"]), (&json!(""), &json!(true)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_phone_cannot_write_is_refused_with_the_reason() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (ana, _) = two_phones(&shop).await;
    for (body, code, word) in [
        (json!({"to": BEN, "type": "hologram", "message": "x"}), "UNSUPPORTED_TYPE", "type"),
        (json!({"to": BEN}), "INVALID_REQUEST", "text"),
        (json!({"to": BEN, "type": "image"}), "INVALID_REQUEST", "mediaBase64"),
        (json!({"to": BEN, "type": "image", "mediaBase64": "?"}), "INVALID_REQUEST", "mediaBase64"),
        (
            json!({"to": BEN, "type": "location", "latitude": 91, "longitude": 0}),
            "INVALID_REQUEST",
            "atitude",
        ),
        (json!({"to": BEN, "type": "poll", "message": "x", "options": ["One"]}), "INVALID_REQUEST", "ptions"),
        (json!({"to": BEN, "type": "reaction", "emoji": "x"}), "INVALID_REQUEST", "essageId"),
        (json!({"to": BEN, "message": "x", "mentions": ["me"]}), "INVALID_RECIPIENT", "number"),
        (json!({"to": "5511900000009", "message": "x"}), "NOT_ON_WHATSAPP", "WhatsApp"),
        (json!({"message": "x"}), "INVALID_REQUEST", "to"),
    ] {
        let refused = shop.test.post(&ana.path("/messages"), body.clone()).await.refused(400, code);
        assert!(refused["error"].as_str().expect("words").contains(word), "{body}: {refused}");
    }
    let huge = json!({"to": BEN, "type": "image", "mediaBase64": "A".repeat(25 << 20)});
    shop.test.post(&ana.path("/messages"), huge).await.refused(413, "BODY_TOO_LARGE");
    let unknown = json!({"to": BEN, "type": "delete", "messageId": "3EB0NONE"});
    shop.test.post(&ana.path("/messages"), unknown).await.refused(404, "MESSAGE_NOT_FOUND");
    let text = write(&shop, &ana, json!({"to": BEN, "message": "no medium"})).await;
    shop.test.get(&ana.path(&format!("/messages/{text}/media"))).await.refused(404, "MEDIA_NOT_FOUND");
    shop.test.get(&ana.path("/messages/3EB0NONE/media")).await.refused(404, "MESSAGE_NOT_FOUND");
}
