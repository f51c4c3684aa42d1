//! A request's visit behind the [`crate::door`], for handlers that want more of it than a place: to wait for
//! events, or to answer at length.
//!
//! The place itself is taken when the caller is recognised: see [`super::caller`].

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use wapid_core::id::KeyId;

use super::answers::PREPARED;
use super::error::ApiError;
use crate::door::Visit;

/// The visit of the request that is being handled; none where nothing is counted.
#[derive(Clone)]
pub struct OwnVisit(pub Option<Visit>);

impl OwnVisit {
    pub fn of(parts: &Parts) -> Self {
        Self(parts.extensions.get::<Visit>().cloned())
    }

    /// Counts the request as one that waits for events, until it is over.
    pub fn follow(&self, key: &KeyId) -> Result<(), ApiError> {
        Ok(self.0.as_ref().map_or(Ok(()), |visit| visit.follow(key))?)
    }

    /// Waits until there is room for an answer that may be large.
    pub async fn prepare(&self) -> Result<(), ApiError> {
        match &self.0 {
            Some(visit) => Ok(visit.prepare(PREPARED).await?),
            None => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for OwnVisit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}
