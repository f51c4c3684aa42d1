//! How WhatsApp writes a group and what happened to it.
//!
//! Shapes: wacore 0.7.0, src/iq/groups.rs (`GroupInfoResponse`) and src/stanza/groups.rs
//! (`GroupNotification`), and what Baileys 7 reads of them.

use wacore_binary::{Jid, Node};

use super::{Addressing, Group, Role, Said, State};
use crate::account::Account;
use crate::net::Net;
use crate::stanza::{leaf, now, tag};

/// The group as its members see it.
pub(crate) fn whole(net: &Net, group: &Group, state: &State) -> Node {
    let members = state.members.iter().map(|member| (member.phone.as_str(), member.role));
    of(net, group, state, participants(net, group, state.addressing, members))
}

/// The group as who holds its link sees it: not who is in it.
pub(crate) fn sketch(net: &Net, group: &Group, state: &State) -> Node {
    of(net, group, state, Vec::new())
}

/// `<participant jid=… type=…>` for those of these phones that exist.
pub(crate) fn participants<'a>(
    net: &Net,
    group: &Group,
    addressing: Addressing,
    phones: impl Iterator<Item = (&'a str, Role)>,
) -> Vec<Node> {
    phones
        .filter_map(|(phone, role)| {
            let account = net.account(&group.book, phone)?;
            let node = tag("participant").attr("jid", addressing.jid(&account, 0));
            let node = match addressing {
                Addressing::Pn => node.attr("lid", Jid::lid(account.lid.as_str())),
                Addressing::Lid => node.attr("phone_number", Jid::pn(account.phone.as_str())),
            };
            Some(match role {
                Role::Member => node.build(),
                Role::Admin => node.attr("type", "admin").build(),
                Role::Owner => node.attr("type", "superadmin").build(),
            })
        })
        .collect()
}

fn of(net: &Net, group: &Group, state: &State, participants: Vec<Node>) -> Node {
    let mut node = tag("group")
        .attr("id", group.id.as_str())
        .attr("subject", state.subject.text.as_str())
        .attr("s_t", state.subject.at)
        .attr("creation", state.created)
        .attr("addressing_mode", state.addressing.word())
        .attr("size", state.members.len() as u64);
    if let Some(creator) = net.account(&group.book, &state.creator) {
        node = node.attr("creator", state.addressing.jid(&creator, 0));
        if state.addressing == Addressing::Lid {
            node = node.attr("creator_pn", Jid::pn(creator.phone.as_str()));
        }
    }
    if let Some(by) = net.account(&group.book, &state.subject.by) {
        node = node.attr("s_o", state.addressing.jid(&by, 0));
        if state.addressing == Addressing::Lid {
            node = node.attr("s_o_pn", Jid::pn(by.phone.as_str()));
        }
    }
    let mut children = participants;
    if state.locked {
        children.push(tag("locked").build());
    }
    if state.announce {
        children.push(tag("announcement").build());
    }
    if state.ephemeral > 0 {
        children.push(tag("ephemeral").attr("expiration", state.ephemeral).build());
    }
    children.push(add_mode(state.members_add));
    if let Some(description) = &state.description {
        let said = description_node(net, group, state.addressing, &description.id, &description.said);
        children.push(said);
    }
    node.children(children).build()
}

pub(crate) fn add_mode(members_add: bool) -> Node {
    let mode = if members_add { "all_member_add" } else { "admin_add" };
    tag("member_add_mode").string_content(mode).build()
}

pub(crate) fn description_node(
    net: &Net,
    group: &Group,
    addressing: Addressing,
    id: &str,
    said: &Said,
) -> Node {
    let mut node = tag("description").attr("id", id).attr("t", said.at);
    if let Some(by) = net.account(&group.book, &said.by) {
        node = node.attr("participant", addressing.jid(&by, 0));
        if addressing == Addressing::Lid {
            node = node.attr("participant_pn", Jid::pn(by.phone.as_str()));
        }
    }
    node.children([leaf("body", said.text.as_bytes())]).build()
}

/// What members' devices hear of a change that `by` made.
pub(crate) fn notification(
    net: &Net,
    group: &Group,
    addressing: Addressing,
    by: &Account,
    change: Node,
) -> Node {
    tag("notification")
        .attr("from", group.jid())
        .attr("type", "w:gp2")
        .attr("id", net.stanza_id())
        .attr("t", now())
        .attr("participant", addressing.jid(by, 0))
        .attr(addressing.other_attribute(), addressing.other(by, 0))
        .attr("addressing_mode", addressing.word())
        .attr("notify", by.state.lock().name.clone())
        .children([change])
        .build()
}
