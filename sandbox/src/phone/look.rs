//! What a message looks like on the screen. Pure.

use wacore::download::Downloadable;
use wacore::proto_helpers::MessageExt as _;
use waproto::whatsapp as wa;

use super::inbox::{ContactCard, InboxMessage, InboxPreview, LinkPreview};

/// What every JPEG begins with.
const JPEG: &[u8] = &[0xff, 0xd8];

/// What a message shows, but for who sent it, when and where. `None` for messages that show nothing
/// of their own: keys, changes to other messages, requests between devices.
pub(super) fn look(message: &wa::Message) -> Option<InboxMessage> {
    let base = message.get_base_message();
    let mut look = body(base)?;
    look.view_once = message.is_view_once();
    if let Some(context) = context(base) {
        look.quoted_message_id.clone_from(&context.stanza_id);
        look.quoted_chat.clone_from(&context.remote_jid);
        look.quoted_has_thumbnail = context.quoted_message.as_option().is_some_and(has_thumbnail);
        look.mentions.clone_from(&context.mentioned_jid);
        look.forwarded = context.is_forwarded.unwrap_or_default();
        look.expiration = context.expiration.filter(|seconds| *seconds > 0);
    }
    Some(look)
}

fn has_thumbnail(message: &wa::Message) -> bool {
    let base = message.get_base_message();
    let image = base.image_message.as_option().and_then(|image| image.jpeg_thumbnail.as_deref());
    let video = || base.video_message.as_option().and_then(|video| video.jpeg_thumbnail.as_deref());
    let document = || base.document_message.as_option().and_then(|file| file.jpeg_thumbnail.as_deref());
    image.or_else(video).or_else(document).is_some_and(|thumbnail| thumbnail.starts_with(JPEG))
}

/// The text of an edited message: its text or its caption.
pub(super) fn text(message: &wa::Message) -> Option<String> {
    body(message.get_base_message()).map(|look| look.message)
}

/// The medium of a message, to be downloaded.
pub(super) fn medium(message: &wa::Message) -> Option<&dyn Downloadable> {
    let base = message.get_base_message();
    if let Some(image) = base.image_message.as_option() {
        return Some(image);
    }
    if let Some(video) = base.video_message.as_option().or(base.ptv_message.as_option()) {
        return Some(video);
    }
    if let Some(audio) = base.audio_message.as_option() {
        return Some(audio);
    }
    if let Some(document) = base.document_message.as_option() {
        return Some(document);
    }
    base.sticker_message.as_option().map(|sticker| sticker as &dyn Downloadable)
}

/// A poll, whichever of its versions it is: they differ in what old phones can do with it.
pub(super) fn poll(message: &wa::Message) -> Option<&wa::message::PollCreationMessage> {
    let base = message.get_base_message();
    let versions = [
        &base.poll_creation_message,
        &base.poll_creation_message_v2,
        &base.poll_creation_message_v3,
        &base.poll_creation_message_v5,
    ];
    versions.into_iter().find_map(|version| version.as_option())
}

fn of(kind: &str, text: Option<&String>) -> InboxMessage {
    InboxMessage { kind: kind.to_owned(), message: text.cloned().unwrap_or_default(), ..Default::default() }
}

fn body(base: &wa::Message) -> Option<InboxMessage> {
    if let Some(conversation) = &base.conversation {
        return Some(of("text", Some(conversation)));
    }
    if let Some(extended) = base.extended_text_message.as_option() {
        return Some(InboxMessage { link_preview: preview(extended), ..of("text", extended.text.as_ref()) });
    }
    if let Some(image) = base.image_message.as_option() {
        return Some(InboxMessage {
            mime_type: image.mimetype.clone(),
            size: image.file_length,
            width: image.width,
            height: image.height,
            ..of("image", image.caption.as_ref())
        });
    }
    if let Some(video) = base.video_message.as_option().or(base.ptv_message.as_option()) {
        return Some(InboxMessage {
            mime_type: video.mimetype.clone(),
            size: video.file_length,
            seconds: video.seconds,
            width: video.width,
            height: video.height,
            ..of("video", video.caption.as_ref())
        });
    }
    if let Some(audio) = base.audio_message.as_option() {
        let is_voice = audio.ptt.unwrap_or_default();
        return Some(InboxMessage {
            mime_type: audio.mimetype.clone(),
            size: audio.file_length,
            seconds: audio.seconds,
            waveform: audio.waveform.clone(),
            is_voice,
            ..of(if is_voice { "voice" } else { "audio" }, None)
        });
    }
    if let Some(document) = base.document_message.as_option() {
        return Some(InboxMessage {
            mime_type: document.mimetype.clone(),
            size: document.file_length,
            file_name: document.file_name.clone(),
            ..of("document", document.caption.as_ref())
        });
    }
    if let Some(sticker) = base.sticker_message.as_option() {
        return Some(InboxMessage {
            mime_type: sticker.mimetype.clone(),
            size: sticker.file_length,
            width: sticker.width,
            height: sticker.height,
            ..of("sticker", None)
        });
    }
    if let Some(location) = base.location_message.as_option() {
        return Some(InboxMessage {
            latitude: location.degrees_latitude,
            longitude: location.degrees_longitude,
            name: location.name.clone(),
            address: location.address.clone(),
            ..of("location", location.name.as_ref())
        });
    }
    if let Some(contact) = base.contact_message.as_option() {
        return Some(InboxMessage {
            contacts: vec![card(contact)],
            ..of("contact", contact.display_name.as_ref())
        });
    }
    if let Some(contacts) = base.contacts_array_message.as_option() {
        return Some(InboxMessage {
            contacts: contacts.contacts.iter().map(card).collect(),
            ..of("contact", contacts.display_name.as_ref())
        });
    }
    let poll = poll(base)?;
    let options: Vec<String> = poll.options.iter().filter_map(|option| option.option_name.clone()).collect();
    Some(InboxMessage {
        votes: options.iter().map(|option| (option.clone(), Vec::new())).collect(),
        options,
        selectable_count: poll.selectable_options_count,
        ..of("poll", poll.name.as_ref())
    })
}

/// The page below a text: without a title a phone shows none.
fn preview(text: &wa::message::ExtendedTextMessage) -> Option<InboxPreview> {
    let some = |word: &Option<String>| word.clone().filter(|word| !word.is_empty());
    let page = LinkPreview {
        url: some(&text.matched_text)?,
        title: some(&text.title)?,
        description: some(&text.description),
    };
    let thumbnail = text.jpeg_thumbnail.as_deref().unwrap_or_default();
    Some(InboxPreview { page, has_thumbnail: thumbnail.starts_with(JPEG) })
}

/// The name as the card's owner wrote it, the number as WhatsApp knows it or else as it is written.
fn card(contact: &wa::message::ContactMessage) -> ContactCard {
    let vcard = contact.vcard.as_deref().unwrap_or_default();
    let written = vcard.lines().find_map(|line| {
        let (property, value) = line.trim_end().split_once(':')?;
        let mut words = property.split(';');
        // Apple groups properties: `item1.TEL`.
        let name = words.next()?.rsplit('.').next()?;
        if !name.eq_ignore_ascii_case("TEL") {
            return None;
        }
        let known = words.find_map(|word| word.strip_prefix("waid="));
        Some(known.unwrap_or(value).to_owned())
    });
    ContactCard { name: contact.display_name.clone().unwrap_or_default(), phone: written.unwrap_or_default() }
}

/// What surrounds the message, of the kinds that a phone shows.
fn context(base: &wa::Message) -> Option<&wa::ContextInfo> {
    macro_rules! first {
        ($($field:ident),+) => {
            [$(base.$field.as_option().and_then(|body| body.context_info.as_option())),+]
        };
    }
    let contexts = first!(
        extended_text_message,
        image_message,
        video_message,
        ptv_message,
        audio_message,
        document_message,
        sticker_message,
        location_message,
        contact_message,
        contacts_array_message,
        poll_creation_message,
        poll_creation_message_v2,
        poll_creation_message_v3,
        poll_creation_message_v5
    );
    contexts.into_iter().flatten().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_shown_with_a_title_and_its_picture_if_it_is_one() {
        let shown = |title: &str, thumbnail: &[u8]| {
            preview(&wa::message::ExtendedTextMessage {
                matched_text: Some("https://shop.example/".into()),
                title: Some(title.to_owned()),
                jpeg_thumbnail: Some(thumbnail.to_vec()),
                ..Default::default()
            })
        };
        assert_eq!(shown("", JPEG), None);
        assert!(shown("The Shop", JPEG).is_some_and(|page| page.has_thumbnail));
        assert!(shown("The Shop", b"GIF").is_some_and(|page| !page.has_thumbnail));
    }

    #[test]
    fn a_number_is_found_in_cards_of_several_makers() {
        let number = |vcard: &str| {
            card(&wa::message::ContactMessage { vcard: Some(vcard.to_owned()), ..Default::default() }).phone
        };
        assert_eq!(
            number("BEGIN:VCARD\nTEL;type=CELL;waid=15550000001:+1 555 000\nEND:VCARD"),
            "15550000001"
        );
        assert_eq!(number("BEGIN:VCARD\r\nitem1.TEL:+1 555\r\nEND:VCARD\r\n"), "+1 555");
        assert_eq!(number("BEGIN:VCARD\nFN:Nobody\nEND:VCARD"), "");
    }
}
