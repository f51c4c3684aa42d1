//! A change in a group, from the wish to the announcement.

use std::collections::VecDeque;
use std::sync::Arc;

use wacore_binary::Jid;

use super::news::News;
use super::rules::{self, Code, No, PRIVATE, UNKNOWN};
use super::{Addressing, Description, Group, Member, Role, Said, State, node};
use crate::account::Account;
use crate::journal::Seq;
use crate::net::Net;
use crate::stanza::{now, tag};

/// A wish of one member, or of somebody who would like to be one.
pub(crate) enum Act {
    Add(Vec<Jid>),
    Remove(Vec<Jid>),
    Promote(Vec<Jid>),
    Demote(Vec<Jid>),
    Leave,
    Join {
        code: String,
    },
    Rename(String),
    /// With a new id, and the id that who asks has seen.
    Describe {
        id: String,
        text: Option<String>,
        previous: Option<String>,
    },
    Announce(bool),
    Lock(bool),
    MembersAdd(bool),
    Ephemeral(u32),
    ResetInvite,
}

/// What became of each participant that a wish named, in its order.
pub(crate) struct Outcome {
    pub asked: Jid,
    pub account: Option<Arc<Account>>,
    pub code: Option<Code>,
}

/// What was done; durable once the journal committed `seq`.
pub(crate) struct Performed {
    pub outcomes: Vec<Outcome>,
    pub seq: Seq,
}

/// A group to be made.
pub(crate) struct New {
    pub subject: String,
    /// Its id and its text.
    pub description: Option<(String, String)>,
    pub participants: Vec<Jid>,
    pub addressing: Addressing,
    pub members_add: bool,
    pub ephemeral: u32,
}

/// Makes a group of whom `by` names, and of `by`.
pub(crate) fn create(net: &Net, by: &Arc<Account>, new: New) -> Result<(Arc<Group>, Performed), No> {
    rules::fits(&new.subject, rules::SUBJECT_CHARS)?;
    let at = now();
    let said = |text: String| Said { text, by: by.phone.clone(), at };
    let mut state = State {
        addressing: new.addressing,
        subject: said(new.subject),
        description: None,
        creator: by.phone.clone(),
        created: at,
        members: vec![Member { phone: by.phone.clone(), role: Role::Owner }],
        announce: false,
        locked: false,
        members_add: new.members_add,
        ephemeral: new.ephemeral,
        invite: new_invite(),
        revoked: VecDeque::new(),
        banned: VecDeque::new(),
    };
    if let Some((id, text)) = new.description {
        state.describe(Some(Description { id, said: said(text) }), None)?;
    }
    let outcomes = each(net, by, new.participants, |account| add(&mut state, account));
    let group = net.add_group(&by.book, state)?;
    let state = group.state.lock();
    let mut batch = net.journal.batch();
    group.save(&state, &mut batch);
    let seq = net.journal.append(batch);
    let create = tag("create").attr("type", "new").children([node::whole(net, &group, &state)]).build();
    let seq = News::All(create).tell(net, &group, &state, by).max(seq);
    drop(state);
    Ok((group, Performed { outcomes, seq }))
}

/// Does what a member wishes, if the rules allow it.
pub(crate) fn perform(net: &Net, group: &Group, by: &Arc<Account>, act: Act) -> Result<Performed, No> {
    let mut state = group.state.lock();
    let done = |outcomes| Performed { outcomes, seq: 0 };
    let mut performed = done(Vec::new());
    let mut news: Vec<News> = Vec::new();
    match act {
        Act::Add(who) => {
            state.may_add(&by.phone)?;
            performed = done(each(net, by, who, |account| add(&mut state, account)));
            news.extend(News::came(performed.changed(), None));
        }
        Act::Remove(who) => {
            state.rules(&by.phone)?;
            performed = done(each(net, by, who, |account| state.remove(&account.phone)));
            news.extend(News::about("remove", performed.changed(), Role::Member));
        }
        Act::Promote(who) => {
            state.rules(&by.phone)?;
            performed = done(each(net, by, who, |account| state.set_role(&account.phone, Role::Admin)));
            news.extend(News::about("promote", performed.changed(), Role::Admin));
        }
        Act::Demote(who) => {
            state.rules(&by.phone)?;
            performed = done(each(net, by, who, |account| state.set_role(&account.phone, Role::Member)));
            news.extend(News::about("demote", performed.changed(), Role::Member));
        }
        Act::Leave => {
            state.is_in(&by.phone)?;
            let heir = state.leave(&by.phone);
            news.extend(News::about("remove", vec![Arc::clone(by)], Role::Member));
            let heir = heir.and_then(|phone| net.account(&group.book, &phone));
            news.extend(News::about("promote", Vec::from_iter(heir), Role::Admin));
        }
        Act::Join { code } => {
            state.join(&by.phone, &code)?;
            news.extend(News::came(vec![Arc::clone(by)], Some("invite")));
        }
        Act::Rename(text) => {
            state.may_edit(&by.phone)?;
            state.rename(Said { text, by: by.phone.clone(), at: now() })?;
            let subject = tag("subject")
                .attr("subject", state.subject.text.as_str())
                .attr("s_t", state.subject.at)
                .attr("s_o", state.addressing.jid(by, 0));
            news.push(News::All(subject.build()));
        }
        Act::Describe { id, text, previous } => {
            state.may_edit(&by.phone)?;
            let said = text.map(|text| Said { text, by: by.phone.clone(), at: now() });
            let new = said.clone().map(|said| Description { id: id.clone(), said });
            state.describe(new, previous.as_deref())?;
            news.push(News::All(match said {
                Some(said) => node::description_node(net, group, state.addressing, &id, &said),
                None => tag("description").attr("id", id).children([tag("delete").build()]).build(),
            }));
        }
        Act::Announce(on) => {
            state.rules(&by.phone)?;
            state.announce = on;
            news.push(News::All(tag(if on { "announcement" } else { "not_announcement" }).build()));
        }
        Act::Lock(on) => {
            state.rules(&by.phone)?;
            state.locked = on;
            news.push(News::All(tag(if on { "locked" } else { "unlocked" }).build()));
        }
        Act::MembersAdd(on) => {
            state.rules(&by.phone)?;
            state.members_add = on;
            news.push(News::All(node::add_mode(on)));
        }
        Act::Ephemeral(seconds) => {
            state.may_edit(&by.phone)?;
            state.ephemeral = seconds;
            news.push(News::All(match seconds {
                0 => tag("not_ephemeral").build(),
                seconds => tag("ephemeral").attr("expiration", seconds).build(),
            }));
        }
        Act::ResetInvite => {
            state.rules(&by.phone)?;
            state.reset_invite(new_invite());
            news.push(News::Admins(tag("invite").attr("code", state.invite.as_str()).build()));
        }
    }
    let mut batch = net.journal.batch();
    group.save(&state, &mut batch);
    performed.seq = net.journal.append(batch);
    for news in news {
        performed.seq = performed.seq.max(news.tell(net, group, &state, by));
    }
    if state.members.is_empty() {
        net.forget_group(group);
    }
    Ok(performed)
}

fn add(state: &mut State, account: &Account) -> Result<(), Code> {
    if state.member(&account.phone).is_none() && account.state.lock().faults.is_private {
        return Err(PRIVATE);
    }
    state.add(&account.phone)
}

/// Applies a change to each that exists.
fn each(
    net: &Net,
    by: &Account,
    who: Vec<Jid>,
    mut change: impl FnMut(&Arc<Account>) -> Result<(), Code>,
) -> Vec<Outcome> {
    who.into_iter()
        .map(|asked| {
            let account = net.resolve(&by.book, &asked);
            let code = account.as_ref().map_or(Err(UNKNOWN), &mut change).err();
            Outcome { asked, account, code }
        })
        .collect()
}

impl Performed {
    fn changed(&self) -> Vec<Arc<Account>> {
        let changed = self.outcomes.iter().filter(|outcome| outcome.code.is_none());
        changed.filter_map(|outcome| outcome.account.clone()).collect()
    }
}

/// Twenty-two letters and digits, as WhatsApp's codes have.
fn new_invite() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..22).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect()
}
