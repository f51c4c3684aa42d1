//! Read the message log, newest first.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Serialize;
use utoipa::ToSchema;
use wapid_core::id::{MessageKey, SessionId};
use wapid_core::store::messages::MessageRow;

use super::query::LogQuery;
use super::row::Logged;
use crate::api::Api;
use crate::api::caller::Caller;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;

const PAGE: i64 = 20;
const PAGE_MAX: i64 = 100;
/// Pages count every row before them; whoever reads deeper wants the cursor.
const DEEPEST_PAGE: i64 = 10_000;

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
    let Query(query) = query.map_err(|problem| ApiError::parameter(problem.body_text()))?;
    let limit = within("limit", query.limit.unwrap_or(PAGE), PAGE_MAX)?;
    let page = within("page", query.page.unwrap_or(1), DEEPEST_PAGE)?;
    let filter = query.filter()?;
    let own = |session: &SessionId| api.sessions.own_number(&caller.store, session);
    if let Some(cursor) = query.cursor {
        if !cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(ApiError::parameter("cursor: give the nextCursor of an earlier answer"));
        }
        let before = MessageKey(cursor);
        let rows = caller.store.messages_before(&filter, Some(&before), limit).await?;
        let next_cursor = next_cursor(&rows, limit);
        let messages = rows.into_iter().map(|row| Logged::of(row, own)).collect();
        return Ok(Json(Log { messages, total: None, page: None, pages: None, next_cursor }));
    }
    let (rows, total) = caller.store.messages_page(&filter, limit, (page - 1) * limit).await?;
    let next_cursor = next_cursor(&rows, limit);
    let messages = rows.into_iter().map(|row| Logged::of(row, own)).collect();
    let pages = Some((total + limit - 1) / limit);
    Ok(Json(Log { messages, total: Some(total), page: Some(page), pages, next_cursor }))
}

pub fn next_cursor(rows: &[MessageRow], limit: i64) -> Option<String> {
    let full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    rows.last().filter(|_| full).map(|row| row.key.0.clone())
}

pub fn within(name: &str, value: i64, max: i64) -> Result<i64, ApiError> {
    if (1..=max).contains(&value) {
        Ok(value)
    } else {
        Err(ApiError::parameter(format!("{name}: 1 to {max}")))
    }
}
