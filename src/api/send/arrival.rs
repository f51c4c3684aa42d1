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
use wapid_core::content::Content;
use wapid_core::media::{Kind, Origin, file_name};
use wapid_core::phone::Country;
use wapid_core::store::media::MediaRow;
use wapid_core::turns::Turn;

use super::{Letter, NewMessage, Pause};
use crate::api::Api;
use crate::api::body::{BODY_MAX, read, read_leniently};
use crate::api::error::ApiError;
use crate::api::home::home_of;
use crate::api::params::message_name;
use crate::caller::OwnSession;
use crate::media::{Declared, Refusal};
use crate::session::TypingWish;
use crate::usecases::send::content::{self, Said};
use crate::usecases::send::named::{self, Named};

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
    pub(super) unread: Option<String>,
    /// Of all that it says, the file included.
    pub(super) print: Vec<u8>,
    /// A large body is one of a few in memory at a time.
    _turn: Option<Turn>,
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
        Ok(Self { new, file: None, unread, print: canonical(&json), _turn: turn })
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
        Ok(Self { new, file, unread, print, _turn: None })
    }

    /// Whether somebody is shown typing first.
    pub(super) fn typing(&self) -> Result<Option<TypingWish>, ApiError> {
        self.new.typing.as_ref().map_or(Ok(None), Pause::wish)
    }

    /// Whom it is for and what it says. Files are fetched last, when all else is right.
    pub(super) async fn letter(self, api: &Api, session: &OwnSession) -> Result<Letter, ApiError> {
        let Self { new, file, .. } = self;
        let now = api.sessions.store().clock().now();
        let home = home_of(&session.caller.store, new.default_country.as_deref()).await?;
        let to = new.to.as_ref().map(|given| given.recipient(home)).transpose()?;
        let id = new.message_id.as_deref().map(|id| message_name("messageId", id)).transpose()?;
        let kind = new.kind.as_deref().unwrap_or("text");
        let changes = matches!(kind, "reaction" | "edit" | "delete" | "forward");
        if !changes && id.is_some() {
            return Err(ApiError::bad(
                "INVALID_REQUEST",
                "messageId: for reaction, edit, delete and forward",
            ));
        }
        if changes {
            if new.link_preview == Some(true) {
                return Err(content::no_preview());
            }
            let id = id.ok_or_else(|| ApiError::bad("INVALID_REQUEST", "messageId: required"))?;
            let meant = to.as_ref().filter(|_| kind != "forward");
            let named = Named::find(api, session, &id, meant).await?;
            if kind == "forward" {
                let to = to.ok_or_else(|| ApiError::bad("INVALID_REQUEST", "to: whom it is sent on to"))?;
                return Ok(Letter { to, content: named.forward()?, notice: None });
            }
            let body = match kind {
                "reaction" => named.reaction(new.emoji)?,
                "edit" => {
                    let (message, header, footer) =
                        (new.message.as_deref(), new.header.as_deref(), new.footer.as_deref());
                    named.edit(content::words(message, header, footer)?, now)?
                }
                _ => named.delete(now)?,
            };
            return Ok(Letter { to: named.chat()?, content: body.into(), notice: None });
        }
        let to = to.ok_or_else(|| ApiError::bad("INVALID_REQUEST", "to: required"))?;
        let mentions = new.mentions.as_deref().unwrap_or_default();
        let quoted = new.quoted_message_id.as_deref();
        let quoted = quoted.map(|id| message_name("quotedMessageId", id)).transpose()?;
        let mut context =
            named::context(api, session, &to, quoted.as_ref(), (mentions, home), new.expires_in).await?;
        let said = new.said(file.as_ref(), home)?;
        let notice = said.notice();
        context.preview = said.preview()?;
        let mut draft = said.draft()?;
        let file = draft.store(api, &session.caller.store).await?;
        Ok(Letter { to, content: Content { body: draft.body(file.as_ref()), context }, notice })
    }
}

impl NewMessage {
    fn said(self, file: Option<&MediaRow>, home: Option<Country>) -> Result<Said, ApiError> {
        if file.is_some() && self.media_id.as_deref().is_some_and(|id| !id.trim().is_empty()) {
            return Err(ApiError::bad(
                "INVALID_REQUEST",
                "mediaUrl, mediaBase64, mediaId, file: one of them, not several",
            ));
        }
        Ok(Said {
            kind: self.kind.or_else(|| file.map(|file| file.kind.as_str().to_owned())),
            message: self.message,
            header: self.header,
            footer: self.footer,
            media_url: self.media_url,
            media_base64: self.media_base64,
            media_id: file.map(|file| file.id.to_string()).or(self.media_id),
            media_mime_type: self.media_mime_type,
            file_name: self.file_name,
            view_once: self.view_once,
            link_preview: self.link_preview,
            gif: self.gif,
            options: self.options,
            selectable_count: self.selectable_count,
            latitude: self.latitude,
            longitude: self.longitude,
            name: self.name,
            address: self.address,
            contacts: self.contacts,
            home,
            same_file: false,
        })
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
