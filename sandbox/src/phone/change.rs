//! What changes a message that is already shown: reactions, votes, edits, deletions. Pure.
//!
//! WhatsApp's rules: anybody in a chat reacts and votes, and each person's last word counts; only
//! who wrote a message edits or deletes it, and only for a while; an admin of a group deletes what
//! anybody in it wrote. A phone that receives a change is more patient than the one that makes it,
//! because a message may have waited for a phone that was off.

use wacore::proto_helpers::MessageExt as _;
use waproto::whatsapp as wa;
use waproto::whatsapp::message::protocol_message::Type;
use waproto::whatsapp::message::secret_encrypted_message::SecretEncType;

use super::chats::Shown;
use super::inbox::{InboxMessage, Reaction};
use super::look;

/// How long the sender may edit, in seconds, as WhatsApp tells its users.
pub(super) const EDIT_SECONDS: u64 = 15 * 60;
/// How long others take an edit (wacore 0.7.0, `EDIT_PROCESSING_WINDOW_SECS`).
const EDIT_TAKEN_SECONDS: u64 = 20 * 60;
/// How long the sender may delete for everyone, in seconds, as WhatsApp tells its users.
pub(super) const DELETE_SECONDS: u64 = 60 * 3600;
/// How long others take a deletion.
const DELETE_TAKEN_SECONDS: u64 = DELETE_SECONDS + 12 * 3600;

/// A change as it arrives: some of it may be sealed with the secret of the message it is about.
pub(super) struct Request<'a> {
    pub key: &'a wa::MessageKey,
    pub what: What<'a>,
}

pub(super) enum What<'a> {
    React { emoji: &'a str, at_ms: u64 },
    Edit { content: &'a wa::Message, at_ms: u64 },
    SealedEdit { payload: &'a [u8], iv: &'a [u8] },
    Delete,
    SealedVote { payload: &'a [u8], iv: &'a [u8], at_ms: u64 },
}

/// A change that is open and can be made.
pub(super) enum Change {
    React {
        emoji: String,
        at_ms: u64,
    },
    Edit {
        content: Box<wa::Message>,
        at_ms: u64,
    },
    /// Whether who deletes is an admin of the group that the message is in.
    Delete {
        by_admin: bool,
    },
    /// The hashes of the chosen options.
    Vote {
        chosen: Vec<Vec<u8>>,
        at_ms: u64,
    },
}

impl<'a> Request<'a> {
    /// The change that a message is, if it is one.
    pub(super) fn of(message: &'a wa::Message) -> Option<Self> {
        let base = message.get_base_message();
        if let Some(reaction) = base.reaction_message.as_option() {
            let emoji = reaction.text.as_deref().unwrap_or_default();
            let what = What::React { emoji, at_ms: time(reaction.sender_timestamp_ms) };
            return Some(Self { key: reaction.key.as_option()?, what });
        }
        if let Some(update) = base.poll_update_message.as_option() {
            let vote = update.vote.as_option()?;
            let what = What::SealedVote {
                payload: vote.enc_payload.as_deref()?,
                iv: vote.enc_iv.as_deref()?,
                at_ms: time(update.sender_timestamp_ms),
            };
            return Some(Self { key: update.poll_creation_message_key.as_option()?, what });
        }
        if let Some(sealed) = base.secret_encrypted_message.as_option() {
            if sealed.secret_enc_type != Some(SecretEncType::MESSAGE_EDIT) {
                return None;
            }
            let what =
                What::SealedEdit { payload: sealed.enc_payload.as_deref()?, iv: sealed.enc_iv.as_deref()? };
            return Some(Self { key: sealed.target_message_key.as_option()?, what });
        }
        let protocol = base.protocol_message.as_option()?;
        let key = protocol.key.as_option()?;
        match protocol.r#type {
            Some(Type::REVOKE) => Some(Self { key, what: What::Delete }),
            Some(Type::MESSAGE_EDIT) => {
                let content = protocol.edited_message.as_option()?;
                Some(Self { key, what: What::Edit { content, at_ms: time(protocol.timestamp_ms) } })
            }
            _ => None,
        }
    }
}

fn time(ms: Option<i64>) -> u64 {
    ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default()
}

/// Makes a change that `by` wants at `now` (seconds since 1970); says whether anything changed.
pub(super) fn make(shown: &mut Shown, by: &str, change: &Change, now: u64) -> bool {
    if shown.message.deleted {
        return false;
    }
    match change {
        Change::React { emoji, at_ms } => react(shown, by, emoji, *at_ms),
        Change::Edit { content, at_ms } => edit(shown, by, content, *at_ms, now),
        Change::Delete { by_admin } => delete(shown, by, *by_admin, now),
        Change::Vote { chosen, at_ms } => vote(shown, by, chosen, *at_ms),
    }
}

fn react(shown: &mut Shown, by: &str, emoji: &str, at_ms: u64) -> bool {
    if !is_newer(shown.beside.reacted_ms.get(by), at_ms) {
        return false;
    }
    shown.beside.reacted_ms.insert(by.to_owned(), at_ms);
    let reactions = &mut shown.message.reactions;
    reactions.retain(|reaction| reaction.from != by);
    if !emoji.is_empty() {
        reactions.push(Reaction { from: by.to_owned(), emoji: emoji.to_owned() });
    }
    true
}

fn edit(shown: &mut Shown, by: &str, content: &wa::Message, at_ms: u64, now: u64) -> bool {
    let is_late = now > shown.message.timestamp.saturating_add(EDIT_TAKEN_SECONDS);
    let Some(text) = look::text(content) else {
        return false;
    };
    if shown.message.from != by || is_late || !is_newer(shown.beside.edited_ms.as_ref(), at_ms) {
        return false;
    }
    shown.beside.edited_ms = Some(at_ms);
    shown.message.message = text;
    shown.message.edited = true;
    if shown.message.kind == "text" {
        shown.message.link_preview = look::look(content).and_then(|new| new.link_preview);
        // Who quotes it now quotes the new text. The secret stays that of the message.
        shown.replace_content(content);
    }
    true
}

/// What is left of a deleted message is that there was one.
fn delete(shown: &mut Shown, by: &str, by_admin: bool, now: u64) -> bool {
    let is_late = now > shown.message.timestamp.saturating_add(DELETE_TAKEN_SECONDS);
    let may = by_admin || shown.message.from == by;
    if !may || is_late {
        return false;
    }
    let message = std::mem::take(&mut shown.message);
    shown.message = InboxMessage {
        deleted: true,
        id: message.id,
        chat: message.chat,
        from: message.from,
        to: message.to,
        from_me: message.from_me,
        kind: message.kind,
        timestamp: message.timestamp,
        ..Default::default()
    };
    shown.content.clear();
    shown.beside.medium = None;
    true
}

fn vote(shown: &mut Shown, by: &str, chosen: &[Vec<u8>], at_ms: u64) -> bool {
    if shown.message.options.is_empty() || !is_newer(shown.beside.voted_ms.get(by), at_ms) {
        return false;
    }
    shown.beside.voted_ms.insert(by.to_owned(), at_ms);
    for option in &shown.message.options {
        let voters = shown.message.votes.entry(option.clone()).or_default();
        voters.retain(|voter| voter != by);
        let hash = wacore::poll::compute_option_hash(option);
        if chosen.iter().any(|chosen| *chosen == hash) {
            voters.push(by.to_owned());
        }
    }
    true
}

/// Two words of one person in the same millisecond count in the order they arrive.
fn is_newer(last_ms: Option<&u64>, at_ms: u64) -> bool {
    last_ms.is_none_or(|last| at_ms >= *last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: u64 = 1_000_000;
    const ANA: &str = "15550000001";
    const BEN: &str = "15550000002";

    fn shown(kind: &str) -> Shown {
        let message = InboxMessage {
            from: ANA.into(),
            kind: kind.into(),
            message: "before".into(),
            timestamp: WRITTEN,
            options: vec!["Yes".into(), "No".into()],
            ..Default::default()
        };
        Shown { message, ..Default::default() }
    }

    fn new_text(at_ms: u64) -> Change {
        let content = wa::Message { conversation: Some(format!("edit {at_ms}")), ..Default::default() };
        Change::Edit { content: Box::new(content), at_ms }
    }

    fn reaction(emoji: &str, at_ms: u64) -> Change {
        Change::React { emoji: emoji.into(), at_ms }
    }

    fn vote_for(options: &[&str], at_ms: u64) -> Change {
        let chosen = options.iter().map(|option| wacore::poll::compute_option_hash(option).to_vec());
        Change::Vote { chosen: chosen.collect(), at_ms }
    }

    #[test]
    fn each_persons_last_reaction_counts_whatever_the_order_of_arrival() {
        let mut shown = shown("text");
        assert!(make(&mut shown, BEN, &reaction("👍", 10), WRITTEN));
        assert!(make(&mut shown, ANA, &reaction("👍", 10), WRITTEN));
        assert!(make(&mut shown, BEN, &reaction("❤️", 30), WRITTEN));
        assert!(!make(&mut shown, BEN, &reaction("👎", 20), WRITTEN));
        let seen: Vec<&str> = shown.message.reactions.iter().map(|one| one.emoji.as_str()).collect();
        assert_eq!(seen, ["👍", "❤️"]);
        assert!(make(&mut shown, BEN, &reaction("", 40), WRITTEN));
        assert_eq!(shown.message.reactions.len(), 1);
    }

    #[test]
    fn only_the_writer_edits_and_only_for_a_while() {
        let mut shown = shown("text");
        assert!(!make(&mut shown, BEN, &new_text(1), WRITTEN + 1));
        assert!(make(&mut shown, ANA, &new_text(20), WRITTEN + EDIT_TAKEN_SECONDS));
        assert!(!make(&mut shown, ANA, &new_text(10), WRITTEN + 1), "an older edit came late");
        assert!(!make(&mut shown, ANA, &new_text(30), WRITTEN + EDIT_TAKEN_SECONDS + 1));
        assert_eq!((shown.message.message.as_str(), shown.message.edited), ("edit 20", true));
    }

    #[test]
    fn only_the_writer_deletes_and_nothing_changes_afterwards() {
        let mut shown = shown("text");
        let delete = Change::Delete { by_admin: false };
        assert!(!make(&mut shown, BEN, &delete, WRITTEN));
        assert!(!make(&mut shown, ANA, &delete, WRITTEN + DELETE_TAKEN_SECONDS + 1));
        assert!(make(&mut shown, ANA, &delete, WRITTEN + DELETE_TAKEN_SECONDS));
        assert_eq!((shown.message.message.as_str(), shown.message.deleted), ("", true));
        assert!(!make(&mut shown, ANA, &new_text(1), WRITTEN));
        assert!(!make(&mut shown, BEN, &reaction("👍", 1), WRITTEN));
    }

    #[test]
    fn an_admin_deletes_what_somebody_else_wrote_and_does_not_edit_it() {
        let mut shown = shown("text");
        let delete = Change::Delete { by_admin: true };
        assert!(!make(&mut shown, BEN, &new_text(1), WRITTEN));
        assert!(!make(&mut shown, BEN, &delete, WRITTEN + DELETE_TAKEN_SECONDS + 1));
        assert!(make(&mut shown, BEN, &delete, WRITTEN));
        assert_eq!((shown.message.from.as_str(), shown.message.deleted), (ANA, true));
    }

    #[test]
    fn each_voters_last_vote_counts() {
        let mut shown = shown("poll");
        assert!(make(&mut shown, BEN, &vote_for(&["Yes", "No"], 10), WRITTEN));
        assert!(make(&mut shown, ANA, &vote_for(&["Yes"], 10), WRITTEN));
        assert!(make(&mut shown, BEN, &vote_for(&["No"], 20), WRITTEN));
        assert!(!make(&mut shown, BEN, &vote_for(&["Yes"], 15), WRITTEN));
        let voters = |option: &str| shown.message.votes[option].clone();
        assert_eq!((voters("Yes"), voters("No")), (vec![ANA.to_owned()], vec![BEN.to_owned()]));
        assert!(make(&mut shown, BEN, &vote_for(&[], 30), WRITTEN));
        assert!(shown.message.votes["No"].is_empty());
    }
}
