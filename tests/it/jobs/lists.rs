//! Lists as people have them, texts with places for names, and a look before the leap.

use serde_json::{Value, json};

use super::{Job, crowd, shown};
use crate::app::{Answer, Session, TestApp};

/// What `curl -F` sends.
pub async fn form(
    session: &Session<'_>,
    tail: &str,
    parts: &[(&str, &str)],
    file: Option<(&str, Vec<u8>)>,
) -> Answer {
    const EDGE: &str = "----wapid-test";
    let mut body = Vec::new();
    for (name, value) in parts {
        body.extend(
            format!("--{EDGE}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    if let Some((name, bytes)) = file {
        body.extend(
            format!("--{EDGE}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n")
                .bytes(),
        );
        body.extend(bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{EDGE}--\r\n").bytes());
    let answer = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .post(format!("{}{}", session.caller.url, session.path(tail)))
        .header("X-API-Key", &session.caller.key)
        .header("content-type", format!("multipart/form-data; boundary={EDGE}"))
        .body(body)
        .send()
        .await
        .unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_csv_is_sent_to_with_each_persons_own_text() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 3).await;
    let csv = format!(
        "Nome;Telefone;Cidade\r\nJoão;{};São Paulo\r\n;+{};Rio\r\nx;{};\r\nAna;hello;\r\nBia;{};\r\n",
        phones[0], phones[1], phones[2], phones[0]
    );
    let parts = [
        ("message", "Olá {{nome|amigo}} de {{Cidade}}!"),
        ("header", "{{nome}}"),
        ("delayMin", "0"),
        ("delayMax", "0"),
    ];
    let answer =
        form(&session, "/send-bulk/preview?limit=2", &parts, Some(("l.csv", csv.clone().into()))).await;
    let preview = answer.ok();
    assert_eq!(preview["previews"][0]["message"], "*João*\n\nOlá João de São Paulo!");
    assert_eq!(preview["previews"][1]["message"], "Olá amigo de Rio!");
    assert_eq!(
        preview["missing"],
        json!([{"field": "Cidade", "recipients": 1}, {"field": "nome", "recipients": 1}])
    );
    assert_eq!(shop.test.get("/api/whatsapp/bulk-jobs").await.ok()["jobs"], json!([]));

    let made = form(&session, "/send-bulk", &parts, Some(("l.csv", csv.into()))).await.ok();
    assert_eq!(
        (made["total"].clone(), made["invalid"].clone(), made["duplicates"].clone()),
        (json!(3), json!(1), json!(1))
    );
    let problems: Vec<(i64, &str)> = made["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["row"].as_i64().unwrap(), p["code"].as_str().unwrap()))
        .collect();
    assert_eq!(problems, [(5, "INVALID_RECIPIENT"), (6, "DUPLICATE")]);
    let job = Job { caller: &shop.test, id: made["jobId"].as_str().unwrap().to_owned() };
    job.until_completed().await;
    assert_eq!(shown(&shop.test, &phones[0]).await, ["*João*\n\nOlá João de São Paulo!"]);
    assert_eq!(shown(&shop.test, &phones[2]).await, ["*x*\n\nOlá x de !"]);
    let rows: Vec<(i64, String)> = job
        .recipients("")
        .await
        .iter()
        .map(|r| (r["row"].as_i64().unwrap(), r["outcome"].as_str().unwrap().to_owned()))
        .collect();
    let outcomes = [(2, "sent"), (3, "sent"), (4, "sent"), (5, "invalid"), (6, "duplicate")];
    assert_eq!(rows, outcomes.map(|(row, outcome)| (row, outcome.to_owned())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_list_is_refused() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let session = Session { caller: &shop.test, id: "main".into(), phone: String::new() };
    let parts = [("message", "Hi")];
    for (bytes, code) in [
        (Vec::new(), "INVALID_FILE"),
        (b"%PDF-1.7".to_vec(), "INVALID_FILE"),
        (b"PK\x03\x04 and nothing".to_vec(), "INVALID_FILE"),
        (b"phone\nhello\n".to_vec(), "NO_RECIPIENTS"),
        ("phone\n9.19877E+11\n".into(), "NO_RECIPIENTS"),
        ("Nome,Cidade\nAna,Rio\n".into(), "UNKNOWN_COLUMN"),
        ("phone,name\n919876543210,\"Ana\n919876543211,Bia\n".into(), "INVALID_RECIPIENTS"),
    ] {
        form(&session, "/send-bulk", &parts, Some(("list", bytes))).await.refused(400, code);
    }
    let large = vec![b'1'; (32 << 20) + 1];
    form(&session, "/send-bulk", &parts, Some(("list", large))).await.refused(413, "BODY_TOO_LARGE");
    let both = [("message", "Hi"), ("recipients", "[\"919876543210\"]")];
    form(&session, "/send-bulk", &both, Some(("l", b"919876543211".to_vec())))
        .await
        .refused(400, "INVALID_REQUEST");
    let numbers = [("message", "Hi"), ("delayMin", "soon")];
    form(&session, "/send-bulk", &numbers, Some(("l", b"919876543211".to_vec())))
        .await
        .refused(400, "INVALID_REQUEST");
    let long = "x".repeat(17 << 20);
    form(&session, "/send-bulk", &[("message", &long)], None).await.refused(413, "BODY_TOO_LARGE");
    // A part that is no list has no room for one.
    let long = "x".repeat((1 << 20) + 1);
    for part in ["message", "windows", "colour"] {
        let list = Some(("l", b"919876543211".to_vec()));
        form(&session, "/send-bulk", &[(part, &long)], list).await.refused(413, "BODY_TOO_LARGE");
    }
    let list = format!("[{}\"919876543211\"]", "\n".repeat(2 << 20));
    form(&session, "/send-bulk/preview", &[("message", "Hi"), ("recipients", &list)], None).await.ok();
    let twice = [("message", "Hi"), ("file", "919876543210")];
    form(&session, "/send-bulk", &twice, Some(("l", b"919876543211".to_vec())))
        .await
        .refused(400, "INVALID_FORM");
    let empty = [("message", "Hi"), ("scheduleAt", ""), ("delayMin", ""), ("name", "")];
    form(&session, "/send-bulk/preview", &empty, Some(("l", b"919876543211".to_vec()))).await.ok();
    let uploads = app.dir.path().join("uploads");
    assert_eq!(std::fs::read_dir(uploads).map_or(0, Iterator::count), 0, "a file was left lying");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variants_share_the_list_and_have_results_of_their_own() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 60).await;
    let body = json!({
        "recipients": phones, "delayMin": 0, "delayMax": 0,
        "variants": [{"message": "Short"}, {"message": "Long and kind", "label": "kind", "weight": 2}]
    });
    let job = session.bulk(body.clone()).await;
    let preview = shop.test.post(&session.path("/send-bulk/preview?limit=50"), body).await.ok();
    job.until_completed().await;
    for (one, told) in job.recipients("").await.iter().zip(preview["previews"].as_array().unwrap()) {
        assert_eq!((&one["phone"], &one["variant"]), (&told["phone"], &told["variant"]));
    }
    let results = shop.test.get(&job.path("/results")).await.ok();
    let variants = results["variants"].as_array().unwrap();
    assert_eq!(variants.iter().map(|v| v["label"].as_str().unwrap()).collect::<Vec<_>>(), ["A", "kind"]);
    let counts: Vec<i64> = variants.iter().map(|v| v["sent"].as_i64().unwrap()).collect();
    assert_eq!(counts.iter().sum::<i64>(), 60);
    assert!(counts.iter().all(|count| *count > 0), "60 draws and one text: {counts:?}");
    for one in job.recipients("").await {
        let text = if one["variant"] == "A" { "Short" } else { "Long and kind" };
        assert_eq!(shown(&shop.test, one["phone"].as_str().unwrap()).await, [text]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn national_numbers_get_the_country_that_was_named() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let body = |country: Value| json!({"recipients": ["(11) 91234-5678", "+44 7911 123456"], "message": "Hi", "defaultCountry": country});
    let preview = session.caller.post(&session.path("/send-bulk/preview"), body(json!("BR"))).await.ok();
    let phones: Vec<&str> =
        preview["previews"].as_array().unwrap().iter().map(|one| one["phone"].as_str().unwrap()).collect();
    assert_eq!(phones, ["5511912345678", "447911123456"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_no_use_leaves_the_others_alone() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 2).await;
    let recipients = json!([
        {"phone": null}, {"phone": phones[0], "name": "Ana"}, {"phone": ""}, {"name": "nobody"}, null, ["x"],
        {"phone": "5511960000001", "name": ["a"]}, {"phone": "5511960000001", "name": "x".repeat(1_025)},
        {"phone": "5511960000001", "Name": "Ana", "name": "Bia"}, {"phone": phones[1], "name": "\\u0000 Bia"},
        "551160000001", "5511960000001",
    ]);
    let body = json!({"recipients": recipients, "message": "Hi {{name|you}}", "delayMin": 0, "delayMax": 0});
    let made = shop.test.post(&session.path("/send-bulk"), body).await.ok();
    let counts = ["total", "invalid", "duplicates"].map(|count| made[count].as_i64().unwrap());
    assert_eq!(counts, [3, 8, 1]);
    let problems: Vec<(i64, &str)> = made["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["row"].as_i64().unwrap(), p["code"].as_str().unwrap()))
        .collect();
    let mut told = [1, 3, 4, 5, 6, 7, 8, 9].map(|row| (row, "INVALID_RECIPIENT")).to_vec();
    told.push((12, "DUPLICATE"));
    assert_eq!(problems, told);
    let job = Job { caller: &shop.test, id: made["jobId"].as_str().unwrap().to_owned() };
    job.until_completed().await;
    assert_eq!(shown(&shop.test, &phones[0]).await, ["Hi Ana"]);
    assert_eq!(shown(&shop.test, &phones[1]).await, ["Hi \\u0000 Bia"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_with_more_fields_than_it_may_name_is_refused() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let recipients: Vec<Value> =
        (0..201).map(|n| json!({"phone": format!("55117{n:08}"), format!("field {n}"): "x"})).collect();
    let all = (0..201).map(|n| format!("{{{{field {n}|}}}}")).collect::<Vec<_>>().concat();
    let body = |message: &str| json!({"recipients": recipients, "message": message});
    let path = "/api/whatsapp/session/main/send-bulk";
    shop.test.post(path, body(&format!("Hi {all}"))).await.refused(400, "TOO_MANY_FIELDS");
    // Nobody reads them: what does not fit is left out, and told.
    let made = shop.test.post(path, body("Hi")).await.ok();
    assert_eq!((&made["total"], &made["invalid"]), (&json!(201), &json!(0)));
    assert_eq!(made["list"]["unreadFields"], json!([{"field": "field 200", "recipients": 1}]));
}

/// Of whom a job left out, somebody makes the next one's list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_was_downloaded_can_be_uploaded() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let phones = crowd(&shop, 2).await;
    let recipients = json!([{"phone": phones[0], "name": "João, o \"Zé\""}, {"phone": phones[1]}]);
    let job =
        session.bulk(json!({"recipients": recipients, "message": "Hi", "delayMin": 0, "delayMax": 0})).await;
    job.until_completed().await;
    let csv = shop.test.get(&job.path("/recipients?format=csv")).await.text;
    assert!(csv.starts_with("\u{feff}row,phone,name,outcome,"), "Excel reads João: {csv:?}");
    assert!(csv.contains(&format!(",'{},", phones[0])), "Excel shows the number whole: {csv:?}");
    let parts = [("message", "Olá {{name|amigo}}, {{outcome}}")];
    let preview = form(&session, "/send-bulk/preview", &parts, Some(("l.csv", csv.into()))).await.ok();
    let told = [0, 1].map(|place| preview["previews"][place]["message"].as_str().unwrap());
    assert_eq!(told, ["Olá João, o \"Zé\", sent", "Olá amigo, sent"]);
    assert_eq!((&preview["total"], &preview["invalid"]), (&json!(2), &json!(0)));
    let read = preview["previews"].as_array().unwrap().iter().map(|one| one["phone"].as_str().unwrap());
    assert_eq!(read.collect::<Vec<_>>(), phones);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_tells_who_would_get_nothing() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let name = "x".repeat(1_000);
    let body = |message: &str| {
        let recipients = json!([
            {"phone": "5511960000001", "name": name}, {"phone": "5511960000002"},
            {"phone": "5511960000003", "name": "Ana"}
        ]);
        json!({"recipients": recipients, "message": message})
    };
    let codes = async |message: &str| {
        let preview = session.caller.post(&session.path("/send-bulk/preview"), body(message)).await.ok();
        let previews = preview["previews"].as_array().unwrap().iter();
        previews.map(|one| one["code"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(codes("{{name}}").await, ["", "MESSAGE_EMPTY", ""]);
    assert_eq!(codes(&"{{name}}".repeat(70)).await, ["MESSAGE_TOO_LONG", "MESSAGE_EMPTY", ""]);
}

/// As large as a job may be; the bench measures how fast.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_are_taken_and_one_more_is_not() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.test.post("/api/whatsapp/session", json!({"sessionId": "main"})).await.ok();
    let path = "/api/whatsapp/session/main/send-bulk";
    let mut recipients: Vec<Value> = (0..100_000)
        .map(|n| json!({"phone": format!("55117{n:08}"), "name": format!("Person {n}")}))
        .collect();
    let made = shop.test.post(path, json!({"recipients": recipients, "message": "Hi {{name}}"})).await.ok();
    assert_eq!(made["total"], json!(100_000));
    recipients.push(json!("919876543210"));
    let refused = shop.test.post(path, json!({"recipients": recipients, "message": "Hi"})).await;
    refused.refused(400, "TOO_MANY_RECIPIENTS");
    let job = Job { caller: &shop.test, id: made["jobId"].as_str().unwrap().to_owned() };
    let page = shop.test.get(&job.path("/recipients?after=99990")).await.ok();
    assert_eq!(page["recipients"].as_array().unwrap().len(), 10);
    job.post("/cancel").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_lists_of_one_tenant_keep_nobody_elses_job_waiting() {
    let app = TestApp::new().await;
    let (crowded, neighbour) = (app.tenant("crowded").await, app.tenant("neighbour").await);
    let many = crowded.linked("main", "5511900000001").await;
    let one = neighbour.linked("main", "5511900000011").await;
    let phones = crowd(&neighbour, 1).await;
    let mut list = "phone,name\n".to_owned();
    for number in 0..20_000 {
        let _ =
            std::fmt::Write::write_fmt(&mut list, format_args!("55119{:08},Somebody\n", 10_000_000 + number));
    }
    let parts = [("message", "Hi {{name}}")];
    let large =
        (0..24).map(|_| form(&many, "/send-bulk/preview", &parts, Some(("l.csv", list.clone().into()))));
    let mut large: futures::stream::FuturesUnordered<_> = large.collect();
    // They are all at the door, and the first was let in.
    let answer = futures::StreamExt::next(&mut large).await.expect("an answer");
    assert_eq!(answer.ok()["total"], 20_000);
    let small = async {
        let csv = format!("phone,name\n{},Ana\n", phones[0]);
        form(&one, "/send-bulk/preview", &parts, Some(("l.csv", csv.into()))).await.ok();
        let body = json!({"recipients": [phones[0]], "message": "Hi", "delayMin": 0, "delayMax": 0});
        one.bulk(body).await.until_completed().await;
    };
    let mut small = std::pin::pin!(small);
    let mut left = 23;
    loop {
        tokio::select! {
            biased;
            () = &mut small => break,
            Some(answer) = futures::StreamExt::next(&mut large) => {
                answer.ok();
                left -= 1;
            }
        }
    }
    assert!(left > 0, "it waited for all of them");
}
