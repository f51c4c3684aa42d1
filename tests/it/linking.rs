//! A number is linked in a minute, and the status says the truth on the way.

use base64::Engine as _;
use serde_json::json;

use crate::app::{TestApp, until};
use crate::on_both_engines;

/// Decodes a PNG data URL as a phone's camera would.
fn read_qr(data_url: &str) -> String {
    let png = data_url.strip_prefix("data:image/png;base64,").expect("a PNG data URL");
    let png = base64::prelude::BASE64_STANDARD.decode(png).expect("base64");
    let picture = image::load_from_memory(&png).expect("a PNG").to_luma8();
    let mut picture = rqrr::PreparedImage::prepare(picture);
    let grids = picture.detect_grids();
    grids.first().expect("a QR in the picture").decode().expect("a readable QR").1
}

on_both_engines! {
    async fn a_phone_scans_the_picture_and_the_session_is_ready(app: TestApp) {
        let shop = app.tenant("shop").await;
        shop.phone("5511900000001").await;
        let made = shop.test.post("/api/whatsapp/session", json!({"sessionId": "main", "name": "Sales"})).await.ok();
        assert_eq!(made, json!({"success": true, "sessionId": "main", "isNew": true, "status": "initializing"}));

        let session = crate::app::Session { caller: &shop.test, id: "main".into(), phone: "5511900000001".into() };
        let first = session.status().await;
        assert!(["initializing", "qr_ready"].contains(&first["status"].as_str().unwrap()), "{first}");
        let status = session.until_status("qr_ready").await;
        assert_eq!(status["connected"], false);
        assert_eq!(status["reason"], "waiting_for_scan");
        let text = read_qr(status["qrCode"].as_str().expect("qrCode"));
        assert_eq!(text, status["qrText"].as_str().expect("qrText"));
        assert!(status["qrExpiresAt"].as_str().expect("an expiry").ends_with('Z'));

        shop.test.post("/api/sandbox/phones/5511900000001/scan", json!({"qr": status["qrCode"]})).await.ok();
        let status = session.until_ready().await;
        assert_eq!(status["connected"], true);
        assert_eq!(status["phoneNumber"], "5511900000001");
        assert!(status.get("qrCode").is_none(), "a QR outlived its scan");

        let again = shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
        assert_eq!((&again["isNew"], &again["status"]), (&json!(false), &json!("ready")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_linked_by_a_code() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.phone("5511900000001").await;
    let new = json!({"sessionId": "main", "phoneNumber": "+55 11 90000-0001"});
    let made = shop.test.post("/api/whatsapp/session", new).await.ok();
    let code = made["pairingCode"].as_str().expect("a code");
    assert_eq!(code.len(), 8);

    let wrong =
        shop.test.post("/api/sandbox/phones/5511900000001/enter-code", json!({"code": "WRONG123"})).await;
    wrong.refused(400, "CODE_NOT_VALID");
    shop.test.post("/api/sandbox/phones/5511900000001/enter-code", json!({"code": code})).await.ok();
    let session =
        crate::app::Session { caller: &shop.test, id: "main".into(), phone: "5511900000001".into() };
    assert_eq!(session.until_ready().await["phoneNumber"], "5511900000001");

    let again = json!({"sessionId": "main", "phoneNumber": "5511900000001"});
    shop.test.post("/api/whatsapp/session", again).await.refused(400, "ALREADY_LINKED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_qr_comes_as_png_svg_text_and_terminal_blocks() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let session = crate::app::Session { caller: &shop.test, id: "main".into(), phone: String::new() };
    session.until_status("qr_ready").await;
    for (format, kind, begins) in [
        ("", "image/png", "\u{fffd}PNG"),
        ("?format=svg", "image/svg+xml", "<?xml"),
        ("?format=text", "text/plain; charset=utf-8", ""),
        ("?format=terminal", "text/plain; charset=utf-8", ""),
    ] {
        let answer = shop.test.get(&session.path(&format!("/qr{format}"))).await;
        assert!(answer.status.is_success(), "{format}: {}", answer.text);
        assert_eq!(answer.headers["content-type"], kind);
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(answer.headers.contains_key("x-expires-at"));
        assert!(answer.text.starts_with(begins), "{format}");
    }
    shop.test.get(&session.path("/qr?format=gif")).await.refused(400, "INVALID_PARAMETER");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unscanned_qr_ends_the_linking_and_a_new_start_offers_another() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.phone("5511900000001").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let session =
        crate::app::Session { caller: &shop.test, id: "main".into(), phone: "5511900000001".into() };
    let first = session.until_status("qr_ready").await["qrText"].clone();
    // The phone scans a QR of another time.
    let stale = json!({"qr": "2@stale,AAAA,AAAA,AAAA,1"});
    shop.test.post("/api/sandbox/phones/5511900000001/scan", stale).await.refused(400, "QR_NOT_VALID");

    shop.test.post(&session.path("/stop"), json!({})).await.ok();
    assert_eq!(session.status().await["reason"], "stopped");
    shop.test.post(&session.path("/start"), json!({})).await.ok();
    let second = session.until_status("qr_ready").await["qrText"].clone();
    assert_ne!(first, second);
    shop.test
        .post("/api/sandbox/phones/5511900000001/scan", json!({"qr": first}))
        .await
        .refused(400, "QR_NOT_VALID");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_session_starts_again_without_a_scan() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let stopped = shop.test.post(&session.path("/stop"), json!({})).await.ok();
    assert_eq!((&stopped["status"], &stopped["reason"]), (&json!("disconnected"), &json!("stopped")));
    assert_eq!(session.status().await["phoneNumber"], "5511900000001");
    session.send("5511900000002", "hello").await.refused(400, "SESSION_NOT_READY");
    shop.test.post(&session.path("/start"), json!({})).await.ok();
    session.until_ready().await;
}

on_both_engines! {
    async fn a_restart_brings_every_session_back_without_a_scan(app: TestApp) {
        let mut app = app;
        let (test, live) = {
            let shop = app.tenant("shop").await;
            shop.linked("one", "5511900000001").await;
            shop.linked("two", "5511900000002").await;
            shop.test.post("/api/whatsapp/session/two/stop", json!({})).await.ok();
            (shop.test.key.clone(), shop.live_key.clone())
        };
        app.stop().await;
        app.start().await;
        let shop = crate::app::Tenant {
            test: crate::app::Caller::new(app.url(), &test),
            live: crate::app::Caller::new(app.url(), &live),
            live_key: live,
        };
        let one = crate::app::Session { caller: &shop.test, id: "one".into(), phone: "5511900000001".into() };
        one.until_ready().await;
        until("the gateway is ready", || async { app.gateway().is_restored().then_some(()) }).await;
        let list = shop.test.get("/api/whatsapp/sessions").await.ok();
        let words: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|s| s["reason"].clone()).collect();
        assert_eq!(words, ["connected", "stopped"]);
    }
}

on_both_engines! {
    async fn deleting_a_session_logs_the_device_out_and_frees_its_place(app: TestApp) {
        let shop = app.tenant_with("shop", "UTC", None, Some(1)).await;
        let session = shop.linked("main", "5511900000001").await;
        let refused = shop.test.post("/api/whatsapp/session", json!({"sessionId": "second"})).await;
        let refused = refused.refused(400, "SESSION_LIMIT_REACHED");
        assert_eq!((&refused["limit"], &refused["used"]), (&json!(1), &json!(1)));

        let removed = shop.test.delete("/api/whatsapp/session/main").await.ok();
        assert_eq!(removed, json!({"success": true, "sessionId": "main", "loggedOut": true}));
        shop.test.get(&session.path("/status")).await.refused(404, "SESSION_NOT_FOUND");
        assert_eq!(shop.test.get("/api/whatsapp/sessions").await.ok(), json!({"sessions": []}));

        // The phone has no device left, and the place is free.
        shop.linked("main", "5511900000001").await;
        shop.test.post("/api/whatsapp/session/main/disconnect", json!({})).await.ok();
        shop.test.get(&session.path("/status")).await.refused(404, "SESSION_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_session_is_logged_out_too_when_it_is_deleted() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    shop.test.post(&session.path("/stop"), json!({})).await.ok();
    let removed = shop.test.delete("/api/whatsapp/session/main").await.ok();
    assert_eq!(removed["loggedOut"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_phone_unlinks_the_device_and_the_session_says_so() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let unlinked =
        shop.test.post("/api/sandbox/phones/5511900000001/unlink", json!({"sessionId": "main"})).await.ok();
    assert_eq!(unlinked["unlinked"], 1);
    let status = session.until_reason("logged_out").await;
    assert_eq!(status["status"], "disconnected");
    assert!(status.get("phoneNumber").is_none());
    // Linking again makes a new device of the same number.
    shop.linked("main", "5511900000001").await;
}
