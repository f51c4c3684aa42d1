//! What a control call says: a body of JSON that says that it is one, in time and of a bounded size.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;

use super::access::Denial;
use super::{Refused, denied};
use crate::error::SandboxError;

/// How long a body may take, and one that may bring a medium.
const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const MEDIA_PATIENCE: Duration = Duration::from_secs(60);

/// A whole body, parsed. An empty one is an object without fields.
pub(crate) struct Told<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Told<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let body = read(request, PATIENCE).await.map_err(|denial| denied(&denial))?;
        parse(&body).map(Self).map_err(|problem| Refused(problem).into_response())
    }
}

/// The bytes of a body, as many as the route lets through (`DefaultBodyLimit`).
pub(super) async fn read(request: Request, patience: Duration) -> Result<Bytes, Denial> {
    let is_json = says_json(request.headers());
    let body = match tokio::time::timeout(patience, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(problem)) if problem.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Err(Denial::BodyTooLarge);
        }
        Ok(Err(_)) => return Err(Denial::BodyBroken),
        Err(_) => return Err(Denial::BodyLate),
    };
    if is_json || body.is_empty() { Ok(body) } else { Err(Denial::NotJson) }
}

/// Only a program says that its body is JSON: a form of a web page cannot.
fn says_json(headers: &HeaderMap) -> bool {
    let named = headers.get(header::CONTENT_TYPE).and_then(|named| named.to_str().ok()).unwrap_or_default();
    named.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, SandboxError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| SandboxError::Invalid(error.to_string()))
}
