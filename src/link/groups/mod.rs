//! Groups in plain words: what they are, what happens in them, and what WhatsApp says to a wish.

mod news;

pub(super) use news::{news_of, person};

/// A group as WhatsApp describes it to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `…@g.us`
    pub jid: String,
    pub subject: String,
    pub subject_at_ms: Option<i64>,
    pub description: Option<String>,
    /// Who made it, also after they have left.
    pub owner: Option<Person>,
    pub created_at_ms: Option<i64>,
    /// Empty in what a link shows to somebody who is not in it.
    pub participants: Vec<Participant>,
    /// How many are in it.
    pub size: usize,
    /// This number's own role; none for who is not in it.
    pub role: Option<Role>,
    /// Only admins write.
    pub announce: bool,
    /// Only admins change subject, description and settings.
    pub locked: bool,
    /// After how many seconds messages disappear; 0 for never.
    pub ephemeral_seconds: u32,
}

/// Somebody, by one or both of their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    pub phone: Option<String>,
    pub lid: Option<String>,
}

impl Person {
    /// Is it the same person, by either name?
    pub fn is(&self, other: &Self) -> bool {
        let shares = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        shares(&self.phone, &other.phone) || shares(&self.lid, &other.lid)
    }

    /// By the number, where it is known.
    pub fn jid(&self) -> Option<String> {
        let phone = self.phone.as_ref().map(|phone| format!("{phone}@s.whatsapp.net"));
        phone.or_else(|| self.lid.as_ref().map(|lid| format!("{lid}@lid")))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    pub person: Person,
    pub role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Member,
    Admin,
    /// Made the group; cannot be removed.
    Owner,
}

/// A change of who is in a group and who rules it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Add,
    Remove,
    Promote,
    Demote,
}

/// One thing to change about a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    Subject(String),
    /// `None` takes it away.
    Description(Option<String>),
    Announce(bool),
    Locked(bool),
    EphemeralSeconds(u32),
}

/// What became of one participant of a change; WhatsApp's code says why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A JID as it was asked for.
    pub asked: String,
    pub code: Option<u16>,
}

/// What came of following an invite link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    In {
        jid: String,
    },
    /// An admin must let this number in.
    Asked {
        jid: String,
    },
}

/// Something happened in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupNews {
    pub jid: String,
    pub at_ms: i64,
    /// Who did it.
    pub by: Option<Person>,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// This number is in the group from here on: made, added, or let in by a link.
    Came {
        /// After how many seconds its messages disappear; 0 for never.
        ephemeral_seconds: u32,
        subject: String,
        subject_at_ms: Option<i64>,
        is_new: bool,
        by_link: bool,
    },
    People {
        action: Action,
        who: Vec<Person>,
        by_link: bool,
    },
    Changed(Setting),
    /// There is no such group any more.
    Ended,
}

/// Why WhatsApp did not do it. Codes: wacore 0.7.0, src/iq/groups.rs, and whatsmeow's documentation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such group")]
    NotFound,
    #[error("this number is not in the group")]
    NotMember,
    #[error("only an admin of the group may do this")]
    NotAdmin,
    #[error("WhatsApp does not accept this text")]
    NotAcceptable,
    #[error("somebody else changed it at the same time")]
    Conflict,
    #[error("the invite link is not valid")]
    BadInvite,
    #[error("the invite link was reset")]
    InviteReset,
    #[error("this number is in the group already")]
    AlreadyIn,
    #[error("an admin removed this number from the group, so the link does not let it in")]
    Removed,
    #[error("the group is full")]
    Full,
    #[error("WhatsApp takes no more such requests from this number for now")]
    TooMany,
    #[error("WhatsApp refused this ({0})")]
    Other(u16),
    /// The connection went, or there was no answer in time: it may have been done.
    #[error("WhatsApp has not answered, so it is not known whether it was done")]
    Unanswered,
    /// Something went wrong on this side.
    #[error("{0}")]
    Internal(String),
}

impl Refusal {
    /// WhatsApp's code for a wish about one group.
    pub fn of(code: u16) -> Self {
        match code {
            401 => Self::NotAdmin,
            403 => Self::NotMember,
            404 => Self::NotFound,
            406 => Self::NotAcceptable,
            409 => Self::Conflict,
            419 => Self::Full,
            429 => Self::TooMany,
            other => Self::Other(other),
        }
    }

    /// The same for who follows a link; some codes mean something else there.
    pub fn of_link(code: u16) -> Self {
        match code {
            304 | 409 => Self::AlreadyIn,
            400 | 404 | 406 => Self::BadInvite,
            401 | 405 => Self::Removed,
            410 => Self::InviteReset,
            412 | 419 => Self::Full,
            429 => Self::TooMany,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_means_what_was_asked_for() {
        assert_eq!(Refusal::of(409), Refusal::Conflict);
        assert_eq!(Refusal::of_link(409), Refusal::AlreadyIn);
        assert_eq!(Refusal::of(406), Refusal::NotAcceptable);
        assert_eq!(Refusal::of_link(406), Refusal::BadInvite);
        assert_eq!(Refusal::of(423), Refusal::Other(423));
    }
}
