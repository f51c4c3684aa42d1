//! A phone's message in WhatsApp's own terms.
//!
//! Shapes: whatsapp-rust 0.7.0, src/send/mod.rs (`build_revoke_message`, `build_edit_message`) and
//! src/features/polls.rs; wacore 0.7.0, src/proto_helpers.rs. What comes out is ready to be sealed.

use std::sync::Arc;

use buffa::MessageField;
use wacore::proto_helpers::{MessageExt as _, build_reaction_message};
use wacore_binary::Jid;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type;
use waproto::whatsapp::message::{self, FutureProofMessage, ProtocolMessage};

use super::change::{DELETE_SECONDS, EDIT_SECONDS};
use super::chat::Chat;
use super::chats::Shown;
use super::inbox::ContactCard;
use super::message::{Context, Draft, Linked};
use super::{attach, look};
use crate::account::Account;
use crate::error::SandboxError;
use crate::net::Net;
use crate::stanza::{now, now_ms};

const SECRET_BYTES: usize = 32;

/// The message, or why this phone cannot send it.
pub(super) async fn build(
    net: &Arc<Net>,
    phone: &Arc<Account>,
    chat: &Chat,
    draft: Draft,
    context: &Context,
) -> Result<wa::Message, SandboxError> {
    let mut message = match draft {
        Draft::Text { text, linked: None } => wa::Message { conversation: Some(text), ..Default::default() },
        Draft::Text { text, linked: Some(linked) } => with_page(text, linked),
        Draft::Media(attachment) => {
            let is_view_once = attachment.is_view_once;
            let mut media = attach::describe(net, phone, *attachment).await?;
            surround(net, phone, chat, context, &mut media)?;
            return Ok(with_secret(wrapped(media, is_view_once)));
        }
        Draft::Location { latitude, longitude, name, address } => wa::Message {
            location_message: MessageField::some(message::LocationMessage {
                degrees_latitude: Some(latitude),
                degrees_longitude: Some(longitude),
                name,
                address,
                ..Default::default()
            }),
            ..Default::default()
        },
        Draft::Contacts(cards) => contacts(&cards),
        Draft::Poll { question, options, selectable } => poll(question, options, selectable),
        Draft::Reaction { target, emoji } => {
            let target = target_in(phone, chat, &target)?;
            return Ok(build_reaction_message(key(net, phone, chat, &target), emoji, sent_at()));
        }
        Draft::Edit { target, text } => return edit(net, phone, chat, &target, text),
        Draft::Delete { target } => return delete(net, phone, chat, &target),
        Draft::Timer { seconds } => {
            return Ok(wa::Message {
                protocol_message: MessageField::some(ProtocolMessage {
                    r#type: Some(Type::EPHEMERAL_SETTING),
                    ephemeral_expiration: Some(seconds),
                    ..Default::default()
                }),
                ..Default::default()
            });
        }
        Draft::Vote { target, options } => return vote(net, phone, chat, &target, &options),
    };
    surround(net, phone, chat, context, &mut message)?;
    Ok(with_secret(message))
}

/// What later changes to the message are sealed with.
fn with_secret(mut message: wa::Message) -> wa::Message {
    let secret: [u8; SECRET_BYTES] = rand::random();
    message.message_context_info = MessageField::some(wa::MessageContextInfo {
        message_secret: Some(secret.to_vec()),
        ..Default::default()
    });
    message
}

/// WhatsApp shows some media only inside of an envelope that old phones do not open.
fn wrapped(mut media: wa::Message, is_view_once: bool) -> wa::Message {
    let has_caption = media.document_message.as_option().is_some_and(|document| document.caption.is_some());
    if !is_view_once && !has_caption {
        return media;
    }
    let is_audio = media.audio_message.is_set();
    if is_view_once {
        if let Some(image) = media.image_message.as_option_mut() {
            image.view_once = Some(true);
        }
        if let Some(video) = media.video_message.as_option_mut() {
            video.view_once = Some(true);
        }
        if let Some(audio) = media.audio_message.as_option_mut() {
            audio.view_once = Some(true);
        }
    }
    let wrapper = MessageField::some(FutureProofMessage { message: MessageField::some(media) });
    if has_caption {
        wa::Message { document_with_caption_message: wrapper, ..Default::default() }
    } else if is_audio {
        wa::Message { view_once_message_v2_extension: wrapper, ..Default::default() }
    } else {
        wa::Message { view_once_message_v2: wrapper, ..Default::default() }
    }
}

// Around a message

fn surround(
    net: &Net,
    phone: &Account,
    chat: &Chat,
    context: &Context,
    message: &mut wa::Message,
) -> Result<(), SandboxError> {
    let mentioned = |number: &String| {
        let person = net.account(&phone.book, number);
        person.map_or_else(|| Jid::pn(number.as_str()), |person| chat.name_of(&person)).to_string()
    };
    let mut info = wa::ContextInfo {
        mentioned_jid: context.mentions.iter().map(mentioned).collect(),
        expiration: context.expiration,
        ..Default::default()
    };
    if context.is_forwarded {
        info.is_forwarded = Some(true);
        info.forwarding_score = Some(1);
    }
    if let Some(quoted) = &context.quoted {
        let quoted = target_in(phone, chat, quoted)?;
        let author = net.account(&phone.book, &quoted.message.from);
        info.stanza_id = Some(quoted.message.id.clone());
        info.participant = author.map(|author| chat.name_of(&author).to_string());
        info.quoted_message = MessageField::from_box(quoted.decode().prepare_for_quote());
    }
    if info != wa::ContextInfo::default() {
        // A bare text becomes an extended one; every other kind has a place for it.
        message.set_context_info(info);
    }
    Ok(())
}

// Plain kinds

fn with_page(text: String, Linked { page, thumbnail }: Linked) -> wa::Message {
    wa::Message {
        extended_text_message: MessageField::some(message::ExtendedTextMessage {
            text: Some(text),
            matched_text: Some(page.url),
            title: Some(page.title),
            description: page.description,
            preview_type: Some(message::extended_text_message::PreviewType::NONE),
            jpeg_thumbnail: thumbnail.map(|bytes| bytes.to_vec()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn contacts(cards: &[ContactCard]) -> wa::Message {
    let card = |card: &ContactCard| message::ContactMessage {
        display_name: Some(card.name.clone()),
        vcard: Some(vcard(card)),
        ..Default::default()
    };
    if let [only] = cards {
        return wa::Message { contact_message: MessageField::some(card(only)), ..Default::default() };
    }
    wa::Message {
        contacts_array_message: MessageField::some(message::ContactsArrayMessage {
            display_name: Some(format!("{} contacts", cards.len())),
            contacts: cards.iter().map(card).collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn vcard(ContactCard { name, phone }: &ContactCard) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let name: String = name.chars().flat_map(escaped).collect();
    format!(
        "BEGIN:VCARD\nVERSION:3.0\nN:;{name};;;\nFN:{name}\nTEL;type=CELL;waid={digits}:+{digits}\nEND:VCARD"
    )
}

/// RFC 2426: these end a value unless they are escaped.
fn escaped(c: char) -> impl Iterator<Item = char> {
    matches!(c, '\\' | ';' | ',').then_some('\\').into_iter().chain([c])
}

fn poll(question: String, options: Vec<String>, selectable: u32) -> wa::Message {
    let option =
        |name| message::poll_creation_message::Option { option_name: Some(name), ..Default::default() };
    let poll = MessageField::some(message::PollCreationMessage {
        name: Some(question),
        options: options.into_iter().map(option).collect(),
        selectable_options_count: Some(selectable),
        ..Default::default()
    });
    if selectable == 1 {
        wa::Message { poll_creation_message_v3: poll, ..Default::default() }
    } else {
        wa::Message { poll_creation_message: poll, ..Default::default() }
    }
}

// Changes to a message

/// A message of this chat that the phone still shows.
fn target_in(phone: &Account, chat: &Chat, id: &str) -> Result<Shown, SandboxError> {
    let chat = chat.jid().to_string();
    let chats = phone.chats.lock();
    let found = chats.find(id, |shown| shown.message.chat == chat && !shown.message.deleted);
    found.cloned().ok_or(SandboxError::MessageNotFound)
}

/// A message may be changed for so many seconds after it was written.
fn in_time(target: &Shown, seconds: u64) -> Result<(), SandboxError> {
    if now() > target.message.timestamp.saturating_add(seconds) {
        return Err(SandboxError::Invalid("the message is too old to be changed".into()));
    }
    Ok(())
}

fn key(net: &Net, phone: &Account, chat: &Chat, target: &Shown) -> wa::MessageKey {
    let is_own = target.message.from == phone.phone;
    let author = net.account(&phone.book, &target.message.from).filter(|_| chat.is_group() && !is_own);
    wa::MessageKey {
        remote_jid: Some(chat.named_jid().to_string()),
        from_me: Some(is_own),
        id: Some(target.message.id.clone()),
        participant: author.map(|author| chat.name_of(&author).to_string()),
    }
}

fn edit(
    net: &Net,
    phone: &Account,
    chat: &Chat,
    id: &str,
    text: String,
) -> Result<wa::Message, SandboxError> {
    let target = target_in(phone, chat, id)?;
    if !target.message.from_me {
        return Err(SandboxError::Invalid("only its sender changes a message".into()));
    }
    in_time(&target, EDIT_SECONDS)?;
    let mut content = target.decode();
    content.message_context_info = MessageField::none();
    if target.message.kind == "text" {
        content = wa::Message { conversation: Some(text), ..Default::default() };
    } else if !caption(&mut content, text) {
        return Err(SandboxError::Invalid("only texts and captions can be edited".into()));
    }
    Ok(change(key(net, phone, chat, &target), Type::MESSAGE_EDIT, Some(content)))
}

/// Puts another caption to a medium; `false` for what has none.
fn caption(content: &mut wa::Message, text: String) -> bool {
    let mut base = std::mem::take(content).into_base_message();
    let place = if let Some(image) = base.image_message.as_option_mut() {
        &mut image.caption
    } else if let Some(video) = base.video_message.as_option_mut() {
        &mut video.caption
    } else if let Some(document) = base.document_message.as_option_mut() {
        &mut document.caption
    } else {
        return false;
    };
    *place = Some(text);
    *content = base;
    true
}

/// The key of what somebody else wrote names them and is not from the one who deletes; by that the
/// stanza says `edit="8"`, which only admins of groups may (whatsapp-rust 0.7.0, src/send/actions.rs,
/// `revoke_message`).
fn delete(net: &Net, phone: &Account, chat: &Chat, id: &str) -> Result<wa::Message, SandboxError> {
    let target = target_in(phone, chat, id)?;
    if !target.message.from_me {
        chat.ruled_by(phone)?;
    }
    in_time(&target, DELETE_SECONDS)?;
    Ok(change(key(net, phone, chat, &target), Type::REVOKE, None))
}

fn change(key: wa::MessageKey, kind: Type, content: Option<wa::Message>) -> wa::Message {
    wa::Message {
        protocol_message: MessageField::some(ProtocolMessage {
            key: MessageField::some(key),
            r#type: Some(kind),
            timestamp_ms: content.is_some().then(sent_at),
            edited_message: content.map(MessageField::some).unwrap_or_default(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn vote(
    net: &Net,
    phone: &Account,
    chat: &Chat,
    id: &str,
    options: &[String],
) -> Result<wa::Message, SandboxError> {
    let target = target_in(phone, chat, id)?;
    let content = target.decode();
    let poll = look::poll(&content).ok_or_else(|| SandboxError::Invalid("the message is no poll".into()))?;
    let most = poll.selectable_options_count.filter(|most| *most > 0);
    if most.is_some_and(|most| u32::try_from(options.len()).map_or(true, |chosen| chosen > most)) {
        return Err(SandboxError::Invalid("votes: more than the poll allows".into()));
    }
    if let Some(unknown) = options.iter().find(|option| !target.message.options.contains(option)) {
        return Err(SandboxError::Invalid(format!("votes: the poll has no option {unknown:?}")));
    }
    let secret = content.message_context_info.as_option().and_then(|info| info.message_secret.clone());
    let secret = secret.ok_or_else(|| SandboxError::Invalid("the poll has no secret".into()))?;
    let creator = net.account(&phone.book, &target.message.from).ok_or(SandboxError::MessageNotFound)?;
    let chosen: Vec<Vec<u8>> =
        options.iter().map(|option| wacore::poll::compute_option_hash(option).to_vec()).collect();
    let sealed = wacore::poll::encrypt_poll_vote_with_secret(
        &chosen,
        &secret,
        id,
        &chat.name_of(&creator).to_string(),
        &chat.name_of(phone).to_string(),
    );
    let (payload, iv) =
        sealed.map_err(|_| SandboxError::Invalid("the poll has a secret that does not work".into()))?;
    Ok(wa::Message {
        poll_update_message: MessageField::some(message::PollUpdateMessage {
            poll_creation_message_key: MessageField::some(key(net, phone, chat, &target)),
            vote: MessageField::some(message::PollEncValue {
                enc_payload: Some(payload),
                enc_iv: Some(iv.to_vec()),
            }),
            sender_timestamp_ms: Some(sent_at()),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn sent_at() -> i64 {
    i64::try_from(now_ms()).unwrap_or(i64::MAX)
}
