//! The gateway dies at any instant, and nothing accepted is lost or shown twice.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{Caller, Database, Engine, until, until_within};
use crate::process::{Home, home, link_main, serve_sandbox, try_get, until_ready};

const MESSAGES: usize = 1_000;
const KILLS: usize = 30;
/// Callers that send at the same time, each to its own phone.
const SENDERS: usize = 4;

/// A session that is ready, and phones to write to.
async fn link(caller: &Caller, phones: impl Iterator<Item = &str>) {
    for phone in phones {
        caller.post("/api/sandbox/phones", json!({"phone": phone, "name": "x"})).await.ok();
    }
    link_main(caller, "5511900000001").await;
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
    link(&caller, phones.iter().map(String::as_str)).await;

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
    until_ready(&caller).await;

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

/// Whoever asks again at once after a restart hears what becomes of the message, and not that nobody knows.
async fn answers_a_retry(home: Home) {
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let ana = "5511900000100";
    link(&Caller::new(process.url.clone(), &key), [ana].into_iter()).await;
    process.kill().await;
    for place in ["message.taken", "message.written", "message.answered"] {
        let process = home.start_to_die_at(place, 1).await;
        until_ready(&Caller::new(process.url.clone(), &key)).await;
        let path = "/api/whatsapp/session/main/send";
        let body = json!({"to": ana, "message": place});
        let cut_off = home.try_post(&key, path, &body, place).await;
        assert_eq!(cut_off, None, "it did not die at {place}");
        let process = home.start().await;
        let answer = home.try_post(&key, path, &body, place).await.expect("it lives");
        assert_eq!(answer["success"], true, "{place}: {answer}");
        process.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_at_once_after_a_restart_hears_the_outcome_on_sqlite() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    answers_a_retry(home(dir.path(), &database, Some(serve_sandbox().await))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_at_once_after_a_restart_hears_the_outcome_on_postgres() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Postgres, dir.path()).await;
    answers_a_retry(home(dir.path(), &database, Some(serve_sandbox().await))).await;
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
