//! Chats whose messages disappear, so that what is sent there disappears as well.
//!
//! WhatsApp leaves it to each sender to write the chat's timer on a message. It is heard with what others
//! write, with the message that sets it, and with news of groups; the store keeps it, and here is what a
//! running session needs at each send.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use wapid_core::id::SessionKey;
use wapid_core::people::{News, Who};
use wapid_core::phone::{Phone, Recipient};

/// Seconds by chat, of each session. Cheap to clone.
#[derive(Clone, Default)]
pub struct Timers(Arc<Mutex<HashMap<SessionKey, HashMap<String, u32>>>>);

impl Timers {
    /// What the store knows, where nothing newer was heard.
    pub fn load(&self, session: &SessionKey, known: impl Iterator<Item = (String, u32)>) {
        let mut all = self.0.lock();
        let chats = all.entry(session.clone()).or_default();
        for (chat, seconds) in known {
            chats.entry(chat).or_insert(seconds);
        }
    }

    /// The messages of a chat disappear after so many seconds from now on; 0 is never.
    pub fn note(&self, session: &SessionKey, chat: &str, seconds: u32) {
        self.0.lock().entry(session.clone()).or_default().insert(chat.to_owned(), seconds);
    }

    /// What news tell of chats.
    pub fn hear(&self, session: &SessionKey, news: &[News]) {
        for one in news {
            if let News::Disappears { who, chat, seconds } = one {
                let person = who.as_ref().and_then(Who::chat);
                for jid in person.iter().chain([chat]) {
                    self.note(session, jid, *seconds);
                }
            }
        }
    }

    /// A number is looked for in both of its spellings: whoever sends may know the other one.
    pub fn of(&self, session: &SessionKey, chat: &str) -> Option<u32> {
        let all = self.0.lock();
        let chats = all.get(session).filter(|chats| !chats.is_empty())?;
        let in_other_spelling = || {
            let phone = Phone::from_whatsapp(chat.strip_suffix("@s.whatsapp.net")?).ok()?;
            let spellings = phone.spellings().into_iter();
            spellings.map(|phone| Recipient::Person(phone).jid()).find_map(|jid| chats.get(&jid))
        };
        let seconds = *chats.get(chat).or_else(in_other_spelling)?;
        (seconds > 0).then_some(seconds)
    }

    /// The session ends here, and may go on elsewhere.
    pub fn forget(&self, session: &SessionKey) {
        self.0.lock().remove(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_counts_more_than_what_was_kept() {
        let (timers, session) = (Timers::default(), SessionKey("ses_1".into()));
        assert_eq!(timers.of(&session, "a"), None);
        timers.note(&session, "a", 0);
        timers.note(&session, "b", 86_400);
        timers.load(&session, ["a", "b", "c"].map(|chat| (chat.to_owned(), 604_800)).into_iter());
        assert_eq!(
            ["a", "b", "c"].map(|chat| timers.of(&session, chat)),
            [None, Some(86_400), Some(604_800)]
        );
        timers.forget(&session);
        assert_eq!(timers.of(&session, "b"), None);
    }
}
