//! Every kind of message, from phones to a client and from a client to phones.

use buffa::MessageField;
use wacore::download::MediaType;
use wacore::proto_helpers::MessageExt as _;
use wapid_sandbox::{
    ContactCard, InboxMessage, InboxPreview, LinkPreview, MessageKind, PhoneMessage, Sandbox,
};
use waproto::whatsapp as wa;
use waproto::whatsapp::message;

use crate::support::{ALICE, BOB, BOOK, CAROL, Linked, bytes, linked, network, sha256, shown};

async fn carol_sends(sandbox: &Sandbox, out: PhoneMessage) -> String {
    sandbox.send(BOOK, CAROL, out).await.expect("sent")
}

async fn carol_shows(sandbox: &Sandbox, id: &str) -> InboxMessage {
    shown(sandbox, CAROL, id, |_| true).await
}

#[tokio::test]
async fn a_client_gets_every_medium_of_a_phone_byte_by_byte() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (picture, film, sound) = (bytes(70_001), bytes(200_000), bytes(30_000));

    let image = PhoneMessage {
        text: "look".into(),
        width: Some(640),
        height: Some(480),
        thumbnail: Some(vec![0xff, 0xd8].into()),
        ..PhoneMessage::media(ALICE, MessageKind::Image, picture.clone())
    };
    let id = carol_sends(&sandbox, image).await;
    let got = alice.message(&id).await;
    let got = got.image_message.as_option().expect("an image");
    assert_eq!((got.caption.as_deref(), got.width, got.height), (Some("look"), Some(640), Some(480)));
    assert_eq!((got.mimetype.as_deref(), got.file_length), (Some("image/jpeg"), Some(70_001)));
    assert_eq!(got.jpeg_thumbnail.as_deref(), Some(&[0xff, 0xd8][..]));
    assert_eq!(alice.download(got).await, picture);

    let video = PhoneMessage {
        seconds: Some(9),
        mime_type: Some("video/3gpp".into()),
        ..PhoneMessage::media(ALICE, MessageKind::Video, film.clone())
    };
    let got = alice.message(&carol_sends(&sandbox, video).await).await;
    let got = got.video_message.as_option().expect("a video");
    assert_eq!((got.mimetype.as_deref(), got.seconds), (Some("video/3gpp"), Some(9)));
    assert!(got.streaming_sidecar.is_some());
    assert_eq!(alice.download(got).await, film);

    let voice = PhoneMessage {
        seconds: Some(3),
        waveform: Some(vec![0, 50, 100]),
        ..PhoneMessage::media(ALICE, MessageKind::Voice, sound.clone())
    };
    let got = alice.message(&carol_sends(&sandbox, voice).await).await;
    let got = got.audio_message.as_option().expect("a voice note");
    assert_eq!((got.ptt, got.waveform.as_deref()), (Some(true), Some(&[0, 50, 100][..])));
    assert_eq!(alice.download(got).await, sound);

    let audio = PhoneMessage::media(ALICE, MessageKind::Audio, sound.clone());
    let got = alice.message(&carol_sends(&sandbox, audio).await).await;
    let got = got.audio_message.as_option().expect("a sound");
    assert_eq!((got.ptt, alice.download(got).await), (Some(false), sound));

    let document = PhoneMessage {
        text: "the bill".into(),
        file_name: Some("bill.pdf".into()),
        mime_type: Some("application/pdf".into()),
        ..PhoneMessage::media(ALICE, MessageKind::Document, picture.clone())
    };
    let got = alice.message(&carol_sends(&sandbox, document).await).await;
    assert!(got.document_with_caption_message.is_set());
    let got = got.get_base_message().document_message.as_option().expect("a document");
    assert_eq!((got.file_name.as_deref(), got.caption.as_deref()), (Some("bill.pdf"), Some("the bill")));
    assert_eq!(alice.download(got).await, picture);

    let sticker = PhoneMessage::media(ALICE, MessageKind::Sticker, bytes(900));
    let got = alice.message(&carol_sends(&sandbox, sticker).await).await;
    let got = got.sticker_message.as_option().expect("a sticker");
    assert_eq!((got.mimetype.as_deref(), alice.download(got).await), (Some("image/webp"), bytes(900)));

    let once =
        PhoneMessage { view_once: true, ..PhoneMessage::media(ALICE, MessageKind::Image, picture.clone()) };
    let got = alice.message(&carol_sends(&sandbox, once).await).await;
    assert!(got.is_view_once());
    let got = got.get_base_message().image_message.as_option().expect("an image");
    assert_eq!(alice.download(got).await, picture);
}

#[tokio::test]
async fn a_phone_knows_the_size_of_the_picture_it_sends() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let mut png = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_luma8(33, 21).write_to(&mut png, image::ImageFormat::Png).expect("encodes");
    let out = PhoneMessage::media(ALICE, MessageKind::Image, png.into_inner());
    let got = alice.message(&carol_sends(&sandbox, out).await).await;
    let got = got.image_message.as_option().expect("an image");
    assert_eq!((got.width, got.height), (Some(33), Some(21)));
}

#[tokio::test]
async fn a_client_gets_places_contacts_and_polls_of_a_phone() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;

    let place = PhoneMessage {
        kind: MessageKind::Location,
        latitude: Some(-23.55),
        longitude: Some(-46.63),
        name: Some("Office".into()),
        address: Some("1 Main St".into()),
        ..PhoneMessage::text(ALICE, "")
    };
    let got = alice.message(&carol_sends(&sandbox, place).await).await;
    let got = got.location_message.as_option().expect("a place");
    assert_eq!((got.degrees_latitude, got.degrees_longitude), (Some(-23.55), Some(-46.63)));
    assert_eq!((got.name.as_deref(), got.address.as_deref()), (Some("Office"), Some("1 Main St")));

    let card = |name: &str, phone: &str| ContactCard { name: name.into(), phone: phone.into() };
    let one = PhoneMessage {
        kind: MessageKind::Contact,
        contacts: vec![card("Bob; the builder", BOB)],
        ..PhoneMessage::text(ALICE, "")
    };
    let id = carol_sends(&sandbox, one).await;
    let got = alice.message(&id).await;
    let vcard = got.contact_message.as_option().and_then(|card| card.vcard.clone()).expect("a card");
    assert!(
        vcard.contains("FN:Bob\\; the builder\n") && vcard.contains(&format!("waid={BOB}:+{BOB}")),
        "{vcard}"
    );
    assert_eq!(carol_shows(&sandbox, &id).await.contacts, [card("Bob; the builder", BOB)]);
    let two = PhoneMessage {
        kind: MessageKind::Contact,
        contacts: vec![card("Bob", BOB), card("Alice", ALICE)],
        ..PhoneMessage::text(ALICE, "")
    };
    let got = alice.message(&carol_sends(&sandbox, two).await).await;
    assert_eq!(got.contacts_array_message.as_option().map(|cards| cards.contacts.len()), Some(2));

    let poll = |selectable| PhoneMessage {
        kind: MessageKind::Poll,
        options: vec!["Yes".into(), "No".into()],
        selectable_count: Some(selectable),
        ..PhoneMessage::text(ALICE, "Lunch?")
    };
    let got = alice.message(&carol_sends(&sandbox, poll(1)).await).await;
    let secret = got.message_context_info.as_option().and_then(|info| info.message_secret.clone());
    assert_eq!(secret.expect("a secret").len(), 32);
    let got = got.poll_creation_message_v3.as_option().expect("a poll of one choice");
    assert_eq!((got.name.as_deref(), got.selectable_options_count), (Some("Lunch?"), Some(1)));
    let got = alice.message(&carol_sends(&sandbox, poll(2)).await).await;
    assert_eq!(got.poll_creation_message.as_option().map(|poll| poll.options.len()), Some(2));
}

#[tokio::test]
async fn what_surrounds_a_message_of_a_phone_arrives_with_it() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let first = alice.send(CAROL, "the question").await;
    carol_shows(&sandbox, &first).await;
    let reply = PhoneMessage {
        quoted_message_id: Some(first.clone()),
        mentions: vec![BOB.into()],
        forwarded: true,
        expiration: Some(86_400),
        ..PhoneMessage::text(ALICE, "the answer")
    };
    let id = carol_sends(&sandbox, reply).await;
    let got = alice.message(&id).await;
    let got = got.extended_text_message.as_option().expect("a text with context");
    let context = got.context_info.as_option().expect("context");
    assert_eq!((got.text.as_deref(), context.stanza_id.as_ref()), (Some("the answer"), Some(&first)));
    assert_eq!(context.participant.as_deref(), Some(&*format!("{ALICE}@s.whatsapp.net")));
    let quoted = context.quoted_message.as_option().and_then(|quoted| quoted.text_content());
    assert_eq!(quoted, Some("the question"));
    assert_eq!(context.mentioned_jid, [format!("{BOB}@s.whatsapp.net")]);
    assert_eq!((context.is_forwarded, context.expiration), (Some(true), Some(86_400)));

    let own = carol_shows(&sandbox, &id).await;
    assert_eq!((own.quoted_message_id, own.mentions), (Some(first), vec![BOB.to_owned()]));
    assert_eq!((own.forwarded, own.expiration), (true, Some(86_400)));
    let unknown = PhoneMessage { quoted_message_id: Some("NONE".into()), ..PhoneMessage::text(ALICE, "x") };
    let refused = sandbox.send(BOOK, CAROL, unknown).await.expect_err("nothing to quote");
    assert_eq!(refused.code(), "MESSAGE_NOT_FOUND");
}

#[tokio::test]
async fn the_page_below_a_text_of_a_phone_arrives_with_it() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let page = LinkPreview {
        url: "https://shop.example/".into(),
        title: "The Shop".into(),
        description: Some("Open from 8".into()),
    };
    let text = PhoneMessage {
        link_preview: Some(page.clone()),
        thumbnail: Some(vec![0xff, 0xd8].into()),
        ..PhoneMessage::text(ALICE, "see https://shop.example/")
    };
    let id = carol_sends(&sandbox, text).await;
    let got = alice.message(&id).await;
    let got = got.extended_text_message.as_option().expect("a text with a page");
    assert_eq!(got.text.as_deref(), Some("see https://shop.example/"));
    assert_eq!(got.matched_text.as_deref(), Some("https://shop.example/"));
    assert_eq!((got.title.as_deref(), got.description.as_deref()), (Some("The Shop"), Some("Open from 8")));
    assert_eq!(got.jpeg_thumbnail.as_deref(), Some(&[0xff, 0xd8][..]));
    let shown = carol_shows(&sandbox, &id).await.link_preview;
    assert_eq!(shown, Some(InboxPreview { page, has_thumbnail: true }));
}

/// Uploads as a client does, and hands the fields of a media message to `make`.
async fn uploads(
    client: &Linked,
    to: &str,
    kind: MediaType,
    data: &[u8],
    make: impl FnOnce(whatsapp_rust::upload::UploadResponse) -> wa::Message,
) -> String {
    let upload = client.client.upload(data.to_vec(), kind, Default::default()).await.expect("uploads");
    client.send_message(to, make(upload)).await
}

macro_rules! medium {
    ($upload:ident => $name:ident { $($field:ident : $value:expr),* $(,)? }) => {
        MessageField::some(message::$name {
            url: Some($upload.url),
            direct_path: Some($upload.direct_path),
            media_key: Some($upload.media_key.to_vec()),
            file_sha256: Some($upload.file_sha256.to_vec()),
            file_enc_sha256: Some($upload.file_enc_sha256.to_vec()),
            file_length: Some($upload.file_length),
            $($field: $value,)*
            ..Default::default()
        })
    };
}

#[tokio::test]
async fn a_phone_shows_every_medium_of_a_client() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let data = bytes(100_000);

    let id = uploads(&alice, CAROL, MediaType::Image, &data, |upload| wa::Message {
        image_message: medium!(upload => ImageMessage {
            caption: Some("look".into()),
            mimetype: Some("image/png".into()),
            width: Some(3),
            height: Some(4),
            view_once: Some(true),
        }),
        ..Default::default()
    })
    .await;
    let image = carol_shows(&sandbox, &id).await;
    assert_eq!((image.kind.as_str(), image.message.as_str()), ("image", "look"));
    assert_eq!((image.media_sha256, image.size), (Some(sha256(&data)), Some(100_000)));
    assert_eq!(
        (image.mime_type.as_deref(), image.width, image.height),
        (Some("image/png"), Some(3), Some(4))
    );
    assert!(image.view_once && !image.from_me);
    let held = sandbox.media(BOOK, CAROL, &id).await.expect("held");
    assert_eq!((held.size, held.sha256.as_str()), (100_000, sha256(&data).as_str()));
    assert_eq!(collected(held).await, data);
    // The owner's own phone has a copy.
    let own = shown(&sandbox, ALICE, &id, |_| true).await;
    assert_eq!((own.media_sha256, own.from_me, own.to.as_str()), (Some(sha256(&data)), true, CAROL));

    let id = uploads(&alice, CAROL, MediaType::Video, &data, |upload| wa::Message {
        video_message: medium!(upload => VideoMessage { seconds: Some(7) }),
        ..Default::default()
    })
    .await;
    let video = carol_shows(&sandbox, &id).await;
    assert_eq!(
        (video.kind.as_str(), video.seconds, video.media_sha256),
        ("video", Some(7), Some(sha256(&data)))
    );

    let id = uploads(&alice, CAROL, MediaType::Audio, &data, |upload| wa::Message {
        audio_message: medium!(upload => AudioMessage {
            ptt: Some(true),
            waveform: Some(vec![1, 2]),
        }),
        ..Default::default()
    })
    .await;
    let voice = carol_shows(&sandbox, &id).await;
    assert_eq!((voice.kind.as_str(), voice.is_voice, voice.waveform), ("voice", true, Some(vec![1, 2])));
    assert_eq!(voice.media_sha256, Some(sha256(&data)));

    let id = uploads(&alice, CAROL, MediaType::Document, &data, |upload| wa::Message {
        document_message: medium!(upload => DocumentMessage { file_name: Some("a.zip".into()) }),
        ..Default::default()
    })
    .await;
    let document = carol_shows(&sandbox, &id).await;
    assert_eq!((document.kind.as_str(), document.file_name.as_deref()), ("document", Some("a.zip")));
    assert_eq!(document.media_sha256, Some(sha256(&data)));

    let id = uploads(&alice, CAROL, MediaType::Sticker, &data, |upload| wa::Message {
        sticker_message: medium!(upload => StickerMessage {}),
        ..Default::default()
    })
    .await;
    let sticker = carol_shows(&sandbox, &id).await;
    assert_eq!((sticker.kind.as_str(), sticker.media_sha256), ("sticker", Some(sha256(&data))));
}

#[tokio::test]
async fn phones_and_their_devices_show_what_the_owner_sends() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let data = bytes(5_000);
    let out = PhoneMessage::media(CAROL, MessageKind::Document, data.clone());
    let id = sandbox.send(BOOK, ALICE, out).await.expect("sent");
    for phone in [ALICE, CAROL] {
        let document = shown(&sandbox, phone, &id, |_| true).await;
        assert_eq!((document.kind.as_str(), document.media_sha256), ("document", Some(sha256(&data))));
        assert_eq!(document.from_me, phone == ALICE);
        let other = if phone == ALICE { CAROL } else { ALICE };
        assert_eq!(document.chat, format!("{other}@s.whatsapp.net"));
    }
    let got = alice.message(&id).await;
    assert_eq!(alice.download(got.document_message.as_option().expect("a document")).await, data);
}

pub async fn collected(medium: wapid_sandbox::PhoneMedia) -> Vec<u8> {
    use futures::TryStreamExt as _;
    let chunks: Vec<bytes::Bytes> = medium.body.try_collect().await.expect("the bytes");
    chunks.concat()
}
