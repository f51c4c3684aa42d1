//! Rows of cells, whichever file they came from, on their way into a list.
//!
//! The first rows wait until it is known what the columns hold (`columns.rs`); the others go straight
//! through. What the file's owner does not see is left out and counted.

use std::collections::BTreeMap;

use wapid_core::phone::{Country, Phone};
use wapid_core::recipient::{List, ListBuilder, Rules, Why};
use wapid_core::template::field_key;

use super::columns::{Columns, LOOKED_AT, PhoneColumn, Row, choose};
use super::headings::{self, PhoneRank};
use super::seen::is_number;
use super::{ListError, ListOptions};

/// Hidden rows that an answer names.
const ROWS_SHOWN: usize = 20;
/// So many numbers in a list's only row are people, fewer may be one person's.
const ONE_ROW_MIN: usize = 3;
/// What `{{name}}` asks for.
const NAME: &str = "name";

/// Takes rows of a sheet in order.
pub struct Table {
    builder: ListBuilder,
    rules: Rules,
    options: ListOptions,
    waiting: Vec<Row>,
    columns: Option<Columns>,
    /// The columns that are fields, by what they are called.
    fields: Vec<(usize, String)>,
    /// Columns that the owner does not see.
    hidden: Vec<bool>,
    hidden_rows: HiddenRows,
    /// How often each phone column but the first was read.
    used: BTreeMap<usize, usize>,
    /// How often each column of codes was put before a number.
    joined: BTreeMap<usize, usize>,
}

/// Rows that the owner does not see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HiddenRows {
    pub count: usize,
    /// The first of them.
    pub rows: Vec<u32>,
}

/// What was made of the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadColumns {
    pub header_row: Option<u32>,
    pub phone: Option<String>,
    pub is_phone_assumed: bool,
    /// Read where the first is empty, and for how many people.
    pub other_phones: Vec<(String, usize)>,
    /// Put before the numbers, or read as their country, and for how many people.
    pub joined: Vec<(String, usize)>,
    /// Columns of phones of other tables beside the one that is read.
    pub other_tables: Vec<String>,
    pub name: Option<String>,
    pub hidden_rows: HiddenRows,
    pub hidden_columns: Vec<String>,
}

impl Table {
    pub fn new(rules: &Rules, options: &ListOptions) -> Self {
        Self {
            builder: ListBuilder::new(rules.clone()),
            rules: rules.clone(),
            options: options.clone(),
            waiting: Vec::new(),
            columns: None,
            fields: Vec::new(),
            hidden: Vec::new(),
            hidden_rows: HiddenRows::default(),
            used: BTreeMap::new(),
            joined: BTreeMap::new(),
        }
    }

    /// Before the first row: the columns that the owner does not see.
    pub fn hide_columns(&mut self, hidden: Vec<bool>) {
        if !self.options.include_hidden {
            self.hidden = hidden;
        }
    }

    /// Rows without any text are passed over.
    pub fn push_row(&mut self, row: Row) -> Result<(), ListError> {
        if row.cells.iter().all(|cell| cell.trim().is_empty()) && row.uncalculated.is_empty() {
            return Ok(());
        }
        if self.columns.is_some() {
            return self.take(&row);
        }
        self.waiting.push(row);
        if self.waiting.len() < LOOKED_AT { Ok(()) } else { self.decide() }
    }

    /// The list, and what was made of its columns.
    pub fn finish(mut self) -> Result<(List, ReadColumns), ListError> {
        if self.columns.is_none() && !self.waiting.is_empty() {
            self.decide()?;
        }
        let mut read = ReadColumns { hidden_rows: self.hidden_rows, ..ReadColumns::default() };
        if let Some(columns) = self.columns {
            let letter = |at: usize| format!("column {}", letter_of(at));
            let told = |heading: &str, at: usize| {
                if heading.is_empty() { letter(at) } else { heading.to_owned() }
            };
            read.header_row = columns.header_line;
            read.phone = Some(told(&columns.phones[0].heading, columns.phones[0].at));
            read.is_phone_assumed = columns.is_assumed;
            let others = columns.phones.iter().skip(1);
            let count = |phone: &PhoneColumn| self.used.get(&phone.at).copied().unwrap_or(0);
            read.other_phones = others.map(|phone| (told(&phone.heading, phone.at), count(phone))).collect();
            read.other_tables = columns.other_tables.iter().map(|at| letter(*at)).collect();
            let joined = self.joined.iter();
            read.joined = joined.map(|(at, count)| (told(&columns.names[*at], *at), *count)).collect();
            let name_of = |at: usize| columns.names.get(at).filter(|name| !name.is_empty()).cloned();
            read.name = columns.name.map(|at| {
                let is_named = columns.header_line.is_some();
                name_of(at).filter(|_| is_named).unwrap_or_else(|| letter(at))
            });
            let hidden = self.hidden.iter().enumerate().filter(|(_, is_hidden)| **is_hidden);
            read.hidden_columns = hidden.filter_map(|(at, _)| name_of(at)).collect();
        }
        Ok((self.builder.finish(), read))
    }

    fn decide(&mut self) -> Result<(), ListError> {
        let rows = std::mem::take(&mut self.waiting);
        // Numbers that the owner does not see say nothing of a column.
        let seen: Vec<Row> = match rows.iter().filter(|row| !row.is_hidden).cloned().collect::<Vec<_>>() {
            seen if seen.is_empty() || self.options.include_hidden => rows.clone(),
            seen => seen,
        };
        let columns = choose(&seen, &self.options, &self.hidden, self.rules.country)?;
        let header = columns.header_line.unwrap_or(0);
        let (above, below): (Vec<Row>, Vec<Row>) =
            rows.into_iter().filter(|row| row.line != header).partition(|row| row.line < header);
        self.fields = self.fields_of(&columns);
        let phones = columns.phones.clone();
        self.columns = Some(columns);
        if let Some(row) = self.only_numbers(&above, &below) {
            return self.take_cells(row);
        }
        self.take_above(&above, &below, &phones, header)?;
        below.iter().try_for_each(|row| self.take(row))
    }

    /// What stands above the headings are titles, unless somebody has sorted the rows and the headings with
    /// them: then people stand there, in rows as wide as the others. A number in a narrower row is told.
    fn take_above(
        &mut self,
        above: &[Row],
        below: &[Row],
        phones: &[PhoneColumn],
        headings: u32,
    ) -> Result<(), ListError> {
        let country = self.rules.country;
        let has_number = |row: &&Row| phones.iter().any(|phone| is_number(row.cell(phone.at), country));
        let mut widths: Vec<usize> = below.iter().filter(has_number).map(Row::filled).collect();
        if widths.is_empty() {
            widths = above.iter().filter(has_number).map(Row::filled).collect();
        }
        widths.sort_unstable();
        let usual = widths.get(widths.len() / 2).copied().unwrap_or(0);
        let mut has_people = false;
        for row in above {
            has_people |= has_number(&row) && row.filled() >= usual;
            if has_people {
                self.take(row)?;
            } else if let Some(phone) = phones.iter().find(|phone| is_number(row.cell(phone.at), country)) {
                self.builder.leave_out(row.line, row.cell(phone.at), Why::AboveHeadings { headings })?;
            }
        }
        Ok(())
    }

    /// Numbers that were pasted into one row, as a messenger lists the people of a broadcast.
    fn only_numbers<'a>(&self, above: &[Row], below: &'a [Row]) -> Option<&'a Row> {
        let [row] = below else { return None };
        let filled = || row.cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
        let phones = filled().filter(|cell| Phone::parse(cell, self.rules.country).is_ok()).count();
        let is_list = phones >= ONE_ROW_MIN && phones + 1 >= filled().count();
        let is_headless = self.columns.as_ref().is_some_and(|columns| columns.header_line.is_none());
        (is_list && is_headless && above.is_empty() && self.options.phone_column.is_none()).then_some(row)
    }

    /// A row's cells, each as a row of its own; `row` of a person is then the cell's place.
    fn take_cells(&mut self, row: &Row) -> Result<(), ListError> {
        let mut filled = (1..).zip(&row.cells).filter(|(_, cell)| !cell.trim().is_empty());
        filled.try_for_each(|(place, cell)| Ok(self.builder.push(place, cell, std::iter::empty())?))
    }

    fn fields_of(&self, columns: &Columns) -> Vec<(usize, String)> {
        let is_seen = |at: usize, name: &str| {
            // A text that names a column means it, whether its owner sees it or not.
            !self.hidden.get(at).copied().unwrap_or(false) || self.rules.named.contains(name)
        };
        let alias = columns.name.filter(|at| {
            let is_real = columns.names.get(*at).is_some_and(|name| field_key(name) == NAME);
            !is_real && self.rules.named.contains(NAME)
        });
        // A real column called so gives way to the one that the caller has named, and to names if it holds
        // order numbers.
        let gives_way = |name: &str| alias.is_some() && field_key(name) == NAME;
        let names = columns.names.iter().cloned().enumerate();
        let fields = names.filter(|(at, name)| !name.is_empty() && !gives_way(name) && is_seen(*at, name));
        fields.chain(alias.map(|at| (at, NAME.to_owned()))).collect()
    }

    fn take(&mut self, row: &Row) -> Result<(), ListError> {
        if row.is_hidden && !self.options.include_hidden {
            self.hidden_rows.count += 1;
            if self.hidden_rows.rows.len() < ROWS_SHOWN {
                self.hidden_rows.rows.push(row.line);
            }
            return Ok(());
        }
        let columns = self.columns.as_ref().expect("decided before a row is taken");
        let country = self.rules.country;
        let phone = phone_of(row, &columns.phones, country);
        let first = phone.unwrap_or(&columns.phones[0]);
        let given = phone.map_or("", |phone| row.cell(phone.at));
        if row.uncalculated.contains(&first.at) && matches!(given, "" | "0") {
            return Ok(self.builder.leave_out(row.line, "", Why::Uncalculated)?);
        }
        let read = first.parts.read(row, given, country);
        if is_total(row) && read.as_ref().is_ok_and(|phone| !phone.is_in_a_plan()) {
            return Ok(self.builder.leave_out(row.line, given, Why::Total)?);
        }
        if read.is_ok() {
            if first.at != columns.phones[0].at {
                *self.used.entry(first.at).or_default() += 1;
            }
            let plain = Phone::parse(given, country);
            if plain.ok() != read.as_ref().ok().cloned() {
                for at in first.parts.columns().filter(|at| !row.cell(*at).is_empty()) {
                    *self.joined.entry(at).or_default() += 1;
                }
            }
        }
        let is_name = |at: usize| columns.name == Some(at) || columns.other_names.contains(&at);
        let value = |at: usize| match row.cell(at) {
            blank if is_blank(blank, is_name(at)) => "",
            text => text,
        };
        let fields = self.fields.iter().map(|(at, name)| (name.as_str(), value(*at)));
        // Who has a name in no other column is called by their first one.
        let names = columns.name.into_iter().chain(columns.other_names.iter().copied());
        let called = names.map(value).find(|name| !name.is_empty()).unwrap_or_default();
        let is_called = columns.name.is_none_or(|at| !value(at).is_empty()) || !self.builder.is_named(NAME);
        let called = (!is_called).then_some((NAME, called));
        Ok(self.builder.push_read(row.line, given, read, fields.chain(called))?)
    }
}

/// The first phone column that has a number in this row. Of address books with a label beside each number,
/// the one that is called mobile; a fax machine is nobody. What is no number (`-`, `the same`) gives way to
/// one in the next column, and is told where there is none.
fn phone_of<'a>(row: &Row, phones: &'a [PhoneColumn], country: Option<Country>) -> Option<&'a PhoneColumn> {
    if let [only] = phones
        && only.label.is_none()
    {
        return Some(only);
    }
    let is_filled =
        |phone: &&PhoneColumn| !row.cell(phone.at).is_empty() || row.uncalculated.contains(&phone.at);
    let ranked = phones.iter().filter(is_filled).filter_map(|phone| {
        let rank: PhoneRank = match phone.label.map(|at| row.cell(at)) {
            Some(label) if !label.is_empty() => headings::label(label, phone.rank)?,
            _ => phone.rank,
        };
        let reads = row.uncalculated.contains(&phone.at)
            || phone.parts.read(row, row.cell(phone.at), country).is_ok();
        Some((!reads, rank, phone))
    });
    ranked.min_by_key(|(is_none, rank, _)| (*is_none, *rank)).map(|(_, _, phone)| phone)
}

/// A row that adds up the others.
fn is_total(row: &Row) -> bool {
    const WORDS: [&str; 26] = [
        "total",
        "totals",
        "totais",
        "totales",
        "totale",
        "totaux",
        "subtotal",
        "sum",
        "summe",
        "soma",
        "suma",
        "somme",
        "somma",
        "gesamt",
        "gesamtsumme",
        "totaal",
        "toplam",
        "razem",
        "celkem",
        "итого",
        "всего",
        "المجموع",
        "合计",
        "合計",
        "합계",
        "jumlah",
    ];
    let first = row.cells.iter().map(|cell| cell.trim()).find(|cell| !cell.is_empty()).unwrap_or_default();
    let first = headings::folded(first);
    first.split(' ').take(2).any(|word| WORDS.iter().any(|total| headings::folded(total) == word))
}

/// What programs write where there is nothing. Of a name, signs and words for nothing are none either.
fn is_blank(cell: &str, is_name: bool) -> bool {
    let is_nothing = matches!(
        cell,
        "NULL"
            | "null"
            | "\\N"
            | "#N/A"
            | "#N/D"
            | "#REF!"
            | "#VALUE!"
            | "#NAME?"
            | "#NULL!"
            | "#DIV/0!"
            | "undefined"
    );
    let is_no_name = is_name
        && (matches!(
            cell,
            "None" | "none" | "NONE" | "nan" | "NaN" | "nil" | "N/A" | "n/a" | "N/D" | "n/d" | "NA" | "<NA>"
        ) || !cell.chars().any(char::is_alphanumeric));
    is_nothing || is_no_name
}

/// As spreadsheets call a column.
fn letter_of(at: usize) -> String {
    let letter = |at: usize| char::from(b'A' + u8::try_from(at % 26).expect("less than 26"));
    if at < 26 { letter(at).to_string() } else { format!("{}{}", letter(at / 26 - 1), letter(at)) }
}

#[cfg(test)]
mod tests;
