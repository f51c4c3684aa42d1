//! Tables in markup: web pages that are called `.xls`, which many programs export, and Excel's XML of 2003.

use std::io::BufReader;
use std::path::Path;

use encoding_rs::{Encoding, UTF_8};
use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};
use quick_xml::Reader;
use quick_xml::events::Event;
use wapid_core::recipient::Rules;

use super::cells::{beginning, number_text};
use super::columns::Row;
use super::encoding::{Charset, Taken, encoding_of};
use super::marks::{COLUMNS_MAX, attribute, broken, is_true};
use super::ods::resolved;
use super::sheets::{RowSink, Sheet, read_list};
use super::table::Table;
use super::{Format, ListError, ListOptions, ReadAs, ReadList};

/// Where a page says its encoding.
const HEAD: usize = 4 << 10;
/// The longest text of a cell that is put together, in bytes; more than any field may have.
const TEXT_MAX: usize = 8 << 10;

/// The rows of a page's tables, one after another.
pub fn read_html(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    let bytes = std::fs::read(path)?;
    let taken = charset_of(path, &bytes, options)?;
    let page = taken.charset.decode(&bytes);
    let mut emitter = DefaultEmitter::<()>::default();
    emitter.naively_switch_states(true);
    let mut table = Table::new(rules, options);
    let mut row: Option<Row> = None;
    let mut is_in_cell = false;
    let mut line = 0;
    for Ok(token) in Tokenizer::new_with_emitter(&*page, emitter) {
        match token {
            Token::StartTag(tag) => match tag.name.as_slice() {
                b"tr" => {
                    push(&mut table, row.take())?;
                    line += 1;
                    let is_hidden = is_unseen(&tag);
                    row = Some(Row { line, cells: Vec::new(), is_hidden, uncalculated: Vec::new() });
                    is_in_cell = false;
                }
                b"td" | b"th" => {
                    is_in_cell = row.as_ref().is_some_and(|row| row.cells.len() < COLUMNS_MAX);
                    if let Some(row) = row.as_mut().filter(|_| is_in_cell) {
                        row.cells.push(String::new());
                    }
                }
                b"br" | b"p" | b"div" if is_in_cell => add(&mut row, " "),
                _ => {}
            },
            Token::String(text) if is_in_cell => add(&mut row, &String::from_utf8_lossy(&text)),
            Token::EndTag(tag) => match tag.name.as_slice() {
                b"td" | b"th" => is_in_cell = false,
                b"tr" | b"table" => push(&mut table, row.take())?,
                _ => {}
            },
            _ => {}
        }
    }
    push(&mut table, row)?;
    if line == 0 {
        return Err(ListError::file("a web page without a table; save the list as .xlsx or .csv"));
    }
    let (list, columns) = table.finish()?;
    let read_as = ReadAs {
        encoding: Some(taken.charset.name()),
        is_encoding_assumed: taken.is_assumed,
        ..ReadAs::of(Format::Html, columns)
    };
    Ok(ReadList { list, read_as })
}

fn add(row: &mut Option<Row>, text: &str) {
    if let Some(cell) = row.as_mut().and_then(|row| row.cells.last_mut())
        && cell.len() < TEXT_MAX
    {
        cell.push_str(&text[..text.floor_char_boundary(TEXT_MAX)]);
    }
}

fn push(table: &mut Table, row: Option<Row>) -> Result<(), ListError> {
    let Some(mut row) = row else { return Ok(()) };
    for cell in &mut row.cells {
        // Line ends and indents are the page's.
        let text = cell.split_whitespace().collect::<Vec<_>>().join(" ");
        *cell = beginning(&text);
    }
    table.push_row(row)
}

fn is_unseen(tag: &StartTag<()>) -> bool {
    let value =
        |name: &[u8]| tag.attributes.get(name).map(|value| String::from_utf8_lossy(value).to_lowercase());
    value(b"hidden").is_some()
        || value(b"style").is_some_and(|style| style.replace(' ', "").contains("display:none"))
}

/// As the caller says, as the page says, or as it looks.
fn charset_of(path: &Path, bytes: &[u8], options: &ListOptions) -> Result<Taken, ListError> {
    let sure = |charset| Taken { charset, is_assumed: false };
    if let Some(label) = &options.encoding {
        return Ok(sure(Charset::parse(label)?));
    }
    let looks = encoding_of(&mut std::fs::File::open(path)?)?;
    if !looks.is_assumed
        || !matches!(looks.charset, Charset::Known(encoding) if encoding.is_ascii_compatible())
    {
        return Ok(looks);
    }
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]).to_ascii_lowercase();
    let label = head.split("charset=").nth(1).map(|rest| rest.trim_start_matches(['"', '\'']));
    let label = label.and_then(|rest| rest.split(['"', '\'', ' ', '>', ';', '/']).next());
    let said = label.and_then(|label| Encoding::for_label(label.as_bytes()));
    // Its bytes are not UTF-8, whatever it says.
    Ok(said.filter(|encoding| *encoding != UTF_8).map_or(looks, |encoding| sure(Charset::Known(encoding))))
}

/// Excel's XML of 2003.
pub fn read_spreadsheet(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    let (sheets, open) = sheets_of(path)?;
    let read = |at: usize, sink: &mut RowSink| read_rows(path, at, sink);
    read_list(Format::SpreadsheetXml, &sheets, open, rules, options, read)
}

fn reader_of(path: &Path) -> Result<Reader<BufReader<std::fs::File>>, ListError> {
    let mut reader = Reader::from_reader(BufReader::new(std::fs::File::open(path)?));
    reader.config_mut().check_end_names = false;
    Ok(reader)
}

fn sheets_of(path: &Path) -> Result<(Vec<Sheet>, usize), ListError> {
    let mut reader = reader_of(path)?;
    let mut buffer = Vec::new();
    let (mut sheets, mut open) = (Vec::<Sheet>::new(), 0);
    let mut within = String::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(broken)? {
            Event::Start(element) => {
                element.local_name().as_ref().clone_into(&mut within);
                if within == "Worksheet" {
                    let name = attribute(&element, "Name").unwrap_or_default();
                    sheets.push(Sheet { name, is_hidden: false, has_cells: true });
                }
            }
            Event::Text(text) if within == "ActiveSheet" => {
                open = text.xml10_content().trim().parse().unwrap_or(open);
            }
            Event::Text(text) if within == "Visible" && text.xml10_content().contains("Hidden") => {
                if let Some(sheet) = sheets.last_mut() {
                    sheet.is_hidden = true;
                }
            }
            Event::End(_) => within.clear(),
            Event::Eof => return Ok((sheets, open)),
            _ => {}
        }
    }
}

fn read_rows(path: &Path, wanted: usize, sink: &mut RowSink) -> Result<(), ListError> {
    let mut reader = reader_of(path)?;
    let mut buffer = Vec::new();
    let mut sheet = 0_usize;
    let (mut line, mut column) = (0_u32, 0_usize);
    let mut hidden = Vec::new();
    let mut row: Option<Row> = None;
    let mut is_in_data = false;
    let mut is_number = false;
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).map_err(broken)?;
        let is_start = matches!(event, Event::Start(_));
        match event {
            Event::Eof => return Ok(()),
            Event::Start(element) | Event::Empty(element) => {
                let place = |name: &str| attribute(&element, name).and_then(|at| at.parse::<usize>().ok());
                match element.local_name().as_ref() {
                    "Worksheet" => sheet += 1,
                    _ if sheet != wanted + 1 => {}
                    "Column" => {
                        let first =
                            place("Index").map_or(hidden.len(), |at| at.saturating_sub(1)).min(COLUMNS_MAX);
                        let last = (first + place("Span").unwrap_or(0)).min(COLUMNS_MAX - 1);
                        if hidden.len() <= last {
                            hidden.resize(last + 1, false);
                        }
                        let is_hidden = is_true(attribute(&element, "Hidden"));
                        (first..=last).for_each(|at| hidden[at] = is_hidden);
                    }
                    "Row" => {
                        if line == 0 {
                            sink.begin(hidden.clone());
                        }
                        let at = place("Index").and_then(|at| u32::try_from(at).ok());
                        line = at.unwrap_or(line.saturating_add(1));
                        column = 0;
                        let is_hidden = is_true(attribute(&element, "Hidden"));
                        row = is_start.then(|| Row {
                            line,
                            cells: Vec::new(),
                            is_hidden,
                            uncalculated: Vec::new(),
                        });
                    }
                    "Cell" => {
                        column = place("Index").map_or(column, |at| at.saturating_sub(1));
                        if let Some(row) =
                            row.as_mut().filter(|row| column < COLUMNS_MAX && row.cells.len() <= column)
                        {
                            row.cells.resize(column + 1, String::new());
                        }
                        if !is_start {
                            column += 1;
                        }
                    }
                    "Data" => {
                        is_in_data = is_start && column < COLUMNS_MAX;
                        is_number = attribute(&element, "Type").as_deref() == Some("Number");
                    }
                    _ => {}
                }
            }
            Event::Text(text) if is_in_data => add(&mut row, &text.xml10_content()),
            Event::GeneralRef(reference) if is_in_data => add(&mut row, &resolved(&reference)),
            Event::End(element) => match element.local_name().as_ref() {
                "Worksheet" if sheet == wanted + 1 => return Ok(()),
                "Data" => {
                    is_in_data = false;
                    if let Some(cell) = row.as_mut().and_then(|row| row.cells.last_mut()) {
                        let number = cell.trim().parse().ok().filter(|_| is_number);
                        *cell = number.map_or_else(|| beginning(cell), number_text);
                    }
                }
                "Cell" => column += 1,
                "Row" => {
                    if let Some(row) = row.take()
                        && !sink.take(row)?
                    {
                        return Ok(());
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
}
