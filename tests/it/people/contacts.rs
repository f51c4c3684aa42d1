//! Whom a session knows, what is shown of them, and whom it blocked.

use std::io::Cursor;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use super::{ANA, BEA, SHOP, shop_and_ana};
use crate::app::{TestApp, until};
use crate::on_both_engines;

fn jpeg() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(200, 200, image::Rgb([20, 90, 200]));
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

on_both_engines! {
    async fn contacts_have_the_names_that_the_phone_and_they_themselves_gave(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let own = shop.phone(SHOP).await;
        shop.phone(BEA).await;
        ana.does("/profile", json!({"name": "Aninha"})).await;
        ana.send(SHOP, "hello").await;
        own.does("/contacts", json!({"phone": ANA, "name": "Ana_Maria Souza"})).await;
        own.does("/contacts", json!({"phone": BEA, "name": "Érica Bea"})).await;
        let both = until("two contacts", || async {
            let list = session.ask("/contacts").await;
            let list = list["contacts"].as_array().unwrap().clone();
            (list.len() == 2 && list.iter().all(|one| one["name"].is_string())).then_some(list)
        })
        .await;
        assert_eq!((&both[0]["phone"], &both[1]["phone"]), (&json!(ANA), &json!(BEA)));
        assert_eq!((&both[0]["name"], &both[0]["pushName"]), (&json!("Ana_Maria Souza"), &json!("Aninha")));
        assert!(both[0]["contactId"].is_string() && both[1]["contactId"].is_string());

        for (search, found) in [
            ("souza", vec![ANA]), ("ANINHA", vec![ANA]), ("érica", vec![BEA]), ("0000003", vec![BEA]),
            ("_", vec![ANA]), ("%25", vec![]), ("p:", vec![]), ("l", vec![]), ("nobody", vec![]),
        ] {
            let list = session.ask(&format!("/contacts?search={search}")).await;
            let phones: Vec<_> = list["contacts"].as_array().unwrap().iter().map(|one| one["phone"].clone()).collect();
            assert_eq!(phones, found, "{search}");
        }
        let first = session.ask("/contacts?limit=1").await;
        let next = first["nextCursor"].as_str().expect("there is more");
        let second = session.ask(&format!("/contacts?limit=1&after={next}")).await;
        assert_eq!(second["contacts"][0]["phone"], BEA);
        // A new name replaces the old one, and another session of the tenant has its own.
        own.does("/contacts", json!({"phone": ANA, "name": "Ana"})).await;
        until("the new name", || async {
            (session.ask("/contacts").await["contacts"][0]["name"] == "Ana").then_some(())
        })
        .await;
        let other = shop.linked("other", "5511900000007").await;
        assert_eq!(other.ask("/contacts").await["contacts"], json!([]));
    }
}

on_both_engines! {
    async fn somebody_is_shown_with_about_picture_and_block(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let picture = jpeg();
        ana.does("/profile", json!({"about": "At sea", "picture": BASE64.encode(&picture)})).await;
        ana.send(SHOP, "hello").await;
        session.until_chat(&format!("{ANA}@s.whatsapp.net"), "a chat", |_| true).await;
        let seen = session.ask(&format!("/contacts/+{ANA}")).await;
        assert_eq!((&seen["phone"], &seen["about"]), (&json!(ANA), &json!("At sea")));
        assert_eq!((&seen["isBusiness"], &seen["isBlocked"]), (&json!(false), &json!(false)));
        assert!(seen["pictureUrl"].is_string() && seen["lid"].is_string());
        let id = seen["contactId"].as_str().expect("an id");
        let lid = format!("{}@lid", seen["lid"].as_str().unwrap());
        for name in [id, &lid] {
            assert_eq!(session.ask(&format!("/contacts/{name}")).await, seen, "{name}");
        }
        let shown = session.ask(&format!("/contacts/{id}/picture")).await;
        assert_eq!(shown["url"], seen["pictureUrl"]);
        assert!(shown["previewUrl"].is_string() && shown["previewUrl"] != shown["url"]);
        for (size, wanted) in [("full", Some(&picture)), ("preview", None)] {
            let url = format!("{}{}", shop.test.url, session.path(&format!("/contacts/{ANA}/picture?format=image&size={size}")));
            let answer = reqwest::Client::new().get(url).header("X-API-Key", &shop.test.key).send().await.unwrap();
            assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &"image/jpeg".parse().unwrap()));
            let bytes = answer.bytes().await.unwrap();
            image::load_from_memory(&bytes).expect("a picture");
            assert!(wanted.is_none_or(|wanted| *wanted == bytes));
        }
        ana.does("/profile", json!({"picture": "", "about": ""})).await;
        let bare = session.ask(&format!("/contacts/{ANA}")).await;
        assert_eq!((&bare["about"], &bare["pictureUrl"]), (&Value::Null, &Value::Null));
        shop.test.get(&session.path(&format!("/contacts/{ANA}/picture"))).await.refused(404, "PICTURE_NOT_FOUND");
        shop.test.get(&session.path("/contacts/con_01jdg3v2xwq3y4z5a6b7c8d9e0")).await.refused(404, "CONTACT_NOT_FOUND");
        shop.test.get(&session.path("/contacts/5511900000009")).await.refused(400, "NOT_ON_WHATSAPP");
    }
}

on_both_engines! {
    async fn a_block_holds_here_and_on_the_phone(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let own = shop.phone(SHOP).await;
        assert_eq!(session.ask("/blocked").await, json!({"blocked": []}));
        // Somebody whom this session never met can be blocked as well.
        session.tell(&format!("/contacts/{ANA}/block"), json!({})).await;
        own.until_sees(ANA, "Ana is blocked", |seen| seen["isBlocked"] == true).await;
        let list = session.ask("/blocked").await;
        assert_eq!((&list["blocked"][0]["phone"], list["blocked"].as_array().map(Vec::len)), (&json!(ANA), Some(1)));
        assert!(list["blocked"][0]["lid"].is_string() && list["blocked"][0]["since"].is_string());
        assert_eq!(session.ask(&format!("/contacts/{ANA}")).await["isBlocked"], true);
        session.send(ANA, "hello").await.refused(400, "RECIPIENT_BLOCKED");
        let lost = ana.send(SHOP, "do you hear me?").await;
        session.tell(&format!("/contacts/{ANA}/unblock"), json!({})).await;
        let heard = ana.send(SHOP, "and now?").await;
        session.until_logged(&heard, "received").await;
        session.send(ANA, "I hear you").await.ok();
        let log = shop.test.get("/api/whatsapp/messages?direction=in").await.ok();
        assert!(log["messages"].as_array().unwrap().iter().all(|row| row["messageId"] != lost));

        // What the owner does on the phone is known without asking again.
        own.does("/block", json!({"phone": ANA})).await;
        until("Ana is blocked again", || async {
            (session.ask("/blocked").await["blocked"].as_array().map(Vec::len) == Some(1)).then_some(())
        })
        .await;
        own.does("/block", json!({"phone": ANA, "blocked": false})).await;
        until("nobody is blocked", || async {
            (session.ask("/blocked").await == json!({"blocked": []})).then_some(())
        })
        .await;
    }
}

/// Who is known by a LID alone, and shows a number later, stays one contact with one chat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_of_another_tenant_is_not_found() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    ana.send(SHOP, "hello").await;
    let id = until("a contact", || async {
        session.ask("/contacts").await["contacts"][0]["contactId"].as_str().map(str::to_owned)
    })
    .await;
    let rival = app.tenant("rival").await;
    let theirs = rival.linked("main", "5511900000008").await;
    rival.test.get(&theirs.path(&format!("/contacts/{id}"))).await.refused(404, "CONTACT_NOT_FOUND");
    assert_eq!(theirs.ask("/contacts").await["contacts"], json!([]));
    assert_eq!(theirs.ask("/chats").await["chats"], json!([]));
    rival.test.get(&theirs.path(&format!("/chats/{ANA}/messages"))).await.refused(404, "CHAT_NOT_FOUND");
}

on_both_engines! {
    async fn another_tenants_contact_is_nobody_in_a_session_of_ones_own(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        ana.send(SHOP, "hello").await;
        session.until_chat(&format!("{ANA}@s.whatsapp.net"), "a chat", |_| true).await;
        let known = session.ask(&format!("/contacts/{ANA}")).await;
        let id = known["contactId"].as_str().expect("an id");
        assert_eq!(session.ask(&format!("/contacts/{id}")).await["phone"], ANA);

        let other = app.tenant("other").await;
        let own = other.linked("main", SHOP).await;
        for tail in ["", "/picture"] {
            let path = own.path(&format!("/contacts/{id}{tail}"));
            other.test.get(&path).await.refused(404, "CONTACT_NOT_FOUND");
        }
        for act in ["block", "unblock"] {
            let path = own.path(&format!("/contacts/{id}/{act}"));
            other.test.post(&path, json!({})).await.refused(404, "CONTACT_NOT_FOUND");
        }
        other.test.get(&own.path(&format!("/chats/{ANA}/messages"))).await.refused(404, "CHAT_NOT_FOUND");
    }
}
