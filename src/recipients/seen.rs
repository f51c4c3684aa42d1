//! What a column's cells look like: phone numbers, other numbers, dates, names.

use std::collections::HashSet;

use wapid_core::phone::{Country, Phone};

use super::headings;

/// A cell with so many digits is a number and no heading, whatever is wrong with it.
const DIGITS: usize = 5;
/// So many numbers show whether a column repeats itself.
const REPEATING_MIN: usize = 3;

/// What a column's cells look like.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    pub filled: usize,
    /// Digits, whatever is wrong with them.
    pub numbers: usize,
    pub phones: usize,
    /// By the numbering plan of their country.
    pub valid: usize,
    /// Of the phones.
    pub different: usize,
}

impl Seen {
    pub fn of<'a>(cells: impl Iterator<Item = &'a str>, country: Option<Country>) -> Self {
        let mut seen = Self::default();
        let mut different = HashSet::new();
        for cell in cells.filter(|cell| !cell.is_empty()) {
            seen.filled += 1;
            seen.numbers += usize::from(is_number(cell, country));
            if !is_date(cell)
                && let Ok(phone) = Phone::parse(cell, country)
            {
                seen.phones += 1;
                seen.valid += usize::from(phone.is_in_a_plan());
                different.insert(phone.identity());
            }
        }
        Self { different: different.len(), ..seen }
    }

    pub fn is_mostly_phones(self) -> bool {
        self.phones > 0 && self.phones * 2 >= self.filled
    }

    /// Enough to write to them though nothing says what they are: order numbers have many digits too.
    pub fn is_likely_phones(self) -> bool {
        self.phones > 0 && self.phones * 5 >= self.filled * 4 && self.valid * 2 >= self.phones
    }

    /// One number beside most rows is a shop's or a seller's, whatever its column is called.
    pub fn repeats(self) -> bool {
        self.phones >= REPEATING_MIN && self.different * 2 <= self.phones
    }

    /// How many of a hundred are somebody's number, by the plans.
    pub fn soundness(self) -> usize {
        self.valid * 100 / self.filled.max(1)
    }
}

/// A cell that is a number and no heading.
pub fn is_number(cell: &str, country: Option<Country>) -> bool {
    let digits = cell.chars().filter(|c| c.is_numeric()).count();
    digits > 1
        && !is_date(cell)
        && (digits >= DIGITS || Phone::parse(cell, country).is_ok())
        && !headings::shows_example(cell)
}

/// `2026-11-28`, `28/11/2026 10:15`: as many digits as a phone number.
pub fn is_date(cell: &str) -> bool {
    let day = cell.trim().split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = day.split(['-', '/', '.']).collect();
    let digits = |part: &str, range: std::ops::RangeInclusive<usize>| {
        range.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
    };
    match parts.as_slice() {
        [first, middle, last] => {
            let is_year_first = digits(first, 4..=4) && digits(last, 1..=2);
            let is_year_last = digits(first, 1..=2) && (digits(last, 4..=4) || digits(last, 2..=2));
            digits(middle, 1..=2) && (is_year_first || is_year_last)
        }
        _ => false,
    }
}

/// What somebody may be called: letters, and neither a number, a date nor an address of any kind.
pub fn is_like_a_name(cell: &str) -> bool {
    let is_address = cell.contains('@') || cell.contains("://");
    cell.chars().any(char::is_alphabetic) && !is_address && !is_date(cell) && !is_number(cell, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_no_phone() {
        for date in ["2026-11-28", "28/11/2026", "28.11.26", "2026-11-28T10:15:00", "28/11/2026 10:15"] {
            assert!(is_date(date) && !is_number(date, None), "{date}");
        }
        for number in ["+55 11 90000-0001", "919876543210", "98765.43210", "11.90000.0001"] {
            assert!(!is_date(number) && is_number(number, None), "{number}");
        }
    }

    #[test]
    fn a_name_has_letters_and_is_no_address() {
        for name in ["Ana", "J. R. Silva", "王小明", "Ana 2"] {
            assert!(is_like_a_name(name), "{name}");
        }
        for other in ["#1001", "ana@x.example", "2026-11-28", "+55 11 90000-0001", "", "https://x.example"] {
            assert!(!is_like_a_name(other), "{other}");
        }
    }
}
