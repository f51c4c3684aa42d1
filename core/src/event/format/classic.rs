//! Seed 001's fields, in its order.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::Addressed;
use crate::event::{Event, Kind};
use crate::id::{SessionId, TenantId};
use crate::signature::{Payload, PayloadError};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Classic<'a> {
    tenant_id: &'a TenantId,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a SessionId>,
    timestamp: i64,
    data: &'a RawValue,
}

/// Of a message.
#[derive(Serialize)]
struct Message<'a> {
    id: &'a Value,
    from: Value,
    body: Value,
    r#type: Value,
    #[serde(rename = "isGroup")]
    is_group: Value,
    #[serde(rename = "hasMedia")]
    has_media: Value,
    #[serde(flatten)]
    rest: &'a Map<String, Value>,
}

pub(super) fn payload(Addressed { tenant, word, event, .. }: Addressed<'_>) -> Result<Payload, PayloadError> {
    Payload::of(&Classic {
        tenant_id: tenant,
        event: word,
        session_id: event.session_id.as_ref(),
        timestamp: event.occurred_at.0,
        data: &data(event)?,
    })
}

/// Seed 001 says `id` and `from` of a message where we say `messageId`; a program of the seed finds its
/// own, and ours beside them. A message that the owner wrote on the phone reads as one that arrived.
fn data(event: &Event) -> Result<Box<RawValue>, serde_json::Error> {
    let kind = Kind::parse(&event.kind);
    if !matches!(kind, Some(Kind::MessageReceived | Kind::MessageSent)) {
        return Ok(event.data.clone());
    }
    let Value::Object(mut rest) = serde_json::from_str(event.data.get())? else {
        return Ok(event.data.clone());
    };
    // What was sent from here is told without its text.
    let Some(body) = rest.remove("body") else { return Ok(event.data.clone()) };
    rest.remove("id");
    let mut take = |field| rest.remove(field).unwrap_or_default();
    let (from, r#type) = (take("from"), take("type"));
    let (is_group, has_media) = (take("isGroup"), take("hasMedia"));
    let id = rest.get("messageId").unwrap_or(&Value::Null);
    to_raw_value(&Message { id, from, body, r#type, is_group, has_media, rest: &rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::At;
    use crate::event::VERSION;
    use crate::id::EventId;
    use crate::key::Mode;

    fn written(kind: Kind, data: &str) -> String {
        let event = Event {
            id: EventId("evt_a".into()),
            kind: kind.as_str().into(),
            version: VERSION,
            position: 1,
            session_id: None,
            seq: None,
            occurred_at: At(7_000),
            data: RawValue::from_string(data.into()).expect("JSON"),
        };
        let tenant = TenantId("ten_a".into());
        let addressed = Addressed { tenant: &tenant, mode: Mode::Test, word: "message", event: &event };
        payload(addressed).expect("a payload").as_str().to_owned()
    }

    #[test]
    fn a_message_begins_with_the_seeds_fields_and_keeps_ours() {
        let data = r#"{"body":"hi","from":"1@lid","hasMedia":false,"isGroup":true,"messageId":"A","type":"text","what a later version says":1}"#;
        let seeds = r#"{"id":"A","from":"1@lid","body":"hi","type":"text","isGroup":true,"hasMedia":false,"messageId":"A","what a later version says":1}"#;
        let head = r#"{"tenantId":"ten_a","event":"message","timestamp":7000,"data":"#;
        assert_eq!(written(Kind::MessageReceived, data), format!("{head}{seeds}}}"));
        assert_eq!(written(Kind::MessageDelivered, data), format!("{head}{data}}}"));
        // Sent from here: there is no text to show.
        assert_eq!(
            written(Kind::MessageSent, r#"{"messageId":"A"}"#),
            format!(r#"{head}{{"messageId":"A"}}}}"#)
        );
    }
}
