//! What else stands in a text beside one number: a second number, and an extension.

use std::ops::Range;

use super::plan;

/// Fewer digits are no number, but a part of one or something else.
pub(super) const NUMBER_MIN: usize = 7;
/// The digits of the longest area.
const AREA_MAX: usize = 5;
/// So few digits behind a slash are the other ending of a second number: `98765 43210/11`.
const ENDING_MAX: usize = 2;
/// What people write between two numbers.
const CONJUNCTIONS: [&str; 24] = [
    "and", "or", "e", "ou", "y", "o", "u", "et", "und", "oder", "en", "of", "og", "och", "ja", "i", "lub",
    "и", "или", "та", "або", "ve", "dan", "atau",
];
/// What people write before an extension.
const EXTENSIONS: [&str; 12] =
    ["x", "ext", "extn", "extension", "ramal", "anexo", "int", "interno", "poste", "dw", "доб", "#"];

pub(super) fn digits_in(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Two numbers in a cell.
pub(super) fn has_several(text: &str) -> bool {
    let numbers =
        |parts: &mut dyn Iterator<Item = &str>| parts.filter(|part| digits_in(part) >= NUMBER_MIN).count();
    if numbers(&mut text.split([',', ';', ':', '|', '&', '\n', '\r', '\t'])) > 1
        || numbers(&mut text.split(|c: char| c.is_alphabetic())) > 1
        || numbers(&mut text.split(|c: char| !c.is_ascii_digit())) > 1
    {
        return true;
    }
    if is_parted_by_a_word(text) || is_parted_by_a_line(text) {
        return true;
    }
    // A second plus.
    if text.split_once(|c: char| c.is_ascii_digit()).is_some_and(|(_, rest)| rest.contains('+')) {
        return true;
    }
    // A slash parts an area from a number, as in Germany, and a number from another or from its other ending.
    text.char_indices().filter(|(_, c)| *c == '/').any(|(place, _)| {
        let before: String = text[..place].chars().filter(char::is_ascii_digit).collect();
        let is_international = text.trim_start_matches('(').starts_with('+') || before.starts_with("00");
        let national = if is_international {
            let before = before.trim_start_matches('0');
            before.len() - plan::code_of(before).map_or(0, str::len)
        } else {
            before.len()
        };
        // Areas have up to five digits, and their 0.
        let area_max = if !is_international && before.starts_with('0') { AREA_MAX + 1 } else { AREA_MAX };
        national > area_max || (national > 0 && digits_in(&text[place..]) <= ENDING_MAX)
    })
}

/// `98765 43210 or 11`
fn is_parted_by_a_word(text: &str) -> bool {
    let Some(place) = text.find(char::is_alphabetic) else { return false };
    let behind = &text[place..];
    let end = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
    text[..place].ends_with(char::is_whitespace)
        && digits_in(&text[..place]) >= NUMBER_MIN
        && digits_in(&behind[end..]) > 0
        && CONJUNCTIONS.contains(&behind[..end].to_lowercase().as_str())
}

/// A line or a tab ends a number, however few digits stand behind it.
fn is_parted_by_a_line(text: &str) -> bool {
    text.split(['\n', '\r', '\t']).filter(|part| digits_in(part) > 0).count() > 1
}

/// `x123`, `ext. 5`, `,5` behind a number.
pub(super) fn has_extension(text: &str) -> bool {
    let Some(place) = text.find(|c: char| c.is_alphabetic() || matches!(c, '#' | ',' | ';' | ':')) else {
        return false;
    };
    if digits_in(&text[..place]) < NUMBER_MIN - 1 {
        return false;
    }
    let behind = text[place..].trim_matches(|c: char| c.is_whitespace() || ",;:.".contains(c));
    let word = behind.find(|c: char| !c.is_alphabetic() && c != '#').unwrap_or(behind.len());
    let (word, number) = behind.split_at(word);
    let is_number = digits_in(number) > 0 && !number.contains(char::is_alphabetic);
    is_number && (word.is_empty() || EXTENSIONS.contains(&word.to_lowercase().as_str()))
}

/// `98765 43210 (2)`, `98765 43210 - 2`: the index of a list, or how many there are.
pub(super) fn has_digits_beside(text: &str) -> bool {
    let groups = groups(text);
    let [.., before, last] = groups.as_slice() else { return false };
    if last.len() > ENDING_MAX || digits_in(&text[..last.start]) < NUMBER_MIN {
        return false;
    }
    let between = &text[before.end..last.start];
    let is_apart = |between: &str| between.len() > 1 && matches!(between.trim(), "-" | "~");
    // `06 - 12 - 34 - 56 - 78` is a number in pairs.
    let is_in_pairs =
        before.len() == 2 && groups.len() > 2 && is_apart(&text[groups[groups.len() - 3].end..before.start]);
    between.contains(['(', '[']) || (is_apart(between) && !is_in_pairs)
}

/// Where the digits stand that nothing parts.
pub(super) fn groups(text: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (place, _) in text.bytes().enumerate().filter(|(_, b)| b.is_ascii_digit()) {
        match groups.last_mut() {
            Some(group) if group.end == place => group.end += 1,
            _ => groups.push(place..place + 1),
        }
    }
    groups
}
