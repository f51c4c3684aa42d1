//! Groups of a session's number: who is in them, what they are called, who may do what.
//!
//! | file | what |
//! |---|---|
//! | `given` | what a request says |
//! | `shown` | a group, its people and what became of them, as a caller reads it |

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;
use wapid_core::phone::Recipient;

use super::Api;
use super::body::Body;
use super::error::ApiError;
use super::openapi::Refusals;
use crate::caller::OwnSession;
use crate::session::groups::Joined;
use crate::usecases::{GatewayParts, groups};

mod given;
mod shown;

use given::{ChangeGroup, ChangeParticipants, JoinGroup, NewGroup};
use shown::{Group, GroupList, GroupSummary, Made, Results};

/// The group named in the path, of a session that is the caller's. Whether there is such a group WhatsApp
/// says.
pub struct OfGroup {
    pub session: OwnSession,
    pub jid: String,
}

impl FromRequestParts<Api> for OfGroup {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let session = OwnSession::from_request_parts(parts, api).await?;
        let named = Path::<Vec<(String, String)>>::from_request_parts(parts, api).await;
        let Path(named) = named.map_err(|_| ApiError::no_group())?;
        let id = named.into_iter().find(|(name, _)| name == "groupId").map(|(_, id)| id).unwrap_or_default();
        let id = if id.contains('@') { id } else { format!("{id}@g.us") };
        match Recipient::parse(&id, None) {
            Ok(group @ Recipient::Group(_)) => Ok(Self { session, jid: group.jid() }),
            _ => Err(ApiError::no_group()),
        }
    }
}

/// All groups that the number is in
///
/// Asks WhatsApp. Who is in a group is told by `GET …/groups/{groupId}`.
#[utoipa::path(
    operation_id = "list_groups",
    get, path = "/api/whatsapp/session/{id}/groups", tag = "groups",
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The groups", body = GroupList), Refusals)
)]
pub async fn list(State(api): State<Api>, session: OwnSession) -> Result<Json<GroupList>, ApiError> {
    let groups = api.sessions.groups(&session.row).await?;
    Ok(Json(GroupList { groups: groups.into_iter().map(GroupSummary::of).collect() }))
}

/// Make a group
///
/// The number makes it and owns it. WhatsApp may refuse some of the others; `results` says whom and why, and
/// the group is made all the same.
#[utoipa::path(
    operation_id = "create_group",
    post, path = "/api/whatsapp/session/{id}/groups", tag = "groups", request_body = NewGroup,
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The group, and what became of each person", body = Made), Refusals)
)]
pub async fn create(
    State(gateway): State<GatewayParts>,
    session: OwnSession,
    body: Body<NewGroup>,
) -> Result<Json<Made>, ApiError> {
    let (group, outcomes) = groups::create(&gateway, &session, body.value.into()).await?;
    Ok(Json(Made { success: true, group: Group::of(group), results: shown::results(outcomes, None) }))
}

/// One group and who is in it
#[utoipa::path(
    operation_id = "read_group",
    get, path = "/api/whatsapp/session/{id}/groups/{groupId}", tag = "groups",
    params(("id" = String, Path, description = "Your sessionId"), ("groupId" = String, Path, description = "`…@g.us`")),
    responses((status = 200, description = "The group", body = Group), Refusals)
)]
pub async fn read(State(api): State<Api>, group: OfGroup) -> Result<Json<Group>, ApiError> {
    Ok(Json(Group::of(api.sessions.group(&group.session.row, &group.jid).await?)))
}

/// Change a group
///
/// A field that is left out stays as it is. They are changed one after the other; when WhatsApp refuses one,
/// `error` names it, and those before it are changed.
#[utoipa::path(
    operation_id = "change_group",
    patch, path = "/api/whatsapp/session/{id}/groups/{groupId}", tag = "groups", request_body = ChangeGroup,
    params(("id" = String, Path, description = "Your sessionId"), ("groupId" = String, Path, description = "`…@g.us`")),
    responses((status = 200, description = "The group", body = Group), Refusals)
)]
pub async fn change(
    State(gateway): State<GatewayParts>,
    group: OfGroup,
    body: Body<ChangeGroup>,
) -> Result<Json<Group>, ApiError> {
    let changed = groups::change(&gateway, &group.session, &group.jid, body.value.into()).await?;
    Ok(Json(Group::of(changed)))
}

/// Add, remove, promote or demote people
///
/// Each of them has a result; those whom WhatsApp did not refuse are changed.
#[utoipa::path(
    operation_id = "change_group_participants",
    post, path = "/api/whatsapp/session/{id}/groups/{groupId}/participants", tag = "groups",
    request_body = ChangeParticipants,
    params(("id" = String, Path, description = "Your sessionId"), ("groupId" = String, Path, description = "`…@g.us`")),
    responses((status = 200, description = "What became of each", body = Results), Refusals)
)]
pub async fn participants(
    State(gateway): State<GatewayParts>,
    group: OfGroup,
    body: Body<ChangeParticipants>,
) -> Result<Json<Results>, ApiError> {
    let wish = body.value.into();
    let (action, outcomes) = groups::change_people(&gateway, &group.session, &group.jid, wish).await?;
    Ok(Json(Results { results: shown::results(outcomes, Some(action)) }))
}

#[derive(Serialize, ToSchema)]
pub struct Left {
    success: bool,
}

/// Leave a group
#[utoipa::path(
    operation_id = "leave_group",
    post, path = "/api/whatsapp/session/{id}/groups/{groupId}/leave", tag = "groups",
    params(("id" = String, Path, description = "Your sessionId"), ("groupId" = String, Path, description = "`…@g.us`")),
    responses((status = 200, description = "The number has left", body = Left), Refusals)
)]
pub async fn leave(State(api): State<Api>, group: OfGroup) -> Result<Json<Left>, ApiError> {
    api.sessions.leave_group(&group.session.row, &group.jid).await?;
    Ok(Json(Left { success: true }))
}

#[derive(Serialize, ToSchema)]
pub struct Invite {
    #[schema(example = "https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv")]
    link: String,
}

/// The group's invite link
///
/// Of groups that the number is an admin of.
#[utoipa::path(
    operation_id = "group_invite",
    get, path = "/api/whatsapp/session/{id}/groups/{groupId}/invite", tag = "groups",
    params(("id" = String, Path, description = "Your sessionId"), ("groupId" = String, Path, description = "`…@g.us`")),
    responses((status = 200, description = "The link", body = Invite), Refusals)
)]
pub async fn invite(State(api): State<Api>, group: OfGroup) -> Result<Json<Invite>, ApiError> {
    let link = api.sessions.invite_link(&group.session.row, &group.jid, false).await?;
    Ok(Json(Invite { link }))
}

/// A new invite link; the old one lets nobody in any more
#[utoipa::path(
    operation_id = "reset_group_invite",
    post, path = "/api/whatsapp/session/{id}/groups/{groupId}/invite/reset", tag = "groups",
    params(("id" = String, Path, description = "Your sessionId"), ("groupId" = String, Path, description = "`…@g.us`")),
    responses((status = 200, description = "The link", body = Invite), Refusals)
)]
pub async fn reset_invite(State(api): State<Api>, group: OfGroup) -> Result<Json<Invite>, ApiError> {
    let link = api.sessions.invite_link(&group.session.row, &group.jid, true).await?;
    Ok(Json(Invite { link }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinedGroup {
    success: bool,
    group_id: String,
    /// An admin must let the number in; until then it is not in the group
    pending_approval: bool,
}

/// Join a group by its invite link
#[utoipa::path(
    operation_id = "join_group",
    post, path = "/api/whatsapp/session/{id}/groups/join", tag = "groups", request_body = JoinGroup,
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The group, or that its admins were asked", body = JoinedGroup), Refusals)
)]
pub async fn join(
    State(gateway): State<GatewayParts>,
    session: OwnSession,
    body: Body<JoinGroup>,
) -> Result<Json<JoinedGroup>, ApiError> {
    let (group_id, pending_approval) = match groups::join(&gateway, &session, &body.value.link).await? {
        Joined::In { jid } => (jid, false),
        Joined::Asked { jid } => (jid, true),
    };
    Ok(Json(JoinedGroup { success: true, group_id, pending_approval }))
}

/// What an invite link leads to, without joining
///
/// Not who is in it.
#[utoipa::path(
    operation_id = "preview_group",
    post, path = "/api/whatsapp/session/{id}/groups/preview", tag = "groups", request_body = JoinGroup,
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The group", body = GroupSummary), Refusals)
)]
pub async fn preview(
    State(gateway): State<GatewayParts>,
    session: OwnSession,
    body: Body<JoinGroup>,
) -> Result<Json<GroupSummary>, ApiError> {
    Ok(Json(GroupSummary::of(groups::invited_to(&gateway, &session, &body.value.link).await?)))
}
