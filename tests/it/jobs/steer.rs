//! Pause, resume, cancel, try again.

use serde_json::json;

use super::{Job, crowd, each_got_it_once, shown};
use crate::app::{TestApp, until};
use crate::on_both_engines;

on_both_engines! {
    async fn a_paused_job_sends_nothing_more_and_goes_on_with_the_next(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", "5511900000001").await;
        let phones = crowd(&shop, 40).await;
        let body = json!({"recipients": phones, "message": "Hi", "delayMin": 5, "delayMax": 25});
        let job = session.bulk(body).await;
        job.until_processed(5).await;
        let paused = job.post("/pause").await.ok();
        assert_eq!((paused["state"].clone(), paused["status"].clone()), (json!("paused"), json!("running")));
        assert_eq!(paused["paused"], json!(true));
        let before = paused["processed"].as_i64().unwrap();
        assert!(before < 40, "it was over before it was paused");
        // Another job on the same session shows that time has passed for this one too.
        let other = session.quick(&["5511900000001".to_owned()], "to myself").await;
        other.until_completed().await;
        let still = job.read().await;
        // What had left when the pause was asked for may still have been counted.
        assert!(still["processed"].as_i64().unwrap() <= before + 1, "{still}");
        let on_phones = futures::future::join_all(phones.iter().map(|p| shown(&shop.test, p))).await;
        assert_eq!(json!(on_phones.iter().filter(|m| !m.is_empty()).count()), still["processed"]);

        job.post("/pause").await.ok();
        let resumed = job.post("/resume").await.ok();
        assert_eq!(resumed["paused"], json!(false));
        job.until_completed().await;
        each_got_it_once(&shop.test, &phones, "Hi").await;
        job.post("/pause").await.refused(400, "JOB_IS_OVER");
        job.post("/cancel").await.refused(400, "JOB_IS_OVER");
    }
}

on_both_engines! {
    async fn a_cancelled_job_never_sends_again(app: TestApp) {
        let mut app = app;
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", "5511900000001").await;
        let phones = crowd(&shop, 30).await;
        let body = json!({"recipients": phones, "message": "Hi", "delayMin": 5, "delayMax": 25});
        let job = session.bulk(body).await;
        job.until_processed(3).await;
        let cancelled = job.post("/cancel").await.ok();
        // Pollers end on `failed`; the reason tells them apart.
        assert_eq!((cancelled["status"].clone(), cancelled["reason"].clone()), (json!("failed"), json!("cancelled")));
        let processed = cancelled["processed"].as_i64().unwrap();
        app.stop().await;
        app.start().await;
        let shop = crate::app::Tenant {
            test: crate::app::Caller::new(app.url(), &shop.test.key),
            live: crate::app::Caller::new(app.url(), &shop.live.key),
            live_key: shop.live_key.clone(),
        };
        let session = crate::app::Session { caller: &shop.test, id: "main".into(), phone: "5511900000001".into() };
        session.until_ready().await;
        let job = Job { caller: &shop.test, id: job.id };
        session.quick(&["5511900000001".to_owned()], "after").await.until_completed().await;
        let after = job.read().await;
        assert_eq!(after["state"], "cancelled");
        assert!(after["processed"].as_i64().unwrap() <= processed + 1, "{after}");
        let counts = futures::future::join_all(phones.iter().map(|p| shown(&shop.test, p))).await;
        assert_eq!(json!(counts.iter().filter(|m| !m.is_empty()).count()), after["processed"]);
        let left = job.recipients("&outcome=cancelled").await;
        assert_eq!(json!(30 - left.len()), after["processed"]);
        job.post("/resume").await.refused(400, "JOB_IS_OVER");
        job.post("/retry-failed").await.refused(400, "JOB_IS_OVER");
    }
}

on_both_engines! {
    async fn those_who_failed_can_be_tried_again(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", "5511900000001").await;
        let mut phones = crowd(&shop, 4).await;
        let late = "5511799999999".to_owned();
        phones.insert(2, late.clone());
        let job = session.quick(&phones, "Hi").await;
        let done = job.until_completed().await;
        assert_eq!((done["succeeded"].clone(), done["failed"].clone()), (json!(4), json!(1)));
        let failed = job.recipients("&outcome=failed").await;
        assert_eq!((failed[0]["phone"].clone(), failed[0]["code"].clone()), (json!(late), json!("NOT_ON_WHATSAPP")));
        assert_eq!(failed[0]["row"], json!(3));

        shop.phone(&late).await;
        let retried = job.post("/retry-failed").await.ok();
        assert_eq!(retried["retried"], json!(1));
        let done = job.until("completed again", |job| job["succeeded"] == json!(5)).await;
        assert_eq!((done["status"].clone(), done["failed"].clone()), (json!("completed"), json!(0)));
        each_got_it_once(&shop.test, &phones, "Hi").await;
    }
}

/// The log can tell which messages were a job's, and a job which of its messages were read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_tells_who_got_it_and_who_read_it() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 2).await;
    let job = session.quick(&phones, "Hi").await;
    job.until_completed().await;
    let id = job.recipients("").await[0]["messageId"].clone();
    shop.test.post(&format!("/api/sandbox/phones/{}/read", phones[0]), json!({"messageId": id})).await.ok();
    until("one is read", || async {
        let recipients = job.recipients("").await;
        (recipients[0]["messageStatus"] == "read" && recipients[0]["readAt"].is_string()).then_some(())
    })
    .await;
    until("both are delivered", || async {
        let results = shop.test.get(&job.path("/results")).await.ok();
        (results["messages"] == json!({"sent": 2, "delivered": 2, "read": 1})).then_some(())
    })
    .await;
    let csv = shop.test.get(&job.path("/recipients?format=csv")).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with(&format!("1,'{},,sent,read,", phones[0])), "{}", lines[1]);
}
