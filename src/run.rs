//! The parts of a gateway, put together and taken apart.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wapid_core::clock::Clock;
use wapid_core::private;
use wapid_core::store::Store;
use wapid_core::turns::Turns;
use wapid_keystore::Keystores;
use wapid_sandbox::{Network, RemoteSandbox, Sandbox, Storage};
use wapid_workers::{Running, Wakeups};

use crate::api::{self, Api};
use crate::config::Config;
use crate::delivery::{self, Deliveries};
use crate::door::{Bounds, Door};
use crate::media::Media;
use crate::outgoing::Outgoing;
use crate::preview::Previews;
use crate::session::{Parts, Sessions};
use crate::{descriptors, link, serve, telemetry};

/// How often expired things are tidied away.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// How often new messages are indexed; a search does not wait for it.
const INDEX_EVERY: Duration = Duration::from_secs(2);
const INDEX_RETRY: Duration = Duration::from_secs(10);

/// Connections of who reads metrics: a scraper or two.
const SCRAPERS_MAX: usize = 32;

/// Links get this long to close; with the server's own 3 s and the last commit it stays under 10 s.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const COMMIT_TIMEOUT: Duration = Duration::from_secs(1);

/// A running gateway.
pub struct Gateway {
    pub address: SocketAddr,
    /// Where metrics are served alone.
    pub metrics_address: Option<SocketAddr>,
    pub store: Store,
    pub sessions: Sessions,
    pub media: Media,
    deliveries: Deliveries,
    stop: CancellationToken,
    server: JoinHandle<()>,
    restored: Arc<AtomicBool>,
    waking: Running,
    _lock: Option<std::fs::File>,
}

impl Gateway {
    /// Starts everything and begins to listen. Sessions come back in the background; `/readyz` says
    /// when they had their chance.
    ///
    /// # Errors
    /// Says which part did not start and what to do about it.
    pub async fn start(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        // Both reqwest and the WhatsApp client take the process's provider; the first caller wins.
        let _ = rustls::crypto::ring::default_provider().install_default();
        config.prepare_data_dir()?;
        let lock = lock_data_dir(&config.data_dir)?;
        let descriptors = descriptors::raise_limit();
        let uploads = config.data_dir.join("uploads");
        forget_uploads(&uploads)?;
        let store = open_store(config, clock).await?;
        let sandbox = open_sandbox(config).await?;
        let instance = config.instance()?;
        let wakeups = Wakeups::open(config.queue(), &instance, store.clock().clone())
            .await
            .context("the queue of wake-ups does not open; see WAPID_REDIS_URL")?;
        let outgoing = Outgoing::new(config.ssrf_allow.clone())
            .context("webhooks cannot be sent: this machine has no usable certificate store")?;
        let media = Media::start(store.clone(), outgoing.clone(), config.media())
            .await
            .context("the media store does not open")?;
        let sessions = Sessions::new(Parts {
            keystores: Keystores::new(store.db().clone(), store.seal().clone()),
            store: store.clone(),
            sandbox,
            whatsapp_url: config.whatsapp_url.clone(),
            outgoing: outgoing.clone(),
            device_name: config.device_name.clone(),
            wakeups: wakeups.clone(),
            media: media.clone(),
            previews: Previews::new(outgoing.clone(), media.clone()),
            auto_fetch: config.media_auto_max.0,
            owner: instance.clone(),
        });
        let deliveries = Deliveries::start(delivery::Parts {
            store: store.clone(),
            outgoing,
            wakeups: wakeups.clone(),
            owner: instance,
            at_once: descriptors::deliveries_max(descriptors),
        });
        store.exchange_news();
        let waking = wakeups.run({
            let (sessions, deliveries) = (sessions.clone(), deliveries.clone());
            move |key: &str| {
                sessions.heed(key);
                deliveries.heed(key);
            }
        });
        let listener = bind(config.listen, "WAPID_LISTEN").await?;
        let address = listener.local_addr()?;
        let metrics_listener = match config.metrics_listen {
            Some(address) => Some(bind(address, "WAPID_METRICS_LISTEN").await?),
            None => None,
        };
        let metrics_address = metrics_listener.as_ref().map(TcpListener::local_addr).transpose()?;
        let stop = CancellationToken::new();
        let restored = Arc::new(AtomicBool::new(false));
        let api = Api {
            sessions: sessions.clone(),
            deliveries: deliveries.clone(),
            media: media.clone(),
            tests: Default::default(),
            exports: Default::default(),
            public_url: config.public_url.as_ref().map(|url| url.0.as_str().into()),
            stop: stop.clone(),
            metrics: api::metrics::Metrics {
                handle: telemetry::start_metrics(),
                key: config.metrics_key.as_ref().map(|key| key.0.expose_secret().into()),
                is_elsewhere: metrics_listener.is_some(),
            },
            restored: restored.clone(),
            uploads: uploads.into(),
            lists: Default::default(),
            media_sends: Turns::new(api::SENDS_AT_ONCE),
        };
        if let Some(listener) = metrics_listener {
            let routes = api::metrics::router(api.clone());
            let door = Door::new(Bounds::of(SCRAPERS_MAX));
            tokio::spawn(serve::serve(listener, routes, door, stop.clone()));
        }
        let door = Door::new(Bounds::of(descriptors::connections_max(descriptors)));
        let server = tokio::spawn(serve::serve(listener, api::router(api), door, stop.clone()));
        tokio::spawn(restore(sessions.clone(), restored.clone()));
        tokio::spawn(tidy(store.clone(), media.clone(), stop.clone()));
        tokio::spawn(index(store.clone(), stop.clone()));
        Ok(Self {
            address,
            metrics_address,
            store,
            sessions,
            media,
            deliveries,
            stop,
            server,
            restored,
            waking,
            _lock: lock,
        })
    }

    /// Every wanted session had its chance to come back.
    pub fn is_restored(&self) -> bool {
        self.restored.load(Ordering::Acquire)
    }

    /// Answers what is in progress, closes every link, commits, and ends: within 10 s.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.server.await {
            error!("The server ended by a panic: {error}");
        }
        self.waking.stop().await;
        if tokio::time::timeout(CLOSE_TIMEOUT, self.sessions.shutdown()).await.is_err() {
            warn!("Some links did not close in time; they are found again at the next start");
        }
        // Last, so that what the links still said is delivered by somebody: by the next start.
        self.deliveries.stop().await;
        if tokio::time::timeout(COMMIT_TIMEOUT, self.store.close()).await.is_err() {
            warn!("The database did not close in time");
        }
    }
}

async fn bind(listen: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| no_place(listen, setting, error))
}

fn no_place(listen: SocketAddr, setting: &str, error: std::io::Error) -> anyhow::Error {
    let why = match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program listens there already",
        std::io::ErrorKind::PermissionDenied => "this user may not take a port so low",
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => "the system does not let us",
    };
    anyhow::Error::new(error).context(format!("cannot listen on {listen}: {why}; set {setting}"))
}

/// Opens the store as the settings say. The CLI uses it too, beside a running gateway.
///
/// # Errors
/// When the database or the master key does not open.
pub async fn open_store(config: &Config, clock: Clock) -> anyhow::Result<Store> {
    config.prepare_data_dir()?;
    let master = config.master_key()?;
    let store = Store::open(&config.database_url(), config.durability.into(), &master, clock).await;
    store.context("the database does not open; see WAPID_DATABASE_URL and WAPID_MASTER_KEY")
}

async fn open_sandbox(config: &Config) -> anyhow::Result<Network> {
    let network = match (&config.sandbox_url, &config.sandbox_key, &config.sandbox_token) {
        (Some(url), Some(key), Some(token)) => {
            let mut pinned = [0; 32];
            hex::decode_to_slice(key, &mut pinned).context("WAPID_SANDBOX_KEY is 64 hex digits")?;
            let sandbox = RemoteSandbox::new(url, pinned, token.clone()).context("WAPID_SANDBOX_URL")?;
            Network::Remote(sandbox)
        }
        _ => {
            let folder = config.data_dir.join("sandbox");
            let sandbox =
                Sandbox::open(Storage::Folder(folder)).await.context("the sandbox does not open")?;
            Network::Embedded(sandbox)
        }
    };
    check_trust().await?;
    Ok(network)
}

/// A chain signed by a root that is not WhatsApp's must not verify in this binary.
///
/// # Errors
/// When it does.
pub async fn check_trust() -> anyhow::Result<()> {
    let stranger = Sandbox::open(Storage::Memory).await?;
    link::check_trust(&stranger.certificate_chain(), &stranger.static_key())
}

/// What a crash left of forms that were being read. Nobody was answered for them.
fn forget_uploads(folder: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot clear {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// One gateway per data folder: two would run the same sessions under one name.
fn lock_data_dir(dir: &Path) -> anyhow::Result<Option<std::fs::File>> {
    let path = dir.join("lock");
    let opened = private::make(&path).and_then(|()| std::fs::File::options().write(true).open(&path));
    let file = opened.with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => {
            anyhow::bail!("another wapid runs on {}; set WAPID_DATA_DIR", dir.display())
        }
        // Some network file systems have no locks; leases still keep two gateways apart.
        Err(std::fs::TryLockError::Error(_)) => Ok(None),
    }
}

async fn restore(sessions: Sessions, restored: Arc<AtomicBool>) {
    let started = std::time::Instant::now();
    while let Err(error) = sessions.restore().await {
        error!("Sessions could not be read and are tried again: {error:#}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    restored.store(true, Ordering::Release);
    info!("Up after {:.1?}", started.elapsed());
}

/// Keeps the index of messages up, out of the way of whoever sends: it rests for as long as it worked, and for
/// longer while others wait to write.
async fn index(store: Store, stop: CancellationToken) {
    let mut indexer = store.indexer();
    loop {
        let began = std::time::Instant::now();
        let pause = match indexer.step().await {
            Ok(0) => INDEX_EVERY,
            Ok(_) if store.ledger_depth() > 0 => began.elapsed() * 16,
            Ok(_) => began.elapsed(),
            Err(error) => {
                error!("Messages were not indexed and are tried again: {error}");
                INDEX_RETRY
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn tidy(store: Store, media: Media, stop: CancellationToken) {
    loop {
        let now = store.clock().now();
        if let Err(error) = store.tidy(now).await {
            error!("Expired rows were not tidied away: {error}");
        }
        if let Err(error) = media.tidy(now).await {
            error!("Expired files were not tidied away: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}
