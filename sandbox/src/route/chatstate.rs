//! Typing and recording, from whoever does it to whoever is online to see it.
//!
//! Nothing of it is queued: who is away misses it, as on WhatsApp. Shapes: wacore 0.7.0,
//! src/iq/chatstate.rs.

use wacore_binary::{Jid, Node};

use crate::account::{Account, DeviceRef};
use crate::net::Net;
use crate::person::Typing;
use crate::stanza::{Read as _, tag};

pub(crate) fn handle(net: &Net, from: &DeviceRef, chatstate: &Node) {
    let (Some(to), Some(child)) = (chatstate.jid("to"), chatstate.nodes().first()) else { return };
    let typing = match &*child.tag {
        "composing" if child.text("media").is_some_and(|media| media == "audio") => Typing::Recording,
        "composing" => Typing::Composing,
        _ => Typing::Paused,
    };
    if let Some(target) = net.resolve(&from.account.book, &to) {
        show(&from.account, &target, &to, typing);
    }
}

/// Shows to one account what another does in their chat.
pub(crate) fn show(from: &Account, to: &Account, like: &Jid, typing: Typing) {
    if from.phone == to.phone || to.has_blocked(from) {
        return;
    }
    let child = match typing {
        Typing::Composing => tag("composing"),
        Typing::Recording => tag("composing").attr("media", "audio"),
        Typing::Paused => tag("paused"),
    };
    let stanza = tag("chatstate").attr("from", from.jid_like(like, 0)).children([child.build()]).build();
    let mut state = to.state.lock();
    state.person.typing.insert(from.phone.clone(), typing);
    for conn in state.devices.values().filter_map(|device| device.connection.as_ref()) {
        if conn.shows_itself() {
            conn.send(&stanza);
        }
    }
}
