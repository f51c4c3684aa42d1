//! Rows, on SQLite or Postgres.
//!
//! One use case is one method is one transaction; handlers never see a transaction. One SQL text
//! serves both engines (`$1`, `RETURNING`, `ON CONFLICT`, integer milliseconds).
//!
//! [`Store`] is the unscoped store, for the operator's commands and for session tasks, which work
//! for every tenant. What answers a caller goes through [`TenantStore`], and every query of it begins
//! with `tenant_id = $1 AND mode = $2`.
//!
//! | file | rows |
//! |---|---|
//! | [`db`] | the two engines, pools and pragmas |
//! | `error` | what can go wrong, and what that says of the next try |
//! | [`tenants`] | tenants and API keys |
//! | [`sessions`] | sessions: wanted, account, end |
//! | [`messages`] | reading the log |
//! | [`media`] | files, sent and received, and where their bytes are |
//! | [`messages`] | a message of the log, and which of them somebody wants |
//! | [`log`] | reading many: pages, and walks through the log |
//! | [`retention`] | how long they are kept |
//! | [`erase`] | erasing what was said, on somebody's request |
//! | [`search`] | the index of what they say |
//! | [`chats`] | reading a session's conversations |
//! | [`people`] | reading whom a session knows |
//! | [`groups`] | what groups are called |
//! | [`jobs`] | bulk jobs and their recipients |
//! | [`settings`] | what a tenant wants of bulk messages, and who does not want them |
//! | [`events`] | reading the log of events |
//! | [`endpoints`] | where events go, and with which secrets |
//! | [`deliveries`] | what is on its way there, and what was missed |
//! | [`ledger`] | writing the log: intents, results, receipts and inbound, many in one commit |
//! | [`leases`] | which process runs which session |
//! | [`follow`] | following that log as it grows |
//! | `hub` | who is told of a commit |
//! | `postgres`, `patient` | connections to Postgres, and their deadlines |
//! | `away`, `pooler` | why there is none, and who is between |
//! | `tx` | one transaction and one list of values for either engine |
//! | `plan` | for tests: how a database would find a statement's rows |

use crate::clock::{At, Clock};
use crate::id::TenantId;
use crate::key::Mode;
use crate::read;
use crate::seal::Seal;

mod away;
pub mod chats;
pub mod db;
pub mod deliveries;
pub mod endpoints;
pub mod erase;
mod error;
pub mod events;
pub mod follow;
pub mod groups;
mod hub;
pub mod jobs;
pub mod leases;
pub mod ledger;
pub mod listed;
pub mod log;
pub mod media;
pub mod messages;
pub mod patient;
pub mod people;
#[cfg(test)]
mod plan;
mod pooler;
mod postgres;
pub mod retention;
pub mod search;
pub mod sessions;
pub mod settings;
pub mod tenants;
mod tx;

pub use db::{Db, Durability, is_clean};
pub use error::{Result, StoreError, is_about_one};

/// 10 s in all, as long as the busy timeout.
const LOCKED_TRIES: u32 = 100;
const LOCKED_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Everything wapid remembers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
    seal: Seal,
    clock: Clock,
    ledger: ledger::Ledger,
    hub: hub::Hub,
    known_keys: tenants::KnownKeys,
}

/// The rows of one tenant in one mode, and no others.
#[derive(Debug, Clone)]
pub struct TenantStore {
    store: Store,
    tenant: TenantId,
    mode: Mode,
}

impl Store {
    /// Connects, migrates, checks the master key against the database and starts the ledger.
    ///
    /// # Errors
    /// [`StoreError::WrongMasterKey`] if the database was sealed with another key.
    pub async fn open(url: &str, durability: Durability, master: &[u8; 32], clock: Clock) -> Result<Self> {
        let db = patiently(|| Db::connect(url, durability)).await?;
        patiently(|| db.migrate()).await?;
        let seal = Seal::new(master);
        patiently(|| db.check_seal(&seal)).await?;
        let hub = hub::Hub::default();
        let ledger = ledger::Ledger::start(db.clone(), clock.clone(), hub.clone());
        Ok(Self { db, seal, clock, ledger, hub, known_keys: tenants::KnownKeys::default() })
    }

    pub fn tenant(&self, tenant: TenantId, mode: Mode) -> TenantStore {
        TenantStore { store: self.clone(), tenant, mode }
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Does the database answer, and take writes? That is tried only where the last commit failed.
    pub async fn ping(&self) -> Result<()> {
        read!(&self.db, |pool| sqlx::query("SELECT 1").execute(pool).await.map(|_| ()))?;
        if self.ledger.has_failed() {
            self.db.probe().await?;
        }
        Ok(())
    }

    /// Writes handed to the ledger and not yet committed.
    pub fn ledger_depth(&self) -> usize {
        self.ledger.depth()
    }

    /// Deletes what nobody needs any more, in bounded steps, so that it never holds up the ledger for
    /// long; answers how many rows. Call it every hour or so.
    pub async fn tidy(&self, now: At) -> Result<u64> {
        const STEP: i64 = 500;
        const EXPIRED_KEYS: &str = "DELETE FROM idempotency_keys WHERE (tenant_id, mode, key) IN
            (SELECT tenant_id, mode, key FROM idempotency_keys WHERE expires_at <= $1
             ORDER BY expires_at LIMIT $2)";
        let mut deleted = self.drop_unfinished_jobs(now).await?
            + self.forget_events(now).await?
            + self.forget_messages(now).await?
            + self.forget_people().await?;
        loop {
            let step = crate::write!(&self.db, |tx| {
                sqlx::query(EXPIRED_KEYS).bind(now).bind(STEP).execute(&mut *tx).await?.rows_affected()
            });
            deleted += step;
            if step == 0 {
                return Ok(deleted);
            }
        }
    }

    /// Finishes what the ledger has taken, then closes every connection.
    pub async fn close(&self) {
        self.ledger.close().await;
        self.db.close().await;
    }
}

/// SQLite answers some of what a start does (switching to WAL, upgrading a reading transaction) with
/// "locked" at once, busy timeout or not, while another process starts on the same file.
async fn patiently<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> Result<T> {
    for _ in 0..LOCKED_TRIES {
        match attempt().await {
            Err(error) if error.to_string().contains("database is locked") => {
                tokio::time::sleep(LOCKED_PAUSE).await;
            }
            other => return other,
        }
    }
    attempt().await
}

impl TenantStore {
    pub fn tenant_id(&self) -> &TenantId {
        &self.tenant
    }

    pub fn now(&self) -> At {
        self.store.clock.now()
    }

    /// By which the tenant's days and its times without an offset go.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn time_zone(&self) -> Result<String> {
        self.store.time_zone_of(&self.tenant).await
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }
}
