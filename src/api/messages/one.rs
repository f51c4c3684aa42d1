//! One message: what became of it, and erasing what it said.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::id::{MessageKey, SessionId};
use wapid_core::message::{Direction, MessageName, Origin, Status};
use wapid_core::phone::Phone;
use wapid_core::store::erase::Erased;
use wapid_core::store::messages::MessageRow;

use super::row::Logged;
use super::since::{Changes, Since};
use crate::api::Api;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;
use crate::api::params::QueryParams;
use crate::api::visit::OwnVisit;
use crate::caller::Caller;
use crate::usecases::home::home_of;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhichSession {
    /// Where the id could be of another session's message as well
    session: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhichTexts {
    /// Where the id could be of another session's message as well
    session: Option<String>,
    /// Only texts before these: `textsBefore` of the answer before
    before: Option<String>,
}

/// The message in the path. What names none is not found.
pub struct MessageId(MessageName);

impl FromRequestParts<Api> for MessageId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Path(id) =
            Path::<String>::from_request_parts(parts, api).await.map_err(|_| ApiError::no_message())?;
        MessageName::parse(&id).map(Self).map_err(|_| ApiError::no_message())
    }
}

/// A message and its way
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Followed {
    #[serde(flatten)]
    message: Logged,
    /// The steps that are known, in order
    timeline: Vec<Step>,
    #[serde(flatten)]
    since: Since,
}

/// It stood there from then on
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// `sending`, `sent`, `delivered`, `read`, `played`, `failed`, or `received`
    status: &'static str,
    at: String,
}

fn timeline(row: &MessageRow) -> Vec<Step> {
    let (first, sent_at) = match row.direction {
        Direction::In => (Status::Received, None),
        Direction::Out => (Status::Sending, row.sent_at),
    };
    let steps = [
        (first, Some(row.created_at)),
        (Status::Sent, sent_at),
        (Status::Delivered, row.delivered_at),
        (Status::Read, row.read_at),
        (Status::Played, row.played_at),
        (Status::Failed, row.failed_at),
    ];
    let known = steps.into_iter().filter_map(|(status, at)| Some((status, at?)));
    known.map(|(status, at)| Step { status: status.as_str(), at: at.iso() }).collect()
}

/// One message, how far it got, and what was said to it
///
/// By the `messageId` that a send answers, or by its `key`. WhatsApp's ids are not unique beyond a chat: where
/// several messages have it, one that was sent from here comes first, then the newest.
#[utoipa::path(
    operation_id = "get_message",
    get, path = "/api/whatsapp/messages/{messageId}", tag = "messages",
    params(("messageId" = String, Path, description = "`messageId` or `key`"), WhichTexts),
    responses((status = 200, description = "The message, and what became of it", body = Followed), Refusals)
)]
pub async fn read(
    State(api): State<Api>,
    caller: Caller,
    visit: OwnVisit,
    MessageId(id): MessageId,
    QueryParams(WhichTexts { session, before }): QueryParams<WhichTexts>,
) -> Result<Json<Followed>, ApiError> {
    let before = before.as_deref().map(|text| {
        MessageKey::parse(text)
            .ok_or_else(|| ApiError::parameter("before: give the textsBefore of an earlier answer"))
    });
    let before = before.transpose()?;
    visit.prepare().await?;
    let row = find(&caller, id, WhichSession { session }).await?;
    let timeline = timeline(&row);
    let own = |session: &SessionId| api.sessions.own_number(&caller.store, session);
    let (edits, earlier) = caller.store.edits_of(&row, before.as_ref()).await?;
    let marks = caller.store.marks_of(&row).await?;
    let since = Since::of(&row, Changes { edits, earlier, marks });
    Ok(Json(Followed { message: Logged::of(row, own), timeline, since }))
}

async fn find(caller: &Caller, id: MessageName, query: WhichSession) -> Result<MessageRow, ApiError> {
    let session = query.session.as_deref().map(SessionId::parse).transpose();
    let session = session.map_err(|problem| ApiError::parameter(format!("session: {problem}")))?;
    let found = match MessageKey::parse(id.as_str()) {
        Some(key) => {
            let found = caller.store.message(&key).await?;
            found.filter(|row| session.as_ref().is_none_or(|session| row.session_id == *session))
        }
        None => caller.store.message_named(&id, session.as_ref()).await?,
    };
    found.ok_or_else(ApiError::no_message)
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageErased {
    success: bool,
    message_id: String,
    key: String,
    erased_at: String,
}

/// Erase what a message said
///
/// For a person who asks for it. The row stays with who, when and what became of it; its text and content go,
/// from here, from its edits and reactions and from the events that repeat it, and no search finds it by them;
/// a file that came with it is deleted. What the phones and WhatsApp have, the text of a bulk job and the files
/// that you gave are not touched; to take a message back from its readers, delete it for
/// everyone.
#[utoipa::path(
    operation_id = "erase_message",
    delete, path = "/api/whatsapp/messages/{messageId}", tag = "messages",
    params(("messageId" = String, Path, description = "`messageId` or `key`"), WhichSession),
    responses((status = 200, description = "What was erased", body = MessageErased), Refusals)
)]
pub async fn erase(
    State(api): State<Api>,
    caller: Caller,
    MessageId(id): MessageId,
    QueryParams(query): QueryParams<WhichSession>,
) -> Result<Json<MessageErased>, ApiError> {
    let row = find(&caller, id, query).await?;
    // The file first: whoever is cut off here asks again, and finds the message.
    if let (Origin::Phone | Origin::Contact, Some(file)) = (row.origin, &row.media_id) {
        api.media.remove(&caller.store, file).await?;
    }
    match caller.store.erase(&row.key).await? {
        Erased::Done(at) => Ok(Json(MessageErased {
            success: true,
            message_id: row.wa_id,
            key: row.key.0,
            erased_at: at.iso(),
        })),
        Erased::NotYet => Err(ApiError::is_sending()),
        Erased::NotFound => Err(ApiError::no_message()),
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NumberForgotten {
    success: bool,
    phone: String,
    /// Messages that were erased by this call
    erased: u64,
    /// There are more; call again
    has_more: bool,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForgetQuery {
    /// Of a number without a country code: ISO 3166, such as `BR`. Otherwise that of the settings
    default_country: Option<String>,
}

/// Erase what was said with a number
///
/// Every message of that number, in whichever spelling and in groups as well, is erased with its file as
/// `DELETE /api/whatsapp/messages/{messageId}` does it: at most 10,000 in one call. Messages on their way are
/// left out; an opt-out of the number stays, so that it is not written to again.
#[utoipa::path(
    operation_id = "forget_number",
    post, path = "/api/whatsapp/contacts/{phone}/forget", tag = "messages",
    params(("phone" = String, Path, description = "The number"), ForgetQuery),
    responses((status = 200, description = "What was forgotten", body = NumberForgotten), Refusals)
)]
pub async fn forget(
    State(api): State<Api>,
    caller: Caller,
    phone: Result<Path<String>, PathRejection>,
    QueryParams(query): QueryParams<ForgetQuery>,
) -> Result<Json<NumberForgotten>, ApiError> {
    let Path(phone) = phone.map_err(|_| ApiError::no_message())?;
    let home = home_of(&caller.store, query.default_country.as_deref()).await?;
    let phone = Phone::parse(&phone, home)?;
    loop {
        let files = caller.store.files_of(&phone).await?;
        if files.is_empty() {
            break;
        }
        for file in &files {
            api.media.remove(&caller.store, file).await?;
        }
    }
    let forgotten = caller.store.forget(&phone).await?.ok_or_else(ApiError::no_message)?;
    Ok(Json(NumberForgotten {
        success: true,
        phone: phone.digits().to_owned(),
        erased: forgotten.messages,
        has_more: forgotten.has_more,
    }))
}
