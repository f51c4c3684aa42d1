//! A live session verifies WhatsApp's certificates, always.

use std::time::Duration;

use serde_json::json;
use wapid_core::clock::Clock;
use wapid_sandbox::{Sandbox, Storage};

use crate::app::{Engine, TestApp, until};
use crate::process::access;

/// A server that speaks the protocol perfectly and whose chain is signed by somebody else.
async fn stranger() -> String {
    let sandbox = Sandbox::open(Storage::Memory).await.expect("a sandbox");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { sandbox.serve(listener, access()).await });
    format!("ws://{address}/ws/chat")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_session_refuses_a_foreign_chain() {
    let url = stranger().await;
    let clock = Clock::manual(Clock::System.now());
    let app = TestApp::build(Engine::Sqlite, clock, |config| config.whatsapp_url = url).await;
    let shop = app.tenant("shop").await;
    shop.live.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let status = || async { shop.live.get("/api/whatsapp/session/main/status").await.ok() };
    until("the link is trying", || async { (status().await["status"] == "initializing").then_some(()) })
        .await;
    // The other side would offer a QR within milliseconds: the test sessions of this suite get theirs
    // from the very same server code.
    let control = shop.test.post("/api/whatsapp/session", json!({"sessionId": "control"})).await;
    control.ok();
    until("a QR from the trusted sandbox", || async {
        let control = shop.test.get("/api/whatsapp/session/control/status").await.ok();
        (control["status"] == "qr_ready").then_some(())
    })
    .await;
    app.clock.advance(Duration::from_secs(91));
    until("the link gives up", || async {
        let status = status().await;
        assert!(status.get("qrCode").is_none(), "a QR came from a stranger");
        (status["reason"] == "unreachable").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_self_test_passes_in_this_build() {
    wapid::run::check_trust().await.expect("foreign chains do not verify");
}

/// What `./test` asks of cargo as well: no feature of this name is on anywhere in the tree.
#[test]
fn no_danger_feature_is_in_the_tree() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let tree = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--edges",
            "features,normal,dev,build",
            "--manifest-path",
            manifest,
            "--offline",
        ])
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    assert!(tree.contains("wacore-noise"), "the tree is empty");
    assert!(!tree.contains("danger"), "a danger feature is on");
}
