//! What a link can ask and tell of people, in plain words.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::Notify;
use wapid_core::clock::At;
use wapid_core::people::{Presence, Typing};

/// Somebody's number, looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// `None` where WhatsApp could not say.
    pub exists: Option<bool>,
    /// Their address, which may be spelled otherwise than the number that was asked about.
    pub jid: Option<String>,
    pub lid: Option<String>,
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
    pub phone: Option<String>,
    pub lid: Option<String>,
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
    /// WhatsApp's own code.
    #[error("WhatsApp refused it with code {code}")]
    Refused { code: u16 },
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Internal(String),
}

/// Whom a link remembers at most.
const REMEMBERED_MAX: usize = 10_000;

/// Who was seen, by their chat. It lasts as long as the link.
#[derive(Default)]
pub struct Sightings {
    seen: Mutex<HashMap<String, LastSeen>>,
    changed: Notify,
}

impl Sightings {
    pub fn of(&self, chat: &str) -> Option<LastSeen> {
        self.seen.lock().get(chat).copied()
    }

    /// Says whether it was news.
    pub fn note(&self, chat: &str, by: impl FnOnce(&mut LastSeen)) -> bool {
        let mut seen = self.seen.lock();
        if seen.len() >= REMEMBERED_MAX && !seen.contains_key(chat) {
            seen.clear();
        }
        let one = seen.entry(chat.to_owned()).or_default();
        let before = *one;
        by(one);
        let is_news = *one != before;
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
        let here = |one: &mut LastSeen| one.presence = Some(Presence::Available);
        assert!(seen.note("a", here));
        assert!(!seen.note("a", here));
        assert!(seen.note("a", |one| one.typing = Some(Typing::Composing)));
        assert_eq!(seen.known("a").await.typing, Some(Typing::Composing));
        assert_eq!(seen.of("b"), None);
    }
}
