//! Our content to and from WhatsApp's protobuf. Pure.

use wacore::proto_helpers::MessageExt;
use wapid_core::message::Content;
use waproto::whatsapp as wa;

/// What goes on the wire.
pub fn to_wire(content: &Content) -> wa::Message {
    match content {
        Content::Text { .. } => wa::Message { conversation: Some(content.rendered()), ..Default::default() },
    }
}

/// What a message is, in our words, and its text or caption. `None` for what is not a message to a
/// person: key exchanges, history, protocol housekeeping.
pub fn from_wire(message: &wa::Message) -> Option<(&'static str, String)> {
    let message = message.get_base_message();
    let text = |s: Option<&str>| s.unwrap_or_default().to_owned();
    let caption = || text(message.get_caption());
    let kind = if message.conversation.is_some() || message.extended_text_message.is_set() {
        return Some(("text", text(message.text_content())));
    } else if message.image_message.is_set() {
        "image"
    } else if message.video_message.is_set() || message.ptv_message.is_set() {
        "video"
    } else if message.audio_message.is_set() {
        "audio"
    } else if message.document_message.is_set() {
        "document"
    } else if message.sticker_message.is_set() {
        "sticker"
    } else if message.location_message.is_set() || message.live_location_message.is_set() {
        "location"
    } else if message.contact_message.is_set() || message.contacts_array_message.is_set() {
        "contact"
    } else if let Some(poll) =
        [&message.poll_creation_message, &message.poll_creation_message_v2, &message.poll_creation_message_v3]
            .into_iter()
            .find_map(|p| p.as_option())
    {
        return Some(("poll", text(poll.name.as_deref())));
    } else if let Some(reaction) = message.reaction_message.as_option() {
        return Some(("reaction", text(reaction.text.as_deref())));
    } else if message.protocol_message.is_set()
        || message.sender_key_distribution_message.is_set()
        || message.poll_update_message.is_set()
        || *message == wa::Message::default()
    {
        return None;
    } else {
        "unknown"
    };
    Some((kind, caption()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_went() {
        let content = Content::Text { message: "Olá *você*".into(), header: None, footer: None };
        assert_eq!(from_wire(&to_wire(&content)), Some(("text", "Olá *você*".to_owned())));
    }

    #[test]
    fn housekeeping_is_not_a_message() {
        assert_eq!(from_wire(&wa::Message::default()), None);
        let key_share = wa::Message {
            protocol_message: buffa::MessageField::some(wa::message::ProtocolMessage::default()),
            ..Default::default()
        };
        assert_eq!(from_wire(&key_share), None);
    }
}
