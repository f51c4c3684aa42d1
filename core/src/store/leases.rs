//! Which process runs which session, and delivers to which endpoint.
//!
//! A lease has an owner, an end and an epoch that grows with every claim, so that a process that
//! slept through its lease finds its late writes refused. A released lease keeps its epoch.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;

use super::tx::{Row, Value, values};
use super::{Db, Result, Store};
use crate::clock::Clock;

/// How long a lease lives without renewal.
pub const LEASE_MS: i64 = 15_000;

/// `{now}` is [`Store::lease_time`]'s, with `$1` for a time of the test's.
const CLAIM: &str = "INSERT INTO leases (name, owner, until, epoch) VALUES ($2, $3, {now} + $4, 1)
     ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until, epoch = leases.epoch + 1
     WHERE leases.until <= {now} OR leases.owner = excluded.owner
     RETURNING epoch";

const OWNER: &str = "SELECT owner FROM leases WHERE name = $2 AND until > {now}";

/// One that ran out but that nobody took is still ours: its epoch is unchanged.
const RENEW: &str = "UPDATE leases SET until = {now} + $3 WHERE owner = $2 AND until > 0 RETURNING name";

const OF_OTHERS: &str = "SELECT name FROM leases WHERE owner <> $2 AND until > {now}";

const RELEASE: &str = "UPDATE leases SET until = 0 WHERE name = $1 AND owner = $2";

impl Store {
    /// A statement about leases, and the time that is its `$1`. Processes on several machines share leases, whose
    /// clocks may differ by more than a lease lasts: so the time is the database's own. SQLite serves one process.
    fn lease_time(&self, statement: &str) -> (String, Value) {
        let ours = || Value::from(self.clock.now());
        match (&self.db, &self.clock) {
            (Db::Sqlite { .. }, _) => (statement.replace("{now}", "$1"), ours()),
            (Db::Postgres(_), clock) => {
                let now = "COALESCE($1, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT)";
                let set = (!matches!(clock, Clock::System)).then(|| self.clock.now());
                (statement.replace("{now}", now), Value::from(set))
            }
        }
    }

    async fn change_leases<R: Row>(&self, statement: &str, values: Vec<Value>) -> Result<Vec<R>> {
        let (statement, now) = self.lease_time(statement);
        let mut tx = self.db.begin().await?;
        let rows = tx.rows(AssertSqlSafe(statement), [vec![now], values].concat()).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// Takes the lease on a session or an endpoint: its epoch, or `None` while another owner holds it. An owner
    /// that comes back (same data folder, after a crash) takes its own lease again at once, under a
    /// new epoch.
    pub async fn claim(&self, name: impl AsRef<str>, owner: &str) -> Result<Option<i64>> {
        let claimed: Vec<(i64,)> = self.change_leases(CLAIM, values![name.as_ref(), owner, LEASE_MS]).await?;
        Ok(claimed.first().map(|(epoch,)| *epoch))
    }

    /// Who holds it now.
    pub async fn lease_owner(&self, name: impl AsRef<str>) -> Result<Option<String>> {
        let (statement, now) = self.lease_time(OWNER);
        let values = [vec![now], values![name.as_ref()]].concat();
        let found: Vec<(String,)> = self.db.rows(AssertSqlSafe(statement), values).await?;
        Ok(found.into_iter().next().map(|(owner,)| owner))
    }

    /// The names of the leases that others hold now.
    pub async fn leases_of_others(&self, owner: &str) -> Result<HashSet<String>> {
        let (statement, now) = self.lease_time(OF_OTHERS);
        let found: Vec<(String,)> =
            self.db.rows(AssertSqlSafe(statement), [vec![now], values![owner]].concat()).await?;
        Ok(found.into_iter().map(|(name,)| name).collect())
    }

    /// Extends every lease of `owner`; answers the names of those still held.
    pub async fn renew_leases(&self, owner: &str) -> Result<Vec<String>> {
        let held: Vec<(String,)> = self.change_leases(RENEW, values![owner, LEASE_MS]).await?;
        Ok(held.into_iter().map(|(name,)| name).collect())
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
