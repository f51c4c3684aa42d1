//! Groups through HTTP: made, changed and left, written to and read from, and told of.
//!
//! | file | what |
//! |---|---|
//! | `kill` | the gateway and its sandbox die at any instant |
//! | `order` | what happens in groups is told in the order of the wire |

mod kill;
mod order;

use serde_json::{Value, json};

use crate::app::{Phone, Session, Tenant, TestApp, until};
use crate::kinds::{shows, writes};
use crate::on_both_engines;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";
const BEN: &str = "5511900000003";
const DESK: &str = "5511900000004";
const NOBODY: &str = "5511900000099";

impl Session<'_> {
    async fn group(&self, subject: &str, participants: &[&str]) -> String {
        let new = json!({"subject": subject, "participants": participants});
        let made = self.caller.post(&self.path("/groups"), new).await.ok();
        made["group"]["groupId"].as_str().expect("an id").to_owned()
    }

    fn of(&self, group: &str, tail: &str) -> String {
        self.path(&format!("/groups/{group}{tail}"))
    }

    async fn change(&self, group: &str, action: &str, participants: &[&str]) -> Vec<Value> {
        let change = json!({"action": action, "participants": participants});
        let answer = self.caller.post(&self.of(group, "/participants"), change).await.ok();
        answer["results"].as_array().expect("results").clone()
    }

    /// The first event of this type about this group that fits.
    async fn told(&self, kind: &str, group: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.until_events(kind, |events| {
            let mut data = events.iter().map(|event| &event["data"]);
            data.find(|data| data["groupId"] == group && fits(data)).cloned()
        })
        .await
    }

    /// This session's row of a message, once it says that the message was taken back.
    async fn until_taken_back(&self, message_id: &str) -> Value {
        until(&format!("{message_id} is taken back for {}", self.id), || async {
            let path = format!("/api/whatsapp/messages?sessionId={}&limit=100", self.id);
            let log = self.caller.get(&path).await.ok();
            let rows = log["messages"].as_array().expect("messages");
            let is_it = |row: &&Value| row["messageId"] == message_id && row["deletedAt"].is_string();
            rows.iter().find(is_it).cloned()
        })
        .await
    }

    /// The log's row with this text.
    async fn heard(&self, text: &str) -> Value {
        until(&format!("{text:?} in the log of {}", self.id), || async {
            let path = format!("/api/whatsapp/messages?sessionId={}&limit=100", self.id);
            let log = self.caller.get(&path).await.ok();
            let rows = log["messages"].as_array().expect("messages");
            rows.iter().find(|row| row["message"] == text && row["direction"] == "in").cloned()
        })
        .await
    }
}

async fn act(shop: &Tenant, phone: &Phone<'_>, group: &str, mut act: Value) -> Value {
    act["phone"] = phone.phone.clone().into();
    shop.test.post(&format!("/api/sandbox/groups/{group}"), act).await.ok()
}

fn codes(results: &[Value]) -> Vec<Option<&str>> {
    results.iter().map(|result| result["code"].as_str()).collect()
}

on_both_engines! {
    async fn a_group_is_written_to_and_read_by_sessions_and_phones(app: TestApp) {
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        let desk = shop.linked("desk", DESK).await;
        let (ana, ben) = (shop.phone(ANA).await, shop.phone(BEN).await);
        let group = main.group("Team", &[ANA, BEN, DESK]).await;
        desk.told("group.joined", &group, |_| true).await;

        let id = main.send(&group, "From the session").await.ok()["messageId"].clone();
        for phone in [&ana, &ben] {
            let shown = phone.until_shows("From the session").await;
            assert_eq!((&shown["id"], &shown["from"], &shown["to"]), (&id, &json!(SHOP), &json!(group)));
        }
        let row = desk.heard("From the session").await;
        assert_eq!(row["phone"], SHOP, "{row}");

        for (phone, text) in [(&ana, "From Ana"), (&ben, "From Ben")] {
            phone.send(&group, text).await;
            for session in [&main, &desk] {
                let row = session.heard(text).await;
                assert_eq!(row["phone"], phone.phone.as_str(), "{row}");
            }
        }
        desk.send(&group, "From the desk").await.ok();
        assert_eq!(main.heard("From the desk").await["phone"], DESK);
        ana.until_shows("From the desk").await;
        ben.until_shows("From the desk").await;

        // The first member's receipt moves the status, as each is told of its own.
        let id = id.as_str().expect("an id");
        main.until_logged(id, "delivered").await;
        shop.test.post(&ben.path("/read"), json!({"messageId": id})).await.ok();
        main.until_logged(id, "read").await;

        // The event of an inbound message says in which chat it was, and who wrote it.
        let events = shop.test.get("/api/whatsapp/events?types=message.received&limit=100").await.ok();
        let of_ana = events["events"].as_array().expect("events").iter().find(|event| {
            event["sessionId"] == "main" && event["data"]["body"] == "From Ana"
        });
        let data = &of_ana.expect("an event")["data"];
        assert_eq!((&data["chat"], &data["phone"], &data["isGroup"]), (&json!(group), &json!(ANA), &json!(true)));
    }
}

on_both_engines! {
    async fn a_group_is_made_changed_and_left(app: TestApp) {
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        let desk = shop.linked("desk", DESK).await;
        shop.phone(ANA).await;
        shop.phone(BEN).await;
        let new = json!({"subject": " Team ", "participants": ["+55 11 90000-0002", DESK, ANA, NOBODY]});
        let made = shop.test.post(&main.path("/groups"), new).await.ok();
        let results = made["results"].as_array().expect("results");
        assert_eq!(codes(results), [None, None, Some("NOT_ON_WHATSAPP")]);
        assert_eq!((&results[2]["whatsappCode"], &results[0]["success"]), (&json!(404), &json!(true)));
        let group = made["group"]["groupId"].as_str().expect("an id");
        assert_eq!((&made["group"]["subject"], &made["group"]["size"]), (&json!("Team"), &json!(3)));
        assert_eq!((&made["group"]["role"], &made["group"]["owner"]["phone"]), (&json!("owner"), &json!(SHOP)));
        let joined = desk.told("group.joined", group, |_| true).await;
        assert_eq!((&joined["subject"], &joined["reason"]), (&json!("Team"), &json!("created")));
        assert_eq!(joined["by"]["phone"], SHOP);

        let change = json!({"subject": "Crew", "description": "Be kind", "announce": true, "locked": true, "ephemeralSeconds": 86400});
        let changed = shop.test.patch(&main.of(group, ""), change).await.ok();
        let read = shop.test.get(&desk.of(group, "")).await.ok();
        for seen in [&changed, &read] {
            assert_eq!((&seen["subject"], &seen["description"]), (&json!("Crew"), &json!("Be kind")));
            assert_eq!((&seen["announce"], &seen["locked"], &seen["ephemeralSeconds"]), (&json!(true), &json!(true), &json!(86400)));
        }
        assert_eq!((&changed["role"], &read["role"]), (&json!("owner"), &json!("member")));
        let people = read["participants"].as_array().expect("participants");
        let roles: Vec<_> = people.iter().map(|one| (one["phone"].as_str(), one["role"].as_str())).collect();
        assert_eq!(roles, [(Some(SHOP), Some("owner")), (Some(ANA), Some("member")), (Some(DESK), Some("member"))]);
        assert!(people.iter().all(|one| one["lid"].is_string()));
        desk.told("group.updated", group, |data| data["changed"]["subject"] == "Crew").await;
        let announced = desk.told("group.updated", group, |data| data["changed"]["announce"] == true).await;
        assert_eq!(announced["subject"], "Crew", "an event does not carry the name");

        // What only admins do.
        let refused = shop.test.patch(&desk.of(group, ""), json!({"subject": "Mine"})).await;
        let refused = refused.refused(400, "NOT_GROUP_ADMIN");
        assert!(refused["error"].as_str().expect("words").starts_with("subject: "), "{refused}");
        desk.send(group, "May I?").await.refused(400, "NOT_GROUP_ADMIN");
        shop.test.get(&desk.of(group, "/invite")).await.refused(400, "NOT_GROUP_ADMIN");
        let add = json!({"action": "remove", "participants": [ANA]});
        shop.test.post(&desk.of(group, "/participants"), add).await.refused(400, "NOT_GROUP_ADMIN");

        assert_eq!(codes(&main.change(group, "promote", &[DESK]).await), [None]);
        desk.told("group.participants", group, |data| data["action"] == "promote").await;
        desk.send(group, "Now I may").await.ok();
        assert_eq!(codes(&main.change(group, "add", &[BEN, ANA, NOBODY]).await), [None, Some("ALREADY_IN_GROUP"), Some("NOT_ON_WHATSAPP")]);
        let added = desk.told("group.participants", group, |data| data["action"] == "add").await;
        assert_eq!((&added["participants"][0]["phone"], &added["by"]["phone"]), (&json!(BEN), &json!(SHOP)));
        assert_eq!(codes(&desk.change(group, "remove", &[BEN, SHOP, NOBODY]).await), [None, Some("NOT_CHANGEABLE"), Some("NOT_IN_GROUP")]);
        assert_eq!(codes(&desk.change(group, "demote", &[DESK]).await), [None]);

        let listed = shop.test.get(&desk.path("/groups")).await.ok();
        assert_eq!((&listed["groups"][0]["groupId"], &listed["groups"][0]["size"]), (&json!(group), &json!(3)));
        shop.test.post(&desk.of(group, "/leave"), json!({})).await.ok();
        let left = desk.told("group.left", group, |_| true).await;
        assert_eq!((&left["reason"], &left["subject"]), (&json!("left"), &json!("Crew")));
        main.told("group.participants", group, |data| data["action"] == "leave").await;
        shop.test.get(&desk.of(group, "")).await.refused(400, "NOT_IN_GROUP");
        desk.send(group, "Am I here?").await.refused(400, "NOT_IN_GROUP");
        assert_eq!(shop.test.get(&desk.path("/groups")).await.ok(), json!({"groups": []}));
    }
}

on_both_engines! {
    async fn a_link_lets_a_session_in(app: TestApp) {
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        let desk = shop.linked("desk", DESK).await;
        let group = main.group("Open house", &[]).await;
        let link = shop.test.get(&main.of(&group, "/invite")).await.ok()["link"].clone();
        assert!(link.as_str().expect("a link").starts_with("https://chat.whatsapp.com/"));
        let seen = shop.test.post(&desk.path("/groups/preview"), json!({"link": link})).await.ok();
        assert_eq!((&seen["subject"], &seen["size"], &seen["role"]), (&json!("Open house"), &json!(1), &json!(null)));
        let joined = shop.test.post(&desk.path("/groups/join"), json!({"link": link})).await.ok();
        assert_eq!(joined, json!({"success": true, "groupId": group, "pendingApproval": false}));
        assert_eq!(desk.told("group.joined", &group, |_| true).await["reason"], "invite");
        main.told("group.participants", &group, |data| data["participants"][0]["phone"] == DESK).await;
        desk.send(&group, "I am in").await.ok();
        main.heard("I am in").await;
        shop.test.post(&desk.path("/groups/join"), json!({"link": link})).await.refused(400, "ALREADY_IN_GROUP");

        let next = shop.test.post(&main.of(&group, "/invite/reset"), json!({})).await.ok()["link"].clone();
        assert_ne!(link, next);
        shop.test.post(&desk.of(&group, "/leave"), json!({})).await.ok();
        shop.test.post(&desk.path("/groups/join"), json!({"link": link})).await.refused(400, "INVITE_RESET");
        let unknown = json!({"link": "https://chat.whatsapp.com/AAAAAAAAAAAAAAAAAAAAAA"});
        shop.test.post(&desk.path("/groups/join"), unknown).await.refused(400, "INVITE_NOT_VALID");
        shop.test.post(&desk.path("/groups/join"), json!({"link": next})).await.ok();
        main.change(&group, "remove", &[DESK]).await;
        assert_eq!(desk.told("group.left", &group, |data| data["reason"] == "removed").await["by"]["phone"], SHOP);
        shop.test.post(&desk.path("/groups/join"), json!({"link": next})).await.refused(400, "REMOVED_FROM_GROUP");
    }
}

on_both_engines! {
    async fn who_joins_later_reads_what_comes_later_and_who_is_removed_nothing_more(app: TestApp) {
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        let (ana, ben) = (shop.phone(ANA).await, shop.phone(BEN).await);
        let made = json!({"phone": ANA, "subject": "Friends", "participants": [BEN]});
        let made = shop.test.post("/api/sandbox/groups", made).await.ok();
        let group = made["group"]["id"].as_str().expect("an id").to_owned();
        ana.send(&group, "Before the shop").await;
        act(&shop, &ana, &group, json!({"act": "add", "participants": [SHOP]})).await;
        let joined = main.told("group.joined", &group, |_| true).await;
        assert_eq!((&joined["subject"], &joined["reason"], &joined["by"]["phone"]), (&json!("Friends"), &json!("added"), &json!(ANA)));
        ana.send(&group, "With the shop").await;
        main.heard("With the shop").await;
        main.send(&group, "Thanks").await.ok();
        ben.until_shows("Thanks").await;

        act(&shop, &ana, &group, json!({"act": "remove", "participants": [SHOP]})).await;
        main.told("group.left", &group, |data| data["reason"] == "removed").await;
        ana.send(&group, "Without the shop").await;
        main.send(&group, "Hello?").await.refused(400, "NOT_IN_GROUP");
        // A direct message is behind whatever the group would have brought.
        ana.send(SHOP, "In private").await;
        main.heard("In private").await;
        let log = shop.test.get("/api/whatsapp/messages?direction=in&limit=100").await.ok();
        let texts: Vec<_> = log["messages"].as_array().expect("rows").iter().map(|row| row["message"].clone()).collect();
        assert_eq!(texts, ["In private", "With the shop"]);
        let inbox = ben.inbox().await;
        let shown: Vec<_> = inbox["messages"].as_array().expect("messages").iter().map(|one| one["message"].clone()).collect();
        assert_eq!(shown, ["Before the shop", "With the shop", "Thanks", "Without the shop"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_lost_its_keys_gets_the_message_again() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let main = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    let group = main.group("Team", &[ANA]).await;
    main.send(&group, "before").await.ok();
    ana.until_shows("before").await;
    main.fault_with(json!({"kind": "lose_sessions", "phone": ANA})).await;
    main.send(&group, "lost").await.ok();
    ana.until_shows("lost").await;
    main.send(&group, "after").await.ok();
    ana.until_shows("after").await;

    ana.send(&group, "to the session").await;
    main.heard("to the session").await;
    main.fault("corrupt_delivery").await;
    ana.send(&group, "spoiled").await;
    main.heard("spoiled").await;
    ana.send(&group, "whole").await;
    main.heard("whole").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_about_groups_is_refused_with_words() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "idle"})).await.ok();
    let idle = "/api/whatsapp/session/idle/groups";
    let refused = shop.test.get(idle).await.refused(400, "SESSION_NOT_READY");
    assert!(refused["status"].is_string() && refused["reason"].is_string(), "{refused}");
    shop.test.post(idle, json!({"subject": "Team"})).await.refused(400, "SESSION_NOT_READY");
    shop.test.get("/api/whatsapp/session/none/groups").await.refused(404, "SESSION_NOT_FOUND");
    shop.test
        .get("/api/whatsapp/session/none/groups/120363000000000001@g.us")
        .await
        .refused(404, "SESSION_NOT_FOUND");

    let main = shop.linked("main", SHOP).await;
    let group = main.group("Team", &[]).await;
    let post = async |tail: &str, body: Value| shop.test.post(&main.path(tail), body).await;
    for body in [
        json!({}),
        json!({"subject": " "}),
        json!({"subject": "x".repeat(101)}),
        json!({"subject": "a\u{0}b"}),
    ] {
        assert_eq!(post("/groups", body.clone()).await.status, 400, "{body}");
    }
    let many = vec![ANA; 257];
    post("/groups", json!({"subject": "Team", "participants": many})).await.refused(400, "INVALID_REQUEST");
    for person in ["12", "somebody", "120363000000000001@g.us"] {
        let body = json!({"subject": "Team", "participants": [person]});
        let refused = post("/groups", body).await.refused(400, "INVALID_RECIPIENT");
        assert!(refused["error"].as_str().expect("words").starts_with("participants[0]: "), "{refused}");
    }
    let people = |action: &str, people: Value| json!({"action": action, "participants": people});
    let of_group = format!("/groups/{group}/participants");
    post(&of_group, people("ban", json!([ANA]))).await.refused(400, "INVALID_REQUEST");
    post(&of_group, people("add", json!([]))).await.refused(400, "INVALID_REQUEST");
    let change = async |body: Value| shop.test.patch(&main.of(&group, ""), body).await;
    change(json!({})).await.refused(400, "INVALID_REQUEST");
    change(json!({"ephemeralSeconds": 5})).await.refused(400, "INVALID_REQUEST");
    change(json!({"description": "x".repeat(2049)})).await.refused(400, "INVALID_REQUEST");
    assert_eq!(change(json!({"description": "Be kind"})).await.ok()["description"], "Be kind");
    assert_eq!(change(json!({"description": ""})).await.ok()["description"], json!(null));
    post("/groups/join", json!({"link": "https://example.com/a-b"})).await.refused(400, "INVALID_REQUEST");

    for (id, code) in [
        ("120363000000000000@g.us", "GROUP_NOT_FOUND"),
        ("5511900000001@s.whatsapp.net", "GROUP_NOT_FOUND"),
        ("x", "GROUP_NOT_FOUND"),
    ] {
        shop.test.get(&main.of(id, "")).await.refused(404, code);
    }
    main.send("120363000000000000@g.us", "Anybody?").await.refused(400, "GROUP_NOT_FOUND");
    // Bare digits name the same group.
    let bare = group.trim_end_matches("@g.us");
    assert_eq!(shop.test.get(&main.of(bare, "")).await.ok()["groupId"], group.as_str());
}

on_both_engines! {
    async fn names_are_known_again_after_a_restart(app: TestApp) {
        let mut app = app;
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        shop.phone(ANA).await;
        let made = json!({"phone": ANA, "subject": "Before", "participants": [SHOP]});
        let made = shop.test.post("/api/sandbox/groups", made).await.ok();
        let group = made["group"]["id"].as_str().expect("an id").to_owned();
        main.told("group.joined", &group, |_| true).await;
        app.stop().await;
        app.start().await;
        let shop = Tenant {
            live_key: shop.live_key.clone(),
            test: crate::app::Caller::new(app.url(), &shop.test.key),
            live: crate::app::Caller::new(app.url(), &shop.live.key),
        };
        let main = Session { caller: &shop.test, id: "main".into(), phone: SHOP.into() };
        main.until_ready().await;
        let ana = shop.phone(ANA).await;
        act(&shop, &ana, &group, json!({"act": "lock", "on": true})).await;
        let told = main.told("group.updated", &group, |data| data["changed"]["locked"] == true).await;
        assert_eq!(told["subject"], "Before");
        ana.send(&group, "Still here").await;
        main.heard("Still here").await;
        main.send(&group, "So am I").await.ok();
        ana.until_shows("So am I").await;
    }
}

on_both_engines! {
    async fn everybody_in_a_group_is_mentioned(app: TestApp) {
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        let (ana, ben) = (shop.phone(ANA).await, shop.phone(BEN).await);
        let group = main.group("Team", &[ANA, BEN]).await;
        let body = json!({"to": group, "message": "Lunch, everybody", "mentions": ["all"]});
        main.caller.post(&main.path("/send"), body.clone()).await.ok();
        for phone in [&ana, &ben] {
            let shown = phone.until_shows("Lunch, everybody").await;
            let mentions = shown["mentions"].as_array().expect("mentions");
            let named = |number: &str| mentions.iter().any(|jid| jid.as_str().is_some_and(|jid| jid.starts_with(number)));
            assert!(mentions.len() == 2 && named(ANA) && named(BEN), "{shown}");
        }
        let mut to_one = body;
        to_one["to"] = ANA.into();
        main.caller.post(&main.path("/send"), to_one).await.refused(400, "INVALID_RECIPIENT");
    }
}

on_both_engines! {
    async fn an_admin_takes_back_what_others_wrote(app: TestApp) {
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        let desk = shop.linked("desk", DESK).await;
        let (ana, ben) = (shop.phone(ANA).await, shop.phone(BEN).await);
        let group = main.group("Team", &[ANA, BEN, DESK]).await;
        desk.told("group.joined", &group, |_| true).await;

        // The session is the admin.
        let hers = ana.send(&group, "Buy now!").await;
        for session in [&main, &desk] {
            session.heard("Buy now!").await;
        }
        let delete = json!({"type": "delete", "messageId": hers});
        let refused = shop.test.post(&desk.path("/send"), delete.clone()).await;
        let refused = refused.refused(400, "REFUSED_BY_WHATSAPP");
        assert!(refused["error"].as_str().expect("words").ends_with("(550)"), "{refused}");
        let shown = ben.until_has(&hers).await;
        assert_eq!(shown["message"], "Buy now!", "a member took it back");
        main.says(delete).await;
        for phone in [&ana, &ben] {
            let shown = phone.until_is(&hers, |message| message["deleted"] == true).await;
            assert_eq!((&shown["message"], &shown["from"]), (&json!(""), &json!(ANA)));
        }
        main.until_taken_back(&hers).await;
        let told = desk.until_event("message.deleted", |data| data["targetId"] == hers.as_str()).await;
        assert_eq!((&told["byAdmin"], &told["phone"]), (&json!(true), &json!(SHOP)));
        desk.until_taken_back(&hers).await;

        // A phone is.
        let ours = main.says(json!({"to": group, "message": "We are closed"})).await;
        for phone in [&ana, &ben] {
            phone.until_has(&ours).await;
        }
        let delete = json!({"to": group, "type": "delete", "messageId": ours});
        shop.test.post(&ana.path("/messages"), delete.clone()).await.refused(400, "NOT_GROUP_ADMIN");
        assert_eq!(codes(&main.change(&group, "promote", &[ANA]).await), [None]);
        let deletion = writes(&shop, &ana, delete).await;
        let told = main.until_told("message.deleted", &deletion).await;
        let wanted = json!({"targetId": ours, "targetFromMe": true, "byAdmin": true, "phone": ANA, "chat": group});
        shows(&told["data"], wanted);
        let row = main.until_taken_back(&ours).await;
        assert_eq!((&row["direction"], &row["message"]), (&json!("out"), &json!("We are closed")));
        ben.until_is(&ours, |message| message["deleted"] == true).await;
    }
}
