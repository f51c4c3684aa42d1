//! What a tenant wants of its bulk messages and its events.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::event::{KEPT_DAYS, KEPT_DAYS_RANGE};
use wapid_core::media;
use wapid_core::opt_out::{self, Settings as Stored, WORDS_MAX};
use wapid_core::pacing::Windows;
use wapid_core::phone::Country;
use wapid_core::store::retention;

use super::Api;
use super::body::Body;
use super::error::ApiError;
use super::jobs::new::described::SendingWindow;
use super::openapi::Refusals;
use crate::caller::Caller;

/// A confirmation is one line.
const CONFIRMATION_MAX: usize = 500;
const WORD_MAX: usize = 100;

/// Settings of one tenant and mode. A field that is left out or `null` takes its default.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Of numbers in lists that have no country code, as ISO 3166
    #[schema(example = "BR")]
    default_country: Option<String>,
    /// When jobs may send, in the tenant's time zone; any time by default
    #[serde(default)]
    #[schema(value_type = Option<Vec<SendingWindow>>, example = json!([{"days": ["mon", "tue"], "from": "09:00", "to": "18:00"}]))]
    windows: Option<Windows>,
    /// A message that is one of these words puts its sender on the list of opt-outs, however it is typed and
    /// whatever courtesy stands beside it. Without any, our own words count, and sentences that say the same;
    /// given, these take their place. `[]`: none does
    stop_words: Option<Vec<String>>,
    /// And one of these takes it off
    start_words: Option<Vec<String>>,
    /// What somebody who opts out by a message is told, once; nothing by default
    confirmation: Option<String>,
    /// `jobs` (default): whoever opted out is left out of jobs and still gets single messages, such as an
    /// OTP. `all`: single messages are refused too
    #[schema(example = "jobs")]
    opt_out_scope: Option<String>,
    /// How long events are kept, with what was delivered of them: 7 to 400; 30 by default
    #[schema(example = 30)]
    event_days: Option<i64>,
    /// How long files are kept that come from here on: 1 to 3,650; 30 by default
    #[schema(example = 30)]
    media_keep_days: Option<i64>,
    /// How long messages are kept, in days: 1 to 3,650; for ever by default. One whose outcome is not known, or
    /// of a job that is not over, is kept for longer
    #[schema(example = 365)]
    messages_keep_days: Option<i64>,
    /// Tell of presence and typing by `presence.updated` and `chat.typing`, for people whom a session follows;
    /// `false` by default, for they are many
    presence_events: Option<bool>,
}

/// What lies beside the stored settings.
struct Beside {
    event_days: Option<i64>,
    media_days: Option<i64>,
    message_days: Option<i64>,
    presence_events: bool,
}

impl Settings {
    fn of(stored: Stored, beside: &Beside) -> Self {
        let Beside { event_days, media_days, message_days, presence_events } = *beside;
        Self {
            media_keep_days: Some(media_days.unwrap_or(media::KEPT_DAYS)),
            messages_keep_days: message_days,
            presence_events: Some(presence_events),
            event_days: Some(event_days.unwrap_or(KEPT_DAYS)),
            default_country: stored.default_country,
            windows: Some(stored.windows),
            stop_words: Some(stored.stop_words.unwrap_or_else(opt_out::stop_words)),
            start_words: Some(stored.start_words.unwrap_or_else(opt_out::start_words)),
            confirmation: stored.confirmation,
            opt_out_scope: Some(if stored.applies_to_all { "all" } else { "jobs" }.to_owned()),
        }
    }

    fn check(self) -> Result<Stored, ApiError> {
        let invalid = |why: String| ApiError::bad("INVALID_REQUEST", why);
        if let Some(code) = &self.default_country {
            Country::parse(code).map_err(|problem| invalid(format!("defaultCountry: {problem}")))?;
        }
        let windows = self.windows.unwrap_or_default();
        windows.check().map_err(|problem| invalid(format!("windows: {problem}")))?;
        for (name, words) in [("stopWords", &self.stop_words), ("startWords", &self.start_words)] {
            let Some(words) = words else { continue };
            let bad = |word: &String| {
                word.trim().is_empty() || word.len() > WORD_MAX || word.chars().any(char::is_control)
            };
            if words.len() > WORDS_MAX || words.iter().any(bad) {
                let why = format!("{name}: at most {WORDS_MAX} words of 1 to {WORD_MAX} bytes");
                return Err(invalid(why));
            }
        }
        let confirmation = self.confirmation.filter(|text| !text.trim().is_empty());
        if confirmation.as_ref().is_some_and(|text| text.len() > CONFIRMATION_MAX || text.contains('\0')) {
            return Err(invalid(format!("confirmation: at most {CONFIRMATION_MAX} bytes")));
        }
        if self.event_days.is_some_and(|days| !KEPT_DAYS_RANGE.contains(&days)) {
            let (least, most) = (KEPT_DAYS_RANGE.start(), KEPT_DAYS_RANGE.end());
            return Err(invalid(format!("eventDays: {least} to {most}")));
        }
        if self.media_keep_days.is_some_and(|days| !media::KEPT_DAYS_RANGE.contains(&days)) {
            let (least, most) = (media::KEPT_DAYS_RANGE.start(), media::KEPT_DAYS_RANGE.end());
            return Err(invalid(format!("mediaKeepDays: {least} to {most}")));
        }
        if self.messages_keep_days.is_some_and(|days| !retention::KEPT_DAYS_RANGE.contains(&days)) {
            let range = retention::KEPT_DAYS_RANGE;
            let why = format!("messagesKeepDays: {} to {}, or null for ever", range.start(), range.end());
            return Err(invalid(why));
        }
        let applies_to_all = match self.opt_out_scope.as_deref() {
            None | Some("jobs") => false,
            Some("all") => true,
            Some(_) => return Err(invalid("optOutScope: jobs or all".to_owned())),
        };
        // Who gives back what we showed has not chosen: then our sentences count as well.
        let own = |words: Option<Vec<String>>, ours: Vec<String>| words.filter(|words| *words != ours);
        Ok(Stored {
            default_country: self.default_country.map(|code| code.to_uppercase()),
            windows,
            stop_words: own(self.stop_words, opt_out::stop_words()),
            start_words: own(self.start_words, opt_out::start_words()),
            confirmation,
            applies_to_all,
        })
    }
}

/// The settings
#[utoipa::path(
    operation_id = "get_settings",
    get, path = "/api/whatsapp/settings", tag = "settings",
    responses((status = 200, description = "The settings", body = Settings), Refusals)
)]
pub async fn read(caller: Caller) -> Result<Json<Settings>, ApiError> {
    Ok(Json(stored(&caller).await?))
}

async fn stored(caller: &Caller) -> Result<Settings, ApiError> {
    let ends = caller.store.log_ends().await?;
    let beside = Beside {
        event_days: ends.kept_days,
        media_days: caller.store.media_days().await?,
        message_days: caller.store.message_days().await?,
        presence_events: caller.store.tells_presence().await?,
    };
    Ok(Settings::of(caller.store.settings().await?, &beside))
}

/// Replace the settings
///
/// Jobs that wait for a window look again at once.
#[utoipa::path(
    operation_id = "put_settings",
    put, path = "/api/whatsapp/settings", tag = "settings",
    request_body = Settings,
    responses((status = 200, description = "The settings", body = Settings), Refusals)
)]
pub async fn write(
    State(api): State<Api>,
    caller: Caller,
    body: Body<Settings>,
) -> Result<Json<Settings>, ApiError> {
    let Settings { event_days, media_keep_days, messages_keep_days, presence_events, .. } = body.value;
    let wish = body.value.check()?;
    caller.store.save_settings(&wish).await?;
    caller.store.keep_events(event_days).await?;
    caller.store.keep_media(media_keep_days).await?;
    caller.store.keep_messages(messages_keep_days).await?;
    caller.store.tell_presence(presence_events.unwrap_or_default()).await?;
    for session in caller.store.sessions().await? {
        api.sessions.wake_jobs(&session.key).await;
    }
    Ok(Json(stored(&caller).await?))
}
