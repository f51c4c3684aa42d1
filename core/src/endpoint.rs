//! An endpoint: where a tenant's events go, which of them, and in what shape.

use serde::{Deserialize, Serialize};

use crate::clock::At;
use crate::event::Kind;
use crate::id::{EndpointId, SessionId};
use crate::signature::Profile;

/// Endpoints of a tenant and mode.
pub const ENDPOINTS_MAX: usize = 50;
/// Requests to one endpoint at the same time.
pub const CONCURRENCY_MAX: u16 = 64;
const CONCURRENCY: u16 = 8;
/// For one attempt, from the name of the host to the end of the answer.
pub const TIMEOUT_MS_RANGE: std::ops::RangeInclusive<i64> = 1_000..=30_000;
const TIMEOUT_MS: i64 = 15_000;

/// What the body of a request looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `{tenantId, event, sessionId, timestamp, data}` with the words `message`, `qr`, `ready` and
    /// `disconnected`.
    Classic,
    /// `{id, type, version, tenantId, mode, position, sessionId, sequence, occurredAt, data}`.
    #[default]
    Standard,
}

/// What its owner says of an endpoint. Stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub format: Format,
    /// Which events: `message.received`, `message.*`, `*`, or the words of [`Format::Classic`]. Empty: all
    /// for the standard format, the classic one's own four for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Of which sessions. Empty: of all, and what is of none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<SessionId>,
    #[serde(default)]
    pub profile: Profile,
    #[serde(default = "concurrency")]
    pub concurrency: u16,
    /// One at a time, in the order of the log: each waits for the one before.
    #[serde(default)]
    pub is_ordered: bool,
    /// Fewer attempts than the schedule has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_max: Option<u32>,
    #[serde(default = "timeout_ms")]
    pub timeout_ms: i64,
}

fn concurrency() -> u16 {
    CONCURRENCY
}

fn timeout_ms() -> i64 {
    TIMEOUT_MS
}

/// The words of [`Format::Classic`] and what they stand for.
const CLASSIC: [(&str, Kind); 4] = [
    ("message", Kind::MessageReceived),
    ("qr", Kind::SessionQrReady),
    ("ready", Kind::SessionReady),
    ("disconnected", Kind::SessionDisconnected),
];

impl Settings {
    pub fn of(url: impl Into<String>, format: Format) -> Self {
        Self {
            url: url.into(),
            description: None,
            format,
            events: vec![],
            sessions: vec![],
            profile: Profile::default(),
            concurrency: CONCURRENCY,
            is_ordered: false,
            attempts_max: None,
            timeout_ms: TIMEOUT_MS,
        }
    }

    /// Does this endpoint want such an event?
    pub fn wants(&self, kind: Kind, session: Option<&SessionId>) -> bool {
        let of_session =
            self.sessions.is_empty() || session.is_some_and(|session| self.sessions.contains(session));
        let of_kind = match (self.events.as_slice(), self.format) {
            ([], Format::Standard) => true,
            ([], Format::Classic) => CLASSIC.iter().any(|(_, known)| *known == kind),
            (wanted, _) => wanted.iter().any(|pattern| is_named(pattern, kind)),
        };
        of_session && of_kind
    }

    /// What an event is called in this endpoint's payload.
    pub fn word(&self, kind: &'static str) -> &'static str {
        let classic = || CLASSIC.iter().find(|(_, known)| known.as_str() == kind).map(|(word, _)| *word);
        match self.format {
            Format::Classic => classic().unwrap_or(kind),
            Format::Standard => kind,
        }
    }
}

fn is_named(pattern: &str, kind: Kind) -> bool {
    let text = kind.as_str();
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(family) => text.starts_with(family),
        None => text == pattern || CLASSIC.iter().any(|(word, known)| *word == pattern && *known == kind),
    }
}

/// Does the pattern name anything that there is?
pub fn names_events(pattern: &str) -> bool {
    let is_family = |family: &str| family.is_empty() || family.ends_with('.');
    pattern.strip_suffix('*').is_none_or(is_family) && Kind::ALL.iter().any(|kind| is_named(pattern, *kind))
}

/// Is an endpoint delivered to?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "TEXT")]
pub enum State {
    Enabled,
    Disabled,
}

/// Why it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "TEXT")]
pub enum Reason {
    /// Its owner said so.
    Owner,
    /// It answered 410.
    Gone,
    /// It took nothing for days.
    Failing,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// An endpoint as stored, without its secrets.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: EndpointId,
    pub is_first: bool,
    pub settings: Settings,
    pub state: State,
    pub reason: Option<Reason>,
    pub changed_at: At,
    pub standing: crate::delivery::Standing,
    pub created_at: At,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(format: Format, events: &[&str]) -> Settings {
        let events = events.iter().map(|&text| text.to_owned()).collect();
        Settings { events, ..Settings::of("https://example.com", format) }
    }

    #[test]
    fn the_classic_format_is_for_its_own_four_unless_others_are_named() {
        let plain = settings(Format::Classic, &[]);
        let wanted: Vec<_> = Kind::ALL.iter().filter(|kind| plain.wants(**kind, None)).collect();
        assert_eq!(wanted.len(), 4);
        let more = settings(Format::Classic, &["message", "message.failed"]);
        assert!(more.wants(Kind::MessageReceived, None) && more.wants(Kind::MessageFailed, None));
        assert!(!more.wants(Kind::SessionReady, None));
        assert_eq!(more.word("message.received"), "message");
        assert_eq!(more.word("message.failed"), "message.failed");
    }

    #[test]
    fn patterns_name_one_a_family_or_all() {
        let family = settings(Format::Standard, &["message.*"]);
        assert!(family.wants(Kind::MessageRead, None) && !family.wants(Kind::JobStarted, None));
        assert!(Kind::ALL.iter().all(|kind| settings(Format::Standard, &["*"]).wants(*kind, None)));
        assert_eq!(settings(Format::Standard, &[]).word("message.received"), "message.received");
        for good in ["*", "job.*", "qr", "endpoint.disabled"] {
            assert!(names_events(good), "{good}");
        }
        for bad in ["", "mess*", "message", "messages.*", "job", "*.*"] {
            assert_eq!(names_events(bad), bad == "message", "{bad}");
        }
    }

    #[test]
    fn sessions_narrow_it_to_theirs() {
        let (main, other) = (SessionId("main".into()), SessionId("other".into()));
        let narrow = Settings { sessions: vec![main.clone()], ..settings(Format::Standard, &[]) };
        assert!(narrow.wants(Kind::SessionReady, Some(&main)));
        assert!(!narrow.wants(Kind::SessionReady, Some(&other)));
        assert!(!narrow.wants(Kind::EndpointDisabled, None));
    }

    #[test]
    fn what_is_stored_reads_as_it_was() {
        let stored = serde_json::to_string(&settings(Format::Classic, &["qr"])).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&stored).unwrap(), settings(Format::Classic, &["qr"]));
        let least: Settings = serde_json::from_str(r#"{"url":"https://example.com"}"#).unwrap();
        assert_eq!(least, Settings::of("https://example.com", Format::Standard));
    }
}
