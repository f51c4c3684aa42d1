//! A customer account: its limits, and where its day begins.

use serde::Serialize;

use crate::clock::At;
use crate::id::TenantId;

/// One customer account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    #[serde(rename = "tenantId")]
    pub id: TenantId,
    pub name: String,
    /// IANA name, such as `America/Sao_Paulo`. Daily limits count this zone's days.
    pub time_zone: String,
    /// Messages that may be sent per local day and mode; `None` is no limit.
    pub daily_limit: Option<i64>,
    /// Sessions that may exist per mode; `None` is no limit.
    pub session_limit: Option<i64>,
    pub created_at: At,
}

/// Why a tenant's settings were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    #[error("{0} is not a time zone; use an IANA name such as America/Sao_Paulo")]
    UnknownTimeZone(String),
    #[error("a tenant's name must be 1 to 100 characters")]
    BadName,
    #[error("a limit must be 0 or more")]
    NegativeLimit,
}

/// The tenant's calendar day at `now`, as `2026-03-08`.
///
/// Days are the zone's own: 23 or 25 hours long when clocks change. An unknown zone counts in UTC,
/// so that a time-zone database that lost a name never stops a tenant from sending.
pub fn local_day(now: At, time_zone: &str) -> String {
    let stamp = jiff::Timestamp::from_millisecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let zone = jiff::tz::TimeZone::get(time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    stamp.to_zoned(zone).date().to_string()
}

/// When the tenant's day of `now` is over.
pub fn day_ends(now: At, time_zone: &str) -> At {
    let zone = jiff::tz::TimeZone::get(time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    crate::pacing::next_midnight(now, &zone)
}

/// Is this an IANA time zone we can count days in?
///
/// # Errors
/// [`TenantError::UnknownTimeZone`] with the name.
pub fn check_time_zone(name: &str) -> Result<(), TenantError> {
    jiff::tz::TimeZone::get(name).map(|_| ()).map_err(|_| TenantError::UnknownTimeZone(name.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_the_tenants_midnight() {
        // 2026-03-08 02:59:59 UTC is still the 7th in São Paulo (UTC-3).
        let late = At(1_772_938_799_000);
        assert_eq!(local_day(late, "America/Sao_Paulo"), "2026-03-07");
        assert_eq!(local_day(late.plus_ms(1_000), "America/Sao_Paulo"), "2026-03-08");
        assert_eq!(local_day(late, "UTC"), "2026-03-08");
    }

    #[test]
    fn a_day_in_which_clocks_change_is_one_day() {
        // New York, 2026-03-08: 23 hours long.
        let start = At(1_772_946_000_000);
        let hours: Vec<_> =
            (0..25).map(|h| local_day(start.plus_ms(h * 3_600_000), "America/New_York")).collect();
        assert_eq!(hours.iter().filter(|d| *d == "2026-03-08").count(), 23);
    }
}
