//! Groups among simulated phones, for test keys.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_sandbox::{Addressing, GroupAct, GroupDone, GroupInfo};

use crate::api::Api;
use crate::api::body::Body;
use crate::api::caller::Tester;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;

#[derive(Deserialize, ToSchema)]
#[schema(as = SandboxNewGroup)]
pub struct NewGroup {
    /// The phone that makes the group and owns it
    #[schema(example = "+55 11 90000-0001")]
    phone: String,
    #[schema(example = "Team")]
    subject: String,
    /// Numbers of other phones
    #[serde(default)]
    participants: Vec<String>,
    /// How members are named: `lid`, as WhatsApp does now, or `pn`
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "lid")]
    addressing: Addressing,
}

/// What a phone does in a group
#[derive(Deserialize, ToSchema)]
#[schema(as = SandboxGroupAct)]
pub struct Acting {
    /// Which phone
    #[schema(example = "+55 11 90000-0001")]
    phone: String,
    /// `add`, `remove`, `promote`, `demote` with `participants`; `leave`; `join` with `code`; `rename` with
    /// `subject`; `describe` with `description`; `announce`, `lock`, `members_add` with `on`; `ephemeral`
    /// with `seconds`; `reset_invite`
    #[serde(flatten)]
    #[schema(value_type = Object)]
    act: GroupAct,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SandboxGroups)]
pub struct Groups {
    #[schema(value_type = Vec<Object>)]
    groups: Vec<GroupInfo>,
}

/// Every group of this tenant's phones
#[utoipa::path(
    operation_id = "sandbox_list_groups",
    get, path = "/api/sandbox/groups", tag = "sandbox",
    responses((status = 200, body = Groups), Refusals)
)]
pub async fn list(State(api): State<Api>, tester: Tester) -> Result<Json<Groups>, ApiError> {
    Ok(Json(Groups { groups: api.sessions.sandbox().groups(&tester.book).await? }))
}

/// A phone makes a group
#[utoipa::path(
    operation_id = "sandbox_create_group",
    post, path = "/api/sandbox/groups", tag = "sandbox", request_body = NewGroup,
    responses((status = 200, body = Object, description = "The group, and a result for each participant"), Refusals)
)]
pub async fn create(
    State(api): State<Api>,
    tester: Tester,
    body: Body<NewGroup>,
) -> Result<Json<GroupDone>, ApiError> {
    let NewGroup { phone, subject, participants, addressing } = body.value;
    let new = wapid_sandbox::NewGroup {
        phone: super::phone(&phone)?,
        subject,
        participants: participants.iter().map(|phone| super::phone(phone)).collect::<Result<_, _>>()?,
        addressing,
    };
    Ok(Json(api.sessions.sandbox().create_group(&tester.book, new).await?))
}

/// The group in the path, as written.
pub struct GroupId(String);

impl FromRequestParts<Api> for GroupId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Path(id) =
            Path::<String>::from_request_parts(parts, api).await.map_err(|_| ApiError::no_group())?;
        Ok(Self(if id.contains('@') { id } else { format!("{id}@g.us") }))
    }
}

/// A group as it stands, and its invite code
#[utoipa::path(
    operation_id = "sandbox_read_group",
    get, path = "/api/sandbox/groups/{groupId}", tag = "sandbox",
    params(("groupId" = String, Path)), responses((status = 200, body = Object), Refusals)
)]
pub async fn read(
    State(api): State<Api>,
    tester: Tester,
    GroupId(id): GroupId,
) -> Result<Json<GroupInfo>, ApiError> {
    Ok(Json(api.sessions.sandbox().group(&tester.book, &id).await?))
}

/// A phone does something in a group
#[utoipa::path(
    operation_id = "sandbox_act_in_group",
    post, path = "/api/sandbox/groups/{groupId}", tag = "sandbox", request_body = Acting,
    params(("groupId" = String, Path)),
    responses((status = 200, body = Object, description = "The group after it, and a result for each participant"), Refusals)
)]
pub async fn act(
    State(api): State<Api>,
    tester: Tester,
    GroupId(id): GroupId,
    body: Body<Acting>,
) -> Result<Json<GroupDone>, ApiError> {
    let Acting { phone, act } = body.value;
    let phone = super::phone(&phone)?;
    Ok(Json(api.sessions.sandbox().act_in_group(&tester.book, &id, &phone, act).await?))
}
