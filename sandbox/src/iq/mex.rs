//! Questions in GraphQL ("mex"): what WhatsApp says of an account's standing.
//!
//! A persisted query is named by its id; ids and shapes are wacore 0.7.0, src/iq/mex.rs and
//! src/iq/mex_operations.rs. Times are seconds. An account is healthy until a fault says otherwise;
//! chats that it begins are not counted.

use serde::Serialize;
use serde_json::{Value, json};
use wacore::iq::mex_operations::{fetch_new_chat_message_capping_info as capping, fetch_reachout_timelock};
use wacore_binary::Node;

use crate::account::{DeviceRef, json as encoded};
use crate::fault::Restriction;
use crate::stanza::{Read as _, leaf, now_ms};

/// The kind of timelock that binds linked devices and leaves the phone alone, as ours does.
const COMPANIONS_RESTRICTED: &str = "RESTRICT_ALL_COMPANIONS";
/// New chats that may be begun in a cycle. WhatsApp gives each account its own number.
const QUOTA: u64 = 500;
/// The length of a cycle; cycles of healthy accounts follow one another since 1970.
const CYCLE_MS: u64 = 30 * 24 * 3_600_000;

pub(super) fn answer(device: &DeviceRef, query: Option<&Node>) -> Node {
    let id = query.and_then(|query| query.text("query_id")).unwrap_or_default();
    let now_ms = now_ms();
    let (timelock, cap) = {
        let faults = &device.account.state.lock().faults;
        (faults.timelock(now_ms), faults.new_chat_cap(now_ms))
    };
    let body = match &*id {
        fetch_reachout_timelock::DOC_ID => data(reachout_timelock(timelock)),
        capping::DOC_ID => data(new_chats(cap, now_ms)),
        _ => unknown(),
    };
    leaf("result", encoded(&body))
}

fn reachout_timelock(lock: Option<Restriction>) -> fetch_reachout_timelock::Response {
    let standing = fetch_reachout_timelock::Xwa2FetchAccountReachoutTimelock {
        enforcement_type: Some(lock.map_or("DEFAULT", |_| COMPANIONS_RESTRICTED).to_owned()),
        is_active: Some(lock.is_some()),
        time_enforcement_ends: Some(lock.map_or(0, |lock| lock.until_ms.div_ceil(1000)).to_string()),
    };
    fetch_reachout_timelock::Response { xwa2_fetch_account_reachout_timelock: Some(standing) }
}

fn new_chats(cap: Option<Restriction>, now_ms: u64) -> capping::Response {
    let begun_ms = now_ms - now_ms % CYCLE_MS;
    let cycle = cap.unwrap_or(Restriction { since_ms: begun_ms, until_ms: begun_ms + CYCLE_MS });
    let (status, used) = if cap.is_some() { ("CAPPED", QUOTA) } else { ("NONE", 0) };
    let seconds = |ms: u64| i64::try_from(ms / 1000).ok();
    let info = capping::Xwa2MessageCappingInfo {
        capping_status: Some(status.to_owned()),
        cycle_start_timestamp: seconds(cycle.since_ms),
        cycle_end_timestamp: seconds(cycle.until_ms.saturating_add(999)),
        mv_status: Some("NOT_ELIGIBLE".to_owned()),
        ote_status: Some("NOT_ELIGIBLE".to_owned()),
        server_sent_timestamp: seconds(now_ms),
        total_quota: Some(QUOTA.to_string()),
        used_quota: Some(used.to_string()),
    };
    capping::Response { xwa2_message_capping_info: Some(info) }
}

fn data(response: impl Serialize) -> Value {
    json!({ "data": response })
}

/// GraphQL refuses inside its own answer.
fn unknown() -> Value {
    let extensions =
        json!({ "error_code": 400, "is_summary": true, "is_retryable": false, "severity": "CRITICAL" });
    json!({ "data": null, "errors": [{ "message": "unknown query", "extensions": extensions }] })
}
