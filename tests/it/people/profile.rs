//! A session's own profile, as its phone and others see it.

use std::io::Cursor;

use reqwest::Method;
use serde_json::{Value, json};

use super::{ANA, SHOP, shop_and_ana};
use crate::app::{Answer, Session, TestApp, until};
use crate::on_both_engines;

fn picture(width: u32, height: u32, format: image::ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture =
        image::RgbImage::from_fn(width, height, |x, y| image::Rgb([(x % 251) as u8, (y % 241) as u8, 77]));
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

async fn put(session: &Session<'_>, bytes: Vec<u8>) -> Answer {
    session.caller.call(Method::PUT, &session.path("/profile/picture"), &[], Some(bytes)).await
}

on_both_engines! {
    async fn name_about_and_picture_are_changed_and_seen(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let before = session.ask("/profile").await;
        assert_eq!((&before["about"], &before["pictureUrl"]), (&Value::Null, &Value::Null));
        let changed = shop.test.put(&session.path("/profile"), json!({"name": " The Shop ", "about": "Open 9 to 5"})).await.ok();
        assert_eq!((&changed["name"], &changed["about"]), (&json!("The Shop"), &json!("Open 9 to 5")));
        let seen = ana.until_sees(SHOP, "the new name", |seen| seen["name"] == "The Shop").await;
        assert_eq!(seen["about"], "Open 9 to 5");
        let cleared = shop.test.put(&session.path("/profile"), json!({"about": ""})).await.ok();
        assert_eq!((&cleared["name"], &cleared["about"]), (&json!("The Shop"), &Value::Null));

        for format in [image::ImageFormat::Jpeg, image::ImageFormat::Png] {
            let set = put(&session, picture(900, 1_200, format)).await.ok();
            assert!(set["pictureId"].as_str().is_some_and(|id| !id.is_empty()));
            let seen = ana.until_sees(SHOP, "a picture", |seen| seen["pictureSha256"].is_string()).await;
            assert!(seen["pictureSha256"].is_string());
            assert!(session.ask("/profile").await["pictureUrl"].is_string());
        }
        let url = format!("{}{}", shop.test.url, session.path(&format!("/contacts/{SHOP}/picture?format=image")));
        let answer = reqwest::Client::new().get(url).header("X-API-Key", &shop.test.key).send().await.unwrap();
        let shown = image::load_from_memory(&answer.bytes().await.unwrap()).expect("a picture");
        assert_eq!((shown.width(), shown.height()), (640, 640));
        shop.test.delete(&session.path("/profile/picture")).await.ok();
        ana.until_sees(SHOP, "no picture", |seen| seen["pictureSha256"].is_null()).await;
        // A name that is changed on the phone is the session's as well.
        let own = shop.phone(SHOP).await;
        own.does("/profile", json!({"name": "At home"})).await;
        until("the phone's name", || async { (session.ask("/profile").await["name"] == "At home").then_some(()) }).await;
        session.send(ANA, "who am I?").await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_is_none_is_refused_and_changes_nothing() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    let good = picture(300, 300, image::ImageFormat::Jpeg);
    put(&session, good.clone()).await.ok();
    let seen = ana.until_sees(SHOP, "a picture", |seen| seen["pictureSha256"].is_string()).await;
    let mut bomb = picture(100, 100, image::ImageFormat::Png);
    bomb[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
    for bad in [
        vec![],
        b"{\"url\":\"https://example.com/x.jpg\"}".to_vec(),
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00".to_vec(),
        good[..good.len() / 3].to_vec(),
        picture(20, 20, image::ImageFormat::Png),
        picture(6_100, 100, image::ImageFormat::Png),
        bomb,
        vec![0; 1 << 20],
    ] {
        put(&session, bad).await.refused(400, "INVALID_PICTURE");
    }
    put(&session, vec![0xff; (10 << 20) + 1]).await.refused(413, "BODY_TOO_LARGE");
    assert_eq!(
        ana.until_sees(SHOP, "the same picture", |_| true).await["pictureSha256"],
        seen["pictureSha256"]
    );
}
