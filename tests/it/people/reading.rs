//! Messages that are read here show blue ticks on their writers' phones, and are read in the list of chats.

use serde_json::json;

use super::{ANA, BEA, SHOP, shop_and_ana};
use crate::app::TestApp;
use crate::on_both_engines;

on_both_engines! {
    async fn reading_messages_shows_blue_ticks_and_counts_them_off(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let chat = format!("{ANA}@s.whatsapp.net");
        let mut ids = vec![];
        for text in ["one", "two", "three"] {
            ids.push(ana.send(SHOP, text).await);
        }
        session.until_chat(&chat, "three unread", |chat| chat["unread"] == 3).await;
        ana.until_ticked(&ids[0], SHOP, "delivered").await;
        let read = session.tell("/read", json!({"messageIds": [ids[0], ids[0], "3EB0NOBODYS"]})).await;
        assert_eq!(read, json!({"success": true, "messageIds": [ids[0]]}));
        ana.until_ticked(&ids[0], SHOP, "read").await;
        session.until_chat(&chat, "two unread", |chat| chat["unread"] == 2).await;
        // Once is enough.
        session.tell("/read", json!({"messageIds": [ids[0]]})).await;
        assert_eq!(session.ask("/chats").await["chats"][0]["unread"], 2);
        let rest = session.tell("/read", json!({"chat": ANA})).await;
        assert_eq!(rest["messageIds"].as_array().map(Vec::len), Some(2));
        for id in &ids {
            ana.until_ticked(id, SHOP, "read").await;
        }
        assert_eq!(session.ask("/chats").await["chats"][0]["unread"], 0);
        assert_eq!(session.tell("/read", json!({"chat": ANA})).await["messageIds"], json!([]));

        let sent = session.send(ANA, "ours").await.ok()["messageId"].clone();
        let own = shop.test.post(&session.path("/read"), json!({"messageIds": [sent]})).await;
        own.refused(404, "MESSAGE_NOT_FOUND");
        shop.test.post(&session.path("/read"), json!({"chat": BEA})).await.refused(404, "CHAT_NOT_FOUND");
    }
}

on_both_engines! {
    async fn what_the_owner_reads_on_the_phone_is_read_here(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let own = shop.phone(SHOP).await;
        let chat = format!("{ANA}@s.whatsapp.net");
        let first = ana.send(SHOP, "first").await;
        ana.send(SHOP, "second").await;
        session.until_chat(&chat, "two unread", |chat| chat["unread"] == 2).await;
        own.until_shows("first").await;
        own.does("/read", json!({"messageId": first})).await;
        session.until_chat(&chat, "one unread", |chat| chat["unread"] == 1).await;
        own.does("/chats", json!({"phone": ANA, "read": true})).await;
        session.until_chat(&chat, "all read", |chat| chat["unread"] == 0).await;
    }
}
