//! What the network says of an account's standing, and to whom it lets it write.

use std::time::Duration;

use serde_json::{Value, json};
use wacore::iq::mex_operations::fetch_new_chat_message_capping_info as capping;
use wapid_sandbox::{Fault, FaultKind, PhoneMessage, Sandbox};
use whatsapp_rust::{MexError, MexRequest};

use crate::support::{ALICE, BOB, BOOK, CAROL, DEADLINE, Linked, linked, network, server_ack, shows, texts};

/// A number that nobody has.
const NOBODY: &str = "15550009999";
const HOUR_MS: u64 = 3_600_000;

async fn restrict(sandbox: &Sandbox, kind: FaultKind, ms: u64) {
    sandbox.fault(BOOK, ALICE, Fault { ms: Some(ms), ..kind.into() }).await.expect("a fault");
}

/// Sends, and says with which code it was refused.
async fn refused(device: &Linked, to: &str, text: &str) -> Option<String> {
    let id = device.send(to, text).await;
    server_ack(device, &id).await
}

async fn new_chats(device: &Linked) -> Value {
    let variables = json!({ "input": { "type": "INDIVIDUAL_NEW_CHAT_MSG" } });
    let question = MexRequest::new(capping::NAME, capping::DOC_ID, variables);
    let answer = device.client.mex().query(question).await.expect("an answer");
    answer.data.expect("data")["xwa2_message_capping_info"].clone()
}

#[tokio::test]
async fn an_account_is_healthy_at_first() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let lock = alice.client.mex().fetch_reachout_timelock().await.expect("an answer");
    assert_eq!((lock.is_active, lock.time_enforcement_ends.as_deref()), (Some(false), Some("0")));
    let cap = new_chats(&alice).await;
    assert_eq!((&cap["capping_status"], &cap["used_quota"]), (&json!("NONE"), &json!("0")));
}

#[tokio::test]
async fn a_timelocked_account_writes_only_to_those_who_wrote_to_it() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    sandbox.send(BOOK, BOB, PhoneMessage::text(ALICE, "hello")).await.expect("sent");
    restrict(&sandbox, FaultKind::ReachoutTimelock, HOUR_MS).await;

    assert_eq!(refused(&alice, CAROL, "cold").await.as_deref(), Some("463"));
    assert_eq!(refused(&alice, BOB, "warm").await, None);
    let lock = alice.client.mex().fetch_reachout_timelock().await.expect("an answer");
    assert_eq!(lock.is_active, Some(true));
    let ends: u64 = lock.time_enforcement_ends.and_then(|ends| ends.parse().ok()).expect("an end");
    assert!(ends > 1_700_000_000, "{ends} is in seconds");

    sandbox.fault(BOOK, ALICE, FaultKind::Clear.into()).await.expect("cleared");
    assert_eq!(refused(&alice, CAROL, "after").await, None);
    let inbox = shows(&sandbox, CAROL, |inbox| !inbox.messages.is_empty()).await;
    assert_eq!(texts(&inbox), ["after"]);
}

#[tokio::test]
async fn a_capped_account_begins_no_chats_until_its_cycle_ends() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    restrict(&sandbox, FaultKind::NewChatCapped, HOUR_MS).await;
    assert_eq!(refused(&alice, CAROL, "one too many").await.as_deref(), Some("475"));
    let cap = new_chats(&alice).await;
    assert_eq!((&cap["capping_status"], &cap["used_quota"]), (&json!("CAPPED"), &cap["total_quota"]));
    assert!(cap["cycle_end_timestamp"].is_i64(), "{cap}");

    // She writes first, so it is no new chat; and to herself one may always write.
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "hello")).await.expect("sent");
    assert_eq!(refused(&alice, CAROL, "an answer").await, None);
    assert_eq!(refused(&alice, ALICE, "a note").await, None);
}

#[tokio::test]
async fn a_restriction_ends_by_itself() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    restrict(&sandbox, FaultKind::NewChatCapped, 0).await;
    restrict(&sandbox, FaultKind::ReachoutTimelock, 300).await;
    let free = async {
        while alice.client.mex().fetch_reachout_timelock().await.expect("an answer").is_active == Some(true) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, free).await.expect("it ends");
    assert_eq!(refused(&alice, CAROL, "after").await, None);
}

#[tokio::test]
async fn an_unknown_query_is_refused_in_graphql() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let question = MexRequest::new("WAWebNoSuchQuery", "1", json!({}));
    let refused = alice.client.mex().query(question).await.expect_err("refused");
    let MexError::Request(cause) = refused else { panic!("{refused:?}") };
    assert!(format!("{cause:?}").contains("unknown query"), "{cause:?}");
}

#[tokio::test]
async fn a_number_that_is_not_on_whatsapp_is_refused() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    assert_eq!(refused(&alice, NOBODY, "anybody there?").await.as_deref(), Some("404"));
    // Nor does her phone show a message that nobody got.
    let inbox = sandbox.messages(BOOK, ALICE).await.expect("a phone");
    assert!(inbox.messages.is_empty(), "{inbox:?}");
}
