//! A session's own profile: name, about text and picture.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::Api;
use super::body::{self, Body};
use super::error::ApiError;
use super::openapi::{DONE, Done, Refusals};
use crate::caller::OwnSession;
use crate::session::OwnProfile;

/// WhatsApp's own limits, in characters.
const NAME_MAX: usize = 25;
const ABOUT_MAX: usize = 139;
/// How long a picture's bytes may be in coming.
const PICTURE_WITHIN: Duration = Duration::from_secs(60);
/// A picture as a camera makes it.
const PICTURE_MAX: usize = 10 << 20;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileShown {
    /// What others see beside messages, until they save a name of their own
    name: String,
    about: Option<String>,
    /// The linked number
    #[schema(example = "919876543210")]
    phone_number: String,
    /// WhatsApp's hidden id of the linked number, by which groups know it
    #[schema(example = "123456789012345")]
    lid: Option<String>,
    /// Good for some hours; `null` without a picture
    picture_url: Option<String>,
}

impl ProfileShown {
    fn of(profile: OwnProfile) -> Self {
        let OwnProfile { account, name, about, picture } = profile;
        let picture_url = picture.map(|picture| picture.url);
        Self { name, about, phone_number: account.phone, lid: account.lid, picture_url }
    }
}

/// The account's own profile
#[utoipa::path(
    operation_id = "get_profile",
    get, path = "/api/whatsapp/session/{id}/profile", tag = "people",
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The profile", body = ProfileShown), Refusals)
)]
pub async fn read(State(api): State<Api>, session: OwnSession) -> Result<Json<ProfileShown>, ApiError> {
    Ok(Json(ProfileShown::of(api.sessions.own_profile(&session.row).await?)))
}

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProfile {
    /// 1 to 25 characters
    #[schema(example = "The Shop")]
    name: Option<String>,
    /// Up to 139 characters; empty for none
    about: Option<String>,
}

/// Change name and about text
#[utoipa::path(
    operation_id = "put_profile",
    put, path = "/api/whatsapp/session/{id}/profile", tag = "people", request_body = NewProfile,
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The profile", body = ProfileShown), Refusals)
)]
pub async fn change(
    State(api): State<Api>,
    session: OwnSession,
    body: Body<NewProfile>,
) -> Result<Json<ProfileShown>, ApiError> {
    let NewProfile { name, about } = body.value;
    let name = name.as_deref().map(str::trim);
    let is_text = |text: &str, max: usize| text.chars().count() <= max && !text.chars().any(|c| c == '\0');
    if name.is_none() && about.is_none() {
        return Err(ApiError::bad("INVALID_REQUEST", "Give name, about, or both"));
    }
    if name.is_some_and(|name| name.is_empty() || !is_text(name, NAME_MAX)) {
        return Err(ApiError::bad("INVALID_REQUEST", format!("name: 1 to {NAME_MAX} characters")));
    }
    if about.as_deref().is_some_and(|about| !is_text(about, ABOUT_MAX)) {
        return Err(ApiError::bad("INVALID_REQUEST", format!("about: at most {ABOUT_MAX} characters")));
    }
    let profile = api.sessions.change_profile(&session.row, name, about.as_deref()).await?;
    Ok(Json(ProfileShown::of(profile)))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureSet {
    success: bool,
    /// WhatsApp's id of it
    picture_id: String,
}

/// Set the profile picture
///
/// The body is a JPEG or a PNG of up to 10 MB, with 96 to 6,000 pixels on a side. Its middle becomes a square
/// of at most 640 pixels. Its content type is not looked at.
#[utoipa::path(
    operation_id = "put_profile_picture",
    put, path = "/api/whatsapp/session/{id}/profile/picture", tag = "people",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The picture is set", body = PictureSet), Refusals)
)]
pub async fn set_picture(
    State(api): State<Api>,
    session: OwnSession,
    request: Request,
) -> Result<Json<PictureSet>, ApiError> {
    // Held until the picture is set: each is in memory as a whole.
    let _turn = api.media.turn_for_text(session.caller.store.tenant_id()).await?;
    let read = timeout(PICTURE_WITHIN, body::read(request.into_body(), PICTURE_MAX)).await;
    let bytes = read.map_err(|_| ApiError::slow_body())??;
    let picture_id = api.sessions.set_picture(&session.row, bytes).await?;
    Ok(Json(PictureSet { success: true, picture_id }))
}

/// Remove the profile picture
#[utoipa::path(
    operation_id = "delete_profile_picture",
    delete, path = "/api/whatsapp/session/{id}/profile/picture", tag = "people",
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn remove_picture(State(api): State<Api>, session: OwnSession) -> Result<Json<Done>, ApiError> {
    api.sessions.remove_picture(&session.row).await?;
    Ok(DONE)
}
