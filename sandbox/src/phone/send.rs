//! A phone sends: to every phone in the chat, and to every device of theirs and of its own.
//!
//! Between two simulated phones nothing is encrypted: both are this process. Towards a linked
//! device everything is, because the device is somebody's real client.

use std::sync::Arc;

use buffa::Message as _;
use tracing::debug;
use wacore::messages::wrap_device_sent;
use wacore_binary::{Jid, JidExt as _};
use waproto::whatsapp as wa;

use super::arrive::{Arrival, arrive};
use super::chat::Chat;
use super::chats::Unseen;
use super::group::InGroup;
use super::message::PhoneMessage;
use super::signal::Signal;
use super::ticks::{self, Tick};
use super::{change, content, envelope, group};
use crate::account::{Account, DeviceRef};
use crate::error::SandboxError;
use crate::group::Addressing;
use crate::net::{Net, QueueFull};
use crate::route::message::corrupt;
use crate::stanza::{now, tag};

/// Something that leaves a phone, for as many devices as need it.
pub(super) struct Outgoing {
    pub id: String,
    /// The address of the chat as the sender has it.
    pub chat: Jid,
    /// How the sender of a message in a chat of two names itself to the other side.
    pub addressing: Addressing,
    pub timestamp: u64,
    pub message: wa::Message,
}

pub(crate) async fn send(
    net: &Arc<Net>,
    phone: &Arc<Account>,
    out: PhoneMessage,
) -> Result<String, SandboxError> {
    let order = out.parse()?;
    let chat = Chat::find(net, phone, &order.to)?.named(order.naming)?;
    let id = order.id.unwrap_or_else(|| format!("3EB0{}", hex::encode_upper(rand::random::<[u8; 9]>())));
    let message = content::build(net, phone, &chat, order.draft, &order.context).await?;
    let timestamp = now();

    let mut others = chat.others(net, phone);
    if !chat.is_group() {
        // Whoever blocked this phone gets nothing, and the phone hears nothing of that.
        others.retain(|other| !other.has_blocked(phone));
        for other in &others {
            phone.name_itself(other, order.naming, &net.journal);
        }
    }
    let is_lid = chat.is_lid();
    for reader in std::iter::once(phone).chain(&others) {
        let address = chat.jid_for(reader, phone);
        let arrival = Arrival { id: &id, from: phone, chat: address, to: chat.to(), is_lid, timestamp };
        arrive(net, reader, &arrival, &message, net.journal.batch());
    }
    if change::Request::of(&message).is_some() {
        let unseen = Unseen {
            id: id.clone(),
            chat: chat.jid().to_string(),
            timestamp,
            content: message.encode_to_vec(),
        };
        let mut chats = phone.chats.lock();
        let mut batch = net.journal.batch();
        chats.keep_unseen(phone, unseen, &mut batch);
        net.journal.append(batch);
    }

    let outgoing = Outgoing { id, chat: chat.jid(), addressing: chat.addressing(), timestamp, message };
    let mut signal = phone.signal.lock().await;
    let devices: Vec<DeviceRef> = others.iter().flat_map(devices_of).chain(devices_of(phone)).collect();
    let sent = match &chat {
        Chat::Person(..) => to_devices(net, phone, &mut signal, &devices, &outgoing).await,
        Chat::Group(group) => group::send(net, phone, &mut signal, group, devices, &outgoing).await,
    };
    drop(signal);
    sent.map_err(|QueueFull| SandboxError::LimitReached("the queue of a device".into()))?;
    net.journal.settled().await;
    Ok(outgoing.id)
}

async fn to_devices(
    net: &Net,
    phone: &Arc<Account>,
    signal: &mut Signal,
    devices: &[DeviceRef],
    outgoing: &Outgoing,
) -> Result<(), QueueFull> {
    for device in devices {
        to_device(net, phone, signal, device, outgoing, None).await?;
    }
    Ok(())
}

pub(crate) fn devices_of(account: &Arc<Account>) -> Vec<DeviceRef> {
    let state = account.state.lock();
    let devices = state.devices.iter().map(|(id, device)| DeviceRef {
        account: Arc::clone(account),
        id: *id,
        noise_key: device.noise_key,
    });
    devices.collect()
}

/// What this phone sent under an id, if the device was meant to get it; it knows the phone by an
/// address of that kind. Who is in a group is not looked at.
pub(super) fn sent_to(
    phone: &Arc<Account>,
    device: &DeviceRef,
    id: &str,
    addressing: Addressing,
) -> Option<Outgoing> {
    let chats = phone.chats.lock();
    let shown = chats.find(id, |shown| shown.message.from_me && !shown.message.deleted);
    let (chat, timestamp, content) = match shown {
        Some(shown) => (&shown.message.chat, shown.message.timestamp, &shown.content),
        None => chats.unseen(id).map(|unseen| (&unseen.chat, unseen.timestamp, &unseen.content))?,
    };
    let chat: Jid = chat.parse().ok()?;
    let is_addressee =
        chat.is_group() || Arc::ptr_eq(phone, &device.account) || chat.user_base() == device.account.phone;
    let message = wa::Message::decode_from_slice(content).ok().filter(|_| is_addressee)?;
    Some(Outgoing { id: id.to_owned(), chat, addressing, timestamp, message })
}

/// Seals a message this phone sent for one device; its own get it wrapped with the destination.
///
/// By LID the number stands beside it, or is hidden (wacore 0.7.0, src/messages.rs,
/// `parse_message_info`: `sender_lid`, `sender_pn`, `addressing_mode`).
pub(super) async fn to_device(
    net: &Net,
    phone: &Arc<Account>,
    signal: &mut Signal,
    device: &DeviceRef,
    outgoing: &Outgoing,
    retry: Option<u8>,
) -> Result<(), QueueFull> {
    let is_own = Arc::ptr_eq(phone, &device.account);
    // The phone's own devices know no more of who hides their number than others do.
    let other = net.resolve(&phone.book, &outgoing.chat).filter(|_| is_own);
    let destination = other.map_or_else(|| outgoing.chat.clone(), |other| other.name_for(phone));
    let plaintext = if is_own {
        wrap_device_sent(outgoing.message.clone(), destination.to_string()).encode_to_vec()
    } else {
        outgoing.message.encode_to_vec()
    };
    let name = phone.state.lock().name.clone();
    let look = envelope::Look::of(&outgoing.message);
    let (number, lid) = (Jid::pn(phone.phone.as_str()), Jid::lid(phone.lid.as_str()));
    let mut stanza = tag("message");
    stanza = if is_own || outgoing.addressing == Addressing::Pn {
        stanza.attr("from", number).attr("sender_lid", lid)
    } else if phone.hides_from(&device.account) {
        stanza.attr("from", lid).attr("addressing_mode", "lid")
    } else {
        stanza.attr("from", lid).attr("sender_pn", number).attr("addressing_mode", "lid")
    };
    stanza = stanza
        .attr("id", outgoing.id.as_str())
        .attr("type", look.kind)
        .attr("t", outgoing.timestamp)
        .attr("notify", name);
    if let Some(edit) = &look.edit {
        stanza = stanza.attr("edit", edit.as_str());
    }
    if is_own {
        stanza = stanza.attr("recipient", destination);
    }
    let Some((mut sealed, batch)) = seal(net, phone, signal, device, &plaintext, retry).await else {
        return Ok(());
    };
    look.mark(&mut sealed);
    if device.account.state.lock().faults.corrupts_delivery() {
        corrupt(&mut sealed);
    }
    let stanza = stanza.children(std::iter::once(sealed).chain(look.meta)).build();
    net.push(&device.account, device.id, &stanza, batch).map(|_| ())
}

/// An `<enc>` for one device and the record of the session it advanced. `None` when the device has
/// no keys yet: it is linked but never came online, and WhatsApp would not list it either.
pub(super) async fn seal(
    net: &Net,
    phone: &Account,
    signal: &mut Signal,
    device: &DeviceRef,
    plaintext: &[u8],
    retry: Option<u8>,
) -> Option<(wacore_binary::Node, crate::journal::Batch)> {
    let peer = device.peer();
    let mut batch = net.journal.batch();
    if !signal.has_session(&peer) {
        let (bundle, one_time) = {
            let mut state = device.account.state.lock();
            let mut batch = net.journal.batch();
            let taken = device.account.take_bundle(&mut state, device.id, &mut batch)?;
            net.journal.append(batch);
            taken
        };
        let begun = signal.begin(phone.keys(), &peer, &bundle, one_time).await;
        begun.inspect_err(|error| debug!(%error, "A device's keys do not work")).ok()?;
    }
    let sealed = signal.seal(phone.keys(), &peer, plaintext).await;
    let sealed = sealed.inspect_err(|error| debug!(%error, "A phone cannot encrypt")).ok()?;
    phone.save_session(signal, &peer, &mut batch);
    let mut enc = tag("enc").attr("v", "2").attr("type", sealed.kind);
    if let Some(count) = retry {
        enc = enc.attr("count", u32::from(count));
    }
    Some((enc.bytes(sealed.ciphertext).build(), batch))
}

/// The phone reads or plays a message it got; the sender's devices hear of it.
pub(crate) async fn mark(
    net: &Net,
    phone: &Account,
    message_id: &str,
    kind: &'static str,
) -> Result<(), SandboxError> {
    let found = phone.chats.lock().find(message_id, |shown| !shown.message.from_me).cloned();
    let shown = found.ok_or(SandboxError::MessageNotFound)?;
    let Some(sender) = net.account(&phone.book, &shown.message.from) else {
        return Ok(());
    };
    let chat: Option<Jid> = shown.message.chat.parse().ok();
    let addressing = if shown.is_lid { Addressing::Lid } else { Addressing::Pn };
    let chat = chat.filter(Jid::is_group);
    let group = chat.as_ref().map(|jid| InGroup { jid, addressing });
    let receipt = match group {
        Some(group) => group::receipt(phone, group),
        None => tag("receipt").attr("from", addressing.jid(phone, 0)),
    };
    let receipt = receipt.attr("id", message_id).attr("type", kind).attr("t", now()).build();
    net.push_to_all(&sender, None, &receipt, net.journal.batch());
    if let Some(tick) = Tick::of(Some(kind)) {
        let mut batch = net.journal.batch();
        sender.chats.lock().tick(&sender, message_id, &phone.phone, tick, &mut batch);
        net.journal.append(batch);
    }
    ticks::tell_own(net, phone, &shown, group, kind);
    net.journal.settled().await;
    Ok(())
}
