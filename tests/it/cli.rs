//! Tenants and keys from the command line, beside a running gateway.

use std::path::Path;

use serde_json::Value;

use crate::app::{Caller, TestApp, until};

async fn wapid(app: &TestApp, arguments: &[&str]) -> std::process::Output {
    run(app.dir.path(), &app.database.url, arguments).await
}

async fn run(dir: &Path, database: &str, arguments: &[&str]) -> std::process::Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_wapid"))
        .env("WAPID_DATA_DIR", dir)
        .env("WAPID_DATABASE_URL", database)
        .args(arguments)
        .output()
        .await
        .expect("wapid runs")
}

fn json(output: &std::process::Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.lines().count(), 1, "not one line: {text}");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_rotated_and_revoked_while_the_gateway_runs() {
    let app = TestApp::new().await;
    let made =
        json(&wapid(&app, &["tenant", "create", "--name", "shop", "--daily-limit", "7", "--json"]).await);
    let test = made["testKey"].as_str().expect("testKey");
    assert!(
        test.starts_with("wapid_test_")
            && made["liveKey"].as_str().expect("liveKey").starts_with("wapid_live_")
    );
    Caller::new(app.url(), test).get("/api/whatsapp/sessions").await.ok();

    let tenant = made["tenantId"].as_str().expect("tenantId");
    let second = json(&wapid(&app, &["key", "create", "--tenant", tenant, "--mode", "test", "--json"]).await);
    assert_eq!(second["tenantId"], tenant);
    assert_eq!(second["testKey"], second["key"]);

    // With grace, both work; without, the old one dies at once (within the 5 s that a key is known).
    let graceful = json(&wapid(&app, &["key", "rotate", test, "--grace-hours", "1", "--json"]).await);
    let fresh = graceful["key"].as_str().expect("key");
    Caller::new(app.url(), test).get("/api/whatsapp/sessions").await.ok();
    Caller::new(app.url(), fresh).get("/api/whatsapp/sessions").await.ok();
    json(&wapid(&app, &["key", "rotate", fresh, "--json"]).await);
    until("the rotated key dies", || async {
        (Caller::new(app.url(), fresh).get("/api/whatsapp/sessions").await.status == 401).then_some(())
    })
    .await;
    let key = second["key"].as_str().expect("key");
    json(&wapid(&app, &["key", "revoke", key, "--json"]).await);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_links_sends_gets_an_answer_and_stays_up() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    let dir = tempfile::tempdir().expect("a folder");
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_wapid"))
        .env("WAPID_DATA_DIR", dir.path())
        .env("WAPID_LISTEN", "127.0.0.1:0")
        .arg("demo")
        .stdout(std::process::Stdio::piped())
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
    tokio::time::timeout(std::time::Duration::from_secs(60), told).await.expect("the tour ends");
    for part in ["ready as 5511900000001", "Your OTP is *123456*.", "received", "Thank you!"] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let url = text.lines().next().and_then(|line| line.split_whitespace().last()).expect("a URL").to_owned();
    Caller::new(url, "").get("/healthz").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_is_linked_from_a_terminal() {
    use tokio::io::{AsyncReadExt as _, BufReader};
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.phone("5511900000001").await;
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_wapid"))
        .args(["link", "--url", &app.url(), "--key", &shop.test.key, "main"])
        .stdout(std::process::Stdio::piped())
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
    shop.test.post("/api/sandbox/phones/5511900000001/scan", serde_json::json!({"qr": qr})).await.ok();
    let mut drawn = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let ended =
        tokio::time::timeout(std::time::Duration::from_secs(30), out.read_to_string(&mut drawn)).await;
    ended.expect("it ends once the session is ready").expect("UTF-8");
    assert!(drawn.contains("Ready: 5511900000001"), "{drawn}");
}
