//! Where a reader begins, and what it leaves out.

use serde::Deserialize;
use utoipa::IntoParams;
use wapid_core::endpoint::{Format, Settings, names_events};
use wapid_core::id::{EventId, SessionId};
use wapid_core::store::TenantStore;
use wapid_core::store::follow::Told;

use crate::api::error::ApiError;

/// Patterns or sessions.
const NAMES_MAX: usize = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventQuery {
    /// `nextAfter` of the answer before, the position or the id of an event; `now` for what happens from here
    /// on. The oldest that is kept by default
    pub after: Option<String>,
    /// 1 to 1,000; 100 by default
    #[param(minimum = 1, maximum = 1_000)]
    pub limit: Option<i64>,
    /// Only these, with commas: `message.received`, `message.*`
    pub types: Option<String>,
    /// Only of these sessions, with commas
    pub session_id: Option<String>,
    /// Seconds to wait where there is nothing yet, 0 to 50; after 45 s it is answered whatever happened, so that no proxy
    /// gives it up before
    #[param(minimum = 0, maximum = 50)]
    pub wait: Option<u64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StreamQuery {
    /// The position or the id of the last event that was seen; `oldest` for all that is kept. What happens from
    /// here on by default. The header `Last-Event-ID` wins
    pub after: Option<String>,
    /// Only these, with commas: `message.received`, `message.*`
    pub types: Option<String>,
    /// Only of these sessions, with commas
    pub session_id: Option<String>,
    /// In place of a key, from `POST /api/whatsapp/events/ticket`
    #[expect(dead_code, reason = "caller.rs reads it; here it is known")]
    pub ticket: Option<String>,
}

/// Where a reader begins who says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Oldest,
    Now,
}

/// The position after which a reader reads.
pub async fn begin(store: &TenantStore, after: Option<&str>, start: Start) -> Result<i64, ApiError> {
    let ends = store.log_ends().await?;
    let position = match (after, start) {
        (None, Start::Oldest) | (Some("oldest"), _) => return Ok(ends.forgotten),
        (None, Start::Now) | (Some("now"), _) => return Ok(ends.last),
        (Some(text), _) => match text.parse::<i64>() {
            Ok(position) if (0..=ends.last).contains(&position) => position,
            Ok(_) => {
                return Err(ApiError::parameter(format!("after: 0 to {}, as the log stands", ends.last)));
            }
            Err(_) if text.starts_with("evt_") => {
                let found = match EventId::parse(text) {
                    Some(id) => store.position_of(&id).await?,
                    None => None,
                };
                found.ok_or_else(|| ApiError::events_gone(ends.forgotten))?
            }
            Err(_) => {
                return Err(ApiError::parameter("after: a position, the id of an event, `now` or `oldest`"));
            }
        },
    };
    if position < ends.forgotten {
        return Err(ApiError::events_gone(ends.forgotten));
    }
    Ok(position)
}

/// What a reader wants to see.
#[derive(Debug, Clone)]
pub struct Wanted(Settings);

impl Wanted {
    /// # Errors
    /// When a pattern names no event, or a session's name is none.
    pub fn of(types: Option<&str>, sessions: Option<&str>) -> Result<Self, ApiError> {
        let split = |text: Option<&str>| -> Vec<String> {
            let names = text.unwrap_or_default().split(',').map(str::trim);
            names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        Self::of_lists(split(types), &split(sessions))
    }

    /// Each as it is: what names nothing is refused, and none widens what the others say.
    pub fn of_lists(events: Vec<String>, sessions: &[String]) -> Result<Self, ApiError> {
        if events.len() > NAMES_MAX || sessions.len() > NAMES_MAX {
            return Err(ApiError::parameter(format!("types, sessionId: at most {NAMES_MAX} each")));
        }
        if let Some(bad) = events.iter().find(|pattern| !names_events(pattern)) {
            let shown: String = bad.chars().take(60).collect();
            let why = format!("types: `{shown}` names no event; see EventType in /openapi.json");
            return Err(ApiError::parameter(why));
        }
        let sessions = sessions
            .iter()
            .map(|id| {
                SessionId::parse(id).map_err(|problem| ApiError::parameter(format!("sessionId: {problem}")))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self::stored(events, sessions))
    }

    pub fn stored(events: Vec<String>, sessions: Vec<SessionId>) -> Self {
        Self(Settings { events, sessions, ..Settings::of("", Format::Standard) })
    }

    pub fn parts(&self) -> (&[String], &[SessionId]) {
        (&self.0.events, &self.0.sessions)
    }

    pub fn wants(&self, event: &Told) -> bool {
        event.kind.is_some_and(|kind| self.0.wants(kind, event.session.as_ref()))
    }
}
