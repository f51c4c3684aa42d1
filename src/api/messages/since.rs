//! What became of a message after it was sent or received: its words, what people think of it, how they voted.

use serde::Serialize;
use utoipa::ToSchema;
use wapid_core::clock::At;
use wapid_core::content::{Body, Poll};
use wapid_core::message::{Direction, Status};
use wapid_core::store::messages::MessageRow;

/// Absent where there is nothing to tell
#[derive(Serialize, ToSchema, Default)]
#[serde(rename_all = "camelCase")]
pub struct Since {
    /// Every text that it had, the first one first; with an edit only
    #[serde(skip_serializing_if = "Vec::is_empty")]
    texts: Vec<Text>,
    /// What each person's reaction is now
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<Reacted>,
    /// Of a poll: its answers in their order, and who chose them; the last vote of each counts
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

impl Since {
    /// `changes` are a message's changes, oldest first.
    pub fn of(message: &MessageRow, changes: &[MessageRow]) -> Self {
        let mut it = Self::default();
        let mut votes: Vec<(Person, Vec<String>)> = Vec::new();
        for change in changes.iter().filter(|change| change.status != Status::Failed) {
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
                Body::Edit(_) if who.is(&Person::of(message)) => {
                    it.texts.push(Text { message: change.body.clone(), at });
                }
                _ => {}
            }
        }
        if !it.texts.is_empty() {
            let first = message.original.clone().unwrap_or_else(|| message.body.clone());
            it.texts.insert(0, Text { message: first, at: message.created_at.iso() });
        }
        if let Ok(Some(Body::Poll(poll))) = message.said().map(|said| said.map(|content| content.body)) {
            it.answers = tally(poll, &votes);
        }
        it
    }
}

/// When the change was made: by its phone's clock, where it came from one.
fn moment(change: &MessageRow) -> At {
    change.sent_at.unwrap_or(change.created_at)
}

fn tally(poll: Poll, votes: &[(Person, Vec<String>)]) -> Vec<Answer> {
    let answers = poll.options.into_iter().map(|option| {
        let of_it = votes.iter().filter(|(_, chosen)| chosen.contains(&option));
        let voters: Vec<Person> = of_it.map(|(who, _)| who.clone()).collect();
        Answer { option, count: voters.len(), voters }
    });
    answers.collect()
}
