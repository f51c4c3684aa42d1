//! What the layers below refuse, as status and code.

use axum::http::StatusCode;
use tracing::error;
use wapid_core::phone::PhoneError;
use wapid_core::session::Status;
use wapid_core::store::StoreError;
use wapid_core::store::endpoints::NewEndpointError;
use wapid_core::store::jobs::NewJobError;
use wapid_core::store::sessions::NewSessionError;
use wapid_sandbox::SandboxError;

use super::{ApiError, PLACE_FREE_S, sentence, whole_seconds};
use crate::door::Full;
use crate::media::{Refusal as MediaRefusal, Unreadable};
use crate::session::groups::{self, Refusal};
use crate::session::{AskFailure, AskRefusal, CodeRefusal, NotReady, SendRefusal};

/// How long WhatsApp is left alone that said it was asked too much.
const WHATSAPP_REST_S: i64 = 60;
const DAY_S: i64 = 86_400;

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
