//! Groups of a number: read and changed at WhatsApp, where alone they are; what happens in them is told.
//!
//! What a group is called is noted whenever WhatsApp says it, so that a message can carry the name.
//! WhatsApp's news of groups are acknowledged before they are written here (whatsapp-rust 0.7.0 has no gate
//! for them): a crash in between loses an event. Names are asked for again when the process starts.

use std::collections::HashSet;

use tracing::{debug, error};
use wapid_core::clock::At;
use wapid_core::event::{EventData, GroupChange, GroupEvent, GroupPerson, NewEvent};
use wapid_core::id::SessionKey;
use wapid_core::phone::Recipient;
use wapid_core::session::Account;
use wapid_core::store::Store;
use wapid_core::store::groups::GroupName;
use wapid_core::store::ledger::GroupNews as Written;
use wapid_core::store::sessions::SessionRow;

use super::people::NotReady;
use super::timers::Timers;
use super::{Sessions, lookup};
use crate::link::Link;
pub use crate::link::groups::{Action, Group, Joined, Outcome, Person, Refusal, Role, Setting};
use crate::link::groups::{GroupNews, What};

/// Why a wish about groups came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl Sessions {
    /// Every group that the number is in, by JID.
    pub async fn groups(&self, row: &SessionRow) -> Result<Vec<Group>, Refused> {
        let mut groups = self.ready_link(row)?.groups().await?;
        groups.sort_by(|a, b| a.jid.cmp(&b.jid));
        self.note_names(row, groups.iter()).await;
        Ok(groups)
    }

    pub async fn group(&self, row: &SessionRow, jid: &str) -> Result<Group, Refused> {
        let group = self.ready_link(row)?.group(jid).await?;
        self.note_names(row, std::iter::once(&group)).await;
        Ok(group)
    }

    pub async fn create_group(
        &self,
        row: &SessionRow,
        subject: &str,
        participants: &[String],
    ) -> Result<(Group, Vec<Outcome>), Refused> {
        let participants = self.accounts_of(row, participants).await;
        let (group, outcomes) = self.ready_link(row)?.create_group(subject, &participants).await?;
        self.note_names(row, std::iter::once(&group)).await;
        Ok((group, outcomes))
    }

    /// One thing after the other; the first refusal ends it, and says which it was.
    pub async fn change_group(
        &self,
        row: &SessionRow,
        jid: &str,
        settings: &[Setting],
    ) -> Result<Group, (Option<Setting>, Refused)> {
        let link = self.ready_link(row).map_err(|refused| (None, refused.into()))?;
        for setting in settings {
            let changed = link.change_group(jid, setting).await;
            changed.map_err(|refusal| (Some(setting.clone()), refusal.into()))?;
        }
        self.group(row, jid).await.map_err(|refused| (None, refused))
    }

    pub async fn change_participants(
        &self,
        row: &SessionRow,
        jid: &str,
        action: Action,
        participants: &[String],
    ) -> Result<Vec<Outcome>, Refused> {
        let participants = self.accounts_of(row, participants).await;
        Ok(self.ready_link(row)?.change_participants(jid, action, &participants).await?)
    }

    /// The same people, each once, by their accounts' own numbers. Only numbers with two spellings are asked
    /// about; whom WhatsApp does not name stays as written.
    async fn accounts_of(&self, row: &SessionRow, people: &[String]) -> Vec<String> {
        let own = people.iter().map(async |jid| {
            let to = Recipient::parse(jid, None).ok();
            let Some(to) = to.filter(|to| to.phone().is_some_and(|phone| phone.spellings().len() > 1)) else {
                return jid.clone();
            };
            let who = self.account_of_recipient(row, &to).await;
            who.as_ref().and_then(lookup::recipient).map_or_else(|| jid.clone(), |account| account.jid())
        });
        let mut seen = HashSet::new();
        let mut people = futures::future::join_all(own).await;
        people.retain(|jid| seen.insert(jid.clone()));
        people
    }

    pub async fn leave_group(&self, row: &SessionRow, jid: &str) -> Result<(), Refused> {
        Ok(self.ready_link(row)?.leave_group(jid).await?)
    }

    pub async fn invite_link(&self, row: &SessionRow, jid: &str, reset: bool) -> Result<String, Refused> {
        Ok(self.ready_link(row)?.invite_link(jid, reset).await?)
    }

    pub async fn invited_to(&self, row: &SessionRow, link: &str) -> Result<Group, Refused> {
        Ok(self.ready_link(row)?.invited_to(link).await?)
    }

    pub async fn join_group(&self, row: &SessionRow, link: &str) -> Result<Joined, Refused> {
        Ok(self.ready_link(row)?.join_group(link).await?)
    }

    async fn note_names(&self, row: &SessionRow, groups: impl Iterator<Item = &Group>) {
        let names = groups.map(|group| name_of(group, self.now())).collect();
        let news = Written { session: row.key.clone(), names, events: vec![] };
        // What was asked for is done at WhatsApp by now: that is the answer.
        if let Err(error) = self.store().note_groups(news).await {
            error!(session.key = %row.key, "Names of groups were not written: {error}");
        }
    }
}

fn name_of(group: &Group, now: At) -> GroupName {
    let at = group.subject_at_ms.map_or(now, At);
    GroupName { jid: group.jid.clone(), subject: group.subject.clone(), at }
}

/// Notes what all groups of a number are called; says whether that worked.
pub(super) async fn learn(store: &Store, session: &SessionKey, link: &Link, timers: &Timers) -> bool {
    let groups = match link.groups().await {
        Ok(groups) => groups,
        Err(refusal) => {
            debug!(session.key = %session, "The groups of a number could not be read: {refusal}");
            return false;
        }
    };
    for group in &groups {
        timers.note(session, &group.jid, group.ephemeral_seconds);
    }
    let now = store.clock().now();
    let names = groups.iter().map(|group| name_of(group, now)).collect();
    let noted = store.note_groups(Written { session: session.clone(), names, events: vec![] }).await;
    noted
        .inspect_err(|error| error!(session.key = %session, "Names of groups were not written: {error}"))
        .is_ok()
}

/// What is written of a piece of news.
pub(super) fn written(session: &SessionKey, (name, event): (Option<GroupName>, NewEvent)) -> Written {
    Written { session: session.clone(), names: name.into_iter().collect(), events: vec![event] }
}

/// The number of a session, as groups name people.
pub(super) fn person(account: &Account) -> Person {
    Person { phone: Some(account.phone.clone()), lid: account.lid.clone() }
}

/// What the world hears of news that `own` number got, and the name that the group has from here on. A
/// group whose name the news does not tell gets the one that is known.
pub(super) fn told(own: &Person, news: GroupNews) -> (Option<GroupName>, NewEvent) {
    let GroupNews { jid, at_ms, by, what } = news;
    let at = At(at_ms);
    let is_own_doing = by.as_ref().is_some_and(|by| by.is(own));
    let group = |subject: Option<String>| GroupEvent {
        group_id: jid.clone(),
        subject,
        by: by.as_ref().map(shown),
        timestamp: at.seconds(),
        ..GroupEvent::default()
    };
    let mut name = None;
    let data = match what {
        What::Came { subject, subject_at_ms, is_new, by_link, .. } => {
            let joined =
                GroupEvent { reason: Some(came_by(is_new, by_link)), ..group(Some(subject.clone())) };
            name = Some(GroupName { jid: jid.clone(), subject, at: subject_at_ms.map_or(at, At) });
            EventData::GroupJoined(joined)
        }
        What::People { action: Action::Add, who, by_link } if who.iter().any(|one| one.is(own)) => {
            EventData::GroupJoined(GroupEvent { reason: Some(came_by(false, by_link)), ..group(None) })
        }
        What::People { action: Action::Remove, who, .. } if who.iter().any(|one| one.is(own)) => {
            let reason = if is_own_doing { "left" } else { "removed" };
            EventData::GroupLeft(GroupEvent { reason: Some(reason), ..group(None) })
        }
        What::Ended => EventData::GroupLeft(GroupEvent { reason: Some("ended"), ..group(None) }),
        What::People { action, who, .. } => EventData::GroupParticipants(GroupEvent {
            action: Some(word(action, &who, by.as_ref())),
            participants: Some(who.iter().map(shown).collect()),
            ..group(None)
        }),
        What::Changed(setting) => {
            let subject = match &setting {
                Setting::Subject(subject) => Some(subject.clone()),
                _ => None,
            };
            name = subject.clone().map(|subject| GroupName { jid: jid.clone(), subject, at });
            EventData::GroupUpdated(GroupEvent { changed: Some(changed(setting)), ..group(subject) })
        }
    };
    (name, NewEvent::new(at, data))
}

fn came_by(is_new: bool, by_link: bool) -> &'static str {
    match (is_new, by_link) {
        (true, _) => "created",
        (_, true) => "invite",
        _ => "added",
    }
}

/// Who goes of their own will is removed by themselves.
fn word(action: Action, who: &[Person], by: Option<&Person>) -> &'static str {
    match action {
        Action::Add => "add",
        Action::Remove if by.is_some_and(|by| who.iter().all(|one| one.is(by))) => "leave",
        Action::Remove => "remove",
        Action::Promote => "promote",
        Action::Demote => "demote",
    }
}

fn shown(person: &Person) -> GroupPerson {
    GroupPerson { phone: person.phone.clone(), lid: person.lid.clone() }
}

fn changed(setting: Setting) -> GroupChange {
    let nothing = GroupChange::default();
    match setting {
        Setting::Subject(subject) => GroupChange { subject: Some(subject), ..nothing },
        Setting::Description(description) => GroupChange { description: Some(description), ..nothing },
        Setting::Announce(on) => GroupChange { announce: Some(on), ..nothing },
        Setting::Locked(on) => GroupChange { locked: Some(on), ..nothing },
        Setting::EphemeralSeconds(seconds) => GroupChange { ephemeral_seconds: Some(seconds), ..nothing },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wapid_core::event::Kind;

    use super::*;

    const GROUP: &str = "120363000000000001@g.us";

    fn person(phone: &str, lid: &str) -> Person {
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Person { phone: name(phone), lid: name(lid) }
    }

    fn tell(by: Option<Person>, what: What) -> (Option<String>, Kind, Value) {
        let own = person("15550000001", "100000000000001");
        let news = GroupNews { jid: GROUP.to_owned(), at_ms: 7_000, by, what };
        let (name, event) = told(&own, news);
        let data = serde_json::to_value(&event.data).expect("an event is JSON");
        (name.map(|name| name.subject), event.kind(), data)
    }

    fn people(action: Action, who: &[&str]) -> What {
        let who = who.iter().map(|lid| person("", lid)).collect();
        What::People { action, who, by_link: false }
    }

    #[test]
    fn coming_and_going_of_the_own_number_is_joining_and_leaving() {
        let came = What::Came {
            ephemeral_seconds: 0,
            subject: "Team".into(),
            subject_at_ms: None,
            is_new: true,
            by_link: false,
        };
        let (name, kind, data) = tell(Some(person("15550000002", "")), came);
        assert_eq!(
            (name.as_deref(), kind, &data["reason"]),
            (Some("Team"), Kind::GroupJoined, &json!("created"))
        );
        assert_eq!(data["by"], json!({"phone": "15550000002", "lid": null}));
        // WhatsApp names people by whichever it likes.
        let (_, kind, _) = tell(None, people(Action::Add, &["100000000000009", "100000000000001"]));
        assert_eq!(kind, Kind::GroupJoined);
        let own = Some(person("15550000001", ""));
        let (_, kind, data) = tell(own, people(Action::Remove, &["100000000000001"]));
        assert_eq!((kind, &data["reason"]), (Kind::GroupLeft, &json!("left")));
        let admin = Some(person("15550000002", ""));
        let (_, _, data) = tell(admin, people(Action::Remove, &["100000000000001"]));
        assert_eq!(data["reason"], "removed");
    }

    #[test]
    fn what_others_do_is_told_as_theirs() {
        let them = Some(person("", "100000000000002"));
        let (_, kind, data) = tell(them.clone(), people(Action::Remove, &["100000000000002"]));
        assert_eq!((kind, &data["action"]), (Kind::GroupParticipants, &json!("leave")));
        let (_, _, data) = tell(them, people(Action::Remove, &["100000000000002", "100000000000003"]));
        assert_eq!(
            (&data["action"], data["participants"].as_array().map(Vec::len)),
            (&json!("remove"), Some(2))
        );
        let (name, kind, data) = tell(None, What::Changed(Setting::Subject("New".into())));
        assert_eq!((name.as_deref(), kind), (Some("New"), Kind::GroupUpdated));
        assert_eq!((&data["subject"], &data["changed"]), (&json!("New"), &json!({"subject": "New"})));
        let (name, _, data) = tell(None, What::Changed(Setting::Announce(true)));
        assert_eq!(
            (name, &data["subject"], &data["changed"]),
            (None, &Value::Null, &json!({"announce": true}))
        );
    }
}
