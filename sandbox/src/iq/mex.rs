//! GraphQL: what WhatsApp says about an account's health. Other queries are answered with an error.
//!
//! Names, numbers and shapes: wacore 0.7.0, src/iq/mex_operations.rs.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wacore_binary::Node;

use super::{Answer, BAD_REQUEST};
use crate::account::DeviceRef;
use crate::fault::RestrictionKind;
use crate::stanza::{Read as _, now, tag};

/// `WAWebMexFetchReachoutTimelockJobQuery`
const REACHOUT_TIMELOCK: &str = "23983697327930364";
/// `WAWebMexFetchNewChatMessageCappingInfoJobQuery`
const NEW_CHAT_CAPPING: &str = "24503548349331633";
/// Chats that an account may start per cycle; a number to show.
const QUOTA: i64 = 250;
/// The length of a cycle in seconds.
const CYCLE: i64 = 30 * 86_400;

pub(super) fn answer(device: &DeviceRef, query: Option<&Node>) -> Answer {
    let id = query.and_then(|query| query.text("query_id")).ok_or(BAD_REQUEST)?;
    let restriction = device.account.state.lock().faults.restriction();
    let ends = |kind| {
        restriction
            .filter(|restriction| restriction.kind == kind)
            .map(|restriction| seconds(restriction.ends))
    };
    let data = match &*id {
        REACHOUT_TIMELOCK => {
            let ends = ends(RestrictionKind::ReachoutTimelock);
            json!({"xwa2_fetch_account_reachout_timelock": {
                "is_active": ends.is_some(),
                "time_enforcement_ends": ends.map(|ends| ends.to_string()),
                "enforcement_type": "DEFAULT",
            }})
        }
        NEW_CHAT_CAPPING => {
            let ends = ends(RestrictionKind::NewChatCapped);
            let now = i64::try_from(now()).unwrap_or(0);
            json!({"xwa2_message_capping_info": {
                "capping_status": if ends.is_some() { "CAPPED" } else { "NONE" },
                "total_quota": QUOTA.to_string(),
                "used_quota": if ends.is_some() { QUOTA } else { 0 }.to_string(),
                "cycle_end_timestamp": ends.unwrap_or(now + CYCLE),
                "server_sent_timestamp": now,
            }})
        }
        _ => return Ok(result(&json!({"data": null, "errors": [{"message": "unknown query"}]}))),
    };
    Ok(result(&json!({ "data": data })))
}

fn result(body: &Value) -> Vec<Node> {
    vec![tag("result").bytes(body.to_string().into_bytes()).build()]
}

/// Rounded up: what ends within a second has not ended.
fn seconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX) + 1
}
