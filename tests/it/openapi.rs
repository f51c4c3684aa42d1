//! `openapi.json` says what the routes do.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::app::TestApp;
use crate::description;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_names_its_answers_and_every_reference_leads_somewhere() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let document = shop.test.get("/openapi.json").await.ok();
    assert!(document["openapi"].as_str().expect("a version").starts_with("3."));
    let mut ids = HashSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let name = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].to_string()), "{name}: operationId is used twice");
            assert!(
                operation["summary"].is_string() || operation["description"].is_string(),
                "{name}: no words"
            );
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let said = parameter["name"].as_str().expect("a name");
                let is_of_path = path.contains(&format!("{{{said}}}"));
                assert_eq!(parameter["in"] == "path", is_of_path, "{name}: {parameter}");
                assert!(is_of_path || parameter["required"] != true, "{name}: {parameter}");
            }
            let id = operation["operationId"].as_str().expect("an operationId");
            assert!(
                id.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}: {id} is not snake_case"
            );
            let tags = operation["tags"].as_array().expect("tags");
            assert_eq!(tags.len(), 1, "{name}: {tags:?}");
            for (status, answer) in operation["responses"].as_object().expect("responses") {
                let answer = resolved(&document, answer);
                let described = answer["description"].as_str().unwrap_or_default();
                assert!(!described.is_empty(), "{name}: {status} has no words");
                for (kind, content) in answer["content"].as_object().into_iter().flatten() {
                    let is_text = kind == "application/json" || content["schema"]["type"] == "string";
                    assert!(is_text, "{name}: {kind} is {}", content["schema"]);
                }
            }
            let answers: Vec<_> =
                operation["responses"].as_object().expect("responses").keys().cloned().collect();
            assert!(
                answers.iter().any(|status| ["101", "200"].contains(&status.as_str())),
                "{name}: {answers:?}"
            );
            if path.starts_with("/api/") {
                for status in ["400", "401", "404", "429", "500"] {
                    assert!(answers.iter().any(|known| known == status), "{name} does not name {status}");
                }
            }
        }
    }
    let mut references = vec![];
    collect(&document, &mut references);
    for reference in references {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    document.pointer(reference.trim_start_matches('#')).expect("a reference leads somewhere")
}

/// `openapi.json` has one place for all types: of two with one name, the one would stand for the other.
#[test]
fn no_two_types_are_described_by_one_name() {
    let mut named: HashMap<String, PathBuf> = HashMap::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in [sources(&root.join("src")), sources(&root.join("core/src/event"))].concat() {
        let text = std::fs::read_to_string(&file).expect("a source file");
        // In core, they are described with a feature.
        let text =
            text.replace("#[cfg_attr(feature = \"schema\", derive(utoipa::ToSchema)", "#[derive(ToSchema)]");
        for part in text.split("#[derive(").skip(1) {
            let (derived, rest) = part.split_once(")]").expect("a derive ends");
            if !derived.split(',').any(|one| one.trim() == "ToSchema") {
                continue;
            }
            let head: Vec<&str> = rest
                .lines()
                .skip(1)
                .take_while(|line| line.starts_with('#') || line.starts_with("//"))
                .collect();
            let declared = rest.lines().nth(1 + head.len()).expect("a type follows its derive");
            let own = declared
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .find(|word| word.starts_with(char::is_uppercase));
            let other = head.iter().find_map(|line| line.strip_prefix("#[schema(as = "));
            let name = other.map(|rest| rest.split([',', ')']).next().unwrap_or_default()).or(own);
            let name = name.unwrap_or_else(|| panic!("{}: {declared}", file.display())).to_owned();
            if let Some(first) = named.insert(name.clone(), file.clone()) {
                panic!("{name} is the name of a type in {} and in {}", first.display(), file.display());
            }
        }
    }
    assert!(named.len() > 100, "only {} types are described", named.len());
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let found = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    found.filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect()
}

#[test]
fn every_schema_is_used_and_every_example_fits() {
    let document = description::document();
    let mut references = vec![];
    collect(document, &mut references);
    for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
        let place = format!("#/components/schemas/{name}");
        assert!(references.contains(&place), "{name} is described and nowhere used");
    }
    let mut examples = vec![];
    collect_examples(document, &mut examples);
    assert!(examples.len() > 50, "only {} examples", examples.len());
    for (schema, example) in examples {
        assert!(description::takes(schema, example), "{example} does not fit {schema}");
    }
}

/// Schemas with an example, and parameters with one beside their schema.
fn collect_examples<'a>(value: &'a Value, into: &mut Vec<(&'a Value, &'a Value)>) {
    match value {
        Value::Object(fields) => {
            let schema = fields.get("schema").filter(|_| fields.contains_key("in")).unwrap_or(value);
            // A field that is called so is none.
            if !fields.contains_key("properties") || fields.contains_key("type") {
                into.extend(
                    fields
                        .get("example")
                        .filter(|one| !one.is_object() || one.get("type").is_none())
                        .map(|one| (schema, one)),
                );
                into.extend(
                    fields
                        .get("examples")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                        .map(|one| (schema, one)),
                );
            }
            fields.values().for_each(|value| collect_examples(value, into));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_examples(value, into)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_is_sent_gzipped_to_whoever_takes_that() {
    let app = TestApp::new().await;
    let ask = |accepts: &'static str| {
        let url = format!("{}/openapi.json", app.url());
        async move {
            let client = reqwest::Client::builder().no_proxy().build().expect("a client");
            let answer = client.get(url).header("accept-encoding", accepts).send().await.expect("an answer");
            let encoding = answer.headers().get("content-encoding").cloned();
            (encoding, answer.bytes().await.expect("a body"))
        }
    };
    let (encoding, plain) = ask("identity").await;
    assert_eq!(encoding, None);
    for accepts in ["gzip", "br;q=1.0, gzip;q=0.8", "GZIP"] {
        let (encoding, packed) = ask(accepts).await;
        assert_eq!(encoding.expect("an encoding"), "gzip", "{accepts}");
        assert!(packed.len() * 4 < plain.len(), "{} of {}", packed.len(), plain.len());
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, plain);
    }
    for accepts in ["", "br", "gzip;q=0", "identity;q=0.5, gzip; q=0.0"] {
        assert_eq!(ask(accepts).await.0, None, "{accepts}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_description_is_told_so() {
    let app = TestApp::new().await;
    let ask = |known: Option<String>, accepts: &'static str| {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut request =
            client.get(format!("{}/openapi.json", app.url())).header("accept-encoding", accepts);
        if let Some(known) = known {
            request = request.header("if-none-match", known);
        }
        async move { request.send().await.expect("an answer") }
    };
    let first = ask(None, "identity").await;
    assert_eq!(first.headers()["cache-control"], "no-cache");
    let tag = first.headers()["etag"].to_str().expect("a tag").to_owned();
    assert!(!first.bytes().await.expect("a body").is_empty());
    for known in
        [tag.clone(), tag.trim_start_matches("W/").to_owned(), format!("\"x\", {tag}"), "*".to_owned()]
    {
        let again = ask(Some(known.clone()), "gzip").await;
        assert_eq!(
            (again.status().as_u16(), &again.headers()["etag"]),
            (304, &tag.parse().expect("a value")),
            "{known}"
        );
        assert!(again.bytes().await.expect("no body").is_empty());
    }
    assert_eq!(ask(Some("\"another\"".to_owned()), "gzip").await.status(), 200);
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                into.push(reference.to_owned());
            }
            fields.values().for_each(|value| collect(value, into));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}
