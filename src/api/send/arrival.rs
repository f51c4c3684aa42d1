//! How a send arrives: as JSON, or as a form with a file.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::header;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::timeout;
use wapid_core::media::{Kind, Origin, file_name};
use wapid_core::store::media::MediaRow;
use wapid_core::turns::Turn;

use super::NewMessage;
use crate::api::Api;
use crate::api::body::{BODY_MAX, read, read_leniently};
use crate::api::error::ApiError;
use crate::caller::OwnSession;
use crate::media::{Declared, Refusal};
use crate::usecases::send::{GivenFile, MessageWish};

/// A file of 16 MiB in base64, and room for the rest.
const JSON_MAX: usize = 23 << 20;
/// A form's fields are texts and settings.
const PART_MAX: usize = 1 << 20;
/// How long a JSON body may take to arrive, however steadily it does.
const ARRIVAL_MAX: Duration = Duration::from_secs(120);

/// A request as it came.
pub struct Asked {
    new: NewMessage,
    /// A form's file, in the store already.
    file: Option<MediaRow>,
    /// What was done about fields that nobody knows.
    unread: Option<String>,
    /// Of all that it says, the file included.
    pub(super) print: Vec<u8>,
    /// A large body is one of a few in memory at a time.
    turn: Option<Turn>,
}

impl FromRequest<Api> for Asked {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("multipart/form-data")) {
            return Self::from_form(request, api).await;
        }
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let is_small =
            length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| length <= BODY_MAX);
        let (mut parts, body) = request.into_parts();
        let turn = if is_small {
            None
        } else {
            let session = OwnSession::from_request_parts(&mut parts, api).await?;
            Some(api.media.turn_for_text(session.caller.store.tenant_id()).await?)
        };
        let json = timeout(ARRIVAL_MAX, read(body, JSON_MAX)).await.map_err(|_| ApiError::slow_body())??;
        let (new, unread) = read_leniently(&json)?;
        Ok(Self { new, file: None, unread, print: canonical(&json), turn })
    }
}

/// A body without regard to spaces and the order of its fields. A file in it counts by its hash.
fn canonical(json: &[u8]) -> Vec<u8> {
    if json.len() > BODY_MAX {
        return Sha256::digest(json).to_vec();
    }
    serde_json::from_slice::<Value>(json)
        .map_or_else(|_| json.to_vec(), |value| value.to_string().into_bytes())
}

impl Asked {
    /// The fields of the JSON, one part each, and the file as the part `file`. It needs no order: what the
    /// file is to be may come after it.
    async fn from_form(request: Request, api: &Api) -> Result<Self, ApiError> {
        let broken = |problem: axum::extract::multipart::MultipartError| {
            ApiError::bad("INVALID_FORM", problem.body_text())
        };
        let (mut parts, body) = request.into_parts();
        let session = OwnSession::from_request_parts(&mut parts, api).await?;
        let form = Multipart::from_request(Request::from_parts(parts, body), api).await;
        let mut form = form.map_err(|problem| ApiError::bad("INVALID_FORM", problem.body_text()))?;
        let mut fields: BTreeMap<String, Value> = BTreeMap::new();
        let mut file: Option<MediaRow> = None;
        let mut size = 0;
        while let Some(part) = form.next_field().await.map_err(broken)? {
            let name = part.name().unwrap_or_default().to_owned();
            if fields.contains_key(&name) || (name == "file" && file.is_some()) {
                return Err(ApiError::bad("INVALID_FORM", format!("{name}: one part, not two")));
            }
            if name == "file" {
                file = store(api, &session, part, &fields).await?;
                continue;
            }
            let text = text(part, &name).await?;
            size += name.len() + text.len();
            if size > PART_MAX {
                return Err(ApiError::too_large(PART_MAX));
            }
            // A form sends the fields that nobody filled in as well.
            if !text.is_empty() {
                let value = value_of(&name, text)?;
                fields.insert(name, value);
            }
        }
        let json = serde_json::to_vec(&fields).map_err(anyhow::Error::from)?;
        let mut print = json.clone();
        print.extend(file.iter().flat_map(|file| file.sha256.iter().flatten()));
        let (new, unread) = read_leniently(&json)?;
        Ok(Self { new, file, unread, print, turn: None })
    }

    /// The wish, and what was done about fields that nobody knows.
    pub(super) fn wish(self) -> (MessageWish, Option<String>) {
        let file = self.file.map(|file| GivenFile { id: file.id, kind: file.kind });
        (MessageWish { file, turn: self.turn, ..self.new.into() }, self.unread)
    }
}

/// A form's file goes to the store as it comes. A browser sends an empty part without a name where nobody
/// chose a file: that is none.
async fn store(
    api: &Api,
    session: &OwnSession,
    mut part: Field<'_>,
    fields: &BTreeMap<String, Value>,
) -> Result<Option<MediaRow>, ApiError> {
    let said = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
    let declared = Declared {
        kind: said("type").and_then(|kind| Kind::parse(&kind)),
        mime: part.content_type().map(str::to_owned),
        file_name: said("fileName")
            .or_else(|| part.file_name().map(str::to_owned))
            .as_deref()
            .and_then(file_name),
        origin: Origin::Upload,
    };
    let broken = |problem: MultipartError| match problem.status() {
        // The connection's, not the form's.
        status if status.is_server_error() => Refusal::TooSlow,
        _ => Refusal::BrokenOff,
    };
    let is_named = part.file_name().is_some_and(|name| !name.is_empty());
    // An empty part comes as a piece without bytes.
    let first = loop {
        match part.chunk().await.map_err(broken)? {
            Some(piece) if piece.is_empty() => {}
            other => break other,
        }
    };
    if first.is_none() && !is_named {
        return Ok(None);
    }
    let bytes = stream::iter(first.map(Ok)).chain(part.map_err(broken));
    Ok(Some(api.media.take(&session.caller.store, declared, bytes).await?))
}

async fn text(mut part: Field<'_>, name: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    let ended = |problem: axum::extract::multipart::MultipartError| {
        ApiError::bad("INVALID_FORM", problem.body_text())
    };
    while let Some(chunk) = part.chunk().await.map_err(ended)? {
        if bytes.len() + chunk.len() > PART_MAX {
            return Err(ApiError::too_large(PART_MAX));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| ApiError::bad("INVALID_FORM", format!("{name}: not UTF-8")))
}

/// What is not text in JSON is written as JSON in a form.
fn value_of(name: &str, text: String) -> Result<Value, ApiError> {
    let is_json = matches!(
        name,
        "viewOnce"
            | "linkPreview"
            | "gif"
            | "options"
            | "selectableCount"
            | "latitude"
            | "longitude"
            | "contacts"
            | "mentions"
            | "expiresIn"
            | "typing"
    );
    if !is_json {
        return Ok(Value::String(text));
    }
    serde_json::from_str(&text)
        .map_err(|problem| ApiError::bad("INVALID_REQUEST", format!("{name}: not valid JSON: {problem}")))
}
