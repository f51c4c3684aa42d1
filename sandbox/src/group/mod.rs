//! Groups: who is in them, who rules them, what they are called.
//!
//! A group belongs to a book, as phones do. Its state is locked for moments, before any account's
//! state and never after one. Whoever changes a group journals and announces the change while
//! holding that lock, and whoever sends into it hands out the envelopes under it too: members hear
//! of changes and messages in one order, and who has left hears nothing more.
//!
//! | file | what |
//! |---|---|
//! | `rules` | who may do what, and what it does; pure |
//! | `act` | a change, from the wish to the announcement |
//! | `news` | who is told what of a change |
//! | `node` | how WhatsApp writes a group and what happened to it |
//! | `control` | groups from outside: the phones' owners make them and act in them |
//! | `remote` | the same over HTTP |

pub(crate) mod act;
pub(crate) mod control;
mod news;
pub(crate) mod node;
pub(crate) mod remote;
pub(crate) mod rules;

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use wacore_binary::Jid;

use crate::account::{Account, json};
use crate::journal::Batch;
use crate::net::Net;

pub(crate) struct Group {
    pub book: String,
    /// The digits before `@g.us`.
    pub id: String,
    pub state: Mutex<State>,
}

/// How members are named towards each other's devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Addressing {
    Pn,
    /// As WhatsApp makes groups now.
    #[default]
    Lid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Member,
    Admin,
    /// The one who made the group, while they are in it.
    Owner,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub phone: String,
    pub role: Role,
}

/// A text that everybody sees, with who wrote it and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub text: String,
    /// A phone number.
    pub by: String,
    /// Seconds since 1970.
    pub at: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    /// Whoever changes it must name the one they saw.
    pub id: String,
    #[serde(flatten)]
    pub said: Said,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub addressing: Addressing,
    pub subject: Said,
    pub description: Option<Description>,
    /// The phone that made it, also after it has left.
    pub creator: String,
    pub created: u64,
    /// In the order in which they came.
    pub members: Vec<Member>,
    /// Only admins send.
    pub announce: bool,
    /// Only admins change what the group is called and says.
    pub locked: bool,
    /// Everybody adds members, not admins only.
    pub members_add: bool,
    /// Seconds after which messages disappear; 0 for never.
    pub ephemeral: u32,
    /// What stands in the invite link.
    pub invite: String,
    /// Earlier codes, newest last.
    pub revoked: VecDeque<String>,
    /// Whom an admin removed: a link does not let them in again.
    pub banned: VecDeque<String>,
}

impl Group {
    pub(crate) fn new(book: &str, id: &str, state: State) -> Self {
        Self { book: book.to_owned(), id: id.to_owned(), state: Mutex::new(state) }
    }

    pub(crate) fn jid(&self) -> Jid {
        Jid::group(self.id.as_str())
    }

    /// Everybody in it, while its state is locked.
    pub(crate) fn accounts(&self, net: &Net, state: &State) -> Vec<Arc<Account>> {
        state.members.iter().filter_map(|member| net.account(&self.book, &member.phone)).collect()
    }

    /// Call it while the state is locked, with what it is now.
    pub(crate) fn save(&self, state: &State, batch: &mut Batch) {
        if state.members.is_empty() {
            batch.delete(RECORD, || self.place());
        } else {
            batch.put(RECORD, || self.place(), || json(state));
        }
    }

    /// No phone is called `g`.
    fn place(&self) -> String {
        format!("{}/{PLACE}/{}", self.book, self.id)
    }
}

/// The kind of a group's record, and where in its book it lies.
pub(crate) const RECORD: &str = "group";
pub(crate) const PLACE: &str = "g";

impl Addressing {
    /// The attribute of the same name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pn => "pn",
            Self::Lid => "lid",
        }
    }

    /// A device by the name that this group uses.
    pub(crate) fn jid(self, account: &Account, device: u16) -> Jid {
        match self {
            Self::Pn => Jid::pn_device(account.phone.as_str(), device),
            Self::Lid => Jid::lid_device(account.lid.as_str(), device),
        }
    }

    /// The same device by its other name.
    pub(crate) fn other(self, account: &Account, device: u16) -> Jid {
        match self {
            Self::Pn => Self::Lid,
            Self::Lid => Self::Pn,
        }
        .jid(account, device)
    }

    /// Where a participant's other name stands.
    pub(crate) fn other_attribute(self) -> &'static str {
        match self {
            Self::Pn => "participant_lid",
            Self::Lid => "participant_pn",
        }
    }
}
