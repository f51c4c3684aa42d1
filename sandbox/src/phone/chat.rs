//! Where a phone's message goes.
//!
//! A chat has an address and the phones that show it. Everything else about a phone's message (how
//! it is built, shown, sealed and asked for again) is the same for every kind of chat.

use std::sync::Arc;

use wacore_binary::{Jid, JidExt as _};

use super::message::Naming;
use crate::account::Account;
use crate::error::SandboxError;
use crate::group::{Addressing, Group};
use crate::net::Net;

#[derive(Clone)]
pub(crate) enum Chat {
    /// With somebody, and how messages in it name the two.
    Person(Arc<Account>, Addressing),
    Group(Arc<Group>),
}

impl Chat {
    /// The chat with a number or at an address of the phone's book, if the phone may write there.
    pub(crate) fn find(net: &Net, phone: &Account, to: &str) -> Result<Self, SandboxError> {
        let address = if to.contains('@') { to.parse().ok() } else { Some(Jid::pn(to)) };
        let address: Jid = address.ok_or(SandboxError::NotOnWhatsApp)?;
        if address.is_group() {
            let group = net.group(&phone.book, &address).ok_or(SandboxError::GroupNotFound)?;
            group.state.lock().may_write(&phone.phone)?;
            return Ok(Self::Group(group));
        }
        let person = net.resolve(&phone.book, &address).ok_or(SandboxError::NotOnWhatsApp)?;
        Ok(Self::Person(person, Addressing::Pn))
    }

    /// The same chat for a message that names the two so.
    ///
    /// # Errors
    /// A group has names of its own.
    pub(crate) fn named(self, naming: Naming) -> Result<Self, SandboxError> {
        match (self, naming) {
            (Self::Person(person, _), Naming::Number) => Ok(Self::Person(person, Addressing::Pn)),
            (Self::Person(person, _), Naming::Lid | Naming::Hidden) => {
                Ok(Self::Person(person, Addressing::Lid))
            }
            (group @ Self::Group(_), Naming::Number) => Ok(group),
            (Self::Group(_), Naming::Lid | Naming::Hidden) => Err(SandboxError::Invalid(
                "hidden, addressing: only in a chat of two; a group names its members its own way".into(),
            )),
        }
    }

    /// May this phone take back what others wrote in it?
    ///
    /// # Errors
    /// In a chat of two nobody may; in a group its admins.
    pub(crate) fn ruled_by(&self, phone: &Account) -> Result<(), SandboxError> {
        match self {
            Self::Person(..) => Err(SandboxError::Invalid("only its sender takes a message back".into())),
            Self::Group(group) => Ok(group.state.lock().rules(&phone.phone)?),
        }
    }

    /// The address of the chat for the one who writes into it. Phones show what two write to each other
    /// in one chat, however it names them.
    pub(crate) fn jid(&self) -> Jid {
        match self {
            Self::Person(person, _) => Jid::pn(person.phone.as_str()),
            Self::Group(group) => group.jid(),
        }
    }

    /// The address of the chat within a message.
    pub(crate) fn named_jid(&self) -> Jid {
        match self {
            Self::Person(person, addressing) => addressing.jid(person, 0),
            Self::Group(group) => group.jid(),
        }
    }

    /// How messages in it name people.
    pub(crate) fn addressing(&self) -> Addressing {
        match self {
            Self::Person(_, addressing) => *addressing,
            Self::Group(group) => group.state.lock().addressing,
        }
    }

    /// The address of the same chat for somebody who reads what `sender` wrote.
    pub(crate) fn jid_for(&self, reader: &Account, sender: &Account) -> Jid {
        match self {
            Self::Person(person, _) if person.phone == reader.phone => Jid::pn(sender.phone.as_str()),
            Self::Person(..) | Self::Group(_) => self.jid(),
        }
    }

    /// Whom a message in it is to, as phones show it.
    pub(crate) fn to(&self) -> String {
        match self {
            Self::Person(person, _) => person.phone.clone(),
            Self::Group(group) => group.jid().to_string(),
        }
    }

    pub(crate) fn is_group(&self) -> bool {
        matches!(self, Self::Group(_))
    }

    /// Whether phones name each other by LIDs in it.
    pub(crate) fn is_lid(&self) -> bool {
        self.addressing() == Addressing::Lid
    }

    /// What somebody is called in it.
    pub(crate) fn name_of(&self, person: &Account) -> Jid {
        self.addressing().jid(person, 0)
    }

    /// Everybody in it but the sender.
    pub(crate) fn others(&self, net: &Net, sender: &Arc<Account>) -> Vec<Arc<Account>> {
        match self {
            Self::Person(person, _) if Arc::ptr_eq(person, sender) => Vec::new(),
            Self::Person(person, _) => vec![Arc::clone(person)],
            Self::Group(group) => {
                let mut members = group.accounts(net, &group.state.lock());
                members.retain(|member| !Arc::ptr_eq(member, sender));
                members
            }
        }
    }
}
