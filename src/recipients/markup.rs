//! Tables in markup: web pages that are called `.xls`, which many programs export, and Excel's XML of 2003.

use std::collections::HashSet;
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
    let taken = charset_of(path, &bytes, rules, options)?;
    let page = taken.charset.decode(&bytes);
    let mut emitter = DefaultEmitter::<()>::default();
    emitter.naively_switch_states(true);
    let mut table = Table::new(rules, options);
    let mut rows = HtmlRows::default();
    let mut line = 0;
    let (mut is_in_style, mut is_begun) = (false, false);
    for Ok(token) in Tokenizer::new_with_emitter(&*page, emitter) {
        match token {
            Token::StartTag(tag) => match tag.name.as_slice() {
                b"style" => is_in_style = true,
                b"col" if !is_begun => rows.take_column(&tag),
                b"tr" => {
                    rows.end(&mut table)?;
                    if !std::mem::replace(&mut is_begun, true) {
                        table.hide_columns(rows.hidden_columns.clone());
                    }
                    line += 1;
                    rows.begin(line, rows.is_unseen(&tag));
                }
                b"td" | b"th" => rows.begin_cell(&tag),
                b"br" | b"p" | b"div" if rows.is_in_cell => add(&mut rows.row, " "),
                _ => {}
            },
            Token::String(text) if is_in_style => rows.take_style(&String::from_utf8_lossy(&text)),
            Token::String(text) if rows.is_in_cell => add(&mut rows.row, &String::from_utf8_lossy(&text)),
            Token::EndTag(tag) => match tag.name.as_slice() {
                b"style" => is_in_style = false,
                b"td" | b"th" => rows.is_in_cell = false,
                b"tr" => rows.end(&mut table)?,
                b"table" => {
                    rows.end(&mut table)?;
                    rows.below.clear();
                }
                _ => {}
            },
            _ => {}
        }
    }
    rows.end(&mut table)?;
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

/// The rows of a page's tables, and what of them is hidden or reaches over others.
#[derive(Default)]
struct HtmlRows {
    row: Option<Row>,
    is_in_cell: bool,
    /// Empty cells behind the last one, which is as wide as they and it.
    wide: usize,
    /// Cells of the row that reach into the rows below: their place, their width, and into how many.
    tall: Vec<(usize, usize, usize)>,
    /// By column: what reaches into the next rows from above, and into how many.
    below: Vec<(usize, String)>,
    hidden_columns: Vec<bool>,
    /// Classes of what the page's styles hide.
    hidden_classes: HashSet<String>,
}

impl HtmlRows {
    fn begin(&mut self, line: u32, is_hidden: bool) {
        self.row = Some(Row { line, cells: Vec::new(), is_hidden, uncalculated: Vec::new() });
        self.is_in_cell = false;
        (self.wide, self.tall) = (0, Vec::new());
    }

    /// Up to the next cell that no other reaches into.
    fn fill(&mut self) {
        let Some(row) = &mut self.row else { return };
        let width = (row.cells.len() + std::mem::take(&mut self.wide)).min(COLUMNS_MAX);
        row.cells.resize(width, String::new());
        while let Some((rows, text)) = self.below.get_mut(row.cells.len()).filter(|(rows, _)| *rows > 0) {
            *rows -= 1;
            row.cells.push(text.clone());
        }
    }

    fn begin_cell(&mut self, tag: &StartTag<()>) {
        self.fill();
        let Some(row) = &mut self.row else { return };
        self.is_in_cell = row.cells.len() < COLUMNS_MAX;
        if self.is_in_cell {
            let size = |name: &[u8]| number_of(tag, name).unwrap_or(1);
            self.wide = size(b"colspan").clamp(1, COLUMNS_MAX) - 1;
            if size(b"rowspan") > 1 {
                self.tall.push((row.cells.len(), self.wide + 1, size(b"rowspan") - 1));
            }
            row.cells.push(String::new());
        }
    }

    fn end(&mut self, table: &mut Table) -> Result<(), ListError> {
        self.fill();
        self.is_in_cell = false;
        let Some(mut row) = self.row.take() else { return Ok(()) };
        for cell in &mut row.cells {
            // Line ends and indents are the page's.
            let text = cell.split_whitespace().collect::<Vec<_>>().join(" ");
            *cell = beginning(&text);
        }
        for (at, width, rows) in std::mem::take(&mut self.tall) {
            let end = (at + width).min(COLUMNS_MAX);
            if self.below.len() < end {
                self.below.resize(end, (0, String::new()));
            }
            for (place, below) in self.below[at..end].iter_mut().enumerate() {
                let text = if place == 0 { row.cells.get(at).cloned() } else { None };
                *below = (rows, text.unwrap_or_default());
            }
        }
        table.push_row(row)
    }

    fn take_column(&mut self, tag: &StartTag<()>) {
        let span = number_of(tag, b"span").unwrap_or(1);
        let left = COLUMNS_MAX.saturating_sub(self.hidden_columns.len());
        let is_hidden = self.is_unseen(tag) || number_of(tag, b"width") == Some(0);
        self.hidden_columns.extend(std::iter::repeat_n(is_hidden, span.min(left)));
    }

    /// `.gone, tr.old { display: none }`
    fn take_style(&mut self, style: &str) {
        let rules = style.split('}').filter_map(|rule| rule.split_once('{'));
        for (selectors, _) in rules.filter(|(_, said)| hides(said)) {
            let classes = selectors.split(',').filter_map(|selector| selector.trim().rsplit_once('.'));
            // A class within another is not looked for.
            let simple = classes.filter(|(tag, _)| !tag.contains([' ', '>', '.', '/']));
            self.hidden_classes.extend(simple.map(|(_, class)| class.trim().to_lowercase()));
        }
    }

    fn is_unseen(&self, tag: &StartTag<()>) -> bool {
        let value =
            |name: &[u8]| tag.attributes.get(name).map(|value| String::from_utf8_lossy(value).to_lowercase());
        value(b"hidden").is_some()
            || value(b"style").is_some_and(|style| hides(&style))
            || value(b"class").is_some_and(|classes| {
                classes.split_whitespace().any(|class| self.hidden_classes.contains(class))
            })
    }
}

/// Whether a style shows nothing of its element.
fn hides(style: &str) -> bool {
    let style: String = style.to_lowercase().split_whitespace().collect();
    ["display:none", "mso-hide:all", "visibility:hidden", "visibility:collapse"]
        .iter()
        .any(|hiding| style.contains(hiding))
}

fn number_of(tag: &StartTag<()>, name: &[u8]) -> Option<usize> {
    let value = tag.attributes.get(name)?;
    String::from_utf8_lossy(value).trim().trim_end_matches("px").parse().ok()
}

/// As the caller says, as the page says, or as it looks.
fn charset_of(path: &Path, bytes: &[u8], rules: &Rules, options: &ListOptions) -> Result<Taken, ListError> {
    let sure = |charset| Taken { charset, is_assumed: false };
    if let Some(label) = &options.encoding {
        return Ok(sure(Charset::parse(label)?));
    }
    let looks = encoding_of(&mut std::fs::File::open(path)?, rules.country)?;
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
    // Cells behind one that were joined to it.
    let mut merged = 0_usize;
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
                        merged = place("MergeAcross").unwrap_or(0).min(COLUMNS_MAX);
                        if !is_start {
                            column += 1 + merged;
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
                "Cell" => column += 1 + merged,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn people(page: &str) -> Vec<(u32, String)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), page).unwrap();
        let rules = Rules { max: 100, ..Rules::default() };
        let list = super::super::from_file(file.path(), &rules, &ListOptions::default()).unwrap().list;
        list.recipients.iter().map(|one| (one.row, one.phone.digits().to_owned())).collect()
    }

    #[test]
    fn cells_that_reach_over_others_shift_nothing() {
        for page in [
            "<table><tr><th colspan=2>Cliente</th><th>Telefone</th></tr><tr><td>Ana</td><td>Silva</td><td>919876543210</td></tr></table>",
            "<table><tr><th rowspan=2>Nome</th><th colspan=2>Telefones</th></tr><tr><th>Celular</th><th>Fixo</th></tr><tr><td>Ana</td><td>919876543210</td><td>551133334444</td></tr></table>",
            "<table><tr><th>Empresa</th><th>Nome</th><th>Telefone</th></tr><tr><td rowspan=2>ACME</td><td>Bia</td><td></td></tr><tr><td>Ana</td><td>919876543210</td></tr></table>",
        ] {
            let read: Vec<String> = people(page).into_iter().map(|(_, phone)| phone).collect();
            assert_eq!(read, ["919876543210"], "{page}");
        }
    }

    #[test]
    fn what_a_page_hides_is_hidden() {
        let rows = "<tr><td>Nome</td><td>Celular</td><td>Telefone</td></tr><tr><td>Ana</td><td>919876543219</td><td>919876543210</td></tr>";
        for col in
            ["<col width=0>", "<col style='display:none;mso-width-source:userset'>", "<col class=gone>"]
        {
            let page =
                format!("<style>.gone {{ display : none }}</style><table><col>{col}<col>{rows}</table>");
            assert_eq!(people(&page), [(2, "919876543210".to_owned())], "{col}");
        }
        for row in ["<tr class='x gone'>", "<tr style='mso-hide:all'>", "<tr hidden>"] {
            let page = format!(
                "<style>td{{color:red}} tr.gone, .old {{display:none}}</style><table><tr><td>Telefone</td></tr>{row}<td>919876543219</td></tr><tr><td>919876543210</td></tr></table>"
            );
            assert_eq!(people(&page), [(3, "919876543210".to_owned())], "{row}");
        }
    }
}
