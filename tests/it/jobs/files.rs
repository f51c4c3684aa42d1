//! Files as other programs write them (`tests/lists/make.py` made them), read as their owners see them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::lists::form;
use crate::app::{Session, TestApp};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/lists")
}

/// The files, each with what its owner sees.
fn files() -> Vec<(String, Vec<u8>, Value)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(list) = name.strip_suffix(".expected.json") else { continue };
        let expected = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        files.push((list.to_owned(), std::fs::read(folder().join(list)).unwrap(), expected));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_read_as_its_owner_sees_it() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let session = Session { caller: &shop.test, id: "main".into(), phone: String::new() };
    let files = files();
    assert!(files.len() >= 70, "{} files", files.len());
    let mut wrong = Vec::new();
    for (name, bytes, expected) in files {
        let mut parts = vec![("message".to_owned(), expected["text"].as_str().unwrap().to_owned())];
        for (field, value) in expected["fields"].as_object().unwrap() {
            parts.push((field.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        }
        let parts: Vec<(&str, &str)> =
            parts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        // What it is, its content says.
        let answer = form(&session, "/send-bulk/preview?limit=50", &parts, Some(("list", bytes))).await;
        let told: Value = serde_json::from_str(&answer.text).unwrap();
        if let Some(error) = expected["error"].as_str() {
            if told["code"] != expected["code"]
                || !told["error"].as_str().is_some_and(|text| text.contains(error))
            {
                wrong.push(format!("{name}: {}", answer.text));
            }
            continue;
        }
        let people: Vec<Value> = told["previews"]
            .as_array()
            .map(|people| people.iter().map(|one| json!([one["phone"], one["message"]])).collect())
            .unwrap_or_default();
        if json!(people) != expected["people"] {
            wrong.push(format!("{name}: {}, not {}", answer.text, expected["people"]));
            continue;
        }
        for (field, value) in expected["list"].as_object().unwrap() {
            let is_left_out = *value == json!(false) && told["list"][field].is_null();
            if told["list"][field] != *value && !is_left_out {
                wrong.push(format!("{name}: {field}: {}, not {value}", told["list"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_shows_the_first_people_as_they_were_read() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let session = Session { caller: &shop.test, id: "main".into(), phone: String::new() };
    let csv = "Vorname;Handy;Ort\nAna;(11) 90000-0001;Rio\n;+5511900000002;\nCy;5511900000003;\nDi;5511900000004;\n";
    let parts = [("message", "Hallo {{Vorname|du}}"), ("defaultCountry", "br")];
    for path in ["/send-bulk/preview", "/send-bulk"] {
        let answer = form(&session, path, &parts, Some(("l.csv", csv.into()))).await.ok();
        let list = json!({
            "format": "csv", "phoneColumn": "Handy", "nameColumn": "Vorname", "headerRow": 1, "encoding": "UTF-8",
            "delimiter": ";", "country": "BR",
            "people": [
                {"row": 2, "phone": "5511900000001", "name": "Ana", "fields": {"Vorname": "Ana", "Ort": "Rio"}},
                {"row": 3, "phone": "5511900000002", "fields": {}},
                {"row": 4, "phone": "5511900000003", "name": "Cy", "fields": {"Vorname": "Cy"}},
            ],
        });
        assert_eq!(answer["list"], list, "{path}");
    }
    let body = json!({"recipients": [{"Mobil": "5511900000001", "Vorname": "Ana"}], "message": "{{name}}"});
    let answer = shop.test.post(&session.path("/send-bulk/preview"), body).await.ok();
    assert_eq!(answer["previews"][0]["message"], "Ana");
    let told = ["format", "phoneColumn", "nameColumn"].map(|field| answer["list"][field].as_str().unwrap());
    assert_eq!(told, ["json", "Mobil", "Vorname"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_in_the_wrong_place_is_told_the_right_one() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let session = Session { caller: &shop.test, id: "main".into(), phone: String::new() };
    let csv = "phone\n5511900000001\n";
    for part in ["data", "csv", "upload", "files[]"] {
        let answer = form(&session, "/send-bulk", &[("message", "Hi"), (part, csv)], None).await;
        let refused = answer.refused(400, "INVALID_FORM");
        let error = refused["error"].as_str().unwrap();
        assert_eq!(error, format!("file: the list is the part file, not {part}; call that part file"));
    }
    // An empty file input of a web page beside recipients.
    let parts = [("message", "Hi"), ("recipients", "[\"5511900000001\"]")];
    form(&session, "/send-bulk/preview", &parts, Some(("", Vec::new()))).await.ok();
    for kind in
        ["text/csv", "Text/CSV; charset=utf-8", "application/vnd.ms-excel", "application/octet-stream"]
    {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .post(format!("{}{}", session.caller.url, session.path("/send-bulk/preview")))
            .header("X-API-Key", &session.caller.key)
            .header("content-type", kind)
            .body(csv)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{kind}");
        let told: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(told["code"], "INVALID_FORM", "{kind}");
        assert!(told["error"].as_str().unwrap().contains("the part file of a form"), "{told}");
    }
}
