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
#[serde(deny_unknown_fields)]
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
#[serde(deny_unknown_fields)]
pub struct Acting {
    /// Which phone
    #[schema(example = "+55 11 90000-0001")]
    phone: String,
    /// `add`, `remove`, `promote`, `demote` with `participants`; `leave`; `join` with `code`; `rename` with
    /// `subject`; `describe` with `description`; `announce`, `lock`, `members_add` with `on`; `ephemeral`
    /// with `seconds`; `reset_invite`
    #[schema(example = "add")]
    act: String,
    /// Numbers of other phones
    participants: Option<Vec<String>>,
    /// Of an invite link
    code: Option<String>,
    subject: Option<String>,
    /// Without one the description goes
    description: Option<String>,
    on: Option<bool>,
    seconds: Option<u32>,
}

impl Acting {
    fn act(self) -> Result<GroupAct, ApiError> {
        fn given<T>(name: &str, act: &str, value: Option<T>) -> Result<T, ApiError> {
            value.ok_or_else(|| {
                ApiError::bad("INVALID_REQUEST", format!("{name}: required with the act {act}"))
            })
        }
        let Self { phone: _, act, participants, code, subject, description, on, seconds } = self;
        let named = |participants: Option<Vec<String>>| given("participants", &act, participants);
        let on_or_off = |on: Option<bool>| given("on", &act, on);
        Ok(match act.as_str() {
            "add" => GroupAct::Add { participants: named(participants)? },
            "remove" => GroupAct::Remove { participants: named(participants)? },
            "promote" => GroupAct::Promote { participants: named(participants)? },
            "demote" => GroupAct::Demote { participants: named(participants)? },
            "leave" => GroupAct::Leave,
            "join" => GroupAct::Join { code: given("code", &act, code)? },
            "rename" => GroupAct::Rename { subject: given("subject", &act, subject)? },
            "describe" => GroupAct::Describe { description },
            "announce" => GroupAct::Announce { on: on_or_off(on)? },
            "lock" => GroupAct::Lock { on: on_or_off(on)? },
            "members_add" => GroupAct::MembersAdd { on: on_or_off(on)? },
            "ephemeral" => GroupAct::Ephemeral { seconds: given("seconds", &act, seconds)? },
            "reset_invite" => GroupAct::ResetInvite,
            _ => {
                let acts = "add, remove, promote, demote, leave, join, rename, describe, announce, lock, \
                            members_add, ephemeral or reset_invite";
                return Err(ApiError::bad("INVALID_REQUEST", format!("act: {acts}")));
            }
        })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = SandboxGroups)]
pub struct Groups {
    #[schema(value_type = Vec<SandboxGroup>)]
    groups: Vec<GroupInfo>,
}

/// A group as it stands
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes what the sandbox writes")]
pub struct SandboxGroup {
    #[schema(example = "120363041234567890@g.us")]
    id: String,
    subject: String,
    description: Option<String>,
    /// The number of the one who made it
    owner: String,
    /// Seconds since the epoch
    created: u64,
    /// `lid` or `pn`
    #[schema(example = "lid")]
    addressing: String,
    announce: bool,
    locked: bool,
    ephemeral_seconds: u32,
    invite_code: String,
    participants: Vec<SandboxGroupMember>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the sandbox writes")]
pub struct SandboxGroupMember {
    phone: String,
    lid: String,
    /// `owner`, `admin` or `member`
    role: String,
}

/// What came of an act
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the sandbox writes")]
pub struct SandboxGroupDone {
    /// The group after it; null if nobody is left in it
    group: Option<SandboxGroup>,
    /// For each participant that the act named
    results: Vec<SandboxGroupResult>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what the sandbox writes")]
pub struct SandboxGroupResult {
    phone: String,
    /// WhatsApp's code of why not; null for what was done
    code: Option<u16>,
}

/// Every group of this tenant's phones
#[utoipa::path(
    operation_id = "sandbox_list_groups",
    get, path = "/api/sandbox/groups", tag = "sandbox",
    responses((status = 200, description = "The groups", body = Groups), Refusals)
)]
pub async fn list(State(api): State<Api>, tester: Tester) -> Result<Json<Groups>, ApiError> {
    Ok(Json(Groups { groups: api.sessions.sandbox().groups(&tester.book).await? }))
}

/// A phone makes a group
#[utoipa::path(
    operation_id = "sandbox_create_group",
    post, path = "/api/sandbox/groups", tag = "sandbox", request_body = NewGroup,
    responses((status = 200, description = "The group, and a result for each participant", body = SandboxGroupDone), Refusals)
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
    params(("groupId" = String, Path, description = "`…@g.us`")), responses((status = 200, description = "The group", body = SandboxGroup), Refusals)
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
    params(("groupId" = String, Path, description = "`…@g.us`")),
    responses((status = 200, description = "The group after it, and a result for each participant", body = SandboxGroupDone), Refusals)
)]
pub async fn act(
    State(api): State<Api>,
    tester: Tester,
    GroupId(id): GroupId,
    body: Body<Acting>,
) -> Result<Json<GroupDone>, ApiError> {
    let phone = super::phone(&body.value.phone)?;
    let act = body.value.act()?;
    Ok(Json(api.sessions.sandbox().act_in_group(&tester.book, &id, &phone, act).await?))
}
