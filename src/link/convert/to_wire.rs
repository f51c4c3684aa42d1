//! What goes on the wire.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use buffa::MessageField;
use wacore::proto_helpers::MessageExt as _;
use wapid_core::content::{Body, Card, Content, Context, Medium, Page, Place, Poll, Preview, Quoted, Target};
use wapid_core::media::Kind;
use waproto::whatsapp as wa;
use waproto::whatsapp::message as part;

use crate::link::SendFailure;
use crate::link::file::File;

/// `thumbnail` is of the page that it shows, `chat` is where it goes, `at_ms` when it was made.
///
/// # Errors
/// [`SendFailure::FileGone`] for a file that is not there, and `Internal` for what nobody can send.
pub fn to_wire(
    content: &Content,
    file: Option<&File>,
    thumbnail: Option<&[u8]>,
    chat: &str,
    at_ms: i64,
) -> Result<wa::Message, SendFailure> {
    let mut message = match (&content.body, &content.context.preview) {
        (Body::Text(words), Some(Preview::Of(page))) => with_page(words.rendered(), page, thumbnail),
        (body, _) => said(body, file, chat, at_ms)?,
    };
    if let Some(context) = context(&content.context) {
        // What cannot carry a context, such as a reaction, has none.
        message.set_context_info(context);
    }
    let once = content.body.medium().is_some_and(|(_, medium)| medium.view_once);
    Ok(if once { view_once(message) } else { message })
}

fn said(body: &Body, file: Option<&File>, chat: &str, at_ms: i64) -> Result<wa::Message, SendFailure> {
    Ok(match body {
        Body::Text(words) => wa::Message { conversation: Some(words.rendered()), ..Default::default() },
        Body::Poll(poll) => of_poll(poll),
        Body::Location(place) => of_place(place),
        Body::Contact(cards) => of_cards(&cards.contacts),
        Body::Reaction(reaction) => wacore::proto_helpers::build_reaction_message(
            key(&reaction.target, chat),
            reaction.emoji.as_str(),
            at_ms,
        ),
        Body::Delete(delete) => protocol(part::ProtocolMessage {
            key: MessageField::some(key(&delete.target, chat)),
            r#type: Some(part::protocol_message::Type::REVOKE),
            ..Default::default()
        }),
        Body::Edit(edit) => {
            let words = edit.words.rendered();
            let new = match &edit.of {
                None => wa::Message { conversation: Some(words), ..Default::default() },
                Some(of) => {
                    let medium = Medium {
                        words: edit.words.clone(),
                        media: of.media.clone(),
                        file_name: of.file_name.clone(),
                        view_once: false,
                        gif: false,
                    };
                    of_file(of.kind, &medium, file)?
                }
            };
            protocol(part::ProtocolMessage {
                key: MessageField::some(key(&edit.target, chat)),
                r#type: Some(part::protocol_message::Type::MESSAGE_EDIT),
                edited_message: MessageField::some(new),
                timestamp_ms: Some(at_ms),
                ..Default::default()
            })
        }
        Body::Vote(_) | Body::Unknown(_) => {
            return Err(SendFailure::Internal("a message of this kind cannot be sent".to_owned()));
        }
        body => {
            let (kind, medium) = body.medium().expect("what is left carries a file");
            of_file(kind, medium, file)?
        }
    })
}

/// A text and the page that it leads to.
fn with_page(text: String, page: &Page, thumbnail: Option<&[u8]>) -> wa::Message {
    wa::Message {
        extended_text_message: MessageField::some(part::ExtendedTextMessage {
            text: Some(text),
            matched_text: Some(page.url.clone()),
            title: Some(page.title.clone()),
            description: page.description.clone(),
            preview_type: Some(part::extended_text_message::PreviewType::NONE),
            jpeg_thumbnail: thumbnail.map(<[u8]>::to_vec),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn of_file(kind: Kind, medium: &Medium, file: Option<&File>) -> Result<wa::Message, SendFailure> {
    let File { place, look, .. } = file.ok_or(SendFailure::FileGone)?;
    let url = Some(place.url.clone());
    let direct_path = Some(place.direct_path.as_str().to_owned());
    let media_key = Some(place.media_key.to_vec());
    let file_sha256 = Some(place.sha256.to_vec());
    let file_enc_sha256 = Some(place.enc_sha256.to_vec());
    let file_length = Some(place.size);
    let media_key_timestamp = Some(place.made_at);
    let mimetype = Some(look.mime.clone());
    let caption = Some(medium.words.rendered()).filter(|caption| !caption.is_empty());
    let view_once = medium.view_once.then_some(true);
    let mut message = wa::Message::default();
    match kind {
        Kind::Image => {
            message.image_message = MessageField::some(part::ImageMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype,
                caption,
                view_once,
                width: look.width,
                height: look.height,
                jpeg_thumbnail: look.thumbnail.clone(),
                ..Default::default()
            });
        }
        Kind::Video => {
            message.video_message = MessageField::some(part::VideoMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype,
                caption,
                view_once,
                gif_playback: medium.gif.then_some(true),
                width: look.width,
                height: look.height,
                seconds: look.seconds,
                jpeg_thumbnail: look.thumbnail.clone(),
                streaming_sidecar: place.sidecar.clone(),
                ..Default::default()
            });
        }
        Kind::Audio | Kind::Voice => {
            message.audio_message = MessageField::some(part::AudioMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype,
                view_once,
                ptt: Some(kind == Kind::Voice),
                seconds: look.seconds,
                waveform: look.waveform.clone(),
                streaming_sidecar: place.sidecar.clone(),
                ..Default::default()
            });
        }
        Kind::Document => {
            let file_name = medium.file_name.clone().or_else(|| look.file_name.clone());
            message.document_message = MessageField::some(part::DocumentMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype,
                title: file_name.clone(),
                file_name,
                caption: caption.clone(),
                jpeg_thumbnail: look.thumbnail.clone(),
                ..Default::default()
            });
            if caption.is_some() {
                // Only so do WhatsApp's apps show a document's caption.
                message =
                    wa::Message { document_with_caption_message: wrapped(message), ..Default::default() };
            }
        }
        Kind::Sticker => {
            message.sticker_message = MessageField::some(part::StickerMessage {
                url,
                direct_path,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                mimetype,
                width: look.width,
                height: look.height,
                ..Default::default()
            });
        }
    }
    Ok(message)
}

fn wrapped(message: wa::Message) -> MessageField<part::FutureProofMessage> {
    MessageField::some(part::FutureProofMessage { message: MessageField::some(message) })
}

fn view_once(message: wa::Message) -> wa::Message {
    wa::Message { view_once_message: wrapped(message), ..Default::default() }
}

fn protocol(message: part::ProtocolMessage) -> wa::Message {
    wa::Message { protocol_message: MessageField::some(message), ..Default::default() }
}

/// One answer and several travel in different fields (whatsapp-rust 0.7.0, src/features/polls.rs).
fn of_poll(poll: &Poll) -> wa::Message {
    let creation = MessageField::some(part::PollCreationMessage {
        name: Some(poll.message.clone()),
        options: poll
            .options
            .iter()
            .map(|option| part::poll_creation_message::Option {
                option_name: Some(option.clone()),
                ..Default::default()
            })
            .collect(),
        selectable_options_count: Some(poll.selectable_count),
        ..Default::default()
    });
    let mut message = wa::Message {
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_secret: Some(poll.secret.to_vec()),
            ..Default::default()
        }),
        ..Default::default()
    };
    if poll.selectable_count == 1 {
        message.poll_creation_message_v3 = creation;
    } else {
        message.poll_creation_message = creation;
    }
    message
}

fn of_place(place: &Place) -> wa::Message {
    wa::Message {
        location_message: MessageField::some(part::LocationMessage {
            degrees_latitude: Some(place.latitude.get()),
            degrees_longitude: Some(place.longitude.get()),
            name: place.name.clone(),
            address: place.address.clone(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn of_cards(cards: &[Card]) -> wa::Message {
    let card = |card: &Card| part::ContactMessage {
        display_name: Some(card.name.clone()),
        vcard: Some(card.vcard.clone()),
        ..Default::default()
    };
    match cards {
        [one] => wa::Message { contact_message: MessageField::some(card(one)), ..Default::default() },
        many => wa::Message {
            contacts_array_message: MessageField::some(part::ContactsArrayMessage {
                display_name: Some(format!("{} contacts", many.len())),
                contacts: many.iter().map(card).collect(),
                ..Default::default()
            }),
            ..Default::default()
        },
    }
}

/// The message that this one changes. Our own needs no sender, also in a group.
fn key(target: &Target, chat: &str) -> wa::MessageKey {
    wa::MessageKey {
        remote_jid: Some(chat.to_owned()),
        from_me: Some(target.from_me),
        id: Some(target.id.to_string()),
        participant: target.sender.clone().filter(|_| !target.from_me && chat.ends_with("@g.us")),
    }
}

fn context(context: &Context) -> Option<wa::ContextInfo> {
    let quoted = context.quoted.as_ref();
    let info = wa::ContextInfo {
        stanza_id: quoted.map(|quoted| quoted.id.clone()),
        participant: quoted.and_then(|quoted| quoted.sender.clone()),
        remote_jid: quoted.and_then(|quoted| quoted.chat.clone()),
        quoted_message: quoted.map_or_else(MessageField::none, |q| MessageField::some(of_quoted(q))),
        mentioned_jid: context.mentions.clone(),
        is_forwarded: context.forwarded.map(|_| true),
        forwarding_score: context.forwarded,
        expiration: context.expires_in.filter(|seconds| *seconds > 0),
        ..Default::default()
    };
    // A plain text stays one: with a context, even an empty one, it would travel in another field.
    (info != wa::ContextInfo::default()).then_some(info)
}

/// As much of a message as is shown above its answer.
fn of_quoted(quoted: &Quoted) -> wa::Message {
    let text = Some(quoted.text.clone()).filter(|text| !text.is_empty());
    let jpeg_thumbnail = quoted.thumbnail.as_ref().and_then(|text| BASE64_STANDARD.decode(text).ok());
    let mut message = wa::Message::default();
    match quoted.kind.as_str() {
        "image" => {
            message.image_message = MessageField::some(part::ImageMessage {
                caption: text,
                jpeg_thumbnail,
                ..Default::default()
            });
        }
        "video" => {
            message.video_message = MessageField::some(part::VideoMessage {
                caption: text,
                jpeg_thumbnail,
                ..Default::default()
            });
        }
        "audio" | "voice" => {
            let ptt = Some(quoted.kind == "voice");
            message.audio_message = MessageField::some(part::AudioMessage { ptt, ..Default::default() });
        }
        "document" => {
            message.document_message = MessageField::some(part::DocumentMessage {
                caption: text,
                jpeg_thumbnail,
                ..Default::default()
            });
        }
        "sticker" => message.sticker_message = MessageField::some(part::StickerMessage::default()),
        "location" => {
            message.location_message =
                MessageField::some(part::LocationMessage { name: text, ..Default::default() });
        }
        "contact" => {
            message.contact_message =
                MessageField::some(part::ContactMessage { display_name: text, ..Default::default() });
        }
        "poll" => {
            message.poll_creation_message =
                MessageField::some(part::PollCreationMessage { name: text, ..Default::default() });
        }
        _ => message.conversation = Some(quoted.text.clone()),
    }
    message
}
