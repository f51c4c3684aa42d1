//! Mark messages read.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::message::MessageName;

use super::Api;
use super::body::Body;
use super::error::ApiError;
use super::given_number::GivenNumber;
use super::openapi::Refusals;
use super::params::message_name;
use crate::caller::OwnSession;
use crate::session::{READ_MAX, ToRead};
use crate::usecases::home::home_of;

/// One of the two.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Read {
    /// Up to 500 messages that this session received
    message_ids: Option<Vec<String>>,
    /// A number or JID: the newest 500 of its messages that nobody has read
    chat: Option<GivenNumber>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadShown {
    success: bool,
    /// The messages whose writers were told
    message_ids: Vec<String>,
}

/// Mark messages read
///
/// Whoever wrote them sees blue ticks, unless the account's owner turned read receipts off.
#[utoipa::path(
    operation_id = "mark_read",
    post, path = "/api/whatsapp/session/{id}/read", tag = "people", request_body = Read,
    params(("id" = String, Path, description = "Your sessionId")),
    responses((status = 200, description = "How many were marked", body = ReadShown), Refusals)
)]
pub async fn read(
    State(api): State<Api>,
    session: OwnSession,
    body: Body<Read>,
) -> Result<Json<ReadShown>, ApiError> {
    let which = match (body.value.message_ids, body.value.chat) {
        (Some(ids), None) => ToRead::Messages(checked(&ids)?),
        (None, Some(chat)) => ToRead::Chat(chat.recipient(home_of(&session.caller.store, None).await?)?),
        _ => return Err(ApiError::bad("INVALID_REQUEST", "Give messageIds, or chat: one of the two")),
    };
    let message_ids = api.sessions.mark_read(&session.row, which).await?;
    Ok(Json(ReadShown { success: true, message_ids }))
}

fn checked(ids: &[String]) -> Result<Vec<MessageName>, ApiError> {
    if ids.is_empty() || ids.len() > READ_MAX {
        return Err(ApiError::bad("INVALID_REQUEST", format!("messageIds: 1 to {READ_MAX} ids of messages")));
    }
    ids.iter().enumerate().map(|(place, id)| message_name(&format!("messageIds[{place}]"), id)).collect()
}
