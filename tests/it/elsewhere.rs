//! Two gateways on one database: what a caller wishes at one of them of a session that the other runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wapid_sandbox::{Sandbox, Storage};

use crate::app::{Caller, Database, Engine, until_within};
use crate::people::{ANA, SHOP};
use crate::process::{Process, homes_of_two, link_main, serve, until_ready};

const STATUS: &str = "/api/whatsapp/session/main/status";
/// Leases are renewed every 5 s, and what is nobody's is looked for every 15 s.
const HEARD_WITHIN: Duration = Duration::from_secs(12);
const TAKEN_WITHIN: Duration = Duration::from_secs(40);

/// Two gateways, and a session `main` that the first runs.
struct Pair {
    _dirs: [tempfile::TempDir; 2],
    _database: Database,
    sandbox: Sandbox,
    tenant: String,
    processes: [Process; 2],
    callers: [Caller; 2],
}

impl Pair {
    async fn new() -> Self {
        let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let database = Database::new(Engine::Postgres, dirs[0].path()).await;
        let sandbox = Sandbox::open(Storage::Memory).await.expect("a sandbox");
        let homes = homes_of_two(&dirs, &database, &serve(sandbox.clone()).await);
        let (tenant, key) = homes[0].create_tenant().await;
        let processes = [homes[0].start().await, homes[1].start().await];
        let callers = processes.each_ref().map(|process| Caller::new(process.url.clone(), &key));
        link_main(&callers[0], SHOP).await;
        Self { _dirs: dirs, _database: database, sandbox, tenant, processes, callers }
    }

    /// How many devices of the shop are linked, and how many of them are connected.
    async fn devices(&self) -> (usize, usize) {
        let devices = self.sandbox.devices(&self.tenant, SHOP).await.expect("a phone");
        (devices.len(), devices.iter().filter(|device| device.connected).count())
    }

    async fn until(&self, place: usize, reason: &str, within: Duration) {
        until_within(within, reason, || async {
            let status = self.callers[place].get(STATUS).await.ok();
            (status["reason"] == reason).then_some(())
        })
        .await;
    }

    /// The words of every event of the session, in their order.
    async fn told(&self) -> Vec<Value> {
        let log = self.callers[0].get("/api/whatsapp/events?sessionId=main&limit=200").await.ok();
        let events = log["events"].as_array().expect("events").iter();
        let sessions =
            events.filter(|event| event["type"].as_str().is_some_and(|kind| kind.starts_with("session.")));
        sessions.map(|event| event["data"]["reason"].clone()).collect()
    }

    async fn end(self) {
        for process in self.processes {
            process.kill().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_stopped_and_started_through_either_of_two_gateways() {
    let pair = Pair::new().await;
    let [runs, other] = &pair.callers;
    // A look starts nothing and tells nobody that it did.
    let told = pair.told().await;
    for _ in 0..20 {
        let seen = other.get(STATUS).await.ok();
        assert_eq!(seen["reason"], "held_by_another_process", "{seen}");
    }
    assert_eq!(pair.told().await, told);
    // Settings are the row's, and the other tells what they are by now.
    runs.post("/api/whatsapp/session", json!({"sessionId": "main", "name": "Sales"})).await.ok();
    let listed = other.get("/api/whatsapp/sessions").await.ok();
    assert_eq!(listed["sessions"][0]["name"], "Sales", "{listed}");

    let begun = Instant::now();
    let stopped = other.post("/api/whatsapp/session/main/stop", json!({})).await.ok();
    assert_eq!((&stopped["status"], &stopped["reason"]), (&json!("disconnected"), &json!("stopped")));
    assert!(begun.elapsed() < HEARD_WITHIN, "{:?}", begun.elapsed());
    pair.until(0, "stopped", HEARD_WITHIN).await;
    assert_eq!(pair.devices().await, (1, 0), "it stays linked");

    // Whoever is asked runs it now, and the one that ran it before knows.
    other.post("/api/whatsapp/session/main/start", json!({})).await.ok();
    until_ready(other).await;
    pair.until(0, "held_by_another_process", TAKEN_WITHIN).await;
    until_ready(other).await;
    assert_eq!(pair.devices().await, (1, 1));
    pair.sandbox.create_phone(&pair.tenant, ANA, "Ana").await.expect("a phone");
    other.post("/api/whatsapp/session/main/send", json!({"to": ANA, "message": "Hello"})).await.ok();
    let told = pair.told().await;
    assert_eq!(told.iter().filter(|reason| **reason == "stopped").count(), 1, "{told:?}");
    assert!(!told.contains(&json!("replaced")), "{told:?}");
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_removed_by_the_gateway_that_runs_it_whoever_is_asked() {
    let pair = Pair::new().await;
    let begun = Instant::now();
    let removed = pair.callers[1].delete("/api/whatsapp/session/main").await.ok();
    assert_eq!(removed["loggedOut"], true, "{removed}");
    assert!(begun.elapsed() < HEARD_WITHIN, "{:?}", begun.elapsed());
    assert_eq!(pair.devices().await, (0, 0), "its device is on nobody's list");
    for caller in &pair.callers {
        caller.get(STATUS).await.refused(404, "SESSION_NOT_FOUND");
    }
    let told = pair.told().await;
    assert_eq!(told.last(), Some(&json!("removed")), "{told:?}");
    assert!(!told.contains(&json!("logged_out")), "{told:?}");
    // The name is free, for either.
    link_main(&pair.callers[1], SHOP).await;
    pair.end().await;
}

/// The one that runs it is dead and cannot hear the wish: its lease runs out first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_a_dead_gateway_is_removed_by_the_other() {
    let mut pair = Pair::new().await;
    pair.processes[0].child.kill().await.expect("it is ours");
    let removed = pair.callers[1].delete("/api/whatsapp/session/main").await.ok();
    assert_eq!(removed["loggedOut"], true, "{removed}");
    assert_eq!(pair.devices().await, (0, 0));
    pair.callers[1].get(STATUS).await.refused(404, "SESSION_NOT_FOUND");
    let [_, other] = pair.processes;
    other.kill().await;
}
