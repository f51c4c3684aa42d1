//! Whose messages a batch is about, as the database knows them.

use std::collections::{HashMap, HashSet};

use super::vocabulary::Owner;
use super::workbench::Batch;
use crate::id::{SessionId, SessionKey, TenantId};
use crate::key::Mode;
use crate::store::error::Result;
use crate::store::tx::values;

/// `|| ''` as in `settle::ADVANCE`: a session is found by its key, not among all of its tenant's.
pub(super) const OWNERS: &str = "WITH v (tenant_id, mode, session_key) AS ({rows})
    SELECT s.tenant_id, s.mode, s.key, s.session_id, s.removing, t.time_zone, t.daily_limit,
        s.daily_limit AS session_limit, l.epoch, COALESCE(o.opt_out_all, FALSE) AS opt_out_all,
        s.last_phone
    FROM v
    JOIN sessions s ON s.tenant_id || '' = v.tenant_id AND s.mode || '' = v.mode AND s.key = v.session_key
    JOIN tenants t ON t.id = s.tenant_id
    LEFT JOIN leases l ON l.name = s.key
    LEFT JOIN tenant_settings o ON o.tenant_id = s.tenant_id AND o.mode = s.mode";

/// What the database knows of an intent's owner.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct KnownOwner {
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub key: SessionKey,
    pub session_id: SessionId,
    pub removing: bool,
    pub time_zone: String,
    pub daily_limit: Option<i64>,
    pub session_limit: Option<i64>,
    pub epoch: Option<i64>,
    pub opt_out_all: bool,
    /// The number that the session is linked with, or was last.
    pub last_phone: Option<String>,
}

/// Those of `owners` that exist.
pub(super) async fn known(
    batch: &mut Batch<'_, '_>,
    owners: HashSet<&Owner>,
) -> Result<HashMap<Owner, KnownOwner>> {
    let rows = owners
        .iter()
        .map(|owner| values![owner.tenant.as_str(), owner.mode.as_str(), owner.session.as_str()])
        .collect();
    let known = batch.many::<KnownOwner>(OWNERS, rows).await?;
    let key = |known: &KnownOwner| Owner {
        tenant: known.tenant_id.clone(),
        mode: known.mode,
        session: known.key.clone(),
        session_id: known.session_id.clone(),
    };
    Ok(known.into_iter().map(|known| (key(&known), known)).collect())
}
