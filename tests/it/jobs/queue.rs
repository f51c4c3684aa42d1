//! The queue only wakes. Whatever happens to it, jobs go on: rows are the truth.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wapid::config::Config;
use wapid_core::clock::{At, Clock};

use super::{crowd, each_got_it_once};
use crate::app::{Engine, TestApp, until};

/// A Redis of this test's own, which keeps nothing.
struct Redis {
    child: Child,
    port: u16,
    dir: PathBuf,
}

impl Redis {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder").keep();
        let port = crate::process::free_address().rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.expect("a port");
        Self { child: Self::spawn(port, &dir), port, dir }
    }

    fn spawn(port: u16, dir: &PathBuf) -> Child {
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"])
            .arg(dir)
            .stdout(Stdio::null())
            .spawn();
        server.expect("redis-server runs; `./test` installs it")
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Redis' own protocol, in its simple form; `None` while nobody answers.
    fn ask(&self, line: &str) -> Option<String> {
        use std::io::{Read as _, Write as _};
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        socket.write_all(format!("{line}\r\n").as_bytes()).ok()?;
        let mut answer = [0; 512];
        let size = socket.read(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..size]).into_owned())
    }

    async fn until_up(&self) {
        until("Redis answers", || async { self.ask("PING").filter(|answer| answer.starts_with("+PONG")) })
            .await;
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = Self::spawn(self.port, &self.dir);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

async fn app_with(redis: &Redis) -> TestApp {
    redis.until_up().await;
    TestApp::with(Engine::Sqlite, |config| config.redis_url = Some(redis.url().into())).await
}

/// Restarted, paused, flushed and full while a job runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_goes_on_whatever_happens_to_redis() {
    let mut redis = Redis::start();
    let app = app_with(&redis).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 100).await;
    let body = json!({"recipients": phones, "message": "Hi", "delayMin": 20, "delayMax": 80});
    let job = session.bulk(body).await;
    job.until_processed(10).await;
    redis.ask("FLUSHALL");
    job.until_processed(25).await;
    redis.restart();
    job.until_processed(40).await;
    redis.signal("STOP");
    job.until_processed(60).await;
    // A caller does not wait for a queue that is away.
    let asked = Instant::now();
    job.post("/pause").await.ok();
    job.post("/resume").await.ok();
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    redis.signal("CONT");
    redis.until_up().await;
    redis.ask("CONFIG SET maxmemory-policy noeviction");
    redis.ask("CONFIG SET maxmemory 1");
    job.until_completed().await;
    each_got_it_once(&shop.test, &phones, "Hi").await;
}

/// A job for later, whose wake-up is lost with all of Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_wake_up_is_found_by_the_sweep() {
    let redis = Redis::start();
    redis.until_up().await;
    let clock = Clock::manual(Clock::System.now());
    let set = |config: &mut Config| config.redis_url = Some(redis.url().into());
    let app = TestApp::build(Engine::Sqlite, clock.clone(), set).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 3).await;
    let due = clock.now().plus_ms(3_600_000);
    let body =
        json!({"recipients": phones, "message": "Hi", "delayMin": 0, "delayMax": 0, "scheduleAt": due.iso()});
    let job = session.bulk(body).await;
    let waiting = job.until_waiting("scheduled").await;
    assert_eq!(
        (waiting["status"].clone(), waiting["scheduleAt"].clone()),
        (json!("pending"), json!(due.iso()))
    );
    until("the wake-up is in Redis", || async {
        redis.ask("KEYS *later*").filter(|keys| keys.contains("later"))
    })
    .await;
    redis.ask("FLUSHALL");
    clock.advance(Duration::from_secs(3_500));
    assert_eq!(job.read().await["processed"], json!(0), "it began before its time");
    clock.advance(Duration::from_secs(115));
    job.until_completed().await;
    each_got_it_once(&shop.test, &phones, "Hi").await;
}

async fn begins_on_time(redis: Option<String>) {
    let app = TestApp::with(Engine::Sqlite, |config| config.redis_url = redis.map(Into::into)).await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 1).await;
    let due = Clock::System.now().plus_ms(2_000);
    let body = json!({"recipients": phones, "message": "Hi", "scheduleAt": due.0});
    let done = session.bulk(body).await.until_completed().await;
    let late = At::parse(done["startedAt"].as_str().unwrap()).unwrap().since(due);
    assert!((0..3_000).contains(&late), "{late} ms after its time");
    let past = json!({"recipients": phones, "message": "Hi again", "scheduleAt": due.plus_ms(-60_000).0});
    session.bulk(past).await.until_completed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_job_begins_on_time_without_redis() {
    begins_on_time(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_job_begins_on_time_with_redis() {
    begins_on_time(Some(std::env::var("WAPID_TEST_REDIS").expect("`./test` starts a Redis"))).await;
}

/// Between its steps of being stored, a job is nobody's business; cut short, it never was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_begins_to_exist_with_its_last_row() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let recipients: Vec<Value> = (0..20_000).map(|n| json!(format!("55117{n:08}"))).collect();
    let body = json!({"recipients": recipients, "message": "Hi", "scheduleAt": "2026-12-31T00:00:00Z"});
    let posted = tokio::spawn({
        let (caller, path) = (shop.test.clone(), session.path("/send-bulk"));
        async move { caller.post(&path, body).await }
    });
    while !posted.is_finished() {
        let jobs = shop.test.get("/api/whatsapp/bulk-jobs").await.ok();
        for job in jobs["jobs"].as_array().unwrap() {
            assert_eq!(job["total"], json!(20_000), "{job}");
        }
    }
    posted.await.unwrap().ok();
}
