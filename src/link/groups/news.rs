//! The client's news of groups in our words.
//!
//! A notification of WhatsApp is an event of the client for each thing that changed (whatsapp-rust 0.7.0,
//! src/handlers/notification/groups.rs). Who comes into a group, of a new one as well, gets the whole group
//! as a `create` (whatsmeow: `JoinedGroup`); the others hear an `add`.

use wacore::iq::groups::GroupInfoResponse;
use wacore::protocol::ProtocolNode as _;
use wacore::stanza::groups::{GroupNotificationAction as Act, GroupParticipantInfo};
use wacore::types::events::GroupUpdate;
use wacore_binary::{Jid, Node};

use super::{Action, GroupNews, Person, Setting, What};

/// `None` for what changes nothing that we tell of.
pub fn news_of(update: &GroupUpdate) -> Option<GroupNews> {
    let by = [update.participant.as_ref(), update.participant_pn.as_ref()];
    let at_ms = update.timestamp.timestamp_millis();
    Some(GroupNews {
        jid: update.group_jid.to_string(),
        at_ms,
        by: update.participant.is_some().then(|| person(by)),
        what: match &update.action {
            Act::Create { raw } => came(raw)?,
            Act::Add { participants, reason } => people(Action::Add, participants, reason.as_deref()),
            Act::Remove { participants, .. } => people(Action::Remove, participants, None),
            Act::Promote { participants } => people(Action::Promote, participants, None),
            Act::Demote { participants } => people(Action::Demote, participants, None),
            Act::Subject { subject, .. } => What::Changed(Setting::Subject(subject.clone())),
            Act::Description { description, .. } => {
                What::Changed(Setting::Description(description.clone().filter(|text| !text.is_empty())))
            }
            Act::Announce => What::Changed(Setting::Announce(true)),
            Act::NotAnnounce => What::Changed(Setting::Announce(false)),
            Act::Locked { .. } => What::Changed(Setting::Locked(true)),
            Act::Unlocked => What::Changed(Setting::Locked(false)),
            Act::Ephemeral { expiration, .. } => What::Changed(Setting::EphemeralSeconds(*expiration)),
            Act::Delete { .. } => What::Ended,
            _ => return None,
        },
    })
}

/// `<create type="new" | reason="invite"><group …/></create>`
fn came(create: &Node) -> Option<What> {
    let group = create.get_optional_child("group")?;
    let group = GroupInfoResponse::try_from_node_ref(&group.as_node_ref()).ok()?;
    let says = |name: &str, word: &str| create.attrs.get(name).is_some_and(|value| value.as_str() == word);
    let seconds = group.subject_time.and_then(|seconds| i64::try_from(seconds).ok());
    Some(What::Came {
        subject: group.subject.into_string(),
        subject_at_ms: seconds.map(|seconds| seconds.saturating_mul(1000)),
        is_new: says("type", "new"),
        by_link: says("reason", "invite"),
        ephemeral_seconds: group.ephemeral.and_then(|settings| settings.expiration).unwrap_or(0),
    })
}

fn people(action: Action, who: &[GroupParticipantInfo], reason: Option<&str>) -> What {
    let who = who.iter().map(|one| person([Some(&one.jid), one.phone_number.as_ref(), one.lid.as_ref()]));
    What::People { action, who: who.collect(), by_link: reason == Some("invite") }
}

/// Somebody by the names that WhatsApp gives.
pub fn person<const N: usize>(names: [Option<&Jid>; N]) -> Person {
    let find = |is: fn(&Jid) -> bool| {
        names.into_iter().flatten().find(|jid| is(jid)).map(|jid| jid.user_base().to_owned())
    };
    Person { phone: find(Jid::is_pn), lid: find(Jid::is_lid) }
}
