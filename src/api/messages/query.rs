//! Which messages: the filters that every route of the log takes.

use serde::Deserialize;
use utoipa::IntoParams;
use wapid_core::clock::At;
use wapid_core::id::SessionId;
use wapid_core::message::{Direction, Status};
use wapid_core::phone::Phone;
use wapid_core::store::messages::MessageFilter;

use crate::api::error::ApiError;

#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
pub struct LogQuery {
    /// 1 is the newest
    pub page: Option<i64>,
    /// Rows per page, 1 to 100; 20 by default
    pub limit: Option<i64>,
    /// `nextCursor` of the answer before: reads on from there, however deep, without counting
    pub cursor: Option<String>,
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

impl LogQuery {
    pub fn filter(&self) -> Result<MessageFilter, ApiError> {
        Ok(MessageFilter {
            session: self
                .session_id
                .as_deref()
                .map(SessionId::parse)
                .transpose()
                .map_err(|problem| ApiError::parameter(problem.to_string()))?,
            direction: self
                .direction
                .as_deref()
                .map(|word| match word {
                    "in" => Ok(Direction::In),
                    "out" => Ok(Direction::Out),
                    _ => Err(ApiError::parameter("direction: in or out")),
                })
                .transpose()?,
            status: self
                .status
                .as_deref()
                .map(|word| {
                    Status::parse(word).ok_or_else(|| {
                        let words = "status: sending, sent, delivered, read, played, failed or received";
                        ApiError::parameter(words)
                    })
                })
                .transpose()?,
            phone: self
                .phone
                .as_deref()
                .map(Phone::parse)
                .transpose()
                .map_err(|problem| ApiError::parameter(format!("phone: {problem}")))?,
            from: self.from.as_deref().map(|text| time("from", text)).transpose()?,
            to: self.to.as_deref().map(|text| time("to", text)).transpose()?,
            chat: None,
        })
    }
}

pub fn time(name: &str, text: &str) -> Result<At, ApiError> {
    At::parse(text).ok_or_else(|| {
        ApiError::parameter(format!("{name}: ISO 8601 such as 2026-03-08T10:30:00Z, or milliseconds"))
    })
}
