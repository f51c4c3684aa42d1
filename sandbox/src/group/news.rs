//! What members are told of a change.
//!
//! Every device of every member hears of it, also the one that asked for it, as from WhatsApp; who
//! was sent away hears it too, and who came gets the whole group.

use std::sync::Arc;

use wacore_binary::Node;

use super::{Group, Role, State, node};
use crate::account::Account;
use crate::journal::Seq;
use crate::net::Net;
use crate::stanza::tag;

/// What is to be told of a change, and to whom.
pub(super) enum News {
    All(Node),
    Admins(Node),
    /// To all, and to those whom it is about.
    People {
        what: &'static str,
        who: Vec<Arc<Account>>,
        role: Role,
    },
    /// To those who were in the group that others came, to those what they came into.
    Came {
        who: Vec<Arc<Account>>,
        reason: Option<&'static str>,
    },
}

impl News {
    /// These came, if there are any.
    pub(super) fn came(who: Vec<Arc<Account>>, reason: Option<&'static str>) -> Option<Self> {
        (!who.is_empty()).then_some(Self::Came { who, reason })
    }

    /// This happened to these, if there are any, who are of this role now.
    pub(super) fn about(what: &'static str, who: Vec<Arc<Account>>, role: Role) -> Option<Self> {
        (!who.is_empty()).then_some(Self::People { what, who, role })
    }

    pub(super) fn tell(self, net: &Net, group: &Group, state: &State, by: &Account) -> Seq {
        let people = |who: &[Arc<Account>], role| {
            let phones = who.iter().map(|account| (account.phone.as_str(), role));
            node::participants(net, group, state.addressing, phones)
        };
        match self {
            Self::All(node) => announce(net, group, state, by, &node, |_| true),
            Self::Admins(node) => announce(net, group, state, by, &node, |role| role != Role::Member),
            Self::People { what, who, role } => {
                let node = tag(what).children(people(&who, role)).build();
                let seq = announce(net, group, state, by, &node, |_| true);
                let gone = who.iter().filter(|account| state.member(&account.phone).is_none());
                let notification = node::notification(net, group, state.addressing, by, node);
                gone.map(|account| net.push_to_all(account, None, &notification, net.journal.batch()))
                    .fold(seq, Seq::max)
            }
            Self::Came { who, reason } => {
                let mut add = tag("add");
                let mut create = tag("create");
                if let Some(reason) = reason {
                    (add, create) = (add.attr("reason", reason), create.attr("reason", reason));
                }
                let add = node::notification(
                    net,
                    group,
                    state.addressing,
                    by,
                    add.children(people(&who, Role::Member)).build(),
                );
                let create = create.children([node::whole(net, group, state)]).build();
                let create = node::notification(net, group, state.addressing, by, create);
                let is_new = |phone: &str| who.iter().any(|account| account.phone == phone);
                to_members(net, group, state, |_| true, |phone| if is_new(phone) { &create } else { &add })
            }
        }
    }
}

fn announce(
    net: &Net,
    group: &Group,
    state: &State,
    by: &Account,
    change: &Node,
    hears: impl Fn(Role) -> bool,
) -> Seq {
    let notification = node::notification(net, group, state.addressing, by, change.clone());
    to_members(net, group, state, hears, |_| &notification)
}

fn to_members<'a>(
    net: &Net,
    group: &Group,
    state: &State,
    hears: impl Fn(Role) -> bool,
    what: impl Fn(&str) -> &'a Node,
) -> Seq {
    let members = state.members.iter().filter(|member| hears(member.role));
    members
        .filter_map(|member| net.account(&group.book, &member.phone))
        .map(|account| net.push_to_all(&account, None, what(&account.phone), net.journal.batch()))
        .fold(0, Seq::max)
}
