//! How the endpoints of a tenant do.

use serde::Serialize;

/// `endpoint.*`: of another endpoint than the one that is told. `failing`: it failed ten times in a row and
/// gets one try at a time; `recovered`; `disabled` with a reason; `enabled`; `exhausted`: an event was given up
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EndpointEvent {
    pub endpoint_id: String,
    /// With `disabled`: `owner`, `gone` or `failing`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// With `exhausted`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<LastAttempt>,
}

/// What came of the last try
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LastAttempt {
    pub status: Option<i64>,
    pub error: Option<&'static str>,
}
