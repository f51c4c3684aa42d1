//! "Is this number on WhatsApp?": the answer is the account's own address, however the number was spelled.

use wacore::iq::usync::{
    UsyncAddressingMode, UsyncContext, UsyncMode, UsyncOutcome, UsyncProtocol, UsyncProtocolKind,
    UsyncProtocolResult, UsyncQuery, UsyncUser,
};
use wapid_sandbox::{FaultKind, Lookups, Sandbox, Storage};
use waproto::whatsapp as wa;
use whatsapp_rust::Jid;

use crate::support::{ALICE, BOB, BOOK, Linked, linked, network, shown};

/// Whom a look-up finds under each number.
async fn look_up(device: &Linked, numbers: &[&str]) -> Vec<Option<String>> {
    let protocols =
        vec![UsyncProtocol::Contact { addressing_mode: UsyncAddressingMode::Pn }, UsyncProtocol::Lid];
    let users = numbers.iter().map(|number| UsyncUser::from_phone(*number)).collect();
    let question = UsyncQuery::new(UsyncMode::Query, UsyncContext::Interactive, protocols, users);
    let answer = device.client.query_usync(question.expect("a question")).await.expect("an answer");
    let found = answer.users.iter().map(|user| match user.protocol(UsyncProtocolKind::Contact) {
        Some(UsyncProtocolResult::Contact(UsyncOutcome::Value(contact))) => {
            user.id.as_ref().filter(|_| contact.contact_type == "in").map(Jid::to_string)
        }
        _ => None,
    });
    found.collect()
}

fn jid(number: &str) -> String {
    format!("{number}@s.whatsapp.net")
}

#[tokio::test]
async fn a_number_in_another_spelling_is_answered_with_the_accounts_own() {
    let sandbox = network().await;
    let device = linked(&sandbox, ALICE).await;
    for (account, asked) in [
        ("551190000001", "5511990000001"),
        ("5511990000002", "551190000002"),
        ("5215590000001", "525590000001"),
        ("541190000001", "5491190000001"),
        ("22990000001", "2290190000001"),
        ("2250790000001", "22590000001"),
    ] {
        sandbox.create_phone(BOOK, account, "Somebody").await.expect("a phone");
        let asked = look_up(&device, &[asked, account]).await;
        assert!(asked.iter().all(|found| found.as_deref() == Some(jid(account).as_str())), "{asked:?}");
    }
    // A landline's digits behind a 9 are somebody else's.
    sandbox.create_phone(BOOK, "551130000001", "A shop").await.expect("a phone");
    assert_eq!(look_up(&device, &["5511930000001"]).await[0], None);
}

#[tokio::test]
async fn a_phone_is_known_as_any_number_that_it_was_given() {
    let sandbox = network().await;
    let device = linked(&sandbox, ALICE).await;
    let other = ["4915000000009".to_owned()];
    let made = sandbox.create_phone_known_as(BOOK, "4915000000001", "Somebody", &other).await;
    made.expect("a phone");
    // A new name takes nothing away.
    sandbox.create_phone(BOOK, "4915000000001", "Somebody else").await.expect("the phone");
    assert_eq!(look_up(&device, &["4915000000009"]).await[0], Some(jid("4915000000001")));
    let refused = sandbox.create_phone_known_as(BOOK, "4915000000002", "", &["0".to_owned()]).await;
    assert_eq!(refused.expect_err("no number").status(), 400);
}

#[tokio::test]
async fn other_numbers_outlive_the_network() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = || Storage::Folder(folder.path().to_owned());
    let sandbox = Sandbox::open(storage()).await.expect("opens");
    sandbox.create_phone(BOOK, ALICE, "Alice").await.expect("a phone");
    let other = ["4915000000009".to_owned()];
    sandbox.create_phone_known_as(BOOK, BOB, "Bob", &other).await.expect("a phone");
    drop(sandbox);
    let sandbox = Sandbox::open(storage()).await.expect("opens again");
    let device = linked(&sandbox, ALICE).await;
    assert_eq!(look_up(&device, &["4915000000009"]).await[0], Some(jid(BOB)));
}

/// WhatsApp takes such a message, and nobody gets it.
#[tokio::test]
async fn a_message_to_another_spelling_is_acknowledged_and_lost() {
    let sandbox = network().await;
    let device = linked(&sandbox, ALICE).await;
    sandbox.create_phone(BOOK, "551190000001", "Ana").await.expect("a phone");
    let message = |text: &str| wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
    let send = async |number: &str, text: &str| {
        device.client.send_message(Jid::pn(number), message(text)).await.expect("taken").message_id
    };
    send("5511990000001", "lost").await;
    let found = send("551190000001", "found").await;
    shown(&sandbox, "551190000001", &found, |_| true).await;
    let inbox = sandbox.messages(BOOK, "551190000001").await.expect("an inbox");
    assert_eq!(inbox.messages.len(), 1);
}

#[tokio::test]
async fn questions_about_numbers_are_counted_whether_or_not_they_are_answered() {
    let sandbox = network().await;
    let device = linked(&sandbox, ALICE).await;
    look_up(&device, &[BOB, "15550009999"]).await;
    sandbox.fault(BOOK, ALICE, FaultKind::LookupRefused.into()).await.expect("a fault");
    let question = UsyncQuery::new(
        UsyncMode::Query,
        UsyncContext::Interactive,
        vec![UsyncProtocol::Contact { addressing_mode: UsyncAddressingMode::Pn }],
        vec![UsyncUser::from_phone(BOB)],
    );
    device.client.query_usync(question.expect("a question")).await.expect_err("refused");
    let phones = sandbox.phones(BOOK).await;
    let of = |number: &str| phones.iter().find(|phone| phone.phone == number).expect("a phone").lookups;
    assert_eq!(of(ALICE), Lookups { questions: 2, numbers: 3 });
    assert_eq!(of(BOB), Lookups::default());
}
