//! A group, its people and what became of them, as a caller reads it.

use serde::Serialize;
use utoipa::ToSchema;
use wapid_core::clock::At;

use crate::session::groups::{self, Action, Outcome, Person, Role};

#[derive(Serialize, ToSchema)]
pub struct GroupList {
    pub groups: Vec<GroupSummary>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupSummary {
    #[schema(example = "120363041234567890@g.us")]
    group_id: String,
    subject: String,
    description: Option<String>,
    /// Who made it
    owner: Option<Named>,
    created_at: Option<String>,
    /// How many people are in it
    size: usize,
    /// The number's own: `owner`, `admin` or `member`; null for who is not in it
    role: Option<&'static str>,
    /// Only admins write
    announce: bool,
    /// Only admins change subject, description and settings
    locked: bool,
    /// After which messages disappear; 0 for never
    ephemeral_seconds: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = GroupDetail)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    #[serde(flatten)]
    summary: GroupSummary,
    participants: Vec<GroupParticipant>,
}

/// A person, by number and by WhatsApp's hidden id, where known
#[derive(Serialize, ToSchema)]
pub struct Named {
    #[schema(example = "5511900000001")]
    phone: Option<String>,
    lid: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct GroupParticipant {
    phone: Option<String>,
    lid: Option<String>,
    /// `owner`, `admin` or `member`
    role: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = GroupMade)]
pub struct Made {
    pub success: bool,
    pub group: Group,
    pub results: Vec<ParticipantResult>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ParticipantResults)]
pub struct Results {
    pub results: Vec<ParticipantResult>,
}

/// What became of one person
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantResult {
    #[schema(example = "5511900000001@s.whatsapp.net")]
    participant: String,
    success: bool,
    /// Stable: `NOT_ALLOWED_TO_ADD`, `NOT_ON_WHATSAPP`, `NOT_IN_GROUP`, `ALREADY_IN_GROUP`, `LEFT_RECENTLY`,
    /// `BLOCKED`, `GROUP_FULL`, `NOT_CHANGEABLE` or `REFUSED_BY_WHATSAPP`
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// WhatsApp's own
    #[serde(skip_serializing_if = "Option::is_none")]
    whatsapp_code: Option<u16>,
    /// For people
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

impl GroupSummary {
    pub fn of(group: groups::Group) -> Self {
        Self {
            group_id: group.jid,
            subject: group.subject,
            description: group.description,
            owner: group.owner.map(Named::of),
            created_at: group.created_at_ms.map(|ms| At(ms).iso()),
            size: group.size,
            role: group.role.map(word),
            announce: group.announce,
            locked: group.locked,
            ephemeral_seconds: group.ephemeral_seconds,
        }
    }
}

impl Group {
    pub fn of(mut group: groups::Group) -> Self {
        let participants = std::mem::take(&mut group.participants);
        let participants = participants.into_iter().map(|one| {
            let Person { phone, lid } = one.person;
            GroupParticipant { phone, lid, role: word(one.role) }
        });
        Self { participants: participants.collect(), summary: GroupSummary::of(group) }
    }
}

impl Named {
    fn of(person: Person) -> Self {
        Self { phone: person.phone, lid: person.lid }
    }
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

/// `None` for a group that is being made.
pub fn results(outcomes: Vec<Outcome>, action: Option<Action>) -> Vec<ParticipantResult> {
    let is_adding = matches!(action, None | Some(Action::Add));
    let result = |outcome: Outcome| {
        let refused = outcome.code.map(|code| refusal(code, is_adding));
        ParticipantResult {
            participant: outcome.asked,
            success: outcome.code.is_none(),
            code: refused.map(|(code, _)| code),
            whatsapp_code: outcome.code,
            error: refused.map(|(_, error)| error),
        }
    };
    outcomes.into_iter().map(result).collect()
}

/// WhatsApp's codes about one participant: Baileys' and whatsmeow's users, and what the sandbox says.
fn refusal(code: u16, is_adding: bool) -> (&'static str, &'static str) {
    match code {
        401 => ("BLOCKED", "This person has blocked the number"),
        403 => (
            "NOT_ALLOWED_TO_ADD",
            "This person's privacy settings keep the number from adding them; send them the invite link",
        ),
        404 if is_adding => ("NOT_ON_WHATSAPP", "Nobody has this number on WhatsApp"),
        404 => ("NOT_IN_GROUP", "This person is not in the group"),
        406 => {
            ("NOT_CHANGEABLE", "WhatsApp does not let this person be changed: perhaps the group is theirs")
        }
        408 => {
            ("LEFT_RECENTLY", "This person has left the group a short while ago; send them the invite link")
        }
        409 => ("ALREADY_IN_GROUP", "This person is in the group already"),
        419 => ("GROUP_FULL", "The group is full"),
        _ => ("REFUSED_BY_WHATSAPP", "WhatsApp refused it"),
    }
}
