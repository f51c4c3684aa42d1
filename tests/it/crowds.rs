//! Many strangers at the door, and many readers of one tenant: the others notice nothing.
//!
//! In the sizes of a bad day, and by the promised figures, which an optimised build alone can keep:
//! `WAPID_TEST_FULL=1 cargo nextest run --workspace --release --profile full -E 'test(/crowds::/)'`.

use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::app::{Caller, Database, Engine, Session, Tenant};
use crate::jobs::size;
use crate::media::memory::memory;
use crate::people::{ANA, SHOP};
use crate::process::{Home, Process, home};

/// What systemd and shells give a process.
const USUAL_LIMIT: u32 = 1_024;
/// A test build, with the sandbox and its phones in the same process and other tests beside it, takes ten times as
/// long for what it computes. What must not happen shows all the same: a send behind the crowd takes seconds.
const SEND_WITHIN: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_500 } else { 100 });
const READY_WITHIN: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_500 } else { 200 });
const SENDS: usize = 60;
/// Of the promise.
const GROWTH_MAX: u64 = 100 << 20;
const READERS: usize = 100;

/// Who is at the door.
struct Crowd {
    idle: usize,
    half_open: usize,
    streams: usize,
}

/// What a process may open.
enum Limit {
    /// As its parent's.
    Inherited,
    /// It may raise it by itself.
    Soft(u32),
    Hard(u32),
}

impl Limit {
    fn command(&self, home: &Home, log: &Path) -> Command {
        let set = match self {
            Self::Inherited => String::new(),
            Self::Soft(limit) => format!("ulimit -S -n {limit}; "),
            Self::Hard(limit) => format!("ulimit -n {limit}; "),
        };
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("{set}exec \"$0\""), env!("CARGO_BIN_EXE_wapid")]);
        for (name, value) in home.command().as_std().get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        limited.stderr(File::create(log).expect("a log")).kill_on_drop(true);
        limited
    }
}

/// A gateway in its own process, and two tenants of it.
struct Town {
    _dir: tempfile::TempDir,
    _database: Database,
    home: Home,
    process: Process,
    log: PathBuf,
    shop: Tenant,
    crowd: Caller,
}

impl Town {
    async fn new(limit: Limit) -> Self {
        rlimit::increase_nofile_limit(20_000).expect("a limit");
        let dir = tempfile::tempdir().expect("a folder");
        let database = Database::new(Engine::Sqlite, dir.path()).await;
        let home = home(dir.path(), &database, None);
        let log = dir.path().join("log");
        let keys = [key_of(&home, "shop").await, key_of(&home, "crowd").await];
        let process = home.start_with(limit.command(&home, &log)).await;
        let [shop, crowd] = keys.map(|key| Caller::new(process.url.clone(), &key));
        let shop = Tenant { live_key: String::new(), test: shop.clone(), live: shop };
        Self { _dir: dir, _database: database, home, process, log, shop, crowd }
    }

    /// A connection that says this, and no more.
    async fn says(&self, words: &str) -> TcpStream {
        let mut stranger = TcpStream::connect(&self.home.listen).await.expect("a connection");
        // It may be asked to leave before it has said it.
        let _ = stranger.write_all(words.as_bytes()).await;
        stranger
    }

    async fn all_say(&self, count: usize, words: &str) -> Vec<TcpStream> {
        futures::stream::iter(0..count).map(|_| self.says(words)).buffer_unordered(50).collect().await
    }

    /// A stream of one key; its status.
    async fn stream(&self) -> (u16, TcpStream) {
        let key = &self.crowd.key;
        let mut stream = self
            .says(&format!("GET /api/whatsapp/events/stream HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n"))
            .await;
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.expect("an answer");
        let status = std::str::from_utf8(&head).ok().and_then(|head| head.get(9..)?.parse().ok());
        (status.expect("a status"), stream)
    }

    /// Sends of the shop, and looks at the gateway's health; the slowest but one of each.
    async fn measure(&self, session: &Session<'_>) -> (Duration, Duration) {
        let (mut sends, mut looks) = (vec![], vec![]);
        for number in 0..SENDS {
            let began = Instant::now();
            session.send(ANA, &format!("amid the crowd {number}")).await.ok();
            sends.push(began.elapsed());
            if number % 6 == 0 {
                let began = Instant::now();
                // Without a key, and on a connection of its own, as a load balancer does.
                let fresh = reqwest::Client::builder().no_proxy().build().expect("a client");
                let answer = fresh.get(format!("{}/readyz", self.process.url)).send().await;
                assert_eq!(answer.expect("it answers").status(), 200);
                looks.push(began.elapsed());
            }
        }
        let slow = |mut all: Vec<Duration>| {
            all.sort_unstable();
            all[all.len().saturating_sub(2)]
        };
        (slow(sends), slow(looks))
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("a log")
    }
}

async fn key_of(home: &Home, tenant: &str) -> String {
    let mut command = home.command();
    let made = command.args(["tenant", "create", "--name", tenant, "--json"]).output().await.expect("output");
    let keys: Value = serde_json::from_slice(&made.stdout).expect("one line of JSON");
    keys["testKey"].as_str().expect("a key").to_owned()
}

const HALF: &str = "GET /api/whatsapp/sessions HTTP/1.1\r\nhost: x\r\n";
const WHOLE: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

async fn a_neighbour_notices_nothing(limit: Limit, crowd: Crowd) {
    let town = Town::new(limit).await;
    let session = town.shop.linked("main", SHOP).await;
    town.shop.phone(ANA).await;
    session.send(ANA, "before").await.ok();
    let began = Instant::now();
    let idle = town.all_say(crowd.idle, WHOLE).await;
    let half_open = town.all_say(crowd.half_open, HALF).await;
    let mut streams = vec![];
    for _ in 0..crowd.streams {
        streams.push(town.stream().await);
    }
    let open = streams.iter().filter(|(status, _)| *status == 200).count();
    assert!(streams.iter().all(|(status, _)| [200, 429].contains(status)));
    println!(
        "{} connections and {open} of {} streams in {:.1?}",
        idle.len() + half_open.len(),
        crowd.streams,
        began.elapsed()
    );
    // They keep coming while the neighbour works: who is hung up on is followed by the next.
    let done = CancellationToken::new();
    let coming = async {
        let mut here: VecDeque<TcpStream> = half_open.into();
        while !done.is_cancelled() {
            here.extend(town.all_say(20, HALF).await);
            while here.len() > crowd.half_open {
                here.pop_front();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let measured = async {
        let measured = town.measure(&session).await;
        done.cancel();
        measured
    };
    let ((send, ready), ()) = tokio::join!(measured, coming);
    println!("amid them a send takes {send:.1?} at most, /readyz {ready:.1?}");
    assert!(send < SEND_WITHIN, "{send:?}");
    assert!(ready < READY_WITHIN, "{ready:?}");
    // The streams live: nobody was sent away who was being answered.
    for (_, stream) in streams.iter_mut().filter(|(status, _)| *status == 200) {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(read) = stream.try_read(&mut bytes) {
            assert_ne!(read, 0, "a stream was ended");
        }
    }
    if open < crowd.streams {
        let refused = town.crowd.get("/api/whatsapp/events/stream").await;
        refused.refused(429, "TOO_MANY_STREAMS");
        assert_eq!(refused.headers["retry-after"], "5");
        town.crowd.get("/api/whatsapp/events?after=now&wait=1").await.refused(429, "TOO_MANY_STREAMS");
        town.crowd.get("/api/whatsapp/sessions").await.ok();
    }
    let said = town.said();
    assert!(!said.contains("Too many open files") && !said.contains("was not accepted"), "{said}");
    town.process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_keeps_nobody_out() {
    let crowd = Crowd { idle: size(600, 3_000), half_open: size(300, 1_000), streams: size(200, 1_000) };
    a_neighbour_notices_nothing(Limit::Inherited, crowd).await;
}

/// The usual number of sockets, which it raises by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_keeps_nobody_out_with_the_usual_soft_limit() {
    let crowd = Crowd { idle: size(800, 3_000), half_open: size(400, 1_000), streams: size(200, 1_000) };
    a_neighbour_notices_nothing(Limit::Soft(USUAL_LIMIT), crowd).await;
}

/// The usual number of sockets, and no more to be had: everything gets less, and nothing hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_keeps_nobody_out_with_the_usual_hard_limit() {
    let crowd = Crowd { idle: size(800, 3_000), half_open: size(400, 1_000), streams: size(100, 1_000) };
    a_neighbour_notices_nothing(Limit::Hard(USUAL_LIMIT), crowd).await;
}

/// Texts as long as a contact can make them, in everything that answers them, and a hundred who ask and do not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_who_do_not_read_take_no_memory() {
    let town = Town::new(Limit::Inherited).await;
    let session = town.shop.linked("main", SHOP).await;
    town.shop.phone(ANA).await;
    // The crowd's tenant has a number of its own, which a contact writes to.
    let slow = Tenant { live_key: String::new(), test: town.crowd.clone(), live: town.crowd.clone() };
    let theirs = slow.linked("main", "5511900000008").await;
    let contact = slow.phone("5511900000009").await;
    let hook = json!({"url": "http://127.0.0.1:9/"});
    let hook = slow.test.post("/api/whatsapp/webhooks", hook).await.ok();
    // Six bytes of JSON each.
    let longest = "\u{1}".repeat(60_000);
    let mut last = String::new();
    for _ in 0..size(24, 110) {
        last = contact.send(&theirs.phone, &longest).await;
    }
    for number in 0..size(12, 60) {
        let text = format!("{number}{longest}");
        let edit = json!({"to": theirs.phone, "type": "edit", "messageId": last, "message": text});
        slow.test.post(&contact.path("/messages"), edit).await.ok();
    }
    let told = theirs.until_events("message.edited", |all| all.last().cloned()).await;
    let (event, webhook) = (told["id"].as_str().expect("an id"), hook["id"].as_str().expect("an id"));
    let paths = [
        "/api/whatsapp/messages?limit=100".to_owned(),
        "/api/whatsapp/messages?limit=100&type=text".to_owned(),
        "/api/whatsapp/messages?limit=100&cursor=msg_7zzzzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
        "/api/whatsapp/messages/export?format=jsonl".to_owned(),
        "/api/whatsapp/messages/export".to_owned(),
        format!("/api/whatsapp/messages/{last}"),
        "/api/whatsapp/session/main/chats?limit=100".to_owned(),
        "/api/whatsapp/session/main/chats/5511900000009/messages?limit=100".to_owned(),
        "/api/whatsapp/events?limit=1000".to_owned(),
        "/api/whatsapp/events/stream?after=oldest".to_owned(),
        format!("/api/whatsapp/webhooks/{webhook}/deliveries/{event}"),
        "/openapi.json".to_owned(),
    ];
    // What the first of everything takes is not the readers'.
    for path in paths.iter().filter(|path| !path.contains("stream")) {
        let answer = slow.test.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", &answer.text[..answer.text.len().min(300)]);
    }
    session.send(ANA, "before").await.ok();
    let pid = town.process.child.id().expect("it runs");
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("its highest mark begins anew");
    let before = memory(&town.process, "VmRSS:");
    let mut readers = vec![];
    for path in paths.iter().cycle().take(READERS) {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4_096).expect("a small buffer");
        let mut reader =
            socket.connect(town.home.listen.parse().expect("an address")).await.expect("connected");
        let key = &slow.test.key;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n");
        reader.write_all(request.as_bytes()).await.expect("asked");
        readers.push(reader);
    }
    let (send, ready) = town.measure(&session).await;
    let grown = memory(&town.process, "VmHWM:").saturating_sub(before);
    println!(
        "{READERS} who do not read: {:.1} MiB more at most; a neighbour's send {send:.1?}, /readyz {ready:.1?}",
        grown as f64 / f64::from(1 << 20)
    );
    assert!(grown < GROWTH_MAX, "{grown} bytes more");
    assert!(send < SEND_WITHIN, "{send:?}");
    assert!(ready < READY_WITHIN, "{ready:?}");
    drop(readers);
    town.process.kill().await;
}
