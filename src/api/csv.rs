//! CSV as spreadsheets read it.

use std::fmt::Write as _;

/// The line of the columns, with the mark by which Excel knows UTF-8: without it é reads as Ã©.
pub fn head(columns: &[&str]) -> String {
    format!("\u{feff}{}\r\n", columns.join(","))
}

pub fn line(cells: &[impl AsRef<str>]) -> String {
    let mut line = String::new();
    for (place, cell) in cells.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(line, "{comma}{}", quoted(cell.as_ref()));
    }
    line.push_str("\r\n");
    line
}

/// The most digits that Excel shows and keeps as they are: `919876543210` becomes 9.19877E+11, and is saved so.
const DIGITS_KEPT: usize = 11;

/// A spreadsheet runs what begins like a formula and rewrites what reads as a number of its own. Such a cell gets
/// an apostrophe before it, which says that it is text; our own lists take a number with it.
///
/// A formula (`="919876543210"`) would be shown without one, but is a formula to Google Sheets, and what it says
/// to programs and to LibreOffice, which asks before it runs any.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula || is_rewritten(cell) { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// Long numbers are rounded, leading zeros go, and `12E5` is 1200000.
fn is_rewritten(cell: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if is_number(cell) {
        return cell.len() > DIGITS_KEPT || (cell.len() > 1 && cell.starts_with('0'));
    }
    cell.split_once(['E', 'e']).is_some_and(|(number, exponent)| is_number(number) && is_number(exponent))
}

#[cfg(test)]
mod tests {
    use super::{line, quoted};

    #[test]
    fn a_number_is_shown_whole() {
        for (cell, written) in [
            ("5511900000002", "'5511900000002"),
            ("919876543210", "'919876543210"),
            ("15550000010", "15550000010"),
            ("007", "'007"),
            ("12E5", "'12E5"),
            ("1e5", "'1e5"),
            ("0", "0"),
            ("12", "12"),
            ("3EB0C5", "3EB0C5"),
            ("2026-03-08T10:30:00.000Z", "2026-03-08T10:30:00.000Z"),
            ("5511900000002@s.whatsapp.net", "5511900000002@s.whatsapp.net"),
        ] {
            assert_eq!(quoted(cell), written, "{cell}");
        }
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(quoted("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(quoted("+5511"), "'+5511");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("Ana"), "Ana");
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
    }

    #[test]
    fn a_line_ends_as_spreadsheets_want_it() {
        assert_eq!(line(&["a", "", "b c"]), "a,,b c\r\n");
    }
}
