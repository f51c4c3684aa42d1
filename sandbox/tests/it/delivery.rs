//! What reaches a device that was away, a second device, or one that is no longer linked.

use std::sync::Arc;

use wacore::store::InMemoryBackend;
use wacore::store::traits::Backend;
use wacore::types::events::Event;
use wapid_sandbox::PhoneMessage;

use crate::support::{
    ALICE, BOB, BOOK, CAROL, Linked, Parts, linked, linked_with, network, shows, start, texts,
};

async fn logged_out(device: &Linked) -> bool {
    device
        .wait("logout", |event| match event {
            Event::LoggedOut(logged_out) => Some(logged_out.on_connect),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_device_that_was_away_gets_what_waited() {
    let sandbox = network().await;
    let backend: Arc<dyn Backend> = Arc::new(InMemoryBackend::new());
    let alice = linked_with(&sandbox, BOOK, ALICE, Parts::of(&sandbox).with(&backend)).await;
    alice.stop().await;
    for text in ["one", "two", "three"] {
        sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, text)).await.expect("sent");
    }
    let alice = start(Parts::of(&sandbox).with(&backend)).await;
    for text in ["one", "two", "three"] {
        alice.text(text).await;
    }
    alice.online().await;
    let queued = || async { sandbox.devices(BOOK, ALICE).await.expect("a phone")[0].queued };
    tokio::time::timeout(crate::support::DEADLINE, async {
        while queued().await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the device acknowledges all");
}

#[tokio::test]
async fn a_second_device_sees_both_sides() {
    let sandbox = network().await;
    let bob = linked(&sandbox, BOB).await;
    let first = linked(&sandbox, ALICE).await;
    // Bob knows the first device only; the notification tells him of the second.
    bob.send(ALICE, "before").await;
    first.text("before").await;
    let second = linked(&sandbox, ALICE).await;
    bob.wait("device list", |event| matches!(event, Event::DeviceListUpdate(_)).then_some(())).await;
    bob.send(ALICE, "to both").await;
    first.text("to both").await;
    second.text("to both").await;

    first.send(BOB, "from the first").await;
    bob.text("from the first").await;
    second
        .wait("own message", |event| match event {
            Event::Messages(batch) => batch
                .iter()
                .any(|message| {
                    message.message.conversation.as_deref() == Some("from the first")
                        && message.info.source.is_from_me
                })
                .then_some(()),
            _ => None,
        })
        .await;
    sandbox.send(BOOK, ALICE, PhoneMessage::text(BOB, "from the phone")).await.expect("sent");
    bob.text("from the phone").await;
    first.text("from the phone").await;
    second.text("from the phone").await;
    let inbox = shows(&sandbox, BOB, |inbox| inbox.messages.len() == 4).await;
    assert_eq!(texts(&inbox), ["before", "to both", "from the first", "from the phone"]);
    assert_eq!(inbox.redelivered, 0);
}

#[tokio::test]
async fn an_unlinked_device_is_logged_out() {
    let sandbox = network().await;
    let backend: Arc<dyn Backend> = Arc::new(InMemoryBackend::new());
    let alice = linked_with(&sandbox, BOOK, ALICE, Parts::of(&sandbox).with(&backend)).await;
    assert_eq!(sandbox.unlink(BOOK, ALICE, None).await.expect("unlinked"), 1);
    assert!(!logged_out(&alice).await, "it was told on the stream");
    assert!(sandbox.devices(BOOK, ALICE).await.expect("a phone").is_empty());
    alice.stop().await;

    let again = start(Parts::of(&sandbox).with(&backend)).await;
    assert!(logged_out(&again).await, "it was told at login");
    let missing = sandbox.unlink(BOOK, ALICE, Some(7)).await.expect_err("no such device");
    assert_eq!(missing.code(), "DEVICE_NOT_FOUND");
}

#[tokio::test]
async fn a_device_logs_itself_out() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    alice.client.logout().await;
    let gone = async {
        while !sandbox.devices(BOOK, ALICE).await.expect("a phone").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::support::DEADLINE, gone).await.expect("the device is gone");
}
