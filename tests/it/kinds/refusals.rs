//! What cannot be sent, and why.

use image::ImageFormat;
use serde_json::json;

use super::{ANA, SHOP, base64, picture, shop_and_ana};
use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_says_why_and_changes_nothing() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    let hers = ana.send(SHOP, "hers").await;
    session.until_logged(&hers, "received").await;
    let ours = session.says(json!({"to": ANA, "message": "ours"})).await;
    ana.until_has(&ours).await;
    let jpeg = base64(&picture(ImageFormat::Jpeg));
    let html = base64(b"<!doctype html><script>alert(1)</script>");
    let before = shop.test.get("/api/whatsapp/messages").await.ok()["total"].clone();
    for (status, code, body) in [
        (400, "INVALID_REQUEST", json!({"message": "to nobody"})),
        (400, "INVALID_REQUEST", json!({"to": ANA, "type": "smoke"})),
        (400, "INVALID_REQUEST", json!({"to": ANA, "type": "text", "message": "x", "mediaBase64": jpeg})),
        (400, "MEDIA_MISSING", json!({"to": ANA, "type": "image"})),
        (
            400,
            "INVALID_REQUEST",
            json!({"to": ANA, "type": "image", "mediaBase64": jpeg, "mediaUrl": "https://example.com/a"}),
        ),
        (400, "MEDIA_BASE64_INVALID", json!({"to": ANA, "type": "image", "mediaBase64": "%%%"})),
        (400, "MEDIA_TYPE_NOT_ALLOWED", json!({"to": ANA, "type": "image", "mediaBase64": html})),
        (
            400,
            "MEDIA_URL_REFUSED",
            json!({"to": ANA, "type": "image", "mediaUrl": "http://169.254.169.254/latest"}),
        ),
        (
            404,
            "MEDIA_NOT_FOUND",
            json!({"to": ANA, "type": "image", "mediaId": "med_00000000000000000000000000"}),
        ),
        (404, "MEDIA_NOT_FOUND", json!({"to": ANA, "type": "image", "mediaId": "nonsense"})),
        (
            400,
            "INVALID_REQUEST",
            json!({"to": ANA, "type": "sticker", "mediaBase64": jpeg, "message": "words"}),
        ),
        (
            400,
            "INVALID_REQUEST",
            json!({"to": ANA, "type": "document", "mediaBase64": jpeg, "viewOnce": true}),
        ),
        (400, "INVALID_REQUEST", json!({"to": ANA, "type": "poll", "message": "?", "options": ["only one"]})),
        (400, "INVALID_REQUEST", json!({"to": ANA, "type": "location", "latitude": 91, "longitude": 0})),
        (400, "INVALID_REQUEST", json!({"to": ANA, "type": "contact", "contacts": []})),
        (400, "INVALID_REQUEST", json!({"to": ANA, "message": "x", "expiresIn": 5})),
        (400, "INVALID_RECIPIENT", json!({"to": ANA, "message": "x", "mentions": ["nobody"]})),
        (404, "MESSAGE_NOT_FOUND", json!({"to": ANA, "message": "x", "quotedMessageId": "3EB0NOBODY"})),
        (404, "MESSAGE_NOT_FOUND", json!({"type": "reaction", "messageId": "3EB0NOBODY", "emoji": "👍"})),
        (400, "INVALID_REQUEST", json!({"type": "reaction", "messageId": hers})),
        (400, "INVALID_REQUEST", json!({"type": "reaction", "messageId": hers, "emoji": "good"})),
        (400, "INVALID_REQUEST", json!({"type": "edit", "message": "x"})),
        (400, "NOT_YOUR_MESSAGE", json!({"type": "edit", "messageId": hers, "message": "forged"})),
        (400, "NOT_YOUR_MESSAGE", json!({"type": "delete", "messageId": hers})),
        (400, "INVALID_REQUEST", json!({"type": "edit", "messageId": ours, "message": " "})),
        (400, "INVALID_REQUEST", json!({"type": "forward", "messageId": ours})),
        (
            400,
            "INVALID_REQUEST",
            json!({"to": ANA, "type": "image", "mediaBase64": jpeg, "linkPreview": true}),
        ),
        (
            400,
            "INVALID_REQUEST",
            json!({"to": ANA, "type": "forward", "messageId": ours, "linkPreview": true}),
        ),
        (400, "INVALID_REQUEST", json!({"to": ANA, "message": "x", "linkPreview": "yes"})),
    ] {
        let answer = shop.test.post(&session.path("/send"), body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{body}: {}",
            answer.text
        );
    }
    assert_eq!(shop.test.get("/api/whatsapp/messages").await.ok()["total"], before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tenants_files_and_messages_are_not_found() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    let hers = ana.send(SHOP, "private").await;
    session.until_logged(&hers, "received").await;
    let given = shop.test.upload("?type=image", "image/jpeg", picture(ImageFormat::Jpeg)).await.ok();
    let other = app.tenant("other").await;
    let theirs = other.linked("main", SHOP).await;
    other.phone(ANA).await;
    for (code, body) in [
        ("MEDIA_NOT_FOUND", json!({"to": ANA, "type": "image", "mediaId": given["mediaId"]})),
        ("MESSAGE_NOT_FOUND", json!({"type": "reaction", "messageId": hers, "emoji": "👍"})),
        ("MESSAGE_NOT_FOUND", json!({"to": ANA, "type": "forward", "messageId": hers})),
        ("MESSAGE_NOT_FOUND", json!({"to": ANA, "message": "x", "quotedMessageId": hers})),
    ] {
        other.test.post(&theirs.path("/send"), body).await.refused(404, code);
    }
}
