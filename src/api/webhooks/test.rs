//! A test event: sent at once, and shown byte for byte.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wapid_core::endpoint::Endpoint;
use wapid_core::event::{Event, VERSION};
use wapid_core::id::EventId;
use wapid_core::store::endpoints::Keys;

use super::OfWebhook;
use crate::api::Api;
use crate::api::body::OptionalBody;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;
use crate::caller::Caller;
use crate::delivery::{Trial, hint};
use crate::usecases::webhooks;

/// Test events of one tenant that are on their way: they ask no endpoint's concurrency.
const AT_ONCE: usize = 4;

/// What is to be sent.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestWish {}

/// A header of the request
#[derive(Serialize, ToSchema)]
pub struct SentHeader {
    name: String,
    /// Values of the owner's own headers are not shown
    value: Option<String>,
}

/// The request as it was sent
#[derive(Serialize, ToSchema)]
pub struct SentRequest {
    method: &'static str,
    url: String,
    headers: Vec<SentHeader>,
    /// Byte for byte
    body: String,
}

/// A test event and what became of it
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestSent {
    /// Was the answer 2xx?
    success: bool,
    event_id: String,
    request: SentRequest,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// `unauthorized`, `timed_out`, `blocked_address` and the like
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    duration_ms: u64,
    /// The first 8 KiB of what was answered
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// What to look at
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

/// Test an endpoint
///
/// Sends an event `test` now, whether the endpoint is on or off, and answers with the exact request and what
/// came back. It is in no log and is not tried again.
#[utoipa::path(
    operation_id = "test_webhook",
    post, path = "/api/whatsapp/webhooks/{id}/test", tag = "webhooks",
    params(("id" = String, Path, description = "The endpoint's id")),
    request_body(content = Option<TestWish>),
    responses((status = 200, description = "What the endpoint answered", body = TestSent), Refusals)
)]
pub async fn test(
    caller: Caller,
    State(api): State<Api>,
    OfWebhook { id, .. }: OfWebhook,
    body: OptionalBody<TestWish>,
) -> Result<Json<TestSent>, ApiError> {
    let (endpoint, keys) = webhooks::find(&caller.store, &id).await?;
    send(&api, &caller, &endpoint, &keys, body.0).await
}

pub(super) async fn send(
    api: &Api,
    caller: &Caller,
    endpoint: &Endpoint,
    keys: &Keys,
    TestWish {}: TestWish,
) -> Result<Json<TestSent>, ApiError> {
    let place = api.tests.enter(caller.store.tenant_id(), AT_ONCE);
    let _place = place.ok_or_else(|| ApiError::too_many_tests(AT_ONCE))?;
    let at = caller.store.now();
    let data = serde_json::json!({ "message": "This is a test of your webhook. Nothing happened." });
    let event = Event {
        id: EventId::new(),
        kind: "test".to_owned(),
        version: VERSION,
        position: 0,
        session_id: None,
        seq: None,
        occurred_at: at,
        data: RawValue::from_string(data.to_string()).map_err(anyhow::Error::from)?,
    };
    let trial = Trial {
        tenant: caller.store.tenant_id(),
        mode: caller.mode(),
        settings: &endpoint.settings,
        keys,
        event: &event,
        at,
    };
    let signed = trial.signed().map_err(anyhow::Error::from)?;
    let sent = trial.send(api.deliveries.outgoing(), &signed).await;
    let own = keys
        .headers
        .iter()
        .filter(|(name, _)| !signed.headers.iter().any(|(ours, _)| ours.eq_ignore_ascii_case(name)));
    let own: Vec<_> = own.map(|(name, _)| SentHeader { name: name.clone(), value: None }).collect();
    let content_type =
        SentHeader { name: "content-type".to_owned(), value: Some("application/json".to_owned()) };
    let signatures = signed.headers.into_iter().map(|(name, value)| SentHeader { name, value: Some(value) });
    Ok(Json(TestSent {
        success: sent.is_success(),
        event_id: event.id.0,
        request: SentRequest {
            method: "POST",
            url: endpoint.settings.url.clone(),
            headers: std::iter::once(content_type).chain(signatures).chain(own).collect(),
            body: signed.body,
        },
        status: sent.status.map(|status| status.as_u16()),
        error: sent.error,
        duration_ms: u64::try_from(sent.duration.as_millis()).unwrap_or(u64::MAX),
        hint: hint(&sent),
        answer: sent.answer,
    }))
}
