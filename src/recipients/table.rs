//! Rows of cells: which column holds the phone, and what the others are called.

use wapid_core::phone::{Country, Phone};
use wapid_core::recipient::{List, ListBuilder, Rules, shown};
use wapid_core::template::FIELD_MAX;

use super::ListError;

/// What people call the column of phone numbers, without spaces, dots, dashes and underscores.
const PHONE: [&str; 17] = [
    "phone",
    "phonenumber",
    "phoneno",
    "telefone",
    "teléfono",
    "telefono",
    "tel",
    "celular",
    "whatsapp",
    "whatsappnumber",
    "mobile",
    "mobilenumber",
    "mobilephone",
    "cell",
    "cellphone",
    "cellnumber",
    "msisdn",
];
/// And what they call it where no column has such a name: it may be the number of a house as well.
const NUMBER: [&str; 4] = ["number", "numero", "número", "to"];
/// A first cell with so many digits is a number and no name, whatever is wrong with it.
const DIGITS: usize = 5;
/// The names of columns that an error lists.
const NAMES_SHOWN: usize = 20;

/// Takes rows of a sheet in order.
pub struct Table {
    builder: ListBuilder,
    columns: Option<Columns>,
    country: Option<Country>,
}

struct Columns {
    phone: usize,
    /// Of the others; empty is not read.
    names: Vec<String>,
}

impl Table {
    pub fn new(rules: Rules) -> Self {
        Self { builder: ListBuilder::new(rules), columns: None, country: rules.country }
    }

    /// `line` is what a person sees beside the row. Rows without any text are passed over. The first row
    /// names the columns if one of its cells is called like a phone; if it begins with a number, the first
    /// column is the phone and the second the name.
    pub fn push(&mut self, line: u32, cells: &[String]) -> Result<(), ListError> {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return Ok(());
        }
        let columns = match &self.columns {
            Some(columns) => columns,
            None => {
                let (columns, was_header) = Columns::of(line, cells, self.country)?;
                self.columns = Some(columns);
                if was_header {
                    return Ok(());
                }
                self.columns.as_ref().expect("set above")
            }
        };
        let phone = cells.get(columns.phone).map_or("", String::as_str);
        let fields = columns
            .names
            .iter()
            .zip(cells)
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, cell)| (name.as_str(), cell.as_str()));
        Ok(self.builder.push(line, phone, fields)?)
    }

    pub fn finish(self) -> List {
        self.builder.finish()
    }
}

impl Columns {
    /// The columns that a first row names or shows, and whether it names them.
    fn of(line: u32, first: &[String], country: Option<Country>) -> Result<(Self, bool), ListError> {
        let plain = |cell: &String| -> String {
            cell.chars()
                .filter(|c| !c.is_whitespace() && !"._-".contains(*c))
                .collect::<String>()
                .to_lowercase()
        };
        let called = |names: &[&str]| first.iter().position(|cell| names.contains(&plain(cell).as_str()));
        if let Some(phone) = called(&PHONE).or_else(|| called(&NUMBER)) {
            let mut names: Vec<String> = first.iter().map(|cell| cell.trim().to_owned()).collect();
            names[phone].clear();
            if let Some(long) = names.iter().find(|name| name.len() > FIELD_MAX) {
                let why = format!("the column {}… has a name of more than {FIELD_MAX} bytes", shown(long));
                return Err(ListError::BadRow { row: line, why });
            }
            return Ok((Self { phone, names }, true));
        }
        let filled: Vec<&String> = first.iter().filter(|cell| !cell.trim().is_empty()).collect();
        let is_number = |cell: &String| {
            Phone::parse(cell, country).is_ok() || cell.chars().filter(char::is_ascii_digit).count() >= DIGITS
        };
        // One column needs no name.
        if filled.len() > 1 && !first.first().is_some_and(is_number) {
            let names: Vec<String> = filled.iter().take(NAMES_SHOWN).map(|name| shown(name)).collect();
            let more = if filled.len() > NAMES_SHOWN { ", …" } else { "" };
            return Err(ListError::file(format!(
                "no column is called phone; the columns are: {}{more}",
                names.join(", ")
            )));
        }
        Ok((Self { phone: 0, names: vec![String::new(), "name".to_owned()] }, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { country: None, max: 100 };

    fn read(rows: &[&[&str]]) -> Result<List, ListError> {
        let mut table = Table::new(RULES);
        for (line, row) in (1..).zip(rows) {
            table.push(line, &row.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>())?;
        }
        Ok(table.finish())
    }

    #[test]
    fn a_column_called_phone_goes_before_one_called_number() {
        for header in [
            ["Number", "Name", "Phone"],
            ["Número", "Nome", "Celular"],
            ["To", "x", "WhatsApp"],
            ["numero", "x", "Teléfono"],
            ["x", "number", "MSISDN"],
        ] {
            let list = read(&[&header, &["12", "22", "919876543210"]]).unwrap();
            assert_eq!(list.recipients[0].phone.digits(), "919876543210", "{header:?}");
            assert_eq!(list.fields.len(), 2, "the others are fields");
        }
        let list = read(&[&["Name", "Número"], &["Ana", "919876543210"]]).unwrap();
        assert_eq!(list.recipients[0].fields.as_deref(), Some(r#"{"Name":"Ana"}"#));
    }

    #[test]
    fn a_list_whose_columns_are_called_otherwise_says_how() {
        let refused = read(&[&["Nome", "", "Contato"], &["Ana", "", "919876543210"]]).unwrap_err();
        assert_eq!(refused.to_string(), "no column is called phone; the columns are: Nome, Contato");
        assert_eq!(refused.code(), "INVALID_FILE");
        let wide: Vec<String> = (0..1_000).map(|n| format!("{n}{}", "x".repeat(1_000))).collect();
        let wide: Vec<&str> = wide.iter().map(String::as_str).collect();
        assert!(read(&[&wide]).unwrap_err().to_string().len() < 1_000);
        // A number that is wrong is still no name, and neither is a list's only column.
        for first in [&["0919876543210", "Ana"] as &[&str], &["9.19877E+11", "Ana"], &["hello"]] {
            let list = read(&[first, &["919876543210", "Bia"]]).unwrap();
            assert_eq!((list.problems[0].row, list.recipients[0].row), (1, 2), "{first:?}");
        }
    }

    #[test]
    fn a_column_with_an_endless_name_is_refused_at_once() {
        let long = "x".repeat(FIELD_MAX + 1);
        let refused = read(&[&["phone", &long], &["919876543210", ""]]).unwrap_err();
        assert!(refused.to_string().starts_with("row 1: the column xxx"), "{refused}");
    }
}
