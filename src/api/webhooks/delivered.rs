//! What an endpoint is sent, for `openapi.json`. Written by `delivery`; the tests' receiver holds what comes to it.

use utoipa::openapi::path::{HttpMethod, OperationBuilder, Paths, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, Schema};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};
use wapid_core::event::described::{AnyEvent, sent_event};

/// A request in the format `standard`: an event, whose it is, and with some profiles a signature.
pub struct StandardDelivery;

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "read by utoipa only")]
struct Whose {
    tenant_id: String,
    /// `live` or `test`
    #[schema(example = "test")]
    mode: String,
    /// With profiles that sign in the body, such as that of the format `classic`
    signature: Option<String>,
}

impl PartialSchema for StandardDelivery {
    fn schema() -> RefOr<Schema> {
        let mut sent = sent_event();
        if let RefOr::T(Schema::Object(whose)) = Whose::schema() {
            sent.properties.extend(whose.properties);
            sent.required.extend(whose.required);
        }
        sent.description = Some("What an endpoint of the format `standard` is sent".to_owned());
        Schema::Object(sent).into()
    }
}

impl ToSchema for StandardDelivery {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((AnyEvent::name().into_owned(), AnyEvent::schema()));
        AnyEvent::schemas(schemas);
    }
}

/// What an endpoint of the format `classic` is sent
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "read by utoipa only")]
pub struct ClassicDelivery {
    tenant_id: String,
    /// `message`, `qr`, `ready`, `disconnected` or `test`; another event that was asked for has its own type
    #[schema(example = "message")]
    event: String,
    session_id: Option<String>,
    /// Unix milliseconds
    timestamp: i64,
    /// As of the event's type; a `message` has its id as `id` too
    #[schema(value_type = Object, additional_properties)]
    data: (),
    /// HMAC-SHA256 of the body before it was put in, in hex; absent without a secret
    signature: Option<String>,
}

/// `webhooks` of the description.
pub fn described() -> Paths {
    let either = AnyOfBuilder::new()
        .item(Ref::from_schema_name(StandardDelivery::name()))
        .item(Ref::from_schema_name(ClassicDelivery::name()));
    let content = ContentBuilder::new().schema(Some(Schema::AnyOf(either.build()))).build();
    let taken =
        ResponseBuilder::new().description("The event is taken. Anything but 2xx is tried again").build();
    let operation = OperationBuilder::new()
        .operation_id(Some("receive_event"))
        .tag("webhooks")
        .summary(Some("An event, sent to your URL"))
        .description(Some(
            "Signed by Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`",
        ))
        .request_body(Some(RequestBodyBuilder::new().content("application/json", content).build()))
        .response("2XX", taken)
        .build();
    PathsBuilder::new().path("event", PathItem::new(HttpMethod::Post, operation)).build()
}
