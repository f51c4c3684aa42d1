//! The linked-device client, and the only folder that names `whatsapp_rust`.
//!
//! A live link verifies WhatsApp's certificate chain, always. A sandbox link pins the sandbox's own
//! static key in its device row, so that the client begins with Noise IK, whose trust is exactly
//! "the peer owns that key"; its transport is in memory (or one named loopback URL) and reaches
//! nothing else. See ARCHITECTURE.md, "Sandbox trust"; it stands on whatsapp-rust 0.7.0 internals
//! (`handshake.rs`, `select_pattern`).
//!
//! | file | what |
//! |---|---|
//! | `send` | one message out, and whose answer it waits for |
//! | `inbound` | what arrives: committed, then acknowledged |
//! | `files` | up to WhatsApp's servers and down again |
//! | `groups` | groups: asked for and changed |
//! | `people` | what is asked and told of people |
//! | `hearing` | what is heard of people |
//! | `group_line` | news of groups, in the order of the wire |
//! | `catch_up` | changes of the phone that the client would miss |
//! | `runtime` | in which order the client's tasks begin |

mod catch_up;
mod files;
mod group_line;
mod groups;
mod hearing;
mod inbound;
mod people;
mod runtime;
mod send;

pub use files::FileFailure;
pub use send::{InFlight, Letter};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use wacore::iq::devices::RemoveCompanionDeviceSpec;
use wacore::iq::keepalive::KeepaliveSpec;
use wacore::iq::mex_operations::{fetch_new_chat_message_capping_info as capping, fetch_reachout_timelock};
use wacore::net::{HttpClient, Transport, TransportEvent, TransportFactory};
use wacore::store::traits::Backend;
use wacore::store::{CachedNoiseCert, CachedServerCertChain, DeviceCommand, DevicePropsOverride};
use wacore::types::events::EventHandler;
use wacore_binary::Jid;
use wapid_core::session::{Account, Rest};
use wapid_keystore::Keystore;
use waproto::whatsapp::device_props::PlatformType;
use whatsapp_rust::bot::Bot;
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::{Client, MexError, MexRequest, RawNodeLease, SendError};

use self::group_line::GroupLine;
use self::inbound::{Hook, Standing};
use self::runtime::OrderedRuntime;
use self::send::failure_of;
use super::acks::Acks;
use super::dial::{Dial, Proxy};
use super::fetch::Fetch;
use super::health::{Health, NewChats, Timelock};
use super::hosts::{Guarded, Hosts};
use super::signals::Ear;
use super::{Commit, Recall, SendFailure, Signal};

/// How long a link gets to say goodbye before it is cut.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(8);
/// And how long to notice that it was cut.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);
/// How long WhatsApp gets to confirm that a device was logged out.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long WhatsApp gets to say how an account stands.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a live server takes at most to answer a small question.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// The version we claim where WhatsApp's own page cannot be asked: sandboxes and other test servers.
const FIXED_VERSION: (u32, u32, u32) = (2, 3000, 1_028_000_000);

/// The user that an unlinked device of the sandbox claims to be.
const PLACEHOLDER: &str = "0";

/// What a link needs to open.
pub struct Wiring {
    /// Of its own: they end with the link.
    pub keys: Keystore,
    pub way: Way,
    /// The owner does not want to be seen; kept from link to link.
    pub hides: Arc<AtomicBool>,
    /// Shown on the phone in its list of linked devices.
    pub device_name: String,
}

/// Which network, and how to reach it.
pub enum Way {
    Live { url: String, proxy: Option<Proxy> },
    Sandbox { transport: Arc<dyn TransportFactory>, http: Arc<dyn HttpClient>, static_key: [u8; 32] },
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the way to WhatsApp cannot be used: {0}")]
    Way(anyhow::Error),
    #[error("the client does not start: {0}")]
    Client(anyhow::Error),
}

/// A running client. [`Link::close`] it: dropping leaves it running.
pub struct Link {
    client: Arc<Client>,
    keys: Keystore,
    acks: Acks,
    /// `None` once closed.
    running: Mutex<Option<JoinHandle<()>>>,
    closed: CancellationToken,
    standing: watch::Sender<Standing>,
    /// Something arrived since the Signal state was last known to be written down.
    unflushed: Arc<AtomicBool>,
    probing: Arc<AtomicBool>,
    people: Arc<hearing::People>,
    groups: GroupLine,
    http: Guarded,
    tell: Arc<dyn Fn(Signal) + Send + Sync>,
    _hearing: RawNodeLease,
}

impl Link {
    /// Builds a client on the session's keys and lets it run. Signals begin at once.
    ///
    /// # Errors
    /// [`OpenError`] when the keys do not read or the proxy cannot be used.
    pub async fn open(
        wiring: Wiring,
        tell: impl Fn(Signal) + Clone + Send + Sync + 'static,
        commit: Commit,
        recall: Recall,
    ) -> Result<Self, OpenError> {
        let acks = Acks::default();
        let unflushed = Arc::new(AtomicBool::new(false));
        let (standing, admission) = watch::channel(Standing::Unknown);
        let (transport, http, hosts, pin, version) = match wiring.way {
            Way::Live { url, proxy } => {
                let real = url == wacore::net::WHATSAPP_WEB_WS_URL;
                let http = Fetch::new(proxy.as_ref()).map_err(|e| OpenError::Way(e.into()))?;
                let dial = Dial::new(&url, proxy).map_err(OpenError::Way)?;
                let version = (!real).then_some(FIXED_VERSION);
                (
                    Arc::new(dial) as Arc<dyn TransportFactory>,
                    Arc::new(http) as Arc<dyn HttpClient>,
                    Hosts::of(&url),
                    None,
                    version,
                )
            }
            Way::Sandbox { transport, http, static_key } => {
                (transport, http, Hosts::Sandbox, Some(static_key), Some(FIXED_VERSION))
            }
        };
        let http = Guarded { http, hosts };
        let keys = wiring.keys;
        let backend: Arc<dyn Backend> = Arc::new(keys.clone());
        let builder = Bot::builder()
            .with_backend_arc(backend.clone())
            .with_transport_factory(AnyTransport(transport))
            .with_http_client(http.clone())
            .with_runtime(OrderedRuntime::default())
            .with_device_props(
                DevicePropsOverride::new()
                    .with_os(wiring.device_name)
                    .with_platform_type(PlatformType::CHROME),
            )
            .with_inbound_durability_hook(Hook {
                standing: admission,
                commit,
                recall,
                unflushed: unflushed.clone(),
            })
            .skip_history_sync();
        let builder = match version {
            Some(version) => builder.with_version(version),
            None => builder,
        };
        let bot = builder.build().await.map_err(|e| OpenError::Client(e.into()))?;
        let client = bot.client();
        if let Some(key) = pin {
            pin_static_key(&client, key).await;
        }
        // Linked already: known to the session, unless it died between the scan and writing that down.
        if let Some(account) = account_of(&client) {
            tell(Signal::Linked(account));
        }
        let ear: Arc<dyn EventHandler> = Arc::new(Ear { acks: acks.clone(), tell: tell.clone() });
        client.subscribe_handler(ear).detach();
        let people = Arc::new(hearing::People::new(wiring.hides));
        let tell_groups = tell.clone();
        let groups = GroupLine::start(move |news| tell_groups(Signal::Group(news)));
        let hearing = hearing::listen(&client, people.clone(), groups.clone(), backend, tell.clone());
        let handle = bot.spawn();
        let acks_at_end = acks.clone();
        let tell: Arc<dyn Fn(Signal) + Send + Sync> = Arc::new(tell);
        let tell_end = tell.clone();
        let running = tokio::spawn(async move {
            handle.await;
            acks_at_end.lose_all();
            tell_end(Signal::Gone { why: Rest::Refused, lasts_ms: None });
        });
        Ok(Self {
            client,
            keys,
            acks,
            running: Mutex::new(Some(running)),
            closed: CancellationToken::new(),
            standing,
            unflushed,
            probing: Arc::default(),
            people,
            groups,
            http,
            tell,
            _hearing: hearing,
        })
    }

    /// What the client believes of its socket. It may be wrong for 30 to 60 s; see [`Self::probe`].
    pub fn is_connected(&self) -> bool {
        self.client.is_connected() && self.client.is_logged_in()
    }

    /// What arrives is the session's from here on: the linked number is its own.
    pub fn admit(&self) {
        self.standing.send_replace(Standing::Admitted);
    }

    /// Nothing that arrives is taken: the linked number is not the session's.
    pub fn turn_away(&self) {
        self.standing.send_replace(Standing::TurnedAway);
    }

    /// The number this device is linked to, by its own keys.
    pub fn account(&self) -> Option<Account> {
        account_of(&self.client)
    }

    /// Is anybody there? One ping; a socket that does not answer it is dead, and is replaced at once. The
    /// client's own keepalive needs 30 to 45 s to find out.
    ///
    /// Returns at once; many who wait in vain ask one question.
    pub fn probe(&self) {
        if self.probing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (client, probing, tell, acks) =
            (self.client.clone(), self.probing.clone(), self.tell.clone(), self.acks.clone());
        // Apart from whoever asks: they are told of the loss in the middle of it.
        tokio::spawn(async move {
            let ping = client.execute(KeepaliveSpec::with_timeout(PROBE_TIMEOUT));
            let answered = tokio::time::timeout(PROBE_TIMEOUT, ping).await;
            // A refusal is an answer as well.
            let is_dead = match answered {
                Ok(Ok(())) => false,
                Ok(Err(error)) => matches!(failure_of(SendError::Iq(error)), SendFailure::Lost),
                Err(_) => true,
            };
            if is_dead {
                tell(Signal::Down);
                client.reconnect_immediately().await;
                acks.lose_all();
            }
            probing.store(false, Ordering::Release);
        });
    }

    /// What WhatsApp says of this account's standing. What it does not say is not known; that is no
    /// failure.
    ///
    /// # Errors
    /// [`SendFailure::Lost`], also when there is no answer within 10 s.
    pub async fn health(&self) -> Result<Health, SendFailure> {
        let timelock = MexRequest::new(
            fetch_reachout_timelock::NAME,
            fetch_reachout_timelock::DOC_ID,
            fetch_reachout_timelock::Variables {},
        );
        let input = capping::Input { r#type: Some("INDIVIDUAL_NEW_CHAT_MSG".to_owned()) };
        let new_chats =
            MexRequest::new(capping::NAME, capping::DOC_ID, capping::Variables { input: Some(input) });
        let asked = async { tokio::try_join!(self.ask_mex(timelock), self.ask_mex(new_chats)) };
        let answered = tokio::time::timeout(HEALTH_TIMEOUT, asked).await;
        let (timelock, new_chats) = answered.unwrap_or(Err(SendFailure::Lost))?;
        Ok(Health { timelock: Timelock::read(&timelock), new_chats: NewChats::read(&new_chats) })
    }

    /// The `data` of an answer; null where WhatsApp refuses to say.
    async fn ask_mex<V: serde::Serialize>(&self, question: MexRequest<V>) -> Result<Value, SendFailure> {
        match self.client.mex().query(question).await {
            Ok(answer) => Ok(answer.data.unwrap_or_default()),
            Err(MexError::Request(error)) => match failure_of(SendError::Iq(error)) {
                SendFailure::Lost => Err(SendFailure::Lost),
                _ => Ok(Value::Null),
            },
            Err(_) => Ok(Value::Null),
        }
    }

    /// Asks for a code that links by typing it into the phone of `digits`. It arrives as
    /// [`Signal::Code`], or the reason why not as [`Signal::CodeRefused`].
    pub async fn request_code(&self, digits: &str) {
        self.client.cancel_pair_code().await;
        let options = PairCodeOptions { phone_number: digits.to_owned(), ..Default::default() };
        // Both outcomes are events as well.
        let _ = self.client.pair_with_code(options).await;
    }

    /// Tells WhatsApp to remove this device, then closes; did WhatsApp confirm it? It may also end the
    /// stream first, which comes as [`Signal::Over`].
    pub async fn log_out(&self) -> bool {
        let told = match self.client.pn() {
            Some(own) if self.is_connected() => {
                let ask = self.client.execute(RemoveCompanionDeviceSpec::new(&own));
                matches!(tokio::time::timeout(LOGOUT_TIMEOUT, ask).await, Ok(Ok(())))
            }
            _ => false,
        };
        self.close().await;
        told
    }

    /// Flushes what the client holds and ends it. What of it still runs afterwards writes nothing, so the
    /// same session may be opened again, or its keys be forgotten.
    pub async fn close(&self) {
        let Some(running) = self.running.lock().take() else { return };
        // However this ends, also in a panic or not at all: the keys are written to no more.
        let _end = Ending(self);
        if *self.standing.borrow() == Standing::Unknown {
            // Whoever waits to be admitted would be waited for.
            self.turn_away();
        }
        let mut running = Some(running);
        let polite = async {
            self.client.disconnect().await;
            if let Some(task) = &mut running {
                let _ = task.await;
            }
            // A task that has ended is not waited for again.
            running = None;
            self.save_device().await;
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, polite).await.is_err() {
            warn!("A link did not close within {CLOSE_TIMEOUT:?} and was cut");
            self.client.signal_shutdown_sync();
            if let Some(mut task) = running {
                let _ = tokio::time::timeout(CUT_TIMEOUT, &mut task).await;
                task.abort();
            }
        }
    }

    /// What the client is asked for, and `lost` when the link is closed before: some of it never ends then,
    /// as whatsapp-rust 0.7.0 was seen to do with a send.
    fn while_open<'a, T, E: 'a>(
        &'a self,
        lost: E,
        work: impl Future<Output = Result<T, E>> + 'a,
    ) -> impl Future<Output = Result<T, E>> + 'a {
        // The client's futures are deep, and take much room in ours.
        let work = Box::pin(work);
        async move { self.closed.run_until_cancelled(work).await.unwrap_or(Err(lost)) }
    }

    /// Once more, whatever the client's own saver has just taken upon itself and will not be allowed to
    /// write.
    async fn save_device(&self) {
        let device = self.client.persistence_manager();
        device.modify_device(|_| ()).await;
        if let Err(error) = device.flush().await {
            warn!("A link's device was not saved at its close: {error}");
        }
    }
}

/// A link that ends: its keys, and whoever waits for something of it.
struct Ending<'a>(&'a Link);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let Self(link) = self;
        link.groups.flush();
        link.keys.end();
        link.closed.cancel();
        link.acks.lose_all();
    }
}

impl Drop for Link {
    /// Only after a panic is a link dropped open; then at least nothing of it goes on.
    fn drop(&mut self) {
        if let Some(running) = self.running.lock().take() {
            self.client.signal_shutdown_sync();
            running.abort();
            drop(Ending(self));
        }
    }
}

/// The number this device is linked to, by its own keys.
fn account_of(client: &Client) -> Option<Account> {
    let device = client.persistence_manager().get_device_snapshot();
    let own = device.pn.as_ref().filter(|own| own.user != PLACEHOLDER)?;
    Some(Account {
        phone: own.user.to_string(),
        jid: own.to_string(),
        lid: device.lid.as_ref().map(|lid| lid.user.to_string()),
    })
}

/// See the module doc. Repeated on every start: a crypto failure in IK makes the client drop the pin.
async fn pin_static_key(client: &Client, key: [u8; 32]) {
    let device = client.persistence_manager();
    let pinned = CachedNoiseCert { key, not_before: 0, not_after: i64::MAX };
    let chain = CachedServerCertChain { intermediate: pinned.clone(), leaf: pinned };
    device.process_command(DeviceCommand::SetServerCertChain(chain)).await;
    if device.get_device_snapshot().pn.is_none() {
        // The client begins with IK only when it believes itself registered; the sandbox takes user
        // 0 for an unregistered device and offers a QR.
        device.process_command(DeviceCommand::SetId(Some(Jid::pn(PLACEHOLDER)))).await;
    }
}

/// Refuses to run a binary in which a chain of another root verifies. Cargo unifies features across
/// a workspace, so one `danger-skip-cert-chain-verify` anywhere would disarm every live session.
///
/// # Errors
/// When `foreign_chain` verifies.
pub fn check_trust(foreign_chain: &[u8], static_key: &[u8; 32]) -> anyhow::Result<()> {
    anyhow::ensure!(
        wacore_noise::HandshakeUtils::verify_server_cert(foreign_chain, static_key).is_err(),
        "this build does not verify WhatsApp's certificates (a danger-* feature is on); refusing to run"
    );
    Ok(())
}

/// The builder wants a type of its own; a session's network is chosen at run time.
struct AnyTransport(Arc<dyn TransportFactory>);

#[async_trait]
impl TransportFactory for AnyTransport {
    async fn create_transport(
        &self,
    ) -> anyhow::Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>)> {
        let connected = self.0.create_transport().await;
        let outcome = if connected.is_ok() { "connected" } else { "failed" };
        metrics::counter!("wapid_connects_total", "outcome" => outcome).increment(1);
        connected
    }
}
