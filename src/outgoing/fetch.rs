//! One request to a vetted target, and as much of its answer as anybody needs.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use reqwest::dns::Resolve;
use tokio::time::{Instant, timeout_at};
use url::Host;

use super::allow::Allow;
use super::names::{Asker, Names, NoAddress, System};
use super::resolve::{ASKER, Vetted};
use super::target::{Reach, Refusal, Target};

/// What is kept of an answer's body where it is only shown to people.
pub const ANSWER_KEPT: usize = 8 << 10;

/// Name service, TCP and TLS together.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A busy endpoint keeps its connections; a silent one costs nothing after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_PER_HOST: usize = 8;
/// Some proxies and frameworks add many; hyper takes 100 unless told otherwise.
const HEADERS_MAX: usize = 1_000;

/// These say how bytes travel, which is ours to say.
const OURS: [HeaderName; 9] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::ACCEPT_ENCODING,
];

/// The way out. Cheap to clone; keeps connections open between fetches.
#[derive(Clone)]
pub struct Outgoing {
    allow: Arc<Allow>,
    names: Names,
    internet: reqwest::Client,
    allowed: reqwest::Client,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Order {
    pub method: Method,
    /// `Host`, `Accept-Encoding` and what else says how bytes travel is replaced.
    pub headers: HeaderMap,
    pub body: Bytes,
    /// For everything: name, connection, TLS, request, head and body.
    pub within: Duration,
    /// So many bytes of the answer's body are read, and then the connection is dropped.
    pub keep: usize,
}

/// What came back. A status of any kind: 3xx too, which is not followed.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub end: End,
}

/// How an answer's body ended. The status is good whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole,
    /// It goes on beyond what was to be kept.
    Cut,
    /// It was still coming when time was up.
    TimedOut,
    /// The connection broke.
    Broken,
}

/// Why there is no answer. Coarse on purpose: finer, it would tell a tenant of our network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the host's name has no address")]
    NoSuchHost,
    #[error("no connection could be made")]
    NoConnection,
    #[error("TLS failed: the certificate is not valid for this host, or no TLS is spoken there")]
    Tls,
    #[error("no answer in time")]
    TimedOut,
    #[error("the connection broke, or the answer was not HTTP")]
    Broken,
}

impl Failure {
    /// For programs and for the log of attempts; stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::NoSuchHost => "host_not_found",
            Self::NoConnection => "connection_failed",
            Self::Tls => "tls_failed",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken_answer",
        }
    }
}

impl Outgoing {
    /// # Errors
    /// When this machine has no usable certificate store.
    pub fn new(allow: Allow) -> Result<Self, reqwest::Error> {
        Self::with_names(allow, Arc::new(System))
    }

    pub(super) fn with_names(allow: Allow, names: Arc<dyn Resolve>) -> Result<Self, reqwest::Error> {
        let (allow, names) = (Arc::new(allow), Names::of(names));
        let client = |reach| client(Vetted { allow: allow.clone(), reach, names: names.clone() });
        let internet = client(Reach::Internet)?;
        let allowed = client(Reach::Allowed { or: Refusal::Address })?;
        Ok(Self { allow, names, internet, allowed })
    }

    pub(super) fn allow(&self) -> &Arc<Allow> {
        &self.allow
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// A URL that a tenant names. Asks nobody; a name's addresses are vetted by [`Self::look_up`] and on
    /// every connect.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn check(&self, url: &str, asker: Asker) -> Result<Target, Refusal> {
        Target::check(&self.allow, url, asker)
    }

    /// Whether the target's name leads where it may, as of now. At registration [`Failure::Refused`] is
    /// the one to refuse: a name that is unknown today may be made tomorrow.
    ///
    /// # Errors
    /// [`Failure::Refused`], [`Failure::NoSuchHost`] or [`Failure::TimedOut`].
    pub async fn look_up(&self, target: &Target) -> Result<(), Failure> {
        let Some(Host::Domain(name)) = target.url.host() else { return Ok(()) };
        let vetted = Vetted { allow: self.allow.clone(), reach: target.reach, names: self.names.clone() };
        match timeout_at(Instant::now() + CONNECT_TIMEOUT, vetted.look_up(target.asker.clone(), name)).await {
            Err(_) => Err(Failure::TimedOut),
            Ok(Err(problem)) => Err(find(&*problem).map_or(Failure::NoSuchHost, |no| Failure::Refused(*no))),
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// Sends `order` and reads its answer. Ends within [`Order::within`], whatever the other side does.
    ///
    /// # Errors
    /// When no status came.
    pub async fn fetch(&self, target: &Target, order: Order) -> Result<Answer, Failure> {
        let deadline = Instant::now() + order.within;
        let request = |client: &reqwest::Client| {
            let mut headers = order.headers;
            for ours in &OURS {
                headers.remove(ours);
            }
            client.request(order.method, target.url.clone()).headers(headers).body(order.body)
        };
        let mut answer = self.send(target, request, deadline).await?;
        let mut body = Vec::new();
        let end = loop {
            match timeout_at(deadline, answer.chunk()).await {
                Err(_) => break End::TimedOut,
                Ok(Err(_)) => break End::Broken,
                Ok(Ok(None)) => break End::Whole,
                Ok(Ok(Some(chunk))) => {
                    let room = order.keep - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if chunk.len() > room {
                        break End::Cut;
                    }
                }
            }
        };
        Ok(Answer { status: answer.status(), headers: std::mem::take(answer.headers_mut()), body, end })
    }

    /// Sends a request to its target and waits for the head of its answer.
    pub(super) async fn send(
        &self,
        target: &Target,
        request: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
        deadline: Instant,
    ) -> Result<reqwest::Response, Failure> {
        // A client serves all targets of its reach, so it cannot know what is wrong with this one.
        let (client, or) = match target.reach {
            Reach::Internet => (&self.internet, Refusal::Address),
            Reach::Allowed { or } => (&self.allowed, or),
        };
        let identity = HeaderValue::from_static("identity");
        let request = request(client).header(header::ACCEPT_ENCODING, identity);
        match timeout_at(deadline, ASKER.scope(target.asker.clone(), request.send())).await {
            Err(_) => Err(Failure::TimedOut),
            Ok(Err(problem)) => Err(failure(&problem, or)),
            Ok(Ok(answer)) => Ok(answer),
        }
    }
}

/// Every switch that could lead elsewhere is turned off by name, so that no feature that another crate
/// asks of reqwest turns it on.
fn client(names: Vetted) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .dns_resolver(Arc::new(names))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .http1_only()
        .http1_max_headers(HEADERS_MAX)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .tcp_nodelay(true)
        .user_agent(concat!("wapid/", env!("CARGO_PKG_VERSION")))
        .build()
}

fn failure(problem: &reqwest::Error, refusal: Refusal) -> Failure {
    if find::<Refusal>(problem).is_some() {
        Failure::Refused(refusal)
    } else if find::<NoAddress>(problem).is_some() {
        Failure::NoSuchHost
    } else if problem.is_timeout() {
        Failure::TimedOut
    } else if find::<rustls::Error>(problem).is_some() {
        Failure::Tls
    } else if problem.is_connect() {
        Failure::NoConnection
    } else {
        Failure::Broken
    }
}

/// The first error of its kind among a problem and its causes.
fn find<'a, E: Error + 'static>(problem: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut causes =
        std::iter::successors(Some(problem), |&cause| match cause.downcast_ref::<std::io::Error>() {
            // It leaves the error that it wraps out of its `source`.
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => cause.source(),
        });
    causes.find_map(|cause| cause.downcast_ref::<E>())
}
