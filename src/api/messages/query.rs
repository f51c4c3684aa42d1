//! Which messages: the filters that every route of the log takes.

use serde::Deserialize;
use utoipa::IntoParams;
use wapid_core::id::SessionId;
use wapid_core::job::JobId;
use wapid_core::message::{Direction, Origin, Status};
use wapid_core::phone::{Phone, Recipient};
use wapid_core::search::Query;
use wapid_core::store::TenantStore;
use wapid_core::store::messages::MessageFilter;

use crate::api::error::ApiError;
use crate::api::moments;
use crate::usecases::home::home_of;

/// Longer than the name of any type.
const TYPE_MAX: usize = 20;

/// Each narrows what the others leave.
#[derive(Deserialize, IntoParams, Default)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
pub struct Filters {
    /// Words that must be in its text, its caption, a file's name, the sender's name or the number. All of
    /// them, in any order; the last one may be the beginning of a word. Words in double quotes stand side by
    /// side. Case and accents do not count, punctuation is not looked for, and a number is found however it
    /// is spelled and by its last digits. At most 256 characters
    #[param(max_length = 256, example = "\"your order\" friday")]
    search: Option<String>,
    session_id: Option<String>,
    /// JID of a chat, such as `120363041234567890@g.us`, or the number of a person
    chat: Option<String>,
    /// `in` or `out`
    #[param(pattern = "^(in|out)$")]
    direction: Option<String>,
    /// `sending`, `sent`, `delivered`, `read`, `played`, `failed` or `received`
    #[param(pattern = "^(sending|sent|delivered|read|played|failed|received)$")]
    status: Option<String>,
    /// `text`, `image`, `video`, `audio`, `document`, `poll` and so on, as rows have it
    #[serde(rename = "type")]
    kind: Option<String>,
    /// `api`, `phone` (its owner, elsewhere) or `contact`
    #[param(pattern = "^(api|phone|contact)$")]
    origin: Option<String>,
    /// The other party's number, in any of its spellings
    phone: Option<String>,
    /// Of a bulk job
    #[param(pattern = "^[0-9a-f]{24}$")]
    job_id: Option<String>,
    /// From this time on: ISO 8601 (without an offset it goes by the tenant's clock), a day such as
    /// `2026-03-08`, or milliseconds since the epoch
    #[param(example = "2026-03-08")]
    from: Option<String>,
    /// Before this time, or up to the end of this day
    #[param(example = "2026-03-08T18:00:00Z")]
    to: Option<String>,
}

impl Filters {
    pub async fn read(&self, store: &TenantStore) -> Result<MessageFilter, ApiError> {
        let from = match &self.from {
            Some(text) => Some(moments::of_parameter("from", text, store).await?.begins()),
            None => None,
        };
        let to = match &self.to {
            Some(text) => Some(moments::of_parameter("to", text, store).await?.ends()),
            None => None,
        };
        let home = match (&self.phone, &self.chat) {
            (None, None) => None,
            _ => home_of(store, None).await?,
        };
        Ok(MessageFilter {
            session: given(self.session_id.as_deref(), |text| {
                SessionId::parse(text).map_err(|problem| problem.to_string())
            })?,
            direction: given(self.direction.as_deref(), |word| match word {
                "in" => Ok(Direction::In),
                "out" => Ok(Direction::Out),
                _ => Err("direction: in or out".to_owned()),
            })?,
            status: given(self.status.as_deref(), |word| {
                let words = "status: sending, sent, delivered, read, played, failed or received";
                Status::parse(word).ok_or_else(|| words.to_owned())
            })?,
            phone: given(self.phone.as_deref(), |text| {
                Phone::parse(text, home).map_err(|problem| format!("phone: {problem}"))
            })?,
            from,
            to,
            kind: given(self.kind.as_deref(), |word| {
                let is_word = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                if is_word && (1..=TYPE_MAX).contains(&word.len()) {
                    Ok(word.to_owned())
                } else {
                    Err("type: one word as rows have it, such as text or image".to_owned())
                }
            })?,
            chat: given(self.chat.as_deref(), |text| {
                Recipient::parse(text, home).map_err(|problem| format!("chat: {problem}"))
            })?,
            origin: given(self.origin.as_deref(), |word| {
                Origin::parse(word).ok_or_else(|| "origin: api, phone or contact".to_owned())
            })?,
            job: given(self.job_id.as_deref(), |text| {
                JobId::parse(text).ok_or_else(|| "jobId: the 24 hex digits of a job".to_owned())
            })?,
            // A form that was left empty searches for nothing in particular.
            search: self
                .search
                .as_deref()
                .filter(|typed| !typed.trim().is_empty())
                .map(Query::parse)
                .transpose()
                .map_err(|problem| ApiError::parameter(format!("search: {problem}")))?,
        })
    }

    pub fn has_search(&self) -> bool {
        self.search.as_deref().is_some_and(|typed| !typed.trim().is_empty())
    }
}

fn given<T>(
    parameter: Option<&str>,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, ApiError> {
    parameter.map(read).transpose().map_err(ApiError::parameter)
}
