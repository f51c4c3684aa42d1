//! Questions in GraphQL ("mex"): what WhatsApp says of an account's standing, and about texts as newer clients set and
//! read them.
//!
//! A persisted query is named by its id; ids and shapes are wacore 0.7.0, src/iq/mex.rs and
//! src/iq/mex_operations.rs. Times are seconds. An account is healthy until a fault says otherwise;
//! chats that it begins are not counted. There are no newsletters and no user names here.

use serde::Serialize;
use serde_json::{Value, json};
use wacore::iq::mex_operations::{
    fetch_about_status, fetch_all_newsletters_metadata, fetch_new_chat_message_capping_info as capping,
    fetch_reachout_timelock, fetch_text_status_list, get_username, update_text_status,
};
use wacore_binary::{Jid, Node};

use super::profile;
use crate::account::{DeviceRef, json as encoded};
use crate::fault::Restriction;
use crate::net::Net;
use crate::stanza::{Read as _, leaf, now_ms};

/// The kind of timelock that binds linked devices and leaves the phone alone, as ours does.
const COMPANIONS_RESTRICTED: &str = "RESTRICT_ALL_COMPANIONS";
/// New chats that may be begun in a cycle. WhatsApp gives each account its own number.
const QUOTA: u64 = 500;
/// The length of a cycle; cycles of healthy accounts follow one another since 1970.
const CYCLE_MS: u64 = 30 * 24 * 3_600_000;

/// "Which newsletters do I follow?", as whatsmeow asks, on the web and on the desktop.
const SUBSCRIBED_NEWSLETTERS: [&str; 2] = ["6388546374527196", "8621797084555037"];

pub(super) fn answer(net: &Net, device: &DeviceRef, query: Option<&Node>) -> Node {
    let id = query.and_then(|query| query.text("query_id")).unwrap_or_default();
    let asked: Value =
        query.and_then(|query| serde_json::from_slice(query.content()).ok()).unwrap_or_default();
    let variables = &asked["variables"];
    let now_ms = now_ms();
    let (timelock, cap) = {
        let faults = &device.account.state.lock().faults;
        (faults.timelock(now_ms), faults.new_chat_cap(now_ms))
    };
    let body = match &*id {
        fetch_reachout_timelock::DOC_ID => data(reachout_timelock(timelock)),
        capping::DOC_ID => data(new_chats(cap, now_ms)),
        update_text_status::DOC_ID => set_about(net, device, &input(variables)),
        fetch_about_status::DOC_ID => data(about_of(net, device, &variables["user"]["user_id"])),
        fetch_text_status_list::DOC_ID => data(abouts_of(net, device, &input(variables))),
        get_username::DOC_ID => data(json!({ "xwa2_username_get": { "username_info": null } })),
        id if id == fetch_all_newsletters_metadata::DOC_ID || SUBSCRIBED_NEWSLETTERS.contains(&id) => {
            data(json!({ "xwa2_newsletter_subscribed": [] }))
        }
        _ => refused(400, "unknown query"),
    };
    leaf("result", encoded(&body))
}

/// Some clients write the input as JSON within a text.
fn input(variables: &Value) -> Value {
    let input = &variables["input"];
    match input.as_str().map(serde_json::from_str) {
        Some(Ok(input)) => input,
        _ => input.clone(),
    }
}

/// `SetStatusMessage` of whatsmeow. An emoji beside the text, and its end, are shown nowhere here.
fn set_about(net: &Net, device: &DeviceRef, input: &Value) -> Value {
    let text = match &input["text"] {
        Value::String(text) => text.as_str(),
        Value::Null if input.is_object() => "",
        _ => return refused(400, "the input has no text"),
    };
    match profile::set_about_text(net, device, text) {
        Ok(()) => data(json!({ "xwa2_update_text_status": { "result": "SUCCESS" } })),
        Err(_) => refused(406, "the text is too long"),
    }
}

/// Whoever hides it, and whoever is not there, has no text.
fn about_of(net: &Net, asker: &DeviceRef, user: &Value) -> Value {
    let about = said_by(net, asker, user).filter(|(text, _)| !text.is_empty());
    let update = match about {
        Some((text, _)) => json!({ "__typename": "XWA2AboutStatus", "text": text }),
        None => json!({ "__typename": "XWA2AboutStatus", "text": null }),
    };
    json!({ "xwa2_users_updates_since": [{ "updates": [update] }] })
}

/// A list of users, or of objects with a `jid`.
fn abouts_of(net: &Net, asker: &DeviceRef, input: &Value) -> Value {
    let users = input.as_array().or_else(|| input["users"].as_array()).map_or(&[][..], Vec::as_slice);
    let said = users.iter().filter_map(|user| {
        let jid = if user.is_object() { &user["jid"] } else { user };
        let (text, at) = said_by(net, asker, jid)?;
        Some(json!({ "jid": jid, "text": text, "last_update_time": at }))
    });
    json!({ "xwa2_text_status_list": said.collect::<Vec<_>>() })
}

fn said_by(net: &Net, asker: &DeviceRef, user: &Value) -> Option<(String, u64)> {
    let jid: Jid = user.as_str()?.parse().ok()?;
    let account = net.resolve(&asker.account.book, &jid)?;
    let state = account.state.lock();
    let profile = &state.person.profile;
    let is_hidden = profile.blocked.contains_key(&asker.account.phone);
    (!is_hidden).then(|| (profile.about.clone(), profile.about_at))
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
fn refused(code: u16, why: &str) -> Value {
    let extensions =
        json!({ "error_code": code, "is_summary": true, "is_retryable": false, "severity": "CRITICAL" });
    json!({ "data": null, "errors": [{ "message": why, "extensions": extensions }] })
}
