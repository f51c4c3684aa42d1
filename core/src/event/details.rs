//! What events and the log show of a message beside its text. A poll's secret is never part of it.

use serde::Serialize;

/// What a message of the log says beside its text, by its type
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MessageDetails {
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
    /// Of a reaction; empty where it was taken back
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// Of a vote: all that this person chooses
    #[serde(skip_serializing_if = "Option::is_none")]
    pub votes: Option<Vec<String>>,
    /// Deleted by an admin of the group
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_admin: Option<bool>,
    /// Of a reaction, a vote, an edit or a delete: the message that it changes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_from_me: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<QuotedShown>,
    /// JIDs of people it mentions
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
}

/// A poll's answers
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PollShown {
    pub options: Vec<String>,
    /// How many one may choose; 0 is any number
    pub selectable_count: u32,
}

/// A place
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PlaceShown {
    pub latitude: f64,
    pub longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// It moves while it is shared; this is where it began
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<bool>,
}

/// A contact card
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CardShown {
    pub name: String,
    pub phones: Vec<String>,
    pub vcard: String,
}

/// The message that one answers
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct QuotedShown {
    pub message_id: String,
    pub from: Option<String>,
    pub r#type: String,
    pub body: String,
    /// The chat it is in, where that is another one: a group that is answered in private, or `status@broadcast`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// It is a status of this number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_status: Option<bool>,
}

/// The page below a text, as its writer's app read it
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LinkPreviewShown {
    /// As it stands in the text
    #[cfg_attr(feature = "schema", schema(example = "https://example.com/shop"))]
    pub url: String,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
