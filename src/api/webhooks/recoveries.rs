//! After an outage: everything missed in a time, delivered again as a task that can be watched and
//! cancelled and that no crash ends.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::id::RecoveryId;
use wapid_core::store::deliveries::Recovery as Stored;

use super::OfWebhook;
use super::deliveries::existing;
use crate::api::Api;
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;
use crate::caller::Caller;
use crate::usecases::field::Field;
use crate::usecases::moments::WrittenMoment;

/// Which time is to be recovered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryWish {
    /// From here on
    since: WrittenMoment,
    /// Before this, or up to the end of this day; now by default
    until: Option<WrittenMoment>,
}

/// A recovery and how far it is
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Recovery {
    #[schema(example = "rec_01jd…")]
    recovery_id: String,
    /// `running`, `completed` or `cancelled`
    state: String,
    since: String,
    until: String,
    /// Events that were looked at, and that are to be
    looked_at: i64,
    total: i64,
    /// Events that are delivered again
    queued: i64,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
}

impl Recovery {
    fn of(stored: Stored) -> Self {
        Self {
            recovery_id: stored.id.0,
            state: stored.state,
            since: stored.since.iso(),
            until: stored.until.iso(),
            looked_at: stored.pos - stored.first_pos,
            total: stored.last_pos - stored.first_pos,
            queued: stored.queued,
            created_at: stored.created_at.iso(),
            finished_at: stored.finished_at.map(|at| at.iso()),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct RecoveryList {
    recoveries: Vec<Recovery>,
}

/// Recover a time
///
/// Delivers again what was stored in it (a message that waited for its session is stored when it arrives), is wanted, and was given up or never queued for this endpoint. What was
/// delivered stays delivered; what waits goes on waiting. One at a time.
#[utoipa::path(
    operation_id = "recover_webhook",
    post, path = "/api/whatsapp/webhooks/{id}/recover", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    request_body = RecoveryWish,
    responses((status = 200, description = "The recovery", body = Recovery), Refusals)
)]
pub async fn begin(
    caller: Caller,
    State(api): State<Api>,
    OfWebhook { id, .. }: OfWebhook,
    body: Body<RecoveryWish>,
) -> Result<Json<Recovery>, ApiError> {
    let id = existing(&caller, id).await?;
    let now = caller.store.now();
    let since = body.value.since.of_field(Field::Since, &caller.store).await?.begins();
    let until = match &body.value.until {
        Some(written) => written.of_field(Field::Until, &caller.store).await?.ends(),
        None => now.plus_ms(1),
    };
    if since >= until {
        return Err(ApiError::bad("INVALID_REQUEST", "since: must be before until"));
    }
    let begun = caller.store.begin_recovery(&id, since, until).await?;
    let recovery = begun.ok_or_else(|| {
        ApiError::bad("RECOVERY_RUNNING", "Another recovery of this endpoint runs; wait for it or cancel it")
    })?;
    api.deliveries.poke(&id);
    let stored = caller.store.recovery(&id, &recovery).await?.ok_or_else(ApiError::no_recovery)?;
    Ok(Json(Recovery::of(stored)))
}

/// Recoveries of an endpoint, newest first
#[utoipa::path(
    operation_id = "list_recoveries",
    get, path = "/api/whatsapp/webhooks/{id}/recoveries", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The recoveries", body = RecoveryList), Refusals)
)]
pub async fn list(caller: Caller, OfWebhook { id, .. }: OfWebhook) -> Result<Json<RecoveryList>, ApiError> {
    let id = existing(&caller, id).await?;
    let recoveries = caller.store.recoveries(&id).await?.into_iter().map(Recovery::of).collect();
    Ok(Json(RecoveryList { recoveries }))
}

/// One recovery
#[utoipa::path(
    operation_id = "read_recovery",
    get, path = "/api/whatsapp/webhooks/{id}/recoveries/{recoveryId}", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The endpoint's id"),
        ("recoveryId" = String, Path, description = "The recovery's id")
    ),
    responses((status = 200, description = "The recovery", body = Recovery), Refusals)
)]
pub async fn read(
    caller: Caller,
    OfWebhook { id, part: recovery }: OfWebhook,
) -> Result<Json<Recovery>, ApiError> {
    let id = existing(&caller, id).await?;
    let recovery = RecoveryId::parse(&recovery).ok_or_else(ApiError::no_recovery)?;
    let stored = caller.store.recovery(&id, &recovery).await?;
    Ok(Json(Recovery::of(stored.ok_or_else(ApiError::no_recovery)?)))
}

/// Cancel a recovery
///
/// What it queued before is delivered. One that is over stays as it is.
#[utoipa::path(
    operation_id = "cancel_recovery",
    post, path = "/api/whatsapp/webhooks/{id}/recoveries/{recoveryId}/cancel", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The endpoint's id"),
        ("recoveryId" = String, Path, description = "The recovery's id")
    ),
    responses((status = 200, description = "The recovery", body = Recovery), Refusals)
)]
pub async fn cancel(
    caller: Caller,
    OfWebhook { id, part: recovery }: OfWebhook,
) -> Result<Json<Recovery>, ApiError> {
    let id = existing(&caller, id).await?;
    let recovery = RecoveryId::parse(&recovery).ok_or_else(ApiError::no_recovery)?;
    caller.store.cancel_recovery(&id, &recovery).await?;
    let stored = caller.store.recovery(&id, &recovery).await?;
    Ok(Json(Recovery::of(stored.ok_or_else(ApiError::no_recovery)?)))
}
