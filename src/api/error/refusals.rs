//! What use cases refuse, as status and code, with fields as the JSON calls them.
//!
//! Most texts are the refusal's own behind the names of its fields. A few name a value or a field of the JSON, and are
//! written here.

use wapid_core::people::TYPING_MAX_MS;
use wapid_core::recipient::RowError;
use wapid_core::signature::SecretError;

use super::fields::{name_of, place_of, told};
use super::{ApiError, sentence};
use crate::recipients::ListError;
use crate::session::SendRefusal;
use crate::usecases::groups::GroupRefusal;
use crate::usecases::jobs::JobRefusal;
use crate::usecases::refusal::{Missing, Refusal};
use crate::usecases::send::{ContentRefusal, MessageRefusal};
use crate::usecases::sessions::SessionRefusal;
use crate::usecases::webhooks::WebhookRefusal;

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let text = told(refusal.fields(), &refusal);
        match refusal {
            Refusal::Missing(Missing::Message) => Self::no_message(),
            Refusal::Missing(Missing::File) => Self::no_media(),
            Refusal::Missing(Missing::Job) => Self::no_job(),
            Refusal::Missing(Missing::Webhook) => Self::no_webhook(),
            Refusal::Missing(Missing::Event) => Self::no_event(),
            Refusal::Missing(Missing::Recovery) => Self::no_recovery(),
            Refusal::Country(_) => Self::bad("INVALID_REQUEST", text),
            Refusal::IdempotencyKey => Self::bad("INVALID_IDEMPOTENCY_KEY", text),
            Refusal::Content(refusal) => of_content(&refusal, text),
            Refusal::Message(refusal) => of_message(&refusal, text),
            Refusal::Session(refusal) => of_session(refusal, text),
            Refusal::Job(refusal) => of_job(refusal, text),
            Refusal::Webhook(refusal) => of_webhook(refusal, text),
            Refusal::Moment { .. } => Self::bad("INVALID_REQUEST", text),
            Refusal::DaySpent { limit, used, begins_anew, at } => {
                let refused = Self::from(SendRefusal::LimitReached { limit, used });
                match begins_anew {
                    Some(begins_anew) => refused.until(begins_anew, at),
                    None => refused,
                }
            }
            Refusal::Send(refusal) => refusal.into(),
            Refusal::Group(refusal) => of_group(refusal, text),
            Refusal::File(refusal) => refusal.into(),
            Refusal::Unreadable(refusal) => refusal.into(),
            Refusal::Store(problem) => problem.into(),
        }
    }
}

fn of_content(refusal: &ContentRefusal, text: String) -> ApiError {
    match refusal {
        ContentRefusal::NoFile => {
            let why = "mediaUrl, mediaBase64, mediaId, or a form's file: one of them is required";
            ApiError::bad("MEDIA_MISSING", why)
        }
        ContentRefusal::FileOfOtherKind(kind) => {
            let kind = kind.as_str();
            let why = format!("type: the file of this mediaId is {kind}; it can also go as a document");
            ApiError::bad("MEDIA_TYPE_MISMATCH", why)
        }
        ContentRefusal::ContactPhone(_) => ApiError::bad("INVALID_RECIPIENT", text),
        ContentRefusal::TooLong { .. } | ContentRefusal::TextTooLong => {
            ApiError::bad("MESSAGE_TOO_LONG", text)
        }
        _ => ApiError::bad("INVALID_REQUEST", text),
    }
}

fn of_message(refusal: &MessageRefusal, text: String) -> ApiError {
    let code = match refusal {
        // Of the one number of a request nobody asks where it stands.
        MessageRefusal::Recipient(why) => return ApiError::bad("INVALID_RECIPIENT", sentence(why)),
        MessageRefusal::EverybodyOfOne => {
            return ApiError::bad("INVALID_RECIPIENT", "mentions: `all` is for groups");
        }
        MessageRefusal::Typing => {
            let why = format!("typing: true, or 1 to {TYPING_MAX_MS} milliseconds");
            return ApiError::bad("INVALID_REQUEST", why);
        }
        MessageRefusal::Mention(_) | MessageRefusal::MentionOfGroup => "INVALID_RECIPIENT",
        MessageRefusal::Gone => "MESSAGE_GONE",
        MessageRefusal::EditOfOthers | MessageRefusal::DeleteOfOthers => "NOT_YOUR_MESSAGE",
        MessageRefusal::CannotEdit => "CANNOT_EDIT",
        MessageRefusal::EditTooLate => "EDIT_TOO_LATE",
        MessageRefusal::DeleteTooLate => "DELETE_TOO_LATE",
        MessageRefusal::CannotForward => "CANNOT_FORWARD",
        _ => "INVALID_REQUEST",
    };
    ApiError::bad(code, text)
}

fn of_job(refusal: JobRefusal, text: String) -> ApiError {
    let code = match refusal {
        JobRefusal::DelayOrder => {
            return ApiError::bad("INVALID_REQUEST", "delayMin: not more than delayMax");
        }
        JobRefusal::AllHidden(rows) => {
            let why =
                format!("recipients: none; all {rows} rows are hidden, and includeHidden takes them in");
            return ApiError::bad("NO_RECIPIENTS", why);
        }
        JobRefusal::Template { place, why } => {
            return ApiError::bad("INVALID_TEMPLATE", format!("{}: {why}", place_of(&place)));
        }
        JobRefusal::UnknownField { place, why } => {
            return ApiError::bad("UNKNOWN_FIELD", format!("{}: {why}", place_of(&place)));
        }
        JobRefusal::IsOver(state) => return ApiError::job_is_over(state),
        JobRefusal::NotMade(refusal) => return refusal.into(),
        JobRefusal::List(refusal) => code_of_list(&refusal),
        JobRefusal::UnreadableList { is_file: true } => "INVALID_FILE",
        JobRefusal::UnreadableList { is_file: false } => "INVALID_RECIPIENTS",
        JobRefusal::NoList
        | JobRefusal::NobodyUsable { .. }
        | JobRefusal::HeaderAlone
        | JobRefusal::Nobody => "NO_RECIPIENTS",
        _ => "INVALID_REQUEST",
    };
    ApiError::bad(code, text)
}

fn code_of_list(refusal: &ListError) -> &'static str {
    match refusal {
        ListError::Row(RowError::TooMany { .. }) => "TOO_MANY_RECIPIENTS",
        ListError::Row(RowError::TooLarge { .. }) => "LIST_TOO_LARGE",
        ListError::Row(RowError::TooManyNames { .. }) => "TOO_MANY_FIELDS",
        ListError::BadRow { .. } | ListError::BadJson(_) => "INVALID_RECIPIENTS",
        ListError::BadFile(_) => "INVALID_FILE",
        ListError::Column(_) => "UNKNOWN_COLUMN",
        ListError::Sheet(_) => "UNKNOWN_SHEET",
        ListError::Encoding(_) => "UNKNOWN_ENCODING",
    }
}

fn of_webhook(refusal: WebhookRefusal, text: String) -> ApiError {
    let invalid = |why: String| ApiError::bad("INVALID_REQUEST", why);
    match refusal {
        WebhookRefusal::Url(refusal) => ApiError::bad("URL_NOT_ALLOWED", refusal.to_string()),
        WebhookRefusal::NoSuchEvent(_) => invalid(format!("{text}; see EventType in /openapi.json")),
        WebhookRefusal::NoSuchProfile => invalid(
            "profile: wapid, ranvedix, quixess, dualhook, vobiz, or an object with signatureHeader"
                .to_owned(),
        ),
        WebhookRefusal::Secret(SecretError::TooShort) => ApiError::bad("SECRET_TOO_SHORT", text),
        // It begins with the word.
        WebhookRefusal::Secret(refusal) => invalid(refusal.to_string()),
        WebhookRefusal::NotMade(refusal) => refusal.into(),
        WebhookRefusal::EndsBeforeItBegins => invalid("since: must be before until".to_owned()),
        WebhookRefusal::RecoveryRuns => ApiError::bad("RECOVERY_RUNNING", text),
        _ => invalid(text),
    }
}

fn of_group(refusal: GroupRefusal, text: String) -> ApiError {
    match refusal {
        GroupRefusal::NothingToChange => {
            let fields = "subject, description, announce, locked or ephemeralSeconds";
            ApiError::bad("INVALID_REQUEST", format!("The body: name something to change: {fields}"))
        }
        GroupRefusal::NotAPerson { place } | GroupRefusal::Person { place, .. } => {
            ApiError::bad("INVALID_RECIPIENT", format!("participants[{place}]: {refusal}"))
        }
        GroupRefusal::Setting { field, refused } => ApiError::from(refused).about(name_of(field)),
        GroupRefusal::WhatsApp(refused) => refused.into(),
        _ => ApiError::bad("INVALID_REQUEST", text),
    }
}

fn of_session(refusal: SessionRefusal, text: String) -> ApiError {
    let own = refusal.to_string();
    match refusal {
        SessionRefusal::Id(_) => ApiError::bad("INVALID_SESSION_ID", own),
        SessionRefusal::Phone(why) => ApiError::bad("INVALID_RECIPIENT", sentence(&why)),
        SessionRefusal::Name(_) => ApiError::bad("INVALID_REQUEST", text),
        SessionRefusal::Proxy(_) => ApiError::bad("INVALID_PROXY", own),
        SessionRefusal::ProxyNotAllowed(_) => ApiError::bad("PROXY_NOT_ALLOWED", own),
        SessionRefusal::OtherNumber { .. } => ApiError::bad(
            "OTHER_NUMBER",
            format!("{text}; with \"allowOtherNumber\": true another number may be linked"),
        ),
        SessionRefusal::NotMade(refusal) => refusal.into(),
        SessionRefusal::NoCode(refusal) => refusal.into(),
    }
}
