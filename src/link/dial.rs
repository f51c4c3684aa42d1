//! The way to WhatsApp: TCP (through a proxy if the session has one), TLS, WebSocket.
//!
//! `TCP_NODELAY` is on. With Nagle's algorithm a send waits for the peer's delayed ACK: measured
//! 48 ms at p95 instead of 0.4 ms.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use tokio::net::TcpStream;
use tower::Service;
use url::Url;
use wacore::net::{Transport, TransportEvent, TransportFactory, WHATSAPP_WEB_ORIGIN};
use whatsapp_rust_tokio_transport::{Connector, default_tls_connector, from_websocket};

/// TCP, proxy, TLS and upgrade together.
const DIAL_TIMEOUT: Duration = Duration::from_secs(20);

/// A session's own way out: `http://` (CONNECT) or `socks5://`, with or without `user:password@`.
/// Names are resolved by the proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Url);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("proxy must be a URL such as http://user:password@host:3128 or socks5://host:1080")]
    NotAUrl,
    #[error("proxy must begin with http:// or socks5://")]
    UnknownScheme,
    #[error("proxy needs a host and a port")]
    NoHostOrPort,
}

impl Proxy {
    /// # Errors
    /// Says which part is missing.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let url = Url::parse(text).map_err(|_| ProxyError::NotAUrl)?;
        let port = url.port().or_else(|| (url.scheme() == "http").then_some(80));
        match url.scheme() {
            "http" | "socks5" | "socks5h"
                if url.host_str().is_some_and(|h| !h.is_empty()) && port.is_some() =>
            {
                Ok(Self(url))
            }
            "http" | "socks5" | "socks5h" => Err(ProxyError::NoHostOrPort),
            _ => Err(ProxyError::UnknownScheme),
        }
    }

    /// For reqwest, where names are resolved by the proxy only under another scheme.
    pub fn for_fetch(&self) -> String {
        self.0.as_str().replacen("socks5://", "socks5h://", 1)
    }

    /// Host and port alone, in the form the connectors want.
    fn authority(&self) -> anyhow::Result<Uri> {
        let host = self.0.host_str().unwrap_or_default();
        Ok(format!("http://{host}:{}", self.0.port().unwrap_or(80)).parse()?)
    }

    fn credentials(&self) -> Option<(String, String)> {
        let plain = |s: &str| percent_decode(s);
        let user = plain(self.0.username());
        (!user.is_empty()).then(|| (user, plain(self.0.password().unwrap_or_default())))
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({}://…)", self.0.scheme())
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
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        direct.set_nodelay(true);
        let stream = match &self.proxy {
            None => direct.call(target).await?,
            Some(proxy) if proxy.0.scheme() == "http" => {
                let mut tunnel = Tunnel::new(proxy.authority()?, direct);
                if let Some((user, password)) = proxy.credentials() {
                    tunnel = tunnel.with_auth(basic(&user, &password)?);
                }
                tunnel.call(target).await?
            }
            Some(proxy) => {
                let mut socks = SocksV5::new(proxy.authority()?, direct);
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
    use super::*;

    #[test]
    fn a_proxy_is_http_or_socks5_and_prints_without_its_password() {
        let proxy = Proxy::parse("http://me:p%40ss+1@10.0.0.1:3128").unwrap();
        assert_eq!(proxy.credentials(), Some(("me".into(), "p@ss+1".into())));
        assert_eq!(format!("{proxy:?}"), "Proxy(http://…)");
        assert!(Proxy::parse("socks5://host:1080").is_ok());
        assert_eq!(Proxy::parse("ftp://host:1"), Err(ProxyError::UnknownScheme));
        assert_eq!(Proxy::parse("socks5://host"), Err(ProxyError::NoHostOrPort));
        assert_eq!(Proxy::parse("host:1080:x"), Err(ProxyError::UnknownScheme));
        assert_eq!(Proxy::parse("nonsense"), Err(ProxyError::NotAUrl));
    }
}
