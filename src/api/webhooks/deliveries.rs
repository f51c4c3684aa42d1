//! What was sent to an endpoint, and once more.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::event::Event;
use wapid_core::id::{EndpointId, EventId};
use wapid_core::store::deliveries::{AttemptRow, Delivery as Stored};

use super::OfWebhook;
use crate::api::answers::Rows;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;
use crate::api::params::{QueryParams, is_full, page_of, within};
use crate::api::visit::OwnVisit;
use crate::caller::Caller;
use crate::usecases::{GatewayParts, webhooks};

const PAGE: i64 = 50;
const PAGE_MAX: i64 = 200;
const STATES: [&str; 4] = ["waiting", "delivered", "failed", "cancelled"];

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveryQuery {
    /// `waiting`, `delivered` or `failed`
    state: Option<String>,
    /// `nextCursor` of the answer before
    cursor: Option<i64>,
    /// 1 to 200; 50 by default
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// One event for one endpoint
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    event_id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    occurred_at: String,
    /// `waiting`, `delivered`, or `failed` after the last attempt
    state: String,
    attempts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<String>,
}

impl Delivery {
    fn of(stored: Stored) -> Self {
        Self {
            event_id: stored.event_id.0,
            kind: stored.kind,
            session_id: stored.session_id.map(|id| id.0),
            occurred_at: stored.occurred_at.iso(),
            attempts: stored.tried,
            next_attempt_at: (stored.state == "waiting").then(|| stored.next_at.iso()),
            settled_at: stored.settled_at.map(|at| at.iso()),
            state: stored.state,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryList {
    #[schema(value_type = Vec<Delivery>)]
    deliveries: Rows,
    /// Give it as `cursor` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<i64>,
}

/// One request
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    number: i64,
    /// `schedule`, or `replay` where somebody asked for it
    cause: String,
    at: String,
    duration_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i64>,
    /// Absent for 2xx
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The first 8 KiB of what was answered
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

impl Attempt {
    fn of(row: AttemptRow) -> Self {
        Self {
            number: row.nr,
            cause: row.cause,
            at: row.at.iso(),
            duration_ms: row.duration_ms,
            status: row.status,
            error: row.error,
            answer: row.answer,
        }
    }
}

/// A delivery with everything that was tried
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStory {
    #[serde(flatten)]
    delivery: Delivery,
    tried: Vec<Attempt>,
    /// As it is in the log
    #[schema(value_type = Option<Object>)]
    event: Option<Event>,
}

/// What was sent to an endpoint, newest first
#[utoipa::path(
    operation_id = "list_deliveries",
    get, path = "/api/whatsapp/webhooks/{id}/deliveries", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id"), DeliveryQuery),
    responses((status = 200, description = "A part of the deliveries", body = DeliveryList), Refusals)
)]
pub async fn list(
    caller: Caller,
    OfWebhook { id, .. }: OfWebhook,
    QueryParams(query): QueryParams<DeliveryQuery>,
) -> Result<Json<DeliveryList>, ApiError> {
    let id = existing(&caller, id).await?;
    let limit = within("limit", query.limit.unwrap_or(PAGE), PAGE_MAX)?;
    let state = query.state.as_deref();
    if state.is_some_and(|state| !STATES.contains(&state)) {
        return Err(ApiError::parameter(format!("state: one of {}", STATES.join(", "))));
    }
    let before = query.cursor.unwrap_or(i64::MAX);
    let rows = caller.store.deliveries(&id, state, before, limit).await?;
    let is_full = is_full(&rows, limit);
    let (deliveries, next_cursor) = page_of(rows, is_full, |row| row.pos, Delivery::of)?;
    Ok(Json(DeliveryList { deliveries, next_cursor }))
}

/// One delivery, with every attempt
#[utoipa::path(
    operation_id = "read_delivery",
    get, path = "/api/whatsapp/webhooks/{id}/deliveries/{eventId}", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The endpoint's id"),
        ("eventId" = String, Path, description = "The event's id")
    ),
    responses((status = 200, description = "The delivery and its attempts", body = DeliveryStory), Refusals)
)]
pub async fn read(
    caller: Caller,
    visit: OwnVisit,
    OfWebhook { id, part: event }: OfWebhook,
) -> Result<Json<DeliveryStory>, ApiError> {
    let id = existing(&caller, id).await?;
    let event = EventId::parse(&event).ok_or_else(ApiError::no_event)?;
    let found = caller.store.delivery(&id, &event).await?;
    let (delivery, attempts) = found.ok_or_else(ApiError::no_event)?;
    visit.prepare().await?;
    let event = caller.store.event_at(delivery.pos).await?;
    Ok(Json(DeliveryStory {
        delivery: Delivery::of(delivery),
        tried: attempts.into_iter().map(Attempt::of).collect(),
        event,
    }))
}

/// Deliver an event again
///
/// Now, under the same id, whatever became of it before; with the whole schedule if it fails. An event that
/// this endpoint did not want or that is older than it may be named too.
#[utoipa::path(
    operation_id = "retry_delivery",
    post, path = "/api/whatsapp/webhooks/{id}/deliveries/{eventId}/retry", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The endpoint's id"),
        ("eventId" = String, Path, description = "The event's id")
    ),
    responses((status = 200, description = "The delivery", body = Delivery), Refusals)
)]
pub async fn retry(
    caller: Caller,
    State(gateway): State<GatewayParts>,
    OfWebhook { id, part: event }: OfWebhook,
) -> Result<Json<Delivery>, ApiError> {
    let id = existing(&caller, id).await?;
    let event = EventId::parse(&event).ok_or_else(ApiError::no_event)?;
    webhooks::deliver_again(&gateway, &caller.store, &id, &event).await?;
    let (delivery, _) = caller.store.delivery(&id, &event).await?.ok_or_else(ApiError::no_event)?;
    Ok(Json(Delivery::of(delivery)))
}

pub(super) async fn existing(caller: &Caller, id: EndpointId) -> Result<EndpointId, ApiError> {
    Ok(webhooks::find(&caller.store, &id).await?.0.id)
}
