//! What people do beside their messages.

use serde::Serialize;

use super::EventData;
use crate::opt_out::Wish;

/// `optout.added`, `optout.removed`
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OptOutEvent {
    pub phone: String,
    pub lid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// `api`, or `message` for somebody who said so
    pub source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
}

impl OptOutEvent {
    /// What a wish that changed the list is told as.
    pub(crate) fn after(self, wish: Wish) -> EventData {
        match wish {
            Wish::Stop => EventData::OptOutAdded(self),
            Wish::Start => EventData::OptOutRemoved(self),
        }
    }
}

/// `presence.updated`: somebody whom a session follows came or went. Changes of the same instant may come in either
/// order. Only with `presenceEvents` in the settings
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PresenceEvent {
    pub phone: Option<String>,
    pub lid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// `available` or `unavailable`
    pub state: &'static str,
    /// Of somebody who went, and shows it
    pub last_seen: Option<String>,
}

/// `chat.typing`: somebody types, records or stopped; who says nothing more for 25 seconds has stopped too, without
/// an event. Changes of the same instant may come in either order. Only with `presenceEvents` in the settings
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TypingEvent {
    /// The chat's id
    pub chat: String,
    pub phone: Option<String>,
    pub lid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// `composing`, `recording` or `paused`
    pub state: &'static str,
    pub is_group: bool,
}

/// `call.received`: somebody rings, and the phone with it; nobody can answer here
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CallEvent {
    pub call_id: String,
    /// The caller's JID
    pub from: String,
    pub phone: Option<String>,
    pub lid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    pub is_video: bool,
    pub is_group: bool,
    /// The group's JID
    pub group: Option<String>,
    /// It rang while the session was away
    pub missed: bool,
    /// Unix seconds, by WhatsApp
    pub timestamp: i64,
}
