//! Two gateways on one database, of which one freezes and wakes amid traffic: the session stays with whoever runs it.
//!
//! In `./test` each freezes once; thirty times, for 20 and 60 s:
//! `WAPID_TEST_FULL=1 cargo nextest run --workspace --profile full -E 'test(/^freezes::/)'`.

use std::time::{Duration, Instant};

use serde_json::Value;
use wapid_sandbox::{Sandbox, Storage};

use crate::app::{Caller, Database, Engine};
use crate::jobs::{is_full, size};
use crate::people::SHOP;
use crate::process::{homes_of_two, link_main, serve, try_get, until_ready};
use crate::traffic::Traffic;

/// It has heard what became of its connection, and of its lease, long before that.
const AWAKE: Duration = Duration::from_secs(7);

/// How long it sleeps at least. The other is ready before it wakes, or the lease was too long.
fn asleep(round: usize) -> Duration {
    match (is_full(), round % 4) {
        (false, _) => Duration::ZERO,
        (true, 0 | 3) => Duration::from_secs(20),
        (true, _) => Duration::from_secs(60),
    }
}

async fn stays_ready(caller: &Caller, how_long: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < how_long {
        let status = try_get(caller, "/api/whatsapp/session/main/status").await.expect("a status");
        assert_eq!(status["status"], "ready", "{status}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A process that slept through its lease wakes amid what it was doing. It hears that WhatsApp has replaced its
/// connection, and has older keys in memory than its successor wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_wakes_leaves_its_session_to_its_successor() {
    let dirs = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let database = Database::new(Engine::Postgres, dirs[0].path()).await;
    let sandbox = Sandbox::open(Storage::Memory).await.expect("a sandbox");
    let homes = homes_of_two(&dirs, &database, &serve(sandbox.clone()).await);
    let (tenant, key) = homes[0].create_tenant().await;
    let mut processes = [homes[0].start().await, homes[1].start().await];
    let callers = processes.each_ref().map(|process| Caller::new(process.url.clone(), &key));
    link_main(&callers[0], SHOP).await;
    let traffic = Traffic::start(sandbox, &tenant, callers.to_vec()).await.with_lost_keys();

    // Each freezes in its turn, while it runs the session.
    for round in 0..size(2, 30) {
        let (frozen, awake) = (round % 2, (round + 1) % 2);
        stays_ready(&callers[frozen], Duration::from_secs(2)).await;
        processes[frozen].signal("STOP");
        let slept = Instant::now();
        until_ready(&callers[awake]).await;
        stays_ready(&callers[awake], asleep(round).saturating_sub(slept.elapsed())).await;
        processes[frozen].signal("CONT");
        stays_ready(&callers[awake], AWAKE).await;
    }
    let (sent, received) = traffic.settle().await;
    println!("{sent} messages sent and {received} received, each once");
    let events = callers[0].get("/api/whatsapp/events?types=session.disconnected&limit=100").await.ok();
    let reasons: Vec<&Value> =
        events["events"].as_array().expect("events").iter().map(|one| &one["data"]["reason"]).collect();
    assert!(
        !reasons.contains(&&Value::from("replaced")),
        "a frozen process spoke for the session: {reasons:?}"
    );
    for process in &mut processes {
        process.child.kill().await.expect("it is ours");
    }
    // Whoever comes next finds a session that is wanted.
    let third = homes[0].start().await;
    until_ready(&Caller::new(third.url.clone(), &key)).await;
    third.kill().await;
}
