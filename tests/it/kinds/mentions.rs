//! Who is mentioned, and whether this number is.

use serde_json::{Value, json};

use super::{ANA, SHOP, shows, writes};
use crate::app::TestApp;
use crate::on_both_engines;

const BEN: &str = "5511900000003";

fn jid(phone: &str) -> String {
    format!("{phone}@s.whatsapp.net")
}

on_both_engines! {
    async fn a_session_sees_that_it_is_meant_in_groups_of_either_kind(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let (ana, _) = (shop.phone(ANA).await, shop.phone(BEN).await);
        for addressing in ["lid", "pn"] {
            let new = json!({"phone": ANA, "subject": "Team", "participants": [SHOP, BEN], "addressing": addressing});
            let made = shop.test.post("/api/sandbox/groups", new).await.ok();
            let group = made["group"]["id"].as_str().expect("an id").to_owned();
            let says = async |text: &str, mentions: Value| {
                let body = json!({"to": group, "type": "text", "message": text, "mentions": mentions});
                let id = writes(&shop, &ana, body).await;
                let told = session.until_told("message.received", &id).await["data"].clone();
                let row = session.until_logged(&id, "received").await;
                assert_eq!((&row["mentions"], &row["mentionedMe"]), (&told["mentions"], &told["mentionedMe"]));
                told
            };
            let told = says("hey", json!([SHOP])).await;
            shows(&told, json!({"mentionedMe": true, "mentions": [jid(SHOP)]}));
            let told = says("Ben?", json!([BEN])).await;
            shows(&told, json!({"mentions": [jid(BEN)]}));
            assert!(told.get("mentionedMe").is_none(), "{addressing}: {told}");
            let told = says("everybody", json!([BEN, SHOP])).await;
            assert_eq!(told["mentionedMe"], true, "{addressing}: {told}");
            let told = says("nobody", json!([])).await;
            assert!(told.get("mentionedMe").is_none() && told.get("mentions").is_none(), "{told}");
        }
    }
}

on_both_engines! {
    async fn everybody_means_each_of_them(app: TestApp) {
        let shop = app.tenant("shop").await;
        let main = shop.linked("main", SHOP).await;
        let desk = shop.linked("desk", BEN).await;
        let new = json!({"phone": SHOP, "subject": "Team", "participants": [BEN]});
        let made = shop.test.post("/api/sandbox/groups", new).await.ok();
        let group = made["group"]["id"].clone();
        desk.until_event("group.joined", |data| data["groupId"] == group).await;
        let id = main.says(json!({"to": group, "message": "Lunch", "mentions": ["all"]})).await;
        assert_eq!(desk.until_told("message.received", &id).await["data"]["mentionedMe"], true);
    }
}

on_both_engines! {
    async fn an_answer_in_a_group_names_whom_it_answers_by_number(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        let new = json!({"phone": ANA, "subject": "Team", "participants": [SHOP]});
        let made = shop.test.post("/api/sandbox/groups", new).await.ok();
        let group = made["group"]["id"].as_str().expect("an id");
        session.until_event("group.joined", |data| data["groupId"] == group).await;
        let ours = session.says(json!({"to": group, "message": "Lunch?"})).await;
        ana.until_has(&ours).await;
        let reply = json!({"to": group, "type": "text", "message": "Yes", "quotedMessageId": ours});
        let reply = writes(&shop, &ana, reply).await;
        let told = session.until_told("message.received", &reply).await;
        shows(&told["data"]["quoted"], json!({"messageId": ours, "from": jid(SHOP), "body": "Lunch?"}));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_knows_its_own_hidden_id() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    shop.phone(ANA).await;
    let status = session.status().await;
    let lid = status["lid"].as_str().unwrap_or_else(|| panic!("no lid in {status}")).to_owned();
    let list = shop.test.get("/api/whatsapp/sessions").await.ok();
    assert_eq!(list["sessions"][0]["lid"], lid.as_str());
    let profile = shop.test.get(&session.path("/profile")).await.ok();
    shows(&profile, json!({"lid": lid, "phoneNumber": SHOP}));
    // It is the one by which others know it.
    let new = json!({"phone": ANA, "subject": "Team", "participants": [SHOP]});
    let made = shop.test.post("/api/sandbox/groups", new).await.ok();
    let members = made["group"]["participants"].as_array().expect("members");
    let own = members.iter().find(|member| member["phone"] == SHOP).expect("the shop");
    assert_eq!(own["lid"], lid.as_str());
}
