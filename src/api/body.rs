//! A JSON body, read with limits and refused with reasons.
//!
//! The content type is not asked for: the seed's own samples include `curl -d`, which names another.

use axum::body::{Body as Stream, Bytes};
use axum::extract::{FromRequest, Request};
use futures::StreamExt as _;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// What a request may carry, in bytes. A text of 65,536 characters fits however it is escaped: 12 bytes for one
/// outside the basic plane.
pub const BODY_MAX: usize = 1 << 20;
/// Characters of a reason.
const REASON_MAX: usize = 300;

/// The body as `T`, and the bytes it came from, for a fingerprint.
pub struct Body<T> {
    pub value: T,
    pub bytes: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = read(request.into_body(), BODY_MAX).await?;
        Ok(Self { value: read_json(&bytes)?, bytes })
    }
}

/// The same for a route that needs no body: none is the default.
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = read(request.into_body(), BODY_MAX).await?;
        if bytes.trim_ascii().is_empty() { Ok(Self(T::default())) } else { Ok(Self(read_json(&bytes)?)) }
    }
}

/// A whole body as `T`, or the reason why not.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Serde would take a list for an object whose fields come in this order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::bad("INVALID_REQUEST", "The body: a JSON object, not a list"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut reader).map_err(|problem| explain(&problem))?;
    reader.end().map_err(|_| ApiError::bad("INVALID_JSON", "There is something after the JSON body"))?;
    Ok(value)
}

/// Up to `max` bytes.
pub async fn read(body: Stream, max: usize) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut kept = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| ApiError::slow_body())?;
        if kept.len() + chunk.len() > max {
            return Err(ApiError::too_large(max));
        }
        kept.extend_from_slice(&chunk);
    }
    Ok(kept.into())
}

fn explain(problem: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = problem.inner();
    let path = problem.path().to_string();
    // What somebody sent is not sent back whole.
    let text = inner.to_string();
    let said = if text.chars().count() > REASON_MAX {
        format!("{}…", text.chars().take(REASON_MAX).collect::<String>())
    } else {
        text
    };
    match inner.classify() {
        serde_json::error::Category::Data if path != "." => {
            ApiError::bad("INVALID_REQUEST", format!("{path}: {said}"))
        }
        serde_json::error::Category::Data => ApiError::bad("INVALID_REQUEST", format!("The body: {said}")),
        _ => ApiError::bad("INVALID_JSON", format!("The body is not valid JSON: {said}")),
    }
}
