//! What an owner says of an endpoint, checked.

use std::collections::BTreeMap;
use std::fmt;

use http::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use wapid_core::delivery::ATTEMPTS_MAX;
use wapid_core::endpoint::{CONCURRENCY_MAX, Format, Settings, TIMEOUT_MS_RANGE, names_events};
use wapid_core::id::SessionId;
use wapid_core::signature::{Profile, Secret, SecretError};

use crate::api::Api;
use crate::api::error::ApiError;
use crate::caller::Caller;
use crate::outgoing::{Asker, Failure};

const DESCRIPTION_MAX: usize = 200;
/// Patterns, sessions.
const NAMES_MAX: usize = 100;
const HEADERS_MAX: usize = 20;
const HEADER_NAME_MAX: usize = 64;
const HEADER_VALUE_MAX: usize = 1_024;
/// How long an old secret may stay valid, and does where nothing is said.
const GRACE_HOURS_MAX: u32 = 168;
const GRACE_HOURS: u32 = 24;
const HOUR_MS: i64 = 3_600_000;

/// An endpoint to be made or changed. What is left out or `null` takes its default, or stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewWebhook)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object with url")]
pub struct Given {
    /// https in live mode
    #[schema(example = "https://example.com/hooks/whatsapp")]
    url: Option<String>,
    /// For people, up to 200 bytes
    description: Option<String>,
    /// `standard` or `classic`, which is the shape of the first endpoint: `{tenantId, event, sessionId, timestamp,
    /// data, signature}`
    #[schema(value_type = Option<String>, example = "standard")]
    format: Option<Format>,
    /// Which events: `message.received`, `message.*`, `*`. `[]`: all of the format's; for the classic one these
    /// are `message`, `qr`, `ready` and `disconnected`
    #[schema(example = json!(["message.*", "session.disconnected"]))]
    events: Option<Vec<String>>,
    /// Only of these sessions; `[]`: of all, and what is of none
    sessions: Option<Vec<String>>,
    /// Headers that the receiver knows: the name of a profile (`wapid`, `ranvedix`, `quixess`, `dualhook`,
    /// `vobiz`) or one of your own. The headers of Standard Webhooks come beside them
    profile: Option<GivenProfile>,
    /// Sent with every request, up to 20; replaces those of before. Stored sealed, never shown again
    headers: Option<BTreeMap<String, String>>,
    /// 16 to 256 bytes. `whsec_…` signs with the bytes that its base64 says, any other with its UTF-8 bytes
    secret: Option<String>,
    /// Requests at the same time, 1 to 64; 8 by default
    concurrency: Option<u16>,
    /// One at a time, in the order of the log: an event waits until the one before it was taken or given up
    ordered: Option<bool>,
    /// Attempts before an event is given up, 1 to 11; 11 by default
    max_attempts: Option<u32>,
    /// For one attempt, 1,000 to 30,000; 15,000 by default
    timeout_ms: Option<i64>,
}

enum GivenProfile {
    Named(String),
    Own(Profile),
}

impl<'de> Deserialize<'de> for GivenProfile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = GivenProfile;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("the name of a profile, or an object with signatureHeader")
            }

            fn visit_str<E>(self, name: &str) -> Result<GivenProfile, E> {
                Ok(GivenProfile::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<GivenProfile, A::Error> {
                Profile::deserialize(MapAccessDeserializer::new(map)).map(GivenProfile::Own)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl PartialSchema for GivenProfile {
    fn schema() -> RefOr<Schema> {
        let named = ObjectBuilder::new().schema_type(Type::String).examples(["wapid"]);
        let own = Ref::from_schema_name(HeaderProfile::name());
        Schema::AnyOf(AnyOfBuilder::new().item(named).item(own).build()).into()
    }
}

impl ToSchema for GivenProfile {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HeaderProfile::name().into_owned(), HeaderProfile::schema()));
    }
}

/// Headers of your own that say the signature and what is signed
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes `Profile`")]
pub struct HeaderProfile {
    #[schema(example = "X-Signature")]
    signature_header: String,
    /// Before the hexadecimal digits: `sha256=`, or nothing
    prefix: Option<String>,
    /// What is signed: `body` (default), or `timestampAndBody`, with a dot between
    signs: Option<String>,
    /// Gets the Unix seconds of the attempt
    timestamp_header: Option<String>,
    event_header: Option<String>,
    id_header: Option<String>,
    /// Puts a field `signature` into the body
    signature_in_body: Option<bool>,
}

/// What a request says, as it is to be stored.
pub struct Settled {
    pub settings: Settings,
    /// Where they are to be replaced.
    pub headers: Option<Vec<(String, String)>>,
    pub secret: Option<GivenSecret>,
}

/// A word about the secret.
pub enum GivenSecret {
    /// Nothing is to be signed.
    None,
    New(Secret),
}

impl Given {
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// On top of what is stored, or of the defaults of `format`.
    pub fn checked(self, stored: Option<Settings>, format: Format) -> Result<Settled, ApiError> {
        let mut settings = match (stored, &self.url) {
            (Some(stored), _) => stored,
            (None, Some(_)) => Settings::of("", format),
            (None, None) => return Err(invalid("url: missing")),
        };
        if let Some(url) = self.url {
            settings.url = url;
        }
        if let Some(text) = self.description {
            if text.len() > DESCRIPTION_MAX || text.chars().any(char::is_control) {
                return Err(invalid(format!("description: one line of at most {DESCRIPTION_MAX} bytes")));
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
            within("concurrency", i64::from(concurrency), 1..=i64::from(CONCURRENCY_MAX))?;
            settings.concurrency = concurrency;
        }
        settings.is_ordered = self.ordered.unwrap_or(settings.is_ordered);
        if let Some(most) = self.max_attempts {
            within("maxAttempts", i64::from(most), 1..=i64::from(ATTEMPTS_MAX))?;
            settings.attempts_max = Some(most).filter(|most| *most < ATTEMPTS_MAX);
        }
        if let Some(timeout) = self.timeout_ms {
            within("timeoutMs", timeout, TIMEOUT_MS_RANGE)?;
            settings.timeout_ms = timeout;
        }
        let headers = self.headers.map(|headers| checked_headers(headers, &settings.profile)).transpose()?;
        let secret = self.secret.as_deref().map(read_secret).transpose()?;
        Ok(Settled { settings, headers, secret })
    }
}

/// Only the one-URL setting knows endpoints that sign nothing.
pub fn no_secret() -> ApiError {
    invalid("secret: must not be empty")
}

/// Refuses a secret that is too short, where it is not in use already.
pub fn check_new_secret(secret: &Secret) -> Result<(), ApiError> {
    secret.check_length().map_err(refused_secret)
}

fn refused_secret(problem: SecretError) -> ApiError {
    match problem {
        SecretError::TooShort => ApiError::bad("SECRET_TOO_SHORT", problem.to_string()).about("secret"),
        _ => invalid(problem.to_string()),
    }
}

fn read_secret(text: &str) -> Result<GivenSecret, ApiError> {
    match Secret::parse(text) {
        Err(SecretError::Empty) if text.is_empty() => Ok(GivenSecret::None),
        Err(problem) => Err(refused_secret(problem)),
        Ok(secret) => Ok(GivenSecret::New(secret)),
    }
}

impl GivenProfile {
    fn checked(self) -> Result<Profile, ApiError> {
        match self {
            Self::Named(name) => Profile::named(&name).ok_or_else(|| {
                invalid(
                    "profile: wapid, ranvedix, quixess, dualhook, vobiz, or an object with signatureHeader",
                )
            }),
            Self::Own(profile) => {
                profile.check().map_err(|problem| invalid(format!("profile: {problem}")))?;
                Ok(profile)
            }
        }
    }
}

fn checked_events(events: Vec<String>) -> Result<Vec<String>, ApiError> {
    if events.len() > NAMES_MAX {
        return Err(invalid(format!("events: at most {NAMES_MAX}")));
    }
    for pattern in &events {
        if !names_events(pattern) {
            return Err(invalid(format!(
                "events: `{}` names no event; see EventType in /openapi.json",
                shortened(pattern)
            )));
        }
    }
    Ok(events)
}

fn checked_sessions(sessions: Vec<String>) -> Result<Vec<SessionId>, ApiError> {
    if sessions.len() > NAMES_MAX {
        return Err(invalid(format!("sessions: at most {NAMES_MAX}")));
    }
    // One that is made tomorrow may be named today.
    sessions
        .iter()
        .map(|id| SessionId::parse(id).map_err(|problem| invalid(format!("sessions: {problem}"))))
        .collect()
}

/// Names that the profile signs under, those of Standard Webhooks and what says how bytes travel are ours.
fn checked_headers(
    headers: BTreeMap<String, String>,
    profile: &Profile,
) -> Result<Vec<(String, String)>, ApiError> {
    if headers.len() > HEADERS_MAX {
        return Err(invalid(format!("headers: at most {HEADERS_MAX}")));
    }
    for (name, value) in &headers {
        let shown = shortened(name);
        if name.len() > HEADER_NAME_MAX || HeaderName::try_from(name).is_err() {
            return Err(invalid(format!("headers: `{shown}` is not a header's name")));
        }
        if value.len() > HEADER_VALUE_MAX || HeaderValue::try_from(value).is_err() {
            return Err(invalid(format!(
                "headers: the value of `{shown}` must be one line of at most {HEADER_VALUE_MAX} bytes"
            )));
        }
        if profile.writes(name) {
            return Err(invalid(format!("headers: `{shown}` is ours to set")));
        }
    }
    Ok(headers.into_iter().collect())
}

fn within(name: &str, value: i64, range: std::ops::RangeInclusive<i64>) -> Result<(), ApiError> {
    if range.contains(&value) {
        Ok(())
    } else {
        Err(invalid(format!("{name}: {} to {}", range.start(), range.end())))
    }
}

/// What a caller wrote is not repeated at length.
fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

fn invalid(why: impl Into<String>) -> ApiError {
    ApiError::bad("INVALID_REQUEST", why.into())
}

/// A new secret, and how long the old one stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotation {
    /// Made where it is left out; of 16 to 256 bytes
    secret: Option<String>,
    /// Hours in which the old one signs as well, 0 to 168; 24 by default
    grace_hours: Option<u32>,
}

impl Rotation {
    pub fn checked(self) -> Result<(Secret, i64), ApiError> {
        let secret = match self.secret.as_deref() {
            None => Secret::generate(),
            Some(text) => Secret::parse_new(text).map_err(refused_secret)?,
        };
        let hours = self.grace_hours.unwrap_or(GRACE_HOURS);
        within("graceHours", i64::from(hours), 0..=i64::from(GRACE_HOURS_MAX))?;
        Ok((secret, i64::from(hours) * HOUR_MS))
    }
}

/// May the URL be fetched? A name that nobody knows today may be made tomorrow.
pub async fn vet(api: &Api, caller: &Caller, url: &str) -> Result<(), ApiError> {
    let outgoing = api.deliveries.outgoing();
    let refused = |problem: &dyn std::fmt::Display| ApiError::bad("URL_NOT_ALLOWED", problem.to_string());
    let asker = Asker { tenant: caller.store.tenant_id().clone(), mode: caller.mode() };
    let target = outgoing.check(url, asker).map_err(|problem| refused(&problem))?;
    match outgoing.look_up(&target).await {
        Err(problem @ Failure::Refused(_)) => Err(refused(&problem)),
        _ => Ok(()),
    }
}
