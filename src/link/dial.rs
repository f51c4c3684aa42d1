//! The way to WhatsApp: TCP (through a proxy if the session has one), TLS, WebSocket.
//!
//! `TCP_NODELAY` is on. With Nagle's algorithm a send waits for the peer's delayed ACK: measured
//! 48 ms at p95 instead of 0.4 ms.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use reqwest::dns::{Addrs, Resolving};
use tokio::net::TcpStream;
use tower::Service;
use url::Url;
use wacore::net::{Transport, TransportEvent, TransportFactory, WHATSAPP_WEB_ORIGIN};
use whatsapp_rust_tokio_transport::{Connector, default_tls_connector, from_websocket};

use crate::outgoing::{Asker, Failure, Outgoing, Peer, PeerNames, Refusal};

/// TCP, proxy, TLS and upgrade together.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);

/// A session's own way out: `http://` (CONNECT) or `socks5://`, with or without `user:password@`.
/// Names are resolved by the proxy; its own leads to vetted addresses only.
#[derive(Clone)]
pub struct Proxy {
    /// Its host in one spelling, which is the one that was vetted.
    url: Url,
    peer: Peer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("proxy must be a URL such as http://user:password@host:3128 or socks5://host:1080")]
    NotAUrl,
    #[error("proxy must begin with http:// or socks5://")]
    UnknownScheme,
    #[error("proxy needs a host and a port")]
    NoHostOrPort,
    #[error(
        "proxy names a host of a local network; the operator of this gateway may allow it (WAPID_SSRF_ALLOW)"
    )]
    LocalHost,
    #[error(
        "proxy leads to an address that is not on the internet; the operator of this gateway may allow it \
         (WAPID_SSRF_ALLOW)"
    )]
    Address,
}

impl Proxy {
    /// A proxy that a tenant names. Asks nobody: [`Self::look_up`] does, and every connect.
    ///
    /// # Errors
    /// Says which part is missing, or which rule it breaks.
    pub fn parse(text: &str, outgoing: &Outgoing, asker: Asker) -> Result<Self, ProxyError> {
        let mut url = Url::parse(text).map_err(|_| ProxyError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "socks5" | "socks5h") {
            return Err(ProxyError::UnknownScheme);
        }
        let port = url.port().or_else(|| (url.scheme() == "http").then_some(80)).filter(|port| *port != 0);
        let host = url.host_str().filter(|host| !host.is_empty());
        let (Some(host), Some(port)) = (host, port) else { return Err(ProxyError::NoHostOrPort) };
        let peer = outgoing.check_peer(host, port, asker).map_err(ProxyError::from)?;
        url.set_host(Some(&peer.host())).map_err(|_| ProxyError::NotAUrl)?;
        Ok(Self { url, peer })
    }

    /// Whether its name leads where it may, as of now. A name that nobody knows, or that is not told in time, is not
    /// refused: it may be known at the next try.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub async fn look_up(&self) -> Result<(), ProxyError> {
        match self.peer.look_up().await {
            Err(Failure::Refused(refusal)) => Err(refusal.into()),
            _ => Ok(()),
        }
    }

    /// For reqwest, where names are resolved by the proxy only under another scheme.
    pub fn for_fetch(&self) -> String {
        self.url.as_str().replacen("socks5://", "socks5h://", 1)
    }

    /// The only ones that may be asked for the proxy's own name.
    pub fn names(&self) -> PeerNames {
        self.peer.names()
    }

    /// Host and port alone, in the form the connectors want.
    fn authority(&self) -> anyhow::Result<Uri> {
        Ok(format!("http://{}:{}", self.peer.host(), self.peer.port()).parse()?)
    }

    fn credentials(&self) -> Option<(String, String)> {
        let plain = |s: &str| percent_decode(s);
        let user = plain(self.url.username());
        (!user.is_empty()).then(|| (user, plain(self.url.password().unwrap_or_default())))
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({}://…)", self.url.scheme())
    }
}

fn percent_decode(text: &str) -> String {
    url::form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// Dials `url` for one session.
pub struct Dial {
    url: Uri,
    proxy: Option<Proxy>,
    tls: Connector,
}

impl Dial {
    /// # Errors
    /// When `url` is no WebSocket URL.
    pub fn new(url: &str, proxy: Option<Proxy>) -> anyhow::Result<Self> {
        let url: Uri = url.parse()?;
        anyhow::ensure!(
            matches!(url.scheme_str(), Some("ws" | "wss")) && url.host().is_some(),
            "WAPID_WHATSAPP_URL must begin with wss:// or ws://"
        );
        let tls = if url.scheme_str() == Some("wss") { default_tls_connector() } else { Connector::Plain };
        Ok(Self { url, proxy, tls })
    }

    async fn tcp(&self) -> anyhow::Result<TcpStream> {
        let host = self.url.host().unwrap_or_default();
        let port = self.url.port_u16().unwrap_or(if self.url.scheme_str() == Some("wss") { 443 } else { 80 });
        let target: Uri = format!("https://{host}:{port}").parse()?;
        let stream = match &self.proxy {
            // Where the operator says that WhatsApp is.
            None => connector(GaiResolver::new()).call(target).await?,
            Some(proxy) if proxy.url.scheme() == "http" => {
                let mut tunnel = Tunnel::new(proxy.authority()?, connector(ProxyNames(proxy.names())));
                if let Some((user, password)) = proxy.credentials() {
                    tunnel = tunnel.with_auth(basic(&user, &password)?);
                }
                tunnel.call(target).await?
            }
            Some(proxy) => {
                let mut socks = SocksV5::new(proxy.authority()?, connector(ProxyNames(proxy.names())));
                if let Some((user, password)) = proxy.credentials() {
                    socks = socks.with_auth(user, password);
                }
                socks.call(target).await?
            }
        };
        Ok(stream.into_inner())
    }

    async fn dial(&self) -> anyhow::Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>)> {
        let tcp = self.tcp().await?;
        let stream = self.tls.wrap(self.url.host().unwrap_or_default(), tcp).await?;
        let (socket, _) = tokio_websockets::ClientBuilder::from_uri(self.url.clone())
            .add_header(http::header::ORIGIN, HeaderValue::from_static(WHATSAPP_WEB_ORIGIN))?
            .connect_on(stream)
            .await?;
        Ok(from_websocket(socket))
    }
}

fn connector<R>(names: R) -> HttpConnector<R> {
    let mut connector = HttpConnector::new_with_resolver(names);
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector
}

/// The addresses of a proxy's name, as the connector asks for them.
#[derive(Clone)]
struct ProxyNames(PeerNames);

impl Service<Name> for ProxyNames {
    type Response = Addrs;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Resolving;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Resolving {
        self.0.look_up(name.as_str())
    }
}

impl From<Refusal> for ProxyError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::LocalName => Self::LocalHost,
            Refusal::Address => Self::Address,
            _ => Self::NotAUrl,
        }
    }
}

fn basic(user: &str, password: &str) -> anyhow::Result<HeaderValue> {
    use base64::Engine as _;
    let token = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::from_str(&format!("Basic {token}"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[async_trait]
impl TransportFactory for Dial {
    async fn create_transport(
        &self,
    ) -> anyhow::Result<(Arc<dyn Transport>, async_channel::Receiver<TransportEvent>)> {
        tokio::time::timeout(DIAL_TIMEOUT, self.dial())
            .await
            .map_err(|_| anyhow::anyhow!("no connection within {DIAL_TIMEOUT:?}"))?
    }
}

#[cfg(test)]
mod tests {
    use wapid_core::id::TenantId;
    use wapid_core::key::Mode;

    use super::*;

    fn parse(allow: &str, text: &str) -> Result<Proxy, ProxyError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let outgoing = Outgoing::new(allow.parse().unwrap()).unwrap();
        Proxy::parse(text, &outgoing, Asker { tenant: TenantId("shop".into()), mode: Mode::Live })
    }

    #[test]
    fn a_proxy_is_http_or_socks5_and_prints_without_its_password() {
        let proxy = parse("", "http://me:p%40ss+1@8.8.8.8:3128").unwrap();
        assert_eq!(proxy.credentials(), Some(("me".into(), "p@ss+1".into())));
        assert_eq!(format!("{proxy:?}"), "Proxy(http://…)");
        assert!(parse("", "socks5://proxy.example:1080").is_ok());
        for (text, problem) in [
            ("ftp://proxy.example:1", ProxyError::UnknownScheme),
            ("socks5://proxy.example", ProxyError::NoHostOrPort),
            ("http://proxy.example:0", ProxyError::NoHostOrPort),
            ("proxy.example:1080:x", ProxyError::UnknownScheme),
            ("nonsense", ProxyError::NotAUrl),
            ("socks5://a..b:1080", ProxyError::NotAUrl),
        ] {
            assert_eq!(parse("", text).err(), Some(problem), "{text}");
        }
    }

    #[test]
    fn a_proxy_is_not_inside_unless_the_operator_lets_it() {
        for scheme in ["http", "socks5", "socks5h"] {
            for host in [
                "127.0.0.1",
                "127.1",
                "0x7f.1",
                "2130706433",
                "017700000001",
                "%31%32%37.0.0.1",
                "0",
                "10.0.0.1",
                "169.254.169.254",
                "100.100.100.200",
                "[::1]",
                "[::ffff:127.0.0.1]",
                "[fd00:ec2::254]",
                "[64:ff9b::a9fe:a9fe]",
            ] {
                let text = format!("{scheme}://{host}:1080");
                assert_eq!(parse("", &text).err(), Some(ProxyError::Address), "{text}");
            }
            for host in ["localhost", "LOCALHOST.", "redis", "db.internal", "nas.local"] {
                let text = format!("{scheme}://{host}:1080");
                assert_eq!(parse("", &text).err(), Some(ProxyError::LocalHost), "{text}");
            }
            for (allow, host) in [
                ("10.0.0.0/8", "10.0.0.1"),
                ("127.0.0.1", "127.1"),
                ("squid", "squid"),
                ("10.0.0.0/8", "squid"),
            ] {
                assert!(parse(allow, &format!("{scheme}://{host}:3128")).is_ok(), "{host}");
            }
            // What is vetted is what is dialled.
            let proxy = parse("", &format!("{scheme}://8.8.2056:3128")).unwrap();
            assert!(proxy.for_fetch().contains("//8.8.8.8:3128"), "{}", proxy.for_fetch());
            assert_eq!(proxy.authority().unwrap().authority().map(|at| at.as_str()), Some("8.8.8.8:3128"));
        }
    }
}
