//! Simulated phones, for test keys. Each tenant has its own phone book.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::id::SessionId;
use wapid_core::phone::{Phone, Recipient};
use wapid_sandbox::{Fault, FaultKind, MessageKind, PhoneMessage, ReceiptKind};

use super::Api;
use super::body::Body;
use super::caller::Tester;
use super::error::ApiError;
use super::openapi::Refusals;

#[derive(Deserialize, ToSchema)]
pub struct NewPhone {
    #[schema(example = "+55 11 90000-0001")]
    phone: String,
    #[schema(example = "Ana")]
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct PhoneShown {
    #[schema(example = "5511900000001")]
    phone: String,
    name: String,
}

#[derive(Serialize, ToSchema)]
pub struct PhoneList {
    phones: Vec<PhoneShown>,
}

#[derive(Serialize, ToSchema)]
pub struct Done {
    success: bool,
}

const DONE: Json<Done> = Json(Done { success: true });

/// The longest name of a phone, in characters.
const NAME_MAX: usize = 100;

/// Put a phone on the sandbox network
///
/// Numbers that nobody created are not on WhatsApp.
#[utoipa::path(
    operation_id = "sandbox_create_phone",
    post, path = "/api/sandbox/phones", tag = "sandbox", request_body = NewPhone,
    responses((status = 200, body = PhoneShown), Refusals)
)]
pub async fn create_phone(
    State(api): State<Api>,
    tester: Tester,
    body: Body<NewPhone>,
) -> Result<Json<PhoneShown>, ApiError> {
    let phone = Phone::parse(&body.value.phone)?;
    let name = body.value.name.unwrap_or_else(|| phone.digits().to_owned());
    if name.chars().count() > NAME_MAX {
        return Err(ApiError::bad("INVALID_REQUEST", format!("name: at most {NAME_MAX} characters")));
    }
    let made = api.sessions.sandbox().create_phone(&tester.book, phone.digits(), &name).await?;
    Ok(Json(PhoneShown { phone: made.phone, name: made.name }))
}

/// The phones of this tenant
#[utoipa::path(
    operation_id = "sandbox_list_phones",
    get, path = "/api/sandbox/phones", tag = "sandbox",
    responses((status = 200, body = PhoneList), Refusals)
)]
pub async fn list_phones(State(api): State<Api>, tester: Tester) -> Result<Json<PhoneList>, ApiError> {
    let phones = api.sessions.sandbox().phones(&tester.book).await?;
    let phones =
        phones.into_iter().map(|phone| PhoneShown { phone: phone.phone, name: phone.name }).collect();
    Ok(Json(PhoneList { phones }))
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
    Ok(Phone::parse(text)?.digits().to_owned())
}

#[derive(Deserialize, ToSchema)]
pub struct Scan {
    /// The QR's text, or its PNG as a data URL
    qr: String,
}

/// The phone scans a QR
#[utoipa::path(
    operation_id = "sandbox_scan",
    post, path = "/api/sandbox/phones/{phone}/scan", tag = "sandbox", request_body = Scan,
    params(("phone" = String, Path)), responses((status = 200, body = Done), Refusals)
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
pub struct EnterCode {
    #[schema(example = "ABCD1234")]
    code: String,
}

/// The phone's owner types a pairing code
#[utoipa::path(
    operation_id = "sandbox_enter_code",
    post, path = "/api/sandbox/phones/{phone}/enter-code", tag = "sandbox", request_body = EnterCode,
    params(("phone" = String, Path)), responses((status = 200, body = Done), Refusals)
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

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxShown {
    messages: Vec<InboxMessage>,
    /// Copies with a known id, which a phone does not show again
    redelivered: u64,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxMessage {
    id: String,
    from: String,
    to: String,
    from_me: bool,
    #[serde(rename = "type")]
    kind: String,
    message: String,
    media_sha256: Option<String>,
    /// Seconds since the epoch
    timestamp: i64,
}

/// What the phone shows, oldest first
#[utoipa::path(
    operation_id = "sandbox_messages",
    get, path = "/api/sandbox/phones/{phone}/messages", tag = "sandbox",
    params(("phone" = String, Path)), responses((status = 200, body = InboxShown), Refusals)
)]
pub async fn messages(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
) -> Result<Json<wapid_sandbox::Inbox>, ApiError> {
    Ok(Json(api.sessions.sandbox().messages(&tester.book, &phone(&number)?).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct PhoneSends {
    #[schema(example = "5511900000002")]
    to: String,
    /// `text`
    #[serde(rename = "type")]
    kind: Option<String>,
    message: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhoneSent {
    success: bool,
    message_id: String,
}

/// The phone's owner writes a message
#[utoipa::path(
    operation_id = "sandbox_send",
    post, path = "/api/sandbox/phones/{phone}/messages", tag = "sandbox", request_body = PhoneSends,
    params(("phone" = String, Path)), responses((status = 200, body = PhoneSent), Refusals)
)]
pub async fn send(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
    body: Body<PhoneSends>,
) -> Result<Json<PhoneSent>, ApiError> {
    let new = body.value;
    if new.kind.as_deref().is_some_and(|kind| kind != "text") {
        return Err(ApiError::bad("UNSUPPORTED_TYPE", "type: sandbox phones write text only"));
    }
    let to = match Recipient::parse(&new.to)? {
        Recipient::Person(phone) => phone.digits().to_owned(),
        Recipient::Hidden(_) | Recipient::Group(_) => {
            return Err(ApiError::bad("INVALID_RECIPIENT", "to: a phone number"));
        }
    };
    let message = PhoneMessage { to, kind: MessageKind::Text, text: new.message, id: None };
    let message_id = api.sessions.sandbox().send(&tester.book, &phone(&number)?, message).await?;
    Ok(Json(PhoneSent { success: true, message_id }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    message_id: String,
}

/// The phone's owner reads a message
#[utoipa::path(
    operation_id = "sandbox_read",
    post, path = "/api/sandbox/phones/{phone}/read", tag = "sandbox", request_body = Seen,
    params(("phone" = String, Path)), responses((status = 200, body = Done), Refusals)
)]
pub async fn read(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
    body: Body<Seen>,
) -> Result<Json<Done>, ApiError> {
    mark(&api, &tester, &number, &body.value.message_id, ReceiptKind::Read).await
}

/// The phone's owner plays a message
#[utoipa::path(
    operation_id = "sandbox_played",
    post, path = "/api/sandbox/phones/{phone}/played", tag = "sandbox", request_body = Seen,
    params(("phone" = String, Path)), responses((status = 200, body = Done), Refusals)
)]
pub async fn played(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
    body: Body<Seen>,
) -> Result<Json<Done>, ApiError> {
    mark(&api, &tester, &number, &body.value.message_id, ReceiptKind::Played).await
}

async fn mark(
    api: &Api,
    tester: &Tester,
    number: &str,
    message_id: &str,
    kind: ReceiptKind,
) -> Result<Json<Done>, ApiError> {
    api.sessions.sandbox().mark(&tester.book, &phone(number)?, message_id, kind).await?;
    Ok(DONE)
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
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
    params(("phone" = String, Path)), responses((status = 200, body = Unlinked), Refusals)
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
#[serde(rename_all = "camelCase")]
pub struct NewFault {
    session_id: String,
    /// `drop`, `stall`, `401`, `403`, `429`, `500`, `503`, `515`, `replaced`, `temporary_ban`,
    /// `client_outdated`, `nack_463`, `reachout_timelock`, `new_chat_capped`, `lookup_refused`, `never_ack`,
    /// `duplicate_delivery`, `corrupt_delivery`, `slow_ack`, `handshake_stall`, `refuse_handshake`,
    /// `passkey`, `lose_sessions` or `clear`.
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
    /// How late, for `slow_ack`; how long, for `reachout_timelock` and `new_chat_capped` (an hour
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
    responses((status = 200, body = Done), Refusals)
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
