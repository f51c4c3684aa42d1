//! Tenants and API keys.

use serde::Serialize;

use super::{Result, Store};
use crate::clock::At;
use crate::id::{KeyId, TenantId};
use crate::key::{ApiKey, Mode};
use crate::tenant::Tenant;

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

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
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

/// Recognised keys, for at most 5 s, so that a hot key costs no query and a revoked one dies quickly.
#[derive(Debug, Clone, Default)]
pub struct KnownKeys;

impl Store {
    /// Makes a tenant with one live and one test key, in one transaction.
    pub async fn create_tenant(&self, new: NewTenant) -> Result<(Tenant, ApiKey, ApiKey), NewTenantError> {
        todo!("{new:?}")
    }

    /// All tenants, by name.
    pub async fn tenants(&self) -> Result<Vec<Tenant>> {
        todo!()
    }

    /// By id or by name.
    pub async fn find_tenant(&self, id_or_name: &str) -> Result<Option<Tenant>> {
        todo!("{id_or_name}")
    }

    /// Changes limits and time zone; `false` if there is no such tenant.
    pub async fn update_tenant(&self, tenant: &Tenant) -> Result<bool> {
        todo!("{tenant:?}")
    }

    pub async fn create_key(
        &self,
        tenant: &TenantId,
        mode: Mode,
        label: Option<&str>,
    ) -> Result<(KeyRow, ApiKey)> {
        todo!("{tenant} {mode} {label:?}")
    }

    pub async fn keys(&self, tenant: &TenantId) -> Result<Vec<KeyRow>> {
        todo!("{tenant}")
    }

    /// By key id, by public part, or by the whole key text.
    pub async fn find_key(&self, text: &str) -> Result<Option<KeyRow>> {
        todo!("{text}")
    }

    /// A new key in place of `old`, which works on for `grace_ms` (0: dies at once). `None` if `old`
    /// is unknown, revoked or expired.
    pub async fn rotate_key(&self, old: &KeyId, grace_ms: i64) -> Result<Option<(KeyRow, ApiKey)>> {
        todo!("{old} {grace_ms}")
    }

    /// `false` if there is no such key; revoking twice is fine.
    pub async fn revoke_key(&self, key: &KeyId) -> Result<bool> {
        todo!("{key}")
    }

    /// Whose key is this? Constant-time comparison of keyed hashes; revoked and expired keys are
    /// nobody's. A positive answer may be up to 5 s old.
    pub async fn authenticate(&self, presented: &str) -> Result<Option<Caller>> {
        todo!("{}", presented.len())
    }
}
