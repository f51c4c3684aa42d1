//! Callers with an API key, which may do everything in its tenant and mode.

use wapid_core::store::{Store, StoreError};

use super::Caller;

impl Caller {
    /// Whose key this is; `None` for a key that is nobody's, or is no longer good.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn of_key(store: &Store, key: &str) -> Result<Option<Self>, StoreError> {
        let known = store.authenticate(key).await?;
        Ok(known.map(|known| Self { store: store.tenant(known.tenant, known.mode), key: known.key }))
    }
}
