//! What the owners of simulated phones do beside writing, and what their phones show of others.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::phone::{Phone, Recipient};
use wapid_sandbox::{PhoneAct, PresenceState, Seen, Typing};

use crate::api::Api;
use crate::api::body::Body;
use crate::api::caller::Tester;
use crate::api::error::ApiError;
use crate::api::openapi::{DONE, Done, Refusals};
use crate::api::params::PathParams;

/// The phone in the path.
#[derive(Deserialize)]
pub struct PhonePath {
    phone: String,
}

/// A phone in any spelling.
fn digits(text: &str) -> Result<String, ApiError> {
    Ok(Phone::parse(text, None)?.digits().to_owned())
}

async fn act(api: &Api, tester: &Tester, path: &PhonePath, act: PhoneAct) -> Result<Json<Done>, ApiError> {
    api.sessions.sandbox().act(&tester.book, &digits(&path.phone)?, act).await?;
    Ok(DONE)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhonePresence {
    /// `available` or `unavailable`
    #[schema(value_type = String, example = "available")]
    state: PresenceState,
}

/// The phone's owner opens or leaves the app
#[utoipa::path(
    operation_id = "sandbox_presence",
    post, path = "/api/sandbox/phones/{phone}/presence", tag = "sandbox", request_body = PhonePresence,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn presence(
    State(api): State<Api>,
    tester: Tester,
    PathParams(path): PathParams<PhonePath>,
    body: Body<PhonePresence>,
) -> Result<Json<Done>, ApiError> {
    act(&api, &tester, &path, PhoneAct::Presence { state: body.value.state }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneTypes {
    /// A number, or a group's JID
    to: String,
    /// `composing`, `recording` or `paused`
    #[schema(value_type = String, example = "composing")]
    state: Typing,
}

/// The phone's owner types or records
#[utoipa::path(
    operation_id = "sandbox_typing",
    post, path = "/api/sandbox/phones/{phone}/typing", tag = "sandbox", request_body = PhoneTypes,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn typing(
    State(api): State<Api>,
    tester: Tester,
    PathParams(path): PathParams<PhonePath>,
    body: Body<PhoneTypes>,
) -> Result<Json<Done>, ApiError> {
    let to = match Recipient::parse(&body.value.to, None)? {
        Recipient::Person(phone) => phone.digits().to_owned(),
        other => other.jid(),
    };
    act(&api, &tester, &path, PhoneAct::Typing { to, state: body.value.state }).await
}

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneProfile {
    name: Option<String>,
    about: Option<String>,
    /// A JPEG in base64, of at most 640 KiB; an empty text removes the picture
    picture: Option<String>,
}

/// The phone's owner changes their profile
#[utoipa::path(
    operation_id = "sandbox_profile",
    post, path = "/api/sandbox/phones/{phone}/profile", tag = "sandbox", request_body = PhoneProfile,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn profile(
    State(api): State<Api>,
    tester: Tester,
    PathParams(path): PathParams<PhonePath>,
    body: Body<PhoneProfile>,
) -> Result<Json<Done>, ApiError> {
    let PhoneProfile { name, about, picture } = body.value;
    act(&api, &tester, &path, PhoneAct::Profile { name, about, picture }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneBlocks {
    phone: String,
    /// `false` unblocks
    #[serde(default = "yes")]
    blocked: bool,
}

fn yes() -> bool {
    true
}

/// The phone's owner blocks or unblocks somebody
#[utoipa::path(
    operation_id = "sandbox_block",
    post, path = "/api/sandbox/phones/{phone}/block", tag = "sandbox", request_body = PhoneBlocks,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn block(
    State(api): State<Api>,
    tester: Tester,
    PathParams(path): PathParams<PhonePath>,
    body: Body<PhoneBlocks>,
) -> Result<Json<Done>, ApiError> {
    let phone = digits(&body.value.phone)?;
    act(&api, &tester, &path, PhoneAct::Block { phone, blocked: body.value.blocked }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneSaves {
    phone: String,
    #[schema(example = "Ana")]
    name: String,
}

/// The phone's owner saves somebody under a name
#[utoipa::path(
    operation_id = "sandbox_save_contact",
    post, path = "/api/sandbox/phones/{phone}/contacts", tag = "sandbox", request_body = PhoneSaves,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn save(
    State(api): State<Api>,
    tester: Tester,
    PathParams(path): PathParams<PhonePath>,
    body: Body<PhoneSaves>,
) -> Result<Json<Done>, ApiError> {
    let phone = digits(&body.value.phone)?;
    act(&api, &tester, &path, PhoneAct::Save { phone, name: body.value.name }).await
}

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhoneChat {
    /// With whom
    phone: String,
    archived: Option<bool>,
    pinned: Option<bool>,
    /// Milliseconds since the epoch; 0 unmutes, -1 is for good
    muted_until: Option<i64>,
    /// Marks it read
    #[serde(default)]
    read: bool,
}

/// The phone's owner changes a chat
#[utoipa::path(
    operation_id = "sandbox_change_chat",
    post, path = "/api/sandbox/phones/{phone}/chats", tag = "sandbox", request_body = PhoneChat,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn chat(
    State(api): State<Api>,
    tester: Tester,
    PathParams(path): PathParams<PhonePath>,
    body: Body<PhoneChat>,
) -> Result<Json<Done>, ApiError> {
    let PhoneChat { phone, archived, pinned, muted_until, read } = body.value;
    let phone = digits(&phone)?;
    act(&api, &tester, &path, PhoneAct::Chat { phone, archived, pinned, muted_until, read }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneCalls {
    to: String,
    #[serde(default)]
    video: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rings {
    success: bool,
    call_id: Option<String>,
}

/// The phone's owner calls somebody; it rings, and nobody can answer
#[utoipa::path(
    operation_id = "sandbox_call",
    post, path = "/api/sandbox/phones/{phone}/call", tag = "sandbox", request_body = PhoneCalls,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "The call's id", body = Rings), Refusals)
)]
pub async fn call(
    State(api): State<Api>,
    tester: Tester,
    PathParams(path): PathParams<PhonePath>,
    body: Body<PhoneCalls>,
) -> Result<Json<Rings>, ApiError> {
    let call = PhoneAct::Call { to: digits(&body.value.to)?, video: body.value.video };
    let acted = api.sessions.sandbox().act(&tester.book, &digits(&path.phone)?, call).await?;
    Ok(Json(Rings { success: true, call_id: acted.call_id }))
}

/// The phone, and somebody whom it shows.
#[derive(Deserialize)]
pub struct SeesPath {
    phone: String,
    other: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeenShown {
    phone: String,
    lid: String,
    /// As they call themselves
    name: String,
    /// As this phone's owner saved them
    saved_name: Option<String>,
    about: Option<String>,
    picture_sha256: Option<String>,
    /// `available` or `unavailable`
    #[schema(value_type = String)]
    presence: PresenceState,
    /// Seconds since the epoch
    last_seen: Option<u64>,
    /// `composing`, `recording` or `paused`
    #[schema(value_type = Option<String>)]
    typing: Option<Typing>,
    /// The same in groups, by the group's JID
    #[schema(value_type = BTreeMap<String, String>, example = json!({"120363041234567890@g.us": "composing"}))]
    typing_in_groups: BTreeMap<String, Typing>,
    is_blocked: bool,
    is_archived: bool,
    is_pinned: bool,
    muted_until: i64,
}

/// What the phone shows of somebody
#[utoipa::path(
    operation_id = "sandbox_sees",
    get, path = "/api/sandbox/phones/{phone}/sees/{other}", tag = "sandbox",
    params(("phone" = String, Path, description = "Its number, in digits"), ("other" = String, Path, description = "A number")),
    responses((status = 200, description = "What the phone sees", body = SeenShown), Refusals)
)]
pub async fn sees(
    State(api): State<Api>,
    tester: Tester,
    PathParams(path): PathParams<SeesPath>,
) -> Result<Json<SeenShown>, ApiError> {
    let (phone, other) = (digits(&path.phone)?, digits(&path.other)?);
    let seen = api.sessions.sandbox().sees(&tester.book, &phone, &other).await?;
    let Seen { phone, lid, name, saved_name, about, picture_sha256, presence, last_seen, typing, .. } = seen;
    Ok(Json(SeenShown {
        phone,
        lid,
        name,
        saved_name,
        about,
        picture_sha256,
        presence,
        last_seen,
        typing,
        typing_in_groups: seen.typing_in_groups,
        is_blocked: seen.is_blocked,
        is_archived: seen.is_archived,
        is_pinned: seen.is_pinned,
        muted_until: seen.muted_until,
    }))
}
