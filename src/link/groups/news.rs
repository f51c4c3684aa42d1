//! WhatsApp's news of groups in our words.
//!
//! One notification may tell of several changes, in their order. Who comes into a group, of a new one as well,
//! gets the whole group as a `create` (whatsmeow: `JoinedGroup`); the others hear an `add`.

use wacore::iq::groups::GroupInfoResponse;
use wacore::protocol::ProtocolNode as _;
use wacore::stanza::groups::{GroupNotification, GroupNotificationAction as Act, GroupParticipantInfo};
use wacore_binary::{Jid, Node};

use super::{Action, GroupNews, Person, Setting, What};

/// Without what changes nothing that we tell of.
pub fn news_of(notification: GroupNotification) -> Vec<GroupNews> {
    let GroupNotification { group_jid, participant, participant_pn, timestamp, actions, .. } = notification;
    let jid = group_jid.to_string();
    let by = participant.as_ref().map(|by| person([Some(by), participant_pn.as_ref()]));
    let at = i64::try_from(timestamp).ok().and_then(wacore::time::from_secs);
    let at_ms = at.unwrap_or_else(wacore::time::now_utc).timestamp_millis();
    let told = actions.iter().filter_map(what_of);
    told.map(|what| GroupNews { jid: jid.clone(), at_ms, by: by.clone(), what }).collect()
}

fn what_of(action: &Act) -> Option<What> {
    Some(match action {
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
