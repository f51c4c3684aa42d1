//! What a route does not know is refused by name, and what does not read is told in plain words, on every route.

use serde_json::{Value, json};

use crate::app::{Answer, TestApp};
use crate::description;
use crate::routes::{Route, Things, resolved};

/// Words of Rust and of its libraries, which nobody who writes JSON needs to know.
const RUST: [&str; 22] = [
    "struct",
    "enum",
    "variant",
    "untagged",
    "f64",
    "f32",
    "i64",
    "i32",
    "u8",
    "u16",
    "u32",
    "u64",
    "usize",
    "Vec",
    "Option",
    "serde",
    "sequence",
    "deserialize",
    "invalid type",
    "invalid value",
    "at line",
    "digit found",
];

/// Of seed 001's contract, whose clients may send what they like: told of in `notice` instead.
const LENIENT: [&str; 2] = ["/api/whatsapp/session", "/api/whatsapp/session/{id}/send"];

#[track_caller]
fn said(answer: &Answer, code: &str, about: &str) -> String {
    let refused = answer.refused(400, code);
    let said = refused["error"].as_str().expect("a text").to_owned();
    assert!(said.contains(about), "{about} is not named: {said}");
    plain(&said);
    said
}

#[track_caller]
fn plain(said: &str) {
    let words: Vec<&str> = said.split(|c: char| !c.is_alphanumeric()).collect();
    for rust in RUST {
        let is_said = if rust.contains(' ') { said.contains(rust) } else { words.contains(&rust) };
        assert!(!is_said, "`{rust}` is a word of Rust: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_parameter_is_refused_by_name_on_every_route() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let things = Things::of(&shop).await;
    for route in Route::all() {
        let answer = things.call(&shop.test, &route, "?colour=1", None).await;
        said(&answer, "INVALID_PARAMETER", "colour");
        for known in route.parameters() {
            let misspelt = known.to_uppercase();
            let answer = things.call(&shop.test, &route, &format!("?{misspelt}=1"), None).await;
            let said = said(&answer, "INVALID_PARAMETER", &misspelt);
            assert!(said.contains(&format!("did you mean `{known}`?")), "{}: {said}", route.name());
        }
    }
    let list = "/api/whatsapp/messages";
    for (query, about) in [
        ("?filter.timestamp.lte=1", "filter.timestamp.lte"),
        ("?offset=10", "did you mean `page`?"),
        ("?sort=asc", "sort"),
        ("?lmit=5", "did you mean `limit`?"),
        ("?limit=ten", "limit: a whole number"),
        ("?limit=", "limit: a whole number"),
        ("?limit=99999999999999999999", "limit: "),
        ("?page=1&page=2", "page: given twice"),
    ] {
        said(&shop.test.get(&format!("{list}{query}")).await, "INVALID_PARAMETER", about);
    }
    shop.test.get(&format!("{list}?")).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_field_is_refused_by_name_on_every_route() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let things = Things::of(&shop).await;
    for route in Route::all() {
        if LENIENT.contains(&route.template) || route.method == "GET" {
            continue;
        }
        let body = json!({"colour": 1});
        let answer = things.call(&shop.test, &route, "", Some(&body)).await;
        if answer.status == 404 || route.template.ends_with("/profile/picture") {
            // What the path names is looked up first, and a picture is no JSON.
            assert!(route.template.contains('{'), "{}: {}", route.name(), answer.text);
            continue;
        }
        said(&answer, "INVALID_REQUEST", "colour");
        let Some(schema) = route.body() else { continue };
        for known in schema["properties"].as_object().expect("properties").keys() {
            let misspelt = known.to_uppercase();
            let answer = things.call(&shop.test, &route, "", Some(&json!({misspelt.clone(): 1}))).await;
            let said = said(&answer, "INVALID_REQUEST", &misspelt);
            assert!(said.contains(&format!("did you mean `{known}`?")), "{}: {said}", route.name());
        }
    }
}

/// Some clients send an empty object, or PHP's empty array, with every POST.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_without_a_body_takes_an_empty_one() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    for nothing in [json!({}), json!([]), Value::Null] {
        shop.test.post(&session.path("/stop"), nothing).await.ok();
    }
    for something in [json!([1]), json!("x"), json!(0), json!(false)] {
        let refused = shop.test.post(&session.path("/stop"), something).await;
        said(&refused, "INVALID_REQUEST", "takes none");
    }
    let long = json!("x".repeat(100_000));
    said(&shop.test.post(&session.path("/stop"), long).await, "INVALID_REQUEST", "takes none");
}

/// Seed 001's clients have always been able to send more than was read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_send_ignores_is_told_and_another_spelling_is_read() {
    const PIXEL: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let friend = shop.phone("5511900000002").await;
    let sent = |more: Value| {
        let mut body = json!({"to": "5511900000002"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let (caller, path) = (&shop.test, session.path("/send"));
        async move { caller.post(&path, body).await.ok() }
    };
    let known = sent(json!({"message": "as ever"})).await;
    assert!(known.get("notice").is_none(), "{known}");
    let ignored = sent(json!({"message": "hello", "priority": "high", "quoted": "3EB0AA"})).await;
    assert_eq!(ignored["notice"], "ignored: priority, quoted (did you mean quotedMessageId?)");

    let photo = sent(json!({"type": "image", "mediaBase64": PIXEL, "caption": "my caption"})).await;
    assert_eq!(photo["notice"], "caption was read as message");
    let shown = friend.until_shows("my caption").await;
    assert_eq!(shown["type"], "image");
    // Two captions are one too many to choose from.
    let both = json!({"type": "image", "mediaBase64": PIXEL, "message": "mine", "caption": "theirs"});
    assert_eq!(sent(both).await["notice"], "ignored: caption (did you mean message?)");
    friend.until_shows("mine").await;

    let once = json!({"type": "image", "mediaBase64": PIXEL, "message": "once", "viewonce": true});
    assert_eq!(sent(once).await["notice"], "viewonce was read as viewOnce");
    assert_eq!(friend.until_shows("once").await["viewOnce"], true);
    let named = json!({"type": "document", "mediaBase64": "bm90ZXM=", "filename": "notes.txt", "mimetype": "text/plain"});
    let notice = sent(named).await["notice"].clone();
    assert_eq!(notice, "filename was read as fileName; ignored: mimetype (did you mean mediaMimeType?)");

    let made =
        json!({"sessionId": "second", "phone_number": "5511900000002", "webhook": "https://x.example/"});
    let made = shop.test.post("/api/whatsapp/session", made).await.ok();
    assert_eq!(made["notice"], "phone_number was read as phoneNumber; ignored: webhook");
    assert!(made["pairingCode"].is_string(), "{made}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_type_is_told_in_plain_words_for_every_field() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let things = Things::of(&shop).await;
    let mut tried = 0;
    for route in Route::all() {
        let Some(schema) = route.body() else { continue };
        if schema["properties"].as_object().is_some_and(serde_json::Map::is_empty) {
            continue;
        }
        for (field, path, wrong) in wrong_values(schema) {
            let answer = things.call(&shop.test, &route, "", Some(&wrong)).await;
            if answer.status == 404 {
                continue;
            }
            tried += 1;
            assert_eq!(answer.status, 400, "{} {wrong}: {}", route.name(), answer.text);
            assert_ne!(answer.code(), "INVALID_JSON", "{} {wrong}: {}", route.name(), answer.text);
            let text = answer.json()["error"].as_str().expect("a text").to_owned();
            assert!(text.contains(&field), "{} {wrong}: {path} is not named: {text}", route.name());
            plain(&text);
        }
    }
    assert!(tried > 300, "only {tried} wrong values: are the bodies described?");
}

/// Bodies with one value of a type that the description does not take there.
fn wrong_values(schema: &'static Value) -> Vec<(String, String, Value)> {
    let mut wrong = vec![];
    for (field, described) in schema["properties"].as_object().into_iter().flatten() {
        for value in
            [json!(true), json!(7), json!(1.5), json!("x"), json!([]), json!({}), json!([{"deep": []}])]
        {
            if !description::takes(described, &value) && !is_only_too_narrow(described, &value) {
                wrong.push((field.clone(), field.clone(), json!({field.clone(): value})));
            }
        }
        // One level below: what a list or an object holds.
        let (inner, whole): (&Value, fn(Value) -> Value) = match resolved(described) {
            list if list["items"].is_object() => (&list["items"], |item| json!([item])),
            _ => continue,
        };
        for (name, described) in resolved(inner)["properties"].as_object().into_iter().flatten() {
            for value in [json!(true), json!({"deep": 1})] {
                if !description::takes(described, &value) {
                    let path = format!("{field}[0].{name}");
                    wrong.push((
                        name.clone(),
                        path,
                        json!({field.clone(): whole(json!({name.clone(): value}))}),
                    ));
                }
            }
        }
    }
    wrong
}

/// Of the right type, and refused for what it says: not what is tried here.
fn is_only_too_narrow(described: &Value, value: &Value) -> bool {
    let types = |schema: &Value| schema["type"].to_string();
    let kind = match value {
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Null => "null",
    };
    types(described).contains(&format!("\"{kind}\""))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_does_not_fit_is_not_called_broken() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.linked("main", "5511900000001").await;
    shop.phone("5511900000002").await;
    let post = |tail: &'static str, body: Vec<u8>| {
        let caller = shop.test.clone();
        let path = format!("/api/whatsapp/session/main{tail}");
        async move { caller.call(reqwest::Method::POST, &path, &[], Some(body)).await }
    };
    for (tail, body, about) in [
        (
            "/send-bulk/preview",
            r#"{"windows":[{"days":[1],"from":"09:00","to":"10:00"}]}"#,
            "windows[0].days",
        ),
        (
            "/send-bulk/preview",
            r#"{"windows":[{"days":["monday"],"from":"09:00","to":"10:00"}]}"#,
            "did you mean `mon`?",
        ),
        ("/send", r#"{"latitude":1e999}"#, "latitude"),
        ("/send", r#"{"to":"5511900000002","message":"\ud800"}"#, "message"),
        (
            "/send",
            r#"{"to":"5511900000002","message":"x","typing":"long"}"#,
            "typing: true, or 1 to 20000 milliseconds",
        ),
        ("/send", r#"{"to":"5511900000002","message":"x","expiresIn":-1}"#, "expiresIn: a whole number"),
        ("/send", "[]", "an object, not a list"),
        ("/send", "5", "an object, not 5"),
        ("/send", "null", "an object, not null"),
    ] {
        let answer = post(tail, body.as_bytes().to_vec()).await;
        said(&answer, "INVALID_REQUEST", about);
    }
    for broken in [&b"{"[..], b"{\"to\":}", b"{to:1}", b"", b"\xff\xfe{\x00}\x00", b"{} {}"] {
        let answer = post("/send", broken.to_vec()).await;
        let refused = answer.refused(400, "INVALID_JSON");
        assert!(!refused["error"].as_str().expect("a text").contains("ident"), "{refused}");
    }
    // Some editors begin every text with a mark.
    let marked = ["\u{feff}", r#"{"to":"5511900000002","message":"marked"}"#].concat();
    post("/send", marked.into_bytes()).await.ok();
    // A body that came compressed.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec();
    said(&post("/send", gzip.clone()).await, "ENCODING_NOT_SUPPORTED", "compressed");
    let headers = [("content-encoding", "gzip")];
    let named = shop.test.call(reqwest::Method::POST, "/api/whatsapp/session", &headers, Some(gzip)).await;
    said(&named, "ENCODING_NOT_SUPPORTED", "compressed");
}
