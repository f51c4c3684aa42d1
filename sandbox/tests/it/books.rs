//! Phone books never meet, though the same number is in both.

use wacore::types::events::Event;
use wapid_sandbox::PhoneMessage;

use crate::support::{ALICE, BOB, BOOK, CAROL, Parts, linked, linked_with, network, start};

const OTHER: &str = "other";

#[tokio::test]
async fn the_same_number_in_two_books_is_two_accounts() {
    let sandbox = network().await;
    sandbox.create_phone(OTHER, ALICE, "Other Alice").await.expect("a phone");
    sandbox.create_phone(OTHER, CAROL, "Other Carol").await.expect("a phone");
    let here = linked(&sandbox, ALICE).await;
    let there = linked_with(&sandbox, OTHER, ALICE, Parts::in_book(&sandbox, OTHER)).await;
    assert_eq!(
        (here.client.push_name(), there.client.push_name()),
        ("Alice".to_owned(), "Other Alice".to_owned())
    );
    assert_ne!(here.client.lid(), there.client.lid());

    let id = there.send(CAROL, "over there").await;
    there.receipt("Delivered", &id).await;
    assert!(sandbox.messages(BOOK, CAROL).await.expect("a phone").messages.is_empty());
    assert_eq!(sandbox.messages(OTHER, CAROL).await.expect("a phone").messages.len(), 1);

    let stranger =
        sandbox.send(OTHER, ALICE, PhoneMessage::text(BOB, "hello?")).await.expect_err("Bob is elsewhere");
    assert_eq!(stranger.code(), "NOT_ON_WHATSAPP");
    let known =
        there.client.contacts().is_on_whatsapp(&[whatsapp_rust::Jid::pn(BOB)]).await.expect("an answer");
    assert!(known.iter().all(|answer| !answer.is_registered));
}

#[tokio::test]
async fn a_code_of_one_book_is_unknown_in_another() {
    let sandbox = network().await;
    sandbox.create_phone(OTHER, ALICE, "Other Alice").await.expect("a phone");
    let here = start(Parts::of(&sandbox)).await;
    let qr = here.qr().await;
    let refused = sandbox.scan(OTHER, ALICE, &qr).await.expect_err("another book");
    assert_eq!(refused.code(), "QR_NOT_VALID");
    sandbox.scan(BOOK, ALICE, &qr).await.expect("its own book");
    here.online().await;
}

#[tokio::test]
async fn a_book_that_ends_logs_its_devices_out() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    sandbox.remove_book(BOOK).await.expect("removed");
    alice.wait("logout", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
    let gone = sandbox.messages(BOOK, ALICE).await.expect_err("no phone");
    assert_eq!(gone.code(), "PHONE_NOT_FOUND");
}
