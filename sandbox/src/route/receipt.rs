//! Receipts: what a device tells about messages it got.
//!
//! A receipt also takes the message out of the device's queue, except a request to send it again
//! (whatsapp-rust 0.7.0, src/message/retry.rs: the retry alone does not clear it, the ack does).

use std::sync::Arc;

use wacore_binary::{JidExt as _, Node};

use super::group;
use crate::account::DeviceRef;
use crate::conn::Conn;
use crate::net::Net;
use crate::outbox::Class;
use crate::phone::{retry, reupload, ticks};
use crate::stanza::{self, Read as _, now, tag};

pub(crate) async fn handle(net: &Arc<Net>, conn: &Conn, from: &DeviceRef, receipt: &Node) {
    let (Some(id), Some(to)) = (receipt.text("id"), receipt.jid("to")) else {
        return;
    };
    let kind = receipt.text("type");
    let is_retry = kind.as_deref() == Some("retry");
    if !is_retry {
        let others = receipt.get_optional_child("list").map_or(&[][..], |list| list.nodes());
        net.acknowledge(from, Class::Message, &id);
        for id in others.iter().filter_map(|item| item.text("id")) {
            net.acknowledge(from, Class::Message, &id);
        }
    }

    if kind.as_deref() == Some("server-error") {
        // Whatever device it names: what the host no longer has, the phone may have.
        reupload::answer(net, from, receipt);
    } else if to.is_group() {
        group::receipt(net, from, receipt, &to).await;
    } else if let Some(target) = net.resolve(&from.account.book, &to) {
        if is_retry && to.device == 0 {
            retry::resend(net, &target, from, receipt).await;
        } else if to.device != 0 {
            let forwarded = forwarded(from, receipt, &to);
            // Receipts may be lost: the next one says the same.
            let _ = net.push(&target, to.device, &forwarded, net.journal.batch());
        } else if !Arc::ptr_eq(&target, &from.account) {
            ticks::hear(net, &target, from, receipt);
            net.push_to_all(&target, None, &forwarded(from, receipt, &to), net.journal.batch());
        }
    }

    let mut ack = tag("ack").attr("class", "receipt").attr("id", &*id).attr("from", to);
    if let Some(kind) = kind {
        ack = ack.attr("type", &*kind);
    }
    let seq = net.journal.append(net.journal.batch());
    conn.send_after(seq, stanza::encode(&ack.build()));
}

fn forwarded(from: &DeviceRef, receipt: &Node, to: &wacore_binary::Jid) -> Node {
    let mut forwarded = tag("receipt")
        .attr("from", from.jid_like(to))
        .attr("id", receipt.text("id").unwrap_or_default().into_owned())
        .attr("t", now());
    for name in ["type", "category"] {
        if let Some(value) = receipt.text(name) {
            forwarded = forwarded.attr(name, value.into_owned());
        }
    }
    if let Some(recipient) = receipt.jid("recipient") {
        forwarded = forwarded.attr("recipient", recipient);
    }
    forwarded.apply_content(receipt.content.clone()).build()
}
