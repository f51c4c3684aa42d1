//! What happened, said once. Webhooks, streams and the dashboard only read events.
//!
//! An event is written in the transaction of its cause. It has a position in its tenant's log and, if it
//! is of a session, a number within that; both grow without gaps, so a reader that has seen one has seen
//! all before it.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::clock::At;
use crate::id::{EventId, SessionId};

/// The version of every payload below; a change that could break a reader raises it.
pub const VERSION: i64 = 1;

/// How long events are kept where a tenant says nothing else.
pub const KEPT_DAYS: i64 = 30;
/// The least and the most that a tenant may say: a delivery is tried for up to four days, and needs its
/// event.
pub const KEPT_DAYS_RANGE: std::ops::RangeInclusive<i64> = 7..=400;

macro_rules! kinds {
    ($($name:ident = $text:literal,)*) => {
        /// One vocabulary for webhooks, streams and the dashboard.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($name,)*
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}
kinds! {
    SessionInitializing = "session.initializing",
    SessionQrReady = "session.qr_ready",
    SessionAuthenticated = "session.authenticated",
    SessionReady = "session.ready",
    SessionDisconnected = "session.disconnected",
    SessionPasskeyRequired = "session.passkey_required",
    MessageReceived = "message.received",
    MessageSent = "message.sent",
    MessageDelivered = "message.delivered",
    MessageRead = "message.read",
    MessagePlayed = "message.played",
    MessageFailed = "message.failed",
    MessageReaction = "message.reaction",
    MessageEdited = "message.edited",
    MessageDeleted = "message.deleted",
    MessageVote = "message.vote",
    MediaStored = "media.stored",
    MediaFailed = "media.failed",
    GroupJoined = "group.joined",
    GroupLeft = "group.left",
    GroupUpdated = "group.updated",
    GroupParticipants = "group.participants",
    JobStarted = "job.started",
    JobPaused = "job.paused",
    JobResumed = "job.resumed",
    JobCancelled = "job.cancelled",
    JobCompleted = "job.completed",
    JobFailed = "job.failed",
    PresenceUpdated = "presence.updated",
    ChatTyping = "chat.typing",
    CallReceived = "call.received",
    OptOutAdded = "optout.added",
    OptOutRemoved = "optout.removed",
    EndpointFailing = "endpoint.failing",
    EndpointRecovered = "endpoint.recovered",
    EndpointDisabled = "endpoint.disabled",
    EndpointEnabled = "endpoint.enabled",
    EndpointExhausted = "endpoint.exhausted",
}

impl Kind {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }

    /// Is it about one person, whom its data names?
    pub(crate) fn is_about_person(self) -> bool {
        ["message.", "optout.", "presence.", "chat.", "call."]
            .iter()
            .any(|family| self.as_str().starts_with(family))
    }
}

/// An event about to be stored; the store numbers it.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub kind: Kind,
    pub occurred_at: At,
    /// Compact JSON, an object. A QR is never part of it.
    pub data: Value,
}

/// A stored event. What readers see of it, in this order of fields.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    pub id: EventId,
    #[serde(rename = "type")]
    pub kind: String,
    pub version: i64,
    /// In the tenant's log of that mode.
    pub position: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Within the session.
    #[serde(rename = "sequence", skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// ISO 8601 in UTC.
    #[serde(serialize_with = "iso")]
    pub occurred_at: At,
    /// As it was stored.
    pub data: Box<RawValue>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde says how it is called")]
fn iso<S: serde::Serializer>(at: &At, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.iso())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_word() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(Kind::parse("message"), None);
    }
}
