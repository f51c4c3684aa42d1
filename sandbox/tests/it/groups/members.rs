//! Who is in a group, and who may change it.

use wacore::stanza::groups::GroupNotificationAction as Action;
use wapid_sandbox::{Addressing, FaultKind, GroupAct, Role};
use whatsapp_rust::{GroupCreateOptions, GroupError, GroupParticipantOptions, Jid};

use super::{DAVE, act, code, hears, made, say, told};
use crate::support::{ALICE, BOB, BOOK, CAROL, linked, network};

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
