//! Rubbish gets the seed's error shape, a stable code and a 4xx, and changes no row.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Caller, TestApp};

/// Everything that a tenant's requests could have changed.
async fn rows(app: &TestApp) -> Vec<i64> {
    let pool = sqlx::SqlitePool::connect(&app.database.url).await.expect("the database opens");
    let mut counts = vec![];
    for table in [
        "tenants",
        "api_keys",
        "sessions",
        "messages",
        "idempotency_keys",
        "daily_usage",
        "events",
        "leases",
        "media",
    ] {
        let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        counts.push(sqlx::query_scalar(count).fetch_one(&pool).await.expect("a count"));
    }
    counts
}

async fn send(caller: &Caller, path: &str, body: &[u8]) -> u16 {
    let answer = caller.call(Method::POST, path, &[], Some(body.to_vec())).await;
    assert!(
        answer.status.is_client_error(),
        "{path} {}: {}",
        String::from_utf8_lossy(&body[..body.len().min(80)]),
        answer.text
    );
    let code = answer.code();
    assert!(code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'), "{code}");
    answer.status.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_is_refused_everywhere_and_changes_nothing() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    shop.linked("main", "5511900000001").await;
    shop.phone("5511900000002").await;
    let before = rows(&app).await;

    let deep = "[".repeat(100_000);
    let huge = format!(r#"{{"to":"5511900000002","message":"{}"}}"#, "x".repeat(2 << 20));
    let bodies: Vec<Vec<u8>> = [
        "",
        "{",
        "}",
        "null",
        "true",
        "42",
        "\"text\"",
        "[]",
        "[1,2]",
        "{}",
        "{\"to\":}",
        "{\"to\":\"5511900000002\"",
        "{'to':'x'}",
        "{\"to\":\"5511900000002\",}",
        "\u{feff}{}",
        "{}{}",
        &deep,
        &huge,
        "{\"to\":1,\"message\":\"x\"}",
        "{\"to\":null,\"message\":\"x\"}",
        "{\"to\":[],\"message\":\"x\"}",
        "{\"to\":\"5511900000002\",\"message\":7}",
        "{\"to\":\"5511900000002\",\"message\":[\"\\u0000\"]}",
        "{\"to\":\"5511900000002\",\"message\":{}}",
        "{\"to\":\"5511900000002\"}",
        "{\"to\":\"5511900000002\",\"message\":\"\"}",
        "{\"to\":\"5511900000002\",\"message\":\"x\",\"type\":\"carrier-pigeon\"}",
        "{\"to\":\"5511900000002\",\"message\":\"x\",\"type\":\"image\",\"mediaBase64\":\"%%%\"}",
    ]
    .iter()
    .map(|body| body.as_bytes().to_vec())
    .chain([vec![0xff, 0xfe, 0x00], vec![0; 64], b"{\"to\":\"\xff\"}".to_vec()])
    .collect();
    let routes = [
        "/api/whatsapp/session/main/send",
        "/api/whatsapp/session",
        "/api/sandbox/phones",
        "/api/sandbox/phones/5511900000001/scan",
        "/api/sandbox/phones/5511900000001/enter-code",
        "/api/sandbox/phones/5511900000001/messages",
        "/api/sandbox/phones/5511900000001/read",
        "/api/sandbox/phones/5511900000001/unlink",
        "/api/sandbox/faults",
    ];
    for route in routes {
        for body in &bodies {
            send(&shop.test, route, body).await;
        }
    }

    // What only a send reads.
    for body in [
        r#"{"to":"5511900000002","message":"x","header":5}"#,
        r#"{"to":"5511900000002","message":"a\u0000b"}"#,
    ] {
        send(&shop.test, "/api/whatsapp/session/main/send", body.as_bytes()).await;
    }

    let numbers: [&str; 15] = [
        "",
        "+",
        "0",
        "abc",
        "12",
        "1234567890123456",
        "+0 11",
        "5511900000002@",
        "@s.whatsapp.net",
        "5511900000002@evil.example",
        "5511900000002@g.us@g.us",
        "status@broadcast",
        "5511\u{0}900000002",
        "'; DROP TABLE messages;--",
        "999999999999",
    ];
    for to in numbers {
        let body = json!({"to": to, "message": "x"}).to_string();
        send(&shop.test, "/api/whatsapp/session/main/send", body.as_bytes()).await;
        let body = json!({"phone": to, "name": "x"}).to_string();
        send(&shop.test, "/api/sandbox/phones", body.as_bytes()).await;
    }
    let long = "x".repeat(200);
    let sessions: [Value; 8] = [
        json!(""),
        json!("a/b"),
        json!(" a"),
        json!("a\nb"),
        json!("x".repeat(129)),
        json!(1),
        json!(null),
        json!({}),
    ];
    for id in sessions {
        send(&shop.test, "/api/whatsapp/session", json!({"sessionId": id}).to_string().as_bytes()).await;
    }
    for extra in [
        json!({"sessionId": "new", "name": long}),
        json!({"sessionId": "new", "deviceName": "a\u{7}b"}),
        json!({"sessionId": "new", "proxy": "ftp://x"}),
        json!({"sessionId": "new", "proxy": "socks5://nohost"}),
        json!({"sessionId": "new", "phoneNumber": "12"}),
    ] {
        send(&shop.test, "/api/whatsapp/session", extra.to_string().as_bytes()).await;
    }
    for qr in
        ["", "x", "2@a,b,c", "data:image/png;base64,%%%", "data:image/png;base64,AAAA", "data:text/html,x"]
    {
        send(&shop.test, "/api/sandbox/phones/5511900000001/scan", json!({"qr": qr}).to_string().as_bytes())
            .await;
    }
    assert_eq!(rows(&app).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_routes_methods_and_keys_have_the_shape_too() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    for path in [
        "/",
        "/nothing",
        "/api",
        "/api/whatsapp",
        "/api/whatsapp/session/x/nothing",
        "/api/whatsapp/session//send",
        "/%ff",
    ] {
        let answer = shop.test.get(path).await;
        assert!([404, 405].contains(&answer.status.as_u16()), "{path}: {}", answer.text);
        answer.code();
    }
    let wrong = shop.test.call(Method::PUT, "/api/whatsapp/sessions", &[], None).await;
    wrong.refused(405, "METHOD_NOT_ALLOWED");
    assert!(wrong.headers.contains_key("allow"));
    shop.test.get("/api/whatsapp/session/nobody/status").await.refused(404, "SESSION_NOT_FOUND");
    shop.test.get("/api/whatsapp/messages?sessionId=%00").await.refused(400, "INVALID_PARAMETER");
    shop.test.get("/api/whatsapp/messages?cursor=%00").await.refused(400, "INVALID_PARAMETER");
    for id in ["%FF", "%00", "ep_", "ep_x%00", "..%2F"] {
        shop.test.get(&format!("/api/whatsapp/webhooks/{id}")).await.refused(404, "WEBHOOK_NOT_FOUND");
        let retry = format!("/api/whatsapp/webhooks/{id}/deliveries/{id}/retry");
        shop.test.post(&retry, json!({})).await.refused(404, "WEBHOOK_NOT_FOUND");
    }
    shop.test.get("/api/whatsapp/events?after=evt_%00").await.refused(410, "EVENTS_GONE");
    shop.test.get("/api/whatsapp/events/stream?after=%00").await.refused(400, "INVALID_PARAMETER");
    shop.test.delete("/api/whatsapp/opt-outs/%FF").await.refused(404, "NOT_OPTED_OUT");
    shop.test.get("/api/sandbox/phones/%FF/messages").await.refused(400, "INVALID_RECIPIENT");
    shop.test.get("/api/whatsapp/session/%F0%28%8C%28/status").await.refused(404, "SESSION_NOT_FOUND");

    for key in [
        "",
        "x",
        "wapid_live_",
        "wapid_test_0000000000000000000000000000000000000000000000",
        &shop.live_key[..40],
    ] {
        let nobody = Caller::new(app.url(), key);
        nobody.get("/api/whatsapp/sessions").await.refused(401, "UNAUTHORIZED");
    }
    let bare = reqwest::get(format!("{}/api/whatsapp/sessions", app.url())).await.expect("an answer");
    assert_eq!(bare.status(), 401);
    assert_eq!(bare.headers()["www-authenticate"], "Bearer realm=\"wapid\"");
    let bearer = format!("Bearer {}", shop.test.key);
    let nameless = Caller::new(app.url(), "");
    let answer = reqwest::Client::new()
        .get(format!("{}/api/whatsapp/sessions", nameless.url))
        .header("authorization", bearer)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
}

/// A client that sends its headers or its body one byte a minute does not hold a connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_finishes_its_headers_is_hung_up_on() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let app = TestApp::new().await;
    let mut socket = tokio::net::TcpStream::connect(app.gateway().address).await.expect("a connection");
    // And one that says nothing at all.
    let mut silent = tokio::net::TcpStream::connect(app.gateway().address).await.expect("a connection");
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.expect("a start");
    let mut rest = vec![];
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), socket.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection was still open after 20 s");
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), silent.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the silent connection was still open after 20 s");
}

/// Most clients write a whole request before they read: what refuses them at once must still be heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_refused_while_writing_hears_why() {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let good = shop.test.key.as_str();
    let form = "multipart/form-data; boundary=b";
    let large = vec![b'x'; 48 << 20];
    for (path, key, kind, status) in [
        ("/api/whatsapp/session", "nobody's", "application/json", 401),
        ("/api/whatsapp/nothing", good, "application/json", 404),
        ("/api/whatsapp/session", good, "application/json", 413),
        ("/api/whatsapp/session/main/send-bulk", good, form, 404),
        ("/api/whatsapp/media", good, form, 400),
        ("/api/whatsapp/media?type=image", good, "image/png", 400),
    ] {
        let head = |length: usize, more: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: {kind}\r\n\
                 Content-Length: {length}\r\n{more}\r\n"
            )
        };
        let socket = tokio::net::TcpStream::connect(app.gateway().address).await.expect("a connection");
        let mut socket = tokio::io::BufReader::new(socket);
        socket.write_all(head(large.len(), "").as_bytes()).await.expect("headers");
        socket.write_all(&large).await.unwrap_or_else(|error| panic!("{path}: cut off by {error}"));
        let mut line = String::new();
        socket.read_line(&mut line).await.expect("an answer");
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {line}");

        // Whoever asks first is spared the trouble.
        let socket = tokio::net::TcpStream::connect(app.gateway().address).await.expect("a connection");
        let mut socket = tokio::io::BufReader::new(socket);
        socket.write_all(head(large.len(), "Expect: 100-continue\r\n").as_bytes()).await.expect("headers");
        line.clear();
        socket.read_line(&mut line).await.expect("an answer");
        if [401, 404].contains(&status) {
            assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {line}");
            let rest = socket.read_to_end(&mut Vec::new()).await;
            assert!(rest.is_ok(), "{path}: {rest:?}");
        } else {
            assert!(line.starts_with("HTTP/1.1 100 "), "{path}: {line}");
        }
    }
}
