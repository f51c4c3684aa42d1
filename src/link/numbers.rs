//! "Which of these numbers are on WhatsApp?": one question for many.

use std::collections::HashSet;

use parking_lot::Mutex;
use wacore::iq::usync::{
    UsyncAddressingMode, UsyncContext, UsyncMode, UsyncOutcome, UsyncProtocol, UsyncProtocolKind,
    UsyncProtocolResult, UsyncQuery, UsyncResponse, UsyncUser, UsyncUserResult,
};
use wacore_binary::Jid;

use super::SendFailure;
use super::people::Looked;

/// How many numbers one question may name. WhatsApp restricts accounts that ask for too many.
pub const ASKED_MAX: usize = 50;
/// How many numbers one link remembers at most.
const KNOWN_MAX: usize = 10_000;

/// The question that WhatsApp Web asks.
pub fn question(numbers: &[&str]) -> Result<UsyncQuery, SendFailure> {
    if numbers.len() > ASKED_MAX {
        return Err(SendFailure::Invalid(format!("at most {ASKED_MAX} numbers in one question")));
    }
    let protocols = vec![
        UsyncProtocol::Contact { addressing_mode: UsyncAddressingMode::Pn },
        UsyncProtocol::Lid,
        UsyncProtocol::BusinessVerifiedName,
    ];
    let users = numbers.iter().map(|number| UsyncUser::from_phone(*number)).collect();
    UsyncQuery::new(UsyncMode::Query, UsyncContext::Interactive, protocols, users)
        .map_err(|error| SendFailure::Invalid(error.to_string()))
}

/// The answer for each number, in the order asked. A number that the answer does not name is not on
/// WhatsApp; of one that WhatsApp could not look up nothing is known, so that nobody is taken for absent
/// by mistake.
pub fn answers(numbers: &[&str], answer: &UsyncResponse) -> Result<Vec<Option<bool>>, SendFailure> {
    Ok(looked(numbers, answer)?.into_iter().map(|looked| looked.exists).collect())
}

/// The same, with the address and the LID that came along.
pub fn looked(numbers: &[&str], answer: &UsyncResponse) -> Result<Vec<Looked>, SendFailure> {
    let contact = answer.protocol_state(UsyncProtocolKind::Contact);
    if let Some(error) = contact.and_then(|state| state.error.as_ref()) {
        return Err(SendFailure::Internal(format!("WhatsApp does not look up numbers now: {error:?}")));
    }
    Ok(numbers
        .iter()
        .map(|number| {
            let user = answer.users.iter().find(|user| is_about(user, number));
            let exists = match user.and_then(|user| user.protocol(UsyncProtocolKind::Contact)) {
                Some(UsyncProtocolResult::Contact(UsyncOutcome::Value(contact))) => {
                    Some(contact.contact_type == "in")
                }
                Some(UsyncProtocolResult::Contact(UsyncOutcome::Error(_))) => None,
                _ => Some(false),
            };
            let user = user.filter(|_| exists == Some(true));
            Looked {
                exists,
                jid: user.and_then(|user| user.id.as_ref()).map(|id| id.to_non_ad().to_string()),
                lid: user.and_then(lid_of).map(|lid| lid.user.to_string()),
            }
        })
        .collect())
}

/// WhatsApp repeats the number as it was asked. Its address may differ from that: Brazil and others
/// have numbers in two spellings.
fn is_about(user: &UsyncUserResult, number: &str) -> bool {
    let echo = match user.protocol(UsyncProtocolKind::Contact) {
        Some(UsyncProtocolResult::Contact(UsyncOutcome::Value(contact))) => contact.content.as_deref(),
        _ => None,
    };
    match echo.filter(|echo| !echo.is_empty()) {
        Some(echo) => echo.trim_start_matches('+') == number,
        None => user.id.as_ref().is_some_and(|id| id.user_base() == number),
    }
}

/// The LIDs that came along, with their numbers.
pub fn lids(answer: &UsyncResponse) -> impl Iterator<Item = (&Jid, &Jid)> {
    answer.users.iter().filter_map(|user| {
        let lid = lid_of(user)?;
        user.id.as_ref().filter(|id| id.is_pn()).map(|id| (lid, id))
    })
}

fn lid_of(user: &UsyncUserResult) -> Option<&Jid> {
    match user.protocol(UsyncProtocolKind::Lid) {
        Some(UsyncProtocolResult::Lid(UsyncOutcome::Value(Some(lid)))) => Some(lid),
        _ => None,
    }
}

/// Numbers that this link was told are on WhatsApp.
#[derive(Default)]
pub struct Known(Mutex<HashSet<String>>);

impl Known {
    pub fn has(&self, number: &str) -> bool {
        self.0.lock().contains(number)
    }

    pub fn add<'a>(&self, numbers: impl Iterator<Item = &'a str>) {
        let mut known = self.0.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.extend(numbers.map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn contact(kind: &str, echo: Option<&str>) -> UsyncProtocolResult {
        let mut value = json!({ "contact_type": kind });
        if let Some(echo) = echo {
            value["content"] = echo.into();
        }
        UsyncProtocolResult::Contact(UsyncOutcome::Value(serde_json::from_value(value).expect("a contact")))
    }

    fn response(users: &[(&str, UsyncProtocolResult)]) -> UsyncResponse {
        let users: Vec<Value> = users
            .iter()
            .map(|(id, contact)| {
                let id: Jid = id.parse().expect("a JID");
                json!({ "id": id, "protocols": [contact] })
            })
            .collect();
        serde_json::from_value(json!({ "protocol_states": [], "users": users })).expect("a response")
    }

    #[test]
    fn answers_come_in_the_order_asked_under_the_spelling_asked() {
        let answer = response(&[
            ("15550000002@s.whatsapp.net", contact("out", None)),
            // Asked with the ninth digit, known without it.
            ("551100000003@s.whatsapp.net", contact("in", Some("+5511900000003"))),
            ("15550000001@s.whatsapp.net", contact("in", Some("+15550000001"))),
        ]);
        let asked = ["15550000001", "15550000002", "5511900000003", "15550000004"];
        assert_eq!(
            answers(&asked, &answer).expect("answers"),
            [Some(true), Some(false), Some(true), Some(false)]
        );
    }

    #[test]
    fn whoever_is_there_has_an_address_perhaps_spelled_otherwise() {
        let answer = response(&[
            ("551100000003@s.whatsapp.net", contact("in", Some("+5511900000003"))),
            ("15550000002@s.whatsapp.net", contact("out", None)),
        ]);
        let looked = looked(&["5511900000003", "15550000002"], &answer).expect("answers");
        assert_eq!(looked[0].jid.as_deref(), Some("551100000003@s.whatsapp.net"));
        assert_eq!((looked[1].exists, looked[1].jid.as_ref()), (Some(false), None));
    }

    #[test]
    fn a_number_that_could_not_be_looked_up_is_not_absent() {
        let error = serde_json::from_value(json!({ "code": 429 })).expect("an error");
        let failed = UsyncProtocolResult::Contact(UsyncOutcome::Error(error));
        let answer = response(&[("15550000001@s.whatsapp.net", failed)]);
        assert_eq!(answers(&["15550000001", "15550000002"], &answer).expect("answers"), [None, Some(false)]);
    }

    #[test]
    fn a_question_is_bounded() {
        assert!(matches!(question(&["15550000001"; ASKED_MAX + 1]), Err(SendFailure::Invalid(_))));
        assert!(question(&["15550000001"; ASKED_MAX]).is_ok());
    }
}
