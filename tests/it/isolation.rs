//! Another tenant's object, or another mode's, is 404 on every route.
//!
//! The routes come from `openapi.json`, so a new one is walked on the day it is added: a path
//! parameter that this test does not know fails it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::description::document;
use crate::receiver::Receiver;

/// Whatever a route might read of a body; the path points at an object of A.
fn body(path: &str) -> Value {
    if path.ends_with("/link") {
        return json!({});
    }
    if path.contains("/webhook") || path.ends_with("/ticket") {
        return match path.rsplit('/').next() {
            Some("recover") => json!({"since": "2020-01-01T00:00:00Z"}),
            Some("webhooks" | "{id}") => json!({"url": "https://stranger.example.invalid/"}),
            _ => json!({}),
        };
    }
    let state = if path.ends_with("/typing") { "composing" } else { "available" };
    json!({
        "state": state, "sessionId": "mine", "to": "5511900000002", "message": "hello", "phone": "5511977777777",
        "recipients": ["5511900000002"], "name": "x", "qr": "2@a,b,c,d,1", "code": "ABCD1234", "kind": "drop", "messageId": "3EB0AA",
        "subject": "taken over", "participants": ["5511900000002"], "action": "remove", "link": "AAAA", "act": "leave"
    })
}

/// Without the fields that an operation would refuse by name, whoever sends them.
fn only_known(body: &Value, operation: &Value) -> Value {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let reference = schema["$ref"].as_str().or(schema["oneOf"][1]["$ref"].as_str());
    let schema = reference.and_then(|to| document().pointer(&to[1..])).unwrap_or(schema);
    let fields = body.as_object().expect("an object").iter();
    let known = fields.filter(|(name, _)| schema["properties"].get(name.as_str()).is_some());
    known.map(|(name, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_finds_nothing_on_any_route() {
    let app = TestApp::new().await;
    let a = app.tenant("a").await;
    let session = a.linked("main", "5511900000001").await;
    a.phone("5511900000002").await;
    let sent = session.send("5511900000002", "private").await.ok();
    let message = sent["messageId"].as_str().expect("an id");
    a.test.post("/api/whatsapp/opt-outs", json!({"phone": "5511900000001"})).await.ok();
    let job = json!({"recipients": ["5511900000002"], "message": "private offer", "scheduleAt": "2099-01-01T00:00:00Z"});
    let refused = a.test.post(&session.path("/send-bulk"), job.clone()).await;
    refused.refused(400, "INVALID_REQUEST");
    let job = json!({"recipients": ["5511900000002"], "message": "private offer", "name": "private sale", "windows": [{"from": "00:00", "to": "00:01"}]});
    let job = session.bulk(job).await;
    let receiver = Receiver::new().await;
    let hook = json!({"url": receiver.url, "description": "private hook", "events": ["message.*", "job.*"]});
    let webhook = a.test.post("/api/whatsapp/webhooks", hook).await.ok();
    let webhook = webhook["id"].as_str().expect("an id");
    let first = json!({"url": "https://first.example.invalid/", "secret": "private secret of theirs", "events": ["job.*"]});
    a.test.put("/api/whatsapp/webhook", first).await.ok();
    let begun = json!({"since": "2020-01-01T00:00:00Z"});
    let recovery = a.test.post(&format!("/api/whatsapp/webhooks/{webhook}/recover"), begun).await.ok();
    let recovery = recovery["recoveryId"].as_str().expect("an id");
    let log = a.test.get("/api/whatsapp/events?types=message.*").await.ok();
    let event = log["events"][0]["id"].clone();
    let event = event.as_str().unwrap_or_else(|| panic!("no message in {log}"));
    assert!(a.test.events_of("/api/whatsapp/events/stream", "after=oldest").await.contains(event));
    let media = json!({"mediaBase64": "cHJpdmF0ZSBub3Rlcw==", "fileName": "private.txt"});
    let media = a.test.post("/api/whatsapp/media", media).await.ok();
    let media = media["mediaId"].as_str().expect("an id");
    let team =
        json!({"phone": "5511900000001", "subject": "private team", "participants": ["5511900000002"]});
    let group = a.test.post("/api/sandbox/groups", team).await.ok();
    let group = group["group"]["id"].as_str().expect("an id");
    let before = snapshot(&a.test).await;
    let b = app.tenant("b").await;

    let described = a.test.get("/openapi.json").await.ok();
    let mut walked = 0;
    for (path, methods) in described["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let names_an_object = path.contains('{');
            let own = if path.contains("/webhooks/") { webhook } else { "main" };
            let filled = path
                .replace("{id}", own)
                .replace("{phone}", "5511900000001")
                .replace("{contactId}", "5511900000002")
                .replace("{chatId}", "5511900000002@s.whatsapp.net")
                .replace("{other}", "5511900000002")
                .replace("{jobId}", &job.id)
                .replace("{messageId}", message)
                .replace("{eventId}", event)
                .replace("{mediaId}", media)
                .replace("{recoveryId}", recovery)
                .replace("{messageId}", "3EB0AA")
                .replace("{groupId}", group);
            assert!(!filled.contains('{'), "isolation.rs does not know a parameter of {path}");
            let method: Method = method.to_uppercase().parse().expect("a method");
            for stranger in [&b.test, &b.live, &a.live] {
                if is_stream(&filled) {
                    assert_eq!(stranger.events_of(&filled, "after=oldest").await, "");
                    walked += 1;
                    continue;
                }
                let bytes = only_known(&body(path), operation).to_string().into_bytes();
                let answer = stranger.call(method.clone(), &filled, &[], Some(bytes)).await;
                assert!(!answer.text.contains("private"), "{method} {path} shows another's message");
                if names_an_object {
                    assert_eq!(answer.status, 404, "{method} {path}: {}", answer.text);
                    answer.code();
                }
                walked += 1;
            }
            let nobody = crate::app::Caller::new(app.url(), "wapid_live_nobody");
            let answer = nobody
                .call(
                    method.clone(),
                    &filled,
                    &[],
                    Some(only_known(&body(path), operation).to_string().into_bytes()),
                )
                .await;
            let public = ["/healthz", "/readyz", "/metrics"].contains(&path.as_str());
            // What a link leads to needs its signature, and says nothing of a file without.
            let is_link = path == "/media/{mediaId}" && answer.status == 404;
            assert!(
                public || is_link || answer.status == 401,
                "{method} {path} without a key: {}",
                answer.text
            );
        }
    }
    // Nor through an endpoint of its own.
    let own = json!({"url": "https://stranger.example.invalid/"});
    let own = b.test.post("/api/whatsapp/webhooks", own).await.ok();
    let own = format!("/api/whatsapp/webhooks/{}", own["id"].as_str().expect("an id"));
    let of_event = format!("{own}/deliveries/{event}");
    b.test.get(&of_event).await.refused(404, "EVENT_NOT_FOUND");
    b.test.post(&format!("{of_event}/retry"), json!({})).await.refused(404, "EVENT_NOT_FOUND");
    b.test.get(&format!("{own}/recoveries/{recovery}")).await.refused(404, "RECOVERY_NOT_FOUND");
    let of_recovery = format!("{own}/recoveries/{recovery}/cancel");
    b.test.post(&of_recovery, json!({})).await.refused(404, "RECOVERY_NOT_FOUND");
    let hers = format!("/api/whatsapp/webhooks/{webhook}/recoveries/{recovery}");
    assert!(a.test.get(&hers).await.ok()["state"] != "cancelled");
    b.test.get(&format!("/api/whatsapp/events?after={event}")).await.refused(410, "EVENTS_GONE");
    assert!(walked > 40, "only {walked} requests: does openapi.json list the routes?");
    assert_eq!(snapshot(&a.test).await, before, "a stranger changed something of A's");
}

/// Objects named in a body are the caller's own as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_name_anothers_session_in_a_body() {
    let app = TestApp::new().await;
    let a = app.tenant("a").await;
    let session = a.linked("main", "5511900000001").await;
    let b = app.tenant("b").await;
    b.phone("5511900000001").await;
    let fault = json!({"sessionId": "main", "kind": "drop"});
    b.test.post("/api/sandbox/faults", fault).await.refused(404, "SESSION_NOT_FOUND");
    let unlink = json!({"sessionId": "main"});
    b.test.post("/api/sandbox/phones/5511900000001/unlink", unlink).await.refused(404, "SESSION_NOT_FOUND");
    // B's phone of the same number is another phone: it cannot scan A's QR, nor read A's messages.
    a.test.post("/api/whatsapp/session", json!({"sessionId": "second"})).await.ok();
    let second = crate::app::Session { caller: &a.test, id: "second".into(), phone: String::new() };
    let qr = second.until_status("qr_ready").await["qrText"].clone();
    b.test
        .post("/api/sandbox/phones/5511900000001/scan", json!({"qr": qr}))
        .await
        .refused(400, "QR_NOT_VALID");
    assert_eq!(session.status().await["status"], "ready");
}

/// It has no end.
fn is_stream(path: &str) -> bool {
    path.ends_with("/events/stream")
}

async fn snapshot(caller: &crate::app::Caller) -> [Value; 11] {
    let jobs = caller.get("/api/whatsapp/bulk-jobs").await.ok();
    // Without what changes while its window comes nearer.
    let jobs = jobs["jobs"].as_array().expect("jobs").iter();
    [
        jobs.map(|job| json!([job["jobId"], job["name"], job["status"], job["paused"]])).collect(),
        caller.get("/api/whatsapp/opt-outs").await.ok(),
        caller.get("/api/whatsapp/settings").await.ok(),
        caller.get("/api/whatsapp/sessions").await.ok(),
        caller.get("/api/whatsapp/messages?direction=out").await.ok()["total"].clone(),
        caller.get("/api/whatsapp/messages?search=private").await.ok()["total"].clone(),
        caller.get("/api/sandbox/phones").await.ok(),
        caller.get("/api/sandbox/groups").await.ok(),
        caller.get("/api/whatsapp/webhooks").await.ok(),
        caller.get("/api/whatsapp/webhook").await.ok(),
        caller.get("/api/whatsapp/media").await.ok(),
    ]
}
