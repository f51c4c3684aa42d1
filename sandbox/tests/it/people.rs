//! People around the messages: presence, typing, profiles, blocks, saved names and calls.

use std::io::Cursor;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use sha2::{Digest as _, Sha256};
use wacore::net::HttpRequest;
use wacore::types::call::CallAction;
use wacore::types::events::Event;
use wacore::types::presence::{ChatPresence, ChatPresenceMedia};
use wapid_sandbox::{
    Addressing, Network, NewGroup, PhoneAct, PhoneMessage, PresenceState, ReceiptKind, Sandbox, Seen,
    Storage, Tick, Typing,
};
use whatsapp_rust::{ChatStateType, Jid};

use crate::support::{ALICE, BOB, BOOK, CAROL, DEADLINE, Linked, linked, network, people, serve, shows};

async fn act(sandbox: &Sandbox, phone: &str, act: PhoneAct) {
    sandbox.act(BOOK, phone, act).await.expect("done");
}

/// Asks until a phone shows what is wanted of somebody.
async fn sees(sandbox: &Sandbox, phone: &str, other: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
    let asked = async {
        loop {
            let seen = sandbox.sees(BOOK, phone, other).await.expect("both exist");
            if wanted(&seen) {
                return seen;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    match tokio::time::timeout(DEADLINE, asked).await {
        Ok(seen) => seen,
        Err(_) => panic!("the phone shows {:#?}", sandbox.sees(BOOK, phone, other).await),
    }
}

/// The next presence of `phone` that a client is told of: whether it is away, and since when.
async fn presence(client: &Linked, phone: &str) -> (bool, bool) {
    client
        .wait("presence", |event| match event {
            Event::Presence(presence) if presence.from.user == phone => {
                Some((presence.unavailable, presence.last_seen.is_some()))
            }
            _ => None,
        })
        .await
}

async fn typing(client: &Linked, from: &str) -> (ChatPresence, ChatPresenceMedia) {
    client
        .wait("typing", |event| match event {
            Event::ChatPresence(typing) if typing.source.sender.user == from => {
                Some((typing.state, typing.media))
            }
            _ => None,
        })
        .await
}

fn jpeg(colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = image::RgbImage::from_pixel(64, 64, image::Rgb(colour));
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).expect("encodes");
    bytes.into_inner()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[tokio::test]
async fn whoever_subscribed_is_told_when_somebody_comes_and_goes() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    alice.client.presence().subscribe(Jid::pn(CAROL)).await.expect("subscribed");
    assert_eq!(presence(&alice, CAROL).await, (true, false));
    act(&sandbox, CAROL, PhoneAct::Presence { state: PresenceState::Available }).await;
    assert_eq!(presence(&alice, CAROL).await, (false, false));
    act(&sandbox, CAROL, PhoneAct::Presence { state: PresenceState::Unavailable }).await;
    assert_eq!(presence(&alice, CAROL).await, (true, true));

    // A device counts as well: Carol's phone sees Alice, whose client says so by itself.
    sees(&sandbox, CAROL, ALICE, |seen| seen.presence == PresenceState::Available).await;
    alice.client.presence().set_unavailable().await.expect("sent");
    let seen = sees(&sandbox, CAROL, ALICE, |seen| seen.presence == PresenceState::Unavailable).await;
    assert!(seen.last_seen.is_some());
    alice.client.presence().set_available().await.expect("sent");
    sees(&sandbox, CAROL, ALICE, |seen| seen.presence == PresenceState::Available).await;
    alice.stop().await;
    sees(&sandbox, CAROL, ALICE, |seen| seen.presence == PresenceState::Unavailable).await;
}

#[tokio::test]
async fn who_is_offline_is_told_nothing_of_others() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    sees(&sandbox, CAROL, ALICE, |seen| seen.presence == PresenceState::Available).await;
    alice.client.presence().subscribe(Jid::pn(CAROL)).await.expect("subscribed");
    presence(&alice, CAROL).await;
    alice.client.presence().set_unavailable().await.expect("sent");
    sees(&sandbox, CAROL, ALICE, |seen| seen.presence == PresenceState::Unavailable).await;
    act(&sandbox, CAROL, PhoneAct::Presence { state: PresenceState::Available }).await;
    act(&sandbox, CAROL, PhoneAct::Typing { to: ALICE.into(), state: Typing::Composing }).await;
    // A message comes behind both on the same connection.
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "after")).await.expect("sent");
    alice.text("after").await;
    let told = alice
        .take_seen(|event| matches!(event, Event::Presence(_) | Event::ChatPresence(_)).then_some(()))
        .await;
    assert_eq!(told.len(), 0);
}

#[tokio::test]
async fn typing_travels_both_ways() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    sees(&sandbox, CAROL, ALICE, |seen| seen.presence == PresenceState::Available).await;
    sees(&sandbox, CAROL, BOB, |seen| seen.presence == PresenceState::Available).await;
    for (sent, shown, heard) in [
        (ChatStateType::Composing, Typing::Composing, (ChatPresence::Composing, ChatPresenceMedia::Text)),
        (ChatStateType::Recording, Typing::Recording, (ChatPresence::Composing, ChatPresenceMedia::Audio)),
        (ChatStateType::Paused, Typing::Paused, (ChatPresence::Paused, ChatPresenceMedia::Text)),
    ] {
        bob.client.chatstate().send(&Jid::pn(ALICE), sent).await.expect("sent");
        assert_eq!(typing(&alice, BOB).await, heard);
        sees(&sandbox, ALICE, BOB, |seen| seen.typing == Some(shown)).await;
        act(&sandbox, CAROL, PhoneAct::Typing { to: ALICE.into(), state: shown }).await;
        assert_eq!(typing(&alice, CAROL).await, heard);
    }
}

#[tokio::test]
async fn typing_in_a_group_shows_to_its_members_alone() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let new = NewGroup {
        phone: CAROL.to_owned(),
        subject: "Team".to_owned(),
        participants: vec![ALICE.to_owned()],
        addressing: Addressing::Lid,
    };
    let made = sandbox.create_group(BOOK, new).await.expect("a group").group.expect("a group");
    let group: Jid = made.id.parse().expect("a JID");
    for somebody in [ALICE, BOB] {
        sees(&sandbox, CAROL, somebody, |seen| seen.presence == PresenceState::Available).await;
    }
    let carol = made.participants.iter().find(|member| member.phone == CAROL).expect("a member");
    for (sent, shown, heard) in [
        (ChatStateType::Composing, Typing::Composing, (ChatPresence::Composing, ChatPresenceMedia::Text)),
        (ChatStateType::Recording, Typing::Recording, (ChatPresence::Composing, ChatPresenceMedia::Audio)),
        (ChatStateType::Paused, Typing::Paused, (ChatPresence::Paused, ChatPresenceMedia::Text)),
    ] {
        alice.client.chatstate().send(&group, sent).await.expect("sent");
        let is_shown = |seen: &Seen| seen.typing_in_groups.get(&made.id) == Some(&shown);
        let seen = sees(&sandbox, CAROL, ALICE, is_shown).await;
        assert_eq!(seen.typing, None, "it shows in the chat of two as well");
        act(&sandbox, CAROL, PhoneAct::Typing { to: made.id.clone(), state: shown }).await;
        let told = alice.wait("typing", |event| match event {
            Event::ChatPresence(typing) => Some((typing.source.clone(), typing.state, typing.media)),
            _ => None,
        });
        let (source, state, media) = told.await;
        assert_eq!((source.chat, source.is_group, (state, media)), (group.clone(), true, heard));
        assert_eq!(source.sender.user_base(), carol.lid);
    }

    // Bob is not in it.
    bob.client.chatstate().send(&group, ChatStateType::Composing).await.expect("sent");
    bob.send(ALICE, "behind it").await;
    alice.text("behind it").await;
    for phone in [ALICE, CAROL] {
        let seen = sandbox.sees(BOOK, phone, BOB).await.expect("both exist");
        assert!(seen.typing_in_groups.is_empty());
    }
    let types = PhoneAct::Typing { to: made.id.clone(), state: Typing::Composing };
    assert_eq!(sandbox.act(BOOK, BOB, types).await.expect_err("not a member").code(), "NOT_IN_GROUP");
    sandbox.send(BOOK, CAROL, PhoneMessage::text(BOB, "behind all")).await.expect("sent");
    bob.text("behind all").await;
    let told = bob.take_seen(|event| matches!(event, Event::ChatPresence(_)).then_some(())).await;
    assert_eq!(told.len(), 0);
}

#[tokio::test]
async fn a_picture_is_set_seen_fetched_and_removed() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    let contacts = bob.client.contacts();
    assert!(contacts.get_profile_picture(&Jid::pn(ALICE), false).await.expect("an answer").is_none());
    // Whoever knows an account hears of its pictures.
    bob.send(ALICE, "hello").await;
    let bytes = jpeg([10, 200, 30]);
    let set = alice.client.profile().set_profile_picture(bytes.clone()).await.expect("set");
    let changed = bob
        .wait("picture", |event| match event {
            Event::PictureUpdate(update) => Some((update.removed, update.picture_id.clone())),
            _ => None,
        })
        .await;
    assert_eq!(changed, (false, Some(set.id.clone())));
    for (preview, side) in [(false, 64), (true, 96)] {
        let picture = contacts.get_profile_picture(&Jid::pn(ALICE), preview).await.expect("an answer");
        let picture = picture.expect("a picture");
        assert_eq!(picture.id, set.id);
        let http = sandbox.http(BOOK);
        let answer = http.execute(HttpRequest::get(&picture.url)).await.expect("an answer");
        assert_eq!(answer.status_code, 200);
        let decoded = image::load_from_memory(&answer.body).expect("a picture");
        assert!(decoded.width() <= side);
        assert!(preview || answer.body == bytes);
        // Another book's client does not get it.
        let stranger = sandbox.http("other").execute(HttpRequest::get(&picture.url)).await;
        assert_eq!(stranger.expect("an answer").status_code, 404);
    }
    assert_eq!(
        sandbox.sees(BOOK, CAROL, ALICE).await.expect("both exist").picture_sha256,
        Some(sha256(&bytes))
    );
    let refused = alice.client.profile().set_profile_picture(b"no picture".to_vec()).await;
    assert!(format!("{:?}", refused.expect_err("refused")).contains("406"));
    alice.client.profile().remove_profile_picture().await.expect("removed");
    assert!(contacts.get_profile_picture(&Jid::pn(ALICE), false).await.expect("an answer").is_none());
}

#[tokio::test]
async fn names_and_about_texts_change_on_both_sides() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    alice.client.profile().set_status_text("At the shop").await.expect("set");
    alice.client.profile().set_push_name("Alice & Co").await.expect("set");
    let seen = sees(&sandbox, CAROL, ALICE, |seen| seen.name == "Alice & Co").await;
    assert_eq!(seen.about.as_deref(), Some("At the shop"));

    // The phone changes its own: the client hears the name by app state, and asks for the rest.
    let picture = jpeg([1, 2, 3]);
    let profile = PhoneAct::Profile {
        name: Some("Alice at home".into()),
        about: Some("Closed".into()),
        picture: Some(BASE64.encode(&picture)),
    };
    act(&sandbox, ALICE, profile).await;
    let name = alice
        .wait("name", |event| match event {
            Event::SelfPushNameUpdated(update)
                if update.from_server && update.new_name == "Alice at home" =>
            {
                Some(update.new_name.clone())
            }
            _ => None,
        })
        .await;
    assert_eq!(name, "Alice at home");
    let bob = linked(&sandbox, BOB).await;
    let info = bob.client.contacts().get_user_info(&[Jid::pn(ALICE), Jid::pn(CAROL)]).await;
    let info = info.expect("an answer");
    assert_eq!(info[&Jid::pn(ALICE)].status.as_deref(), Some("Closed"));
    assert!(info[&Jid::pn(ALICE)].picture_id.is_some());
    assert_eq!(
        (info[&Jid::pn(CAROL)].status.as_ref(), info[&Jid::pn(CAROL)].picture_id.as_ref()),
        (None, None)
    );
    let bad = PhoneAct::Profile { name: None, about: None, picture: Some("%%%".into()) };
    assert_eq!(sandbox.act(BOOK, ALICE, bad).await.expect_err("no picture").code(), "INVALID_REQUEST");
}

#[tokio::test]
async fn who_is_blocked_reaches_nobody_and_hears_nothing_of_it() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    // A block names a LID and a number, so the two must have met.
    bob.send(ALICE, "hello").await;
    alice.text("hello").await;
    alice.client.blocking().block(&Jid::pn(BOB)).await.expect("blocked");
    let list = alice.client.blocking().get_blocklist().await.expect("a list");
    assert_eq!(list.len(), 1);
    assert!(list[0].jid.is_lid());
    assert!(sandbox.sees(BOOK, ALICE, BOB).await.expect("both exist").is_blocked);

    let lost = bob.send(ALICE, "do you hear me?").await;
    bob.client.chatstate().send(&Jid::pn(ALICE), ChatStateType::Composing).await.expect("sent");
    sandbox.send(BOOK, BOB, PhoneMessage::text(ALICE, "and me?")).await.expect("sent");
    // Others still get through, behind what was dropped.
    sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "it is quiet")).await.expect("sent");
    alice.text("it is quiet").await;
    let inbox = shows(&sandbox, ALICE, |inbox| inbox.messages.len() == 2).await;
    assert!(inbox.messages.iter().all(|message| message.message != "do you hear me?"));
    assert_eq!(sandbox.sees(BOOK, ALICE, BOB).await.expect("both exist").typing, None);
    // Bob's own phone shows what he sent, with one tick.
    let own = shows(&sandbox, BOB, |inbox| inbox.messages.iter().any(|message| message.id == lost)).await;
    assert!(own.messages.iter().filter(|message| message.id == lost).all(|m| m.receipts.is_empty()));
    let delivered = bob
        .take_seen(|event| match event {
            Event::Receipt(receipt) if receipt.message_ids.contains(&lost) => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(delivered.len(), 0);

    alice.client.blocking().unblock(&Jid::pn(BOB)).await.expect("unblocked");
    assert!(alice.client.blocking().get_blocklist().await.expect("a list").is_empty());
    let heard = bob.send(ALICE, "now?").await;
    alice.text("now?").await;
    bob.receipt("Delivered", &heard).await;
}

#[tokio::test]
async fn a_block_on_the_phone_is_told_to_its_devices() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let lease = alice.client.acquire_raw_node_forwarding();
    act(&sandbox, ALICE, PhoneAct::Block { phone: BOB.into(), blocked: true }).await;
    let action = alice
        .wait("block notification", |event| match event {
            Event::RawNode(node) => {
                let item = node.get().get_optional_child("blocklist")?.get_optional_child("item")?;
                Some((
                    item.get_attr("jid")?.as_str().into_owned(),
                    item.get_attr("action")?.as_str().into_owned(),
                ))
            }
            _ => None,
        })
        .await;
    drop(lease);
    let lid = sandbox.sees(BOOK, ALICE, BOB).await.expect("both exist").lid;
    assert_eq!(action, (format!("{lid}@lid"), "block".to_owned()));
    let own = PhoneAct::Block { phone: ALICE.into(), blocked: true };
    assert_eq!(sandbox.act(BOOK, ALICE, own).await.expect_err("oneself").code(), "INVALID_REQUEST");
}

#[tokio::test]
async fn what_the_phone_says_of_a_chat_reaches_its_devices_and_back() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    act(&sandbox, ALICE, PhoneAct::Save { phone: CAROL.into(), name: "Carol Smith".into() }).await;
    let saved = alice
        .wait("contact", |event| match event {
            Event::ContactUpdate(update) => {
                Some((update.jid.user.to_string(), update.action.full_name.clone()))
            }
            _ => None,
        })
        .await;
    assert_eq!(saved, (CAROL.to_owned(), Some("Carol Smith".to_owned())));
    let chat = PhoneAct::Chat {
        phone: CAROL.into(),
        archived: Some(true),
        pinned: Some(true),
        muted_until: Some(-1),
        read: false,
    };
    act(&sandbox, ALICE, chat).await;
    alice.wait("archive", |event| matches!(event, Event::ArchiveUpdate(_)).then_some(())).await;
    alice.wait("pin", |event| matches!(event, Event::PinUpdate(_)).then_some(())).await;
    alice.wait("mute", |event| matches!(event, Event::MuteUpdate(_)).then_some(())).await;

    // The client's own patches follow the phone's in the same collections.
    let actions = alice.client.chat_actions();
    actions.unarchive_chat(&Jid::pn(CAROL), None).await.expect("unarchived");
    actions.unmute_chat(&Jid::pn(CAROL)).await.expect("unmuted");
    actions.save_contact(&Jid::pn(CAROL), Some("Carol".into()), None, true).await.expect("saved");
    let seen = sandbox.sees(BOOK, ALICE, CAROL).await.expect("both exist");
    assert_eq!(seen.saved_name.as_deref(), Some("Carol"));
    assert!(!seen.is_archived && seen.is_pinned && seen.muted_until == 0, "{seen:?}");
    // And the phone's next one follows the client's.
    act(&sandbox, ALICE, PhoneAct::Save { phone: CAROL.into(), name: "Carol again".into() }).await;
    alice
        .wait("contact again", |event| match event {
            Event::ContactUpdate(update) => {
                (update.action.full_name.as_deref() == Some("Carol again")).then_some(())
            }
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn a_phone_shows_how_far_its_messages_are() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let id = sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "read this")).await.expect("sent");
    alice.text("read this").await;
    let tick = |wanted: Tick| {
        let (sandbox, id) = (sandbox.clone(), id.clone());
        async move {
            shows(&sandbox, CAROL, |inbox| {
                inbox.messages.iter().any(|m| m.id == id && m.receipts.get(ALICE) == Some(&wanted))
            })
            .await
        }
    };
    tick(Tick::Delivered).await;
    alice.client.mark_as_read(&Jid::pn(CAROL), None, &[&id]).await.expect("sent");
    tick(Tick::Read).await;
    alice.client.mark_as_played(&Jid::pn(CAROL), None, &[&id]).await.expect("sent");
    tick(Tick::Played).await;
    alice.client.mark_as_read(&Jid::pn(CAROL), None, &[&id]).await.expect("sent");
    let last = sandbox.send(BOOK, CAROL, PhoneMessage::text(ALICE, "behind")).await.expect("sent");
    alice.text("behind").await;
    shows(&sandbox, CAROL, |inbox| {
        inbox.messages.iter().any(|m| m.id == last && m.receipts.contains_key(ALICE))
    })
    .await;
    tick(Tick::Played).await;

    // What the owner reads on the phone is told to their own devices.
    let id = alice.send(CAROL, "and you this").await;
    shows(&sandbox, CAROL, |inbox| inbox.messages.iter().any(|message| message.id == id)).await;
    let carol = linked(&sandbox, CAROL).await;
    sandbox.mark(BOOK, CAROL, &id, ReceiptKind::Read).await.expect("read");
    assert_eq!(carol.receipt("Read", &id).await.user, CAROL);
}

#[tokio::test]
async fn a_call_rings_and_is_missed_by_who_was_away() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let acted =
        sandbox.act(BOOK, CAROL, PhoneAct::Call { to: ALICE.into(), video: true }).await.expect("rings");
    let call = alice
        .wait("call", |event| match event {
            Event::IncomingCall(call) => match &call.action {
                CallAction::Offer { call_id, caller_pn, is_video, .. } => {
                    Some((call_id.clone(), caller_pn.as_ref().map(|jid| jid.user.to_string()), *is_video))
                }
                _ => None,
            },
            _ => None,
        })
        .await;
    assert_eq!(call, (acted.call_id.expect("an id"), Some(CAROL.to_owned()), true));

    // Away for a moment: the offer waits, and the client says that it was missed.
    sandbox.fault(BOOK, ALICE, wapid_sandbox::FaultKind::Drop.into()).await.expect("a fault");
    let acted =
        sandbox.act(BOOK, CAROL, PhoneAct::Call { to: ALICE.into(), video: false }).await.expect("rings");
    let id = acted.call_id.expect("an id");
    alice
        .wait("missed or late call", |event| match event {
            Event::MissedCall(call) if call.call_id == id => Some(()),
            Event::IncomingCall(call) if call.action.call_id() == id => Some(()),
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn profiles_and_blocks_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = || Storage::Folder(folder.path().to_owned());
    let picture = jpeg([9, 9, 9]);
    {
        let sandbox = Sandbox::open(storage()).await.expect("opens");
        people(&sandbox).await;
        let profile = PhoneAct::Profile {
            name: Some("Caroline".into()),
            about: Some("Busy".into()),
            picture: Some(BASE64.encode(&picture)),
        };
        act(&sandbox, CAROL, profile).await;
        act(&sandbox, ALICE, PhoneAct::Block { phone: CAROL.into(), blocked: true }).await;
        act(&sandbox, ALICE, PhoneAct::Save { phone: CAROL.into(), name: "C.".into() }).await;
    }
    let sandbox = Sandbox::open(storage()).await.expect("opens");
    let seen = sandbox.sees(BOOK, ALICE, CAROL).await.expect("both exist");
    assert_eq!((seen.name.as_str(), seen.about.as_deref()), ("Caroline", Some("Busy")));
    assert_eq!(seen.picture_sha256, Some(sha256(&picture)));
    assert!(seen.is_blocked);
    assert_eq!(seen.saved_name.as_deref(), Some("C."));
    // Whom Alice blocked sees neither her picture nor whether she is there.
    act(&sandbox, ALICE, PhoneAct::Profile { name: None, about: Some("Hidden".into()), picture: None }).await;
    assert_eq!(sandbox.sees(BOOK, CAROL, ALICE).await.expect("both exist").about, None);
}

#[tokio::test]
async fn a_remote_sandbox_knows_its_people_too() {
    let sandbox = network().await;
    let remote = Network::Remote(serve(&sandbox).await.0);
    let picture = jpeg([5, 5, 200]);
    let profile =
        PhoneAct::Profile { name: None, about: Some("Far".into()), picture: Some(BASE64.encode(&picture)) };
    remote.act(BOOK, CAROL, profile).await.expect("done");
    let seen = remote.sees(BOOK, ALICE, CAROL).await.expect("both exist");
    assert_eq!((seen.about.as_deref(), seen.picture_sha256), (Some("Far"), Some(sha256(&picture))));
    let alice = linked(&sandbox, ALICE).await;
    let known = alice.client.contacts().get_profile_picture(&Jid::pn(CAROL), false).await.expect("an answer");
    let known = known.expect("a picture");
    let fetched = remote.http(BOOK).execute(HttpRequest::get(&known.url)).await.expect("an answer");
    assert_eq!((fetched.status_code, fetched.body), (200, picture));
    let codes = [
        remote.sees(BOOK, ALICE, "15559999999").await.expect_err("nobody").code(),
        remote.sees(BOOK, "15559999999", ALICE).await.expect_err("no phone").code(),
        remote
            .act(BOOK, ALICE, PhoneAct::Call { to: "15559999999".into(), video: false })
            .await
            .expect_err("nobody")
            .code(),
    ];
    assert_eq!(codes, ["NOT_ON_WHATSAPP", "PHONE_NOT_FOUND", "NOT_ON_WHATSAPP"]);
}
