//! A workbook of Excel before 2007, and whatever else comes in Microsoft's older container.
//!
//! calamine reads the cells, all of them at once and as a rectangle. What it does not tell (hidden rows and
//! columns, the open sheet, formulas without a value) and how large the rectangles are is read first from
//! the records themselves.

use std::collections::{BTreeMap, HashSet};
use std::io::{Cursor, Read as _};
use std::path::Path;

use calamine::{Reader as _, Xls};
use wapid_core::recipient::Rules;

use super::cells::text_of_data;
use super::columns::Row;
use super::marks::{COLUMNS_MAX, broken};
use super::sheets::{Sheet, read_list};
use super::{Format, ListError, ListOptions, ReadList};

/// The rectangles that a workbook's cells span, together: 65,536 rows with 60 columns.
const CELLS_MAX: usize = 4_000_000;

pub fn read(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    let bytes = std::fs::read(path)?;
    let records = workbook_of(&bytes)?;
    let seen = Seen::of(&records)?;
    let mut book = Xls::new(Cursor::new(bytes.as_slice())).map_err(broken)?;
    let sheets: Vec<Sheet> = book.sheets_metadata().iter().map(Sheet::from).collect();
    read_list(Format::Xls, &sheets, seen.open, rules, options, |at, sink| {
        let range = book.worksheet_range(&sheets[at].name).map_err(broken)?;
        let none = SeenSheet::default();
        let seen = seen.sheets.get(at).unwrap_or(&none);
        sink.begin(seen.hidden_columns.clone());
        let (first_row, first_column) = range.start().unwrap_or_default();
        let first_column = usize::try_from(first_column).unwrap_or(COLUMNS_MAX).min(COLUMNS_MAX);
        for (line, cells) in (first_row..).zip(range.rows()) {
            let mut texts = vec![String::new(); first_column];
            texts.extend(cells.iter().take(COLUMNS_MAX - first_column).map(text_of_data));
            let row = Row {
                line: line + 1,
                cells: texts,
                is_hidden: seen.hidden_rows.contains(&line),
                uncalculated: seen.uncalculated.get(&line).cloned().unwrap_or_default(),
            };
            if !sink.take(row)? {
                break;
            }
        }
        Ok(())
    })
}

/// The workbook's records; of another file of this kind, what it is.
fn workbook_of(bytes: &[u8]) -> Result<Vec<u8>, ListError> {
    let mut container = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(broken)?;
    let has = |name: &str| container.exists(format!("/{name}"));
    if has("EncryptedPackage") {
        return Err(ListError::file(
            "a workbook or document that is locked with a password; open it, save it without the password and upload that",
        ));
    }
    let what = if has("WordDocument") {
        "an old Word document (.doc); copy its table into a spreadsheet and save that as .xlsx or .csv"
    } else if has("PowerPoint Document") {
        "an old presentation (.ppt); copy its table into a spreadsheet and save that as .xlsx or .csv"
    } else if has("__properties_version1.0") {
        "a mail of Outlook (.msg); save the list that is attached to it"
    } else {
        "a file of an old Office program that is no workbook; save the list as .xlsx or .csv"
    };
    let stream =
        ["Workbook", "Book"].into_iter().find(|name| has(name)).ok_or_else(|| ListError::file(what))?;
    let mut records = Vec::new();
    let stream = container.open_stream(format!("/{stream}")).map_err(broken)?;
    // What the container says of its size may be a lie, but it has no more than the file.
    stream.take(bytes.len() as u64).read_to_end(&mut records)?;
    Ok(records)
}

/// What the records say beside the cells.
#[derive(Debug, Default)]
struct Seen {
    open: usize,
    sheets: Vec<SeenSheet>,
}

#[derive(Debug, Default)]
struct SeenSheet {
    /// Rows from 0.
    hidden_rows: HashSet<u32>,
    hidden_columns: Vec<bool>,
    uncalculated: BTreeMap<u32, Vec<usize>>,
}

const END: u16 = 0x000a;
const FORMULA: u16 = 0x0006;
const LOCKED: u16 = 0x002f;
const WINDOW: u16 = 0x003d;
const COLUMN: u16 = 0x007d;
const SHEET: u16 = 0x0085;
const ROW: u16 = 0x0208;
/// Records that begin with a row and a column.
const CELLS: [u16; 13] =
    [FORMULA, 0x0201, 0x0203, 0x0204, 0x0205, 0x027e, 0x00d6, 0x00fd, 0x0001, 0x0002, 0x0003, 0x0004, 0x0005];
/// A row, a first and, at the end, a last column.
const SPANS: [u16; 2] = [0x00bd, 0x00be];

struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, size) = (word(self.0, 0)?, usize::from(word(self.0, 2)?));
        let body = self.0.get(4..4 + size)?;
        self.0 = &self.0[4 + size..];
        Some((kind, body))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

impl Seen {
    fn of(records: &[u8]) -> Result<Self, ListError> {
        let mut seen = Self::default();
        let mut starts = Vec::new();
        for (kind, body) in Records(records) {
            match kind {
                LOCKED => {
                    return Err(ListError::file(
                        "the workbook is locked with a password; open it, save it without the password and upload that",
                    ));
                }
                WINDOW => seen.open = word(body, 10).map_or(0, usize::from),
                SHEET => {
                    let start = body.get(..4).and_then(|start| start.try_into().ok()).map(u32::from_le_bytes);
                    starts.push(start.and_then(|start| usize::try_from(start).ok()).unwrap_or(usize::MAX));
                }
                END => break,
                _ => {}
            }
        }
        let mut cells = 0_usize;
        for start in starts {
            let sheet = records.get(start..).unwrap_or_default();
            let (read, area) = SeenSheet::of(sheet);
            cells = cells.saturating_add(area);
            if cells > CELLS_MAX {
                return Err(ListError::file(
                    "the workbook spans too many cells; save the list alone, as .xlsx or .csv",
                ));
            }
            seen.sheets.push(read);
        }
        Ok(seen)
    }
}

impl SeenSheet {
    /// And how many cells its rectangle has.
    fn of(records: &[u8]) -> (Self, usize) {
        let mut seen = Self::default();
        let (mut rows, mut columns) = ((u16::MAX, 0_u16), (u16::MAX, 0_u16));
        for (kind, body) in Records(records) {
            let (first, second) = (word(body, 0), word(body, 2));
            match kind {
                END => break,
                ROW => {
                    let is_hidden = word(body, 12).is_some_and(|bits| bits & 0x20 != 0);
                    if let Some(row) = first.filter(|_| is_hidden) {
                        seen.hidden_rows.insert(u32::from(row));
                    }
                }
                COLUMN => {
                    let is_hidden = word(body, 8).is_some_and(|bits| bits & 1 != 0);
                    if let (Some(first), Some(last), true) = (first, second, is_hidden) {
                        let last = usize::from(last).min(COLUMNS_MAX - 1);
                        if seen.hidden_columns.len() <= last {
                            seen.hidden_columns.resize(last + 1, false);
                        }
                        (usize::from(first)..=last).for_each(|at| seen.hidden_columns[at] = true);
                    }
                }
                _ if CELLS.contains(&kind) || SPANS.contains(&kind) => {
                    let (Some(row), Some(column)) = (first, second) else { continue };
                    let last = if SPANS.contains(&kind) {
                        body.len().checked_sub(2).and_then(|at| word(body, at)).unwrap_or(column)
                    } else {
                        column
                    };
                    rows = (rows.0.min(row), rows.1.max(row));
                    columns = (columns.0.min(column), columns.1.max(column).max(last));
                    // Programs that cannot calculate write 0.
                    let is_uncalculated =
                        kind == FORMULA && body.get(6..14).is_some_and(|value| value == [0; 8]);
                    if is_uncalculated && usize::from(column) < COLUMNS_MAX {
                        seen.uncalculated.entry(u32::from(row)).or_default().push(usize::from(column));
                    }
                }
                _ => {}
            }
        }
        let side = |(first, last): (u16, u16)| usize::from(last.saturating_sub(first)) + 1;
        let area = if rows.0 > rows.1 { 0 } else { side(rows) * side(columns) };
        (seen, area)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u16, body: &[u8]) -> Vec<u8> {
        let size = u16::try_from(body.len()).unwrap();
        [kind.to_le_bytes().as_slice(), &size.to_le_bytes(), body].concat()
    }

    fn cell(row: u16, column: u16) -> Vec<u8> {
        record(0x0203, &[row.to_le_bytes(), column.to_le_bytes(), [0; 2]].concat())
    }

    #[test]
    fn cells_that_are_far_apart_are_refused_before_memory_is_set_aside() {
        let sheet = [cell(0, 0), cell(u16::MAX, 255), record(END, &[])].concat();
        assert_eq!(SeenSheet::of(&sheet).1, 65_536 * 256);
        let start = |at: u32| record(SHEET, &[at.to_le_bytes().as_slice(), &[0, 0, 1, 0, b'A']].concat());
        let globals = [start(17), record(END, &[])].concat();
        assert_eq!(globals.len(), 17);
        let refused = Seen::of(&[globals, sheet].concat()).unwrap_err();
        assert!(refused.to_string().contains("too many cells"), "{refused}");
        assert!(Seen::of(&record(LOCKED, &[])).unwrap_err().to_string().contains("password"));
        assert!(Seen::of(b"\x01").is_ok());
    }
}
