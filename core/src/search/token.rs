//! Where words begin and end.

use std::ops::Range;

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory as _};

use super::Term;

/// Digits that are written in groups are one number if there are so many: E.164 has at most 15.
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;
/// The most signs between two groups of it: `+55 (11) 90000-0001`.
const BETWEEN_GROUPS: usize = 3;

/// A piece of a folded text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Letters and digits.
    Word(String),
    /// Of a script that has no spaces between its words.
    Run(Vec<char>),
    /// An emoji, or another symbol.
    Sign(char),
}

impl Token {
    /// Every term by which it can be found: a run by its pairs, and its last character stands for all
    /// that could follow.
    pub(super) fn terms(&self) -> Vec<Term> {
        match self {
            Self::Word(word) => vec![Term::word(word.chars())],
            Self::Sign(sign) => vec![Term::word(std::iter::once(*sign))],
            Self::Run(run) => {
                let mut terms: Vec<_> = pairs(run).collect();
                terms.extend(run.last().map(|last| Term::word(std::iter::once(*last))));
                terms
            }
        }
    }
}

pub(super) fn pairs(run: &[char]) -> impl Iterator<Item = Term> {
    run.windows(2).map(|pair| Term::word(pair.iter().copied()))
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Class {
    Letter,
    Unspaced,
    Sign,
    Between,
}

fn class(letter: char) -> Class {
    if letter.is_ascii_alphanumeric() {
        return Class::Letter;
    }
    match letter {
        // Thai, Lao; Myanmar; Khmer; kana, CJK, Hangul; Hangul's letters; CJK beyond the first plane.
        '\u{e00}'..='\u{e3e}'
        | '\u{e40}'..='\u{e4f}'
        | '\u{e81}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17d3}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3041}'..='\u{30ff}'
        | '\u{3105}'..='\u{31bf}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7fb}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}'
            if is_part_of_a_word(letter) =>
        {
            Class::Unspaced
        }
        _ if is_part_of_a_word(letter) => Class::Letter,
        _ if letter.general_category() == GeneralCategory::OtherSymbol => Class::Sign,
        _ => Class::Between,
    }
}

fn is_part_of_a_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter.general_category_group() == GeneralCategoryGroup::Mark
}

/// The words of a folded text, in order.
pub(super) fn tokens(folded: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut before = Class::Between;
    for letter in folded.chars() {
        let class = class(letter);
        match (class, tokens.last_mut()) {
            (Class::Between, _) => {}
            (Class::Letter, Some(Token::Word(word))) if before == class => word.push(letter),
            (Class::Unspaced, Some(Token::Run(run))) if before == class => run.push(letter),
            (Class::Letter, _) => tokens.push(Token::Word(letter.to_string())),
            (Class::Unspaced, _) => tokens.push(Token::Run(vec![letter])),
            (Class::Sign, _) => tokens.push(Token::Sign(letter)),
        }
        before = class;
    }
    tokens
}

/// A number that is written in groups, such as one of a phone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Grouped {
    /// Where in the text.
    pub place: Range<usize>,
    pub digits: String,
}

/// The numbers in a folded text that are written in more groups than one.
pub(super) fn grouped_numbers(folded: &str) -> Vec<Grouped> {
    let mut found = Vec::new();
    let mut current: Option<(Grouped, usize)> = None;
    let mut between = 0;
    let mut before = ' ';
    let mut close = |current: &mut Option<(Grouped, usize)>| {
        if let Some((number, groups)) = current.take()
            && groups > 1
            && NUMBER_DIGITS.contains(&number.digits.len())
        {
            found.push(number);
        }
    };
    for (at, letter) in folded.char_indices() {
        if letter.is_ascii_digit() {
            match &mut current {
                Some((number, groups)) => {
                    *groups += usize::from(between > 0);
                    number.digits.push(letter);
                    number.place.end = at + 1;
                }
                // A digit within a word begins no number.
                None if class(before) == Class::Letter => {}
                None => {
                    let number = Grouped { place: at..at + 1, digits: letter.to_string() };
                    current = Some((number, 1));
                }
            }
            between = 0;
        } else if matches!(letter, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}')
            && between < BETWEEN_GROUPS
        {
            between += 1;
        } else {
            // Nor does one end in a word.
            if between == 0 && class(letter) == Class::Letter {
                current = None;
            }
            close(&mut current);
            between = 0;
        }
        before = letter;
    }
    close(&mut current);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::fold::fold;

    fn words(text: &str) -> Vec<String> {
        let terms = tokens(&fold(text)).iter().flat_map(Token::terms).collect::<Vec<_>>();
        terms.iter().map(|term| term.text().to_owned()).collect()
    }

    #[test]
    fn a_word_is_letters_and_digits() {
        assert_eq!(
            words("Don't pay R$ 10,50 to x_y@z.com!"),
            "don t pay r 10 50 to x y z com".split(' ').collect::<Vec<_>>()
        );
        assert_eq!(words("किताब पढ़ो"), ["किताब", fold("पढ़ो").as_str()]);
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_pairs() {
        assert_eq!(words("東京都"), ["東京", "京都", "都"]);
        assert_eq!(words("iPhone手机 ok"), ["iphone", "手机", "机", "ok"]);
        assert_eq!(words("ไทย"), ["ไท", "ทย", "ย"]);
        assert_eq!(words("학교"), ["학교", "교"]);
    }

    #[test]
    fn an_emoji_is_a_word_whatever_its_skin() {
        assert_eq!(words("ok👍🏽 ❤️❤"), ["ok", "👍", "❤", "❤"]);
        assert_eq!(words("🇧🇷"), ["🇧", "🇷"]);
        assert_eq!(words("?! …"), Vec::<String>::new());
    }

    #[test]
    fn a_number_in_groups_is_one() {
        let numbers = |text: &str| {
            grouped_numbers(&fold(text)).into_iter().map(|number| number.digits).collect::<Vec<_>>()
        };
        assert_eq!(numbers("call +55 (11) 90000-0001 or 11 91111.2222"), ["5511900000001", "11911112222"]);
        assert_eq!(numbers("5511900000001"), Vec::<String>::new(), "that is a word as it is");
        assert_eq!(numbers("a1 234 5678"), ["2345678"], "a1 is no number");
        assert_eq!(numbers("234 5678b"), Vec::<String>::new());
        assert_eq!(numbers("1, 2, 3, 4, 5, 6, 7"), Vec::<String>::new());
        assert_eq!(numbers("1234 1234 1234 1234 1234"), Vec::<String>::new(), "too long for a phone's");
    }
}
