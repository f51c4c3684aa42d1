//! Send one message.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use wapid_core::message::{Content, TEXT_MAX};
use wapid_core::phone::Recipient;
use wapid_core::store::ledger::Idempotency;

use super::Api;
use super::body::Body;
use super::caller::OwnSession;
use super::error::{ApiError, ErrorBody};
use super::openapi::Refusals;
use crate::session::SendRequest;

/// The longest idempotency key, in bytes.
const KEY_MAX: usize = 255;
/// How long a key is remembered.
pub const KEY_LIFE_MS: i64 = 24 * 3_600_000;
/// Header and footer are one line of a bubble, not a second message.
const EDGE_MAX: usize = 1_024;

#[derive(Deserialize, ToSchema)]
pub struct NewMessage {
    /// Digits with country code, in any spelling, or a JID of a person or group
    #[schema(example = "919876543210")]
    to: String,
    /// Up to 65,536 bytes
    #[schema(example = "Your order #1234 has been shipped!")]
    message: Option<String>,
    /// `text`
    #[serde(rename = "type")]
    #[schema(example = "text")]
    kind: Option<String>,
    /// Shown bold above the message
    header: Option<String>,
    /// Shown in italics below the message
    footer: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    success: bool,
    /// WhatsApp's id of the message
    #[schema(example = "3EB0B430A8B7F6C1D2E3")]
    message_id: String,
    /// When WhatsApp took it, in seconds since the epoch
    #[schema(example = 1_708_243_200)]
    timestamp: i64,
}

/// Send a message
///
/// Answers once WhatsApp's server has taken the message. With an `Idempotency-Key`, a repeated
/// request within 24 hours answers with the first one's message and sends nothing.
#[utoipa::path(
    operation_id = "send_message",
    post, path = "/api/whatsapp/session/{id}/send", tag = "messages",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("Idempotency-Key" = Option<String>, Header, description = "Any string of up to 255 bytes")
    ),
    request_body = NewMessage,
    responses(
        (status = 200, body = Sent, headers(
            ("Idempotency-Replayed" = Option<String>, description = "`true` on a repeated answer")
        )),
        (status = 429, description = "The daily limit is reached; it starts again at the tenant's midnight", body = ErrorBody),
        (status = 500, description = "`OUTCOME_UNKNOWN`: WhatsApp has not answered; the message keeps its id and goes on", body = ErrorBody),
        Refusals
    )
)]
pub async fn send(
    State(api): State<Api>,
    session: OwnSession,
    headers: HeaderMap,
    body: Body<NewMessage>,
) -> Result<Response, ApiError> {
    let now = api.sessions.store().clock().now();
    let idempotency = match key_of(&headers)? {
        Some(key) => {
            let fingerprint = fingerprint("send", &session, &canonical(&body.bytes));
            Some(Idempotency { key, fingerprint, expires_at: now.plus_ms(KEY_LIFE_MS) })
        }
        None => None,
    };
    let to = Recipient::parse(&body.value.to)?;
    let NewMessage { kind, message, header, footer, .. } = body.value;
    let content = content_of(kind.as_deref(), message, header, footer)?;
    let sent = api.sessions.send(session.row, SendRequest { to, content, idempotency }).await?;
    let answer = Sent { success: true, message_id: sent.wa_id, timestamp: sent.at.seconds() };
    Ok(answered(answer, sent.repeated))
}

/// An answer that says whether it was given before, to a request with the same idempotency key.
pub fn answered(answer: impl Serialize, repeated: bool) -> Response {
    let mut response = Json(answer).into_response();
    if repeated {
        let replayed = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(replayed, HeaderValue::from_static("true"));
    }
    response
}

/// What a single send and a bulk job may say.
pub fn content_of(
    kind: Option<&str>,
    message: Option<String>,
    header: Option<String>,
    footer: Option<String>,
) -> Result<Content, ApiError> {
    match kind.unwrap_or("text") {
        "text" => {}
        "image" | "video" | "document" | "audio" | "poll" => {
            return Err(ApiError::bad("UNSUPPORTED_TYPE", "type: this version sends text only"));
        }
        _ => return Err(ApiError::bad("INVALID_REQUEST", "type: unknown; use text")),
    }
    let texts = [&message, &header, &footer];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(ApiError::bad("INVALID_REQUEST", "message, header, footer: without NUL characters"));
    }
    let message = message.unwrap_or_default();
    if message.trim().is_empty() {
        return Err(ApiError::bad("INVALID_REQUEST", "message: required, and not empty"));
    }
    if message.len() > TEXT_MAX {
        return Err(ApiError::bad("MESSAGE_TOO_LONG", format!("message: at most {TEXT_MAX} bytes")));
    }
    let edge = |name: &str, text: Option<String>| match text {
        Some(text) if text.len() > EDGE_MAX => {
            Err(ApiError::bad("MESSAGE_TOO_LONG", format!("{name}: at most {EDGE_MAX} bytes")))
        }
        text => Ok(text.filter(|text| !text.trim().is_empty())),
    };
    Ok(Content::Text { message, header: edge("header", header)?, footer: edge("footer", footer)? })
}

/// Bare, or quoted as the IETF draft writes it.
pub fn key_of(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    if key.is_empty() || key.len() > KEY_MAX {
        let why = format!("Idempotency-Key: 1 to {KEY_MAX} visible ASCII characters");
        return Err(ApiError::bad("INVALID_IDEMPOTENCY_KEY", why));
    }
    Ok(Some(key.to_owned()))
}

/// A body without regard to spaces and the order of its fields.
fn canonical(body: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<serde_json::Value>(body)
        .map_or_else(|_| body.to_vec(), |value| value.to_string().into_bytes())
}

/// Of route, session and what was asked.
pub fn fingerprint(route: &str, session: &OwnSession, asked: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(route)
        .chain_update(b"\0")
        .chain_update(session.row.key.as_str())
        .chain_update(b"\0")
        .chain_update(asked)
        .finalize()
        .into()
}
