//! The log, live: server-sent events for pages and tools, a WebSocket for who wants one.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures::{SinkExt as _, StreamExt as _, stream};
use wapid_core::store::follow::Told;

use super::feed::{Feed, Item};
use super::query::{Start, StreamQuery, Wanted, begin};
use crate::api::Api;
use crate::api::answers::kept;
use crate::api::caller::Listener;
use crate::api::error::{ApiError, ErrorBody};
use crate::api::openapi::Refusals;
use crate::api::params::QueryParams;

/// A client has nothing to say to us; a control frame is at most 125 bytes.
const HEARD_MAX: usize = 4 << 10;
/// Of our own: the client was away for longer than events are kept.
const GONE: u16 = 4410;
/// Going away, by RFC 6455: come back where you were.
const AWAY: u16 = 1001;

/// Server-sent events
///
/// Each has the event's JSON as `data` and its position as `id`, so an `EventSource` that lost its connection
/// goes on where it was. Every 15 s an empty one says that the stream is alive, and how far it is.
#[utoipa::path(
    operation_id = "stream_events",
    get, path = "/api/whatsapp/events/stream", tag = "events", params(StreamQuery),
    responses(
        (status = 200, description = "Events as they happen", content_type = "text/event-stream", body = String),
        (status = 410, description = "What comes after `after` is kept no longer", body = ErrorBody),
        (status = 429, description = "Too many streams are open", body = ErrorBody),
        Refusals
    )
)]
pub async fn stream(
    listener: Listener,
    State(api): State<Api>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<StreamQuery>,
) -> Result<Response, ApiError> {
    let feed = open(listener, &api, query, &headers).await?;
    let told = stream::unfold(feed, |mut feed| async {
        let item = feed.next().await?;
        Some((stream::iter(written(item).map(Ok::<_, Infallible>)), feed))
    });
    let mut response = Body::from_stream(told.flatten()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// An item as the stream has it. All readers share the text of an event that is large.
fn written(item: Item) -> impl Iterator<Item = Bytes> + Send {
    let [before, text, after] = match item {
        Item::Event(told, None) => {
            let event = format!("id: {}\ndata: {}\n\n", told.position, told.json);
            [event.into(), Bytes::new(), Bytes::new()]
        }
        Item::Event(told, room) => {
            let before = format!("id: {}\ndata: ", told.position);
            [before.into(), kept(Bytes::from_owner(Shared(told)), room), Bytes::from_static(b"\n\n")]
        }
        Item::Beat(position) => [format!(": alive\nid: {position}\n\n").into(), Bytes::new(), Bytes::new()],
        Item::Gone => {
            let gone = b"event: gone\ndata: {\"code\":\"EVENTS_GONE\"}\n\n";
            [Bytes::from_static(gone), Bytes::new(), Bytes::new()]
        }
    };
    [before, text, after].into_iter().filter(|part| !part.is_empty())
}

struct Shared(Arc<Told>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.json.as_bytes()
    }
}

/// The same over a WebSocket
///
/// Each text frame is one event's JSON; its `position` is what to give as `after`. Pings come every 15 s.
/// Closed with 4410 where events in between are kept no longer.
#[utoipa::path(
    operation_id = "event_socket",
    get, path = "/api/whatsapp/events/socket", tag = "events", params(StreamQuery),
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 410, description = "What comes after `after` is kept no longer", body = ErrorBody),
        (status = 429, description = "Too many streams are open", body = ErrorBody),
        Refusals
    )
)]
pub async fn socket(
    listener: Listener,
    State(api): State<Api>,
    headers: HeaderMap,
    QueryParams(query): QueryParams<StreamQuery>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade =
        upgrade.map_err(|_| ApiError::bad("NOT_A_WEBSOCKET", "This route takes WebSocket handshakes"))?;
    // The connection leaves `serve` with the upgrade; its place goes along.
    let visit = listener.visit.clone();
    let feed = open(listener, &api, query, &headers).await?;
    Ok(upgrade.max_message_size(HEARD_MAX).max_frame_size(HEARD_MAX).on_upgrade(move |socket| async move {
        talk(socket, feed).await;
        drop(visit);
    }))
}

async fn open(
    Listener { caller, visit, ticket }: Listener,
    api: &Api,
    query: StreamQuery,
    headers: &HeaderMap,
) -> Result<Feed, ApiError> {
    let resumes = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let resumes = resumes.filter(|text| !text.is_empty()).map(str::to_owned);
    let mut wanted = vec![Wanted::of(query.types.as_deref(), query.session_id.as_deref())?];
    wanted.extend(ticket.map(|ticket| ticket.wanted()));
    let after = resumes.or(query.after);
    let after = begin(&caller.store, after.as_deref(), Start::Now).await?;
    visit.follow(&caller.key)?;
    let follower = caller.store.follow(after);
    let store = api.sessions.store().clone();
    Ok(Feed::new(store, (caller.key, visit), api.stop.clone(), follower, wanted))
}

async fn talk(socket: WebSocket, mut feed: Feed) {
    let (mut told, mut heard) = socket.split();
    loop {
        let item = {
            let mut next = pin!(feed.next());
            loop {
                tokio::select! {
                    item = next.as_mut() => break item,
                    // What a client says is not for us; that it goes is.
                    frame = heard.next() => match frame {
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                        Some(Ok(_)) => {}
                    },
                }
            }
        };
        let close =
            |code, reason: &'static str| Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let (message, _room, is_last) = match item {
            Some(Item::Event(event, room)) => (Message::Text(event.json.as_ref().into()), room, false),
            Some(Item::Beat(_)) => (Message::Ping(Default::default()), None, false),
            Some(Item::Gone) => (close(GONE, "EVENTS_GONE"), None, true),
            None => (close(AWAY, "come back where you were"), None, true),
        };
        // `serve` ends a write that makes no progress.
        if told.send(message).await.is_err() || is_last {
            return;
        }
    }
}
