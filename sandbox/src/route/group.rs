//! What travels within a group: messages to all its members' devices, receipts to who wrote.
//!
//! A message is sealed once with the sender's key for the group; beside it lie envelopes for the
//! devices that lack that key. Each device gets its own envelope, if there is one, before the
//! message (wacore 0.7.0, src/send/group.rs; whatsapp-rust 0.7.0, src/message/receive.rs). A message
//! that names a participant is the answer to a retry receipt, and for that device alone.

use std::collections::HashMap;
use std::sync::Arc;

use wacore_binary::{Jid, Node};

use super::message::{NOT_FOUND, UNAVAILABLE, corrupt};
use crate::account::{Account, DeviceRef};
use crate::group::rules::No;
use crate::group::{Addressing, Group};
use crate::net::{Net, QueueFull};
use crate::phone::group::InGroup;
use crate::phone::receive::{self, Envelope};
use crate::phone::{retry, ticks};
use crate::stanza::{Read as _, now, tag};

/// The sender is not in the group, in WhatsApp's words; or it is no admin where only admins write.
const FORBIDDEN: &str = "403";
const ANNOUNCEMENTS: &str = "420";
/// Who is no admin takes back what somebody else wrote (wacore 0.7.0, src/protocol/nack.rs,
/// `UnsupportedAdminRevoke`).
const NO_ADMIN_REVOKE: &str = "550";
/// The `edit` of a stanza by which an admin takes back what somebody else wrote (wacore 0.7.0,
/// src/types/message.rs, `EditAttribute::AdminRevoke`); what it is about is sealed.
const ADMIN_REVOKE: &str = "8";

/// Delivers a message; `Err` is the code that its sender hears.
pub(super) async fn message(
    net: &Arc<Net>,
    from: &DeviceRef,
    message: &Node,
    to: &Jid,
) -> Result<(), &'static str> {
    let group = net.group(&from.account.book, to).ok_or(NOT_FOUND)?;
    match message.jid("participant") {
        Some(participant) => again(net, from, message, &group, &participant).await,
        None => to_all(net, from, message, &group).await,
    }
}

async fn to_all(net: &Arc<Net>, from: &DeviceRef, message: &Node, group: &Group) -> Result<(), &'static str> {
    let sealed = message.get_optional_child("enc");
    // Each device's own envelope, by whom it is for.
    let keys: HashMap<String, &Node> = message
        .get_optional_child("participants")
        .map_or(&[][..], |participants| participants.nodes())
        .iter()
        .filter_map(|participant| {
            let address = participant.jid("jid")?;
            let account = net.resolve(&group.book, &address)?;
            Some((account.peer(address.device), participant.get_optional_child("enc")?))
        })
        .collect();
    let name = from.account.state.lock().name.clone();
    let mut outcome = Ok(());
    let (members, addressing) = {
        let state = group.state.lock();
        state.may_write(&from.account.phone).map_err(refusal)?;
        if message.text("edit").is_some_and(|edit| edit == ADMIN_REVOKE) {
            state.rules(&from.account.phone).map_err(|_| NO_ADMIN_REVOKE)?;
        }
        let members = group.accounts(net, &state);
        for member in &members {
            let devices: Vec<u16> = member.state.lock().devices.keys().copied().collect();
            let is_own = Arc::ptr_eq(member, &from.account);
            for device in devices.into_iter().filter(|device| !is_own || *device != from.id) {
                let own = keys.get(&member.peer(device)).copied();
                let envelopes: Vec<Node> = own.into_iter().chain(sealed).cloned().collect();
                if envelopes.is_empty() {
                    continue;
                }
                let stanza = forwarded(from, message, group, state.addressing, &name, member, envelopes);
                let pushed = net.push(member, device, &stanza, net.journal.batch());
                outcome = outcome.and(pushed.map_err(|QueueFull| UNAVAILABLE).map(|_| ()));
            }
        }
        (members, state.addressing)
    };
    let jid = group.jid();
    let in_group = InGroup { jid: &jid, addressing };
    let id = message.text("id").unwrap_or_default();
    for member in &members {
        let own = keys.get(&member.peer(0)).copied();
        for sealed in own.into_iter().chain(sealed) {
            if !to_phone(net, member, from, &id, in_group, sealed).await {
                // It asked for all of it again: the message is of no use without the key.
                break;
            }
        }
    }
    outcome
}

/// A message that one device could not open, sealed for that device.
async fn again(
    net: &Arc<Net>,
    from: &DeviceRef,
    message: &Node,
    group: &Group,
    participant: &Jid,
) -> Result<(), &'static str> {
    let target = net.resolve(&group.book, participant).ok_or(NOT_FOUND)?;
    let sealed = message.get_optional_child("enc").ok_or(NOT_FOUND)?;
    let name = from.account.state.lock().name.clone();
    let addressing = {
        let state = group.state.lock();
        state.is_in(&from.account.phone).map_err(refusal)?;
        if state.member(&target.phone).is_none() {
            // Gone in the meantime; its sender need not know.
            return Ok(());
        }
        if participant.device != 0 {
            let envelopes = vec![sealed.clone()];
            let stanza = forwarded(from, message, group, state.addressing, &name, &target, envelopes);
            let pushed = net.push(&target, participant.device, &stanza, net.journal.batch());
            return pushed.map(|_| ()).map_err(|QueueFull| UNAVAILABLE);
        }
        state.addressing
    };
    let in_group = InGroup { jid: &group.jid(), addressing };
    to_phone(net, &target, from, &message.text("id").unwrap_or_default(), in_group, sealed).await;
    Ok(())
}

fn refusal(no: No) -> &'static str {
    if no == No::Announcements { ANNOUNCEMENTS } else { FORBIDDEN }
}

/// What a member's device sees.
fn forwarded(
    from: &DeviceRef,
    message: &Node,
    group: &Group,
    addressing: Addressing,
    name: &str,
    target: &Account,
    mut envelopes: Vec<Node>,
) -> Node {
    let copied = |name: &str| message.text(name).map(|value| value.into_owned());
    let mut stanza = tag("message")
        .attr("from", group.jid())
        .attr("participant", addressing.jid(&from.account, from.id))
        .attr(addressing.other_attribute(), addressing.other(&from.account, from.id))
        .attr("addressing_mode", addressing.word())
        .attr("id", copied("id").unwrap_or_default())
        .attr("type", copied("type").unwrap_or_else(|| "text".to_owned()))
        .attr("t", now())
        .attr("notify", name);
    if let Some(edit) = copied("edit") {
        stanza = stanza.attr("edit", edit);
    }
    let is_first = |sealed: &Node| sealed.text("type").is_some_and(|kind| kind == "pkmsg");
    let opens_session = envelopes.iter().any(is_first);
    if target.state.lock().faults.corrupts_delivery()
        && let Some(sealed) = envelopes.last_mut()
    {
        corrupt(sealed);
    }
    let identity = message.get_optional_child("device-identity").filter(|_| opens_session);
    let meta = message.get_optional_child("meta");
    stanza.children(envelopes.into_iter().chain(identity.cloned()).chain(meta.cloned())).build()
}

/// Gives a phone an envelope; says whether it could open it.
async fn to_phone(
    net: &Arc<Net>,
    phone: &Arc<Account>,
    from: &DeviceRef,
    id: &str,
    group: InGroup<'_>,
    sealed: &Node,
) -> bool {
    let address = group.addressing.jid(phone, 0);
    let envelope = Envelope {
        from,
        id,
        chat: group.jid,
        group: Some(group),
        address: &address,
        kind: &sealed.text("type").unwrap_or_default(),
        ciphertext: sealed.content(),
    };
    receive::receive(net, phone, envelope).await
}

/// A receipt of a member goes to who wrote the message: to all their devices, or, when it asks for the
/// message again, to the one that sent it. Who is not in the group is not heard.
pub(super) async fn receipt(net: &Arc<Net>, from: &DeviceRef, receipt: &Node, to: &Jid) {
    let group = net.group(&from.account.book, to);
    let author = receipt.jid("participant");
    let (Some(group), Some(author)) = (group, author) else {
        return;
    };
    let Some(target) = net.resolve(&group.book, &author) else {
        return;
    };
    let addressing = {
        let state = group.state.lock();
        if state.is_in(&from.account.phone).is_err() {
            return;
        }
        state.addressing
    };
    let is_retry = receipt.text("type").is_some_and(|kind| kind == "retry");
    if is_retry && author.device == 0 {
        retry::resend(net, &target, from, receipt).await;
        return;
    }
    let mut stanza = tag("receipt")
        .attr("from", group.jid())
        .attr("participant", addressing.jid(&from.account, from.id))
        .attr(addressing.other_attribute(), addressing.other(&from.account, from.id))
        .attr("id", receipt.text("id").unwrap_or_default().into_owned())
        .attr("t", now());
    if let Some(kind) = receipt.text("type") {
        stanza = stanza.attr("type", kind.into_owned());
    }
    let stanza = stanza.apply_content(receipt.content.clone()).build();
    if is_retry {
        // A device with a full queue cannot answer either way.
        let _ = net.push(&target, author.device, &stanza, net.journal.batch());
    } else if !Arc::ptr_eq(&target, &from.account) {
        ticks::hear(net, &target, from, receipt);
        net.push_to_all(&target, None, &stanza, net.journal.batch());
    }
}
