//! The whole log as a file: complete, safe to open, recognisably cut off, and never whole in memory.

use serde_json::{Value, json};

use crate::app::{Caller, TestApp};
use crate::on_both_engines;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";
const EXPORT: &str = "/api/whatsapp/messages/export";

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

on_both_engines! {
    async fn a_file_has_what_the_list_has(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        for text in ["=cmd|' /C calc'!A0", "a, \"b\"\nc", "plain", "olá 🎉"] {
            session.send(ANA, text).await.ok();
        }
        let id = ana.send(SHOP, "+1 from me").await;
        session.until_logged(&id, "received").await;

        let file = shop.test.get(&format!("{EXPORT}?format=jsonl")).await;
        assert_eq!(file.headers["content-type"], "application/x-ndjson");
        assert_eq!(file.headers["content-disposition"], "attachment; filename=\"messages.jsonl\"");
        let mut rows = lines(&file.text);
        assert_eq!(rows.pop(), Some(json!({"end": true, "count": 5})));
        let list = shop.test.get("/api/whatsapp/messages?limit=100").await.ok();
        assert_eq!(json!(rows), list["messages"]);

        let file = shop.test.get(&format!("{EXPORT}?format=csv")).await;
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
        let text = file.text.strip_prefix('\u{feff}').expect("Excel knows UTF-8 by its mark");
        let mut read = csv::Reader::from_reader(text.as_bytes());
        let head = read.headers().expect("a head").clone();
        let place = |name: &str| head.iter().position(|column| column == name).unwrap_or_else(|| panic!("no {name}"));
        let rows: Vec<csv::StringRecord> = read.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), 5);
        let texts: Vec<&str> = rows.iter().map(|row| &row[place("message")]).collect();
        assert_eq!(texts, ["'+1 from me", "olá 🎉", "plain", "a, \"b\"\nc", "'=cmd|' /C calc'!A0"]);
        assert_eq!((&rows[0][place("direction")], &rows[0][place("messageId")]), ("in", id.as_str()));
        assert_eq!(rows[0][place("phone")], format!("'{ANA}"), "a spreadsheet rounds a bare number");
        // CSV where nothing else is asked for.
        assert_eq!(shop.test.get(EXPORT).await.text.lines().count(), text.lines().count());

        let count = async |query: &str| {
            let rows = lines(&shop.test.get(&format!("{EXPORT}?format=jsonl&{query}")).await.text);
            rows.last().expect("an end")["count"].as_i64().expect("a number")
        };
        assert_eq!(count("direction=out").await, 4);
        assert_eq!(count("search=plain").await, 1);
        assert_eq!(count("search=nothing").await, 0);
        assert_eq!(count("status=failed").await, 0);
        assert_eq!(count(&format!("phone={ANA}&search=ola")).await, 1);
        for bad in ["format=xml", "direction=up", "phone=x"] {
            shop.test.get(&format!("{EXPORT}?{bad}")).await.refused(400, "INVALID_PARAMETER");
        }
        assert_eq!(lines(&shop.live.get(&format!("{EXPORT}?format=jsonl")).await.text), [json!({"end": true, "count": 0})]);
    }
}

/// A log of so many messages of a kilobyte, copied from the one that is there.
async fn grow(app: &TestApp, copies: i64) {
    let is_postgres = app.database.url.starts_with("postgres");
    let numbers = if is_postgres {
        format!("WITH n AS (SELECT i FROM generate_series(1, {copies}) AS g (i))")
    } else {
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {copies})")
    };
    let body = "x".repeat(1_000);
    app.execute(
        &format!(
            "{numbers} INSERT INTO messages (tenant_id, mode, key, session_key, session_id, direction, origin,
                wa_id, chat, sender, kind, body, status, rank, pending, created_at)
            SELECT m.tenant_id, m.mode, substr(m.key, 1, 20) || CAST(1000000000 + n.i AS TEXT), m.session_key,
                m.session_id, 'in', 'contact', 'C' || n.i, m.chat, m.sender, 'text', '{body}', 'received', 0, FALSE,
                m.created_at
            FROM n, messages m WHERE m.body = 'the first'"
        ),
    )
    .await;
}

fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

async fn open(caller: &Caller, query: &str) -> reqwest::Response {
    let url = format!("{}{EXPORT}?{query}", caller.url);
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    client.get(url).header("X-API-Key", &caller.key).send().await.expect("an answer")
}

on_both_engines! {
    async fn a_long_log_is_never_whole_in_memory_and_tells_when_it_is_cut_off(app: TestApp) {
        let mut app = app;
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        shop.phone(ANA).await;
        session.send(ANA, "the first").await.ok();
        grow(&app, 60_000).await;
        // The first reading warms the pools up.
        let mut file = open(&shop.test, "format=jsonl").await;
        file.chunk().await.expect("a part").expect("some of it");
        drop(file);
        let before = rss_mib();
        let mut file = open(&shop.test, "format=jsonl").await;
        let (mut bytes, mut peak, mut tail) = (0, before, Vec::new());
        while let Some(chunk) = file.chunk().await.expect("it goes on") {
            bytes += chunk.len();
            peak = peak.max(rss_mib());
            tail.extend_from_slice(&chunk);
            tail.drain(..tail.len().saturating_sub(200));
        }
        assert!(bytes > 60_000_000, "{bytes}");
        assert!(peak - before < 40, "the log of {bytes} bytes took {} MiB", peak - before);
        let end = String::from_utf8(tail).expect("UTF-8");
        assert!(end.ends_with("{\"end\":true,\"count\":60001}\n"), "{end}");

        // A few at a time; one that is left makes room.
        let mut readers = vec![];
        for _ in 0..4 {
            readers.push(open(&shop.test, "").await);
        }
        shop.test.get(EXPORT).await.refused(429, "TOO_MANY_EXPORTS");
        readers.clear();
        crate::app::until("room for another", || async {
            shop.test.get(&format!("{EXPORT}?direction=out")).await.status.is_success().then_some(())
        })
        .await;

        // The gateway goes away in the middle.
        let mut file = open(&shop.test, "format=csv").await;
        file.chunk().await.expect("a part").expect("some of it");
        app.stop().await;
        let mut is_whole = true;
        loop {
            match file.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => {
                    is_whole = false;
                    break;
                }
            }
        }
        assert!(!is_whole, "a file that was cut off looked whole");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_writes_a_whole_file_or_none() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    shop.phone(ANA).await;
    for text in ["first", "second"] {
        session.send(ANA, text).await.ok();
    }
    let wapid = async |arguments: &[&str]| {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_wapid"))
            .env("WAPID_DATA_DIR", app.dir.path())
            .args(["messages", "export", "--url", &app.url()])
            .args(arguments)
            .output()
            .await
            .expect("wapid runs")
    };
    let key = shop.test.key.as_str();
    let printed = wapid(&["--key", key, "--format", "jsonl", "--search", "second"]).await;
    let rows = lines(&String::from_utf8(printed.stdout).expect("UTF-8"));
    assert_eq!(
        (rows.len(), &rows[0]["message"], &rows[1]),
        (2, &json!("second"), &json!({"end": true, "count": 1}))
    );
    let file = app.dir.path().join("messages.csv");
    let path = file.to_str().expect("UTF-8");
    let written = wapid(&["--key", key, "--output", path]).await;
    assert!(written.status.success(), "{written:?}");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), shop.test.get(EXPORT).await.text);
    let refused = wapid(&["--key", "wapid_test_nobody", "--output", &format!("{path}.2")]).await;
    assert_eq!(refused.status.code(), Some(1));
    let left = std::fs::read_dir(app.dir.path()).expect("a folder").flatten();
    assert!(
        left.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().starts_with("messages.csv."))
    );
}
