//! A medium is no longer where a message says: a phone that holds it puts it on the host again.
//!
//! A linked device that was refused a download asks its own phone, whoever wrote the message
//! (wacore 0.7.0, src/media_retry.rs: the receipt goes to the account itself and its `<rmr>` names
//! the chat). Question and answer are sealed with the key of the medium.

use std::sync::Arc;

use buffa::Message as _;
use tracing::debug;
use wacore::media_retry::decrypt_media_retry_notification;
use wacore_binary::{Jid, Node};
use wacore_libsignal::crypto::aes_256_gcm_encrypt;
use waproto::whatsapp as wa;
use waproto::whatsapp::media_retry_notification::ResultType;

use super::chats::Medium;
use super::load::Attached;
use crate::account::{Account, DeviceRef};
use crate::net::Net;
use crate::stanza::{Read as _, leaf, now, tag};

/// WACrypto's label of the key that both sides derive from the key of the medium.
const KEY_LABEL: &[u8] = b"WhatsApp Media Retry Notification";
const IV_BYTES: usize = 12;

/// Codes of an answer that cannot be sealed.
const NOT_FOUND: &str = "2";
const NOT_READABLE: &str = "3";

/// Answers one device of this phone.
pub(crate) fn answer(net: &Arc<Net>, device: &DeviceRef, receipt: &Node) {
    let phone = &device.account;
    let Some(id) = receipt.text("id") else {
        return;
    };
    let about = receipt.get_optional_child("rmr");
    let content = match found(net, phone, &id, about) {
        None => error(NOT_FOUND),
        Some((attached, _)) if !is_question(&attached, &id, receipt) => error(NOT_READABLE),
        Some((attached, holds_it)) => {
            let path = holds_it.then(|| net.media.shelves.publish(&phone.book, attached.token, &net.journal));
            sealed(&attached, &id, path.flatten())
        }
    };
    let notification = tag("notification")
        .attr("from", Jid::pn(phone.phone.as_str()))
        .attr("type", "mediaretry")
        .attr("id", id.into_owned())
        .attr("t", now())
        .children(std::iter::once(content).chain(about.cloned()))
        .build();
    // A device with a full queue reads nothing either way, and asks again.
    let _ = net.push(phone, device.id, &notification, net.journal.batch());
}

/// The medium that the device asks for, and whether the phone holds its bytes.
fn found(net: &Net, phone: &Account, id: &str, about: Option<&Node>) -> Option<(Attached, bool)> {
    let chat = about?.jid("jid")?;
    let chat = net.resolve(&phone.book, &chat).map_or(chat, |other| Jid::pn(other.phone.as_str()));
    let chat = chat.to_non_ad().to_string();
    let chats = phone.chats.lock();
    let shown = chats.find(id, |shown| shown.message.chat == chat)?;
    Some((Attached::of(&shown.decode())?, shown.beside.medium == Some(Medium::Held)))
}

/// Whoever asks proves that it can read the message.
fn is_question(attached: &Attached, id: &str, receipt: &Node) -> bool {
    let Some(sealed) = receipt.get_optional_child("encrypt") else {
        return false;
    };
    let (iv, ciphertext) = (sealed.content_of("enc_iv"), sealed.content_of("enc_p"));
    let opened = decrypt_media_retry_notification(attached.media_key(), id, iv, ciphertext);
    opened.is_ok_and(|plaintext| {
        wa::ServerErrorReceipt::decode_from_slice(&plaintext)
            .is_ok_and(|receipt| receipt.stanza_id.as_deref() == Some(id))
    })
}

fn sealed(attached: &Attached, id: &str, direct_path: Option<String>) -> Node {
    let result = if direct_path.is_some() { ResultType::SUCCESS } else { ResultType::NOT_FOUND };
    let answer = wa::MediaRetryNotification {
        stanza_id: Some(id.to_owned()),
        direct_path,
        result: Some(result),
        ..Default::default()
    };
    let iv: [u8; IV_BYTES] = rand::random();
    let mut key = [0; 32];
    let mut ciphertext = Vec::new();
    let done = wacore::crypto::hkdf_sha256_into(attached.media_key(), None, KEY_LABEL, &mut key).is_ok()
        && aes_256_gcm_encrypt(&key, &iv, id.as_bytes(), &answer.encode_to_vec(), &mut ciphertext).is_ok();
    if !done {
        debug!("A phone cannot seal its answer about a medium");
        return error(NOT_READABLE);
    }
    tag("encrypt").children([leaf("enc_p", ciphertext), leaf("enc_iv", iv)]).build()
}

fn error(code: &'static str) -> Node {
    tag("error").attr("code", code).build()
}
