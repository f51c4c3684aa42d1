//! Two gateways on one database, of which one freezes and wakes: the session stays with whoever runs it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::{Caller, Database, Engine};
use crate::people::{ANA, SHOP};
use crate::process::{Home, MASTER_KEY, free_address, home, link_main, serve_sandbox, try_get, until_ready};

async fn texts(caller: &Caller) -> Vec<String> {
    let shown = caller.get(&format!("/api/sandbox/phones/{ANA}/messages")).await.ok();
    let messages = shown["messages"].as_array().expect("messages").iter();
    messages.filter_map(|one| one["message"].as_str().map(str::to_owned)).collect()
}

async fn send(caller: &Caller, text: &str) {
    let body = json!({"to": ANA, "message": text});
    caller.post("/api/whatsapp/session/main/send", body).await.ok();
}

/// A process that slept through its lease wakes amid what it was doing. It hears that WhatsApp has replaced its
/// connection, and has older keys in memory than its successor wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_wakes_leaves_its_session_to_its_successor() {
    let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let database = Database::new(Engine::Postgres, dirs[0].path()).await;
    let sandbox = serve_sandbox().await;
    let homes = [0, 1].map(|place| Home {
        master_key: Some(MASTER_KEY.to_owned()),
        listen: free_address(),
        ..home(dirs[place].path(), &database, Some(sandbox.clone()))
    });
    let (_, key) = homes[0].create_tenant().await;
    let mut processes = [homes[0].start().await, homes[1].start().await];
    let callers = processes.each_ref().map(|process| Caller::new(process.url.clone(), &key));
    callers[0].post("/api/sandbox/phones", json!({"phone": ANA, "name": "Ana"})).await.ok();
    link_main(&callers[0], SHOP).await;

    let mut expected = Vec::new();
    // Each freezes in its turn, while it runs the session.
    for (frozen, awake) in [(0, 1), (1, 0)] {
        for text in ["before", "still before"] {
            send(&callers[frozen], &format!("{text} {frozen}")).await;
            expected.push(format!("{text} {frozen}"));
        }
        processes[frozen].signal("STOP");
        until_ready(&callers[awake]).await;
        for text in ["amid", "still amid"] {
            send(&callers[awake], &format!("{text} {frozen}")).await;
            expected.push(format!("{text} {frozen}"));
        }
        processes[frozen].signal("CONT");
        // It has heard what became of its connection, and of its lease, long before that.
        let woken = Instant::now();
        while woken.elapsed() < Duration::from_secs(7) {
            let status =
                try_get(&callers[awake], "/api/whatsapp/session/main/status").await.expect("a status");
            assert_eq!(status["status"], "ready", "{status}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        send(&callers[awake], &format!("after {frozen}")).await;
        expected.push(format!("after {frozen}"));
    }
    assert_eq!(texts(&callers[0]).await, expected, "each once, in order");
    let events = callers[0].get("/api/whatsapp/events?types=session.disconnected&limit=100").await.ok();
    let reasons: Vec<&Value> =
        events["events"].as_array().expect("events").iter().map(|one| &one["data"]["reason"]).collect();
    assert!(!reasons.contains(&&json!("replaced")), "a frozen process spoke for the session: {reasons:?}");
    for process in &mut processes {
        process.child.kill().await.expect("it is ours");
    }
    // Whoever comes next finds a session that is wanted.
    let third = homes[0].start().await;
    until_ready(&Caller::new(third.url.clone(), &key)).await;
    third.kill().await;
}
