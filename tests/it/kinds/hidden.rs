//! People whose number is hidden: they are heard, answered and counted by their LID, until they show it.

use serde_json::{Value, json};

use super::{ANA, SHOP, shop_and_ana, shows, writes};
use crate::app::TestApp;
use crate::on_both_engines;

on_both_engines! {
    async fn who_hides_their_number_is_answered_by_their_lid(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let hers = writes(&shop, &ana, json!({"to": SHOP, "message": "Guess who", "hidden": true})).await;
        let told = session.until_told("message.received", &hers).await;
        let data = &told["data"];
        let lid = data["lid"].as_str().unwrap_or_else(|| panic!("no LID: {data}"));
        let chat = format!("{lid}@lid");
        let wanted = json!({"phone": null, "chat": chat, "from": chat, "body": "Guess who", "isGroup": false});
        shows(data, wanted);
        let row = session.until_logged(&hers, "received").await;
        shows(&row, json!({"phone": null, "lid": lid, "message": "Guess who"}));

        let reply = session.says(json!({"to": chat, "message": "Is it you?"})).await;
        let shown = ana.until_has(&reply).await;
        let with_shop = format!("{SHOP}@s.whatsapp.net");
        shows(&shown, json!({"message": "Is it you?", "from": SHOP, "chat": with_shop}));
        session.until_logged(&reply, "delivered").await;
        shop.test.post(&ana.path("/read"), json!({"messageId": reply})).await.ok();
        let row = session.until_logged(&reply, "read").await;
        shows(&row, json!({"phone": null, "lid": lid}));
        session.tell("/read", json!({"messageIds": [hers]})).await;
        ana.until_ticked(&hers, SHOP, "read").await;
        session.says(json!({"type": "reaction", "messageId": hers, "emoji": "👀"})).await;
        ana.until_is(&hers, |message| message["reactions"][0]["emoji"] == "👀").await;
        let reaction = json!({"to": SHOP, "type": "reaction", "messageId": reply, "emoji": "🙈", "hidden": true});
        let reaction = writes(&shop, &ana, reaction).await;
        let told = session.until_told("message.reaction", &reaction).await;
        shows(&told["data"], json!({"targetId": reply, "targetFromMe": true, "phone": null, "lid": lid}));
        let list = session.ask("/chats").await;
        let chats = list["chats"].as_array().expect("chats");
        assert_eq!(chats.len(), 1, "{list}");
        shows(&chats[0], json!({"chatId": chat, "phone": null}));

        // She shows it at last, and all of it is one chat, under her number.
        let shows_it = writes(&shop, &ana, json!({"to": SHOP, "message": "It is me"})).await;
        let told = session.until_told("message.received", &shows_it).await;
        shows(&told["data"], json!({"phone": ANA, "lid": lid}));
        let with_ana = format!("{ANA}@s.whatsapp.net");
        let row = session.until_chat(&with_ana, "one chat", |chat| chat["lastMessage"]["message"] == "It is me").await;
        shows(&row, json!({"phone": ANA}));
        assert_eq!(session.ask("/chats").await["chats"].as_array().map(Vec::len), Some(1));
        let texts = texts_of(&session.ask(&format!("/chats/{ANA}/messages?limit=10")).await);
        assert_eq!(texts, ["It is me", "Is it you?", "Guess who"]);
    }
}

on_both_engines! {
    async fn by_lid_with_the_number_it_is_the_chat_with_the_number(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let first = ana.send(SHOP, "By number").await;
        session.until_logged(&first, "received").await;
        let by_lid = json!({"to": SHOP, "message": "By LID", "addressing": "lid"});
        let second = writes(&shop, &ana, by_lid).await;
        let told = session.until_told("message.received", &second).await;
        let data = &told["data"];
        let lid = data["lid"].as_str().unwrap_or_else(|| panic!("no LID: {data}"));
        shows(data, json!({"phone": ANA, "chat": format!("{lid}@lid"), "from": format!("{ANA}@s.whatsapp.net")}));
        for to in [ANA.to_owned(), format!("{lid}@lid")] {
            let reply = session.says(json!({"to": to, "message": format!("To {to}")})).await;
            ana.until_has(&reply).await;
            session.until_logged(&reply, "delivered").await;
        }
        let with_ana = format!("{ANA}@s.whatsapp.net");
        let last = format!("To {lid}@lid");
        session.until_chat(&with_ana, "the last", |chat| chat["lastMessage"]["message"] == last.as_str()).await;
        let list = session.ask("/chats").await;
        assert_eq!(list["chats"].as_array().map(Vec::len), Some(1), "{list}");
        let texts = texts_of(&session.ask(&format!("/chats/{ANA}/messages?limit=10")).await);
        assert_eq!(texts, [last, format!("To {ANA}"), "By LID".to_owned(), "By number".to_owned()]);
        let refused = json!({"to": SHOP, "message": "x", "addressing": "pn", "hidden": true});
        shop.test.post(&ana.path("/messages"), refused).await.refused(400, "INVALID_REQUEST");
    }
}

fn texts_of(page: &Value) -> Vec<String> {
    let rows = page["messages"].as_array().expect("messages").iter();
    // A reaction is a row of the log beside what it is about.
    let said = rows.filter(|row| row["type"] == "text");
    said.map(|row| row["message"].as_str().expect("a text").to_owned()).collect()
}
