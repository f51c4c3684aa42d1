//! Each request counted and timed, for `/metrics`.
//!
//! By the template of its route, never by what somebody wrote into it: no tenant, no number and no id is a
//! label, and nobody can make new ones. The time is that until the head of the answer, so a stream that
//! goes on for hours counts as soon as it has begun.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

/// Of a request that no route knows.
const NO_ROUTE: &str = "none";
/// Methods that routes have; a caller may send any word.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

pub async fn count(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let word = request.method().as_str();
    let method = METHODS.into_iter().find(|method| *method == word).unwrap_or("other");
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| NO_ROUTE.to_owned(), |route| route.as_str().to_owned());
    let answer = next.run(request).await;
    let labels = [("method", method.to_owned()), ("route", route)];
    metrics::histogram!("wapid_http_request_duration_seconds", &labels).record(began.elapsed().as_secs_f64());
    let [method, route] = labels;
    let status = ("status", answer.status().as_u16().to_string());
    metrics::counter!("wapid_http_requests_total", &[method, route, status]).increment(1);
    answer
}
