//! Every answer that a test receives is one that `openapi.json` describes.
//!
//! The helpers of `app` hand in each answer, so whatever is tested anywhere is held against the description: its
//! status and content type must be named for the operation, and a JSON body must fit, without a field that is not
//! described. Objects count as closed for that, although a client must bear fields that come later.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use jsonschema::Validator;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

static DESCRIPTION: LazyLock<Description> = LazyLock::new(Description::new);

/// An answer as it came.
pub struct Heard<'a> {
    pub method: &'a str,
    /// With its query.
    pub path: &'a str,
    pub status: u16,
    pub content_type: &'a str,
    pub body: &'a str,
}

/// # Panics
/// When the description does not have the answer.
#[track_caller]
pub fn expect_described(heard: &Heard<'_>) {
    if let Err(why) = DESCRIPTION.find(heard) {
        let shown: String = heard.body.chars().take(1_500).collect();
        panic!(
            "openapi.json does not describe an answer to {} {}: {why}\n{} {}\n{shown}",
            heard.method, heard.path, heard.status, heard.content_type
        );
    }
}

/// # Panics
/// When an event of the log or of a stream is not as described.
#[track_caller]
pub fn expect_described_event(event: &Value) {
    DESCRIPTION.expect_fit("#/components/schemas/Event", event);
}

/// How what an endpoint was sent is not as described, if it is not.
pub fn misfit_of_delivery(body: &Value) -> Option<String> {
    let name = if body.get("event").is_some() { "ClassicDelivery" } else { "StandardDelivery" };
    let reference = format!("#/components/schemas/{name}");
    let found = DESCRIPTION.fit(&reference, &json!({"$ref": reference}), body);
    found.err().map(|why| format!("{body}: {why}"))
}

/// Does a schema of the description take this?
pub fn takes(schema: &Value, value: &Value) -> bool {
    DESCRIPTION.fit(&schema.to_string(), &close(schema, false), value).is_ok()
}

/// The document that the routes are described by.
pub fn document() -> &'static Value {
    &DESCRIPTION.document
}

struct Description {
    document: Value,
    /// All schemas, closed; and as `…__open` to be parts of others.
    closed: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Description {
    fn new() -> Self {
        let document = serde_json::to_value(wapid::api::document()).expect("a description is JSON");
        let mut closed = Map::new();
        for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
            closed.insert(name.clone(), close(schema, false));
            closed.insert(format!("{name}__open"), close(schema, true));
        }
        Self { document, closed: closed.into(), validators: Mutex::default() }
    }

    fn find(&self, heard: &Heard<'_>) -> Result<(), String> {
        let path = heard.path.split('?').next().unwrap_or_default();
        let method = if heard.method == "HEAD" { "get" } else { &heard.method.to_lowercase() };
        let Some((template, item)) = self.route(path) else {
            return self.expect_refusal(heard, &[404, 405]);
        };
        let Some(operation) = item.get(method) else { return self.expect_refusal(heard, &[405]) };
        let status = heard.status.to_string();
        let answer = operation["responses"].get(&status);
        let answer = answer.ok_or_else(|| format!("{method} {template} does not name {status}"))?;
        let shared = answer["$ref"].as_str().and_then(|to| self.document.pointer(&to[1..]));
        let answer = shared.unwrap_or(answer);
        let Some(content) = answer.get("content").and_then(Value::as_object) else {
            return if heard.body.is_empty() {
                Ok(())
            } else {
                Err("a body where none is described".to_owned())
            };
        };
        if heard.method == "HEAD" {
            return Ok(());
        }
        let kind = heard.content_type.split(';').next().unwrap_or_default().trim();
        let found = content.iter().find(|(named, _)| {
            *named == kind
                || *named == "*/*"
                || named.strip_suffix("/*").is_some_and(|family| kind.split('/').next() == Some(family))
        });
        let (named, described) = found.ok_or_else(|| {
            let known: Vec<_> = content.keys().collect();
            format!("{method} {template} {status} is {known:?}, not {kind}")
        })?;
        if kind != "application/json" || named.contains('*') {
            return Ok(());
        }
        let body: Value =
            serde_json::from_str(heard.body).map_err(|problem| format!("not JSON: {problem}"))?;
        let place = format!("{method} {template} {status}");
        self.fit(&place, &close(&described["schema"], false), &body)
    }

    fn expect_refusal(&self, heard: &Heard<'_>, statuses: &[u16]) -> Result<(), String> {
        if !statuses.contains(&heard.status) {
            // What is not described is no route; whatever else answers is one.
            let is_undescribed = ["/openapi.json"].iter().any(|known| heard.path.starts_with(known));
            return if is_undescribed { Ok(()) } else { Err("there is no such route".to_owned()) };
        }
        let body: Value =
            serde_json::from_str(heard.body).map_err(|problem| format!("not JSON: {problem}"))?;
        self.fit("Error", &json!({"$ref": "#/components/schemas/Error"}), &body)
    }

    #[track_caller]
    fn expect_fit(&self, reference: &str, value: &Value) {
        if let Err(why) = self.fit(reference, &json!({"$ref": reference}), value) {
            panic!("openapi.json does not describe {value}: {why}");
        }
    }

    fn fit(&self, place: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let validator = self.validator(place, schema);
        let problems: Vec<String> = validator
            .iter_errors(value)
            .take(5)
            .map(|problem| format!("{} at {}", problem, problem.instance_path()))
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }

    fn validator(&self, place: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock();
        if let Some(known) = validators.get(place) {
            return known.clone();
        }
        let mut root = schema.clone();
        root["components"] = json!({"schemas": self.closed});
        let made = jsonschema::draft202012::new(&root);
        let made = Arc::new(made.unwrap_or_else(|problem| panic!("{place} is no schema: {problem}")));
        validators.insert(place.to_owned(), made.clone());
        made
    }

    /// The path of the description that a request's path is one of.
    fn route(&self, path: &str) -> Option<(&String, &Value)> {
        let asked: Vec<&str> = path.split('/').collect();
        let is_of = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == asked.len()
                && parts
                    .iter()
                    .zip(&asked)
                    .all(|(part, asked)| part == asked || (part.starts_with('{') && !asked.is_empty()))
        };
        let of_it = self.document["paths"].as_object()?.iter().filter(|(template, _)| is_of(template));
        // A word of its own is meant before a name that somebody gave.
        of_it.min_by_key(|(template, _)| template.matches('{').count())
    }
}

/// A schema whose objects take no field that they do not describe. What is a part of another (`allOf`) stays open,
/// for the whole is closed; and what such a part chooses from (`oneOf`) with it.
fn close(schema: &Value, is_part: bool) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    let mut closed = Map::new();
    for (word, value) in schema {
        let value = match (word.as_str(), value) {
            ("$ref", Value::String(to)) if is_part => Value::String(format!("{to}__open")),
            ("allOf", Value::Array(parts)) => parts.iter().map(|part| close(part, true)).collect(),
            ("oneOf" | "anyOf", Value::Array(parts)) => {
                parts.iter().map(|part| close(part, is_part)).collect()
            }
            ("properties", Value::Object(fields)) => fields
                .iter()
                .map(|(name, field)| (name.clone(), close(field, false)))
                .collect::<Map<_, _>>()
                .into(),
            ("items" | "additionalProperties", value) => close(value, false),
            // Names of schemas in it are not references, and examples are none.
            ("discriminator" | "example" | "examples", _) => continue,
            (_, value) => value.clone(),
        };
        closed.insert(word.clone(), value);
    }
    let says_fields = schema.contains_key("properties") || schema.contains_key("allOf");
    if says_fields && !is_part {
        closed.insert("unevaluatedProperties".to_owned(), false.into());
    }
    closed.into()
}

/// The check itself can fail.
#[test]
fn an_answer_that_is_not_described_is_found() {
    let health = |status, content_type, body| {
        let heard = Heard { method: "GET", path: "/healthz?", status, content_type, body };
        DESCRIPTION.find(&heard)
    };
    let good = r#"{"status":"ok","version":"1"}"#;
    assert_eq!(health(200, "application/json", good), Ok(()));
    for (status, content_type, body) in [
        (201, "application/json", good),
        (200, "text/plain", good),
        (200, "application/json", r#"{"status":"ok"}"#),
        (200, "application/json", r#"{"status":5,"version":"1"}"#),
        (200, "application/json", r#"{"status":"ok","version":"1","more":true}"#),
    ] {
        let found = health(status, content_type, body);
        assert!(found.is_err(), "{status} {content_type} {body} passes");
    }
    let nothing =
        Heard { method: "GET", path: "/nothing", status: 200, content_type: "application/json", body: good };
    assert!(DESCRIPTION.find(&nothing).is_err());
    // Whole and parts: an event with a field too many, in its data and beside it.
    let mut event = json!({
        "id": "evt_1", "type": "optout.added", "version": 1, "position": 1,
        "occurredAt": "2026-03-08T10:30:00.000Z", "data": {"phone": "5511900000001", "source": "api"}
    });
    expect_described_event(&event);
    event["more"] = true.into();
    assert!(std::panic::catch_unwind(|| expect_described_event(&event)).is_err());
}
