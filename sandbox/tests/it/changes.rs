//! Reactions, votes, edits and deletions, both ways.

use buffa::MessageField;
use wacore::download::MediaType;
use wacore::poll::{PollVoteCiphertext, compute_option_hash};
use wacore::proto_helpers::build_reaction_message;
use wacore_binary::Jid;
use wapid_sandbox::{FaultKind, InboxMessage, MessageKind, PhoneMessage, Reaction, Sandbox};
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type;
use whatsapp_rust::RevokeType;

use crate::support::{ALICE, BOB, BOOK, CAROL, Linked, bytes, linked, network, shown};

async fn carol_does(sandbox: &Sandbox, out: PhoneMessage) -> String {
    sandbox.send(BOOK, CAROL, out).await.expect("sent")
}

/// The key of a message of Alice or Carol in the chat with Carol.
fn key(id: &str, from_me: bool) -> wa::MessageKey {
    wa::MessageKey {
        remote_jid: Some(Jid::pn(CAROL).to_string()),
        from_me: Some(from_me),
        id: Some(id.to_owned()),
        participant: None,
    }
}

fn reactions(message: &InboxMessage) -> Vec<(&str, &str)> {
    message.reactions.iter().map(|Reaction { from, emoji }| (from.as_str(), emoji.as_str())).collect()
}

#[tokio::test]
async fn reactions_show_on_both_phones_and_the_last_of_each_person_counts() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let id = alice.send(CAROL, "good news").await;
    shown(&sandbox, CAROL, &id, |_| true).await;

    let thumb =
        PhoneMessage { emoji: Some("👍".into()), ..PhoneMessage::about(ALICE, MessageKind::Reaction, &id) };
    let reaction = carol_does(&sandbox, thumb).await;
    let got = alice.message(&reaction).await;
    let got = got.reaction_message.as_option().expect("a reaction");
    assert_eq!(got.text.as_deref(), Some("👍"));
    let about = got.key.as_option().expect("a key");
    assert_eq!((about.id.as_ref(), about.from_me), (Some(&id), Some(false)));

    alice.client.send_reaction(Jid::pn(CAROL), key(&id, true), "🎉").await.expect("reacts");
    for phone in [ALICE, CAROL] {
        let message = shown(&sandbox, phone, &id, |message| message.reactions.len() == 2).await;
        assert_eq!(reactions(&message), [(CAROL, "👍"), (ALICE, "🎉")]);
    }
    alice.client.send_reaction(Jid::pn(CAROL), key(&id, true), "").await.expect("takes it back");
    let heart = PhoneMessage {
        emoji: Some("❤️".into()),
        ..PhoneMessage::about(ALICE, MessageKind::Reaction, &id)
    };
    carol_does(&sandbox, heart).await;
    for phone in [ALICE, CAROL] {
        let message = shown(&sandbox, phone, &id, |message| {
            message.reactions.len() == 1 && message.reactions[0].emoji == "❤️"
        })
        .await;
        assert_eq!(reactions(&message), [(CAROL, "❤️")]);
    }
    let inbox = sandbox.messages(BOOK, CAROL).await.expect("a phone");
    assert_eq!(inbox.messages.len(), 1, "a reaction is no message");
}

#[tokio::test]
async fn a_client_edits_and_deletes_what_it_sent() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let id = alice.send(CAROL, "helo").await;
    shown(&sandbox, CAROL, &id, |_| true).await;
    let better = wa::Message { conversation: Some("hello".into()), ..Default::default() };
    alice.client.edit_message(Jid::pn(CAROL), &*id, better).await.expect("edits");
    for phone in [ALICE, CAROL] {
        let message = shown(&sandbox, phone, &id, |message| message.edited).await;
        assert_eq!((message.message.as_str(), message.kind.as_str()), ("hello", "text"));
    }
    alice.client.revoke_message(Jid::pn(CAROL), &*id, RevokeType::Sender).await.expect("deletes");
    for phone in [ALICE, CAROL] {
        let message = shown(&sandbox, phone, &id, |message| message.deleted).await;
        assert_eq!((message.message.as_str(), message.id == id), ("", true));
    }
}

#[tokio::test]
async fn an_edit_that_is_sealed_with_the_messages_secret_is_opened() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let secret = [7; 32];
    let with_secret = wa::Message {
        conversation: Some("helo".into()),
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_secret: Some(secret.to_vec()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let id = alice.send_message(CAROL, with_secret).await;
    shown(&sandbox, CAROL, &id, |_| true).await;
    let better = wa::Message { conversation: Some("hello".into()), ..Default::default() };
    alice.client.edit_message_encrypted(Jid::pn(CAROL), &*id, &secret, better).await.expect("edits");
    let message = shown(&sandbox, CAROL, &id, |message| message.edited).await;
    assert_eq!(message.message, "hello");
}

#[tokio::test]
async fn nobody_edits_or_deletes_what_somebody_else_sent() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let id = carol_does(&sandbox, PhoneMessage::text(ALICE, "mine")).await;
    alice.message(&id).await;
    // A client that does not play by the rules.
    for (kind, text) in [(Type::MESSAGE_EDIT, Some("hers")), (Type::REVOKE, None)] {
        let forged = wa::message::ProtocolMessage {
            key: MessageField::some(key(&id, false)),
            r#type: Some(kind),
            edited_message: text
                .map(|text| {
                    let content = wa::Message { conversation: Some(text.into()), ..Default::default() };
                    MessageField::some(content)
                })
                .unwrap_or_default(),
            ..Default::default()
        };
        let forged = wa::Message { protocol_message: MessageField::some(forged), ..Default::default() };
        alice.send_message(CAROL, forged).await;
    }
    let last = alice.send(CAROL, "and on").await;
    shown(&sandbox, CAROL, &last, |_| true).await;
    let message = shown(&sandbox, CAROL, &id, |_| true).await;
    assert_eq!((message.message.as_str(), message.edited, message.deleted), ("mine", false, false));

    // A phone's owner is told.
    let theirs = PhoneMessage { text: "hers".into(), ..PhoneMessage::about(ALICE, MessageKind::Edit, &last) };
    let refused = sandbox.send(BOOK, CAROL, theirs).await.expect_err("not hers");
    assert_eq!(refused.code(), "INVALID_REQUEST");
    let unknown = PhoneMessage::about(ALICE, MessageKind::Delete, "NONE");
    let refused = sandbox.send(BOOK, CAROL, unknown).await.expect_err("no such message");
    assert_eq!(refused.code(), "MESSAGE_NOT_FOUND");
}

#[tokio::test]
async fn a_phone_edits_and_deletes_what_it_sent() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let id = carol_does(&sandbox, PhoneMessage::text(ALICE, "helo")).await;
    let edit = PhoneMessage { text: "hello".into(), ..PhoneMessage::about(ALICE, MessageKind::Edit, &id) };
    let edit = alice.message(&carol_does(&sandbox, edit).await).await;
    let edit = edit.protocol_message.as_option().expect("an edit");
    assert_eq!(edit.r#type, Some(Type::MESSAGE_EDIT));
    assert_eq!(edit.key.as_option().and_then(|key| key.id.as_ref()), Some(&id));
    let text = edit.edited_message.as_option().and_then(|message| message.conversation.as_deref());
    assert_eq!(text, Some("hello"));
    for phone in [ALICE, CAROL] {
        assert_eq!(shown(&sandbox, phone, &id, |message| message.edited).await.message, "hello");
    }
    // Who quotes it now quotes the new text.
    let reply = PhoneMessage { quoted_message_id: Some(id.clone()), ..PhoneMessage::text(ALICE, "I said") };
    let reply = alice.message(&carol_does(&sandbox, reply).await).await;
    let context = reply.extended_text_message.as_option().and_then(|text| text.context_info.as_option());
    let quoted = context.and_then(|context| context.quoted_message.as_option());
    assert_eq!(quoted.and_then(|quoted| quoted.conversation.as_deref()), Some("hello"));

    let delete = alice
        .message(&carol_does(&sandbox, PhoneMessage::about(ALICE, MessageKind::Delete, &id)).await)
        .await;
    let delete = delete.protocol_message.as_option().expect("a deletion");
    assert_eq!(delete.r#type, Some(Type::REVOKE));
    for phone in [ALICE, CAROL] {
        assert_eq!(shown(&sandbox, phone, &id, |message| message.deleted).await.message, "");
    }
}

#[tokio::test]
async fn a_phone_edits_the_caption_of_a_medium() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let document = PhoneMessage {
        text: "the bil".into(),
        ..PhoneMessage::media(ALICE, MessageKind::Document, bytes(100))
    };
    let id = carol_does(&sandbox, document).await;
    let edit = PhoneMessage { text: "the bill".into(), ..PhoneMessage::about(ALICE, MessageKind::Edit, &id) };
    let edit = alice.message(&carol_does(&sandbox, edit).await).await;
    let content = edit.protocol_message.as_option().and_then(|edit| edit.edited_message.as_option());
    let caption = content.and_then(|content| content.document_message.as_option()?.caption.as_deref());
    assert_eq!(caption, Some("the bill"));
    let message = shown(&sandbox, CAROL, &id, |message| message.edited).await;
    assert_eq!((message.message.as_str(), message.media_sha256.is_some()), ("the bill", true));
}

#[tokio::test]
async fn a_phone_votes_in_a_clients_poll_and_a_client_in_a_phones() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let options = ["Pizza".to_owned(), "Soup".to_owned(), "Salad".to_owned()];

    let (sent, secret) =
        alice.client.polls().create(Jid::pn(CAROL), "Lunch?", &options, 2).await.expect("a poll");
    let id = sent.message_id;
    let poll = shown(&sandbox, CAROL, &id, |_| true).await;
    assert_eq!(
        (poll.kind.as_str(), poll.message.as_str(), poll.selectable_count),
        ("poll", "Lunch?", Some(2))
    );
    assert_eq!(poll.options, options);
    let vote = |votes: &[&str]| PhoneMessage {
        votes: votes.iter().map(|vote| (*vote).to_owned()).collect(),
        ..PhoneMessage::about(ALICE, MessageKind::Vote, &id)
    };
    let voted = alice.message(&carol_does(&sandbox, vote(&["Pizza", "Soup"])).await).await;
    let voted = voted.poll_update_message.as_option().expect("a vote").vote.as_option().expect("sealed");
    let ciphertext = PollVoteCiphertext {
        enc_payload: voted.enc_payload.as_deref().expect("a payload"),
        enc_iv: voted.enc_iv.as_deref().expect("an iv"),
    };
    let polls = alice.client.polls();
    let chosen = polls.decrypt_vote(ciphertext, &secret, &id, &Jid::pn(ALICE), &Jid::pn(CAROL)).await;
    let hashes = ["Pizza", "Soup"].map(|option| compute_option_hash(option).to_vec());
    assert_eq!(chosen.expect("opens"), hashes);
    carol_does(&sandbox, vote(&["Salad"])).await;
    for phone in [ALICE, CAROL] {
        let poll = shown(&sandbox, phone, &id, |poll| !poll.votes["Salad"].is_empty()).await;
        assert_eq!((poll.votes["Pizza"].len(), &poll.votes["Salad"]), (0, &vec![CAROL.to_owned()]));
    }
    for wrong in [vec!["Cake"], vec!["Pizza", "Soup", "Salad"]] {
        let refused = sandbox.send(BOOK, CAROL, vote(&wrong)).await.expect_err("no such vote");
        assert_eq!(refused.code(), "INVALID_REQUEST");
    }

    let poll = PhoneMessage {
        kind: MessageKind::Poll,
        options: options.to_vec(),
        ..PhoneMessage::text(ALICE, "Dinner?")
    };
    let id = carol_does(&sandbox, poll).await;
    let got = alice.message(&id).await;
    let secret = got.message_context_info.as_option().and_then(|info| info.message_secret.clone());
    let secret = secret.expect("a secret");
    for choice in ["Soup", "Pizza"] {
        alice
            .client
            .polls()
            .vote(Jid::pn(CAROL), &id, &Jid::pn(CAROL), &secret, &[choice.to_owned()])
            .await
            .expect("votes");
        for phone in [ALICE, CAROL] {
            let poll = shown(&sandbox, phone, &id, |poll| !poll.votes[choice].is_empty()).await;
            assert_eq!(poll.votes[choice], [ALICE]);
        }
    }
    let poll = shown(&sandbox, CAROL, &id, |_| true).await;
    assert!(poll.votes["Soup"].is_empty());
}

#[tokio::test]
async fn a_copy_of_a_change_changes_nothing() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let id = alice.send(CAROL, "news").await;
    shown(&sandbox, CAROL, &id, |_| true).await;
    let react = async |emoji: &str, reaction: &str| {
        let message = build_reaction_message(key(&id, true), emoji, 1_000);
        let options = whatsapp_rust::SendOptions::default().with_message_id(reaction);
        let sent = alice.client.send_message_with_options(Jid::pn(CAROL), message, options).await;
        sent.expect("sent");
    };
    react("👍", "3EB0FIRST").await;
    react("❤️", "3EB0SECOND").await;
    shown(&sandbox, CAROL, &id, |message| reactions(message) == [(ALICE, "❤️")]).await;
    let before = sandbox.messages(BOOK, CAROL).await.expect("a phone").redelivered;
    // As after a crash of the client: the same id again.
    react("👍", "3EB0FIRST").await;
    let last = alice.send(CAROL, "and on").await;
    shown(&sandbox, CAROL, &last, |_| true).await;
    let inbox = sandbox.messages(BOOK, CAROL).await.expect("a phone");
    assert_eq!(reactions(&inbox.messages[0]), [(ALICE, "❤️")]);
    assert_eq!(inbox.redelivered, before + 1);
}

#[tokio::test]
async fn a_change_that_overtakes_its_message_is_made_when_the_message_comes() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let first = alice.send(CAROL, "before").await;
    shown(&sandbox, CAROL, &first, |_| true).await;
    let options = |id: &str| whatsapp_rust::SendOptions::default().with_message_id(id);
    let early = build_reaction_message(key("3EB0LATE", true), "👍", 1_000);
    alice.client.send_message_with_options(Jid::pn(CAROL), early, options("3EB0EARLY")).await.expect("sent");
    alice.send_as(CAROL, "late", "3EB0LATE").await;
    let message = shown(&sandbox, CAROL, "3EB0LATE", |_| true).await;
    assert_eq!(reactions(&message), [(ALICE, "👍")]);
}

/// Everything that a client could not read is asked for again and sent again: messages of every kind, and
/// what is no message of its own.
#[tokio::test]
async fn a_client_gets_spoiled_media_polls_and_changes_of_a_phone_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let spoil =
        async || sandbox.fault(BOOK, ALICE, FaultKind::CorruptDelivery.into()).await.expect("a fault");
    let id = carol_does(&sandbox, PhoneMessage::text(ALICE, "before")).await;
    alice.message(&id).await;

    spoil().await;
    let image = PhoneMessage::media(ALICE, MessageKind::Image, bytes(2_000));
    let got = alice.message(&carol_does(&sandbox, image).await).await;
    assert_eq!(alice.download(got.image_message.as_option().expect("an image")).await, bytes(2_000));
    spoil().await;
    let poll = PhoneMessage {
        kind: MessageKind::Poll,
        options: vec!["Yes".into(), "No".into()],
        ..PhoneMessage::text(ALICE, "Lunch?")
    };
    let got = alice.message(&carol_does(&sandbox, poll).await).await;
    assert!(got.poll_creation_message_v3.is_set() && got.message_context_info.is_set());
    spoil().await;
    let reaction =
        PhoneMessage { emoji: Some("👍".into()), ..PhoneMessage::about(ALICE, MessageKind::Reaction, &id) };
    let got = alice.message(&carol_does(&sandbox, reaction).await).await;
    assert!(got.reaction_message.is_set());
    spoil().await;
    let edit = PhoneMessage { text: "after".into(), ..PhoneMessage::about(ALICE, MessageKind::Edit, &id) };
    let got = alice.message(&carol_does(&sandbox, edit).await).await;
    assert!(got.protocol_message.is_set());
}

#[tokio::test]
async fn a_phone_that_lost_its_session_gets_a_medium_again() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    alice.send(CAROL, "before").await;
    let answer = carol_does(&sandbox, PhoneMessage::text(ALICE, "answer")).await;
    alice.message(&answer).await;
    sandbox.fault(BOOK, CAROL, FaultKind::LoseSessions.into()).await.expect("a fault");
    let id = sends_image(&alice, &bytes(3_000)).await;
    let message = shown(&sandbox, CAROL, &id, |_| true).await;
    assert_eq!((message.kind.as_str(), message.media_sha256.is_some()), ("image", true));
}

async fn sends_image(client: &Linked, data: &[u8]) -> String {
    let upload = client.client.upload(data.to_vec(), MediaType::Image, Default::default()).await;
    let upload = upload.expect("uploads");
    let image = wa::message::ImageMessage {
        direct_path: Some(upload.direct_path),
        media_key: Some(upload.media_key.to_vec()),
        file_sha256: Some(upload.file_sha256.to_vec()),
        file_enc_sha256: Some(upload.file_enc_sha256.to_vec()),
        file_length: Some(upload.file_length),
        ..Default::default()
    };
    let message = wa::Message { image_message: MessageField::some(image), ..Default::default() };
    client.send_message(CAROL, message).await
}

/// A retry receipt is no way to read what was sent to somebody else.
#[tokio::test]
async fn a_device_gets_only_what_it_was_sent() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let bob = linked(&sandbox, BOB).await;
    for (device, to) in [(&alice, ALICE), (&bob, BOB)] {
        let id = carol_does(&sandbox, PhoneMessage::text(to, "hello")).await;
        device.message(&id).await;
    }
    let secret = carol_does(&sandbox, PhoneMessage::text(ALICE, "for Alice alone")).await;
    alice.message(&secret).await;
    let retry = wacore_binary::builder::NodeBuilder::new("receipt")
        .attr("to", Jid::pn(CAROL))
        .attr("id", secret.as_str())
        .attr("type", "retry")
        .children([wacore_binary::builder::NodeBuilder::new("retry")
            .attr("id", secret.as_str())
            .attr("count", "1")
            .build()])
        .build();
    bob.client.send_node(retry).await.expect("sent");
    let next = carol_does(&sandbox, PhoneMessage::text(BOB, "for Bob")).await;
    bob.message(&next).await;
    let got = bob
        .take_seen(|event| match event {
            wacore::types::events::Event::Messages(batch) => {
                batch.iter().find(|message| message.info.id == secret).map(|_| ())
            }
            _ => None,
        })
        .await;
    assert!(got.is_empty(), "Bob reads what Alice was sent");
}
