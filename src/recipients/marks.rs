//! What of an Excel workbook its owner sees: the sheet that is open, hidden rows and columns, formulas that
//! were never calculated, and country codes that stand in a cell's format alone.
//!
//! calamine, which reads the cells, does not tell. So the same parts are read once more, for this alone, in
//! step with it; nothing of a sheet is kept but its current row.

use std::collections::HashMap;
use std::io::BufRead;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::packed::Archive;
use super::{ListError, formats};

/// Columns that can be hidden one by one; more are not read.
pub const COLUMNS_MAX: usize = 100;

/// What the workbook itself says.
#[derive(Debug, Default)]
pub struct Workbook {
    /// The sheet that was open when it was saved.
    pub open: usize,
    /// The part that holds each sheet, by its name.
    pub parts: HashMap<String, String>,
    /// Formats of numbers that begin with a country code, by their cells' style.
    pub formats: HashMap<usize, String>,
}

/// What is said of one row.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RowMarks {
    /// From 1.
    pub row: u32,
    pub is_hidden: bool,
    /// Columns whose formula has no value, or the 0 that programs write for want of one.
    pub uncalculated: Vec<usize>,
    /// Columns with a style that is not the default, and the style.
    pub styles: Vec<(usize, usize)>,
}

pub fn broken(problem: impl std::fmt::Display) -> ListError {
    ListError::file(format!("the file does not read ({problem}); open it in a spreadsheet and save it anew"))
}

/// An attribute by its name without its namespace.
pub fn attribute(element: &BytesStart, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    // That no two have one name costs as much as all else.
    let mut attributes = attributes.with_checks(false).flatten();
    let found = attributes.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    found.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
}

pub fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|value| matches!(value.trim(), "1" | "true" | "on"))
}

/// Hands each element that begins to `take`, until it answers that it has enough.
fn each_start<R: BufRead>(from: R, mut take: impl FnMut(&BytesStart) -> bool) -> Result<(), ListError> {
    let mut reader = Reader::from_reader(from);
    reader.config_mut().check_end_names = false;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(broken)? {
            Event::Start(element) | Event::Empty(element) if !take(&element) => return Ok(()),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

impl Workbook {
    pub fn read(archive: &mut Archive) -> Result<Self, ListError> {
        let names: Vec<String> = archive
            .file_names()
            .map(|name| name.map(|name| name.into_owned()))
            .collect::<Result<_, _>>()
            .map_err(super::packed::broken)?;
        let ends = |name: &&String| name.to_ascii_lowercase().ends_with("workbook.xml");
        let Some(book) = names.iter().filter(ends).min_by_key(|name| name.len()).cloned() else {
            return Ok(Self::default());
        };
        let folder = book.rfind('/').map_or("", |at| &book[..=at]).to_owned();
        let find = |wanted: &str| names.iter().find(|name| name.eq_ignore_ascii_case(wanted)).cloned();
        let mut targets = HashMap::new();
        if let Some(relations) = find(&format!("{folder}_rels/{}.rels", &book[folder.len()..])) {
            let part = archive.by_name(&relations).map_err(super::packed::broken)?;
            each_start(std::io::BufReader::new(part), |element| {
                if let (Some(id), Some(target)) = (attribute(element, "Id"), attribute(element, "Target")) {
                    let target = match target.strip_prefix('/') {
                        Some(whole) => whole.to_owned(),
                        None => format!("{folder}{target}"),
                    };
                    targets.insert(id, target);
                }
                true
            })?;
        }
        let mut made = Self::default();
        let part = archive.by_name(&book).map_err(super::packed::broken)?;
        each_start(std::io::BufReader::new(part), |element| {
            match element.local_name().as_ref() {
                "workbookView" => {
                    let open = attribute(element, "activeTab").and_then(|open| open.parse().ok());
                    made.open = open.unwrap_or(made.open);
                }
                "sheet" => {
                    let part = attribute(element, "id").and_then(|id| targets.get(&id).cloned());
                    if let (Some(name), Some(part)) = (attribute(element, "name"), part) {
                        made.parts.insert(name, find(&part).unwrap_or(part));
                    }
                }
                _ => {}
            }
            true
        })?;
        if let Some(styles) = find(&format!("{folder}styles.xml")) {
            let part = archive.by_name(&styles).map_err(super::packed::broken)?;
            made.formats = formats_with_codes(std::io::BufReader::new(part))?;
        }
        Ok(made)
    }
}

/// The styles whose numbers are shown otherwise than as they are.
fn formats_with_codes(styles: impl BufRead) -> Result<HashMap<usize, String>, ListError> {
    // These two are written down nowhere.
    let builtin = [("9", "0%"), ("10", "0.00%")];
    let mut codes: HashMap<String, String> =
        builtin.map(|(id, code)| (id.to_owned(), code.to_owned())).into_iter().collect();
    let mut formats = HashMap::new();
    let (mut is_within, mut style) = (false, 0);
    each_start(styles, |element| {
        match element.local_name().as_ref() {
            "numFmt" => {
                if let (Some(id), Some(code)) =
                    (attribute(element, "numFmtId"), attribute(element, "formatCode"))
                    && formats::says_more(&code)
                {
                    codes.insert(id, code);
                }
            }
            "cellXfs" => is_within = true,
            "cellStyles" | "dxfs" => is_within = false,
            "xf" if is_within => {
                if let Some(code) = attribute(element, "numFmtId").and_then(|id| codes.get(&id)) {
                    formats.insert(style, code.clone());
                }
                style += 1;
            }
            _ => {}
        }
        true
    })?;
    Ok(formats)
}

/// The marks of a sheet, row by row.
pub struct Marks<R> {
    reader: Reader<R>,
    buffer: Vec<u8>,
    hidden_columns: Vec<bool>,
    /// Whether styles count.
    has_formats: bool,
    row: u32,
}

impl<R: BufRead> Marks<R> {
    /// Reads up to the first row.
    pub fn of(from: R, has_formats: bool) -> Result<Self, ListError> {
        let mut reader = Reader::from_reader(from);
        reader.config_mut().check_end_names = false;
        let mut made = Self { reader, buffer: Vec::new(), hidden_columns: Vec::new(), has_formats, row: 0 };
        loop {
            made.buffer.clear();
            match made.reader.read_event_into(&mut made.buffer).map_err(broken)? {
                Event::Start(element) | Event::Empty(element) => match element.local_name().as_ref() {
                    "col" if is_hidden(&element, "width") => {
                        let place = |name| attribute(&element, name).and_then(|at| at.parse::<usize>().ok());
                        let first = place("min").unwrap_or(1).clamp(1, COLUMNS_MAX + 1);
                        let last = place("max").unwrap_or(first).min(COLUMNS_MAX);
                        if made.hidden_columns.len() < last {
                            made.hidden_columns.resize(last, false);
                        }
                        (first..=last).for_each(|at| made.hidden_columns[at - 1] = true);
                    }
                    "sheetData" => return Ok(made),
                    _ => {}
                },
                Event::Eof => return Ok(made),
                _ => {}
            }
        }
    }

    pub fn hidden_columns(&self) -> Vec<bool> {
        self.hidden_columns.clone()
    }

    /// The next row that is written down.
    pub fn next_row(&mut self) -> Result<Option<RowMarks>, ListError> {
        let mut marks = RowMarks::default();
        // The cell that is read.
        let (mut column, mut has_formula, mut value) = (0, false, None::<String>);
        let mut is_in_value = false;
        loop {
            self.buffer.clear();
            let event = self.reader.read_event_into(&mut self.buffer).map_err(broken)?;
            let is_empty = matches!(event, Event::Empty(_));
            match event {
                Event::Start(element) | Event::Empty(element) => match element.local_name().as_ref() {
                    "row" => {
                        let row = attribute(&element, "r").and_then(|row| row.parse().ok());
                        self.row = row.unwrap_or(self.row + 1);
                        marks.row = self.row;
                        marks.is_hidden = is_hidden(&element, "ht");
                        (column, has_formula, value) = (0, false, None);
                        if is_empty {
                            return Ok(Some(marks));
                        }
                    }
                    "c" => {
                        let mut style = None;
                        for attribute in element.attributes().with_checks(false).flatten() {
                            match attribute.key.as_ref() {
                                "r" => column = column_of(&attribute.value).unwrap_or(column),
                                "s" if self.has_formats => style = attribute.value.parse().ok(),
                                _ => {}
                            }
                        }
                        if let Some(style) = style.filter(|style| *style > 0 && column < COLUMNS_MAX) {
                            marks.styles.push((column, style));
                        }
                        (has_formula, value) = (false, None);
                        if is_empty {
                            column += 1;
                        }
                    }
                    "f" => has_formula = true,
                    "v" => is_in_value = !is_empty,
                    _ => {}
                },
                Event::Text(text) if is_in_value && has_formula => {
                    value = Some(text.xml10_content().into_owned())
                }
                Event::End(element) => match element.local_name().as_ref() {
                    "v" => is_in_value = false,
                    "c" => {
                        let is_calculated =
                            value.as_deref().is_some_and(|value| !matches!(value.trim(), "" | "0"));
                        if has_formula && !is_calculated && column < COLUMNS_MAX {
                            marks.uncalculated.push(column);
                        }
                        column += 1;
                    }
                    "row" => return Ok(Some(marks)),
                    "sheetData" => return Ok(None),
                    _ => {}
                },
                Event::Eof => return Ok(None),
                _ => {}
            }
        }
    }
}

/// As it says, or because it was made too small to be seen.
fn is_hidden(element: &BytesStart, size: &str) -> bool {
    is_true(attribute(element, "hidden"))
        || attribute(element, size).and_then(|size| size.parse::<f64>().ok()).is_some_and(|size| size <= 0.0)
}

/// `B12` is in the second column.
fn column_of(cell: &str) -> Option<usize> {
    let letters = cell.bytes().take_while(u8::is_ascii_alphabetic);
    let number = |number: usize, byte: u8| number * 26 + usize::from(byte.to_ascii_uppercase() - b'A') + 1;
    letters.take(3).fold(0, number).checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheets_marks_are_read_row_by_row() {
        let sheet = r#"<worksheet><cols><col min="2" max="3" hidden="1"/></cols><sheetData><row r="2" hidden="1">
            <c r="A2"><v>1</v></c><c r="C2" s="4"><f>1+1</f></c></row><row><c><f>A1</f><v>0</v></c><c/><c><f>1</f><v>7</v></c></row>
            <row r="9" ht="0" customHeight="1"/></sheetData></worksheet>"#;
        let mut marks = Marks::of(sheet.as_bytes(), true).unwrap();
        assert_eq!(marks.hidden_columns(), [false, true, true]);
        let first = marks.next_row().unwrap().unwrap();
        assert_eq!(
            (first.row, first.is_hidden, first.uncalculated, first.styles),
            (2, true, vec![2], vec![(2, 4)])
        );
        let second = marks.next_row().unwrap().unwrap();
        assert_eq!((second.row, second.is_hidden, second.uncalculated), (3, false, vec![0]));
        assert_eq!(marks.next_row().unwrap().map(|row| (row.row, row.is_hidden)), Some((9, true)));
        assert_eq!(marks.next_row().unwrap(), None);
    }
}
