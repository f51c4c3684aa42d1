//! Link a number, watch it, take it down.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::clock::At;
use wapid_core::session::{Offer, State as Standing};
use wapid_core::store::sessions::{NewSessionError, SessionRow};

use super::Api;
use super::body::{LenientBody, OptionalBody};
use super::error::{ApiError, ErrorBody};
use super::given_number::GivenNumber;
use super::openapi::Refusals;
use super::params::QueryParams;
use crate::caller::{Caller, OwnSession};
use crate::link::Timelock;
use crate::qr;
use crate::session::{Removal, View};
use crate::usecases::GatewayParts;
use crate::usecases::sessions::{self, SessionWish};

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewSession {
    /// Any unique string of at most 128 bytes, without `/`
    #[schema(example = "main")]
    session_id: String,
    /// A label for people
    #[schema(example = "Sales Number")]
    name: Option<String>,
    /// Link by typing a code into the phone of this number, instead of scanning
    #[schema(example = "+91 98765 43210")]
    phone_number: Option<GivenNumber>,
    /// Shown on the phone in its list of linked devices
    device_name: Option<String>,
    /// The session's own way to WhatsApp: `http://user:password@host:port` or `socks5://host:port`.
    /// An empty string removes it. A proxy of a local network is refused unless the operator allows it
    proxy: Option<String>,
    /// Messages a day from this number, in the tenant's time zone; -1 for no limit of its own
    daily_limit: Option<i64>,
    /// A session stays its number's: after an unlink only that one may be linked again, and any other is logged
    /// out at once. `true` lets the next scan or code be another number's; the log of the old one stays under this
    /// session
    allow_other_number: Option<bool>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Created {
    success: bool,
    session_id: SessionIdText,
    is_new: bool,
    #[schema(example = "initializing")]
    status: &'static str,
    /// With `phoneNumber`: type it into the phone within 3 minutes
    #[serde(skip_serializing_if = "Option::is_none")]
    pairing_code: Option<String>,
    /// Which fields of the request nobody knows, or were read under another spelling of their name
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
}

type SessionIdText = String;

/// Link a number
///
/// Makes the session, or starts it again. Poll its status for the QR to scan, or send `phoneNumber`
/// and type the code that comes back.
#[utoipa::path(
    operation_id = "create_session",
    post, path = "/api/whatsapp/session", tag = "sessions",
    request_body = NewSession,
    responses((status = 200, description = "The session, new or started again", body = Created), Refusals)
)]
pub async fn create(
    State(gateway): State<GatewayParts>,
    caller: Caller,
    body: LenientBody<NewSession>,
) -> Result<Json<Created>, ApiError> {
    let LenientBody { value: new, notice } = body;
    let started = sessions::create(&gateway, &caller, new.into()).await?;
    Ok(Json(Created {
        success: true,
        session_id: started.id.0,
        is_new: started.is_new,
        status: started.status.as_str(),
        pairing_code: started.pairing_code,
        notice,
    }))
}

impl From<NewSession> for SessionWish {
    fn from(new: NewSession) -> Self {
        Self {
            session_id: new.session_id,
            name: new.name,
            phone_number: new.phone_number.map(GivenNumber::into_text),
            device_name: new.device_name,
            proxy: new.proxy,
            daily_limit: new.daily_limit,
            allow_other_number: new.allow_other_number,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `initializing`, `qr_ready`, `passkey_required`, `authenticated`, `ready` or `disconnected`
    #[schema(example = "qr_ready")]
    status: &'static str,
    session_id: SessionIdText,
    connected: bool,
    /// Why the status is what it is, such as `waiting_for_scan`, `logged_out`, `temporary_ban` or `other_number`:
    /// another number was scanned than `expectedPhoneNumber`, and logged out again
    #[schema(example = "waiting_for_scan")]
    reason: &'static str,
    /// Since when
    #[schema(example = "2026-03-08T10:30:00.000Z")]
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The linked number
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "919876543210")]
    phone_number: Option<String>,
    /// WhatsApp's hidden id of the linked number, by which groups know it
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "123456789012345")]
    lid: Option<String>,
    /// While no number is linked: the one that alone may be, because the session was linked with it before. Absent
    /// where any may
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "919876543210")]
    expected_phone_number: Option<String>,
    /// When a resting session tries again by itself
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<String>,
    /// A PNG as a data URL
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_code: Option<String>,
    /// The same QR as text
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pairing_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pairing_code_expires_at: Option<String>,
    /// With `passkey_required`: WebAuthn request options as WhatsApp sent them
    #[serde(skip_serializing_if = "Option::is_none")]
    passkey_request: Option<serde_json::Value>,
}

impl Status {
    fn of(row: &SessionRow, view: &View, expected: Option<String>, now: At) -> Self {
        let state = &view.state;
        let offers = match state {
            Standing::Linking { offers, .. } => Some(offers),
            _ => None,
        };
        let live = |offer: Option<&Offer>| offer.filter(|offer| offer.expires_at > now).cloned();
        let qr = live(offers.and_then(|offers| offers.qr.as_ref()));
        let code = live(offers.and_then(|offers| offers.code.as_ref()));
        Self {
            status: state.status().as_str(),
            session_id: row.id.0.clone(),
            connected: matches!(state, Standing::Ready { .. }),
            reason: state.reason(),
            since: state.since().iso(),
            name: row.name.clone(),
            phone_number: state.account().map(|account| account.phone.clone()),
            lid: state.account().and_then(|account| account.lid.clone()),
            expected_phone_number: expected,
            retry_at: match state {
                Standing::Resting { until, .. } => Some(until.iso()),
                _ => None,
            },
            qr_code: qr.as_ref().and_then(|qr| qr::png_data_url(&qr.secret)),
            qr_expires_at: qr.as_ref().map(|qr| qr.expires_at.iso()),
            qr_text: qr.map(|qr| qr.secret),
            pairing_code_expires_at: code.as_ref().map(|code| code.expires_at.iso()),
            pairing_code: code.map(|code| code.secret),
            passkey_request: offers.and_then(|offers| offers.passkey.as_ref()).map(|request| {
                let secret = request.secret.as_str();
                serde_json::from_str(secret).unwrap_or_else(|_| secret.into())
            }),
        }
    }
}

/// Where a session stands, and its QR
#[utoipa::path(
    operation_id = "session_status",
    get, path = "/api/whatsapp/session/{id}/status", tag = "sessions",
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "Where the session stands", body = Status), Refusals)
)]
pub async fn status(State(api): State<Api>, session: OwnSession) -> Result<Json<Status>, ApiError> {
    let view = api.sessions.view_of(&session.row);
    let expected = match view.state.account() {
        Some(_) => None,
        None => session.caller.store.expected_phone(&session.row.key).await?,
    };
    Ok(Json(Status::of(&session.row, &view, expected, session.caller.store.now())))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    session_id: SessionIdText,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    status: &'static str,
    connected: bool,
    reason: &'static str,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<String>,
    /// WhatsApp's hidden id of the linked number
    #[serde(skip_serializing_if = "Option::is_none")]
    lid: Option<String>,
    created_at: String,
}

#[derive(Serialize, ToSchema)]
pub struct SessionList {
    sessions: Vec<Listed>,
}

/// All sessions
#[utoipa::path(
    operation_id = "list_sessions",
    get, path = "/api/whatsapp/sessions", tag = "sessions",
    responses((status = 200, description = "The sessions", body = SessionList), Refusals)
)]
pub async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<SessionList>, ApiError> {
    let listed = |row: SessionRow| {
        let state = api.sessions.view_of(&row).state;
        Listed {
            status: state.status().as_str(),
            connected: matches!(state, Standing::Ready { .. }),
            reason: state.reason(),
            since: state.since().iso(),
            phone_number: state.account().map(|account| account.phone.clone()),
            lid: state.account().and_then(|account| account.lid.clone()),
            session_id: row.id.0,
            name: row.name,
            created_at: row.created_at.iso(),
        }
    };
    let sessions = caller.store.sessions().await?.into_iter().map(listed).collect();
    Ok(Json(SessionList { sessions }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct QrQuery {
    /// `png` (default), `svg`, `text`, or `terminal` for blocks that a terminal can show
    #[param(pattern = "^(png|svg|text|terminal)$")]
    format: Option<String>,
}

/// The QR alone
///
/// As an image, as text or drawn for a terminal. `X-Expires-At` says until when it can be scanned.
#[utoipa::path(
    operation_id = "session_qr",
    get, path = "/api/whatsapp/session/{id}/qr", tag = "sessions",
    params(("id" = String, Path, description = "Your sessionId"), QrQuery),
    responses(
        (status = 200, description = "The QR", content(
            (Vec<u8> = "image/png"), (String = "image/svg+xml"), (String = "text/plain")
        ), headers(("X-Expires-At" = String))),
        (status = 404, description = "No QR is waiting to be scanned (`QR_NOT_READY`), or no such session", body = ErrorBody),
        Refusals
    )
)]
pub async fn qr(
    State(api): State<Api>,
    session: OwnSession,
    QueryParams(query): QueryParams<QrQuery>,
) -> Result<Response, ApiError> {
    let now = api.sessions.store().clock().now();
    let offer = match api.sessions.view_of(&session.row).state {
        Standing::Linking { offers, .. } => offers.qr.filter(|offer| offer.expires_at > now),
        _ => None,
    };
    let offer = offer.ok_or_else(ApiError::no_qr)?;
    let (kind, drawn) = match query.format.as_deref().unwrap_or("png") {
        "png" => ("image/png", qr::png(&offer.secret)),
        "svg" => ("image/svg+xml", qr::svg(&offer.secret).map(String::into_bytes)),
        "text" => ("text/plain; charset=utf-8", Some(offer.secret.into_bytes())),
        "terminal" => ("text/plain; charset=utf-8", qr::terminal(&offer.secret).map(String::into_bytes)),
        _ => return Err(ApiError::bad("INVALID_PARAMETER", "format: png, svg, text or terminal")),
    };
    let drawn = drawn.ok_or_else(ApiError::internal)?;
    let mut response = (StatusCode::OK, [(header::CONTENT_TYPE, kind)], drawn).into_response();
    if let Ok(until) = HeaderValue::from_str(&offer.expires_at.iso()) {
        response.headers_mut().insert(HeaderName::from_static("x-expires-at"), until);
    }
    Ok(response)
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionHealth {
    /// Why the jobs of this number wait, and until when; absent while nothing holds them
    #[serde(skip_serializing_if = "Option::is_none")]
    restriction: Option<Restricted>,
    /// What WhatsApp says of chats that this number may not start
    timelock: Timelocked,
    /// How many new chats WhatsApp allows, where it says so
    #[serde(skip_serializing_if = "Option::is_none")]
    new_chats: Option<NewChats>,
}

#[derive(Serialize, ToSchema)]
pub struct Restricted {
    /// `blocked`, `timelock` or `new_chat_limit`
    reason: &'static str,
    until: String,
    /// Refusals in a row
    strikes: i64,
}

#[derive(Serialize, ToSchema)]
pub struct Timelocked {
    /// Absent where WhatsApp could not be asked
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewChats {
    /// `NONE`, `FIRST_WARNING`, `SECOND_WARNING` or `CAPPED`
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle_ends_at: Option<String>,
}

/// How WhatsApp treats a number
///
/// Asks WhatsApp, so not every second; and says what holds the number's jobs.
#[utoipa::path(
    operation_id = "session_health",
    get, path = "/api/whatsapp/session/{id}/health", tag = "sessions",
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "How it is", body = SessionHealth), Refusals)
)]
pub async fn health(State(api): State<Api>, session: OwnSession) -> Result<Json<SessionHealth>, ApiError> {
    let store = api.sessions.store();
    let now = store.clock().now();
    let standing = store.standing(&session.row.key).await?;
    let restriction = standing.and_then(|(restriction, strikes)| {
        let (why, until) = restriction.filter(|(_, until)| *until > now)?;
        Some(Restricted { reason: why.as_str(), until: until.iso(), strikes })
    });
    let said = api.sessions.health(&session.row.key).await;
    let timelock = match said.as_ref().map(|said| said.timelock) {
        None | Some(Timelock::NotKnown) => Timelocked { active: None, until: None },
        Some(Timelock::Inactive) => Timelocked { active: Some(false), until: None },
        Some(Timelock::Active { until_ms }) => {
            Timelocked { active: Some(true), until: until_ms.map(|ms| At(ms).iso()) }
        }
    };
    let new_chats = said.and_then(|said| said.new_chats).map(|new_chats| NewChats {
        status: new_chats.status,
        used: new_chats.used,
        quota: new_chats.quota,
        cycle_ends_at: new_chats.cycle_ends_ms.map(|ms| At(ms).iso()),
    });
    Ok(Json(SessionHealth { restriction, timelock, new_chats }))
}

#[derive(Deserialize, Default, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartWish {
    /// The next scan may be another number's than the one that was linked before
    allow_other_number: Option<bool>,
}

/// Bring a session back up
///
/// After a stop, after another client took it over, or to link its number again. The same as posting its id to
/// `session`.
#[utoipa::path(
    operation_id = "start_session",
    post, path = "/api/whatsapp/session/{id}/start", tag = "sessions",
    request_body(content = Option<StartWish>),
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The session obeys", body = Changed), Refusals)
)]
pub async fn start(
    State(gateway): State<GatewayParts>,
    session: OwnSession,
    OptionalBody(wish): OptionalBody<StartWish>,
) -> Result<Json<Changed>, ApiError> {
    let view = sessions::start(&gateway, &session, wish.allow_other_number).await?;
    Ok(Json(Changed::of(&session.row, &view)))
}

/// Take a session offline and keep its link
///
/// The device stays on the phone's list; `start` brings it back without a scan.
#[utoipa::path(
    operation_id = "stop_session",
    post, path = "/api/whatsapp/session/{id}/stop", tag = "sessions",
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The session obeys", body = Changed), Refusals)
)]
pub async fn stop(State(api): State<Api>, session: OwnSession) -> Result<Json<Changed>, ApiError> {
    let view = api.sessions.stop(&session.row).await?;
    Ok(Json(Changed::of(&session.row, &view)))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    success: bool,
    session_id: SessionIdText,
    status: &'static str,
    reason: &'static str,
}

impl Changed {
    fn of(row: &SessionRow, View { state, .. }: &View) -> Self {
        Self {
            success: true,
            session_id: row.id.0.clone(),
            status: state.status().as_str(),
            reason: state.reason(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    success: bool,
    session_id: SessionIdText,
    /// WhatsApp was told. When false it was out of reach: remove the device on the phone
    logged_out: bool,
}

/// Log a number out and delete its session
///
/// The device disappears from the phone, its keys are forgotten, its messages stay in the log.
#[utoipa::path(
    operation_id = "delete_session",
    delete, path = "/api/whatsapp/session/{id}", tag = "sessions",
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The session is gone", body = Removed), Refusals)
)]
pub async fn remove(State(api): State<Api>, session: OwnSession) -> Result<Json<Removed>, ApiError> {
    let id = session.row.id.0.clone();
    match api.sessions.remove(session.row).await? {
        Removal::Done { logged_out } => Ok(Json(Removed { success: true, session_id: id, logged_out })),
        Removal::ByAnother => Err(ApiError::no_session()),
        Removal::Underway => Err(NewSessionError::Removing.into()),
    }
}

/// Log a number out and delete its session, as a POST
#[utoipa::path(
    operation_id = "disconnect_session",
    post, path = "/api/whatsapp/session/{id}/disconnect", tag = "sessions",
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "The session is gone", body = Removed), Refusals)
)]
pub async fn disconnect(api: State<Api>, session: OwnSession) -> Result<Json<Removed>, ApiError> {
    remove(api, session).await
}
