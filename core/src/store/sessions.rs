//! Sessions: wanted, account, end. Never whether one is ready.

use super::{Result, Store, TenantStore};
use crate::clock::At;
use crate::event::NewEvent;
use crate::id::{SessionId, SessionKey, TenantId};
use crate::key::Mode;
use crate::session::{Account, End};

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
    #[error(transparent)]
    Store(#[from] super::StoreError),
}

impl TenantStore {
    /// Finds or makes the session, wanted from now on; `true` when it is new. The plan's limit is
    /// checked in the same transaction.
    pub async fn ensure_session(
        &self,
        id: &SessionId,
        settings: SessionSettings,
    ) -> Result<(SessionRow, bool), NewSessionError> {
        todo!("{id} {settings:?}")
    }

    pub async fn session(&self, id: &SessionId) -> Result<Option<SessionRow>> {
        todo!("{id}")
    }

    /// By `session_id`, those being removed left out.
    pub async fn sessions(&self) -> Result<Vec<SessionRow>> {
        todo!()
    }
}

impl Store {
    /// Every session of every tenant, for the start of the process.
    pub async fn all_sessions(&self) -> Result<Vec<SessionRow>> {
        todo!()
    }

    pub async fn session_by_key(&self, key: &SessionKey) -> Result<Option<SessionRow>> {
        todo!("{key}")
    }

    /// Writes what changed and the event that says so, in one transaction. Either may be missing.
    pub async fn save_session(
        &self,
        key: &SessionKey,
        saved: Option<Saved>,
        event: Option<NewEvent>,
    ) -> Result<()> {
        todo!("{key} {saved:?} {event:?}")
    }

    /// Marks a session for removal; it is finished by [`Self::remove_session`], if need be after a
    /// crash.
    pub async fn begin_removal(&self, key: &SessionKey) -> Result<()> {
        todo!("{key}")
    }

    /// Deletes the session's row. Its messages stay in the log. The keystore's rows are the
    /// keystore's to delete, before this.
    pub async fn remove_session(&self, key: &SessionKey) -> Result<()> {
        todo!("{key}")
    }
}
