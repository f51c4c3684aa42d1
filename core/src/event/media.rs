//! Files that come with messages.

use serde::Serialize;

/// `media.stored`, `media.failed`: what became of the file of a message that arrived
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MediaEvent {
    pub media_id: String,
    pub message_id: String,
    pub chat: String,
    pub r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    pub size: Option<i64>,
    /// In hex
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// With `media.failed`: `gone`, `unreachable`, `broken`, `too_large`, `storage_full`, or `larger_than_said`: it is
    /// larger than its sender says and than what is fetched unasked, so it waits until its content is asked for
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What is known of a file before it is fetched
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MediaShown {
    pub id: String,
    pub mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<i64>,
}
