//! The one-URL setting: the tenant's first endpoint, in the classic format unless it says otherwise.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use wapid_core::endpoint::Endpoint;
use wapid_core::store::endpoints::Keys;

use super::Webhook;
use super::given::Given;
use super::test::{TestSent, TestWish};
use crate::api::Api;
use crate::api::body::{Body, OptionalBody};
use crate::api::error::ApiError;
use crate::api::openapi::{DONE, Done, Refusals};
use crate::caller::Caller;
use crate::usecases::{GatewayParts, webhooks};

/// The setting; `{"url":null}` where there is none
#[derive(Serialize)]
#[serde(untagged)]
pub enum FirstWebhook {
    Set(Box<Webhook>),
    Unset(NoWebhook),
}

/// There is no webhook
#[derive(Serialize, ToSchema)]
pub struct NoWebhook {
    #[schema(value_type = Option<String>, example = json!(null))]
    url: (),
}

impl PartialSchema for FirstWebhook {
    fn schema() -> RefOr<Schema> {
        let set = Ref::from_schema_name(Webhook::name());
        let either = AnyOfBuilder::new().item(set).item(Ref::from_schema_name(NoWebhook::name()));
        let description = "The setting; `{\"url\":null}` where there is none";
        Schema::AnyOf(either.description(Some(description)).build()).into()
    }
}

impl ToSchema for FirstWebhook {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Webhook::name().into_owned(), Webhook::schema()));
        schemas.push((NoWebhook::name().into_owned(), NoWebhook::schema()));
        Webhook::schemas(schemas);
    }
}

impl FirstWebhook {
    fn of(webhook: Webhook) -> Json<Self> {
        Json(Self::Set(Box::new(webhook)))
    }
}

/// The webhook
#[utoipa::path(
    operation_id = "get_webhook",
    get, path = "/api/whatsapp/webhook", tag = "webhooks",
    responses((status = 200, description = "The webhook, or that there is none", body = FirstWebhook), Refusals)
)]
pub async fn read(caller: Caller) -> Result<Json<FirstWebhook>, ApiError> {
    Ok(match caller.store.first_endpoint().await? {
        Some((endpoint, keys)) => FirstWebhook::of(Webhook::of(endpoint, &keys)),
        None => Json(FirstWebhook::Unset(NoWebhook { url: () })),
    })
}

/// Set the webhook
///
/// `{"url","secret"}` is enough. What is left out stays as it was, the secret too; `"secret":""` signs
/// nothing from here on. An endpoint that had been turned off is turned on.
#[utoipa::path(
    operation_id = "put_webhook",
    put, path = "/api/whatsapp/webhook", tag = "webhooks",
    request_body = Given,
    responses((status = 200, description = "The webhook, or that there is none", body = FirstWebhook), Refusals)
)]
pub async fn write(
    caller: Caller,
    State(gateway): State<GatewayParts>,
    body: Body<Given>,
) -> Result<Json<FirstWebhook>, ApiError> {
    let set = webhooks::set_first(&gateway, &caller, body.value.into()).await?;
    Ok(FirstWebhook::of(set.into()))
}

/// Remove the webhook
#[utoipa::path(
    operation_id = "delete_webhook",
    delete, path = "/api/whatsapp/webhook", tag = "webhooks",
    responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn remove(caller: Caller, State(gateway): State<GatewayParts>) -> Result<Json<Done>, ApiError> {
    let (endpoint, _) = first(&caller).await?;
    webhooks::remove(&gateway, &caller.store, &endpoint.id).await?;
    Ok(DONE)
}

/// Test the webhook
///
/// Sends an event `test` now and answers with the exact request and what came back.
#[utoipa::path(
    operation_id = "send_test_event",
    post, path = "/api/whatsapp/webhook/test", tag = "webhooks",
    request_body(content = Option<TestWish>),
    responses((status = 200, description = "What the endpoint answered", body = TestSent), Refusals)
)]
pub async fn test(
    caller: Caller,
    State(api): State<Api>,
    body: OptionalBody<TestWish>,
) -> Result<Json<TestSent>, ApiError> {
    let (endpoint, keys) = first(&caller).await?;
    super::test::send(&api, &caller, &endpoint, &keys, body.0).await
}

async fn first(caller: &Caller) -> Result<(Endpoint, Keys), ApiError> {
    caller.store.first_endpoint().await?.ok_or_else(ApiError::no_webhook)
}
