//! Who may do what in a group, and what it does. Pure: no network, no clock.
//!
//! Texts have WhatsApp's usual limits. What WhatsApp calls a refusal is in `iq/groups.rs`; the codes
//! here are those about one participant.

use super::{Description, Member, Role, Said, State};

/// Characters of a subject and of a description (wacore 0.7.0, src/iq/groups.rs).
pub(crate) const SUBJECT_CHARS: usize = 100;
pub(crate) const DESCRIPTION_CHARS: usize = 2048;
/// People in one group, as WhatsApp has it now.
pub(crate) const MEMBERS: usize = 1024;
/// Codes and people that a group remembers as sent away.
const REMEMBERED: usize = 1024;

/// Why nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum No {
    #[error("the phone is not in the group")]
    Outsider,
    #[error("the phone is no admin of the group")]
    NotAdmin,
    #[error("only admins write in this group")]
    Announcements,
    #[error("a subject has 1 to 100 characters, a description 1 to 2048")]
    NotAcceptable,
    #[error("somebody else changed it first")]
    Conflict,
    #[error("no group has this invite code")]
    UnknownCode,
    #[error("the invite code was reset")]
    Revoked,
    #[error("the phone is in the group already")]
    AlreadyIn,
    /// Only an admin brings them back.
    #[error("an admin removed the phone from the group")]
    Banned,
    #[error("the group is full")]
    Full,
    #[error("the book has as many groups as it may have")]
    TooMany,
}

/// What was wrong with one participant of a change.
pub(crate) type Code = u16;
/// Their privacy settings keep others from adding them.
pub(crate) const PRIVATE: Code = 403;
/// Not in the group, or nobody at all.
pub(crate) const UNKNOWN: Code = 404;
/// May not be removed or demoted: the owner.
pub(crate) const NOT_THEM: Code = 406;
pub(crate) const ALREADY_IN: Code = 409;
pub(crate) const FULL: Code = 419;

impl State {
    pub(crate) fn member(&self, phone: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.phone == phone)
    }

    fn is_admin(&self, phone: &str) -> Result<bool, No> {
        Ok(self.member(phone).ok_or(No::Outsider)?.role != Role::Member)
    }

    /// # Errors
    /// [`No::Outsider`].
    pub(crate) fn is_in(&self, phone: &str) -> Result<(), No> {
        self.is_admin(phone).map(|_| ())
    }

    /// # Errors
    /// [`No::Outsider`], [`No::NotAdmin`].
    pub(crate) fn rules(&self, phone: &str) -> Result<(), No> {
        if self.is_admin(phone)? { Ok(()) } else { Err(No::NotAdmin) }
    }

    /// May this phone change what the group is called and says?
    pub(crate) fn may_edit(&self, phone: &str) -> Result<(), No> {
        if self.locked { self.rules(phone) } else { self.is_in(phone) }
    }

    pub(crate) fn may_add(&self, phone: &str) -> Result<(), No> {
        if self.members_add { self.is_in(phone) } else { self.rules(phone) }
    }

    pub(crate) fn may_write(&self, phone: &str) -> Result<(), No> {
        if self.is_admin(phone)? || !self.announce { Ok(()) } else { Err(No::Announcements) }
    }

    /// Adds somebody who is on WhatsApp and may be added.
    pub(crate) fn add(&mut self, phone: &str) -> Result<(), Code> {
        if self.member(phone).is_some() {
            return Err(ALREADY_IN);
        }
        if self.members.len() >= MEMBERS {
            return Err(FULL);
        }
        self.banned.retain(|banned| banned != phone);
        self.members.push(Member { phone: phone.to_owned(), role: Role::Member });
        Ok(())
    }

    /// An admin sends somebody away.
    pub(crate) fn remove(&mut self, phone: &str) -> Result<(), Code> {
        match self.member(phone).ok_or(UNKNOWN)?.role {
            Role::Owner => return Err(NOT_THEM),
            Role::Admin | Role::Member => self.drop_member(phone),
        }
        remember(&mut self.banned, phone.to_owned());
        Ok(())
    }

    pub(crate) fn set_role(&mut self, phone: &str, role: Role) -> Result<(), Code> {
        let member = self.members.iter_mut().find(|member| member.phone == phone).ok_or(UNKNOWN)?;
        if member.role == Role::Owner {
            return Err(NOT_THEM);
        }
        member.role = role;
        Ok(())
    }

    /// Somebody goes of their own will. A group that is left without an admin gets whoever has been
    /// in it longest, whose number is returned.
    pub(crate) fn leave(&mut self, phone: &str) -> Option<String> {
        self.drop_member(phone);
        if self.members.iter().any(|member| member.role != Role::Member) {
            return None;
        }
        let heir = self.members.first_mut()?;
        heir.role = Role::Admin;
        Some(heir.phone.clone())
    }

    fn drop_member(&mut self, phone: &str) {
        self.members.retain(|member| member.phone != phone);
    }

    /// Somebody comes by the link.
    pub(crate) fn join(&mut self, phone: &str, code: &str) -> Result<(), No> {
        self.knows_code(code)?;
        if self.member(phone).is_some() {
            return Err(No::AlreadyIn);
        }
        if self.banned.iter().any(|banned| banned == phone) {
            return Err(No::Banned);
        }
        self.add(phone).map_err(|_| No::Full)
    }

    /// # Errors
    /// [`No::Revoked`], [`No::UnknownCode`].
    pub(crate) fn knows_code(&self, code: &str) -> Result<(), No> {
        if self.invite == code {
            Ok(())
        } else if self.revoked.iter().any(|revoked| revoked == code) {
            Err(No::Revoked)
        } else {
            Err(No::UnknownCode)
        }
    }

    pub(crate) fn reset_invite(&mut self, code: String) {
        let revoked = std::mem::replace(&mut self.invite, code);
        remember(&mut self.revoked, revoked);
    }

    pub(crate) fn rename(&mut self, subject: Said) -> Result<(), No> {
        fits(&subject.text, SUBJECT_CHARS)?;
        self.subject = subject;
        Ok(())
    }

    /// `previous` is the id of the description that who asks has seen.
    pub(crate) fn describe(&mut self, new: Option<Description>, previous: Option<&str>) -> Result<(), No> {
        if self.description.as_ref().map(|known| known.id.as_str()) != previous {
            return Err(No::Conflict);
        }
        if let Some(new) = &new {
            fits(&new.said.text, DESCRIPTION_CHARS)?;
        }
        self.description = new;
        Ok(())
    }
}

/// # Errors
/// [`No::NotAcceptable`] for a text that is empty or too long.
pub(crate) fn fits(text: &str, max_chars: usize) -> Result<(), No> {
    if text.is_empty() || text.chars().count() > max_chars { Err(No::NotAcceptable) } else { Ok(()) }
}

fn remember<T>(list: &mut std::collections::VecDeque<T>, new: T) {
    if list.len() >= REMEMBERED {
        list.pop_front();
    }
    list.push_back(new);
}

#[cfg(test)]
mod tests {
    use super::super::Addressing;
    use super::*;

    const OWNER: &str = "15550000001";
    const ADMIN: &str = "15550000002";
    const MEMBER: &str = "15550000003";
    const STRANGER: &str = "15550000004";

    fn said(text: &str) -> Said {
        Said { text: text.to_owned(), by: OWNER.to_owned(), at: 1 }
    }

    fn group() -> State {
        let member = |phone: &str, role| Member { phone: phone.to_owned(), role };
        State {
            addressing: Addressing::Lid,
            subject: said("Team"),
            description: None,
            creator: OWNER.to_owned(),
            created: 1,
            members: vec![
                member(OWNER, Role::Owner),
                member(ADMIN, Role::Admin),
                member(MEMBER, Role::Member),
            ],
            announce: false,
            locked: false,
            members_add: true,
            ephemeral: 0,
            invite: "now".to_owned(),
            revoked: std::iter::once("before".to_owned()).collect(),
            banned: std::iter::empty().collect(),
        }
    }

    #[test]
    fn what_admins_alone_may_do_is_refused_to_others() {
        let mut group = group();
        for allowed in [group.may_edit(MEMBER), group.may_add(MEMBER), group.may_write(MEMBER)] {
            assert_eq!(allowed, Ok(()));
        }
        (group.locked, group.announce, group.members_add) = (true, true, false);
        assert_eq!(group.may_edit(MEMBER), Err(No::NotAdmin));
        assert_eq!(group.may_add(MEMBER), Err(No::NotAdmin));
        assert_eq!(group.may_write(MEMBER), Err(No::Announcements));
        assert_eq!(group.may_write(STRANGER), Err(No::Outsider));
        for admin in [OWNER, ADMIN] {
            for allowed in [group.may_edit(admin), group.may_add(admin), group.may_write(admin)] {
                assert_eq!(allowed, Ok(()));
            }
        }
    }

    #[test]
    fn the_owner_stays_until_they_go_and_somebody_always_rules() {
        let mut group = group();
        assert_eq!(group.remove(OWNER), Err(NOT_THEM));
        assert_eq!(group.set_role(OWNER, Role::Member), Err(NOT_THEM));
        assert_eq!(group.leave(OWNER), None);
        assert_eq!(group.leave(ADMIN), Some(MEMBER.to_owned()));
        assert_eq!(group.rules(MEMBER), Ok(()));
        assert_eq!(group.leave(MEMBER), None);
    }

    #[test]
    fn a_link_lets_in_whom_nobody_sent_away() {
        let mut group = group();
        assert_eq!(group.join(STRANGER, "before"), Err(No::Revoked));
        assert_eq!(group.join(STRANGER, "never"), Err(No::UnknownCode));
        assert_eq!(group.join(MEMBER, "now"), Err(No::AlreadyIn));
        assert_eq!(group.join(STRANGER, "now"), Ok(()));
        assert_eq!(group.remove(STRANGER), Ok(()));
        assert_eq!(group.join(STRANGER, "now"), Err(No::Banned));
        assert_eq!(group.add(STRANGER), Ok(()));
        group.leave(STRANGER);
        assert_eq!(group.join(STRANGER, "now"), Ok(()));
        group.reset_invite("next".to_owned());
        group.leave(STRANGER);
        assert_eq!(group.join(STRANGER, "now"), Err(No::Revoked));
    }

    #[test]
    fn a_description_is_changed_by_who_has_seen_the_last_one() {
        let mut group = group();
        let new = |id: &str| Some(Description { id: id.to_owned(), said: said("Rules") });
        assert_eq!(group.describe(new("A"), Some("B")), Err(No::Conflict));
        assert_eq!(group.describe(new("A"), None), Ok(()));
        assert_eq!(group.describe(new("B"), None), Err(No::Conflict));
        assert_eq!(group.describe(None, Some("A")), Ok(()));
        let long = Description { id: "C".to_owned(), said: said(&"x".repeat(DESCRIPTION_CHARS + 1)) };
        assert_eq!(group.describe(Some(long), None), Err(No::NotAcceptable));
        assert_eq!(group.rename(said("")), Err(No::NotAcceptable));
        assert_eq!(group.rename(said(&"ü".repeat(SUBJECT_CHARS))), Ok(()));
    }

    #[test]
    fn a_full_group_takes_nobody_more() {
        let mut group = group();
        for number in group.members.len()..MEMBERS {
            assert_eq!(group.add(&number.to_string()), Ok(()));
        }
        assert_eq!(group.add(STRANGER), Err(FULL));
        assert_eq!(group.add(MEMBER), Err(ALREADY_IN));
        assert_eq!(group.join(STRANGER, "now"), Err(No::Full));
    }
}
