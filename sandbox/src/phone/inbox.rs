//! What a phone shows: each message once, however often it arrived.

use std::collections::{HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use waproto::whatsapp as wa;

use crate::account::{Account, json};
use crate::journal::Batch;
use crate::limits;

/// A phone's messages, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    pub messages: Vec<InboxMessage>,
    /// Copies that arrived and were not shown again.
    pub redelivered: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxMessage {
    pub id: String,
    /// The phone number of the sender.
    pub from: String,
    pub to: String,
    /// Whether this account sent it, from the phone itself or from a linked device.
    pub from_me: bool,
    #[serde(rename = "type")]
    pub kind: String,
    /// The text, or the caption of a medium.
    pub message: String,
    pub media_sha256: Option<String>,
    /// Seconds since 1970.
    pub timestamp: u64,
}

impl InboxMessage {
    fn key(&self) -> String {
        // The chat is with `from` or with `to`: whoever this phone is not.
        format!("{}|{}|{}", self.from, self.to, self.id)
    }
}

/// A message on the screen and what the phone remembers beside it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub message: InboxMessage,
    /// Whether the other side used LIDs: receipts go back the same way.
    pub is_lid: bool,
    /// The encoded message, when this phone sent it and may have to send it again.
    #[serde(with = "hex")]
    pub sent: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Chats {
    shown: VecDeque<(u64, Shown)>,
    known: HashSet<String>,
    /// Who ever wrote to this phone, by number. Remembered while the process lives, and after a
    /// restart as far as the messages reach.
    writers: HashSet<String>,
    next: u64,
    redelivered: u64,
}

impl Chats {
    /// Shows a message unless the phone has it; says whether it was new.
    pub(crate) fn show(&mut self, account: &Account, shown: Shown, batch: &mut Batch) -> bool {
        if !self.known.insert(shown.message.key()) {
            self.count_redelivery(account, batch);
            return false;
        }
        let place = self.next;
        batch.put("message", || message_place(account, place), || json(&shown));
        self.push(place, shown);
        if self.shown.len() > limits::MESSAGES_PER_PHONE
            && let Some((place, oldest)) = self.shown.pop_front()
        {
            self.known.remove(&oldest.message.key());
            batch.delete("message", || message_place(account, place));
        }
        true
    }

    pub(crate) fn count_redelivery(&mut self, account: &Account, batch: &mut Batch) {
        self.redelivered += 1;
        let count = self.redelivered;
        batch.put("redelivered", || account.place(), || count.to_be_bytes().to_vec());
    }

    pub(crate) fn restore(&mut self, place: u64, shown: Shown) {
        self.known.insert(shown.message.key());
        self.push(place, shown);
    }

    pub(crate) fn restore_redelivered(&mut self, count: u64) {
        self.redelivered = count;
    }

    fn push(&mut self, place: u64, shown: Shown) {
        if !shown.message.from_me && !self.writers.contains(&shown.message.from) {
            self.writers.insert(shown.message.from.clone());
        }
        self.shown.push_back((place, shown));
        self.next = place + 1;
    }

    pub(crate) fn has(&self, from: &str, to: &str, id: &str) -> bool {
        self.known.contains(&format!("{from}|{to}|{id}"))
    }

    pub(crate) fn has_written(&self, phone: &str) -> bool {
        self.writers.contains(phone)
    }

    /// The latest message with this id that fits.
    pub(crate) fn find(&self, id: &str, fits: impl Fn(&Shown) -> bool) -> Option<&Shown> {
        self.shown.iter().rev().map(|(_, shown)| shown).find(|shown| shown.message.id == id && fits(shown))
    }

    pub(crate) fn view(&self) -> Inbox {
        Inbox {
            messages: self.shown.iter().map(|(_, shown)| shown.message.clone()).collect(),
            redelivered: self.redelivered,
        }
    }
}

fn message_place(account: &Account, place: u64) -> String {
    format!("{}m/{place:016x}", account.place())
}

/// What a message looks like on the screen.
pub(crate) struct Content {
    pub kind: &'static str,
    pub text: String,
    pub media_sha256: Option<String>,
}

impl Content {
    /// `None` for messages that show nothing: keys, revocations, requests between devices.
    pub(crate) fn of(message: &wa::Message) -> Option<Self> {
        let text = |kind, text: Option<&String>| {
            Some(Self { kind, text: text.cloned().unwrap_or_default(), media_sha256: None })
        };
        let media = |kind, caption: Option<&String>, sha256: Option<&Vec<u8>>| {
            Some(Self {
                kind,
                text: caption.cloned().unwrap_or_default(),
                media_sha256: sha256.map(hex::encode),
            })
        };
        if let Some(conversation) = &message.conversation {
            return text("text", Some(conversation));
        }
        if let Some(extended) = message.extended_text_message.as_option() {
            return text("text", extended.text.as_ref());
        }
        if let Some(image) = message.image_message.as_option() {
            return media("image", image.caption.as_ref(), image.file_sha256.as_ref());
        }
        if let Some(video) = message.video_message.as_option() {
            return media("video", video.caption.as_ref(), video.file_sha256.as_ref());
        }
        if let Some(audio) = message.audio_message.as_option() {
            return media("audio", None, audio.file_sha256.as_ref());
        }
        if let Some(document) = message.document_message.as_option() {
            let caption = document.caption.as_ref().or(document.file_name.as_ref());
            return media("document", caption, document.file_sha256.as_ref());
        }
        if let Some(sticker) = message.sticker_message.as_option() {
            return media("sticker", None, sticker.file_sha256.as_ref());
        }
        if let Some(location) = message.location_message.as_option() {
            return text("location", location.name.as_ref());
        }
        if let Some(contact) = message.contact_message.as_option() {
            return text("contact", contact.display_name.as_ref());
        }
        if let Some(reaction) = message.reaction_message.as_option() {
            return text("reaction", reaction.text.as_ref());
        }
        let polls = [
            &message.poll_creation_message,
            &message.poll_creation_message_v2,
            &message.poll_creation_message_v3,
        ];
        if let Some(poll) = polls.into_iter().find_map(|poll| poll.as_option()) {
            return text("poll", poll.name.as_ref());
        }
        let wrappers =
            [&message.ephemeral_message, &message.view_once_message, &message.document_with_caption_message];
        let wrapped = wrappers.into_iter().find_map(|wrapper| wrapper.as_option());
        Self::of(wrapped?.message.as_option()?)
    }
}
