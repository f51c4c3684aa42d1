//! What became of a message after it was sent or received: its words, what people think of it, how they voted.

use std::collections::VecDeque;

use serde::Serialize;
use utoipa::ToSchema;
use wapid_core::clock::At;
use wapid_core::content::{Body, Poll};
use wapid_core::id::MessageKey;
use wapid_core::message::{Direction, Origin};
use wapid_core::store::ledger::EDITED_WITHIN_MS;
use wapid_core::store::messages::MessageRow;

/// Texts of a message in one answer; one is told however long it is.
const TEXTS_BYTES: usize = 512 << 10;
/// And voters of a poll.
const VOTERS_BYTES: usize = 256 << 10;

/// Absent where there is nothing to tell
#[derive(Serialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub struct Since {
    /// The texts that it had, the first one first; with an edit only. Of many the last ones, as far as one answer goes
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    #[schema(value_type = Vec<Text>)]
    texts: VecDeque<Text>,
    /// Give it as `before` to read the texts before these; absent where these are the first ones
    #[serde(skip_serializing_if = "Option::is_none")]
    texts_before: Option<String>,
    /// What each person's reaction is now
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<Reacted>,
    /// Of a poll: its answers in their order, and who chose them; the last vote of each counts. Of very many voters
    /// the first are told, and `count` is all of them
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Answer>,
}

#[derive(Serialize, ToSchema)]
pub struct Text {
    message: String,
    /// Since when
    at: String,
}

#[derive(Serialize, ToSchema)]
pub struct Reacted {
    #[schema(example = "👍")]
    emoji: String,
    #[serde(flatten)]
    who: Person,
    at: String,
}

#[derive(Serialize, ToSchema)]
pub struct Answer {
    option: String,
    count: usize,
    voters: Vec<Person>,
}

#[derive(Serialize, ToSchema, Clone)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Digits, or a JID where the number is hidden; absent where it was this number itself
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// It was this number, by the API or from its phone
    from_me: bool,
    #[serde(skip)]
    lid: Option<String>,
}

impl Person {
    fn of(row: &MessageRow) -> Self {
        let from_me = row.direction == Direction::Out;
        let from = || row.phone.clone().unwrap_or_else(|| row.sender.clone());
        Self {
            from: (!from_me).then(from),
            name: row.sender_name.clone().filter(|_| !from_me),
            from_me,
            lid: row.lid.clone(),
        }
    }

    fn is(&self, other: &Self) -> bool {
        // Heard by LID first, perhaps, and by number later.
        let shares_lid = self.lid.is_some() && self.lid == other.lid;
        self.from_me == other.from_me && (self.from_me || self.from == other.from || shares_lid)
    }
}

/// What changed a message, oldest first.
pub struct Changes {
    /// As many as one answer has room for, the newest.
    pub edits: Vec<MessageRow>,
    /// There are earlier ones.
    pub earlier: Option<MessageKey>,
    pub marks: Vec<MessageRow>,
}

impl Since {
    pub fn of(message: &MessageRow, changes: Changes) -> Self {
        let mut it = Self::default();
        let mut votes: Vec<(Person, Vec<String>)> = Vec::new();
        for change in &changes.marks {
            // What does not read is left out rather than the message with it.
            let Ok(Some(content)) = change.said() else { continue };
            let (who, at) = (Person::of(change), moment(change).iso());
            match content.body {
                Body::Reaction(reaction) => {
                    it.reactions.retain(|earlier| !earlier.who.is(&who));
                    if !reaction.emoji.is_empty() {
                        it.reactions.push(Reacted { emoji: reaction.emoji, who, at });
                    }
                }
                Body::Vote(vote) => {
                    votes.retain(|(earlier, _)| !earlier.is(&who));
                    votes.push((who, vote.votes));
                }
                _ => {}
            }
        }
        it.tell_texts(message, changes.edits, changes.earlier);
        if let Ok(Some(Body::Poll(poll))) = message.said().map(|said| said.map(|content| content.body)) {
            it.answers = tally(poll, &votes);
        }
        it
    }
}

impl Since {
    /// The newest texts that fit, and where the others are.
    fn tell_texts(&mut self, message: &MessageRow, edits: Vec<MessageRow>, earlier: Option<MessageKey>) {
        let writer = Person::of(message);
        let mut left = TEXTS_BYTES;
        let mut oldest = None;
        self.texts_before = earlier.map(|key| key.0);
        let believed = |edit: &MessageRow| Person::of(edit).is(&writer) && is_in_time(message, edit);
        for edit in edits.into_iter().rev().filter(believed) {
            let text = Text { at: moment(&edit).iso(), message: edit.body };
            let bytes = written(&text);
            if bytes > left && oldest.is_some() {
                self.texts_before = oldest;
                return;
            }
            left = left.saturating_sub(bytes);
            oldest = Some(edit.key.0);
            self.texts.push_front(text);
        }
        if self.texts_before.is_none() && oldest.is_some() {
            let first = message.original.clone().unwrap_or_else(|| message.body.clone());
            self.texts.push_front(Text { message: first, at: message.created_at.iso() });
        }
    }
}

/// An edit of ours WhatsApp has taken; one that arrived too late changed nothing.
fn is_in_time(message: &MessageRow, edit: &MessageRow) -> bool {
    let written_at = message.sent_at.unwrap_or(message.created_at);
    edit.origin == Origin::Api || moment(edit).since(written_at) <= EDITED_WITHIN_MS
}

/// Bytes of JSON.
fn written(value: &impl Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// When the change was made: by its phone's clock, where it came from one.
fn moment(change: &MessageRow) -> At {
    change.sent_at.unwrap_or(change.created_at)
}

fn tally(poll: Poll, votes: &[(Person, Vec<String>)]) -> Vec<Answer> {
    let mut left = VOTERS_BYTES;
    let answers = poll.options.into_iter().map(|option| {
        let of_it: Vec<&Person> =
            votes.iter().filter(|(_, chosen)| chosen.contains(&option)).map(|(who, _)| who).collect();
        let told = of_it.iter().take_while(|who| {
            left = left.saturating_sub(written(who));
            left > 0
        });
        Answer { count: of_it.len(), voters: told.map(|who| (*who).clone()).collect(), option }
    });
    answers.collect()
}
