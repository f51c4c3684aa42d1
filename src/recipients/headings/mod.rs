//! What a column holds, by what its owner calls it: phone numbers, names, or what kind a number is.
//!
//! The rules are here; the words are a table. A heading is `Sure` when every word of it is known; with
//! words that are not, the column's values must agree (`columns.rs` looks). Of a word that means somebody
//! else, such as a driver or a doctor, the column is read only where the list has no other.
//!
//! | file | what |
//! |---|---|
//! | `lexicon` | taking headings apart |
//! | `words` | the table |

use std::sync::LazyLock;

mod lexicon;
mod words;

use lexicon::{Lexicon, words};
pub use words::NumberPart;
use words::{NAME, NameWord, PARTS, PHONE, PhoneWord};

static PHONES: LazyLock<Lexicon<PhoneWord>> = LazyLock::new(|| Lexicon::new(PHONE));
static NAMES: LazyLock<Lexicon<NameWord>> = LazyLock::new(|| Lexicon::new(NAME));

/// A heading of more words is a question.
const QUESTION_MIN: usize = 5;
/// Between the words of a country's code.
const PARTICLES: [&str; 15] =
    ["de", "do", "da", "del", "di", "du", "des", "of", "the", "la", "le", "el", "your", "no", "number"];

/// What stands before a number that only shows how one is written.
const EXAMPLE: [&str; 30] = [
    "ex",
    "exemplo",
    "ejemplo",
    "exemple",
    "esempio",
    "example",
    "eg",
    "beispiel",
    "bsp",
    "zb",
    "voorbeeld",
    "bijv",
    "ornek",
    "contoh",
    "misal",
    "przyklad",
    "np",
    "napr",
    "priklad",
    "пример",
    "например",
    "напр",
    "παραδειγμα",
    "мысалы",
    "مثال",
    "דוגמה",
    "उदाहरण",
    "例",
    "예",
    "vidu",
];

static NUMBER_PARTS: LazyLock<Lexicon<NumberPart>> = LazyLock::new(|| Lexicon::new(PARTS));

/// The ends of words for all that is numbered.
const NUMBERED: [&str; 5] = ["nummer", "number", "numero", "numarasi", "номер"];

/// Which of several phone columns is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhoneRank {
    WhatsApp,
    Mobile,
    Phone,
    Elsewhere,
    /// `number`, `contact`, `to`: perhaps of something else.
    Vague,
}

/// What a heading says of a column of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneHeading {
    Sure(PhoneRank),
    /// If its values are phone numbers, and there is no sure one.
    Perhaps(PhoneRank),
    /// Phone numbers of somebody else than the list's people, such as drivers, unless the list is theirs.
    Another(PhoneRank),
    /// Whatever its values look like: fax numbers, order numbers, dates.
    Never,
    Unknown,
}

/// What a heading says of the phone numbers below it.
pub fn phone(heading: &str) -> PhoneHeading {
    let words = words(heading);
    let senses = PHONES.senses(&words);
    let has = |word: PhoneWord| senses.contains(&Some(word));
    if has(PhoneWord::Never) {
        return PhoneHeading::Never;
    }
    let is_known = senses.iter().all(Option::is_some);
    // Rechnungsnummer: of what, the table need not know.
    let is_of_something = |word: &String| NUMBERED.iter().any(|ending| word.ends_with(ending));
    let rank = if has(PhoneWord::WhatsApp) {
        PhoneRank::WhatsApp
    } else if has(PhoneWord::Mobile) {
        PhoneRank::Mobile
    } else if has(PhoneWord::Phone) || (has(PhoneWord::Number) && has(PhoneWord::Contact)) {
        if has(PhoneWord::Elsewhere) { PhoneRank::Elsewhere } else { PhoneRank::Phone }
    } else if has(PhoneWord::Number)
        && (has(PhoneWord::Owner) || has(PhoneWord::Keeper) || has(PhoneWord::Another) || !is_known)
    {
        // A customer's number, a house number, a number of whatever it is.
        return PhoneHeading::Never;
    } else if (has(PhoneWord::Number) || has(PhoneWord::Contact)) && is_known {
        return PhoneHeading::Perhaps(PhoneRank::Vague);
    } else if words.iter().any(is_of_something) {
        return PhoneHeading::Never;
    } else {
        return PhoneHeading::Unknown;
    };
    // A question may say which shop asks.
    if has(PhoneWord::Another) && (is_known || words.len() <= QUESTION_MIN) {
        PhoneHeading::Another(rank)
    } else if is_known && !has(PhoneWord::Keeper) {
        PhoneHeading::Sure(rank)
    } else {
        PhoneHeading::Perhaps(rank)
    }
}

/// A heading that shows how a number should look: `WhatsApp (example: 11 98765-4321)`.
pub fn shows_example(cell: &str) -> bool {
    let before = cell.find(char::is_numeric).map_or(cell, |at| &cell[..at]);
    if !before.contains(char::is_alphabetic) || matches!(phone(before), PhoneHeading::Unknown) {
        return false;
    }
    let bracketed = before.rfind(['(', '[', '（', '【']).map(|at| &before[at..]);
    let says = |text: &str| words(text).iter().any(|word| EXAMPLE.contains(&word.as_str()));
    bracketed.is_some_and(|text| text.contains(char::is_alphabetic)) || says(before)
}

/// What a column holds that is the beginning of the numbers in another, as `Phone Country Code` does.
pub fn part(heading: &str) -> Option<NumberPart> {
    let words = words(heading);
    let known = |words: &[String]| NUMBER_PARTS.phrase(&words.join(" "));
    known(&words).or_else(|| {
        let says_more = |word: &&String| {
            let senses = PHONES.senses(std::slice::from_ref(*word));
            let beside = [PhoneWord::Phone, PhoneWord::Mobile, PhoneWord::WhatsApp, PhoneWord::Contact];
            !senses.iter().all(|sense| sense.is_some_and(|sense| beside.contains(&sense)))
                && !PARTICLES.contains(&word.as_str())
        };
        let rest: Vec<String> = words.iter().filter(says_more).cloned().collect();
        known(&rest)
    })
}

/// A text as headings are compared: without case, accents and punctuation.
pub fn folded(text: &str) -> String {
    words(text).join(" ")
}

/// What a cell of `Phone 1 - Label` says of the number beside it; `None` of a fax and its like.
pub fn label(cell: &str, column: PhoneRank) -> Option<PhoneRank> {
    let senses = PHONES.senses(&words(cell));
    let has = |word: PhoneWord| senses.contains(&Some(word));
    if has(PhoneWord::Never) {
        None
    } else if has(PhoneWord::WhatsApp) {
        Some(PhoneRank::WhatsApp)
    } else if has(PhoneWord::Mobile) {
        Some(PhoneRank::Mobile)
    } else if has(PhoneWord::Another) {
        Some(PhoneRank::Vague)
    } else if has(PhoneWord::Elsewhere) {
        Some(PhoneRank::Elsewhere)
    } else {
        Some(column)
    }
}

/// `Phone 1 - Label` and `Phone 1 - Value` belong together: what is left of a heading without that.
pub fn base(heading: &str) -> String {
    const BESIDE: [&str; 6] = ["label", "type", "value", "kind", "tipo", "typ"];
    let mut words = words(heading);
    words.retain(|word| !BESIDE.contains(&word.as_str()));
    words.join(" ")
}

/// Whether a column says what kind of number another holds.
pub fn is_label(heading: &str) -> bool {
    words(heading).iter().any(|word| matches!(word.as_str(), "label" | "type" | "kind" | "tipo" | "typ"))
}

/// Whether a column holds what people are called, the better the lower.
pub fn name(heading: &str) -> Option<u8> {
    let senses = NAMES.senses(&words(heading));
    let has = |word: NameWord| senses.contains(&Some(word));
    if senses.contains(&None) {
        return None;
    }
    let (name, given, first) = (has(NameWord::Name), has(NameWord::Given), has(NameWord::First));
    let (family, last) = (has(NameWord::Family), has(NameWord::Last));
    let is_of_the_family = last && !first && !given;
    if (!name && !given) || has(NameWord::Advertisement) || is_of_the_family {
        None
    } else if has(NameWord::Whole) || family || last || (name && given) {
        Some(0)
    } else {
        // `Nom` beside `Prénom` is the family's.
        Some(if first || given { 1 } else { 2 })
    }
}

/// Whether a column holds what people are called by their friends, and no more.
pub fn is_first_name(heading: &str) -> bool {
    name(heading) == Some(1)
}

/// Whether two headings are the same but for case, accents and punctuation.
pub fn is_alike(one: &str, other: &str) -> bool {
    words(one) == words(other)
}

#[cfg(test)]
mod tests;
