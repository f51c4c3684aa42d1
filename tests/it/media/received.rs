//! What somebody sent us: a row first, its bytes when they were fetched.

use std::io::{Seek as _, Write as _};

use image::ImageFormat;
use serde_json::json;
use wapid::media::Refusal;
use wapid_core::content::{Body, Medium, Words};
use wapid_core::id::{MediaId, SessionId};
use wapid_core::key::Mode;
use wapid_core::media::Kind;
use wapid_core::store::TenantStore;
use wapid_core::store::ledger::{Inbound, Owner};
use wapid_core::store::media::{NewReceived, Next};

use super::retention::blobs;
use super::{MEDIA, noise, picture};
use crate::app::{Tenant, TestApp};
use crate::on_both_engines;

/// A picture that waits to be fetched, as its message describes it.
async fn waiting(app: &TestApp, shop: &Tenant) -> (TenantStore, MediaId) {
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let store = &app.gateway().store;
    let tenant = store.authenticate(&shop.test.key).await.expect("a store").expect("a key").tenant;
    let scoped = store.tenant(tenant.clone(), Mode::Test);
    let session_id = SessionId::parse("main").expect("an id");
    let session = scoped.session(&session_id).await.expect("a store").expect("a session").key;
    let owner = Owner { tenant, mode: Mode::Test, session, session_id };
    let id = MediaId::new();
    let new = NewReceived {
        wire: store.seal_media_wire(&id, "{}"),
        id: id.clone(),
        kind: Kind::Image,
        mime: "image/jpeg".into(),
        file_name: None,
        size: Some(5),
        width: None,
        height: None,
        seconds: None,
        is_animated: false,
        waveform: None,
        thumbnail: None,
        next_at: None,
    };
    let medium =
        Medium { words: Words::default(), media: id.clone(), file_name: None, view_once: false, gif: false };
    let message = Inbound {
        owner,
        wa_id: "3EB0AA".parse().unwrap(),
        chat: "5511900000002@s.whatsapp.net".into(),
        sender: "5511900000002@s.whatsapp.net".into(),
        phone: None,
        lid: None,
        sender_name: None,
        from_me: false,
        is_group: false,
        content: Body::Image(medium).into(),
        file: Some(new),
        sent_at: store.clock().now(),
    };
    assert_eq!(store.receive(vec![message]).await.expect("a store").new, [true]);
    (scoped, id)
}

on_both_engines! {
    async fn a_received_file_is_kept_whatever_it_is(app: TestApp) {
        let media = app.gateway().media.clone();
        let photo = picture(80, 60, ImageFormat::Png);
        for (name, file, mime, width) in [
            ("whole", photo.clone(), "image/png", json!(80)),
            ("half", photo[..photo.len() / 2].to_vec(), "image/png", json!(null)),
            ("a page", b"<html><script>alert(1)</script>".to_vec(), "text/html", json!(null)),
            ("noise", noise(200_000), "application/octet-stream", json!(null)),
            ("nothing", vec![], "application/octet-stream", json!(null)),
        ] {
            let shop = app.tenant(name).await;
            let (scoped, id) = waiting(&app, &shop).await;
            let path = format!("{MEDIA}/{id}");
            let shown = shop.test.get(&path).await.ok();
            assert_eq!((&shown["state"], &shown["origin"]), (&json!("waiting"), &json!("received")));
            shop.test.get(&format!("{path}/content")).await.refused(404, "MEDIA_NOT_STORED");
            // A download that breaks, begins anew, and is whole.
            let mut draft = media.draft(&scoped, u64::MAX).await.expect("a draft");
            draft.write_all(&noise(70_000)).expect("room");
            draft.clear().expect("room");
            draft.write_all(&file).expect("room");
            draft.rewind().expect("it is where it begins");
            media.keep(&scoped, &id, draft).await.expect("it is kept");
            let shown = shop.test.get(&path).await.ok();
            assert_eq!((&shown["state"], &shown["mimeType"]), (&json!("stored"), &json!(mime)), "{name}");
            assert_eq!((&shown["size"], &shown["width"]), (&json!(file.len()), &width), "{name}");
            assert!(shop.test.content(&shown).await == file, "{name}");
            // It is kept once.
            let draft = media.draft(&scoped, u64::MAX).await.expect("a draft");
            assert!(matches!(media.keep(&scoped, &id, draft).await, Err(Refusal::NotWanted)));
        }
        assert_eq!(blobs(app.dir.path()).len(), 5, "and nothing else");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_could_not_be_fetched_says_why() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (scoped, id) = waiting(&app, &shop).await;
    let path = format!("{MEDIA}/{id}");
    for (next, state, why) in
        [(Next::Failed, "failed", "could not be fetched"), (Next::Gone, "gone", "no longer")]
    {
        scoped.note_media_failure(&id, "not_found", next).await.expect("a store");
        let shown = shop.test.get(&path).await.ok();
        assert_eq!((&shown["state"], &shown["error"]), (&json!(state), &json!("not_found")));
        let refused = shop.test.get(&format!("{path}/content")).await.refused(404, "MEDIA_NOT_STORED");
        assert!(refused["error"].as_str().expect("text").contains(why), "{refused}");
    }
}

/// The WhatsApp client reads what it uploads in a thread that may block, and from wherever the server wants.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_file_is_read_from_any_place_by_a_thread_that_blocks() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let file = noise(300_000);
    let stored = shop.test.upload("", "application/octet-stream", file.clone()).await.ok();
    let store = &app.gateway().store;
    let tenant = store.authenticate(&shop.test.key).await.expect("a store").expect("a key").tenant;
    let id = MediaId::parse(stored["mediaId"].as_str().expect("an id")).expect("an id");
    let row = store.tenant(tenant, Mode::Test).media(&id).await.expect("a store").expect("a row");
    let media = app.gateway().media.clone();
    let read = tokio::task::spawn_blocking(move || {
        use std::io::{Read as _, SeekFrom};
        let mut reader = media.reader(&row).expect("it is stored");
        assert_eq!(reader.len(), 300_000);
        reader.seek(SeekFrom::Start(123_456)).expect("a place");
        let mut rest = vec![];
        reader.read_to_end(&mut rest).expect("bytes");
        rest
    });
    assert!(read.await.expect("no panic") == file[123_456..]);
}
