//! For whoever runs it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::openapi::OpenRefusals;
use crate::descriptors;

/// Whoever asks whether we are ready waits for a few seconds only.
const DATABASE_WITHIN: Duration = Duration::from_secs(3);

#[derive(Serialize, ToSchema)]
pub struct ProcessHealth {
    /// `ok`, `starting` or `unavailable`
    status: &'static str,
    version: &'static str,
}

impl ProcessHealth {
    fn new(status: &'static str) -> Json<Self> {
        Json(Self { status, version: env!("CARGO_PKG_VERSION") })
    }
}

/// The process is alive
#[utoipa::path(
    get, path = "/healthz", tag = "operations", security(()),
    responses((status = 200, description = "How it is", body = ProcessHealth), OpenRefusals)
)]
pub async fn live() -> Json<ProcessHealth> {
    ProcessHealth::new("ok")
}

/// The database answers, and every session had its chance to come back
#[utoipa::path(
    get, path = "/readyz", tag = "operations", security(()),
    responses((status = 200, description = "How it is", body = ProcessHealth), (status = 503, description = "Something that it needs is away", body = ProcessHealth), OpenRefusals)
)]
pub async fn ready(State(api): State<Api>) -> (StatusCode, Json<ProcessHealth>) {
    let answered = tokio::time::timeout(DATABASE_WITHIN, api.sessions.store().ping()).await;
    let problem = match answered {
        Ok(Ok(())) => None,
        Ok(Err(problem)) => Some(problem.to_string()),
        Err(_) => Some(format!("nothing within {} s", DATABASE_WITHIN.as_secs())),
    };
    if let Some(problem) = problem {
        tracing::error!("The database does not answer: {problem}");
        return (StatusCode::SERVICE_UNAVAILABLE, ProcessHealth::new("unavailable"));
    }
    if descriptors::are_short() {
        tracing::error!(
            "Nearly all files and sockets that this process may open are in use; raise `ulimit -n`"
        );
        return (StatusCode::SERVICE_UNAVAILABLE, ProcessHealth::new("unavailable"));
    }
    if !api.restored.load(Ordering::Acquire) {
        return (StatusCode::SERVICE_UNAVAILABLE, ProcessHealth::new("starting"));
    }
    (StatusCode::OK, ProcessHealth::new("ok"))
}
