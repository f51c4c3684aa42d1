//! What is written in a group, and who reads it.

use std::collections::BTreeMap;

use buffa::MessageField;
use wacore::stanza::groups::GroupNotificationAction as Action;
use wacore::types::events::Event;
use wapid_sandbox::{Addressing, FaultKind, GroupAct, MessageKind, PhoneMessage, ReceiptKind, Tick};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type;
use whatsapp_rust::{Jid, RevokeType, SendOptions};

use super::{act, code, hears, made, message, phone_says, say, shown, told};
use crate::support::{
    ALICE, BOB, BOOK, CAROL, Linked, Parts, linked, linked_with, network, server_ack, shows,
};

async fn texts_both_ways(addressing: Addressing) {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let (info, group) = made(&sandbox, &[ALICE, BOB], addressing).await;
    assert_eq!((info.addressing, info.owner.as_str(), info.participants.len()), (addressing, CAROL, 3));

    let mut wanted = Vec::new();
    for round in 0..3 {
        let text = format!("from alice {round}");
        say(&alice, &group, &text).await;
        assert_eq!(hears(&bob, &group, &text).await, ALICE);
        wanted.push((ALICE.to_owned(), text));
        let text = format!("from bob {round}");
        say(&bob, &group, &text).await;
        assert_eq!(hears(&alice, &group, &text).await, BOB);
        wanted.push((BOB.to_owned(), text));
        let text = format!("from carol {round}");
        phone_says(&sandbox, CAROL, &group, &text).await;
        assert_eq!(hears(&alice, &group, &text).await, CAROL);
        assert_eq!(hears(&bob, &group, &text).await, CAROL);
        wanted.push((CAROL.to_owned(), text));
    }
    for phone in [ALICE, BOB, CAROL] {
        assert_eq!(shown(&sandbox, phone, &group, wanted.len()).await, wanted);
        assert_eq!(sandbox.messages(BOOK, phone).await.expect("a phone").redelivered, 0);
    }
}

#[tokio::test]
async fn members_write_to_each_other_by_hidden_ids() {
    texts_both_ways(Addressing::Lid).await;
}

#[tokio::test]
async fn members_write_to_each_other_by_numbers() {
    texts_both_ways(Addressing::Pn).await;
}

#[tokio::test]
async fn receipts_say_which_member_has_the_message_and_has_read_it() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let (info, group) = made(&sandbox, &[ALICE, BOB], Addressing::Lid).await;
    let lid = |phone: &str| {
        let member = info.participants.iter().find(|member| member.phone == phone);
        member.expect("a member").lid.clone()
    };
    let id = say(&alice, &group, "who reads this?").await;
    for member in [BOB, CAROL] {
        receipt(&alice, &group, "Delivered", &id, &lid(member)).await;
    }
    hears(&bob, &group, "who reads this?").await;
    shows(&sandbox, ALICE, |inbox| inbox.messages.iter().any(|message| message.id == id)).await;
    let carol = linked(&sandbox, CAROL).await;
    sandbox.mark(BOOK, CAROL, &id, ReceiptKind::Read).await.expect("read");
    receipt(&alice, &group, "Read", &id, &lid(CAROL)).await;
    // What the owner reads on the phone is told to their own devices.
    receipt(&carol, &group, "Read", &id, &lid(CAROL)).await;
    let author = alice.client.lid().expect("a LID");
    bob.client.mark_as_read(&group, Some(&author), &[&id]).await.expect("read");
    receipt(&alice, &group, "Read", &id, &lid(BOB)).await;
    let by_all = BTreeMap::from([BOB, CAROL].map(|phone| (phone.to_owned(), Tick::Read)));
    shows(&sandbox, ALICE, |inbox| inbox.messages.iter().any(|message| message.receipts == by_all)).await;
}

/// Waits for a receipt of the member with this LID about a message in the group.
async fn receipt(device: &Linked, group: &Jid, kind: &str, id: &str, lid: &str) {
    let of_member = |event: &Event| match event {
        Event::Receipt(receipt)
            if receipt.source.chat == *group
                && receipt.source.sender.user_base() == lid
                && format!("{:?}", receipt.r#type) == kind
                && receipt.message_ids.iter().any(|known| *known == id) =>
        {
            Some(())
        }
        _ => None,
    };
    device.wait(kind, of_member).await;
}

#[tokio::test]
async fn who_joins_later_reads_what_is_sent_later_and_who_is_removed_reads_nothing_more() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let (_, group) = made(&sandbox, &[ALICE], Addressing::Lid).await;
    say(&alice, &group, "before bob").await;
    phone_says(&sandbox, CAROL, &group, "also before bob").await;
    hears(&alice, &group, "also before bob").await;

    act(&sandbox, &group, CAROL, GroupAct::Add { participants: vec![BOB.into()] }).await;
    told(&bob, &group, "the group", |action| matches!(action, Action::Create { .. }).then_some(())).await;
    told(&alice, &group, "a new member", |action| matches!(action, Action::Add { .. }).then_some(())).await;
    say(&alice, &group, "with bob").await;
    assert_eq!(hears(&bob, &group, "with bob").await, ALICE);
    phone_says(&sandbox, CAROL, &group, "also with bob").await;
    assert_eq!(hears(&bob, &group, "also with bob").await, CAROL);
    say(&bob, &group, "thanks").await;
    assert_eq!(hears(&alice, &group, "thanks").await, BOB);
    let with_bob = [(ALICE, "with bob"), (CAROL, "also with bob"), (BOB, "thanks")]
        .map(|(who, text)| (who.to_owned(), text.to_owned()));
    assert_eq!(shown(&sandbox, BOB, &group, 3).await, with_bob);

    act(&sandbox, &group, CAROL, GroupAct::Remove { participants: vec![BOB.into()] }).await;
    told(&bob, &group, "the removal", |action| matches!(action, Action::Remove { .. }).then_some(())).await;
    told(&alice, &group, "the removal", |action| matches!(action, Action::Remove { .. }).then_some(())).await;
    say(&alice, &group, "without bob").await;
    phone_says(&sandbox, CAROL, &group, "also without bob").await;
    assert_eq!(hears(&alice, &group, "also without bob").await, CAROL);
    let before = bob.take_seen(|event| matches!(event, Event::Messages(_)).then_some(())).await.len();
    // A direct message is behind whatever the group would have sent.
    alice.send(BOB, "a word in private").await;
    bob.text("a word in private").await;
    let heard = bob.take_seen(|event| matches!(event, Event::Messages(_)).then_some(())).await;
    assert_eq!(heard.len() - before, 1, "the removed member got more than the private message");
    shows(&sandbox, BOB, |inbox| inbox.messages.len() >= 4).await;
    assert_eq!(shown(&sandbox, BOB, &group, 3).await, with_bob);

    let outsider = bob.client.groups().get_metadata(&group).await;
    assert_eq!(code(outsider), Some(403));
    let refused = sandbox.send(BOOK, BOB, PhoneMessage::text(group.to_string(), "hello?")).await;
    assert_eq!(refused.expect_err("not a member").code(), "NOT_IN_GROUP");
}

/// It believes itself a member, as one does that was removed a moment ago.
#[tokio::test]
async fn a_message_from_outside_or_to_no_group_is_refused_with_its_code() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let (_, group) = made(&sandbox, &[ALICE, BOB], Addressing::Lid).await;
    act(&sandbox, &group, CAROL, GroupAct::Announce { on: true }).await;
    let id = say(&bob, &group, "may I?").await;
    assert_eq!(server_ack(&bob, &id).await.as_deref(), Some("420"));
    act(&sandbox, &group, CAROL, GroupAct::Promote { participants: vec![BOB.into()] }).await;
    say(&bob, &group, "I may").await;
    assert_eq!(hears(&alice, &group, "I may").await, BOB);

    let stanza = |group: &str, id: &str| {
        whatsapp_rust::NodeBuilder::new("message")
            .attr("to", Jid::group(group))
            .attr("id", id)
            .attr("type", "text")
            .build()
    };
    act(&sandbox, &group, CAROL, GroupAct::Remove { participants: vec![BOB.into()] }).await;
    bob.client.send_node(stanza(group.user_base(), "3EB0OUT")).await.expect("sent");
    assert_eq!(server_ack(&bob, "3EB0OUT").await.as_deref(), Some("403"));
    bob.client.send_node(stanza("120363000000000000", "3EB0NONE")).await.expect("sent");
    assert_eq!(server_ack(&bob, "3EB0NONE").await.as_deref(), Some("404"));
}

#[tokio::test]
async fn a_phone_that_lost_a_sender_key_gets_the_message_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let (_, group) = made(&sandbox, &[ALICE, BOB], Addressing::Lid).await;
    say(&alice, &group, "before").await;
    shown(&sandbox, CAROL, &group, 1).await;
    sandbox.fault(BOOK, CAROL, FaultKind::LoseSessions.into()).await.expect("a fault");
    say(&alice, &group, "lost").await;
    let texts = |shown: Vec<(String, String)>| shown.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
    assert_eq!(texts(shown(&sandbox, CAROL, &group, 2).await), ["before", "lost"]);
    say(&alice, &group, "after").await;
    assert_eq!(texts(shown(&sandbox, CAROL, &group, 3).await), ["before", "lost", "after"]);
    hears(&bob, &group, "after").await;
    // Nor does it write with a key that others have and it has not.
    phone_says(&sandbox, CAROL, &group, "answer").await;
    hears(&bob, &group, "answer").await;
    hears(&alice, &group, "answer").await;
}

#[tokio::test]
async fn a_client_that_cannot_open_a_message_gets_it_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let (_, group) = made(&sandbox, &[ALICE, BOB], Addressing::Lid).await;
    for (who, text) in [(None, "of the phone"), (Some(&bob), "of a client")] {
        let say = async |text: String| match who {
            Some(client) => say(client, &group, &text).await,
            None => phone_says(&sandbox, CAROL, &group, &text).await,
        };
        say(format!("before, {text}")).await;
        hears(&alice, &group, &format!("before, {text}")).await;
        sandbox.fault(BOOK, ALICE, FaultKind::CorruptDelivery.into()).await.expect("a fault");
        say(format!("spoiled, {text}")).await;
        hears(&alice, &group, &format!("spoiled, {text}")).await;
        say(format!("after, {text}")).await;
        hears(&alice, &group, &format!("after, {text}")).await;
    }
}

#[tokio::test]
async fn a_second_device_of_a_member_reads_along_and_so_does_the_own_phone() {
    let sandbox = network().await;
    let first = linked(&sandbox, ALICE).await;
    let (_, group) = made(&sandbox, &[ALICE, BOB], Addressing::Lid).await;
    let bob = linked(&sandbox, BOB).await;
    say(&bob, &group, "to one device").await;
    hears(&first, &group, "to one device").await;
    let second = linked(&sandbox, ALICE).await;
    bob.wait("device list", |event| matches!(event, Event::DeviceListUpdate(_)).then_some(())).await;
    say(&bob, &group, "to both").await;
    assert_eq!(hears(&first, &group, "to both").await, BOB);
    assert_eq!(hears(&second, &group, "to both").await, BOB);
    say(&first, &group, "from the first").await;
    assert_eq!(hears(&second, &group, "from the first").await, ALICE);
    assert_eq!(hears(&bob, &group, "from the first").await, ALICE);
    phone_says(&sandbox, ALICE, &group, "from the phone").await;
    assert_eq!(hears(&first, &group, "from the phone").await, ALICE);
    assert_eq!(hears(&second, &group, "from the phone").await, ALICE);
    let inbox = shows(&sandbox, ALICE, |inbox| inbox.messages.len() == 4).await;
    let own: Vec<bool> = inbox.messages.iter().map(|message| message.from_me).collect();
    assert_eq!(own, [false, false, true, true]);
}

#[tokio::test]
async fn a_group_of_one_book_is_unknown_in_another() {
    let sandbox = network().await;
    sandbox.create_phone("other", ALICE, "Other Alice").await.expect("a phone");
    let stranger = linked_with(&sandbox, "other", ALICE, Parts::in_book(&sandbox, "other")).await;
    let (info, group) = made(&sandbox, &[ALICE], Addressing::Lid).await;
    assert_eq!(code(stranger.client.groups().get_metadata(&group).await), Some(404));
    assert_eq!(code(stranger.client.groups().join_with_invite_code(&info.invite_code).await), Some(406));
    assert!(stranger.client.groups().get_participating().await.expect("a list").is_empty());
    assert!(sandbox.groups("other").await.is_empty());
    let leave = sandbox.act_in_group("other", &info.id, ALICE, GroupAct::Leave).await;
    assert_eq!(leave.expect_err("unknown").code(), "GROUP_NOT_FOUND");
    sandbox.remove_book(BOOK).await.expect("removed");
    assert!(sandbox.groups(BOOK).await.is_empty());
}

/// As the gateway does after a crash: the same message under the same id.
#[tokio::test]
async fn a_message_sent_twice_is_shown_once() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (_, group) = made(&sandbox, &[ALICE], Addressing::Lid).await;
    for _ in 0..2 {
        let options = SendOptions::default().with_message_id("3EB0TWICE");
        let sent = alice.client.send_message_with_options(group.clone(), message("once"), options);
        sent.await.expect("sent");
    }
    let inbox = shows(&sandbox, CAROL, |inbox| inbox.redelivered > 0).await;
    assert_eq!((inbox.messages.len(), inbox.redelivered), (1, 1));
}

#[tokio::test]
async fn polls_votes_reactions_and_edits_reach_every_member() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (info, group) = made(&sandbox, &[ALICE, BOB], Addressing::Lid).await;
    let to = info.id.as_str();
    let poll = PhoneMessage {
        kind: MessageKind::Poll,
        options: vec!["yes".to_owned(), "no".to_owned()],
        ..PhoneMessage::text(to, "Lunch?")
    };
    let poll = sandbox.send(BOOK, CAROL, poll).await.expect("sent");
    let vote =
        PhoneMessage { votes: vec!["yes".to_owned()], ..PhoneMessage::about(to, MessageKind::Vote, &poll) };
    let vote = sandbox.send(BOOK, BOB, vote).await.expect("sent");
    let vote = alice.message(&vote).await;
    let about =
        vote.poll_update_message.as_option().and_then(|vote| vote.poll_creation_message_key.as_option());
    // In a group of hidden ids nobody's number is in a message.
    let carol = info.participants.iter().find(|member| member.phone == CAROL).expect("a member");
    let author = Jid::lid(carol.lid.as_str()).to_string();
    assert_eq!(about.and_then(|about| about.participant.as_ref()), Some(&author));

    let key = wa::MessageKey {
        remote_jid: Some(to.to_owned()),
        from_me: Some(false),
        id: Some(poll.clone()),
        participant: Some(author),
    };
    alice.client.send_reaction(group.clone(), key, "👍").await.expect("reacts");
    let id = say(&alice, &group, "helo").await;
    alice.client.edit_message(group.clone(), &*id, message("hello")).await.expect("edits");
    for phone in [ALICE, BOB, CAROL] {
        let message = crate::support::shown(&sandbox, phone, &poll, |message| {
            !message.reactions.is_empty() && message.votes.values().any(|voters| !voters.is_empty())
        })
        .await;
        assert_eq!(message.votes["yes"], [BOB]);
        assert_eq!((message.reactions[0].from.as_str(), message.reactions[0].emoji.as_str()), (ALICE, "👍"));
        let message = crate::support::shown(&sandbox, phone, &id, |message| message.edited).await;
        assert_eq!((message.message.as_str(), message.chat.as_str()), ("hello", to));
    }
}

/// The deletion of a message that somebody else wrote, as an admin's client puts it.
fn takes_back(group: &Jid, id: &str, author: &Jid) -> wa::Message {
    wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            key: MessageField::some(wa::MessageKey {
                remote_jid: Some(group.to_string()),
                from_me: Some(false),
                id: Some(id.to_owned()),
                participant: Some(author.to_string()),
            }),
            r#type: Some(Type::REVOKE),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn an_admin_takes_back_what_somebody_else_wrote_and_a_member_does_not() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let (info, group) = made(&sandbox, &[ALICE, BOB], Addressing::Lid).await;
    let lid = |phone: &str| {
        let member = info.participants.iter().find(|member| member.phone == phone);
        Jid::lid(member.expect("a member").lid.as_str())
    };
    let deletes = |phone, id: &str| {
        sandbox.send(BOOK, phone, PhoneMessage::about(group.to_string(), MessageKind::Delete, id))
    };
    let id = say(&bob, &group, "buy now").await;
    for phone in [ALICE, CAROL] {
        crate::support::shown(&sandbox, phone, &id, |_| true).await;
    }
    let refused = deletes(ALICE, &id).await.expect_err("she is no admin");
    assert_eq!(refused.code(), "NOT_GROUP_ADMIN");
    let deletion = deletes(CAROL, &id).await.expect("she is the owner");
    let deletion = alice.message(&deletion).await;
    let deletion = deletion.protocol_message.as_option().expect("a deletion");
    let key = deletion.key.as_option().expect("a key");
    assert_eq!((deletion.r#type, key.from_me, key.id.as_ref()), (Some(Type::REVOKE), Some(false), Some(&id)));
    assert_eq!(key.participant, Some(lid(BOB).to_string()));
    for phone in [ALICE, BOB, CAROL] {
        let message = crate::support::shown(&sandbox, phone, &id, |message| message.deleted).await;
        assert_eq!((message.message.as_str(), message.from.as_str()), ("", BOB));
    }

    // The same from a client: what a member sends is refused, and stays a message on every phone.
    let id = phone_says(&sandbox, CAROL, &group, "mine").await;
    hears(&bob, &group, "mine").await;
    let deletion = bob.client.send_message(group.clone(), takes_back(&group, &id, &lid(CAROL))).await;
    let nack = server_ack(&bob, &deletion.expect("sent").message_id).await;
    assert_eq!(nack.as_deref(), Some("550"));
    let last = say(&bob, &group, "and on").await;
    for phone in [ALICE, BOB, CAROL] {
        crate::support::shown(&sandbox, phone, &last, |_| true).await;
        assert!(!crate::support::shown(&sandbox, phone, &id, |_| true).await.deleted);
    }
    act(&sandbox, &group, CAROL, GroupAct::Promote { participants: vec![BOB.into()] }).await;
    let by_admin = RevokeType::Admin { original_sender: lid(CAROL) };
    bob.client.revoke_message(group.clone(), &*id, by_admin).await.expect("deletes");
    for phone in [ALICE, BOB, CAROL] {
        crate::support::shown(&sandbox, phone, &id, |message| message.deleted).await;
    }
}
