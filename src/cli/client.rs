//! A small client of our own API, for the commands that talk to a running gateway.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::Value;

use crate::config::Config;

/// One gateway, one key.
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// The address that `WAPID_LISTEN` names, as a URL one can dial.
pub fn base_url(config: &Config) -> String {
    let port = config.listen.port();
    if config.listen.ip().is_unspecified() {
        format!("http://127.0.0.1:{port}")
    } else {
        format!("http://{}", config.listen)
    }
}

pub fn http() -> anyhow::Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build()?)
}

impl Client {
    pub fn new(url: String, key: String) -> anyhow::Result<Self> {
        Ok(Self { http: http()?, url, key })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let mut request =
            self.http.request(method, format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.with_context(|| format!("{} does not answer", self.url))?;
        let status = answer.status();
        let value: Value = answer.json().await.context("the gateway did not answer JSON")?;
        anyhow::ensure!(status.is_success(), "{}", value["error"].as_str().unwrap_or("the gateway refused"));
        Ok(value)
    }
}
