//! Groups: who is in them, who may do what, and that everybody reads what is for them.

use std::collections::BTreeMap;

use buffa::MessageField;
use wacore::stanza::groups::GroupNotificationAction as Action;
use wacore::types::events::Event;
use wapid_sandbox::{
    Addressing, FaultKind, GroupAct, GroupInfo, MessageKind, NewGroup, PhoneMessage, ReceiptKind, Role,
    Sandbox, Tick,
};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type;
use whatsapp_rust::{
    GroupCreateOptions, GroupError, GroupParticipantOptions, IqError, Jid, RevokeType, SendOptions,
};

use crate::support::{
    ALICE, BOB, BOOK, CAROL, Linked, Parts, linked, linked_with, network, server_ack, shows,
};

const DAVE: &str = "15550000004";

fn new_group(participants: &[&str], addressing: Addressing) -> NewGroup {
    NewGroup {
        phone: CAROL.to_owned(),
        subject: "Team".to_owned(),
        participants: participants.iter().map(|phone| (*phone).to_owned()).collect(),
        addressing,
    }
}

/// Carol's phone makes a group of these.
async fn made(sandbox: &Sandbox, participants: &[&str], addressing: Addressing) -> (GroupInfo, Jid) {
    let done = sandbox.create_group(BOOK, new_group(participants, addressing)).await.expect("a group");
    let group = done.group.expect("a group");
    let jid = group.id.parse().expect("a JID");
    (group, jid)
}

async fn act(sandbox: &Sandbox, group: &Jid, phone: &str, act: GroupAct) {
    sandbox.act_in_group(BOOK, &group.to_string(), phone, act).await.expect("done");
}

fn message(text: &str) -> wa::Message {
    wa::Message { conversation: Some(text.to_owned()), ..Default::default() }
}

async fn say(from: &Linked, group: &Jid, text: &str) -> String {
    from.client.send_message(group.clone(), message(text)).await.expect("sent").message_id
}

async fn phone_says(sandbox: &Sandbox, phone: &str, group: &Jid, text: &str) -> String {
    sandbox.send(BOOK, phone, PhoneMessage::text(group.to_string(), text)).await.expect("sent")
}

/// Waits for this text in the group; the sender's number.
async fn hears(device: &Linked, group: &Jid, text: &str) -> String {
    let heard = device.wait(text, |event| match event {
        Event::Messages(batch) => batch
            .iter()
            .find(|one| one.message.conversation.as_deref() == Some(text))
            .map(|one| one.info.source.clone()),
        _ => None,
    });
    let source = heard.await;
    assert_eq!(source.chat, *group, "{text} is in the wrong chat");
    let known = [Some(&source.sender), source.sender_alt.as_ref()];
    let number = known.into_iter().flatten().find(|jid| jid.is_pn());
    number.expect("a number").user_base().to_owned()
}

/// Waits for a change of this group that `pick` likes.
async fn told<T>(device: &Linked, group: &Jid, what: &str, pick: impl Fn(&Action) -> Option<T>) -> T {
    device
        .wait(what, |event| match event {
            Event::GroupUpdate(update) if update.group_jid == *group => pick(&update.action),
            _ => None,
        })
        .await
}

/// What the phone shows of the group, as (who, text).
async fn shown(sandbox: &Sandbox, phone: &str, group: &Jid, count: usize) -> Vec<(String, String)> {
    let of_group = |inbox: &wapid_sandbox::Inbox| -> Vec<(String, String)> {
        let own = inbox.messages.iter().filter(|message| message.to == group.to_string());
        own.map(|message| (message.from.clone(), message.message.clone())).collect()
    };
    of_group(&shows(sandbox, phone, |inbox| of_group(inbox).len() >= count).await)
}

fn code<T>(result: Result<T, GroupError>) -> Option<u16> {
    match result {
        Ok(_) => None,
        Err(GroupError::Iq(IqError::ServerError { code, .. })) => Some(code),
        Err(other) => panic!("no answer of the server: {other:?}"),
    }
}

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
async fn a_client_makes_a_group_and_everybody_hears_of_it_and_of_its_changes() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let people = [BOB, CAROL].map(|phone| GroupParticipantOptions::new(Jid::pn(phone)));
    let options = GroupCreateOptions::new("Team").with_participants(people.to_vec());
    let group = alice.client.groups().create_group(options).await.expect("a group").metadata.id;
    told(&bob, &group, "the group", |action| matches!(action, Action::Create { .. }).then_some(())).await;

    let groups = alice.client.groups();
    let subject = whatsapp_rust::GroupSubject::new("Team of two").expect("a subject");
    groups.set_subject(group.clone(), subject).await.expect("renamed");
    let renamed = told(&bob, &group, "a new name", |action| match action {
        Action::Subject { subject, .. } => Some(subject.clone()),
        _ => None,
    });
    assert_eq!(renamed.await, "Team of two");

    let text = whatsapp_rust::GroupDescription::new("Be kind").expect("a description");
    groups.set_description(group.clone(), Some(text.clone()), Default::default()).await.expect("described");
    let described = told(&bob, &group, "a description", |action| match action {
        Action::Description { description, .. } => description.clone(),
        _ => None,
    });
    assert_eq!(described.await, "Be kind");
    let stale = groups.set_description(group.clone(), Some(text), whatsapp_rust::PreviousDescription::Absent);
    assert!(matches!(stale.await, Err(GroupError::DescriptionConflict)));

    groups.set_locked(group.clone(), true).await.expect("locked");
    groups.set_announce(group.clone(), true).await.expect("announcing");
    groups.set_ephemeral(group.clone(), 86_400).await.expect("ephemeral");
    let lasts = told(&bob, &group, "a timer", |action| match action {
        Action::Ephemeral { expiration, .. } => Some(*expiration),
        _ => None,
    });
    assert_eq!(lasts.await, 86_400);
    let seen = bob.client.groups().get_metadata(&group).await.expect("a group");
    assert_eq!((seen.subject.as_str(), seen.description.as_deref()), ("Team of two", Some("Be kind")));
    assert!(seen.is_locked && seen.is_announcement);
    assert_eq!(seen.ephemeral.and_then(|settings| settings.expiration), Some(86_400));
    assert_eq!(seen.participants.len(), 3);
    let numbers = seen.participants.iter().filter_map(|one| one.phone_number.as_ref());
    assert_eq!(numbers.count(), 3, "a member's number is missing");
    let owner = seen.participants.iter().find(|one| one.is_super_admin()).expect("an owner");
    assert_eq!(owner.phone_number, Some(Jid::pn(ALICE)));
    assert_eq!(bob.client.groups().get_participating().await.expect("a list").len(), 1);

    groups.promote_participants(group.clone(), &[Jid::pn(BOB)]).await.expect("promoted");
    told(&bob, &group, "a promotion", |action| matches!(action, Action::Promote { .. }).then_some(())).await;
    let info = sandbox.group(BOOK, &group.to_string()).await.expect("a group");
    let roles: Vec<Role> = info.participants.iter().map(|member| member.role).collect();
    assert_eq!(roles, [Role::Owner, Role::Admin, Role::Member]);
}

#[tokio::test]
async fn a_client_that_knows_the_members_is_not_told_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (_, group) = made(&sandbox, &[ALICE, BOB], Addressing::Lid).await;
    let groups = alice.client.groups();
    let first = groups.query_info(&group).await.expect("a group");
    let fresh = groups.query_info_with_freshness(&group, whatsapp_rust::Freshness::Refresh);
    let fresh = fresh.await.expect("a group");
    assert!(std::sync::Arc::ptr_eq(&first, &fresh), "the whole group was sent again");
    act(&sandbox, &group, CAROL, GroupAct::Remove { participants: vec![BOB.into()] }).await;
    let fresh = groups.query_info_with_freshness(&group, whatsapp_rust::Freshness::Refresh);
    assert_eq!(fresh.await.expect("a group").participants.len(), 2);
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
async fn what_admins_alone_may_do_is_refused_to_others() {
    let sandbox = network().await;
    sandbox.create_phone(BOOK, DAVE, "Dave").await.expect("a phone");
    let bob = linked(&sandbox, BOB).await;
    let (_, group) = made(&sandbox, &[ALICE, BOB], Addressing::Lid).await;
    let groups = bob.client.groups();
    let alice = [Jid::pn(ALICE)];
    assert_eq!(code(groups.remove_participants(group.clone(), &alice).await), Some(401));
    assert_eq!(code(groups.promote_participants(group.clone(), &alice).await), Some(401));
    assert_eq!(code(groups.set_announce(group.clone(), true).await), Some(401));
    assert_eq!(code(groups.set_locked(group.clone(), true).await), Some(401));
    assert_eq!(code(groups.get_invite_link(group.clone(), false).await), Some(401));
    assert_eq!(code(groups.get_invite_link(group.clone(), true).await), Some(401));
    let subject = || whatsapp_rust::GroupSubject::new("Mine").expect("a subject");
    assert_eq!(code(groups.set_subject(group.clone(), subject()).await), None);
    act(&sandbox, &group, CAROL, GroupAct::Lock { on: true }).await;
    assert_eq!(code(groups.set_subject(group.clone(), subject()).await), Some(401));
    act(&sandbox, &group, CAROL, GroupAct::MembersAdd { on: false }).await;
    assert_eq!(code(groups.add_participants(group.clone(), &[Jid::pn(DAVE)]).await), Some(401));
    let nowhere = Jid::group("120363000000000000");
    assert_eq!(code(groups.get_metadata(&nowhere).await), Some(404));
    let approval = whatsapp_rust::MembershipApprovalMode::On;
    assert_eq!(code(groups.set_membership_approval(group.clone(), approval).await), Some(501));
    let info = sandbox.group(BOOK, &group.to_string()).await.expect("a group");
    assert_eq!((info.subject.as_str(), info.announce, info.participants.len()), ("Mine", false, 3));
}

#[tokio::test]
async fn each_participant_of_a_change_gets_an_answer_of_their_own() {
    let sandbox = network().await;
    sandbox.create_phone(BOOK, DAVE, "Dave").await.expect("a phone");
    sandbox.fault(BOOK, DAVE, FaultKind::GroupPrivacy.into()).await.expect("a setting");
    let alice = linked(&sandbox, ALICE).await;
    let groups = alice.client.groups();
    let options = GroupCreateOptions::new("Team")
        .with_participants([CAROL, DAVE].map(|phone| GroupParticipantOptions::new(Jid::pn(phone))).to_vec());
    let group = groups.create_group(options).await.expect("a group").metadata.id;
    let info = sandbox.group(BOOK, &group.to_string()).await.expect("a group");
    let members: Vec<&str> = info.participants.iter().map(|member| member.phone.as_str()).collect();
    assert_eq!(members, [ALICE, CAROL]);

    let asked = [BOB, CAROL, DAVE, "15559999999"].map(Jid::pn);
    let answers = groups.add_participants(group.clone(), &asked).await.expect("answers");
    let errors: Vec<Option<&str>> = answers.iter().map(|answer| answer.error.as_deref()).collect();
    assert_eq!(errors, [None, Some("409"), Some("403"), Some("404")]);
    let asked = [ALICE, BOB, DAVE].map(Jid::pn);
    let answers = groups.remove_participants(group.clone(), &asked).await.expect("answers");
    let errors: Vec<Option<&str>> = answers.iter().map(|answer| answer.error.as_deref()).collect();
    assert_eq!(errors, [Some("406"), None, Some("404")]);

    sandbox.fault(BOOK, DAVE, FaultKind::Clear.into()).await.expect("a setting");
    let answers = groups.add_participants(group.clone(), &[Jid::pn(DAVE)]).await.expect("answers");
    assert!(answers[0].is_ok());
}

#[tokio::test]
async fn a_link_lets_people_in_until_it_is_reset() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let (_, group) = made(&sandbox, &[ALICE], Addressing::Lid).await;
    act(&sandbox, &group, CAROL, GroupAct::Promote { participants: vec![ALICE.into()] }).await;
    let link = alice.client.groups().get_invite_link(group.clone(), false).await.expect("a link");
    let seen = bob.client.groups().get_invite_info(&link).await.expect("a group");
    assert_eq!((seen.id.clone(), seen.subject.as_str(), seen.size), (group.clone(), "Team", Some(2)));
    assert!(seen.participants.is_empty(), "a stranger sees who is in the group");
    let joined = bob.client.groups().join_with_invite_code(&link).await.expect("joined");
    assert_eq!(*joined.group_jid(), group);
    let reason = told(&alice, &group, "a new member", |action| match action {
        Action::Add { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(reason.await.as_deref(), Some("invite"));
    assert_eq!(code(bob.client.groups().join_with_invite_code(&link).await), Some(304));
    say(&bob, &group, "I am in").await;
    assert_eq!(hears(&alice, &group, "I am in").await, BOB);

    let next = alice.client.groups().get_invite_link(group.clone(), true).await.expect("a link");
    assert_ne!(link, next);
    bob.client.groups().leave(group.clone()).await.expect("left");
    assert_eq!(code(bob.client.groups().join_with_invite_code(&link).await), Some(410));
    assert_eq!(code(bob.client.groups().get_invite_info("AAAAAAAAAAAAAAAAAAAAAA").await), Some(406));
    bob.client.groups().join_with_invite_code(&next).await.expect("joined");
    act(&sandbox, &group, CAROL, GroupAct::Remove { participants: vec![BOB.into()] }).await;
    assert_eq!(code(bob.client.groups().join_with_invite_code(&next).await), Some(405));
}

#[tokio::test]
async fn a_group_without_its_owner_has_an_admin_and_an_empty_one_is_gone() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (_, group) = made(&sandbox, &[ALICE], Addressing::Lid).await;
    act(&sandbox, &group, CAROL, GroupAct::Leave).await;
    told(&alice, &group, "the promotion", |action| matches!(action, Action::Promote { .. }).then_some(()))
        .await;
    let info = sandbox.group(BOOK, &group.to_string()).await.expect("a group");
    assert_eq!(info.participants.iter().map(|member| member.role).collect::<Vec<_>>(), [Role::Admin]);
    alice.client.groups().leave(group.clone()).await.expect("left");
    let gone = sandbox.group(BOOK, &group.to_string()).await.expect_err("nobody is in it");
    assert_eq!(gone.code(), "GROUP_NOT_FOUND");
    assert!(alice.client.groups().get_participating().await.expect("a list").is_empty());
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
