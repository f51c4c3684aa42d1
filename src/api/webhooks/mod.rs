//! Endpoints of a tenant, and what is delivered to them.
//!
//! | file | what |
//! |---|---|
//! | `first` | the one-URL setting |
//! | `given` | what an owner says of an endpoint |
//! | `deliveries` | what was sent, every attempt, once more |
//! | `recoveries` | everything missed in a time, delivered again |
//! | `test` | an event that shows the exact request |

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::endpoint::{Endpoint, Format, Settings};
use wapid_core::id::{EndpointId, SessionId};
use wapid_core::signature::Profile;
use wapid_core::store::endpoints::Keys;

use super::body::{Body, OptionalBody};
use super::error::ApiError;
use super::openapi::{DONE, Done, Refusals};
use crate::caller::Caller;
use crate::usecases::GatewayParts;
use crate::usecases::webhooks::{self, CurrentWebhook};

pub mod delivered;
pub mod deliveries;
pub mod first;
mod given;
pub mod recoveries;
pub mod test;

use given::{Given, Rotation};

/// What a path under an endpoint names. An id that cannot be one of ours is nobody's.
pub struct OfWebhook {
    pub id: EndpointId,
    /// An event or a recovery.
    pub part: String,
}

impl<S: Send + Sync> FromRequestParts<S> for OfWebhook {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let named = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Path(named) = named.map_err(|_| ApiError::no_webhook())?;
        let mut values = named.into_iter().map(|(_, value)| value);
        let id = values.next().and_then(|id| EndpointId::parse(&id)).ok_or_else(ApiError::no_webhook)?;
        Ok(Self { id, part: values.next().unwrap_or_default() })
    }
}

/// An endpoint
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    #[schema(example = "ep_01jd…")]
    id: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// `standard`, or `classic` for `{tenantId, event, sessionId, timestamp, data, signature}`
    format: &'static str,
    /// `[]`: all of its format
    events: Vec<String>,
    /// `[]`: of every session
    sessions: Vec<String>,
    #[schema(value_type = given::HeaderProfile)]
    profile: Profile,
    /// Names of the headers that go with every request; their values are not shown
    headers: Vec<String>,
    concurrency: u16,
    ordered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    timeout_ms: i64,
    enabled: bool,
    /// Why it is not: `owner`, `gone` (it answered 410) or `failing` (it took nothing for five days)
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Failures in a row
    failures: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
    /// Nothing is tried before, because it failed so often or asked for a pause
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_until: Option<String>,
    /// Is anything signed?
    has_secret: bool,
    /// Shown once: when it was made or changed
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    created_at: String,
}

impl Webhook {
    fn of(endpoint: Endpoint, keys: &Keys) -> Self {
        let Settings {
            url,
            description,
            format,
            events,
            sessions,
            profile,
            concurrency,
            is_ordered,
            attempts_max,
            timeout_ms,
        } = endpoint.settings;
        Self {
            id: endpoint.id.0,
            url,
            description,
            format: match format {
                Format::Classic => "classic",
                Format::Standard => "standard",
            },
            events,
            sessions: sessions.into_iter().map(|SessionId(id)| id).collect(),
            profile,
            headers: keys.headers.iter().map(|(name, _)| name.clone()).collect(),
            concurrency,
            ordered: is_ordered,
            max_attempts: attempts_max,
            timeout_ms,
            enabled: endpoint.state == wapid_core::endpoint::State::Enabled,
            reason: endpoint.reason.map(wapid_core::endpoint::Reason::as_str),
            failures: endpoint.standing.failures,
            failing_since: endpoint.standing.failing_since.map(|at| at.iso()),
            paused_until: endpoint.standing.paused_until.map(|at| at.iso()),
            has_secret: !keys.secrets.is_empty(),
            secret: None,
            created_at: endpoint.created_at.iso(),
        }
    }
}

impl From<CurrentWebhook> for Webhook {
    fn from(current: CurrentWebhook) -> Self {
        let secret = current.new_secret.map(|secret| secret.reveal().to_owned());
        Self { secret, ..Self::of(current.endpoint, &current.keys) }
    }
}

#[derive(Serialize, ToSchema)]
pub struct WebhookList {
    webhooks: Vec<Webhook>,
}

/// All endpoints
#[utoipa::path(
    operation_id = "list_webhooks",
    get, path = "/api/whatsapp/webhooks", tag = "webhooks",
    responses((status = 200, description = "The webhooks", body = WebhookList), Refusals)
)]
pub async fn list(caller: Caller) -> Result<Json<WebhookList>, ApiError> {
    let endpoints = caller.store.endpoints().await?;
    let webhooks = endpoints.into_iter().map(|(endpoint, keys)| Webhook::of(endpoint, &keys)).collect();
    Ok(Json(WebhookList { webhooks }))
}

/// Make an endpoint
///
/// What happens from here on is delivered to it. Without a `secret` one is made; either is shown in this
/// answer and never again.
#[utoipa::path(
    operation_id = "create_webhook",
    post, path = "/api/whatsapp/webhooks", tag = "webhooks",
    request_body = Given,
    responses((status = 200, description = "The webhook", body = Webhook), Refusals)
)]
pub async fn create(
    caller: Caller,
    State(gateway): State<GatewayParts>,
    body: Body<Given>,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(webhooks::create(&gateway, &caller, body.value.into()).await?.into()))
}

/// One endpoint
#[utoipa::path(
    operation_id = "read_webhook",
    get, path = "/api/whatsapp/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The webhook", body = Webhook), Refusals)
)]
pub async fn read(caller: Caller, OfWebhook { id, .. }: OfWebhook) -> Result<Json<Webhook>, ApiError> {
    let (endpoint, keys) = webhooks::find(&caller.store, &id).await?;
    Ok(Json(Webhook::of(endpoint, &keys)))
}

/// Change an endpoint
///
/// A field that is left out stays as it is.
#[utoipa::path(
    operation_id = "change_webhook",
    patch, path = "/api/whatsapp/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    request_body = Given,
    responses((status = 200, description = "The webhook", body = Webhook), Refusals)
)]
pub async fn change(
    caller: Caller,
    State(gateway): State<GatewayParts>,
    OfWebhook { id, .. }: OfWebhook,
    body: Body<Given>,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(webhooks::change(&gateway, &caller, &id, body.value.into()).await?.into()))
}

/// Remove an endpoint
///
/// What was waiting for it is not sent.
#[utoipa::path(
    operation_id = "remove_webhook",
    delete, path = "/api/whatsapp/webhooks/{id}", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn remove(
    caller: Caller,
    State(gateway): State<GatewayParts>,
    OfWebhook { id, .. }: OfWebhook,
) -> Result<Json<Done>, ApiError> {
    webhooks::remove(&gateway, &caller.store, &id).await?;
    Ok(DONE)
}

/// A new secret
///
/// The old one signs beside it for `graceHours` (0 to 168; 24 by default), so that a receiver may change
/// over at any time of them.
#[utoipa::path(
    operation_id = "rotate_webhook_secret",
    post, path = "/api/whatsapp/webhooks/{id}/rotate-secret", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    request_body = Rotation,
    responses((status = 200, description = "The webhook", body = Webhook), Refusals)
)]
pub async fn rotate(
    caller: Caller,
    State(gateway): State<GatewayParts>,
    OfWebhook { id, .. }: OfWebhook,
    body: Body<Rotation>,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(webhooks::rotate_secret(&gateway, &caller.store, &id, body.value.into()).await?.into()))
}

/// What turning an endpoint on may ask for.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enabling {
    /// Deliver what happened since it failed or was turned off as well
    #[serde(default)]
    recover: bool,
}

/// Turn an endpoint on
///
/// What waited for it goes on. What was given up since it began to fail, and what happened while it was off, is
/// delivered with `{"recover":true}`; watch that as a recovery.
#[utoipa::path(
    operation_id = "enable_webhook",
    post, path = "/api/whatsapp/webhooks/{id}/enable", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    request_body(content = Option<Enabling>),
    responses((status = 200, description = "The webhook", body = Webhook), Refusals)
)]
pub async fn enable(
    caller: Caller,
    State(gateway): State<GatewayParts>,
    OfWebhook { id, .. }: OfWebhook,
    body: OptionalBody<Enabling>,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(webhooks::enable(&gateway, &caller.store, &id, body.0.recover).await?.into()))
}

/// Turn an endpoint off
///
/// What waits for it stays, and goes on when it is turned on again. What happens meanwhile is not for it.
#[utoipa::path(
    operation_id = "disable_webhook",
    post, path = "/api/whatsapp/webhooks/{id}/disable", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    responses((status = 200, description = "The webhook", body = Webhook), Refusals)
)]
pub async fn disable(
    caller: Caller,
    State(gateway): State<GatewayParts>,
    OfWebhook { id, .. }: OfWebhook,
) -> Result<Json<Webhook>, ApiError> {
    Ok(Json(webhooks::disable(&gateway, &caller.store, &id).await?.into()))
}
