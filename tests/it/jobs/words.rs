//! What the texts of a job say to each recipient, and what is told before anybody reads them.

use serde_json::{Value, json};

use crate::app::{Answer, Session, Tenant, TestApp};

/// A session that need not be linked: a preview shows what would be sent.
async fn unlinked(shop: &Tenant) -> Session<'_> {
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    Session { caller: &shop.test, id: "main".into(), phone: String::new() }
}

async fn preview(session: &Session<'_>, body: Value) -> Answer {
    session.caller.post(&session.path("/send-bulk/preview"), body).await
}

fn people() -> Value {
    json!([{"phone": "5511900000002", "name": "Ana", "Prénom": "Anaïs", "First Name": "Ana"}, "5511900000003"])
}

fn read(answer: &Value) -> Vec<&str> {
    answer["previews"].as_array().unwrap().iter().map(|one| one["message"].as_str().unwrap()).collect()
}

fn warned(answer: &Value) -> Vec<(&str, &str)> {
    let warnings = answer["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    warnings.iter().map(|one| (one["code"].as_str().unwrap(), one["warning"].as_str().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_is_read_where_nobody_has_the_field() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = unlinked(&shop).await;
    for list in [json!(["5511900000002"]), json!([{"phone": "5511900000002", "name": null}])] {
        let body = json!({"recipients": list, "message": "Hi {{name|there}}"});
        let answer = preview(&session, body).await.ok();
        assert_eq!((read(&answer), warned(&answer)), (vec!["Hi there"], vec![]));
    }
    // Somebody who has other fields may have mistyped this one.
    let body = json!({"recipients": people(), "message": "Hi {{nmae|there}} {{first_name|you}}"});
    let answer = preview(&session, body).await.ok();
    assert_eq!(read(&answer)[0], "Hi there you");
    let [("FIELD_OF_NOBODY", first), ("FIELD_OF_NOBODY", second)] = warned(&answer)[..] else {
        panic!("{answer}");
    };
    assert!(
        first.contains("everybody reads \"there\"") && second.contains("there is {{First Name}}"),
        "{answer}"
    );
    // Without a default nothing is left to be read.
    for (list, text, told) in [
        (json!(["5511900000002"]), "Hi {{name}}", "write {{name|…}}"),
        (people(), "Hi {{first_name}}", "write {{First Name}}"),
    ] {
        let refused = preview(&session, json!({"recipients": list, "message": text})).await;
        let refused = refused.refused(400, "UNKNOWN_FIELD");
        assert!(refused["error"].as_str().unwrap().contains(told), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_is_found_however_its_name_is_typed() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = unlinked(&shop).await;
    let list = json!([{"phone": "5511900000002", "Prénom": "Anaïs", "First\u{a0}Name ": "Ana", "نام\u{200c}ها": "x"}]);
    let text = "{{pre\u{301}nom}} {{FIRST NAME}} {{\u{200b}first name\u{200f}}} {{نام\u{200c}ها}} {{PHONE}}";
    let answer = preview(&session, json!({"recipients": list, "message": text})).await.ok();
    assert_eq!(read(&answer), ["Anaïs Ana Ana x 5511900000002"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_of_another_sender_is_refused_and_an_honest_text_is_sent() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = unlinked(&shop).await;
    for (text, right) in [
        ("Hi {name}", "message: character 4: {name} is not filled in"),
        ("Hi %name%", "write {{name}}"),
        ("Hi ${name}", "write {{name}}"),
        ("Hi {{{name}}}", "write {{name}}"),
        ("Hi *|NAME|*", "write {{name}}"),
        ("{% if name %}Hi{% endif %}", "write {{name}}"),
        ("Hi {{ name | default: 'friend' }}", "write {{name|friend}}"),
        ("Hi {{name | upper}}", "write {{name}}"),
    ] {
        for tail in ["/send-bulk", "/send-bulk/preview"] {
            let body = json!({"recipients": people(), "message": text});
            let refused =
                session.caller.post(&session.path(tail), body).await.refused(400, "INVALID_TEMPLATE");
            assert!(refused["error"].as_str().unwrap().contains(right), "{refused}");
        }
    }
    // Wherever it stands.
    for body in [
        json!({"recipients": people(), "message": "Hi", "header": "{name}"}),
        json!({"recipients": people(), "message": "Hi", "footer": "%name%"}),
        json!({"recipients": people(), "variants": [{"message": "Hi"}, {"message": "Hi {name}"}]}),
        json!({"recipients": people(), "type": "poll", "message": "Lunch, {name}?", "options": ["A", "B"]}),
        json!({"recipients": people(), "type": "poll", "message": "Lunch, {{name}}?", "options": ["A", "B"]}),
        json!({"recipients": people(), "type": "poll", "message": "Lunch?", "options": ["{{name}}", "B"]}),
    ] {
        preview(&session, body).await.refused(400, "INVALID_TEMPLATE");
    }
    let refused = preview(
        &session,
        json!({"recipients": people(), "variants": [{"message": "x"}, {"message": "{name}"}]}),
    );
    let refused = refused.await.refused(400, "INVALID_TEMPLATE");
    assert!(refused["error"].as_str().unwrap().starts_with("variant B: message: character 1"), "{refused}");

    let body = json!({"recipients": people(), "message": "Hi [name], {good day|hello}", "footer": "<name>"});
    let answer = preview(&session, body.clone()).await.ok();
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 3, "{answer}");
    assert_eq!(answer["warnings"][0]["place"], "message");
    assert_eq!(answer["warnings"][2]["place"], "footer");
    assert!(warned(&answer).iter().all(|(code, _)| *code == "PLACE_NOT_FILLED"), "{answer}");
    let made = session.caller.post(&session.path("/send-bulk"), body).await.ok();
    assert_eq!(made["warnings"], answer["warnings"], "{made}");

    let honest = r#"30% off, R$ 10,00! {"name": 1} if (a) { b[0] } :-{ \{name} \{{name}}"#;
    let answer = preview(&session, json!({"recipients": people(), "message": honest})).await.ok();
    assert_eq!(read(&answer)[0], r#"30% off, R$ 10,00! {"name": 1} if (a) { b[0] } :-{ {name} {{name}}"#);
    assert!(answer.get("warnings").is_none(), "{answer}");
}
