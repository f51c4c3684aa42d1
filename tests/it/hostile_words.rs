//! Signs that no database stores and texts without an end, wherever a caller may write something: refused in
//! words, on both engines, and never our fault.
//!
//! Routes, path and query parameters come from `openapi.json`, so a new one is walked on the day it is added; an
//! operation whose body this test does not know fails it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, Caller, TestApp};
use crate::on_both_engines;
use crate::receiver::Receiver;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";

/// NUL alone and within, what ends a line, what looks like nothing, what means something to SQL, and far too much.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> =
        ["\0", "a\0b", "\u{1}", "a\nb", "\u{200b}", "\u{202e}x", "%s'\"\\;--", "😀", "..", " "]
            .map(String::from)
            .into();
    texts.push("x".repeat(5_000));
    texts.push("é".repeat(129));
    texts
}

fn in_a_path(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A body that the operation takes, where it takes one.
fn body(method: &str, path: &str, known: &Known) -> Option<Value> {
    let session = path.strip_prefix("/api/whatsapp/session/{id}").unwrap_or(path);
    let phone = path.strip_prefix("/api/sandbox/phones/{phone}").unwrap_or(path);
    let hook = json!({
        "url": known.receiver, "description": "a hook", "events": ["message.*"], "sessions": ["main"],
        "profile": {"signature": "X-Signature"}, "headers": {"X-Token": "one"}, "secret": "a secret of its own",
    });
    let bulk = json!({
        "recipients": [{"phone": ANA, "name": "Ana"}], "message": "Hi {{name}}", "header": "H", "footer": "F", "name": "a job",
        "defaultCountry": "BR", "scheduleAt": known.later,
    });
    Some(match (method, session, phone) {
        ("post", "/api/whatsapp/session", _) => json!({
            "sessionId": "again", "name": "Sales", "deviceName": "desk", "proxy": "socks5://127.0.0.1:1",
        }),
        ("post", "/start", _) => json!({}),
        ("post", "/send", _) => json!({
            "to": ANA, "message": "Hello", "type": "text", "header": "H", "footer": "F", "quotedMessageId": known.message,
            "mentions": [ANA],
        }),
        ("post", "/send-bulk" | "/send-bulk/preview", _) => bulk,
        ("post", "/numbers/check", _) => json!({"phones": [ANA]}),
        ("post", "/read", _) => json!({"messageIds": [known.message]}),
        ("post", "/typing", _) => json!({"to": ANA, "state": "composing"}),
        ("post", "/presence", _) => json!({"state": "available"}),
        ("post", "/chats/{chatId}/mute", _) => json!({"until": "2099-01-01T00:00:00Z"}),
        ("put", "/profile", _) => json!({"name": "The Shop", "about": "Open"}),
        ("post", "/groups", _) => json!({"subject": "Team", "participants": [ANA]}),
        ("patch", "/groups/{groupId}", _) => json!({"subject": "Team", "description": "Rules"}),
        ("post", "/groups/{groupId}/participants", _) => json!({"action": "promote", "participants": [ANA]}),
        ("post", "/groups/join" | "/groups/preview", _) => json!({"link": "AbCdEfGhIjKlMnOpQrStUv"}),
        ("post", "/api/whatsapp/media", _) => {
            json!({"mediaBase64": "bm90ZXM=", "type": "document", "fileName": "a.txt", "mediaMimeType": "text/plain"})
        }
        ("post", "/api/whatsapp/media/{mediaId}/link", _) => json!({"expiresIn": 60}),
        ("post", "/api/whatsapp/events/ticket", _) => json!({}),
        ("post", "/api/whatsapp/opt-outs", _) => json!({"phone": ANA}),
        ("put", "/api/whatsapp/settings", _) => {
            json!({"defaultCountry": "BR", "stopWords": ["halt"], "startWords": ["go"], "confirmation": "Done"})
        }
        ("put", "/api/whatsapp/webhook", _)
        | ("post", "/api/whatsapp/webhooks", _)
        | ("patch", "/api/whatsapp/webhooks/{id}", _) => hook,
        ("post", "/api/whatsapp/webhook/test" | "/api/whatsapp/webhooks/{id}/test", _) => json!({}),
        ("post", "/api/whatsapp/webhooks/{id}/rotate-secret", _) => {
            json!({"secret": "another secret of its own"})
        }
        ("post", "/api/whatsapp/webhooks/{id}/enable", _) => json!({}),
        ("post", "/api/whatsapp/webhooks/{id}/recover", _) => json!({"since": "2020-01-01T00:00:00Z"}),
        ("post", "/api/sandbox/phones", _) => json!({"phone": ANA, "name": "Ana"}),
        ("post", "/api/sandbox/faults", _) => json!({"sessionId": "main", "kind": "clear", "phone": ANA}),
        ("post", "/api/sandbox/groups", _) => {
            json!({"phone": ANA, "subject": "Team", "participants": [SHOP]})
        }
        ("post", "/api/sandbox/groups/{groupId}", _) => {
            json!({"phone": ANA, "act": "rename", "subject": "Crew"})
        }
        ("post", _, "/messages") => {
            json!({"to": SHOP, "type": "text", "message": "Hello", "quotedMessageId": known.message, "mentions": [SHOP]})
        }
        ("post", _, "/read" | "/played") => json!({"messageId": known.message}),
        ("post", _, "/scan") => json!({"qr": "2@a,b,c,d,1"}),
        ("post", _, "/enter-code") => json!({"code": "ABCD1234"}),
        ("post", _, "/unlink") => json!({"sessionId": "nobody"}),
        ("post", _, "/presence") => json!({"state": "available"}),
        ("post", _, "/typing") => json!({"to": SHOP, "state": "composing"}),
        ("post", _, "/profile") => json!({"name": "Ana", "about": "Here"}),
        ("post", _, "/block") => json!({"phone": SHOP, "blocked": false}),
        ("post", _, "/contacts") => json!({"phone": SHOP, "name": "Shop"}),
        ("post", _, "/chats") => json!({"phone": SHOP, "archived": false}),
        ("post", _, "/call") => json!({"to": SHOP}),
        _ => return None,
    })
}

struct Known {
    receiver: String,
    /// When no job of this test begins any more.
    later: String,
    message: String,
    parameters: Vec<(&'static str, String)>,
}

impl Known {
    fn filled(&self, path: &str) -> String {
        let own = if path.contains("/webhooks/") { "{webhook}" } else { "main" };
        let path = path.replace("{id}", own);
        self.parameters.iter().fold(path, |path, (name, value)| path.replace(name, value))
    }
}

/// Each text of the body in turn, with `text` in its place, and once as the name of a field.
fn with_in_turn(body: &Value, text: &str) -> Vec<Value> {
    match body {
        Value::String(_) => vec![text.into()],
        Value::Array(items) => {
            let each = items.iter().enumerate().flat_map(|(place, item)| {
                with_in_turn(item, text).into_iter().map(move |item| (place, item))
            });
            let put = |(place, item)| {
                let mut items = items.clone();
                items[place] = item;
                Value::Array(items)
            };
            each.map(put).collect()
        }
        Value::Object(fields) => {
            let each = fields.iter().flat_map(|(name, field)| {
                with_in_turn(field, text).into_iter().map(move |field| (name, field))
            });
            let put = |(name, field): (&String, Value)| {
                let mut fields = fields.clone();
                fields[name] = field;
                Value::Object(fields)
            };
            let mut named = fields.clone();
            named.insert(text.to_owned(), text.into());
            each.map(put).chain([named.into()]).collect()
        }
        _ => vec![],
    }
}

/// Taken, or refused in the seed's shape; and soon.
async fn answers(caller: &Caller, method: &Method, path: &str, body: Option<&Value>) {
    let bytes = body.map(|body| body.to_string().into_bytes());
    let asked = caller.call(method.clone(), path, &[], bytes);
    let Ok(answer) = tokio::time::timeout(Duration::from_secs(20), asked).await else {
        panic!("{method} {path}: no answer");
    };
    judge(&answer, &format!("{method} {path} {}", body.map(Value::to_string).unwrap_or_default()));
}

fn judge(answer: &Answer, what: &str) {
    let what: String = what.chars().take(600).collect();
    assert!(answer.status.as_u16() < 500, "{what}: {}", answer.text);
    if !answer.status.is_success() {
        let code = answer.code();
        assert!(
            code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
            "{what}: {code}"
        );
    }
}

async fn is_answered_everywhere(app: &TestApp) {
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    let message = ana.send(SHOP, "hello").await;
    session.until_logged(&message, "received").await;
    let receiver = Receiver::new().await;
    let webhook = shop.test.post("/api/whatsapp/webhooks", json!({"url": receiver.url})).await.ok();
    let group = json!({"phone": ANA, "subject": "Team", "participants": [SHOP]});
    let group = shop.test.post("/api/sandbox/groups", group).await.ok();
    let media = json!({"mediaBase64": "bm90ZXM=", "fileName": "notes.txt"});
    let media = shop.test.post("/api/whatsapp/media", media).await.ok();
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let known = Known {
        receiver: receiver.url.clone(),
        later: app.clock.now().plus_ms(30 * 86_400_000).iso(),
        parameters: vec![
            ("{webhook}", text(&webhook["id"])),
            ("{phone}", ANA.to_owned()),
            ("{other}", SHOP.to_owned()),
            ("{contactId}", ANA.to_owned()),
            ("{chatId}", format!("{ANA}@s.whatsapp.net")),
            ("{jobId}", "job_00000000000000000000000000".to_owned()),
            ("{messageId}", message.clone()),
            ("{eventId}", "evt_00000000000000000000000000".to_owned()),
            ("{recoveryId}", "rec_00000000000000000000000000".to_owned()),
            ("{mediaId}", text(&media["mediaId"])),
            ("{groupId}", text(&group["group"]["id"])),
        ],
        message,
    };
    let document = shop.test.get("/openapi.json").await.ok();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (word, operation) in methods.as_object().expect("methods") {
            let method: Method = word.to_uppercase().parse().expect("a method");
            let takes_json = operation["requestBody"]["content"]["application/json"].is_object();
            let sample = body(word, path, &known);
            assert!(!takes_json || sample.is_some(), "what does {method} {path} take?");
            for text in hostile() {
                for (name, _) in path.split('{').skip(1).filter_map(|rest| rest.split_once('}')) {
                    let hostile = path.replace(&format!("{{{name}}}"), &in_a_path(&text));
                    answers(&shop.test, &method, &known.filled(&hostile), sample.as_ref()).await;
                }
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let of_query = parameters.iter().filter(|parameter| parameter["in"] == "query");
                // A stream has no end, and reads its position as the list of events does.
                for parameter in of_query.filter(|_| !path.contains("/events/s")) {
                    let query = format!("?{}={}", text_of(&parameter["name"]), in_a_path(&text));
                    answers(&shop.test, &method, &(known.filled(path) + &query), sample.as_ref()).await;
                }
                for body in sample.iter().flat_map(|sample| with_in_turn(sample, &text)) {
                    answers(&shop.test, &method, &known.filled(path), Some(&body)).await;
                }
            }
        }
    }
    // What is named by a message's id besides.
    for text in hostile() {
        for kind in ["reaction", "edit", "delete", "forward"] {
            let body = json!({"to": ANA, "type": kind, "messageId": text, "message": "x", "emoji": "👍"});
            let answer = shop.test.post(&session.path("/send"), body).await;
            let refused = (answer.status.as_u16(), answer.code());
            let is_told = ["INVALID_REQUEST", "MESSAGE_NOT_FOUND"].contains(&refused.1.as_str());
            assert!(is_told, "{kind} {text:?}: {refused:?}");
        }
        let quoting = json!({"to": ANA, "message": "x", "quotedMessageId": text});
        judge(&shop.test.post(&session.path("/send"), quoting).await, &format!("a quote of {text:?}"));
    }
    assert_eq!(session.status().await["status"], "ready");
}

fn text_of(value: &Value) -> &str {
    value.as_str().expect("a text")
}

on_both_engines! {
    async fn hostile_words_are_answered_everywhere(app: TestApp) {
        is_answered_everywhere(&app).await;
    }
}
