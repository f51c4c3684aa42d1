//! The log, read by a cursor and followed live.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wapid_core::clock::{At, Clock};
use wapid_core::key::Mode;
use wapid_core::store::Store;

use super::{log_of, something};
use crate::app::{Caller, Engine, TestApp, until, until_within};
use crate::description::expect_described_event;
use crate::on_both_engines;

const DEADLINE: Duration = Duration::from_secs(30);

/// An open stream of server-sent events.
struct Sse {
    answer: reqwest::Response,
    rest: String,
    /// The last `id:` there was, with an event or without.
    last_id: Option<String>,
}

impl Sse {
    async fn open(caller: &Caller, query: &str, last_id: Option<&str>) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/api/whatsapp/events/stream?{query}", caller.url);
        let mut request = http.get(url);
        if !caller.key.is_empty() {
            request = request.header("X-API-Key", &caller.key);
        }
        if let Some(id) = last_id {
            request = request.header("Last-Event-ID", id);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { answer, rest: String::new(), last_id: None }
    }

    /// The next event's data; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((block, rest)) = self.rest.split_once("\n\n") {
                let field =
                    |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
                self.last_id = field("id: ").or(self.last_id.take());
                let data = field("data: ");
                self.rest = String::from(rest);
                if let Some(data) = data {
                    let event = serde_json::from_str(&data).unwrap();
                    expect_described_event(&event);
                    return Some(event);
                }
            }
            let chunk =
                tokio::time::timeout(DEADLINE, self.answer.chunk()).await.expect("the stream says something");
            self.rest.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        }
    }
}

on_both_engines! {
    async fn a_stream_goes_on_where_it_was(app: TestApp) {
        let shop = app.tenant("shop").await;
        let other = app.tenant("other").await;
        let first = something(&shop.test, 1).await;
        let mut live = Sse::open(&shop.test, "", None).await;
        let mut whole = Sse::open(&shop.test, "after=oldest", None).await;
        let mut narrow = Sse::open(&shop.test, "types=message.*,optout.removed", None).await;
        assert_eq!(whole.next().await.unwrap()["id"], first);
        let second = something(&shop.test, 2).await;
        something(&other.test, 3).await;
        shop.test.delete("/api/whatsapp/opt-outs/5511900000001").await.ok();
        let log = log_of(&shop.test, "").await;
        assert_eq!(log.len(), 3);
        assert_eq!(live.next().await.unwrap(), log[1], "it begins where the log was");
        assert_eq!(whole.next().await.unwrap()["id"], second);
        assert_eq!(whole.next().await.unwrap(), log[2]);
        assert_eq!(narrow.next().await.unwrap(), log[2]);
        // It was cut off after the second; another opens where it was.
        assert_eq!(live.last_id.as_deref(), Some("2"));
        drop(live);
        something(&shop.test, 4).await;
        let log = log_of(&shop.test, "").await;
        let mut resumed = Sse::open(&shop.test, "", Some("2")).await;
        assert_eq!(resumed.next().await.unwrap(), log[2]);
        assert_eq!(resumed.next().await.unwrap(), log[3]);
        // By an event's id as well.
        let mut resumed = Sse::open(&shop.test, &format!("after={second}"), None).await;
        assert_eq!(resumed.next().await.unwrap(), log[2]);
    }
}

on_both_engines! {
    async fn a_cursor_waits_for_what_comes_and_misses_nothing(app: TestApp) {
        let shop = app.tenant("shop").await;
        let path = |query: &str| format!("/api/whatsapp/events?{query}");
        let empty = shop.test.get(&path("")).await.ok();
        let none = (&empty["events"], &empty["nextAfter"], &empty["hasMore"]);
        assert_eq!(none, (&json!([]), &json!(0), &json!(false)));
        let waiting = tokio::spawn({
            let caller = shop.test.clone();
            async move { caller.get("/api/whatsapp/events?after=now&wait=30&types=optout.*").await.ok() }
        });
        let (mut ids, mut after) = (vec![], 0);
        for number in 0..25 {
            ids.push(something(&shop.test, number).await);
        }
        let page = waiting.await.unwrap();
        assert!(!page["events"].as_array().unwrap().is_empty());
        let mut read = vec![];
        loop {
            let page = shop.test.get(&path(&format!("after={after}&limit=10"))).await.ok();
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= 10);
            read.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
            after = page["nextAfter"].as_i64().unwrap();
            if page["hasMore"] == false {
                break;
            }
        }
        assert_eq!(read, ids);
        let by_id = shop.test.get(&path(&format!("after={}&limit=1", ids[6]))).await.ok();
        assert_eq!(by_id["events"][0]["id"], ids[7]);
        assert_eq!((&by_id["mode"], by_id["tenantId"].is_string()), (&json!("test"), true));
        for bad in [
            "after=x", "after=-1", "after=999999", "limit=0", "limit=1001", "wait=51", "types=mess", "sessionId=a%2Fb", "what=1", "limit=x",
        ] {
            shop.test.get(&path(bad)).await.refused(400, "INVALID_PARAMETER");
        }
        shop.test.get(&path("after=evt_00000000000000000000000000")).await.refused(410, "EVENTS_GONE");
    }
}

/// The log of a tenant is kept as long as it says; who was away for longer hears that, in every way to read.
async fn what_is_old_is_forgotten_and_said_to_be(engine: Engine) {
    let clock = Clock::manual(At::parse("2026-03-08T10:30:00Z").unwrap());
    let app = TestApp::with_clock(engine, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let settings = shop.test.get("/api/whatsapp/settings").await.ok();
    assert_eq!(settings["eventDays"], 30);
    shop.test.put("/api/whatsapp/settings", json!({"eventDays": 6})).await.refused(400, "INVALID_REQUEST");
    let settings = shop.test.put("/api/whatsapp/settings", json!({"eventDays": 7})).await.ok();
    assert_eq!(settings["eventDays"], 7);
    let old = something(&shop.test, 1).await;
    something(&shop.test, 2).await;
    clock.advance(Duration::from_secs(8 * 86_400));
    let new = something(&shop.test, 3).await;
    let store = &app.gateway().store;
    store.tidy(clock.now()).await.unwrap();
    let log = log_of(&shop.test, "").await;
    assert_eq!((log.len(), &log[0]["id"], &log[0]["position"]), (1, &json!(new), &json!(3)));
    for after in ["1", "0", &old] {
        shop.test.get(&format!("/api/whatsapp/events?after={after}")).await.refused(410, "EVENTS_GONE");
        shop.test
            .get(&format!("/api/whatsapp/events/stream?after={after}"))
            .await
            .refused(410, "EVENTS_GONE");
    }
    let page = shop.test.get("/api/whatsapp/events?after=2").await.ok();
    assert_eq!(page["events"][0]["id"], new);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_is_forgotten_and_said_to_be_on_sqlite() {
    what_is_old_is_forgotten_and_said_to_be(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_is_forgotten_and_said_to_be_on_postgres() {
    what_is_old_is_forgotten_and_said_to_be(Engine::Postgres).await;
}

/// A page in a browser has no key. Its ticket opens streams of what it is for, and ends with its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_opens_streams_and_nothing_else() {
    let clock = Clock::manual(At::parse("2026-03-08T10:30:00Z").unwrap());
    let app = TestApp::with_clock(Engine::Sqlite, clock.clone()).await;
    let shop = app.tenant("shop").await;
    let given =
        shop.test.post("/api/whatsapp/events/ticket", json!({"types": ["optout.removed"]})).await.ok();
    let ticket = given["ticket"].as_str().unwrap().to_owned();
    let page = Caller::new(app.url(), "");
    let open = |query: &str| format!("/api/whatsapp/events/stream?{query}");
    let mut stream = Sse::open(&page, &format!("ticket={ticket}&types=*"), None).await;
    assert_eq!(
        stream.answer.headers()["access-control-allow-origin"],
        "*",
        "a page of another origin may read"
    );
    for wish in
        [json!({"sessions": [""]}), json!({"types": [" "]}), json!({"sessions": ["a,b"], "types": []})]
    {
        let refused = shop.test.post("/api/whatsapp/events/ticket", wish.clone()).await;
        let is_whole = refused.status.is_success() && wish["sessions"] == json!(["a,b"]);
        assert!(is_whole || refused.status == 400, "{wish}: {}", refused.text);
    }
    something(&shop.test, 1).await;
    shop.test.delete("/api/whatsapp/opt-outs/5511900000001").await.ok();
    assert_eq!(stream.next().await.unwrap()["type"], "optout.removed", "it is for nothing else");
    let bare = reqwest::Client::builder().no_proxy().build().unwrap();
    let code = async |path: &str| {
        let answer = bare.get(format!("{}{path}", app.url())).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["code"].clone())
    };
    // The log itself knows no tickets.
    assert_eq!(code("/api/whatsapp/events?ticket=").await, (400, json!("INVALID_PARAMETER")));
    assert_eq!(code("/api/whatsapp/events").await, (401, json!("UNAUTHORIZED")));
    assert_eq!(code(&open("")).await, (401, json!("UNAUTHORIZED")));
    for bad in ["x", "%00", &ticket[1..], &"A".repeat(5_000)] {
        assert_eq!(code(&open(&format!("ticket={bad}"))).await, (401, json!("TICKET_NOT_VALID")));
    }
    clock.advance(Duration::from_secs(601));
    assert_eq!(code(&open(&format!("ticket={ticket}"))).await, (401, json!("TICKET_NOT_VALID")));
    let given = shop.test.post("/api/whatsapp/events/ticket", json!({})).await.ok();
    let store = &app.gateway().store;
    let key = store.find_key(&shop.test.key).await.unwrap().expect("the key");
    store.revoke_key(&key.id).await.unwrap();
    let fresh = given["ticket"].as_str().unwrap();
    assert_eq!(code(&open(&format!("ticket={fresh}"))).await, (401, json!("TICKET_NOT_VALID")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_websocket_carries_the_same() {
    let mut app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    something(&shop.test, 1).await;
    shop.test.get("/api/whatsapp/events/socket").await.refused(400, "NOT_A_WEBSOCKET");
    let url = format!("{}/api/whatsapp/events/socket?after=oldest", app.url().replace("http:", "ws:"));
    let name = http::HeaderName::from_static("x-api-key");
    let client = tokio_websockets::ClientBuilder::new().uri(&url).unwrap();
    let client = client.add_header(name, http::HeaderValue::from_str(&shop.test.key).unwrap()).unwrap();
    let (mut socket, _) = client.connect().await.unwrap();
    let second = something(&shop.test, 2).await;
    let mut heard = vec![];
    while heard.len() < 2 {
        let message =
            tokio::time::timeout(DEADLINE, socket.next()).await.expect("in time").expect("open").unwrap();
        if let Some(text) = message.as_text() {
            heard.push(serde_json::from_str::<Value>(text).unwrap());
        }
    }
    assert_eq!(heard, log_of(&shop.test, "").await);
    assert_eq!(heard[1]["id"], second);
    // A stop says goodbye, and does not wait for anybody.
    let begun = std::time::Instant::now();
    app.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let goodbye = loop {
        let message = tokio::time::timeout(DEADLINE, socket.next()).await.expect("in time");
        match message {
            Some(Ok(message)) if message.is_close() => {
                break message.as_close().map(|(code, _)| u16::from(code));
            }
            Some(Ok(_)) => {}
            _ => break None,
        }
    };
    assert_eq!(goodbye, Some(1001));
}

/// Who opens a stream and reads none of it is hung up on, delays nobody, and resumes where it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_hung_up_on_and_resumes() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", "5511900000001").await;
    let customer = shop.phone("5511900000002").await;
    let address = app.gateway().address;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut lazy = socket.connect(address).await.unwrap();
    let request = format!(
        "GET /api/whatsapp/events/stream?after=oldest HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n",
        shop.test.key
    );
    lazy.write_all(request.as_bytes()).await.unwrap();
    let mut awake = Sse::open(&shop.test, "types=message.received", None).await;
    // More than the buffers between us hold.
    let text = "long ".repeat(8_000);
    for number in 0..120 {
        customer.send(&session.phone, &format!("{number} {text}")).await;
    }
    for number in 0..120 {
        let event = awake.next().await.unwrap();
        assert!(event["data"]["body"].as_str().unwrap().starts_with(&format!("{number} ")));
    }
    // It is let go: what is in the buffers still arrives, and then the end.
    let store = &app.gateway().store;
    until_within(Duration::from_secs(60), "it is hung up on", || async {
        (followers(store).await == 1).then_some(())
    })
    .await;
    let mut heard = vec![];
    let read = tokio::time::timeout(DEADLINE, lazy.read_to_end(&mut heard)).await;
    let _ = read.expect("it ends");
    let heard = String::from_utf8_lossy(&heard);
    let last = heard.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned();
    let log = log_of(&shop.test, "").await;
    let missed = log.len() - usize::try_from(last.parse::<i64>().unwrap()).unwrap();
    assert!(missed > 20, "it was served to the end");
    let mut resumed = Sse::open(&shop.test, &format!("after={last}"), None).await;
    for event in &log[log.len() - missed..] {
        assert_eq!(&resumed.next().await.unwrap(), event);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_its_key() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let mut stream = Sse::open(&shop.test, "", None).await;
    something(&shop.test, 1).await;
    assert!(stream.next().await.is_some());
    let store = &app.gateway().store;
    let key = store.find_key(&shop.test.key).await.unwrap().expect("the key");
    store.revoke_key(&key.id).await.unwrap();
    let ended = tokio::time::timeout(DEADLINE, async { while stream.next().await.is_some() {} }).await;
    ended.expect("it ends with the next sign of life");
    until("nobody follows any more", || async { (followers(store).await == 0).then_some(()) }).await;
}

async fn followers(store: &Store) -> usize {
    let shop = store.find_tenant("shop").await.unwrap().expect("the shop");
    store.tenant(shop.id, Mode::Test).followers()
}
