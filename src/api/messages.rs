//! Read the message log.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::clock::At;
use wapid_core::id::{MessageKey, SessionId};
use wapid_core::message::{Direction, Status};
use wapid_core::phone::Phone;
use wapid_core::store::messages::{MessageFilter, MessageRow};

use super::Api;
use super::caller::Caller;
use super::error::ApiError;
use super::openapi::Refusals;

const PAGE: i64 = 20;
const PAGE_MAX: i64 = 100;
/// Pages count every row before them; whoever reads deeper wants the cursor.
const DEEPEST_PAGE: i64 = 10_000;

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
pub struct LogQuery {
    /// 1 is the newest
    page: Option<i64>,
    /// Rows per page, 1 to 100; 20 by default
    limit: Option<i64>,
    /// `nextCursor` of the answer before: reads on from there, however deep, without counting
    cursor: Option<String>,
    session_id: Option<String>,
    /// `in` or `out`
    direction: Option<String>,
    /// `sending`, `sent`, `delivered`, `read`, `played`, `failed` or `received`
    status: Option<String>,
    /// The other party's number
    phone: Option<String>,
    /// From this time on: ISO 8601, or milliseconds since the epoch
    from: Option<String>,
    /// Before this time
    to: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Logged {
    session_id: String,
    /// The other party's digits for an outgoing message, a group's JID, or the session's own number
    to: String,
    /// Text or caption
    message: String,
    status: StatusWord,
    #[serde(rename = "type")]
    kind: String,
    created_at: String,
    message_id: String,
    #[schema(value_type = String, example = "out")]
    direction: Direction,
    /// Who wrote it: digits, or a JID where the number is hidden
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The other party's number, where known
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// WhatsApp's hidden id of the other party, where known
    #[serde(skip_serializing_if = "Option::is_none")]
    lid: Option<String>,
    /// The chat's JID
    chat: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

type StatusWord = &'static str;

#[derive(Serialize, ToSchema)]
pub struct Failure {
    code: String,
    message: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    messages: Vec<Logged>,
    /// How many there are in all; not counted when reading by cursor
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<i64>,
    /// Give it as `cursor` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The message log, newest first
#[utoipa::path(
    operation_id = "list_messages",
    get, path = "/api/whatsapp/messages", tag = "messages", params(LogQuery),
    responses((status = 200, body = Log), Refusals)
)]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Json<Log>, ApiError> {
    let Query(query) = query.map_err(|problem| ApiError::bad("INVALID_PARAMETER", problem.body_text()))?;
    let limit = within("limit", query.limit.unwrap_or(PAGE), PAGE_MAX)?;
    let page = within("page", query.page.unwrap_or(1), DEEPEST_PAGE)?;
    let filter = filter_of(&query)?;
    let own = |session: &SessionId| api.sessions.own_number(&caller.store, session);
    if let Some(cursor) = query.cursor {
        if !cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(ApiError::bad(
                "INVALID_PARAMETER",
                "cursor: give the nextCursor of an earlier answer",
            ));
        }
        let before = MessageKey(cursor);
        let rows = caller.store.messages_before(&filter, Some(&before), limit).await?;
        let next_cursor = next_cursor(&rows, limit);
        let messages = rows.into_iter().map(|row| logged(row, own)).collect();
        return Ok(Json(Log { messages, total: None, page: None, pages: None, next_cursor }));
    }
    let (rows, total) = caller.store.messages_page(&filter, limit, (page - 1) * limit).await?;
    let next_cursor = next_cursor(&rows, limit);
    let messages = rows.into_iter().map(|row| logged(row, own)).collect();
    let pages = Some((total + limit - 1) / limit);
    Ok(Json(Log { messages, total: Some(total), page: Some(page), pages, next_cursor }))
}

fn next_cursor(rows: &[MessageRow], limit: i64) -> Option<String> {
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    rows.last().filter(|_| full).map(|row| row.key.0.clone())
}

fn within(name: &str, value: i64, max: i64) -> Result<i64, ApiError> {
    if (1..=max).contains(&value) {
        Ok(value)
    } else {
        Err(ApiError::bad("INVALID_PARAMETER", format!("{name}: 1 to {max}")))
    }
}

fn filter_of(query: &LogQuery) -> Result<MessageFilter, ApiError> {
    let invalid = |why: &'static str| ApiError::bad("INVALID_PARAMETER", why);
    Ok(MessageFilter {
        session: query
            .session_id
            .as_deref()
            .map(SessionId::parse)
            .transpose()
            .map_err(|problem| ApiError::bad("INVALID_PARAMETER", problem.to_string()))?,
        direction: query
            .direction
            .as_deref()
            .map(|word| match word {
                "in" => Ok(Direction::In),
                "out" => Ok(Direction::Out),
                _ => Err(invalid("direction: in or out")),
            })
            .transpose()?,
        status: query
            .status
            .as_deref()
            .map(|word| {
                Status::parse(word).ok_or_else(|| {
                    invalid("status: sending, sent, delivered, read, played, failed or received")
                })
            })
            .transpose()?,
        phone: query
            .phone
            .as_deref()
            .map(Phone::parse)
            .transpose()
            .map_err(|problem| ApiError::bad("INVALID_PARAMETER", format!("phone: {problem}")))?,
        from: query.from.as_deref().map(|text| time("from", text)).transpose()?,
        to: query.to.as_deref().map(|text| time("to", text)).transpose()?,
    })
}

fn time(name: &str, text: &str) -> Result<At, ApiError> {
    At::parse(text).ok_or_else(|| {
        let why = format!("{name}: ISO 8601 such as 2026-03-08T10:30:00Z, or milliseconds");
        ApiError::bad("INVALID_PARAMETER", why)
    })
}

fn logged(row: MessageRow, own_number: impl Fn(&SessionId) -> Option<String>) -> Logged {
    let is_group = row.chat.ends_with("@g.us");
    let mine = own_number(&row.session_id);
    let other = || row.phone.clone().unwrap_or_else(|| row.chat.clone());
    let (from, to) = match row.direction {
        Direction::Out => (mine, if is_group { row.chat.clone() } else { other() }),
        Direction::In => {
            let writer = row.phone.clone().unwrap_or_else(|| row.sender.clone());
            (Some(writer), if is_group { row.chat.clone() } else { mine.unwrap_or_default() })
        }
    };
    Logged {
        session_id: row.session_id.0,
        to,
        message: row.body,
        status: row.status.as_str(),
        kind: row.kind,
        created_at: row.created_at.iso(),
        message_id: row.wa_id,
        direction: row.direction,
        from,
        phone: row.phone,
        lid: row.lid,
        chat: row.chat,
        sender_name: row.sender_name,
        sent_at: row.sent_at.map(At::iso),
        delivered_at: row.delivered_at.map(At::iso),
        read_at: row.read_at.map(At::iso),
        error: row.error_code.map(|code| Failure { code, message: row.error.unwrap_or_default() }),
    }
}
