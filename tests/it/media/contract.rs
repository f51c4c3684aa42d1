//! What the routes promise.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::ImageFormat;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::host::{Host, Reply};
use super::retention::blobs;
use super::{MEDIA, noise, picture};
use crate::app::TestApp;
use crate::on_both_engines;

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n";

/// The same picture by every way in is the same file.
fn is_the_picture(media: &Value, bytes: &[u8], origin: &str) {
    assert!(media["mediaId"].as_str().expect("an id").starts_with("med_"), "{media}");
    assert_eq!((&media["type"], &media["mimeType"]), (&json!("image"), &json!("image/jpeg")));
    assert_eq!((&media["width"], &media["height"]), (&json!(300), &json!(200)));
    assert_eq!(media["size"], bytes.len());
    assert_eq!(media["sha256"], hex::encode(Sha256::digest(bytes)));
    assert_eq!((&media["state"], &media["origin"]), (&json!("stored"), &json!(origin)));
    assert_eq!((&media["seconds"], &media["fileName"]), (&Value::Null, &json!("photo.jpg")));
}

on_both_engines! {
    async fn a_file_comes_in_by_every_way_and_goes_out_as_it_came(app: TestApp) {
        let shop = app.tenant("shop").await;
        let photo = picture(300, 200, ImageFormat::Jpeg);
        let host = Host::new(Reply::with(
            "content-type: image/jpeg\r\ncontent-disposition: inline; filename=\"photo.jpg\"\r\n",
            &photo,
        ))
        .await;
        let named = "name=\"file\"; filename=\"photo.jpg\"";
        let base64 = BASE64_STANDARD.encode(&photo);
        let by_form = shop.test.form(&[(named, "image/jpeg", &photo)]).await.ok();
        let by_body = shop.test.upload("?fileName=photo.jpg&type=image", "image/jpeg", photo.clone()).await.ok();
        let url = json!({"mediaUrl": host.url});
        let by_url = shop.test.post(MEDIA, url).await.ok();
        let text = json!({"mediaBase64": base64, "mediaMimeType": "image/jpeg", "fileName": "photo.jpg"});
        let by_text = shop.test.post(MEDIA, text).await.ok();
        let data = json!({"mediaBase64": format!("data:image/jpeg;base64,{base64}"), "fileName": "photo.jpg", "type": "image"});
        let by_data = shop.test.post(MEDIA, data).await.ok();
        let origins = ["upload", "upload", "url", "base64", "base64"];
        let all = [by_form, by_body, by_url, by_text, by_data];
        for (media, origin) in all.iter().zip(origins) {
            is_the_picture(media, &photo, origin);
            assert!(shop.test.content(media).await == photo);
            let id = media["mediaId"].as_str().expect("an id");
            assert_eq!(&shop.test.get(&format!("{MEDIA}/{id}")).await.ok(), media);
        }
        let listed = shop.test.get(&format!("{MEDIA}?limit=3")).await.ok();
        let newest: Vec<&Value> = all.iter().rev().take(3).collect();
        assert_eq!(listed["media"].as_array().expect("media").iter().collect::<Vec<_>>(), newest);
        assert_eq!(listed["used"], 5 * photo.len());
        let before = listed["nextBefore"].as_str().expect("there is more");
        let rest = shop.test.get(&format!("{MEDIA}?limit=3&before={before}")).await.ok();
        assert_eq!((rest["media"].as_array().map(Vec::len), &rest["nextBefore"]), (Some(2), &Value::Null));
        // The other mode has none of it.
        assert_eq!(shop.live.get(MEDIA).await.ok()["media"], json!([]));
        // Nothing asked of a URL but the file, by GET, uncompressed, by our own name.
        let head = host.heads().remove(0).to_lowercase();
        assert!(head.starts_with("get / http/1.1\r\n") && head.contains("user-agent: wapid/"), "{head}");
        assert!(head.contains("accept-encoding: identity") && !head.contains("cookie"), "{head}");
    }
}

on_both_engines! {
    async fn a_removed_file_is_gone(app: TestApp) {
        let shop = app.tenant("shop").await;
        let media = shop.test.upload("?fileName=a.pdf", "application/pdf", PDF).await.ok();
        assert_eq!((&media["type"], &media["mimeType"]), (&json!("document"), &json!("application/pdf")));
        let path = format!("{MEDIA}/{}", media["mediaId"].as_str().expect("an id"));
        let link = shop.test.post(&format!("{path}/link"), json!({})).await.ok();
        let removed = shop.test.delete(&path).await.ok();
        assert_eq!(removed, json!({"success": true, "mediaId": media["mediaId"]}));
        shop.test.get(&path).await.refused(404, "MEDIA_NOT_FOUND");
        shop.test.get(&format!("{path}/content")).await.refused(404, "MEDIA_NOT_FOUND");
        shop.test.delete(&path).await.refused(404, "MEDIA_NOT_FOUND");
        shop.test.get(link["url"].as_str().expect("a url")).await.refused(404, "MEDIA_NOT_FOUND");
        assert_eq!(shop.test.get(MEDIA).await.ok(), json!({"media": [], "used": 0}));
        assert_eq!(blobs(app.dir.path()).len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_is_given_and_nothing_else() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let file = noise(200_000);
    let media = shop.test.upload("", "application/octet-stream", file.clone()).await.ok();
    let url = media["url"].as_str().expect("a url");
    let size = file.len();
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=65535-65536", 65_535, 65_537),
        ("bytes=100000-", 100_000, size),
        ("bytes=-5", size - 5, size),
        ("bytes=1-150000", 1, 150_001),
        ("bytes=5-99999999", 5, size),
    ] {
        let part = shop.test.bytes(Method::GET, url, &[("range", range)]).await;
        assert_eq!(part.status, 206, "{range}");
        assert!(part.body == file[from..to], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {from}-{}/{size}", to - 1));
        assert_eq!(part.header("content-length"), (to - from).to_string());
    }
    for range in ["bytes=200000-", "bytes=-0"] {
        let none = shop.test.call(Method::GET, url, &[("range", range)], None).await;
        none.refused(416, "RANGE_NOT_SATISFIABLE");
        assert_eq!(none.headers["content-range"], "bytes */200000");
    }
    let all = shop.test.bytes(Method::GET, url, &[("range", "lines=1-2")]).await;
    assert!(all.status == 200 && all.body == file);
    let tag = all.header("etag").to_owned();
    assert_eq!(all.header("accept-ranges"), "bytes");
    // A download that goes on is of the same file, or begins anew.
    let on = [("range", "bytes=7-"), ("if-range", tag.as_str())];
    assert_eq!(shop.test.bytes(Method::GET, url, &on).await.status, 206);
    let anew = [("range", "bytes=7-"), ("if-range", "\"another\"")];
    assert_eq!(shop.test.bytes(Method::GET, url, &anew).await.status, 200);
    let same = shop.test.bytes(Method::GET, url, &[("if-none-match", &tag)]).await;
    assert!(same.status == 304 && same.body.is_empty());
    let head = shop.test.bytes(Method::HEAD, url, &[("range", "bytes=0-9")]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (206, "10", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_strangers_sent_does_nothing_in_a_browser() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let page = b"<!doctype html><script>alert(1)</script>".to_vec();
    let media = shop.test.upload("?fileName=..%2Fpre%C3%A7o%22%0A.html", "text/html", page).await.ok();
    assert_eq!(media["fileName"], "preço_.html");
    let answer = shop.test.bytes(Method::GET, media["url"].as_str().expect("a url"), &[]).await;
    assert_eq!(answer.header("content-type"), "text/html");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("content-security-policy"), "default-src 'none'; sandbox");
    assert_eq!(
        answer.header("content-disposition"),
        "attachment; filename=\"pre_o_.html\"; filename*=UTF-8''pre%C3%A7o_.html"
    );
    let photo = shop.test.upload("", "", picture(9, 9, ImageFormat::Png)).await.ok();
    let answer = shop.test.bytes(Method::GET, photo["url"].as_str().expect("a url"), &[]).await;
    assert_eq!(
        answer.header("content-disposition"),
        "inline; filename=\"image.png\"; filename*=UTF-8''image.png"
    );
    assert!(answer.header("content-security-policy").contains("sandbox"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_opens_one_file_for_a_while() {
    let clock = wapid_core::clock::Clock::manual(wapid_core::clock::At(1_772_965_800_000));
    let app = TestApp::with_clock(crate::app::Engine::Sqlite, clock).await;
    let shop = app.tenant("shop").await;
    let media = shop.test.upload("?fileName=a.pdf", "application/pdf", PDF).await.ok();
    let other = shop.test.upload("?fileName=b.pdf", "application/pdf", PDF).await.ok();
    let id = |media: &Value| media["mediaId"].as_str().expect("an id").to_owned();
    let ask = format!("{MEDIA}/{}/link", id(&media));
    let link = shop.test.post(&ask, json!({"seconds": 60})).await.ok();
    assert_eq!(link["expiresAt"], "2026-03-08T10:31:00.000Z");
    let url = link["url"].as_str().expect("a url").to_owned();
    let nobody = crate::app::Caller::new(app.url(), "");
    let opened = nobody.bytes(Method::GET, &url, &[]).await;
    assert!(opened.status == 200 && opened.body == PDF);
    assert_eq!(nobody.bytes(Method::GET, &url, &[("range", "bytes=1-3")]).await.body, b"PDF");
    let changed = [
        url.replace(&id(&media), &id(&other)),
        url.replace("expires=17", "expires=18"),
        url.replace("signature=", "signature=A"),
        url.split_once('&').expect("two parts").0.to_owned(),
        format!("/media/{}", id(&media)),
        format!("/media/{}?expires=x&signature=", id(&media)),
        "/media/med_x?expires=1&signature=a".to_owned(),
    ];
    for changed in changed {
        let answer = nobody.get(&changed).await;
        assert!(answer.status == 404 || answer.status == 400, "{changed}: {}", answer.text);
        answer.code();
    }
    app.clock.advance(std::time::Duration::from_secs(59));
    assert_eq!(nobody.bytes(Method::GET, &url, &[]).await.status, 200);
    app.clock.advance(std::time::Duration::from_secs(2));
    nobody.get(&url).await.refused(410, "LINK_EXPIRED");
    for seconds in [0, -1, 604_801] {
        shop.test.post(&ask, json!({"seconds": seconds})).await.refused(400, "INVALID_REQUEST");
    }
    shop.test.call(Method::POST, &ask, &[], None).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_says_too_little_or_too_much_is_refused() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    for (body, code) in [
        (json!({}), "INVALID_REQUEST"),
        (json!({"mediaUrl": "https://x.example/", "mediaBase64": "AA"}), "INVALID_REQUEST"),
        (json!({"mediaBase64": "AA==", "type": "gif"}), "INVALID_REQUEST"),
        (json!({"mediaBase64": "AA==", "caption": "x"}), "INVALID_REQUEST"),
        (json!({"mediaBase64": 5}), "INVALID_REQUEST"),
        (json!({"mediaBase64": "***"}), "MEDIA_BASE64_INVALID"),
        (json!({"mediaBase64": ""}), "MEDIA_EMPTY"),
        (json!({"mediaUrl": "ftp://x.example/"}), "MEDIA_URL_REFUSED"),
    ] {
        shop.test.post(MEDIA, body).await.refused(400, code);
    }
    let file = "name=\"file\"; filename=\"a.txt\"";
    shop.test.form(&[("name=\"type\"", "", b"image")]).await.refused(400, "INVALID_FORM");
    shop.test.form(&[("name=\"x\"", "", b"y"), (file, "", b"z")]).await.refused(400, "INVALID_FORM");
    let late = [(file, "", &b"some text"[..]), ("name=\"type\"", "", b"document")];
    shop.test.form(&late).await.refused(400, "INVALID_FORM");
    shop.test.upload("?kind=image", "text/plain", "x").await.refused(400, "INVALID_PARAMETER");
    shop.test.upload("", "text/plain", "").await.refused(400, "MEDIA_EMPTY");
    shop.test.get(&format!("{MEDIA}?limit=0")).await.refused(400, "INVALID_PARAMETER");
    shop.test.get(&format!("{MEDIA}?before=x")).await.refused(400, "INVALID_PARAMETER");
    assert_eq!(shop.test.get(MEDIA).await.ok(), json!({"media": [], "used": 0}), "nothing was stored");
    let early = [
        ("name=\"type\"", "", &b"document"[..]),
        ("name=\"fileName\"", "", b"notes.txt"),
        (file, "", b"some text"),
    ];
    let media = shop.test.form(&early).await.ok();
    assert_eq!((&media["type"], &media["fileName"]), (&json!("document"), &json!("notes.txt")));
}

on_both_engines! {
    async fn a_tenants_room_is_bounded(app: TestApp) {
        // A gateway of its own, with little room.
        let engine = if app.database.url.starts_with("sqlite") { crate::app::Engine::Sqlite } else { crate::app::Engine::Postgres };
        drop(app);
        let app = TestApp::with(engine, |config| config.media_tenant_max = wapid::config::Size(250_000)).await;
        let shop = app.tenant("shop").await;
        let put = async |size| shop.test.upload("", "application/octet-stream", noise(size)).await;
        let first = put(200_000).await.ok();
        put(60_000).await.refused(400, "MEDIA_STORAGE_FULL");
        put(50_000).await.ok();
        put(1).await.refused(400, "MEDIA_STORAGE_FULL");
        assert_eq!(blobs(app.dir.path()).len(), 2, "nothing is left of what was refused");
        app.tenant("other").await.test.upload("", "application/octet-stream", noise(100_000)).await.ok();
        shop.test.delete(&format!("{MEDIA}/{}", first["mediaId"].as_str().expect("an id"))).await.ok();
        put(200_000).await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_lies_sealed() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let text = "a private letter ".repeat(10_000);
    shop.test.upload("?fileName=letter.txt", "text/plain", text).await.ok();
    let blobs = blobs(app.dir.path());
    let [blob] = blobs.as_slice() else { panic!("one blob, not {blobs:?}") };
    let at_rest = std::fs::read(blob).expect("a file");
    assert!(at_rest.len() > 170_000);
    assert!(!at_rest.windows(9).any(|window| window == b"a private"), "it can be read");
}
