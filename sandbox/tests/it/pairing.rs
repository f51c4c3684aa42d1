//! Linking: by code on the screen, by picture, by typed code, and what must not link.

use crate::support::{ALICE, BOOK, Parts, linked, network, start};
use wacore::types::events::Event;

#[tokio::test]
async fn a_client_links_by_qr_code() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    assert_eq!(alice.client.pn().map(|jid| jid.user.to_string()), Some(ALICE.to_owned()));
    assert_eq!(alice.client.push_name(), "Alice");
    let devices = sandbox.devices(BOOK, ALICE).await.expect("a phone");
    assert_eq!(devices.len(), 1);
    assert!(devices[0].connected);
}

#[tokio::test]
async fn a_client_links_by_typed_code() {
    let sandbox = network().await;
    let alice = start(Parts::of(&sandbox)).await;
    alice.qr().await;
    let options =
        whatsapp_rust::pair_code::PairCodeOptions { phone_number: ALICE.into(), ..Default::default() };
    let code = alice.client.pair_with_code(options).await.expect("a code");
    let wrong = if code.starts_with('2') { "3BCDEFGH" } else { "2BCDEFGH" };
    let refused = sandbox.enter_code(BOOK, ALICE, wrong).await.expect_err("a wrong code");
    assert_eq!(refused.code(), "CODE_NOT_VALID");
    sandbox.enter_code(BOOK, ALICE, &code).await.expect("the right code");
    alice.wait("link", |event| matches!(event, Event::PairSuccess(_)).then_some(())).await;
    alice.online().await;
}
