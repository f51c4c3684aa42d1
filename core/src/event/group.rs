//! What happens in groups.

use serde::Serialize;

/// `group.joined`, `group.left`: of the session's own number. `group.participants`: of others.
/// `group.updated`: one of subject, description and settings
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GroupEvent {
    #[cfg_attr(feature = "schema", schema(example = "120363041234567890@g.us"))]
    pub group_id: String,
    /// What it is called now, where known
    pub subject: Option<String>,
    /// Who did it, where WhatsApp says
    pub by: Option<GroupPerson>,
    /// Unix seconds, by WhatsApp
    pub timestamp: i64,
    /// With `joined`: `created`, `added` or `invite`; with `left`: `left`, `removed` or `ended`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// With `participants`: `add`, `remove`, `leave`, `promote` or `demote`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// With `participants`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<GroupPerson>>,
    /// With `updated`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<GroupChange>,
}

/// A person, by number and by WhatsApp's hidden id, where known
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GroupPerson {
    pub phone: Option<String>,
    pub lid: Option<String>,
}

/// What it is from here on; one of these
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GroupChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Null for one that was taken away
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    // Absent where something else changed, null where it was taken away.
    pub description: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announce: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral_seconds: Option<u32>,
}
