//! When decryption fails: asking for a message again, and sending one again.
//!
//! Shapes and rules: wacore 0.7.0, src/protocol/retry.rs, and whatsapp-rust 0.7.0, src/retry.rs. A
//! phone puts its keys in the first request, as the sender then begins a new session at once; a
//! sender without them would resend in the session that just failed. After four requests it gives
//! up, because senders refuse the fifth.

use std::sync::Arc;

use tracing::debug;
use wacore_binary::{JidExt as _, Node};

use super::keys::{Bundle, OneTime, SIGNED_PREKEY_ID};
use super::receive::Envelope;
use super::{group, send, welcome};
use crate::account::{Account, DeviceRef};
use crate::group::Addressing;
use crate::keys::public;
use crate::net::{Net, QueueFull};
use crate::stanza::{self, Read as _, leaf, now, number, tag, three_bytes};

/// wacore 0.7.0: `MAX_RETRY_COUNT` is the first count that is refused.
const MAX_REQUESTS: u8 = wacore::protocol::retry::MAX_RETRY_COUNT - 1;

pub(super) fn key(envelope: &Envelope<'_>) -> String {
    format!("{}|{}", envelope.from.peer(), envelope.id)
}

/// Asks the sending device for the message again, with what it needs for a new session.
pub(super) fn ask(net: &Net, phone: &Arc<Account>, envelope: &Envelope<'_>) {
    let count = {
        let mut state = phone.state.lock();
        let count = state.retries.entry(key(envelope)).or_default();
        *count += 1;
        *count
    };
    if count > MAX_REQUESTS {
        debug!("A phone gave up on a message it cannot decrypt");
        return;
    }
    let retry = tag("retry")
        .attr("v", "1")
        .attr("id", envelope.id)
        .attr("t", now())
        .attr("count", u32::from(count))
        .build();
    let receipt = match envelope.group {
        Some(group) => group::receipt(phone, group),
        None => tag("receipt").attr("from", phone.jid_like(envelope.address, 0)),
    };
    let mut receipt = receipt.attr("id", envelope.id).attr("type", "retry").attr("t", now());
    if envelope.group.is_none() && Arc::ptr_eq(phone, &envelope.from.account) {
        // Its own device finds the message by the chat it was for.
        receipt = receipt.attr("recipient", envelope.chat.to_non_ad());
    }
    let registration = leaf("registration", phone.keys().registration.to_be_bytes());
    let receipt = receipt.children([retry, registration, keys_node(phone)]).build();
    // A device with a full queue reads nothing either way.
    let _ = net.push(&envelope.from.account, envelope.from.id, &receipt, net.journal.batch());
}

fn keys_node(phone: &Account) -> Node {
    let keys = phone.keys();
    let (id, one_time) = keys.new_one_time();
    let skey = tag("skey").children([
        leaf("id", three_bytes(SIGNED_PREKEY_ID)),
        leaf("value", public(&keys.signed)),
        leaf("signature", keys.signature),
    ]);
    tag("keys")
        .children([
            leaf("type", [5]),
            leaf("identity", keys.identity_public()),
            tag("key").children([leaf("id", three_bytes(id)), leaf("value", public(&one_time))]).build(),
            skey.build(),
        ])
        .build()
}

/// A companion could not decrypt what this phone sent: the same message in a new session.
pub(crate) async fn resend(net: &Arc<Net>, phone: &Arc<Account>, to: &DeviceRef, receipt: &Node) {
    let Some(retry) = receipt.get_optional_child("retry") else {
        return;
    };
    let id = retry.text("id").unwrap_or_default();
    let count = retry.text("count").and_then(|count| count.parse().ok()).unwrap_or(1);
    if count > MAX_REQUESTS {
        return;
    }
    let mut signal = phone.signal.lock().await;
    let Some((bundle, one_time)) = keys_of(net, to, receipt) else {
        return;
    };
    if let Err(error) = signal.begin(phone.keys(), &to.peer(), &bundle, one_time).await {
        debug!(%error, "A companion asked for a message with keys that do not work");
        return;
    }
    if let Some(part) = welcome::part_of(&id) {
        welcome::send(net, to, &mut signal, part, &id).await;
        return;
    }
    let is_by_lid = receipt.jid("to").is_some_and(|address| address.is_lid());
    let addressing = if is_by_lid { Addressing::Lid } else { Addressing::Pn };
    let Some(outgoing) = send::sent_to(phone, to, &id, addressing) else {
        debug!("A companion asked for a message that this phone did not send it");
        return;
    };
    let resent = if outgoing.chat.is_group() {
        group::resend(net, phone, &mut signal, to, &outgoing, count).await
    } else {
        send::to_device(net, phone, &mut signal, to, &outgoing, Some(count)).await
    };
    if let Err(QueueFull) = resent {
        debug!("A device with a full queue asks again when it has read some of it");
    }
}

/// The keys in the request, or those the network has of the device.
fn keys_of(net: &Net, device: &DeviceRef, receipt: &Node) -> Option<(Bundle, Option<OneTime>)> {
    if let Some(keys) = receipt.get_optional_child("keys") {
        let signed = keys.get_optional_child("skey")?;
        let bundle = Bundle {
            registration: number(receipt.content_of("registration")),
            identity: stanza::key(keys.content_of("identity"))?,
            signed_id: number(signed.content_of("id")),
            signed: stanza::key(signed.content_of("value"))?,
            signature: signed.content_of("signature").to_vec(),
        };
        let one_time = keys
            .get_optional_child("key")
            .and_then(|key| Some((number(key.content_of("id")), stanza::key(key.content_of("value"))?)));
        return Some((bundle, one_time));
    }
    let mut state = device.account.state.lock();
    let mut batch = net.journal.batch();
    let taken = device.account.take_bundle(&mut state, device.id, &mut batch);
    net.journal.append(batch);
    taken
}
