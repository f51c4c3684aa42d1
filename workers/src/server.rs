//! The way to Redis.
//!
//! With `rediss://` its certificate is verified, always: by the system's authorities, or by those of a file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::RwLock;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{ConnectionAddr, IntoConnectionInfo as _, TlsCertificates};

/// A Redis that does not answer a caller of ours within this is away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How a certificate begins in PEM.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// A Redis, and the connection to it that everybody here shares. Cheap to clone.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    client: redis::Client,
    shared: RwLock<ConnectionManager>,
}

impl Server {
    /// A Redis that is away is no error; it is tried again with every use.
    ///
    /// # Errors
    /// When the URL or the authority's file does not read.
    pub fn at(url: &str, authority: Option<&Path>) -> anyhow::Result<Self> {
        let client = client(url, authority)?;
        let shared = RwLock::new(connect(&client, ANSWER_TIMEOUT)?);
        Ok(Self(Arc::new(Inner { client, shared })))
    }

    pub fn is_encrypted(&self) -> bool {
        matches!(self.0.client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. })
    }

    pub fn connection(&self) -> ConnectionManager {
        self.0.shared.read().clone()
    }

    /// One's own, with a patience of one's own.
    pub fn connect(&self, answer_timeout: Duration) -> anyhow::Result<ConnectionManager> {
        connect(&self.0.client, answer_timeout)
    }

    /// Gives the shared connection up. redis-rs replaces one that breaks, but stays for ever on one where
    /// nobody answers: a host that failed over, a firewall that forgot.
    pub fn leave_connection(&self) {
        if let Ok(fresh) = self.connect(ANSWER_TIMEOUT) {
            *self.0.shared.write() = fresh;
        }
    }
}

fn client(url: &str, authority: Option<&Path>) -> anyhow::Result<redis::Client> {
    let not_a_url =
        "WAPID_REDIS_URL is not a Redis URL, such as redis://host:6379 or rediss://host:6379 with TLS";
    let info = url.into_connection_info().context(not_a_url)?;
    match (info.addr(), authority) {
        (ConnectionAddr::TcpTls { insecure: true, .. }, _) => anyhow::bail!(
            "WAPID_REDIS_URL ends in #insecure, with which anybody could answer for Redis; leave it out, and name its \
             authority in WAPID_REDIS_CA"
        ),
        (ConnectionAddr::TcpTls { .. }, None) => Ok(redis::Client::open(info)?),
        (ConnectionAddr::TcpTls { .. }, Some(file)) => {
            let bad = || format!("WAPID_REDIS_CA: {} holds no certificates in PEM", file.display());
            let unreadable = || format!("WAPID_REDIS_CA: cannot read {}", file.display());
            let authority = std::fs::read(file).with_context(unreadable)?;
            // An empty file would trust nobody.
            anyhow::ensure!(authority.windows(CERTIFICATE.len()).any(|part| part == CERTIFICATE), bad());
            let certificates = TlsCertificates { client_tls: None, root_cert: Some(authority) };
            redis::Client::build_with_tls(info, certificates).with_context(bad)
        }
        (_, None) => Ok(redis::Client::open(info)?),
        (_, Some(_)) => anyhow::bail!("WAPID_REDIS_CA is for TLS; let WAPID_REDIS_URL begin with rediss://"),
    }
}

/// What rustls and Redis say, and what it means for whoever set us up.
const MEANINGS: [(&str, &str); 7] = [
    (
        "UnknownIssuer",
        "nobody whom we trust has signed the certificate of Redis; name its authority's in WAPID_REDIS_CA",
    ),
    (
        "CaUsedAsEndEntity",
        "the certificate of Redis is an authority's own, and no server's may be: let an authority sign one for the \
         server, or make it anew with `-addext basicConstraints=critical,CA:FALSE`",
    ),
    ("not valid for name", "the certificate of Redis is for another name than that in WAPID_REDIS_URL"),
    ("Expired", "the certificate of Redis has expired"),
    (
        "InvalidContentType",
        "Redis does not speak TLS there; let WAPID_REDIS_URL begin with redis://, or name its port for TLS",
    ),
    ("AuthenticationFailed", "Redis refuses the name or password in WAPID_REDIS_URL"),
    ("NOAUTH", "Redis wants a password; see WAPID_REDIS_URL"),
];

/// What went wrong with a queue, and what to do about it where that can be told. No password is in it.
pub(super) fn words(error: &anyhow::Error, is_encrypted: bool) -> String {
    let told = format!("{error:#}");
    if let Some((_, meaning)) = MEANINGS.iter().find(|(said, _)| told.contains(said)) {
        return (*meaning).to_owned();
    }
    // A Redis without TLS waits for the end of a line that never comes, one with it hangs up on what is none.
    match is_encrypted {
        true if told.contains("timed out") => {
            format!("{told}; if Redis does not speak TLS there, let WAPID_REDIS_URL begin with redis://")
        }
        false if told.contains("reset by peer") || told.contains("end of file") => {
            format!("{told}; if Redis speaks TLS there, let WAPID_REDIS_URL begin with rediss://")
        }
        _ => told,
    }
}

fn connect(client: &redis::Client, answer_timeout: Duration) -> anyhow::Result<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(answer_timeout))
        .set_min_delay(Duration::from_millis(50))
        .set_max_delay(Duration::from_secs(1))
        .set_number_of_retries(2);
    Ok(ConnectionManager::new_lazy_with_config(client.clone(), config)?)
}
