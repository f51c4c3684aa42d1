//! A phone gets a message: it decrypts, shows, and says so.
//!
//! The ratchet, the message and the receipt become durable together: a phone that decrypted a
//! message and then lost its ratchet could read nothing more from that device.

use std::sync::Arc;

use buffa::Message as _;
use tracing::debug;
use wacore_binary::Jid;
use wacore_libsignal::protocol::SignalProtocolError;
use waproto::whatsapp as wa;

use super::inbox::{Content, InboxMessage, Shown};
use super::retry;
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
    /// How the sender addressed this phone.
    pub address: &'a Jid,
    pub kind: &'a str,
    pub ciphertext: &'a [u8],
}

pub(crate) async fn receive(net: &Arc<Net>, phone: &Arc<Account>, envelope: Envelope<'_>) {
    let peer = envelope.from.peer();
    let mut signal = phone.signal.lock().await;
    let opened = signal.open(phone.keys(), &peer, envelope.kind, envelope.ciphertext).await;
    let mut batch = net.journal.batch();
    match opened {
        Ok(plaintext) => {
            phone.save_session(&signal, &peer, &mut batch);
            phone.state.lock().retries.remove(&retry::key(&envelope));
            match wa::Message::decode_from_slice(&plaintext[..]) {
                Ok(message) => show(net, phone, &envelope, message, batch),
                Err(_) => {
                    net.journal.append(batch);
                    debug!("A phone decrypted what is not a message");
                }
            }
        }
        Err(SignalProtocolError::DuplicatedMessage(..)) if is_known(phone, &envelope) => {
            phone.chats.lock().count_redelivery(phone, &mut batch);
            delivered(net, phone, &envelope, batch);
        }
        Err(error) => {
            debug!(%error, "A phone cannot decrypt and asks for the message again");
            retry::ask(net, phone, &envelope);
        }
    }
}

fn is_known(phone: &Account, envelope: &Envelope<'_>) -> bool {
    let sender = &envelope.from.account.phone;
    phone.chats.lock().has(sender, &phone.phone, envelope.id)
}

fn show(
    net: &Net,
    phone: &Arc<Account>,
    envelope: &Envelope<'_>,
    mut message: wa::Message,
    mut batch: Batch,
) {
    let is_own = Arc::ptr_eq(phone, &envelope.from.account);
    let (chat, message) = match message.device_sent_message.take() {
        // What a companion sent to others reaches its own phone wrapped with the destination.
        Some(sent) if is_own => {
            let chat = sent.destination_jid.and_then(|jid| jid.parse::<Jid>().ok());
            (chat, sent.message.into_option().unwrap_or_default())
        }
        // Sent again it is not wrapped (wacore 0.7.0, src/send/dm.rs): the stanza says for whom.
        _ => (None, message),
    };
    let to = if is_own {
        let chat = chat.as_ref().unwrap_or(envelope.chat);
        let known = net.resolve(&phone.book, chat);
        known.map_or_else(|| chat.user_base().to_owned(), |to| to.phone.clone())
    } else {
        phone.phone.clone()
    };
    if let Some(content) = Content::of(&message) {
        let shown = Shown {
            message: InboxMessage {
                id: envelope.id.to_owned(),
                from: envelope.from.account.phone.clone(),
                to,
                from_me: is_own,
                kind: content.kind.to_owned(),
                message: content.text,
                media_sha256: content.media_sha256,
                timestamp: now(),
            },
            is_lid: envelope.address.is_lid(),
            sent: Vec::new(),
        };
        phone.chats.lock().show(phone, shown, &mut batch);
    }
    if is_own {
        net.journal.append(batch);
    } else {
        delivered(net, phone, envelope, batch);
    }
}

/// Every device of the sender hears that the phone has the message.
fn delivered(net: &Net, phone: &Account, envelope: &Envelope<'_>, batch: Batch) {
    let receipt = tag("receipt")
        .attr("from", phone.jid_like(envelope.address, 0))
        .attr("id", envelope.id)
        .attr("t", now())
        .build();
    net.push_to_all(&envelope.from.account, None, &receipt, batch);
}
