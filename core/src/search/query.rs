//! What somebody types to find a message.

use super::fold::fold;
use super::token::{Token, grouped_numbers, pairs, tokens};
use super::{Term, WORD_MAX, spelling};
use crate::phone::Phone;

/// The most characters of a search.
pub const TYPED_MAX: usize = 256;
/// A last word so short is taken as it is: what begins with one letter is nearly everything.
const OPEN_MIN: usize = 2;
/// The least digits by whose end a number is found.
const ENDING_MIN: usize = 4;

/// A search: every clause of it must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    clauses: Vec<Clause>,
}

/// One way or another: of one alternative, every phrase must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    pub alternatives: Vec<Vec<Phrase>>,
}

/// Terms that stand side by side, in this order. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phrase {
    pub terms: Vec<Term>,
    /// The last term may go on: it is the beginning of a word.
    pub is_open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("at most {TYPED_MAX} characters")]
    TooLong,
}

impl Query {
    /// # Errors
    /// [`QueryError::TooLong`]. Whatever else is typed is a search.
    pub fn parse(typed: &str) -> Result<Self, QueryError> {
        if typed.chars().count() > TYPED_MAX {
            return Err(QueryError::TooLong);
        }
        let mut clauses = Vec::new();
        let mut parts = typed.split(['"', '“', '”', '„', '＂']).enumerate().peekable();
        while let Some((place, part)) = parts.next() {
            let is_last = parts.peek().is_none();
            let folded = fold(part);
            if place % 2 == 0 {
                loose(&folded, is_last, &mut clauses);
            } else if let Some(phrase) = phrase(&folded, is_last) {
                // Without its closing quote it is still being typed.
                clauses.push(Clause { alternatives: vec![vec![phrase]] });
            }
        }
        Ok(Self { clauses })
    }

    /// Nothing but punctuation: it finds nothing.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }
}

/// Words without quotes. `is_last`: nothing comes after them, so the last may go on.
fn loose(folded: &str, is_last: bool, clauses: &mut Vec<Clause>) {
    let mut at = 0;
    for number in grouped_numbers(folded) {
        words(&folded[at..number.place.start], false, clauses);
        at = number.place.end;
        // The last number of a search may go on, unless something was typed after it.
        let is_open = is_last && tokens(&folded[at..]).is_empty();
        let parts: Vec<&str> = folded[number.place].split_whitespace().collect();
        let last = parts.len() - 1;
        let as_typed = parts.iter().enumerate().filter_map(|(i, part)| phrase(part, is_open && i == last));
        let mut alternatives = vec![as_typed.collect()];
        alternatives.extend(whole_number(&number.digits, is_open));
        alternatives.extend(other_numbers(&number.digits));
        clauses.push(Clause { alternatives });
    }
    words(&folded[at..], is_last, clauses);
}

/// What stands between spaces, a clause each.
fn words(folded: &str, is_last: bool, clauses: &mut Vec<Clause>) {
    let parts: Vec<&str> = folded.split_whitespace().collect();
    // Behind the last word there may be signs alone.
    let may_go_on = |from: usize| is_last && parts[from..].iter().all(|next| tokens(next).is_empty());
    for (place, part) in parts.iter().enumerate() {
        let Some(as_typed) = phrase(part, may_go_on(place + 1)) else { continue };
        let digits = match as_typed.terms.as_slice() {
            [Term::Word(word)] if word.bytes().all(|b| b.is_ascii_digit()) => Some(word.clone()),
            _ => None,
        };
        let mut alternatives = vec![vec![as_typed]];
        alternatives.extend(digits.as_deref().and_then(ending).map(|phrase| vec![phrase]));
        alternatives.extend(digits.as_deref().into_iter().flat_map(other_numbers));
        let others = spelling::others(part);
        alternatives.extend(
            others.iter().filter_map(|other| phrase(other, may_go_on(place + 1)).map(|phrase| vec![phrase])),
        );
        // With the word before it, and with the one behind.
        for first in [place.checked_sub(1), Some(place)].into_iter().flatten() {
            let Some(pair) = parts.get(first..first + 2) else { continue };
            if spelling::may_join(pair[0], pair[1]) {
                let joined = phrase(&pair.concat(), may_go_on(first + 2));
                alternatives.extend(joined.map(|phrase| vec![phrase]));
            }
        }
        clauses.push(Clause { alternatives });
    }
}

/// A number that was typed in groups, as one word, or as the end of one.
fn whole_number(digits: &str, is_open: bool) -> impl Iterator<Item = Vec<Phrase>> {
    let whole = Phrase { terms: vec![Term::word(digits.chars())], is_open };
    std::iter::once(whole).chain(ending(digits)).map(|phrase| vec![phrase])
}

/// The other numbers of the same line, where its country was renumbered.
fn other_numbers(digits: &str) -> Vec<Vec<Phrase>> {
    let Ok(phone) = Phone::from_whatsapp(digits) else { return vec![] };
    let others = phone.spellings().into_iter().filter(|other| *other != phone);
    others
        .map(|other| vec![Phrase { terms: vec![Term::word(other.digits().chars())], is_open: false }])
        .collect()
}

fn ending(digits: &str) -> Option<Phrase> {
    let terms = vec![Term::from_behind(digits)];
    (ENDING_MIN..=WORD_MAX).contains(&digits.len()).then_some(Phrase { terms, is_open: true })
}

/// The terms of a text side by side. The last character of a run is one of a pair, unless something
/// follows the run.
fn phrase(folded: &str, may_go_on: bool) -> Option<Phrase> {
    let tokens = tokens(folded);
    let last = tokens.last()?;
    let is_open = match last {
        Token::Word(word) => may_go_on && word.chars().count() >= OPEN_MIN,
        Token::Run(run) => run.len() == 1,
        Token::Sign(_) => false,
    };
    let mut terms: Vec<Term> = tokens[..tokens.len() - 1].iter().flat_map(Token::terms).collect();
    match last {
        Token::Run(run) if run.len() > 1 => terms.extend(pairs(run)),
        other => terms.extend(other.terms()),
    }
    Some(Phrase { terms, is_open })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `a b*` is a phrase whose last word may go on, `;` is or, `,` is and.
    fn read(typed: &str) -> Vec<String> {
        let phrase = |phrase: &Phrase| {
            let words: Vec<String> = phrase
                .terms
                .iter()
                .map(|term| match term {
                    Term::Word(word) => word.clone(),
                    Term::FromBehind(digits) => format!("<{digits}"),
                })
                .collect();
            format!("{}{}", words.join(" "), if phrase.is_open { "*" } else { "" })
        };
        let clause = |clause: &Clause| {
            let ways = clause.alternatives.iter();
            let ways = ways.map(|way| way.iter().map(phrase).collect::<Vec<_>>().join(", "));
            ways.collect::<Vec<_>>().join("; ")
        };
        Query::parse(typed).unwrap().clauses().iter().map(clause).collect()
    }

    #[test]
    fn words_are_all_wanted_and_the_last_may_go_on() {
        assert_eq!(read("Onde está meu PEDIDO"), ["onde", "esta", "meu", "pedido*"]);
        assert_eq!(read("a"), ["a"]);
        assert_eq!(read("pedido a"), ["pedido", "a"]);
        assert_eq!(read("pedido !"), ["pedido*"]);
        assert_eq!(read("invoice-7.pd"), ["invoice 7 pd*"]);
    }

    #[test]
    fn a_word_is_found_in_its_other_spellings() {
        assert_eq!(read("हिंदी संदेश"), ["हिंदी; हिन्दी", "संदेश*; सन्देश*"]);
        assert_eq!(read("o'brien"), ["o brien*; obrien*"]);
        assert_eq!(read("می خواهم"), ["مي; ميخواهم*", "خواهم*; ميخواهم*"]);
        assert_eq!(read("می\u{200c}خواهم"), ["ميخواهم*"]);
        assert_eq!(read("رابطة"), ["رابطة*; رابطه*"]);
    }

    #[test]
    fn quotes_keep_words_together() {
        assert_eq!(read(r#""meu pedido" chegou"#), ["meu pedido", "chegou*"]);
        assert_eq!(read(r#"chegou "meu pedi"#), ["chegou", "meu pedi*"]);
        assert_eq!(read("“meu pedido”"), ["meu pedido"]);
        assert_eq!(read(r#""""#), Vec::<String>::new());
        assert_eq!(read(r#""" x"#), ["x"]);
    }

    #[test]
    fn a_run_is_found_by_its_pairs() {
        assert_eq!(read("東京都"), ["東京 京都"]);
        assert_eq!(read("東"), ["東*"]);
        assert_eq!(read("手机case"), ["手机 机 case*"]);
        assert_eq!(read("ok 👍🏽"), ["ok", "👍"]);
    }

    #[test]
    fn a_number_is_found_in_any_spelling_and_by_its_end() {
        assert_eq!(read("919876543210"), ["919876543210*; <012345678919*"]);
        // By the number that the line had before, too.
        assert_eq!(read("5511900000001"), ["5511900000001*; <1000000091155*"]);
        assert_eq!(read("5511970000001"), ["5511970000001*; <1000000791155*; 551170000001"]);
        assert_eq!(
            read("+229 97 12 34 56"),
            ["229, 97, 12, 34, 56*; 22997123456*; <65432179922*; 2290197123456"]
        );
        assert_eq!(read("0001"), ["0001*; <1000*"]);
        assert_eq!(read("12"), ["12*"]);
        assert_eq!(read("+55 (11) 90000-0001"), ["55, 11, 90000 0001*; 5511900000001*; <1000000091155*"]);
        assert_eq!(
            read("call 11 90000-0001 now"),
            ["call", "11, 90000 0001; 11900000001; <10000000911*", "now*"]
        );
    }

    #[test]
    fn what_other_languages_take_for_operators_are_words() {
        assert_eq!(read("a AND b OR NOT c*"), ["a", "and", "b", "or", "not", "c"]);
        assert_eq!(read("body:x ^y (z) {w} a+b -c"), ["body x", "y", "z", "w", "a b", "c"]);
        assert_eq!(read("x & y | !z <-> w :* '"), ["x", "y", "z", "w"]);
        assert_eq!(read("\0\u{1}%_\\"), Vec::<String>::new());
    }

    #[test]
    fn a_long_search_is_refused_and_a_long_word_is_cut() {
        assert_eq!(Query::parse(&"x".repeat(TYPED_MAX + 1)), Err(QueryError::TooLong));
        assert_eq!(read(&format!("{} y", "x".repeat(200))), ["x".repeat(64), "y".to_owned()]);
    }

    proptest! {
        #[test]
        fn nothing_but_words_comes_of_anything_that_is_typed(typed in ".{0,256}") {
            let query = Query::parse(&typed).unwrap();
            for clause in query.clauses() {
                prop_assert!(!clause.alternatives.is_empty());
                for phrase in clause.alternatives.iter().flatten() {
                    prop_assert!(!phrase.terms.is_empty());
                    for term in &phrase.terms {
                        prop_assert!(!term.text().is_empty());
                        prop_assert!(term.text().chars().count() <= WORD_MAX);
                        let harmless = |c: char| !c.is_whitespace() && (!c.is_ascii() || c.is_ascii_alphanumeric());
                        prop_assert!(term.text().chars().all(harmless), "{:?}", term);
                    }
                }
            }
        }
    }
}
