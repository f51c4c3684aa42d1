//! Tenants and API keys.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::tx::{Tx, values};
use super::{Result, Store};
use crate::clock::At;
use crate::id::{KeyId, TenantId};
use crate::key::{ApiKey, Mode};
use crate::tenant::{Tenant, TenantError, check_time_zone};

/// What an operator may say of a new tenant.
#[derive(Debug, Clone)]
pub struct NewTenant {
    /// `None` makes a `ten_…`; `default` is the one of the first start.
    pub id: Option<TenantId>,
    pub name: String,
    pub time_zone: String,
    pub daily_limit: Option<i64>,
    pub session_limit: Option<i64>,
}

/// A key as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct KeyRow {
    #[serde(rename = "keyId")]
    pub id: KeyId,
    #[serde(rename = "tenantId")]
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub label: Option<String>,
    /// The 8 characters after `wapid_live_`.
    pub public: String,
    pub created_at: At,
    pub expires_at: Option<At>,
    pub revoked_at: Option<At>,
}

/// What a recognised key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    pub tenant: TenantId,
    pub mode: Mode,
    pub key: KeyId,
}

/// Why a tenant was not made.
#[derive(Debug, thiserror::Error)]
pub enum NewTenantError {
    #[error(transparent)]
    Invalid(#[from] crate::tenant::TenantError),
    #[error("a tenant named {0} exists")]
    NameTaken(String),
    #[error(transparent)]
    Store(#[from] super::StoreError),
}

impl From<sqlx::Error> for NewTenantError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// How long a recognised key is trusted without asking again.
const TRUST_MS: i64 = 5_000;
/// How many recognised keys are remembered: some 2 MB.
const KNOWN_MAX: usize = 10_000;

/// Recognised keys, for at most 5 s, so that a hot key costs no query and a revoked one dies quickly.
/// Found by their keyed hash: no key is kept in memory.
#[derive(Debug, Clone, Default)]
pub struct KnownKeys(Arc<Mutex<HashMap<[u8; 32], Recognised>>>);

#[derive(Debug, Clone)]
struct Recognised {
    key: KnownKey,
    asked_at: At,
    expires_at: Option<At>,
}

impl Recognised {
    fn holds(&self, now: At) -> bool {
        (0..TRUST_MS).contains(&now.since(self.asked_at)) && self.expires_at.is_none_or(|end| now < end)
    }
}

impl KnownKeys {
    fn find(&self, hash: &[u8; 32], now: At) -> Option<KnownKey> {
        self.0.lock().get(hash).filter(|known| known.holds(now)).map(|known| known.key.clone())
    }

    fn remember(&self, hash: [u8; 32], known: Recognised) {
        let mut keys = self.0.lock();
        if keys.len() >= KNOWN_MAX {
            keys.retain(|_, old| old.holds(known.asked_at));
            if keys.len() >= KNOWN_MAX {
                keys.clear();
            }
        }
        keys.insert(hash, known);
    }

    /// What this process does to a key holds in this process at once.
    fn forget(&self, key: &KeyId) {
        self.0.lock().retain(|_, known| known.key.key != *key);
    }
}

macro_rules! key_columns {
    () => {
        "id, tenant_id, mode, label, public, created_at, expires_at, revoked_at"
    };
}

const TENANTS: &str =
    "SELECT id, name, time_zone, daily_limit, session_limit, created_at FROM tenants ORDER BY name";

const FIND_TENANT: &str = "SELECT id, name, time_zone, daily_limit, session_limit, created_at FROM tenants
     WHERE id = $1 OR name = $1 ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END LIMIT 1";

const INSERT_TENANT: &str =
    "INSERT INTO tenants (id, name, time_zone, daily_limit, session_limit, created_at)
     VALUES ($1, $2, $3, $4, $5, $6)";

const UPDATE_TENANT: &str =
    "UPDATE tenants SET time_zone = $2, daily_limit = $3, session_limit = $4 WHERE id = $1";

const FORGET_LIMITS: &str = "UPDATE jobs SET hold = NULL, not_before = $2
     WHERE tenant_id = $1 AND hold IN ('daily_limit', 'window') AND not_before > $2";

const INSERT_KEY: &str = concat!(
    "INSERT INTO api_keys (id, tenant_id, mode, label, public, hash, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ",
    key_columns!()
);

const KEYS: &str =
    concat!("SELECT ", key_columns!(), " FROM api_keys WHERE tenant_id = $1 ORDER BY mode, id");

const BY_ID_OR_PUBLIC: &str =
    concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = $1 OR public = $1 ORDER BY id LIMIT 1");

const BY_PUBLIC: &str = concat!("SELECT hash, ", key_columns!(), " FROM api_keys WHERE public = $1");

/// The old key's end comes sooner, never later.
const RETIRE: &str = "UPDATE api_keys
     SET expires_at = CASE WHEN expires_at < $2 THEN expires_at ELSE $2 END
     WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
     RETURNING tenant_id, mode, label";

const REVOKE: &str = "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1";

#[derive(Debug, sqlx::FromRow)]
struct HashedKey {
    hash: Vec<u8>,
    #[sqlx(flatten)]
    row: KeyRow,
}

impl Store {
    /// Makes a tenant with one live and one test key, in one transaction.
    ///
    /// # Errors
    /// Says what is wrong with the tenant, or that its name or id is taken.
    pub async fn create_tenant(&self, new: NewTenant) -> Result<(Tenant, ApiKey, ApiKey), NewTenantError> {
        let NewTenant { id, name, time_zone, daily_limit, session_limit } = new;
        let name = name.trim().to_owned();
        if !(1..=100).contains(&name.chars().count()) || name.contains('\0') {
            return Err(TenantError::BadName.into());
        }
        check_time_zone(&time_zone)?;
        if [daily_limit, session_limit].into_iter().flatten().any(|limit| limit < 0) {
            return Err(TenantError::NegativeLimit.into());
        }
        let id = id.unwrap_or_default();
        let created_at = self.clock.now();
        let tenant = Tenant { id, name, time_zone, daily_limit, session_limit, created_at };
        let mut tx = self.db.begin().await?;
        let row = values![
            tenant.id.as_str(),
            tenant.name.as_str(),
            tenant.time_zone.as_str(),
            daily_limit,
            session_limit,
            created_at,
        ];
        match tx.run(INSERT_TENANT, row).await {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Err(NewTenantError::NameTaken(tenant.name));
            }
            result => result?,
        };
        let (_, live) = self.insert_key(&mut tx, &tenant.id, Mode::Live, None).await?;
        let (_, test) = self.insert_key(&mut tx, &tenant.id, Mode::Test, None).await?;
        tx.commit().await?;
        Ok((tenant, live, test))
    }

    /// All tenants, by name.
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        Ok(self.db.rows(TENANTS, values![]).await?)
    }

    /// By id or by name.
    pub async fn find_tenant(&self, id_or_name: &str) -> Result<Option<Tenant>> {
        Ok(self.db.rows(FIND_TENANT, values![id_or_name]).await?.pop())
    }

    /// The zone of the tenant's days; UTC where the tenant is no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn time_zone_of(&self, id: &TenantId) -> Result<String> {
        let found = self.find_tenant(id.as_str()).await?;
        Ok(found.map_or_else(|| "UTC".to_owned(), |tenant| tenant.time_zone))
    }

    /// Changes limits and time zone; `false` if there is no such tenant. The caller has checked them
    /// ([`check_time_zone`]).
    pub async fn update_tenant(&self, tenant: &Tenant) -> Result<bool> {
        let Tenant { id, time_zone, daily_limit, session_limit, .. } = tenant;
        let mut tx = self.db.begin().await?;
        let touched = tx
            .run(UPDATE_TENANT, values![id.as_str(), time_zone.as_str(), *daily_limit, *session_limit])
            .await?;
        // What waited for the next day, as it was, looks again.
        tx.run(FORGET_LIMITS, values![id.as_str(), self.clock.now()]).await?;
        tx.commit().await?;
        Ok(touched > 0)
    }

    pub async fn create_key(
        &self,
        tenant: &TenantId,
        mode: Mode,
        label: Option<&str>,
    ) -> Result<(KeyRow, ApiKey)> {
        let mut tx = self.db.begin().await?;
        let made = self.insert_key(&mut tx, tenant, mode, label).await?;
        tx.commit().await?;
        Ok(made)
    }

    async fn insert_key(
        &self,
        tx: &mut Tx<'_>,
        tenant: &TenantId,
        mode: Mode,
        label: Option<&str>,
    ) -> sqlx::Result<(KeyRow, ApiKey)> {
        let key = ApiKey::new(mode);
        let hash = Some(self.seal.hash(key.reveal()).to_vec());
        let row = values![
            KeyId::new().0,
            tenant.as_str(),
            mode.as_str(),
            label,
            key.public(),
            hash,
            self.clock.now(),
        ];
        let row = tx.rows(INSERT_KEY, row).await?.pop().ok_or(sqlx::Error::RowNotFound)?;
        Ok((row, key))
    }

    pub async fn keys(&self, tenant: &TenantId) -> Result<Vec<KeyRow>> {
        Ok(self.db.rows(KEYS, values![tenant.as_str()]).await?)
    }

    /// By key id, by public part, or by the whole key text.
    pub async fn find_key(&self, text: &str) -> Result<Option<KeyRow>> {
        match ApiKey::parse(text) {
            Some(key) => self.recognise(&key, &self.seal.hash(text)).await,
            None => Ok(self.db.rows(BY_ID_OR_PUBLIC, values![text]).await?.pop()),
        }
    }

    /// The row of this very key, dead or alive.
    async fn recognise(&self, key: &ApiKey, hash: &[u8; 32]) -> Result<Option<KeyRow>> {
        let rows: Vec<HashedKey> = self.db.rows(BY_PUBLIC, values![key.public()]).await?;
        Ok(rows.into_iter().find(|known| known.hash.ct_eq(hash.as_slice()).into()).map(|known| known.row))
    }

    /// A new key in place of `old`, which works on for `grace_ms` (0: dies at once). `None` if `old`
    /// is unknown, revoked or expired.
    pub async fn rotate_key(&self, old: &KeyId, grace_ms: i64) -> Result<Option<(KeyRow, ApiKey)>> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let retired: Vec<(TenantId, Mode, Option<String>)> =
            tx.rows(RETIRE, values![old.as_str(), now.plus_ms(grace_ms), now]).await?;
        let Some((tenant, mode, label)) = retired.into_iter().next() else { return Ok(None) };
        let made = self.insert_key(&mut tx, &tenant, mode, label.as_deref()).await?;
        tx.commit().await?;
        self.known_keys.forget(old);
        Ok(Some(made))
    }

    /// `false` if there is no such key; revoking twice is fine.
    pub async fn revoke_key(&self, key: &KeyId) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let touched = tx.run(REVOKE, values![key.as_str(), self.clock.now()]).await?;
        tx.commit().await?;
        self.known_keys.forget(key);
        Ok(touched > 0)
    }

    /// Is a key that was once recognised still good?
    pub async fn is_key_good(&self, key: &KeyId) -> Result<bool> {
        const FIND: &str = "SELECT id FROM api_keys
            WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)";
        let found: Vec<(KeyId,)> = self.db.rows(FIND, values![key.as_str(), self.clock.now()]).await?;
        Ok(!found.is_empty())
    }

    /// Whose key is this? Constant-time comparison of keyed hashes; revoked and expired keys are
    /// nobody's. A positive answer may be up to 5 s old.
    pub async fn authenticate(&self, presented: &str) -> Result<Option<KnownKey>> {
        let Some(key) = ApiKey::parse(presented) else { return Ok(None) };
        let hash = self.seal.hash(presented);
        let now = self.clock.now();
        if let Some(key) = self.known_keys.find(&hash, now) {
            return Ok(Some(key));
        }
        let Some(row) = self.recognise(&key, &hash).await? else { return Ok(None) };
        if row.revoked_at.is_some() || row.expires_at.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        let key = KnownKey { tenant: row.tenant_id, mode: row.mode, key: row.id };
        let known = Recognised { key: key.clone(), asked_at: now, expires_at: row.expires_at };
        self.known_keys.remember(hash, known);
        Ok(Some(key))
    }
}
