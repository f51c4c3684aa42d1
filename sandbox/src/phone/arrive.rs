//! A message reaches a phone: it is shown, or it changes one that is, or it is known already.
//!
//! All that a phone ever shows comes through here, whether its owner wrote it, a linked device did,
//! or somebody else.

use std::sync::Arc;

use buffa::Message as _;
use tracing::debug;
use wacore::message_edit::{MessageEditContext, decrypt_message_edit_with_fallback};
use wacore::poll::{PollVoteAddressing, PollVoteCiphertext, decrypt_poll_vote_with_fallback};
use wacore_binary::{Jid, JidExt as _};
use waproto::whatsapp as wa;

use super::change::{self, Change, Request, What};
use super::chats::{Beside, Chats, Early, Key, Medium, Shown};
use super::inbox::InboxMessage;
use super::load::{self, Running};
use super::look;
use crate::account::Account;
use crate::journal::Batch;
use crate::limits;
use crate::net::Net;
use crate::stanza::now;

/// What is known of a message besides what it says, in the eyes of the phone it reaches.
pub(super) struct Arrival<'a> {
    pub id: &'a str,
    pub from: &'a Arc<Account>,
    /// The address of the chat.
    pub chat: Jid,
    /// Whom it is to, as phones show it.
    pub to: String,
    pub is_lid: bool,
    pub timestamp: u64,
}

impl Arrival<'_> {
    fn key(&self) -> Key {
        Key::new(&self.chat.to_string(), &self.from.phone, self.id)
    }
}

/// The records in `batch` become durable together with what the phone shows.
pub(super) fn arrive(
    net: &Arc<Net>,
    phone: &Arc<Account>,
    arrival: &Arrival<'_>,
    message: &wa::Message,
    mut batch: Batch,
) {
    let key = arrival.key();
    let request = Request::of(message);
    // A group's state is locked before a phone's chats, never after them.
    let by_admin = request.as_ref().is_some_and(|request| is_by_admin(net, phone, arrival, request));
    let mut chats = phone.chats.lock();
    let mut load = None;
    if chats.has(&key) {
        chats.count_redelivery(phone, &mut batch);
    } else if let Some(request) = request {
        request_change(net, phone, &mut chats, arrival, (&request, by_admin), message, &mut batch);
    } else if let Some(look) = look::look(message) {
        let shown = shown(net, phone, arrival, look, message);
        load = shown.beside.medium.map(|_| Running::new(phone));
        chats.show(phone, shown, &mut batch);
        for early in chats.take_early(phone, &key, &mut batch) {
            make_early(net, phone, &mut chats, &early, &mut batch);
        }
    }
    // While the chats are locked: the order of records is the order of what happened.
    net.journal.append(batch);
    drop(chats);
    if let Some(running) = load {
        load::begin(net, running, key);
    }
}

fn shown(
    net: &Net,
    phone: &Account,
    arrival: &Arrival<'_>,
    look: InboxMessage,
    message: &wa::Message,
) -> Shown {
    let medium = look::medium(message).map(|_| Medium::Loading);
    let mentions = look.mentions.iter().map(|address| number(net, phone, address)).collect();
    Shown {
        message: InboxMessage {
            id: arrival.id.to_owned(),
            chat: arrival.chat.to_string(),
            from: arrival.from.phone.clone(),
            to: arrival.to.clone(),
            from_me: arrival.from.phone == phone.phone,
            timestamp: arrival.timestamp,
            mentions,
            ..look
        },
        is_lid: arrival.is_lid,
        content: message.encode_to_vec(),
        beside: Beside { medium, ..Beside::default() },
    }
}

/// The phone number at an address; what is not in the book stays as it is written.
fn number(net: &Net, phone: &Account, address: &str) -> String {
    let Ok(jid) = address.parse::<Jid>() else {
        return address.to_owned();
    };
    let known = net.resolve(&phone.book, &jid);
    known.map_or_else(|| jid.user_base().to_owned(), |account| account.phone.clone())
}

/// Whether an admin of the group deletes something in it.
fn is_by_admin(net: &Net, phone: &Account, arrival: &Arrival<'_>, request: &Request<'_>) -> bool {
    if !matches!(request.what, What::Delete) || !arrival.chat.is_group() {
        return false;
    }
    let group = net.group(&phone.book, &arrival.chat);
    group.is_some_and(|group| group.state.lock().rules(&arrival.from.phone).is_ok())
}

fn request_change(
    net: &Arc<Net>,
    phone: &Arc<Account>,
    chats: &mut Chats,
    arrival: &Arrival<'_>,
    (request, by_admin): (&Request<'_>, bool),
    message: &wa::Message,
    batch: &mut Batch,
) {
    let Some(author) = author(net, phone, arrival, request.key) else {
        debug!("A phone was told to change a message of nobody");
        return;
    };
    let id = request.key.id.as_deref().unwrap_or_default();
    let about = Key::new(&arrival.chat.to_string(), &author.phone, id);
    if chats.get(&about).is_none() {
        let content = message.encode_to_vec();
        if content.len() <= limits::EARLY_BYTES {
            let early = Early {
                about: about.to_string(),
                key: arrival.key().to_string(),
                by: arrival.from.phone.clone(),
                author: author.phone.clone(),
                by_admin,
                content,
            };
            chats.keep_early(phone, early, batch);
        }
        return;
    }
    let wanted = Wanted {
        about,
        key: arrival.key(),
        author: &author,
        by: arrival.from,
        by_admin,
        what: &request.what,
    };
    make(phone, chats, &wanted, batch);
}

fn make_early(net: &Net, phone: &Account, chats: &mut Chats, early: &Early, batch: &mut Batch) {
    let message = wa::Message::decode_from_slice(&early.content).unwrap_or_default();
    let people = (net.account(&phone.book, &early.author), net.account(&phone.book, &early.by));
    let ((Some(author), Some(by)), Some(request)) = (people, Request::of(&message)) else {
        return;
    };
    let wanted = Wanted {
        about: early.about.as_str().into(),
        key: early.key.as_str().into(),
        author: &author,
        by: &by,
        by_admin: early.by_admin,
        what: &request.what,
    };
    make(phone, chats, &wanted, batch);
}

/// A change to a message that the phone has.
struct Wanted<'a> {
    about: Key,
    key: Key,
    author: &'a Account,
    by: &'a Account,
    by_admin: bool,
    what: &'a What<'a>,
}

fn make(phone: &Account, chats: &mut Chats, wanted: &Wanted<'_>, batch: &mut Batch) {
    let Wanted { about, key, by, .. } = wanted;
    let change = chats.get(about).and_then(|target| open(target, wanted));
    let has_changed = chats.apply(phone, about, key, batch, |shown| {
        change.is_some_and(|change| change::make(shown, &by.phone, &change, now()))
    });
    if !has_changed {
        debug!("A phone refused a change to a message");
    }
}

/// Who wrote the message that a key names. Keys are written in the eyes of whoever makes the change.
fn author(
    net: &Net,
    phone: &Arc<Account>,
    arrival: &Arrival<'_>,
    key: &wa::MessageKey,
) -> Option<Arc<Account>> {
    if key.from_me == Some(true) {
        return Some(Arc::clone(arrival.from));
    }
    if let Some(participant) = key.participant.as_ref().filter(|participant| !participant.is_empty()) {
        return net.resolve(&phone.book, &participant.parse().ok()?);
    }
    if Arc::ptr_eq(arrival.from, phone) {
        return net.resolve(&phone.book, &arrival.chat);
    }
    Some(Arc::clone(phone))
}

/// Opens what is sealed with the secret of the message it is about. Whoever sealed it named the two
/// people by their numbers or both by their LIDs.
fn open(target: &Shown, wanted: &Wanted<'_>) -> Option<Change> {
    let Wanted { author, by, by_admin, what, .. } = wanted;
    let secret = || target.decode().message_context_info.into_option()?.message_secret;
    let id = target.message.id.as_str();
    let numbers = (Jid::pn(author.phone.as_str()).to_string(), Jid::pn(by.phone.as_str()).to_string());
    let lids = (Jid::lid(author.lid.as_str()).to_string(), Jid::lid(by.lid.as_str()).to_string());
    match what {
        What::React { emoji, at_ms } => Some(Change::React { emoji: (*emoji).to_owned(), at_ms: *at_ms }),
        What::Edit { content, at_ms } => {
            Some(Change::Edit { content: Box::new((*content).clone()), at_ms: *at_ms })
        }
        What::Delete => Some(Change::Delete { by_admin: *by_admin }),
        What::SealedVote { payload, iv, at_ms } => {
            let chosen = decrypt_poll_vote_with_fallback(
                PollVoteCiphertext { enc_payload: payload, enc_iv: iv },
                &secret()?,
                id,
                PollVoteAddressing { poll_creator_jid: &numbers.0, voter_jid: &numbers.1 },
                Some(PollVoteAddressing { poll_creator_jid: &lids.0, voter_jid: &lids.1 }),
            );
            Some(Change::Vote { chosen: chosen.ok()?, at_ms: *at_ms })
        }
        What::SealedEdit { payload, iv } => {
            let opened = decrypt_message_edit_with_fallback(
                payload,
                iv,
                &secret()?,
                &MessageEditContext {
                    original_msg_id: id,
                    original_sender_jid: &numbers.0,
                    editor_jid: &numbers.1,
                },
                Some(&MessageEditContext {
                    original_msg_id: id,
                    original_sender_jid: &lids.0,
                    editor_jid: &lids.1,
                }),
            );
            let edit = opened.ok()?.protocol_message.into_option()?;
            let at_ms = edit.timestamp_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default();
            Some(Change::Edit { content: Box::new(edit.edited_message.into_option()?), at_ms })
        }
    }
}
