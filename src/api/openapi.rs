//! The head of `openapi.json`, how it is served, and the answers that several routes share.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::Response as DescribedResponse;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};
use wapid_core::event::described::AnyEvent;

use super::error::ErrorBody;
use super::webhooks::delivered::{self, ClassicDelivery, StandardDelivery};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wapid",
        description = "A WhatsApp gateway. Live keys (`wapid_live_…`) work on WhatsApp, test keys (`wapid_test_…`) on the sandbox; they never see each other's objects. Every failure answers `{\"error\",\"code\"}`. Parameters and fields that a route does not know are refused by name.",
        license(name = "AGPL-3.0-or-later", identifier = "AGPL-3.0-or-later")
    ),
    servers((url = "/", description = "The gateway that this description comes from")),
    modifiers(&Keys),
    components(schemas(AnyEvent, StandardDelivery, ClassicDelivery, ErrorBody)),
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

/// That it was done, where there is nothing else to say
#[derive(Serialize, ToSchema)]
pub struct Done {
    #[schema(example = true)]
    success: bool,
}

pub const DONE: Json<Done> = Json(Done { success: true });

/// What every route of a tenant may answer besides success. An operation that says more of a status says it itself.
pub struct Refusals;

/// What a route that asks for no key may answer besides success.
pub struct OpenRefusals;

/// Stands for the shared answers until [`finish`] knows which of them an operation has words of its own for.
const SHARED: &str = "default";

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<DescribedResponse>> {
        [(SHARED.to_owned(), Ref::from_response_name("Refusals").into())].into()
    }
}

impl IntoResponses for OpenRefusals {
    fn responses() -> BTreeMap<String, RefOr<DescribedResponse>> {
        [(SHARED.to_owned(), Ref::from_response_name("OpenRefusals").into())].into()
    }
}

/// An answer that is the same wherever it is given.
struct SharedResponse {
    status: &'static str,
    name: &'static str,
    /// Without a key, too.
    is_open: bool,
    description: &'static str,
}

const SHARED_RESPONSES: [SharedResponse; 7] = [
    SharedResponse {
        status: "400",
        name: "BadRequest",
        is_open: true,
        description: "Something in the request is missing or invalid; `error` says what to fix. Everywhere: \
                      `INVALID_PARAMETER` (of the query), `INVALID_REQUEST` (a field of the body), `INVALID_JSON`, \
                      `INVALID_RECIPIENT`; where WhatsApp is asked: `SESSION_NOT_READY`",
    },
    SharedResponse {
        status: "401",
        name: "Unauthorized",
        is_open: false,
        description: "Invalid or missing API key: `UNAUTHORIZED`",
    },
    SharedResponse {
        status: "404",
        name: "NotFound",
        is_open: false,
        description: "No such object in this tenant and mode: `SESSION_NOT_FOUND`, `MESSAGE_NOT_FOUND`, \
                      `JOB_NOT_FOUND` and the like",
    },
    SharedResponse {
        status: "408",
        name: "BodyTimeout",
        is_open: false,
        description: "The body did not arrive in time: `BODY_TIMEOUT`",
    },
    SharedResponse {
        status: "413",
        name: "BodyTooLarge",
        is_open: false,
        description: "The body is larger than this route takes: `BODY_TOO_LARGE`",
    },
    SharedResponse {
        status: "429",
        name: "TooManyRequests",
        is_open: false,
        description: "Too much of something: WhatsApp's questions (`WHATSAPP_RATE_LIMIT`, `NUMBER_CHECK_LIMIT`), the \
                      day's messages (`SENT_LIMIT_EXCEEDED`), things at the same time (`TOO_MANY_…`, `GATEWAY_FULL`, `MEDIA_BUSY`). \
                      `retryAfter` says when it is worth trying again, `resetAt` when a limit begins anew",
    },
    SharedResponse {
        status: "500",
        name: "InternalError",
        is_open: true,
        description: "Something went wrong on our side (`INTERNAL`, `DATABASE_NOT_ANSWERING`, `STORAGE_FULL`), or WhatsApp has not answered \
                      (`WHATSAPP_TIMEOUT`, `OUTCOME_UNKNOWN`)",
    },
];

impl SharedResponse {
    fn described(&self) -> DescribedResponse {
        let error = Ref::from_schema_name(ErrorBody::name());
        let content = ContentBuilder::new().schema(Some(error)).build();
        let response =
            ResponseBuilder::new().description(self.description).content("application/json", content);
        if self.status != "429" {
            return response.build();
        }
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds, as `retryAfter`"));
        response.header("Retry-After", header.build()).build()
    }
}

/// Puts in what only the whole description can have: the answers that operations share, each once, what endpoints are
/// sent, and that a file is bytes and no list of numbers, as JSON would write them.
pub fn finish(document: &mut utoipa::openapi::OpenApi) {
    let components = document.components.get_or_insert_default();
    for shared in &SHARED_RESPONSES {
        components.responses.insert(shared.name.to_owned(), shared.described().into());
    }
    document.webhooks = Some(delivered::described());
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                read_as_bytes(&mut body.content);
            }
            let answers = &mut operation.responses.responses;
            for answer in answers.values_mut() {
                if let RefOr::T(answer) = answer {
                    read_as_bytes(&mut answer.content);
                }
            }
            let Some(RefOr::Ref(marker)) = answers.remove(SHARED) else { continue };
            let is_open = marker.ref_location.ends_with("/OpenRefusals");
            for shared in SHARED_RESPONSES.iter().filter(|shared| shared.is_open || !is_open) {
                let leads_to = Ref::from_response_name(shared.name);
                answers.entry(shared.status.to_owned()).or_insert_with(|| leads_to.into());
            }
        }
    }
}

fn read_as_bytes<'a>(contents: impl IntoIterator<Item = (&'a String, &'a mut RefOr<Content>)>) {
    for (kind, content) in contents {
        let RefOr::T(content) = content else { continue };
        let is_list = matches!(content.schema, Some(RefOr::T(Schema::Array(_))));
        if is_list && kind != "application/json" {
            let bytes = ObjectBuilder::new().schema_type(Type::String);
            let bytes = bytes.format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
            content.schema = Some(bytes.into());
        }
    }
}

/// `/openapi.json`, written once: it is some hundred KB.
pub fn served<S: Clone + Send + Sync + 'static>(document: utoipa::openapi::OpenApi) -> MethodRouter<S> {
    let plain = serde_json::to_vec(&document).expect("a description is JSON");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let gzipped =
        gzip.write_all(&plain).and_then(|()| gzip.finish()).expect("memory takes all that is written");
    // Weak: the same for what is compressed and what is not.
    let tag = format!("W/\"{}\"", hex::encode(&Sha256::digest(&plain)[..16]));
    let written = Written { plain: plain.into(), gzipped: gzipped.into(), tag: tag.into() };
    get(move |headers: HeaderMap| {
        let written = written.clone();
        async move { written.answer(&headers) }
    })
}

/// The description as it is sent.
#[derive(Clone)]
struct Written {
    plain: Bytes,
    gzipped: Bytes,
    tag: Arc<str>,
}

impl Written {
    fn answer(self, asked: &HeaderMap) -> Response {
        let is_known = names_tag(asked, &self.tag);
        let is_gzip_taken = takes_gzip(asked);
        let mut response = match (is_known, is_gzip_taken) {
            (true, _) => StatusCode::NOT_MODIFIED.into_response(),
            (false, true) => self.gzipped.into_response(),
            (false, false) => self.plain.into_response(),
        };
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        // It may be kept, and is asked for again each time: an upgrade changes it.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if !is_known {
            describe(headers, is_gzip_taken);
        }
        response
    }
}

/// Does somebody have it already?
fn names_tag(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}

fn describe(headers: &mut HeaderMap, is_gzip_taken: bool) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if is_gzip_taken {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

/// Whoever names gzip and does not weigh it with nothing.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
        is_gzip && weight.is_ok_and(|weight| weight > 0.0)
    })
}
