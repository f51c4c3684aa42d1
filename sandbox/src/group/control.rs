//! Groups from outside: what the owners of phones do with them.
//!
//! The same words in this process and towards a sandbox elsewhere (`remote`). Who acts is always a
//! phone, and the group's rules hold for it as for a linked device.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wacore_binary::{Jid, JidExt as _};

use super::act::{self, Act, New, Performed};
use super::{Addressing, Group, Role};
use crate::error::SandboxError;
use crate::limits;
use crate::net::Net;
use crate::network::Network;
use crate::sandbox::Sandbox;

/// A group that a phone makes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewGroup {
    /// The number of the one who makes it, and rules it.
    pub phone: String,
    pub subject: String,
    /// Numbers of others in the same book.
    #[serde(default)]
    pub participants: Vec<String>,
    #[serde(default)]
    pub addressing: Addressing,
}

/// A group as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupInfo {
    /// `…@g.us`
    pub id: String,
    pub subject: String,
    pub description: Option<String>,
    /// The number of the one who made it.
    pub owner: String,
    /// Seconds since 1970.
    pub created: u64,
    pub addressing: Addressing,
    pub announce: bool,
    pub locked: bool,
    pub ephemeral_seconds: u32,
    pub invite_code: String,
    pub participants: Vec<GroupMember>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMember {
    pub phone: String,
    pub lid: String,
    pub role: Role,
}

/// What a phone does in a group.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum GroupAct {
    Add {
        participants: Vec<String>,
    },
    Remove {
        participants: Vec<String>,
    },
    Promote {
        participants: Vec<String>,
    },
    Demote {
        participants: Vec<String>,
    },
    Leave,
    Join {
        code: String,
    },
    Rename {
        subject: String,
    },
    /// Without a text the description goes.
    Describe {
        description: Option<String>,
    },
    Announce {
        on: bool,
    },
    Lock {
        on: bool,
    },
    MembersAdd {
        on: bool,
    },
    Ephemeral {
        seconds: u32,
    },
    ResetInvite,
}

/// What came of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupDone {
    /// The group after it; none if nobody is left in it.
    pub group: Option<GroupInfo>,
    /// For each participant that the act named.
    pub results: Vec<GroupResult>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupResult {
    pub phone: String,
    /// WhatsApp's code of why not; none for what was done.
    pub code: Option<u16>,
}

impl Sandbox {
    /// A phone makes a group.
    pub async fn create_group(&self, book: &str, new: NewGroup) -> Result<GroupDone, SandboxError> {
        let by = self.net.phone(book, &new.phone)?;
        let new = New {
            subject: new.subject,
            description: None,
            participants: jids(new.participants)?,
            addressing: new.addressing,
            members_add: true,
            ephemeral: 0,
        };
        let (group, performed) = act::create(&self.net, &by, new)?;
        let done = done(&self.net, &group, performed);
        self.net.journal.settled().await;
        Ok(done)
    }

    /// The groups of a book, by id.
    pub async fn groups(&self, book: &str) -> Vec<GroupInfo> {
        let groups = self.net.groups(book);
        let mut groups: Vec<GroupInfo> = groups.iter().filter_map(|group| info(&self.net, group)).collect();
        groups.sort_by(|a, b| a.id.cmp(&b.id));
        groups
    }

    pub async fn group(&self, book: &str, id: &str) -> Result<GroupInfo, SandboxError> {
        let group = find(&self.net, book, id)?;
        info(&self.net, &group).ok_or(SandboxError::GroupNotFound)
    }

    /// A phone does something in a group.
    pub async fn act_in_group(
        &self,
        book: &str,
        id: &str,
        phone: &str,
        act: GroupAct,
    ) -> Result<GroupDone, SandboxError> {
        let group = find(&self.net, book, id)?;
        let by = self.net.phone(book, phone)?;
        let performed = act::perform(&self.net, &group, &by, wish(&group, act)?)?;
        let done = done(&self.net, &group, performed);
        self.net.journal.settled().await;
        Ok(done)
    }
}

fn find(net: &Net, book: &str, id: &str) -> Result<Arc<Group>, SandboxError> {
    let jid: Option<Jid> = id.parse().ok();
    let jid = jid.filter(|jid| jid.is_group()).ok_or(SandboxError::GroupNotFound)?;
    net.group(book, &jid).ok_or(SandboxError::GroupNotFound)
}

fn jids(phones: Vec<String>) -> Result<Vec<Jid>, SandboxError> {
    if phones.len() > limits::PARTICIPANTS_PER_CHANGE {
        return Err(SandboxError::Invalid("a change names at most 1024 participants".into()));
    }
    Ok(phones.into_iter().map(Jid::pn).collect())
}

fn wish(group: &Group, act: GroupAct) -> Result<Act, SandboxError> {
    Ok(match act {
        GroupAct::Add { participants } => Act::Add(jids(participants)?),
        GroupAct::Remove { participants } => Act::Remove(jids(participants)?),
        GroupAct::Promote { participants } => Act::Promote(jids(participants)?),
        GroupAct::Demote { participants } => Act::Demote(jids(participants)?),
        GroupAct::Leave => Act::Leave,
        GroupAct::Join { code } => Act::Join { code },
        GroupAct::Rename { subject } => Act::Rename(subject),
        GroupAct::Describe { description } => {
            let seen = group.state.lock().description.as_ref().map(|seen| seen.id.clone());
            let id = hex::encode_upper(rand::random::<[u8; 4]>());
            Act::Describe { id, text: description, previous: seen }
        }
        GroupAct::Announce { on } => Act::Announce(on),
        GroupAct::Lock { on } => Act::Lock(on),
        GroupAct::MembersAdd { on } => Act::MembersAdd(on),
        GroupAct::Ephemeral { seconds } => Act::Ephemeral(seconds),
        GroupAct::ResetInvite => Act::ResetInvite,
    })
}

fn done(net: &Net, group: &Group, performed: Performed) -> GroupDone {
    let results = performed.outcomes.into_iter().map(|outcome| GroupResult {
        phone: outcome.account.map_or_else(|| outcome.asked.user_base().to_owned(), |one| one.phone.clone()),
        code: outcome.code,
    });
    GroupDone { group: info(net, group), results: results.collect() }
}

/// `None` when nobody is left in it.
fn info(net: &Net, group: &Group) -> Option<GroupInfo> {
    let state = group.state.lock();
    let participants = state.members.iter().filter_map(|member| {
        let account = net.account(&group.book, &member.phone)?;
        Some(GroupMember { phone: member.phone.clone(), lid: account.lid.clone(), role: member.role })
    });
    (!state.members.is_empty()).then(|| GroupInfo {
        id: group.jid().to_string(),
        subject: state.subject.text.clone(),
        description: state.description.as_ref().map(|description| description.said.text.clone()),
        owner: state.creator.clone(),
        created: state.created,
        addressing: state.addressing,
        announce: state.announce,
        locked: state.locked,
        ephemeral_seconds: state.ephemeral,
        invite_code: state.invite.clone(),
        participants: participants.collect(),
    })
}

impl Network {
    pub async fn create_group(&self, book: &str, new: NewGroup) -> Result<GroupDone, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.create_group(book, new).await,
            Self::Remote(sandbox) => sandbox.create_group(book, new).await,
        }
    }

    pub async fn groups(&self, book: &str) -> Result<Vec<GroupInfo>, SandboxError> {
        match self {
            Self::Embedded(sandbox) => Ok(sandbox.groups(book).await),
            Self::Remote(sandbox) => sandbox.groups(book).await,
        }
    }

    pub async fn group(&self, book: &str, id: &str) -> Result<GroupInfo, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.group(book, id).await,
            Self::Remote(sandbox) => sandbox.group(book, id).await,
        }
    }

    pub async fn act_in_group(
        &self,
        book: &str,
        id: &str,
        phone: &str,
        act: GroupAct,
    ) -> Result<GroupDone, SandboxError> {
        match self {
            Self::Embedded(sandbox) => sandbox.act_in_group(book, id, phone, act).await,
            Self::Remote(sandbox) => sandbox.act_in_group(book, id, phone, act).await,
        }
    }
}
