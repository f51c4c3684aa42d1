//! Many strangers at the door.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::app::{Caller, Database, Engine};
use crate::process::home;

/// What systemd and shells give a process.
const USUAL_LIMIT: u32 = 1_024;
const STRANGERS: usize = 1_200;

/// Connections that never say what they want take nobody else's place, also where the process is given the usual number
/// of sockets: it raises its own limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_the_usual_limit_keep_nobody_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, None);
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -S -n {USUAL_LIMIT}; exec \"$0\""), env!("CARGO_BIN_EXE_wapid")]);
    for (name, value) in home.command().as_std().get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.stderr(std::process::Stdio::null()).kill_on_drop(true);
    let (_, key) = home.create_tenant().await;
    let process = home.start_with(limited).await;
    let caller = Caller::new(process.url.clone(), &key);
    let began = Instant::now();
    let mut strangers = Vec::new();
    for _ in 0..STRANGERS {
        let mut stranger = TcpStream::connect(&home.listen).await.expect("a connection");
        stranger
            .write_all(b"GET /api/whatsapp/sessions HTTP/1.1\r\nhost: x\r\n")
            .await
            .expect("half a request");
        strangers.push(stranger);
    }
    // Those of ten seconds ago are being hung up on; the rest are there.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    let asked = Instant::now();
    caller.get("/readyz").await.ok();
    caller.post("/api/sandbox/phones", json!({"phone": "5511900000001", "name": "Shop"})).await.ok();
    caller.get("/api/whatsapp/sessions").await.ok();
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
    drop(strangers);
    process.kill().await;
}
