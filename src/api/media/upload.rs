//! A new file: as a form, as a body, by a URL, or as base64.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use serde::Deserialize;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};
use wapid_core::media::{Kind, Origin, file_name};
use wapid_core::store::media::MediaRow;

use super::MediaView;
use crate::api::Api;
use crate::api::body::{self, read_json};
use crate::api::error::{ApiError, ErrorBody};
use crate::api::jobs::upload::{broken, text};
use crate::api::openapi::Refusals;
use crate::api::params::QueryParams;
use crate::caller::Caller;
use crate::media::{Declared, Refusal, is_data_url};

/// 16 MiB as base64, and the fields beside it. A larger file is uploaded, or fetched from a URL.
const JSON_MAX: usize = 23 << 20;
/// Larger JSON waits for its turn to be in memory.
const SMALL_JSON: u64 = body::BODY_MAX as u64;
/// However steadily it comes.
const JSON_WITHIN: Duration = Duration::from_secs(120);
/// A type or a file name.
const PART_MAX: usize = 4 << 10;
/// How long a form is read for a part behind its file.
const BEHIND_WITHIN: Duration = Duration::from_secs(20);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UploadQuery {
    /// Where the body is the file: what it is called
    file_name: Option<String>,
    /// `image`, `video`, `audio`, `voice`, `document` or `sticker`; by the file's content by default
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A file that is somewhere else, or written as text
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewMedia {
    /// Where to fetch it, once
    #[schema(example = "https://example.com/invoice.pdf")]
    media_url: Option<String>,
    /// Up to 16 MiB, as base64 or as a `data:` URL
    media_base64: Option<String>,
    /// Its content is believed where the two do not agree, and the file refused where they cannot both be true
    #[schema(example = "application/pdf")]
    media_mime_type: Option<String>,
    file_name: Option<String>,
    /// `image`, `video`, `audio`, `voice`, `document` or `sticker`; by the file's content by default
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A form with the file, and before it what is said of it
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is read part by part")]
pub struct MediaForm {
    /// `image`, `video`, `audio`, `voice`, `document` or `sticker`
    #[schema(rename = "type")]
    kind: Option<String>,
    /// Instead of the name that the file's own part gives
    #[schema(rename = "fileName")]
    file_name: Option<String>,
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Store a file
///
/// To send it, to as many as you like, by its `mediaId`. The file comes as the part `file` of a form, as the
/// whole body with its `Content-Type`, or by JSON that says where it is (`mediaUrl`) or holds it
/// (`mediaBase64`). It is judged by its content: what cannot be shown as its type is refused. Images up to
/// 16 MiB (JPEG, PNG, WebP, GIF), videos up to 64 MiB (MP4, 3GP, MOV), audio up to 16 MiB (AAC, AMR, MP3,
/// M4A, Ogg), voice notes of any of these, WAV, FLAC or WebM, stickers of 512 x 512 pixels as WebP
/// (100 kB, or 500 kB if they move), documents of any type up to 100 MiB.
#[utoipa::path(
    operation_id = "create_media",
    post, path = "/api/whatsapp/media", tag = "media", params(UploadQuery),
    request_body(content(
        (MediaForm = "multipart/form-data"),
        (NewMedia = "application/json"),
        (Vec<u8> = "application/octet-stream")
    )),
    responses(
        (status = 200, description = "The file", body = MediaView),
        (status = 429, description = "Too many files are on their way", body = ErrorBody),
        Refusals
    )
)]
pub async fn create(
    State(api): State<Api>,
    caller: Caller,
    QueryParams(query): QueryParams<UploadQuery>,
    request: Request,
) -> Result<Json<MediaView>, ApiError> {
    let named = query.file_name.as_deref().and_then(file_name);
    let given = Given { kind: kind_of(query.kind.as_deref())?, file_name: named };
    let content_type = content_type(request.headers());
    let row = if content_type.as_deref().is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        let form = Multipart::from_request(request, &api)
            .await
            .map_err(|problem| ApiError::bad("INVALID_FORM", problem.body_text()))?;
        from_form(&api, &caller, given, form).await?
    } else if content_type.as_deref().is_some_and(is_json) {
        from_json(&api, &caller, given, request).await?
    } else {
        from_body(&api, &caller, given, content_type, request.into_body()).await?
    };
    Ok(Json(MediaView::of(&row)))
}

/// What is said of a file before it comes.
struct Given {
    kind: Option<Kind>,
    file_name: Option<String>,
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(kind.trim().to_ascii_lowercase())
}

/// # Errors
/// When it is no word that we know.
pub fn kind_of(text: Option<&str>) -> Result<Option<Kind>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let words: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    let unknown = || ApiError::bad("INVALID_REQUEST", format!("type: one of {}", words.join(", ")));
    Kind::parse(text).map(Some).ok_or_else(unknown)
}

/// The body is the file.
async fn from_body(
    api: &Api,
    caller: &Caller,
    given: Given,
    mime: Option<String>,
    body: Body,
) -> Result<MediaRow, ApiError> {
    let declared = Declared { kind: given.kind, mime, file_name: given.file_name, origin: Origin::Upload };
    let body = body.into_data_stream().map(|piece| piece.map_err(|_| Refusal::TooSlow));
    Ok(api.media.take(&caller.store, declared, body).await?)
}

/// `curl -d` calls JSON a form, and nobody sends a file as one.
fn is_json(content_type: &str) -> bool {
    ["application/json", "application/x-www-form-urlencoded"]
        .iter()
        .any(|kind| content_type.starts_with(kind))
}

/// The parts `type` and `fileName`, where they are there, and then `file`.
async fn from_form(
    api: &Api,
    caller: &Caller,
    given: Given,
    mut form: Multipart,
) -> Result<MediaRow, ApiError> {
    let Given { mut kind, file_name: mut named } = given;
    while let Some(field) = form.next_field().await.map_err(|problem| broken(&problem))? {
        match field.name().unwrap_or_default() {
            // A form sends the fields that nobody filled in as well.
            "type" => {
                let word = text(field, PART_MAX).await?;
                kind = kind_of(Some(word.as_str()).filter(|word| !word.is_empty()))?.or(kind);
            }
            "fileName" => {
                let name = text(field, PART_MAX).await?;
                named = file_name(&name).or(named);
            }
            "file" => {
                let mime = field.content_type().map(str::to_owned);
                let file_name = named.or_else(|| field.file_name().and_then(file_name));
                let declared = Declared { kind, mime, file_name, origin: Origin::Upload };
                let row = api.media.take(&caller.store, declared, pieces(field)).await?;
                if let Some(late) = part_behind(&mut form).await {
                    // The file went by what was said until it came.
                    api.media.remove(&caller.store, &row.id).await?;
                    return Err(ApiError::bad("INVALID_FORM", format!("{late}: put it before the file")));
                }
                return Ok(row);
            }
            other => {
                let why = format!("{other}: the parts of this form are type, fileName and file");
                return Err(ApiError::bad("INVALID_FORM", why));
            }
        }
    }
    Err(ApiError::bad("INVALID_FORM", "file: the form has no such part"))
}

fn pieces(field: Field<'_>) -> impl Stream<Item = Result<Bytes, Refusal>> + Send + '_ {
    let refusal = |problem: MultipartError| match problem.status() {
        // The connection's, not the form's.
        status if status.is_server_error() => Refusal::TooSlow,
        _ => Refusal::BrokenOff,
    };
    field.map(move |piece| piece.map_err(refusal))
}

/// A URL or base64.
async fn from_json(api: &Api, caller: &Caller, given: Given, request: Request) -> Result<MediaRow, ApiError> {
    let tenant = caller.store.tenant_id();
    let is_small = content_length(request.headers()).is_some_and(|length| length <= SMALL_JSON);
    let _turn = if is_small { None } else { Some(api.media.turn_for_text(tenant).await?) };
    let read = timeout(JSON_WITHIN, body::read(request.into_body(), JSON_MAX)).await;
    let bytes = read.map_err(|_| ApiError::slow_body())??;
    let new: NewMedia = read_json(&bytes)?;
    drop(bytes);
    let declared = |origin| {
        Ok::<_, ApiError>(Declared {
            kind: kind_of(new.kind.as_deref())?.or(given.kind),
            mime: new.media_mime_type.clone(),
            file_name: new.file_name.as_deref().and_then(file_name).or(given.file_name.clone()),
            origin,
        })
    };
    let is_given = |text: &&String| !text.trim().is_empty();
    match (new.media_url.as_ref().filter(is_given), new.media_base64.as_ref().filter(is_given)) {
        // It holds its file, wherever it stands.
        (Some(url), None) if is_data_url(url) => {
            let text = url.clone();
            Ok(api.media.from_base64(&caller.store, text, declared(Origin::Base64)?).await?)
        }
        (Some(url), None) => Ok(api.media.fetch_url(&caller.store, url, declared(Origin::Url)?).await?),
        (None, Some(_)) => {
            let declared = declared(Origin::Base64)?;
            let text = new.media_base64.unwrap_or_default();
            Ok(api.media.from_base64(&caller.store, text, declared).await?)
        }
        (None, None) if new.media_base64.is_some() => Err(Refusal::Empty.into()),
        _ => Err(ApiError::bad("INVALID_REQUEST", "mediaUrl or mediaBase64: one of the two")),
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The name of a part that came too late to be heeded.
async fn part_behind(form: &mut Multipart) -> Option<String> {
    let named = async {
        while let Ok(Some(field)) = form.next_field().await {
            if let Some(name) = field.name() {
                return Some(name.to_owned());
            }
        }
        None
    };
    timeout(BEHIND_WITHIN, named).await.unwrap_or_default()
}
