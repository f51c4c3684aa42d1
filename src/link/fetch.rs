//! The client's plain HTTP needs: WhatsApp's version, later media.

use async_trait::async_trait;
use wacore::net::{HttpClient, HttpRequest, HttpResponse};

use super::dial::Proxy;

/// The largest answer we read, in bytes.
const ANSWER_MAX: usize = 16 << 20;

/// HTTP over the session's own way to the internet.
pub struct Fetch(reqwest::Client);

impl Fetch {
    /// # Errors
    /// When the proxy's URL cannot be used.
    pub fn new(proxy: Option<&Proxy>) -> Result<Self, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(std::time::Duration::from_secs(10))
            .timeout(std::time::Duration::from_secs(60));
        let builder = match proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.for_fetch())?),
            None => builder,
        };
        Ok(Self(builder.build()?))
    }
}

#[async_trait]
impl HttpClient for Fetch {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let mut outgoing = self.0.request(request.method.parse()?, &request.url);
        for (name, value) in &request.headers {
            outgoing = outgoing.header(name, value);
        }
        if let Some(body) = request.body {
            outgoing = outgoing.body(body);
        }
        let mut answer = outgoing.send().await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            anyhow::ensure!(
                body.len() + chunk.len() <= ANSWER_MAX,
                "the answer is larger than {ANSWER_MAX} bytes"
            );
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status_code: answer.status().as_u16(), body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    /// The first bytes that a proxy hears from the client.
    async fn greeting(scheme: &str) -> [u8; 4] {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("{scheme}://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let fetch = Fetch::new(Some(&Proxy::parse(&proxy).unwrap())).unwrap();
        let asked =
            tokio::spawn(async move { fetch.execute(HttpRequest::get("https://example.invalid/")).await });
        let (mut heard, mut bytes) = (listener.accept().await.unwrap().0, [0; 4]);
        let _ = heard.read(&mut bytes).await.unwrap();
        asked.abort();
        bytes
    }

    #[tokio::test]
    async fn a_proxy_is_spoken_to_in_its_own_language() {
        assert_eq!(greeting("socks5").await[0], 5);
        assert_eq!(&greeting("http").await, b"CONN");
    }
}
