//! A linked device that is killed again and again, and the phones it talks to.
//!
//! The device is a child process: this test's binary, running [`child`]. It does what whatsapp-rust
//! does with its keystore: a received message is decrypted, buffered as pending, given to the hook
//! (`@log`), taken out of the buffer and acknowledged (`@ack`); its ratchet is flushed 25 ms later; a
//! reply that raises a counter lease waits for its flush, any other does not
//! (`Client::persist_signal_state_pre_wire`). The phones and their server live here and are never
//! killed: what is not acknowledged is delivered again.
//!
//! Two things the device does better than whatsapp-rust 0.7.0 does by itself, because the keystore
//! cannot do them:
//! - It flushes between receiving and replying ([`Care`]). A reply may be the first on a new ratchet
//!   key, and the lease lets it leave before that key is durable
//!   (`SessionRecord::rebase_lease_after_sender_chain_reset`); killed within the next 25 ms, the
//!   device cannot read what the phone answers to that key.
//! - Decrypting and buffering exclude the flush, as in whatsapp-rust's offline drain
//!   (`flush_signal_cache_batch_safe`). Its live path does not: a flush that another chat caused can
//!   make a ratchet durable before the row of its message, and a kill between the two loses it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead as _, Write as _};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;
use wacore::libsignal::protocol::{CiphertextMessage, ProtocolAddress, PublicKey, SignalProtocolError};
use wacore::store::in_memory::InMemoryBackend;
use wacore::store::traits::{Backend, PendingInboundKey, PendingInboundRow};
use wapid_core::id::SessionKey;
use wapid_keystore::Keystores;

use crate::engine::{Database, connect, on_both_engines, seal};
use crate::peer::{Envelope, Peer};

const KILLS: u32 = 30;
const PREKEYS: u32 = 812;
const CHAT: &str = "chat";
/// Messages under way at once.
const WINDOW: usize = 8;
const NEVER: Duration = Duration::from_secs(60);

/// What happens between a receive and the reply to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Care {
    /// `Client::flush_pending_signal_state`.
    FlushBeforeReply,
    /// Nothing, as in whatsapp-rust 0.7.0.
    Bare,
}

/// The instant of a kill.
enum End {
    /// This long after the device is ready.
    After(Duration),
    /// The moment it has said so many things: whatever it answered for must be durable by now.
    AtLine(u32),
}

on_both_engines!(a_device_killed_at_any_instant_loses_nothing_and_reuses_no_key);

async fn a_device_killed_at_any_instant_loses_nothing_and_reuses_no_key(database: &Database) {
    kill_again_and_again(database, Care::FlushBeforeReply).await;
}

/// The reason for [`Care::FlushBeforeReply`]. When this stops to panic, whatsapp-rust has mended it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "shows a fault of whatsapp-rust 0.7.0, by chance; run it at every upgrade"]
#[should_panic(expected = "decrypt")]
async fn without_a_flush_before_the_reply_a_kill_breaks_a_ratchet() {
    let database = Database::fresh(crate::engine::Engine::Sqlite).await.unwrap();
    kill_again_and_again(&database, Care::Bare).await;
}

async fn kill_again_and_again(database: &Database, care: Care) {
    let kills = std::env::var("WAPID_TEST_KILLS").map_or(KILLS, |n| n.parse().expect("a number of kills"));
    let session = SessionKey::new();
    let keystore = database.keystores().of(session.clone());
    let mut world = World::around(Peer::over(Arc::new(keystore)).await, care).await;
    for nth in 0..kills {
        let end = if nth % 2 == 0 {
            End::After(Duration::from_micros(rand::rng().random_range(0..150_000)))
        } else {
            End::AtLine(rand::rng().random_range(1..100))
        };
        world.live(&database.url, &session, end).await;
    }
    world.settle(&database.url, &session).await;
    eprintln!(
        "{kills} kills; {} phones; {} messages in, {} delivered again; {} out",
        world.phones.len(),
        world.logged.len(),
        world.redelivered,
        world.spent.len()
    );
    assert!(
        world.logged.len() > kills as usize && world.spent.len() > kills as usize,
        "hardly anything happened"
    );
}

/// The phones, their server, and what they remember of the device.
struct World {
    device: Peer,
    care: Care,
    prekeys: Vec<PublicKey>,
    phones: Vec<Peer>,
    unacked: BTreeMap<u64, Sent>,
    logged: HashMap<u64, String>,
    /// Phone, ratchet key and counter of everything the device sent: a message key is used once.
    spent: HashSet<(usize, Vec<u8>, u32)>,
    answered: HashSet<usize>,
    next: u64,
    redelivered: usize,
}

struct Sent {
    phone: usize,
    envelope: Envelope,
    text: String,
}

impl World {
    async fn around(device: Peer, care: Care) -> Self {
        let prekeys = device.offer_prekeys(PREKEYS).await;
        Self {
            device,
            care,
            prekeys,
            phones: Vec::new(),
            unacked: BTreeMap::new(),
            logged: HashMap::new(),
            spent: HashSet::new(),
            answered: HashSet::new(),
            next: 0,
            redelivered: 0,
        }
    }

    /// Starts the device, talks to it, and kills it.
    async fn live(&mut self, url: &str, session: &SessionKey, end: End) {
        let mut link = Link::start(url, session, self.care).await;
        self.redeliver(&mut link).await;
        let (deadline, mut lines_left) = match end {
            End::After(lifetime) => (Instant::now() + lifetime, u32::MAX),
            End::AtLine(nth) => (Instant::now() + NEVER, nth),
        };
        while let Ok(line) = tokio::time::timeout_at(deadline, link.lines.next_line()).await {
            lines_left -= 1;
            if lines_left == 0 {
                link.child.start_kill().unwrap();
            }
            self.hear(&line.unwrap().expect("the device lives until it is killed")).await;
            if lines_left == 0 {
                break;
            }
            while self.unacked.len() < WINDOW {
                let phone = self.some_phone().await;
                self.send(&mut link, phone).await;
            }
        }
        link.child.start_kill().unwrap();
        // What it said before it died was said; a line cut short was not.
        let mut said = Vec::new();
        while let Some(line) = link.lines.next_line().await.unwrap() {
            said.push(line);
        }
        for line in said.iter().filter(|line| line.ends_with('.')) {
            self.hear(line).await;
        }
        link.child.wait().await.unwrap();
    }

    /// A last life without a kill: everybody is heard and answered.
    async fn settle(&mut self, url: &str, session: &SessionKey) {
        let mut link = Link::start(url, session, self.care).await;
        self.redeliver(&mut link).await;
        self.answered.clear();
        for phone in 0..self.phones.len() {
            self.send(&mut link, phone).await;
        }
        let end = Instant::now() + NEVER;
        while !self.unacked.is_empty() || self.answered.len() < self.phones.len() {
            let line =
                tokio::time::timeout_at(end, link.lines.next_line()).await.expect("everybody is answered");
            self.hear(&line.unwrap().expect("the device lives")).await;
        }
        for seq in 0..self.next {
            assert!(self.logged.contains_key(&seq), "message {seq} was lost");
        }
    }

    async fn redeliver(&mut self, link: &mut Link) {
        self.redelivered += self.unacked.len();
        for (seq, sent) in &self.unacked {
            link.deliver(*seq, sent).await;
        }
        if self.unacked.is_empty() {
            let phone = self.some_phone().await;
            self.send(link, phone).await;
        }
    }

    async fn send(&mut self, link: &mut Link, phone: usize) {
        let seq = self.next;
        self.next += 1;
        let text = format!("m{seq}");
        let envelope = self.phones[phone].encrypt(&device_address(), &text).await;
        let sent = Sent { phone, envelope, text };
        link.deliver(seq, &sent).await;
        self.unacked.insert(seq, sent);
    }

    /// Mostly one that is known; now and then a new one, which takes a prekey.
    async fn some_phone(&mut self) -> usize {
        let count = self.phones.len();
        if count > 0 && (count == self.prekeys.len() || rand::rng().random_ratio(19, 20)) {
            return rand::rng().random_range(0..count);
        }
        let phone = Peer::over(Arc::new(InMemoryBackend::new())).await;
        let id = u32::try_from(count + 1).unwrap();
        phone.begin(&device_address(), &self.device.bundle((id, self.prekeys[count]))).await;
        self.phones.push(phone);
        count
    }

    async fn hear(&mut self, line: &str) {
        let Some((_, said)) = line.split_once('@') else { return };
        let words: Vec<_> = said.trim_end_matches('.').split(' ').collect();
        match words[..] {
            ["log", seq, text] => {
                let seq = seq.parse().unwrap();
                if let Some(sent) = self.unacked.get(&seq) {
                    assert_eq!(sent.text, text);
                }
                self.logged.insert(seq, text.to_owned());
            }
            ["ack", seq] => {
                let seq = seq.parse().unwrap();
                assert!(self.logged.contains_key(&seq), "message {seq} was acknowledged and lost");
                self.unacked.remove(&seq);
            }
            ["out", phone, kind, hex, text] => {
                let phone = phone.parse().unwrap();
                let envelope = Envelope { is_prekey: kind == "p", bytes: hex::decode(hex).unwrap() };
                let CiphertextMessage::SignalMessage(message) = envelope.parse() else {
                    panic!("the device only answers");
                };
                let key = (phone, message.sender_ratchet_key().serialize().to_vec(), message.counter());
                assert!(self.spent.insert(key), "a message key was used twice");
                let opened = self.phones[phone].decrypt(&device_address(), &envelope).await;
                assert_eq!(opened.expect("the phone decrypts what the device sends"), text);
                self.answered.insert(phone);
            }
            ["fail", ..] => panic!("the device could not decrypt: {said}"),
            ["ready"] => {}
            _ => panic!("the device said {said:?}"),
        }
    }
}

struct Link {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Link {
    async fn start(url: &str, session: &SessionKey, care: Care) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--ignored", "--nocapture"])
            .env("WAPID_CRASH_URL", url)
            .env("WAPID_CRASH_SESSION", session.as_str())
            .env("WAPID_CRASH_CARE", format!("{care:?}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next_line().await.unwrap().expect("the device starts").contains("@ready") {}
        Self { child, stdin, lines }
    }

    async fn deliver(&mut self, seq: u64, sent: &Sent) {
        let kind = if sent.envelope.is_prekey { "p" } else { "m" };
        let line = format!("{seq} {} {kind} {}\n", sent.phone, hex::encode(&sent.envelope.bytes));
        self.stdin.write_all(line.as_bytes()).await.unwrap();
    }
}

fn device_address() -> ProtocolAddress {
    ProtocolAddress::new("100@lid", 1.into())
}

fn phone_address(phone: &str) -> ProtocolAddress {
    ProtocolAddress::new(&format!("20{phone}@lid"), 1.into())
}

// The device.

#[test]
#[ignore = "the device of the test above: its own process, killed by it"]
fn child() {
    let (Ok(url), Ok(session)) = (std::env::var("WAPID_CRASH_URL"), std::env::var("WAPID_CRASH_SESSION"))
    else {
        return;
    };
    let bare = std::env::var("WAPID_CRASH_CARE").is_ok_and(|care| care == "Bare");
    let care = if bare { Care::Bare } else { Care::FlushBeforeReply };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(live(&url, SessionKey(session), care));
}

async fn live(url: &str, session: SessionKey, care: Care) {
    let keystore: Arc<dyn Backend> = Arc::new(Keystores::new(connect(url).await, seal()).of(session));
    let device = Arc::new(Device { me: Peer::over(keystore).await, permit: tokio::sync::Mutex::default() });
    let dirty = Arc::new(tokio::sync::Notify::new());
    tokio::spawn({
        let (device, dirty) = (Arc::clone(&device), Arc::clone(&dirty));
        async move {
            loop {
                dirty.notified().await;
                tokio::time::sleep(Duration::from_millis(25)).await;
                device.flush().await;
            }
        }
    });
    let (received, mut messages) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).for_each(|line| received.send(line).unwrap());
    });
    // The harness leaves its own line open.
    say("\n@ready");
    while let Some(line) = messages.recv().await {
        let [seq, phone, kind, hex] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let envelope = Envelope { is_prekey: kind == "p", bytes: hex::decode(hex).unwrap() };
        device.receive(seq, phone, &envelope).await;
        dirty.notify_one();
        for nth in 0..1 + seq.parse::<u64>().unwrap() % 4 {
            let text = format!("r{seq}-{nth}");
            if nth == 0 && care == Care::FlushBeforeReply {
                device.flush().await;
            }
            let reply = device.me.encrypt(&phone_address(phone), &text).await;
            if device.me.cache.needs_pre_wire_flush().await {
                device.flush().await;
            } else {
                dirty.notify_one();
            }
            let kind = if reply.is_prekey { "p" } else { "m" };
            say(&format!("@out {phone} {kind} {} {text}", hex::encode(reply.bytes)));
        }
    }
}

struct Device {
    me: Peer,
    /// whatsapp-rust's processing permit.
    permit: tokio::sync::Mutex<()>,
}

impl Device {
    async fn flush(&self) {
        let _permit = self.permit.lock().await;
        self.me.cache.flush(&*self.me.backend).await.unwrap();
    }

    async fn receive(&self, seq: &str, phone: &str, envelope: &Envelope) {
        let keystore = &self.me.backend;
        let permit = self.permit.lock().await;
        let text = match self.me.decrypt(&phone_address(phone), envelope).await {
            Ok(text) => {
                let row = PendingInboundRow { chat: CHAT, sender: phone, id: seq, message: text.as_bytes() };
                keystore.store_pending_inbound_batch(&[row]).await.unwrap();
                Some(text)
            }
            Err(SignalProtocolError::DuplicatedMessage(..)) => {
                let row = keystore.get_pending_inbound(CHAT, phone, seq).await.unwrap();
                row.map(|text| String::from_utf8(text).unwrap())
            }
            Err(error) => return say(&format!("@fail {seq} {error}")),
        };
        drop(permit);
        if let Some(text) = text {
            say(&format!("@log {seq} {text}"));
            let key = PendingInboundKey { chat: CHAT, sender: phone, id: seq };
            keystore.delete_pending_inbound_batch(&[key]).await.unwrap();
        }
        say(&format!("@ack {seq}"));
    }
}

/// The full stop tells a whole line from one cut short.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}.").unwrap();
    out.flush().unwrap();
}
