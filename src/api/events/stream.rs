//! The log, live: server-sent events for pages and tools, a WebSocket for who wants one.

use std::convert::Infallible;
use std::pin::pin;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use futures::{SinkExt as _, Stream, StreamExt as _, stream};

use super::feed::{Feed, Item};
use super::query::{Start, StreamQuery, Wanted, begin};
use crate::api::Api;
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
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let feed = open(listener, &api, query, &headers).await?;
    Ok(Sse::new(stream::unfold(feed, |mut feed| async {
        let event = match feed.next().await? {
            Item::Event(told) => Event::default().id(told.position.to_string()).data(&told.json),
            Item::Beat(position) => Event::default().id(position.to_string()).comment("alive"),
            Item::Gone => Event::default().event("gone").data("{\"code\":\"EVENTS_GONE\"}"),
        };
        Some((Ok(event), feed))
    })))
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
    let visit = listener.caller.visit.clone();
    let feed = open(listener, &api, query, &headers).await?;
    Ok(upgrade.max_message_size(HEARD_MAX).max_frame_size(HEARD_MAX).on_upgrade(move |socket| async move {
        talk(socket, feed).await;
        drop(visit);
    }))
}

async fn open(
    Listener { caller, ticket }: Listener,
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
    caller.follow()?;
    let follower = caller.store.follow(after);
    let store = api.sessions.store().clone();
    Ok(Feed::new(store, caller.key, api.stop.clone(), follower, wanted))
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
        let (message, is_last) = match item {
            Some(Item::Event(event)) => (Message::Text(event.json.as_ref().into()), false),
            Some(Item::Beat(_)) => (Message::Ping(Default::default()), false),
            Some(Item::Gone) => (close(GONE, "EVENTS_GONE"), true),
            None => (close(AWAY, "come back where you were"), true),
        };
        // `serve` ends a write that makes no progress.
        if told.send(message).await.is_err() || is_last {
            return;
        }
    }
}
