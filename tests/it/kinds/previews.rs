//! The page below a text: made for what leaves, where it is wished and can be had; read of what arrives.

use std::time::{Duration, Instant};

use image::ImageFormat;
use serde_json::{Value, json};

use super::{ANA, SHOP, base64, picture, shop_and_ana, shows, writes};
use crate::app::{Phone, Session, TestApp};
use crate::media::host::{Host, Reply};
use crate::media::hostile::bomb;
use crate::media::noise;
use crate::on_both_engines;

/// Five seconds for page and picture, and a busy machine.
const BOUND: Duration = Duration::from_secs(25);

fn page(head: &str) -> Reply {
    let html = format!("<!DOCTYPE html><html><head>{head}</head><body>Welcome</body></html>");
    Reply::file("text/html; charset=utf-8", html.as_bytes())
}

/// A shop's page, its picture, and pages that are not what they should be.
async fn website() -> Host {
    let photo = picture(ImageFormat::Png);
    Host::answering(move |path| match path {
        "/shop" => page(
            r#"<title>Own title</title><meta property="og:title" content="The &amp; Shop">
            <meta property="og:description" content="Open from 8 to 18"><meta property="og:image" content="photo.png">"#,
        ),
        "/moved" => Reply::redirect("/shop"),
        "/photo.png" => Reply::file("image/png", &photo),
        "/plain" => page("<title>Plain</title>"),
        "/large" => page(&format!("<title>Large</title><style>{}</style>", "a".repeat(2 << 20))),
        "/bomb" => page(r#"<title>Bomb</title><meta property="og:image" content="/bomb.png">"#),
        "/bomb.png" => Reply::file("image/png", &bomb(60_000, 60_000)),
        "/heavy" => page(r#"<title>Heavy</title><meta property="og:image" content="/heavy.png">"#),
        "/heavy.png" => Reply::file("image/png", &noise(3 << 20)),
        "/inside" => page(r#"<title>Inside</title><meta property="og:image" content="http://10.0.0.1/a.png">"#),
        "/private" => Reply::redirect("http://10.0.0.1/"),
        "/loop" => Reply::redirect("/loop"),
        "/hangs" => Reply::Drip("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n".to_owned()),
        "/endless" => {
            Reply::Endless("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n".to_owned(), noise(8 << 10))
        }
        "/file" => Reply::file("application/pdf", b"%PDF-1.4 <title>no page</title>"),
        "/untitled" => page(r#"<meta property="og:description" content="of nothing">"#),
        _ => Reply::status(404),
    })
    .await
}

/// What Ana's phone shows of a text that wishes a preview.
async fn shown(session: &Session<'_>, ana: &Phone<'_>, text: &str) -> Value {
    let id = session.says(json!({"to": ANA, "message": text, "linkPreview": true})).await;
    ana.until_has(&id).await
}

on_both_engines! {
    async fn a_text_shows_the_page_that_it_leads_to(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let site = website().await;
        let of_the_shop = |url: &str| json!({
            "url": url, "title": "The & Shop", "description": "Open from 8 to 18", "hasThumbnail": true
        });
        for path in ["/shop", "/moved"] {
            let url = format!("{}{path}", site.url);
            let text = format!("Order here: {url}.");
            let message = shown(&session, &ana, &text).await;
            shows(&message, json!({"type": "text", "message": text, "linkPreview": of_the_shop(&url)}));
        }
        // With what else may be said beside a text.
        let url = format!("{}/shop", site.url);
        let body = json!({"to": ANA, "message": "Welcome", "footer": url, "linkPreview": true, "expiresIn": 86400});
        let message = ana.until_has(&session.says(body).await).await;
        shows(&message, json!({"expiration": 86400, "linkPreview": of_the_shop(&url)}));

        let url = format!("{}/plain", site.url);
        let message = shown(&session, &ana, &url).await;
        shows(&message, json!({"linkPreview": {"url": url, "title": "Plain", "hasThumbnail": false}}));
        // What it says of itself stands at its beginning; the rest is not read.
        let message = shown(&session, &ana, &format!("{}/large", site.url)).await;
        assert_eq!(message["linkPreview"]["title"], "Large");
    }
}

on_both_engines! {
    async fn without_the_wish_no_page_is_read(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let site = website().await;
        let text = format!("Order here: {}/shop", site.url);
        for body in [json!({"to": ANA, "message": text}), json!({"to": ANA, "message": text, "linkPreview": false})] {
            let message = ana.until_has(&session.says(body).await).await;
            assert_eq!((&message["message"], &message["linkPreview"]), (&json!(text), &Value::Null));
        }
        // A wish without a URL is none.
        let message = shown(&session, &ana, "no link here").await;
        assert_eq!(message["linkPreview"], Value::Null);
        assert_eq!(site.heads(), [""; 0], "the page was asked for");
    }
}

on_both_engines! {
    async fn a_page_that_cannot_be_had_keeps_no_message_back(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let site = website().await;
        for path in ["/private", "/loop", "/hangs", "/endless", "/file", "/untitled", "/none"] {
            let began = Instant::now();
            let text = format!("See {}{path}", site.url);
            let message = shown(&session, &ana, &text).await;
            assert_eq!((&message["message"], &message["linkPreview"]), (&json!(text), &Value::Null), "{path}");
            assert!(began.elapsed() < BOUND, "{path} took {:?}", began.elapsed());
        }
        // The kernel takes some on its way.
        assert!(site.written() < 16 << 20, "an endless page could write {} bytes", site.written());
        assert_eq!(site.heads().iter().filter(|head| head.starts_with("GET /loop ")).count(), 4, "and no further");
        for text in ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://localhost:1/"] {
            assert_eq!(shown(&session, &ana, text).await["linkPreview"], Value::Null, "{text}");
        }
    }
}

on_both_engines! {
    async fn a_picture_that_cannot_be_had_is_left_out(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let site = website().await;
        for (path, title) in [("/bomb", "Bomb"), ("/heavy", "Heavy"), ("/inside", "Inside")] {
            let began = Instant::now();
            let url = format!("{}{path}", site.url);
            let message = shown(&session, &ana, &url).await;
            let expected = json!({"url": url, "title": title, "hasThumbnail": false});
            assert_eq!(message["linkPreview"], expected, "{path}");
            assert!(began.elapsed() < BOUND, "{path} took {:?}", began.elapsed());
        }
    }
}

on_both_engines! {
    async fn a_job_reads_its_page_once(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let site = website().await;
        let phones: Vec<String> = (0..5).map(|n| format!("551190000020{n}")).collect();
        for phone in &phones {
            shop.phone(phone).await;
        }
        let message = format!("Hello {{{{phone}}}}: {}/shop", site.url);
        let body = json!({
            "recipients": phones, "message": message, "linkPreview": true, "delayMin": 0, "delayMax": 0
        });
        session.bulk(body).await.until_completed().await;
        for phone in &phones {
            let phone = shop.phone(phone).await;
            let shown = phone.until_shows(&format!("Hello {}: {}/shop", phone.phone, site.url)).await;
            shows(&shown["linkPreview"], json!({"title": "The & Shop", "hasThumbnail": true}));
        }
        for path in ["/shop", "/photo.png"] {
            let asked = site.heads().iter().filter(|head| head.starts_with(&format!("GET {path} "))).count();
            assert_eq!(asked, 1, "{path}");
        }
    }
}

on_both_engines! {
    async fn the_page_below_a_text_that_arrives_is_told(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let page = json!({"url": "https://example.com/a", "title": "Mine", "description": "my own page"});
        let body = json!({
            "to": SHOP, "message": "Look: https://example.com/a", "linkPreview": page,
            "thumbnailBase64": base64(&picture(ImageFormat::Jpeg)[..2_000])
        });
        let id = writes(&shop, &ana, body).await;
        let told = session.until_told("message.received", &id).await;
        shows(&told["data"], json!({"type": "text", "body": "Look: https://example.com/a", "linkPreview": page}));
        let row = session.until_logged(&id, "received").await;
        assert_eq!(row["linkPreview"], page);
        // On her own phone it looks the same.
        let mut own = page;
        own["hasThumbnail"] = true.into();
        assert_eq!(ana.until_has(&id).await["linkPreview"], own);
        // What is sent on leads there, and shows no page that nobody here read.
        let bia = shop.phone("5511900000003").await;
        let on = session.says(json!({"to": "5511900000003", "type": "forward", "messageId": id})).await;
        let shown = bia.until_has(&on).await;
        assert_eq!((&shown["forwarded"], &shown["linkPreview"]), (&json!(true), &Value::Null));
    }
}
