//! What happened, said once. Webhooks, streams and the dashboard only read events.
//!
//! An event is written in the transaction of its cause. It has a position in its tenant's log and, if it
//! is of a session, a number within that; both grow without gaps, so a reader that has seen one has seen
//! all before it.
//!
//! What an event says is a struct, one for each shape of data, and `openapi.json` describes it. A stored event stays
//! the JSON that it was written as: whoever reads the log reads what older versions of these structs said, too.
//!
//! | file | what |
//! |---|---|
//! | `session`, `message`, `media`, `group`, `job`, `people`, `endpoint` | the data, by family |
//! | `details` | what a message says beside its text |
//! | `described` | events in `openapi.json`, with the feature `schema` |

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::clock::At;
use crate::id::{EventId, SessionId};

#[cfg(feature = "schema")]
pub mod described;
mod details;
mod endpoint;
mod group;
mod job;
mod media;
mod message;
mod people;
mod session;

pub use details::{CardShown, LinkPreviewShown, MessageDetails, PlaceShown, PollShown, QuotedShown};
pub use endpoint::{EndpointEvent, LastAttempt};
pub use group::{GroupChange, GroupEvent, GroupPerson};
pub use job::JobEvent;
pub use media::{MediaEvent, MediaShown};
pub use message::{ChangeEvent, MessageError, MessageEvent, ReceivedEvent};
pub use people::{CallEvent, OptOutEvent, PresenceEvent, TypingEvent};
pub use session::SessionEvent;

/// The version of every payload below; a change that could break a reader raises it.
pub const VERSION: i64 = 1;

/// How long events are kept where a tenant says nothing else.
pub const KEPT_DAYS: i64 = 30;
/// The least and the most that a tenant may say: a delivery is tried for up to four days, and needs its
/// event.
pub const KEPT_DAYS_RANGE: std::ops::RangeInclusive<i64> = 7..=400;

macro_rules! kinds {
    ($($name:ident($data:ident) = $text:literal,)*) => {
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

            /// What the shape of its data is called.
            #[cfg(feature = "schema")]
            fn shape(self) -> std::borrow::Cow<'static, str> {
                match self {
                    $(Self::$name => <$data as utoipa::ToSchema>::name(),)*
                }
            }
        }
    };
}
kinds! {
    SessionInitializing(SessionEvent) = "session.initializing",
    SessionQrReady(SessionEvent) = "session.qr_ready",
    SessionAuthenticated(SessionEvent) = "session.authenticated",
    SessionReady(SessionEvent) = "session.ready",
    SessionDisconnected(SessionEvent) = "session.disconnected",
    SessionPasskeyRequired(SessionEvent) = "session.passkey_required",
    MessageReceived(ReceivedEvent) = "message.received",
    MessageSent(MessageEvent) = "message.sent",
    MessageDelivered(MessageEvent) = "message.delivered",
    MessageRead(MessageEvent) = "message.read",
    MessagePlayed(MessageEvent) = "message.played",
    MessageFailed(MessageEvent) = "message.failed",
    MessageReaction(ChangeEvent) = "message.reaction",
    MessageEdited(ChangeEvent) = "message.edited",
    MessageDeleted(ChangeEvent) = "message.deleted",
    MessageVote(ChangeEvent) = "message.vote",
    MediaStored(MediaEvent) = "media.stored",
    MediaFailed(MediaEvent) = "media.failed",
    GroupJoined(GroupEvent) = "group.joined",
    GroupLeft(GroupEvent) = "group.left",
    GroupUpdated(GroupEvent) = "group.updated",
    GroupParticipants(GroupEvent) = "group.participants",
    JobStarted(JobEvent) = "job.started",
    JobPaused(JobEvent) = "job.paused",
    JobResumed(JobEvent) = "job.resumed",
    JobCancelled(JobEvent) = "job.cancelled",
    JobCompleted(JobEvent) = "job.completed",
    JobFailed(JobEvent) = "job.failed",
    PresenceUpdated(PresenceEvent) = "presence.updated",
    ChatTyping(TypingEvent) = "chat.typing",
    CallReceived(CallEvent) = "call.received",
    OptOutAdded(OptOutEvent) = "optout.added",
    OptOutRemoved(OptOutEvent) = "optout.removed",
    EndpointFailing(EndpointEvent) = "endpoint.failing",
    EndpointRecovered(EndpointEvent) = "endpoint.recovered",
    EndpointDisabled(EndpointEvent) = "endpoint.disabled",
    EndpointEnabled(EndpointEvent) = "endpoint.enabled",
    EndpointExhausted(EndpointEvent) = "endpoint.exhausted",
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = EventEnvelope))]
pub struct Event {
    /// Stable: the same in every attempt, replay and stream. By it you know what you have
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "evt_01jdg3…"))]
    pub id: EventId,
    #[serde(rename = "type")]
    pub kind: String,
    /// Of the shape of `data`; 1. New fields may come without a new version
    pub version: i64,
    /// In the log of this tenant and mode: one more with each event, without gaps
    pub position: i64,
    /// Absent for what is of no session
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub session_id: Option<SessionId>,
    /// Within the session: one more with each of its events, without gaps
    #[serde(rename = "sequence", skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    #[serde(serialize_with = "iso")]
    #[cfg_attr(feature = "schema", schema(value_type = String, example = "2026-03-08T10:30:00.000Z"))]
    pub occurred_at: At,
    // As it was stored.
    #[cfg_attr(feature = "schema", schema(value_type = Object))]
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
