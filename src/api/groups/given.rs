//! What a request about groups says.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::given_number::GivenNumber;
use crate::usecases::groups::{GroupChanges, GroupWish, PeopleWish};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// 1 to 100 characters
    #[schema(example = "Order 1234")]
    subject: String,
    /// Up to 256 numbers with country code, in any spelling, or JIDs of people
    #[serde(default)]
    participants: Vec<GivenNumber>,
    /// Of numbers without a country code: ISO 3166, such as `BR`. Otherwise that of the settings
    #[serde(rename = "defaultCountry")]
    default_country: Option<String>,
}

impl From<NewGroup> for GroupWish {
    fn from(NewGroup { subject, participants, default_country }: NewGroup) -> Self {
        Self { subject, participants: texts_of(participants), default_country }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeGroup {
    /// 1 to 100 characters
    subject: Option<String>,
    /// Up to 2,048 characters; an empty one takes it away
    description: Option<String>,
    /// Only admins write
    announce: Option<bool>,
    /// Only admins change subject, description and settings
    locked: Option<bool>,
    /// After which messages disappear: 0 (never), 86400, 604800 or 7776000
    ephemeral_seconds: Option<u32>,
}

impl From<ChangeGroup> for GroupChanges {
    fn from(change: ChangeGroup) -> Self {
        let ChangeGroup { subject, description, announce, locked, ephemeral_seconds } = change;
        Self { subject, description, announce, locked, ephemeral_seconds }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeParticipants {
    /// `add`, `remove`, `promote` (to admin) or `demote`
    #[schema(example = "add")]
    action: String,
    /// 1 to 256 numbers with country code, in any spelling, or JIDs of people
    participants: Vec<GivenNumber>,
    /// Of numbers without a country code: ISO 3166, such as `BR`. Otherwise that of the settings
    #[serde(rename = "defaultCountry")]
    default_country: Option<String>,
}

impl From<ChangeParticipants> for PeopleWish {
    fn from(change: ChangeParticipants) -> Self {
        let ChangeParticipants { action, participants, default_country } = change;
        Self { action, participants: texts_of(participants), default_country }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinGroup {
    /// The invite link, or the code at its end
    #[schema(example = "https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv")]
    pub link: String,
}

fn texts_of(participants: Vec<GivenNumber>) -> Vec<String> {
    participants.into_iter().map(GivenNumber::into_text).collect()
}
