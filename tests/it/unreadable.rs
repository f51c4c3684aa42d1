//! A message that the database refuses: it is kept as one of an unknown kind, and takes nothing off line.

use serde_json::json;

use crate::app::TestApp;
use crate::on_both_engines;
use crate::people::{ANA, SHOP, shop_and_ana};

/// What the database refuses from now on, as it would a text that it cannot hold.
const REFUSES: [&str; 2] = [
    "CREATE TRIGGER refuses BEFORE INSERT ON messages WHEN NEW.body LIKE '%poison%'
    BEGIN SELECT RAISE(ABORT, 'refused'); END",
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '22021'; END $$;
    CREATE TRIGGER refuses BEFORE INSERT ON messages FOR EACH ROW
    WHEN (NEW.body LIKE '%poison%') EXECUTE FUNCTION refuse()",
];

on_both_engines! {
    async fn a_message_that_cannot_be_stored_takes_no_number_off_line(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let other = app.tenant("other").await;
        let neighbour = other.linked("main", SHOP).await;
        other.phone(ANA).await;
        let is_postgres = app.database.url.starts_with("postgres");
        app.execute(REFUSES[usize::from(is_postgres)]).await;
        for text in ["before", "a poison", "after"] {
            ana.send(SHOP, text).await;
        }
        let after = session.until_event("message.received", |data| data["body"] == "after").await;
        let unreadable =
            session.until_event("message.received", |data| data["unreadable"] == "not_storable").await;
        assert_eq!((&unreadable["type"], &unreadable["body"]), (&json!("unknown"), &json!("")));
        assert_eq!((&unreadable["phone"], &unreadable["chat"]), (&json!(ANA), &after["chat"]));
        // A second time it is the same message.
        let log = shop.test.get("/api/whatsapp/messages?direction=in").await.ok();
        assert_eq!(log["total"], 3, "{log}");
        assert_eq!(session.ask("/status").await["status"], "ready");
        // What was refused in one batch with it is there as well.
        session.send(ANA, "an answer").await.ok();
        neighbour.send(ANA, "a neighbour's").await.ok();
    }
}
