//! Messages: what arrived, what changed them, and how far ours came.

use serde::Serialize;

use super::{CardShown, LinkPreviewShown, MediaShown, PlaceShown, PollShown, QuotedShown};

/// `message.received`
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReceivedEvent {
    /// WhatsApp's
    pub message_id: String,
    /// Ours, of the message log
    pub key: String,
    /// The chat's JID
    pub chat: String,
    /// Who wrote it: `919876543210@s.whatsapp.net`, or another JID where the number is hidden
    pub from: String,
    /// Who wrote it, where the number is known
    pub phone: Option<String>,
    /// WhatsApp's hidden id of who wrote it, where known
    pub lid: Option<String>,
    /// The same person's for ever, whichever of the two is known
    #[cfg_attr(feature = "schema", schema(example = "con_01jdg3…"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    pub sender_name: Option<String>,
    pub r#type: String,
    /// Text, caption, question, or the name of a place or person
    pub body: String,
    pub is_group: bool,
    pub has_media: bool,
    /// Unix seconds, by WhatsApp
    pub timestamp: i64,
    /// A group's subject, where known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_name: Option<String>,
    /// What is known of its file; `media.stored` follows once it is fetched
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_once: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<PlaceShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Vec<CardShown>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<QuotedShown>,
    /// JIDs of people it mentions: by the number where it is known, by the LID otherwise. The text names them as its
    /// writer's app does: in groups mostly by `@` and the LID
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Vec<String>>,
    /// It mentions this number, by the number or by its LID
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentioned_me: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<bool>,
    /// How often it was forwarded before
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_times: Option<u32>,
    /// In a disappearing chat: seconds until it is gone
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u32>,
    /// It was longer than 65,536 characters, and its end is not here
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    /// Why nothing else of it is here: `not_storable`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<LinkPreviewShown>,
    /// What it said was erased on somebody's request, and only the fact is left
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased: Option<bool>,
}

/// `message.reaction`, `.edited`, `.deleted`, `.vote`: of a message in either direction
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChangeEvent {
    /// Of the change itself
    pub message_id: String,
    pub key: String,
    /// The message that was changed
    pub target_id: String,
    /// Did this number write it?
    pub target_from_me: bool,
    /// `out` where the change was made on this number's own phone
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'static str>,
    pub chat: String,
    pub from: String,
    pub phone: Option<String>,
    pub lid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    pub sender_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_name: Option<String>,
    pub r#type: String,
    /// The emoji, the new words, or the answers
    pub body: String,
    pub is_group: bool,
    pub has_media: bool,
    pub timestamp: i64,
    /// Of a reaction; empty where it was taken back
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// Of a vote: all that this person chooses now
    #[serde(skip_serializing_if = "Option::is_none")]
    pub votes: Option<Vec<String>>,
    /// Deleted by an admin of the group
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_admin: Option<bool>,
    /// `phone` where the change was made on this number's own phone
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<QuotedShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentioned_me: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    /// Why nothing else of it is here: `not_storable`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// What it said was erased on somebody's request, and only the fact is left
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased: Option<bool>,
}

/// `message.sent`, `.delivered`, `.read`, `.played`, `.failed`: of one that this session sent, from here or
/// from its phone. A status only advances, and may be skipped: what was delivered was sent
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessageEvent {
    pub message_id: String,
    pub key: String,
    /// `out`
    pub direction: &'static str,
    pub chat: String,
    /// Who brought it here: `api` or `phone`, the owner's own phone or another device of it
    pub origin: &'static str,
    /// The other party, where known
    pub phone: Option<String>,
    pub lid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    pub r#type: String,
    pub status: &'static str,
    /// With `message.sent` of one that was written on the phone, as are the rest of its fields, which are those of
    /// `message.received`. One that was sent from here does not repeat its text, which may be a code for one person's
    /// eyes; `GET /api/whatsapp/messages/{key}` has it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// This number's own JID
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    // Absent of one that was sent from here, null where the phone told no name.
    pub sender_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_group: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_media: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// Of an edit, a delete or a reaction: the message that it changes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_from_me: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_once: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<PlaceShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Vec<CardShown>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<QuotedShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_times: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    /// Why nothing else of it is here: `not_storable`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<LinkPreviewShown>,
    /// Of a bulk job's
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// With `message.failed`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<MessageError>,
    /// What it said was erased on somebody's request, and only the fact is left
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased: Option<bool>,
}

/// Why a message failed
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessageError {
    /// Stable
    pub code: Option<String>,
    pub message: Option<String>,
}
