//! How long messages are kept.
//!
//! A tenant may name a number of days; for ever is the default. A message whose outcome is not known is kept,
//! and so is one of a job that is not over. A file that came with a message is not kept for longer than it. What the index of words has of a message goes with it: a trigger
//! notes that it is gone (`search`).

use std::time::Duration;

use super::tx::values;
use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::id::{MediaId, MessageKey, TenantId};
use crate::key::Mode;

/// The least and the most that a tenant may say.
pub const KEPT_DAYS_RANGE: std::ops::RangeInclusive<i64> = 1..=3_650;

/// Messages that are looked at in one transaction.
const STEP: i64 = 500;
/// Between two of them, so that whoever sends meets a database that is mostly free.
const PAUSE: Duration = Duration::from_millis(20);
/// The key of a request that made a message lives for a day from then on, and must find it.
const GRACE_MS: i64 = 3_600_000;

const KEPT: &str = "SELECT message_days FROM tenant_settings WHERE tenant_id = $1 AND mode = $2";

const KEEP: &str = "INSERT INTO tenant_settings (tenant_id, mode, message_days) VALUES ($1, $2, $3)
    ON CONFLICT (tenant_id, mode) DO UPDATE SET message_days = excluded.message_days";

const FORGETFUL: &str =
    "SELECT tenant_id, mode, message_days FROM tenant_settings WHERE message_days IS NOT NULL";

const STRETCH: &str = "SELECT key FROM messages
    WHERE tenant_id = $1 AND mode = $2 AND key >= $3 AND key < $4 ORDER BY key LIMIT 1 OFFSET $5";

const FORGET: &str = "DELETE FROM messages
    WHERE tenant_id = $1 AND mode = $2 AND key >= $3 AND key < $4 AND NOT pending
        AND COALESCE((SELECT j.state FROM jobs j WHERE j.tenant_id = messages.tenant_id AND j.mode = messages.mode
            AND j.id = messages.job_id), '') NOT IN ('loading', 'pending', 'running', 'paused')
    RETURNING CASE WHEN origin = 'api' THEN NULL ELSE media_id END AS file";

/// A file that came with a message goes when it does: the next tidying of files takes it.
const EXPIRE_FILE: &str = "UPDATE media SET expires_at = $4
    WHERE tenant_id = $1 AND mode = $2 AND id = $3 AND origin = 'received' AND expires_at > $4";

impl TenantStore {
    /// How many days messages are kept; `None` is for ever.
    pub async fn message_days(&self) -> Result<Option<i64>> {
        let place = values![self.tenant.as_str(), self.mode.as_str()];
        let kept: Vec<(Option<i64>,)> = self.store.db.rows(KEPT, place).await?;
        Ok(kept.first().and_then(|(days,)| *days))
    }

    pub async fn keep_messages(&self, days: Option<i64>) -> Result<()> {
        let mut tx = self.store.db.begin().await?;
        tx.run(KEEP, values![self.tenant.as_str(), self.mode.as_str(), days]).await?;
        Ok(tx.commit().await?)
    }
}

impl Store {
    /// Deletes messages that are older than their tenant keeps them; answers how many.
    pub(super) async fn forget_messages(&self, now: At) -> Result<u64> {
        let forgetful: Vec<(TenantId, Mode, i64)> = self.db.rows(FORGETFUL, values![]).await?;
        let mut deleted = 0;
        for (tenant, mode, days) in forgetful {
            let (tenant, mode) = (tenant.as_str(), mode.as_str());
            let cutoff = MessageKey::first_at(now.plus_ms(-days * 86_400_000 - GRACE_MS));
            let mut from = String::new();
            loop {
                let place = values![tenant, mode, from.as_str(), cutoff.as_str(), STEP];
                let end: Option<(MessageKey,)> = self.db.rows(STRETCH, place).await?.pop();
                let until = end.as_ref().map_or(&cutoff, |(key,)| key);
                let mut tx = self.db.begin().await?;
                let stretch = values![tenant, mode, from.as_str(), until.as_str()];
                let gone: Vec<(Option<MediaId>,)> = tx.rows(FORGET, stretch).await?;
                deleted += gone.len() as u64;
                for file in gone.into_iter().filter_map(|(file,)| file) {
                    tx.run(EXPIRE_FILE, values![tenant, mode, file.as_str(), now]).await?;
                }
                tx.commit().await?;
                let Some((key,)) = end else { break };
                from = key.0;
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::Plans;

    #[tokio::test]
    async fn forgetting_looks_at_what_is_old_and_no_further_on_sqlite() {
        check(Plans::sqlite().await).await;
    }

    #[tokio::test]
    async fn forgetting_looks_at_what_is_old_and_no_further_on_postgres() {
        if let Some(plans) = Plans::postgres(&[("enable_seqscan", "off"), ("enable_bitmapscan", "off")]).await
        {
            check(plans).await;
        }
    }

    async fn check(mut plans: Plans) {
        // What lies between the two keys.
        let old = &[
            "sqlite_autoindex_messages_1 (tenant_id=? AND mode=? AND key>? AND key<?)",
            "messages_pkey (tenant_id=? AND mode=? AND key>=? AND key<?)",
            "messages_pkey (key>=? AND key<? AND tenant_id=? AND mode=?)",
        ][..];
        let mut wide = Vec::new();
        for (sql, types) in
            [(KEPT, "tt"), (KEEP, "tti"), (STRETCH, "tttti"), (FORGET, "tttt"), (EXPIRE_FILE, "ttti")]
        {
            let steps = plans.wide_steps(sql, types, old).await;
            wide.extend(steps.into_iter().map(|step| format!("{step} in {sql}")));
        }
        plans.close().await;
        assert_eq!(wide, Vec::<String>::new());
    }
}
