//! Who is not written to any more, and by which words people say so. Pure.

use serde::{Deserialize, Serialize};

use crate::pacing::Windows;
use crate::phone::Phone;

/// Longer messages are not looked at: a word to stop is a word.
const WORD_MAX: usize = 64;
/// The most words in a list.
pub const WORDS_MAX: usize = 50;

/// Words that stop bulk messages where a tenant names none: English, Portuguese, Spanish, French, German.
const STOP: [&str; 10] = [
    "stop",
    "unsubscribe",
    "optout",
    "sair",
    "parar",
    "cancelar inscrição",
    "baja",
    "detener",
    "désabonner",
    "abmelden",
];
/// And words that take it back.
const START: [&str; 4] = ["start", "unstop", "voltar", "alta"];

/// What a tenant wants of its bulk messages, per mode.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Of numbers that are written without a country code: ISO 3166, such as `BR`.
    pub default_country: Option<String>,
    /// Where a job names none.
    pub windows: Windows,
    /// `None`: our own list. Empty: nobody can opt out by a message.
    pub stop_words: Option<Vec<String>>,
    pub start_words: Option<Vec<String>>,
    /// What somebody who opts out by a message is told, once.
    pub confirmation: Option<String>,
    /// Single sends are refused too, and not jobs alone.
    pub applies_to_all: bool,
}

/// What a message says of being written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Stop,
    Start,
}

/// Who put a number on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Source {
    Api,
    Message,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Message => "message",
        }
    }
}

/// A number on the list.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OptOut {
    pub phone: Phone,
    pub source: Source,
    pub created_at: crate::clock::At,
}

/// Could this be a wish at all? Saves looking up whose words count.
pub fn may_be_wish(body: &str) -> bool {
    !body.is_empty() && body.len() <= WORD_MAX
}

impl Settings {
    /// The whole message must be the word: "please stop by at noon" is no wish. Case, surrounding
    /// spaces and punctuation do not matter.
    pub fn wish(&self, body: &str) -> Option<Wish> {
        let said = plain(body);
        if said.is_empty() || !may_be_wish(body) {
            return None;
        }
        let among = |own: &Option<Vec<String>>, ours: &[&str]| match own {
            Some(words) => words.iter().any(|word| plain(word) == said),
            None => ours.iter().any(|word| plain(word) == said),
        };
        if among(&self.stop_words, &STOP) {
            Some(Wish::Stop)
        } else if among(&self.start_words, &START) {
            Some(Wish::Start)
        } else {
            None
        }
    }
}

/// Our own list, for those who ask what it is.
pub fn stop_words() -> Vec<String> {
    STOP.map(str::to_owned).to_vec()
}

pub fn start_words() -> Vec<String> {
    START.map(str::to_owned).to_vec()
}

fn plain(text: &str) -> String {
    text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_the_whole_message() {
        let settings = Settings::default();
        for stop in ["STOP", " stop. ", "Sair!", "*stop*", "SAIR", "Désabonner"] {
            assert_eq!(settings.wish(stop), Some(Wish::Stop), "{stop}");
        }
        for other in ["", "  ", "please stop by at noon", "stopp", "👍", "..."] {
            assert_eq!(settings.wish(other), None, "{other}");
        }
        assert_eq!(settings.wish("Start"), Some(Wish::Start));
    }

    #[test]
    fn a_tenants_own_words_replace_ours() {
        let settings = Settings { stop_words: Some(vec!["Chega!".into()]), ..Settings::default() };
        assert_eq!(settings.wish("chega"), Some(Wish::Stop));
        assert_eq!(settings.wish("stop"), None);
        let none = Settings { stop_words: Some(vec![]), ..Settings::default() };
        assert_eq!(none.wish("stop"), None);
    }
}
