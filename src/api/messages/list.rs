//! Read the message log, newest first.

use std::collections::VecDeque;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wapid_core::clock::At;
use wapid_core::id::{MessageKey, SessionId};
use wapid_core::store::log::FOUND_MAX;
use wapid_core::store::search::Searched;

use super::long::{LongPage, Pending};
use super::query::Filters;
use super::row::{Logged, LoggedRows};
use crate::api::Api;
use crate::api::answers::Rows;
use crate::api::error::ApiError;
use crate::api::openapi::Refusals;
use crate::api::params::{QueryParams, within};
use crate::api::visit::OwnVisit;
use crate::caller::Caller;

const PAGE: i64 = 20;
const PAGE_MAX: i64 = 100;
/// Pages count every row before them; whoever reads deeper wants the cursor.
const DEEPEST_PAGE: i64 = 10_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct PageQuery {
    /// 1 is the newest
    #[param(minimum = 1, maximum = 10_000)]
    page: Option<i64>,
    /// Rows per page, 1 to 100; 20 by default. By cursor an answer ends earlier where it would be larger than 1 MiB
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// `nextCursor` of the answer before: reads on from there, however deep, without counting
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    #[schema(value_type = Vec<Logged>)]
    pub(super) messages: Rows,
    /// How many there are in all; not counted when reading by cursor
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    /// There are more than `total`: rows are counted up to 100,000, and those that a search finds up to
    /// 10,000. Absent where `total` is exact
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    total_is_at_least: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<i64>,
    /// Give it as `cursor` to read on; absent at the end
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
    #[serde(flatten)]
    reach: Reach,
}

/// With a search, where it does not reach the whole log yet.
#[derive(Serialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
#[schema(as = SearchReach)]
pub struct Reach {
    /// Of a search: messages of before this time are not found yet; after an upgrade they are taken up bit by
    /// bit. Absent when all are
    #[serde(skip_serializing_if = "Option::is_none")]
    indexed_since: Option<String>,
    /// Of a search: so much came in at once that some of the newest messages are not found yet
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    search_is_behind: bool,
}

impl Reach {
    fn of(searched: Option<Searched>) -> Self {
        let searched = searched.unwrap_or_default();
        Self { indexed_since: searched.since.map(At::iso), search_is_behind: searched.is_behind }
    }
}

/// The message log, newest first
#[utoipa::path(
    operation_id = "list_messages",
    get, path = "/api/whatsapp/messages", tag = "messages", params(PageQuery, Filters),
    responses((status = 200, description = "A part of the log", body = Log), Refusals)
)]
pub async fn list(
    State(api): State<Api>,
    caller: Caller,
    visit: OwnVisit,
    QueryParams(query): QueryParams<PageQuery>,
    QueryParams(filters): QueryParams<Filters>,
) -> Result<Response, ApiError> {
    let limit = within("limit", query.limit.unwrap_or(PAGE), PAGE_MAX)?;
    let page = within("page", query.page.unwrap_or(1), DEEPEST_PAGE)?;
    let filter = filters.read(&caller.store).await?;
    visit.prepare().await?;
    let own = |session: &SessionId| api.sessions.own_number(&caller.store, session);
    if let Some(cursor) = query.cursor {
        let before = MessageKey::parse(&cursor)
            .ok_or_else(|| ApiError::parameter("cursor: give the nextCursor of an earlier answer"))?;
        let mut walk = caller.store.walk(&filter, Some(&before)).await?;
        let LoggedRows { messages, stopped_at } = LoggedRows::of(walk.next(limit).await?, own)?;
        return Ok(Json(Log {
            messages,
            total: None,
            total_is_at_least: false,
            page: None,
            pages: None,
            next_cursor: stopped_at.as_ref().or(walk.position()).map(|key| key.0.clone()),
            reach: Reach::of(walk.searched()),
        })
        .into_response());
    }
    let offset = (page - 1) * limit;
    if filters.has_search() && offset + limit > FOUND_MAX {
        let why = format!("page: a search has pages for its first {FOUND_MAX} messages; read on by cursor");
        return Err(ApiError::parameter(why));
    }
    let found = caller.store.page(&filter, limit, offset).await?;
    let mut log = Log {
        messages: Rows::default(),
        total: Some(found.total.count),
        total_is_at_least: !found.total.is_exact,
        page: Some(page),
        pages: Some((found.total.count + limit - 1) / limit),
        next_cursor: found.next.as_ref().map(|key| key.0.clone()),
        reach: Reach::of(found.searched),
    };
    let mut rows = VecDeque::from(found.rows);
    let left = limit - i64::try_from(rows.len()).unwrap_or(limit);
    let last = rows.back().map(|row| row.key.clone());
    while let Some(row) = rows.pop_front() {
        let logged = Logged::of(row.clone(), own);
        if !log.messages.add(&logged)? {
            rows.push_front(row);
            break;
        }
    }
    if rows.is_empty() && !found.is_cut {
        return Ok(Json(log).into_response());
    }
    let left = if found.is_cut { left } else { 0 };
    LongPage::new(api, caller, filter, Pending { rows, last, left }).answer(log)
}
