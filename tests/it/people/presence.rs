//! Typing, recording and being there, both ways; and as events for whoever wants them.

use serde_json::json;

use super::{ANA, BEA, SHOP, shop_and_ana};
use crate::app::{TestApp, until};
use crate::on_both_engines;

on_both_engines! {
    async fn presence_and_typing_show_on_both_sides(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        ana.until_sees(SHOP, "the shop is there", |seen| seen["presence"] == "available").await;
        for state in ["composing", "recording", "paused"] {
            session.tell("/typing", json!({"to": ANA, "state": state})).await;
            ana.until_sees(SHOP, state, |seen| seen["typing"] == state).await;
        }
        let path = format!("/presence/{ANA}");
        let away = session.ask(&path).await;
        assert_eq!((&away["state"], &away["phone"]), (&json!("unavailable"), &json!(ANA)));
        assert!(away["lastSeen"].is_null() && away["typing"].is_null());
        ana.does("/presence", json!({"state": "available"})).await;
        ana.does("/typing", json!({"to": SHOP, "state": "recording"})).await;
        until("Ana records", || async {
            let seen = session.ask(&path).await;
            (seen["state"] == "available" && seen["typing"] == "recording").then_some(())
        })
        .await;
        ana.does("/presence", json!({"state": "unavailable"})).await;
        until("Ana is gone", || async {
            let seen = session.ask(&path).await;
            (seen["state"] == "unavailable" && seen["lastSeen"].is_string()).then_some(())
        })
        .await;
        // Nobody asked for these as events.
        let events = shop.test.get("/api/whatsapp/events?types=presence.*,chat.*").await.ok();
        assert_eq!(events["events"], json!([]));

        session.tell("/presence", json!({"state": "unavailable"})).await;
        ana.until_sees(SHOP, "the shop hides", |seen| seen["presence"] == "unavailable").await;
        // It stays so when the connection is replaced, though the client shows itself at first.
        session.fault("drop").await;
        until("the session sends again", || async {
            session.send(ANA, "back").await.status.is_success().then_some(())
        })
        .await;
        ana.until_sees(SHOP, "the shop hides again", |seen| seen["presence"] == "unavailable").await;
        session.tell("/presence", json!({"state": "available"})).await;
        ana.until_sees(SHOP, "the shop is back", |seen| seen["presence"] == "available").await;
    }
}

on_both_engines! {
    async fn whoever_asks_for_presence_events_gets_each_change_once(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let settings = shop.test.put("/api/whatsapp/settings", json!({"presenceEvents": true})).await.ok();
        assert_eq!(settings["presenceEvents"], true);
        session.ask(&format!("/presence/{ANA}")).await;
        ana.does("/presence", json!({"state": "available"})).await;
        let here = session.until_event("presence.updated", |data| data["state"] == "available").await;
        assert_eq!((&here["phone"], &here["lastSeen"]), (&json!(ANA), &json!(null)));
        assert!(here["contactId"].as_str().is_some_and(|id| id.starts_with("con_")));
        ana.does("/typing", json!({"to": SHOP, "state": "composing"})).await;
        ana.does("/typing", json!({"to": SHOP, "state": "composing"})).await;
        // The client does not keep the order of what arrives in the same instant.
        let between = ana.send(SHOP, "one moment").await;
        session.until_logged(&between, "received").await;
        ana.does("/typing", json!({"to": SHOP, "state": "paused"})).await;
        let typing = session.until_event("chat.typing", |data| data["state"] == "paused").await;
        assert_eq!(typing["chat"], format!("{ANA}@s.whatsapp.net"));
        assert_eq!((&typing["contactId"], &typing["isGroup"]), (&here["contactId"], &json!(false)));
        let log = shop.test.get("/api/whatsapp/events?types=chat.typing").await.ok();
        let states: Vec<_> = log["events"].as_array().unwrap().iter().map(|one| &one["data"]["state"]).collect();
        assert_eq!(states, [&json!("composing"), &json!("paused")]);
    }
}

on_both_engines! {
    async fn typing_in_a_group_shows_there_and_nowhere_else(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let bea = shop.phone(BEA).await;
        shop.test.put("/api/whatsapp/settings", json!({"presenceEvents": true})).await.ok();
        let new = json!({"subject": "Team", "participants": [ANA, BEA]});
        let made = session.tell("/groups", new).await;
        let group = made["group"]["groupId"].as_str().expect("an id");
        ana.until_sees(SHOP, "the shop is there", |seen| seen["presence"] == "available").await;
        for state in ["composing", "recording", "paused"] {
            session.tell("/typing", json!({"to": group, "state": state})).await;
            for phone in [&ana, &bea] {
                let seen = phone.until_sees(SHOP, state, |seen| seen["typingInGroups"][group] == state).await;
                assert!(seen["typing"].is_null(), "{seen}");
            }
        }

        // Her first words bring her number.
        let id = ana.send(group, "hello, all").await;
        session.until_logged(&id, "received").await;
        ana.does("/typing", json!({"to": group, "state": "composing"})).await;
        let typing = session.until_event("chat.typing", |data| data["state"] == "composing").await;
        assert_eq!((&typing["chat"], &typing["isGroup"]), (&json!(group), &json!(true)));
        assert_eq!(typing["phone"], ANA);
        let seen = session.ask(&format!("/presence/{ANA}")).await;
        assert!(seen["typing"].is_null(), "typing in a group shows in the chat of two: {seen}");
        // The same in the chat of two is news.
        ana.does("/typing", json!({"to": SHOP, "state": "composing"})).await;
        session.until_event("chat.typing", |data| data["isGroup"] == false && data["state"] == "composing").await;
        let refused = json!({"to": "120363000000000000@g.us", "state": "composing"});
        shop.test.post(&ana.path("/typing"), refused).await.refused(404, "GROUP_NOT_FOUND");
    }
}
