//! Where a bulk job stands.

use serde::Serialize;

/// `job.*`: where a bulk job stands now
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct JobEvent {
    pub job_id: String,
    pub session_id: String,
    pub state: &'static str,
    pub total: i64,
    pub succeeded: i64,
    pub failed: i64,
    pub skipped: i64,
    pub processed: i64,
    /// With `job.failed`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// With `job.resumed` by `retry-failed`: how many are tried again
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried: Option<i64>,
}
