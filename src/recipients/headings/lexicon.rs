//! Words of many languages, and what they mean; a heading is taken apart into them.
//!
//! Upper and lower case, accents, punctuation, the two ways of Unicode to write one letter, and how words
//! are joined (`phoneNumber`, `phone_number`, `Telefonnummer`, `手机号码`) make no difference.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The longest heading that is taken apart, in bytes. Some are whole questions.
const HEADING_MAX: usize = 300;
/// The longest phrase, in words.
const PHRASE_MAX: usize = 4;
/// The shortest word that is looked for within another, in characters, where a script parts words by spaces.
const PART_MIN: usize = 3;
/// Shorter ones that end a word: `phoneno`, `TelNr`.
const ENDINGS: [&str; 4] = ["no", "nr", "hp", "wa"];

/// Words that lose their end before a vowel.
const ELIDED: [&str; 6] = ["l", "d", "dell", "all", "nell", "sull"];

/// What words mean.
pub struct Lexicon<S> {
    words: HashMap<String, S>,
    /// Words that others are made of by what follows: `telefon*`.
    stems: Vec<(String, S)>,
}

impl<S: Copy> Lexicon<S> {
    /// Of lines of words, parted by spaces. `_` is a space within a phrase, and `*` is any ending.
    pub fn new(lines: &[(S, &str)]) -> Self {
        let mut made = Self { words: HashMap::new(), stems: Vec::new() };
        for (sense, line) in lines {
            for word in line.split_whitespace() {
                match word.strip_suffix('*') {
                    Some(stem) => made.stems.push((words(stem).concat(), *sense)),
                    None => drop(made.words.insert(words(&word.replace('_', " ")).join(" "), *sense)),
                }
            }
        }
        made
    }

    /// The senses of a heading's words in order; `None` of a word that is in no line. Numbers and single
    /// letters have no sense of their own.
    pub fn senses(&self, words: &[String]) -> Vec<Option<S>> {
        let mut senses = Vec::new();
        let mut rest = words;
        while let Some(first) = rest.first() {
            let longest = PHRASE_MAX.min(rest.len());
            let phrase = (2..=longest)
                .rev()
                .find_map(|len| Some((len, Some(*self.words.get(&rest[..len].join(" "))?))));
            let (len, sense) = phrase.unwrap_or((1, self.words.get(first).copied()));
            match sense {
                Some(sense) => senses.push(Some(sense)),
                None if first.chars().all(char::is_numeric) => {}
                None if first.is_ascii() && first.len() == 1 => {}
                None => match self.parts(first) {
                    Some(parts) => senses.extend(parts),
                    None => senses.push(self.by_stem(first)),
                },
            }
            rest = &rest[len..];
        }
        senses
    }

    /// The sense of a whole phrase, as [`words`] are joined by spaces.
    pub fn phrase(&self, phrase: &str) -> Option<S> {
        self.words.get(phrase).copied()
    }

    fn by_stem(&self, word: &str) -> Option<S> {
        self.stems.iter().find(|(stem, _)| word.starts_with(stem.as_str())).map(|(_, sense)| *sense)
    }

    /// A word that others are joined to.
    fn parts(&self, word: &str) -> Option<Vec<Option<S>>> {
        let is_spaced = !word.chars().any(is_of_an_unspaced_script);
        let mut parts = Vec::new();
        let mut rest = word;
        while let Some(first) = rest.chars().next() {
            let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
            let part = ends.rev().find_map(|end| {
                let part = &rest[..end];
                let is_long = !is_spaced
                    || part.chars().count() >= PART_MIN
                    || (end == rest.len() && !parts.is_empty() && ENDINGS.contains(&part));
                self.words.get(part).filter(|_| is_long).map(|sense| (end, *sense))
            });
            match part {
                Some((end, sense)) => {
                    parts.push(Some(sense));
                    rest = &rest[end..];
                }
                None if is_spaced => return None,
                None => {
                    if !matches!(parts.last(), Some(None)) {
                        parts.push(None);
                    }
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        Some(parts)
    }
}

/// Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese: words stand beside each other, or take endings.
fn is_of_an_unspaced_script(c: char) -> bool {
    matches!(u32::from(c),
        0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x1100..=0x11ff | 0x3040..=0x30ff | 0x3130..=0x318f | 0x3400..=0x9fff | 0xac00..=0xd7af)
}

/// A heading's words, folded.
pub fn words(heading: &str) -> Vec<String> {
    let heading = &heading[..heading.floor_char_boundary(HEADING_MAX)];
    let mut folded = String::with_capacity(heading.len() + 8);
    let mut last = ' ';
    for c in heading.chars() {
        // phoneNumber, Phone1.
        let is_seam = (last.is_lowercase() && c.is_uppercase())
            || (last.is_alphabetic() && c.is_numeric())
            || (last.is_numeric() && c.is_alphabetic());
        if is_seam && !is_of_an_unspaced_script(c) {
            folded.push(' ');
        }
        last = c;
        // `l'assistant`: an article, and no ending.
        let is_elided =
            matches!(c, '\'' | '’') && folded.rsplit(' ').next().is_some_and(|word| ELIDED.contains(&word));
        if is_elided {
            folded.push(' ');
        }
        std::iter::once(c).nfkd().filter(|c| !is_combining_mark(*c)).for_each(|c| fold(c, &mut folded));
    }
    folded.split_whitespace().map(without_article).map(str::to_owned).collect()
}

fn fold(c: char, into: &mut String) {
    match c {
        // Nobody sees them, and they stand within words.
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{640}' => {}
        // `Assistant's`
        '\'' | '’' | 'ʼ' | '`' => {}
        'ı' => into.push('i'),
        'ß' => into.push_str("ss"),
        'ø' | 'Ø' => into.push('o'),
        'đ' | 'Đ' => into.push('d'),
        'ł' | 'Ł' => into.push('l'),
        'æ' | 'Æ' => into.push_str("ae"),
        // Persian and Arabic keyboards have letters of their own for one sound.
        'ى' | 'ی' => into.push('ي'),
        'ک' => into.push('ك'),
        'ة' | 'ھ' | 'ہ' => into.push('ه'),
        'ς' => into.push('σ'),
        c if c.is_alphanumeric() => into.extend(c.to_lowercase()),
        _ => into.push(' '),
    }
}

/// Arabic joins its article to the word.
fn without_article(word: &str) -> &str {
    word.strip_prefix("ال").filter(|rest| rest.chars().count() >= 3).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_falls_into_words_however_it_is_written() {
        for (heading, parts) in [
            ("Phone 1 - Value", "phone 1 value"),
            ("phoneNumber", "phone number"),
            ("BILLING_PHONE", "billing phone"),
            ("Te\u{301}le\u{301}phone", "telephone"),
            ("Téléphone", "telephone"),
            ("№ телефона", "no телефона"),
            ("Ｐｈｏｎｅ", "phone"),
            ("رقم الهاتف", "رقم هاتف"),
            ("شماره\u{200c}تلفن", "شمارهتلفن"),
            ("ADI", "adi"),
            ("Adı", "adi"),
            ("İsim", "isim"),
            ("Assistant's Phone", "assistants phone"),
            ("Phone1", "phone 1"),
            ("Téléphone de l'assistant", "telephone de l assistant"),
        ] {
            assert_eq!(words(heading).join(" "), parts, "{heading}");
        }
        assert!(words(&"é".repeat(1_000)).concat().len() <= HEADING_MAX);
    }

    #[test]
    fn words_that_are_joined_are_found_within() {
        let lexicon =
            Lexicon::new(&[('p', "phone telefon* 手机"), ('n', "number no nummer 号码"), ('f', "a_b")]);
        let of = |heading: &str| lexicon.senses(&words(heading));
        assert_eq!(of("phonenumber"), [Some('p'), Some('n')]);
        assert_eq!(of("PHONENO"), [Some('p'), Some('n')]);
        assert_eq!(of("Telefonu"), [Some('p')]);
        assert_eq!(of("客户手机号码"), [None, Some('p'), Some('n')]);
        assert_eq!(of("a b 2"), [Some('f')]);
        assert_eq!(of("phonecase"), [None]);
    }
}
