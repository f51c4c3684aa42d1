//! The log of events: read by position, or followed live.
//!
//! | file | what |
//! |---|---|
//! | `query` | where to begin and what to leave out |
//! | `feed` | one reader's way through the log, whatever carries it |
//! | `stream` | server-sent events and WebSocket |
//! | `ticket` | what lets a page in a browser read a stream |

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wapid_core::event::described::AnyEvent;
use wapid_core::key::Mode;
use wapid_core::store::follow::Reading;

use super::Api;
use super::answers::BYTES_MAX;
use super::body::OptionalBody;
use super::error::{ApiError, ErrorBody};
use super::openapi::Refusals;
use super::params::QueryParams;
use super::visit::OwnVisit;
use crate::caller::Caller;

mod feed;
mod query;
pub mod stream;
mod ticket;

pub use ticket::Ticket;

use query::{EventQuery, Wanted};

const PAGE: i64 = 100;
const PAGE_MAX: i64 = 1_000;
/// Positions that one answer looks at, at most, for events that are wanted.
const LOOKED_AT_MAX: i64 = 10_000;
/// Events that are looked at before there is room for more.
const FIRST_BYTES: usize = 16 << 10;
/// How long a request may say that it waits for something to happen, in seconds.
const WAIT_MAX: u64 = 50;
/// How long it does wait, at most: HAProxy as Debian installs it gives an answer up after 50 s, others after 60 s.
const WAIT_BELOW_PROXIES: u64 = 45;

/// A part of the log
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventPage {
    tenant_id: String,
    #[schema(value_type = String, example = "test")]
    mode: Mode,
    #[schema(value_type = Vec<AnyEvent>)]
    events: Vec<Box<RawValue>>,
    /// Give it as `after` to read on: nothing up to it comes again, and nothing after it is missed
    next_after: i64,
    /// Is there more already?
    has_more: bool,
}

/// What happened, oldest first
///
/// Every tenant and mode has one log with one order. Remember `nextAfter` and nothing is missed, whatever
/// happens to you or to us.
#[utoipa::path(
    operation_id = "list_events",
    get, path = "/api/whatsapp/events", tag = "events", params(EventQuery),
    responses(
        (status = 200, description = "A part of the log", body = EventPage),
        (status = 410, description = "What comes after `after` is kept no longer", body = ErrorBody),
        (status = 429, description = "Too many wait", body = ErrorBody),
        Refusals
    )
)]
pub async fn list(
    caller: Caller,
    visit: OwnVisit,
    State(api): State<Api>,
    QueryParams(query): QueryParams<EventQuery>,
) -> Result<Json<EventPage>, ApiError> {
    let wanted = Wanted::of(query.types.as_deref(), query.session_id.as_deref())?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(ApiError::parameter(format!("limit: 1 to {PAGE_MAX}")));
    }
    let wait = query.wait.unwrap_or(0);
    if wait > WAIT_MAX {
        return Err(ApiError::parameter(format!("wait: 0 to {WAIT_MAX}")));
    }
    let after = query::begin(&caller.store, query.after.as_deref(), query::Start::Oldest).await?;
    if wait > 0 {
        visit.follow(&caller.key)?;
    }
    let mut follower = caller.store.follow(after);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait.min(WAIT_BELOW_PROXIES));
    let limit = usize::try_from(limit).unwrap_or(1);
    let (mut events, mut bytes, mut next_after, mut has_more) = (vec![], 0, after, false);
    loop {
        let left = BYTES_MAX.saturating_sub(bytes);
        // Whoever waits for something holds no room meanwhile.
        let step = if next_after > after { left } else { left.min(FIRST_BYTES) };
        let told = match follower.read(step).await? {
            Reading::Events(told) => told,
            Reading::Large(size) if events.is_empty() => {
                visit.prepare().await?;
                match follower.read(size.max(BYTES_MAX)).await? {
                    Reading::Events(told) => told,
                    Reading::Large(_) => vec![],
                }
            }
            Reading::Large(_) => {
                has_more = true;
                break;
            }
        };
        let is_end = told.is_empty();
        if !is_end {
            visit.prepare().await?;
        }
        if let Some(first) = told.first().filter(|first| first.position > next_after + 1) {
            if !events.is_empty() {
                break;
            }
            return Err(ApiError::events_gone(first.position - 1));
        }
        for event in told {
            if events.len() == limit || (bytes > 0 && bytes + event.json.len() > BYTES_MAX) {
                has_more = true;
                break;
            }
            next_after = event.position;
            if wanted.wants(&event) {
                bytes += event.json.len();
                let json = event.json.to_string();
                events.push(RawValue::from_string(json).map_err(anyhow::Error::from)?);
            }
        }
        has_more |= next_after - after >= LOOKED_AT_MAX;
        if has_more || (!events.is_empty() && is_end) {
            break;
        }
        if is_end {
            tokio::select! {
                () = follower.changed() => {}
                () = tokio::time::sleep_until(deadline) => break,
                () = api.stop.cancelled() => break,
            }
        }
    }
    let (tenant_id, mode) = (caller.store.tenant_id().to_string(), caller.mode());
    Ok(Json(EventPage { tenant_id, mode, events, next_after, has_more }))
}

/// What a ticket is to be for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TicketWish {
    /// Only of these types; patterns as for webhooks
    #[serde(default)]
    types: Vec<String>,
    /// Only of these sessions
    #[serde(default)]
    sessions: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketGiven {
    /// For the parameter `ticket` of `/events/stream` and `/events/socket`
    ticket: String,
    expires_at: String,
}

/// Let a page in a browser read
///
/// A ticket opens streams for ten minutes, and nothing else; a stream that it opened goes on after that. So no
/// API key needs to be in a page.
#[utoipa::path(
    operation_id = "create_event_ticket",
    post, path = "/api/whatsapp/events/ticket", tag = "events",
    request_body(content = Option<TicketWish>),
    responses((status = 200, description = "The ticket", body = TicketGiven), Refusals)
)]
pub async fn ticket(
    caller: Caller,
    State(api): State<Api>,
    body: OptionalBody<TicketWish>,
) -> Result<Json<TicketGiven>, ApiError> {
    let TicketWish { types, sessions } = body.0;
    let wanted = Wanted::of_lists(types, &sessions)?;
    let (ticket, expires_at) = Ticket::seal(api.sessions.store(), &caller, &wanted);
    Ok(Json(TicketGiven { ticket, expires_at: expires_at.iso() }))
}
