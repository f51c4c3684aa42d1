//! How a message is compared with the words to stop: what is left of it when it is plain. Pure.
//!
//! The whole message must be the word or the sentence. Case, accents, width, punctuation, emoji, invisible
//! marks, letters that are held down (`STOOOP`), a word said twice, and courtesies around it do not count.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

use super::sentences::{SPACED, UNSPACED};
use super::words::{COURTESIES, OBJECTS, SIGNATURES, START, STOP, STOP_ALONE, STOP_CAPITALS, STOP_EXACT};
use crate::search::fold;

/// A message as it is compared.
pub(super) struct Heard {
    words: Vec<String>,
    /// With its accents.
    exact: String,
    /// All that can be seen, for words without a letter.
    signs: String,
}

/// A list of ours, by what its words are compared as.
type Words = LazyLock<HashSet<String>>;

static CLEAR: Words = LazyLock::new(|| STOP.iter().map(|word| joined(&words(&fold(word)))).collect());
static ALONE: Words = LazyLock::new(|| STOP_ALONE.iter().map(|word| joined(&words(&fold(word)))).collect());
static AGAIN: Words = LazyLock::new(|| START.iter().map(|word| joined(&words(&fold(word)))).collect());
static POLITE: Words = LazyLock::new(|| COURTESIES.iter().map(|word| joined(&words(&fold(word)))).collect());
static OF: Words = LazyLock::new(|| OBJECTS.iter().map(|word| joined(&words(&fold(word)))).collect());
static SIGNED: LazyLock<Vec<String>> =
    LazyLock::new(|| SIGNATURES.iter().map(|begin| words(&fold(begin)).join(" ")).collect());
/// Of a courtesy: `s'il vous plaît`.
const COURTESY_WORDS: usize = 4;

impl Heard {
    pub(super) fn of(body: &str) -> Self {
        let body = without_signature(body);
        let exact: String = body.nfkc().flat_map(char::to_lowercase).nfc().collect();
        Self {
            words: said_once(words(&fold(body)).iter().map(|word| let_go(&with_letters(word))).collect()),
            exact: words(&exact).join(" "),
            signs: body.chars().filter(|c| !c.is_whitespace() && !is_unseen(*c)).collect(),
        }
    }

    /// One of our own words or sentences to stop.
    pub(super) fn is_stop(&self) -> bool {
        let whole = joined(&self.words);
        // China's word is two letters of our alphabet, which mean other things in small ones.
        if STOP_CAPITALS.contains(&self.signs.trim_matches(|c: char| !c.is_alphanumeric())) {
            return true;
        }
        if CLEAR.contains(&whole) || ALONE.contains(&whole) || STOP_EXACT.contains(&self.exact.as_str()) {
            return true;
        }
        let bare = said_once(without(&self.words, |word| POLITE.contains(word)));
        if bare.is_empty() {
            return false;
        }
        let is_sentence =
            |words: &[String]| SPACED.is_match(&words.join(" ")) || UNSPACED.is_match(&joined(words));
        CLEAR.contains(&joined(&bare)) || is_sentence(&bare) || is_sentence(&self.words) || {
            let word = without(&bare, |word| POLITE.contains(word) || OF.contains(word));
            CLEAR.contains(&joined(&said_once(word)))
        }
    }

    /// One of our own words to begin again.
    pub(super) fn is_start(&self) -> bool {
        AGAIN.contains(&joined(&self.words))
            || AGAIN.contains(&joined(&without(&self.words, |word| POLITE.contains(word))))
    }

    /// One of a tenant's words, also beside a courtesy.
    pub(super) fn is_one_of(&self, own: &[String]) -> bool {
        let (whole, bare) =
            (joined(&self.words), joined(&without(&self.words, |word| POLITE.contains(word))));
        own.iter().any(|word| {
            let other = Self::of(word);
            let plain = joined(&other.words);
            // A word without a letter is its signs: 🛑.
            if plain.is_empty() {
                !other.signs.is_empty() && other.signs == self.signs
            } else {
                plain == whole || plain == bare
            }
        })
    }
}

/// Letters, digits and the marks on them; all else parts words.
fn words(text: &str) -> Vec<String> {
    let is_of_a_word =
        |c: char| c.is_alphanumeric() || c.general_category_group() == GeneralCategoryGroup::Mark;
    let parts = text.split(|c: char| !is_of_a_word(c));
    parts.filter(|word| word.chars().any(char::is_alphanumeric)).map(str::to_owned).collect()
}

/// So that `opt out`, `opt-out` and `OPTOUT` are one.
fn joined(words: &[String]) -> String {
    words.concat()
}

/// `ST0P`: a nought between letters is an O.
fn with_letters(word: &str) -> String {
    let is_typed_for_o = word.chars().filter(char::is_ascii_alphabetic).count() > 1
        && !word.contains(|c: char| matches!(c, '1'..='9'));
    if is_typed_for_o { word.replace('0', "o") } else { word.to_owned() }
}

/// A message without what a telephone or a mail program puts below it.
fn without_signature(body: &str) -> &str {
    let mut place = 0;
    for line in body.split_inclusive('\n') {
        let plain = words(&fold(line)).join(" ");
        let is_signature =
            line.trim_end() == "--" || SIGNED.iter().any(|begin| plain.starts_with(begin.as_str()));
        if place > 0 && is_signature {
            return &body[..place];
        }
        place += line.len();
    }
    body
}

/// `STOOOOP`: no word has three of a letter in a row.
fn let_go(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let mut kept = String::with_capacity(word.len());
    let mut from = 0;
    while from < letters.len() {
        let run = letters[from..].iter().take_while(|letter| **letter == letters[from]).count();
        let is_held = run > 2 && letters[from].is_alphabetic();
        kept.extend(std::iter::repeat_n(letters[from], if is_held { 1 } else { run }));
        from += run;
    }
    kept
}

/// `Stop stop stop`
fn said_once(mut words: Vec<String>) -> Vec<String> {
    if words.windows(2).all(|pair| pair[0] == pair[1]) {
        words.truncate(1);
    }
    words
}

/// What is left without words of a kind at either end.
fn without(words: &[String], is_kind: impl Fn(&str) -> bool) -> Vec<String> {
    let mut left = words;
    let (mut before, most) = (usize::MAX, COURTESY_WORDS);
    while before != left.len() {
        before = left.len();
        for count in (1..=most.min(left.len())).rev() {
            if is_kind(&joined(&left[left.len() - count..])) {
                left = &left[..left.len() - count];
                break;
            }
        }
        for count in (1..=most.min(left.len())).rev() {
            if is_kind(&joined(&left[..count])) {
                left = &left[count..];
                break;
            }
        }
    }
    left.to_vec()
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}
