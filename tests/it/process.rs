//! Gateways in processes of their own, which can be killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use wapid_sandbox::{Access, ControlToken, Sandbox, Storage};

use crate::app::{Caller, Database, until, until_within};

/// Of several gateways on one database.
const MASTER_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// What control calls carry to a sandbox of the tests.
const SANDBOX_TOKEN: &str = "the-token-of-a-sandbox-of-the-tests";

/// A gateway in a process of its own, on data that outlive it.
pub struct Process {
    pub child: Child,
    pub url: String,
}

/// What every start of the process is given.
pub struct Home {
    pub dir: PathBuf,
    pub database: String,
    pub listen: String,
    pub sandbox: Option<(String, String)>,
    /// The queue of wake-ups, where it is a Redis.
    pub redis: Option<String>,
    /// Several gateways on one database seal with one key.
    pub master_key: Option<String>,
}

impl Home {
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wapid"));
        command
            .env("WAPID_DATA_DIR", &self.dir)
            .env("WAPID_DATABASE_URL", &self.database)
            .env("WAPID_LISTEN", &self.listen)
            .env("WAPID_SSRF_ALLOW", "127.0.0.1")
            .env_remove("WAPID_LOG")
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if let Some((url, key)) = &self.sandbox {
            command.env("WAPID_SANDBOX_URL", url).env("WAPID_SANDBOX_KEY", key);
            command.env("WAPID_SANDBOX_TOKEN", SANDBOX_TOKEN);
        }
        if let Some(url) = &self.redis {
            command.env("WAPID_REDIS_URL", url);
        } else {
            command.env_remove("WAPID_REDIS_URL");
        }
        if let Some(key) = &self.master_key {
            command.env("WAPID_MASTER_KEY", key);
        }
        command
    }

    pub async fn start(&self) -> Process {
        self.start_with(self.command()).await
    }

    /// As [`Self::command`] says, and more.
    pub async fn start_with(&self, command: Command) -> Process {
        let (process, is_up) = self.started(command).await;
        assert!(is_up, "wapid ended before it was up");
        process
    }

    /// One that dies at its so-manieth pass through a place ([`wapid_core::crash`]), if it has not yet.
    pub async fn start_to_die_at(&self, place: &str, pass: u32) -> Process {
        let mut command = self.command();
        command.env("WAPID_CRASH_AT", format!("{place}:{pass}"));
        self.started(command).await.0
    }

    /// Returns when it says where it listens, or has ended without.
    async fn started(&self, mut command: Command) -> (Process, bool) {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("wapid starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await;
        let first = first.expect("wapid says where it listens").expect("a readable line");
        let url = first.as_deref().and_then(|line| line.split_whitespace().last()).map(str::to_owned);
        // Whatever else it prints must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let is_up = url.is_some();
        (Process { child, url: url.unwrap_or_default() }, is_up)
    }

    /// With an idempotency key; `None` where the process dies instead of answering.
    pub async fn try_post(&self, key: &str, path: &str, body: &Value, idempotency: &str) -> Option<Value> {
        let request = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = request.post(format!("http://{}{path}", self.listen)).header("X-API-Key", key);
        let answer = request.header("Idempotency-Key", idempotency).json(body).send().await.ok()?;
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
        answer.json().await.ok()
    }

    pub async fn create_tenant(&self) -> (String, String) {
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
    pub async fn kill(mut self) {
        self.child.kill().await.expect("the process is ours");
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child, name);
    }
}

/// A signal by its name: `STOP`, `CONT`, `TERM`, `INT`.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
    assert!(sent.success(), "no signal {name} for {pid}");
}

/// A free port, for a gateway that must come back to the same address.
pub fn free_address() -> String {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address").to_string()
}

/// `None` while nobody answers.
pub async fn try_get(caller: &Caller, path: &str) -> Option<Value> {
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

/// Waits until the session `main` is ready, of a gateway that may not answer yet.
pub async fn until_ready(caller: &Caller) {
    until_within(Duration::from_secs(60), "the session is ready", || async {
        let status = try_get(caller, "/api/whatsapp/session/main/status").await?;
        (status["status"] == "ready").then_some(())
    })
    .await;
}

/// Links the session `main` to the phone of `number`, which is made.
pub async fn link_main(caller: &Caller, number: &str) {
    caller.post("/api/sandbox/phones", json!({"phone": number, "name": "x"})).await.ok();
    caller.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let qr = until("a QR", || async {
        let status = caller.get("/api/whatsapp/session/main/status").await.ok();
        status["qrText"].as_str().map(str::to_owned)
    })
    .await;
    caller.post(&format!("/api/sandbox/phones/{number}/scan"), json!({"qr": qr})).await.ok();
    until_ready(caller).await;
}

/// Two gateways on one database, which seal with one key.
pub fn homes_of_two(
    dirs: &[tempfile::TempDir; 2],
    database: &Database,
    sandbox: &(String, String),
) -> [Home; 2] {
    [0, 1].map(|place: usize| Home {
        master_key: Some(MASTER_KEY.to_owned()),
        ..home(dirs[place].path(), database, Some(sandbox.clone()))
    })
}

pub fn home(dir: &Path, database: &Database, sandbox: Option<(String, String)>) -> Home {
    Home {
        dir: dir.to_owned(),
        database: database.url.clone(),
        listen: free_address(),
        sandbox,
        redis: None,
        master_key: None,
    }
}

/// How a sandbox of the tests may be called.
pub fn access() -> Access {
    let token = ControlToken::parse(SANDBOX_TOKEN).expect("long enough");
    Access { token, names: Vec::new(), connections: 10_000 }
}

/// A sandbox that is not killed with the gateway.
pub async fn serve_sandbox() -> (String, String) {
    serve(Sandbox::open(Storage::Memory).await.expect("a sandbox")).await
}

/// Its URL and its key.
pub async fn serve(sandbox: Sandbox) -> (String, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let key = sandbox.static_key();
    tokio::spawn(async move { sandbox.serve(listener, access()).await });
    (url, hex::encode(key))
}
