//! The log as a file: as long as it is, and never more of it in memory than a page.

use std::collections::VecDeque;
use std::io;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::{Deserialize, Serialize};
use tracing::error;
use utoipa::IntoParams;
use wapid_core::clock::At;
use wapid_core::id::SessionId;
use wapid_core::store::StoreError;
use wapid_core::store::log::Walk;
use wapid_core::store::messages::MessageRow;

use super::query::Filters;
use super::row::Logged;
use crate::api::Api;
use crate::api::csv;
use crate::api::error::{ApiError, ErrorBody};
use crate::api::openapi::Refusals;
use crate::api::params::QueryParams;
use crate::api::places::Place;
use crate::api::visit::OwnVisit;
use crate::caller::Caller;

/// Rows that are read at a time.
const PAGE: i64 = 200;
/// Bytes that are written at a time, and a row more.
const PART: usize = 64 << 10;
/// Exports of one tenant at the same time, in one process.
pub const AT_ONCE: usize = 4;
/// As `indexedSince` of the list.
const INDEXED_SINCE: HeaderName = HeaderName::from_static("x-indexed-since");

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FormatQuery {
    /// `csv` (default), or `jsonl`: a line of JSON for each message, as the list has it
    #[param(pattern = "^(csv|jsonl)$")]
    format: Option<String>,
}

#[derive(Clone, Copy)]
enum Format {
    Csv,
    Jsonl,
}

/// The last line of JSON Lines.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct End {
    end: bool,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    indexed_since: Option<String>,
}

/// The log as a file, newest first
///
/// Takes the filters of the list and has every message that they leave. What arrives while it is read is not in
/// it. JSON Lines ends with `{"end":true,"count":…}`: without that line, it was cut off. A CSV that is cut off
/// shows only in the connection, which then ends without the end of its encoding, so that HTTP clients say so.
/// Who takes nothing of it for 30 s is hung up on. Cells that a spreadsheet would take for a formula begin with
/// an apostrophe.
#[utoipa::path(
    operation_id = "export_messages",
    get, path = "/api/whatsapp/messages/export", tag = "messages", params(FormatQuery, Filters),
    responses(
        (status = 200, description = "The log as a file", content((String = "text/csv"), (String = "application/x-ndjson"))),
        (status = 429, description = "Too many exports of this tenant are underway", body = ErrorBody),
        Refusals
    )
)]
pub async fn export(
    State(api): State<Api>,
    caller: Caller,
    visit: OwnVisit,
    QueryParams(format): QueryParams<FormatQuery>,
    QueryParams(filters): QueryParams<Filters>,
) -> Result<Response, ApiError> {
    let format = match format.format.as_deref() {
        None | Some("csv") => Format::Csv,
        Some("jsonl") => Format::Jsonl,
        Some(_) => return Err(ApiError::parameter("format: csv or jsonl")),
    };
    let filter = filters.read(&caller.store).await?;
    let place = api.exports.enter(caller.store.tenant_id(), AT_ONCE);
    let place = place.ok_or_else(|| ApiError::too_many_exports(AT_ONCE))?;
    visit.prepare().await?;
    let walk = caller.store.walk(&filter, None).await?;
    let since = walk.searched().and_then(|searched| searched.since).map(At::iso);
    let (kind, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"messages.csv\""),
        Format::Jsonl => ("application/x-ndjson", "attachment; filename=\"messages.jsonl\""),
    };
    let next = Next::Head;
    let file =
        File { api, caller, walk, format, place, rows: VecDeque::new(), is_read: false, written: 0, next };
    let mut response = Body::from_stream(stream::try_unfold(file, File::part)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    if let Some(since) = since.and_then(|since| HeaderValue::from_str(&since).ok()) {
        headers.insert(INDEXED_SINCE, since);
    }
    Ok(response)
}

/// A file that is being written.
struct File {
    api: Api,
    caller: Caller,
    walk: Walk,
    format: Format,
    #[expect(dead_code, reason = "held until the file ends")]
    place: Place,
    /// Read, and not written yet.
    rows: VecDeque<MessageRow>,
    /// No more are to be read.
    is_read: bool,
    written: u64,
    next: Next,
}

enum Next {
    Head,
    Rows,
    Nothing,
}

impl File {
    /// The next part of it, and the rest.
    async fn part(mut self) -> Result<Option<(Bytes, Self)>, io::Error> {
        let text = match (&self.next, self.format) {
            (Next::Nothing, _) => return Ok(None),
            (Next::Head, Format::Csv) => csv::head(&Logged::COLUMNS),
            // Rows may be long in coming; the head of the answer is not.
            (Next::Head, Format::Jsonl) | (Next::Rows, _) => self.rows().await.map_err(broken_off)?,
        };
        if matches!(self.next, Next::Head) {
            self.next = Next::Rows;
        }
        Ok(Some((Bytes::from(text), self)))
    }

    async fn rows(&mut self) -> Result<String, StoreError> {
        let mut text = String::new();
        while text.len() < PART {
            if let Some(row) = self.rows.pop_front() {
                self.written += 1;
                let own = |session: &SessionId| self.api.sessions.own_number(&self.caller.store, session);
                let logged = Logged::of(row, own);
                match self.format {
                    Format::Csv => text.push_str(&csv::line(&logged.cells())),
                    Format::Jsonl => line_of(&logged, &mut text)?,
                }
            } else if self.is_read {
                self.next = Next::Nothing;
                if let Format::Jsonl = self.format {
                    let since = self.walk.searched().and_then(|searched| searched.since);
                    let end = End { end: true, count: self.written, indexed_since: since.map(At::iso) };
                    line_of(&end, &mut text)?;
                }
                break;
            } else if text.is_empty() {
                // A stretch of the log may have nothing that is wanted.
                self.rows = self.walk.next(PAGE).await?.into();
                self.is_read = self.walk.position().is_none();
            } else {
                break;
            }
        }
        Ok(text)
    }
}

fn line_of(value: &impl Serialize, text: &mut String) -> Result<(), StoreError> {
    text.push_str(&serde_json::to_string(value)?);
    text.push('\n');
    Ok(())
}

/// Who reads it sees the connection end in the middle.
fn broken_off(problem: StoreError) -> io::Error {
    error!("An export of messages broke off: {problem}");
    io::Error::other("the database failed")
}
