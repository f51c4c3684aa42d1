//! Typing and recording, from whoever does it to whoever is online to see it.
//!
//! Nothing of it is queued: who is away misses it, as on WhatsApp. In a group every member sees who it
//! is. Shapes: wacore 0.7.0, src/iq/chatstate.rs.

use wacore_binary::{Jid, JidExt as _, Node};

use crate::account::{Account, DeviceRef, State};
use crate::group::Group;
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
    if to.is_group() {
        if let Some(group) = net.group(&from.account.book, &to) {
            show_in_group(net, &from.account, &group, typing);
        }
    } else if let Some(target) = net.resolve(&from.account.book, &to) {
        show(&from.account, &target, &to, typing);
    }
}

/// Shows to one account what another does in their chat.
pub(crate) fn show(from: &Account, to: &Account, like: &Jid, typing: Typing) {
    if from.phone == to.phone || to.has_blocked(from) {
        return;
    }
    let stanza = tag("chatstate").attr("from", from.jid_like(like, 0)).children([child(typing)]).build();
    let mut state = to.state.lock();
    state.person.typing.insert(from.phone.clone(), typing);
    tell(&state, &stanza);
}

/// Shows to the others in a group what a member does there; who may not write there does nothing.
pub(crate) fn show_in_group(net: &Net, from: &Account, group: &Group, typing: Typing) {
    let state = group.state.lock();
    if state.may_write(&from.phone).is_err() {
        return;
    }
    let stanza = tag("chatstate")
        .attr("from", group.jid())
        .attr("participant", state.addressing.jid(from, 0))
        .children([child(typing)])
        .build();
    let group_id = group.jid().to_string();
    for member in group.accounts(net, &state).iter().filter(|member| member.phone != from.phone) {
        let mut shown = member.state.lock();
        let of_typist = shown.person.typing_in_groups.entry(from.phone.clone()).or_default();
        of_typist.insert(group_id.clone(), typing);
        tell(&shown, &stanza);
    }
}

fn child(typing: Typing) -> Node {
    match typing {
        Typing::Composing => tag("composing").build(),
        Typing::Recording => tag("composing").attr("media", "audio").build(),
        Typing::Paused => tag("paused").build(),
    }
}

/// Tells the devices that say they are online.
fn tell(state: &State, stanza: &Node) {
    for conn in state.devices.values().filter_map(|device| device.connection.as_ref()) {
        if conn.shows_itself() {
            conn.send(stanza);
        }
    }
}
