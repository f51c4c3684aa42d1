//! Files: stored once, sent to many; and what was received.
//!
//! | file | what |
//! |---|---|
//! | `upload` | a new file: a form, a body, a URL or base64 |
//! | `content` | a file's bytes, whole or in part |
//! | `link` | a URL to them that needs no key, for a while |

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::id::MediaId;
use wapid_core::store::TenantStore;
use wapid_core::store::media::MediaRow;

use super::Api;
use super::answers::Rows;
use super::error::ApiError;
use super::openapi::Refusals;
use super::params::{QueryParams, is_full, page_of, within};
use super::visit::OwnVisit;
use crate::caller::Caller;

pub mod content;
pub mod link;
pub mod upload;

const PAGE: i64 = 20;
const PAGE_MAX: i64 = 100;

/// A file
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaView {
    #[schema(example = "med_01jns9z4m0k3v8q2w7x5y6z1ab")]
    media_id: String,
    /// `image`, `video`, `audio`, `voice`, `document` or `sticker`
    #[serde(rename = "type")]
    #[schema(example = "image")]
    kind: &'static str,
    /// By its content
    #[schema(example = "image/jpeg")]
    mime_type: String,
    file_name: Option<String>,
    /// In bytes
    size: Option<i64>,
    /// Of its bytes, in hex
    sha256: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    seconds: Option<i64>,
    /// `stored`; of a received file also `waiting` (not fetched yet), `failed`, or `gone` (WhatsApp has it no
    /// longer)
    #[schema(example = "stored")]
    state: &'static str,
    /// Why it could not be fetched
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// `upload`, `url`, `base64` or `received`
    origin: &'static str,
    created_at: String,
    /// It is kept until then, and longer where a message that waits to be sent needs it
    expires_at: String,
    /// Its bytes, on this server, with your key
    #[schema(example = "/api/whatsapp/media/med_01jns9z4m0k3v8q2w7x5y6z1ab/content")]
    url: String,
}

impl MediaView {
    pub fn of(row: &MediaRow) -> Self {
        Self {
            media_id: row.id.to_string(),
            kind: row.kind.as_str(),
            mime_type: row.mime.clone(),
            file_name: row.file_name.clone(),
            size: row.size,
            sha256: row.sha256.as_ref().map(hex::encode),
            width: row.width,
            height: row.height,
            seconds: row.seconds,
            state: row.state.as_str(),
            error: row.error.clone(),
            origin: row.origin.as_str(),
            created_at: row.created_at.iso(),
            expires_at: row.expires_at.iso(),
            url: format!("/api/whatsapp/media/{}/content", row.id),
        }
    }
}

/// The id in a path, as one that may be ours.
pub type GivenId = Result<Path<String>, PathRejection>;

/// The file named in a path, if it is the caller's.
async fn found(store: &TenantStore, id: GivenId) -> Result<MediaRow, ApiError> {
    let id = id.ok().and_then(|Path(id)| MediaId::parse(&id)).ok_or_else(ApiError::no_media)?;
    store.media(&id).await?.ok_or_else(ApiError::no_media)
}

/// What is known of a file
#[utoipa::path(
    operation_id = "get_media",
    get, path = "/api/whatsapp/media/{mediaId}", tag = "media",
    params(("mediaId" = String, Path, description = "Of an upload, or of a message with media")),
    responses((status = 200, description = "The file", body = MediaView), Refusals)
)]
pub async fn read(caller: Caller, id: GivenId) -> Result<Json<MediaView>, ApiError> {
    Ok(Json(MediaView::of(&found(&caller.store, id).await?)))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MediaQuery {
    /// `nextBefore` of the answer before
    before: Option<String>,
    /// Files per page, 1 to 100; 20 by default
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaPage {
    #[schema(value_type = Vec<MediaView>)]
    media: Rows,
    /// Give it as `before` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<String>,
    /// Bytes of all that is stored
    used: i64,
}

/// Files, newest first
#[utoipa::path(
    operation_id = "list_media",
    get, path = "/api/whatsapp/media", tag = "media", params(MediaQuery),
    responses((status = 200, description = "A part of the files", body = MediaPage), Refusals)
)]
pub async fn list(
    caller: Caller,
    visit: OwnVisit,
    QueryParams(query): QueryParams<MediaQuery>,
) -> Result<Json<MediaPage>, ApiError> {
    let limit = within("limit", query.limit.unwrap_or(PAGE), PAGE_MAX)?;
    let before = match &query.before {
        Some(text) => {
            let id = MediaId::parse(text);
            Some(id.ok_or_else(|| ApiError::parameter("before: nextBefore of the answer before"))?)
        }
        None => None,
    };
    visit.prepare().await?;
    let rows = caller.store.media_page(before.as_ref(), limit).await?;
    let is_full = is_full(&rows, limit);
    let (media, next_before) = page_of(rows, is_full, |row| row.id.to_string(), |row| MediaView::of(&row))?;
    Ok(Json(MediaPage { next_before, media, used: caller.store.media_used().await? }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaRemoved {
    success: bool,
    media_id: String,
}

/// Remove a file
///
/// Messages that were sent with it keep it: WhatsApp has its own copy.
#[utoipa::path(
    operation_id = "remove_media",
    delete, path = "/api/whatsapp/media/{mediaId}", tag = "media",
    params(("mediaId" = String, Path, description = "The file")),
    responses((status = 200, description = "The file is gone", body = MediaRemoved), Refusals)
)]
pub async fn remove(
    State(api): State<Api>,
    caller: Caller,
    id: GivenId,
) -> Result<Json<MediaRemoved>, ApiError> {
    let row = found(&caller.store, id).await?;
    if !api.media.remove(&caller.store, &row.id).await? {
        return Err(ApiError::no_media());
    }
    Ok(Json(MediaRemoved { success: true, media_id: row.id.to_string() }))
}
