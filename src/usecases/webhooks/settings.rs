//! What an owner wishes of an endpoint, checked.

use std::collections::BTreeMap;

use http::header::{HeaderName, HeaderValue};
use wapid_core::delivery::ATTEMPTS_MAX;
use wapid_core::endpoint::{CONCURRENCY_MAX, Format, Settings, TIMEOUT_MS_RANGE, names_events};
use wapid_core::id::SessionId;
use wapid_core::signature::{Profile, Secret, SecretError};

use super::refusal::WebhookRefusal;
use crate::usecases::field::Field;

pub const DESCRIPTION_MAX: usize = 200;
/// Patterns, sessions.
pub const NAMES_MAX: usize = 100;
pub const HEADERS_MAX: usize = 20;
const HEADER_NAME_MAX: usize = 64;
pub const HEADER_VALUE_MAX: usize = 1_024;
/// How long an old secret may stay valid, and does where nothing is said.
const GRACE_HOURS_MAX: u32 = 168;
const GRACE_HOURS: u32 = 24;
const HOUR_MS: i64 = 3_600_000;

/// An endpoint to be made or changed. What is left out takes its default, or stays as it is.
#[derive(Default)]
pub struct WebhookWish {
    pub url: Option<String>,
    pub description: Option<String>,
    pub format: Option<Format>,
    /// Which events; all of its format where the list is empty.
    pub events: Option<Vec<String>>,
    /// Of which sessions; of all where the list is empty.
    pub sessions: Option<Vec<String>>,
    pub profile: Option<ProfileWish>,
    /// Sent with every request; they replace those of before.
    pub headers: Option<BTreeMap<String, String>>,
    /// An empty one signs nothing, where that is allowed.
    pub secret: Option<String>,
    pub concurrency: Option<u16>,
    pub ordered: Option<bool>,
    pub max_attempts: Option<u32>,
    pub timeout_ms: Option<i64>,
}

/// Which headers say the signature.
pub enum ProfileWish {
    Named(String),
    Own(Profile),
}

/// A wish, as it is to be stored.
pub struct CheckedSettings {
    pub settings: Settings,
    /// Where they are to be replaced.
    pub headers: Option<Vec<(String, String)>>,
    pub secret: Option<SecretWish>,
}

/// A word about the secret.
pub enum SecretWish {
    /// Nothing is to be signed.
    None,
    New(Secret),
}

impl WebhookWish {
    /// On top of what is stored, or of the defaults of `format`.
    pub fn checked(
        self,
        stored: Option<Settings>,
        format: Format,
    ) -> Result<CheckedSettings, WebhookRefusal> {
        let mut settings = match (stored, &self.url) {
            (Some(stored), _) => stored,
            (None, Some(_)) => Settings::of("", format),
            (None, None) => return Err(WebhookRefusal::NoUrl),
        };
        if let Some(url) = self.url {
            settings.url = url;
        }
        if let Some(text) = self.description {
            if text.len() > DESCRIPTION_MAX || text.chars().any(char::is_control) {
                return Err(WebhookRefusal::Description);
            }
            settings.description = Some(text).filter(|text| !text.is_empty());
        }
        settings.format = self.format.unwrap_or(settings.format);
        if let Some(events) = self.events {
            settings.events = checked_events(events)?;
        }
        if let Some(sessions) = self.sessions {
            settings.sessions = checked_sessions(sessions)?;
        }
        if let Some(profile) = self.profile {
            settings.profile = profile.checked()?;
        }
        if let Some(concurrency) = self.concurrency {
            within(Field::Concurrency, i64::from(concurrency), 1..=i64::from(CONCURRENCY_MAX))?;
            settings.concurrency = concurrency;
        }
        settings.is_ordered = self.ordered.unwrap_or(settings.is_ordered);
        if let Some(most) = self.max_attempts {
            within(Field::MaxAttempts, i64::from(most), 1..=i64::from(ATTEMPTS_MAX))?;
            settings.attempts_max = Some(most).filter(|most| *most < ATTEMPTS_MAX);
        }
        if let Some(timeout) = self.timeout_ms {
            within(Field::TimeoutMs, timeout, TIMEOUT_MS_RANGE)?;
            settings.timeout_ms = timeout;
        }
        let headers = self.headers.map(|headers| checked_headers(headers, &settings.profile)).transpose()?;
        let secret = self.secret.as_deref().map(read_secret).transpose()?;
        Ok(CheckedSettings { settings, headers, secret })
    }
}

fn read_secret(text: &str) -> Result<SecretWish, SecretError> {
    match Secret::parse(text) {
        Err(SecretError::Empty) if text.is_empty() => Ok(SecretWish::None),
        Err(problem) => Err(problem),
        Ok(secret) => Ok(SecretWish::New(secret)),
    }
}

impl ProfileWish {
    fn checked(self) -> Result<Profile, WebhookRefusal> {
        match self {
            Self::Named(name) => Profile::named(&name).ok_or(WebhookRefusal::NoSuchProfile),
            Self::Own(profile) => {
                profile.check().map_err(WebhookRefusal::Profile)?;
                Ok(profile)
            }
        }
    }
}

fn checked_events(events: Vec<String>) -> Result<Vec<String>, WebhookRefusal> {
    if events.len() > NAMES_MAX {
        return Err(WebhookRefusal::EventCount);
    }
    for pattern in &events {
        if !names_events(pattern) {
            return Err(WebhookRefusal::NoSuchEvent(shortened(pattern)));
        }
    }
    Ok(events)
}

fn checked_sessions(sessions: Vec<String>) -> Result<Vec<SessionId>, WebhookRefusal> {
    if sessions.len() > NAMES_MAX {
        return Err(WebhookRefusal::SessionCount);
    }
    // One that is made tomorrow may be named today.
    sessions.iter().map(|id| SessionId::parse(id).map_err(WebhookRefusal::Session)).collect()
}

/// Names that the profile signs under, those of Standard Webhooks and what says how bytes travel are ours.
fn checked_headers(
    headers: BTreeMap<String, String>,
    profile: &Profile,
) -> Result<Vec<(String, String)>, WebhookRefusal> {
    if headers.len() > HEADERS_MAX {
        return Err(WebhookRefusal::HeaderCount);
    }
    for (name, value) in &headers {
        if name.len() > HEADER_NAME_MAX || HeaderName::try_from(name).is_err() {
            return Err(WebhookRefusal::HeaderName(shortened(name)));
        }
        if value.len() > HEADER_VALUE_MAX || HeaderValue::try_from(value).is_err() {
            return Err(WebhookRefusal::HeaderValue { name: shortened(name) });
        }
        if profile.writes(name) {
            return Err(WebhookRefusal::HeaderIsOurs(shortened(name)));
        }
    }
    Ok(headers.into_iter().collect())
}

fn within(field: Field, value: i64, range: std::ops::RangeInclusive<i64>) -> Result<(), WebhookRefusal> {
    let (least, most) = range.clone().into_inner();
    if range.contains(&value) { Ok(()) } else { Err(WebhookRefusal::OutOfRange { field, least, most }) }
}

/// What somebody wrote is not repeated at length.
fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

/// A new secret, made where none is given, and in how many hours the old one ends.
#[derive(Default)]
pub struct RotationWish {
    pub secret: Option<String>,
    pub grace_hours: Option<u32>,
}

impl RotationWish {
    pub fn checked(self) -> Result<(Secret, i64), WebhookRefusal> {
        let secret = match self.secret.as_deref() {
            None => Secret::generate(),
            Some(text) => Secret::parse_new(text)?,
        };
        let hours = self.grace_hours.unwrap_or(GRACE_HOURS);
        within(Field::GraceHours, i64::from(hours), 0..=i64::from(GRACE_HOURS_MAX))?;
        Ok((secret, i64::from(hours) * HOUR_MS))
    }
}
