//! Groups of the linked number: what WhatsApp is asked and told.
//!
//! whatsapp-rust 0.7.0 keeps of a new group only who WhatsApp says is in it, and takes those who could not
//! be added for members; so a group is made by a question of our own, which keeps the errors. In a group
//! that names its members by LID a number is translated before it is removed or promoted.

use std::future::Future;
use std::time::Duration;

use wacore::iq::groups::{GroupCreateIq, GroupInfoResponse, ParticipantChangeResponse};
use wacore::iq::spec::IqSpec;
use wacore::protocol::ProtocolNode as _;
use wacore::request::InfoQuery;
use wacore_binary::{Jid, JidExt as _, NodeRef};
use whatsapp_rust::{
    Freshness, GroupCreateOptions, GroupDescription, GroupError, GroupMetadata, GroupParticipantOptions,
    GroupSubject, IqError, JoinGroupResult, ParticipantType, PreviousDescription, SendError,
};

use super::Link;
use super::send::failure_of;
use crate::link::SendFailure;
use crate::link::groups::{Action, Group, Joined, Outcome, Participant, Refusal, Role, Setting, person};

/// How long WhatsApp gets to answer. It takes a second for hundreds of participants.
const PATIENCE: Duration = Duration::from_secs(20);

impl Link {
    /// Every group that this number is in.
    pub async fn groups(&self) -> Result<Vec<Group>, Refusal> {
        let groups = ask(self.client.groups().get_participating(), Refusal::of).await?;
        Ok(groups.into_values().map(|group| self.group_of(group)).collect())
    }

    pub async fn group(&self, jid: &str) -> Result<Group, Refusal> {
        let jid = group_jid(jid)?;
        let group = ask(self.client.groups().get_metadata(&jid), Refusal::of).await?;
        Ok(self.group_of(group))
    }

    /// Makes a group of these people (JIDs) and of this number.
    pub async fn create_group(
        &self,
        subject: &str,
        participants: &[String],
    ) -> Result<(Group, Vec<Outcome>), Refusal> {
        let asked = jids(participants)?;
        let people = asked.iter().cloned().map(GroupParticipantOptions::new).collect();
        let options = GroupCreateOptions::new(subject).with_participants(people);
        let made = ask(self.execute(Create(GroupCreateIq::new(options))), Refusal::of).await?;
        let outcomes = outcomes(participants, &asked, &made.refused);
        let refused = |jid: &Jid| made.refused.iter().any(|refused| refused.jid.is_same_user_as(jid));
        let mut group = GroupMetadata::from(made.group);
        group.participants.retain(|participant| !refused(&participant.jid));
        // Its size counts those who were refused as well, on some servers.
        group.size = u32::try_from(group.participants.len()).ok();
        Ok((self.group_of(group), outcomes))
    }

    pub async fn change_group(&self, jid: &str, setting: &Setting) -> Result<(), Refusal> {
        let (jid, groups) = (group_jid(jid)?, self.client.groups());
        match setting {
            Setting::Subject(text) => {
                let subject = GroupSubject::new(text.as_str()).map_err(|_| Refusal::NotAcceptable)?;
                ask(groups.set_subject(jid, subject), Refusal::of).await
            }
            Setting::Description(text) => {
                let text = text.as_deref().map(GroupDescription::new).transpose();
                let text = text.map_err(|_| Refusal::NotAcceptable)?;
                ask(groups.set_description(jid, text, PreviousDescription::Resolve), Refusal::of).await
            }
            Setting::Announce(on) => ask(groups.set_announce(jid, *on), Refusal::of).await,
            Setting::Locked(on) => ask(groups.set_locked(jid, *on), Refusal::of).await,
            Setting::EphemeralSeconds(seconds) => ask(groups.set_ephemeral(jid, *seconds), Refusal::of).await,
        }
    }

    pub async fn change_participants(
        &self,
        jid: &str,
        action: Action,
        participants: &[String],
    ) -> Result<Vec<Outcome>, Refusal> {
        let (jid, mut asked) = (group_jid(jid)?, jids(participants)?);
        let groups = self.client.groups();
        if action != Action::Add {
            let known = ask(groups.query_info(&jid), Refusal::of).await?;
            for person in &mut asked {
                let number = |lid: &Jid| known.phone_jid_for_lid_user(&lid.user);
                let is_them = |lid: &&Jid| number(lid).is_some_and(|number| number.is_same_user_as(person));
                if let Some(lid) = known.participants.iter().find(is_them) {
                    *person = lid.to_non_ad();
                }
            }
        }
        let answers = match action {
            Action::Add => ask(groups.add_participants(jid, &asked), Refusal::of).await?,
            Action::Remove => ask(groups.remove_participants(jid, &asked), Refusal::of).await?,
            Action::Promote => ask(groups.promote_participants(jid, &asked), Refusal::of).await?,
            Action::Demote => ask(groups.demote_participants(jid, &asked), Refusal::of).await?,
        };
        Ok(outcomes(participants, &asked, &answers))
    }

    pub async fn leave_group(&self, jid: &str) -> Result<(), Refusal> {
        ask(self.client.groups().leave(group_jid(jid)?), Refusal::of).await
    }

    /// The link that lets people in; a reset makes a new one and the old one useless.
    pub async fn invite_link(&self, jid: &str, reset: bool) -> Result<String, Refusal> {
        ask(self.client.groups().get_invite_link(group_jid(jid)?, reset), Refusal::of).await
    }

    pub async fn join_group(&self, link: &str) -> Result<Joined, Refusal> {
        let joined = ask(self.client.groups().join_with_invite_code(link), Refusal::of_link).await?;
        Ok(match joined {
            JoinGroupResult::Joined(jid) => Joined::In { jid: jid.to_string() },
            JoinGroupResult::PendingApproval(jid) => Joined::Asked { jid: jid.to_string() },
        })
    }

    /// What a link leads to, for who has not followed it yet.
    pub async fn invited_to(&self, link: &str) -> Result<Group, Refusal> {
        let group = ask(self.client.groups().get_invite_info(link), Refusal::of_link).await?;
        Ok(self.group_of(group))
    }

    /// This number came into a group, perhaps for the second time: who the client remembers to be in it may
    /// have left, and it is told of changes only while it is in.
    pub async fn relearn_group(&self, jid: &str) -> Result<(), Refusal> {
        let jid = group_jid(jid)?;
        let groups = self.client.groups();
        ask(groups.query_info_with_freshness(&jid, Freshness::Refresh), Refusal::of).await.map(|_| ())
    }

    async fn execute<S: IqSpec>(&self, question: S) -> Result<S::Response, GroupError> {
        Ok(self.client.execute(question).await?)
    }

    fn group_of(&self, group: GroupMetadata) -> Group {
        let ms = |seconds: Option<u64>| {
            seconds
                .and_then(|seconds| i64::try_from(seconds).ok())
                .map(|seconds| seconds.saturating_mul(1000))
        };
        let participants: Vec<Participant> = group
            .participants
            .iter()
            .map(|one| Participant {
                person: person([Some(&one.jid), one.phone_number.as_ref(), one.lid.as_ref()]),
                role: match one.participant_type {
                    ParticipantType::Member => Role::Member,
                    ParticipantType::Admin => Role::Admin,
                    ParticipantType::SuperAdmin => Role::Owner,
                },
            })
            .collect();
        let own = person([self.client.pn().as_ref(), self.client.lid().as_ref(), None]);
        let role = participants.iter().find(|one| one.person.is(&own)).map(|one| one.role);
        let size = group.size.and_then(|size| usize::try_from(size).ok()).unwrap_or(participants.len());
        Group {
            jid: group.id.to_string(),
            subject: group.subject,
            subject_at_ms: ms(group.subject_time),
            description: group.description.filter(|text| !text.is_empty()),
            owner: group
                .creator
                .as_ref()
                .map(|creator| person([Some(creator), group.creator_pn.as_ref(), None])),
            created_at_ms: ms(group.creation_time),
            size: size.max(participants.len()),
            participants,
            role,
            announce: group.is_announcement,
            locked: group.is_locked,
            ephemeral_seconds: group.ephemeral.and_then(|settings| settings.expiration).unwrap_or(0),
        }
    }
}

/// The client reads a group before it writes to it; one that cannot be read takes no message either.
pub(super) fn refusal(error: &SendError) -> Option<SendFailure> {
    match error {
        SendError::Iq(IqError::ServerError { code: 403 | 401, .. }) => Some(SendFailure::NotInGroup),
        SendError::Iq(IqError::ServerError { code: 404, .. }) => Some(SendFailure::NoGroup),
        _ => None,
    }
}

/// Asks, and waits no longer than [`PATIENCE`].
async fn ask<T>(
    question: impl Future<Output = Result<T, GroupError>>,
    of: fn(u16) -> Refusal,
) -> Result<T, Refusal> {
    let answered = tokio::time::timeout(PATIENCE, question).await.map_err(|_| Refusal::Unanswered)?;
    answered.map_err(|error| match error {
        GroupError::Iq(IqError::ServerError { code, .. }) => of(code),
        GroupError::Iq(error) => match failure_of(SendError::Iq(error)) {
            SendFailure::Lost => Refusal::Unanswered,
            other => Refusal::Internal(other.to_string()),
        },
        GroupError::DescriptionConflict => Refusal::Conflict,
        GroupError::InvalidRequest(_) => of(400),
        other => Refusal::Internal(other.to_string()),
    })
}

fn group_jid(jid: &str) -> Result<Jid, Refusal> {
    jid.parse().map_err(|_| Refusal::NotFound)
}

fn jids(people: &[String]) -> Result<Vec<Jid>, Refusal> {
    let parsed = people.iter().map(|jid| jid.parse::<Jid>());
    parsed.collect::<Result<_, _>>().map_err(|_| Refusal::Other(400))
}

/// WhatsApp answers by whichever name it likes, and not always in order; who is not mentioned was done.
fn outcomes(participants: &[String], asked: &[Jid], answers: &[ParticipantChangeResponse]) -> Vec<Outcome> {
    let code = |jid: &Jid| {
        let is_about = |answer: &&ParticipantChangeResponse| {
            answer.jid.is_same_user_as(jid)
                || answer.phone_number.as_ref().is_some_and(|phone| phone.is_same_user_as(jid))
        };
        let error = answers.iter().find(is_about).and_then(|answer| answer.error.as_deref());
        error.map(|code| code.parse().unwrap_or(500))
    };
    let each = participants.iter().zip(asked);
    each.map(|(asked, jid)| Outcome { asked: asked.clone(), code: code(jid) }).collect()
}

/// [`GroupCreateIq`] that also tells who could not be added.
struct Create(GroupCreateIq);

struct Made {
    group: GroupInfoResponse,
    refused: Vec<ParticipantChangeResponse>,
}

impl IqSpec for Create {
    type Response = Made;

    fn build_iq(&self) -> InfoQuery<'static> {
        self.0.build_iq()
    }

    fn parse_response(&self, response: &NodeRef<'_>) -> Result<Made, anyhow::Error> {
        let group = response.get_optional_child("group");
        let participants = group.into_iter().flat_map(|group| group.get_children_by_tag("participant"));
        let answers: Vec<ParticipantChangeResponse> =
            participants.map(ParticipantChangeResponse::try_from_node_ref).collect::<Result<_, _>>()?;
        let refused = answers.into_iter().filter(|answer| answer.error.is_some()).collect();
        Ok(Made { group: self.0.parse_response(response)?, refused })
    }
}
