//! What WhatsApp says of an account's standing: two GraphQL answers in plain words.
//!
//! The answers are read leniently. Clients of others saw numbers both as numbers and as text, and
//! what does not read is not known rather than an error: nobody's sending depends on it.

use serde_json::Value;

/// An account's standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub timelock: Timelock,
    /// `None` where WhatsApp does not say, as for accounts that it does not cap.
    pub new_chats: Option<NewChats>,
}

/// May this account write to people who never wrote to it? Where not, WhatsApp refuses with 463.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timelock {
    NotKnown,
    Inactive,
    /// Without an end where WhatsApp names none.
    Active {
        until_ms: Option<i64>,
    },
}

/// Chats that this account may begin in a cycle. Beyond them WhatsApp refuses with 475.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChats {
    /// WhatsApp's word: `NONE`, `FIRST_WARNING`, `SECOND_WARNING` or `CAPPED`.
    pub status: String,
    pub used: Option<i64>,
    pub quota: Option<i64>,
    pub cycle_ends_ms: Option<i64>,
}

impl Timelock {
    /// Of the answer's `data`.
    pub(super) fn read(data: &Value) -> Self {
        let standing = &data["xwa2_fetch_account_reachout_timelock"];
        match standing["is_active"].as_bool() {
            None => Self::NotKnown,
            Some(false) => Self::Inactive,
            Some(true) => Self::Active { until_ms: time_ms(&standing["time_enforcement_ends"]) },
        }
    }
}

impl NewChats {
    /// Of the answer's `data`.
    pub(super) fn read(data: &Value) -> Option<Self> {
        let info = &data["xwa2_message_capping_info"];
        Some(Self {
            status: info["capping_status"].as_str()?.to_owned(),
            used: number(&info["used_quota"]),
            quota: number(&info["total_quota"]),
            cycle_ends_ms: time_ms(&info["cycle_end_timestamp"]),
        })
    }
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// Seconds since 1970 on the wire; 0 is no time.
fn time_ms(value: &Value) -> Option<i64> {
    number(value).filter(|seconds| *seconds > 0)?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn timelock(standing: Value) -> Timelock {
        Timelock::read(&json!({ "xwa2_fetch_account_reachout_timelock": standing }))
    }

    #[test]
    fn a_timelock_is_off_on_or_not_known() {
        assert_eq!(timelock(json!({"is_active": false, "time_enforcement_ends": "0"})), Timelock::Inactive);
        let until = |until_ms| Timelock::Active { until_ms };
        assert_eq!(
            timelock(json!({"is_active": true, "time_enforcement_ends": "1770000000"})),
            until(Some(1_770_000_000_000))
        );
        assert_eq!(timelock(json!({"is_active": true, "time_enforcement_ends": "0"})), until(None));
        assert_eq!(timelock(json!({"is_active": true})), until(None));
        for odd in [json!(null), json!({}), json!({"is_active": "true"}), json!([])] {
            assert_eq!(timelock(odd), Timelock::NotKnown);
        }
    }

    #[test]
    fn a_quota_reads_as_numbers_and_as_text() {
        let wanted = NewChats {
            status: "FIRST_WARNING".to_owned(),
            used: Some(40),
            quota: Some(50),
            cycle_ends_ms: Some(1_770_000_000_000),
        };
        for (used, quota, ends) in
            [(json!("40"), json!("50"), json!(1_770_000_000)), (json!(40), json!(50), json!("1770000000"))]
        {
            let info = json!({
                "capping_status": "FIRST_WARNING",
                "used_quota": used,
                "total_quota": quota,
                "cycle_end_timestamp": ends,
            });
            assert_eq!(NewChats::read(&json!({ "xwa2_message_capping_info": info })).as_ref(), Some(&wanted));
        }
        assert_eq!(NewChats::read(&json!({ "xwa2_message_capping_info": null })), None);
    }
}
