//! The gateway dies with its sandbox at any instant: groups, names, keys and messages are there again.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ANA, BEN, SHOP};
use crate::app::{Caller, Database, Engine, until};
use crate::process::{Home, home, link_main, try_get, until_ready};

const ROUNDS: usize = 5;
const MESSAGES: usize = 12;

fn texts(inbox: &Value) -> Vec<String> {
    let messages = inbox["messages"].as_array().expect("messages");
    messages.iter().map(|one| one["message"].as_str().expect("a text").to_owned()).collect()
}

/// Messages go both ways while the process is killed: each accepted one is shown once, by everybody.
async fn survives(home: Home) {
    let (_, key) = home.create_tenant().await;
    let mut process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    for phone in [ANA, BEN] {
        caller.post("/api/sandbox/phones", json!({"phone": phone, "name": "x"})).await.ok();
    }
    link_main(&caller, SHOP).await;
    let new = json!({"subject": "Team", "participants": [ANA, BEN]});
    let made = caller.post("/api/whatsapp/session/main/groups", new).await.ok();
    let group = made["group"]["groupId"].as_str().expect("an id").to_owned();

    let (mut sent, mut written) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for number in 0..MESSAGES {
            let text = format!("out {round}.{number}");
            let body = json!({"to": group, "message": text});
            let answer = home.try_post(&key, "/api/whatsapp/session/main/send", &body, &text);
            assert!(answer.await.is_some(), "the process died by itself");
            sent.push((text.clone(), body));
            let text = format!("in {round}.{number}");
            let body = json!({"to": group, "type": "text", "message": text});
            caller.post(&format!("/api/sandbox/phones/{ANA}/messages"), body).await.ok();
            written.push(text);
        }
        // The last one is on its way when the process dies.
        let text = format!("out {round}.last");
        let body = json!({"to": group, "message": text});
        let path = "/api/whatsapp/session/main/send";
        let last = home.try_post(&key, path, &body, &text);
        let _ = tokio::time::timeout(Duration::from_millis(3 * round as u64), last).await;
        sent.push((text.clone(), body.clone()));
        process.kill().await;
        process = home.start().await;
        until_ready(&caller).await;
        // As a careful caller does: asked again with the same key, it is sent once.
        assert!(home.try_post(&key, path, &body, &text).await.is_some(), "no answer after the restart");
    }

    let read = caller.get(&format!("/api/whatsapp/session/main/groups/{group}")).await.ok();
    assert_eq!((&read["subject"], &read["size"]), (&json!("Team"), &json!(3)));
    let wanted = sent.len() + written.len();
    for phone in [ANA, BEN] {
        let inbox = until(&format!("{wanted} messages on {phone}"), || async {
            let inbox = try_get(&caller, &format!("/api/sandbox/phones/{phone}/messages")).await?;
            (inbox["messages"].as_array()?.len() >= wanted).then_some(inbox)
        })
        .await;
        let mut shown = texts(&inbox);
        let mut all: Vec<String> = sent.iter().map(|(text, _)| text.clone()).chain(written.clone()).collect();
        shown.sort();
        all.sort();
        assert_eq!(shown, all, "{phone}");
    }
    let log = until("everything in the log", || async {
        let path = "/api/whatsapp/messages?direction=in&limit=100";
        let log = try_get(&caller, path).await?;
        (log["total"].as_u64()? >= written.len() as u64).then_some(log)
    })
    .await;
    assert_eq!(log["total"].as_u64(), Some(written.len() as u64), "an inbound message is in the log twice");
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_survives_kills_of_gateway_and_sandbox_on_sqlite() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    survives(home(dir.path(), &database, None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_survives_kills_of_gateway_and_sandbox_on_postgres() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Postgres, dir.path()).await;
    survives(home(dir.path(), &database, None)).await;
}
