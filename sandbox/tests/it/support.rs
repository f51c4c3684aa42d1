//! A linked whatsapp-rust client and the words to tell its story with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Mutex;
use wacore::net::{
    HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, TransportFactory, UploadBody,
};
use wacore::store::traits::Backend;
use wacore::store::{CachedNoiseCert, CachedServerCertChain, DeviceCommand, InMemoryBackend};
use wacore::types::events::{ChannelEventHandler, Event};
use wapid_sandbox::{Access, ControlToken, Inbox, InboxMessage, RemoteSandbox, Sandbox, Storage};
use waproto::whatsapp as wa;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::{Client, Jid};

/// Longer than anything here takes on a busy machine: a test that hits it is broken.
pub const DEADLINE: Duration = Duration::from_secs(150);

pub const BOOK: &str = "shop";
pub const ALICE: &str = "15550000001";
pub const BOB: &str = "15550000002";
pub const CAROL: &str = "15550000003";

/// What control calls carry to a sandbox of the tests.
pub const TOKEN: &str = "the-token-of-a-sandbox-of-the-tests";

pub fn control_token() -> ControlToken {
    ControlToken::parse(TOKEN).expect("long enough")
}

/// Serves a network on a port of its own, as if it ran alone.
pub async fn serve(sandbox: &Sandbox) -> (RemoteSandbox, SocketAddr) {
    serve_for(sandbox, 1000).await
}

/// The same for so many connections at a time.
pub async fn serve_for(sandbox: &Sandbox, connections: usize) -> (RemoteSandbox, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let access = Access { token: control_token(), names: vec!["sandbox".to_owned()], connections };
    let served = sandbox.clone();
    tokio::spawn(async move { served.serve(listener, access).await });
    let remote = RemoteSandbox::new(&format!("http://{address}"), sandbox.static_key(), control_token());
    (remote.expect("a client"), address)
}

/// A network in memory with three phones in one book.
pub async fn network() -> Sandbox {
    let sandbox = Sandbox::open(Storage::Memory).await.expect("opens");
    people(&sandbox).await;
    sandbox
}

pub async fn people(sandbox: &Sandbox) {
    for (phone, name) in [(ALICE, "Alice"), (BOB, "Bob"), (CAROL, "Carol")] {
        sandbox.create_phone(BOOK, phone, name).await.expect("a phone");
    }
}

pub struct Linked {
    pub client: Arc<Client>,
    events: async_channel::Receiver<Arc<Event>>,
    /// Seen while waiting for something else.
    seen: Mutex<Vec<Arc<Event>>>,
    handle: Option<BotHandle>,
}

/// What a client is made of besides its network.
pub struct Parts {
    pub backend: Arc<dyn Backend>,
    pub transport: Arc<dyn TransportFactory>,
    pub http: Arc<dyn HttpClient>,
    pub pin: Option<[u8; 32]>,
}

impl Parts {
    pub fn of(sandbox: &Sandbox) -> Self {
        Self::in_book(sandbox, BOOK)
    }

    pub fn in_book(sandbox: &Sandbox, book: &str) -> Self {
        Self {
            backend: Arc::new(InMemoryBackend::new()),
            transport: sandbox.transport(book),
            http: sandbox.http(book),
            pin: Some(sandbox.static_key()),
        }
    }

    pub fn with(self, backend: &Arc<dyn Backend>) -> Self {
        Self { backend: Arc::clone(backend), ..self }
    }
}

struct Shared(Arc<dyn TransportFactory>);

#[async_trait::async_trait]
impl TransportFactory for Shared {
    async fn create_transport(
        &self,
    ) -> anyhow::Result<(Arc<dyn wacore::net::Transport>, async_channel::Receiver<wacore::net::TransportEvent>)>
    {
        self.0.create_transport().await
    }
}

struct AnyHttp(Arc<dyn HttpClient>);

#[async_trait::async_trait]
impl HttpClient for AnyHttp {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        self.0.execute(request).await
    }

    fn supports_streaming(&self) -> bool {
        self.0.supports_streaming()
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        self.0.execute_streaming(request)
    }

    fn supports_upload_streaming(&self) -> bool {
        self.0.supports_upload_streaming()
    }

    fn execute_upload(
        &self,
        request: HttpRequest,
        body: UploadBody,
        content_length: u64,
    ) -> anyhow::Result<HttpResponse> {
        self.0.execute_upload(request, body, content_length)
    }
}

/// Starts a client; it offers a code or logs in, as its store says.
pub async fn start(parts: Parts) -> Linked {
    // `RUST_LOG=debug` shows what the client and the network think. Set once for all tests.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_test_writer()
        .try_init();
    let bot = Bot::builder()
        .with_backend_arc(parts.backend)
        .with_http_client(AnyHttp(parts.http))
        .with_runtime(whatsapp_rust::TokioRuntime)
        .with_version((2, 3000, 0))
        .with_transport_factory(Shared(parts.transport))
        .with_wanted_pre_key_count(30)
        .skip_history_sync()
        .build()
        .await
        .expect("a client");
    let client = bot.client();
    client.set_force_active_delivery_receipts(true);
    if let Some(key) = parts.pin {
        let store = client.persistence_manager();
        let pinned = CachedNoiseCert { key, not_before: 0, not_after: i64::MAX };
        let chain = CachedServerCertChain { intermediate: pinned.clone(), leaf: pinned };
        store.process_command(DeviceCommand::SetServerCertChain(chain)).await;
        if store.get_device_snapshot().pn.is_none() {
            store.process_command(DeviceCommand::SetId(Some(Jid::pn("0")))).await;
        }
    }
    let (handler, events) = ChannelEventHandler::new();
    client.subscribe_handler(handler).detach();
    let handle = bot.spawn();
    Linked { client, events, seen: Mutex::default(), handle: Some(handle) }
}

/// A client linked to `phone` by QR code and online.
pub async fn linked(sandbox: &Sandbox, phone: &str) -> Linked {
    linked_with(sandbox, BOOK, phone, Parts::of(sandbox)).await
}

pub async fn linked_with(sandbox: &Sandbox, book: &str, phone: &str, parts: Parts) -> Linked {
    let linked = start(parts).await;
    let qr = linked.qr().await;
    sandbox.scan(book, phone, &qr).await.expect("the code is valid");
    linked.online().await;
    linked
}

impl Linked {
    /// The first event, also of those seen before, that `pick` likes. Each is picked once.
    pub async fn wait<T>(&self, what: &str, pick: impl FnMut(&Event) -> Option<T>) -> T {
        let (index, picked) = self.find(what, pick).await;
        self.seen.lock().await.remove(index);
        picked
    }

    /// The same, but an event stays: one of messages or receipts carries several.
    async fn find<T>(&self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> (usize, T) {
        let mut seen = self.seen.lock().await;
        for (index, event) in seen.iter().enumerate() {
            if let Some(picked) = pick(event) {
                return (index, picked);
            }
        }
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the client lives");
                let picked = pick(&event);
                seen.push(event);
                if let Some(picked) = picked {
                    return (seen.len() - 1, picked);
                }
            }
        };
        match tokio::time::timeout(DEADLINE, wait).await {
            Ok(picked) => picked,
            Err(_) => panic!("no {what} in time; seen: {:#?}", names(&seen)),
        }
    }

    pub async fn qr(&self) -> String {
        self.wait("QR code", |event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await
    }

    pub async fn online(&self) {
        self.wait("connection", |event| matches!(event, Event::Connected(_)).then_some(())).await;
    }

    pub async fn text(&self, text: &str) -> Jid {
        self.find(text, |event| match event {
            Event::Messages(batch) => batch
                .iter()
                .find(|message| message.message.conversation.as_deref() == Some(text))
                .map(|message| message.info.source.chat.clone()),
            _ => None,
        })
        .await
        .1
    }

    /// The message with this id, as the client has it.
    pub async fn message(&self, id: &str) -> wa::Message {
        let picked = self.find(id, |event| match event {
            Event::Messages(batch) => {
                batch.iter().find(|message| message.info.id == id).map(|message| message.message.clone())
            }
            _ => None,
        });
        (*picked.await.1).clone()
    }

    /// The bytes of a medium that the client got.
    pub async fn download(&self, medium: &dyn wacore::download::Downloadable) -> Vec<u8> {
        self.client.download(medium).await.expect("downloads")
    }

    /// Sends anything.
    pub async fn send_message(&self, to: &str, message: wa::Message) -> String {
        self.client.send_message(Jid::pn(to), message).await.expect("sent").message_id
    }

    /// A receipt of this kind (`Delivered`, `Read`, `Played`) about this message.
    pub async fn receipt(&self, kind: &str, id: &str) -> Jid {
        self.find(kind, |event| match event {
            Event::Receipt(receipt)
                if format!("{:?}", receipt.r#type).starts_with(kind)
                    && receipt.message_ids.iter().any(|known| *known == id) =>
            {
                Some(receipt.source.sender.clone())
            }
            _ => None,
        })
        .await
        .1
    }

    pub async fn send(&self, to: &str, text: &str) -> String {
        let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
        let sent = self.client.send_message(Jid::pn(to), message).await.expect("sent");
        sent.message_id
    }

    /// Sends with an id of the caller's choice, as the gateway does after a crash.
    pub async fn send_as(&self, to: &str, text: &str, id: &str) {
        self.try_send_as(to, text, id).await.expect("sent");
    }

    pub async fn try_send_as(&self, to: &str, text: &str, id: &str) -> anyhow::Result<()> {
        let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
        let options = whatsapp_rust::SendOptions::default().with_message_id(id);
        self.client.send_message_with_options(Jid::pn(to), message, options).await?;
        Ok(())
    }

    /// Waits for an event that is not expected to come.
    pub async fn wait_quietly(&self, wanted: impl Fn(&Event) -> bool) {
        while let Ok(event) = self.events.recv().await {
            if wanted(&event) {
                return;
            }
        }
        std::future::pending().await
    }

    /// Everything that `pick` likes among the events so far.
    pub async fn take_seen<T>(&self, pick: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        let mut seen = self.seen.lock().await;
        while let Ok(event) = self.events.try_recv() {
            seen.push(event);
        }
        seen.iter().filter_map(|event| pick(event)).collect()
    }

    /// Ends the client without a word to the server.
    pub async fn stop(mut self) {
        if let Some(handle) = self.handle.take() {
            handle.shutdown().await;
        }
    }
}

fn names(events: &[Arc<Event>]) -> Vec<String> {
    events.iter().map(|event| format!("{event:?}").chars().take(120).collect()).collect()
}

/// Asks until the phone shows what is wanted.
pub async fn shows(sandbox: &Sandbox, phone: &str, wanted: impl Fn(&Inbox) -> bool) -> Inbox {
    let asked = async {
        loop {
            let inbox = sandbox.messages(BOOK, phone).await.expect("a phone");
            if wanted(&inbox) {
                return inbox;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(inbox) => inbox,
        Err(_) => panic!("the phone shows {:#?}", sandbox.messages(BOOK, phone).await),
    }
}

/// The message with this id, once the phone shows it as it is wanted.
pub async fn shown(
    sandbox: &Sandbox,
    phone: &str,
    id: &str,
    wanted: impl Fn(&InboxMessage) -> bool,
) -> InboxMessage {
    let has = |inbox: &Inbox| inbox.messages.iter().any(|message| message.id == id && wanted(message));
    let inbox = shows(sandbox, phone, has).await;
    inbox.messages.into_iter().find(|message| message.id == id).expect("it was there")
}

/// Bytes that no two of which are alike in a row, so that a shift or a gap shows.
pub fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|index| u8::try_from((index * 31 + index / 251) % 256).expect("below 256")).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}

pub fn texts(inbox: &Inbox) -> Vec<&str> {
    inbox.messages.iter().map(|message| message.message.as_str()).collect()
}

/// The server's answer to a message: its code, or `None` when it was taken.
pub async fn server_ack(device: &Linked, id: &str) -> Option<String> {
    device
        .wait("ack", |event| match event {
            Event::ServerAck(ack) if ack.id == id => Some(ack.error.clone()),
            _ => None,
        })
        .await
}

/// A client of the web that speaks plain HTTP.
pub fn http() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().expect("a client")
}
