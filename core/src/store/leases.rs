//! Which process runs which session.
//!
//! A lease has an owner, an end and an epoch that grows with every claim, so that a process that
//! slept through its lease finds its late writes refused. A released lease keeps its epoch.

use super::{Result, Store};
use crate::id::SessionKey;

/// How long a lease lives without renewal.
pub const LEASE_MS: i64 = 15_000;

const CLAIM: &str = "INSERT INTO leases (name, owner, until, epoch) VALUES ($1, $2, $3, 1)
     ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until, epoch = leases.epoch + 1
     WHERE leases.until <= $4 OR leases.owner = excluded.owner
     RETURNING epoch";

/// One that ran out but that nobody took is still ours: its epoch is unchanged.
const RENEW: &str = "UPDATE leases SET until = $2 WHERE owner = $1 AND until > 0 RETURNING name";

const RELEASE: &str = "UPDATE leases SET until = 0 WHERE name = $1 AND owner = $2";

impl Store {
    /// Takes the lease on a session: its epoch, or `None` while another owner holds it. An owner
    /// that comes back (same data folder, after a crash) takes its own lease again at once, under a
    /// new epoch.
    pub async fn claim(&self, session: &SessionKey, owner: &str) -> Result<Option<i64>> {
        let now = self.clock.now();
        Ok(crate::write!(&self.db, |tx| {
            sqlx::query_scalar(CLAIM)
                .bind(session)
                .bind(owner)
                .bind(now.plus_ms(LEASE_MS))
                .bind(now)
                .fetch_optional(&mut *tx)
                .await?
        }))
    }

    /// Who holds a session now.
    pub async fn lease_owner(&self, session: &SessionKey) -> Result<Option<String>> {
        const OWNER: &str = "SELECT owner FROM leases WHERE name = $1 AND until > $2";
        let now = self.clock.now();
        Ok(crate::read!(&self.db, |pool| {
            sqlx::query_scalar(OWNER).bind(session).bind(now).fetch_optional(pool).await
        })?)
    }

    /// Extends every lease of `owner`; answers the sessions still held.
    pub async fn renew_leases(&self, owner: &str) -> Result<Vec<SessionKey>> {
        let until = self.clock.now().plus_ms(LEASE_MS);
        Ok(crate::write!(&self.db, |tx| {
            sqlx::query_scalar(RENEW).bind(owner).bind(until).fetch_all(&mut *tx).await?
        }))
    }

    pub async fn release(&self, session: &SessionKey, owner: &str) -> Result<()> {
        crate::write!(&self.db, |tx| {
            sqlx::query(RELEASE).bind(session).bind(owner).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
