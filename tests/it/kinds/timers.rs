//! Chats whose messages disappear.

use serde_json::{Value, json};

use super::{ANA, SHOP, shop_and_ana, writes};
use crate::app::{Caller, Phone, Session, Tenant, TestApp, until};
use crate::on_both_engines;

const DAY: u32 = 86_400;
const WEEK: u32 = 604_800;

impl Session<'_> {
    /// Waits until that chat has that timer.
    async fn until_timer(&self, chat: &str, seconds: Option<u32>) -> Value {
        until(&format!("{chat} disappears after {seconds:?}"), || async {
            let list = self.caller.get(&self.path("/chats")).await.ok();
            let chats = list["chats"].as_array().expect("chats").clone();
            chats.into_iter().find(|one| {
                one["chatId"].as_str().is_some_and(|id| id.starts_with(chat))
                    && one["expiresIn"] == json!(seconds)
            })
        })
        .await
    }
}

/// After how many seconds the next text that is sent there disappears, as the phone shows it.
async fn next(session: &Session<'_>, phone: &Phone<'_>, to: &str, more: Value) -> Value {
    let mut body = json!({"to": to, "message": "one more"});
    for (field, value) in more.as_object().expect("an object") {
        body[field] = value.clone();
    }
    let id = session.says(body).await;
    phone.until_has(&id).await["expiration"].clone()
}

on_both_engines! {
    async fn what_is_sent_disappears_as_its_chat_does(app: TestApp) {
        let mut app = app;
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        assert_eq!(next(&session, &ana, ANA, json!({})).await, Value::Null);
        // She sets a timer, and writes nothing.
        writes(&shop, &ana, json!({"to": SHOP, "type": "timer", "expiration": DAY})).await;
        session.until_timer(ANA, Some(DAY)).await;
        assert_eq!(next(&session, &ana, ANA, json!({})).await, DAY);
        // What a caller says counts more, never too.
        assert_eq!(next(&session, &ana, ANA, json!({"expiresIn": WEEK})).await, WEEK);
        assert_eq!(next(&session, &ana, ANA, json!({"expiresIn": 0})).await, Value::Null);
        assert_eq!(next(&session, &ana, ANA, json!({})).await, DAY);
        // And is so after a restart.
        let (test, live_key) = (shop.test.key.clone(), shop.live_key.clone());
        app.stop().await;
        app.start().await;
        let shop = Tenant {
            test: Caller::new(app.url(), &test),
            live: Caller::new(app.url(), &live_key),
            live_key,
        };
        let session = Session { caller: &shop.test, id: "main".into(), phone: SHOP.into() };
        session.until_ready().await;
        let ana = shop.phone(ANA).await;
        assert_eq!(next(&session, &ana, ANA, json!({})).await, DAY);
        // A message that disappears tells the timer as well.
        let hers = json!({"to": SHOP, "type": "text", "message": "a week", "expiration": WEEK});
        let hers = writes(&shop, &ana, hers).await;
        session.until_told("message.received", &hers).await;
        session.until_timer(ANA, Some(WEEK)).await;
        assert_eq!(next(&session, &ana, ANA, json!({})).await, WEEK);
        writes(&shop, &ana, json!({"to": SHOP, "type": "timer", "expiration": 0})).await;
        session.until_timer(ANA, None).await;
        assert_eq!(next(&session, &ana, ANA, json!({})).await, Value::Null);
    }
}

on_both_engines! {
    async fn a_groups_timer_is_kept(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let new = json!({"subject": "Team", "participants": [ANA]});
        let made = session.caller.post(&session.path("/groups"), new).await.ok();
        let group = made["group"]["groupId"].as_str().expect("an id");
        assert_eq!(next(&session, &ana, group, json!({})).await, Value::Null);
        let change = json!({"phone": ANA, "act": "ephemeral", "seconds": DAY});
        shop.test.post(&format!("/api/sandbox/groups/{group}"), change).await.ok();
        session.until_timer(group, Some(DAY)).await;
        assert_eq!(next(&session, &ana, group, json!({})).await, DAY);
    }
}

on_both_engines! {
    async fn a_group_that_disappears_already_is_joined(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let new = json!({"phone": ANA, "subject": "Team", "participants": ["5511900000003"]});
        shop.phone("5511900000003").await;
        let made = shop.test.post("/api/sandbox/groups", new).await.ok();
        let group = made["group"]["id"].as_str().expect("an id");
        for act in [json!({"act": "ephemeral", "seconds": DAY}), json!({"act": "add", "participants": [SHOP]})] {
            let mut act = act;
            act["phone"] = ANA.into();
            shop.test.post(&format!("/api/sandbox/groups/{group}"), act).await.ok();
        }
        until("the session is in the group", || async {
            let log = session.caller.get("/api/whatsapp/events?types=group.joined&limit=10").await.ok();
            (!log["events"].as_array().expect("events").is_empty()).then_some(())
        })
        .await;
        assert_eq!(next(&session, &ana, group, json!({})).await, DAY);
    }
}
