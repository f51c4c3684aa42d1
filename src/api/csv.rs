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

/// What ends a cell in some country's spreadsheet, whatever our own files part by. A quote does not help there: the
/// first cell's closing one is far from the comma that they do not know.
const PARTINGS: [char; 9] = [';', '\t', '|', '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}'];

/// Begins a formula, in its usual form, its full-width form, its small form, or as mathematics writes it.
const SIGNS: [char; 17] =
    ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '−', '⁺', '⁻', '⁼', '﬩'];

/// A spreadsheet runs what begins like a formula and rewrites what reads as a number of its own. Such a cell gets
/// an apostrophe before it, which says that it is text; our own lists take a number with it. So does every part of a
/// cell that is one to a spreadsheet of another country: in `x;=1+1` the formula begins behind the semicolon.
///
/// A formula (`="919876543210"`) would be shown without one, but is a formula to Google Sheets, and what it says
/// to programs and to LibreOffice, which asks before it runs any.
fn quoted(cell: &str) -> String {
    let mut written = String::with_capacity(cell.len() + 2);
    if is_rewritten(cell) || cell.starts_with(['\t', '\r', '\n']) {
        written.push('\'');
    }
    for part in cell.split_inclusive(PARTINGS) {
        if begins_formula(part) && !written.ends_with('\'') {
            written.push('\'');
        }
        written.push_str(part);
    }
    let is_parted = written.contains(PARTINGS) || written.contains([',', '"']);
    let is_trimmed = written.trim().len() < written.len();
    if is_parted || is_trimmed { format!("\"{}\"", written.replace('"', "\"\"")) } else { written }
}

/// Blanks, quotes and what nobody sees are passed over, as some program does with each of them.
fn begins_formula(part: &str) -> bool {
    let is_passed = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || "\"'`´‘’‚‛“”„‟«»‹›".contains(c)
            || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}')
    };
    part.trim_start_matches(is_passed).starts_with(SIGNS)
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
        assert_eq!(quoted("x;=1+1"), "\"x;'=1+1\"");
        assert_eq!(quoted("x\t@SUM(1)"), "\"x\t'@SUM(1)\"");
        assert_eq!(quoted("to do\n- milk"), "\"to do\n'- milk\"");
        assert_eq!(quoted(" ＝1"), "' ＝1");
        // What is a sign within a text is none at its beginning.
        assert_eq!(quoted("1+1=2 @home"), "1+1=2 @home");
    }

    /// The cells of a line, as a program reads it that parts by `delimiter`: a quote counts at a cell's beginning
    /// alone, and what stands between the closing one and the delimiter belongs to the cell.
    fn read_by(line: &str, delimiter: char) -> Vec<String> {
        let mut cells = vec![];
        let mut rest = line.chars().peekable();
        while rest.peek().is_some() {
            let mut cell = String::new();
            if rest.next_if_eq(&'"').is_some() {
                while let Some(c) = rest.next() {
                    match c {
                        '"' if rest.next_if_eq(&'"').is_some() => cell.push('"'),
                        '"' => break,
                        c => cell.push(c),
                    }
                }
            }
            for c in rest.by_ref() {
                if c == delimiter || c == '\n' {
                    break;
                }
                cell.push(c);
            }
            cells.push(cell);
        }
        cells
    }

    #[test]
    fn no_delimiter_makes_a_formula_of_a_cell() {
        let signs = "=+-@＝＋－＠﹦﹢﹣﹫−";
        let before = [
            "", " ", "\u{a0}", "\u{3000}", "\"", "\"\"", "'", "\u{feff}", "\u{200b}", "\u{1}", "\0", "\t",
            "\r", "\n", "\r\n", "x;", "x\t", "x|", "x\n", "x; \"", "x,", ";;", "\";\"", "\",\"", "a\";",
        ];
        for sign in signs.chars() {
            for before in before {
                for after in ["1+1", "1+1;y", "cmd|' /C calc'!A0", "\"\";"] {
                    let cell = format!("{before}{sign}{after}");
                    for cells in [[cell.as_str(), "b"], ["a", &cell], ["a;b \"", &cell]] {
                        for delimiter in [',', ';', '\t', '|'] {
                            for read in read_by(&line(&cells), delimiter) {
                                let seen =
                                    read.trim_start_matches(|c: char| c.is_whitespace() || c.is_control());
                                assert!(
                                    !seen.starts_with(|c| signs.contains(c)),
                                    "{read:?} of {cells:?}, parted by {delimiter:?}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_cell_that_needs_no_apostrophe_is_read_as_it_was() {
        for cell in
            ["", "Ana", "a;b", "a\tb", "a|b", "\"quoted\"", " blank ", "two\nlines", "a,b", "'already"]
        {
            let file = format!("{}{}", super::head(&["first", "second"]), line(&[cell, "x"]));
            let text = file.strip_prefix('\u{feff}').unwrap();
            let read = csv::Reader::from_reader(text.as_bytes()).into_records().next().unwrap().unwrap();
            assert_eq!(read.iter().collect::<Vec<_>>(), [cell, "x"]);
        }
    }

    #[test]
    fn a_line_ends_as_spreadsheets_want_it() {
        assert_eq!(line(&["a", "", "b c"]), "a,,b c\r\n");
    }
}
