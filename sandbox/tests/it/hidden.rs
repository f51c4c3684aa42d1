//! Chats of two by LID: with the number beside it, and without.

use wacore::types::events::Event;
use wacore::types::message::{AddressingMode, MessageSource};
use wapid_sandbox::{
    Addressing, FaultKind, NewGroup, PhoneAct, PhoneMessage, PresenceState, ReceiptKind, Sandbox, Seen, Tick,
    Typing,
};
use waproto::whatsapp as wa;
use whatsapp_rust::Jid;

use crate::support::{ALICE, BOB, BOOK, CAROL, DEADLINE, Linked, linked, network, shown, shows, texts};

fn hidden(text: &str) -> PhoneMessage {
    PhoneMessage { hidden: true, ..PhoneMessage::text(ALICE, text) }
}

async fn carol_sends(sandbox: &Sandbox, out: PhoneMessage) -> String {
    sandbox.send(BOOK, CAROL, out).await.expect("sent")
}

async fn carols_lid(sandbox: &Sandbox) -> Jid {
    let phones = sandbox.phones(BOOK).await;
    Jid::lid(phones.iter().find(|phone| phone.phone == CAROL).expect("a phone").lid.as_str())
}

/// Waits for the message with this id: who sent it, as the client knows them.
async fn source_of(device: &Linked, id: &str) -> MessageSource {
    device
        .wait(id, |event| match event {
            Event::Messages(batch) => {
                batch.iter().find(|one| one.info.id == id).map(|one| one.info.source.clone())
            }
            _ => None,
        })
        .await
}

async fn knows_number_of(device: &Linked, lid: &Jid) -> Option<String> {
    let entry = device.client.get_lid_pn_entry(lid).await.expect("an answer");
    entry.map(|entry| entry.phone_number.to_string())
}

/// Waits until Alice shows herself: who is away is told nothing of others' typing.
async fn until_alice_is_there(sandbox: &Sandbox) {
    let asked = async {
        let is_there = |seen: &Seen| seen.presence == PresenceState::Available;
        while !is_there(&sandbox.sees(BOOK, CAROL, ALICE).await.expect("both exist")) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asked).await.expect("she is there in time");
}

async fn say(from: &Linked, to: &Jid, text: &str) -> String {
    let message = wa::Message { conversation: Some(text.to_owned()), ..Default::default() };
    from.client.send_message(to.clone(), message).await.expect("sent").message_id
}

#[tokio::test]
async fn who_hides_their_number_is_answered_by_their_lid() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let lid = carols_lid(&sandbox).await;
    let first = carol_sends(&sandbox, hidden("guess who")).await;
    let source = source_of(&alice, &first).await;
    assert_eq!((&source.chat, &source.sender, source.sender_alt.as_ref()), (&lid, &lid, None));
    assert_eq!(source.addressing_mode, Some(AddressingMode::Lid));

    let answer = say(&alice, &lid, "who is it?").await;
    assert_eq!(alice.receipt("Delivered", &answer).await, lid);
    sandbox.mark(BOOK, CAROL, &answer, ReceiptKind::Read).await.expect("read");
    assert_eq!(alice.receipt("Read", &answer).await, lid);
    alice.client.mark_as_read(&lid, None, &[&first]).await.expect("read");
    shown(&sandbox, CAROL, &first, |message| message.receipts.get(ALICE) == Some(&Tick::Read)).await;

    // What is said of other messages says no number either.
    let quotes = PhoneMessage { quoted_message_id: Some(first.clone()), ..hidden("me") };
    let quotes = alice.message(&carol_sends(&sandbox, quotes).await).await;
    let context = quotes.extended_text_message.as_option().and_then(|text| text.context_info.as_option());
    assert_eq!(context.and_then(|context| context.participant.clone()), Some(lid.to_string()));
    sandbox.fault(BOOK, ALICE, FaultKind::CorruptDelivery.into()).await.expect("a fault");
    let spoiled = carol_sends(&sandbox, hidden("spoiled")).await;
    let source = source_of(&alice, &spoiled).await;
    assert_eq!((&source.sender, source.sender_alt), (&lid, None));
    until_alice_is_there(&sandbox).await;
    let types = PhoneAct::Typing { to: ALICE.into(), state: Typing::Composing };
    sandbox.act(BOOK, CAROL, types).await.expect("done");
    let typist = alice.wait("typing", |event| match event {
        Event::ChatPresence(typing) => Some(typing.source.sender.clone()),
        _ => None,
    });
    assert_eq!(typist.await, lid);
    // Nor does Alice's own phone tell her device.
    let own = sandbox.send(BOOK, ALICE, PhoneMessage::text(CAROL, "from my phone")).await.expect("sent");
    let source = source_of(&alice, &own).await;
    assert_eq!((source.chat, source.is_from_me), (lid.clone(), true));
    assert_eq!(knows_number_of(&alice, &lid).await, None);

    // Phones show all of it in one chat, whatever it was addressed by.
    let wanted = ["guess who", "who is it?", "me", "spoiled", "from my phone"];
    for (phone, other) in [(ALICE, CAROL), (CAROL, ALICE)] {
        let inbox = shows(&sandbox, phone, |inbox| inbox.messages.len() == wanted.len()).await;
        assert_eq!(texts(&inbox), wanted);
        let chat = Jid::pn(other).to_string();
        assert!(inbox.messages.iter().all(|message| message.chat == chat), "{inbox:#?}");
    }

    // She shows it at last.
    let shows_it = carol_sends(&sandbox, PhoneMessage::text(ALICE, "it is me")).await;
    let source = source_of(&alice, &shows_it).await;
    assert_eq!((source.sender, source.sender_alt), (Jid::pn(CAROL), Some(lid.clone())));
    assert_eq!(knows_number_of(&alice, &lid).await.as_deref(), Some(CAROL));
}

#[tokio::test]
async fn by_lid_the_number_stands_beside_it() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let lid = carols_lid(&sandbox).await;
    let by_lid =
        |text: &str| PhoneMessage { addressing: Some(Addressing::Lid), ..PhoneMessage::text(ALICE, text) };
    let first = carol_sends(&sandbox, PhoneMessage::text(ALICE, "by number")).await;
    assert_eq!(source_of(&alice, &first).await.sender, Jid::pn(CAROL));
    let second = carol_sends(&sandbox, by_lid("by LID")).await;
    let source = source_of(&alice, &second).await;
    assert_eq!((&source.chat, &source.sender), (&lid, &lid));
    assert_eq!(source.sender_alt, Some(Jid::pn(CAROL)));
    for to in [&lid, &Jid::pn(CAROL)] {
        let id = say(&alice, to, "an answer").await;
        alice.receipt("Delivered", &id).await;
        shown(&sandbox, CAROL, &id, |message| message.message == "an answer").await;
    }
    sandbox.fault(BOOK, ALICE, FaultKind::CorruptDelivery.into()).await.expect("a fault");
    let spoiled = carol_sends(&sandbox, by_lid("spoiled")).await;
    let source = source_of(&alice, &spoiled).await;
    assert_eq!((source.sender, source.sender_alt), (lid, Some(Jid::pn(CAROL))));
    let inbox = shows(&sandbox, CAROL, |inbox| inbox.messages.len() == 5).await;
    let chat = Jid::pn(ALICE).to_string();
    assert!(inbox.messages.iter().all(|message| message.chat == chat), "{inbox:#?}");
}

#[tokio::test]
async fn nobody_asks_the_network_for_a_hidden_number() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let lid = carols_lid(&sandbox).await;
    let first = carol_sends(&sandbox, hidden("guess who")).await;
    source_of(&alice, &first).await;
    let asked = std::slice::from_ref(&lid);
    alice.client.contacts().get_user_info(asked).await.expect("an answer");
    assert_eq!(knows_number_of(&alice, &lid).await, None);
    // Carol's new device is announced to Alice, and Alice's next message reaches it.
    say(&alice, &lid, "before").await;
    let carol = linked(&sandbox, CAROL).await;
    alice
        .wait("a new device", |event| match event {
            Event::DeviceListUpdate(update) if update.user.user_base() == lid.user_base() => Some(()),
            _ => None,
        })
        .await;
    say(&alice, &lid, "with the device").await;
    carol.text("with the device").await;
    assert_eq!(knows_number_of(&alice, &lid).await, None);

    // It is hidden from Alice alone, and not a matter of groups.
    let to_bob = sandbox.send(BOOK, CAROL, PhoneMessage::text(BOB, "hello")).await.expect("sent");
    assert_eq!(source_of(&bob, &to_bob).await.sender, Jid::pn(CAROL));
    let new = NewGroup {
        phone: CAROL.to_owned(),
        subject: "Team".to_owned(),
        participants: vec![ALICE.to_owned()],
        addressing: Addressing::Lid,
    };
    let group = sandbox.create_group(BOOK, new).await.expect("a group").group.expect("a group");
    let in_group = PhoneMessage { to: group.id, ..hidden("hello") };
    let refused = sandbox.send(BOOK, CAROL, in_group).await.expect_err("a group has names of its own");
    assert_eq!(refused.code(), "INVALID_REQUEST");
}
