//! A page of the log that is too large to be held: written row by row, as its reader takes it.
//!
//! Whoever reads by page numbers misses what a page leaves out, so such a page is whole, however long its texts are. By
//! cursor it ends early instead.

use std::collections::VecDeque;
use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use tracing::error;
use wapid_core::id::{MessageKey, SessionId};
use wapid_core::store::StoreError;
use wapid_core::store::messages::{MessageFilter, MessageRow};

use super::list::Log;
use super::row::Logged;
use crate::api::Api;
use crate::api::error::ApiError;
use crate::caller::Caller;

/// What is still to be written.
pub struct Pending {
    pub rows: VecDeque<MessageRow>,
    /// The last of all that were read.
    pub last: Option<MessageKey>,
    /// Rows that follow it.
    pub left: i64,
}

pub struct LongPage {
    api: Api,
    caller: Caller,
    filter: MessageFilter,
    pending: Pending,
    /// What comes after the rows; `None` once it is written.
    end: Option<Log>,
}

impl LongPage {
    pub fn new(api: Api, caller: Caller, filter: MessageFilter, pending: Pending) -> Self {
        Self { api, caller, filter, pending, end: None }
    }

    /// `log` has the first rows.
    ///
    /// # Errors
    /// When one of them cannot be written.
    pub fn answer(mut self, mut log: Log) -> Result<Response, ApiError> {
        let first = serde_json::to_string(&std::mem::take(&mut log.messages)).map_err(anyhow::Error::from)?;
        let head = format!("{{\"messages\":{}", first.trim_end_matches(']'));
        self.end = Some(log);
        let rest = stream::try_unfold(self, Self::part);
        let head = stream::once(std::future::ready(Ok(Bytes::from(head))));
        let mut response = Body::from_stream(futures::StreamExt::chain(head, rest)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    async fn part(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if self.end.is_none() {
            return Ok(None);
        }
        let text = match self.next().await.map_err(broken_off)? {
            Some(row) => {
                let own = |session: &SessionId| self.api.sessions.own_number(&self.caller.store, session);
                format!(",{}", serde_json::to_string(&Logged::of(row, own))?)
            }
            None => self.end.take().map_or_else(|| Ok(String::new()), |log| ending(&log))?,
        };
        Ok(Some((Bytes::from(text), self)))
    }

    async fn next(&mut self) -> Result<Option<MessageRow>, StoreError> {
        let pending = &mut self.pending;
        while pending.rows.is_empty() && pending.left > 0 {
            let mut walk = self.caller.store.walk(&self.filter, pending.last.as_ref()).await?;
            let rows = walk.next(pending.left).await?;
            pending.left -= i64::try_from(rows.len()).unwrap_or(pending.left);
            pending.rows.extend(rows);
            pending.last = walk.position().cloned();
            if pending.last.is_none() {
                pending.left = 0;
            }
        }
        if let Some(log) = &mut self.end {
            log.next_cursor = pending.last.as_ref().map(|key| key.0.clone());
        }
        Ok(pending.rows.pop_front())
    }
}

/// The end of the list, and what comes after it.
fn ending(log: &Log) -> serde_json::Result<String> {
    debug_assert_eq!(log.messages.len(), 0, "they are written");
    let rest = serde_json::to_string(log)?;
    Ok(rest.trim_start_matches("{\"messages\":[").to_owned())
}

/// Who reads it sees the connection end in the middle.
fn broken_off(problem: StoreError) -> io::Error {
    error!("A page of messages broke off: {problem}");
    io::Error::other("the database failed")
}
