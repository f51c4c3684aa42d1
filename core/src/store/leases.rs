//! Which process runs which session, and delivers to which endpoint.
//!
//! A lease has an owner, an end and an epoch that grows with every claim, so that a process that
//! slept through its lease finds its late writes refused. A released lease keeps its epoch.

use super::tx::values;
use super::{Result, Store};

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
    /// Takes the lease on a session or an endpoint: its epoch, or `None` while another owner holds it. An owner
    /// that comes back (same data folder, after a crash) takes its own lease again at once, under a
    /// new epoch.
    pub async fn claim(&self, name: impl AsRef<str>, owner: &str) -> Result<Option<i64>> {
        let now = self.clock.now();
        Ok(crate::write!(&self.db, |tx| {
            sqlx::query_scalar(CLAIM)
                .bind(name.as_ref())
                .bind(owner)
                .bind(now.plus_ms(LEASE_MS))
                .bind(now)
                .fetch_optional(&mut *tx)
                .await?
        }))
    }

    /// Who holds it now.
    pub async fn lease_owner(&self, name: impl AsRef<str>) -> Result<Option<String>> {
        const OWNER: &str = "SELECT owner FROM leases WHERE name = $1 AND until > $2";
        let now = self.clock.now();
        Ok(crate::read!(&self.db, |pool| {
            sqlx::query_scalar(OWNER).bind(name.as_ref()).bind(now).fetch_optional(pool).await
        })?)
    }

    /// Extends every lease of `owner`; answers the names of those still held.
    pub async fn renew_leases(&self, owner: &str) -> Result<Vec<String>> {
        let until = self.clock.now().plus_ms(LEASE_MS);
        Ok(crate::write!(&self.db, |tx| {
            sqlx::query_scalar(RENEW).bind(owner).bind(until).fetch_all(&mut *tx).await?
        }))
    }

    pub async fn release(&self, name: impl AsRef<str>, owner: &str) -> Result<()> {
        crate::write!(&self.db, |tx| {
            sqlx::query(RELEASE).bind(name.as_ref()).bind(owner).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Is the lease of this epoch still `owner`'s?
    pub async fn holds_lease(&self, name: impl AsRef<str>, owner: &str, epoch: i64) -> Result<bool> {
        const HOLDS: &str = "SELECT name FROM leases WHERE name = $1 AND owner = $2 AND epoch = $3";
        let held: Vec<(String,)> = self.db.rows(HOLDS, values![name.as_ref(), owner, epoch]).await?;
        Ok(!held.is_empty())
    }
}
