//! Groups of a session's number. Limits are WhatsApp's own, so that most of what it would refuse is refused here, with
//! words.
//!
//! Groups are WhatsApp's; nothing here is answered from rows of ours, so the session must be ready.

use std::collections::HashSet;

use wapid_core::phone::{Country, PhoneError, Recipient};

use super::GatewayParts;
use super::field::Field;
use super::home::home_of;
use super::refusal::Refusal;
use crate::caller::OwnSession;
use crate::session::groups::{Action, Group, Joined, Outcome, Refused, Setting};

/// In characters (wacore 0.7.0, src/iq/groups.rs).
const SUBJECT_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 2_048;
/// People that one wish names. A larger group is made in several.
const PEOPLE_MAX: usize = 256;
/// The timers that WhatsApp's own applications offer: none, a day, a week, 90 days.
const TIMERS: [u32; 4] = [0, 86_400, 604_800, 7_776_000];
/// An invite link, or the code in it.
const LINK_MAX: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum GroupRefusal {
    #[error("{least} to {most} characters, none of them NUL")]
    Length { field: Field, least: usize, most: usize },
    #[error("0, 86400, 604800 or 7776000")]
    Timer,
    #[error("name something to change")]
    NothingToChange,
    #[error("add, remove, promote or demote")]
    Action,
    #[error("name at least one")]
    Nobody,
    #[error("at most {max} in one request", max = PEOPLE_MAX)]
    TooMany,
    /// Of the people that a wish names, the one at this place.
    #[error("a person, not a group")]
    NotAPerson { place: usize },
    #[error("{why}")]
    Person { place: usize, why: PhoneError },
    #[error("https://chat.whatsapp.com/ and a code")]
    Link,
    /// WhatsApp's answer to one of several changes; those before it are made.
    #[error("{refused}")]
    Setting { field: Field, refused: Refused },
    #[error(transparent)]
    WhatsApp(#[from] Refused),
}

impl GroupRefusal {
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Length { field, .. } | Self::Setting { field, .. } => std::slice::from_ref(field),
            Self::Timer => &[Field::EphemeralSeconds],
            Self::NothingToChange => {
                &[Field::Subject, Field::Description, Field::Announce, Field::Locked, Field::EphemeralSeconds]
            }
            Self::Action => &[Field::Action],
            Self::Nobody | Self::TooMany | Self::NotAPerson { .. } | Self::Person { .. } => {
                &[Field::Participants]
            }
            Self::Link => &[Field::InviteLink],
            Self::WhatsApp(_) => &[],
        }
    }
}

/// A new group, and who is to be in it.
#[derive(Debug, Default)]
pub struct GroupWish {
    pub subject: String,
    pub participants: Vec<String>,
    /// Of numbers without a country code; otherwise that of the settings.
    pub default_country: Option<String>,
}

/// Makes a group, and tells what became of each person.
///
/// # Errors
/// [`GroupRefusal`]
pub async fn create(
    gateway: &GatewayParts,
    session: &OwnSession,
    wish: GroupWish,
) -> Result<(Group, Vec<Outcome>), Refusal> {
    let home = home_of(&session.caller.store, wish.default_country.as_deref()).await?;
    let subject = text(Field::Subject, &wish.subject, 1, SUBJECT_MAX)?;
    let people = people(&wish.participants, home)?;
    let made = gateway.sessions.create_group(&session.row, &subject, &people).await;
    Ok(made.map_err(GroupRefusal::WhatsApp)?)
}

/// What is to be changed of a group. What is left out stays as it is.
#[derive(Debug, Default)]
pub struct GroupChanges {
    pub subject: Option<String>,
    /// An empty one takes it away.
    pub description: Option<String>,
    pub announce: Option<bool>,
    pub locked: Option<bool>,
    pub ephemeral_seconds: Option<u32>,
}

impl GroupChanges {
    fn checked(self) -> Result<Vec<Setting>, GroupRefusal> {
        let mut settings = Vec::new();
        if let Some(subject) = self.subject {
            settings.push(Setting::Subject(text(Field::Subject, &subject, 1, SUBJECT_MAX)?));
        }
        if let Some(description) = self.description {
            let description = text(Field::Description, &description, 0, DESCRIPTION_MAX)?;
            settings.push(Setting::Description((!description.is_empty()).then_some(description)));
        }
        if let Some(seconds) = self.ephemeral_seconds {
            if !TIMERS.contains(&seconds) {
                return Err(GroupRefusal::Timer);
            }
            settings.push(Setting::EphemeralSeconds(seconds));
        }
        settings.extend(self.announce.map(Setting::Announce));
        settings.extend(self.locked.map(Setting::Locked));
        if settings.is_empty() { Err(GroupRefusal::NothingToChange) } else { Ok(settings) }
    }
}

/// Changes a group, one thing after the other. The first that WhatsApp refuses ends it, and is named.
///
/// # Errors
/// [`GroupRefusal`]
pub async fn change(
    gateway: &GatewayParts,
    session: &OwnSession,
    group: &str,
    changes: GroupChanges,
) -> Result<Group, Refusal> {
    let settings = changes.checked()?;
    let changed = gateway.sessions.change_group(&session.row, group, &settings).await;
    changed.map_err(|(setting, refused)| match setting {
        Some(setting) => GroupRefusal::Setting { field: field_of(&setting), refused }.into(),
        None => GroupRefusal::WhatsApp(refused).into(),
    })
}

/// The field that a setting came in.
fn field_of(setting: &Setting) -> Field {
    match setting {
        Setting::Subject(_) => Field::Subject,
        Setting::Description(_) => Field::Description,
        Setting::Announce(_) => Field::Announce,
        Setting::Locked(_) => Field::Locked,
        Setting::EphemeralSeconds(_) => Field::EphemeralSeconds,
    }
}

/// What is to be done with people of a group.
#[derive(Debug, Default)]
pub struct PeopleWish {
    /// `add`, `remove`, `promote` or `demote`.
    pub action: String,
    pub participants: Vec<String>,
    /// Of numbers without a country code; otherwise that of the settings.
    pub default_country: Option<String>,
}

/// Adds people to a group, takes them out, makes them admins or no admins, and tells what became of each.
///
/// # Errors
/// [`GroupRefusal`]
pub async fn change_people(
    gateway: &GatewayParts,
    session: &OwnSession,
    group: &str,
    wish: PeopleWish,
) -> Result<(Action, Vec<Outcome>), Refusal> {
    let home = home_of(&session.caller.store, wish.default_country.as_deref()).await?;
    let action = match wish.action.as_str() {
        "add" => Action::Add,
        "remove" => Action::Remove,
        "promote" => Action::Promote,
        "demote" => Action::Demote,
        _ => return Err(GroupRefusal::Action.into()),
    };
    let people = people(&wish.participants, home)?;
    if people.is_empty() {
        return Err(GroupRefusal::Nobody.into());
    }
    let outcomes = gateway.sessions.change_participants(&session.row, group, action, &people).await;
    Ok((action, outcomes.map_err(GroupRefusal::WhatsApp)?))
}

/// Joins the group that an invite link leads to.
///
/// # Errors
/// [`GroupRefusal`]
pub async fn join(gateway: &GatewayParts, session: &OwnSession, link: &str) -> Result<Joined, Refusal> {
    let code = invite_code(link)?;
    let joined = gateway.sessions.join_group(&session.row, code).await;
    Ok(joined.map_err(GroupRefusal::WhatsApp)?)
}

/// What an invite link leads to, without joining.
///
/// # Errors
/// [`GroupRefusal`]
pub async fn invited_to(gateway: &GatewayParts, session: &OwnSession, link: &str) -> Result<Group, Refusal> {
    let code = invite_code(link)?;
    let group = gateway.sessions.invited_to(&session.row, code).await;
    Ok(group.map_err(GroupRefusal::WhatsApp)?)
}

/// The code: what else stands in a link is nothing to WhatsApp.
fn invite_code(link: &str) -> Result<&str, GroupRefusal> {
    let link = link.trim();
    let code = link.rsplit('/').next().unwrap_or_default();
    let code = code.split(['?', '#']).next().unwrap_or_default();
    if link.len() > LINK_MAX || code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(GroupRefusal::Link);
    }
    Ok(code)
}

fn text(field: Field, text: &str, least: usize, most: usize) -> Result<String, GroupRefusal> {
    let text = text.trim();
    let length = text.chars().count();
    if length < least || length > most || text.contains('\0') {
        return Err(GroupRefusal::Length { field, least, most });
    }
    Ok(text.to_owned())
}

/// JIDs, each once.
fn people(named: &[String], home: Option<Country>) -> Result<Vec<String>, GroupRefusal> {
    if named.len() > PEOPLE_MAX {
        return Err(GroupRefusal::TooMany);
    }
    let mut seen = HashSet::new();
    let mut people = Vec::with_capacity(named.len());
    for (place, person) in named.iter().enumerate() {
        let jid = match Recipient::parse(person, home) {
            Ok(Recipient::Group(_)) => return Err(GroupRefusal::NotAPerson { place }),
            Ok(person) => person.jid(),
            Err(why) => return Err(GroupRefusal::Person { place, why }),
        };
        if seen.insert(jid.clone()) {
            people.push(jid);
        }
    }
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_its_code() {
        for link in
            ["AbC123", " https://chat.whatsapp.com/AbC123 ", "chat.whatsapp.com/invite/AbC123?mode=ac_t"]
        {
            assert_eq!(invite_code(link).ok(), Some("AbC123"), "{link}");
        }
        for link in ["", "https://chat.whatsapp.com/", "AbC-123", "Ä"] {
            assert_eq!(invite_code(link).ok(), None, "{link}");
        }
    }

    #[test]
    fn people_are_named_once_and_groups_are_nobody() {
        let named = ["+55 11 90000-0001", "5511900000001", "123456789@lid"].map(str::to_owned);
        assert_eq!(
            people(&named, None).ok(),
            Some(vec!["5511900000001@s.whatsapp.net".into(), "123456789@lid".into()])
        );
        assert!(people(&["120363000000000001@g.us".to_owned()], None).is_err());
        assert!(people(&vec!["5511900000001".to_owned(); PEOPLE_MAX + 1], None).is_err());
    }
}
