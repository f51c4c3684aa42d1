//! What a phone remembers of its chats: each message once, however often it arrived.
//!
//! Whoever changes something appends the changed records to the journal while the chats are locked,
//! so the journal ends where the phone is.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use buffa::Message as _;
use serde::{Deserialize, Serialize};
use waproto::whatsapp as wa;

use super::inbox::{Inbox, InboxMessage};
use super::ticks::Tick;
use crate::account::{Account, json};
use crate::journal::Batch;
use crate::limits;

/// A message on the screen and what the phone remembers beside it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub message: InboxMessage,
    /// Whether the other side used LIDs: receipts go back the same way.
    pub is_lid: bool,
    /// The encoded message: to send it again, to quote it, to download its medium, to open votes.
    #[serde(rename = "sent", with = "hex")]
    pub content: Vec<u8>,
    #[serde(default)]
    pub beside: Beside,
}

/// What a message needs and does not show.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Beside {
    pub medium: Option<Medium>,
    /// Changes that came, by their keys; a copy of one changes nothing.
    pub changes: VecDeque<String>,
    pub reacted_ms: BTreeMap<String, u64>,
    pub voted_ms: BTreeMap<String, u64>,
    pub edited_ms: Option<u64>,
}

/// Where a phone is with the bytes of a medium.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Medium {
    Loading,
    Held,
    /// The host did not have it, or it was not what the message says.
    Missing,
}

impl Shown {
    fn weight(&self) -> usize {
        self.content.len() + self.message.message.len()
    }

    pub(crate) fn decode(&self) -> wa::Message {
        wa::Message::decode_from_slice(&self.content).unwrap_or_default()
    }

    /// The message says something else now and is still the same message.
    pub(super) fn replace_content(&mut self, content: &wa::Message) {
        let context = self.decode().message_context_info;
        let content = wa::Message { message_context_info: context, ..content.clone() };
        self.content = content.encode_to_vec();
    }
}

/// What identifies a message to a phone, as WhatsApp does it: where, who, which.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(Box<str>);

impl Key {
    pub(crate) fn new(chat: &str, from: &str, id: &str) -> Self {
        Self(format!("{chat}|{from}|{id}").into())
    }

    fn of(message: &InboxMessage) -> Self {
        Self::new(&message.chat, &message.from, &message.id)
    }
}

/// Something a phone sent that is not a message of its own: kept for a device that could not read it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Unseen {
    pub id: String,
    pub chat: String,
    pub timestamp: u64,
    #[serde(with = "hex")]
    pub content: Vec<u8>,
}

/// A change that arrived before the message it is about, which had to be asked for again.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Early {
    /// The key of the message it is about.
    pub about: String,
    /// Its own key.
    pub key: String,
    /// Who makes it, and who wrote the message.
    pub by: String,
    pub author: String,
    /// Whether who makes it was an admin of the message's group when it arrived.
    #[serde(default)]
    pub by_admin: bool,
    #[serde(with = "hex")]
    pub content: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Chats {
    shown: VecDeque<(u64, Shown)>,
    /// What they weigh. An edit may change what one weighs by the length of a text; that is not counted.
    bytes: usize,
    /// Where a message is, by its key and by the keys of the changes that came to it.
    places: HashMap<Key, u64>,
    unseen: Log<Unseen>,
    early: Log<Early>,
    /// Who ever wrote to this phone alone, by number. Remembered while the process lives, and after a
    /// restart as far as the messages reach.
    writers: HashSet<String>,
    next: u64,
    redelivered: u64,
}

/// A few of something, the oldest leave first.
struct Log<T> {
    entries: VecDeque<(u64, T)>,
    next: u64,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), next: 0 }
    }
}

impl<T> Log<T> {
    /// Adds one at the next place; returns the place of the one which had to go.
    fn push(&mut self, entry: T, most: usize) -> Option<u64> {
        self.restore(self.next, entry);
        let gone = (self.entries.len() > most).then(|| self.entries.pop_front()).flatten();
        gone.map(|(place, _)| place)
    }

    fn restore(&mut self, place: u64, entry: T) {
        self.entries.push_back((place, entry));
        self.next = place + 1;
    }
}

impl Chats {
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.places.contains_key(key) || self.early.entries.iter().any(|(_, early)| *early.key == *key.0)
    }

    pub(crate) fn has_written(&self, phone: &str) -> bool {
        self.writers.contains(phone)
    }

    /// Shows a message that the phone does not have.
    pub(super) fn show(&mut self, account: &Account, shown: Shown, batch: &mut Batch) {
        let place = self.next;
        batch.put("message", || message_place(account, place), || json(&shown));
        self.push(place, shown);
        while self.is_full()
            && let Some((place, oldest)) = self.shown.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(oldest.weight());
            self.forget_keys(&oldest);
            batch.delete("message", || message_place(account, place));
        }
    }

    fn is_full(&self) -> bool {
        let is_heavy = self.bytes > limits::MESSAGE_BYTES_PER_PHONE && self.shown.len() > 1;
        self.shown.len() > limits::MESSAGES_PER_PHONE || is_heavy
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Shown> {
        let index = self.index(*self.places.get(key)?)?;
        self.shown.get(index).map(|(_, shown)| shown)
    }

    /// Changes what the phone remembers of a message; `change` says whether it did.
    pub(super) fn update(
        &mut self,
        account: &Account,
        key: &Key,
        batch: &mut Batch,
        change: impl FnOnce(&mut Shown) -> bool,
    ) {
        if let Some((place, shown)) = self.find_mut(key)
            && change(shown)
        {
            batch.put("message", || message_place(account, place), || json(shown));
        }
    }

    /// Something with the key `by` came that is about a message. The next copy of it is known, also
    /// when `change` refuses it.
    pub(super) fn apply(
        &mut self,
        account: &Account,
        about: &Key,
        by: &Key,
        batch: &mut Batch,
        change: impl FnOnce(&mut Shown) -> bool,
    ) -> bool {
        let Some((place, shown)) = self.find_mut(about) else {
            return false;
        };
        let has_changed = change(shown);
        let changes = &mut shown.beside.changes;
        changes.push_back(by.0.clone().into());
        let forgotten = (changes.len() > limits::CHANGES_PER_MESSAGE).then(|| changes.pop_front()).flatten();
        batch.put("message", || message_place(account, place), || json(shown));
        self.places.insert(by.clone(), place);
        if let Some(forgotten) = forgotten {
            self.places.remove(&Key(forgotten.into()));
        }
        has_changed
    }

    pub(crate) fn count_redelivery(&mut self, account: &Account, batch: &mut Batch) {
        self.redelivered += 1;
        let count = self.redelivered;
        batch.put("redelivered", || account.place(), || count.to_be_bytes().to_vec());
    }

    /// The latest message with this id that fits.
    pub(crate) fn find(&self, id: &str, fits: impl Fn(&Shown) -> bool) -> Option<&Shown> {
        self.shown.iter().rev().map(|(_, shown)| shown).find(|shown| shown.message.id == id && fits(shown))
    }

    /// Notes how far a message of this phone is with a reader.
    pub(crate) fn tick(&mut self, account: &Account, id: &str, reader: &str, tick: Tick, batch: &mut Batch) {
        let is_it = |shown: &Shown| shown.message.from_me && shown.message.id == id;
        let Some((place, shown)) = self.shown.iter_mut().rev().find(|(_, shown)| is_it(shown)) else {
            return;
        };
        let receipts = &mut shown.message.receipts;
        if receipts.get(reader).is_none_or(|known| *known < tick) {
            receipts.insert(reader.to_owned(), tick);
            batch.put("message", || message_place(account, *place), || json(&*shown));
        }
    }

    /// Messages whose media are not settled: a crash came between.
    pub(crate) fn loading(&self) -> Vec<Key> {
        let waits = |shown: &&Shown| shown.beside.medium == Some(Medium::Loading);
        self.shown.iter().map(|(_, shown)| shown).filter(waits).map(|shown| Key::of(&shown.message)).collect()
    }

    /// The messages with a medium that the phone holds.
    pub(crate) fn held(&self) -> Vec<wa::Message> {
        let held = |shown: &&Shown| shown.beside.medium == Some(Medium::Held);
        self.shown.iter().map(|(_, shown)| shown).filter(held).map(Shown::decode).collect()
    }

    /// The phone loses the bytes of all its media.
    pub(crate) fn lose_media(&mut self, account: &Account, batch: &mut Batch) {
        for (place, shown) in &mut self.shown {
            if shown.beside.medium == Some(Medium::Held) {
                shown.beside.medium = Some(Medium::Missing);
                batch.put("message", || message_place(account, *place), || json(shown));
            }
        }
    }

    pub(super) fn keep_unseen(&mut self, account: &Account, unseen: Unseen, batch: &mut Batch) {
        let place = self.unseen.next;
        batch.put("unseen", || log_place(account, 'u', place), || json(&unseen));
        if let Some(gone) = self.unseen.push(unseen, limits::UNSEEN_PER_PHONE) {
            batch.delete("unseen", || log_place(account, 'u', gone));
        }
    }

    pub(super) fn unseen(&self, id: &str) -> Option<&Unseen> {
        self.unseen.entries.iter().rev().map(|(_, unseen)| unseen).find(|unseen| unseen.id == id)
    }

    pub(super) fn keep_early(&mut self, account: &Account, early: Early, batch: &mut Batch) {
        let place = self.early.next;
        batch.put("early", || log_place(account, 'e', place), || json(&early));
        if let Some(gone) = self.early.push(early, limits::EARLY_PER_PHONE) {
            batch.delete("early", || log_place(account, 'e', gone));
        }
    }

    /// The changes that waited for this message, in the order they came.
    pub(super) fn take_early(&mut self, account: &Account, about: &Key, batch: &mut Batch) -> Vec<Early> {
        let mut taken = Vec::new();
        self.early.entries.retain(|(place, early)| {
            let is_wanted = *early.about == *about.0;
            if is_wanted {
                batch.delete("early", || log_place(account, 'e', *place));
                taken.push(early.clone());
            }
            !is_wanted
        });
        taken
    }

    pub(crate) fn restore(&mut self, place: u64, mut shown: Shown) {
        let message = &mut shown.message;
        if message.chat.is_empty() {
            // Written before chats had addresses, when all were with one person.
            let other = if message.from_me { &message.to } else { &message.from };
            message.chat = wacore_binary::Jid::pn(other.as_str()).to_string();
        }
        self.push(place, shown);
    }

    pub(crate) fn restore_unseen(&mut self, place: u64, unseen: Unseen) {
        self.unseen.restore(place, unseen);
    }

    pub(crate) fn restore_early(&mut self, place: u64, early: Early) {
        self.early.restore(place, early);
    }

    pub(crate) fn restore_redelivered(&mut self, count: u64) {
        self.redelivered = count;
    }

    pub(crate) fn view(&self) -> Inbox {
        Inbox {
            messages: self.shown.iter().map(|(_, shown)| shown.message.clone()).collect(),
            redelivered: self.redelivered,
        }
    }

    fn push(&mut self, place: u64, shown: Shown) {
        let is_to_all = shown.message.chat.ends_with("@g.us");
        if !shown.message.from_me && !is_to_all && !self.writers.contains(&shown.message.from) {
            self.writers.insert(shown.message.from.clone());
        }
        self.places.insert(Key::of(&shown.message), place);
        for change in &shown.beside.changes {
            self.places.insert(Key(change.as_str().into()), place);
        }
        self.bytes += shown.weight();
        self.shown.push_back((place, shown));
        self.next = place + 1;
    }

    /// Places grow, so the queue is sorted by them.
    fn index(&self, place: u64) -> Option<usize> {
        self.shown.binary_search_by_key(&place, |(place, _)| *place).ok()
    }

    fn find_mut(&mut self, key: &Key) -> Option<(u64, &mut Shown)> {
        let index = self.index(*self.places.get(key)?)?;
        self.shown.get_mut(index).map(|(place, shown)| (*place, shown))
    }

    fn forget_keys(&mut self, shown: &Shown) {
        self.places.remove(&Key::of(&shown.message));
        for change in &shown.beside.changes {
            self.places.remove(&Key(change.as_str().into()));
        }
    }
}

impl From<&str> for Key {
    fn from(written: &str) -> Self {
        Self(written.into())
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn message_place(account: &Account, place: u64) -> String {
    format!("{}m/{place:016x}", account.place())
}

fn log_place(account: &Account, log: char, place: u64) -> String {
    format!("{}{log}/{place:016x}", account.place())
}
