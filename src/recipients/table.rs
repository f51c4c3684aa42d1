//! Rows of cells, whichever file they came from, on their way into a list.
//!
//! The first rows wait until it is known what the columns hold (`columns.rs`); the others go straight
//! through. What the file's owner does not see is left out and counted.

use std::collections::BTreeMap;

use wapid_core::recipient::{List, ListBuilder, Rules, Why};
use wapid_core::template::field_key;

use super::columns::{Columns, LOOKED_AT, PhoneColumn, Row, choose};
use super::headings::{self, PhoneRank};
use super::{ListError, ListOptions};

/// Hidden rows that an answer names.
const ROWS_SHOWN: usize = 20;
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
        let header = columns.header_line;
        self.fields = self.fields_of(&columns);
        self.columns = Some(columns);
        rows.iter().filter(|row| header.is_none_or(|line| row.line > line)).try_for_each(|row| self.take(row))
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
        // A real column called so gives way to the one that the caller has named.
        let gives_way = |name: &str| alias.is_some() && columns.is_name_told && field_key(name) == NAME;
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
        let cell = |at: usize| row.cells.get(at).map_or("", |cell| cell.trim());
        let phone = phone_of(row, &columns.phones);
        let first = phone.unwrap_or(&columns.phones[0]);
        let given = phone.map_or("", |phone| cell(phone.at));
        if row.uncalculated.contains(&first.at) && matches!(given, "" | "0") {
            return Ok(self.builder.leave_out(row.line, "", Why::Uncalculated)?);
        }
        if first.at != columns.phones[0].at {
            *self.used.entry(first.at).or_default() += 1;
        }
        let fields = self.fields.iter().map(|(at, name)| (name.as_str(), cell(*at)));
        Ok(self.builder.push(row.line, given, fields)?)
    }
}

/// The first phone column that has a number in this row. Of address books with a label beside each number,
/// the one that is called mobile; a fax machine is nobody.
fn phone_of<'a>(row: &Row, phones: &'a [PhoneColumn]) -> Option<&'a PhoneColumn> {
    let cell = |at: usize| row.cells.get(at).map_or("", |cell| cell.trim());
    if let [only] = phones
        && only.label.is_none()
    {
        return Some(only);
    }
    let is_filled = |phone: &&PhoneColumn| !cell(phone.at).is_empty() || row.uncalculated.contains(&phone.at);
    let ranked = phones.iter().filter(is_filled).filter_map(|phone| {
        let rank: PhoneRank = match phone.label.map(cell) {
            Some(label) if !label.is_empty() => headings::label(label, phone.rank)?,
            _ => phone.rank,
        };
        Some((rank, phone))
    });
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, phone)| phone)
}

/// As spreadsheets call a column.
fn letter_of(at: usize) -> String {
    let letter = |at: usize| char::from(b'A' + u8::try_from(at % 26).expect("less than 26"));
    if at < 26 { letter(at).to_string() } else { format!("{}{}", letter(at / 26 - 1), letter(at)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(named: &[&str]) -> Rules {
        Rules { max: 100, named: named.iter().copied().collect(), ..Rules::default() }
    }

    fn read_with(
        rows: &[&[&str]],
        rules: &Rules,
        options: &ListOptions,
    ) -> Result<(List, ReadColumns), ListError> {
        let mut table = Table::new(rules, options);
        for (line, row) in (1..).zip(rows) {
            let cells = row.iter().map(|cell| (*cell).to_owned()).collect();
            table.push_row(Row { line, cells, is_hidden: false, uncalculated: Vec::new() })?;
        }
        table.finish()
    }

    fn read(rows: &[&[&str]]) -> Result<(List, ReadColumns), ListError> {
        read_with(rows, &rules(&[]), &ListOptions::default())
    }

    fn phones(list: &List) -> Vec<&str> {
        list.recipients.iter().map(|one| one.phone.digits()).collect()
    }

    fn fields(list: &List) -> Vec<&str> {
        list.recipients.iter().map(|one| one.fields.as_deref().unwrap_or("")).collect()
    }

    #[test]
    fn a_column_called_phone_goes_before_one_called_number() {
        for header in [
            ["Number", "Name", "Phone"],
            ["Número", "Nome", "Celular"],
            ["To", "x", "WhatsApp"],
            ["numero", "x", "Teléfono"],
            ["x", "number", "MSISDN"],
            ["Phone", "Home Phone", "Mobile"],
            ["Fax", "Phone Type", "Phone"],
        ] {
            let (list, _) = read(&[&header, &["12", "22", "919876543210"]]).unwrap();
            assert_eq!(phones(&list), ["919876543210"], "{header:?}");
            assert_eq!(list.fields.len(), 2, "the others are fields");
        }
        let (list, _) = read(&[&["Name", "Número"], &["Ana", "919876543210"]]).unwrap();
        assert_eq!(fields(&list), [r#"{"Name":"Ana"}"#]);
    }

    #[test]
    fn where_the_first_phone_is_empty_the_next_is_read_and_told() {
        let (list, columns) = read(&[
            &["Name", "Home Phone", "Mobile Phone", "Assistant's Phone", "Home Fax", "Phone"],
            &["Ana", "919876543219", "919876543210", "919876543299", "919876543298", ""],
            &["Bia", "919876543218", "", "919876543299", "919876543298", "919876543211"],
            &["Cy", "919876543212", "", "919876543299", "919876543298", ""],
            &["Di", "", "", "919876543299", "919876543298", ""],
        ])
        .unwrap();
        assert_eq!(phones(&list), ["919876543210", "919876543211", "919876543212"]);
        assert_eq!((list.problems[0].row, list.invalid), (5, 1));
        assert_eq!(columns.phone.as_deref(), Some("Mobile Phone"));
        assert_eq!(columns.other_phones, [("Phone".to_owned(), 1), ("Home Phone".to_owned(), 1)]);
    }

    #[test]
    fn an_address_books_labels_say_which_number_is_read() {
        let (list, columns) = read(&[
            &["Name", "Phone 1 - Label", "Phone 1 - Value", "Phone 2 - Label", "Phone 2 - Value"],
            &["Ana", "Home", "919876543219", "Mobile", "919876543210"],
            &["Bia", "Work Fax", "919876543218", "Other", "919876543211"],
            &["Cy", "Home Fax", "919876543217", "", ""],
            &["Di", "", "919876543212", "", "919876543216"],
        ])
        .unwrap();
        assert_eq!(phones(&list), ["919876543210", "919876543211", "919876543212"]);
        assert_eq!(list.problems[0].row, 4, "a fax machine is nobody");
        assert_eq!(columns.other_phones, [("Phone 2 - Value".to_owned(), 2)]);
    }

    #[test]
    fn a_column_that_says_yes_is_no_phone() {
        let (list, columns) = read(&[
            &["Nome", "WhatsApp", "Telefone"],
            &["Ana", "sim", "919876543210"],
            &["Bia", "não", "919876543211"],
        ])
        .unwrap();
        assert_eq!((phones(&list).len(), columns.phone.as_deref()), (2, Some("Telefone")));
    }

    #[test]
    fn titles_above_the_headings_are_passed_over() {
        for titles in [
            vec![vec!["Customers July 2026"]],
            vec![vec!["Phone list"], vec![""], vec!["exported", "28/11/2026 10:15"]],
            vec![vec!["Contact numbers", ""], vec!["Total", "2"]],
            vec![vec!["Telefone"]],
        ] {
            let mut rows: Vec<&[&str]> = titles.iter().map(Vec::as_slice).collect();
            rows.extend([
                &["Name", "Mobile", "Age"] as &[&str],
                &["Ana", "919876543210", "33"],
                &["", "919876543211", ""],
            ]);
            let (list, columns) = read(&rows).unwrap();
            assert_eq!(phones(&list), ["919876543210", "919876543211"], "{titles:?}");
            assert_eq!(columns.header_row, u32::try_from(titles.len() + 1).ok());
        }
    }

    #[test]
    fn a_list_whose_headings_nobody_knows_is_known_by_its_values() {
        let (list, columns) = read(&[
            &["Wer", "Wann", "Wohin", "Bestellung"],
            &["Ana", "2026-11-28", "919876543210", "4711"],
            &["Bia", "28.11.2026", "919876543211", "4712"],
        ])
        .unwrap();
        assert_eq!(phones(&list), ["919876543210", "919876543211"]);
        assert_eq!((columns.phone.as_deref(), columns.is_phone_assumed), (Some("Wohin"), true));
        assert_eq!(fields(&list)[0], r#"{"Bestellung":"4711","Wann":"2026-11-28","Wer":"Ana"}"#);
        // Two may be it.
        let refused = read(&[&["Wer", "x1", "x2"], &["Ana", "919876543210", "919876543211"]]).unwrap_err();
        let told = "no column is called phone, and several hold numbers: x1, x2; name the column of phone numbers in phoneColumn";
        assert_eq!((refused.to_string().as_str(), refused.code()), (told, "UNKNOWN_COLUMN"));
    }

    #[test]
    fn a_list_without_phones_says_what_there_is() {
        for rows in [
            [&["Nome", "", "Cidade"] as &[&str], &["Ana", "", "Rio"]],
            [&["Nome", "Order No", "Cidade"], &["Ana", "919876543210", "Rio"]],
            [&["Nome", "Rechnungsnummer", "Fax"], &["Ana", "919876543210", "919876543210"]],
            [&["Nome", "Datum"], &["Ana", "2026-11-28"]],
        ] {
            let refused = read(&rows).unwrap_err();
            let told = refused.to_string();
            assert!(told.starts_with("no column is called phone; the columns are: Nome, "), "{told}");
            assert!(told.ends_with("; name the column of phone numbers in phoneColumn"), "{told}");
        }
        let wide: Vec<String> = (0..1_000).map(|n| format!("{n}{}", "x".repeat(1_000))).collect();
        let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
        assert!(read(&[&wide]).unwrap_err().to_string().len() < 1_200);
    }

    #[test]
    fn without_headings_the_number_is_found_and_the_cell_beside_it_is_the_name() {
        for (rows, told) in [
            (vec![vec!["919876543210", "Ana"]], r#"{"name":"Ana"}"#),
            (vec![vec!["Ana", "919876543210"]], r#"{"name":"Ana"}"#),
            (vec![vec!["0919876543210", "Ana"], vec!["919876543210", "Bia"]], r#"{"name":"Bia"}"#),
            (vec![vec!["9.19877E+11", "Ana"], vec!["919876543210", "Bia"]], r#"{"name":"Bia"}"#),
            (vec![vec!["919876543210", "919876543211"]], ""),
            (vec![vec!["", "919876543210", "Ana"]], ""),
        ] {
            let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
            let (list, columns) = read(&rows).unwrap();
            assert_eq!(phones(&list), ["919876543210"], "{rows:?}");
            assert_eq!(fields(&list)[0], told, "{rows:?}");
            assert_eq!((columns.header_row, columns.is_phone_assumed), (None, false));
            assert_eq!(list.problems.len(), rows.len() - 1, "a wrong number is told");
        }
        let (list, columns) = read(&[&["hello"], &["919876543210"]]).unwrap();
        assert_eq!((list.recipients[0].row, columns.header_row), (2, Some(1)));
    }

    #[test]
    fn a_column_is_named_by_its_heading_or_its_letter() {
        let rows: [&[&str]; 3] =
            [&["List"], &["Name", "Prénom", "Zahl", "Phone"], &["x", "Ana", "919876543210", "919876543211"]];
        let with = |phone: Option<&str>, name: Option<&str>| {
            let (phone_column, name_column) = (phone.map(str::to_owned), name.map(str::to_owned));
            let options = ListOptions { phone_column, name_column, ..ListOptions::default() };
            read_with(&rows, &rules(&["name"]), &options)
        };
        for phone in ["Zahl", " zahl", "ZAHL:", "C", "c"] {
            let (list, columns) = with(Some(phone), None).unwrap();
            assert_eq!(phones(&list), ["919876543210"], "{phone}");
            assert_eq!((columns.phone.as_deref(), columns.header_row), (Some("Zahl"), Some(2)));
        }
        for name in ["prenom", "Pre\u{301}nom", "B"] {
            let (list, columns) = with(None, Some(name)).unwrap();
            assert_eq!(fields(&list), [r#"{"Prénom":"Ana","Zahl":"919876543210","name":"Ana"}"#], "{name}");
            assert_eq!(columns.name.as_deref(), Some("Prénom"));
        }
        for (phone, name, field) in [(Some("Numer"), None, "phoneColumn"), (None, Some("Z"), "nameColumn")] {
            let refused = with(phone, name).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("{field}: no column is called ")), "{refused}");
            assert!(refused.ends_with("the columns are: Name, Prénom, Zahl, Phone"), "{refused}");
        }
    }

    #[test]
    fn a_name_is_read_from_a_column_that_is_called_otherwise() {
        let of = |header: &[&str], named: &[&str]| {
            let (list, columns) = read_with(
                &[header, &["919876543210", "Silva", "Ana"]],
                &rules(named),
                &ListOptions::default(),
            )
            .unwrap();
            let json = fields(&list)[0].to_owned();
            (json, columns.name)
        };
        let first = |json: &str, column: &str| (json.to_owned(), Some(column.to_owned()));
        assert_eq!(
            of(&["Tel", "Last Name", "First Name"], &["Name"]),
            first(r#"{"First Name":"Ana","Last Name":"Silva","name":"Ana"}"#, "First Name")
        );
        assert_eq!(
            of(&["Tel", "Nom", "Prénom"], &["name"]),
            first(r#"{"Nom":"Silva","Prénom":"Ana","name":"Ana"}"#, "Prénom")
        );
        // Nobody asks, or there is one.
        assert_eq!(of(&["Tel", "Nom", "Prénom"], &[]), first(r#"{"Nom":"Silva","Prénom":"Ana"}"#, "Prénom"));
        assert_eq!(
            of(&["Tel", "NAME", "Vorname"], &["name"]),
            first(r#"{"NAME":"Silva","Vorname":"Ana"}"#, "NAME")
        );
        assert_eq!(of(&["Tel", "City", "x"], &["name"]).1, None);
    }

    #[test]
    fn what_is_hidden_is_left_out_unless_it_is_wanted() {
        let read = |named: &[&str], include_hidden: bool| {
            let options = ListOptions { include_hidden, ..ListOptions::default() };
            let mut table = Table::new(&rules(named), &options);
            table.hide_columns(vec![false, true, false, true]);
            let row = |line: u32, cells: [&str; 4], is_hidden: bool| Row {
                line,
                cells: cells.map(str::to_owned).to_vec(),
                is_hidden,
                uncalculated: Vec::new(),
            };
            for row in [
                row(1, ["Phone", "WhatsApp", "Name", "Code"], false),
                row(2, ["919876543210", "919876543219", "Ana", "7"], false),
                row(3, ["919876543211", "", "Bia", "8"], true),
            ] {
                table.push_row(row).unwrap();
            }
            table.finish().unwrap()
        };
        let (list, columns) = read(&[], false);
        assert_eq!((phones(&list), fields(&list)), (vec!["919876543210"], vec![r#"{"Name":"Ana"}"#]));
        assert_eq!(columns.hidden_rows, HiddenRows { count: 1, rows: vec![3] });
        assert_eq!(columns.hidden_columns, ["WhatsApp", "Code"]);
        // Who names it means it.
        assert_eq!(fields(&read(&["code"], false).0), [r#"{"Code":"7","Name":"Ana"}"#]);
        let (list, columns) = read(&[], true);
        assert_eq!(phones(&list), ["919876543219", "919876543211"]);
        assert_eq!((columns.hidden_rows.count, columns.hidden_columns.len()), (0, 0));
    }
}
