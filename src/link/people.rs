//! What a link can ask and tell of people, in plain words.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use wapid_core::clock::At;
use wapid_core::people::{Presence, Typing, Who};

/// What WhatsApp says of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// Somebody, by the names of their account: at least one. Its number may be spelled otherwise than the one
    /// that was asked about, and it may show none at all.
    Account(Who),
    /// Nobody has it, or nobody whom messages could be written to.
    Nobody,
    /// WhatsApp could not say.
    Unclear,
}

/// What WhatsApp shows of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    pub lid: Option<String>,
    pub about: Option<String>,
    pub has_picture: bool,
    pub is_business: bool,
    /// Of a business.
    pub verified_name: Option<String>,
}

/// A profile picture, where WhatsApp keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub id: String,
    pub url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureSize {
    Preview,
    Full,
}

/// Somebody on the block list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    pub who: Who,
    pub since: Option<At>,
}

/// What was last heard of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastSeen {
    pub presence: Option<Presence>,
    pub last_seen: Option<At>,
    pub typing: Option<Typing>,
}

/// Why WhatsApp did not do, or say, what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskFailure {
    #[error("the connection was lost before WhatsApp answered")]
    Lost,
    #[error("WhatsApp did not answer in time")]
    TimedOut,
    /// WhatsApp's own code, and for how many seconds it wants to be left alone, where it says.
    #[error("WhatsApp refused it with code {code}")]
    Refused { code: u16, backoff_s: Option<u32> },
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Internal(String),
}

/// Whom a link remembers at most.
const REMEMBERED_MAX: usize = 10_000;
/// Who types says so every few seconds, and may go without a word that they stopped; after this much silence
/// they have. As long as WhatsApp shows it (Cloud API reference, "Typing indicators").
const TYPING_LASTS: Duration = Duration::from_secs(25);

/// Who was seen, by their chat. It lasts as long as the link.
#[derive(Default)]
pub struct Sightings {
    seen: Mutex<HashMap<String, Sighting>>,
    changed: Notify,
}

#[derive(Default)]
struct Sighting {
    presence: Option<Presence>,
    last_seen: Option<At>,
    typing: Option<(Typing, Instant)>,
}

impl Sighting {
    fn at(&self, now: Instant) -> LastSeen {
        let typing = self.typing.filter(|(_, since)| now.duration_since(*since) < TYPING_LASTS);
        LastSeen {
            presence: self.presence,
            last_seen: self.last_seen,
            typing: typing.map(|(typing, _)| typing),
        }
    }

    fn is_there(&mut self, presence: Presence, last_seen: Option<At>) {
        self.presence = Some(presence);
        self.last_seen = last_seen.or(self.last_seen);
        if presence == Presence::Unavailable {
            self.typing = None;
        }
    }

    fn types(&mut self, typing: Typing, now: Instant) {
        self.typing = Some((typing, now));
    }
}

impl Sightings {
    pub fn of(&self, chat: &str) -> Option<LastSeen> {
        self.seen.lock().get(chat).map(|one| one.at(Instant::now()))
    }

    /// Notes that somebody came or went. Says whether it was news.
    pub fn note_presence(&self, chat: &str, presence: Presence, last_seen: Option<At>) -> bool {
        self.note(chat, |one, _| one.is_there(presence, last_seen))
    }

    /// Notes what somebody does in a chat. Says whether it was news.
    pub fn note_typing(&self, chat: &str, typing: Typing) -> bool {
        self.note(chat, |one, now| one.types(typing, now))
    }

    fn note(&self, chat: &str, change: impl FnOnce(&mut Sighting, Instant)) -> bool {
        let now = Instant::now();
        let mut seen = self.seen.lock();
        if seen.len() >= REMEMBERED_MAX && !seen.contains_key(chat) {
            seen.clear();
        }
        let one = seen.entry(chat.to_owned()).or_default();
        let before = one.at(now);
        change(one, now);
        let is_news = one.at(now) != before;
        drop(seen);
        self.changed.notify_waiters();
        is_news
    }

    /// Waits until somebody's presence is known.
    pub async fn known(&self, chat: &str) -> LastSeen {
        loop {
            let changed = self.changed.notified();
            if let Some(seen) = self.of(chat).filter(|seen| seen.presence.is_some()) {
                return seen;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sighting_is_news_once() {
        let seen = Sightings::default();
        assert!(seen.note_presence("a", Presence::Available, None));
        assert!(!seen.note_presence("a", Presence::Available, None));
        assert!(seen.note_typing("a", Typing::Composing));
        assert_eq!(seen.known("a").await.typing, Some(Typing::Composing));
        assert_eq!(seen.of("b"), None);
    }

    #[test]
    fn who_says_nothing_more_does_not_type_for_ever() {
        let (mut seen, began) = (Sighting::default(), Instant::now());
        seen.types(Typing::Composing, began);
        let again = began + TYPING_LASTS * 3 / 4;
        seen.types(Typing::Composing, again);
        assert_eq!(seen.at(began + TYPING_LASTS).typing, Some(Typing::Composing));
        assert_eq!(seen.at(again + TYPING_LASTS).typing, None);
    }
}
