//! One message as a caller sees it.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use wapid_core::clock::At;
use wapid_core::event::MessageDetails;
use wapid_core::id::{MessageKey, SessionId};
use wapid_core::message::{Direction, Origin};
use wapid_core::store::messages::MessageRow;

use crate::api::answers::Rows;
use crate::api::error::ApiError;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Logged {
    session_id: String,
    /// The other party's digits for an outgoing message, a group's JID, or the session's own number
    to: String,
    /// Text or caption
    message: String,
    status: StatusWord,
    #[serde(rename = "type")]
    kind: String,
    created_at: String,
    message_id: String,
    /// Our own id: `key` of its events, and what the log is read on by
    #[schema(example = "msg_01kk6n3dq0e1m4x9w2v7c8z5rb")]
    key: String,
    #[schema(value_type = String, example = "out")]
    direction: Direction,
    /// Who brought it here: `api`, `phone` (its owner, elsewhere) or `contact`
    #[schema(value_type = String, example = "api")]
    origin: Origin,
    /// Who wrote it: digits, or a JID where the number is hidden
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The other party's number, where known
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// WhatsApp's hidden id of the other party, where known
    #[serde(skip_serializing_if = "Option::is_none")]
    lid: Option<String>,
    /// The chat's JID
    chat: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<String>,
    /// Of a voice note or a video
    #[serde(skip_serializing_if = "Option::is_none")]
    played_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_at: Option<String>,
    /// The bulk job that it was sent for
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    /// When what it said was erased; nothing but the fact is left
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    /// A group's subject when the message came
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<String>,
    /// Of one that was edited: its first text
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<String>,
    /// When it was taken back for everyone
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
    /// By its type: `mediaId`, `viewOnce`, `poll`, `location`, `contacts`, `emoji`, `votes`; and `quoted`,
    /// `mentions`, `forwarded`, `expiresIn`, `linkPreview`, `targetId`
    #[serde(flatten)]
    #[schema(value_type = MessageDetails)]
    more: Map<String, Value>,
}

type StatusWord = &'static str;

/// Why it was not sent
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// For programs; stable
    code: String,
    /// In plain words
    message: String,
    /// WhatsApp's own code, where it refused the message
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 463)]
    whatsapp_code: Option<i64>,
}

/// Messages of one answer, as far as it may go.
pub struct LoggedRows {
    pub messages: Rows,
    /// The last of them, where the next did not fit.
    pub stopped_at: Option<MessageKey>,
}

impl LoggedRows {
    /// # Errors
    /// When one of them cannot be written.
    pub fn of(
        rows: Vec<MessageRow>,
        own_number: impl Fn(&SessionId) -> Option<String> + Copy,
    ) -> Result<Self, ApiError> {
        let mut it = Self { messages: Rows::default(), stopped_at: None };
        let mut last = None;
        for row in rows {
            let key = row.key.clone();
            if !it.messages.add(&Logged::of(row, own_number))? {
                it.stopped_at = last;
                break;
            }
            last = Some(key);
        }
        Ok(it)
    }
}

impl Logged {
    pub const COLUMNS: [&str; 30] = [
        "createdAt",
        "direction",
        "status",
        "type",
        "sessionId",
        "from",
        "to",
        "senderName",
        "message",
        "phone",
        "lid",
        "chat",
        "messageId",
        "key",
        "origin",
        "sentAt",
        "deliveredAt",
        "readAt",
        "playedAt",
        "failedAt",
        "code",
        "whatsappCode",
        "error",
        "jobId",
        "erasedAt",
        "chatName",
        "mediaId",
        "editedAt",
        "original",
        "deletedAt",
    ];

    /// One for each column.
    pub fn cells(&self) -> [String; 30] {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let error = self.error.as_ref();
        [
            self.created_at.clone(),
            self.direction.as_str().to_owned(),
            self.status.to_owned(),
            self.kind.clone(),
            self.session_id.clone(),
            text(&self.from),
            self.to.clone(),
            text(&self.sender_name),
            self.message.clone(),
            text(&self.phone),
            text(&self.lid),
            self.chat.clone(),
            self.message_id.clone(),
            self.key.clone(),
            self.origin.as_str().to_owned(),
            text(&self.sent_at),
            text(&self.delivered_at),
            text(&self.read_at),
            text(&self.played_at),
            text(&self.failed_at),
            error.map(|error| error.code.clone()).unwrap_or_default(),
            error.and_then(|error| error.whatsapp_code).map(|code| code.to_string()).unwrap_or_default(),
            error.map(|error| error.message.clone()).unwrap_or_default(),
            text(&self.job_id),
            text(&self.erased_at),
            text(&self.chat_name),
            self.more.get("mediaId").and_then(Value::as_str).unwrap_or_default().to_owned(),
            text(&self.edited_at),
            text(&self.original),
            text(&self.deleted_at),
        ]
    }

    /// `own_number` tells the number that a session is linked to.
    pub fn of(row: MessageRow, own_number: impl Fn(&SessionId) -> Option<String>) -> Self {
        // What does not read is left out of a list rather than the list with it.
        let said = row.said().ok().flatten();
        let more = said.map(|content| MessageDetails::of(&content).into_fields()).unwrap_or_default();
        let is_group = row.chat.ends_with("@g.us");
        let mine = own_number(&row.session_id);
        let other = || row.phone.clone().unwrap_or_else(|| row.chat.clone());
        let (from, to) = match row.direction {
            Direction::Out => (mine, if is_group { row.chat.clone() } else { other() }),
            Direction::In => {
                let writer = row.phone.clone().unwrap_or_else(|| row.sender.clone());
                (Some(writer), if is_group { row.chat.clone() } else { mine.unwrap_or_default() })
            }
        };
        Self {
            session_id: row.session_id.0,
            to,
            message: row.body,
            status: row.status.as_str(),
            kind: row.kind,
            created_at: row.created_at.iso(),
            message_id: row.wa_id,
            key: row.key.0,
            direction: row.direction,
            origin: row.origin,
            from,
            phone: row.phone,
            lid: row.lid,
            chat: row.chat,
            sender_name: row.sender_name,
            sent_at: row.sent_at.map(At::iso),
            delivered_at: row.delivered_at.map(At::iso),
            read_at: row.read_at.map(At::iso),
            played_at: row.played_at.map(At::iso),
            failed_at: row.failed_at.map(At::iso),
            job_id: row.job_id.map(|job| job.to_string()),
            erased_at: row.erased_at.map(At::iso),
            error: row.error_code.map(|code| Failure {
                code,
                message: row.error.unwrap_or_default(),
                whatsapp_code: row.refusal,
            }),
            chat_name: row.chat_name,
            edited_at: row.edited_at.map(At::iso),
            original: row.original,
            deleted_at: row.deleted_at.map(At::iso),
            more,
        }
    }
}
