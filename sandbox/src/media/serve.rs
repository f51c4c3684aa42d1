//! The media host over HTTP: streams in, streams out.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::StreamExt as _;
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant, timeout_at};

use super::host::{self, Asked, Content, Reply};
use super::pipe::{self, PATIENCE};
use super::tls::{self, Authority, KeyAgreement};
use crate::account::json;
use crate::control::guard_clients;
use crate::error::SandboxError;
use crate::limits;
use crate::listen;
use crate::restore::AUTHORITY;
use crate::sandbox::Sandbox;

/// The media host over HTTPS.
pub struct MediaHost {
    sandbox: Sandbox,
    listener: TcpListener,
    agreement: KeyAgreement,
    address: SocketAddr,
    authority: PathBuf,
}

impl MediaHost {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The PEM file of who vouches for the host.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Serves until the process ends. Of more than `connections` at a time the later ones are closed unanswered.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, connections: usize) -> std::io::Result<()> {
        let router = routes().layer(from_fn(guard_clients)).with_state(self.sandbox);
        listen::serve(self.listener, router, connections, self.agreement).await
    }
}

impl Sandbox {
    /// Opens the media host over HTTPS. From now on clients are told to go there; whoever shall believe
    /// it trusts its authority, which stays the same as long as the network does.
    pub async fn media_host(&self, listener: TcpListener) -> Result<MediaHost, SandboxError> {
        let storage = |error: std::io::Error| SandboxError::Storage(error.to_string());
        let address = listener.local_addr().map_err(storage)?;
        let vouching = self.authority().await?;
        let authority = self.net.media.shelves.folder().and_then(|folder| vouching.write(folder));
        let authority = authority.map_err(storage)?;
        let agreement = KeyAgreement::new(&vouching, address.ip())?;
        self.net.media.move_to(tls::name_of(address));
        Ok(MediaHost { sandbox: self.clone(), listener, agreement, address, authority })
    }

    async fn authority(&self) -> Result<Authority, SandboxError> {
        let authority = {
            let mut known = self.net.authority.lock();
            if known.is_none() {
                let made = Authority::generate()?;
                let mut batch = self.net.journal.batch();
                batch.put(AUTHORITY, || "~authority".to_owned(), || json(&made));
                self.net.journal.append(batch);
                *known = Some(made);
            }
            known.clone()
        };
        self.net.journal.settled().await;
        authority.ok_or_else(|| SandboxError::Storage("the media host has no certificate".into()))
    }
}

/// Everything a client of WhatsApp does at a media host.
pub(crate) fn routes() -> Router<Sandbox> {
    let everything = || get(handle).post(handle);
    Router::new()
        .route("/mms/{kind}/{token}", everything())
        .route("/product/image/{token}", everything())
        .route("/pps/{kind}/{token}", everything())
        .route("/v/{book}/{name}", everything())
}

async fn handle(State(sandbox): State<Sandbox>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let range = text(&head.headers, header::RANGE);
    if head.method == Method::POST {
        let length = text(&head.headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        return upload(sandbox, target, length, body.into_data_stream()).await;
    }
    let reply = tokio::task::spawn_blocking(move || {
        host::download(&sandbox.net, &Asked { target: &target, book: None, range: range.as_deref() })
    });
    answer(reply.await).await
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

async fn upload(sandbox: Sandbox, target: String, length: Option<u64>, mut body: BodyDataStream) -> Response {
    let (chunks, mut source) = pipe::source();
    let reply = tokio::task::spawn_blocking(move || {
        host::upload(&sandbox.net, &Asked { target: &target, book: None, range: None }, length, &mut source)
    });
    // A client hears a refusal only when it has written all; who writes without an end does not.
    let mut chunks = Some(chunks);
    let (begun, mut received, mut unwanted) = (Instant::now(), 0_u64, 0);
    while unwanted < limits::DRAINED_BYTES {
        let chunk = match timeout_at(due(begun, received).min(Instant::now() + PATIENCE), body.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(None) => break,
            // Silence, dripping and a broken connection are the same: the upload broke off.
            Ok(Some(Err(_))) | Err(_) => {
                if let Some(taken) = &chunks {
                    // Whoever reads no more has answered already.
                    let _ = taken.send(Err(std::io::ErrorKind::UnexpectedEof.into())).await;
                }
                break;
            }
        };
        let count = chunk.len();
        received += count as u64;
        if let Some(taken) = &chunks
            && taken.send(Ok(chunk)).await.is_err()
        {
            chunks = None;
        }
        if chunks.is_none() {
            unwanted += count;
        }
    }
    drop(chunks);
    answer(reply.await).await
}

/// Until when more must have come of a body of which so much is here.
fn due(begun: Instant, received: u64) -> Instant {
    begun + PATIENCE + Duration::from_secs(received / limits::UPLOAD_BYTES_PER_SECOND)
}

async fn answer(reply: Result<Reply, tokio::task::JoinError>) -> Response {
    let Ok(reply) = reply else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if let Some(delay) = reply.delay {
        tokio::time::sleep(delay).await;
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let blob = match reply.content {
        Content::Json(json) => return (status, Json(json)).into_response(),
        Content::Blob(blob) => blob,
    };
    let mut response = Response::new(Body::from_stream(pipe::read_in_background(blob.body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, blob.length.into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(range) = blob.range.and_then(|range| HeaderValue::try_from(range).ok()) {
        headers.insert(header::CONTENT_RANGE, range);
    }
    response
}
