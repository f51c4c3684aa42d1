//! The way to Redis.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::RwLock;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

/// A Redis that does not answer a caller of ours within this is away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A Redis, and the connection to it that everybody here shares. Cheap to clone.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    client: redis::Client,
    shared: RwLock<ConnectionManager>,
}

impl Server {
    /// A Redis that is away is no error; it is tried again with every use.
    pub fn at(url: &str) -> anyhow::Result<Self> {
        let client = redis::Client::open(url).context("WAPID_REDIS_URL is not a Redis URL")?;
        let shared = RwLock::new(connect(&client, ANSWER_TIMEOUT)?);
        Ok(Self(Arc::new(Inner { client, shared })))
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

fn connect(client: &redis::Client, answer_timeout: Duration) -> anyhow::Result<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(answer_timeout))
        .set_min_delay(Duration::from_millis(50))
        .set_max_delay(Duration::from_secs(1))
        .set_number_of_retries(2);
    Ok(ConnectionManager::new_lazy_with_config(client.clone(), config)?)
}
