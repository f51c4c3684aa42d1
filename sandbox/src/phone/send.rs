//! A phone sends: to every device of the addressee, to its phone, and to its own devices.
//!
//! Between two simulated phones nothing is encrypted: both are this process. Towards a linked
//! device everything is, because the device is somebody's real client.

use std::sync::Arc;

use buffa::{Message as _, MessageField};
use serde::{Deserialize, Serialize};
use tracing::debug;
use wacore_binary::Jid;
use waproto::whatsapp as wa;

use super::inbox::{InboxMessage, Shown};
use super::signal::Signal;
use crate::account::{Account, DeviceRef};
use crate::error::SandboxError;
use crate::limits;
use crate::net::{Net, QueueFull};
use crate::route::message::corrupt;
use crate::stanza::{now, tag};

/// What a phone is told to send.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PhoneMessage {
    /// The number of somebody in the same book.
    pub to: String,
    #[serde(rename = "type", default)]
    pub kind: MessageKind,
    #[serde(rename = "message")]
    pub text: String,
    /// Drawn when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    #[default]
    Text,
}

impl PhoneMessage {
    pub fn text(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self { to: to.into(), kind: MessageKind::Text, text: text.into(), id: None }
    }

    fn check(&self) -> Result<(), SandboxError> {
        let id_bytes = self.id.as_ref().map_or(1, String::len);
        if self.text.is_empty() || self.text.len() > limits::TEXT_BYTES {
            return Err(SandboxError::Invalid("a text has between 1 and 65536 bytes".into()));
        }
        if id_bytes == 0 || id_bytes > limits::MESSAGE_ID_BYTES {
            return Err(SandboxError::Invalid("a message id has between 1 and 128 bytes".into()));
        }
        Ok(())
    }
}

pub(crate) async fn send(
    net: &Arc<Net>,
    phone: &Arc<Account>,
    out: PhoneMessage,
) -> Result<String, SandboxError> {
    out.check()?;
    let to = net.account(&phone.book, &out.to).ok_or(SandboxError::NotOnWhatsApp)?;
    let id = out.id.unwrap_or_else(|| format!("3EB0{}", hex::encode_upper(rand::random::<[u8; 9]>())));
    let message = wa::Message { conversation: Some(out.text.clone()), ..Default::default() };
    let mut shown = Shown {
        message: InboxMessage {
            id: id.clone(),
            from: phone.phone.clone(),
            to: to.phone.clone(),
            from_me: true,
            kind: "text".to_owned(),
            message: out.text,
            media_sha256: None,
            timestamp: now(),
        },
        is_lid: false,
        sent: message.encode_to_vec(),
    };
    let mut batch = net.journal.batch();
    phone.chats.lock().show(phone, shown.clone(), &mut batch);
    let is_to_self = Arc::ptr_eq(phone, &to);
    if !is_to_self {
        let theirs = Shown {
            message: InboxMessage { from_me: false, ..shown.message.clone() },
            is_lid: false,
            sent: Vec::new(),
        };
        to.chats.lock().show(&to, theirs, &mut batch);
    }
    net.journal.append(batch);
    shown.message.timestamp = now();

    let mut signal = phone.signal.lock().await;
    let own = devices_of(phone);
    let theirs = if is_to_self { Vec::new() } else { devices_of(&to) };
    for device in theirs.iter().chain(&own) {
        if to_device(net, phone, &mut signal, device, &shown, None).await.is_err() {
            return Err(SandboxError::LimitReached("the queue of a device".into()));
        }
    }
    drop(signal);
    net.journal.settled().await;
    Ok(id)
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

/// Seals a message this phone sent for one device; its own get it wrapped with the destination.
pub(super) async fn to_device(
    net: &Net,
    phone: &Arc<Account>,
    signal: &mut Signal,
    device: &DeviceRef,
    shown: &Shown,
    retry: Option<u8>,
) -> Result<(), QueueFull> {
    let is_own = Arc::ptr_eq(phone, &device.account);
    let recipient = Jid::pn(shown.message.to.as_str());
    let plaintext = if is_own { device_sent(&recipient, &shown.sent) } else { shown.sent.clone() };
    let name = phone.state.lock().name.clone();
    let mut stanza = tag("message")
        .attr("from", Jid::pn(phone.phone.as_str()))
        .attr("sender_lid", Jid::lid(phone.lid.as_str()))
        .attr("id", shown.message.id.as_str())
        .attr("type", "text")
        .attr("t", shown.message.timestamp)
        .attr("notify", name);
    if is_own {
        stanza = stanza.attr("recipient", recipient);
    }
    let Some((mut sealed, batch)) = seal(net, phone, signal, device, &plaintext, retry).await else {
        return Ok(());
    };
    if device.account.state.lock().faults.corrupts_delivery() {
        corrupt(&mut sealed);
    }
    net.push(&device.account, device.id, &stanza.children([sealed]).build(), batch).map(|_| ())
}

fn device_sent(recipient: &Jid, sent: &[u8]) -> Vec<u8> {
    let message = wa::Message::decode_from_slice(sent).unwrap_or_default();
    wa::Message {
        device_sent_message: MessageField::some(wa::message::DeviceSentMessage {
            destination_jid: Some(recipient.to_string()),
            message: MessageField::some(message),
            ..Default::default()
        }),
        ..Default::default()
    }
    .encode_to_vec()
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
    let like = if shown.is_lid { Jid::lid("") } else { Jid::pn("") };
    let receipt = tag("receipt")
        .attr("from", phone.jid_like(&like, 0))
        .attr("id", message_id)
        .attr("type", kind)
        .attr("t", now())
        .build();
    net.push_to_all(&sender, None, &receipt, net.journal.batch());
    net.journal.settled().await;
    Ok(())
}
