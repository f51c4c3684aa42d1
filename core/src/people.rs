//! People around messages: how they are named, and what is heard of them. Pure.

use serde::Serialize;

use crate::clock::At;
use crate::phone::Phone;

/// Somebody, by the names that WhatsApp gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Who {
    pub phone: Option<Phone>,
    /// The digits of a LID.
    pub lid: Option<String>,
}

impl Who {
    /// Of whom only the number is known.
    pub fn of(phone: &Phone) -> Self {
        Self { phone: Some(phone.clone()), lid: None }
    }

    /// Every name, as `contacts` keeps them; the one that stays the same once it is known comes first.
    pub fn aliases(&self) -> Vec<String> {
        let phone = self.phone.iter().map(|phone| format!("p:{}", phone.digits()));
        phone.chain(self.lid.iter().map(|lid| format!("l:{lid}"))).collect()
    }

    /// The one conversation with them, however its messages are addressed.
    pub fn chat(&self) -> Option<String> {
        match (&self.phone, &self.lid) {
            (Some(phone), _) => Some(format!("{}@s.whatsapp.net", phone.digits())),
            (None, Some(lid)) => Some(format!("{lid}@lid")),
            (None, None) => None,
        }
    }
}

/// The conversation that a message in `chat` belongs to, where the other party's number is known.
pub fn chat_of(chat: &str, phone: Option<&str>) -> String {
    match phone {
        Some(phone) if is_person(chat) => format!("{phone}@s.whatsapp.net"),
        _ => chat.to_owned(),
    }
}

/// Is this the JID of one person?
pub fn is_person(jid: &str) -> bool {
    jid.ends_with("@s.whatsapp.net") || jid.ends_with("@lid")
}

/// What somebody does in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Typing {
    Composing,
    Recording,
    Paused,
}

impl Typing {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Composing => "composing",
            Self::Recording => "recording",
            Self::Paused => "paused",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "composing" => Self::Composing,
            "recording" => Self::Recording,
            "paused" => Self::Paused,
            _ => return None,
        })
    }
}

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    Available,
    Unavailable,
}

impl Presence {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What is heard of people, beside their messages.
#[derive(Debug, Clone)]
pub enum News {
    /// The phone's owner saved somebody, or renamed them.
    Saved {
        who: Who,
        full_name: Option<String>,
        first_name: Option<String>,
    },
    /// Something of a chat is so now.
    Chat {
        who: Option<Who>,
        chat: String,
        change: ChatChange,
    },
    /// The messages of a chat disappear after so many seconds from now on; 0 is never.
    Disappears {
        who: Option<Who>,
        chat: String,
        seconds: u32,
    },
    /// The owner read these messages.
    Read {
        wa_ids: Vec<String>,
    },
    /// The owner read a chat, up to then.
    ChatReadUntil {
        who: Option<Who>,
        chat: String,
        at: At,
    },
    /// And so many of a chat's, these among them; what came meanwhile is not.
    ChatRead {
        chat: String,
        unread: i64,
        wa_ids: Vec<String>,
    },
    /// Another number is linked from here on: what was kept of the one before is nobody's.
    NumberChanged,
    Called(Call),
    Presence {
        who: Who,
        presence: Presence,
        last_seen: Option<At>,
    },
    /// Who does it, and in which chat.
    Typing {
        who: Who,
        chat: String,
        is_group: bool,
        typing: Typing,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatChange {
    Archived(bool),
    Pinned(bool),
    /// Until then; -1 is for good, 0 is not any more.
    MutedUntil(i64),
}

/// Somebody rings, or rang while this session was away.
#[derive(Debug, Clone)]
pub struct Call {
    pub id: String,
    pub who: Who,
    /// The caller's JID.
    pub from: String,
    pub is_video: bool,
    /// The group's JID.
    pub group: Option<String>,
    pub is_missed: bool,
    pub at: At,
}

/// The longest that somebody is shown typing before a message, in milliseconds: a caller waits for it.
pub const TYPING_MAX_MS: i64 = 20_000;
/// The least and the most that a person is taken to need.
const NATURAL_MS: std::ops::RangeInclusive<i64> = 800..=8_000;
/// Some 250 characters a minute, which is a good typist on a phone.
const MS_PER_CHARACTER: i64 = 60;

/// How long a person would type this many characters; `chance` is a per mille, which spreads it by a third.
pub fn typing_ms(characters: usize, chance: u16) -> i64 {
    let characters = i64::try_from(characters).unwrap_or(i64::MAX);
    let whole = characters.saturating_mul(MS_PER_CHARACTER).clamp(*NATURAL_MS.start(), *NATURAL_MS.end());
    whole - whole / 3 * i64::from(chance.min(1_000)) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(phone: Option<&str>, lid: Option<&str>) -> Who {
        Who { phone: phone.map(|digits| Phone::parse(digits, None).unwrap()), lid: lid.map(str::to_owned) }
    }

    #[test]
    fn a_person_has_one_chat_and_a_name_for_each_of_its_ids() {
        let both = who(Some("5511900000001"), Some("123"));
        assert_eq!(both.aliases(), ["p:5511900000001", "l:123"]);
        assert_eq!(both.chat().as_deref(), Some("5511900000001@s.whatsapp.net"));
        assert_eq!(who(None, Some("123")).chat().as_deref(), Some("123@lid"));
        assert_eq!(who(None, None).chat(), None);
        assert_eq!(chat_of("123@lid", Some("5511900000001")), "5511900000001@s.whatsapp.net");
        assert_eq!(chat_of("123@lid", None), "123@lid");
        assert_eq!(chat_of("120363@g.us", Some("5511900000001")), "120363@g.us");
    }

    #[test]
    fn typing_takes_a_natural_time() {
        assert_eq!(typing_ms(0, 0), 800);
        assert_eq!(typing_ms(50, 0), 3_000);
        assert_eq!(typing_ms(usize::MAX, 0), 8_000);
        assert_eq!(typing_ms(50, 1_000), 2_000);
        assert!((2_000..=3_000).contains(&typing_ms(50, 400)));
    }
}
