//! Simulated phones, for test keys. Each tenant has its own phone book.
//!
//! Phones, codes, links and faults are here; `messages` is what phones write and show, `groups` their groups,
//! `people` what their owners do beside that.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::id::SessionId;
use wapid_core::phone::Phone;
use wapid_sandbox::{Fault, FaultKind, Lookups, PhoneInfo};

use super::Api;
use super::body::Body;
use super::caller::Tester;
use super::error::ApiError;
use super::openapi::{DONE, Done, Refusals};

pub mod groups;
pub mod messages;
pub mod people;

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewPhone {
    #[schema(example = "+55 11 90000-0001")]
    phone: String,
    #[schema(example = "Ana")]
    name: Option<String>,
    /// Up to 4 other numbers under which WhatsApp's look-up finds this phone; messages to them reach nobody.
    /// The other spelling of a Brazilian, Mexican, Argentinian, Beninese or Ivorian number is one by itself
    known_as: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
pub struct PhoneShown {
    #[schema(example = "5511900000001")]
    phone: String,
    name: String,
    lookups: LookupsShown,
}

/// What the sessions linked to a phone asked: whether numbers are on WhatsApp. Counted since the sandbox began
#[derive(Serialize, ToSchema)]
pub struct LookupsShown {
    /// Refused ones included
    questions: u64,
    /// The numbers in them
    numbers: u64,
}

impl From<PhoneInfo> for PhoneShown {
    fn from(phone: PhoneInfo) -> Self {
        let Lookups { questions, numbers } = phone.lookups;
        Self { phone: phone.phone, name: phone.name, lookups: LookupsShown { questions, numbers } }
    }
}

#[derive(Serialize, ToSchema)]
pub struct PhoneList {
    phones: Vec<PhoneShown>,
}

/// The longest name of a phone, in characters.
const NAME_MAX: usize = 100;

/// Put a phone on the sandbox network
///
/// Numbers that nobody created are not on WhatsApp.
#[utoipa::path(
    operation_id = "sandbox_create_phone",
    post, path = "/api/sandbox/phones", tag = "sandbox", request_body = NewPhone,
    responses((status = 200, description = "The phone", body = PhoneShown), Refusals)
)]
pub async fn create_phone(
    State(api): State<Api>,
    tester: Tester,
    body: Body<NewPhone>,
) -> Result<Json<PhoneShown>, ApiError> {
    let number = phone(&body.value.phone)?;
    let known_as = body.value.known_as.unwrap_or_default();
    let known_as: Vec<String> = known_as.iter().map(|other| phone(other)).collect::<Result<_, _>>()?;
    let name = body.value.name.unwrap_or_else(|| number.clone());
    if name.chars().count() > NAME_MAX {
        return Err(ApiError::bad("INVALID_REQUEST", format!("name: at most {NAME_MAX} characters")));
    }
    let sandbox = api.sessions.sandbox();
    let made = sandbox.create_phone_known_as(&tester.book, &number, &name, &known_as).await?;
    Ok(Json(made.into()))
}

/// The phones of this tenant
#[utoipa::path(
    operation_id = "sandbox_list_phones",
    get, path = "/api/sandbox/phones", tag = "sandbox",
    responses((status = 200, description = "The phones", body = PhoneList), Refusals)
)]
pub async fn list_phones(State(api): State<Api>, tester: Tester) -> Result<Json<PhoneList>, ApiError> {
    let phones = api.sessions.sandbox().phones(&tester.book).await?;
    Ok(Json(PhoneList { phones: phones.into_iter().map(Into::into).collect() }))
}

/// The phone in the path, as written.
pub struct Number(String);

impl FromRequestParts<Api> for Number {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Path(number) = Path::<String>::from_request_parts(parts, api)
            .await
            .map_err(|_| ApiError::bad("INVALID_RECIPIENT", "The phone in the path is no number"))?;
        Ok(Self(number))
    }
}

/// A phone in any spelling.
fn phone(text: &str) -> Result<String, ApiError> {
    Ok(Phone::parse(text, None)?.digits().to_owned())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The QR's text, or its PNG as a data URL
    qr: String,
}

/// The phone scans a QR
#[utoipa::path(
    operation_id = "sandbox_scan",
    post, path = "/api/sandbox/phones/{phone}/scan", tag = "sandbox", request_body = Scan,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn scan(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
    body: Body<Scan>,
) -> Result<Json<Done>, ApiError> {
    api.sessions.sandbox().scan(&tester.book, &phone(&number)?, &body.value.qr).await?;
    Ok(DONE)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnterCode {
    #[schema(example = "ABCD1234")]
    code: String,
}

/// The phone's owner types a pairing code
#[utoipa::path(
    operation_id = "sandbox_enter_code",
    post, path = "/api/sandbox/phones/{phone}/enter-code", tag = "sandbox", request_body = EnterCode,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn enter_code(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
    body: Body<EnterCode>,
) -> Result<Json<Done>, ApiError> {
    api.sessions.sandbox().enter_code(&tester.book, &phone(&number)?, &body.value.code).await?;
    Ok(DONE)
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unlink {
    session_id: String,
}

#[derive(Serialize, ToSchema)]
pub struct Unlinked {
    success: bool,
    /// Devices that were removed
    unlinked: u32,
}

/// The phone's owner removes a linked device
#[utoipa::path(
    operation_id = "sandbox_unlink",
    post, path = "/api/sandbox/phones/{phone}/unlink", tag = "sandbox", request_body = Unlink,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "What was unlinked", body = Unlinked), Refusals)
)]
pub async fn unlink(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
    body: Body<Unlink>,
) -> Result<Json<Unlinked>, ApiError> {
    let (owner, device) = device_of(&api, &tester, &body.value.session_id).await?;
    let number = phone(&number)?;
    if owner != number {
        return Err(ApiError::bad("NOT_THIS_PHONE", "The session is linked to another phone"));
    }
    let unlinked = api.sessions.sandbox().unlink(&tester.book, &number, Some(device)).await?;
    Ok(Json(Unlinked { success: true, unlinked }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewFault {
    session_id: String,
    /// `drop`, `stall`, `401`, `403`, `429`, `500`, `503`, `515`, `replaced`, `temporary_ban`,
    /// `client_outdated`, `nack_463`, `reachout_timelock`, `new_chat_capped`, `lookup_refused`, `never_ack`,
    /// `duplicate_delivery`, `corrupt_delivery`, `slow_ack`, `handshake_stall`, `refuse_handshake`,
    /// `passkey`, `lose_sessions`, `media_missing`, `media_unauthorized`, `truncated_media`, `slow_media`,
    /// `media_expired`, `lose_media`, `group_privacy` or `clear`.
    ///
    /// `media_missing` (404), `media_unauthorized` (401) and `truncated_media` strike the next `count`
    /// downloads of the session, `slow_media` delays all by `ms`; `media_expired` takes all media that the
    /// phone shows from the host (410) until a phone that holds them is asked for them, and `lose_media` makes
    /// the phone lose them.
    ///
    /// `reachout_timelock` and `new_chat_capped` refuse for `ms` every message to somebody who never
    /// wrote to this number, with 463 and 475; `clear` ends all that lasts
    #[schema(value_type = String, example = "drop")]
    kind: FaultKind,
    /// `stream` (now) or `login` (at the next logins), for the numbered ones
    #[schema(value_type = Option<String>)]
    phase: Option<wapid_sandbox::Phase>,
    /// How often
    count: Option<u32>,
    /// How late, for `slow_ack` and `slow_media`; how long, for `reachout_timelock` and `new_chat_capped` (an hour
    /// unless said)
    ms: Option<u64>,
    /// WhatsApp's reason code of a temporary ban
    code: Option<u32>,
    /// Length of a temporary ban in seconds
    expire: Option<u64>,
    /// Strike this phone, whether or not the session is linked to it
    phone: Option<String>,
}

/// Make trouble for a session
#[utoipa::path(
    operation_id = "sandbox_fault",
    post, path = "/api/sandbox/faults", tag = "sandbox", request_body = NewFault,
    responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn fault(
    State(api): State<Api>,
    tester: Tester,
    body: Body<NewFault>,
) -> Result<Json<Done>, ApiError> {
    let new = body.value;
    let target = match &new.phone {
        Some(number) => phone(number)?,
        None => device_of(&api, &tester, &new.session_id).await?.0,
    };
    let fault = Fault {
        kind: new.kind,
        phase: new.phase,
        count: new.count,
        ms: new.ms,
        code: new.code,
        expire: new.expire,
    };
    api.sessions.sandbox().fault(&tester.book, &target, fault).await?;
    Ok(DONE)
}

/// The phone and device number that a session is linked to.
async fn device_of(api: &Api, tester: &Tester, session: &str) -> Result<(String, u16), ApiError> {
    let id = SessionId::parse(session).map_err(|_| ApiError::no_session())?;
    let row = api.sessions.find(&tester.caller.store, &id).await?.ok_or_else(ApiError::no_session)?;
    let state = api.sessions.view_of(&row).state;
    let account = state.account().or(row.account.as_ref());
    let account =
        account.ok_or_else(|| ApiError::bad("NOT_LINKED", "The session is not linked to a phone"))?;
    // `5511900000001:3@s.whatsapp.net`
    let device = account
        .jid
        .split('@')
        .next()
        .and_then(|user| user.split_once(':'))
        .and_then(|(_, device)| device.parse().ok())
        .unwrap_or(0);
    Ok((account.phone.clone(), device))
}
