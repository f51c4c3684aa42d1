//! The sandbox alone, over HTTP and WebSocket.

use std::net::SocketAddr;

use wapid_sandbox::{FaultKind, Network, PhoneMessage, ReceiptKind, Sandbox, Storage};

use crate::access::call;
use crate::support::{ALICE, BOOK, CAROL, Parts, serve, start};

async fn remote() -> (Network, SocketAddr) {
    let sandbox = Sandbox::open(Storage::Memory).await.expect("opens");
    let (remote, address) = serve(&sandbox).await;
    (Network::Remote(remote), address)
}

#[tokio::test]
async fn a_remote_sandbox_does_all_that_an_embedded_one_does() {
    let (network, _) = remote().await;
    for (phone, name) in [(ALICE, "Alice"), (CAROL, "Carol")] {
        network.create_phone(BOOK, phone, name).await.expect("a phone");
    }
    assert_eq!(network.phones(BOOK).await.expect("phones").len(), 2);
    let parts = Parts {
        backend: std::sync::Arc::new(wacore::store::InMemoryBackend::new()),
        transport: network.transport(BOOK),
        http: network.http(BOOK),
        pin: Some(network.static_key()),
    };
    let alice = start(parts).await;
    network.scan(BOOK, ALICE, &alice.qr().await).await.expect("a valid code");
    alice.online().await;
    let id = alice.send(CAROL, "hi").await;
    alice.receipt("Delivered", &id).await;
    assert_eq!(network.messages(BOOK, CAROL).await.expect("messages").messages[0].id, id);
    network.mark(BOOK, CAROL, &id, ReceiptKind::Read).await.expect("read");
    alice.receipt("Read", &id).await;
    let out = PhoneMessage { id: Some("CHOSEN".into()), ..PhoneMessage::text(ALICE, "back") };
    assert_eq!(network.send(BOOK, CAROL, out).await.expect("sent"), "CHOSEN");
    alice.text("back").await;
    network.fault(BOOK, ALICE, FaultKind::Restart.into()).await.expect("a fault");
    alice.online().await;
    assert_eq!(network.devices(BOOK, ALICE).await.expect("devices").len(), 1);
    assert_eq!(network.unlink(BOOK, ALICE, None).await.expect("unlinked"), 1);
    network.remove_book(BOOK).await.expect("removed");
}

#[tokio::test]
async fn a_refusal_keeps_its_code_on_the_way() {
    let (network, _) = remote().await;
    let codes = [
        network.messages(BOOK, ALICE).await.expect_err("no phone").code(),
        network.create_phone(BOOK, "12", "Short").await.expect_err("no number").code(),
        network.create_phone("no/book", ALICE, "Alice").await.expect_err("no book").code(),
    ];
    assert_eq!(codes, ["PHONE_NOT_FOUND", "INVALID_REQUEST", "INVALID_REQUEST"]);
    network.create_phone(BOOK, ALICE, "Alice").await.expect("a phone");
    let refused = [
        network.scan(BOOK, ALICE, "no code").await.expect_err("no code").code(),
        network.enter_code(BOOK, ALICE, "ABCD-EFGH").await.expect_err("no code").code(),
        network.mark(BOOK, ALICE, "none", ReceiptKind::Read).await.expect_err("no message").code(),
        network.send(BOOK, ALICE, PhoneMessage::text(CAROL, "hi")).await.expect_err("nobody").code(),
    ];
    assert_eq!(refused, ["QR_NOT_VALID", "CODE_NOT_VALID", "MESSAGE_NOT_FOUND", "NOT_ON_WHATSAPP"]);
}

#[tokio::test]
async fn malformed_requests_are_answered_in_json() {
    let (_, address) = remote().await;
    for (request, status, code) in [
        ("GET /nothing HTTP/1.1", 404, "NOT_FOUND"),
        ("DELETE /control/keys/phones HTTP/1.1", 404, "NOT_FOUND"),
        ("POST /control/shop/phones HTTP/1.1", 400, "INVALID_REQUEST"),
        ("POST /control/shop/faults HTTP/1.1", 400, "INVALID_REQUEST"),
        ("POST /control/shop/groups HTTP/1.1", 400, "INVALID_REQUEST"),
        ("POST /control/shop/phones/15550000001/messages HTTP/1.1", 400, "INVALID_REQUEST"),
    ] {
        let (answer, _) = call(address, request, &[], "{").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains(&format!(r#""code":"{code}""#)), "{answer}");
    }
}
