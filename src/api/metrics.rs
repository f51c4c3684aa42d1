//! `/metrics`, and whom it answers.
//!
//! What is counted is of all tenants together and names none, but how much a gateway sends is nobody's business either.
//! So it answers who shows `WAPID_METRICS_KEY`, or whoever reaches the listener that `WAPID_METRICS_LISTEN` gives it
//! alone. Where neither is set, it answers this machine. A proxy on it makes everybody come from here, and is told to
//! keep it back (README, "Behind a proxy").

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use subtle::ConstantTimeEq as _;

use super::Api;
use super::error::{ApiError, ErrorBody};
use super::openapi::OpenRefusals;
use crate::serve::Peer;
use crate::telemetry;

/// Prometheus' text format, by its version.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A database or a queue that does not answer costs its own figure, not all of them.
const FIGURE_WITHIN: Duration = Duration::from_secs(1);

/// What is counted, and whom it is shown.
#[derive(Clone)]
pub struct Metrics {
    pub handle: PrometheusHandle,
    /// Whoever shows it.
    pub key: Option<Arc<str>>,
    /// They have a listener of their own, and are not to be found among the tenants' routes.
    pub is_elsewhere: bool,
}

impl Metrics {
    /// # Errors
    /// Where they are shown to others only.
    fn admit(&self, peer: Option<Peer>, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(key) = &self.key else {
            let is_here = peer.is_some_and(|Peer(address)| address.ip().to_canonical().is_loopback());
            return if is_here || self.is_elsewhere { Ok(()) } else { Err(ApiError::metrics_closed()) };
        };
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.split_once(' '));
        let is_right = shown.is_some_and(|(scheme, shown)| {
            scheme.eq_ignore_ascii_case("bearer") && bool::from(shown.trim().as_bytes().ct_eq(key.as_bytes()))
        });
        if is_right { Ok(()) } else { Err(ApiError::metrics_key()) }
    }
}

/// Prometheus metrics
///
/// For whoever runs the gateway: with `WAPID_METRICS_KEY` as `Authorization: Bearer`, without one from this machine
/// alone; not here where `WAPID_METRICS_LISTEN` is set.
#[utoipa::path(
    get, path = "/metrics", tag = "operations", security(()),
    responses(
        (status = 200, description = "Metrics, as Prometheus reads them", content_type = "text/plain", body = String),
        (status = 401, description = "They are shown to others only: `METRICS_KEY_NEEDED`", body = ErrorBody),
        (status = 404, description = "They have a listener of their own: `NOT_FOUND`", body = ErrorBody),
        OpenRefusals
    )
)]
pub async fn scrape(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if api.metrics.is_elsewhere {
        return Err(ApiError::no_route());
    }
    shown(State(api), peer, headers).await
}

/// What the listener of their own serves.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/metrics", get(shown))
        .fallback(|| std::future::ready(ApiError::no_route()))
        .method_not_allowed_fallback(|| std::future::ready(ApiError::method_not_allowed()))
        .with_state(api)
}

async fn shown(
    State(api): State<Api>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    api.metrics.admit(peer.map(|Extension(peer)| peer), &headers)?;
    telemetry::observe_process();
    for (status, count) in api.sessions.census() {
        metrics::gauge!("wapid_sessions", "status" => status.as_str()).set(count as f64);
    }
    let store = api.sessions.store();
    metrics::gauge!("wapid_messages_underway").set(api.sessions.underway() as f64);
    metrics::gauge!("wapid_ledger_queue").set(store.ledger_depth() as f64);
    let (deliveries, wakeups) = tokio::join!(
        tokio::time::timeout(FIGURE_WITHIN, store.deliveries_waiting()),
        tokio::time::timeout(FIGURE_WITHIN, api.sessions.wakeups_waiting()),
    );
    // A figure that nobody can tell is none, rather than an old one.
    let deliveries = deliveries.ok().and_then(Result::ok).map_or(f64::NAN, |waiting| waiting as f64);
    let wakeups = wakeups.ok().flatten().map_or(f64::NAN, |waiting| waiting as f64);
    metrics::gauge!("wapid_deliveries_waiting").set(deliveries);
    metrics::gauge!("wapid_wakeups_waiting").set(wakeups);
    Ok(([(header::CONTENT_TYPE, EXPOSITION)], api.metrics.handle.render()).into_response())
}
