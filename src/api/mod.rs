//! HTTP. The route table is here; `openapi.json` is made from it.
//!
//! Handlers parse, call one thing and shape the answer. Only [`caller`] reads credentials, only
//! [`error`] knows statuses and codes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::error;
use utoipa::OpenApi as _;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;
use wapid_core::turns::Turns;

use crate::delivery::Deliveries;
use crate::media::Media;
use crate::session::Sessions;
use crate::usecases::GatewayParts;

mod answers;
mod body;
mod caller;
mod chats;
mod contacts;
mod counted;
mod csv;
mod error;
mod events;
mod given_number;
mod groups;
mod health;
mod jobs;
mod known;
mod media;
mod messages;
pub mod metrics;
mod moments;
mod names;
mod numbers;
mod openapi;
mod opt_outs;
mod pace;
mod params;
mod places;
mod plain;
mod presence;
mod profile;
mod read;
mod sandbox;
mod send;
mod sessions;
mod settings;
mod unread;
mod visit;
pub mod webhooks;

pub use sandbox::messages::SENDS_AT_ONCE;

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub sessions: Sessions,
    pub deliveries: Deliveries,
    pub media: Media,
    /// Test events on their way.
    pub tests: places::Places,
    /// Files of messages that are being written.
    pub exports: places::Places,
    /// Where the world finds this gateway, without a slash at its end.
    pub public_url: Option<Arc<str>>,
    /// Ends streams.
    pub stop: CancellationToken,
    pub metrics: metrics::Metrics,
    pub restored: Arc<std::sync::atomic::AtomicBool>,
    /// Where the files of forms lie while they are read.
    pub uploads: Arc<std::path::Path>,
    /// Lists of jobs that may be in memory at a time.
    pub lists: jobs::ListTurns,
    /// Media on their way to sandbox phones that may be in memory at a time.
    pub media_sends: Turns,
}

impl FromRef<Api> for GatewayParts {
    fn from_ref(api: &Api) -> Self {
        Self { sessions: api.sessions.clone(), deliveries: api.deliveries.clone(), media: api.media.clone() }
    }
}

/// Every route, as documented.
fn documented() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(sessions::create))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::status))
        .routes(routes!(sessions::qr))
        .routes(routes!(sessions::health))
        .routes(routes!(sessions::start))
        .routes(routes!(sessions::stop))
        .routes(routes!(sessions::remove))
        .routes(routes!(sessions::disconnect))
        .routes(routes!(send::send).layer(DefaultBodyLimit::disable()))
        .routes(routes!(messages::list::list))
        .routes(routes!(messages::export::export))
        .routes(routes!(messages::one::read, messages::one::erase))
        .routes(routes!(messages::one::forget))
        .routes(routes!(numbers::check))
        .routes(routes!(read::read))
        .routes(routes!(presence::show_typing))
        .routes(routes!(presence::show))
        .routes(routes!(presence::follow))
        .routes(routes!(contacts::list))
        .routes(routes!(contacts::read))
        .routes(routes!(contacts::picture))
        .routes(routes!(contacts::block))
        .routes(routes!(contacts::unblock))
        .routes(routes!(contacts::blocked))
        .routes(routes!(chats::list))
        .routes(routes!(chats::messages))
        .routes(routes!(chats::mark_read))
        .routes(routes!(chats::archive))
        .routes(routes!(chats::unarchive))
        .routes(routes!(chats::pin))
        .routes(routes!(chats::unpin))
        .routes(routes!(chats::mute))
        .routes(routes!(chats::unmute))
        .routes(routes!(profile::read, profile::change))
        .routes(routes!(profile::set_picture, profile::remove_picture))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::join))
        .routes(routes!(groups::preview))
        .routes(routes!(groups::read, groups::change))
        .routes(routes!(groups::participants))
        .routes(routes!(groups::leave))
        .routes(routes!(groups::invite))
        .routes(routes!(groups::reset_invite))
        .routes(routes!(jobs::new::create))
        .routes(routes!(jobs::new::preview))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::read))
        .routes(routes!(jobs::pause))
        .routes(routes!(jobs::resume))
        .routes(routes!(jobs::cancel))
        .routes(routes!(jobs::retry))
        .routes(routes!(jobs::recipients::list))
        .routes(routes!(jobs::recipients::results))
        .routes(routes!(opt_outs::list, opt_outs::add))
        .routes(routes!(opt_outs::remove))
        .routes(routes!(settings::read, settings::write))
        .routes(routes!(webhooks::first::read, webhooks::first::write, webhooks::first::remove))
        .routes(routes!(webhooks::first::test))
        .routes(routes!(webhooks::list, webhooks::create))
        .routes(routes!(webhooks::read, webhooks::change, webhooks::remove))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::enable))
        .routes(routes!(webhooks::disable))
        .routes(routes!(webhooks::test::test))
        .routes(routes!(webhooks::deliveries::list))
        .routes(routes!(webhooks::deliveries::read))
        .routes(routes!(webhooks::deliveries::retry))
        .routes(routes!(webhooks::recoveries::begin))
        .routes(routes!(webhooks::recoveries::list))
        .routes(routes!(webhooks::recoveries::read))
        .routes(routes!(webhooks::recoveries::cancel))
        .routes(routes!(events::list))
        .routes(routes!(events::stream::stream).layer((
            SetResponseHeaderLayer::if_not_present(
                // A page of any origin may read with a ticket; no cookie of anybody means anything here.
                header::ACCESS_CONTROL_ALLOW_ORIGIN,
                HeaderValue::from_static("*"),
            ),
            SetResponseHeaderLayer::if_not_present(
                // nginx would keep events until it has a few kilobytes of them.
                HeaderName::from_static("x-accel-buffering"),
                HeaderValue::from_static("no"),
            ),
        )))
        .routes(routes!(events::stream::socket))
        .routes(routes!(events::ticket))
        // What a file may have of bytes depends on what it is; `Media` counts them.
        .routes(routes!(media::list, media::upload::create).layer(DefaultBodyLimit::disable()))
        .routes(routes!(media::read, media::remove))
        .routes(routes!(media::content::content))
        .routes(routes!(media::link::create))
        .routes(routes!(media::link::open))
        .routes(routes!(sandbox::create_phone, sandbox::list_phones))
        .routes(routes!(sandbox::scan))
        .routes(routes!(sandbox::enter_code))
        .routes(routes!(sandbox::messages::list, sandbox::messages::send))
        .routes(routes!(sandbox::messages::media))
        .routes(routes!(sandbox::messages::mark_read))
        .routes(routes!(sandbox::messages::played))
        .routes(routes!(sandbox::unlink))
        .routes(routes!(sandbox::people::presence))
        .routes(routes!(sandbox::people::typing))
        .routes(routes!(sandbox::people::profile))
        .routes(routes!(sandbox::people::block))
        .routes(routes!(sandbox::people::save))
        .routes(routes!(sandbox::people::chat))
        .routes(routes!(sandbox::people::call))
        .routes(routes!(sandbox::people::sees))
        .routes(routes!(sandbox::fault))
        .routes(routes!(sandbox::groups::list, sandbox::groups::create))
        .routes(routes!(sandbox::groups::read, sandbox::groups::act))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::scrape))
}

/// The API and its own description.
pub fn router(api: Api) -> Router {
    let (router, mut document) = documented().split_for_parts();
    openapi::finish(&mut document);
    let known = known::KnownRoutes::of(&document);
    router
        .route("/openapi.json", openapi::served(document))
        .fallback(|| std::future::ready(error::ApiError::no_route()))
        .method_not_allowed_fallback(|| std::future::ready(error::ApiError::method_not_allowed()))
        // Each route that reads a body has its own limit; this is the largest, a form's with a file.
        .layer(DefaultBodyLimit::max(jobs::new::FORM_MAX))
        .layer(axum::middleware::from_fn_with_state(known, known::refuse_unknown))
        .layer(axum::middleware::map_request(unread::read_on))
        .layer(axum::middleware::map_request(pace::pace))
        .layer(axum::middleware::from_fn(answers::hold))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn(counted::count))
        .with_state(api)
}

/// The description alone, for `wapid openapi` and tests.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = documented().into_openapi();
    openapi::finish(&mut document);
    document
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    // The payload may hold what a caller sent; the panic hook has said where.
    error!("A handler panicked");
    error::ApiError::internal().into_response()
}
