//! The one map from what went wrong to status and code. Codes are public API.
//!
//! Every failure has seed 001's shape, `{"error":"…","code":"…"}`: unknown routes, wrong methods,
//! malformed JSON and panics included.
//!
//! | file | what |
//! |---|---|
//! | `refusals` | what use cases refuse |
//! | `fields` | what the fields of wishes are called in JSON |
//! | `layers` | what the layers below refuse: rows, sessions, files, groups, the sandbox, the door |

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use wapid_core::clock::At;
use wapid_core::job::State;
use wapid_core::store::StoreError;

pub mod fields;
mod layers;
mod refusals;

/// When a place among a few may be free again, in seconds: what takes one takes some seconds.
const PLACE_FREE_S: i64 = 5;
/// When a database that does not answer may be back.
const DATABASE_BACK_S: i64 = 5;

/// What a failed request answers.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Error)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// For people: what is wrong and what to do.
    pub error: Cow<'static, str>,
    /// For programs; stable.
    pub code: Cow<'static, str>,
    /// With `SENT_LIMIT_EXCEEDED` and `SESSION_LIMIT_REACHED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<i64>,
    /// With 429, `NUMBER_CHECK_FAILED` and `DATABASE_NOT_ANSWERING`: seconds until it is worth trying again; the header `Retry-After` says
    /// the same
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub retry_after: Option<i64>,
    /// With 429, where a limit begins anew at a time: when
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-09T00:00:00.000Z")]
    pub reset_at: Option<String>,
    /// The id under which the message is in the log, where it got that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// With `SESSION_NOT_READY`: where the session stands and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// A refused request.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    /// With 416: the bytes that there are.
    content_range: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, error: impl Into<Cow<'static, str>>) -> Self {
        let body = ErrorBody {
            error: error.into(),
            code: code.into(),
            limit: None,
            used: None,
            retry_after: None,
            reset_at: None,
            message_id: None,
            status: None,
            reason: None,
        };
        Self { status, body: Box::new(body), content_range: None }
    }

    /// The caller sent something we cannot take.
    pub fn bad(code: &'static str, error: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, error)
    }

    /// There is too much of something; `seconds` later it may be less.
    fn too_many(code: &'static str, error: impl Into<Cow<'static, str>>, seconds: i64) -> Self {
        let mut refused = Self::new(StatusCode::TOO_MANY_REQUESTS, code, error);
        refused.body.retry_after = Some(seconds);
        refused
    }

    /// A limit that begins anew at a time.
    #[must_use]
    pub fn until(mut self, reset_at: At, now: At) -> Self {
        // Rounded up: whoever comes back then finds it begun.
        let seconds = (reset_at.since(now).max(1) + 999) / 1_000;
        (self.body.retry_after, self.body.reset_at) = (Some(seconds), Some(reset_at.iso()));
        self
    }

    /// The caller wrote something we cannot take into the query.
    pub fn parameter(error: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("INVALID_PARAMETER", error)
    }

    pub fn no_job() -> Self {
        Self::new(StatusCode::NOT_FOUND, "JOB_NOT_FOUND", "There is no such job")
    }

    pub fn job_is_over(state: State) -> Self {
        let why = match state {
            State::Cancelled => "The job was cancelled; make a new one for those who were not written to",
            State::Failed => "The job ended with its session; make a new one",
            _ => "Every recipient of the job has an outcome already",
        };
        Self::bad("JOB_IS_OVER", why)
    }

    pub fn no_webhook() -> Self {
        Self::new(StatusCode::NOT_FOUND, "WEBHOOK_NOT_FOUND", "There is no such webhook")
    }

    pub fn no_event() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "EVENT_NOT_FOUND",
            "There is no such event, or it is too old to be kept",
        )
    }

    pub fn no_recovery() -> Self {
        Self::new(StatusCode::NOT_FOUND, "RECOVERY_NOT_FOUND", "There is no such recovery")
    }

    /// A reader of the log was away for longer than events are kept.
    pub fn events_gone(forgotten: i64) -> Self {
        Self::new(
            StatusCode::GONE,
            "EVENTS_GONE",
            format!("Events up to position {forgotten} are kept no longer; read on with after={forgotten}"),
        )
    }

    pub fn too_many_tests(limit: usize) -> Self {
        let why = format!("{limit} test events of this tenant are on their way; wait for their answers");
        Self::too_many("TOO_MANY_TESTS", why, PLACE_FREE_S)
    }

    pub fn bad_ticket() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "TICKET_NOT_VALID",
            "The ticket is not valid any more; ask for another with POST /api/whatsapp/events/ticket",
        )
    }

    pub fn no_media() -> Self {
        Self::new(StatusCode::NOT_FOUND, "MEDIA_NOT_FOUND", "There is no such file, or it is kept no longer")
    }

    pub fn link_expired() -> Self {
        Self::new(StatusCode::GONE, "LINK_EXPIRED", "The link has expired; ask for another")
    }

    /// No byte of a file of `size` bytes is in the range that was asked for.
    pub fn no_such_range(size: u64) -> Self {
        let mut refused = Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "RANGE_NOT_SATISFIABLE",
            format!("The file has {size} bytes; the range is beyond them"),
        );
        refused.content_range = Some(size);
        refused
    }

    pub fn not_opted_out() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_OPTED_OUT", "This number is not on the list of opt-outs")
    }

    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "Invalid or missing API key: send it in the X-API-Key header",
        )
    }

    /// `/metrics` without its key.
    pub fn metrics_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "METRICS_KEY_NEEDED",
            "Metrics want the key of WAPID_METRICS_KEY, as Authorization: Bearer",
        )
    }

    /// `/metrics` from another machine, where nothing says who may.
    pub fn metrics_closed() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "METRICS_KEY_NEEDED",
            "Metrics answer their own machine alone; set WAPID_METRICS_KEY, or WAPID_METRICS_LISTEN, to read them from another",
        )
    }

    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such route; see /openapi.json")
    }

    pub fn no_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND", "There is no such session")
    }

    pub fn no_group() -> Self {
        Self::new(StatusCode::NOT_FOUND, "GROUP_NOT_FOUND", "There is no such group")
    }

    /// The same refusal, which ends after so many milliseconds.
    #[must_use]
    pub fn over_in(mut self, ms: i64) -> Self {
        self.body.retry_after = Some(whole_seconds(ms));
        self
    }

    /// The same refusal, of one field of a request.
    #[must_use]
    pub fn about(mut self, field: &str) -> Self {
        self.body.error = format!("{field}: {}", self.body.error).into();
        self
    }

    pub fn no_qr() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "QR_NOT_READY",
            "No QR is waiting to be scanned; read the session's status",
        )
    }

    fn of_store(problem: &StoreError) -> Self {
        if problem.is_full() {
            Self::storage_full()
        } else if problem.is_away() {
            Self::database_away()
        } else {
            Self::internal()
        }
    }

    fn database_away() -> Self {
        let why = "The gateway's database does not answer. What you asked for may have been done: try again, with \
                   the same Idempotency-Key if you sent one";
        let mut refused = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "DATABASE_NOT_ANSWERING", why);
        refused.body.retry_after = Some(DATABASE_BACK_S);
        refused
    }

    fn storage_full() -> Self {
        let why = "The gateway's disk is full: nothing was written";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "STORAGE_FULL", why)
    }

    pub fn no_message() -> Self {
        Self::new(StatusCode::NOT_FOUND, "MESSAGE_NOT_FOUND", "There is no such message in the log")
    }

    pub fn is_sending() -> Self {
        Self::bad(
            "MESSAGE_IS_SENDING",
            "The message is on its way; once it is sent or has failed, it can be erased",
        )
    }

    pub fn too_many_exports(limit: usize) -> Self {
        let why = format!("{limit} exports of this tenant are underway; let one end");
        Self::too_many("TOO_MANY_EXPORTS", why, PLACE_FREE_S)
    }

    pub fn needs_test_key() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "SANDBOX_NEEDS_TEST_KEY",
            "The sandbox answers test keys only (wapid_test_…)",
        )
    }

    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            "This route does not take this method; see /openapi.json",
        )
    }

    pub fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
            format!("The body is larger than {limit} bytes"),
        )
    }

    /// A body that came gzipped or the like.
    pub fn compressed() -> Self {
        Self::bad(
            "ENCODING_NOT_SUPPORTED",
            "The body is compressed; send it as it is, without Content-Encoding",
        )
    }

    /// A route that reads no body was sent one.
    pub fn no_body_here() -> Self {
        Self::bad("INVALID_REQUEST", "The body: this route takes none")
    }

    /// The same refusal, where no body was to come at all.
    #[must_use]
    pub fn of_no_body(self) -> Self {
        if self.status == StatusCode::PAYLOAD_TOO_LARGE { Self::no_body_here() } else { self }
    }

    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "Something went wrong on our side")
    }

    pub fn slow_body() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT", "The body did not arrive in time")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after = self.body.retry_after;
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let ask = HeaderValue::from_static("Bearer realm=\"wapid\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
        }
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(size) = self.content_range
            && let Ok(told) = HeaderValue::try_from(format!("bytes */{size}"))
        {
            response.headers_mut().insert(header::CONTENT_RANGE, told);
        }
        response
    }
}

/// Rounded up: whoever comes then is not early.
fn whole_seconds(ms: i64) -> i64 {
    ms.div_euclid(1_000) + i64::from(ms.rem_euclid(1_000) > 0)
}

/// Below the API, an error is a lowercase fragment; a caller reads a sentence.
pub(super) fn sentence(problem: &impl std::fmt::Display) -> String {
    let text = problem.to_string();
    // A field's name stays as it is written.
    if text.split_once(':').is_some_and(|(name, _)| !name.contains(' ')) {
        return text;
    }
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
