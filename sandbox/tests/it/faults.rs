//! Each fault and the event it makes in a client.

use std::time::Duration;

use wacore::types::events::Event;
use wapid_sandbox::{Fault, FaultKind, Phase, PhoneMessage};

use crate::support::{
    ALICE, BOB, BOOK, CAROL, DEADLINE, Linked, Parts, linked, network, server_ack, shows, start,
};

async fn strike(sandbox: &wapid_sandbox::Sandbox, fault: impl Into<Fault>) {
    sandbox.fault(BOOK, ALICE, fault.into()).await.expect("a fault");
}

async fn sees(device: &Linked, what: &str, wanted: impl Fn(&Event) -> bool) {
    device.wait(what, |event| wanted(event).then_some(())).await;
}

#[tokio::test]
async fn lost_connections_come_back() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    for kind in [FaultKind::Drop, FaultKind::Unavailable, FaultKind::Internal] {
        strike(&sandbox, kind).await;
        sees(&alice, "disconnection", |event| matches!(event, Event::Disconnected(_))).await;
        alice.online().await;
    }
    // A restart is part of the protocol and silent.
    strike(&sandbox, FaultKind::Restart).await;
    alice.online().await;
}

#[tokio::test]
async fn a_replaced_stream_stays_away() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::Replaced).await;
    sees(&alice, "replacement", |event| matches!(event, Event::StreamReplaced(_))).await;
}

#[tokio::test]
async fn too_many_requests_disconnect() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::TooMany).await;
    sees(&alice, "disconnection", |event| matches!(event, Event::Disconnected(_))).await;
}

#[tokio::test]
async fn unauthorized_logs_out_on_the_stream_and_at_login() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::Unauthorized).await;
    sees(&alice, "logout", |event| matches!(event, Event::LoggedOut(out) if !out.on_connect)).await;

    let bob = linked(&sandbox, BOB).await;
    let at_login = Fault { phase: Some(Phase::Login), ..FaultKind::Unauthorized.into() };
    sandbox.fault(BOOK, BOB, at_login).await.expect("a fault");
    sees(&bob, "logout", |event| matches!(event, Event::LoggedOut(out) if out.on_connect)).await;
}

#[tokio::test]
async fn forbidden_logs_out_at_login() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::Forbidden).await;
    sees(&alice, "logout", |event| matches!(event, Event::LoggedOut(out) if out.on_connect)).await;
}

#[tokio::test]
async fn a_temporary_ban_says_how_long() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, Fault { expire: Some(120), code: Some(101), ..FaultKind::TemporaryBan.into() }).await;
    let seconds = alice
        .wait("ban", |event| match event {
            Event::TemporaryBan(ban) => Some(ban.expire.num_seconds()),
            _ => None,
        })
        .await;
    assert_eq!(seconds, 120);
}

#[tokio::test]
async fn an_outdated_client_is_told() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::ClientOutdated).await;
    sees(&alice, "outdated", |event| matches!(event, Event::ClientOutdated(_))).await;
}

#[tokio::test]
async fn a_failed_login_is_tried_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, Fault { phase: Some(Phase::Login), count: Some(1), ..FaultKind::Unavailable.into() })
        .await;
    sees(&alice, "failure", |event| matches!(event, Event::ConnectFailure(_))).await;
    alice.online().await;
}

#[tokio::test]
async fn a_refused_handshake_ends_when_it_is_cleared() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::RefuseHandshake).await;
    sees(&alice, "disconnection", |event| matches!(event, Event::Disconnected(_))).await;
    assert!(!alice.client.is_connected());
    strike(&sandbox, FaultKind::Clear).await;
    alice.online().await;
}

#[tokio::test]
async fn a_stalled_socket_is_found_dead_by_its_client() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::Stall).await;
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "from the void")).await.expect("queued");
    // The client finds the socket dead when its ping goes unanswered, says nothing of it, and gets
    // what waited on the next connection.
    alice.text("from the void").await;
    alice.online().await;
}

#[tokio::test]
async fn a_refused_message_does_not_arrive() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::Nack463).await;
    let refused = alice.send(CAROL, "refused").await;
    assert_eq!(server_ack(&alice, &refused).await.as_deref(), Some("463"));
    let accepted = alice.send(CAROL, "accepted").await;
    assert_eq!(server_ack(&alice, &accepted).await, None);
    let inbox = shows(&sandbox, CAROL, |inbox| !inbox.messages.is_empty()).await;
    assert_eq!(crate::support::texts(&inbox), ["accepted"]);
}

#[tokio::test]
async fn an_unacknowledged_message_arrives_and_its_copy_is_not_shown() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::NeverAck).await;
    let id = alice.send(CAROL, "once").await;
    shows(&sandbox, CAROL, |inbox| inbox.messages.len() == 1).await;
    alice.send_as(CAROL, "once", &id).await;
    assert_eq!(server_ack(&alice, &id).await, None);
    let inbox = shows(&sandbox, CAROL, |inbox| inbox.redelivered == 1).await;
    assert_eq!(inbox.messages.len(), 1);
}

#[tokio::test]
async fn a_slow_ack_comes_late() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, Fault { ms: Some(300), ..FaultKind::SlowAck.into() }).await;
    let since = tokio::time::Instant::now();
    let id = alice.send(CAROL, "patience").await;
    server_ack(&alice, &id).await;
    assert!(since.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_duplicate_is_delivered_by_the_network() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    strike(&sandbox, FaultKind::DuplicateDelivery).await;
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "twice")).await.expect("sent");
    alice.text("twice").await;
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "after")).await.expect("sent");
    alice.text("after").await;
}

#[tokio::test]
async fn a_scan_may_ask_for_a_passkey() {
    let sandbox = network().await;
    let alice = start(Parts::of(&sandbox)).await;
    strike(&sandbox, FaultKind::Passkey).await;
    let qr = alice.qr().await;
    sandbox.scan(BOOK, ALICE, &qr).await.expect("the code is valid");
    sees(&alice, "passkey request", |event| matches!(event, Event::PairPasskeyRequest(_))).await;
    // Only once: the next scan of the same code links.
    sandbox.scan(BOOK, ALICE, &qr).await.expect("the code is still valid");
    tokio::time::timeout(DEADLINE, alice.online()).await.expect("linked");
}
