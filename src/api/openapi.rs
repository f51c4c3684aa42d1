//! The head of `openapi.json`, and the answers that several routes share.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoResponses, Modify, OpenApi};

use super::error::ErrorBody;
use super::events::schema::Event;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wapid",
        description = "A WhatsApp gateway. Live keys (`wapid_live_…`) work on WhatsApp, test keys (`wapid_test_…`) on the sandbox; they never see each other's objects. Every failure answers `{\"error\",\"code\"}`."
    ),
    modifiers(&Keys),
    components(schemas(Event)),
    security(("apiKey" = []), ("bearer" = [])),
    tags(
        (name = "sessions", description = "Link numbers and watch them"),
        (name = "messages", description = "Send, and read the log"),
        (name = "media", description = "Files: stored once, sent to many; and what was received"),
        (name = "people", description = "Whom you talk with: chats, contacts, who is there, your own profile"),
        (name = "groups", description = "Make them, change them, and who is in them"),
        (name = "jobs", description = "One text to many, one by one, within limits and windows"),
        (name = "opt-outs", description = "Who is not written to any more"),
        (name = "events", description = "Everything that happened, in one order: a cursor, and live streams"),
        (name = "webhooks", description = "Events sent to your URLs: signed, tried for days, recovered"),
        (name = "settings", description = "What holds for every job"),
        (name = "sandbox", description = "Simulated phones, for test keys"),
        (name = "operations", description = "For whoever runs it")
    )
)]
pub struct Document;

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let header = ApiKeyValue::with_description("X-API-Key", "The tenant's API key");
        components.add_security_scheme("apiKey", SecurityScheme::ApiKey(ApiKey::Header(header)));
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// What every route of a tenant may answer besides success.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "read by utoipa only")]
pub enum Refusals {
    /// Something in the request is missing or invalid; `error` says what to fix
    #[response(status = 400)]
    Bad(#[to_schema] ErrorBody),
    /// Invalid or missing API key
    #[response(status = 401)]
    Unauthorized(#[to_schema] ErrorBody),
    /// No such object in this tenant and mode
    #[response(status = 404)]
    NotFound(#[to_schema] ErrorBody),
    /// The body did not arrive in time
    #[response(status = 408)]
    SlowBody(#[to_schema] ErrorBody),
    /// The body is larger than this route takes
    #[response(status = 413)]
    TooLarge(#[to_schema] ErrorBody),
    /// Something went wrong on our side
    #[response(status = 500)]
    Internal(#[to_schema] ErrorBody),
}
