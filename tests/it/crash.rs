//! The gateway dies at any instant, and nothing accepted is lost or shown twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use wapid_sandbox::{RemoteSandbox, Sandbox, Storage};

use crate::app::{Caller, Database, Engine, until, until_within};

const MESSAGES: usize = 1_000;
const KILLS: usize = 30;
/// Callers that send at the same time, each to its own phone.
const SENDERS: usize = 4;

/// A gateway in a process of its own, on data that outlive it.
struct Process {
    child: Child,
    url: String,
}

/// What every start of the process is given.
struct Home {
    dir: PathBuf,
    database: String,
    listen: String,
    sandbox: Option<(String, String)>,
}

impl Home {
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wapid"));
        command
            .env("WAPID_DATA_DIR", &self.dir)
            .env("WAPID_DATABASE_URL", &self.database)
            .env("WAPID_LISTEN", &self.listen)
            .env_remove("WAPID_LOG")
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if let Some((url, key)) = &self.sandbox {
            command.env("WAPID_SANDBOX_URL", url).env("WAPID_SANDBOX_KEY", key);
        }
        command
    }

    async fn start(&self) -> Process {
        let mut child = self.command().stdout(Stdio::piped()).spawn().expect("wapid starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        let first = first.expect("wapid says where it listens").expect("a readable line").expect("a line");
        let url = first.split_whitespace().last().expect("a URL").to_owned();
        // Whatever else it prints must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Process { child, url }
    }

    async fn create_tenant(&self) -> (String, String) {
        let made = self
            .command()
            .args(["tenant", "create", "--name", "shop", "--json"])
            .output()
            .await
            .expect("output");
        let keys: Value = serde_json::from_slice(&made.stdout).expect("one line of JSON");
        let text = |name: &str| keys[name].as_str().expect(name).to_owned();
        (text("tenantId"), text("testKey"))
    }
}

impl Process {
    /// `kill -9`, and gone.
    async fn kill(mut self) {
        self.child.kill().await.expect("the process is ours");
    }
}

/// A free port, for a gateway that must come back to the same address.
fn free_address() -> String {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address").to_string()
}

async fn settle(caller: &Caller) {
    until_within(Duration::from_secs(60), "the session is ready", || async {
        let answer = try_get(caller, "/api/whatsapp/session/main/status").await?;
        (answer["status"] == "ready").then_some(())
    })
    .await;
}

/// `None` while nobody answers.
async fn try_get(caller: &Caller, path: &str) -> Option<Value> {
    let answer = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .expect("a client")
        .get(format!("{}{path}", caller.url))
        .header("X-API-Key", &caller.key)
        .send()
        .await
        .ok()?;
    answer.json().await.ok()
}

/// Sends until it is answered, as a careful caller does: the same key, again and again.
async fn insist(http: &reqwest::Client, caller: &Caller, to: &str, text: &str) -> String {
    until_within(Duration::from_secs(120), text, || async {
        let answer = http
            .post(format!("{}/api/whatsapp/session/main/send", caller.url))
            .header("X-API-Key", &caller.key)
            .header("Idempotency-Key", text)
            .json(&json!({"to": to, "message": text}))
            .send()
            .await
            .ok()?;
        let status = answer.status();
        let body: Value = answer.json().await.ok()?;
        assert!(status.is_success() || !body["code"].is_null(), "{status}: {body}");
        status.is_success().then(|| body["messageId"].as_str().expect("an id").to_owned())
    })
    .await
}

/// 1,000 sends through 30 kills; then every phone shows each of its messages once.
async fn survives(home: Home) {
    let (tenant, key) = home.create_tenant().await;
    let mut process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let phones: Vec<String> = (0..SENDERS).map(|i| format!("551190000010{i}")).collect();
    for phone in phones.iter().map(String::as_str).chain(["5511900000001"]) {
        caller.post("/api/sandbox/phones", json!({"phone": phone, "name": "x"})).await.ok();
    }
    caller.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let qr = until("a QR", || async {
        let status = caller.get("/api/whatsapp/session/main/status").await.ok();
        status["qrText"].as_str().map(str::to_owned)
    })
    .await;
    caller.post("/api/sandbox/phones/5511900000001/scan", json!({"qr": qr})).await.ok();
    settle(&caller).await;

    let senders: Vec<_> = phones
        .iter()
        .map(|phone| {
            let (caller, phone) = (caller.clone(), phone.clone());
            tokio::spawn(async move {
                let http = reqwest::Client::builder()
                    .no_proxy()
                    .timeout(Duration::from_secs(40))
                    .build()
                    .expect("a client");
                let mut ids = vec![];
                for i in 0..MESSAGES / SENDERS {
                    ids.push(insist(&http, &caller, &phone, &format!("{phone} {i}")).await);
                }
                ids
            })
        })
        .collect();
    let mut kills = 0;
    while kills < KILLS {
        // Each life is long enough to get some work done, and ends wherever that work is.
        let done = |log: Value| log["total"].as_i64().unwrap_or_default();
        let before = try_get(&caller, "/api/whatsapp/messages?limit=1").await.map_or(0, done);
        let more = rand::random_range(5..40);
        let all_sent = until_within(Duration::from_secs(60), "some sends", || async {
            if senders.iter().all(tokio::task::JoinHandle::is_finished) {
                return Some(true);
            }
            let now = try_get(&caller, "/api/whatsapp/messages?limit=1").await.map(done)?;
            (now >= before + more).then_some(false)
        })
        .await;
        process.kill().await;
        process = home.start().await;
        kills += 1;
        if all_sent && kills >= KILLS {
            break;
        }
    }
    let mut sent: HashMap<String, Vec<String>> = HashMap::new();
    for (phone, sender) in phones.iter().zip(senders) {
        sent.insert(phone.clone(), sender.await.expect("every send was answered"));
    }
    settle(&caller).await;

    let mut redelivered = 0;
    for phone in &phones {
        let wanted = MESSAGES / SENDERS;
        let inbox = until(&format!("{wanted} messages"), || async {
            let inbox = try_get(&caller, &format!("/api/sandbox/phones/{phone}/messages")).await?;
            (inbox["messages"].as_array()?.len() >= wanted).then_some(inbox)
        })
        .await;
        let shown: Vec<_> = inbox["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .map(|m| m["message"].as_str().expect("text").to_owned())
            .collect();
        let expected: Vec<_> = (0..wanted).map(|i| format!("{phone} {i}")).collect();
        assert_eq!(shown, expected, "not each once and in order");
        let ids: Vec<_> = inbox["messages"]
            .as_array()
            .expect("messages")
            .iter()
            .map(|m| m["id"].as_str().expect("id").to_owned())
            .collect();
        assert_eq!(&ids, &sent[phone], "an answer named another id than the phone shows");
        redelivered += inbox["redelivered"].as_i64().expect("a number");
    }
    println!("{MESSAGES} sends, {KILLS} kills, {redelivered} copies dropped by the phones, tenant {tenant}");
    let log = try_get(&caller, "/api/whatsapp/messages?status=sending").await.expect("an answer");
    assert_eq!(log["total"], 0, "messages without a verdict");
}

fn home(dir: &Path, database: &Database, sandbox: Option<(String, String)>) -> Home {
    Home { dir: dir.to_owned(), database: database.url.clone(), listen: free_address(), sandbox }
}

/// A sandbox that is not killed with the gateway.
async fn serve_sandbox() -> (String, String) {
    let sandbox = Sandbox::open(Storage::Memory).await.expect("a sandbox");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let key = sandbox.static_key();
    tokio::spawn(async move { sandbox.serve(listener).await });
    let _ = RemoteSandbox::new(&url, key);
    (url, hex::encode(key))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_sends_survives_30_kills_on_sqlite() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    survives(home(dir.path(), &database, Some(serve_sandbox().await))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_sends_survives_30_kills_on_postgres() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Postgres, dir.path()).await;
    survives(home(dir.path(), &database, Some(serve_sandbox().await))).await;
}

/// The embedded sandbox dies with the gateway and comes back as a live network would still be there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_sends_survives_30_kills_with_the_sandbox_inside() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    survives(home(dir.path(), &database, None)).await;
}

/// Killed at any moment of linking, a session ends up linked to its phone, or asks for a scan again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_linking_leaves_a_session_that_can_be_linked() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, Some(serve_sandbox().await));
    let (_, key) = home.create_tenant().await;
    let mut process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    for round in 0..12 {
        let (session, phone) = (format!("s{round}"), format!("55119000002{round:02}"));
        caller.post("/api/sandbox/phones", json!({"phone": phone, "name": "x"})).await.ok();
        caller.post("/api/whatsapp/session", json!({"sessionId": session})).await.ok();
        let path = format!("/api/whatsapp/session/{session}/status");
        let scan_path = format!("/api/sandbox/phones/{phone}/scan");
        let qr =
            until("a QR", || async { try_get(&caller, &path).await?["qrText"].as_str().map(str::to_owned) })
                .await;
        let scanning = tokio::spawn({
            let (caller, path) = (caller.clone(), scan_path.clone());
            async move { caller.post(&path, json!({"qr": qr})).await }
        });
        // Not to wait for something, but to die at another moment each time.
        tokio::time::sleep(Duration::from_millis(round * 30)).await;
        process.kill().await;
        let _ = scanning.await;
        process = home.start().await;
        until_within(Duration::from_secs(60), "the session is ready", || async {
            let status = try_get(&caller, &path).await?;
            if let Some(qr) = status["qrText"].as_str() {
                // Refused where the QR has just rotated or was used: the next look sees another.
                caller.post(&scan_path, json!({"qr": qr})).await;
            }
            if status["reason"] == "logged_out" {
                caller.post(&format!("/api/whatsapp/session/{session}/start"), json!({})).await.ok();
            }
            (status["status"] == "ready").then_some(())
        })
        .await;
    }
}
