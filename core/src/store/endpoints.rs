//! Endpoints: where events go, with which secrets, and whether they are turned on.
//!
//! Whether a tenant has any that is on is kept in its log's row, so that those without cost nothing with
//! each event. Rows are taken in the order endpoint, log.

use serde::{Deserialize, Serialize};

use super::ledger::Switch;
use super::tx::{Tx, values};
use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::delivery::Standing;
use crate::endpoint::{ENDPOINTS_MAX, Endpoint, Reason, Settings, State};
use crate::id::{EndpointId, TenantId};
use crate::key::Mode;
use crate::signature::Secret;

/// Secrets that are valid at the same time.
pub const SECRETS_MAX: usize = 5;
/// Deliveries of removed endpoints that are dropped in one transaction.
const STEP: i64 = 500;

/// What an endpoint keeps sealed.
#[derive(Clone, Default)]
pub struct Keys {
    /// The one to begin with first.
    pub secrets: Vec<ValidSecret>,
    /// Headers that its owner wants with every request; they may hold a token.
    pub headers: Vec<(String, String)>,
}

/// A secret, and until when it is valid.
#[derive(Clone)]
pub struct ValidSecret {
    pub secret: Secret,
    /// `None`: until it is changed.
    pub until: Option<At>,
}

#[derive(Serialize, Deserialize)]
struct StoredKeys {
    secrets: Vec<(String, Option<At>)>,
    headers: Vec<(String, String)>,
}

impl Keys {
    pub fn of(secret: Option<Secret>, headers: Vec<(String, String)>) -> Self {
        let secrets = secret.into_iter().map(|secret| ValidSecret { secret, until: None }).collect();
        Self { secrets, headers }
    }

    /// Those that sign now, the newest first.
    pub fn valid(&self, now: At) -> Vec<Secret> {
        let valid = self.secrets.iter().filter(|one| one.until.is_none_or(|until| until > now));
        valid.map(|one| one.secret.clone()).collect()
    }

    fn sealed(&self, store: &Store, endpoint: &EndpointId) -> Result<Vec<u8>> {
        let secrets = self.secrets.iter().map(|one| (one.secret.reveal().to_owned(), one.until)).collect();
        let plain = serde_json::to_vec(&StoredKeys { secrets, headers: self.headers.clone() })?;
        Ok(store.seal.seal(&place(endpoint), &plain))
    }

    fn open(store: &Store, endpoint: &EndpointId, sealed: &[u8]) -> Result<Self> {
        let stored: StoredKeys = serde_json::from_slice(&store.seal.open(&place(endpoint), sealed)?)?;
        let secrets = stored
            .secrets
            .into_iter()
            .filter_map(|(text, until)| Some(ValidSecret { secret: Secret::parse(&text).ok()?, until }))
            .collect();
        Ok(Self { secrets, headers: stored.headers })
    }
}

fn place(endpoint: &EndpointId) -> String {
    format!("endpoint:{endpoint}")
}

/// Why an endpoint was not made.
#[derive(Debug, thiserror::Error)]
pub enum NewEndpointError {
    #[error("there are {ENDPOINTS_MAX} endpoints already")]
    TooMany,
    #[error("the webhook was set by another request just now; read it and set it again")]
    HasFirst,
    #[error(transparent)]
    Store(#[from] super::StoreError),
}

impl From<sqlx::Error> for NewEndpointError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

macro_rules! columns {
    () => {
        "id, is_first, settings, secrets, state, reason, changed_at, failures, failing_since, paused_until, \
         created_at"
    };
}

const ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM endpoints WHERE tenant_id = $1 AND mode = $2 AND state <> 'removed' ORDER BY id"
);

const ONE: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM endpoints WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'removed'"
);

const BY_ID: &str =
    concat!("SELECT tenant_id, mode, ", columns!(), " FROM endpoints WHERE id = $1 AND state = 'enabled'");

const INSERT: &str = "INSERT INTO endpoints
        (tenant_id, mode, id, is_first, settings, secrets, state, changed_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, 'enabled', $7, $7)";

const CHANGE: &str = "UPDATE endpoints SET settings = $4, secrets = $5
    WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'removed'";

const REMOVE: &str = "UPDATE endpoints SET state = 'removed', is_first = FALSE, changed_at = $4
    WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'removed'";

#[derive(sqlx::FromRow)]
pub(super) struct Stored {
    id: EndpointId,
    is_first: bool,
    settings: String,
    secrets: Vec<u8>,
    state: State,
    reason: Option<Reason>,
    changed_at: At,
    failures: i64,
    failing_since: Option<At>,
    paused_until: Option<At>,
    created_at: At,
}

impl Stored {
    fn read(self, store: &Store) -> Result<(Endpoint, Keys)> {
        let keys = Keys::open(store, &self.id, &self.secrets)?;
        let endpoint = Endpoint {
            id: self.id,
            is_first: self.is_first,
            settings: serde_json::from_str(&self.settings)?,
            state: self.state,
            reason: self.reason,
            changed_at: self.changed_at,
            standing: Standing {
                failures: self.failures,
                failing_since: self.failing_since,
                paused_until: self.paused_until,
            },
            created_at: self.created_at,
        };
        Ok((endpoint, keys))
    }
}

#[derive(sqlx::FromRow)]
struct Owned {
    tenant_id: TenantId,
    mode: Mode,
    #[sqlx(flatten)]
    row: Stored,
}

/// An endpoint at work.
pub struct Target {
    pub tenant: TenantId,
    pub mode: Mode,
    pub endpoint: Endpoint,
    pub keys: Keys,
}

impl Store {
    /// An endpoint that is on.
    pub async fn target(&self, endpoint: &EndpointId) -> Result<Option<Target>> {
        let Some(Owned { tenant_id, mode, row }) =
            self.db.rows::<Owned>(BY_ID, values![endpoint.as_str()]).await?.pop()
        else {
            return Ok(None);
        };
        let (endpoint, keys) = row.read(self)?;
        Ok(Some(Target { tenant: tenant_id, mode, endpoint, keys }))
    }

    /// What is left of endpoints that were removed, in bounded steps.
    pub(super) async fn drop_removed_endpoints(&self) -> Result<u64> {
        const REMOVED: &str = "SELECT id FROM endpoints WHERE state = 'removed'";
        const DROP: [&str; 2] = [
            "DELETE FROM attempts WHERE (endpoint_id, pos, nr) IN
                (SELECT endpoint_id, pos, nr FROM attempts WHERE endpoint_id = $1 LIMIT $2)",
            "DELETE FROM deliveries WHERE (endpoint_id, pos) IN
                (SELECT endpoint_id, pos FROM deliveries WHERE endpoint_id = $1 LIMIT $2)",
        ];
        const LAST: [&str; 3] = [
            "DELETE FROM leases WHERE name = $1",
            "DELETE FROM recoveries WHERE endpoint_id = $1",
            "DELETE FROM endpoints WHERE id = $1 AND state = 'removed'",
        ];
        let mut dropped = 0;
        for (id,) in self.db.rows::<(EndpointId,)>(REMOVED, values![]).await? {
            for statement in DROP {
                loop {
                    let mut tx = self.db.begin().await?;
                    let step = tx.run(statement, values![id.as_str(), STEP]).await?;
                    tx.commit().await?;
                    dropped += step;
                    if step == 0 {
                        break;
                    }
                }
            }
            let mut tx = self.db.begin().await?;
            for statement in LAST {
                tx.run(statement, values![id.as_str()]).await?;
            }
            tx.commit().await?;
        }
        Ok(dropped)
    }
}

impl TenantStore {
    /// Oldest first.
    pub async fn endpoints(&self) -> Result<Vec<(Endpoint, Keys)>> {
        let rows: Vec<Stored> =
            self.store.db.rows(ALL, values![self.tenant.as_str(), self.mode.as_str()]).await?;
        rows.into_iter().map(|row| row.read(&self.store)).collect()
    }

    pub async fn endpoint(&self, id: &EndpointId) -> Result<Option<(Endpoint, Keys)>> {
        let row: Option<Stored> = self.store.db.rows(ONE, self.endpoint_named(id)).await?.pop();
        row.map(|row| row.read(&self.store)).transpose()
    }

    /// The one of the tenant's one-URL setting.
    pub async fn first_endpoint(&self) -> Result<Option<(Endpoint, Keys)>> {
        Ok(self.endpoints().await?.into_iter().find(|(endpoint, _)| endpoint.is_first))
    }

    /// Makes an endpoint. What happens from here on is delivered to it.
    ///
    /// # Errors
    /// When there are as many as may be.
    pub async fn create_endpoint(
        &self,
        settings: &Settings,
        keys: &Keys,
        is_first: bool,
    ) -> Result<EndpointId, NewEndpointError> {
        let id = EndpointId::new();
        let now = self.store.clock.now();
        let text = serde_json::to_string(settings).map_err(super::StoreError::from)?;
        let sealed = keys.sealed(&self.store, &id)?;
        let mut tx = self.store.db.begin().await?;
        let place = values![self.tenant.as_str(), self.mode.as_str()];
        // Locks the log's row, so that two who make the last one wait for each other.
        refresh(&mut tx, (&self.tenant, self.mode)).await?;
        let others = tx.rows::<Stored>(ALL, place).await?;
        if is_first && others.iter().any(|other| other.is_first) {
            return Err(NewEndpointError::HasFirst);
        }
        if others.len() >= ENDPOINTS_MAX {
            return Err(NewEndpointError::TooMany);
        }
        let row = values![
            self.tenant.as_str(),
            self.mode.as_str(),
            id.as_str(),
            is_first,
            text,
            Some(sealed),
            now,
        ];
        tx.run(INSERT, row).await?;
        refresh(&mut tx, (&self.tenant, self.mode)).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Changes an endpoint; nobody else changes it meanwhile. `None` if there is none.
    pub async fn change_endpoint<E>(
        &self,
        id: &EndpointId,
        change: impl FnOnce(&mut Settings, &mut Keys) -> Result<(), E>,
    ) -> Result<Option<Result<(), E>>> {
        const LOCK: &str = "UPDATE endpoints SET settings = settings
            WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'removed'";
        let mut tx = self.store.db.begin().await?;
        if tx.run(LOCK, self.endpoint_named(id)).await? == 0 {
            return Ok(None);
        }
        let Some(row) = tx.rows::<Stored>(ONE, self.endpoint_named(id)).await?.pop() else { return Ok(None) };
        let (mut endpoint, mut keys) = row.read(&self.store)?;
        if let Err(refused) = change(&mut endpoint.settings, &mut keys) {
            return Ok(Some(Err(refused)));
        }
        let mut row = self.endpoint_named(id);
        row.extend(values![serde_json::to_string(&endpoint.settings)?, Some(keys.sealed(&self.store, id)?),]);
        tx.run(CHANGE, row).await?;
        tx.commit().await?;
        Ok(Some(Ok(())))
    }

    /// `secret` signs from here on; what was valid stays so for `grace_ms`. `false` if there is no such
    /// endpoint.
    pub async fn rotate_secret(&self, id: &EndpointId, secret: Secret, grace_ms: i64) -> Result<bool> {
        let now = self.store.clock.now();
        let rotate = |_: &mut Settings, keys: &mut Keys| {
            let end = now.plus_ms(grace_ms);
            for old in &mut keys.secrets {
                old.until = Some(old.until.map_or(end, |until| until.min(end)));
            }
            keys.secrets.insert(0, ValidSecret { secret, until: None });
            keys.secrets.retain(|one| one.until.is_none_or(|until| until > now));
            keys.secrets.truncate(SECRETS_MAX);
            Ok::<_, std::convert::Infallible>(())
        };
        Ok(self.change_endpoint(id, rotate).await?.is_some())
    }

    /// `false` if there is no such endpoint. What was waiting for it is not sent.
    pub async fn remove_endpoint(&self, id: &EndpointId) -> Result<bool> {
        let mut row = self.endpoint_named(id);
        row.extend(values![self.store.clock.now()]);
        let mut tx = self.store.db.begin().await?;
        let touched = tx.run(REMOVE, row).await?;
        refresh(&mut tx, (&self.tenant, self.mode)).await?;
        tx.commit().await?;
        Ok(touched > 0)
    }

    /// Turns an endpoint on or off. `None` if there is none, `Some(false)` if it was so already. What
    /// happens while it is off is not for it; what waited for it goes on when it is on again.
    pub async fn switch_endpoint(&self, id: &EndpointId, is_on: bool) -> Result<Option<bool>> {
        let (tenant, mode, endpoint) = (self.tenant.clone(), self.mode, id.clone());
        self.store.switch(Switch { tenant, mode, endpoint, is_on }).await
    }

    pub(super) fn endpoint_named(&self, id: &EndpointId) -> Vec<super::tx::Value> {
        values![self.tenant.as_str(), self.mode.as_str(), id.as_str()]
    }
}

type Log<'a> = (&'a TenantId, Mode);

pub(super) async fn exists(tx: &mut Tx<'_>, (tenant, mode): Log<'_>, id: &EndpointId) -> Result<bool> {
    const FIND: &str = "SELECT id FROM endpoints
        WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state <> 'removed'";
    let found: Vec<(String,)> = tx.rows(FIND, values![tenant.as_str(), mode.as_str(), id.as_str()]).await?;
    Ok(!found.is_empty())
}

pub(super) async fn enable(tx: &mut Tx<'_>, log: Log<'_>, id: &EndpointId, now: At) -> Result<bool> {
    const ENABLE: &str =
        "UPDATE endpoints SET state = 'enabled', reason = NULL, changed_at = $4, failures = 0,
            failing_since = NULL, paused_until = NULL
        WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state = 'disabled'";
    let row = values![log.0.as_str(), log.1.as_str(), id.as_str(), now];
    let touched = tx.run(ENABLE, row).await?;
    refresh(tx, log).await?;
    Ok(touched > 0)
}

pub(super) async fn disable(
    tx: &mut Tx<'_>,
    log: Log<'_>,
    id: &EndpointId,
    reason: Reason,
    now: At,
) -> Result<bool> {
    const DISABLE: &str = "UPDATE endpoints SET state = 'disabled', reason = $4, changed_at = $5
        WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND state = 'enabled'";
    let row = values![log.0.as_str(), log.1.as_str(), id.as_str(), reason.as_str(), now];
    let touched = tx.run(DISABLE, row).await?;
    refresh(tx, log).await?;
    Ok(touched > 0)
}

/// Says in the log's row whether anybody listens. First its lock, then, in a statement that sees what was
/// committed before it, the answer.
async fn refresh(tx: &mut Tx<'_>, (tenant, mode): Log<'_>) -> Result<()> {
    const LOCK: &str = "INSERT INTO event_logs (tenant_id, mode, last) VALUES ($1, $2, 0)
        ON CONFLICT (tenant_id, mode) DO UPDATE SET last = event_logs.last";
    const REFRESH: &str = "UPDATE event_logs SET has_endpoints = EXISTS (SELECT 1 FROM endpoints e
            WHERE e.tenant_id = $1 AND e.mode = $2 AND e.state = 'enabled')
        WHERE tenant_id = $1 AND mode = $2";
    for statement in [LOCK, REFRESH] {
        tx.run(statement, values![tenant.as_str(), mode.as_str()]).await?;
    }
    Ok(())
}
