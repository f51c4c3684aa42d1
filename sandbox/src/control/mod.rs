//! The control surface of a sandbox that runs alone: tell the phones what to do over HTTP.
//!
//! Handlers parse, call one thing and shape the answer; every failure is `{"error","code"}`. `access` says who may
//! call, `told` reads what a call says.

pub(crate) mod access;
mod told;

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, HttpBody as _};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub(crate) use self::access::guard_clients;
pub use self::access::{Access, ControlToken, ControlTokenError};
use self::access::{Denial, guard_control, guard_open};
pub(crate) use self::told::Told;
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
    pub(crate) fn router(&self, access: Access) -> axum::Router {
        let access = Arc::new(access);
        let phone = axum::Router::new()
            .route("/scan", post(scan))
            .route("/enter-code", post(enter_code))
            .route(
                "/messages",
                get(messages).post(send).layer(DefaultBodyLimit::max(limits::SEND_BODY_BYTES)),
            )
            .route("/messages/{id}/media", get(media))
            .route("/read", post(read))
            .route("/played", post(played))
            .route("/act", post(act).layer(DefaultBodyLimit::max(limits::PROFILE_BODY_BYTES)))
            .route("/sees/{other}", get(sees))
            .route("/unlink", post(unlink))
            .route("/devices", get(devices));
        let control = axum::Router::new()
            .route("/control/keys", get(keys))
            .route("/control/{book}", axum::routing::delete(remove_book))
            .route("/control/{book}/phones", get(phones).post(create_phone))
            .nest("/control/{book}/phones/{phone}", phone)
            .route("/control/{book}/faults", post(fault))
            .merge(group::remote::routes())
            .method_not_allowed_fallback(|| async { not_found() })
            .layer(DefaultBodyLimit::max(limits::CONTROL_BODY_BYTES))
            .layer(from_fn_with_state(Arc::clone(&access), guard_control));
        let clients = axum::Router::new()
            .route("/ws/chat", get(socket::connect))
            .route("/pictures/{book}/{phone}/{name}", get(pictures::serve))
            .merge(serve::routes())
            .layer(from_fn(guard_clients));
        axum::Router::new()
            .route("/", get(about))
            .method_not_allowed_fallback(|| async { not_found() })
            .fallback(|| async { not_found() })
            .layer(from_fn_with_state(access, guard_open))
            .merge(control)
            .merge(clients)
            .with_state(self.clone())
    }
}

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

/// A call that was not heard.
pub(crate) fn denied(denial: &Denial) -> Response {
    let body = ErrorBody { error: denial.to_string(), code: denial.code().to_owned() };
    let mut response = (denial.status(), Json(body)).into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
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
    Told(NewPhone { phone, name, known_as }): Told<NewPhone>,
) -> Result<(StatusCode, Json<PhoneInfo>), Refused> {
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
    Told(Scan { qr }): Told<Scan>,
) -> Answer<serde_json::Value> {
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
    Told(EnterCode { code }): Told<EnterCode>,
) -> Answer<serde_json::Value> {
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

async fn send(
    State(sandbox): State<Sandbox>,
    Path((book, phone)): Phone,
    request: Request,
) -> Result<Json<Sent>, Response> {
    // A medium may be in it: a few at a time, unless it is small for sure.
    let most = request.body().size_hint().upper();
    let is_small = most.is_some_and(|most| most <= limits::CONTROL_BODY_BYTES as u64);
    let turn = if is_small { None } else { sandbox.net.media.sends.acquire().await.ok() };
    let body = told::read(request, told::MEDIA_PATIENCE).await.map_err(|denial| denied(&denial))?;
    let refused = |problem| Refused(problem).into_response();
    let message: PhoneMessage = told::parse(&body).map_err(refused)?;
    drop((body, turn));
    let id = sandbox.send(&book, &phone, message).await.map_err(refused)?;
    Ok(Json(Sent { id }))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mark {
    pub message_id: String,
}

async fn read(
    State(sandbox): State<Sandbox>,
    Path((book, phone)): Phone,
    Told(Mark { message_id }): Told<Mark>,
) -> Answer<serde_json::Value> {
    sandbox.mark(&book, &phone, &message_id, ReceiptKind::Read).await?;
    Ok(done())
}

async fn played(
    State(sandbox): State<Sandbox>,
    Path((book, phone)): Phone,
    Told(Mark { message_id }): Told<Mark>,
) -> Answer<serde_json::Value> {
    sandbox.mark(&book, &phone, &message_id, ReceiptKind::Played).await?;
    Ok(done())
}

async fn act(
    State(sandbox): State<Sandbox>,
    Path((book, phone)): Phone,
    Told(act): Told<PhoneAct>,
) -> Answer<Acted> {
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

async fn unlink(
    State(sandbox): State<Sandbox>,
    Path((book, phone)): Phone,
    Told(Unlink { device }): Told<Unlink>,
) -> Answer<Unlinked> {
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
    Told(FaultAt { phone, fault }): Told<FaultAt>,
) -> Answer<serde_json::Value> {
    sandbox.fault(&book, &phone, fault).await?;
    Ok(done())
}
