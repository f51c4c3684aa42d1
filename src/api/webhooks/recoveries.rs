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
use crate::api::body::Body;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;
use crate::caller::Caller;
use crate::usecases::GatewayParts;
use crate::usecases::moments::WrittenMoment;
use crate::usecases::webhooks::{self, RecoveryWish};

/// Which time is to be recovered.
#[derive(Deserialize, ToSchema)]
#[schema(as = RecoveryWish)]
#[serde(deny_unknown_fields)]
pub struct NewRecovery {
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
    request_body = NewRecovery,
    responses((status = 200, description = "The recovery", body = Recovery), Refusals)
)]
pub async fn begin(
    caller: Caller,
    State(gateway): State<GatewayParts>,
    OfWebhook { id, .. }: OfWebhook,
    body: Body<NewRecovery>,
) -> Result<Json<Recovery>, ApiError> {
    let id = existing(&caller, id).await?;
    let NewRecovery { since, until } = body.value;
    let wish = RecoveryWish { since, until };
    Ok(Json(Recovery::of(webhooks::begin_recovery(&gateway, &caller.store, &id, &wish).await?)))
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
    Ok(Json(Recovery::of(webhooks::cancel_recovery(&caller.store, &id, &recovery).await?)))
}
