//! What happens in groups is told in the order in which WhatsApp tells it.

use futures::future::join_all;
use serde_json::{Value, json};

use super::{ANA, BEN, SHOP};
use crate::app::{Engine, Phone, Session, Tenant, TestApp};
use crate::on_both_engines;

const ROUNDS: usize = 8;

/// A group that Ana makes with the shop in it.
async fn made(shop: &Tenant, addressing: &str) -> String {
    let new = json!({"phone": ANA, "subject": "Team", "participants": [SHOP], "addressing": addressing});
    let made = shop.test.post("/api/sandbox/groups", new).await.ok();
    made["group"]["id"].as_str().expect("an id").to_owned()
}

/// People and settings changed in turn, and what is to be told of it.
async fn change(shop: &Tenant, ana: &Phone<'_>, group: &str) -> Vec<Value> {
    let mut told = Vec::new();
    let mut act = async |act: Value, tells: Value| {
        super::act(shop, ana, group, act).await;
        told.push(tells);
    };
    for round in 0..ROUNDS {
        for action in ["add", "promote", "demote"] {
            act(json!({"act": action, "participants": [BEN]}), json!([action, BEN])).await;
        }
        let subject = format!("Team {round}");
        act(json!({"act": "rename", "subject": subject}), json!([{"subject": subject}])).await;
        let on = round % 2 == 0;
        act(json!({"act": "announce", "on": on}), json!([{"announce": on}])).await;
        let text = format!("Rules {round}");
        act(json!({"act": "describe", "description": text}), json!([{"description": text}])).await;
        act(json!({"act": "remove", "participants": [BEN]}), json!(["remove", BEN])).await;
    }
    told
}

/// What the session's events tell of that group since it came into it, once there are so many.
async fn told(main: &Session<'_>, group: &str, count: usize) -> Vec<Value> {
    let told = main
        .until_events("group.participants,group.updated", |events| {
            let data = events.iter().map(|event| &event["data"]).filter(|data| data["groupId"] == group);
            let told: Vec<Value> = data
                .map(|data| match data["action"].as_str() {
                    Some(action) => json!([action, data["participants"][0]["phone"]]),
                    None => json!([data["changed"]]),
                })
                .collect();
            (told.len() >= count).then(|| told.into())
        })
        .await;
    told.as_array().expect("a list").clone()
}

/// Several groups at once, while the session listens and after it was away.
async fn stays_in_order(app: &TestApp) {
    let shop = app.tenant("shop").await;
    let main = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    shop.phone(BEN).await;
    let groups = join_all(["lid", "pn", "lid"].map(|addressing| made(&shop, addressing))).await;
    let mut expected = join_all(groups.iter().map(|group| change(&shop, &ana, group))).await;
    for (group, expected) in groups.iter().zip(&expected) {
        assert_eq!(&told(&main, group, expected.len()).await, expected, "live, {group}");
    }
    shop.test.post(&main.path("/stop"), json!({})).await.ok();
    main.until_reason("stopped").await;
    let more = join_all(groups.iter().map(|group| change(&shop, &ana, group))).await;
    shop.test.post(&main.path("/start"), json!({})).await.ok();
    main.until_ready().await;
    for ((group, expected), more) in groups.iter().zip(&mut expected).zip(more) {
        expected.extend(more);
        assert_eq!(&told(&main, group, expected.len()).await, expected, "after being away, {group}");
    }
}

on_both_engines! {
    async fn groups_are_told_of_in_the_order_of_the_wire(app: TestApp) {
        stays_in_order(&app).await;
    }
}

/// What a thread of its own does to the order of tasks shows only when there are several.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn many_threads_do_not_mix_what_groups_tell() {
    stays_in_order(&TestApp::on(Engine::Sqlite).await).await;
}
