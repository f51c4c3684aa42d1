//! What happened, said once. Webhooks, streams and the dashboard only read events.
//!
//! An event is written in the transaction of its cause. It has a position in its tenant's log and, if it
//! is of a session, a number within that; both grow without gaps, so a reader that has seen one has seen
//! all before it.
//!
//! What an event says is a struct, one for each shape of data: the ledger fills and reads its fields, the log keeps it
//! as JSON, and `openapi.json` describes it. A stored event stays the JSON that it was written as: whoever reads the
//! log reads what older versions of these structs said, too.
//!
//! | file | what |
//! |---|---|
//! | `session`, `message`, `media`, `group`, `job`, `people`, `endpoint` | the data, by family |
//! | `details` | what a message says beside its text |
//! | `format` | an event in the words of an endpoint's format |
//! | `described` | events in `openapi.json`, with the feature `schema` |

use serde::Serialize;
use serde_json::value::RawValue;

use crate::clock::At;
use crate::id::{EventId, SessionId};

#[cfg(feature = "schema")]
pub mod described;
mod details;
mod endpoint;
pub mod format;
mod group;
mod job;
mod media;
mod message;
mod people;
mod session;
#[cfg(test)]
mod tests;

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

        /// What an event says. Its type and the shape of its data are one choice.
        #[derive(Debug, Clone, Serialize)]
        #[serde(untagged)]
        pub enum EventData {
            $($name($data),)*
        }

        impl EventData {
            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$name(_) => Kind::$name,)*
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
}

impl EventData {
    /// The person it is about, where it is about one.
    pub(crate) fn person_mut(&mut self) -> Option<EventPerson<'_>> {
        let (phone, lid, contact_id) = match self {
            Self::MessageReceived(it) => (it.phone.as_deref(), it.lid.as_deref(), &mut it.contact_id),
            Self::MessageSent(it)
            | Self::MessageDelivered(it)
            | Self::MessageRead(it)
            | Self::MessagePlayed(it)
            | Self::MessageFailed(it) => (it.phone.as_deref(), it.lid.as_deref(), &mut it.contact_id),
            Self::MessageReaction(it)
            | Self::MessageEdited(it)
            | Self::MessageDeleted(it)
            | Self::MessageVote(it) => (it.phone.as_deref(), it.lid.as_deref(), &mut it.contact_id),
            Self::OptOutAdded(it) | Self::OptOutRemoved(it) => {
                (Some(it.phone.as_str()), it.lid.as_deref(), &mut it.contact_id)
            }
            Self::PresenceUpdated(it) => (it.phone.as_deref(), it.lid.as_deref(), &mut it.contact_id),
            Self::ChatTyping(it) => (it.phone.as_deref(), it.lid.as_deref(), &mut it.contact_id),
            Self::CallReceived(it) => (it.phone.as_deref(), it.lid.as_deref(), &mut it.contact_id),
            _ => return None,
        };
        Some(EventPerson { phone, lid, contact_id })
    }

    /// What it tells of a group, where it is about one.
    pub(crate) fn group_mut(&mut self) -> Option<&mut GroupEvent> {
        match self {
            Self::GroupJoined(it)
            | Self::GroupLeft(it)
            | Self::GroupUpdated(it)
            | Self::GroupParticipants(it) => Some(it),
            _ => None,
        }
    }

    /// What it tells of an endpoint, where it is about one.
    pub(crate) fn endpoint(&self) -> Option<&EndpointEvent> {
        match self {
            Self::EndpointFailing(it)
            | Self::EndpointRecovered(it)
            | Self::EndpointDisabled(it)
            | Self::EndpointEnabled(it)
            | Self::EndpointExhausted(it) => Some(it),
            _ => None,
        }
    }
}

/// Whom an event is about: by both names, and as the contact that the ledger finds by them.
pub(crate) struct EventPerson<'a> {
    pub phone: Option<&'a str>,
    pub lid: Option<&'a str>,
    pub contact_id: &'a mut Option<String>,
}

/// An event about to be stored; the store numbers it.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub occurred_at: At,
    /// A QR is never part of it.
    pub data: Box<EventData>,
}

impl NewEvent {
    pub fn new(occurred_at: At, data: EventData) -> Self {
        Self { occurred_at, data: Box::new(data) }
    }

    pub fn kind(&self) -> Kind {
        self.data.kind()
    }

    /// Its data as the log keeps it: compact JSON, the fields in the order of their names, as in every event since the
    /// first.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_value(&self.data)?.to_string())
    }
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
