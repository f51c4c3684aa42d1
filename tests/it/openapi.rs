//! `openapi.json` says what the routes do.

use std::collections::HashSet;

use serde_json::Value;

use crate::app::TestApp;

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
            let answers: Vec<_> =
                operation["responses"].as_object().expect("responses").keys().cloned().collect();
            assert!(
                answers.iter().any(|status| ["101", "200"].contains(&status.as_str())),
                "{name}: {answers:?}"
            );
            if path.starts_with("/api/") {
                for status in ["400", "401", "404", "500"] {
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
