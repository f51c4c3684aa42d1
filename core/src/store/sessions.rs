//! Sessions: wanted, account, end. Never whether one is ready.

use super::ledger::{Outcome, Owner, Settlement};
use super::tx::{Tx, Value, values};
use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::event::{EventData, NewEvent, SessionEvent};
use crate::id::{SessionId, SessionKey, TenantId};
use crate::key::Mode;
use crate::session::{Account, End, Status};

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub key: SessionKey,
    pub tenant: TenantId,
    pub mode: Mode,
    pub id: SessionId,
    /// The tenant's label ("Sales Number").
    pub name: Option<String>,
    /// What the phone shows in its list of linked devices; `None` is the default.
    pub device_name: Option<String>,
    /// `http://user:pass@host:port` or `socks5://…`; sealed at rest.
    pub proxy: Option<String>,
    /// Messages per local day; `None` is no limit of its own.
    pub daily_limit: Option<i64>,
    pub wanted: bool,
    /// DELETE was accepted and is not finished.
    pub removing: bool,
    pub account: Option<Account>,
    pub ended: Option<End>,
    pub created_at: At,
    pub linked_at: Option<At>,
}

/// What a caller may say of a session. On an existing one, `Some` changes and `None` keeps.
#[derive(Debug, Clone, Default)]
pub struct SessionSettings {
    pub name: Option<String>,
    pub device_name: Option<String>,
    pub proxy: Option<String>,
    /// Messages per local day; below zero is no limit.
    pub daily_limit: Option<i64>,
    /// May the next pairing be another number's than the session's own? Nothing while a number is linked.
    pub any_number: Option<bool>,
}

/// What must survive a restart.
#[derive(Debug, Clone)]
pub struct Saved {
    pub wanted: bool,
    pub account: Option<Account>,
    pub ended: Option<End>,
}

/// Why a session was not made.
#[derive(Debug, thiserror::Error)]
pub enum NewSessionError {
    #[error("the plan allows {limit} sessions")]
    LimitReached { limit: i64, used: i64 },
    /// DELETE was accepted and is not finished.
    #[error("the session is being removed")]
    Removing,
    #[error(transparent)]
    Store(#[from] super::StoreError),
}

impl From<sqlx::Error> for NewSessionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A session as it lies in the table.
#[derive(Debug, sqlx::FromRow)]
struct Stored {
    key: SessionKey,
    tenant_id: TenantId,
    mode: Mode,
    session_id: SessionId,
    name: Option<String>,
    device_name: Option<String>,
    proxy: Option<Vec<u8>>,
    daily_limit: Option<i64>,
    wanted: bool,
    removing: bool,
    account: Option<String>,
    ended: Option<String>,
    created_at: At,
    linked_at: Option<At>,
}

impl Stored {
    fn open(self, store: &Store) -> Result<SessionRow> {
        let proxy = match self.proxy {
            Some(sealed) => {
                let plain = store.seal.open(&proxy_place(&self.key), &sealed)?;
                Some(String::from_utf8(plain).map_err(|_| crate::seal::SealError)?)
            }
            None => None,
        };
        Ok(SessionRow {
            key: self.key,
            tenant: self.tenant_id,
            mode: self.mode,
            id: self.session_id,
            name: self.name,
            device_name: self.device_name,
            proxy,
            daily_limit: self.daily_limit,
            wanted: self.wanted,
            removing: self.removing,
            account: self.account.as_deref().map(serde_json::from_str).transpose()?,
            ended: self.ended.as_deref().map(serde_json::from_str).transpose()?,
            created_at: self.created_at,
            linked_at: self.linked_at,
        })
    }
}

fn proxy_place(key: &SessionKey) -> String {
    format!("session:{key}:proxy")
}

macro_rules! columns {
    () => {
        "key, tenant_id, mode, session_id, name, device_name, proxy, daily_limit, wanted, removing, account, \
         ended, created_at, linked_at"
    };
}

/// Changes nothing and holds the tenant's row, so that two new sessions are counted one after the
/// other.
const LOCK_LIMIT: &str =
    "UPDATE tenants SET session_limit = session_limit WHERE id = $1 RETURNING session_limit";

const COUNT: &str = "SELECT COUNT(*) FROM sessions WHERE tenant_id = $1 AND mode = $2 AND NOT removing";

const ONE: &str =
    concat!("SELECT ", columns!(), " FROM sessions WHERE tenant_id = $1 AND mode = $2 AND session_id = $3");

const ALL_OF_TENANT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM sessions WHERE tenant_id = $1 AND mode = $2 AND NOT removing ORDER BY session_id"
);

const CHANGE: &str = concat!(
    "UPDATE sessions SET wanted = TRUE, name = COALESCE($4, name), device_name = COALESCE($5, device_name),
         proxy = COALESCE($6, proxy),
         daily_limit = CASE WHEN $7 IS NULL THEN daily_limit WHEN $7 < 0 THEN NULL ELSE $7 END,
         any_number = CASE WHEN account IS NULL THEN COALESCE($8, any_number) ELSE any_number END
     WHERE tenant_id = $1 AND mode = $2 AND session_id = $3 AND NOT removing RETURNING ",
    columns!()
);

const INSERT: &str = concat!(
    "INSERT INTO sessions (tenant_id, mode, session_id, name, device_name, proxy, daily_limit, any_number, key,
         wanted, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 < 0 THEN NULL ELSE $7 END, COALESCE($8, FALSE), $9, TRUE, $10)
     RETURNING ",
    columns!()
);

const ALL: &str = concat!("SELECT ", columns!(), " FROM sessions ORDER BY tenant_id, mode, session_id");

const BY_KEY: &str = concat!("SELECT ", columns!(), " FROM sessions WHERE key = $1");

/// `linked_at` is when this account was linked, whatever else is saved later. A permission to link another
/// number is used up by linking one.
const SAVE: &str = "UPDATE sessions SET wanted = $2, ended = $4, account = $3,
         linked_at = CASE WHEN $3 IS NULL THEN NULL WHEN account = $3 THEN linked_at ELSE $5 END,
         last_phone = COALESCE($6, last_phone),
         any_number = CASE WHEN $3 IS NULL THEN any_number ELSE FALSE END
     WHERE key = $1";

const LAST_PHONE: &str = "SELECT last_phone FROM sessions WHERE key = $1";

const EXPECTED: &str = "SELECT last_phone FROM sessions WHERE key = $1 AND NOT any_number";

const EXPECTED_OF_TENANT: &str = "SELECT last_phone FROM sessions
     WHERE tenant_id = $1 AND mode = $2 AND key = $3 AND NOT any_number";

const FORGET_LIMIT: &str = "UPDATE jobs SET hold = NULL, not_before = $2
     WHERE session_key = $1 AND hold = 'daily_limit' AND not_before > $2";

const WANT_NO_MORE: &str = "UPDATE sessions SET wanted = FALSE WHERE key = $1";

/// A released lease has no end.
const UNWANTED: &str = "SELECT sessions.key, sessions.removing FROM sessions
     JOIN leases ON leases.name = sessions.key
     WHERE leases.owner = $1 AND leases.until > 0 AND NOT sessions.wanted";

const REMOVED: &str = "SELECT data FROM events WHERE tenant_id = $1 AND mode = $2 AND pos > $3
     AND session_id = $4 AND kind = 'session.disconnected' ORDER BY pos DESC LIMIT 1";

const BEGIN_REMOVAL: &str = "UPDATE sessions SET removing = TRUE, wanted = FALSE WHERE key = $1";

/// Has a later lease on the session begun than that of this epoch?
pub(super) async fn is_superseded(tx: &mut Tx<'_>, key: &SessionKey, epoch: Option<i64>) -> Result<bool> {
    const LATER: &str = "SELECT epoch FROM leases WHERE name = $1 AND epoch > $2";
    let Some(epoch) = epoch else { return Ok(false) };
    let later: Vec<(i64,)> = tx.rows(LATER, values![key.as_str(), epoch]).await?;
    Ok(!later.is_empty())
}

/// What the ledger does for [`Store::save_session`].
pub(super) async fn save(tx: &mut Tx<'_>, key: &SessionKey, saved: Option<&Saved>, now: At) -> Result<()> {
    let Some(saved) = saved else { return Ok(()) };
    let account: Value = saved.account.as_ref().map(serde_json::to_string).transpose()?.into();
    let ended: Value = saved.ended.as_ref().map(serde_json::to_string).transpose()?.into();
    let phone: Value = saved.account.as_ref().map(|account| account.phone.clone()).into();
    tx.run(SAVE, vec![key.as_str().into(), saved.wanted.into(), account, ended, now.into(), phone]).await?;
    Ok(())
}

impl TenantStore {
    /// Finds or makes the session, wanted from now on; `true` when it is new. The plan's limit is
    /// checked in the same transaction.
    pub async fn ensure_session(
        &self,
        id: &SessionId,
        settings: SessionSettings,
    ) -> Result<(SessionRow, bool), NewSessionError> {
        let store = &self.store;
        let SessionSettings { name, device_name, proxy, daily_limit, any_number } = settings;
        let seal = |key: &SessionKey| {
            proxy.as_ref().map(|proxy| store.seal.seal(&proxy_place(key), proxy.as_bytes()))
        };
        let mut tx = store.db.begin().await?;
        let limit: Vec<(Option<i64>,)> = tx.rows(LOCK_LIMIT, values![self.tenant.as_str()]).await?;
        let mut place = values![self.tenant.as_str(), self.mode.as_str(), id.as_str()];
        let found: Option<Stored> = tx.rows(ONE, place.clone()).await?.pop();
        let is_new = found.is_none();
        let (sql, key) = match found {
            Some(row) if row.removing => return Err(NewSessionError::Removing),
            Some(row) => (CHANGE, row.key),
            None => (INSERT, SessionKey::new()),
        };
        if is_new && let Some((Some(limit),)) = limit.first() {
            let used: Vec<(i64,)> = tx.rows(COUNT, place[..2].to_vec()).await?;
            let used = used.first().map_or(0, |(used,)| *used);
            if used >= *limit {
                return Err(NewSessionError::LimitReached { limit: *limit, used });
            }
        }
        place.extend(values![name, device_name, seal(&key), daily_limit, any_number]);
        if is_new {
            place.extend(values![key.as_str(), store.clock.now()]);
        }
        let row: Option<Stored> = tx.rows(sql, place).await?.pop();
        if daily_limit.is_some() {
            // What waited for the next day, as it was, looks again.
            tx.run(FORGET_LIMIT, values![key.as_str(), store.clock.now()]).await?;
        }
        tx.commit().await?;
        let row = row.ok_or(sqlx::Error::RowNotFound)?;
        Ok((row.open(store)?, is_new))
    }

    /// Also one that is being removed; [`SessionRow::removing`] says so.
    pub async fn session(&self, id: &SessionId) -> Result<Option<SessionRow>> {
        let row: Option<Stored> = crate::read!(&self.store.db, |pool| {
            sqlx::query_as(ONE).bind(&self.tenant).bind(self.mode).bind(id).fetch_optional(pool).await?
        });
        row.map(|row| row.open(&self.store)).transpose()
    }

    /// [`Store::expected_phone`], of a session of this tenant.
    pub async fn expected_phone(&self, key: &SessionKey) -> Result<Option<String>> {
        let place = values![self.tenant.as_str(), self.mode.as_str(), key.as_str()];
        let row: Option<(Option<String>,)> = self.store.db.rows(EXPECTED_OF_TENANT, place).await?.pop();
        Ok(row.and_then(|(phone,)| phone))
    }

    /// What is told since that position of a session's removal: was the device logged out at WhatsApp?
    pub async fn was_logged_out(&self, id: &SessionId, since: i64) -> Result<bool> {
        #[derive(serde::Deserialize)]
        struct Told {
            #[serde(rename = "loggedOut", default)]
            logged_out: bool,
        }
        let place = values![self.tenant.as_str(), self.mode.as_str(), since, id.as_str()];
        let told: Option<(String,)> = self.store.db.rows(REMOVED, place).await?.pop();
        let told = told.map(|(data,)| serde_json::from_str::<Told>(&data)).transpose()?;
        Ok(told.is_some_and(|told| told.logged_out))
    }

    /// By `session_id`, those being removed left out.
    pub async fn sessions(&self) -> Result<Vec<SessionRow>> {
        let rows: Vec<Stored> = crate::read!(&self.store.db, |pool| {
            sqlx::query_as(ALL_OF_TENANT).bind(&self.tenant).bind(self.mode).fetch_all(pool).await?
        });
        rows.into_iter().map(|row| row.open(&self.store)).collect()
    }
}

impl Store {
    /// Every session of every tenant, for the start of the process.
    pub async fn all_sessions(&self) -> Result<Vec<SessionRow>> {
        let rows: Vec<Stored> = crate::read!(&self.db, |pool| sqlx::query_as(ALL).fetch_all(pool).await?);
        rows.into_iter().map(|row| row.open(self)).collect()
    }

    pub async fn session_by_key(&self, key: &SessionKey) -> Result<Option<SessionRow>> {
        let row: Option<Stored> =
            crate::read!(&self.db, |pool| sqlx::query_as(BY_KEY).bind(key).fetch_optional(pool).await?);
        row.map(|row| row.open(self)).transpose()
    }

    /// The number that the session is linked with, or was last.
    pub async fn last_phone(&self, key: &SessionKey) -> Result<Option<String>> {
        let row: Option<(Option<String>,)> = self.db.rows(LAST_PHONE, values![key.as_str()]).await?.pop();
        Ok(row.and_then(|(phone,)| phone))
    }

    /// The number that alone may be linked with this session: that of before. `None` where any may.
    pub async fn expected_phone(&self, key: &SessionKey) -> Result<Option<String>> {
        let row: Option<(Option<String>,)> = self.db.rows(EXPECTED, values![key.as_str()]).await?.pop();
        Ok(row.and_then(|(phone,)| phone))
    }

    /// The session is not to run any more, whoever runs it: that process hears so when it renews its leases.
    pub async fn want_no_more(&self, key: &SessionKey) -> Result<()> {
        crate::write!(&self.db, |tx| {
            sqlx::query(WANT_NO_MORE).bind(key).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Those that this owner runs and that nobody wants to run, each with whether it is to be removed.
    pub async fn unwanted_of(&self, owner: &str) -> Result<Vec<(SessionKey, bool)>> {
        Ok(self.db.rows(UNWANTED, values![owner]).await?)
    }

    /// Marks a session for removal; it is finished by [`Self::remove_session`], if need be after a
    /// crash. From here on nothing new is accepted for it.
    pub async fn begin_removal(&self, key: &SessionKey) -> Result<()> {
        crate::write!(&self.db, |tx| {
            sqlx::query(BEGIN_REMOVAL).bind(key).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Deletes the session's row. Its messages stay in the log; those whose outcome is not known fail
    /// now, because nobody is left to send them. The keystore's rows are the keystore's to delete,
    /// before this. `logged_out` is told: whether WhatsApp heard of it.
    pub async fn remove_session(&self, key: &SessionKey, logged_out: bool) -> Result<()> {
        let Some(session) = self.session_by_key(key).await? else { return Ok(()) };
        self.begin_removal(key).await?;
        let owner = Owner {
            tenant: session.tenant,
            mode: session.mode,
            session: session.key,
            session_id: session.id,
        };
        // No lease has this epoch, so a task that still runs somewhere cannot settle any of these.
        let epoch = i64::MAX;
        for message in self.claim_unsettled(key, epoch).await? {
            let outcome = Outcome::Failed {
                code: "SESSION_REMOVED".into(),
                error: "the session was removed before WhatsApp answered".into(),
            };
            let at = self.clock.now();
            self.settle(Settlement { owner: owner.clone(), key: message.key, epoch, outcome, at }).await?;
        }
        let now = self.clock.now();
        let told = SessionEvent {
            session_id: owner.session_id.to_string(),
            status: Status::Disconnected.as_str(),
            reason: Some("removed"),
            phone_number: session.account.map(|account| account.phone),
            expected_phone_number: None,
            logged_out: Some(logged_out),
            since: now.0,
        };
        self.delete_session(key, NewEvent::new(now, EventData::SessionDisconnected(told))).await
    }
}

/// What is left of a session beside its row and its messages.
pub(super) async fn delete(tx: &mut Tx<'_>, key: &SessionKey) -> Result<()> {
    const DELETE: [&str; 5] = [
        "DELETE FROM sessions WHERE key = $1",
        "DELETE FROM leases WHERE name = $1",
        "DELETE FROM pace WHERE session_key = $1",
        "DELETE FROM session_usage WHERE session_key = $1",
        "DELETE FROM groups WHERE session_key = $1",
    ];
    for statement in DELETE {
        tx.run(statement, values![key.as_str()]).await?;
    }
    Ok(())
}
