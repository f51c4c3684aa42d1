//! A message of ours that moved, and the event that says so.

use crate::clock::At;
use crate::event::{EventData, MessageError, MessageEvent, NewEvent};
use crate::id::{MessageKey, SessionKey, TenantId};
use crate::key::Mode;
use crate::message::{Direction, Origin, Status};

/// What an event says of a message of ours that moved.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Moved {
    pub key: MessageKey,
    pub session_key: SessionKey,
    pub wa_id: String,
    pub chat: String,
    pub phone: Option<String>,
    pub lid: Option<String>,
    pub kind: String,
    pub status: Status,
    pub error_code: Option<String>,
    pub error: Option<String>,
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub counted_on: Option<String>,
    pub job_id: Option<String>,
    pub job_seq: Option<i64>,
    /// The message that it changes.
    pub target: Option<String>,
    pub origin: Origin,
}

impl Moved {
    /// Without the text: whoever sent it from here has it, and what is a secret between the two, such as a code
    /// to log in with, does not go on to every endpoint.
    pub(super) fn event(&self, occurred_at: At) -> (SessionKey, NewEvent) {
        let error = || MessageError { code: self.error_code.clone(), message: self.error.clone() };
        let told = MessageEvent {
            message_id: self.wa_id.clone(),
            key: self.key.to_string(),
            direction: Direction::Out.as_str(),
            origin: self.origin.as_str(),
            chat: self.chat.clone(),
            phone: self.phone.clone(),
            lid: self.lid.clone(),
            r#type: self.kind.clone(),
            status: self.status.as_str(),
            job_id: self.job_id.clone(),
            target_id: self.target.clone(),
            error: (self.status == Status::Failed).then(error),
            ..MessageEvent::default()
        };
        let data = match self.status {
            Status::Failed => EventData::MessageFailed(told),
            Status::Delivered => EventData::MessageDelivered(told),
            Status::Read => EventData::MessageRead(told),
            Status::Played => EventData::MessagePlayed(told),
            Status::Sent | Status::Sending | Status::Received => EventData::MessageSent(told),
        };
        (self.session_key.clone(), NewEvent::new(occurred_at, data))
    }
}
