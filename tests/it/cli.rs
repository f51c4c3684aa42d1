//! The command line beside a running gateway: tenants and keys, linking, jobs; and the demo.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::app::{Caller, Database, Engine, Tenant, TestApp, until};
use crate::hooks::{log_of, something};
use crate::jobs::{Job, crowd};
use crate::process::{home, serve_sandbox, signal};
use crate::receiver::Receiver;

/// Generous: the machine is busy, and a gateway that was killed takes its time to come back.
const PATIENCE: Duration = Duration::from_secs(90);

async fn wapid(app: &TestApp, arguments: &[&str]) -> Output {
    run(app.dir.path(), &app.database.url, arguments).await
}

async fn run(dir: &Path, database: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wapid"))
        .env("WAPID_DATA_DIR", dir)
        .env("WAPID_DATABASE_URL", database)
        .args(arguments)
        .output()
        .await
        .expect("wapid runs")
}

fn one_line(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().count(), 1, "not one line: {text}");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_rotated_and_revoked_while_the_gateway_runs() {
    let app = TestApp::new().await;
    let made =
        one_line(&wapid(&app, &["tenant", "create", "--name", "shop", "--daily-limit", "7", "--json"]).await);
    let test = made["testKey"].as_str().expect("testKey");
    assert!(
        test.starts_with("wapid_test_")
            && made["liveKey"].as_str().expect("liveKey").starts_with("wapid_live_")
    );
    Caller::new(app.url(), test).get("/api/whatsapp/sessions").await.ok();

    let tenant = made["tenantId"].as_str().expect("tenantId");
    let second =
        one_line(&wapid(&app, &["key", "create", "--tenant", tenant, "--mode", "test", "--json"]).await);
    assert_eq!(second["tenantId"], tenant);
    assert_eq!(second["testKey"], second["key"]);

    // With grace, both work; without, the old one dies at once (within the 5 s that a key is known).
    let graceful = one_line(&wapid(&app, &["key", "rotate", test, "--grace-hours", "1", "--json"]).await);
    let fresh = graceful["key"].as_str().expect("key");
    Caller::new(app.url(), test).get("/api/whatsapp/sessions").await.ok();
    Caller::new(app.url(), fresh).get("/api/whatsapp/sessions").await.ok();
    one_line(&wapid(&app, &["key", "rotate", fresh, "--json"]).await);
    until("the rotated key dies", || async {
        (Caller::new(app.url(), fresh).get("/api/whatsapp/sessions").await.status == 401).then_some(())
    })
    .await;
    let key = second["key"].as_str().expect("key");
    one_line(&wapid(&app, &["key", "revoke", key, "--json"]).await);
    until("the revoked key dies", || async {
        (Caller::new(app.url(), key).get("/api/whatsapp/sessions").await.status == 401).then_some(())
    })
    .await;
    let list = wapid(&app, &["key", "list", "--tenant", "shop", "--json"]).await;
    assert!(!String::from_utf8_lossy(&list.stdout).contains(key), "a list shows a whole key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_told_in_words_and_end_with_1() {
    let app = TestApp::new().await;
    wapid(&app, &["tenant", "create", "--name", "shop"]).await;
    for (arguments, word) in [
        (&["tenant", "create", "--name", "shop"][..], "exists"),
        (&["tenant", "create", "--name", "x", "--time-zone", "Mars/Olympus"], "time zone"),
        (&["key", "create", "--tenant", "nobody", "--mode", "live"], "no tenant"),
        (&["key", "revoke", "nothing"], "no such key"),
    ] {
        let output = wapid(&app, arguments).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(word), "{arguments:?}: {words}");
    }
    let other = tempfile::tempdir().expect("a folder");
    let wrong = run(other.path(), &app.database.url, &["tenant", "list"]).await;
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("WAPID_MASTER_KEY"), "{wrong:?}");
    let second = wapid(&app, &["serve", "--listen", "127.0.0.1:0"]).await;
    assert!(String::from_utf8_lossy(&second.stderr).contains("another wapid runs"), "{second:?}");
}

/// Each is a sentence that says what to write, or what to look at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_says_why_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = port.local_addr().expect("an address").to_string();
    let free = {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        port.local_addr().expect("an address").to_string()
    };
    let database = format!("sqlite://{}/wapid.db", dir.path().display());
    let nobody = format!("postgres://app:hush@{free}/app");
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").expect("a file");
    let no_folder = file.join("data").display().to_string();
    for (settings, told) in [
        (vec![("WAPID_LISTEN", "shop.example:8080")], "127.0.0.1:8080"),
        (vec![("WAPID_LISTEN", "localhost")], "localhost:8080"),
        (vec![("WAPID_LISTEN", taken.as_str())], "another program listens there already"),
        (vec![("WAPID_MASTER_KEY", "hush")], "64 hex digits"),
        (vec![("WAPID_DATABASE_URL", nobody.as_str())], "connection refused"),
        (
            vec![("WAPID_DATABASE_URL", "postgres://app:hush@no-such-host.invalid/app")],
            "no-such-host.invalid",
        ),
        (vec![("WAPID_DATABASE_URL", "mysql://app:hush@localhost/app")], "sqlite:// or postgres://"),
        (vec![("WAPID_DATA_DIR", no_folder.as_str())], "WAPID_DATA_DIR"),
        (vec![("WAPID_MEDIA_DOCUMENT_MAX", "0")], "at least 1 byte"),
        (vec![("WAPID_MEDIA_DOCUMENT_MAX", "3GiB")], "at most 2GiB"),
        (vec![("WAPID_MEDIA_TRANSFERS", "0")], "1..=1024"),
        (vec![("WAPID_PUBLIC_URL", "shop.example")], "https://"),
    ] {
        let begun = std::time::Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_wapid"))
            .env("WAPID_DATA_DIR", dir.path().join("data"))
            .env("WAPID_DATABASE_URL", &database)
            .env("WAPID_LISTEN", "127.0.0.1:0")
            .envs(settings.iter().copied())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").expect("wapid runs");
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && words.contains(told), "{settings:?}: {words}");
        assert!(!words.contains("hush"), "{settings:?}: {words}");
        let is_waited_for = settings[0].1.contains(".invalid");
        assert!(
            is_waited_for || begun.elapsed() < Duration::from_secs(9),
            "{settings:?}: {:?}",
            begun.elapsed()
        );
    }
    for arguments in [
        ["tenant", "create", "--name", "x", "--daily-limit", "-5"],
        ["tenant", "create", "--name", "x", "--session-limit", "-2"],
        ["tenant", "update", "x", "--daily-limit", "-5", "--json"],
    ] {
        let output = run(&dir.path().join("data"), &database, &arguments).await;
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && words.contains("-1.."), "{arguments:?}: {words}");
    }
}

/// Takes the tour to its last line. The gateway is still up.
async fn tour(dir: &Path) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wapid"))
        .env("WAPID_DATA_DIR", dir)
        .env("WAPID_LISTEN", "127.0.0.1:0")
        .arg("demo")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the demo starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut text = String::new();
    let told = async {
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            text.push_str(&line);
            text.push('\n');
            if line.contains("/api/sandbox/phones/") && line.contains("curl") {
                return;
            }
        }
    };
    let ended = tokio::time::timeout(PATIENCE, told).await;
    assert!(ended.is_ok() && text.contains("curl"), "the tour does not end:\n{text}");
    (child, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_links_sends_gets_an_answer_writes_to_forty_and_stays_up() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut child, text) = tour(dir.path()).await;
    for part in [
        "ready as 5511900000001",
        "Your OTP is *123456*.",
        "received",
        "Thank you!",
        "1  NOT_ON_WHATSAPP\n",
        ": 38 of 40 sent, 1 failed, 1 skipped (opted out)\n",
        "| Hello Bia, 30% off today!\n",
        "| Hello there, 30% off today!\n",
    ] {
        assert!(text.contains(part), "{part:?} is missing:\n{text}");
    }
    let url = text.lines().next().and_then(|line| line.split_whitespace().last()).expect("a URL").to_owned();
    Caller::new(url, "").get("/healthz").await.ok();

    // Again on the same data, as people do.
    signal(&child, "INT");
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it stops").expect("a status");
    assert!(ended.success(), "{ended}");
    let (_child, again) = tour(dir.path()).await;
    for part in ["no scan needed", ": 38 of 40 sent, 1 failed, 1 skipped (opted out)\n"] {
        assert!(again.contains(part), "{part:?} is missing:\n{again}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_is_linked_from_a_terminal() {
    use tokio::io::AsyncReadExt as _;
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.phone("5511900000001").await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_wapid"))
        .args(["link", "--url", &app.url(), "--key", &shop.test.key, "main"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("wapid runs");
    let session =
        crate::app::Session { caller: &shop.test, id: "main".into(), phone: "5511900000001".into() };
    let qr = until("a QR", || async {
        let answer = shop.test.get(&session.path("/status")).await;
        answer.status.is_success().then(|| answer.json()["qrText"].as_str().map(str::to_owned)).flatten()
    })
    .await;
    shop.test.post("/api/sandbox/phones/5511900000001/scan", json!({"qr": qr})).await.ok();
    let mut drawn = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let ended =
        tokio::time::timeout(std::time::Duration::from_secs(30), out.read_to_string(&mut drawn)).await;
    ended.expect("it ends once the session is ready").expect("UTF-8");
    assert!(drawn.contains("Ready: 5511900000001"), "{drawn}");
}

/// `wapid job …` with a key.
async fn job_command(caller: &Caller, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wapid"))
        .arg("job")
        .args(arguments)
        .args(["--url", &caller.url, "--key", &caller.key])
        .output()
        .await
        .expect("wapid runs")
}

/// A command that goes on, with its output on a pipe.
struct Watcher {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Watcher {
    fn of(job: &Job<'_>, more: &[&str]) -> Self {
        Self::start(job.caller, &[&["job", "watch", &job.id], more].concat())
    }

    fn start(caller: &Caller, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wapid"))
            .args(arguments)
            .args(["--url", &caller.url])
            .env("WAPID_KEY", &caller.key)
            .env("TZ", "UTC")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("wapid runs");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines, said: vec![] }
    }

    /// Its next line; `None` once it has ended.
    async fn next(&mut self) -> Option<String> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("it falls silent after {:?}", self.said));
        let line = line.expect("UTF-8")?;
        self.said.push(line.clone());
        Some(line)
    }

    async fn until_says(&mut self, what: &str) -> String {
        while let Some(line) = self.next().await {
            if line.contains(what) {
                return line;
            }
        }
        panic!("it ended without {what:?}: {:?}", self.said);
    }

    /// Its exit code and all that it said, once it has ended by itself.
    async fn end(mut self) -> (i32, Vec<String>) {
        while self.next().await.is_some() {}
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends");
        (status.expect("a status").code().expect("an exit code"), self.said)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_ends_with_its_job_and_says_who_did_not_get_it() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let mut phones = crowd(&shop, 24).await;
    shop.test.post("/api/whatsapp/opt-outs", json!({"phone": phones[3]})).await.ok();
    phones.push("5511700000000".to_owned());
    let body = json!({"recipients": phones, "message": "Sale", "delayMin": 200, "delayMax": 250});
    let job = session.bulk(body).await;
    let (code, said) = Watcher::of(&job, &[]).end().await;
    assert_eq!(code, 0, "{said:?}");
    let sums = said.last().expect("it says something");
    assert!(
        sums.starts_with("Completed in ")
            && sums.ends_with(": 23 of 25 sent, 1 failed, 1 skipped (opted out)"),
        "{said:?}"
    );
    assert_eq!(said[said.len() - 2], "     1  NOT_ON_WHATSAPP", "{said:?}");
    assert!(said[0].contains(" of 25 sent, 0 failed, "), "{said:?}");

    // Of a job that is over, the end is all there is to see.
    let (code, said) = Watcher::of(&job, &[]).end().await;
    assert_eq!((code, said.len()), (0, 2), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_paused_resumed_and_cancelled_under_the_eyes_of_a_watch() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 60).await;
    let body = json!({"recipients": phones, "message": "Sale", "delayMin": 800, "delayMax": 900});
    let job = session.bulk(body).await;
    let mut watcher = Watcher::of(&job, &[]);
    watcher.until_says("; running").await;

    let paused = one_line(&job_command(&shop.test, &["pause", &job.id, "--json"]).await);
    assert_eq!(paused["paused"], true);
    let line = watcher.until_says("paused").await;
    assert!(line.ends_with(" of 60 sent, 0 failed, 0 skipped; paused"), "{line}");
    let resumed = job_command(&shop.test, &["resume", &job.id]).await;
    assert!(String::from_utf8_lossy(&resumed.stdout).contains("  running "), "{resumed:?}");
    watcher.until_says(" of 60 sent, 0 failed, 0 skipped; running").await;

    let list = job_command(&shop.test, &["list"]).await;
    assert!(String::from_utf8_lossy(&list.stdout).starts_with(&format!("{}  running ", job.id)), "{list:?}");
    let cancelled = one_line(&job_command(&shop.test, &["cancel", &job.id, "--json"]).await);
    assert_eq!(cancelled["state"], "cancelled");
    let (code, said) = watcher.end().await;
    assert_eq!(code, 1, "{said:?}");
    let sent = job.read().await["succeeded"].as_i64().expect("a count");
    let sums = format!("Cancelled: {sent} of 60 sent, 0 failed, 0 skipped, {} not written to", 60 - sent);
    assert_eq!(said.last(), Some(&sums), "{said:?}");

    let late = job_command(&shop.test, &["resume", &job.id]).await;
    assert_eq!(late.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&late.stderr).contains("was cancelled"), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_outlives_the_gateway_that_it_asks() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, Some(serve_sandbox().await));
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let shop = Tenant { live_key: String::new(), live: caller.clone(), test: caller };
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 20).await;
    let body = json!({"recipients": phones, "message": "Sale", "delayMin": 200, "delayMax": 300});
    let job = session.bulk(body).await;
    let mut watcher = Watcher::of(&job, &[]);
    let mut programs = Watcher::of(&job, &["--json"]);
    watcher.until_says(" of 20 sent").await;
    programs.until_says("jobId").await;
    process.kill().await;
    let away = watcher.until_says("does not answer").await;
    assert_eq!(away, format!("{} does not answer; still watching", job.caller.url));
    let away: Value = serde_json::from_str(&programs.until_says("away").await).expect("JSON");
    assert!(away["away"].as_str().expect("words").contains("does not answer"), "{away}");

    let process = home.start().await;
    let (code, said) = watcher.end().await;
    assert_eq!(code, 0, "{said:?}");
    assert!(said.last().expect("a line").ends_with(": 20 of 20 sent, 0 failed, 0 skipped"), "{said:?}");
    assert_eq!(said.iter().filter(|line| line.contains("does not answer")).count(), 1, "{said:?}");
    let (code, said) = programs.end().await;
    assert_eq!(code, 0, "{said:?}");
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_watches_reads_a_job_per_line() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let mut phones = crowd(&shop, 15).await;
    phones.push("5511700000000".to_owned());
    let body = json!({"recipients": phones, "message": "Sale", "delayMin": 250, "delayMax": 300});
    let job = session.bulk(body).await;
    let (code, said) = Watcher::of(&job, &["--json"]).end().await;
    assert_eq!(code, 0, "{said:?}");
    let jobs: Vec<Value> = said.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(jobs.len() > 1, "{said:?}");
    for pair in jobs.windows(2) {
        assert_eq!(pair[0]["jobId"], job.id);
        assert!(pair[0]["processed"].as_i64() <= pair[1]["processed"].as_i64(), "{said:?}");
        assert!(pair[0]["results"].is_null(), "{said:?}");
    }
    let last = jobs.last().expect("a line");
    assert_eq!((&last["status"], &last["succeeded"]), (&json!("completed"), &json!(15)));
    assert_eq!(last["results"]["reasons"], json!([{"code": "NOT_ON_WHATSAPP", "count": 1}]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_says_what_its_job_waits_for_and_ctrl_c_leaves_the_job_alone() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 2).await;
    let at = app.clock.now().plus_ms(10 * 86_400_000);
    let day = &at.iso()[..10];
    let body = json!({"recipients": phones, "message": "Sale", "scheduleAt": at.iso()});
    let job = session.bulk(body).await;
    let mut watcher = Watcher::of(&job, &[]);
    let line = watcher.until_says("waiting for its start at").await;
    assert!(line.starts_with("0 of 2 sent, 0 failed, 0 skipped; ") && line.contains(day), "{line}");
    signal(&watcher.child, "INT");
    let (code, said) = watcher.end().await;
    assert_eq!(code, 130, "{said:?}");
    assert!(said.last().expect("a line").contains("the job goes on"), "{said:?}");
    assert_eq!(job.read().await["state"], "waiting");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_watched_is_said_at_once_and_ends_with_1() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 2).await;
    let hour = 3_600_000;
    let body = json!({"recipients": phones, "message": "Sale", "delayMin": hour, "delayMax": hour});
    let job = session.bulk(body).await;
    let stranger = app.tenant("bakery").await;
    let nobody = Caller::new(app.url(), "wapid_test_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    let silence = Caller::new(format!("http://{}", crate::process::free_address()), &shop.test.key);
    let unknown = "65f1a2b3c4d5e6f7a8b9c0d1";
    for (caller, id, words) in [
        (&shop.test, unknown, "this key has no job"),
        (&stranger.test, &job.id, "this key has no job"),
        (&shop.live, &job.id, "this key has no job"),
        (&nobody, &job.id, "does not take this key"),
        (&silence, &job.id, "does not answer"),
    ] {
        for verb in ["watch", "pause"] {
            let output = job_command(caller, &[verb, id]).await;
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
            assert!(said.starts_with("wapid: ") && said.contains(words), "{words} is missing: {said}");
        }
    }
    let output = job_command(&shop.test, &["watch", "main"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("24 hex digits"), "{output:?}");

    // A key that ends in the middle ends the watch.
    let mut watcher = Watcher::of(&job, &[]);
    watcher.until_says("1 of 2 sent").await;
    one_line(&wapid(&app, &["key", "revoke", &shop.test.key, "--json"]).await);
    let (code, said) = watcher.end().await;
    assert_eq!(code, 1, "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_listened_to_and_passed_on_with_a_signature() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let first = something(&shop.test, 1).await;
    let receiver = Receiver::new().await;
    let wish = ["listen", "--json", "--after", "oldest", "--forward", &receiver.url, "--secret", "mine"];
    let mut listener = Watcher::start(&shop.test, &wish);
    listener.until_says(&first).await;
    let second = something(&shop.test, 2).await;
    listener.until_says(&second).await;
    let log = log_of(&shop.test, "").await;
    let said: Vec<Value> =
        listener.said.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(said, log);
    let got = receiver.until_gets("it is passed on", |got| got.id() == second).await;
    assert!(got.is_signed_with(b"mine"));
    let body = got.json();
    assert_eq!((&body["data"], &body["mode"]), (&log[1]["data"], &json!("test")));
    assert!(body["tenantId"].is_string());
    signal(&listener.child, "INT");
    assert_eq!(listener.end().await.0, 130);

    let mut narrow =
        Watcher::start(&shop.test, &["listen", "--types", "optout.removed", "--after", "oldest"]);
    shop.test.delete("/api/whatsapp/opt-outs/5511900000001").await.ok();
    let line = narrow.until_says("optout.removed").await;
    assert!(line.contains("5511900000001") && narrow.said.len() == 1, "{:?}", narrow.said);
    let (code, said) = Watcher::start(&shop.test, &["listen", "--types", "mess"]).end().await;
    assert_eq!((code, said.len()), (1, 0));
}
