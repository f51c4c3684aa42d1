//! What others' devices said of this phone's messages: delivered, read, played.
//!
//! A phone shows the furthest of each reader; it only advances, as ticks on a screen do.

use serde::{Deserialize, Serialize};
use wacore_binary::{Jid, Node};

use super::chats::Shown;
use super::group::{self, InGroup};
use crate::account::{Account, DeviceRef};
use crate::net::Net;
use crate::stanza::{Read as _, now, tag};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tick {
    Delivered,
    Read,
    Played,
}

impl Tick {
    pub(crate) fn of(kind: Option<&str>) -> Option<Self> {
        match kind {
            None | Some("inactive") => Some(Self::Delivered),
            Some("read") => Some(Self::Read),
            Some("played") => Some(Self::Played),
            // Retries, peers' own business, and reads that the reader keeps to themselves.
            _ => None,
        }
    }
}

/// A device's receipt for messages that this phone sent.
pub(crate) fn hear(net: &Net, phone: &Account, from: &DeviceRef, receipt: &Node) {
    let Some(tick) = Tick::of(receipt.text("type").as_deref()) else { return };
    let others = receipt.get_optional_child("list").map_or(&[][..], |list| list.nodes());
    let first = receipt.text("id");
    let ids = first.into_iter().chain(others.iter().filter_map(|item| item.text("id")));
    let mut batch = net.journal.batch();
    let mut chats = phone.chats.lock();
    for id in ids {
        chats.tick(phone, &id, &from.account.phone, tick, &mut batch);
    }
    net.journal.append(batch);
}

/// The account's own devices hear that its owner read or played something on the phone.
pub(super) fn tell_own(
    net: &Net,
    phone: &Account,
    shown: &Shown,
    group: Option<InGroup<'_>>,
    kind: &'static str,
) {
    let receipt = match group {
        Some(group) => group::receipt(phone, group),
        None => {
            let sender = net.account(&phone.book, &shown.message.from);
            let sender = sender.map(|sender| sender.name_for(phone));
            tag("receipt")
                .attr("from", Jid::pn(phone.phone.as_str()))
                .attr("recipient", sender.unwrap_or_else(|| Jid::pn(shown.message.from.as_str())))
        }
    };
    let receipt = receipt.attr("id", shown.message.id.as_str()).attr("type", kind).attr("t", now()).build();
    net.push_to_all(phone, None, &receipt, net.journal.batch());
}
