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
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy.as_url())?),
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
