//! A JSON body, read with limits and refused with reasons.
//!
//! The content type is not asked for: the seed's own samples include `curl -d`, which names another. A field that
//! nobody knows is refused by its type (`deny_unknown_fields`), but for [`read_leniently`].

use std::collections::HashMap;

use axum::body::{Body as Stream, Bytes};
use axum::extract::{FromRequest, Request};
use futures::StreamExt as _;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::error::ApiError;
use super::{names, plain};

/// What a request may carry, in bytes. A text of 65,536 characters fits however it is escaped: 12 bytes for one
/// outside the basic plane.
pub const BODY_MAX: usize = 1 << 20;
/// Some editors and .NET begin a text with it.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const GZIP: &[u8] = b"\x1F\x8B";

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
        let said = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes).trim_ascii();
        if said.is_empty() || said == b"null" { Ok(Self(T::default())) } else { Ok(Self(read_json(&bytes)?)) }
    }
}

/// A body whose unknown fields are told of instead of refused: see [`read_leniently`].
pub struct LenientBody<T> {
    pub value: T,
    pub notice: Option<String>,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for LenientBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = read(request.into_body(), BODY_MAX).await?;
        let (value, notice) = read_leniently(&bytes)?;
        Ok(Self { value, notice })
    }
}

/// A whole body as `T`, or the reason why not.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if bytes.starts_with(GZIP) {
        return Err(ApiError::compressed());
    }
    // Serde would take a list for an object whose fields come in this order.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::bad("INVALID_REQUEST", "The body: an object, not a list"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value: T =
        serde_path_to_error::deserialize(&mut reader).map_err(|problem| explain(bytes, &problem))?;
    reader.end().map_err(|_| ApiError::bad("INVALID_JSON", "There is something after the JSON body"))?;
    Ok(value)
}

/// A whole body as `T` although it has fields that `T` does not know, for what clients of seed 001's contract send:
/// theirs has always ignored them. A known field in another spelling is read as what it is. What was done about
/// fields is answered beside the value, for a `notice`.
///
/// It is not refused because such a client would then send nothing, and a field in another spelling is not ignored
/// because a photo that was to open once, or to have a caption, must not go to somebody without.
pub fn read_leniently<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, Option<String>), ApiError> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let known = names::fields_of::<T>();
    let Ok(given) = serde_json::from_slice::<HashMap<String, &RawValue>>(bytes) else {
        return Ok((read_json(bytes)?, None));
    };
    let mut unknown: Vec<&str> =
        given.keys().map(String::as_str).filter(|name| !known.contains(name)).collect();
    if unknown.is_empty() {
        return Ok((read_json(bytes)?, None));
    }
    unknown.sort_unstable();
    let mut read: HashMap<&str, &RawValue> = given
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .filter(|(name, _)| known.contains(name))
        .collect();
    let (mut taken, mut ignored) = (vec![], vec![]);
    for name in unknown {
        let meant = names::nearest(name, known);
        let shown = names::shown(name);
        match meant {
            Some(meant) if is_read_as(name, meant) && !read.contains_key(meant) => {
                read.insert(meant, given[name]);
                taken.push(format!("{shown} was read as {meant}"));
            }
            Some(meant) => ignored.push(format!("{shown} (did you mean {meant}?)")),
            None => ignored.push(shown),
        }
    }
    let rebuilt = serde_json::to_vec(&read).map_err(anyhow::Error::from)?;
    if !ignored.is_empty() {
        taken.push(format!("ignored: {}", ignored.join(", ")));
    }
    Ok((read_json(&rebuilt)?, Some(taken.join("; "))))
}

/// `filename` is `fileName`, and what everybody else calls a caption is our `message`.
fn is_read_as(name: &str, meant: &str) -> bool {
    names::is_spelling_of(name, meant) || (name == "caption" && meant == "message")
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

fn explain(bytes: &[u8], problem: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = problem.inner();
    // Of an enum that meets a number, or a number beyond all types, serde says that it is no JSON.
    let is_json = inner.classify() == Category::Data || serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
    if !is_json {
        let why = match std::str::from_utf8(bytes) {
            Ok(_) => plain::not_json(&inner.to_string()),
            Err(_) => "it is not UTF-8".to_owned(),
        };
        return ApiError::bad("INVALID_JSON", format!("The body is not valid JSON: {why}"));
    }
    let (field, why) = plain::reason(&inner.to_string());
    let path = problem.path().to_string();
    let place = match (field, path.as_str()) {
        (None, "." | "") => "The body".to_owned(),
        (None, path) => path.to_owned(),
        (Some(field), "." | "") => field,
        // The path of a field that is not known ends with it.
        (Some(field), path) if path == field || path.ends_with(&format!(".{field}")) => path.to_owned(),
        (Some(field), path) => format!("{path}.{field}"),
    };
    ApiError::bad("INVALID_REQUEST", format!("{}: {why}", names::shown(&place)))
}
