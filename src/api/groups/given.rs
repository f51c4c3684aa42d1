//! What a request about groups says, checked. Limits are WhatsApp's own, so that most of what it would
//! refuse is refused here, with words.

use std::collections::HashSet;

use serde::Deserialize;
use utoipa::ToSchema;
use wapid_core::phone::{Country, Recipient};

use crate::api::error::ApiError;
use crate::api::given_number::GivenNumber;
use crate::session::groups::{Action, Setting};

/// In characters (wacore 0.7.0, src/iq/groups.rs).
const SUBJECT_MAX: usize = 100;
const DESCRIPTION_MAX: usize = 2_048;
/// People that one request names. A larger group is made in several.
const PEOPLE_MAX: usize = 256;
/// The timers that WhatsApp's own applications offer: none, a day, a week, 90 days.
const TIMERS: [u32; 4] = [0, 86_400, 604_800, 7_776_000];
/// An invite link, or the code in it.
const LINK_MAX: usize = 256;

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
    pub default_country: Option<String>,
}

impl NewGroup {
    pub fn check(self, home: Option<Country>) -> Result<(String, Vec<String>), ApiError> {
        Ok((text("subject", self.subject, 1, SUBJECT_MAX)?, people(&self.participants, home)?))
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

impl ChangeGroup {
    pub fn check(self) -> Result<Vec<Setting>, ApiError> {
        let mut settings = Vec::new();
        if let Some(subject) = self.subject {
            settings.push(Setting::Subject(text("subject", subject, 1, SUBJECT_MAX)?));
        }
        if let Some(description) = self.description {
            let description = text("description", description, 0, DESCRIPTION_MAX)?;
            settings.push(Setting::Description((!description.is_empty()).then_some(description)));
        }
        if let Some(seconds) = self.ephemeral_seconds {
            if !TIMERS.contains(&seconds) {
                return Err(invalid("ephemeralSeconds: 0, 86400, 604800 or 7776000"));
            }
            settings.push(Setting::EphemeralSeconds(seconds));
        }
        settings.extend(self.announce.map(Setting::Announce));
        settings.extend(self.locked.map(Setting::Locked));
        if settings.is_empty() {
            let fields = "subject, description, announce, locked or ephemeralSeconds";
            return Err(invalid(format!("The body: name something to change: {fields}")));
        }
        Ok(settings)
    }
}

/// The field that a setting came in.
pub fn name_of(setting: &Setting) -> &'static str {
    match setting {
        Setting::Subject(_) => "subject",
        Setting::Description(_) => "description",
        Setting::Announce(_) => "announce",
        Setting::Locked(_) => "locked",
        Setting::EphemeralSeconds(_) => "ephemeralSeconds",
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
    pub default_country: Option<String>,
}

impl ChangeParticipants {
    pub fn check(self, home: Option<Country>) -> Result<(Action, Vec<String>), ApiError> {
        let action = match self.action.as_str() {
            "add" => Action::Add,
            "remove" => Action::Remove,
            "promote" => Action::Promote,
            "demote" => Action::Demote,
            _ => return Err(invalid("action: add, remove, promote or demote")),
        };
        let people = people(&self.participants, home)?;
        if people.is_empty() {
            return Err(invalid("participants: name at least one"));
        }
        Ok((action, people))
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinGroup {
    /// The invite link, or the code at its end
    #[schema(example = "https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv")]
    link: String,
}

impl JoinGroup {
    /// The code: what else stands in a link is nothing to WhatsApp.
    pub fn check(self) -> Result<String, ApiError> {
        let link = self.link.trim();
        let code = link.rsplit('/').next().unwrap_or_default();
        let code = code.split(['?', '#']).next().unwrap_or_default();
        if link.len() > LINK_MAX || code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(invalid("link: https://chat.whatsapp.com/ and a code"));
        }
        Ok(code.to_owned())
    }
}

fn text(name: &str, text: String, min: usize, max: usize) -> Result<String, ApiError> {
    let text = text.trim();
    let length = text.chars().count();
    if length < min || length > max || text.contains('\0') {
        return Err(invalid(format!("{name}: {min} to {max} characters, none of them NUL")));
    }
    Ok(text.to_owned())
}

/// JIDs, each once.
fn people(given: &[GivenNumber], home: Option<Country>) -> Result<Vec<String>, ApiError> {
    if given.len() > PEOPLE_MAX {
        return Err(invalid(format!("participants: at most {PEOPLE_MAX} in one request")));
    }
    let mut seen = HashSet::new();
    let mut people = Vec::with_capacity(given.len());
    for (place, number) in given.iter().enumerate() {
        let jid = match number.recipient(home) {
            Ok(Recipient::Group(_)) => {
                let why = format!("participants[{place}]: a person, not a group");
                return Err(ApiError::bad("INVALID_RECIPIENT", why));
            }
            Ok(person) => person.jid(),
            Err(problem) => {
                let why = format!("participants[{place}]: {problem}");
                return Err(ApiError::bad("INVALID_RECIPIENT", why));
            }
        };
        if seen.insert(jid.clone()) {
            people.push(jid);
        }
    }
    Ok(people)
}

fn invalid(why: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::bad("INVALID_REQUEST", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_its_code() {
        let code = |link: &str| JoinGroup { link: link.to_owned() }.check().ok();
        for link in
            ["AbC123", " https://chat.whatsapp.com/AbC123 ", "chat.whatsapp.com/invite/AbC123?mode=ac_t"]
        {
            assert_eq!(code(link).as_deref(), Some("AbC123"), "{link}");
        }
        for link in ["", "https://chat.whatsapp.com/", "AbC-123", "Ä"] {
            assert_eq!(code(link), None, "{link}");
        }
    }

    #[test]
    fn people_are_named_once_and_groups_are_nobody() {
        let given = ["+55 11 90000-0001", "5511900000001", "123456789@lid"]
            .map(|text| GivenNumber::Text(text.to_owned()));
        assert_eq!(
            people(&given, None).ok(),
            Some(vec!["5511900000001@s.whatsapp.net".into(), "123456789@lid".into()])
        );
        assert!(people(&[GivenNumber::Text("120363000000000001@g.us".to_owned())], None).is_err());
        assert!(people(&vec![GivenNumber::Digits(5_511_900_000_001); PEOPLE_MAX + 1], None).is_err());
    }
}
