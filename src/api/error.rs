//! The one map from what went wrong to status and code. Codes are public API.
//!
//! Every failure has seed 001's shape, `{"error":"…","code":"…"}`: unknown routes, wrong methods,
//! malformed JSON and panics included.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;
use wapid_core::clock::At;
use wapid_core::job::State;
use wapid_core::phone::PhoneError;
use wapid_core::session::Status;
use wapid_core::store::StoreError;
use wapid_core::store::endpoints::NewEndpointError;
use wapid_core::store::jobs::NewJobError;
use wapid_core::store::sessions::NewSessionError;
use wapid_sandbox::SandboxError;

use crate::door::Full;
use crate::media::{Refusal as MediaRefusal, Unreadable};
use crate::session::groups::{self, Refusal};
use crate::session::{AskFailure, AskRefusal, CodeRefusal, NotReady, SendRefusal};

/// When a place among a few may be free again, in seconds: what takes one takes some seconds.
const PLACE_FREE_S: i64 = 5;
/// How long WhatsApp is left alone that said it was asked too much.
const WHATSAPP_REST_S: i64 = 60;
/// When a database that does not answer may be back.
const DATABASE_BACK_S: i64 = 5;
const DAY_S: i64 = 86_400;

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

impl From<StoreError> for ApiError {
    fn from(problem: StoreError) -> Self {
        error!("A request met a store that failed: {problem}");
        Self::of_store(&problem)
    }
}

impl From<anyhow::Error> for ApiError {
    fn from(problem: anyhow::Error) -> Self {
        error!("A request failed: {problem:#}");
        let store = problem.chain().find_map(|cause| cause.downcast_ref::<StoreError>());
        store.map_or_else(Self::internal, Self::of_store)
    }
}

impl From<Full> for ApiError {
    fn from(problem: Full) -> Self {
        let code = match problem {
            Full::Tenant(_) => "TOO_MANY_REQUESTS",
            Full::Gateway => "GATEWAY_FULL",
            Full::Streams(_) | Full::StreamsOfKey(_) => "TOO_MANY_STREAMS",
            Full::Answers => "TOO_MANY_ANSWERS",
        };
        Self::too_many(code, sentence(&problem), PLACE_FREE_S)
    }
}

impl From<PhoneError> for ApiError {
    fn from(problem: PhoneError) -> Self {
        Self::bad("INVALID_RECIPIENT", sentence(&problem))
    }
}

impl From<NewJobError> for ApiError {
    fn from(problem: NewJobError) -> Self {
        match problem {
            NewJobError::KeyReused => Self::bad("IDEMPOTENCY_KEY_REUSED", sentence(&problem)),
            NewJobError::NoSession => Self::no_session(),
            NewJobError::TooMany => Self::bad("TOO_MANY_JOBS", sentence(&problem)),
            NewJobError::Store(problem) => problem.into(),
        }
    }
}

impl From<NewEndpointError> for ApiError {
    fn from(problem: NewEndpointError) -> Self {
        match problem {
            NewEndpointError::TooMany => Self::bad("TOO_MANY_WEBHOOKS", sentence(&problem)),
            NewEndpointError::HasFirst => Self::bad("WEBHOOK_SET_MEANWHILE", sentence(&problem)),
            NewEndpointError::Store(problem) => problem.into(),
        }
    }
}

impl From<NewSessionError> for ApiError {
    fn from(problem: NewSessionError) -> Self {
        match problem {
            NewSessionError::LimitReached { limit, used } => {
                let mut refused = Self::bad(
                    "SESSION_LIMIT_REACHED",
                    format!("Your plan allows {limit} sessions; remove one or raise the limit"),
                );
                (refused.body.limit, refused.body.used) = (Some(limit), Some(used));
                refused
            }
            NewSessionError::Removing => Self::bad(
                "SESSION_BEING_REMOVED",
                "The session of this id is being removed; try again in a moment",
            ),
            NewSessionError::Store(problem) => problem.into(),
        }
    }
}

impl From<CodeRefusal> for ApiError {
    fn from(problem: CodeRefusal) -> Self {
        match problem {
            CodeRefusal::AlreadyLinked => Self::bad("ALREADY_LINKED", sentence(&problem)),
            CodeRefusal::Refused(_) => Self::bad("PAIRING_CODE_REFUSED", sentence(&problem)),
            CodeRefusal::TimedOut => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "PAIRING_CODE_TIMEOUT", sentence(&problem))
            }
        }
    }
}

impl From<SendRefusal> for ApiError {
    fn from(problem: SendRefusal) -> Self {
        let text = sentence(&problem);
        match problem {
            SendRefusal::NotReady(problem) => problem.into(),
            SendRefusal::NotOnWhatsApp => Self::bad("NOT_ON_WHATSAPP", text),
            SendRefusal::Blocked => Self::bad("RECIPIENT_BLOCKED", text),
            SendRefusal::LimitReached { limit, used } => {
                // Whoever knows the tenant's clock says until when.
                let mut refused = Self::too_many("SENT_LIMIT_EXCEEDED", text, DAY_S);
                (refused.body.limit, refused.body.used) = (Some(limit), Some(used));
                refused
            }
            SendRefusal::OptedOut => Self::bad("RECIPIENT_OPTED_OUT", text),
            SendRefusal::KeyReused => Self::bad("IDEMPOTENCY_KEY_REUSED", text),
            SendRefusal::KeyOutlived => Self::bad("IDEMPOTENCY_KEY_OUTLIVED", text),
            SendRefusal::FileNotCarried(_) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "MEDIA_UPLOAD_FAILED", text)
            }
            SendRefusal::FileGone => Self::bad("MEDIA_GONE", text),
            SendRefusal::CheckFailed { retry_in_ms } => {
                let text = format!("{text}; try again in {} s", whole_seconds(retry_in_ms));
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "NUMBER_CHECK_FAILED", text).over_in(retry_in_ms)
            }
            SendRefusal::Failed { wa_id, code, .. } => {
                let mut refused = Self::bad("SEND_FAILED", text);
                refused.body.code = code.into();
                refused.body.message_id = Some(wa_id);
                refused
            }
            SendRefusal::OutcomeUnknown { wa_id } => {
                let mut refused = Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "OUTCOME_UNKNOWN",
                    "WhatsApp has not answered yet. The message keeps its id and is sent again until \
                     WhatsApp answers; read its status in the message log instead of sending anew",
                );
                refused.body.message_id = Some(wa_id);
                refused
            }
            SendRefusal::Store(problem) => problem.into(),
        }
    }
}

impl From<MediaRefusal> for ApiError {
    fn from(problem: MediaRefusal) -> Self {
        use wapid_core::media::TypeRefusal;

        let text = sentence(&problem);
        match problem {
            MediaRefusal::Empty => Self::bad("MEDIA_EMPTY", text),
            MediaRefusal::TooLarge { .. } => Self::bad("MEDIA_TOO_LARGE", text),
            MediaRefusal::Type(TypeRefusal::Mismatch { .. }) => Self::bad("MEDIA_TYPE_MISMATCH", text),
            MediaRefusal::Type(TypeRefusal::NotOfKind { .. }) => Self::bad("MEDIA_TYPE_NOT_ALLOWED", text),
            MediaRefusal::Picture(_) => Self::bad("MEDIA_DIMENSIONS", text),
            MediaRefusal::Damaged => Self::bad("MEDIA_DAMAGED", text),
            MediaRefusal::NotBase64 => Self::bad("MEDIA_BASE64_INVALID", text),
            MediaRefusal::Url(_) => Self::bad("MEDIA_URL_REFUSED", text),
            MediaRefusal::Download(problem) if problem.is_refusal() => Self::bad("MEDIA_URL_REFUSED", text),
            MediaRefusal::Download(_) => Self::bad("MEDIA_URL_FAILED", text),
            MediaRefusal::Full { .. } => Self::bad("MEDIA_STORAGE_FULL", text),
            MediaRefusal::NeedsFfmpeg => Self::bad("VOICE_NEEDS_FFMPEG", text),
            MediaRefusal::NoSound => Self::bad("VOICE_NOT_READABLE", text),
            MediaRefusal::BrokenOff => Self::bad("INVALID_FORM", text),
            MediaRefusal::Busy => Self::too_many("MEDIA_BUSY", text, PLACE_FREE_S),
            MediaRefusal::TooSlow => Self::slow_body(),
            MediaRefusal::NotWanted => Self::no_media(),
            MediaRefusal::Store(problem) => problem.into(),
            MediaRefusal::Io(ref cause) => {
                error!("{problem}");
                let is_full = cause.kind() == std::io::ErrorKind::StorageFull;
                if is_full { Self::storage_full() } else { Self::internal() }
            }
        }
    }
}

impl From<Unreadable> for ApiError {
    fn from(problem: Unreadable) -> Self {
        let text = sentence(&problem);
        match problem {
            Unreadable::NotStored(_) => Self::new(StatusCode::NOT_FOUND, "MEDIA_NOT_STORED", text),
            Unreadable::Lost => {
                error!("A file's row promises bytes that are not there; see WAPID_MEDIA_URL");
                Self::new(StatusCode::NOT_FOUND, "MEDIA_NOT_STORED", text)
            }
            Unreadable::Io(_) => {
                error!("{problem}");
                Self::internal()
            }
        }
    }
}

impl From<NotReady> for ApiError {
    fn from(problem: NotReady) -> Self {
        let mut refused = Self::bad("SESSION_NOT_READY", sentence(&problem));
        (refused.body.status, refused.body.reason) = (Some(problem.status.as_str()), Some(problem.reason));
        refused
    }
}

impl From<AskRefusal> for ApiError {
    fn from(problem: AskRefusal) -> Self {
        let text = sentence(&problem);
        match problem {
            AskRefusal::NotReady(problem) => problem.into(),
            AskRefusal::TooManyChecks(spent) => {
                let mut refused =
                    Self::too_many("NUMBER_CHECK_LIMIT", text, 1).until(spent.begins_anew, spent.at);
                (refused.body.limit, refused.body.used) = (Some(spent.limit), Some(spent.used));
                refused
            }
            AskRefusal::LookupRefused { why, retry_in_ms } => {
                let mut refused = Self::from(why);
                let seconds = whole_seconds(retry_in_ms);
                refused.body.error = format!("{}; try again in {seconds} s", refused.body.error).into();
                refused.over_in(retry_in_ms)
            }
            AskRefusal::NoContact => Self::new(StatusCode::NOT_FOUND, "CONTACT_NOT_FOUND", text),
            AskRefusal::NotOnWhatsApp => Self::bad("NOT_ON_WHATSAPP", text),
            AskRefusal::NoChat => Self::new(StatusCode::NOT_FOUND, "CHAT_NOT_FOUND", text),
            AskRefusal::NoMessage => Self::new(StatusCode::NOT_FOUND, "MESSAGE_NOT_FOUND", text),
            AskRefusal::NoPicture => Self::new(StatusCode::NOT_FOUND, "PICTURE_NOT_FOUND", text),
            AskRefusal::Portrait(_) => Self::bad("INVALID_PICTURE", text),
            AskRefusal::Asking(failure) => failure.into(),
            AskRefusal::Store(problem) => problem.into(),
        }
    }
}

impl From<AskFailure> for ApiError {
    fn from(problem: AskFailure) -> Self {
        let text = sentence(&problem);
        match problem {
            AskFailure::Lost => {
                let mut refused = Self::bad("SESSION_NOT_READY", text);
                refused.body.status = Some(Status::Disconnected.as_str());
                refused.body.reason = Some("connection_lost");
                refused
            }
            AskFailure::TimedOut => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "WHATSAPP_TIMEOUT", text),
            AskFailure::Refused { code: 429, backoff_s } => {
                let seconds = backoff_s.map_or(WHATSAPP_REST_S, i64::from);
                Self::too_many("WHATSAPP_RATE_LIMIT", text, seconds)
            }
            AskFailure::Refused { .. } => Self::bad("WHATSAPP_REFUSED", text),
            AskFailure::Invalid(_) => Self::bad("INVALID_REQUEST", text),
            AskFailure::Internal(why) => {
                // The client's own words may hold addresses.
                error!("A session could not ask WhatsApp");
                tracing::debug!("{why}");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "WHATSAPP_FAILED",
                    "WhatsApp did not do what it was asked; try again",
                )
            }
        }
    }
}

impl From<groups::Refused> for ApiError {
    fn from(problem: groups::Refused) -> Self {
        let text = sentence(&problem);
        match problem {
            groups::Refused::NotReady(problem) => problem.into(),
            groups::Refused::Refusal(refusal) => match refusal {
                Refusal::NotFound => Self::no_group(),
                Refusal::NotMember => Self::bad("NOT_IN_GROUP", text),
                Refusal::NotAdmin => Self::bad("NOT_GROUP_ADMIN", text),
                Refusal::NotAcceptable => Self::bad("NOT_ACCEPTED_BY_WHATSAPP", text),
                Refusal::Conflict => Self::bad("GROUP_CHANGED_MEANWHILE", text),
                Refusal::BadInvite => Self::bad("INVITE_NOT_VALID", text),
                Refusal::InviteReset => Self::bad("INVITE_RESET", text),
                Refusal::AlreadyIn => Self::bad("ALREADY_IN_GROUP", text),
                Refusal::Removed => Self::bad("REMOVED_FROM_GROUP", text),
                Refusal::Full => Self::bad("GROUP_FULL", text),
                Refusal::TooMany => Self::too_many("TOO_MANY_BY_WHATSAPP", text, WHATSAPP_REST_S),
                Refusal::Other(_) => Self::bad("REFUSED_BY_WHATSAPP", text),
                Refusal::Unanswered => Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "WHATSAPP_NOT_ANSWERING",
                    "WhatsApp has not answered; read the group to see whether it was done",
                ),
                Refusal::Internal(why) => {
                    error!("A question about groups failed");
                    tracing::debug!("{why}");
                    Self::internal()
                }
            },
        }
    }
}

impl From<SandboxError> for ApiError {
    fn from(problem: SandboxError) -> Self {
        let status = StatusCode::from_u16(problem.status())
            .ok()
            .filter(|status| status.is_client_error())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            error!("The sandbox failed: {problem}");
        }
        Self::new(status, problem.code(), sentence(&problem))
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
