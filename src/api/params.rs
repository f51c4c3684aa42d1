//! What a path and a query say, refused like everything else when it cannot be read; and pages of a list.
//!
//! Parameters that a route does not know do not get so far: see `known`.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use wapid_core::message::MessageName;

use super::Api;
use super::error::ApiError;
use super::plain;

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
        let Query(value) =
            Query::<T>::from_request_parts(parts, state).await.map_err(|problem| unread(&problem))?;
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

/// `limit: a whole number`.
fn unread(problem: &QueryRejection) -> ApiError {
    let said = problem.body_text();
    let said = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(&said);
    let (name, why) = match said.split_once(": ") {
        Some((name, why)) if !name.contains(' ') => (Some(name.to_owned()), why),
        _ => (None, said),
    };
    let (field, why) = plain::reason(why);
    ApiError::parameter(match name.or(field) {
        Some(name) => format!("{name}: {why}"),
        None => why,
    })
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
