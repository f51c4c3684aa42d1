//! What whatsmeow and the versions of Baileys do that whatsapp-rust does not, stanza by stanza.

use std::time::Duration;

use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeValue, token};
use wapid_sandbox::{FaultKind, PhoneMessage};

use crate::raw::{Device, HEADER, Heard, Raw, all, attribute, content, device};
use crate::support::{ALICE, BOB, BOOK, linked, network, serve};

/// Far less than a client that was told to go is given, and far more than a socket takes that is closed at once.
const MOMENT: Duration = Duration::from_millis(500);

fn number_check(numbers: &[&str]) -> Node {
    let users = numbers.iter().map(|number| {
        let contact = NodeBuilder::new("contact").bytes(number.as_bytes()).build();
        NodeBuilder::new("user").children([contact]).build()
    });
    let business = NodeBuilder::new("business").children([NodeBuilder::new("verified_name").build()]).build();
    let query = NodeBuilder::new("query").children([business, NodeBuilder::new("contact").build()]).build();
    NodeBuilder::new("usync")
        .attr("sid", "1")
        .attr("mode", "query")
        .attr("last", "true")
        .attr("index", "0")
        .attr("context", "interactive")
        .children([query, NodeBuilder::new("list").children(users).build()])
        .build()
}

#[tokio::test]
async fn whatsmeow_learns_who_is_on_whatsapp() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let mut alice = device(&sandbox, ALICE).await.online(address).await;
    let asked = ["+15550000002@c.us", "+15559999999@c.us", "nobody@c.us", "+1 555 000 0002"];
    let answer = alice.ask("get", "usync", number_check(&asked)).await;
    let users = all(&answer, "user");
    let found: Vec<_> = users
        .iter()
        .map(|user| {
            let contact = all(user, "contact")[0];
            let address = match user.attrs.get("jid") {
                Some(NodeValue::Jid(jid)) => jid.to_string(),
                Some(NodeValue::String(text)) => panic!("{text} is an address and came as a word"),
                None => String::new(),
            };
            (address, attribute(contact, "type"), content(contact))
        })
        .collect();
    let expected = [
        ("15550000002@s.whatsapp.net", "in", asked[0]),
        ("15559999999@s.whatsapp.net", "out", asked[1]),
        ("", "out", asked[2]),
        ("15550000002@s.whatsapp.net", "in", asked[3]),
    ];
    assert_eq!(found, expected.map(|(jid, kind, asked)| (jid.into(), kind.into(), asked.into())));
}

/// whatsmeow's `readJIDPair` takes the user and the server of an address for words, and its process ends where they are not.
#[tokio::test]
async fn a_name_that_looks_like_an_address_stays_a_word() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let mut alice = device(&sandbox, ALICE).await.online(address).await;
    for name in ["bob@home", "15550000001@s.whatsapp.net", "a@b@c", "Sales @ 5 pm"] {
        sandbox.create_phone(BOOK, BOB, name).await.expect("the phone");
        sandbox.send(BOOK, BOB, PhoneMessage::text(ALICE, "hi")).await.expect("sent");
        let bytes = loop {
            let bytes = alice.bytes().await.expect("a stanza");
            if crate::raw::decode(&bytes).tag == "message" {
                break bytes;
            }
        };
        let message = crate::raw::decode(&bytes);
        assert!(
            matches!(message.attrs.get("notify"), Some(NodeValue::String(text)) if *text == *name),
            "{name} came as {:?}",
            message.attrs.get("notify")
        );
        let nested = bytes.windows(2).any(|pair| pair == [token::JID_PAIR, token::JID_PAIR]);
        assert!(!nested, "an address in an address");
    }
}

#[tokio::test]
async fn a_change_of_the_block_list_is_answered_with_the_list() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let mut alice = device(&sandbox, ALICE).await.online(address).await;
    let phones = sandbox.phones(BOOK).await;
    let bob = phones.iter().find(|phone| phone.phone == BOB).expect("a phone").lid.clone();
    let item = |action: &'static str| {
        NodeBuilder::new("item")
            .attr("action", action)
            .attr("jid", Jid::lid(bob.as_str()))
            .attr("pn_jid", Jid::pn(BOB))
            .build()
    };
    let blocked = alice.ask("set", "blocklist", item("block")).await;
    let listed: Vec<_> = all(&blocked, "item").iter().map(|item| attribute(item, "jid")).collect();
    assert_eq!((all(&blocked, "list").len(), listed), (1, vec![format!("{bob}@lid")]));
    let again = alice.ask("get", "blocklist", NodeBuilder::new("list").build()).await;
    assert_eq!(attribute(all(&again, "list")[0], "dhash"), attribute(all(&blocked, "list")[0], "dhash"));
    let unblocked = alice.ask("set", "blocklist", item("unblock")).await;
    assert_eq!((all(&unblocked, "list").len(), all(&unblocked, "item").len()), (1, 0));
}

/// A persisted query by its id, and the JSON of its answer.
async fn mex(client: &mut Raw, id: &str, variables: serde_json::Value) -> serde_json::Value {
    let body = serde_json::json!({ "variables": variables }).to_string();
    let query = NodeBuilder::new("query").attr("query_id", id).bytes(body.into_bytes()).build();
    let answer = client.ask("get", "w:mex", query).await;
    serde_json::from_str(&content(all(&answer, "result")[0])).expect("JSON")
}

#[tokio::test]
async fn an_about_text_is_set_and_read_by_persisted_queries() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let mut alice = device(&sandbox, ALICE).await.online(address).await;
    let said = async || sandbox.sees(BOOK, BOB, ALICE).await.expect("both exist").about.unwrap_or_default();
    let input = serde_json::json!({ "text": "Open @ nine", "emoji": null, "ephemeral_duration_sec": 0 });
    for (input, about) in [
        (input.clone(), "Open @ nine"),
        (serde_json::json!({ "text": "" }), ""),
        // As the web client writes it.
        (input.to_string().into(), "Open @ nine"),
    ] {
        let answer = mex(&mut alice, "9152604461510864", serde_json::json!({ "input": input })).await;
        assert_eq!(answer["data"]["xwa2_update_text_status"]["result"], "SUCCESS", "{answer}");
        assert_eq!(said().await, about);
    }
    let user = serde_json::json!({ "user": { "user_id": "15550000001@s.whatsapp.net" } });
    let read = mex(&mut alice, "24535500086059408", user).await;
    assert_eq!(read["data"]["xwa2_users_updates_since"][0]["updates"][0]["text"], "Open @ nine");
    for (variables, code) in [
        (serde_json::json!({ "input": { "text": "x".repeat(513) } }), 406),
        (serde_json::json!({ "input": { "text": 5 } }), 400),
        (serde_json::json!({}), 400),
    ] {
        let refused = mex(&mut alice, "9152604461510864", variables).await;
        assert_eq!(refused["errors"][0]["extensions"]["error_code"], code, "{refused}");
    }
    assert_eq!(said().await, "Open @ nine");
    let newsletters = mex(&mut alice, "6388546374527196", serde_json::json!({})).await;
    assert_eq!(newsletters["data"]["xwa2_newsletter_subscribed"], serde_json::json!([]));
    let unknown = mex(&mut alice, "1", serde_json::json!({})).await;
    assert_eq!(unknown["errors"][0]["message"], "unknown query");
}

/// whatsmeow forgets what it has not handled yet when its socket closes, so the one who was told to go closes it.
#[tokio::test]
async fn a_client_that_is_told_to_go_closes_the_socket_itself() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let known = device(&sandbox, ALICE).await;
    for kind in [FaultKind::Restart, FaultKind::Unavailable, FaultKind::TooMany, FaultKind::Replaced] {
        let mut alice = known.online(address).await;
        sandbox.fault(BOOK, ALICE, kind.into()).await.expect("a fault");
        alice.stanza("stream:error").await;
        stays_open_until_closed(alice, &format!("{kind:?}")).await;
    }
    let mut older = known.online(address).await;
    let newer = known.online(address).await;
    older.stanza("stream:error").await;
    stays_open_until_closed(older, "a newer connection").await;
    drop(newer);

    sandbox.fault(BOOK, ALICE, FaultKind::ClientOutdated.into()).await.expect("a fault");
    let mut refused = known.connect(address).await;
    refused.stanza("failure").await;
    stays_open_until_closed(refused, "a refused login").await;
    sandbox.fault(BOOK, ALICE, FaultKind::Clear.into()).await.expect("no fault");

    let mut unlinked = known.online(address).await;
    sandbox.unlink(BOOK, ALICE, None).await.expect("unlinked");
    unlinked.stanza("stream:error").await;
    stays_open_until_closed(unlinked, "an unlinked device").await;
}

async fn stays_open_until_closed(mut client: Raw, why: &str) {
    let more = tokio::time::timeout(MOMENT, client.hear()).await;
    assert!(more.is_err(), "{why}: {more:?} right behind the last word");
    tokio::time::timeout(MOMENT, client.close()).await.expect("the server closes as soon as the client does");
}

#[tokio::test]
async fn a_client_that_does_not_go_is_closed() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let mut alice = device(&sandbox, ALICE).await.online(address).await;
    sandbox.fault(BOOK, ALICE, FaultKind::Unavailable.into()).await.expect("a fault");
    alice.stanza("stream:error").await;
    // What it still sends is heard by nobody.
    alice.send(&NodeBuilder::new("presence").attr("type", "available").build()).await;
    assert!(!sandbox.devices(BOOK, ALICE).await.expect("a phone")[0].connected);
    assert!(matches!(alice.hear().await, Heard::Closed(_)));
}

/// Baileys 6 switches its keys after its last word of the handshake was written, and loses what comes before.
#[tokio::test]
async fn the_first_stanza_leaves_a_client_the_time_to_switch_its_keys() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let known = device(&sandbox, ALICE).await;
    for (device, first) in [(&Device::new(), "iq"), (&known, "success")] {
        let mut client = device.connect(address).await;
        let early = tokio::time::timeout(Duration::from_millis(100), client.hear()).await;
        assert!(early.is_err(), "{early:?} came at once");
        client.stanza(first).await;
    }
}

/// Whether these words are in a stanza as they are, and not as numbers of a dictionary.
fn are_spelled_out(bytes: &[u8], words: &[&str]) -> bool {
    words.iter().all(|word| bytes.windows(word.len()).any(|part| part == word.as_bytes()))
}

/// Baileys up to 6.7.18 and 6.17.16.
#[tokio::test]
async fn a_client_of_the_second_dictionary_is_served() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    let header = *b"WA\x06\x02";
    let mut client = Raw::open(address, header).await;
    client.shake_hands(header, &Device::new()).await;
    let offer = client.bytes().await.expect("a stanza");
    assert!(are_spelled_out(&offer, &["iq", "type", "set", "from", "s.whatsapp.net", "pair-device", "ref"]));
    // `<iq id="ask.1" to="s.whatsapp.net" type="get" xmlns="w:p"><ping/></iq>` as Baileys 6.17.16 encodes it.
    let ping = "00f80a1e08fc0561736b2e310e030431195ff801f80150";
    client.send_bytes(&hex::decode(ping).expect("hex")).await;
    let answer = client.bytes().await.expect("an answer");
    assert!(are_spelled_out(&answer, &["iq", "type", "result", "id", "ask.1"]));
}

#[tokio::test]
async fn a_client_with_another_dictionary_is_told_so_in_words_that_it_can_read() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    for dictionary in [1, 4] {
        let header = [b'W', b'A', 6, dictionary];
        let mut client = Raw::open(address, header).await;
        client.shake_hands(header, &Device::new()).await;
        let bytes = client.bytes().await.expect("a stanza");
        let text = format!("this client reads dictionary {dictionary}, this sandbox writes 2 and 3");
        assert!(are_spelled_out(&bytes, &["stream:error", "unsupported-dictionary", &text]));
        let error = crate::raw::decode(&bytes);
        assert_eq!((&*error.tag, attribute(&error, "code").as_str()), ("stream:error", "405"));
        client.close().await;
    }
}

#[tokio::test]
async fn a_client_of_another_protocol_is_told_so_as_its_socket_closes() {
    let sandbox = network().await;
    let (_, address) = serve(&sandbox).await;
    for (header, words) in [
        (*b"WA\x05\x02", "this client speaks version 5 of the protocol, this sandbox 6: update it"),
        (*b"GET ", "not a WhatsApp connection"),
    ] {
        let mut client = Raw::open(address, header).await;
        let Heard::Closed(Some(frame)) = client.hear().await else { panic!("closed in words") };
        assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Protocol, words));
    }
    // Others are served meanwhile.
    Device::new().connect(address).await.stanza("iq").await;
    assert_eq!(HEADER, *b"WA\x06\x03");
}

/// The end of a pairing, with a client that closes by itself: nobody waits for the bound.
#[tokio::test]
async fn a_client_that_goes_by_itself_is_not_waited_for() {
    let sandbox = network().await;
    let linking = tokio::time::timeout(Duration::from_secs(60), linked(&sandbox, ALICE)).await;
    let alice = linking.expect("links");
    sandbox.fault(BOOK, ALICE, FaultKind::Restart.into()).await.expect("a fault");
    alice.online().await;
}
