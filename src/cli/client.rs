//! A small client of our own API, for the commands that talk to a running gateway.

use std::time::Duration;

use clap::Args;
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(60);
/// For a file, as long as it goes on.
const FILE_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// How a command reaches a gateway.
#[derive(Debug, Args)]
pub struct Connection {
    /// The tenant's API key
    #[arg(long, env = "WAPID_KEY", hide_env_values = true)]
    key: String,
    /// Of the gateway; by default the one that WAPID_LISTEN names
    #[arg(long)]
    url: Option<String>,
}

impl Connection {
    pub fn open(self, config: &Config) -> anyhow::Result<Client> {
        Client::new(self.url.unwrap_or_else(|| base_url(config)), self.key)
    }
}

/// One gateway, one key.
pub struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// Why there is no answer to read.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("{url} does not answer")]
    NoAnswer { url: String, source: reqwest::Error },
    #[error("{url} did not answer JSON")]
    NotJson { url: String, source: reqwest::Error },
    #[error("{error}")]
    Refused { status: StatusCode, code: String, error: String },
    #[error("{url} does not answer")]
    Silent { url: String },
}

impl CallError {
    /// Nobody is there, or somebody who is not well: the same question may be answered later.
    pub fn is_away(&self) -> bool {
        match self {
            Self::NoAnswer { .. } | Self::NotJson { .. } | Self::Silent { .. } => true,
            Self::Refused { status, .. } => status.is_server_error(),
        }
    }
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

/// Follows no redirect: a key goes where it was sent, and a forwarded event as far as a webhook would.
pub fn http() -> anyhow::Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE).build()?)
}

impl Client {
    pub fn new(url: String, key: String) -> anyhow::Result<Self> {
        Ok(Self { http: http()?, url, key })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Result<Value, CallError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// An answer of a shape that is known. One that is not of it is as bad as no JSON.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(Method::GET, path, None).await
    }

    /// An answer that may be long, part by part. It begins soon; whoever reads it sees that it goes on.
    pub async fn stream(&self, path: &str) -> Result<reqwest::Response, CallError> {
        let url = || self.url.clone();
        let request = self.http.get(format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        let request = request.timeout(FILE_PATIENCE);
        let answer = tokio::time::timeout(PATIENCE, request.send());
        let answer = answer.await.map_err(|_| CallError::Silent { url: url() })?;
        let answer = answer.map_err(|source| CallError::NoAnswer { url: url(), source })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(refused(answer, url()).await)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, CallError> {
        let mut request =
            self.http.request(method, format!("{}{path}", self.url)).header("X-API-Key", &self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let url = || self.url.clone();
        let answer = request.send().await.map_err(|source| CallError::NoAnswer { url: url(), source })?;
        if answer.status().is_success() {
            return answer.json().await.map_err(|source| CallError::NotJson { url: url(), source });
        }
        Err(refused(answer, url()).await)
    }
}

async fn refused(answer: reqwest::Response, url: String) -> CallError {
    let status = answer.status();
    let value: Value = match answer.json().await {
        Ok(value) => value,
        Err(source) => return CallError::NotJson { url, source },
    };
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    CallError::Refused {
        status,
        code: text("code").unwrap_or_default(),
        error: text("error").unwrap_or_else(|| "the gateway refused".to_owned()),
    }
}
