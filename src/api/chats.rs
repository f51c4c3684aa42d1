//! A session's conversations.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::clock::At;
use wapid_core::id::{ContactId, MessageKey, SessionId};
use wapid_core::people::ChatChange;
use wapid_core::phone::Recipient;
use wapid_core::store::chats::ChatRow;
use wapid_core::store::messages::MessageRow;

use super::Api;
use super::answers::Rows;
use super::body::OptionalBody;
use super::error::ApiError;
use super::messages::row::{Logged, LoggedRows};
use super::openapi::Refusals;
use super::params::{PathParams, QueryParams, within};
use super::visit::OwnVisit;
use crate::caller::{Caller, OwnSession};
use crate::usecases::field::Field;
use crate::usecases::home::home_of;
use crate::usecases::moments::WrittenMoment;

const PAGE: i64 = 20;
const PAGE_MAX: i64 = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChatQuery {
    /// 1 to 100; 20 by default
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// `nextCursor` of the answer before
    before: Option<String>,
}

impl ChatQuery {
    fn read(self) -> Result<(i64, Option<MessageKey>), ApiError> {
        let limit = within("limit", self.limit.unwrap_or(PAGE), PAGE_MAX)?;
        let before = self.before.map(|text| {
            MessageKey::parse(&text)
                .ok_or_else(|| ApiError::parameter("before: give the nextCursor of an earlier answer"))
        });
        Ok((limit, before.transpose()?))
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a mark that a chat bears or does not")]
pub struct ChatShown {
    /// The person's or group's JID; by the number where it is known
    #[schema(example = "5511900000002@s.whatsapp.net")]
    chat_id: String,
    /// As the owner's phone saved them, else as they call themselves; a group's subject
    name: Option<String>,
    is_group: bool,
    /// Of a person
    phone: Option<String>,
    lid: Option<String>,
    #[schema(value_type = Option<String>)]
    contact_id: Option<ContactId>,
    /// Messages that nobody has read, here or on the phone
    unread: i64,
    is_archived: bool,
    is_pinned: bool,
    is_muted: bool,
    /// Absent while it is not muted, or muted for good
    #[serde(skip_serializing_if = "Option::is_none")]
    muted_until: Option<String>,
    /// Seconds after which its messages disappear, ours too; absent where they stay
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<i64>,
    /// Absent once the log keeps it no longer
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message: Option<Logged>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatList {
    #[schema(value_type = Vec<ChatShown>)]
    chats: Rows,
    /// Give it as `before` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatLog {
    #[schema(value_type = Vec<Logged>)]
    messages: Rows,
    /// Give it as `before` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The chat in the path.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatPath {
    chat_id: String,
}

impl ChatPath {
    async fn chat(&self, caller: &Caller) -> Result<Recipient, ApiError> {
        Ok(Recipient::parse(&self.chat_id, home_of(&caller.store, None).await?)?)
    }
}

/// A session's conversations, the newest first
///
/// Those with a message in our log, which begins when the session is linked. A failed message counts.
#[utoipa::path(
    operation_id = "list_chats",
    get, path = "/api/whatsapp/session/{id}/chats", tag = "people",
    params(("id" = String, Path, description = "Your sessionId"), ChatQuery),
    responses((status = 200, description = "A part of the chats", body = ChatList), Refusals)
)]
pub async fn list(
    State(api): State<Api>,
    session: OwnSession,
    visit: OwnVisit,
    QueryParams(query): QueryParams<ChatQuery>,
) -> Result<Json<ChatList>, ApiError> {
    let (limit, before) = query.read()?;
    visit.prepare().await?;
    let rows = session.caller.store.chats(&session.row.key, before.as_ref(), limit).await?;
    let cursors: Vec<MessageKey> = rows.iter().map(|row| row.last_key.clone()).collect();
    let (chats, is_cut) = Rows::of(shown(&api, &session, rows).await?)?;
    let is_full = cursors.len() == usize::try_from(limit).unwrap_or(0);
    let is_cut = is_cut || chats.len() < cursors.len();
    let last = chats.len().checked_sub(1).filter(|_| is_cut || is_full).and_then(|last| cursors.get(last));
    Ok(Json(ChatList { chats, next_cursor: last.map(|key| key.0.clone()) }))
}

/// The messages of a conversation, newest first
#[utoipa::path(
    operation_id = "list_chat_messages",
    get, path = "/api/whatsapp/session/{id}/chats/{chatId}/messages", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("chatId" = String, Path, description = "A chatId, or a number"),
        ChatQuery
    ),
    responses((status = 200, description = "A part of the chat", body = ChatLog), Refusals)
)]
pub async fn messages(
    State(api): State<Api>,
    session: OwnSession,
    visit: OwnVisit,
    PathParams(path): PathParams<ChatPath>,
    QueryParams(query): QueryParams<ChatQuery>,
) -> Result<Json<ChatLog>, ApiError> {
    let (limit, before) = query.read()?;
    let store = &session.caller.store;
    let chat = api.sessions.chat_with(&session.row, &path.chat(&session.caller).await?).await?;
    visit.prepare().await?;
    let (rows, next) = store.chat_messages(&session.row.id, &chat, before.as_ref(), limit).await?;
    let own = |session_id: &SessionId| api.sessions.own_number(store, session_id);
    let LoggedRows { messages, stopped_at } = LoggedRows::of(rows, own)?;
    Ok(Json(ChatLog { messages, next_cursor: stopped_at.or(next).map(|key| key.0) }))
}

/// Changes a chat and shows it.
async fn change(
    api: &Api,
    session: &OwnSession,
    path: &ChatPath,
    change: ChatChange,
) -> Result<Json<ChatShown>, ApiError> {
    let chat = path.chat(&session.caller).await?;
    let row = api.sessions.change_chat(&session.row, &chat, change).await?;
    one(api, session, row).await
}

async fn one(api: &Api, session: &OwnSession, row: ChatRow) -> Result<Json<ChatShown>, ApiError> {
    let mut shown = shown(api, session, vec![row]).await?;
    Ok(Json(shown.remove(0)))
}

/// Each with its last message; the newest of them, where these are too much for one answer.
async fn shown(api: &Api, session: &OwnSession, mut rows: Vec<ChatRow>) -> Result<Vec<ChatShown>, ApiError> {
    let store = &session.caller.store;
    let keys: Vec<MessageKey> = rows.iter().map(|row| row.last_key.clone()).collect();
    let (messages, stopped_at) = store.messages_by_key(&keys).await?;
    rows.retain(|row| stopped_at.as_ref().is_none_or(|stopped_at| row.last_key >= *stopped_at));
    let mut messages: HashMap<MessageKey, MessageRow> =
        messages.into_iter().map(|message| (message.key.clone(), message)).collect();
    let own = |session_id: &SessionId| api.sessions.own_number(store, session_id);
    let now = store.now();
    let chats = rows.into_iter().map(|row| {
        let last = messages.remove(&row.last_key);
        let is_muted = row.muted_until < 0 || At(row.muted_until) > now;
        ChatShown {
            is_group: row.chat.ends_with("@g.us"),
            phone: row.chat.strip_suffix("@s.whatsapp.net").map(str::to_owned),
            lid: row.chat.strip_suffix("@lid").map(str::to_owned).or(row.lid),
            name: row.name.or(row.saved_name).or(row.push_name),
            chat_id: row.chat,
            contact_id: row.contact_id,
            unread: row.unread,
            is_archived: row.is_archived,
            is_pinned: row.is_pinned,
            is_muted,
            expires_in: Some(row.expires_in).filter(|seconds| *seconds > 0),
            muted_until: Some(row.muted_until)
                .filter(|until| is_muted && *until > 0)
                .map(|until| At(until).iso()),
            last_message: last.map(|message| Logged::of(message, own)),
        }
    });
    Ok(chats.collect())
}

/// Mark a conversation read
///
/// Its writers see blue ticks on the newest 500 messages that nobody has read, and the owner's phone shows
/// the chat as read.
#[utoipa::path(
    operation_id = "read_chat",
    post, path = "/api/whatsapp/session/{id}/chats/{chatId}/read", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("chatId" = String, Path, description = "A chatId, or a number")
    ),
    responses((status = 200, description = "The chat", body = ChatShown), Refusals)
)]
pub async fn mark_read(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<ChatPath>,
) -> Result<Json<ChatShown>, ApiError> {
    let row = api.sessions.read_chat(&session.row, &path.chat(&session.caller).await?).await?;
    one(&api, &session, row).await
}

/// Archive a conversation, on all the owner's devices
#[utoipa::path(
    operation_id = "archive_chat",
    post, path = "/api/whatsapp/session/{id}/chats/{chatId}/archive", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("chatId" = String, Path, description = "A chatId, or a number")
    ),
    responses((status = 200, description = "The chat", body = ChatShown), Refusals)
)]
pub async fn archive(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<ChatPath>,
) -> Result<Json<ChatShown>, ApiError> {
    change(&api, &session, &path, ChatChange::Archived(true)).await
}

/// Take a conversation out of the archive
#[utoipa::path(
    operation_id = "unarchive_chat",
    post, path = "/api/whatsapp/session/{id}/chats/{chatId}/unarchive", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("chatId" = String, Path, description = "A chatId, or a number")
    ),
    responses((status = 200, description = "The chat", body = ChatShown), Refusals)
)]
pub async fn unarchive(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<ChatPath>,
) -> Result<Json<ChatShown>, ApiError> {
    change(&api, &session, &path, ChatChange::Archived(false)).await
}

/// Pin a conversation, on all the owner's devices
#[utoipa::path(
    operation_id = "pin_chat",
    post, path = "/api/whatsapp/session/{id}/chats/{chatId}/pin", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("chatId" = String, Path, description = "A chatId, or a number")
    ),
    responses((status = 200, description = "The chat", body = ChatShown), Refusals)
)]
pub async fn pin(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<ChatPath>,
) -> Result<Json<ChatShown>, ApiError> {
    change(&api, &session, &path, ChatChange::Pinned(true)).await
}

/// Unpin a conversation
#[utoipa::path(
    operation_id = "unpin_chat",
    post, path = "/api/whatsapp/session/{id}/chats/{chatId}/unpin", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("chatId" = String, Path, description = "A chatId, or a number")
    ),
    responses((status = 200, description = "The chat", body = ChatShown), Refusals)
)]
pub async fn unpin(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<ChatPath>,
) -> Result<Json<ChatShown>, ApiError> {
    change(&api, &session, &path, ChatChange::Pinned(false)).await
}

#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// For good by default; a day ends with it
    until: Option<WrittenMoment>,
}

/// Mute a conversation, on all the owner's devices
#[utoipa::path(
    operation_id = "mute_chat",
    post, path = "/api/whatsapp/session/{id}/chats/{chatId}/mute", tag = "people", request_body = Mute,
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("chatId" = String, Path, description = "A chatId, or a number")
    ),
    responses((status = 200, description = "The chat", body = ChatShown), Refusals)
)]
pub async fn mute(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<ChatPath>,
    OptionalBody(Mute { until }): OptionalBody<Mute>,
) -> Result<Json<ChatShown>, ApiError> {
    let until = match until {
        None => -1,
        Some(written) => {
            let until = written.of_field(Field::Until, &session.caller.store).await?.ends();
            if until <= session.caller.store.now() {
                return Err(ApiError::bad("INVALID_REQUEST", "until: a time to come"));
            }
            until.0
        }
    };
    change(&api, &session, &path, ChatChange::MutedUntil(until)).await
}

/// Unmute a conversation
#[utoipa::path(
    operation_id = "unmute_chat",
    post, path = "/api/whatsapp/session/{id}/chats/{chatId}/unmute", tag = "people",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("chatId" = String, Path, description = "A chatId, or a number")
    ),
    responses((status = 200, description = "The chat", body = ChatShown), Refusals)
)]
pub async fn unmute(
    State(api): State<Api>,
    session: OwnSession,
    PathParams(path): PathParams<ChatPath>,
) -> Result<Json<ChatShown>, ApiError> {
    change(&api, &session, &path, ChatChange::MutedUntil(0)).await
}
