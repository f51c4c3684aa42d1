//! Whom a message is for.

use super::{Country, Phone, PhoneError, link, written};

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// `919876543210@s.whatsapp.net`
    Person(Phone),
    /// Somebody whose number is hidden: `123456789@lid`.
    Hidden(String),
    /// `120363…@g.us`
    Group(String),
}

impl Recipient {
    /// A number, as [`Phone::parse`] reads it, or a JID, which needs no home.
    ///
    /// # Errors
    /// Says what is wrong with `to`.
    pub fn parse(to: &str, home: Option<Country>) -> Result<Self, PhoneError> {
        let tidy = written::tidy(to);
        let Some((user, server)) = tidy.split_once('@').filter(|_| !link::is_link(&tidy)) else {
            return Phone::parse(to, home).map(Self::Person);
        };
        let plain = |s: &str| !s.is_empty() && s.len() <= 20 && s.bytes().all(|b| b.is_ascii_digit());
        match server {
            "s.whatsapp.net" | "c.us" => Phone::from_jid(user).map(Self::Person),
            "lid" if plain(user) => Ok(Self::Hidden(user.to_owned())),
            "g.us" if is_group_id(user) => Ok(Self::Group(user.to_owned())),
            "broadcast" | "newsletter" | "bot" => Err(PhoneError::UnsupportedJid),
            _ => Err(PhoneError::BadJid),
        }
    }

    /// The chat's JID, as WhatsApp writes it.
    pub fn jid(&self) -> String {
        match self {
            Self::Person(phone) => format!("{}@s.whatsapp.net", phone.digits()),
            Self::Hidden(lid) => format!("{lid}@lid"),
            Self::Group(id) => format!("{id}@g.us"),
        }
    }

    /// The number behind it, where it shows one.
    pub fn phone(&self) -> Option<&Phone> {
        match self {
            Self::Person(phone) => Some(phone),
            Self::Hidden(_) | Self::Group(_) => None,
        }
    }
}

/// `120363…` or the older `<creator>-<time>`.
fn is_group_id(user: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.len() <= 24 && s.bytes().all(|b| b.is_ascii_digit());
    user.split_once('-').map_or_else(|| digits(user), |(creator, time)| digits(creator) && digits(time))
}
