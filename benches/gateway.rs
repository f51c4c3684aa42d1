//! The figures of the README's table, by one command: `cargo bench --bench gateway`.
//!
//! A gateway and a sandbox, each in a process of its own, and this one as the callers, all on the
//! same machine. Every send goes through HTTP, is encrypted, is decrypted by a simulated phone, and is
//! answered after its result is committed.
//!
//! `-- --sessions N`, `-- --seconds S` and `-- --only sqlite|postgres` make it smaller. Postgres is measured where
//! `WAPID_TEST_POSTGRES` names a server; `tests/support/postgres.sh start DIR` starts one.

#![expect(clippy::print_stdout, reason = "a benchmark shows what it measured")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks are small and positive")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Sessions that send at the same time.
const BUSY_SESSIONS: usize = 8;
/// Callers at the same time, spread over the busy sessions, each writing to somebody else.
const CALLERS: usize = 64;
/// One after another, for the latency of a lone send.
const LONE_SENDS: usize = 1_000;
/// How many numbers are linked at the same time.
const LINKING: usize = 16;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (sessions, seconds) = (argument("--sessions", 500), argument("--seconds", 15));
    describe_machine();
    println!(
        "{sessions} sessions; sends for {seconds} s by {CALLERS} callers over {BUSY_SESSIONS} sessions; {LONE_SENDS} lone sends\n"
    );
    let mut rows = vec![];
    for durability in ["power", "process"].into_iter().filter(|_| wants("sqlite")) {
        let dir = tempfile::tempdir()?;
        let url = format!("sqlite://{}", dir.path().join("wapid.db").display());
        rows.push(
            measure(&format!("SQLite, {durability}"), dir.path(), url, durability, sessions, seconds).await?,
        );
    }
    if !wants("postgres") {
        // Asked to leave it out.
    } else if let Ok(server) = std::env::var("WAPID_TEST_POSTGRES") {
        for durability in ["power", "process"] {
            let dir = tempfile::tempdir()?;
            let url = fresh_database(&server).await?;
            let name = format!("Postgres, {durability}");
            rows.push(measure(&name, dir.path(), url, durability, sessions, seconds).await?);
        }
    } else {
        println!("Postgres was not measured: WAPID_TEST_POSTGRES names no server\n");
    }
    println!(
        "| engine | RSS per idle session | start to all ready | sends per second | lone send p50 | p99 | CPU of gateway per send |"
    );
    println!("|---|---|---|---|---|---|---|");
    rows.iter().for_each(|row| println!("{row}"));
    Ok(())
}

fn argument(name: &str, default: usize) -> usize {
    let arguments: Vec<_> = std::env::args().collect();
    let given = arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1));
    given.and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// `--only sqlite` or `--only postgres`.
fn wants(engine: &str) -> bool {
    let arguments: Vec<_> = std::env::args().collect();
    let only =
        arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    only.is_none_or(|only| only == engine)
}

fn describe_machine() {
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

async fn fresh_database(server: &str) -> anyhow::Result<String> {
    use sqlx::{AssertSqlSafe, Connection as _};
    let name = format!("wapid_bench_{}", hex::encode(rand::random::<[u8; 6]>()));
    let mut connection = sqlx::PgConnection::connect(server).await?;
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
    let mut url = url::Url::parse(server)?;
    url.set_path(&name);
    Ok(url.into())
}

/// A child process, ended with us.
struct Process {
    child: Child,
    first_line: String,
}

impl Process {
    async fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe was asked for")).lines();
        let first_line = lines.next_line().await?.unwrap_or_default();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, first_line })
    }

    /// `kill -9`, and gone.
    async fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill().await
    }

    fn stat(&self, file: &str) -> String {
        let pid = self.child.id().unwrap_or_default();
        std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
    }

    /// Resident memory in KiB.
    fn rss_kib(&self) -> u64 {
        let status = self.stat("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
    }

    /// CPU time in seconds, of all threads.
    fn cpu_s(&self) -> f64 {
        let stat = self.stat("stat");
        let after_name: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| after_name.get(at).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
        (ticks(11) + ticks(12)) / 100.0
    }
}

#[derive(Clone)]
struct Caller {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Caller {
    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        let answer = request.json(&body).send().await?;
        let status = answer.status();
        let value: Value = answer.json().await?;
        anyhow::ensure!(status.is_success(), "{path}: {value}");
        Ok(value)
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.http.get(format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        Ok(request.send().await?.json().await?)
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

    async fn all_ready(&self, wanted: usize) -> bool {
        let Ok(list) = self.get("/api/whatsapp/sessions").await else { return false };
        let rows = list["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
        rows.iter().filter(|row| row["status"] == "ready").count() == wanted
    }
}

fn shop_phone(number: usize) -> String {
    format!("55119{number:08}")
}

fn customer(number: usize) -> String {
    format!("55218{number:08}")
}

struct Home {
    dir: PathBuf,
    database: String,
    durability: String,
    listen: String,
    sandbox: (String, String),
}

impl Home {
    fn command(&self) -> Command {
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

async fn measure(
    name: &str,
    dir: &Path,
    database: String,
    durability: &str,
    sessions: usize,
    seconds: usize,
) -> anyhow::Result<String> {
    println!("{name}");
    let sandbox = Process::start(Command::new(env!("CARGO_BIN_EXE_wapid")).args([
        "sandbox",
        "--listen",
        "127.0.0.1:0",
        "--json",
    ]))
    .await?;
    let keys: Value = serde_json::from_str(&sandbox.first_line)?;
    let text = |field: &str| keys[field].as_str().unwrap_or_default().to_owned();
    let home = Home {
        dir: dir.to_owned(),
        database,
        durability: durability.to_owned(),
        listen: std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string(),
        sandbox: (format!("http://{}", text("listen")), text("staticKey")),
    };
    let made = home.command().args(["tenant", "create", "--name", "bench", "--json"]).output().await?;
    let made: Value = serde_json::from_slice(&made.stdout)?;
    let mut gateway = Process::start(&mut home.command()).await?;
    let caller = Caller {
        http: reqwest::Client::builder().no_proxy().build()?,
        url: format!("http://{}", home.listen),
        key: made["testKey"].as_str().unwrap_or_default().to_owned(),
    };

    let empty = gateway.rss_kib();
    let started = Instant::now();
    let linking = (0..sessions).map(|number| caller.link(number));
    let linked: Vec<_> = futures::stream::iter(linking).buffer_unordered(LINKING).collect().await;
    linked.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
    println!("  {sessions} sessions linked in {:.1?}", started.elapsed());
    gateway.kill().await?;

    let started = Instant::now();
    let gateway = Process::start(&mut home.command()).await?;
    while !caller.all_ready(sessions).await {
        anyhow::ensure!(started.elapsed() < Duration::from_secs(120), "not all sessions came back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let cold_start = started.elapsed();
    // Buffers of the start are freed; what stays is what an idle session costs.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let idle = gateway.rss_kib();
    let per_session = idle.saturating_sub(empty) / sessions as u64;
    println!("  all ready {cold_start:.1?} after kill -9; {idle} KiB with, {empty} KiB without sessions");

    for number in 0..CALLERS {
        caller.post("/api/sandbox/phones", json!({"phone": customer(number), "name": "x"})).await?;
    }
    // The first message to somebody fetches keys; that is paid once, not per message.
    let warm = (0..CALLERS).map(|number| send(&caller, number));
    futures::future::try_join_all(warm).await?;
    let (rate, cpu) = load(&caller, &gateway, seconds).await?;
    println!(
        "  {rate:.0} sends/s; gateway {:.0} µs, sandbox {:.0} MiB",
        cpu * 1e6,
        sandbox.rss_kib() as f64 / 1024.0
    );

    let mut latencies = Vec::with_capacity(LONE_SENDS);
    for _ in 0..LONE_SENDS {
        let started = Instant::now();
        send(&caller, 0).await?;
        latencies.push(started.elapsed());
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies[(LONE_SENDS as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("  lone send p50 {:.1} ms, p99 {:.1} ms\n", at(0.5), at(0.99));
    Ok(format!(
        "| {name} | {per_session} KiB | {:.1} s | {rate:.0} | {:.1} ms | {:.1} ms | {:.0} µs |",
        cold_start.as_secs_f64(),
        at(0.5),
        at(0.99),
        cpu * 1e6
    ))
}

async fn send(caller: &Caller, number: usize) -> anyhow::Result<()> {
    let path = format!("/api/whatsapp/session/s{}/send", number % BUSY_SESSIONS);
    let body = json!({"to": customer(number), "message": "Your OTP is *123456*. Valid for 10 minutes."});
    caller.post(&path, body).await.map(|_| ())
}

/// Sends per second, and the gateway's CPU seconds per send.
async fn load(caller: &Caller, gateway: &Process, seconds: usize) -> anyhow::Result<(f64, f64)> {
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (started, cpu) = (Instant::now(), gateway.cpu_s());
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (caller, stop, sent) = (caller.clone(), stop.clone(), sent.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    send(&caller, number).await?;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
    let (count, elapsed, cpu) = (sent.load(Ordering::Relaxed), started.elapsed(), gateway.cpu_s() - cpu);
    stop.store(true, Ordering::Relaxed);
    for task in callers {
        task.await??;
    }
    Ok((count as f64 / elapsed.as_secs_f64(), cpu / count as f64))
}
