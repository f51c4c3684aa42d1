//! Keys that were lost, and devices that came later: what is sent arrives all the same, and once.

use serde_json::{Value, json};

use super::{ANA, SHOP, shop_and_ana};
use crate::app::{Session, TestApp, until};
use crate::on_both_engines;

impl Session<'_> {
    /// This session's row with that text, in that direction.
    async fn until_has_row(&self, text: &str, direction: &str) -> Value {
        until(&format!("{text:?} in the log of {}", self.id), || async {
            let path = format!("/api/whatsapp/messages?sessionId={}&limit=100", self.id);
            let log = self.caller.get(&path).await.ok();
            let rows = log["messages"].as_array().expect("messages");
            rows.iter().find(|row| row["message"] == text && row["direction"] == direction).cloned()
        })
        .await
    }
}

fn texts(inbox: &Value) -> Vec<&str> {
    let messages = inbox["messages"].as_array().expect("messages").iter();
    messages.map(|message| message["message"].as_str().expect("a text")).collect()
}

on_both_engines! {
    async fn a_phone_that_lost_its_keys_gets_what_is_sent_next_once(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        // Both have written: from here on no message brings the keys for a new session by itself.
        let first = session.says(json!({"to": ANA, "message": "Hello"})).await;
        ana.until_has(&first).await;
        let hers = ana.send(SHOP, "Hi").await;
        session.until_logged(&hers, "received").await;
        let second = session.says(json!({"to": ANA, "message": "How are you?"})).await;
        ana.until_has(&second).await;

        session.fault_with(json!({"kind": "lose_sessions", "phone": ANA})).await;
        for text in ["After the loss", "And on"] {
            let id = session.says(json!({"to": ANA, "message": text})).await;
            ana.until_has(&id).await;
            session.until_logged(&id, "delivered").await;
        }
        let wanted = ["Hello", "Hi", "How are you?", "After the loss", "And on"];
        assert_eq!(texts(&ana.inbox().await), wanted);

        // The other way round, the session asks.
        session.fault("corrupt_delivery").await;
        let spoiled = ana.send(SHOP, "Spoiled on its way").await;
        session.until_logged(&spoiled, "received").await;
        let last = ana.send(SHOP, "Whole").await;
        session.until_logged(&last, "received").await;
        let log = shop.test.get("/api/whatsapp/messages?direction=in&limit=100").await.ok();
        assert_eq!(log["total"], 3, "{log}");
    }
}

on_both_engines! {
    async fn a_device_that_was_linked_later_gets_what_is_sent_from_then_on(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let before = session.says(json!({"to": ANA, "message": "Before the tablet"})).await;
        ana.until_has(&before).await;

        let tablet = shop.linked("tablet", ANA).await;
        // The news of the device came to the session before this message.
        let hers = ana.send(SHOP, "I have a tablet now").await;
        session.until_logged(&hers, "received").await;
        tablet.until_has_row("I have a tablet now", "out").await;
        let both = session.says(json!({"to": ANA, "message": "To both"})).await;
        ana.until_has(&both).await;
        let row = tablet.until_has_row("To both", "in").await;
        assert_eq!((&row["messageId"], &row["phone"]), (&json!(both), &json!(SHOP)));
        tablet.says(json!({"to": SHOP, "message": "From the tablet"})).await;
        let row = session.until_has_row("From the tablet", "in").await;
        assert_eq!(row["phone"], ANA);
        ana.until_shows("From the tablet").await;

        // A device that is gone keeps nothing back.
        let unlink = json!({"sessionId": "tablet"});
        shop.test.post(&ana.path("/unlink"), unlink).await.ok();
        let after = session.says(json!({"to": ANA, "message": "Without the tablet"})).await;
        ana.until_has(&after).await;
        session.until_logged(&after, "delivered").await;
        let wanted = ["Before the tablet", "I have a tablet now", "To both", "From the tablet", "Without the tablet"];
        assert_eq!(texts(&ana.inbox().await), wanted);
        let log = shop.test.get("/api/whatsapp/messages?sessionId=tablet&limit=100").await.ok();
        let told = log["messages"].as_array().expect("messages").iter();
        let told: Vec<_> = told.map(|row| row["message"].clone()).collect();
        assert_eq!(told, ["From the tablet", "To both", "I have a tablet now"]);
    }
}
