//! Where the protocol client's own HTTP requests go.
//!
//! Where a file lies is told by whoever sent it: `directPath` of the message goes behind one of WhatsApp's hosts, and
//! the account's media token with it. So a path is parsed ([`ServerPath`]), and every request of the client, whatever
//! made its URL, is held against the hosts that are WhatsApp's ([`Guarded`]).

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};

/// Of WhatsApp's media hosts (`mmg.whatsapp.net`, `media-….cdn.whatsapp.net`, `pps.whatsapp.net`), and of the page that
/// tells its version (`web.whatsapp.com`).
const WHATSAPP: [&str; 2] = ["whatsapp.net", "whatsapp.com"];
/// Bytes; WhatsApp's own have some 250.
const PATH_MAX: usize = 2_048;
const HTTPS: u16 = 443;

/// A file's path on WhatsApp's servers: it begins with one `/` and names no host. 2 to 2,048 bytes of visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ServerPath(String);

/// A path that may lead elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no path of a file")]
pub struct ServerPathError;

impl ServerPath {
    /// # Errors
    /// For what is no path, or would be read as more than one behind a host.
    pub fn parse(text: &str) -> Result<Self, ServerPathError> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#'));
        let is_path = text.starts_with('/') && text.len() > 1 && !text.starts_with("//");
        // Dots would leave the folder of files.
        let climbs = text.split(['/', '?']).any(|part| matches!(part, "." | ".."));
        let is_path = is_path && is_visible && !climbs && text.len() <= PATH_MAX;
        is_path.then(|| Self(text.to_owned())).ok_or(ServerPathError)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServerPath {
    type Error = ServerPathError;

    fn try_from(text: String) -> Result<Self, ServerPathError> {
        Self::parse(&text)
    }
}

/// The hosts of a network.
#[derive(Debug, Clone)]
pub enum Hosts {
    WhatsApp,
    /// Another server's, which keeps its files on its own host, whatever the port.
    Of(String),
    /// Of a sandbox: there is no way to anywhere else.
    Sandbox,
}

impl Hosts {
    /// Of the network at a WebSocket's URL.
    pub fn of(url: &str) -> Self {
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        host.filter(|host| !is_whatsapps(host)).map_or(Self::WhatsApp, Self::Of)
    }

    fn check(&self, url: &str) -> anyhow::Result<()> {
        let url = Url::parse(url).map_err(|_| anyhow::anyhow!("no URL"))?;
        anyhow::ensure!(url.scheme() == "https", "files are asked for over HTTPS");
        anyhow::ensure!(url.username().is_empty() && url.password().is_none(), "a URL with a user in it");
        let host = url.host();
        let is_ours = match (self, &host) {
            (Self::Sandbox, _) => true,
            (Self::Of(own), Some(host)) if host.to_string() == *own => true,
            (_, Some(Host::Domain(name))) => {
                is_whatsapps(name) && url.port().is_none_or(|port| port == HTTPS)
            }
            _ => false,
        };
        anyhow::ensure!(is_ours, "the host is none of WhatsApp's");
        Ok(())
    }
}

fn is_whatsapps(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    WHATSAPP
        .iter()
        .any(|own| host.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// A client's HTTP, kept to the hosts of its network.
#[derive(Clone)]
pub struct Guarded {
    pub http: Arc<dyn HttpClient>,
    pub hosts: Hosts,
}

#[async_trait]
impl HttpClient for Guarded {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        self.hosts.check(&request.url)?;
        self.http.execute(request).await
    }

    fn supports_streaming(&self) -> bool {
        self.http.supports_streaming()
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        self.hosts.check(&request.url)?;
        self.http.execute_streaming(request)
    }

    fn supports_upload_streaming(&self) -> bool {
        self.http.supports_upload_streaming()
    }

    fn execute_upload(
        &self,
        request: HttpRequest,
        body: UploadBody,
        content_length: u64,
    ) -> anyhow::Result<HttpResponse> {
        self.hosts.check(&request.url)?;
        self.http.execute_upload(request, body, content_length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_no_host() {
        for path in ["/v/t62.7118-24/1_2.enc?ccb=11-4&oh=01_Q5&oe=66", "/a", "/o1/v/t24/f2/m233/A%20b?x=../y"]
        {
            assert!(ServerPath::parse(path).is_ok(), "{path}");
        }
        let long = format!("/{}", "a".repeat(PATH_MAX));
        for path in [
            "",
            "/",
            "@evil.example/x",
            ".evil.example/x",
            ":443@evil.example/x",
            "evil.example/x",
            "//evil.example/x",
            "/\\evil.example/x",
            "\\\\evil.example/x",
            "/a/../../secret",
            "/a\0b",
            "/a b",
            "/a\r\nhost: evil.example",
            "/é",
            "/a#@evil.example",
            "https://evil.example/x",
            long.as_str(),
        ] {
            assert_eq!(ServerPath::parse(path), Err(ServerPathError), "{path:?}");
            assert!(serde_json::from_value::<ServerPath>(path.into()).is_err(), "{path:?}");
        }
    }

    #[test]
    fn only_whatsapps_hosts_are_asked() {
        let whatsapp = Hosts::of("wss://web.whatsapp.com/ws/chat");
        for url in [
            "https://mmg.whatsapp.net/v/a?auth=x",
            "https://media-gru1-1.cdn.whatsapp.net/v/a",
            "https://MEDIA.fgru5-1.fna.WhatsApp.net:443/v/a",
            "https://web.whatsapp.com/sw.js",
        ] {
            assert!(whatsapp.check(url).is_ok(), "{url}");
        }
        for url in [
            "http://mmg.whatsapp.net/v/a",
            "https://mmg.whatsapp.net@evil.example/v/a",
            "https://user:secret@mmg.whatsapp.net/v/a",
            "https://mmg.whatsapp.net.evil.example/v/a",
            "https://evilwhatsapp.net/v/a",
            "https://mmg.whatsapp.net:8443/v/a",
            "https://127.0.0.1/v/a",
            "https://[::1]/v/a",
            "https://evil.example/whatsapp.net",
            "ftp://mmg.whatsapp.net/a",
            "nothing",
        ] {
            assert!(whatsapp.check(url).is_err(), "{url}");
        }
        let other = Hosts::of("wss://chat.shop.example/ws");
        assert!(other.check("https://chat.shop.example:9443/v/a").is_ok());
        assert!(other.check("https://evil.example/v/a").is_err());
    }
}
