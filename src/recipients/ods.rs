//! A spreadsheet of LibreOffice and its relatives (OpenDocument), read row by row.
//!
//! Ours, because calamine sets aside memory for as many cells as the file says that it repeats, and does
//! not tell which rows are hidden.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use wapid_core::recipient::Rules;

use super::cells::{beginning, number_text};
use super::columns::Row;
use super::marks::{COLUMNS_MAX, attribute, broken};
use super::packed::{self, Archive};
use super::sheets::{RowSink, Sheet, read_list};
use super::{Format, ListError, ListOptions, ReadList};

const CONTENT: &str = "content.xml";
/// The longest text of a cell that is put together, in bytes; more than any field may have.
const TEXT_MAX: usize = 8 << 10;
/// What is looked at of the settings and of what is said of the parts.
const ASIDE_MAX: u64 = 1 << 20;

pub fn read(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    let mut archive = packed::open(path)?;
    if aside(&mut archive, "META-INF/manifest.xml")?.contains("encryption-data") {
        return Err(ListError::file("the spreadsheet is locked with a password; save it without one"));
    }
    let sheets = sheets_of(&mut archive)?;
    let open = open_sheet(&aside(&mut archive, "settings.xml")?);
    let open = sheets.iter().position(|sheet| Some(&sheet.name) == open.as_ref()).unwrap_or(0);
    read_list(Format::Ods, &sheets, open, rules, options, |at, sink| read_rows(&mut archive, at, sink))
}

/// A small part; empty where there is none.
fn aside(archive: &mut Archive, name: &str) -> Result<String, ListError> {
    let Ok(part) = archive.by_name(name) else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    part.take(ASIDE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The sheet that was open when it was saved.
fn open_sheet(settings: &str) -> Option<String> {
    let mut reader = Reader::from_str(settings);
    let mut is_it = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => is_it = attribute(&element, "name").as_deref() == Some("ActiveTable"),
            Event::Text(text) if is_it => return Some(text.xml10_content().into_owned()),
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn content(archive: &mut Archive) -> Result<Reader<impl BufRead + use<'_>>, ListError> {
    let part = archive.by_name(CONTENT).map_err(packed::broken)?;
    let mut reader = Reader::from_reader(BufReader::new(part));
    reader.config_mut().check_end_names = false;
    Ok(reader)
}

fn sheets_of(archive: &mut Archive) -> Result<Vec<Sheet>, ListError> {
    let mut reader = content(archive)?;
    let mut buffer = Vec::new();
    let mut sheets = Vec::new();
    let mut hidden_styles = HashSet::new();
    let (mut style, mut depth) = (None, 0_usize);
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).map_err(broken)?;
        let is_start = matches!(event, Event::Start(_));
        match event {
            Event::Start(element) | Event::Empty(element) => match element.name().as_ref() {
                "style:style" => style = attribute(&element, "name"),
                "style:table-properties" if attribute(&element, "display").as_deref() == Some("false") => {
                    hidden_styles.extend(style.clone());
                }
                "table:table" => {
                    // A table within a cell is none of its own.
                    if depth == 0 {
                        let style = attribute(&element, "style-name");
                        sheets.push(Sheet {
                            name: attribute(&element, "name").unwrap_or_default(),
                            is_hidden: style.is_some_and(|style| hidden_styles.contains(&style)),
                            has_cells: true,
                        });
                    }
                    depth += usize::from(is_start);
                }
                _ => {}
            },
            Event::End(element) if element.name().as_ref() == "table:table" => {
                depth = depth.saturating_sub(1)
            }
            Event::Eof => return Ok(sheets),
            _ => {}
        }
    }
}

fn repeated(element: &BytesStart, name: &str) -> usize {
    attribute(element, name).and_then(|count| count.parse().ok()).unwrap_or(1).max(1)
}

fn is_unseen(element: &BytesStart) -> bool {
    attribute(element, "visibility").is_some_and(|kind| matches!(kind.as_str(), "collapse" | "filter"))
}

/// The cell that is read.
#[derive(Default)]
struct Cell {
    /// What stands in its attributes.
    value: Option<String>,
    text: String,
    paragraphs: usize,
    repeats: usize,
    has_formula: bool,
}

impl Cell {
    fn of(element: &BytesStart) -> Self {
        let value = |name: &str| attribute(element, name);
        let kind = value("value-type").unwrap_or_default();
        Self {
            value: match kind.as_str() {
                "float" | "percentage" | "currency" => {
                    value("value").map(|text| text.parse().map_or(text, number_text))
                }
                "date" => {
                    value("date-value").map(|date| date.strip_suffix("T00:00:00").unwrap_or(&date).to_owned())
                }
                "boolean" => value("boolean-value"),
                "string" => value("string-value"),
                _ => None,
            },
            repeats: repeated(element, "number-columns-repeated"),
            has_formula: value("formula").is_some(),
            ..Self::default()
        }
    }

    fn add(&mut self, text: &str) {
        if self.text.len() < TEXT_MAX {
            self.text.push_str(&text[..text.floor_char_boundary(TEXT_MAX)]);
        }
    }

    fn into_text(self) -> String {
        match self.value {
            Some(value) if !shows_more(&self.text, &value) => beginning(&value),
            _ => beginning(&self.text),
        }
    }
}

/// Whether a number is shown with a country code or with the zeros before it, or as a percentage.
fn shows_more(shown: &str, value: &str) -> bool {
    let is_of_a_phone = |c: char| c.is_ascii_digit() || "+-() .\u{a0}".contains(c);
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    let is_whole = value.bytes().all(|byte| byte.is_ascii_digit());
    let is_longer = digits.len() > value.len() && digits.ends_with(value) && shown.chars().all(is_of_a_phone);
    (is_whole && is_longer) || (shown.ends_with('%') && value.parse::<f64>().is_ok())
}

fn read_rows(archive: &mut Archive, wanted: usize, sink: &mut RowSink) -> Result<(), ListError> {
    let mut reader = content(archive)?;
    let mut buffer = Vec::new();
    let (mut sheet, mut depth) = (0_usize, 0_usize);
    let mut hidden_columns = Vec::new();
    let mut line = 0_u32;
    let mut row: Option<(Row, usize)> = None;
    let mut cell: Option<Cell> = None;
    // Within a comment, or a table within a cell.
    let mut aside = 0_usize;
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).map_err(broken)?;
        let is_start = matches!(event, Event::Start(_));
        match event {
            Event::Eof => return Ok(()),
            Event::Start(element) | Event::Empty(element) => match element.name().as_ref() {
                "table:table" => {
                    sheet += usize::from(depth == 0);
                    depth += usize::from(is_start);
                }
                _ if sheet != wanted + 1 || depth != 1 => {}
                "office:annotation" | "draw:frame" | "draw:custom-shape" => aside += usize::from(is_start),
                _ if aside > 0 => {}
                "table:table-column" => {
                    let count = repeated(&element, "number-columns-repeated");
                    let left = COLUMNS_MAX.saturating_sub(hidden_columns.len());
                    hidden_columns.extend(std::iter::repeat_n(is_unseen(&element), count.min(left)));
                }
                "table:table-row" => {
                    if line == 0 {
                        sink.begin(hidden_columns.clone());
                    }
                    let repeats = repeated(&element, "number-rows-repeated");
                    line = line.saturating_add(1);
                    let begun = Row {
                        line,
                        cells: Vec::new(),
                        is_hidden: is_unseen(&element),
                        uncalculated: Vec::new(),
                    };
                    if is_start {
                        row = Some((begun, repeats));
                    } else {
                        line = line.saturating_add(u32::try_from(repeats - 1).unwrap_or(u32::MAX));
                    }
                }
                "table:table-cell" | "table:covered-table-cell" => {
                    let begun = Cell::of(&element);
                    if is_start {
                        cell = Some(begun);
                    } else if let Some((row, _)) = &mut row {
                        put(row, begun);
                    }
                }
                "text:p" => {
                    if let Some(cell) = &mut cell {
                        if cell.paragraphs > 0 {
                            cell.add("\n");
                        }
                        cell.paragraphs += 1;
                    }
                }
                "text:s" | "text:tab" | "text:line-break" => {
                    if let Some(cell) = &mut cell {
                        cell.add(&" ".repeat(repeated(&element, "c").min(TEXT_MAX)));
                    }
                }
                _ => {}
            },
            Event::Text(text) if aside == 0 => {
                if let Some(cell) = cell.as_mut().filter(|cell| cell.paragraphs > 0) {
                    cell.add(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) if aside == 0 => {
                if let Some(cell) = &mut cell {
                    cell.add(&resolved(&reference));
                }
            }
            Event::End(element) => match element.name().as_ref() {
                "table:table" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 && sheet == wanted + 1 {
                        return Ok(());
                    }
                }
                "office:annotation" | "draw:frame" | "draw:custom-shape" => aside = aside.saturating_sub(1),
                "table:table-cell" | "table:covered-table-cell" if depth == 1 && aside == 0 => {
                    if let (Some(cell), Some((row, _))) = (cell.take(), &mut row) {
                        put(row, cell);
                    }
                }
                "table:table-row" if depth == 1 => {
                    let Some((mut ended, repeats)) = row.take() else { continue };
                    let filled = ended.cells.iter().rposition(|cell| !cell.is_empty()).map_or(0, |at| at + 1);
                    ended.cells.truncate(filled);
                    if filled == 0 && ended.uncalculated.is_empty() {
                        line = line.saturating_add(u32::try_from(repeats - 1).unwrap_or(u32::MAX));
                        continue;
                    }
                    for again in 0..repeats {
                        line = line.saturating_add(u32::from(again > 0));
                        if !sink.take(Row { line, ..ended.clone() })? {
                            return Ok(());
                        }
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// `&amp;` and its like.
pub fn resolved(reference: &quick_xml::events::BytesRef) -> String {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return c.to_string();
    }
    let name = reference.xml10_content();
    quick_xml::escape::resolve_predefined_entity(&name).unwrap_or_default().to_owned()
}

fn put(row: &mut Row, cell: Cell) {
    let at = row.cells.len();
    let left = COLUMNS_MAX.saturating_sub(at);
    let (repeats, has_formula) = (cell.repeats.min(left), cell.has_formula);
    let text = cell.into_text();
    if has_formula && matches!(text.as_str(), "" | "0") {
        row.uncalculated.extend(at..at + repeats);
    }
    row.cells.extend(std::iter::repeat_n(text, repeats));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_it_is_shown_where_that_says_more() {
        for (shown, value) in [
            ("+55 11900000001", "11900000001"),
            ("0600 00 00 01", "600000001"),
            ("00012", "12"),
            ("30%", "0.3"),
        ] {
            assert!(shows_more(shown, value), "{shown}");
        }
        for (shown, value) in [
            ("5,51E+12", "5511900000001"),
            ("11900000001", "11900000001"),
            ("R$ 0012", "12"),
            ("12.00", "12"),
            ("", "12"),
        ] {
            assert!(!shows_more(shown, value), "{shown}");
        }
    }

    #[test]
    fn the_open_sheet_is_named_in_the_settings() {
        let settings = r#"<a><config:config-item config:name="Zoom">100</config:config-item>
            <config:config-item config:name="ActiveTable" config:type="string">People</config:config-item></a>"#;
        assert_eq!(open_sheet(settings).as_deref(), Some("People"));
        assert_eq!(open_sheet(""), None);
    }
}
