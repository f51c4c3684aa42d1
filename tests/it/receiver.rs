//! A receiver of webhooks, on a port of its own, that answers as it is told and remembers what came.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, Mac as _};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::Sha256;

use crate::app::until;
use crate::description::misfit_of_delivery;

/// One request.
#[derive(Debug, Clone)]
pub struct Got {
    pub at: Instant,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What was answered.
    pub status: u16,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// Is one of the signatures of Standard Webhooks that of this key?
    pub fn is_signed_with(&self, key: &[u8]) -> bool {
        let (id, timestamp) = (self.id(), self.header("webhook-timestamp"));
        let signed = [format!("{id}.{timestamp}.").as_bytes(), &self.body].concat();
        self.header("webhook-signature").split(' ').any(|signature| {
            let given = signature.strip_prefix("v1,").map(decode_base64);
            given.is_some_and(|given| given == mac(key, &signed))
        })
    }
}

pub fn mac(key: &[u8], signed: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("any key");
    mac.update(signed);
    mac.finalize().into_bytes().to_vec()
}

pub fn decode_base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.decode(text).expect("base64")
}

/// The bytes that a secret of ours signs with.
pub fn key_of(secret: &str) -> Vec<u8> {
    secret.strip_prefix("whsec_").map_or_else(|| secret.as_bytes().to_vec(), decode_base64)
}

type Answers = dyn Fn(&Got, usize) -> Response + Send + Sync;

pub struct Receiver {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<Got>,
    of_event: HashMap<String, usize>,
    /// What came and is not as `openapi.json` describes it.
    misfits: Vec<String>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    /// Takes everything.
    pub async fn new() -> Self {
        Self::answering(|_, _| StatusCode::NO_CONTENT.into_response()).await
    }

    /// Answers by the request and how often its event came before.
    pub async fn answering(answer: impl Fn(&Got, usize) -> Response + Send + Sync + 'static) -> Self {
        Self::slow(Duration::ZERO, answer).await
    }

    /// The same, some time later.
    pub async fn slow(
        pause: Duration,
        answer: impl Fn(&Got, usize) -> Response + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let answer: Arc<Answers> = Arc::new(answer);
        let handler = {
            let seen = seen.clone();
            move |headers: HeaderMap, body: Bytes| {
                let (seen, answer) = (seen.clone(), answer.clone());
                async move {
                    tokio::time::sleep(pause).await;
                    let mut got = Got { at: Instant::now(), headers, body, status: 0 };
                    // A panic here would be told to the gateway alone: the test is told by its next look.
                    let misfit =
                        serde_json::from_slice(&got.body).ok().and_then(|body| misfit_of_delivery(&body));
                    let mut seen = seen.lock();
                    seen.misfits.extend(misfit);
                    let times = seen.of_event.entry(got.id().to_owned()).or_default();
                    let answer = answer(&got, *times);
                    *times += 1;
                    got.status = answer.status().as_u16();
                    seen.requests.push(got);
                    answer
                }
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let router = axum::Router::new().fallback(handler);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, seen, server }
    }

    pub fn all(&self) -> Vec<Got> {
        let seen = self.seen.lock();
        assert!(seen.misfits.is_empty(), "openapi.json does not describe {:?}", seen.misfits);
        seen.requests.clone()
    }

    pub fn count(&self) -> usize {
        self.seen.lock().requests.len()
    }

    /// Those that were answered with yes, each id as often as it was.
    pub fn taken(&self) -> Vec<String> {
        let seen = self.seen.lock();
        seen.requests.iter().filter(|got| got.status < 300).map(|got| got.id().to_owned()).collect()
    }

    /// The first request that `is_it`.
    pub async fn until_gets(&self, what: &str, is_it: impl Fn(&Got) -> bool) -> Got {
        until(what, || async { self.all().into_iter().find(|got| is_it(got)) }).await
    }
}
