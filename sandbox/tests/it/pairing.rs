//! Linking: by code on the screen, by picture, by typed code, and what must not link.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use wacore::types::events::Event;

use crate::support::{ALICE, BOOK, DEADLINE, Parts, linked, network, start};

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

#[tokio::test]
async fn a_client_links_by_picture() {
    let sandbox = network().await;
    let alice = start(Parts::of(&sandbox)).await;
    let qr = alice.qr().await;
    let code = qrcode::QrCode::new(qr.as_bytes()).expect("fits");
    let picture = code.render::<image::Luma<u8>>().build();
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).expect("encodes");
    let url = format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png.into_inner()));
    sandbox.scan(BOOK, ALICE, &url).await.expect("a readable picture");
    alice.online().await;
}

#[tokio::test]
async fn what_is_not_a_code_on_show_does_not_link() {
    let sandbox = network().await;
    let alice = start(Parts::of(&sandbox)).await;
    let qr = alice.qr().await;
    let other_keys = qr.replacen(',', ",AAAA", 1);
    for bad in ["", "hello", "data:image/png;base64,AAAA", "2@AAAA,AAAA,AAAA,AAAA", other_keys.as_str()] {
        let refused = sandbox.scan(BOOK, ALICE, bad).await.expect_err("not a code");
        assert_eq!(refused.code(), "QR_NOT_VALID");
    }
    let nobody = sandbox.scan(BOOK, "15559999999", &qr).await.expect_err("no phone");
    assert_eq!(nobody.code(), "PHONE_NOT_FOUND");
    sandbox.scan(BOOK, ALICE, &qr).await.expect("the code itself is valid");
    let used = sandbox.scan(BOOK, ALICE, &qr).await.expect_err("used up");
    assert_eq!(used.code(), "QR_NOT_VALID");
    alice.online().await;
}

#[tokio::test]
async fn a_code_ends_with_its_connection() {
    let sandbox = network().await;
    let alice = start(Parts::of(&sandbox)).await;
    let qr = alice.qr().await;
    alice.stop().await;
    let ended = async {
        while sandbox.scan(BOOK, ALICE, &qr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.expect("the code is refused");
    assert!(sandbox.devices(BOOK, ALICE).await.expect("a phone").is_empty());
}
