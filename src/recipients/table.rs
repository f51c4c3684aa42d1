//! Rows of cells: which column holds the phone, and what the others are called.

use wapid_core::recipient::{List, ListBuilder, Rules};

use super::ListError;

/// What people call the column of phone numbers, without spaces, dots, dashes and underscores.
const PHONE: [&str; 19] = [
    "phone",
    "phonenumber",
    "phoneno",
    "number",
    "mobile",
    "mobilenumber",
    "cell",
    "cellphone",
    "whatsapp",
    "whatsappnumber",
    "to",
    "msisdn",
    "telefone",
    "celular",
    "numero",
    "número",
    "teléfono",
    "telefono",
    "tel",
];

/// Takes rows of a sheet in order.
pub struct Table {
    builder: ListBuilder,
    columns: Option<Columns>,
}

struct Columns {
    phone: usize,
    /// Of the others; empty is not read.
    names: Vec<String>,
}

impl Table {
    pub fn new(rules: Rules) -> Self {
        Self { builder: ListBuilder::new(rules), columns: None }
    }

    /// `line` is what a person sees beside the row. Rows without any text are passed over. The first row
    /// names the columns if one of its cells is called like a phone; otherwise the first column is the
    /// phone and the second the name.
    pub fn push(&mut self, line: u32, cells: &[String]) -> Result<(), ListError> {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return Ok(());
        }
        let columns = match &self.columns {
            Some(columns) => columns,
            None => {
                let (columns, was_header) = Columns::of(cells);
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
    fn of(first: &[String]) -> (Self, bool) {
        let plain = |cell: &String| -> String {
            cell.chars()
                .filter(|c| !c.is_whitespace() && !"._-".contains(*c))
                .collect::<String>()
                .to_lowercase()
        };
        if let Some(phone) = first.iter().position(|cell| PHONE.contains(&plain(cell).as_str())) {
            let mut names: Vec<String> = first.iter().map(|cell| cell.trim().to_owned()).collect();
            names[phone].clear();
            return (Self { phone, names }, true);
        }
        (Self { phone: 0, names: vec![String::new(), "name".to_owned()] }, false)
    }
}
