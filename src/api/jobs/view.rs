//! A job as its owner reads it.

use serde::Serialize;
use utoipa::ToSchema;
use wapid_core::clock::At;
use wapid_core::job::{Hold, Restriction, State};
use wapid_core::pacing::{Road, zone_of};
use wapid_core::session::{Rest, State as Standing};
use wapid_core::store::jobs::JobRow;

use crate::api::Api;
use crate::api::error::ApiError;
use crate::caller::Caller;

/// Seed 001's five fields, and ours. Its samples look for `completed` and `failed` as values anywhere in
/// the text, so no value is ever one of the two while the job can go on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// `pending`, `running`, `completed` or `failed`
    #[schema(example = "running")]
    status: &'static str,
    /// Recipients to be sent to: duplicates and invalid rows are not among them
    total: i64,
    succeeded: i64,
    failed: i64,
    /// `succeeded`, `failed` and `skipped`
    processed: i64,
    /// Opted out
    skipped: i64,
    duplicates: i64,
    invalid: i64,
    #[schema(example = "65f1a2b3c4d5e6f7a8b9c0d1")]
    job_id: String,
    session_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `pending`, `running`, `waiting`, `paused`, `completed`, `cancelled` or `failed`
    #[schema(example = "waiting")]
    state: &'static str,
    paused: bool,
    /// With `failed`: `cancelled` or `session_removed`
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
    /// In milliseconds
    delay_min: i64,
    delay_max: i64,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    /// At this pace, within limits and windows; absent where nobody can tell
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_end_at: Option<String>,
}

/// Why nothing of a job leaves now. It goes on by itself.
#[derive(Serialize, ToSchema)]
pub struct Waiting {
    /// `scheduled`, `window`, `daily_limit`, `session`, `blocked`, `timelock`, `new_chat_limit` or
    /// `number_check`
    #[schema(example = "daily_limit")]
    reason: &'static str,
    /// Absent where it is not known
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// For people
    message: String,
}

impl Job {
    pub fn id(&self) -> String {
        self.job_id.clone()
    }
}

/// How much of a job is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Whole,
    /// Without the estimate, which costs some queries.
    Glance,
}

pub async fn job(api: &Api, caller: &Caller, row: JobRow, detail: Detail) -> Result<Job, ApiError> {
    let now = api.sessions.store().clock().now();
    let waiting = waiting(api, &row, now);
    let estimated = match detail {
        Detail::Whole if matches!(row.state, State::Pending | State::Running) => {
            match &waiting {
                // Nobody knows when it goes on.
                Some((_, None)) => None,
                held => estimate(caller, &row, held.as_ref().and_then(|(_, until)| *until), now).await?,
            }
        }
        _ => None,
    };
    let waits = waiting.is_some();
    Ok(Job {
        status: row.state.status(),
        total: row.total,
        succeeded: row.succeeded,
        failed: row.failed,
        processed: row.processed(),
        skipped: row.skipped,
        duplicates: row.duplicates,
        invalid: row.invalid,
        state: match row.state {
            State::Pending | State::Running if waits => "waiting",
            state => state.as_str(),
        },
        paused: row.state == State::Paused,
        reason: match row.state {
            State::Cancelled => Some("cancelled".to_owned()),
            _ => row.reason,
        },
        waiting: waiting.map(|(waiting, _)| waiting),
        delay_min: row.plan.delay.min_ms,
        delay_max: row.plan.delay.max_ms,
        created_at: row.created_at.iso(),
        schedule_at: (row.hold == Some(Hold::Scheduled)).then(|| row.not_before.iso()),
        started_at: row.started_at.map(At::iso),
        finished_at: row.finished_at.map(At::iso),
        estimated_end_at: estimated.map(At::iso),
        job_id: row.id.to_string(),
        session_id: row.session_id.0,
        name: row.name,
    })
}

/// What stands in the way, the farthest first: a schedule, the session, WhatsApp, the tenant's own rules.
fn waiting(api: &Api, row: &JobRow, now: At) -> Option<(Waiting, Option<At>)> {
    if !matches!(row.state, State::Pending | State::Running) {
        return None;
    }
    let held = row.hold.filter(|_| row.not_before > now);
    let say = |reason, until: Option<At>, message: &str| {
        Some((Waiting { reason, until: until.map(At::iso), message: message.to_owned() }, until))
    };
    if held == Some(Hold::Scheduled) {
        return say("scheduled", Some(row.not_before), "It begins at the time it was scheduled for");
    }
    if let Some(view) = api.sessions.view(&row.session_key) {
        let until = match &view.state {
            Standing::Ready { .. } => None,
            // It runs in another process, which knows better.
            Standing::Resting { why: Rest::HeldElsewhere, .. } => None,
            Standing::Resting { until, .. } => Some(Some(*until)),
            _ => Some(None),
        };
        if let Some(until) = until {
            let message = format!(
                "The session is {} ({}); the job goes on when it is ready",
                view.state.status().as_str(),
                view.state.reason()
            );
            return say("session", until, &message);
        }
    }
    if let (Some(why), Some(until)) = (row.restriction, row.restricted_until.filter(|until| *until > now)) {
        let message = match why {
            Restriction::Blocked => "WhatsApp refused a message of this number, so its jobs rest a while",
            Restriction::Timelock => "WhatsApp does not let this number start chats until then",
            Restriction::NewChatLimit => "This number has started as many chats as WhatsApp allows for now",
        };
        return say(why.as_str(), Some(until), message);
    }
    match held? {
        Hold::DailyLimit => {
            say("daily_limit", Some(row.not_before), "The day's messages are spent; it goes on tomorrow")
        }
        Hold::Window => say("window", Some(row.not_before), "No sending window is open"),
        Hold::NumberCheck => {
            say("number_check", Some(row.not_before), "WhatsApp does not look up numbers now")
        }
        Hold::Scheduled => None,
    }
}

async fn estimate(
    caller: &Caller,
    row: &JobRow,
    held_until: Option<At>,
    now: At,
) -> Result<Option<At>, ApiError> {
    let store = &caller.store;
    let Some(outlook) = store.outlook(&row.session_key).await? else { return Ok(None) };
    let zone = zone_of(&outlook.time_zone);
    let road = Road {
        now,
        not_before: held_until.unwrap_or(now).max(row.not_before),
        gap_ms: row.plan.delay.mean_ms() * outlook.jobs.max(1),
        quota: outlook.quota,
        windows: row.plan.windows.as_ref().unwrap_or(&outlook.windows),
        zone: &zone,
    };
    Ok(road.end(row.total - row.processed()))
}
