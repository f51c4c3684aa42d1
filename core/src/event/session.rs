//! Where a session stands.

use serde::Serialize;

/// `session.*`: where a session stands now
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionEvent {
    pub session_id: String,
    pub status: &'static str,
    /// Why, as in the session's status
    pub reason: Option<&'static str>,
    /// The linked number, where known
    pub phone_number: Option<String>,
    /// With the reason `other_number`: the number that the session belongs to
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_phone_number: Option<String>,
    /// With the reason `removed`: WhatsApp was told. When false, remove the device on the phone
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged_out: Option<bool>,
    /// Unix milliseconds
    pub since: i64,
}
