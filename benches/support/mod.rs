//! What every benchmark needs: a gateway and a sandbox in processes of their own, and this one as their
//! caller.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Requests at the same time while numbers are linked and phones are made.
const AT_ONCE: usize = 16;
/// How often somebody who waits hears how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// A number given as `name number`.
pub fn argument(name: &str, default: usize) -> usize {
    word(name).and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// A word given as `name word`.
pub fn word(name: &str) -> Option<String> {
    let arguments: Vec<_> = std::env::args().collect();
    arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
}

pub fn describe_machine() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split(':').nth(1))
            .unwrap_or("?")
            .trim()
            .to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let commit = std::process::Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let commit =
        commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    println!(
        "{cores} cores of {}, {} of memory, Linux {}; commit {commit}",
        field(&read("/proc/cpuinfo"), "model name"),
        field(&read("/proc/meminfo"), "MemTotal"),
        read("/proc/sys/kernel/osrelease").trim()
    );
}

/// A database engine.
pub enum Engine {
    Sqlite,
    Postgres { server: String },
}

impl Engine {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres { .. } => "Postgres",
        }
    }

    /// A database that nobody has used.
    async fn fresh_database(&self, dir: &Path) -> anyhow::Result<String> {
        use sqlx::{AssertSqlSafe, Connection as _};
        let Self::Postgres { server } = self else {
            return Ok(format!("sqlite://{}", dir.join("wapid.db").display()));
        };
        let name = format!("wapid_bench_{}", hex::encode(rand::random::<[u8; 6]>()));
        let mut connection = sqlx::PgConnection::connect(server).await?;
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
        let mut url = url::Url::parse(server)?;
        url.set_path(&name);
        Ok(url.into())
    }
}

/// The engines to measure: both, or the one of `--only sqlite|postgres`; and Postgres where
/// `WAPID_TEST_POSTGRES` names a server.
pub fn engines() -> Vec<Engine> {
    let only = word("--only");
    let is_wanted = |engine: &str| only.as_deref().is_none_or(|only| only == engine);
    let mut engines = vec![];
    if is_wanted("sqlite") {
        engines.push(Engine::Sqlite);
    }
    if is_wanted("postgres") {
        match std::env::var("WAPID_TEST_POSTGRES") {
            Ok(server) => engines.push(Engine::Postgres { server }),
            Err(_) => println!("Postgres was not measured: WAPID_TEST_POSTGRES names no server\n"),
        }
    }
    engines
}

/// A child process, ended with us.
pub struct Process {
    child: Child,
    first_line: String,
}

impl Process {
    pub async fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe was asked for")).lines();
        let first_line = lines.next_line().await?.unwrap_or_default();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, first_line })
    }

    /// `kill -9`, and gone.
    pub async fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill().await
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        self.status_kib("VmRSS")
    }

    /// A line of the kernel's account of this process.
    pub fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }

    pub fn proc(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.child.id().unwrap_or_default()).into()
    }

    /// CPU time in seconds, of all threads.
    pub fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(self.proc("stat")).unwrap_or_default();
        let after_name: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| after_name.get(at).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }
}

#[derive(Clone)]
pub struct Caller {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Caller {
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.post_as("application/json", path, body.to_string()).await
    }

    pub async fn post_as(&self, kind: &str, path: &str, body: String) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        let answer = request.header("content-type", kind).body(body).send().await?;
        let status = answer.status();
        let value: Value = answer.json().await?;
        anyhow::ensure!(status.is_success(), "{path}: {value}");
        Ok(value)
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.http.get(format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        Ok(request.send().await?.json().await?)
    }

    /// Makes so many sessions, `s0` and on, and links each to a number of its own.
    pub async fn link_all(&self, sessions: usize) -> anyhow::Result<()> {
        let started = Instant::now();
        all("linked", (0..sessions).map(|number| self.link(number))).await?;
        println!("  {sessions} sessions linked in {:.1?}", started.elapsed());
        Ok(())
    }

    /// Puts so many customers on WhatsApp.
    pub async fn populate(&self, customers: usize) -> anyhow::Result<()> {
        let phones = (0..customers).map(|number| async move {
            self.post("/api/sandbox/phones", json!({"phone": customer(number), "name": "x"})).await.map(drop)
        });
        let started = Instant::now();
        all("phones made", phones).await?;
        println!("  {customers} phones made in {:.1?}", started.elapsed());
        Ok(())
    }

    /// Waits until so many sessions are ready.
    pub async fn until_ready(&self, wanted: usize) -> anyhow::Result<()> {
        let started = Instant::now();
        while !self.are_ready(wanted).await {
            anyhow::ensure!(started.elapsed() < Duration::from_secs(120), "not all sessions came back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// An answer that has no end.
    pub async fn stream(&self, path: &str) -> anyhow::Result<reqwest::Response> {
        let request = self.http.get(format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        Ok(request.send().await?.error_for_status()?)
    }

    async fn link(&self, number: usize) -> anyhow::Result<()> {
        let phone = shop_phone(number);
        self.post("/api/sandbox/phones", json!({"phone": phone, "name": "x"})).await?;
        let session = format!("s{number}");
        self.post("/api/whatsapp/session", json!({"sessionId": session})).await?;
        let mut scanned = false;
        loop {
            let status = self.get(&format!("/api/whatsapp/session/{session}/status")).await?;
            if status["status"] == "ready" {
                return Ok(());
            }
            if let Some(qr) = status["qrText"].as_str().filter(|_| !scanned) {
                self.post(&format!("/api/sandbox/phones/{phone}/scan"), json!({"qr": qr})).await?;
                scanned = true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn are_ready(&self, wanted: usize) -> bool {
        let Ok(list) = self.get("/api/whatsapp/sessions").await else { return false };
        let rows = list["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().filter(|row| row["status"] == "ready").count() == wanted
    }
}

/// Does them all, some at a time, and says now and then how many are done.
pub async fn all(
    done: &str,
    tasks: impl Iterator<Item = impl Future<Output = anyhow::Result<()>>>,
) -> anyhow::Result<()> {
    let (mut count, mut said) = (0, Instant::now());
    let mut tasks = futures::stream::iter(tasks).buffer_unordered(AT_ONCE);
    while let Some(result) = tasks.next().await {
        result?;
        count += 1;
        if said.elapsed() >= PROGRESS {
            println!("  … {count} {done}");
            said = Instant::now();
        }
    }
    Ok(())
}

pub fn shop_phone(number: usize) -> String {
    format!("55119{number:08}")
}

pub fn customer(number: usize) -> String {
    format!("55218{number:08}")
}

/// Where a gateway lives: a folder, a database and a sandbox of its own, and one tenant.
pub struct Home {
    dir: TempDir,
    database: String,
    durability: String,
    listen: String,
    pub sandbox: Process,
    /// The tenant's.
    test_key: String,
}

impl Home {
    pub async fn make(engine: &Engine, durability: &str) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let sandbox = Process::start(Command::new(env!("CARGO_BIN_EXE_wapid")).args([
            "sandbox",
            "--listen",
            "127.0.0.1:0",
            "--json",
        ]))
        .await?;
        let mut home = Self {
            database: engine.fresh_database(dir.path()).await?,
            dir,
            durability: durability.to_owned(),
            listen: std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string(),
            sandbox,
            test_key: String::new(),
        };
        let made = home.command()?.args(["tenant", "create", "--name", "bench", "--json"]).output().await?;
        let made: Value = serde_json::from_slice(&made.stdout)?;
        made["testKey"].as_str().unwrap_or_default().clone_into(&mut home.test_key);
        Ok(home)
    }

    /// The gateway, when it listens.
    pub async fn start(&self) -> anyhow::Result<Process> {
        Process::start(&mut self.command()?).await
    }

    /// The URL of its database.
    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn caller(&self) -> anyhow::Result<Caller> {
        Ok(Caller {
            http: reqwest::Client::builder().no_proxy().build()?,
            url: format!("http://{}", self.listen),
            key: self.test_key.clone(),
        })
    }

    fn command(&self) -> anyhow::Result<Command> {
        let keys: Value = serde_json::from_str(&self.sandbox.first_line)?;
        let text = |field: &str| keys[field].as_str().unwrap_or_default();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wapid"));
        command
            .env("WAPID_DATA_DIR", self.dir.path())
            .env("WAPID_DATABASE_URL", &self.database)
            .env("WAPID_DURABILITY", &self.durability)
            .env("WAPID_LISTEN", &self.listen)
            .env("WAPID_SSRF_ALLOW", "127.0.0.1")
            .env("WAPID_SANDBOX_URL", format!("http://{}", text("listen")))
            .env("WAPID_SANDBOX_KEY", text("staticKey"));
        Ok(command)
    }
}
