//! The gateway, the sandbox alone, and the health check.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;
use wapid_core::clock::Clock;
use wapid_core::id::TenantId;
use wapid_core::store::Store;
use wapid_core::store::tenants::{NewTenant, NewTenantError};
use wapid_sandbox::{Access, ControlToken, MediaHost, Sandbox, Storage};

use super::client;
use crate::config::Config;
use crate::descriptors;
use crate::run::Gateway;

/// The tenant of a first start.
const FIRST_TENANT: &str = "default";

pub async fn gateway(config: &Config) -> anyhow::Result<()> {
    let gateway = Gateway::start(config, Clock::System).await?;
    println!("wapid {} is up: http://{}", env!("CARGO_PKG_VERSION"), gateway.address);
    greet(&gateway.store).await?;
    asked_to_stop().await?;
    println!("Stopping");
    gateway.stop().await;
    Ok(())
}

/// On an empty database, makes a tenant and shows its keys, once.
async fn greet(store: &Store) -> anyhow::Result<()> {
    if !store.tenants().await?.is_empty() {
        return Ok(());
    }
    let first = NewTenant {
        id: Some(TenantId(FIRST_TENANT.to_owned())),
        name: FIRST_TENANT.to_owned(),
        time_zone: "UTC".to_owned(),
        daily_limit: None,
        session_limit: None,
    };
    match store.create_tenant(first).await {
        Ok((_, live, test)) => {
            println!(
                "\nThis is the first start. The keys of tenant `{FIRST_TENANT}` are shown once:\n\n  \
                 live  {}\n  test  {}\n\n\
                 The test key works on the sandbox: no phone needed. Try `wapid demo`, or the README.",
                live.reveal(),
                test.reveal()
            );
            Ok(())
        }
        // Somebody was faster, and has the keys.
        Err(NewTenantError::NameTaken(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Returns on Ctrl-C or SIGTERM.
pub(super) async fn asked_to_stop() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Where and how a sandbox runs alone.
pub struct SandboxAlone {
    pub listen: SocketAddr,
    pub folder: Option<PathBuf>,
    pub media: Option<SocketAddr>,
    pub known_as: Vec<String>,
    pub token: Option<ControlToken>,
}

pub async fn sandbox(alone: SandboxAlone, json: bool) -> anyhow::Result<()> {
    let SandboxAlone { listen, folder, media, known_as, token } = alone;
    let storage = folder.map_or(Storage::Memory, Storage::Folder);
    let sandbox = Sandbox::open(storage).await.context("the sandbox does not open")?;
    let (token, shown) = match token {
        Some(chosen) => (chosen, None),
        None => {
            let made = sandbox.control_token().await.context("the sandbox cannot keep its token")?;
            let shown = made.reveal().to_owned();
            (made, Some(shown))
        }
    };
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let media = match media {
        Some(listen) => Some(media_host(&sandbox, listen).await?),
        None => None,
    };
    for address in [Some(address), media.as_ref().map(MediaHost::address)].into_iter().flatten() {
        if !address.ip().is_loopback() {
            warn!(
                "The sandbox listens on {address}, where other machines reach it. Any client may connect to it, and its \
                 traffic is not encrypted; keep it inside a network that you trust"
            );
        }
    }
    let (root, key) = (hex::encode(sandbox.root_key()), hex::encode(sandbox.static_key()));
    if json {
        let mut line = serde_json::json!({"listen": address.to_string(), "rootKey": root, "staticKey": key});
        line["token"] = token.reveal().into();
        if let Some(media) = &media {
            line["media"] = media.address().to_string().into();
            line["mediaAuthority"] = media.authority().to_string_lossy().into();
        }
        println!("{line}");
    } else {
        // Whoever chose it has it, and does not want it in a container's log.
        let shown = shown.as_deref().unwrap_or("<as you chose it>");
        println!(
            "The sandbox listens on ws://{address}/ws/chat; its phones are under http://{address}/control/\n\n  \
             root key    {root}   (trust it in Baileys or whatsmeow)\n  \
             static key  {key}   (WAPID_SANDBOX_KEY)\n  \
             token       {shown}   (of control calls: `Authorization: Bearer …`)\n\n\
             A gateway uses it with WAPID_SANDBOX_URL=http://{address} WAPID_SANDBOX_KEY={key} \
             WAPID_SANDBOX_TOKEN={shown}"
        );
        if let Some(media) = &media {
            println!(
                "\nIts media host is https://{}; Node believes it with NODE_EXTRA_CA_CERTS={}",
                media.address(),
                media.authority().display()
            );
        }
    }
    // Half for clients and calls, half for media: each bound holds by itself.
    let connections = descriptors::connections_max(descriptors::raise_limit()).div_ceil(2);
    let access = Access { token, names: known_as, connections };
    let media = async {
        match media {
            Some(media) => media.serve(connections).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        served = sandbox.serve(listener, access) => served.context("the sandbox stopped"),
        served = media => served.context("the media host stopped"),
        stopped = asked_to_stop() => stopped,
    }
}

async fn media_host(sandbox: &Sandbox, listen: SocketAddr) -> anyhow::Result<MediaHost> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    sandbox.media_host(listener).await.context("the media host does not open")
}

pub async fn health(config: &Config, url: Option<String>) -> anyhow::Result<()> {
    let url = url.unwrap_or_else(|| client::base_url(config));
    let answer = client::http()?.get(format!("{url}/readyz")).send().await;
    let status = answer.with_context(|| format!("{url} does not answer"))?.status();
    anyhow::ensure!(status.is_success(), "{url} is not ready ({status})");
    println!("ready");
    Ok(())
}
