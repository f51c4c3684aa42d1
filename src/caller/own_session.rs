//! The session that a caller names, if it is theirs.

use wapid_core::id::SessionId;
use wapid_core::store::StoreError;
use wapid_core::store::sessions::SessionRow;

use super::Caller;
use crate::session::Sessions;

/// A session and the caller that it belongs to.
pub struct OwnSession {
    pub row: SessionRow,
    pub caller: Caller,
}

impl OwnSession {
    /// `None` for anybody else's, for one that is being removed, and for what cannot be an id.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn find(sessions: &Sessions, caller: Caller, id: &str) -> Result<Option<Self>, StoreError> {
        let Ok(id) = SessionId::parse(id) else { return Ok(None) };
        let row = sessions.find(&caller.store, &id).await?.filter(|row| !row.removing);
        Ok(row.map(|row| Self { row, caller }))
    }
}
