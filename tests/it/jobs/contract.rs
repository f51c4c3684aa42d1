//! Seed 001's bulk broadcast, to the letter, and what is beside it.

use serde_json::json;

use super::{Job, crowd, each_got_it_once};
use crate::app::TestApp;
use crate::on_both_engines;

on_both_engines! {
    async fn a_job_reaches_everybody_once_in_the_seeds_own_words(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", "5511900000001").await;
        let phones = crowd(&shop, 5).await;
        let body = json!({"recipients": phones, "message": "Flash sale!", "delayMin": 10, "delayMax": 20});
        let answer = shop.test.post(&session.path("/send-bulk"), body).await;
        // Samples cut these out of the text: no spaces, and an id of 24 hex digits.
        assert!(answer.text.starts_with("{\"jobId\":\""), "{}", answer.text);
        let made = answer.ok();
        assert_eq!((made["total"].clone(), made["duplicates"].clone()), (json!(5), json!(0)));
        let id = made["jobId"].as_str().unwrap().to_owned();
        assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");

        let job = Job { caller: &shop.test, id };
        let first = job.read().await;
        assert!(["pending", "running", "completed"].contains(&first["status"].as_str().unwrap()));
        let done = job.until_completed().await;
        for (field, value) in [("total", 5), ("succeeded", 5), ("failed", 0), ("processed", 5), ("skipped", 0)] {
            assert_eq!(done[field], json!(value), "{field} of {done}");
        }
        assert_eq!(done["state"], "completed");
        each_got_it_once(&shop.test, &phones, "Flash sale!").await;

        // In the order of the list, each with its message.
        let recipients = job.recipients("").await;
        assert_eq!(recipients.iter().map(|r| r["phone"].as_str().unwrap()).collect::<Vec<_>>(), phones);
        assert!(recipients.iter().all(|r| r["outcome"] == "sent" && r["messageId"].is_string()), "{recipients:?}");
        let log = shop.test.get("/api/whatsapp/messages?limit=100&direction=out").await.ok();
        let sent: Vec<_> = log["messages"].as_array().unwrap().iter().rev().map(|m| m["to"].clone()).collect();
        assert_eq!(sent, phones);

        let list = shop.test.get("/api/whatsapp/bulk-jobs?sessionId=main&state=completed").await.ok();
        assert_eq!(list["jobs"][0]["jobId"], json!(job.id));
        shop.live.get(&job.path("")).await.refused(404, "JOB_NOT_FOUND");
        let results = shop.test.get(&job.path("/results")).await.ok();
        assert_eq!(results["outcomes"]["sent"], json!(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_makes_one_job() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 3).await;
    let body = |text: &str| {
        Some(
            json!({"recipients": phones, "message": text, "delayMin": 0, "delayMax": 0})
                .to_string()
                .into_bytes(),
        )
    };
    let post = |text: &'static str| {
        let headers = [("Idempotency-Key", "sale-1")];
        let (caller, path, body) = (&shop.test, session.path("/send-bulk"), body(text));
        async move { caller.call(reqwest::Method::POST, &path, &headers, body).await }
    };
    let (first, second) = tokio::join!(post("Sale"), post("Sale"));
    assert_eq!(first.ok()["jobId"], second.ok()["jobId"]);
    let again = post("Sale").await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.ok()["total"], json!(3));
    let spaced = body("Sale").map(|bytes| String::from_utf8(bytes).unwrap().replace("\":", "\" : "));
    let headers = [("Idempotency-Key", "sale-1")];
    let path = session.path("/send-bulk");
    let spaced = shop.test.call(reqwest::Method::POST, &path, &headers, spaced.map(String::into_bytes)).await;
    assert_eq!(spaced.ok()["total"], json!(3));
    post("Other").await.refused(400, "IDEMPOTENCY_KEY_REUSED");
    let jobs = shop.test.get("/api/whatsapp/bulk-jobs").await.ok();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "{jobs}");
    let id = jobs["jobs"][0]["jobId"].as_str().unwrap().to_owned();
    Job { caller: &shop.test, id }.until_completed().await;
    each_got_it_once(&shop.test, &phones, "Sale").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_job_is_said_and_changes_nothing() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let path = "/api/whatsapp/session/main/send-bulk";
    let ok = json!(["919876543210"]);
    for (body, code, names) in [
        (json!({"message": "x"}), "NO_RECIPIENTS", "recipients"),
        (json!({"recipients": [], "message": "x"}), "NO_RECIPIENTS", "recipients"),
        (json!({"recipients": ["12", "x"], "message": "x"}), "NO_RECIPIENTS", "row 1"),
        (json!({"recipients": [{"name": "x"}], "message": "x"}), "NO_RECIPIENTS", "row 1"),
        (json!({"recipients": "919876543210", "message": "x"}), "INVALID_RECIPIENTS", "array"),
        (json!({"recipients": ok, "message": ""}), "INVALID_REQUEST", "message"),
        (json!({"recipients": ok}), "INVALID_REQUEST", "message"),
        (json!({"recipients": ok, "message": "x", "type": "poll"}), "INVALID_REQUEST", "options"),
        (json!({"recipients": ok, "message": "x", "delayMin": -1}), "INVALID_REQUEST", "delayMin"),
        (
            json!({"recipients": ok, "message": "x", "delayMin": 9, "delayMax": 8}),
            "INVALID_REQUEST",
            "delayMin",
        ),
        (json!({"recipients": ok, "message": "x", "delayMax": "fast"}), "INVALID_REQUEST", "delayMax"),
        (json!({"recipients": ok, "message": "x", "scheduleAt": "soon"}), "INVALID_REQUEST", "scheduleAt"),
        (
            json!({"recipients": ok, "message": "x", "windows": [{"from": "9am", "to": "18:00"}]}),
            "INVALID_REQUEST",
            "windows",
        ),
        (
            json!({"recipients": ok, "message": "x", "windows": [{"from": "09:00", "to": "09:00"}]}),
            "INVALID_REQUEST",
            "windows",
        ),
        (
            json!({"recipients": ok, "message": "x", "defaultCountry": "XX"}),
            "INVALID_REQUEST",
            "defaultCountry",
        ),
        (
            json!({"recipients": ok, "message": "x", "variants": [{"message": "y"}]}),
            "INVALID_REQUEST",
            "variants",
        ),
        (json!({"recipients": ok, "message": "x", "delaymin": 1}), "INVALID_REQUEST", "delaymin"),
        (json!({"recipients": ok, "message": "x", "type": "image", "url": "y"}), "INVALID_REQUEST", "url"),
        (
            json!({"recipients": ok, "message": "x", "scheduleAt": 1_772_965_800}),
            "INVALID_REQUEST",
            "milliseconds",
        ),
        (
            json!({"recipients": ok, "message": "x", "scheduleAt": "2020-01-01T00:00:00Z"}),
            "INVALID_REQUEST",
            "passed",
        ),
        (
            json!({"recipients": ok, "header": "x", "variants": [{"message": "y"}]}),
            "INVALID_REQUEST",
            "header",
        ),
        (json!({"recipients": ok, "variants": [{"message": "y", "text": "z"}]}), "INVALID_REQUEST", "text"),
        (json!({"recipients": ok, "variants": []}), "INVALID_REQUEST", "variants"),
        (json!({"recipients": ok, "message": "Hi {{name"}), "INVALID_TEMPLATE", "character 4"),
        (json!({"recipients": ok, "message": "Hi {{name}}"}), "UNKNOWN_FIELD", "name"),
    ] {
        for path in [path.to_owned(), format!("{path}/preview")] {
            let answer = shop.test.post(&path, body.clone()).await;
            let refused = answer.refused(400, code);
            assert!(refused["error"].as_str().unwrap().contains(names), "{body}: {refused}");
        }
    }
    let malformed =
        shop.test.call(reqwest::Method::POST, path, &[], Some(b"{\"recipients\":".to_vec())).await;
    malformed.refused(400, "INVALID_JSON");
    let unknown = shop.test.post("/api/whatsapp/session/nobody/send-bulk", json!({})).await;
    unknown.refused(404, "SESSION_NOT_FOUND");
    for id in ["x", "65f1a2b3c4d5e6f7a8b9c0d1", "65F1A2B3C4D5E6F7A8B9C0D1"] {
        shop.test.get(&format!("/api/whatsapp/bulk-job/{id}")).await.refused(404, "JOB_NOT_FOUND");
    }
    let jobs = shop.test.get("/api/whatsapp/bulk-jobs").await.ok();
    assert_eq!(jobs["jobs"], json!([]));
}
