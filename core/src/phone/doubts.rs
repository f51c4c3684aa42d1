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
    /// Without a last group that is shorter than a number's last groups are.
    pub without_last: Option<String>,
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
        '.' if sign[1..].starts_with(char::is_whitespace) => (true, is_one),
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

/// `98765 43210 2`. A number in pairs ends in a pair.
fn without_last(text: &str) -> Option<String> {
    let groups = groups(text);
    let [.., before, last] = groups.as_slice() else { return None };
    let is_odd = match last.len() {
        1 => true,
        length => length <= BEHIND_MAX && before.len() > 2,
    };
    let rest = &text[..last.start];
    (is_odd && digits_in(rest) >= NUMBER_MIN).then(|| rest.chars().filter(char::is_ascii_digit).collect())
}
