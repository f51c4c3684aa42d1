//! Whom an account blocked.
//!
//! An entry is a LID (wacore 0.7.0, src/iq/blocklist.rs: a block names both, an unblock the LID). The
//! account's other devices hear of a change by `<notification type="account_sync">`. What a blocked
//! account sends is dropped where it would be delivered; its sender learns nothing.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wacore_binary::{Jid, Node};

use super::{Answer, BAD_REQUEST, NOT_FOUND};
use crate::account::{Account, DeviceRef, State};
use crate::error::SandboxError;
use crate::limits;
use crate::net::Net;
use crate::stanza::{Read as _, now, tag};

pub(super) fn list(net: &Net, device: &DeviceRef) -> Vec<Node> {
    let account = &device.account;
    let (blocked, dhash) = {
        let state = account.state.lock();
        (state.person.profile.blocked.clone(), dhash(&state))
    };
    let items = blocked.iter().filter_map(|(phone, since)| {
        let other = net.account(&account.book, phone)?;
        Some(tag("item").attr("jid", Jid::lid(other.lid.as_str())).attr("t", *since).build())
    });
    vec![tag("list").attr("dhash", dhash).children(items).build()]
}

pub(super) fn update(net: &Net, device: &DeviceRef, item: Option<&Node>) -> Answer {
    let item = item.ok_or(BAD_REQUEST)?;
    let jid = item.jid("jid").ok_or(BAD_REQUEST)?;
    let block = match item.text("action").as_deref() {
        // Modern servers refuse a block that does not name both.
        Some("block") if jid.is_lid() && item.jid("pn_jid").is_some() => true,
        Some("unblock") => false,
        _ => return Err(BAD_REQUEST),
    };
    let other = net.resolve(&device.account.book, &jid).ok_or(NOT_FOUND)?;
    set(net, &device.account, &other, block, Some(device.id)).map_err(|_| BAD_REQUEST)?;
    // Clients keep what they are answered: whatsmeow takes an answer without the list for a failure.
    Ok(list(net, device))
}

/// Blocks or unblocks; the account's devices but `by` are told.
pub(crate) fn set(
    net: &Net,
    account: &Account,
    other: &Arc<Account>,
    block: bool,
    by: Option<u16>,
) -> Result<(), SandboxError> {
    if account.phone == other.phone {
        return Err(SandboxError::Invalid("nobody can block themselves".into()));
    }
    let (before, after) = {
        let mut state = account.state.lock();
        let before = dhash(&state);
        let blocked = &mut state.person.profile.blocked;
        if block {
            if blocked.len() >= limits::BLOCKED_PER_ACCOUNT && !blocked.contains_key(&other.phone) {
                return Err(SandboxError::LimitReached("the block list of this phone".into()));
            }
            blocked.entry(other.phone.clone()).or_insert_with(now);
        } else {
            blocked.remove(&other.phone);
        }
        let mut batch = net.journal.batch();
        account.save_profile(&state, &mut batch);
        net.journal.append(batch);
        (before, dhash(&state))
    };
    if before == after {
        return Ok(());
    }
    let action = if block { "block" } else { "unblock" };
    let item = tag("item").attr("jid", Jid::lid(other.lid.as_str())).attr("action", action).build();
    let change = tag("blocklist").attr("dhash", after).attr("prev_dhash", before).children([item]).build();
    let notification = tag("notification")
        .attr("from", Jid::pn(account.phone.as_str()))
        .attr("type", "account_sync")
        .attr("id", net.stanza_id())
        .attr("t", now())
        .children([change])
        .build();
    net.push_to_all(account, by, &notification, net.journal.batch());
    Ok(())
}

/// By which devices tell whether they have the same list.
fn dhash(state: &State) -> String {
    let numbers = state.person.profile.blocked.keys();
    let digest = numbers.fold(Sha256::new(), |hash, number| hash.chain_update(number).chain_update([0]));
    hex::encode(&digest.finalize()[..8])
}
