//! Who does not want to be written to is not.

use serde_json::json;

use super::{crowd, shown};
use crate::app::{Tenant, TestApp, until};
use crate::on_both_engines;

async fn settings(shop: &Tenant, body: serde_json::Value) -> crate::app::Answer {
    let bytes = Some(body.to_string().into_bytes());
    shop.test.call(reqwest::Method::PUT, "/api/whatsapp/settings", &[], bytes).await
}

async fn until_opted_out(shop: &Tenant, phone: &str, is: bool) {
    until("the list of opt-outs", || async {
        let list = shop.test.get("/api/whatsapp/opt-outs").await.ok();
        let on = list["optOuts"].as_array().unwrap().iter().any(|one| one["phone"] == phone);
        (on == is).then_some(())
    })
    .await;
}

on_both_engines! {
    async fn whoever_says_stop_is_left_alone_from_then_on(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", "5511900000001").await;
        let phones = crowd(&shop, 4).await;
        settings(&shop, json!({"confirmation": "You get no more offers from us."})).await.ok();
        let ana = shop.phone(&phones[1]).await;
        ana.send(&session.phone, "please stop by at noon").await;
        ana.send(&session.phone, "Stop!").await;
        until_opted_out(&shop, &phones[1], true).await;
        ana.until_shows("You get no more offers from us.").await;
        // Said twice, confirmed once.
        ana.send(&session.phone, "STOP").await;
        shop.test.post("/api/whatsapp/opt-outs", json!({"phone": phones[2]})).await.ok();

        let job = session.quick(&phones, "Offer").await;
        let done = job.until_completed().await;
        let count = |field: &str| done[field].as_i64().unwrap();
        assert_eq!((count("total"), count("succeeded"), count("skipped"), count("processed")), (4, 2, 2, 4));
        let skipped = job.recipients("&outcome=skipped").await;
        assert_eq!(skipped.iter().map(|one| one["phone"].clone()).collect::<Vec<_>>(), [json!(phones[1]), json!(phones[2])]);
        assert_eq!(skipped[0]["code"], "OPTED_OUT");
        assert_eq!(ana.inbox().await["messages"].as_array().unwrap().iter().filter(|m| m["message"] == "Offer").count(), 0);
        // An OTP that they ask for still comes.
        session.send(&phones[1], "Your OTP is 123456").await.ok();
        let texts = shown(&shop.test, &phones[1]).await;
        let told = texts.iter().filter(|text| text.contains("no more offers")).count();
        assert_eq!(told, 1, "{texts:?}");

        // And back.
        ana.send(&session.phone, "start").await;
        until_opted_out(&shop, &phones[1], false).await;
        session.quick(&phones[1..2], "Offer").await.until_completed().await;
        ana.until_shows("Offer").await;
        shop.test.delete(&format!("/api/whatsapp/opt-outs/{}", phones[2])).await.ok();
        let again = shop.test.delete(&format!("/api/whatsapp/opt-outs/{}", phones[2])).await;
        again.refused(404, "NOT_OPTED_OUT");
    }
}

/// In the middle of a job, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_counts_for_jobs_that_run() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 30).await;
    let body = json!({"recipients": phones, "message": "Offer", "delayMin": 20, "delayMax": 40});
    let job = session.bulk(body).await;
    job.until_processed(3).await;
    let last = phones.last().unwrap();
    shop.test.post("/api/whatsapp/opt-outs", json!({"phone": last})).await.ok();
    let done = job.until_completed().await;
    assert_eq!((done["succeeded"].clone(), done["skipped"].clone()), (json!(29), json!(1)));
    assert!(shown(&shop.test, last).await.is_empty());
}

/// Brazil's mobile numbers go with a 9 and without it, and WhatsApp knows some people by the older one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_opted_out_is_left_alone_under_every_spelling() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 1).await;
    let ana = shop.phone("551160000001").await;
    ana.send(&session.phone, "Stop!").await;
    until_opted_out(&shop, "551160000001", true).await;
    shop.test.post("/api/whatsapp/opt-outs", json!({"phone": "+52 1 55 1234 5678"})).await.ok();

    let list = [phones[0].clone(), "5511960000001".to_owned(), "525512345678".to_owned()];
    let job = session.quick(&list, "Offer").await;
    let done = job.until_completed().await;
    assert_eq!((&done["succeeded"], &done["skipped"]), (&json!(1), &json!(2)));
    let optouts = shop.test.get("/api/whatsapp/opt-outs").await.ok();
    let listed = optouts["optOuts"].as_array().unwrap().iter().map(|one| one["phone"].as_str().unwrap());
    assert_eq!(listed.collect::<Vec<_>>(), ["5215512345678", "551160000001"], "each once, as it was given");

    settings(&shop, json!({"optOutScope": "all"})).await.ok();
    shop.phone("525512345678").await;
    session.send("525512345678", "OTP").await.refused(400, "RECIPIENT_OPTED_OUT");

    shop.test.delete("/api/whatsapp/opt-outs/5511960000001").await.ok();
    until_opted_out(&shop, "551160000001", false).await;
    shop.test.delete("/api/whatsapp/opt-outs/551160000001").await.refused(404, "NOT_OPTED_OUT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opt_out_may_be_written_as_people_of_the_country_do() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    settings(&shop, json!({"defaultCountry": "BR"})).await.ok();
    let put = shop.test.post("/api/whatsapp/opt-outs", json!({"phone": "(11) 96000-0001"})).await.ok();
    assert_eq!(put["phone"], "5511960000001");
    until_opted_out(&shop, "5511960000001", true).await;
    let taken = shop.test.delete("/api/whatsapp/opt-outs/11%2096000-0001").await.ok();
    assert_eq!((&taken["phone"], &taken["optedOut"]), (&json!("5511960000001"), &json!(false)));
    // Without a country it could be anybody's.
    settings(&shop, json!({})).await.ok();
    let refused = shop.test.post("/api/whatsapp/opt-outs", json!({"phone": "011 96000-0001"})).await;
    refused.refused(400, "INVALID_RECIPIENT");
}

/// A filter that is not understood must not answer everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_not_understood_is_refused() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.linked("main", "5511900000001").await;
    for path in ["bulk-jobs?status=running", "bulk-jobs?State=running", "opt-outs?number=5511960000001"] {
        let refused = shop.test.get(&format!("/api/whatsapp/{path}")).await;
        let refused = refused.refused(400, "INVALID_PARAMETER");
        assert!(refused["error"].as_str().unwrap().contains("there is no such parameter"), "{refused}");
    }
    shop.test.get("/api/whatsapp/bulk-jobs?state=running").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_may_want_opt_outs_to_count_for_every_message() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 1).await;
    settings(&shop, json!({"optOutScope": "all", "stopWords": ["chega"]})).await.ok();
    let ana = shop.phone(&phones[0]).await;
    ana.send(&session.phone, "stop").await;
    ana.send(&session.phone, "CHEGA").await;
    until_opted_out(&shop, &phones[0], true).await;
    session.send(&phones[0], "OTP").await.refused(400, "RECIPIENT_OPTED_OUT");
    assert!(shown(&shop.test, &phones[0]).await.iter().all(|text| text != "OTP"));
    settings(&shop, json!({})).await.ok();
    session.send(&phones[0], "OTP").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_make_no_sense_change_nothing() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    settings(&shop, json!({"defaultCountry": "br"})).await.ok();
    for (body, names) in [
        (json!({"defaultCountry": "Brazil"}), "defaultCountry"),
        (json!({"windows": [{"days": ["monday"], "from": "09:00", "to": "10:00"}]}), "windows"),
        (json!({"stopWords": [""]}), "stopWords"),
        (json!({"confirmation": "x".repeat(501)}), "confirmation"),
        (json!({"optOutScope": "some"}), "optOutScope"),
        (json!({"colour": "red"}), "colour"),
    ] {
        let refused = settings(&shop, body).await.refused(400, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains(names), "{refused}");
    }
    assert_eq!(shop.test.get("/api/whatsapp/settings").await.ok()["defaultCountry"], "BR");
    assert_eq!(shop.live.get("/api/whatsapp/settings").await.ok()["defaultCountry"], serde_json::Value::Null);
    shop.test
        .post("/api/whatsapp/opt-outs", json!({"phone": "hello"}))
        .await
        .refused(400, "INVALID_RECIPIENT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_in_any_language_of_the_field_is_understood() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let wishes = [
        "please stop sending me messages",
        "Não quero mais receber mensagens",
        "停止",
        "إيقاف",
        "ＳＴＯＰ",
        "berhenti",
    ];
    let phones = crowd(&shop, wishes.len() + 2).await;
    let ordinary = ["where is the bus stop?", "cancel my order 12"];
    for (phone, text) in phones.iter().zip(ordinary.iter().chain(&wishes)) {
        shop.phone(phone).await.send(&session.phone, text).await;
    }
    for phone in &phones[ordinary.len()..] {
        until_opted_out(&shop, phone, true).await;
    }
    for phone in &phones[..ordinary.len()] {
        until_opted_out(&shop, phone, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_words_are_shown_and_can_be_given_back() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let shown = shop.test.get("/api/whatsapp/settings").await.ok();
    let words: Vec<&str> =
        shown["stopWords"].as_array().unwrap().iter().filter_map(|word| word.as_str()).collect();
    assert!(["stop", "cancel", "arret", "退订"].iter().all(|word| words.contains(word)), "{words:?}");
    assert_eq!(settings(&shop, shown.clone()).await.ok(), shown);
    let phones = crowd(&shop, 2).await;
    // They are still ours, with their sentences.
    shop.phone(&phones[0]).await.send(&session.phone, "stop texting me").await;
    until_opted_out(&shop, &phones[0], true).await;
    // Ours and one more are a tenant's own.
    let mut more = shown.clone();
    more["stopWords"].as_array_mut().unwrap().push(json!("basta já"));
    settings(&shop, more).await.ok();
    shop.phone(&phones[1]).await.send(&session.phone, "Basta já!!").await;
    until_opted_out(&shop, &phones[1], true).await;
}
