//! What happened, said once. Webhooks, streams and the dashboard only read events.
//!
//! An event is written in the transaction of its cause and numbered within its session, so a reader
//! sees a session's events in order and without gaps.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::At;
use crate::id::EventId;

/// The version of every payload below; a change that could break a reader raises it.
pub const VERSION: i64 = 1;

/// One vocabulary for webhooks, streams and the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    #[serde(rename = "session.initializing")]
    SessionInitializing,
    #[serde(rename = "session.qr_ready")]
    SessionQrReady,
    #[serde(rename = "session.authenticated")]
    SessionAuthenticated,
    #[serde(rename = "session.ready")]
    SessionReady,
    #[serde(rename = "session.disconnected")]
    SessionDisconnected,
    #[serde(rename = "session.passkey_required")]
    SessionPasskeyRequired,
    #[serde(rename = "message.received")]
    MessageReceived,
    #[serde(rename = "message.sent")]
    MessageSent,
    #[serde(rename = "message.delivered")]
    MessageDelivered,
    #[serde(rename = "message.read")]
    MessageRead,
    #[serde(rename = "message.played")]
    MessagePlayed,
    #[serde(rename = "message.failed")]
    MessageFailed,
    #[serde(rename = "job.started")]
    JobStarted,
    #[serde(rename = "job.paused")]
    JobPaused,
    #[serde(rename = "job.resumed")]
    JobResumed,
    #[serde(rename = "job.cancelled")]
    JobCancelled,
    #[serde(rename = "job.completed")]
    JobCompleted,
    #[serde(rename = "job.failed")]
    JobFailed,
    #[serde(rename = "optout.added")]
    OptOutAdded,
    #[serde(rename = "optout.removed")]
    OptOutRemoved,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionInitializing => "session.initializing",
            Self::SessionQrReady => "session.qr_ready",
            Self::SessionAuthenticated => "session.authenticated",
            Self::SessionReady => "session.ready",
            Self::SessionDisconnected => "session.disconnected",
            Self::SessionPasskeyRequired => "session.passkey_required",
            Self::MessageReceived => "message.received",
            Self::MessageSent => "message.sent",
            Self::MessageDelivered => "message.delivered",
            Self::MessageRead => "message.read",
            Self::MessagePlayed => "message.played",
            Self::MessageFailed => "message.failed",
            Self::JobStarted => "job.started",
            Self::JobPaused => "job.paused",
            Self::JobResumed => "job.resumed",
            Self::JobCancelled => "job.cancelled",
            Self::JobCompleted => "job.completed",
            Self::JobFailed => "job.failed",
            Self::OptOutAdded => "optout.added",
            Self::OptOutRemoved => "optout.removed",
        }
    }
}

/// An event about to be stored; the store numbers it.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub kind: Kind,
    pub occurred_at: At,
    /// Compact JSON. A QR is never part of it.
    pub data: Value,
}

/// A stored event.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    pub id: EventId,
    pub kind: String,
    pub seq: i64,
    pub occurred_at: At,
    pub data: Value,
}
