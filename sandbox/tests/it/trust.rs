//! The sandbox cannot be taken for WhatsApp.

use std::time::Duration;

use wacore::types::events::Event;
use wapid_sandbox::{Sandbox, Storage};

use crate::support::{Parts, network, start};

#[tokio::test]
async fn the_chain_does_not_verify_as_whatsapps() {
    let sandbox = Sandbox::open(Storage::Memory).await.expect("opens");
    let verified =
        wacore_noise::HandshakeUtils::verify_server_cert(&sandbox.certificate_chain(), &sandbox.static_key());
    assert!(verified.is_err());
}

#[tokio::test]
async fn a_client_without_the_pin_refuses_the_sandbox() {
    let sandbox = network().await;
    let stock = start(Parts { pin: None, ..Parts::of(&sandbox) }).await;
    let shown = tokio::time::timeout(
        Duration::from_secs(3),
        stock.wait_quietly(|event| matches!(event, Event::PairingQrCode(_))),
    );
    assert!(shown.await.is_err(), "it must not get as far as a code");
}
