//! What a path and a query say, refused like everything else when it cannot be read; and pages of a list.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use wapid_core::message::MessageName;

use super::Api;
use super::error::ApiError;

/// The parameters of a path, by their names.
pub struct PathParams<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for PathParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Path(params) = Path::<T>::from_request_parts(parts, api)
            .await
            .map_err(|_| ApiError::bad("INVALID_RECIPIENT", "The path cannot be read"))?;
        Ok(Self(params))
    }
}

/// Those of a query.
pub struct QueryParams<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryParams<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(value) = query.map_err(|problem| ApiError::parameter(problem.body_text()))?;
        Ok(Self(value))
    }
}

/// The id of a message that a body names in that field.
///
/// # Errors
/// For what is none, before anybody looks for it.
pub fn message_name(field: &str, id: &str) -> Result<MessageName, ApiError> {
    MessageName::parse(id).map_err(|problem| ApiError::bad("INVALID_REQUEST", format!("{field}: {problem}")))
}

/// A number from 1 on.
///
/// # Errors
/// For one that is beyond `max`, or none at all.
pub fn within(name: &str, value: i64, max: i64) -> Result<i64, ApiError> {
    if (1..=max).contains(&value) {
        Ok(value)
    } else {
        Err(ApiError::parameter(format!("{name}: 1 to {max}")))
    }
}

/// Where to read on after a page: behind its last row, unless it was not full.
pub fn next_of<T, C>(rows: &[T], limit: i64, cursor: impl FnOnce(&T) -> C) -> Option<C> {
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    rows.last().filter(|_| is_full).map(cursor)
}
