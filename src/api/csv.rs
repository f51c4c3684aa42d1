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

/// A spreadsheet runs what begins like a formula, so such a cell gets an apostrophe before it.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::{line, quoted};

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
