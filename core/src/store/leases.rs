//! Which process runs which session.
//!
//! A lease has an owner, an end and an epoch that grows with every change of owner, so that a
//! process that slept through its lease finds its late writes refused.

use super::{Result, Store};
use crate::id::SessionKey;

/// How long a lease lives without renewal.
pub const LEASE_MS: i64 = 15_000;

impl Store {
    /// Takes the lease on a session: its epoch, or `None` while another owner holds it. An owner
    /// that comes back (same data folder, after a crash) takes its own lease again at once, under a
    /// new epoch.
    pub async fn claim(&self, session: &SessionKey, owner: &str) -> Result<Option<i64>> {
        todo!("{session} {owner}")
    }

    /// Extends every lease of `owner`; answers the sessions still held.
    pub async fn renew_leases(&self, owner: &str) -> Result<Vec<SessionKey>> {
        todo!("{owner}")
    }

    pub async fn release(&self, session: &SessionKey, owner: &str) -> Result<()> {
        todo!("{session} {owner}")
    }
}
