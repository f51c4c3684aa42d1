//! A phone in a group: it writes with a sender key of its own and reads with those of the others.
//!
//! Who lacks the phone's key gets it sealed for their device, in the stanza of the message; who lost
//! it asks by retry receipt, gets that message sealed for them alone and the key with the next one
//! (wacore 0.7.0, src/send/group.rs; whatsapp-rust 0.7.0, src/retry.rs).

use std::collections::BTreeSet;
use std::sync::Arc;

use buffa::{Message as _, MessageField};
use tracing::debug;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use waproto::whatsapp as wa;

use super::envelope::Look;
use super::send::{self, Outgoing};
use super::signal::Signal;
use crate::account::{Account, DeviceRef};
use crate::group::{Addressing, Group};
use crate::journal::Batch;
use crate::net::{Net, QueueFull};
use crate::route::message::corrupt;
use crate::stanza::tag;

/// The group that an envelope was sent in.
#[derive(Clone, Copy)]
pub(crate) struct InGroup<'a> {
    pub jid: &'a Jid,
    pub addressing: Addressing,
}

/// A receipt of this phone about a message in a group.
pub(super) fn receipt(phone: &Account, group: InGroup<'_>) -> NodeBuilder {
    named(tag("receipt").attr("from", group.jid.clone()), phone, group.addressing)
}

fn named(stanza: NodeBuilder, phone: &Account, addressing: Addressing) -> NodeBuilder {
    stanza
        .attr("participant", addressing.jid(phone, 0))
        .attr(addressing.other_attribute(), addressing.other(phone, 0))
}

/// If the message brings its sender's key, the phone keeps it.
pub(super) async fn learn(
    phone: &Account,
    signal: &mut Signal,
    group: InGroup<'_>,
    from: &DeviceRef,
    message: &wa::Message,
    batch: &mut Batch,
) {
    let Some(given) = message.sender_key_distribution_message.as_option() else {
        return;
    };
    let (id, peer) = (group.jid.to_string(), from.peer());
    let key = given.axolotl_sender_key_distribution_message.as_deref().unwrap_or_default();
    match signal.groups.learn(&id, &peer, key).await {
        Ok(()) => phone.save_sender_key(signal, &id, &peer, batch),
        Err(error) => debug!(%error, "A phone was given a sender key that does not work"),
    }
}

/// Whether the message brings a key and says nothing.
pub(super) fn is_only_a_key(message: &wa::Message) -> bool {
    let only_a_key = wa::Message {
        sender_key_distribution_message: message.sender_key_distribution_message.clone(),
        message_context_info: message.message_context_info.clone(),
        ..Default::default()
    };
    message.sender_key_distribution_message.is_set() && *message == only_a_key
}

/// Sends to the devices of a group what the phone shows already; those that lack the phone's key
/// get it with the message.
pub(super) async fn send(
    net: &Net,
    phone: &Arc<Account>,
    signal: &mut Signal,
    group: &Group,
    devices: Vec<DeviceRef>,
    outgoing: &Outgoing,
) -> Result<(), QueueFull> {
    let id = outgoing.chat.to_string();
    let own = phone.peer(0);
    let audience = devices.iter().map(DeviceRef::peer).collect();
    let lacking = signal.groups.lacking(&id, &own, &audience);
    let sealed = signal.groups.seal(&id, &own, &outgoing.message.encode_to_vec()).await;
    let Ok(sealed) = sealed.inspect_err(|error| debug!(%error, "A phone cannot encrypt for a group")) else {
        return Ok(());
    };
    // A step of the key is written down before anything that was sealed with it leaves.
    let mut batch = net.journal.batch();
    phone.save_sender_key(signal, &id, &own, &mut batch);
    if !lacking.is_empty() {
        phone.save_audience(signal, &id, &mut batch);
    }
    net.journal.append(batch);

    let key = distribution(&id, sealed.key);
    let mut ready = Vec::with_capacity(devices.len());
    for device in devices {
        if !lacking.contains(&device.peer()) {
            ready.push(Ready { device, key: None, batch: net.journal.batch() });
        } else if let Some((key, batch)) = send::seal(net, phone, signal, &device, &key, None).await {
            ready.push(Ready { device, key: Some(key), batch });
        }
    }
    let (informed, outcome) = hand_out(net, phone, group, outgoing, sealed.ciphertext, ready);
    if !informed.is_empty() {
        signal.groups.inform(&id, informed);
        let mut batch = net.journal.batch();
        phone.save_audience(signal, &id, &mut batch);
        net.journal.append(batch);
    }
    outcome
}

/// A device that is to get a message, the phone's key sealed for it, and the record of that session.
struct Ready {
    device: DeviceRef,
    key: Option<Node>,
    batch: Batch,
}

/// Puts the message into the queues of the devices, those of members who have left excepted. Returns
/// who got the phone's key with it.
fn hand_out(
    net: &Net,
    phone: &Account,
    group: &Group,
    outgoing: &Outgoing,
    ciphertext: Vec<u8>,
    ready: Vec<Ready>,
) -> (BTreeSet<String>, Result<(), QueueFull>) {
    let look = Look::of(&outgoing.message);
    let mut sealed = tag("enc").attr("v", "2").attr("type", "skmsg").bytes(ciphertext).build();
    look.mark(&mut sealed);
    let name = phone.state.lock().name.clone();
    let state = group.state.lock();
    let mut informed = BTreeSet::new();
    let mut outcome = Ok(());
    for Ready { device, key, batch } in ready {
        if state.member(&device.account.phone).is_none() {
            net.journal.append(batch);
            continue;
        }
        let mut sealed = sealed.clone();
        if device.account.state.lock().faults.corrupts_delivery() {
            corrupt(&mut sealed);
        }
        let gets_key = key.is_some();
        let envelopes = key.into_iter().chain([sealed]).chain(look.meta.clone());
        let stanza = head(phone, group, state.addressing, outgoing, &look, &name).children(envelopes);
        match net.push(&device.account, device.id, &stanza.build(), batch) {
            Ok(_) if gets_key => {
                informed.insert(device.peer());
            }
            Ok(_) => {}
            Err(full) => outcome = Err(full),
        }
    }
    (informed, outcome)
}

fn head(
    phone: &Account,
    group: &Group,
    addressing: Addressing,
    outgoing: &Outgoing,
    look: &Look,
    name: &str,
) -> NodeBuilder {
    let stanza = named(tag("message").attr("from", group.jid()), phone, addressing)
        .attr("addressing_mode", addressing.word())
        .attr("id", outgoing.id.as_str())
        .attr("type", look.kind)
        .attr("t", outgoing.timestamp)
        .attr("notify", name);
    match &look.edit {
        Some(edit) => stanza.attr("edit", edit.as_str()),
        None => stanza,
    }
}

fn distribution(group: &str, key: Vec<u8>) -> Vec<u8> {
    let given = wa::message::SenderKeyDistributionMessage {
        group_id: Some(group.to_owned()),
        axolotl_sender_key_distribution_message: Some(key),
    };
    wa::Message { sender_key_distribution_message: MessageField::some(given), ..Default::default() }
        .encode_to_vec()
}

/// A member's device could not open what this phone sent: the message once more, for that device
/// alone, and the key with the next one.
pub(super) async fn resend(
    net: &Net,
    phone: &Arc<Account>,
    signal: &mut Signal,
    device: &DeviceRef,
    outgoing: &Outgoing,
    count: u8,
) -> Result<(), QueueFull> {
    let Some(group) = net.group(&phone.book, &outgoing.chat) else {
        return Ok(());
    };
    let id = outgoing.chat.to_string();
    signal.groups.distrust(&id, &device.peer());
    let mut batch = net.journal.batch();
    phone.save_audience(signal, &id, &mut batch);
    net.journal.append(batch);
    let plaintext = outgoing.message.encode_to_vec();
    let sealed = send::seal(net, phone, signal, device, &plaintext, Some(count)).await;
    let Some((mut sealed, batch)) = sealed else {
        return Ok(());
    };
    let look = Look::of(&outgoing.message);
    look.mark(&mut sealed);
    let name = phone.state.lock().name.clone();
    let state = group.state.lock();
    if state.member(&device.account.phone).is_none() {
        net.journal.append(batch);
        return Ok(());
    }
    let stanza = head(phone, &group, state.addressing, outgoing, &look, &name);
    let stanza = stanza.children(std::iter::once(sealed).chain(look.meta)).build();
    net.push(&device.account, device.id, &stanza, batch).map(|_| ())
}
