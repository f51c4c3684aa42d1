//! What the groups of a session are called. WhatsApp is the truth; these are notes of it, which the ledger
//! writes and puts beside messages and events.

use super::tx::values;
use super::{Result, TenantStore};
use crate::clock::At;
use crate::id::SessionKey;

/// A group is called so since then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName {
    pub jid: String,
    pub subject: String,
    /// By WhatsApp, in whole seconds.
    pub at: At,
}

/// The names of a session's groups are the tenant's if the session is.
const OF_SESSION: &str = "SELECT g.jid, g.subject, g.updated_at FROM sessions s
    JOIN groups g ON g.session_key = s.key
    WHERE s.tenant_id = $1 AND s.mode = $2 AND s.key = $3 ORDER BY g.jid";

#[derive(sqlx::FromRow)]
struct Stored {
    jid: String,
    subject: String,
    updated_at: At,
}

impl TenantStore {
    /// By JID, those that were ever heard of.
    pub async fn group_names(&self, session: &SessionKey) -> Result<Vec<GroupName>> {
        let scope = values![self.tenant.as_str(), self.mode.as_str(), session.as_str()];
        let rows: Vec<Stored> = self.store.db.rows(OF_SESSION, scope).await?;
        let name = |row: Stored| GroupName { jid: row.jid, subject: row.subject, at: row.updated_at };
        Ok(rows.into_iter().map(name).collect())
    }
}
