//! "Which of these numbers are on WhatsApp?": one question for many.

use wacore::iq::usync::{
    UsyncAddressingMode, UsyncContext, UsyncMode, UsyncOutcome, UsyncProtocol, UsyncProtocolKind,
    UsyncProtocolResult, UsyncQuery, UsyncResponse, UsyncSubprotocolError, UsyncUser, UsyncUserResult,
};
use wacore_binary::Jid;
use wapid_core::people::Who;
use wapid_core::phone::Phone;

use super::people::{AskFailure, Listing};

/// How many numbers one question may name. WhatsApp restricts accounts that ask for too many.
pub const ASKED_MAX: usize = 50;

/// The question that WhatsApp Web asks.
pub fn question(numbers: &[&str]) -> Result<UsyncQuery, AskFailure> {
    if numbers.len() > ASKED_MAX {
        return Err(AskFailure::Invalid(format!("at most {ASKED_MAX} numbers in one question")));
    }
    let protocols = vec![
        UsyncProtocol::Contact { addressing_mode: UsyncAddressingMode::Pn },
        UsyncProtocol::Lid,
        UsyncProtocol::BusinessVerifiedName,
    ];
    let users = numbers.iter().map(|number| UsyncUser::from_phone(*number)).collect();
    UsyncQuery::new(UsyncMode::Query, UsyncContext::Interactive, protocols, users)
        .map_err(|error| AskFailure::Invalid(error.to_string()))
}

/// What the answer says of each number, in the order asked. A number that it does not name is nobody's; of
/// one that WhatsApp could not look up nothing is known, so that nobody is taken for absent by mistake.
pub fn listings(numbers: &[&str], answer: &UsyncResponse) -> Result<Vec<Listing>, UsyncSubprotocolError> {
    let contact = answer.protocol_state(UsyncProtocolKind::Contact);
    if let Some(error) = contact.and_then(|state| state.error.as_ref()) {
        return Err(error.clone());
    }
    let listing = |number: &&str| {
        let Some(user) = answer.users.iter().find(|user| is_about(user, number)) else {
            return Listing::Nobody;
        };
        match user.protocol(UsyncProtocolKind::Contact) {
            Some(UsyncProtocolResult::Contact(UsyncOutcome::Value(contact)))
                if contact.contact_type == "in" =>
            {
                account(user).map_or(Listing::Nobody, Listing::Account)
            }
            Some(UsyncProtocolResult::Contact(UsyncOutcome::Error(_))) => Listing::Unclear,
            _ => Listing::Nobody,
        }
    };
    Ok(numbers.iter().map(listing).collect())
}

/// The names of an account. Its address is its number or, where that is hidden, its LID; a server for what is
/// no person (a group, a channel, a bot) is none.
fn account(user: &UsyncUserResult) -> Option<Who> {
    let address = user.id.as_ref()?;
    let is_lid = address.server.is_lid_family();
    if !is_lid && !address.server.is_pn_family() {
        return None;
    }
    let number = if is_lid { user.pn_jid.as_ref() } else { Some(address) };
    let phone = number.and_then(|jid| Phone::from_whatsapp(jid.user_base()).ok());
    let lid = if is_lid { Some(address) } else { lid_of(user) };
    let who = Who { phone, lid: lid.map(|lid| lid.user_base().to_owned()) };
    who.chat().is_some().then_some(who)
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

fn lid_of(user: &UsyncUserResult) -> Option<&Jid> {
    match user.protocol(UsyncProtocolKind::Lid) {
        Some(UsyncProtocolResult::Lid(UsyncOutcome::Value(Some(lid)))) => Some(lid),
        _ => None,
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

    fn who(phone: &str) -> Listing {
        Listing::Account(Who { phone: Phone::from_whatsapp(phone).ok(), lid: None })
    }

    #[test]
    fn answers_come_in_the_order_asked_under_the_accounts_own_spelling() {
        let answer = response(&[
            ("15550000002@s.whatsapp.net", contact("out", None)),
            // Asked with the ninth digit, known without it.
            ("551190000003@s.whatsapp.net", contact("in", Some("+5511990000003"))),
            ("15550000001@s.whatsapp.net", contact("in", Some("+15550000001"))),
        ]);
        let asked = ["15550000001", "15550000002", "5511990000003", "15550000004"];
        assert_eq!(
            listings(&asked, &answer).expect("answers"),
            [who("15550000001"), Listing::Nobody, who("551190000003"), Listing::Nobody]
        );
    }

    #[test]
    fn an_account_without_a_number_goes_by_its_lid() {
        let mut answer = response(&[("100000000000001@lid", contact("in", Some("+15550000001")))]);
        let lid = Some("100000000000001".to_owned());
        let hidden = Listing::Account(Who { phone: None, lid: lid.clone() });
        assert_eq!(listings(&["15550000001"], &answer).expect("answers"), [hidden]);
        answer.users[0].pn_jid = Some("15550000001@s.whatsapp.net".parse().expect("a JID"));
        let both = Listing::Account(Who { phone: Phone::from_whatsapp("15550000001").ok(), lid });
        assert_eq!(listings(&["15550000001"], &answer).expect("answers"), [both]);
    }

    #[test]
    fn what_is_no_person_is_nobody() {
        for id in ["120363000000000001@g.us", "120363000000000001@newsletter", "15550000001@bot"] {
            let answer = response(&[(id, contact("in", Some("+15550000001")))]);
            assert_eq!(listings(&["15550000001"], &answer).expect("answers"), [Listing::Nobody], "{id}");
        }
    }

    #[test]
    fn a_number_that_could_not_be_looked_up_is_not_absent() {
        let error = serde_json::from_value(json!({ "code": 429 })).expect("an error");
        let failed = UsyncProtocolResult::Contact(UsyncOutcome::Error(error));
        let answer = response(&[("15550000001@s.whatsapp.net", failed)]);
        assert_eq!(
            listings(&["15550000001", "15550000002"], &answer).expect("answers"),
            [Listing::Unclear, Listing::Nobody]
        );
    }

    #[test]
    fn a_question_is_bounded() {
        assert!(matches!(question(&["15550000001"; ASKED_MAX + 1]), Err(AskFailure::Invalid(_))));
        assert!(question(&["15550000001"; ASKED_MAX]).is_ok());
    }
}
