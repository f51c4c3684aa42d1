//! What a phone shows, as its owner sees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ticks::Tick;

/// A phone's messages, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inbox {
    pub messages: Vec<InboxMessage>,
    /// Copies that arrived and were not shown again.
    pub redelivered: u64,
}

/// One message on the screen. Reactions, votes, edits and deletions are not messages of their own:
/// they show on the message that they are about.
#[expect(clippy::struct_excessive_bools, reason = "each is a mark that a message bears or does not")]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxMessage {
    pub id: String,
    /// The address of the chat it is in.
    #[serde(default)]
    pub chat: String,
    /// The phone number of the sender.
    pub from: String,
    pub to: String,
    /// Whether this account sent it, from the phone itself or from a linked device.
    pub from_me: bool,
    #[serde(rename = "type")]
    pub kind: String,
    /// The text, the caption of a medium, the question of a poll, the name of a place or a contact.
    pub message: String,
    /// Of the bytes that the phone downloaded, checked and decrypted. `None` without a medium, and
    /// when it could not be had.
    pub media_sha256: Option<String>,
    /// Seconds since 1970.
    pub timestamp: u64,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Of the medium, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// How long it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_voice: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub view_once: bool,
    /// Loudness over time, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waveform: Option<Vec<u8>>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<ContactCard>,

    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// How many options one person may choose; 0 is any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selectable_count: Option<u32>,
    /// Who chose an option, by phone number. Each person's last vote counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub votes: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_message_id: Option<String>,
    /// Where the quoted message is, when it is not in this chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_chat: Option<String>,
    /// Does the quote show a small picture that is a JPEG?
    #[serde(default, skip_serializing_if = "is_false")]
    pub quoted_has_thumbnail: bool,
    /// Phone numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub forwarded: bool,
    /// After how many seconds the message disappears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<u32>,
    /// The page below a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<InboxPreview>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub edited: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// Of a message that this phone sent: how far it is with each reader, by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub receipts: BTreeMap<String, Tick>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    pub from: String,
    pub emoji: String,
}

/// A page that a text leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPreview {
    /// As it stands in the text.
    pub url: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The same as a phone shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxPreview {
    #[serde(flatten)]
    pub page: LinkPreview,
    /// Is there a small picture that is a JPEG?
    pub has_thumbnail: bool,
}

/// A person as somebody passes them on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactCard {
    pub name: String,
    pub phone: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
