//! Every door reads a number alike, with the home of who asks.

use serde_json::{Value, json};

use super::{ANA, BEA, SHOP, shop_and_ana};
use crate::app::TestApp;

/// Ana's number as people of her country write it.
const AT_HOME: &str = "(11) 90000-0002";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_door_takes_the_tenants_country() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    shop.test.put("/api/whatsapp/settings", json!({"defaultCountry": "BR"})).await.ok();

    session.send(AT_HOME, "by the country").await.ok();
    ana.until_shows("by the country").await;
    session.tell("/send", json!({"to": 11_900_000_002_u64, "message": "by a JSON number"})).await;
    ana.until_shows("by a JSON number").await;
    let card =
        json!({"to": AT_HOME, "type": "contact", "contacts": [{"name": "Bea", "phone": "11 90000-0003"}]});
    session.tell("/send", card).await;
    let shown = format!(r#""phone":"{BEA}""#);
    let inbox = ana.inbox().await.to_string();
    assert!(inbox.contains(&shown), "{inbox}");

    let checked = session.tell("/numbers/check", json!({"phones": [AT_HOME, 11_900_000_002_u64]})).await;
    assert_eq!((&checked[0]["exists"], &checked[1]["exists"]), (&json!(true), &json!(true)));
    session.tell("/typing", json!({"to": AT_HOME, "state": "composing"})).await;
    session.tell("/read", json!({"chat": AT_HOME})).await;

    ana.send(SHOP, "hello").await;
    session.until_chat(&format!("{ANA}@s.whatsapp.net"), "a chat", |_| true).await;
    let in_path = "11%2090000-0002";
    assert_eq!(session.ask(&format!("/contacts/{in_path}")).await["phone"], ANA);
    assert_eq!(session.ask(&format!("/presence/{in_path}")).await["phone"], ANA);
    let said = session.ask(&format!("/chats/{in_path}/messages")).await;
    assert_eq!(said["messages"][0]["message"], "hello");
    let log = shop.test.get(&format!("/api/whatsapp/messages?phone={in_path}&direction=in")).await.ok();
    assert_eq!(log["total"], 1);

    let group = json!({"subject": "Order 1", "participants": [AT_HOME]});
    let made = session.tell("/groups", group).await;
    assert_eq!(made["results"][0]["participant"], format!("{ANA}@s.whatsapp.net"), "{made}");

    let forgotten = shop.test.post(&format!("/api/whatsapp/contacts/{in_path}/forget"), json!({})).await.ok();
    assert_eq!(forgotten["phone"], ANA);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_names_a_country_of_its_own() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    session.send("011 90000-0002", "x").await.refused(400, "INVALID_RECIPIENT");
    shop.test.put("/api/whatsapp/settings", json!({"defaultCountry": "IN"})).await.ok();

    session.tell("/send", json!({"to": AT_HOME, "message": "its own", "defaultCountry": "br"})).await;
    ana.until_shows("its own").await;
    let ask = json!({"phone": AT_HOME, "defaultCountry": "BR"});
    assert_eq!(session.tell("/numbers/check", ask).await[0]["exists"], true);
    let group = json!({"subject": "Order 1", "participants": [AT_HOME], "defaultCountry": "BR"});
    let made = session.tell("/groups", group).await;
    assert_eq!(made["results"][0]["participant"], format!("{ANA}@s.whatsapp.net"));
    let forget = "/api/whatsapp/contacts/11%2090000-0002/forget?defaultCountry=BR";
    assert_eq!(shop.test.post(forget, json!({})).await.ok()["phone"], ANA);

    for (path, body) in [
        ("/send", json!({"to": ANA, "message": "x", "defaultCountry": "Brazil"})),
        ("/numbers/check", json!({"phone": ANA, "defaultCountry": "XX"})),
        ("/groups", json!({"subject": "Order 1", "defaultCountry": "55"})),
    ] {
        let refused = shop.test.post(&session.path(path), body).await.refused(400, "INVALID_REQUEST");
        assert!(
            refused["error"].as_str().is_some_and(|why| why.starts_with("defaultCountry: ")),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_made_a_decimal_of_a_number_writes_to_its_owner() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let (owner, stranger) = (shop.phone("628123456789").await, shop.phone("6281234567890").await);
    for to in ["628123456789.0", "628123456789.00", "628123456789,0", "+62 0812 3456 789"] {
        session.send(to, &format!("OTP for {to}")).await.ok();
        owner.until_shows(&format!("OTP for {to}")).await;
    }
    for (to, why) in
        [("9.19877E+11", "rounded"), ("628123456789.5", "decimals"), ("628123456789 x7", "extension")]
    {
        let refused = session.send(to, "OTP").await.refused(400, "INVALID_RECIPIENT");
        assert!(refused["error"].as_str().is_some_and(|error| error.contains(why)), "{refused}");
    }
    for to in [json!(628_123_456_789.5), json!(9_007_199_254_740_993_u64), json!(true)] {
        let asked = json!({"to": to, "message": "OTP"});
        shop.test.post(&session.path("/send"), asked).await.refused(400, "INVALID_REQUEST");
    }
    assert_eq!(stranger.inbox().await["messages"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_number_among_many_is_told_in_its_place() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, _ana) = shop_and_ana(&shop).await;
    let answer = session.tell("/numbers/check", json!({"phones": ["abc", ANA, "9.19877E+11", BEA]})).await;
    let exists: Vec<&Value> = answer.as_array().unwrap().iter().map(|one| &one["exists"]).collect();
    assert_eq!(exists, [&json!(null), &json!(true), &json!(null), &json!(false)]);
    assert_eq!((&answer[0]["phone"], &answer[0]["code"]), (&json!("abc"), &json!("INVALID_RECIPIENT")));
    assert!(answer[2]["error"].as_str().is_some_and(|why| why.contains("rounded")), "{answer}");
    assert_eq!((answer[1].get("error"), answer[1].get("code")), (None, None));
    let none = session.tell("/numbers/check", json!({"phones": ["abc", ""]})).await;
    assert_eq!(
        (&none[0]["code"], &none[1]["code"]),
        (&json!("INVALID_RECIPIENT"), &json!("INVALID_RECIPIENT"))
    );
    let alone = shop.test.post(&session.path("/numbers/check"), json!({"phone": "abc"})).await;
    alone.refused(400, "INVALID_RECIPIENT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renumbered_line_is_found_by_each_of_its_numbers() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let (old, new) = ("22997123456", "2290197123456");
    shop.phone(old).await;
    session.send(old, "bonjour").await.ok();
    let said = session.ask(&format!("/chats/{new}/messages")).await;
    assert_eq!(said["messages"][0]["message"], "bonjour", "{said}");
    for asked in
        [format!("phone={new}"), format!("chat={new}"), format!("search={new}"), format!("phone={old}")]
    {
        let log = shop.test.get(&format!("/api/whatsapp/messages?{asked}")).await.ok();
        assert_eq!(log["messages"][0]["message"], "bonjour", "{asked}: {log}");
    }
    // Who said stop under one is not written to under the other.
    shop.test.post("/api/whatsapp/opt-outs", json!({"phone": new})).await.ok();
    let listed = shop.test.get(&format!("/api/whatsapp/opt-outs?phone=%2B{old}")).await.ok();
    assert_eq!(listed["optOuts"][0]["phone"], new, "{listed}");
    let other = shop.test.get(&format!("/api/whatsapp/opt-outs?phone={ANA}")).await.ok();
    assert_eq!(other["optOuts"], json!([]));
    let list = json!({"recipients": [old, new], "message": "x"});
    let preview = shop.test.post(&session.path("/send-bulk/preview"), list).await.ok();
    assert_eq!((&preview["total"], &preview["duplicates"]), (&json!(1), &json!(1)), "{preview}");
    shop.test.put("/api/whatsapp/settings", json!({"optOutScope": "all"})).await.ok();
    session.send(old, "x").await.refused(400, "RECIPIENT_OPTED_OUT");
}
