//! A phone gets a message: it decrypts, shows, and says so.
//!
//! The ratchet and the message become durable together: a phone that decrypted a message and then
//! lost its ratchet could read nothing more from that device. The receipt comes after them; when a
//! crash takes it, the sender was not acknowledged either and sends again.

use std::sync::Arc;

use buffa::Message as _;
use tracing::debug;
use wacore::messages::unwrap_device_sent;
use wacore_binary::Jid;
use wacore_libsignal::protocol::SignalProtocolError;
use waproto::whatsapp as wa;

use super::arrive::{Arrival, arrive};
use super::chats::Key;
use super::group::{self, InGroup};
use super::retry;
use super::signal::Signal;
use crate::account::{Account, DeviceRef};
use crate::journal::Batch;
use crate::net::Net;
use crate::stanza::{now, tag};

/// A sealed message on its way to a phone.
#[derive(Clone, Copy)]
pub(crate) struct Envelope<'a> {
    pub from: &'a DeviceRef,
    pub id: &'a str,
    /// Whom the message is for, which for a copy to the sender's own phone is somebody else.
    pub chat: &'a Jid,
    /// The group it was sent in, if it was.
    pub group: Option<InGroup<'a>>,
    /// How the sender addressed this phone.
    pub address: &'a Jid,
    pub kind: &'a str,
    pub ciphertext: &'a [u8],
}

/// Says whether the phone can read it.
pub(crate) async fn receive(net: &Arc<Net>, phone: &Arc<Account>, envelope: Envelope<'_>) -> bool {
    let mut signal = phone.signal.lock().await;
    let mut batch = net.journal.batch();
    match open(phone, &mut signal, &envelope, &mut batch).await {
        Ok(plaintext) => {
            phone.state.lock().retries.remove(&retry::key(&envelope));
            match wa::Message::decode_from_slice(&plaintext[..]) {
                Ok(message) => {
                    if let Some(group) = envelope.group {
                        group::learn(phone, &mut signal, group, envelope.from, &message, &mut batch).await;
                    }
                    show(net, phone, &envelope, message, batch);
                }
                Err(_) => {
                    net.journal.append(batch);
                    debug!("A phone decrypted what is not a message");
                }
            }
            true
        }
        Err(SignalProtocolError::DuplicatedMessage(..)) if is_known(net, phone, &envelope) => {
            let mut chats = phone.chats.lock();
            chats.count_redelivery(phone, &mut batch);
            net.journal.append(batch);
            drop(chats);
            delivered(net, phone, &envelope);
            true
        }
        Err(error) => {
            debug!(%error, "A phone cannot decrypt and asks for the message again");
            retry::ask(net, phone, &envelope);
            false
        }
    }
}

/// Opens it with the session or the sender key that it needs, and records what became of that.
async fn open(
    phone: &Account,
    signal: &mut Signal,
    envelope: &Envelope<'_>,
    batch: &mut Batch,
) -> Result<Vec<u8>, SignalProtocolError> {
    let peer = envelope.from.peer();
    match envelope.group {
        Some(group) if envelope.kind == "skmsg" => {
            let id = group.jid.to_string();
            let plaintext = signal.groups.open(&id, &peer, envelope.ciphertext).await?;
            phone.save_sender_key(signal, &id, &peer, batch);
            Ok(plaintext)
        }
        _ => {
            let plaintext = signal.open(phone.keys(), &peer, envelope.kind, envelope.ciphertext).await?;
            phone.save_session(signal, &peer, batch);
            Ok(plaintext)
        }
    }
}

fn is_known(net: &Net, phone: &Arc<Account>, envelope: &Envelope<'_>) -> bool {
    let (chat, _) = place(net, phone, envelope, envelope.chat);
    phone.chats.lock().has(&Key::new(&chat.to_string(), &envelope.from.account.phone, envelope.id))
}

fn show(net: &Arc<Net>, phone: &Arc<Account>, envelope: &Envelope<'_>, message: wa::Message, batch: Batch) {
    if group::is_only_a_key(&message) {
        net.journal.append(batch);
        return;
    }
    let is_own = Arc::ptr_eq(phone, &envelope.from.account);
    // What a companion sent to others reaches its own phone wrapped with the destination. Sent again
    // it is not wrapped (wacore 0.7.0, src/send/dm.rs): the stanza says for whom.
    let destination = message.device_sent_message.as_option().filter(|_| is_own);
    let destination = destination.and_then(|sent| sent.destination_jid.as_ref()?.parse::<Jid>().ok());
    let (chat, to) = place(net, phone, envelope, destination.as_ref().unwrap_or(envelope.chat));
    let message = if is_own { unwrap_device_sent(message) } else { message };
    let arrival = Arrival {
        id: envelope.id,
        from: &envelope.from.account,
        chat,
        to,
        is_lid: envelope.address.is_lid(),
        timestamp: now(),
    };
    arrive(net, phone, &arrival, &message, batch);
    if !is_own {
        delivered(net, phone, envelope);
    }
}

/// The chat a message is in, in the eyes of this phone, and whom it shows it is to.
fn place(net: &Net, phone: &Arc<Account>, envelope: &Envelope<'_>, chat: &Jid) -> (Jid, String) {
    if let Some(group) = envelope.group {
        return (group.jid.clone(), group.jid.to_string());
    }
    if !Arc::ptr_eq(phone, &envelope.from.account) {
        return (Jid::pn(envelope.from.account.phone.as_str()), phone.phone.clone());
    }
    let other = net.resolve(&phone.book, chat);
    let number = other.map_or_else(|| chat.user_base().to_owned(), |other| other.phone.clone());
    (Jid::pn(number.as_str()), number)
}

/// Every device of the sender hears that the phone has the message.
fn delivered(net: &Net, phone: &Account, envelope: &Envelope<'_>) {
    let receipt = match envelope.group {
        Some(group) => group::receipt(phone, group),
        None => tag("receipt").attr("from", phone.jid_like(envelope.address, 0)),
    };
    let receipt = receipt.attr("id", envelope.id).attr("t", now()).build();
    net.push_to_all(&envelope.from.account, None, &receipt, net.journal.batch());
}
