//! Who may call a sandbox that runs alone, and how long a stranger may take.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wapid_sandbox::{ControlToken, RemoteSandbox, Sandbox, Storage};

use crate::raw::Device;
use crate::support::{BOOK, DEADLINE, TOKEN, network, serve, serve_for};

/// One call with the token, in JSON, from this machine; a header that is given stands for ours.
pub async fn call(
    address: SocketAddr,
    request: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (String, Value) {
    let own = [
        ("host", "localhost".to_owned()),
        ("authorization", format!("Bearer {TOKEN}")),
        ("content-type", "application/json".to_owned()),
    ];
    let own = own.iter().filter(|(name, _)| headers.iter().all(|(given, _)| given != name));
    let own = own.map(|(name, value)| (*name, value.as_str()));
    let lines: Vec<String> = own
        .chain(headers.iter().copied())
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let lines = lines.concat();
    let request = format!("{request}\r\n{lines}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    let json = answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
    (answer, json.unwrap_or_default())
}

async fn refused(address: SocketAddr, request: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let (answer, json) = call(address, request, headers, body).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    assert!(json["error"].as_str().is_some_and(|error| !error.is_empty()), "{answer}");
    (status, json["code"].as_str().unwrap_or_default().to_owned())
}

/// Every control call, as it would be heard.
const CALLS: [&str; 17] = [
    "GET /control/keys",
    "GET /control/shop/phones",
    "POST /control/shop/phones",
    "DELETE /control/shop",
    "POST /control/shop/phones/15550000001/scan",
    "POST /control/shop/phones/15550000001/enter-code",
    "GET /control/shop/phones/15550000001/messages",
    "POST /control/shop/phones/15550000001/messages",
    "GET /control/shop/phones/15550000001/messages/X/media",
    "POST /control/shop/phones/15550000001/read",
    "POST /control/shop/phones/15550000001/played",
    "POST /control/shop/phones/15550000001/act",
    "GET /control/shop/phones/15550000001/sees/15550000002",
    "POST /control/shop/phones/15550000001/unlink",
    "GET /control/shop/phones/15550000001/devices",
    "POST /control/shop/faults",
    "GET /control/shop/groups",
];

#[tokio::test]
async fn phones_obey_whoever_has_the_token_and_nobody_else() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let other = ControlToken::parse("another-token-of-this-length").expect("long enough");
    for request in CALLS.iter().chain(&["POST /control/shop/groups", "POST /control/shop/groups/1@g.us"]) {
        for shown in
            ["", "Bearer", "Bearer ", &format!("Basic {TOKEN}"), &format!("Bearer {}", other.reveal())]
        {
            let line = format!("{request} HTTP/1.1");
            let refused = refused(address, &line, &[("authorization", shown)], "{}").await;
            assert_eq!(refused, (401, "UNAUTHORIZED".into()), "{request} with `{shown}`");
        }
    }
    assert_eq!(sandbox.phones(BOOK).await.len(), 3, "nothing was done");
    let stranger = RemoteSandbox::new(&format!("http://{address}"), sandbox.static_key(), other);
    let told = stranger.expect("a client").phones(BOOK).await.expect_err("refused").to_string();
    assert!(told.contains("WAPID_SANDBOX_TOKEN"), "{told}");
    let (answer, phones) = call(address, "GET /control/shop/phones HTTP/1.1", &[], "").await;
    assert_eq!(phones["phones"].as_array().map(Vec::len), Some(3), "{answer}");
    let lower = [("authorization", &*format!("bearer {TOKEN}"))];
    assert!(call(address, "GET /control/keys HTTP/1.1", &lower, "").await.1["rootKey"].is_string());
}

/// Also where it has the token: a page that was given it would lend it to whoever else is in it.
#[tokio::test]
async fn no_web_page_is_heard() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    for origin in ["https://evil.example", "null", "http://localhost", &format!("http://{address}")] {
        for request in CALLS.iter().chain(&["GET /", "GET /nothing"]) {
            let refused = refused(address, &format!("{request} HTTP/1.1"), &[("origin", origin)], "{}").await;
            assert_eq!(refused, (403, "WEB_PAGE_REFUSED".into()), "{request} from {origin}");
        }
    }
    // The name of a page that lets it point here.
    for host in ["evil.example", "localhost.evil.example:7810", "127.0.0.1.evil.example", "2130706433"] {
        for request in CALLS.iter().chain(&["GET /"]) {
            let refused = refused(address, &format!("{request} HTTP/1.1"), &[("host", host)], "{}").await;
            assert_eq!(refused, (403, "HOST_NOT_KNOWN".into()), "{request} at {host}");
        }
    }
    let line = "GET http://evil.example/control/keys HTTP/1.1";
    assert_eq!(refused(address, line, &[], "").await, (403, "HOST_NOT_KNOWN".into()));
    assert_eq!(refused(address, "GET /control/keys HTTP/1.0", &[("host", "")], "").await.0, 400);
    for host in [&*address.to_string(), "localhost:7810", "[::1]:7810", "sandbox:7810", "Sandbox"] {
        let (answer, keys) = call(address, "GET /control/keys HTTP/1.1", &[("host", host)], "").await;
        assert!(keys["rootKey"].is_string(), "{host}: {answer}");
    }
    assert_eq!(sandbox.phones(BOOK).await.len(), 3, "nothing was done");
}

#[tokio::test]
async fn a_body_says_that_it_is_json() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let unlink = "POST /control/shop/phones/15550000001/unlink HTTP/1.1";
    for kind in
        ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]
    {
        for request in CALLS.iter().filter(|request| request.starts_with("POST")) {
            let refused =
                refused(address, &format!("{request} HTTP/1.1"), &[("content-type", kind)], "{}").await;
            assert_eq!(refused, (415, "JSON_EXPECTED".into()), "{request} as `{kind}`");
        }
    }
    for (kind, body) in
        [("", ""), ("application/json", "{}"), ("Application/JSON; charset=utf-8", "{}"), ("text/plain", "")]
    {
        let (answer, _) = call(address, unlink, &[("content-type", kind)], body).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "`{kind}`: {answer}");
    }
    let large = format!(r#"{{"phone":"{}"}}"#, "1".repeat(2 << 20));
    for request in ["POST /control/shop/phones HTTP/1.1", "POST /control/shop/faults HTTP/1.1"] {
        assert_eq!(refused(address, request, &[], &large).await, (413, "BODY_TOO_LARGE".into()));
    }
}

#[tokio::test]
async fn clients_come_without_a_token_and_web_pages_do_not_come_as_clients() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let upgrade = |origin: &str| {
        let name = if origin.is_empty() { "x-none" } else { "origin" };
        let fields = [
            ("host", "anything.example"),
            ("authorization", ""),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            (name, origin),
        ];
        fields.map(|(name, value)| format!("{name}: {value}\r\n")).concat()
    };
    for (origin, status) in [
        ("", "101"),
        ("https://web.whatsapp.com", "101"),
        ("https://evil.example", "403"),
        ("https://web.whatsapp.com.evil.example", "403"),
        ("http://localhost:3000", "403"),
        ("null", "403"),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        let request = format!("GET /ws/chat HTTP/1.1\r\n{}\r\n", upgrade(origin));
        stream.write_all(request.as_bytes()).await.expect("writes");
        let mut line = [0; 12];
        stream.read_exact(&mut line).await.expect("an answer");
        assert_eq!(String::from_utf8_lossy(&line), format!("HTTP/1.1 {status}"), "from `{origin}`");
    }
    for (origin, status) in [("https://web.whatsapp.com", 404), ("https://evil.example", 403)] {
        for request in ["GET /v/shop/nothing HTTP/1.1", "GET /pictures/shop/15550000001/1-image.jpg HTTP/1.1"]
        {
            let (answer, _) = call(address, request, &[("origin", origin), ("authorization", "")], "").await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request} from {origin}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_stranger_who_takes_his_time_is_hung_up_on() {
    let sandbox = Sandbox::open(Storage::Memory).await.expect("opens");
    let (_, address) = serve(&sandbox).await;
    let host = sandbox.media_host(TcpListener::bind(("127.0.0.1", 0)).await.expect("a port"));
    let host = host.await.expect("opens");
    let https = host.address();
    tokio::spawn(host.serve(10));
    let body = format!(
        "POST /control/shop/phones HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    let cases = [
        (address, "", ""),
        (address, "GET /ws/chat HTTP/1.1\r\nhost: localhost\r\n", ""),
        (address, "POST /mms/image/x HTTP/1.1\r\n", ""),
        (address, &*body, "HTTP/1.1 408"),
        // It waits for keys to be agreed on.
        (https, "", ""),
    ];
    let all = cases.map(|(at, said, answer)| async move {
        let mut stream = TcpStream::connect(at).await.expect("connects");
        stream.write_all(said.as_bytes()).await.expect("writes");
        let mut heard = Vec::new();
        let ended = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut heard)).await;
        assert!(ended.is_ok(), "`{said}` holds its connection");
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.starts_with(answer) && heard.is_empty() == answer.is_empty(), "`{said}`: {heard}");
    });
    futures::future::join_all(all).await;
}

#[tokio::test]
async fn connections_are_bounded_and_a_socket_counts_until_it_closes() {
    let sandbox = network().await;
    let (_, address) = serve_for(&sandbox, 2).await;
    let (first, second) = (Device::new().connect(address).await, Device::new().connect(address).await);
    let mut third = TcpStream::connect(address).await.expect("connects");
    let mut heard = Vec::new();
    // A reset is an end, too.
    let _ = third.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let _ = tokio::time::timeout(DEADLINE, third.read_to_end(&mut heard)).await.expect("an end");
    assert!(heard.is_empty(), "{}", String::from_utf8_lossy(&heard));
    first.close().await;
    let served = async {
        while !call_if_open(address).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, served).await.expect("the place of the first is free");
    second.close().await;
}

async fn call_if_open(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let mut heard = Vec::new();
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    let _ = stream.read_to_end(&mut heard).await;
    heard.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn a_token_that_nobody_chose_outlives_the_process_with_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = || Storage::Folder(folder.path().to_owned());
    let sandbox = Sandbox::open(storage()).await.expect("opens");
    let first = sandbox.control_token().await.expect("a token");
    assert_eq!(sandbox.control_token().await.expect("a token").reveal(), first.reveal());
    drop(sandbox);
    let sandbox = Sandbox::open(storage()).await.expect("opens again");
    assert_eq!(sandbox.control_token().await.expect("a token").reveal(), first.reveal());
    let other = Sandbox::open(Storage::Memory).await.expect("opens");
    assert_ne!(other.control_token().await.expect("a token").reveal(), first.reveal());
}
