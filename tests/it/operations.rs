//! For whoever runs it: health, metrics, a graceful end, and logs that tell no secret.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::app::{Caller, TestApp, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_readiness_and_metrics_say_the_truth() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    shop.phone("5511900000002").await;
    session.send("5511900000002", "counted").await.ok();
    assert_eq!(shop.test.get("/healthz").await.ok()["status"], "ok");
    until("ready", || async { shop.test.get("/readyz").await.status.is_success().then_some(()) }).await;
    let metrics = shop.test.get("/metrics").await.text;
    assert!(metrics.contains("wapid_sessions{status=\"ready\"} 1"), "{metrics}");
    assert!(metrics.contains("wapid_sends_total{outcome=\"sent\"}"), "{metrics}");
    for name in ["wapid_send_seconds_bucket", "wapid_messages_underway", "wapid_ledger_queue"] {
        assert!(metrics.contains(name), "{name}");
    }
    assert!(!metrics.contains("5511900000"), "a phone number is in the metrics");
}

/// What the linters of Prometheus ask for, on all that is there after some work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_named_and_counted_as_prometheus_wants_them() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    shop.phone("5511900000002").await;
    session.send("5511900000002", "counted").await.ok();
    shop.test.get("/api/whatsapp/bulk-job/65f1a2b3c4d5e6f7a8b9c0d1").await.refused(404, "JOB_NOT_FOUND");
    shop.test.get("/no/such/5511900000009").await.refused(404, "NOT_FOUND");
    let answer = shop.test.get("/metrics").await;
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text;
    let mut kinds = std::collections::BTreeMap::new();
    let mut helped = std::collections::BTreeSet::new();
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("TYPE"), Some(name), Some(kind)) => {
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} has two kinds");
            }
            (Some("#"), Some("HELP"), Some(name), Some(_)) => drop(helped.insert(name.to_owned())),
            _ => {}
        }
    }
    for (name, kind) in &kinds {
        assert!(helped.contains(name), "{name} has no help");
        assert!(name.starts_with("wapid_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
        for bad in
            ["_ms", "_milliseconds", "_minutes", "_kb", "_bucket", "_count", "_sum", "_gauge", "_counter"]
        {
            assert!(!name.ends_with(bad), "{name}");
        }
        assert!(
            kind != "histogram" || name.ends_with("_seconds") || name.ends_with("_bytes"),
            "{name} has no unit"
        );
    }
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().unwrap();
        let of_family = |family: &String| {
            name.strip_prefix(family.as_str())
                .is_some_and(|tail| ["", "_bucket", "_sum", "_count"].contains(&tail))
        };
        assert!(kinds.keys().any(of_family), "{line} has no family");
    }
    for wanted in [
        "wapid_build_info{version=\"",
        "process_cpu_seconds_total ",
        "process_resident_memory_bytes ",
        "process_open_fds ",
        "process_start_time_seconds ",
        "wapid_messages_settled_total{outcome=\"sent\"}",
        "wapid_messages_settled_total{outcome=\"failed\"}",
        "wapid_messages_received_total ",
        "wapid_deliveries_total{outcome=\"taken\"}",
        "wapid_http_requests_total{method=\"POST\",route=\"/api/whatsapp/session/{id}/send\",status=\"200\"}",
        "wapid_http_requests_total{method=\"GET\",route=\"/api/whatsapp/bulk-job/{jobId}\",status=\"404\"}",
        "wapid_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}",
        "wapid_http_request_duration_seconds_bucket{method=\"POST\",route=\"/api/whatsapp/session/{id}/send\",le=\"+Inf\"}",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
    // By templates, and never by what somebody wrote.
    for told in ["5511900000", "65f1a2b3c4d5e6f7a8b9c0d1", "/no/such", "tenant=", "\"main\""] {
        assert!(!text.contains(told), "{told} is a label");
    }
    assert!(promtool(&text).await, "promtool does not like it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_behind_a_proxy_gives_whole_links_and_flowing_streams() {
    let url = "https://chat.shop.example/wapid/";
    let set = |config: &mut wapid::config::Config| config.public_url = Some(url.parse().expect("a site"));
    let app = TestApp::with(crate::app::Engine::Sqlite, set).await;
    let shop = app.tenant("shop").await;
    let media = shop.test.post("/api/whatsapp/media", json!({"mediaBase64": "aGVsbG8="})).await.ok();
    let path = format!("/api/whatsapp/media/{}/link", media["mediaId"].as_str().expect("an id"));
    let link = shop.test.post(&path, json!({})).await.ok()["url"].as_str().expect("a url").to_owned();
    let here = link.strip_prefix("https://chat.shop.example/wapid/media/").expect("a whole URL");
    let open = Caller::new(app.url(), "").get(&format!("/media/{here}")).await;
    assert_eq!(open.text, "hello");

    let stream = reqwest::Client::builder().no_proxy().build().expect("a client");
    let stream =
        stream.get(format!("{}/api/whatsapp/events/stream", app.url())).header("X-API-Key", &shop.test.key);
    let headers = stream.send().await.expect("the stream opens").headers().clone();
    assert_eq!(headers["x-accel-buffering"], "no");
}

/// What Prometheus' own linter says, where it is installed.
async fn promtool(text: &str) -> bool {
    use tokio::io::AsyncWriteExt as _;
    let linter = tokio::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let Ok(mut linter) = linter else { return true };
    let mut input = linter.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).await.expect("it reads");
    drop(input);
    linter.wait().await.expect("it ends").success()
}

/// Whoever is answered when the process is asked to stop has a whole answer, and whatever was accepted
/// arrives, once, if need be after the next start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_leaves_nothing_half_done_and_takes_less_than_10_s() {
    let mut app = TestApp::new().await;
    let caller = {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", "5511900000001").await;
        shop.phone("5511900000002").await;
        session.send("5511900000002", "warm").await.ok();
        shop.test.clone()
    };
    let sent = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..8)
        .map(|_| {
            let (url, key, sent) = (caller.url.clone(), caller.key.clone(), sent.clone());
            tokio::spawn(async move {
                loop {
                    let request = reqwest::Client::builder().no_proxy().build().expect("a client");
                    let request = request.post(format!("{url}/api/whatsapp/session/main/send"));
                    let body = json!({"to": "5511900000002", "message": "in progress"});
                    let Ok(answer) = request.header("X-API-Key", &key).json(&body).send().await else {
                        return;
                    };
                    let status = answer.status();
                    let body: Value = answer.json().await.expect("a whole answer");
                    assert!(status.is_success(), "{status}: {body}");
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    until("sends are under way", || async { (sent.load(Ordering::SeqCst) > 50).then_some(()) }).await;
    let started = Instant::now();
    app.stop().await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    for sender in senders {
        sender.await.expect("every answer was whole");
    }

    app.start().await;
    let caller = Caller::new(app.url(), &caller.key);
    until("nothing is left without a verdict", || async {
        let open = caller.get("/api/whatsapp/messages?status=sending").await.ok();
        (open["total"] == 0).then_some(())
    })
    .await;
    let logged = caller.get("/api/whatsapp/messages?direction=out").await.ok()["total"].as_u64();
    let inbox = caller.get("/api/sandbox/phones/5511900000002/messages").await.ok();
    let shown = inbox["messages"].as_array().map(|all| all.len() as u64);
    assert_eq!(shown, logged);
    assert!(shown > Some(sent.load(Ordering::SeqCst) as u64), "an answered message did not arrive");
}

/// Everything a gateway writes to its log while it works, at the most talkative level that is ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_number_or_text_is_logged() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_wapid"))
        .env("WAPID_DATA_DIR", dir.path())
        .env("WAPID_LISTEN", "127.0.0.1:0")
        .env(
            "WAPID_LOG",
            "off,wapid=trace,wapid_core=trace,wapid_keystore=trace,wapid_sandbox=trace,sqlx=warn",
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("wapid starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut log = child.stderr.take().expect("a pipe");
    let log = tokio::spawn(async move {
        let mut text = String::new();
        let _ = log.read_to_string(&mut text).await;
        text
    });
    let (mut url, mut live, mut test) = (String::new(), String::new(), String::new());
    while test.is_empty() {
        let line = lines.next_line().await.expect("UTF-8").expect("a line");
        let last = line.split_whitespace().last().unwrap_or_default().to_owned();
        match line.split_whitespace().next() {
            Some("wapid") => url = last,
            Some("live") => live = last,
            Some("test") => test = last,
            _ => {}
        }
    }
    let caller = Caller::new(url, &test);
    for phone in ["5511900000001", "5511900000002"] {
        caller.post("/api/sandbox/phones", json!({"phone": phone, "name": "x"})).await.ok();
    }
    let proxyless = json!({"sessionId": "main", "name": "label"});
    caller.post("/api/whatsapp/session", proxyless).await.ok();
    let qr = until("a QR", || async {
        caller.get("/api/whatsapp/session/main/status").await.ok()["qrText"].as_str().map(str::to_owned)
    })
    .await;
    caller.post("/api/sandbox/phones/5511900000001/scan", json!({"qr": qr})).await.ok();
    until("ready", || async {
        (caller.get("/api/whatsapp/session/main/status").await.ok()["status"] == "ready").then_some(())
    })
    .await;
    let send = json!({"to": "5511900000002", "message": "PLANTED-TEXT"});
    caller.post("/api/whatsapp/session/main/send", send).await.ok();
    let nobody = json!({"to": "5511912345678", "message": "PLANTED-TEXT"});
    caller.post("/api/whatsapp/session/main/send", nobody).await.refused(400, "NOT_ON_WHATSAPP");
    let answer = json!({"to": "5511900000001", "type": "text", "message": "PLANTED-ANSWER"});
    caller.post("/api/sandbox/phones/5511900000002/messages", answer).await.ok();
    until("it arrives", || async {
        (caller.get("/api/whatsapp/messages?direction=in").await.ok()["total"] == 1).then_some(())
    })
    .await;
    caller.delete("/api/whatsapp/session/main").await.ok();
    let master = std::fs::read_to_string(dir.path().join("master.key")).expect("a master key");
    child.kill().await.expect("ours");
    let log = log.await.expect("a log");
    assert!(log.contains("Session is ready"), "the log is empty: {log}");
    let secrets = [
        &*live,
        &*test,
        &qr[..40],
        "PLANTED",
        "5511900000001",
        "5511900000002",
        "5511912345678",
        master.trim(),
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "the log tells {secret}");
    }
    for entry in std::fs::read_dir(dir.path()).expect("a folder").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let has = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(!has(&live) && !has(&test), "{:?} holds a key", entry.path());
    }
}
