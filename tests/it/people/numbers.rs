//! A number check answers in the caller's order, remembers, and keeps within its budget.

use serde_json::{Value, json};
use wapid_core::clock::{At, Clock};

use super::{ANA, BEA, shop_and_ana};
use crate::app::{Engine, TestApp};
use crate::on_both_engines;

on_both_engines! {
    async fn numbers_are_answered_in_the_order_and_spelling_of_the_request(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, _ana) = shop_and_ana(&shop).await;
        let asked = ["+55 (11) 90000-0003", "5511900000002", "+5511900000002"];
        let answer = session.tell("/numbers/check", json!({"phones": asked})).await;
        let spelled: Vec<&Value> = answer.as_array().unwrap().iter().map(|one| &one["phone"]).collect();
        assert_eq!(spelled, asked.map(Value::from).iter().collect::<Vec<_>>());
        let there: Vec<&Value> = answer.as_array().unwrap().iter().map(|one| &one["exists"]).collect();
        assert_eq!(there, [&json!(false), &json!(true), &json!(true)]);
        assert_eq!(answer[1]["jid"], format!("{ANA}@s.whatsapp.net"));
        assert!(answer[1]["lid"].as_str().is_some_and(|lid| lid.len() == 15), "{answer}");
        assert_eq!((&answer[0]["jid"], &answer[0]["lid"]), (&Value::Null, &Value::Null));
        assert_eq!(answer[1]["cached"], false);

        // Asked again both are known, though one of them joined meanwhile.
        shop.phone(BEA).await;
        let again = session.tell("/numbers/check", json!({"phones": [BEA, ANA]})).await;
        assert_eq!((&again[0]["cached"], &again[0]["exists"]), (&json!(true), &json!(false)));
        assert_eq!((&again[1]["cached"], &again[1]["lid"]), (&json!(true), &answer[1]["lid"]));
        // To write is to ask anew.
        session.send(BEA, "welcome").await.ok();
        let one = session.tell("/numbers/check", json!({"phone": "5511900000009"})).await;
        assert_eq!(one[0]["exists"], false);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_absent_is_asked_about_again_after_ten_minutes() {
    let clock = Clock::manual(At(1_772_965_800_000));
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let (session, _ana) = shop_and_ana(&shop).await;
    let ask = json!({"phone": BEA});
    assert_eq!(session.tell("/numbers/check", ask.clone()).await[0]["exists"], false);
    shop.phone(BEA).await;
    clock.advance(std::time::Duration::from_secs(599));
    assert_eq!(session.tell("/numbers/check", ask.clone()).await[0]["exists"], false);
    clock.advance(std::time::Duration::from_secs(1));
    let answer = session.tell("/numbers/check", ask).await;
    assert_eq!((&answer[0]["exists"], &answer[0]["cached"]), (&json!(true), &json!(false)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_has_a_budget_and_what_is_known_is_free() {
    let clock = Clock::manual(At(1_772_965_800_000));
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let (session, _ana) = shop_and_ana(&shop).await;
    let some = |from: u32| -> Vec<String> { (from..from + 500).map(|n| format!("55119{n:08}")).collect() };
    session.tell("/numbers/check", json!({"phones": some(1_000_000)})).await;
    session.tell("/numbers/check", json!({"phones": some(2_000_000)})).await;
    let refused = shop.test.post(&session.path("/numbers/check"), json!({"phone": ANA})).await;
    let refused = refused.refused(429, "NUMBER_CHECK_LIMIT");
    assert_eq!((&refused["limit"], &refused["used"]), (&json!(1_000), &json!(1_000)));
    let known = session.tell("/numbers/check", json!({"phones": some(2_000_000)})).await;
    assert!(known.as_array().unwrap().iter().all(|one| one["cached"] == true));
    // Sends ask as before, and another session has an hour of its own.
    session.send(ANA, "hello").await.ok();
    let other = shop.linked("other", "5511900000007").await;
    assert_eq!(other.tell("/numbers/check", json!({"phone": ANA})).await[0]["exists"], true);
    clock.advance(std::time::Duration::from_secs(3_600));
    assert_eq!(session.tell("/numbers/check", json!({"phone": BEA})).await[0]["exists"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatsapps_refusal_to_look_up_is_told() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, _ana) = shop_and_ana(&shop).await;
    session.fault("lookup_refused").await;
    let refused = shop.test.post(&session.path("/numbers/check"), json!({"phone": ANA})).await;
    refused.refused(429, "WHATSAPP_RATE_LIMIT");
    assert_eq!(session.tell("/numbers/check", json!({"phone": ANA})).await[0]["exists"], true);
}
