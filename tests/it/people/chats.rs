//! The list of chats follows the log, and what the owner does with them on any device.

use serde_json::{Value, json};

use super::{ANA, BEA, SHOP, shop_and_ana};
use crate::app::{TestApp, until};
use crate::on_both_engines;

on_both_engines! {
    async fn chats_are_listed_by_their_last_message(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let own = shop.phone(SHOP).await;
        let bea = shop.phone(BEA).await;
        assert_eq!(session.ask("/chats").await, json!({"chats": []}));
        let (with_ana, with_bea) = (format!("{ANA}@s.whatsapp.net"), format!("{BEA}@s.whatsapp.net"));
        session.send(ANA, "to Ana").await.ok();
        let first = session.until_chat(&with_ana, "a chat", |_| true).await;
        assert_eq!((&first["unread"], &first["isGroup"], &first["phone"]), (&json!(0), &json!(false), &json!(ANA)));
        assert_eq!(first["lastMessage"]["message"], "to Ana");
        bea.does("/profile", json!({"name": "Bea"})).await;
        let id = bea.send(SHOP, "from Bea").await;
        session.until_logged(&id, "received").await;
        own.send(ANA, "typed on the phone").await;
        session.until_chat(&with_ana, "the echo", |chat| chat["lastMessage"]["message"] == "typed on the phone").await;
        let list = session.ask("/chats").await;
        let order: Vec<_> = list["chats"].as_array().unwrap().iter().map(|chat| &chat["chatId"]).collect();
        assert_eq!(order, [&json!(with_ana), &json!(with_bea)]);
        assert_eq!((&list["chats"][1]["name"], &list["chats"][1]["unread"]), (&json!("Bea"), &json!(1)));
        assert!(list["chats"][1]["contactId"].is_string());
        assert!(list["nextCursor"].is_null());

        let first = session.ask("/chats?limit=1").await;
        let next = first["nextCursor"].as_str().expect("there is more");
        let second = session.ask(&format!("/chats?limit=1&before={next}")).await;
        assert_eq!(second["chats"][0]["chatId"], with_bea);

        for i in 0..5 {
            session.send(ANA, &format!("text {i}")).await.ok();
        }
        ana.send(SHOP, "an answer").await;
        session.until_chat(&with_ana, "the answer", |chat| chat["unread"] == 1).await;
        let mut texts: Vec<Value> = vec![];
        let mut tail = format!("/chats/{ANA}/messages?limit=3");
        loop {
            let part = session.ask(&tail).await;
            texts.extend(part["messages"].as_array().unwrap().iter().map(|row| row["message"].clone()));
            let Some(next) = part["nextCursor"].as_str() else { break };
            tail = format!("/chats/{with_ana}/messages?limit=3&before={next}");
        }
        assert_eq!(texts, ["an answer", "text 4", "text 3", "text 2", "text 1", "text 0", "typed on the phone", "to Ana"]);
        shop.test.get(&session.path("/chats/5511900000009/messages")).await.refused(404, "CHAT_NOT_FOUND");
    }
}

on_both_engines! {
    async fn archive_pin_and_mute_hold_on_every_device(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let own = shop.phone(SHOP).await;
        let chat = format!("{ANA}@s.whatsapp.net");
        ana.send(SHOP, "hello").await;
        session.until_chat(&chat, "a chat", |_| true).await;
        let change = |action: &'static str, body: Value| {
            let (session, path) = (&session, format!("/chats/{ANA}/{action}"));
            async move { session.tell(&path, body).await }
        };
        assert_eq!(change("archive", json!({})).await["isArchived"], true);
        assert_eq!(change("pin", json!({})).await["isPinned"], true);
        let muted = change("mute", json!({})).await;
        assert_eq!((&muted["isMuted"], &muted["mutedUntil"]), (&json!(true), &Value::Null));
        let seen = own.until_sees(ANA, "muted on the phone", |seen| seen["mutedUntil"] == -1).await;
        assert_eq!((&seen["isArchived"], &seen["isPinned"]), (&json!(true), &json!(true)));
        let muted = change("mute", json!({"until": "2099-01-01T00:00:00Z"})).await;
        assert_eq!((&muted["isMuted"], &muted["mutedUntil"]), (&json!(true), &json!("2099-01-01T00:00:00.000Z")));
        assert_eq!(change("unmute", json!({})).await["isMuted"], false);
        assert_eq!(change("unpin", json!({})).await["isPinned"], false);
        assert_eq!(change("unarchive", json!({})).await["isArchived"], false);
        own.until_sees(ANA, "all undone", |seen| {
            seen["mutedUntil"] == 0 && seen["isPinned"] == false && seen["isArchived"] == false
        })
        .await;

        own.does("/chats", json!({"phone": ANA, "archived": true, "pinned": true, "mutedUntil": -1})).await;
        session
            .until_chat(&chat, "archived on the phone", |chat| {
                chat["isArchived"] == true && chat["isPinned"] == true && chat["isMuted"] == true
            })
            .await;
        let read = change("read", json!({})).await;
        assert_eq!(read["unread"], 0);
        shop.test.post(&session.path("/chats/5511900000009/pin"), json!({})).await.refused(404, "CHAT_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chats_outlive_a_restart_and_go_with_their_session() {
    let mut app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let key = shop.test.key.clone();
    {
        let (session, ana) = shop_and_ana(&shop).await;
        ana.send(SHOP, "hello").await;
        session.until_chat(&format!("{ANA}@s.whatsapp.net"), "a chat", |chat| chat["unread"] == 1).await;
    }
    app.stop().await;
    app.start().await;
    let caller = crate::app::Caller::new(app.url(), &key);
    let session = crate::app::Session { caller: &caller, id: "main".into(), phone: SHOP.into() };
    assert_eq!(session.ask("/chats").await["chats"][0]["unread"], 1);
    session.until_ready().await;
    caller.delete(&session.path("")).await.ok();
    let store = &app.gateway().store;
    until("nothing is left of it", || async {
        store.tidy(store.clock().now()).await.unwrap();
        let pool = sqlx::SqlitePool::connect(&app.database.url).await.expect("the database opens");
        let (chats,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM chats").fetch_one(&pool).await.expect("a count");
        let (names,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM contact_names").fetch_one(&pool).await.expect("a count");
        (chats + names == 0).then_some(())
    })
    .await;
}
