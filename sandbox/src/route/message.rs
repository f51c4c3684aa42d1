//! A message from a device: one envelope for each device it is meant for.
//!
//! The network cannot read it and only sorts the envelopes (research/sandbox-protocol.md,
//! section 2). Phones open theirs here, before the sender is acknowledged: an acknowledged message
//! is on the phone or in the queue of a device, and stays there through a crash.
//!
//! A message to another spelling of somebody's number is acknowledged like any other and reaches nobody, as
//! users of WhatsApp report: the address is the one that a look-up answers with.

use std::sync::Arc;

use wacore_binary::{Jid, JidExt as _, Node};

use super::group;
use crate::account::{Account, DeviceRef};
use crate::conn::Conn;
use crate::net::{Net, QueueFull};
use crate::phone::receive::{self, Envelope};
use crate::stanza::{self, Read as _, now, now_ms, tag};

/// The sender lacks a token for this recipient, in WhatsApp's words.
const REACH_OUT_REFUSED: &str = "463";
/// The sender has begun as many chats as it may.
const NEW_CHATS_CAPPED: &str = "475";
pub(super) const NOT_FOUND: &str = "404";
pub(super) const UNAVAILABLE: &str = "503";

pub(crate) async fn handle(net: &Arc<Net>, conn: &Arc<Conn>, from: &DeviceRef, message: &Node) {
    let (Some(id), Some(to)) = (message.text("id"), message.jid("to")) else {
        return;
    };
    if let Some(code) = refusal(net, from, &to) {
        conn.send(&ack(&id, &to, Some(code)));
        return;
    }
    if to.is_group() {
        // Members read each other, whomever they blocked.
        let refused = group::message(net, from, message, &to).await.err();
        acknowledge(net, conn, from, ack(&id, &to, refused));
        return;
    }
    let recipient = message.jid("recipient");
    let mut error = Some(NOT_FOUND).filter(|_| !is_misspelled(net, from, &to));
    for (address, sealed) in envelopes(message, &to) {
        let Some(target) = net.resolve(&from.account.book, &address) else {
            continue;
        };
        if error == Some(NOT_FOUND) {
            error = None;
        }
        if target.has_blocked(&from.account) {
            continue;
        }
        if address.device == 0 {
            let envelope = Envelope {
                from,
                id: &id,
                chat: recipient.as_ref().unwrap_or(&to),
                group: None,
                address: &address,
                kind: &sealed.text("type").unwrap_or_default(),
                ciphertext: sealed.content(),
            };
            receive::receive(net, &target, envelope).await;
        } else if let Err(QueueFull) = forward(net, from, &target, &address, sealed, message, &to) {
            error = Some(UNAVAILABLE);
        }
    }
    acknowledge(net, conn, from, ack(&id, &to, error));
}

/// Why nothing of this message goes anywhere, not even to the sender's own phone.
fn refusal(net: &Net, from: &DeviceRef, to: &Jid) -> Option<&'static str> {
    let restricted = {
        let faults = &mut from.account.state.lock().faults;
        if faults.nacks_message() {
            return Some(REACH_OUT_REFUSED);
        }
        let now_ms = now_ms();
        let timelock = faults.timelock(now_ms).map(|_| REACH_OUT_REFUSED);
        timelock.or_else(|| faults.new_chat_cap(now_ms).map(|_| NEW_CHATS_CAPPED))
    };
    if !to.is_pn() && !to.is_lid() {
        return None;
    }
    let Some(addressee) = net.resolve(&from.account.book, to) else {
        return Some(NOT_FOUND).filter(|_| !is_misspelled(net, from, to));
    };
    let is_warm =
        Arc::ptr_eq(&addressee, &from.account) || from.account.chats.lock().has_written(&addressee.phone);
    restricted.filter(|_| !is_warm)
}

/// Is it a number under which a look-up finds somebody whose address is another?
fn is_misspelled(net: &Net, from: &DeviceRef, to: &Jid) -> bool {
    let book = &from.account.book;
    to.is_pn() && net.resolve(book, to).is_none() && net.look_up(book, to.user_base()).is_some()
}

/// Each address with its `<enc>`: those under `<participants>`, or the one beside it, which is for
/// the addressee itself (peer messages and resent ones).
fn envelopes<'a>(
    message: &'a Node,
    to: &'a Jid,
) -> impl Iterator<Item = (std::borrow::Cow<'a, Jid>, &'a Node)> {
    use std::borrow::Cow;
    message.nodes().iter().flat_map(move |child| match &*child.tag {
        "participants" => child
            .nodes()
            .iter()
            .filter_map(|participant| {
                Some((Cow::Owned(participant.jid("jid")?), participant.get_optional_child("enc")?))
            })
            .collect(),
        "enc" => vec![(Cow::Borrowed(to), child)],
        _ => Vec::new(),
    })
}

/// What the addressed companion sees. The sender's address is in the namespace the sender used for
/// the recipient, the other one is beside it.
fn forward(
    net: &Net,
    from: &DeviceRef,
    target: &Arc<Account>,
    address: &Jid,
    sealed: &Node,
    message: &Node,
    to: &Jid,
) -> Result<(), QueueFull> {
    let name = from.account.state.lock().name.clone();
    let copied = |name: &str| message.text(name).map(|value| value.into_owned());
    let mut forwarded = tag("message")
        .attr("from", from.jid_like(address))
        .attr("id", copied("id").unwrap_or_default())
        .attr("type", copied("type").unwrap_or_else(|| "text".to_owned()))
        .attr("t", now())
        .attr("notify", name);
    forwarded = if address.is_lid() {
        let number = Jid::pn_device(from.account.phone.as_str(), from.id);
        forwarded.attr("sender_pn", number).attr("addressing_mode", "lid")
    } else {
        forwarded.attr("sender_lid", Jid::lid_device(from.account.lid.as_str(), from.id))
    };
    let category = copied("category");
    let is_own = Arc::ptr_eq(target, &from.account);
    if is_own && category.as_deref() != Some("peer") {
        let recipient = message.jid("recipient").unwrap_or_else(|| to.to_non_ad());
        forwarded = forwarded.attr("recipient", recipient);
    }
    if let Some(category) = category {
        forwarded = forwarded.attr("category", category);
    }
    if let Some(edit) = copied("edit") {
        forwarded = forwarded.attr("edit", edit);
    }
    let mut sealed = sealed.clone();
    if target.state.lock().faults.corrupts_delivery() {
        corrupt(&mut sealed);
    }
    let opens_session = sealed.text("type").is_some_and(|kind| kind == "pkmsg");
    let identity = message.get_optional_child("device-identity").filter(|_| opens_session);
    let about = message.get_optional_child("meta");
    let beside = [identity, about].into_iter().flatten().cloned();
    let forwarded = forwarded.children(std::iter::once(sealed).chain(beside)).build();
    net.push(target, address.device, &forwarded, net.journal.batch()).map(|_| ())
}

/// How far from its end every kind of envelope is still authenticated: a plain one ends with its
/// MAC of 8 bytes, one that opens a session has up to 11 bytes of key ids after it.
const AUTHENTICATED: usize = 12;

/// Spoils an envelope so that it parses and does not authenticate.
pub(crate) fn corrupt(sealed: &mut Node) {
    if let Some(wacore_binary::NodeContent::Bytes(bytes)) = &mut sealed.content
        && let Some(at) = bytes.len().checked_sub(AUTHENTICATED)
    {
        bytes[at] ^= 0xff;
    }
}

fn acknowledge(net: &Arc<Net>, conn: &Arc<Conn>, from: &DeviceRef, ack: Node) {
    let delay = {
        let mut state = from.account.state.lock();
        if state.faults.swallows_ack() {
            return;
        }
        state.faults.slow_ack
    };
    let seq = net.journal.append(net.journal.batch());
    let ack = stanza::encode(&ack);
    match delay {
        None => conn.send_after(seq, ack),
        Some(delay) => {
            let conn = Arc::clone(conn);
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                conn.send_after(seq, ack);
            });
        }
    }
}

fn ack(id: &str, to: &Jid, error: Option<&'static str>) -> Node {
    let ack = tag("ack").attr("class", "message").attr("id", id).attr("from", to.clone()).attr("t", now());
    match error {
        Some(error) => ack.attr("error", error).build(),
        None => ack.build(),
    }
}
