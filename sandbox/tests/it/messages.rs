//! Text both ways, receipts, and what the phones show.

use wapid_sandbox::{PhoneMessage, ReceiptKind};

use crate::support::{ALICE, BOB, BOOK, CAROL, linked, network, shows, texts};

#[tokio::test]
async fn two_clients_talk() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let id = alice.send(BOB, "hello bob").await;
    bob.text("hello bob").await;
    alice.receipt("Delivered", &id).await;
    bob.send(ALICE, "hello alice").await;
    alice.text("hello alice").await;
    let inbox = shows(&sandbox, ALICE, |inbox| inbox.messages.len() == 2).await;
    assert_eq!(texts(&inbox), ["hello bob", "hello alice"]);
    assert!(inbox.messages[0].from_me && !inbox.messages[1].from_me);
}

#[tokio::test]
async fn a_phone_and_a_client_talk() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let id = alice.send(CAROL, "hi carol").await;
    alice.receipt("Delivered", &id).await;
    let inbox = shows(&sandbox, CAROL, |inbox| !inbox.messages.is_empty()).await;
    assert_eq!((inbox.messages[0].from.as_str(), inbox.messages[0].to.as_str()), (ALICE, CAROL));
    assert_eq!(inbox.messages[0].id, id);

    sandbox.mark(BOOK, CAROL, &id, ReceiptKind::Read).await.expect("read");
    alice.receipt("Read", &id).await;
    sandbox.mark(BOOK, CAROL, &id, ReceiptKind::Played).await.expect("played");
    alice.receipt("Played", &id).await;

    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "hi alice")).await.expect("sent");
    alice.text("hi alice").await;
}
