//! What goes out comes back.

use buffa::MessageField;
use wapid_core::content::{
    Body, Card, Cards, Content, Context, Degrees, Delete, Edit, EditedFile, Medium, Page, Place, Poll,
    Preview, Quoted, Reaction, TEXT_MAX, Target, Words,
};
use wapid_core::id::MediaId;
use wapid_core::media::Kind;
use waproto::whatsapp as wa;

use super::{Own, from_wire, to_wire};
use crate::link::file::{File, Look, Place as OnServer};
use crate::link::hosts::ServerPath;

const ANA: &str = "5511900000002@s.whatsapp.net";
const SHOP: &str = "5511900000001";

fn file(kind: Kind) -> File {
    File {
        kind,
        place: OnServer {
            url: "https://mmg.example/v/a".into(),
            direct_path: ServerPath::parse("/v/a").unwrap(),
            media_key: [1; 32],
            sha256: [2; 32],
            enc_sha256: [3; 32],
            size: 1_000,
            made_at: 1_700_000_000,
            sidecar: None,
        },
        look: Look { mime: "image/png".into(), ..Look::default() },
    }
}

fn medium(caption: &str) -> Medium {
    Medium {
        words: Words::plain(caption),
        media: MediaId::new(),
        file_name: None,
        view_once: false,
        gif: false,
    }
}

/// As Ana's device shows what we send, and as ours shows what she sends.
fn heard(message: &wa::Message) -> super::Heard {
    let own = Own { users: &[SHOP.to_owned()], from_me: false, sender: ANA };
    from_wire(message, &own).expect("a message")
}

fn wire(content: &Content, file: Option<&File>) -> wa::Message {
    to_wire(content, file, None, ANA, 1_700_000_000_000).expect("it can be sent")
}

#[test]
fn everything_but_files_comes_back_as_it_went() {
    let degrees = |value| Degrees::within(value, 180.0).expect("degrees");
    let bodies = [
        Body::Text(Words::plain("Olá *você*")),
        Body::Poll(Poll {
            message: "Lunch?".into(),
            options: vec!["Yes".into(), "No".into()],
            selectable_count: 1,
            secret: [7; 32],
        }),
        Body::Poll(Poll {
            message: "Which?".into(),
            options: vec!["A".into(), "B".into(), "C".into()],
            selectable_count: 0,
            secret: [8; 32],
        }),
        Body::Location(Place {
            latitude: degrees(-23.561_414),
            longitude: degrees(-46.655_881),
            name: Some("Here".into()),
            address: Some("Av. Paulista".into()),
            live: false,
        }),
        Body::Contact(Cards { contacts: vec![Card { name: "Ana".into(), vcard: "BEGIN:VCARD".into() }] }),
        Body::Contact(Cards {
            contacts: vec![
                Card { name: "Ana".into(), vcard: "BEGIN:VCARD".into() },
                Card { name: "Bia".into(), vcard: "BEGIN:VCARD".into() },
            ],
        }),
    ];
    let context = Context {
        quoted: Some(Quoted {
            id: "3EB0AA".into(),
            sender: Some(ANA.into()),
            kind: "text".into(),
            text: "the question".into(),
            ..Quoted::default()
        }),
        mentions: vec![ANA.into()],
        forwarded: Some(2),
        expires_in: Some(86_400),
        ..Context::default()
    };
    for body in bodies {
        for context in [Context::default(), context.clone()] {
            let content = Content { body: body.clone(), context };
            assert_eq!(heard(&wire(&content, None)).content, content);
        }
    }
}

#[test]
fn a_quote_says_in_which_other_chat_it_is() {
    for (chat, kept) in [
        ("120363000000000001@g.us", Some("120363000000000001@g.us")),
        ("status@broadcast", Some("status@broadcast")),
        (ANA, None),
    ] {
        let quoted =
            Quoted { id: "3EB0AA".into(), kind: "text".into(), chat: Some(chat.into()), ..Quoted::default() };
        let mut answer = Content::text("in private");
        answer.context.quoted = Some(quoted.clone());
        let heard = heard(&wire(&answer, None)).content.context.quoted.expect("a quote");
        assert_eq!(heard, Quoted { chat: kept.map(str::to_owned), ..quoted });
    }
}

#[test]
fn a_quoted_picture_shows_a_small_one() {
    for kind in ["image", "video", "document"] {
        let quoted = Quoted {
            id: "3EB0AA".into(),
            kind: kind.into(),
            thumbnail: Some("/9j/".into()),
            ..Quoted::default()
        };
        let mut answer = Content::text("nice");
        answer.context.quoted = Some(quoted);
        let sent = wire(&answer, None);
        let text = sent.extended_text_message.as_option().expect("a text with a context");
        let shown =
            text.context_info.as_option().and_then(|info| info.quoted_message.as_option()).expect("a quote");
        let image = shown.image_message.as_option().map(|image| image.jpeg_thumbnail.clone());
        let video = shown.video_message.as_option().map(|video| video.jpeg_thumbnail.clone());
        let document = shown.document_message.as_option().map(|document| document.jpeg_thumbnail.clone());
        assert_eq!(image.or(video).or(document), Some(Some(vec![0xff, 0xd8, 0xff])), "{kind}");
    }
}

#[test]
fn a_page_travels_with_its_text_and_comes_back() {
    let page = Page {
        url: "https://shop.example/a".into(),
        title: "The Shop".into(),
        description: Some("Open from 8".into()),
    };
    let text = Content::text("see https://shop.example/a");
    let mut answer = text.clone();
    answer.context.expires_in = Some(86_400);
    for text in [text, answer] {
        for page in [page.clone(), Page { description: None, ..page.clone() }] {
            let content = text.showing(page.clone());
            let sent = to_wire(&content, None, Some(&[0xff, 0xd8]), ANA, 0).expect("it can be sent");
            let extended = sent.extended_text_message.as_option().expect("an extended text");
            assert_eq!(sent.conversation, None);
            assert_eq!(extended.text.as_deref(), Some("see https://shop.example/a"));
            assert_eq!(extended.matched_text.as_deref(), Some("https://shop.example/a"));
            assert_eq!(extended.jpeg_thumbnail.as_deref(), Some(&[0xff, 0xd8][..]));
            assert_eq!(extended.preview_type, Some(wa::message::extended_text_message::PreviewType::NONE));
            assert_eq!(heard(&sent).content, content);
        }
    }
}

#[test]
fn a_wish_alone_changes_nothing_on_the_wire() {
    let plain = Content::text("see https://shop.example/a");
    let mut wish = plain.clone();
    wish.context.preview = Some(Preview::Wanted);
    assert_eq!(wire(&wish, None), wire(&plain, None));
    assert!(wire(&wish, None).conversation.is_some());
}

#[test]
fn a_page_without_a_title_or_with_half_a_url_is_none() {
    let extended = |url: &str, title: Option<&str>| wa::Message {
        extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
            text: Some("look".into()),
            matched_text: Some(url.to_owned()),
            title: title.map(str::to_owned),
            ..Default::default()
        }),
        ..Default::default()
    };
    let long = format!("https://shop.example/{}", "a".repeat(3_000));
    for message in [
        extended("https://shop.example/", None),
        extended("https://shop.example/", Some("")),
        extended("", Some("The Shop")),
        extended(&long, Some("The Shop")),
    ] {
        assert_eq!(heard(&message).content, Content::text("look"));
    }
    let huge = extended("https://shop.example/", Some("T\0".repeat(9_000).as_str()));
    let Some(Preview::Of(page)) = heard(&huge).content.context.preview else { panic!("a page") };
    assert!(page.title.len() <= 1_024 && !page.title.contains('\0'));
}

#[test]
fn a_file_comes_back_with_its_keys_and_its_caption() {
    for &kind in Kind::ALL {
        for once in [false, true] {
            let caption =
                if matches!(kind, Kind::Image | Kind::Video | Kind::Document) { "look" } else { "" };
            let medium = Medium { view_once: once, ..medium(caption) };
            let content = Content::from(Body::of_medium(kind, medium));
            let sent = wire(&content, Some(&file(kind)));
            let heard = heard(&sent);
            assert_eq!(heard.content.kind(), content.kind());
            assert_eq!(heard.content.body.text(), caption, "{kind:?}");
            let (_, back) = heard.content.body.medium().expect("a file");
            assert_eq!(back.view_once, once, "{kind:?}");
            assert_eq!(heard.file.expect("a file").place, file(kind).place);
        }
    }
}

#[test]
fn a_message_without_its_file_is_refused() {
    let content = Content::from(Body::Image(medium("")));
    assert!(to_wire(&content, None, None, ANA, 0).is_err());
}

#[test]
fn what_changes_a_message_names_it_as_the_reader_sees_it() {
    let ours = Target { id: "3EB0AA".parse().unwrap(), from_me: true, sender: None };
    let hers = Target { id: "3EB0BB".parse().unwrap(), from_me: false, sender: None };
    // What we send, read by our own other device.
    let echo = |content: &Content| {
        let own = Own { users: &[SHOP.to_owned()], from_me: true, sender: "5511900000001@s.whatsapp.net" };
        from_wire(&wire(content, Some(&file(Kind::Image))), &own).expect("a message").content
    };
    for target in [&ours, &hers] {
        let content =
            Content::from(Body::Reaction(Reaction { target: target.clone(), emoji: "👍".into() }));
        assert_eq!(echo(&content), content);
    }
    let edit = |of| Content::from(Body::Edit(Edit { target: ours.clone(), words: Words::plain("new"), of }));
    assert_eq!(echo(&edit(None)), edit(None));
    let of = EditedFile { kind: Kind::Image, media: MediaId::new(), file_name: None };
    assert_eq!(echo(&edit(Some(of))), edit(None), "the file is known to the reader already");
    let delete = Content::from(Body::Delete(Delete { target: ours, by_admin: false }));
    assert_eq!(echo(&delete), delete);

    // The same written by Ana: what is hers to her is hers to us, and what is not is ours.
    let theirs = |from_me: bool| {
        let key = wa::MessageKey {
            remote_jid: Some("5511900000001@s.whatsapp.net".into()),
            from_me: Some(from_me),
            id: Some("3EB0CC".into()),
            participant: None,
        };
        let message = wacore::proto_helpers::build_reaction_message(key, "❤", 0);
        let Body::Reaction(reaction) = heard(&message).content.body else { panic!("a reaction") };
        reaction.target
    };
    assert!(theirs(false).from_me);
    assert_eq!(
        theirs(true),
        Target { id: "3EB0CC".parse().unwrap(), from_me: false, sender: Some(ANA.into()) }
    );
}

#[test]
fn what_names_no_message_changes_none() {
    use wa::message::protocol_message::Type;
    for id in ["", " ", "A\0B", "A\nB", &"x".repeat(129), &"x".repeat(1 << 20)] {
        let key = || wa::MessageKey { id: Some(id.into()), from_me: Some(true), ..Default::default() };
        let reaction = wacore::proto_helpers::build_reaction_message(key(), "❤", 0);
        let changes = |kind| wa::Message {
            protocol_message: MessageField::some(wa::message::ProtocolMessage {
                key: MessageField::some(key()),
                r#type: Some(kind),
                edited_message: MessageField::some(wa::Message {
                    conversation: Some("new".into()),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let own = Own { users: &[SHOP.to_owned()], from_me: false, sender: ANA };
        for message in [reaction, changes(Type::REVOKE), changes(Type::MESSAGE_EDIT)] {
            assert_eq!(from_wire(&message, &own), None, "{id:?}");
        }
        // What answers it is a message all the same.
        let answer = wa::Message {
            extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
                text: Some("yes".into()),
                context_info: MessageField::some(wa::ContextInfo {
                    stanza_id: Some(id.into()),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(heard(&answer).content, Content::text("yes"), "{id:?}");
    }
}

#[test]
fn a_file_whose_path_leads_elsewhere_has_no_place() {
    for path in
        ["@evil.example/x", ".evil.example/x", "//evil.example/x", "https://evil.example/x", "/a\0b", ""]
    {
        let mut message = wire(&Content::from(Body::Image(medium("look"))), Some(&file(Kind::Image)));
        message.image_message.as_option_mut().expect("a picture").direct_path = Some(path.into());
        let heard = heard(&message);
        assert_eq!((heard.content.body.text().as_str(), heard.file), ("look", None), "{path:?}");
    }
}

#[test]
fn housekeeping_is_not_a_message() {
    let own = Own { users: &[], from_me: false, sender: ANA };
    assert_eq!(from_wire(&wa::Message::default(), &own), None);
    let key_share = wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage::default()),
        ..Default::default()
    };
    assert_eq!(from_wire(&key_share, &own), None);
    let bare = wa::Message {
        message_context_info: MessageField::some(wa::MessageContextInfo::default()),
        ..Default::default()
    };
    assert_eq!(from_wire(&bare, &own), None);
}

#[test]
fn a_text_is_whole_up_to_whatsapps_limit_and_says_when_it_was_cut() {
    let of_text = |text: String| heard(&wire(&Content::text(text), None)).content;
    for sign in ["x", "é", "漢", "😀"] {
        let longest = sign.repeat(TEXT_MAX);
        let whole = of_text(longest.clone());
        assert_eq!((whole.body.text() == longest, whole.context.truncated), (true, false), "{sign}");
        let cut = of_text(format!("{longest}."));
        assert_eq!((cut.body.text() == longest, cut.context.truncated), (true, true), "{sign}");
    }
}

#[test]
fn a_caption_an_edit_and_a_card_say_when_they_were_cut() {
    let long = "漢".repeat(TEXT_MAX + 1);
    let image = wa::Message {
        image_message: MessageField::some(wa::message::ImageMessage {
            caption: Some(long.clone()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let edit = wa::Message {
        protocol_message: MessageField::some(wa::message::ProtocolMessage {
            key: MessageField::some(wa::MessageKey {
                id: Some("3EB0AA".into()),
                from_me: Some(true),
                ..Default::default()
            }),
            r#type: Some(wa::message::protocol_message::Type::MESSAGE_EDIT),
            edited_message: MessageField::some(wire(&Content::text(long), None)),
            ..Default::default()
        }),
        ..Default::default()
    };
    let card = wa::Message {
        contact_message: MessageField::some(wa::message::ContactMessage {
            display_name: Some("Ana".into()),
            vcard: Some("BEGIN:VCARD\n".repeat(10_000)),
            ..Default::default()
        }),
        ..Default::default()
    };
    for (message, kind) in [(image, "image"), (edit, "edit"), (card, "contact")] {
        let content = heard(&message).content;
        assert_eq!((content.kind(), content.context.truncated), (kind, true));
        assert!(content.body.text().chars().count() <= TEXT_MAX);
    }
}

#[test]
fn nonsense_is_cut_to_what_makes_sense() {
    let message = wa::Message {
        location_message: MessageField::some(wa::message::LocationMessage {
            degrees_latitude: Some(f64::NAN),
            name: Some("n\0owhere".repeat(10_000)),
            ..Default::default()
        }),
        ..Default::default()
    };
    let content = heard(&message).content;
    assert_eq!(content.kind(), "unknown");
    assert!(content.body.text().chars().count() <= TEXT_MAX);
    assert!(!content.body.text().contains('\0'));
    // A file that nobody could open.
    let image = wa::Message {
        image_message: MessageField::some(wa::message::ImageMessage {
            media_key: Some(vec![1; 5]),
            direct_path: Some("/v/a".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let heard = heard(&image);
    assert_eq!((heard.content.kind(), heard.file), ("image", None));
}

/// What a contact can make of one message is bounded in everything that tells of it.
#[test]
fn fifty_large_cards_and_long_mentions_are_no_larger_than_they_may_be() {
    let card = wa::message::ContactMessage {
        display_name: Some("Ana".into()),
        vcard: Some(format!("BEGIN:VCARD\n{}", "\u{1}x".repeat(16_000))),
        ..Default::default()
    };
    let contacts = vec![card; 50];
    let array = wa::message::ContactsArrayMessage { contacts, ..Default::default() };
    let message = wa::Message { contacts_array_message: MessageField::some(array), ..Default::default() };
    let content = heard(&message).content;
    assert!(content.context.truncated);
    let Body::Contact(cards) = &content.body else { panic!("cards: {content:?}") };
    assert_eq!((cards.contacts.len(), cards.contacts[0].name.as_str()), (50, "Ana"));
    let json = serde_json::to_string(&content).expect("JSON");
    assert!(json.len() < 600 << 10, "{} bytes", json.len());

    let mut mentioning = wire(&Content::text("hello"), None);
    let info =
        wa::ContextInfo { mentioned_jid: vec!["\u{1}".repeat(60_000), ANA.to_owned()], ..Default::default() };
    let text = wa::message::ExtendedTextMessage {
        text: Some("hello".into()),
        context_info: MessageField::some(info),
        ..Default::default()
    };
    mentioning.conversation = None;
    mentioning.extended_text_message = MessageField::some(text);
    assert_eq!(heard(&mentioning).content.context.mentions, [ANA]);
}
