//! What a path and a query say, refused like everything else when it cannot be read; and pages of a list.
//!
//! Parameters that a route does not know do not get so far: see `known`.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wapid_core::message::MessageName;

use super::Api;
use super::answers::Rows;
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

/// Where to read on after a page: behind the last of the rows that it has room for, unless these are all.
///
/// # Errors
/// When a row cannot be written.
pub fn page_of<R, T: Serialize, C>(
    rows: impl IntoIterator<Item = R>,
    is_more: bool,
    cursor: impl Fn(&R) -> C,
    shown: impl Fn(R) -> T,
) -> Result<(Rows, Option<C>), ApiError> {
    let (mut page, mut last) = (Rows::default(), None);
    for row in rows {
        let place = cursor(&row);
        if !page.add(&shown(row))? {
            return Ok((page, last));
        }
        last = Some(place);
    }
    Ok((page, last.filter(|_| is_more)))
}

/// Are there as many as were asked for?
pub fn is_full<T>(rows: &[T], limit: i64) -> bool {
    i64::try_from(rows.len()).is_ok_and(|count| count >= limit)
}
