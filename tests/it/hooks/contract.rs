//! What an endpoint is sent, and what its owner reads.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use wapid_core::event::Kind;

use super::{Hook, log_of, something};
use crate::app::{Caller, Engine, TestApp, until};
use crate::description::expect_described_event;
use crate::on_both_engines;
use crate::receiver::{Receiver, key_of, mac};

on_both_engines! {
    /// Seed 001: a URL and a secret, and a message arrives as its samples read it.
    async fn the_one_url_setting_gets_what_seed_001_says(app: TestApp) {
        let shop = app.tenant("shop").await;
        let receiver = Receiver::new().await;
        assert_eq!(shop.test.get("/api/whatsapp/webhook").await.ok(), json!({"url": null}));
        let setting = json!({"url": receiver.url, "secret": "a plain secret of theirs"});
        let set = shop.test.put("/api/whatsapp/webhook", setting).await.ok();
        assert_eq!((&set["secret"], &set["format"]), (&json!("a plain secret of theirs"), &json!("classic")));
        let read = shop.test.get("/api/whatsapp/webhook").await.ok();
        assert_eq!((&read["url"], &read["secret"], &read["hasSecret"]), (&json!(receiver.url), &Value::Null, &json!(true)));

        let session = shop.linked("main", "5511900000001").await;
        let customer = shop.phone("5511900000002").await;
        let id = customer.send(&session.phone, "Do you deliver to São Paulo? 🚚").await;
        let got = receiver.until_gets("a message", |got| got.json()["event"] == "message").await;
        let body = got.json();
        assert_eq!(body["tenantId"], app.gateway().store.tenants().await.unwrap().iter().find(|t| t.name == "shop").unwrap().id.0);
        assert_eq!((&body["sessionId"], &body["timestamp"].is_i64()), (&json!("main"), &true));
        let data = &body["data"];
        let known = json!([data["id"], data["from"], data["body"], data["type"], data["isGroup"], data["hasMedia"]]);
        assert_eq!(known, json!([id, "5511900000002@s.whatsapp.net", "Do you deliver to São Paulo? 🚚", "text", false, false]));
        // One line in any language: the field at the end, of the body without it.
        let text = std::str::from_utf8(&got.body).unwrap();
        let (signed, field) = text.rsplit_once(",\"signature\":\"").expect("the field is the last one");
        let expected = hex::encode(mac(b"a plain secret of theirs", format!("{signed}}}").as_bytes()));
        assert_eq!(field, format!("{expected}\"}}"));
        assert_eq!(got.header("x-webhook-signature"), format!("sha256={}", hex::encode(mac(b"a plain secret of theirs", &got.body))));
        assert!(got.is_signed_with(b"a plain secret of theirs"));
        assert_eq!(got.header("x-webhook-event"), "message");

        // Only its own four words, in the order of a link.
        session.caller.post(&session.path("/disconnect"), json!({})).await.ok();
        receiver.until_gets("disconnected", |got| got.json()["event"] == "disconnected").await;
        let words: BTreeSet<_> =
            receiver.all().iter().map(|got| got.json()["event"].as_str().unwrap().to_owned()).collect();
        assert_eq!(words.into_iter().collect::<Vec<_>>(), ["disconnected", "message", "qr", "ready"]);
        assert!(!receiver.all().iter().any(|got| String::from_utf8_lossy(&got.body).contains("\"2@")), "a QR left the house");

        // A secret of "" signs nothing; the URL stays.
        let unsigned = shop.test.put("/api/whatsapp/webhook", json!({"secret": ""})).await.ok();
        assert_eq!((&unsigned["hasSecret"], &unsigned["url"]), (&json!(false), &json!(receiver.url)));
        let sent = shop.test.post("/api/whatsapp/webhook/test", json!({})).await.ok();
        assert_eq!(sent["success"], true);
        let got = receiver.until_gets("the test", |got| got.json()["event"] == "test").await;
        assert!(got.json().get("signature").is_none() && got.header("webhook-signature").is_empty());
        shop.test.delete("/api/whatsapp/webhook").await.ok();
        shop.test.post("/api/whatsapp/webhook/test", json!({})).await.refused(404, "WEBHOOK_NOT_FOUND");
    }
}

on_both_engines! {
    /// What is sent is what the log says, once, in the standard shape, and only what was asked for.
    async fn an_endpoint_gets_what_the_log_holds(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (all, narrow) = (Receiver::new().await, Receiver::new().await);
        let hook = Hook::new(&shop.test, &all, json!({"headers": {"Authorization": "Bearer mine"}})).await;
        Hook::new(&shop.test, &narrow, json!({"events": ["message.*"], "sessions": ["main"], "profile": "ranvedix"})).await;
        let session = shop.linked("main", "5511900000001").await;
        let other = shop.linked("other", "5511900000003").await;
        let customer = shop.phone("5511900000002").await;
        session.send(&customer.phone, "Your code is 1234").await.ok();
        customer.send(&session.phone, "thanks").await;
        customer.send(&other.phone, "hello there").await;
        let last = something(&shop.test, 7).await;
        let log = until("all happened and was taken", || async {
            let log = log_of(&shop.test, "").await;
            let count = |kind: &str| log.iter().filter(|event| event["type"] == kind).count();
            let taken = all.taken();
            let is_taken = log.iter().all(|event| taken.iter().any(|id| event["id"] == id.as_str()));
            let is_all = count("message.received") == 2 && count("message.delivered") == 1;
            (is_all && is_taken && taken.contains(&last)).then_some(log)
        })
        .await;
        assert!(log.len() >= 12, "{} events", log.len());
        for event in &log {
            let got: Vec<_> = all.all().into_iter().filter(|got| got.id() == event["id"]).collect();
            assert_eq!(got.len(), 1, "{event}");
            let mut body = got[0].json();
            let extra = (body["tenantId"].take(), body["mode"].take());
            assert!(extra.0.is_string() && extra.1 == "test");
            for field in ["tenantId", "mode", "signature"] {
                body.as_object_mut().unwrap().remove(field);
            }
            assert_eq!(&body, event);
            assert!(got[0].is_signed_with(&key_of(&hook.secret)));
            assert_eq!(got[0].header("authorization"), "Bearer mine");
        }
        let positions: Vec<_> = log.iter().map(|event| event["position"].as_i64().unwrap()).collect();
        assert_eq!(positions, (1..=i64::try_from(log.len()).unwrap()).collect::<Vec<_>>());
        are_as_documented(&shop.test, &log).await;
        // The other one's: messages of one session, in its own profile. What was delivered before WhatsApp said
        // that it was sent has no event of that step.
        let is_wanted = |event: &&Value| event["type"].as_str().unwrap().starts_with("message.") && event["sessionId"] == "main";
        let wanted: BTreeSet<_> = log.iter().filter(is_wanted).map(|event| event["id"].as_str().unwrap()).collect();
        assert!(wanted.len() >= 2, "{wanted:?}");
        until("all of them", || async { (narrow.count() >= wanted.len()).then_some(()) }).await;
        assert_eq!(narrow.all().iter().map(|got| got.id()).collect::<BTreeSet<_>>(), wanted);
        for got in narrow.all() {
            let body = got.json();
            assert!(body["type"].as_str().unwrap().starts_with("message.") && body["sessionId"] == "main", "{body}");
            assert!(got.header("x-ranvedix-signature-256").starts_with("sha256="));
            assert!(body.get("signature").is_none());
        }
        // A person keeps one id, whether written to or heard.
        let contacts: Vec<_> = log.iter().filter(|event| event["data"]["phone"] == "5511900000002").map(|event| event["data"]["contactId"].clone()).collect();
        assert!(contacts.len() >= 3 && contacts.iter().all(|id| id.as_str().is_some_and(|id| id.starts_with("con_")) && *id == contacts[0]), "{contacts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_event_shows_the_exact_request_and_what_to_do_about_a_refusal() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let receiver =
        Receiver::answering(|_, _| (StatusCode::UNAUTHORIZED, "wrong signature").into_response()).await;
    let hook = Hook::new(&shop.test, &receiver, json!({"headers": {"X-Token": "secret token"}})).await;
    let answer = shop.test.post(&hook.path("/test"), json!({})).await;
    assert!(!answer.text.contains("secret token"), "an owner's header is shown");
    let sent = answer.ok();
    let shown = (&sent["success"], &sent["status"], &sent["error"], &sent["answer"]);
    assert_eq!(shown, (&json!(false), &json!(401), &json!("unauthorized"), &json!("wrong signature")));
    assert!(sent["hint"].as_str().unwrap().contains("secret"), "{sent}");
    let got = receiver.all().pop().expect("one request");
    assert_eq!(sent["request"]["body"], String::from_utf8_lossy(&got.body).as_ref());
    assert_eq!(got.header("x-token"), "secret token");
    for header in sent["request"]["headers"].as_array().unwrap() {
        if let Some(value) = header["value"].as_str() {
            assert_eq!(got.header(header["name"].as_str().unwrap()), value);
        }
    }
    // It is of no log, and counts for nothing.
    assert_eq!(hook.read().await["failures"], 0);
    assert!(log_of(&shop.test, "").await.iter().all(|event| event["type"] != "test"));
}

on_both_engines! {
    async fn every_attempt_is_kept_and_a_delivery_can_be_asked_for_again(app: TestApp) {
        let shop = app.tenant("shop").await;
        let receiver = Receiver::answering(|_, before| match before {
            0 => (StatusCode::INTERNAL_SERVER_ERROR, "x".repeat(20_000)).into_response(),
            _ => StatusCode::OK.into_response(),
        })
        .await;
        let hook = Hook::new(&shop.test, &receiver, json!({})).await;
        let event = something(&shop.test, 1).await;
        let story = hook.until_is(&event, "delivered").await;
        assert_eq!((&story["attempts"], &story["event"]["id"]), (&json!(2), &json!(event)));
        let tried = story["tried"].as_array().unwrap();
        assert_eq!((&tried[0]["status"], &tried[0]["error"], &tried[0]["cause"]), (&json!(500), &json!("server_error"), &json!("schedule")));
        assert_eq!(tried[0]["answer"].as_str().unwrap().len(), 8 << 10);
        assert_eq!((&tried[1]["status"], &tried[1]["error"]), (&json!(200), &Value::Null));
        let list = shop.test.get(&hook.path("/deliveries?state=delivered")).await.ok();
        assert_eq!(list["deliveries"][0]["eventId"], event);
        assert_eq!(shop.test.get(&hook.path("/deliveries?state=failed")).await.ok()["deliveries"], json!([]));

        shop.test.post(&hook.path(&format!("/deliveries/{event}/retry")), json!({})).await.ok();
        let story = until("a third attempt", || async {
            let story = hook.delivery(&event).await;
            (story["attempts"] == 3 && story["state"] == "delivered").then_some(story)
        })
        .await;
        assert_eq!(story["tried"][2]["cause"], "replay");
        assert_eq!(receiver.all().iter().filter(|got| got.id() == event).count(), 3);
        shop.test.get(&hook.path("/deliveries/evt_nobody")).await.refused(404, "EVENT_NOT_FOUND");
    }
}

on_both_engines! {
    /// T25.
    async fn what_an_answer_asks_for_is_heeded(app: TestApp) {
        let shop = app.tenant("shop").await;
        let gone = Receiver::answering(|_, _| StatusCode::GONE.into_response()).await;
        let busy = Receiver::answering(|_, before| match before {
            0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3")]).into_response(),
            _ => StatusCode::OK.into_response(),
        })
        .await;
        let moved = Receiver::answering(|_, _| (StatusCode::FOUND, [("location", "http://127.0.0.1:1/")]).into_response()).await;
        let watch = Receiver::new().await;
        let (off, slow, redirects) = (
            Hook::new(&shop.test, &gone, json!({})).await,
            Hook::new(&shop.test, &busy, json!({})).await,
            Hook::new(&shop.test, &moved, json!({"maxAttempts": 1})).await,
        );
        Hook::new(&shop.test, &watch, json!({"events": ["endpoint.*"]})).await;
        let event = something(&shop.test, 1).await;

        let disabled = until("410 turns it off", || async {
            let hook = off.read().await;
            (hook["enabled"] == false).then_some(hook)
        })
        .await;
        assert_eq!(disabled["reason"], "gone");
        let told = watch.until_gets("that is told", |got| got.json()["type"] == "endpoint.disabled").await.json();
        assert_eq!((&told["data"]["endpointId"], &told["data"]["reason"], &told["data"]["lastAttempt"]["status"]), (&json!(off.id), &json!("gone"), &json!(410)));
        something(&shop.test, 2).await;
        let second = something(&shop.test, 3).await;
        slow.until_is(&second, "delivered").await;
        assert!(!gone.all().iter().any(|got| got.id() == second), "what is off is sent to");
        let before = gone.count();
        assert!(before <= 8, "an endpoint that was turned off gets no more than what was on its way: {before}");

        slow.until_is(&event, "delivered").await;
        let times: Vec<_> = busy.all().into_iter().filter(|got| got.id() == event).map(|got| got.at).collect();
        assert!(times[1] - times[0] >= Duration::from_secs(3), "{:?}", times[1] - times[0]);

        let failed = redirects.until_is(&event, "failed").await;
        assert_eq!((&failed["tried"][0]["error"], &failed["attempts"]), (&json!("redirect"), &json!(1)));
        let told = watch.until_gets("that is told", |got| got.json()["type"] == "endpoint.exhausted").await.json();
        assert_eq!((&told["data"]["endpointId"], &told["data"]["attempts"]), (&json!(redirects.id), &json!(1)));

        // Turned on, it goes on with what waited; 410 again turns it off again.
        let on = shop.test.post(&off.path("/enable"), json!({})).await.ok();
        assert_eq!((&on["enabled"], &on["failures"]), (&json!(true), &json!(0)));
    }
}

/// T24: at every instant of a rotation each request verifies with a secret that its owner knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_under_load_is_noticed_by_nobody() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let receiver = Receiver::new().await;
    let hook = Hook::new(&shop.test, &receiver, json!({})).await;
    let mut secrets = vec![hook.secret.clone()];
    let load = async {
        for number in 0..300 {
            shop.test
                .post("/api/whatsapp/opt-outs", json!({"phone": format!("55119{number:08}")}))
                .await
                .ok();
        }
    };
    let rotate = async {
        let mut counts = vec![];
        for _ in 0..3 {
            let before = receiver.count();
            until("some are sent", || async { (receiver.count() > before + 20).then_some(()) }).await;
            let rotated = shop.test.post(&hook.path("/rotate-secret"), json!({"graceHours": 1})).await.ok();
            counts.push(receiver.count());
            secrets.push(rotated["secret"].as_str().unwrap().to_owned());
        }
        counts
    };
    let ((), counts) = tokio::join!(load, rotate);
    until("all were sent", || async { (receiver.count() >= 300).then_some(()) }).await;
    let all = receiver.all();
    let keys: Vec<_> = secrets.iter().map(|secret| key_of(secret)).collect();
    for got in &all {
        // A receiver that has not changed over yet knows the first only; the first signs all the while.
        assert!(got.is_signed_with(&keys[0]), "an old secret went too early");
    }
    assert!(all[counts[2] + 70..].iter().all(|got| got.is_signed_with(&keys[3])), "a new secret is not used");
    assert!(!all[..counts[0]].iter().any(|got| got.is_signed_with(&keys[3])));
    // Without grace the old ones are worth nothing at once.
    let rotated = shop.test.post(&hook.path("/rotate-secret"), json!({"graceHours": 0})).await.ok();
    let event = something(&shop.test, 999).await;
    let got = receiver.until_gets("one more", |got| got.id() == event).await;
    assert!(got.is_signed_with(&key_of(rotated["secret"].as_str().unwrap())));
    assert!(!keys.iter().any(|key| got.is_signed_with(key)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_is_refused_with_reasons_and_changes_nothing() {
    let app = TestApp::with(Engine::Sqlite, |config| config.ssrf_allow = "".parse().unwrap()).await;
    let shop = app.tenant("shop").await;
    let path = "/api/whatsapp/webhooks";
    for url in [
        "http://127.0.0.1/hook",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "https://2130706433/",
        "https://0x7f.1/",
        "ftp://example.com/",
        "https://user:pass@example.com/",
        "https://example.com:6379/",
        "gopher://x",
        "",
        "not a url",
        "https://metadata.google.internal/",
        "https://[::ffff:10.0.0.1]/",
        "https://0/",
    ] {
        let refused = shop.test.post(path, json!({"url": url})).await;
        refused.refused(400, "URL_NOT_ALLOWED");
        shop.test.put("/api/whatsapp/webhook", json!({"url": url})).await.refused(400, "URL_NOT_ALLOWED");
    }
    shop.live.post(path, json!({"url": "http://example.com/"})).await.refused(400, "URL_NOT_ALLOWED");
    let url = "https://example.com/hook";
    for body in [
        json!({}),
        json!({"url": 7}),
        json!({"url": url, "what": 1}),
        json!({"url": url, "events": ["mess"]}),
        json!({"url": url, "events": vec!["*"; 101]}),
        json!({"url": url, "sessions": ["a/b"]}),
        json!({"url": url, "secret": ""}),
        json!({"url": url, "secret": "whsec_!!"}),
        json!({"url": url, "secret": "x".repeat(257)}),
        json!({"url": url, "concurrency": 0}),
        json!({"url": url, "concurrency": 65}),
        json!({"url": url, "maxAttempts": 12}),
        json!({"url": url, "timeoutMs": 10}),
        json!({"url": url, "profile": "nobody"}),
        json!({"url": url, "profile": {"signatureHeader": "a b"}}),
        json!({"url": url, "headers": {"a b": "c"}}),
        json!({"url": url, "headers": {"x": "c\r\nd"}}),
        json!({"url": url, "headers": {"webhook-id": "mine"}}),
        json!({"url": url, "headers": {"Host": "mine"}}),
        json!({"url": url, "description": "x".repeat(201)}),
        json!({"url": url, "format": "xml"}),
        json!([]),
        json!(null),
    ] {
        let refused = shop.test.post(path, body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "INVALID_REQUEST"), "{body}");
    }
    assert!(!shop.test.post(path, json!([])).await.text.contains("Given"), "our own names help nobody");
    assert_eq!(shop.test.get(path).await.ok(), json!({"webhooks": []}));
    assert_eq!(shop.test.get("/api/whatsapp/webhook").await.ok(), json!({"url": null}));
    // A name that nobody knows yet may be made tomorrow; what it leads to is looked at again then.
    let made = shop.test.post(path, json!({"url": "https://hooks.example.invalid/x"})).await.ok();
    let own = format!("{path}/{}", made["id"].as_str().unwrap());
    for (tail, body) in [
        ("/rotate-secret", json!({"graceHours": 169})),
        ("/rotate-secret", json!({"secret": "whsec_"})),
        ("/recover", json!({})),
        ("/recover", json!({"since": "yesterday"})),
        ("/recover", json!({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"})),
        ("/enable", json!({"recover": 1})),
        ("/test", json!({"x": 1})),
    ] {
        shop.test.post(&format!("{own}{tail}"), body).await.refused(400, "INVALID_REQUEST");
    }
    for query in ["state=lost", "limit=0", "limit=201", "cursor=x", "page=1"] {
        shop.test.get(&format!("{own}/deliveries?{query}")).await.refused(400, "INVALID_PARAMETER");
    }
    for number in 1..50 {
        shop.test.post(path, json!({"url": format!("https://hooks.example.invalid/{number}")})).await.ok();
    }
    shop.test.post(path, json!({"url": url})).await.refused(400, "TOO_MANY_WEBHOOKS");
}

on_both_engines! {
    async fn an_endpoint_is_changed_turned_off_and_removed(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (old, new) = (Receiver::new().await, Receiver::new().await);
        let hook = Hook::new(&shop.test, &old, json!({"description": "the old one", "headers": {"x-a": "1"}})).await;
        let first = something(&shop.test, 1).await;
        hook.until_is(&first, "delivered").await;
        let wish = json!({"url": new.url, "events": ["optout.added"], "description": ""});
        let changed = shop.test.patch(&hook.path(""), wish).await;
        assert!(!changed.text.contains(&hook.secret) && !changed.text.contains("the old one"));
        let second = something(&shop.test, 2).await;
        hook.until_is(&second, "delivered").await;
        let got = new.all().pop().expect("the new one got it");
        assert!(got.id() == second && got.is_signed_with(&key_of(&hook.secret)) && got.header("x-a") == "1");
        assert_eq!(old.count(), 1);
        // Off: what happens is not for it. On: what happens from here on is.
        let off = shop.test.post(&hook.path("/disable"), json!({})).await.ok();
        assert_eq!((&off["enabled"], &off["reason"]), (&json!(false), &json!("owner")));
        let third = something(&shop.test, 3).await;
        let on = shop.test.post(&hook.path("/enable"), json!({})).await.ok();
        assert_eq!((&on["enabled"], &on["reason"]), (&json!(true), &Value::Null));
        let fourth = something(&shop.test, 4).await;
        hook.until_is(&fourth, "delivered").await;
        shop.test.get(&hook.path(&format!("/deliveries/{third}"))).await.refused(404, "EVENT_NOT_FOUND");
        let types: Vec<_> = log_of(&shop.test, "types=endpoint.*").await.iter().map(|event| event["type"].clone()).collect();
        assert_eq!(types, ["endpoint.disabled", "endpoint.enabled"]);
        shop.test.delete(&hook.path("")).await.ok();
        shop.test.get(&hook.path("")).await.refused(404, "WEBHOOK_NOT_FOUND");
        something(&shop.test, 5).await;
        assert_eq!(shop.test.get("/api/whatsapp/webhooks").await.ok(), json!({"webhooks": []}));
        // What is left of it goes with the next tidying.
        let store = &app.gateway().store;
        store.tidy(store.clock().now()).await.unwrap();
        assert_eq!(store.deliveries_waiting().await.unwrap(), 0);
        assert_eq!(new.count(), 2);
    }
}

/// Every field is in `openapi.json`, and every field that it requires is there.
async fn are_as_documented(caller: &Caller, log: &[Value]) {
    let document = caller.get("/openapi.json").await.ok();
    let schemas = &document["components"]["schemas"];
    let known: Vec<_> = Kind::ALL.iter().map(|kind| json!(kind.as_str())).collect();
    assert_eq!(schemas["EventType"]["enum"], json!(known));
    let mut seen = std::collections::BTreeSet::new();
    for event in log {
        expect_described_event(event);
        seen.insert(event["type"].as_str().unwrap());
    }
    assert!(seen.len() >= 4, "only {seen:?}");
}

/// Some proxies and frameworks answer with a great many headers; an event that was taken was taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_may_answer_with_many_headers() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let receiver = Receiver::answering(|_, _| {
        let mut answer = StatusCode::OK.into_response();
        for number in 0..400 {
            let name: axum::http::HeaderName = format!("x-trace-{number}").parse().unwrap();
            answer.headers_mut().insert(name, axum::http::HeaderValue::from_static("of a proxy"));
        }
        answer
    })
    .await;
    let hook = Hook::new(&shop.test, &receiver, json!({})).await;
    let event = something(&shop.test, 1).await;
    let story = hook.until_is(&event, "delivered").await;
    assert_eq!((&story["attempts"], &story["tried"][0]["status"]), (&json!(1), &json!(200)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_can_be_guessed_is_refused_at_every_door_and_one_in_use_stays() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let made = shop.test.post("/api/whatsapp/webhooks", json!({"url": "http://127.0.0.1:9/"})).await.ok();
    let path = format!("/api/whatsapp/webhooks/{}", made["id"].as_str().unwrap());
    for secret in ["x", "fifteen bytes..", "whsec_AAEC"] {
        let body = json!({"url": "http://127.0.0.1:9/", "secret": secret});
        for refused in [
            shop.test.post("/api/whatsapp/webhooks", body.clone()).await,
            shop.test.put("/api/whatsapp/webhook", body.clone()).await,
            shop.test.patch(&path, json!({"secret": secret})).await,
            shop.test.post(&format!("{path}/rotate-secret"), json!({"secret": secret})).await,
        ] {
            let words = refused.refused(400, "SECRET_TOO_SHORT")["error"].to_string();
            assert!(words.contains("16") && !words.contains(secret), "{words}");
        }
    }
    // What nobody names is not asked about.
    shop.test.patch(&path, json!({"description": "as before"})).await.ok();
}
