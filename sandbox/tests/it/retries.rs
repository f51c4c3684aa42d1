//! Messages that could not be decrypted are asked for and sent again, both ways.

use wapid_sandbox::{FaultKind, PhoneMessage};

use crate::support::{ALICE, BOB, BOOK, CAROL, linked, network, shows, texts};

#[tokio::test]
async fn a_phone_that_lost_its_session_gets_the_message_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let first = alice.send(CAROL, "before").await;
    alice.receipt("Delivered", &first).await;
    // The phone answers, so the client no longer begins its messages with a new session.
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "answer")).await.expect("sent");
    alice.text("answer").await;
    sandbox.fault(BOOK, CAROL, FaultKind::LoseSessions.into()).await.expect("a fault");
    let id = alice.send(CAROL, "after").await;
    alice.receipt("Delivered", &id).await;
    let inbox = shows(&sandbox, CAROL, |inbox| inbox.messages.len() == 3).await;
    assert_eq!(texts(&inbox), ["before", "answer", "after"]);
    let next = alice.send(CAROL, "and on").await;
    alice.receipt("Delivered", &next).await;
}

#[tokio::test]
async fn the_own_phone_gets_its_copy_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    alice.send(CAROL, "before").await;
    shows(&sandbox, ALICE, |inbox| inbox.messages.len() == 1).await;
    sandbox.fault(BOOK, ALICE, FaultKind::LoseSessions.into()).await.expect("a fault");
    alice.send(CAROL, "after").await;
    let inbox = shows(&sandbox, ALICE, |inbox| inbox.messages.len() == 2).await;
    assert_eq!(texts(&inbox), ["before", "after"]);
    assert!(inbox.messages.iter().all(|message| message.from_me && message.to == CAROL));
}

#[tokio::test]
async fn a_client_gets_a_spoiled_message_of_a_phone_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "before")).await.expect("sent");
    alice.text("before").await;
    sandbox.fault(BOOK, ALICE, FaultKind::CorruptDelivery.into()).await.expect("a fault");
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "spoiled")).await.expect("sent");
    alice.text("spoiled").await;
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "after")).await.expect("sent");
    alice.text("after").await;
}

#[tokio::test]
async fn a_client_gets_a_spoiled_message_of_a_client_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    bob.send(ALICE, "before").await;
    alice.text("before").await;
    sandbox.fault(BOOK, ALICE, FaultKind::CorruptDelivery.into()).await.expect("a fault");
    bob.send(ALICE, "spoiled").await;
    alice.text("spoiled").await;
}
