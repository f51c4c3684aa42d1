//! Typing, recording, and who is online.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::clock::At;
use wapid_core::people::{Presence, Typing};
use wapid_core::phone::Phone;

use super::Api;
use super::body::Body;
use super::contacts::{PersonPath, named};
use super::error::ApiError;
use super::given_number::GivenNumber;
use super::openapi::{DONE, Done, Refusals};
use super::params::PathParams;
use crate::caller::OwnSession;
use crate::usecases::home::home_of;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowTyping {
    /// A number or JID
    to: GivenNumber,
    /// `composing`, `recording` or `paused`
    #[schema(example = "composing")]
    state: String,
}

/// Show somebody that you type or record
///
/// It shows for some 20 seconds, or until a message arrives or `paused`.
#[utoipa::path(
    operation_id = "show_typing",
    post, path = "/api/whatsapp/session/{id}/typing", tag = "people", request_body = ShowTyping,
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn show_typing(
    State(api): State<Api>,
    session: OwnSession,
    body: Body<ShowTyping>,
) -> Result<Json<Done>, ApiError> {
    let to = body.value.to.recipient(home_of(&session.caller.store, None).await?)?;
    let invalid = || ApiError::bad("INVALID_REQUEST", "state: composing, recording or paused");
    let typing = Typing::parse(&body.value.state).ok_or_else(invalid)?;
    api.sessions.show_typing(&session.row, &to, typing).await?;
    Ok(DONE)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowPresence {
    /// `available` or `unavailable`
    #[schema(example = "unavailable")]
    state: String,
}

/// Be online, or not
///
/// A session is online while it is connected, unless it says `unavailable`; then the phone gets its
/// notifications, and nothing is heard of others' presence and typing. It lasts until the session is
/// stopped, or the gateway restarts.
#[utoipa::path(
    operation_id = "show_presence",
    post, path = "/api/whatsapp/session/{id}/presence", tag = "people", request_body = ShowPresence,
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn show(
    State(api): State<Api>,
    session: OwnSession,
    body: Body<ShowPresence>,
) -> Result<Json<Done>, ApiError> {
    let presence = match body.value.state.as_str() {
        "available" => Presence::Available,
        "unavailable" => Presence::Unavailable,
        _ => return Err(ApiError::bad("INVALID_REQUEST", "state: available or unavailable")),
    };
    api.sessions.show_presence(&session.row, presence).await?;
    Ok(DONE)
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceShown {
    phone: Option<String>,
    lid: Option<String>,
    /// `available` or `unavailable`; `null` while WhatsApp has not said
    #[schema(value_type = Option<String>, example = "unavailable")]
    state: Option<Presence>,
    /// Of somebody who is not online and shows it
    last_seen: Option<String>,
    /// `composing`, `recording` or `paused`, where they did so in their chat with this session within the last
    /// 25 seconds
    #[schema(value_type = Option<String>)]
    typing: Option<Typing>,
}

/// Is somebody online?
///
/// The session follows them from the first question on, up to 500 people at a time, and answers what it last
/// heard; the first answer is waited for up to 2 seconds. WhatsApp says nothing of people who hide it. Set
/// `presenceEvents` in the settings to be told of changes by `presence.updated` and `chat.typing`.
#[utoipa::path(
    operation_id = "follow_presence",
    get, path = "/api/whatsapp/session/{id}/presence/{phone}", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("phone" = String, Path, description = "A number, a LID's JID, or a contactId")
    ),
    responses((status = 200, description = "What is known of the person", body = PresenceShown), Refusals)
)]
pub async fn follow(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<PersonPath>,
) -> Result<Json<PresenceShown>, ApiError> {
    let (contact, seen) =
        api.sessions.follow_presence(&session.row, named(&session.caller, path.person()).await?).await?;
    let seen = seen.unwrap_or_default();
    Ok(Json(PresenceShown {
        phone: contact.who.phone.as_ref().map(Phone::digits).map(str::to_owned),
        lid: contact.who.lid,
        state: seen.presence,
        last_seen: seen.last_seen.map(At::iso),
        typing: seen.typing,
    }))
}
