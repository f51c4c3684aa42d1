//! Digits at either end of a text that may be no part of the number: `Mobile 1 98765 43210`, `98765 43210 2`.
//!
//! What the text alone cannot tell is told by the numbering plans: here is what the number would be without
//! them, and `reading` refuses where that is a number too.

use super::second::{NUMBER_MIN, digits_in, groups};

/// The digits of the shortest numbers of all, behind their country's code.
const SHORTEST: usize = 4;
/// So many digits behind a number may be an index or a count.
const BEHIND_MAX: usize = 4;

/// What the digits are without some of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Doubts {
    pub first: FirstDigit,
    pub without_first: Option<WithoutFirst>,
    pub without_last: Vec<WithoutLast>,
}

/// Whether the first digit is written apart from the others, like the 8 of `8 (499) 123-45-67`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum FirstDigit {
    Apart,
    #[default]
    Joined,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WithoutFirst {
    pub digits: String,
    pub meaning: FirstGroup,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WithoutLast {
    pub digits: String,
    /// The last group is shorter than those that numbers end in.
    pub is_odd: bool,
}

/// What a first group may be beside the beginning of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstGroup {
    /// `1. ` or `1)`: an index, unless the number is the same without it.
    Index,
    /// `(1) ` or `Mobile 1 `: an index rather than the beginning of a mobile.
    LikelyIndex,
    /// `Mobile: 6 71 23 41 15` is how Cameroon writes mobiles.
    PossibleIndex,
}

impl Doubts {
    /// Of a text of one number, without its label.
    pub fn of(text: &str, is_labelled: bool) -> Self {
        let is_apart = groups(text).first().is_some_and(|group| group.len() == 1);
        let first = if is_apart { FirstDigit::Apart } else { FirstDigit::Joined };
        Self { first, without_first: without_first(text, is_labelled), without_last: without_last(text) }
    }
}

/// `1) 98765 43210`, `(1) 98765 43210`, `1/98765 43210`, and behind a label `1 98765 43210`. A 0 is dialled.
fn without_first(text: &str, is_labelled: bool) -> Option<WithoutFirst> {
    let bracketed = text.strip_prefix(['(', '[']);
    let inside = bracketed.unwrap_or(text).trim_start();
    let end = inside.find(|c: char| !c.is_ascii_digit())?;
    let (index, behind) = inside.split_at(end);
    if !(1..=2).contains(&index.len()) || index.bytes().all(|b| b == b'0') {
        return None;
    }
    let is_spaced = behind.starts_with(char::is_whitespace);
    let sign = behind.trim_start();
    let rest = sign.trim_start_matches(|c: char| !c.is_ascii_digit());
    if digits_in(rest) < SHORTEST {
        return None;
    }
    let is_one = index.len() == 1;
    let (is_doubtful, is_index) = match sign.chars().next()? {
        // An area or a country code has brackets as well.
        ')' | ']' => (bracketed.is_none() || is_one, bracketed.is_none() && is_one),
        '.' if sign[1..].starts_with(|c: char| c.is_whitespace() || ")-".contains(c)) => (true, is_one),
        '.' => (is_one && !rest.contains('.'), false),
        '/' => (true, false),
        '-' => (is_spaced || sign[1..].starts_with(char::is_whitespace), false),
        _ => (false, false),
    };
    let is_doubtful = is_doubtful || (is_labelled && (is_one || index.starts_with('0')));
    let meaning = match index {
        _ if is_index => FirstGroup::Index,
        "1" | "2" | "3" => FirstGroup::LikelyIndex,
        _ if bracketed.is_some() => FirstGroup::LikelyIndex,
        _ => FirstGroup::PossibleIndex,
    };
    is_doubtful.then(|| WithoutFirst { digits: rest.chars().filter(char::is_ascii_digit).collect(), meaning })
}

/// `98765 43210 2`, `98765 43210 1 2`: without one group after the other.
fn without_last(text: &str) -> Vec<WithoutLast> {
    let groups = groups(text);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let mut shorter = Vec::new();
    for pair in groups.windows(2).rev() {
        let (before, last) = (&pair[0], &pair[1]);
        let left = digits_in(&text[..last.start]);
        if digits.len() - left > BEHIND_MAX || left < SHORTEST {
            break;
        }
        // A number in pairs ends in a pair.
        let is_odd = last.len() == 1 || (last.len() == 2 && before.len() > 2);
        let is_odd = is_odd && shorter.is_empty() && left >= NUMBER_MIN;
        shorter.push(WithoutLast { digits: digits[..left].to_owned(), is_odd });
    }
    shorter
}
