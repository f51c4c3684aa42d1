//! Where a phone's message goes.
//!
//! A chat has an address and the phones that show it. Everything else about a phone's message (how
//! it is built, shown, sealed and asked for again) is the same for every kind of chat.

use std::sync::Arc;

use wacore_binary::Jid;

use crate::account::Account;
use crate::error::SandboxError;
use crate::net::Net;

#[derive(Clone)]
pub(crate) enum Chat {
    Person(Arc<Account>),
}

impl Chat {
    /// The chat with a number or at an address of the phone's book.
    pub(crate) fn find(net: &Net, phone: &Account, to: &str) -> Result<Self, SandboxError> {
        let address = if to.contains('@') { to.parse().ok() } else { Some(Jid::pn(to)) };
        let account = address.and_then(|address: Jid| net.resolve(&phone.book, &address));
        account.map(Self::Person).ok_or(SandboxError::NotOnWhatsApp)
    }

    /// The address of the chat for the one who writes into it.
    pub(crate) fn jid(&self) -> Jid {
        match self {
            Self::Person(person) => Jid::pn(person.phone.as_str()),
        }
    }

    /// The address of the same chat for somebody who reads what `sender` wrote.
    pub(crate) fn jid_for(&self, reader: &Account, sender: &Account) -> Jid {
        match self {
            Self::Person(person) if person.phone == reader.phone => Jid::pn(sender.phone.as_str()),
            Self::Person(_) => self.jid(),
        }
    }

    /// Whom a message in it is to, as phones show it.
    pub(crate) fn to(&self) -> String {
        match self {
            Self::Person(person) => person.phone.clone(),
        }
    }

    pub(crate) fn is_group(&self) -> bool {
        match self {
            Self::Person(_) => false,
        }
    }

    /// Everybody in it but the sender.
    pub(crate) fn others(&self, sender: &Arc<Account>) -> Vec<Arc<Account>> {
        match self {
            Self::Person(person) if Arc::ptr_eq(person, sender) => Vec::new(),
            Self::Person(person) => vec![Arc::clone(person)],
        }
    }
}
