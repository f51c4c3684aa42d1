//! Questions about groups (`w:g2`), and wishes to change them.
//!
//! Shapes: wacore 0.7.0, src/iq/groups.rs. Membership is never subject to approval here, and there
//! are no communities: what asks for either is told that it is not implemented.

use std::sync::Arc;

use wacore::messages::MessageUtils;
use wacore_binary::{Jid, Node};

use super::{Answer, BAD_REQUEST, NOT_FOUND, Refusal, TOO_MANY};
use crate::account::{Account, DeviceRef};
use crate::group::act::{self, Act, New, Performed};
use crate::group::rules::No;
use crate::group::{Addressing, Group, State, node};
use crate::limits;
use crate::net::Net;
use crate::stanza::{Read as _, tag};

const NOT_IMPLEMENTED: Refusal = Refusal("501", "feature-not-implemented");

/// WhatsApp's codes, as clients know them: wacore 0.7.0, src/iq/groups.rs (joining, invites), and
/// whatsmeow's documentation (401 without the right, 403 outside of the group).
impl From<No> for Refusal {
    fn from(no: No) -> Self {
        match no {
            No::AlreadyIn => Self("304", "not-modified"),
            No::NotAdmin => Self("401", "not-authorized"),
            No::Outsider => Self("403", "forbidden"),
            No::Banned => Self("405", "not-allowed"),
            No::NotAcceptable | No::UnknownCode => Self("406", "not-acceptable"),
            No::Conflict => Self("409", "conflict"),
            No::Revoked => Self("410", "gone"),
            No::Full => Self("419", "resource-limit"),
            No::Announcements => Self("420", "not-allowed"),
            No::TooMany => TOO_MANY,
        }
    }
}

pub(super) fn answer(net: &Net, device: &DeviceRef, iq: &Node, kind: &str, child: Option<&Node>) -> Answer {
    let (Some(to), Some(asked)) = (iq.jid("to"), child) else {
        return Err(BAD_REQUEST);
    };
    let asker = &device.account;
    if to.user_base().is_empty() {
        return of_all(net, asker, kind, asked);
    }
    let group = net.group(&asker.book, &to).ok_or(NOT_FOUND)?;
    match (kind, &*asked.tag) {
        ("get", "query") => query(net, asker, &group, asked),
        ("get", "invite") => {
            let state = group.state.lock();
            state.rules(&asker.phone)?;
            Ok(vec![invite(&state)])
        }
        ("set", "invite") => {
            act::perform(net, &group, asker, Act::ResetInvite)?;
            Ok(vec![invite(&group.state.lock())])
        }
        ("set", "add") => change(net, &group, asker, asked, "add", Act::Add),
        ("set", "remove") => change(net, &group, asker, asked, "remove", Act::Remove),
        ("set", "promote") => change(net, &group, asker, asked, "promote", Act::Promote),
        ("set", "demote") => change(net, &group, asker, asked, "demote", Act::Demote),
        ("set", "ack") => Ok(Vec::new()),
        ("set", _) => {
            act::perform(net, &group, asker, setting(asked)?)?;
            Ok(Vec::new())
        }
        _ => Err(NOT_IMPLEMENTED),
    }
}

/// What is asked of `@g.us`, and not of one group.
fn of_all(net: &Net, asker: &Arc<Account>, kind: &str, asked: &Node) -> Answer {
    let code = || asked.text("code").map(|code| code.into_owned());
    match (kind, &*asked.tag) {
        ("get", "participating") => {
            let own = net.groups(&asker.book).into_iter().filter_map(|group| {
                let state = group.state.lock();
                state.is_in(&asker.phone).is_ok().then(|| node::whole(net, &group, &state))
            });
            Ok(vec![tag("groups").children(own).build()])
        }
        ("get", "query") => {
            let groups = asked.nodes().iter().filter_map(|asked| {
                let jid = asked.jid("jid")?;
                Some(one_of_many(net, asker, &jid))
            });
            Ok(vec![tag("groups").children(groups).build()])
        }
        ("get", "invite") => {
            let group = by_code(net, asker, &code().ok_or(BAD_REQUEST)?)?;
            let state = group.state.lock();
            Ok(vec![node::sketch(net, &group, &state)])
        }
        ("set", "invite") => {
            let code = code().ok_or(BAD_REQUEST)?;
            let group = by_code(net, asker, &code)?;
            act::perform(net, &group, asker, Act::Join { code })?;
            Ok(vec![tag("group").attr("jid", group.jid()).build()])
        }
        ("set", "create") => create(net, asker, asked),
        ("set", "leave") => {
            let left = asked.nodes().iter().map(|asked| leave(net, asker, asked));
            let left: Vec<Node> = left.collect::<Result<_, _>>()?;
            Ok(vec![tag("leave").children(left).build()])
        }
        _ => Err(NOT_IMPLEMENTED),
    }
}

/// A client that has the members already says so by their hash, and is told only if they changed.
fn query(net: &Net, asker: &Account, group: &Group, asked: &Node) -> Answer {
    let state = group.state.lock();
    state.is_in(&asker.phone)?;
    if let Some(known) = asked.text("phash") {
        let members: Vec<Jid> = state
            .members
            .iter()
            .filter_map(|member| net.account(&group.book, &member.phone))
            .map(|account| state.addressing.jid(&account, 0))
            .collect();
        if MessageUtils::participant_list_hash(&members).is_ok_and(|hash| hash == known) {
            return Ok(Vec::new());
        }
    }
    Ok(vec![node::whole(net, group, &state)])
}

fn one_of_many(net: &Net, asker: &Account, jid: &Jid) -> Node {
    let refused = |code: &'static str| tag("group").attr("id", jid.clone()).attr("error", code).build();
    let Some(group) = net.group(&asker.book, jid) else {
        return refused("404");
    };
    let state = group.state.lock();
    match state.is_in(&asker.phone) {
        Ok(()) => node::whole(net, &group, &state),
        Err(_) => refused("403"),
    }
}

fn by_code(net: &Net, asker: &Account, code: &str) -> Result<Arc<Group>, Refusal> {
    let groups = net.groups(&asker.book);
    if let Some(group) = groups.iter().find(|group| group.state.lock().invite == code) {
        return Ok(Arc::clone(group));
    }
    let was = groups.iter().any(|group| group.state.lock().knows_code(code) == Err(No::Revoked));
    Err(if was { No::Revoked } else { No::UnknownCode }.into())
}

fn invite(state: &State) -> Node {
    tag("invite").attr("code", state.invite.as_str()).build()
}

fn create(net: &Net, asker: &Arc<Account>, asked: &Node) -> Answer {
    let description = asked.get_optional_child("description").map(|description| {
        let id = description.text("id").unwrap_or_default().into_owned();
        (id, text(description.content_of("body")))
    });
    let new = New {
        subject: asked.text("subject").unwrap_or_default().into_owned(),
        description,
        participants: named(asked)?,
        addressing: Addressing::default(),
        members_add: asked.content_of("member_add_mode") != b"admin_add",
        ephemeral: asked.get_optional_child("ephemeral").map_or(Ok(0), expiration)?,
    };
    let (group, performed) = act::create(net, asker, new)?;
    let mut whole = node::whole(net, &group, &group.state.lock());
    // Who could not be added stands among the others, with the reason.
    let refused = outcomes(&performed, group.state.lock().addressing).into_iter();
    let refused = refused.filter(|participant| participant.attrs.get("error").is_some());
    if let Some(wacore_binary::NodeContent::Nodes(children)) = &mut whole.content {
        children.extend(refused);
    }
    Ok(vec![whole])
}

fn leave(net: &Net, asker: &Arc<Account>, asked: &Node) -> Result<Node, Refusal> {
    let id = asked.text("id").unwrap_or_default().into_owned();
    let jid = if id.contains('@') { asked.jid("id").ok_or(BAD_REQUEST)? } else { Jid::group(id.as_str()) };
    let group = net.group(&asker.book, &jid).ok_or(NOT_FOUND)?;
    act::perform(net, &group, asker, Act::Leave)?;
    Ok(tag("group").attr("id", jid).build())
}

fn change(
    net: &Net,
    group: &Group,
    asker: &Arc<Account>,
    asked: &Node,
    name: &'static str,
    act: impl FnOnce(Vec<Jid>) -> Act,
) -> Answer {
    let performed = act::perform(net, group, asker, act(named(asked)?))?;
    let addressing = group.state.lock().addressing;
    Ok(vec![tag(name).children(outcomes(&performed, addressing)).build()])
}

/// Participants by the name that the group uses, each with what became of it.
fn outcomes(performed: &Performed, addressing: Addressing) -> Vec<Node> {
    let node = |outcome: &act::Outcome| {
        let mut node = tag("participant");
        node = match &outcome.account {
            Some(account) => {
                let named = node.attr("jid", addressing.jid(account, 0));
                match addressing {
                    Addressing::Lid => named.attr("phone_number", Jid::pn(account.phone.as_str())),
                    Addressing::Pn => named,
                }
            }
            None => node.attr("jid", outcome.asked.clone()),
        };
        match outcome.code {
            Some(code) => node.attr("error", code.to_string()).build(),
            None => node.build(),
        }
    };
    performed.outcomes.iter().map(node).collect()
}

fn setting(asked: &Node) -> Result<Act, Refusal> {
    Ok(match &*asked.tag {
        "subject" => Act::Rename(text(asked.content())),
        "description" => {
            let is_gone = asked.text("delete").is_some_and(|delete| delete == "true");
            Act::Describe {
                id: asked.text("id").unwrap_or_default().into_owned(),
                text: (!is_gone).then(|| text(asked.content_of("body"))),
                previous: asked.text("prev").map(|previous| previous.into_owned()),
            }
        }
        "announcement" => Act::Announce(true),
        "not_announcement" => Act::Announce(false),
        "locked" => Act::Lock(true),
        "unlocked" => Act::Lock(false),
        "ephemeral" => Act::Ephemeral(expiration(asked)?),
        "not_ephemeral" => Act::Ephemeral(0),
        "member_add_mode" => Act::MembersAdd(asked.content() == b"all_member_add"),
        _ => return Err(NOT_IMPLEMENTED),
    })
}

fn expiration(ephemeral: &Node) -> Result<u32, Refusal> {
    let seconds = ephemeral.text("expiration").ok_or(BAD_REQUEST)?;
    seconds.parse().map_err(|_| BAD_REQUEST)
}

fn named(asked: &Node) -> Result<Vec<Jid>, Refusal> {
    let named: Vec<Jid> = asked
        .nodes()
        .iter()
        .filter(|child| child.tag == "participant")
        .filter_map(|participant| participant.jid("jid"))
        .collect();
    if named.len() > limits::PARTICIPANTS_PER_CHANGE { Err(BAD_REQUEST) } else { Ok(named) }
}

fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(content).into_owned()
}
