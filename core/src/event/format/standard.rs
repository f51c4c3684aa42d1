//! The event as it is in the log, with whose it is.

use serde::Serialize;
use serde_json::value::RawValue;

use super::Addressed;
use crate::id::{SessionId, TenantId};
use crate::key::Mode;
use crate::signature::{Payload, PayloadError};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Standard<'a> {
    id: &'a str,
    r#type: &'a str,
    version: i64,
    tenant_id: &'a TenantId,
    mode: Mode,
    position: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    occurred_at: String,
    data: &'a RawValue,
}

pub(super) fn payload(
    Addressed { tenant, mode, word, event }: Addressed<'_>,
) -> Result<Payload, PayloadError> {
    Payload::of(&Standard {
        id: event.id.as_str(),
        r#type: word,
        version: event.version,
        tenant_id: tenant,
        mode,
        position: event.position,
        session_id: event.session_id.as_ref(),
        sequence: event.seq,
        occurred_at: event.occurred_at.iso(),
        data: &event.data,
    })
}
