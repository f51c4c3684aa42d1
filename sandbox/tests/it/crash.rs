//! `kill -9`: the sandbox is a process of its own here, and it dies without a word.

use std::collections::HashSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use wacore::download::MediaType;
use wacore::store::InMemoryBackend;
use wacore::store::traits::Backend;
use wacore::types::events::Event;
use wapid_sandbox::{
    Access, Addressing, GroupAct, NewGroup, PhoneMessage, RemoteSandbox, Sandbox, SandboxError, Storage,
};

use waproto::whatsapp as wa;
use whatsapp_rust::Jid;

use crate::kinds::collected;
use crate::support::{
    ALICE, BOOK, CAROL, DEADLINE, Linked, Parts, bytes, control_token, sha256, start, texts,
};

const FOLDER: &str = "WAPID_SANDBOX_TEST_FOLDER";
const PORT: &str = "WAPID_SANDBOX_TEST_PORT";

/// Not a test: the process that the tests below start and kill.
#[tokio::test]
#[ignore = "runs as the child of the crash tests"]
async fn the_sandbox_process() {
    let (Ok(folder), Ok(port)) = (std::env::var(FOLDER), std::env::var(PORT)) else {
        return;
    };
    let sandbox = Sandbox::open(Storage::Folder(folder.into())).await.expect("opens");
    let address = ("127.0.0.1", port.parse().expect("a port"));
    let listener = TcpListener::bind(address).await.expect("the port is free");
    let access = Access { token: control_token(), names: Vec::new(), connections: 1000 };
    sandbox.serve(listener, access).await.expect("serves");
}

struct Process {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
    sandbox: RemoteSandbox,
}

impl Process {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The keys are made before the process starts, so that its key is known.
        let opened = Sandbox::open(Storage::Folder(folder.path().into())).await.expect("opens");
        let key = opened.static_key();
        drop(opened);
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let sandbox =
            RemoteSandbox::new(&format!("http://127.0.0.1:{port}"), key, control_token()).expect("a client");
        let process = Self { child: spawn(folder.path(), port), folder, port, sandbox };
        process.ready().await;
        for phone in [ALICE, CAROL] {
            process.sandbox.create_phone(BOOK, phone, "Somebody").await.expect("a phone");
        }
        process
    }

    async fn ready(&self) {
        let ready = async {
            while let Err(SandboxError::Unreachable(_)) = self.sandbox.phones(BOOK).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(DEADLINE, ready).await.expect("the process serves");
    }

    /// SIGKILL, which is what `kill` of a child is on Unix.
    fn kill(&mut self) {
        self.child.kill().expect("was running");
        self.child.wait().expect("is dead");
    }

    async fn restart(&mut self) {
        self.child = spawn(self.folder.path(), self.port);
        self.ready().await;
    }

    fn parts(&self, backend: &Arc<dyn Backend>) -> Parts {
        Parts {
            backend: Arc::clone(backend),
            transport: self.sandbox.transport(BOOK),
            http: self.sandbox.http(BOOK),
            pin: Some(self.sandbox.static_key()),
        }
    }

    async fn linked(&self, phone: &str, backend: &Arc<dyn Backend>) -> Linked {
        let linked = start(self.parts(backend)).await;
        let qr = linked.qr().await;
        self.sandbox.scan(BOOK, phone, &qr).await.expect("a valid code");
        linked.online().await;
        linked
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already, by the test's hand.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &std::path::Path, port: u16) -> Child {
    Command::new(std::env::current_exe().expect("a test binary"))
        .args(["--exact", "crash::the_sandbox_process", "--ignored"])
        .env(FOLDER, folder)
        .env(PORT, port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_and_nothing_is_shown_twice() {
    const MESSAGES: usize = 120;
    let mut process = Process::start().await;
    let backend: Arc<dyn Backend> = Arc::new(InMemoryBackend::new());
    let alice = process.linked(ALICE, &backend).await;
    let first = alice.send(CAROL, "0").await;
    alice.receipt("Delivered", &first).await;

    let mut wanted = vec![("0".to_owned(), first)];
    for number in 1..MESSAGES {
        let (text, id) = (number.to_string(), format!("3EB0CRASH{number:04}"));
        wanted.push((text.clone(), id.clone()));
        // Without a connection a send fails or waits; it is made again below.
        let send = alice.try_send_as(CAROL, &text, &id);
        let _ = tokio::time::timeout(Duration::from_secs(1), send).await;
        if number % 40 == 20 {
            process.kill();
        }
        if number % 40 == 25 {
            process.restart().await;
            alice.online().await;
            let acknowledged = acknowledged(&alice).await;
            let inbox = process.sandbox.messages(BOOK, CAROL).await.expect("a phone");
            let shown: HashSet<&str> = inbox.messages.iter().map(|message| message.id.as_str()).collect();
            let lost: Vec<&String> = acknowledged.iter().filter(|id| !shown.contains(id.as_str())).collect();
            assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        }
    }
    // As the gateway does after a crash: whatever has no result is sent again with its id.
    for (text, id) in &wanted {
        alice.try_send_as(CAROL, text, id).await.expect("connected");
    }
    let all = async {
        loop {
            let inbox = process.sandbox.messages(BOOK, CAROL).await.expect("a phone");
            if inbox.messages.len() >= MESSAGES && inbox.redelivered > 0 {
                return inbox;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let inbox = tokio::time::timeout(DEADLINE, all).await.expect("all arrive");
    let once: HashSet<&str> = texts(&inbox).into_iter().collect();
    assert_eq!((once.len(), inbox.messages.len()), (MESSAGES, MESSAGES));

    let (before, messages) = (inbox.redelivered, inbox.messages);
    process.kill();
    process.restart().await;
    let inbox = process.sandbox.messages(BOOK, CAROL).await.expect("a phone");
    assert!(inbox.redelivered >= before && inbox.messages == messages, "the phone forgot");
}

async fn acknowledged(device: &Linked) -> Vec<String> {
    device
        .take_seen(|event| match event {
            Event::ServerAck(ack) if ack.error.is_none() && ack.class.as_deref() == Some("message") => {
                Some(ack.id.clone())
            }
            _ => None,
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_device_survives() {
    let mut process = Process::start().await;
    let backend: Arc<dyn Backend> = Arc::new(InMemoryBackend::new());
    let alice = process.linked(ALICE, &backend).await;
    process.sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "before")).await.expect("sent");
    alice.text("before").await;
    alice.stop().await;
    for number in 0..10 {
        let text = PhoneMessage::text(ALICE, format!("waits {number}"));
        process.sandbox.send(BOOK, CAROL, text).await.expect("sent");
    }
    process.kill();
    process.restart().await;
    let alice = start(process.parts(&backend)).await;
    for number in 0..10 {
        alice.text(&format!("waits {number}")).await;
    }
    // The sessions survived on both sides.
    process.sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "after")).await.expect("sent");
    alice.text("after").await;
    let id = alice.send(CAROL, "thanks").await;
    alice.receipt("Delivered", &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_survive_and_what_was_under_way_is_loaded() {
    let mut process = Process::start().await;
    let backend: Arc<dyn Backend> = Arc::new(InMemoryBackend::new());
    let alice = process.linked(ALICE, &backend).await;
    let data = bytes(3 << 20);
    let upload = alice.client.upload(data.clone(), MediaType::Document, Default::default()).await;
    let upload = upload.expect("uploads");
    // What was answered exists.
    process.kill();
    process.restart().await;
    alice.online().await;
    let document = waproto::whatsapp::message::DocumentMessage {
        direct_path: Some(upload.direct_path),
        media_key: Some(upload.media_key.to_vec()),
        file_sha256: Some(upload.file_sha256.to_vec()),
        file_enc_sha256: Some(upload.file_enc_sha256.to_vec()),
        file_length: Some(upload.file_length),
        ..Default::default()
    };
    let message =
        waproto::whatsapp::Message { document_message: document.clone().into(), ..Default::default() };
    let id = alice.send_message(CAROL, message).await;
    alice.receipt("Delivered", &id).await;
    // The phone has the message, and may not have loaded its medium yet.
    process.kill();
    process.restart().await;
    let inbox = process.sandbox.messages(BOOK, CAROL).await.expect("a phone");
    assert_eq!(inbox.messages[0].media_sha256, Some(sha256(&data)));
    let held = process.sandbox.media(BOOK, CAROL, &id).await.expect("held");
    assert_eq!(collected(held).await, data);
    alice.online().await;
    assert_eq!(alice.download(&document).await, data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_survives_with_its_keys() {
    let mut process = Process::start().await;
    let backend: Arc<dyn Backend> = Arc::new(InMemoryBackend::new());
    let alice = process.linked(ALICE, &backend).await;
    let new = NewGroup {
        phone: CAROL.to_owned(),
        subject: "Team".to_owned(),
        participants: vec![ALICE.to_owned()],
        addressing: Addressing::Lid,
    };
    let group = process.sandbox.create_group(BOOK, new).await.expect("a group").group.expect("a group");
    let rename = GroupAct::Rename { subject: "Crew".into() };
    let done = process.sandbox.act_in_group(BOOK, &group.id, CAROL, rename).await.expect("renamed");
    let jid: Jid = group.id.parse().expect("a JID");
    let say = async |text: &str| {
        let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
        alice.client.send_message(jid.clone(), message).await.expect("sent").message_id
    };
    let shown = async |sandbox: &RemoteSandbox, count: usize| {
        let all = async {
            loop {
                let inbox = sandbox.messages(BOOK, CAROL).await.expect("a phone");
                if inbox.messages.len() >= count {
                    return inbox;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(DEADLINE, all).await.expect("the phone shows all")
    };
    say("before").await;
    shown(&process.sandbox, 1).await;
    process.sandbox.send(BOOK, CAROL, PhoneMessage::text(&group.id, "answer")).await.expect("sent");
    alice.text("answer").await;

    process.kill();
    process.restart().await;
    alice.online().await;
    assert_eq!(process.sandbox.group(BOOK, &group.id).await.ok(), done.group);
    // Both sides go on with the keys they had: nothing is asked for again.
    let id = say("after").await;
    alice.receipt("Delivered", &id).await;
    let inbox = shown(&process.sandbox, 3).await;
    assert_eq!((texts(&inbox), inbox.redelivered), (vec!["before", "answer", "after"], 0));
    process.sandbox.send(BOOK, CAROL, PhoneMessage::text(&group.id, "and on")).await.expect("sent");
    alice.text("and on").await;
}
