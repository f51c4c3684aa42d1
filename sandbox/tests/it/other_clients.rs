//! What whatsmeow and the versions of Baileys do that whatsapp-rust does not, stanza by stanza.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeValue, token};
use wapid_sandbox::PhoneMessage;

use crate::raw::{all, attribute, content, device};
use crate::support::{ALICE, BOB, BOOK, network, serve};

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
