//! Which row names the columns, and which columns hold phone numbers and names.
//!
//! Decided once, from a list's first rows: by the headings where they are known, by the values where they
//! are not. What had to be assumed is said.

use wapid_core::phone::Country;
use wapid_core::recipient::shown;
use wapid_core::template::field_key;

use super::headings::{self, PhoneHeading, PhoneRank};
use super::joined::Parts;
use super::seen::{Seen, is_like_a_name, is_number};
use super::{ListError, ListOptions};

/// How many rows are looked at.
pub const LOOKED_AT: usize = 50;
/// A heading stands in one of the first rows with text; above it may be titles.
const TITLES_MAX: usize = 25;
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
    pub fn filled(&self) -> usize {
        self.cells.iter().filter(|cell| !cell.trim().is_empty()).count()
    }

    pub fn cell(&self, column: usize) -> &str {
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
    /// Columns of phones of other tables beside this one.
    pub other_tables: Vec<usize>,
    /// Of the fields; empty is not read.
    pub names: Vec<String>,
    /// Whose values are what people are called.
    pub name: Option<usize>,
    /// Where that is empty: their first names.
    pub other_names: Vec<usize>,
}

#[derive(Debug, Clone)]
pub struct PhoneColumn {
    pub at: usize,
    pub heading: String,
    pub rank: PhoneRank,
    /// The column that says what kind of number it is: `Phone 1 - Label`.
    pub label: Option<usize>,
    /// Columns that hold the number's beginning.
    pub parts: Parts,
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
    let (header, mut phones, is_assumed) = match &options.phone_column {
        Some(wanted) => {
            let (header, at) = look.named("phoneColumn", wanted, header)?;
            (header, vec![look.phone_column(header, at, PhoneRank::Phone)], false)
        }
        None => match header.map(|header| (header, look.phones(header))) {
            Some((header, (phones, is_assumed))) if !phones.is_empty() => (Some(header), phones, is_assumed),
            found => look.by_values(found.map(|(header, _)| header))?,
        },
    };
    let mut other_tables = Vec::new();
    if let Some(header) = header {
        if options.phone_column.is_none() && look.has_twins(header, &phones) {
            let mut seen = Vec::new();
            phones.retain(|phone| {
                let heading = headings::folded(&phone.heading);
                let is_first = !seen.contains(&heading);
                seen.push(heading);
                if !is_first {
                    other_tables.push(phone.at);
                }
                is_first
            });
        }
        let places: Vec<usize> = phones.iter().map(|phone| phone.at).collect();
        for phone in &mut phones {
            phone.parts = Parts::beside(phone.at, &rows[header], rows, header, &places);
        }
    }
    let mut names: Vec<String> = match header {
        Some(header) => rows[header].cells.iter().map(|cell| cell.trim().to_owned()).collect(),
        None => {
            let mut names = vec![String::new(); look.width()];
            if let Some(at) = look.beside(&phones) {
                "name".clone_into(&mut names[at]);
            }
            names
        }
    };
    let mut other_names = Vec::new();
    let name = match &options.name_column {
        Some(wanted) => Some(look.named("nameColumn", wanted, header)?.1),
        None => {
            let mut ranked = look.names(&names, header).into_iter();
            let name = ranked.next();
            other_names.extend(ranked.filter(|at| headings::is_first_name(&names[*at])));
            name
        }
    };
    names[phones[0].at].clear();
    Ok(Columns {
        header_line: header.map(|header| rows[header].line),
        phones,
        is_assumed,
        other_tables,
        names,
        name,
        other_names,
    })
}

/// Whether these rows hold a list at all, to tell a sheet of people from a sheet of notes.
pub fn is_list(rows: &[Row], country: Option<Country>) -> bool {
    let look = Look { rows, hidden: &[], country };
    let has_numbers = |at: usize| rows.iter().any(|row| is_number(row.cell(at), country));
    match look.header() {
        Some(header) if look.phones(header).0.iter().any(|phone| has_numbers(phone.at)) => true,
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
                PhoneHeading::Perhaps(_) | PhoneHeading::Another(_) => 2,
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

    /// The columns that a header calls phones, the best first, and whether that had to be assumed.
    ///
    /// Those of known words are read before any whose heading says more than is known, and these are never
    /// read in their place: `Phone (from the garage)` is somebody else's.
    fn phones(&self, header: usize) -> (Vec<PhoneColumn>, bool) {
        let (mut sure, mut perhaps, mut vague) = (Vec::new(), Vec::new(), Vec::new());
        let mut has_another = false;
        for at in (0..self.rows[header].cells.len()).filter(|at| !self.is_hidden(*at)) {
            let found = |rank| Found { rank, at, seen: self.seen(Some(header), at) };
            match headings::phone(self.rows[header].cell(at)) {
                PhoneHeading::Sure(rank) => sure.push(found(rank)),
                PhoneHeading::Perhaps(PhoneRank::Vague) => vague.push(found(PhoneRank::Vague)),
                PhoneHeading::Perhaps(rank) => perhaps.push(found(rank)),
                PhoneHeading::Another(rank) => has_another |= found(rank).seen.is_mostly_phones(),
                PhoneHeading::Never | PhoneHeading::Unknown => {}
            }
        }
        // `WhatsApp: yes` says nothing of where to write to.
        let has_numbers = sure.iter().any(|one: &Found| one.seen.numbers > 0);
        if has_numbers {
            sure.retain(|one| one.seen.filled == 0 || one.seen.numbers > 0);
        }
        perhaps.retain(|one| one.seen.is_mostly_phones());
        let sound: Vec<Found> = vague.iter().copied().filter(|one| one.seen.is_mostly_phones()).collect();
        let (mut found, is_assumed) = if has_numbers || (!sure.is_empty() && perhaps.is_empty()) {
            (sure, false)
        } else if let Some(best) = perhaps.iter().min_by_key(|one| one.order()) {
            (vec![*best], perhaps.len() > 1 || !sure.is_empty())
        } else if !sound.is_empty() {
            (sound, false)
        } else if has_another {
            (Vec::new(), true)
        } else {
            (vague.into_iter().take(1).collect(), false)
        };
        found.sort_by_key(Found::order);
        if found.first().is_some_and(|first| !first.seen.repeats()) {
            found.retain(|one| !one.seen.repeats());
        }
        let phones = found.into_iter().map(|one| self.phone_column(Some(header), one.at, one.rank));
        (phones.collect(), is_assumed)
    }

    fn phone_column(&self, header: Option<usize>, at: usize, rank: PhoneRank) -> PhoneColumn {
        let heading = header.map_or("", |header| self.rows[header].cell(at)).to_owned();
        let base = headings::base(&heading);
        let is_label = |other: &usize| {
            let other = header.map_or("", |header| self.rows[header].cell(*other));
            headings::is_label(other) && headings::base(other) == base
        };
        let label = (0..self.width()).find(is_label).filter(|_| !base.is_empty());
        PhoneColumn { at, heading, rank, label, parts: Parts::default() }
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
        let (mut numbers, mut others) = (Vec::new(), Vec::new());
        let mut unsound = None;
        for at in (0..self.width()).filter(|at| !self.is_hidden(*at)) {
            let header = self.above_the_numbers(at);
            let heading = header.map_or("", |place| self.rows[place].cell(at));
            let said = headings::phone(heading);
            if said == PhoneHeading::Never {
                continue;
            }
            let seen = self.seen(header, at);
            if seen.is_likely_phones() {
                let is_another = matches!(said, PhoneHeading::Another(_));
                if is_another { &mut others } else { &mut numbers }.push((at, header));
            } else if seen.numbers > 0 && header.is_none() && at == 0 {
                unsound = Some((at, header));
            }
        }
        if numbers.is_empty() {
            numbers = others;
        }
        let is_without_header = numbers.iter().all(|(_, header)| header.is_none());
        let column = |(at, header): (usize, Option<usize>)| self.phone_column(header, at, PhoneRank::Phone);
        match numbers.as_slice() {
            // Rows of numbers alone: the first that is filled is read.
            [first, ..] if is_without_header => {
                // Customers may be numbered, and taxpayers are: the soundest numbers are the phones.
                let is_sounder = |(at, _): &&(usize, Option<usize>)| {
                    (self.seen(None, *at).soundness(), std::cmp::Reverse(*at))
                };
                let best = *numbers.iter().max_by_key(is_sounder).unwrap_or(first);
                let is_number = |at: usize| {
                    let seen = self.seen(None, at);
                    !self.is_hidden(at) && seen.numbers * 2 > seen.filled
                };
                let is_assumed = (0..best.0).any(is_number);
                let others = numbers.iter().copied().filter(|other| *other != best && other.0 > best.0);
                let phones = std::iter::once(best).chain(others).map(column).collect();
                Ok((None, phones, is_assumed))
            }
            [one] => Ok((one.1, vec![column(*one)], true)),
            [] if self.is_one_column() => {
                let header = self.above_the_numbers(0).filter(|place| self.rows.len() > place + 1);
                let is_known = header.is_some_and(|header| self.seen(Some(header), 0).numbers > 0);
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
                let hidden = named.and_then(|place| self.hidden_phone(place));
                if let Some(hidden) = hidden.filter(|_| several.is_empty()) {
                    return Err(ListError::Column(format!(
                        "the column {} is hidden; includeHidden takes it in",
                        shown(hidden)
                    )));
                }
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

    /// Whether two tables with the same headings stand beside each other.
    fn has_twins(&self, header: usize, phones: &[PhoneColumn]) -> bool {
        let is_phone = |at: usize| phones.iter().any(|phone| phone.at == at);
        let (mut seen, mut has_phones, mut has_others) = (Vec::new(), false, false);
        for at in 0..self.rows[header].cells.len() {
            let heading = headings::folded(self.rows[header].cell(at));
            if !heading.is_empty() && seen.contains(&heading) {
                *(if is_phone(at) { &mut has_phones } else { &mut has_others }) = true;
            }
            seen.push(heading);
        }
        has_phones && has_others
    }

    /// The heading of a column of phones that the owner does not see.
    fn hidden_phone(&self, header: usize) -> Option<&str> {
        let hidden = (0..self.rows[header].cells.len()).filter(|at| self.is_hidden(*at));
        let mut headings = hidden.map(|at| self.rows[header].cell(at));
        headings.find(|heading| matches!(headings::phone(heading), PhoneHeading::Sure(_)))
    }

    fn is_hidden(&self, at: usize) -> bool {
        self.hidden.get(at).copied().unwrap_or(false)
    }

    /// Without headings, the first cell beside the number that may be a name.
    fn beside(&self, phones: &[PhoneColumn]) -> Option<usize> {
        (0..self.width()).filter(|at| phones.iter().all(|phone| phone.at != *at)).find(|at| {
            let filled = || self.rows.iter().map(|row| row.cell(*at)).filter(|cell| !cell.is_empty());
            let names = filled().filter(|cell| is_like_a_name(cell)).count();
            names > 0 && names * 2 >= filled().count()
        })
    }

    /// What people are called by: the columns of known headings, the best first. Without a letter in any row
    /// they are order numbers.
    fn names(&self, names: &[String], header: Option<usize>) -> Vec<usize> {
        let has_letters = |at: &usize| {
            let below = self.rows.iter().skip(header.map_or(0, |header| header + 1)).map(|row| row.cell(*at));
            let mut filled = below.filter(|cell| !cell.is_empty()).peekable();
            filled.peek().is_none() || filled.any(|cell| cell.chars().any(char::is_alphabetic))
        };
        let exact = names.iter().position(|name| field_key(name) == "name").filter(has_letters);
        let mut ranked: Vec<(u8, usize)> = names
            .iter()
            .enumerate()
            .filter(|(at, _)| !self.is_hidden(*at) && Some(*at) != exact && has_letters(at))
            .filter_map(|(at, name)| Some((headings::name(name)?, at)))
            .collect();
        ranked.sort_unstable();
        exact.into_iter().chain(ranked.into_iter().map(|(_, at)| at)).collect()
    }

    /// Of a column without its heading. Above that may stand titles, or people if the rows were sorted.
    fn seen(&self, header: Option<usize>, at: usize) -> Seen {
        let rows = self.rows.iter().enumerate().filter(|(place, row)| {
            header.is_none_or(|header| {
                *place > header || (*place < header && is_number(row.cell(at), self.country))
            })
        });
        Seen::of(rows.map(|(_, row)| row.cell(at)), self.country)
    }
}

/// A column that may be one of phones.
#[derive(Debug, Clone, Copy)]
struct Found {
    rank: PhoneRank,
    at: usize,
    seen: Seen,
}

impl Found {
    fn order(&self) -> (bool, PhoneRank, usize) {
        (self.seen.repeats(), self.rank, self.at)
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
    fn a_letter_is_a_column() {
        for (letter, at) in
            [("A", Some(0)), ("c", Some(2)), ("AA", Some(26)), ("1", None), ("ABC", None), ("", None)]
        {
            assert_eq!(column_of_letter(letter), at, "{letter}");
        }
    }
}
