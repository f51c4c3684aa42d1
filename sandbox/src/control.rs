//! The control surface of a sandbox that runs alone: tell the phones what to do over HTTP.
//!
//! Handlers parse, call one thing and shape the answer; every failure is `{"error","code"}`.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{ErrorBody, SandboxError};
use crate::fault::Fault;
use crate::group;
use crate::limits;
use crate::media::serve;
use crate::people::{Acted, PhoneAct, Seen};
use crate::phone::inbox::Inbox;
use crate::phone::message::PhoneMessage;
use crate::pictures;
use crate::sandbox::{DeviceInfo, PhoneInfo, PhoneMedia, ReceiptKind, Sandbox};
use crate::socket;

impl Sandbox {
    /// Clients at `/ws/chat`, the media host beside it, control under `/control`.
    pub fn router(&self) -> axum::Router {
        let phone = axum::Router::new()
            .route("/scan", post(scan))
            .route("/enter-code", post(enter_code))
            .route("/messages", get(messages).post(send))
            .route("/messages/{id}/media", get(media))
            .route("/read", post(read))
            .route("/played", post(played))
            .route("/act", post(act).layer(DefaultBodyLimit::max(limits::PROFILE_BODY_BYTES)))
            .route("/sees/{other}", get(sees))
            .route("/unlink", post(unlink))
            .route("/devices", get(devices));
        axum::Router::new()
            .route("/", get(about))
            .route("/ws/chat", get(socket::connect))
            .route("/pictures/{book}/{phone}/{name}", get(pictures::serve))
            .route("/control/keys", get(keys))
            .route("/control/{book}", axum::routing::delete(remove_book))
            .route("/control/{book}/phones", get(phones).post(create_phone))
            .nest("/control/{book}/phones/{phone}", phone)
            .route("/control/{book}/faults", post(fault))
            .merge(group::remote::routes())
            .fallback(|| async { not_found() })
            .method_not_allowed_fallback(|| async { not_found() })
            .layer(DefaultBodyLimit::max(limits::CONTROL_BODY_BYTES))
            .merge(serve::routes())
            .with_state(self.clone())
    }
}

/// How long the body of a message to be sent may take.
const BODY: Duration = Duration::from_secs(60);

/// A refusal on its way out.
pub(crate) struct Refused(pub SandboxError);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::BAD_GATEWAY);
        (status, Json(self.0.body())).into_response()
    }
}

impl From<SandboxError> for Refused {
    fn from(error: SandboxError) -> Self {
        Self(error)
    }
}

type Answer<T> = Result<Json<T>, Refused>;
type Phone = Path<(String, String)>;

fn not_found() -> Response {
    let body = ErrorBody { error: "there is nothing here".into(), code: "NOT_FOUND".into() };
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

/// Bodies are parsed by hand so that a malformed one is refused like everything else.
pub(crate) fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refused(SandboxError::Invalid(error.to_string())))
}

fn done() -> Json<serde_json::Value> {
    Json(json!({}))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Keys {
    pub root_key: String,
    pub static_key: String,
}

async fn about(State(sandbox): State<Sandbox>) -> String {
    format!("wapid sandbox: a WhatsApp network at /ws/chat, root key {}\n", hex::encode(sandbox.root_key()))
}

async fn keys(State(sandbox): State<Sandbox>) -> Json<Keys> {
    Json(Keys { root_key: hex::encode(sandbox.root_key()), static_key: hex::encode(sandbox.static_key()) })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewPhone {
    pub phone: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub known_as: Vec<String>,
}

async fn create_phone(
    State(sandbox): State<Sandbox>,
    Path(book): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<PhoneInfo>), Refused> {
    let NewPhone { phone, name, known_as } = parse(&body)?;
    let made = sandbox.create_phone_known_as(&book, &phone, &name, &known_as).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Phones {
    pub phones: Vec<PhoneInfo>,
}

async fn phones(State(sandbox): State<Sandbox>, Path(book): Path<String>) -> Json<Phones> {
    Json(Phones { phones: sandbox.phones(&book).await })
}

async fn remove_book(State(sandbox): State<Sandbox>, Path(book): Path<String>) -> Answer<serde_json::Value> {
    sandbox.remove_book(&book).await?;
    Ok(done())
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Scan {
    pub qr: String,
}

async fn scan(
    State(sandbox): State<Sandbox>,
    Path((book, phone)): Phone,
    body: Bytes,
) -> Answer<serde_json::Value> {
    let Scan { qr } = parse(&body)?;
    sandbox.scan(&book, &phone, &qr).await?;
    Ok(done())
}

#[derive(Serialize, Deserialize)]
pub(crate) struct EnterCode {
    pub code: String,
}

async fn enter_code(
    State(sandbox): State<Sandbox>,
    Path((book, phone)): Phone,
    body: Bytes,
) -> Answer<serde_json::Value> {
    let EnterCode { code } = parse(&body)?;
    sandbox.enter_code(&book, &phone, &code).await?;
    Ok(done())
}

async fn messages(State(sandbox): State<Sandbox>, Path((book, phone)): Phone) -> Answer<Inbox> {
    Ok(Json(sandbox.messages(&book, &phone).await?))
}

async fn media(
    State(sandbox): State<Sandbox>,
    Path((book, phone, id)): Path<(String, String, String)>,
) -> Result<Response, Refused> {
    let PhoneMedia { mime_type, size, sha256, body } = sandbox.media(&book, &phone, &id).await?;
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, size.into());
    let named = mime_type.and_then(|name| HeaderValue::try_from(name).ok());
    headers.extend(named.map(|name| (header::CONTENT_TYPE, name)));
    let tag = HeaderValue::try_from(format!("\"{sha256}\"")).ok();
    headers.extend(tag.map(|tag| (header::ETAG, tag)));
    Ok(response)
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Sent {
    pub id: String,
}

async fn send(State(sandbox): State<Sandbox>, Path((book, phone)): Phone, body: Body) -> Answer<Sent> {
    // A medium may be in it: a few at a time, unless it is small for sure.
    let is_small = body.size_hint().upper().is_some_and(|most| most <= limits::CONTROL_BODY_BYTES as u64);
    let turn = if is_small { None } else { sandbox.net.media.sends.acquire().await.ok() };
    let body = tokio::time::timeout(BODY, axum::body::to_bytes(body, limits::SEND_BODY_BYTES)).await;
    let body = body.ok().and_then(Result::ok);
    let body = body.ok_or_else(|| SandboxError::Invalid("the body broke off or is too large".into()))?;
    let message: PhoneMessage = parse(&body)?;
    drop((body, turn));
    let id = sandbox.send(&book, &phone, message).await?;
    Ok(Json(Sent { id }))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mark {
    pub message_id: String,
}

async fn read(State(sandbox): State<Sandbox>, Path(phone): Phone, body: Bytes) -> Answer<serde_json::Value> {
    mark(&sandbox, phone, &body, ReceiptKind::Read).await
}

async fn played(
    State(sandbox): State<Sandbox>,
    Path(phone): Phone,
    body: Bytes,
) -> Answer<serde_json::Value> {
    mark(&sandbox, phone, &body, ReceiptKind::Played).await
}

async fn mark(
    sandbox: &Sandbox,
    (book, phone): (String, String),
    body: &Bytes,
    kind: ReceiptKind,
) -> Answer<serde_json::Value> {
    let Mark { message_id } = parse(body)?;
    sandbox.mark(&book, &phone, &message_id, kind).await?;
    Ok(done())
}

async fn act(State(sandbox): State<Sandbox>, Path((book, phone)): Phone, body: Bytes) -> Answer<Acted> {
    let act: PhoneAct = parse(&body)?;
    Ok(Json(sandbox.act(&book, &phone, act).await?))
}

async fn sees(
    State(sandbox): State<Sandbox>,
    Path((book, phone, other)): Path<(String, String, String)>,
) -> Answer<Seen> {
    Ok(Json(sandbox.sees(&book, &phone, &other).await?))
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Unlink {
    #[serde(default)]
    pub device: Option<u16>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Unlinked {
    pub unlinked: u32,
}

async fn unlink(State(sandbox): State<Sandbox>, Path((book, phone)): Phone, body: Bytes) -> Answer<Unlinked> {
    let Unlink { device } = parse(&body)?;
    let unlinked = sandbox.unlink(&book, &phone, device).await?;
    Ok(Json(Unlinked { unlinked }))
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Devices {
    pub devices: Vec<DeviceInfo>,
}

async fn devices(State(sandbox): State<Sandbox>, Path((book, phone)): Phone) -> Answer<Devices> {
    let devices = sandbox.devices(&book, &phone).await?;
    Ok(Json(Devices { devices }))
}

#[derive(Serialize, Deserialize)]
pub(crate) struct FaultAt {
    pub phone: String,
    #[serde(flatten)]
    pub fault: Fault,
}

async fn fault(
    State(sandbox): State<Sandbox>,
    Path(book): Path<String>,
    body: Bytes,
) -> Answer<serde_json::Value> {
    let FaultAt { phone, fault } = parse(&body)?;
    sandbox.fault(&book, &phone, fault).await?;
    Ok(done())
}
