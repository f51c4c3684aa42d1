//! A JSON body, read with limits and refused with reasons.
//!
//! The content type is not asked for: the seed's own samples include `curl -d`, which names another.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// What a request may carry, in bytes. A text of 65,536 bytes fits however it is escaped.
pub const BODY_MAX: usize = 1 << 20;

/// The body as `T`, and the bytes it came from, for a fingerprint.
pub struct Body<T> {
    pub value: T,
    pub bytes: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| refuse(&rejection))?;
        let mut reader = serde_json::Deserializer::from_slice(&bytes);
        let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|problem| explain(&problem))?;
        reader.end().map_err(|_| ApiError::bad("INVALID_JSON", "There is something after the JSON body"))?;
        Ok(Self { value, bytes })
    }
}

fn refuse(rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::too_large(BODY_MAX),
        StatusCode::REQUEST_TIMEOUT => ApiError::slow_body(),
        _ => ApiError::bad("INVALID_BODY", "The body could not be read"),
    }
}

fn explain(problem: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = problem.inner();
    let path = problem.path().to_string();
    match inner.classify() {
        serde_json::error::Category::Data if path != "." => {
            ApiError::bad("INVALID_REQUEST", format!("{path}: {inner}"))
        }
        serde_json::error::Category::Data => ApiError::bad("INVALID_REQUEST", format!("The body: {inner}")),
        _ => ApiError::bad("INVALID_JSON", format!("The body is not valid JSON: {inner}")),
    }
}
