//! Times in wishes. Those without an offset, and whole days, go by the tenant's clock.
//!
//! What a moment looks like is [`Moment`]'s; which moments a call can use is the call's.

use wapid_core::moment::{Moment, MomentError};
use wapid_core::store::TenantStore;

use super::field::Field;
use super::refusal::Refusal;

/// A moment as somebody wrote it.
#[derive(Debug, Clone)]
pub enum WrittenMoment {
    Text(String),
    Milliseconds(i64),
}

impl WrittenMoment {
    /// # Errors
    /// [`MomentError`], for people.
    pub fn read(&self, time_zone: &str) -> Result<Moment, MomentError> {
        match self {
            Self::Text(text) => Moment::parse(text, time_zone),
            Self::Milliseconds(ms) => Moment::of_ms(*ms),
        }
    }

    /// What the field of a wish says, by the tenant's clock.
    ///
    /// # Errors
    /// With what a moment looks like.
    pub async fn of_field(&self, field: Field, store: &TenantStore) -> Result<Moment, Refusal> {
        let read = self.read(&store.time_zone().await?);
        read.map_err(|why| Refusal::Moment { field, why })
    }
}
