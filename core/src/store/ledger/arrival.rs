//! What is told of a message that arrived, or that the owner wrote on the phone.

use super::vocabulary::Inbound;
use crate::content::{Body, Delete, Edit, Reaction, Target, Vote};
use crate::event::{ChangeEvent, EventData, MessageDetails, MessageEvent, ReceivedEvent};
use crate::id::MessageKey;
use crate::message::{Direction, Origin, Status};
use crate::phone::Phone;
use crate::store::media::NewReceived;
use crate::text::storable;

/// `own` is the session's number, `subject` what the message's group is called.
pub(super) fn told(
    key: &MessageKey,
    inbound: &Inbound,
    own: Option<&str>,
    subject: Option<&str>,
) -> EventData {
    let arrived = arrived(key, inbound, own, subject);
    let change = |target| change(arrived.clone(), inbound, target);
    match &inbound.content.body {
        Body::Reaction(Reaction { target, emoji }) => {
            EventData::MessageReaction(ChangeEvent { emoji: Some(emoji.clone()), ..change(target) })
        }
        Body::Edit(Edit { target, .. }) => EventData::MessageEdited(change(target)),
        Body::Delete(Delete { target, by_admin }) => {
            let by_admin = by_admin.then_some(true);
            EventData::MessageDeleted(ChangeEvent { by_admin, ..change(target) })
        }
        Body::Vote(Vote { target, votes }) => {
            EventData::MessageVote(ChangeEvent { votes: Some(votes.clone()), ..change(target) })
        }
        _ if inbound.from_me => EventData::MessageSent(echo(arrived)),
        _ => EventData::MessageReceived(arrived),
    }
}

fn arrived(key: &MessageKey, inbound: &Inbound, own: Option<&str>, subject: Option<&str>) -> ReceivedEvent {
    let phone = inbound.phone.as_ref().map(Phone::digits);
    let writer = if inbound.from_me { own } else { phone };
    let details = MessageDetails::of(&inbound.content);
    ReceivedEvent {
        message_id: inbound.wa_id.to_string(),
        key: key.to_string(),
        chat: inbound.chat.clone(),
        from: writer.map_or_else(|| inbound.sender.clone(), |digits| format!("{digits}@s.whatsapp.net")),
        phone: phone.map(str::to_owned),
        lid: inbound.lid.clone(),
        contact_id: None,
        sender_name: inbound.sender_name.as_deref().map(|name| storable(name).into_owned()),
        r#type: inbound.content.kind().to_owned(),
        body: storable(&inbound.content.body.text()).into_owned(),
        is_group: inbound.is_group,
        has_media: inbound.content.file().is_some(),
        timestamp: inbound.sent_at.seconds(),
        chat_name: subject.map(str::to_owned),
        media: inbound.file.as_ref().map(NewReceived::shown),
        media_id: details.media_id,
        view_once: details.view_once,
        poll: details.poll,
        location: details.location,
        contacts: details.contacts,
        quoted: details.quoted,
        mentions: details.mentions,
        mentioned_me: details.mentioned_me,
        forwarded: details.forwarded,
        forwarded_times: details.forwarded_times,
        expires_in: details.expires_in,
        truncated: details.truncated,
        unreadable: details.unreadable,
        link_preview: details.link_preview,
        erased: None,
    }
}

/// It changes `target`, and is no message of its own.
fn change(it: ReceivedEvent, inbound: &Inbound, target: &Target) -> ChangeEvent {
    ChangeEvent {
        message_id: it.message_id,
        key: it.key,
        target_id: target.id.to_string(),
        target_from_me: target.from_me,
        direction: inbound.from_me.then_some(Direction::Out.as_str()),
        chat: it.chat,
        from: it.from,
        phone: it.phone,
        lid: it.lid,
        contact_id: None,
        sender_name: it.sender_name,
        chat_name: it.chat_name,
        r#type: it.r#type,
        body: it.body,
        is_group: it.is_group,
        has_media: it.has_media,
        timestamp: it.timestamp,
        emoji: None,
        votes: None,
        by_admin: None,
        origin: inbound.from_me.then_some(Origin::Phone.as_str()),
        quoted: it.quoted,
        mentions: it.mentions,
        mentioned_me: it.mentioned_me,
        truncated: it.truncated,
        unreadable: it.unreadable,
        erased: None,
    }
}

/// The owner wrote it on the phone.
fn echo(it: ReceivedEvent) -> MessageEvent {
    MessageEvent {
        message_id: it.message_id,
        key: it.key,
        direction: Direction::Out.as_str(),
        chat: it.chat,
        origin: Origin::Phone.as_str(),
        phone: it.phone,
        lid: it.lid,
        r#type: it.r#type,
        status: Status::Sent.as_str(),
        body: Some(it.body),
        from: Some(it.from),
        sender_name: Some(it.sender_name),
        is_group: Some(it.is_group),
        has_media: Some(it.has_media),
        timestamp: Some(it.timestamp),
        chat_name: it.chat_name,
        media: it.media,
        media_id: it.media_id,
        view_once: it.view_once,
        poll: it.poll,
        location: it.location,
        contacts: it.contacts,
        quoted: it.quoted,
        mentions: it.mentions,
        forwarded: it.forwarded,
        forwarded_times: it.forwarded_times,
        expires_in: it.expires_in,
        truncated: it.truncated,
        unreadable: it.unreadable,
        link_preview: it.link_preview,
        ..MessageEvent::default()
    }
}
