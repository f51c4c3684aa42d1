//! Which row names the columns, and which columns hold phone numbers and names.
//!
//! Decided once, from a list's first rows: by the headings where they are known, by the values where they
//! are not. What had to be assumed is said.

use wapid_core::phone::{Country, Phone};
use wapid_core::recipient::shown;
use wapid_core::template::field_key;

use super::headings::{self, PhoneHeading, PhoneRank};
use super::{ListError, ListOptions};

/// How many rows are looked at.
pub const LOOKED_AT: usize = 50;
/// A heading stands in one of the first rows with text; above it may be titles.
const TITLES_MAX: usize = 25;
/// A cell with so many digits is a number and no heading, whatever is wrong with it.
const DIGITS: usize = 5;
/// The names of columns that an error lists.
const NAMES_SHOWN: usize = 20;

/// A row before it is known what it is.
#[derive(Debug, Clone)]
pub struct Row {
    /// What a person sees beside it.
    pub line: u32,
    pub cells: Vec<String>,
    /// The file's owner does not see it.
    pub is_hidden: bool,
    /// Cells whose formula was never calculated.
    pub uncalculated: Vec<usize>,
}

impl Row {
    fn filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.trim().is_empty()).count()
    }

    fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", |cell| cell.trim())
    }
}

/// What the columns hold.
#[derive(Debug)]
pub struct Columns {
    /// The row that names them.
    pub header_line: Option<u32>,
    /// Never empty; the first that has a number in a row is read.
    pub phones: Vec<PhoneColumn>,
    /// By values alone.
    pub is_assumed: bool,
    /// Of the fields; empty is not read.
    pub names: Vec<String>,
    /// Whose values are what people are called.
    pub name: Option<usize>,
    /// The caller has said so.
    pub is_name_told: bool,
}

#[derive(Debug, Clone)]
pub struct PhoneColumn {
    pub at: usize,
    pub heading: String,
    pub rank: PhoneRank,
    /// The column that says what kind of number it is: `Phone 1 - Label`.
    pub label: Option<usize>,
}

/// What is known of a sheet's columns, before one of its rows is read.
pub fn choose(
    rows: &[Row],
    options: &ListOptions,
    hidden: &[bool],
    country: Option<Country>,
) -> Result<Columns, ListError> {
    let look = Look { rows, hidden, country };
    let header = look.header();
    let (header, phones, is_assumed) = match &options.phone_column {
        Some(wanted) => {
            let (header, at) = look.named("phoneColumn", wanted, header)?;
            (header, vec![look.phone_column(header, at, PhoneRank::Phone)], false)
        }
        None => match header.map(|header| (header, look.phones(header))) {
            Some((header, phones)) if !phones.is_empty() => (Some(header), phones, false),
            found => look.by_values(found.map(|(header, _)| header))?,
        },
    };
    let mut names: Vec<String> = match header {
        Some(header) => rows[header].cells.iter().map(|cell| cell.trim().to_owned()).collect(),
        None => {
            // Without a heading, what stands beside the number is a name.
            let beside = (0..look.width()).find(|at| phones.iter().all(|phone| phone.at != *at));
            let mut names = vec![String::new(); look.width()];
            if let Some(at) = beside {
                "name".clone_into(&mut names[at]);
            }
            names
        }
    };
    let (name, is_name_told) = match &options.name_column {
        Some(wanted) => (Some(look.named("nameColumn", wanted, header)?.1), true),
        None => (look.name(&names), false),
    };
    names[phones[0].at].clear();
    Ok(Columns {
        header_line: header.map(|header| rows[header].line),
        phones,
        is_assumed,
        names,
        name,
        is_name_told,
    })
}

/// Whether these rows hold a list at all, to tell a sheet of people from a sheet of notes.
pub fn is_list(rows: &[Row], country: Option<Country>) -> bool {
    let look = Look { rows, hidden: &[], country };
    let has_numbers = |at: usize| rows.iter().any(|row| is_number(row.cell(at), country));
    match look.header() {
        Some(header) if look.phones(header).iter().any(|phone| has_numbers(phone.at)) => true,
        header => look.by_values(header).is_ok_and(|(_, phones, _)| has_numbers(phones[0].at)),
    }
}

struct Look<'a> {
    rows: &'a [Row],
    /// Columns that the owner does not see.
    hidden: &'a [bool],
    country: Option<Country>,
}

impl Look<'_> {
    fn width(&self) -> usize {
        self.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0)
    }

    /// The row whose cells are headings.
    fn header(&self) -> Option<usize> {
        let data = |row: &&Row| row.cells.iter().any(|cell| is_number(cell, self.country));
        let mut filled: Vec<usize> = self.rows.iter().filter(data).map(Row::filled).collect();
        filled.sort_unstable();
        // A title alone in its row says nothing of a table that is wider.
        let least = filled.get(filled.len() / 2).copied().unwrap_or(1).min(2);
        let mut best: Option<(u8, usize, usize)> = None;
        for (place, row) in self.rows.iter().enumerate().take(TITLES_MAX) {
            if data(&row) || row.filled() < least {
                continue;
            }
            let class = row.cells.iter().map(|cell| match headings::phone(cell) {
                PhoneHeading::Sure(_) => 3,
                PhoneHeading::Perhaps(PhoneRank::Vague) => 1,
                PhoneHeading::Perhaps(_) => 2,
                PhoneHeading::Never | PhoneHeading::Unknown => 0,
            });
            let class = class.max().unwrap_or(0);
            let is_better = best.is_none_or(|(other, filled, _)| (class, row.filled()) > (other, filled));
            if class > 0 && is_better {
                best = Some((class, row.filled(), place));
            }
        }
        best.map(|(_, _, place)| place)
    }

    /// The columns that a header calls phones, the best first.
    fn phones(&self, header: usize) -> Vec<PhoneColumn> {
        let mut phones = Vec::new();
        let mut vague = Vec::new();
        for at in 0..self.rows[header].cells.len() {
            if self.is_hidden(at) {
                continue;
            }
            let seen = self.seen(header, at);
            match headings::phone(self.rows[header].cell(at)) {
                PhoneHeading::Sure(rank) => phones.push((rank, at, seen)),
                PhoneHeading::Perhaps(PhoneRank::Vague) => vague.push((PhoneRank::Vague, at, seen)),
                PhoneHeading::Perhaps(rank) if seen.is_mostly_phones() => phones.push((rank, at, seen)),
                PhoneHeading::Perhaps(_) | PhoneHeading::Never | PhoneHeading::Unknown => {}
            }
        }
        // `WhatsApp: yes` says nothing of where to write to.
        if phones.iter().any(|(_, _, seen)| seen.numbers > 0) {
            phones.retain(|(_, _, seen)| seen.filled == 0 || seen.numbers > 0);
        }
        if phones.is_empty() {
            let is_sound = |(_, _, seen): &(PhoneRank, usize, Seen)| seen.is_mostly_phones();
            let sound: Vec<_> = vague.iter().copied().filter(is_sound).collect();
            phones = if sound.is_empty() { vague.into_iter().take(1).collect() } else { sound };
        }
        phones.sort_by_key(|(rank, at, _)| (*rank, *at));
        phones.into_iter().map(|(rank, at, _)| self.phone_column(Some(header), at, rank)).collect()
    }

    fn phone_column(&self, header: Option<usize>, at: usize, rank: PhoneRank) -> PhoneColumn {
        let heading = header.map_or("", |header| self.rows[header].cell(at)).to_owned();
        let base = headings::base(&heading);
        let is_label = |other: &usize| {
            let other = header.map_or("", |header| self.rows[header].cell(*other));
            headings::is_label(other) && headings::base(other) == base
        };
        let label = (0..self.width()).find(is_label).filter(|_| !base.is_empty());
        PhoneColumn { at, heading, rank, label }
    }

    /// A column that the caller names: by its heading, or by its letter.
    fn named(
        &self,
        field: &str,
        wanted: &str,
        header: Option<usize>,
    ) -> Result<(Option<usize>, usize), ListError> {
        let places = header.into_iter().chain(0..self.rows.len().min(TITLES_MAX));
        let is_wanted = |cell: &String| field_key(cell) == field_key(wanted);
        let alike = |cell: &String| !cell.trim().is_empty() && headings::is_alike(cell, wanted);
        let find = |is: &dyn Fn(&String) -> bool| {
            places.clone().find_map(|place| Some((place, self.rows[place].cells.iter().position(is)?)))
        };
        if let Some((place, at)) = find(&is_wanted).or_else(|| find(&alike)) {
            return Ok((Some(place), at));
        }
        if let Some(at) = column_of_letter(wanted).filter(|at| *at < self.width()) {
            let is_heading = |place: &usize| !is_number(self.rows[*place].cell(at), self.country);
            return Ok((header.or(self.above_the_numbers(at)).filter(is_heading), at));
        }
        let named = header.or_else(|| {
            let headings = 0..self.rows.len().min(TITLES_MAX);
            headings.max_by_key(|place| (self.rows[*place].filled(), usize::MAX - place))
        });
        let names = named.map_or_else(String::new, |place| names_of(&self.rows[place]));
        Err(ListError::Column(format!(
            "{field}: no column is called {}; the columns are: {names}",
            shown(wanted)
        )))
    }

    /// The columns of numbers, where no heading is known.
    fn by_values(&self, vague: Option<usize>) -> Result<(Option<usize>, Vec<PhoneColumn>, bool), ListError> {
        let mut numbers = Vec::new();
        let mut unsound = None;
        for at in (0..self.width()).filter(|at| !self.is_hidden(*at)) {
            let header = self.above_the_numbers(at);
            let heading = header.map_or("", |place| self.rows[place].cell(at));
            if headings::phone(heading) == PhoneHeading::Never {
                continue;
            }
            let start = header.map_or(0, |place| place + 1);
            let seen = self.seen_from(start, at);
            if seen.is_likely_phones() {
                numbers.push((at, header));
            } else if seen.numbers > 0 && header.is_none() && at == 0 {
                unsound = Some((at, header));
            }
        }
        let is_without_header = numbers.iter().all(|(_, header)| header.is_none());
        let column = |(at, header): (usize, Option<usize>)| self.phone_column(header, at, PhoneRank::Phone);
        match numbers.as_slice() {
            // Rows of numbers alone: the first that is filled is read.
            [first, ..] if is_without_header => {
                let first_row = self.rows.first().map_or("", |row| row.cell(0));
                // A number that is wrong is still the number.
                let leads = first.0 > 0 && is_number(first_row, self.country);
                let first = if leads { (0, None) } else { *first };
                let mut phones = vec![column(first)];
                phones.extend(numbers.iter().copied().filter(|other| *other != first).map(column));
                Ok((None, phones, false))
            }
            [one] => Ok((one.1, vec![column(*one)], true)),
            [] if self.is_one_column() => {
                let header = self.above_the_numbers(0).filter(|place| self.rows.len() > place + 1);
                let is_known = header.is_some_and(|_| self.seen(0, 0).numbers > 0);
                let header = header.filter(|_| is_known);
                Ok((header, vec![column((0, header))], true))
            }
            [] if unsound.is_some() => Ok((None, vec![column((0, None))], false)),
            several => {
                let named = vague.or_else(|| several.first().and_then(|(_, header)| *header)).or_else(|| {
                    let headings = 0..self.rows.len().min(TITLES_MAX);
                    headings.max_by_key(|place| (self.rows[*place].filled(), usize::MAX - place))
                });
                let names = named.map_or_else(String::new, |place| names_of(&self.rows[place]));
                let which =
                    several.iter().filter_map(|(at, header)| Some(shown(self.rows[(*header)?].cell(*at))));
                let which: Vec<String> = which.take(NAMES_SHOWN).collect();
                let hint = "name the column of phone numbers in phoneColumn";
                Err(ListError::Column(if which.is_empty() {
                    format!("no column is called phone; the columns are: {names}; {hint}")
                } else {
                    format!(
                        "no column is called phone, and several hold numbers: {}; {hint}",
                        which.join(", ")
                    )
                }))
            }
        }
    }

    /// The last row before a column's first number, if it may be a row of headings.
    fn above_the_numbers(&self, at: usize) -> Option<usize> {
        let first = self.rows.iter().position(|row| is_number(row.cell(at), self.country));
        let above = 0..first.unwrap_or(1.min(self.rows.len()));
        above.rev().take(TITLES_MAX).find(|place| !self.rows[*place].cell(at).is_empty())
    }

    fn is_one_column(&self) -> bool {
        self.rows.iter().all(|row| row.cells.iter().skip(1).all(|cell| cell.trim().is_empty()))
    }

    fn is_hidden(&self, at: usize) -> bool {
        self.hidden.get(at).copied().unwrap_or(false)
    }

    /// What people are called by: the column of a known heading.
    fn name(&self, names: &[String]) -> Option<usize> {
        let exact = names.iter().position(|name| field_key(name) == "name");
        exact.or_else(|| {
            let ranked = names.iter().enumerate().filter(|(at, _)| !self.is_hidden(*at));
            ranked.filter_map(|(at, name)| Some((headings::name(name)?, at))).min().map(|(_, at)| at)
        })
    }

    fn seen(&self, header: usize, at: usize) -> Seen {
        self.seen_from(header + 1, at)
    }

    fn seen_from(&self, start: usize, at: usize) -> Seen {
        let mut seen = Seen::default();
        for cell in self.rows.iter().skip(start).map(|row| row.cell(at)).filter(|cell| !cell.is_empty()) {
            seen.filled += 1;
            seen.numbers += usize::from(is_number(cell, self.country));
            if !is_date(cell)
                && let Ok(phone) = Phone::parse(cell, self.country)
            {
                seen.phones += 1;
                seen.valid += usize::from(phone.is_in_a_plan());
            }
        }
        seen
    }
}

/// What a column's cells look like.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    filled: usize,
    /// Digits, whatever is wrong with them.
    numbers: usize,
    phones: usize,
    /// By the numbering plan of their country.
    valid: usize,
}

impl Seen {
    fn is_mostly_phones(self) -> bool {
        self.phones > 0 && self.phones * 2 >= self.filled
    }

    /// Enough to write to them though nothing says what they are: order numbers have many digits too.
    fn is_likely_phones(self) -> bool {
        self.phones > 0 && self.phones * 5 >= self.filled * 4 && self.valid * 2 >= self.phones
    }
}

/// A cell that is a number and no heading.
fn is_number(cell: &str, country: Option<Country>) -> bool {
    let digits = cell.chars().filter(|c| c.is_numeric()).count();
    digits > 1 && !is_date(cell) && (digits >= DIGITS || Phone::parse(cell, country).is_ok())
}

/// `2026-11-28`, `28/11/2026 10:15`: as many digits as a phone number.
fn is_date(cell: &str) -> bool {
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

/// `B` is the second, `AA` the 27th.
fn column_of_letter(text: &str) -> Option<usize> {
    let text = text.trim();
    let is_letter = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic());
    let number = |number: usize, byte: u8| number * 26 + usize::from(byte.to_ascii_uppercase() - b'A') + 1;
    is_letter.then(|| text.bytes().fold(0, number) - 1)
}

fn names_of(row: &Row) -> String {
    let filled = || row.cells.iter().filter(|cell| !cell.trim().is_empty());
    let names: Vec<String> = filled().take(NAMES_SHOWN).map(|name| shown(name)).collect();
    let more = if filled().count() > NAMES_SHOWN { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
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
    fn a_letter_is_a_column() {
        for (letter, at) in
            [("A", Some(0)), ("c", Some(2)), ("AA", Some(26)), ("1", None), ("ABC", None), ("", None)]
        {
            assert_eq!(column_of_letter(letter), at, "{letter}");
        }
    }
}
