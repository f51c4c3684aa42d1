//! What every benchmark needs: a gateway and a sandbox in processes of their own, and this one as their
//! caller.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

pub fn argument(name: &str, default: usize) -> usize {
    let arguments: Vec<_> = std::env::args().collect();
    let given = arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    given.and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// `--only sqlite` or `--only postgres`.
pub fn wants(engine: &str) -> bool {
    let arguments: Vec<_> = std::env::args().collect();
    let only =
        arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    only.is_none_or(|only| only == engine)
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

pub async fn fresh_database(server: &str) -> anyhow::Result<String> {
    use sqlx::{AssertSqlSafe, Connection as _};
    let name = format!("wapid_bench_{}", hex::encode(rand::random::<[u8; 6]>()));
    let mut connection = sqlx::PgConnection::connect(server).await?;
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    let mut url = url::Url::parse(server)?;
    url.set_path(&name);
    Ok(url.into())
}

/// A child process, ended with us.
pub struct Process {
    child: Child,
    pub first_line: String,
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

    fn stat(&self, file: &str) -> String {
        let pid = self.child.id().unwrap_or_default();
        std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
    }

    /// Resident memory in KiB.
    pub fn rss_kib(&self) -> u64 {
        let status = self.stat("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }

    /// CPU time in seconds, of all threads.
    pub fn cpu_s(&self) -> f64 {
        let stat = self.stat("stat");
        let after_name: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| after_name.get(at).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }
}

#[derive(Clone)]
pub struct Caller {
    pub http: reqwest::Client,
    pub url: String,
    pub key: String,
}

impl Caller {
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        let answer = request.json(&body).send().await?;
        let status = answer.status();
        let value: Value = answer.json().await?;
        anyhow::ensure!(status.is_success(), "{path}: {value}");
        Ok(value)
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.http.get(format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        Ok(request.send().await?.json().await?)
    }

    pub async fn link(&self, number: usize) -> anyhow::Result<()> {
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

    pub async fn all_ready(&self, wanted: usize) -> bool {
        let Ok(list) = self.get("/api/whatsapp/sessions").await else { return false };
        let rows = list["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().filter(|row| row["status"] == "ready").count() == wanted
    }
}

fn shop_phone(number: usize) -> String {
    format!("55119{number:08}")
}

pub fn customer(number: usize) -> String {
    format!("55218{number:08}")
}

pub struct Home {
    pub dir: PathBuf,
    pub database: String,
    pub durability: String,
    pub listen: String,
    pub sandbox: (String, String),
}

impl Home {
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wapid"));
        command
            .env("WAPID_DATA_DIR", &self.dir)
            .env("WAPID_DATABASE_URL", &self.database)
            .env("WAPID_DURABILITY", &self.durability)
            .env("WAPID_LISTEN", &self.listen)
            .env("WAPID_SANDBOX_URL", &self.sandbox.0)
            .env("WAPID_SANDBOX_KEY", &self.sandbox.1);
        command
    }
}
