//! Reading whom a session knows. The ledger writes them (`ledger/chats.rs`, `ledger/people.rs`).

use std::collections::BTreeSet;

use super::tx::values;
use super::{Result, Store, TenantStore};
use crate::id::{ContactId, SessionKey};
use crate::people::Who;
use crate::phone::Phone;

/// How many rows of a gone session are deleted at once.
const STEP: i64 = 500;

/// Somebody, as a session's phone names them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ContactRow {
    /// `p:` and a number, or `l:` and a LID: the list's order, and its cursor.
    pub alias: String,
    pub lid: Option<String>,
    pub saved_name: Option<String>,
    pub first_name: Option<String>,
    pub push_name: Option<String>,
    pub contact_id: Option<ContactId>,
}

impl ContactRow {
    pub fn phone(&self) -> Option<&str> {
        self.alias.strip_prefix("p:")
    }

    pub fn lid(&self) -> Option<&str> {
        self.alias.strip_prefix("l:").or(self.lid.as_deref())
    }
}

/// As names are compared when somebody searches.
pub fn folded(name: &str) -> String {
    name.to_lowercase()
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT n.alias, n.lid, n.saved_name, n.first_name, n.push_name, c.contact_id
            FROM contact_names n
            LEFT JOIN contacts c ON c.tenant_id = n.tenant_id AND c.mode = n.mode AND c.alias = n.alias
            WHERE n.tenant_id = $1 AND n.mode = $2 AND n.session_key = $3 AND ",
            $rest
        )
    };
}

const PAGE: &str = select!("n.alias > $4 ORDER BY n.alias LIMIT $5");

/// Reads through the session's contacts until it has found enough.
const FOUND: &str = select!(
    r"n.alias > $4 AND (n.saved_folded LIKE $6 ESCAPE '\' OR n.push_folded LIKE $6 ESCAPE '\'
        OR SUBSTR(n.alias, 3) LIKE $6 ESCAPE '\') ORDER BY n.alias LIMIT $5"
);

const ONE: &str = select!("n.alias = $4");

const ALIASES: &str =
    "SELECT alias FROM contacts WHERE contact_id = $3 AND tenant_id = $1 AND mode = $2 ORDER BY alias DESC";

const ID: &str = "SELECT contact_id FROM contacts WHERE tenant_id = $1 AND mode = $2 AND alias = $3";

impl TenantStore {
    /// Whom a session knows, by alias, after `after`; with `search`, those whose name or number has it in
    /// it.
    pub async fn contacts(
        &self,
        session: &SessionKey,
        search: Option<&str>,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<ContactRow>> {
        let mut place = values![
            self.tenant.as_str(),
            self.mode.as_str(),
            session.as_str(),
            after.unwrap_or_default(),
            limit
        ];
        let Some(search) = search else { return Ok(self.store.db.rows(PAGE, place).await?) };
        let escaped = folded(search).replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
        place.extend(values![format!("%{escaped}%")]);
        Ok(self.store.db.rows(FOUND, place).await?)
    }

    /// Somebody under one of their names.
    pub async fn contact(&self, session: &SessionKey, alias: &str) -> Result<Option<ContactRow>> {
        let place = values![self.tenant.as_str(), self.mode.as_str(), session.as_str(), alias];
        Ok(self.store.db.rows(ONE, place).await?.pop())
    }

    /// Every name of a person, the number first.
    pub async fn aliases(&self, id: &ContactId) -> Result<Vec<String>> {
        let place = values![self.tenant.as_str(), self.mode.as_str(), id.as_str()];
        let names: Vec<(String,)> = self.store.db.rows(ALIASES, place).await?;
        Ok(names.into_iter().map(|(name,)| name).collect())
    }

    /// The person under a name.
    pub async fn contact_id(&self, alias: &str) -> Result<Option<ContactId>> {
        let place = values![self.tenant.as_str(), self.mode.as_str(), alias];
        Ok(self.store.db.rows::<(ContactId,)>(ID, place).await?.pop().map(|(id,)| id))
    }

    /// Every name that somebody is known by here: all spellings of the number, and whatever stands beside
    /// them and beside the LID.
    pub async fn aliases_of(&self, who: &Who) -> Result<BTreeSet<String>> {
        let spellings = who.phone.iter().flat_map(Phone::spellings);
        let of_number = spellings.map(|number| format!("p:{}", number.digits()));
        let mut aliases = BTreeSet::new();
        for alias in of_number.chain(who.lid.iter().map(|lid| format!("l:{lid}"))) {
            aliases.extend(self.aliases_beside(&alias).await?);
            aliases.insert(alias);
        }
        Ok(aliases)
    }

    /// Did somebody ask to be left alone, under any of their numbers?
    pub async fn has_opted_out(&self, who: &Who) -> Result<bool> {
        for alias in self.aliases_of(who).await? {
            if let Some(digits) = alias.strip_prefix("p:")
                && let Ok(phone) = Phone::from_whatsapp(digits)
                && self.is_opted_out(&phone).await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every name of the person under this one.
    pub(super) async fn aliases_beside(&self, alias: &str) -> Result<Vec<String>> {
        match self.contact_id(alias).await? {
            Some(id) => self.aliases(&id).await,
            None => Ok(Vec::new()),
        }
    }

    /// Are presence and typing told as events? They are many, so not unless the tenant wants them.
    pub async fn tells_presence(&self) -> Result<bool> {
        const TOLD: &str = "SELECT presence_events FROM tenant_settings WHERE tenant_id = $1 AND mode = $2";
        let place = values![self.tenant.as_str(), self.mode.as_str()];
        Ok(self.store.db.rows::<(bool,)>(TOLD, place).await?.pop().is_some_and(|(told,)| told))
    }

    pub async fn tell_presence(&self, told: bool) -> Result<()> {
        const TELL: &str =
            "INSERT INTO tenant_settings (tenant_id, mode, presence_events) VALUES ($1, $2, $3)
            ON CONFLICT (tenant_id, mode) DO UPDATE SET presence_events = excluded.presence_events";
        let mut tx = self.store.db.begin().await?;
        tx.run(TELL, values![self.tenant.as_str(), self.mode.as_str(), told]).await?;
        Ok(tx.commit().await?)
    }
}

/// What a session that is gone left behind.
struct Leftover {
    next: &'static str,
    forget: &'static str,
}

/// Sessions are few, their rows many: so the sessions are walked, one index step each.
const LEFTOVERS: [Leftover; 2] = [
    Leftover {
        next: "SELECT tenant_id, mode, session_key FROM chats WHERE (tenant_id, mode, session_key) > ($1, $2, $3)
            ORDER BY tenant_id, mode, session_key LIMIT 1",
        forget: "DELETE FROM chats WHERE (tenant_id, mode, session_key, chat) IN
            (SELECT tenant_id, mode, session_key, chat FROM chats
             WHERE tenant_id = $1 AND mode = $2 AND session_key = $3 LIMIT $4)",
    },
    Leftover {
        next: "SELECT tenant_id, mode, session_key FROM contact_names
            WHERE (tenant_id, mode, session_key) > ($1, $2, $3) ORDER BY tenant_id, mode, session_key LIMIT 1",
        forget: "DELETE FROM contact_names WHERE (tenant_id, mode, session_key, alias) IN
            (SELECT tenant_id, mode, session_key, alias FROM contact_names
             WHERE tenant_id = $1 AND mode = $2 AND session_key = $3 LIMIT $4)",
    },
];

impl Store {
    /// Deletes chats and names of sessions that are gone; answers how many rows.
    pub(super) async fn forget_people(&self) -> Result<u64> {
        const IS_THERE: &str = "SELECT key FROM sessions WHERE key = $1";
        let mut forgotten = 0;
        for Leftover { next, forget } in LEFTOVERS {
            let mut place = (String::new(), String::new(), String::new());
            loop {
                let after = values![place.0.as_str(), place.1.as_str(), place.2.as_str()];
                let Some(found) = self.db.rows::<(String, String, String)>(next, after).await?.pop() else {
                    break;
                };
                place = found;
                if !self.db.rows::<(String,)>(IS_THERE, values![place.2.as_str()]).await?.is_empty() {
                    continue;
                }
                loop {
                    let of = values![place.0.as_str(), place.1.as_str(), place.2.as_str(), STEP];
                    let mut tx = self.db.begin().await?;
                    let step = tx.run(forget, of).await?;
                    tx.commit().await?;
                    forgotten += step;
                    if step == 0 {
                        break;
                    }
                }
            }
        }
        Ok(forgotten)
    }
}
