//! Reactions, edits and deletes, both ways, and what the log says afterwards.

use serde_json::{Value, json};

use super::{ANA, SHOP, shop_and_ana, shows, writes};
use crate::app::{Session, TestApp, until};
use crate::on_both_engines;

/// The log's row of a message, once it looks so.
async fn until_row(session: &Session<'_>, id: &str, looks: impl Fn(&Value) -> bool) -> Value {
    until(&format!("the row of {id}"), || async {
        let log = session.caller.get("/api/whatsapp/messages?limit=100").await.ok();
        let rows = log["messages"].as_array().expect("messages");
        rows.iter().find(|row| row["messageId"] == id && looks(row)).cloned()
    })
    .await
}

on_both_engines! {
    async fn a_reaction_is_put_on_and_taken_back(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let hers = ana.send(SHOP, "Thank you!").await;
        session.until_logged(&hers, "received").await;
        for (emoji, count) in [("👍", 1), ("❤️", 1), ("", 0)] {
            session.says(json!({"type": "reaction", "messageId": hers, "emoji": emoji})).await;
            let shown = ana
                .until_is(&hers, |m| m["reactions"].as_array().map_or(0, Vec::len) == count && (count == 0 || m["reactions"][0]["emoji"] == emoji))
                .await;
            assert_eq!(shown["message"], "Thank you!");
        }
        let ours = session.says(json!({"to": ANA, "message": "You are welcome"})).await;
        ana.until_has(&ours).await;
        let reaction = json!({"to": SHOP, "type": "reaction", "messageId": ours, "emoji": "🙏"});
        let reaction = writes(&shop, &ana, reaction).await;
        let told = session.until_told("message.reaction", &reaction).await;
        shows(&told["data"], json!({"targetId": ours, "targetFromMe": true, "emoji": "🙏", "phone": ANA}));
    }
}

on_both_engines! {
    async fn an_edit_is_shown_and_kept_in_the_log_with_its_first_words(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let ours = session.says(json!({"to": ANA, "message": "We open at 8"})).await;
        ana.until_has(&ours).await;
        session.says(json!({"type": "edit", "messageId": ours, "message": "We open at 9"})).await;
        let shown = ana.until_is(&ours, |m| m["message"] == "We open at 9").await;
        shows(&shown, json!({"edited": true}));
        let row = until_row(&session, &ours, |row| row["message"] == "We open at 9").await;
        assert_eq!(row["original"], "We open at 8");

        let hers = ana.send(SHOP, "See you at 8").await;
        session.until_logged(&hers, "received").await;
        let edit = json!({"to": SHOP, "type": "edit", "messageId": hers, "message": "See you at 9"});
        let edit = writes(&shop, &ana, edit).await;
        let told = session.until_told("message.edited", &edit).await;
        shows(&told["data"], json!({"targetId": hers, "targetFromMe": false, "body": "See you at 9"}));
        let row = until_row(&session, &hers, |row| row["message"] == "See you at 9").await;
        assert_eq!((&row["original"], row["editedAt"].is_string()), (&json!("See you at 8"), true));
    }
}

on_both_engines! {
    async fn what_is_taken_back_is_gone_from_the_phone_and_marked_in_the_log(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let ours = session.says(json!({"to": ANA, "message": "the wrong chat"})).await;
        ana.until_has(&ours).await;
        session.says(json!({"type": "delete", "messageId": ours})).await;
        let shown = ana.until_is(&ours, |m| m["deleted"] == true).await;
        assert_eq!(shown["message"], "");
        let row = until_row(&session, &ours, |row| row["deletedAt"].is_string()).await;
        assert_eq!(row["message"], "the wrong chat");
        let again = json!({"type": "edit", "messageId": ours, "message": "never mind"});
        shop.test.post(&session.path("/send"), again).await.refused(400, "MESSAGE_GONE");

        let hers = ana.send(SHOP, "oops").await;
        session.until_logged(&hers, "received").await;
        let delete = writes(&shop, &ana, json!({"to": SHOP, "type": "delete", "messageId": hers})).await;
        let told = session.until_told("message.deleted", &delete).await;
        shows(&told["data"], json!({"targetId": hers, "targetFromMe": false}));
        until_row(&session, &hers, |row| row["deletedAt"].is_string()).await;
    }
}
