//! A workbook's first sheet. A workbook is a zip, so before anything reads it, it is inflated once into
//! nothing, with a counter: what a zip says of its sizes may be a lie.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;

use calamine::{DataRef, ExcelDateTime, Reader, Xlsx, open_workbook};
use wapid_core::recipient::{List, Rules, VALUE_MAX};

use super::ListError;
use super::table::Table;

const ENTRIES_MAX: usize = 1_000;
/// All of it, inflated. The list of a full job is some 30 MB.
const INFLATED_MAX: u64 = 200 << 20;
/// Inflated to packed, of each part. Sheets of numbers reach 20; bombs 1,000.
const RATIO_MAX: u64 = 100;
/// The table of texts, inflated: it stands in memory while the sheet is read.
const TEXTS_MAX: u64 = 64 << 20;
/// `<si/>` and its like: no text takes less.
const TEXT_BYTES_MIN: u64 = 5;
/// Below this the ratio does not matter.
const SMALL: u64 = 1 << 20;
const COLUMNS_MAX: usize = 100;

pub fn read(path: &Path, rules: Rules) -> Result<List, ListError> {
    check_zip(path)?;
    let broken =
        |problem: calamine::XlsxError| ListError::file(format!("not a readable workbook: {problem}"));
    let mut book: Xlsx<BufReader<File>> = open_workbook(path).map_err(broken)?;
    let name = book.sheet_names().first().cloned();
    let name = name.ok_or_else(|| ListError::file("the workbook has no sheet"))?;
    let mut cells_of = book.worksheet_cells_reader(&name).map_err(broken)?;
    let mut table = Table::new(rules);
    let (mut line, mut cells) = (0_u32, Vec::<String>::new());
    while let Some(cell) = cells_of.next_cell().map_err(broken)? {
        let (row, column) = cell.get_position();
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if column >= COLUMNS_MAX {
            continue;
        }
        if row + 1 < line {
            return Err(ListError::file("the sheet's rows are out of order; save it anew"));
        }
        if row + 1 != line {
            if line > 0 {
                table.push(line, &cells)?;
            }
            cells.clear();
            line = row + 1;
        }
        let text = text_of(cell.get_value());
        if cells.len() <= column {
            cells.resize(column + 1, String::new());
        }
        cells[column] = text;
    }
    if line > 0 {
        table.push(line, &cells)?;
    }
    Ok(table.finish())
}

/// As somebody would type it.
fn text_of(value: &DataRef) -> String {
    match value {
        DataRef::Empty | DataRef::Error(_) => String::new(),
        DataRef::String(text) | DataRef::DurationIso(text) => beginning(text),
        DataRef::SharedString(text) => beginning(text),
        DataRef::DateTimeIso(text) => beginning(text.strip_suffix("T00:00:00").unwrap_or(text)),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number_text(*number),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(moment) => moment_text(moment),
    }
}

/// Enough of a text to tell that it is too long. A row's cells may all name one of many megabytes.
fn beginning(text: &str) -> String {
    let text = text.trim();
    text[..text.floor_char_boundary(VALUE_MAX + 4)].to_owned()
}

/// With the 15 digits that a spreadsheet keeps: what it shows as 0.3 it may hold as 0.30000000000000004. A
/// phone number has no more.
fn number_text(number: f64) -> String {
    let kept = format!("{number:.14e}").parse().unwrap_or(number);
    // No number is "-0".
    if kept == 0.0 { "0".to_owned() } else { kept.to_string() }
}

/// `2026-03-09`, `2026-03-09T18:30:00`, `18:30:00`; of a duration `26:30:00`.
fn moment_text(moment: &ExcelDateTime) -> String {
    let days = moment.as_f64();
    if moment.is_duration() {
        let seconds = Duration::try_from_secs_f64(days.abs() * 86_400.0).unwrap_or_default();
        let seconds = (seconds + Duration::from_millis(500)).as_secs();
        let sign = if days < 0.0 { "-" } else { "" };
        return format!("{sign}{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let time = format!("{hour:02}:{minute:02}:{second:02}");
    match (hour, minute, second) {
        // No date at all: before the first one there is.
        _ if days < 1.0 => time,
        (0, 0, 0) => date,
        _ => format!("{date}T{time}"),
    }
}

fn check_zip(path: &Path) -> Result<(), ListError> {
    let broken =
        |problem: zip::result::ZipError| ListError::file(format!("not a readable workbook: {problem}"));
    let mut archive = zip::ZipArchive::new(BufReader::new(File::open(path)?)).map_err(broken)?;
    if archive.len() > ENTRIES_MAX {
        return Err(ListError::file("the workbook has too many parts"));
    }
    let mut inflated = 0;
    for place in 0..archive.len() {
        let mut entry = archive.by_index(place).map_err(broken)?;
        if entry.encrypted() {
            return Err(ListError::file("the workbook is encrypted; save it without a password"));
        }
        // The reader sets aside as much memory as the table of texts says that it holds, so a lie there
        // would end the process.
        // No more than that is read of it, so here it cannot lie to its advantage.
        let packed = entry.compressed_size();
        let size = if entry.name().map_err(broken)?.to_ascii_lowercase().ends_with("sharedstrings.xml") {
            check_texts(&mut entry)?
        } else {
            let left = (INFLATED_MAX + 1).saturating_sub(inflated);
            std::io::copy(&mut entry.take(left), &mut std::io::sink())?
        };
        inflated += size;
        if inflated > INFLATED_MAX || (size > SMALL && size / RATIO_MAX > packed) {
            return Err(ListError::file("the workbook is too large when unpacked"));
        }
    }
    Ok(())
}

/// The size of the table of texts, if it has room for as many as it says.
fn check_texts(entry: &mut impl Read) -> Result<u64, ListError> {
    let mut texts = Vec::new();
    entry.take(TEXTS_MAX + 1).read_to_end(&mut texts)?;
    let size = texts.len() as u64;
    if size > TEXTS_MAX {
        return Err(ListError::file("the workbook is too large when unpacked"));
    }
    let name = b"uniqueCount";
    let named = (0..texts.len().saturating_sub(name.len())).filter(|at| texts[*at..].starts_with(name));
    for at in named {
        let Some(value) = texts[at + name.len()..].trim_ascii_start().strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let Some(quote) = value.first().filter(|byte| b"\"'".contains(byte)) else { continue };
        let value = value[1..].split(|byte| byte == quote).next().unwrap_or_default();
        let says = std::str::from_utf8(value).ok().and_then(|value| value.trim().parse::<u64>().ok());
        if says.is_none_or(|says| says > size / TEXT_BYTES_MIN) {
            return Err(ListError::file("the workbook's table of texts is broken; save it anew"));
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Instant;

    use zip::write::SimpleFileOptions;

    use super::*;

    const RULES: Rules = Rules { country: None, max: 100_000 };

    fn zipped(parts: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut zip = zip::ZipWriter::new(File::create(file.path()).unwrap());
        for (name, bytes) in parts {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        file
    }

    fn workbook(rows: &str) -> tempfile::NamedTempFile {
        workbook_with(rows, &[])
    }

    /// Cells of the style 1 are dates, of 2 dates with times, of 3 durations.
    fn workbook_with(rows: &str, more: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let sheet = format!(
            r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>"#
        );
        let parts: [(&str, &[u8]); 6] = [
            ("[Content_Types].xml", br#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#),
            ("_rels/.rels", br#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#),
            ("xl/workbook.xml", br#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="List" sheetId="1" r:id="r1"/></sheets></workbook>"#),
            ("xl/_rels/workbook.xml.rels", br#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="r2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/><Relationship Id="r3" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#),
            ("xl/styles.xml", br#"<?xml version="1.0"?><styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="4"><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="46"/></cellXfs></styleSheet>"#),
            ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
        ];
        zipped(&[&parts, more].concat())
    }

    #[test]
    fn numbers_and_texts_of_a_sheet_are_read() {
        let file = workbook(
            r#"<row r="1"><c r="A1" t="inlineStr"><is><t>Nome</t></is></c><c r="B1" t="inlineStr"><is><t>Telefone</t></is></c></row>
               <row r="3"><c r="A3" t="inlineStr"><is><t>Ana</t></is></c><c r="B3"><v>919876543210</v></c></row>
               <row r="4"><c r="B4" t="inlineStr"><is><t>x</t></is></c></row>"#,
        );
        let list = super::super::from_file(file.path(), RULES).unwrap();
        assert_eq!(list.recipients[0].phone.digits(), "919876543210");
        assert_eq!(list.recipients[0].fields.as_deref(), Some(r#"{"Nome":"Ana"}"#));
        assert_eq!((list.recipients[0].row, list.problems[0].row), (3, 4));
    }

    #[test]
    fn dates_and_numbers_read_as_people_write_them() {
        let cells = [
            (r#"s="1"><v>46090</v>"#, "2026-03-09"),
            (r#"s="2"><v>46090.770833333336</v>"#, "2026-03-09T18:30:00"),
            (r#"s="1"><v>46090.430555555555</v>"#, "2026-03-09T10:20:00"),
            (r#"s="2"><v>0.75</v>"#, "18:00:00"),
            (r#"s="3"><v>1.1041666666666667</v>"#, "26:30:00"),
            (r#"t="d"><v>2026-03-09T00:00:00</v>"#, "2026-03-09"),
            (r#"t="d"><v>2026-03-09T18:30:00</v>"#, "2026-03-09T18:30:00"),
            ("><v>0.30000000000000004</v>", "0.3"),
            ("><v>1234.5600000000002</v>", "1234.56"),
            ("><v>-0.1</v>", "-0.1"),
            ("><v>42.0</v>", "42"),
            ("><v>5.511987654321E12</v>", "5511987654321"),
            (r#"t="b"><v>1</v>"#, "true"),
            (r#"t="b"><v>0</v>"#, "false"),
        ];
        let mut rows = String::from(
            r#"<row r="1"><c r="A1" t="inlineStr"><is><t>phone</t></is></c><c r="B1" t="inlineStr"><is><t>x</t></is></c></row>"#,
        );
        for (line, (cell, _)) in (2..).zip(&cells) {
            rows.extend([
                format!(r#"<row r="{line}"><c r="A{line}"><v>9198765432{line:02}</v></c>"#),
                format!(r#"<c r="B{line}" {cell}</c></row>"#),
            ]);
        }
        let list = super::super::from_file(workbook(&rows).path(), RULES).unwrap();
        let read = list.recipients.iter().map(|one| one.fields.as_deref().unwrap().to_owned());
        let expected = cells.iter().map(|(_, text)| format!(r#"{{"x":"{text}"}}"#));
        assert_eq!(read.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }

    /// A list of a few hundred kilobytes that would be gigabytes of text.
    #[test]
    fn cells_that_name_one_long_text_are_refused() {
        let texts = format!(
            r#"<sst count="9" uniqueCount="2"><si><t>{}</t></si><si><t>phone</t></si></sst>"#,
            "x".repeat(1_000)
        );
        let row = |line: usize, first: &str, cell: &str| {
            let cells = ('B'..='Z').map(|at| format!(r#"<c r="{at}{line}" {cell}</c>"#));
            let cells = cells.collect::<Vec<_>>().concat();
            format!(r#"<row r="{line}"><c r="A{line}" {first}</c>{cells}</row>"#)
        };
        let mut rows = row(1, r#"t="s"><v>1</v>"#, r#"t="inlineStr"><is><t>NAME</t></is>"#);
        for column in 'B'..='Z' {
            rows = rows.replacen("NAME", &column.to_string(), 1);
        }
        rows.extend(
            (2..3_000).map(|line| row(line, &format!("><v>91987{line:07}</v>"), r#"t="s"><v>0</v>"#)),
        );
        let file = workbook_with(&rows, &[("xl/sharedStrings.xml", texts.as_bytes())]);
        let refused = super::super::from_file(file.path(), RULES).unwrap_err();
        assert_eq!(refused.code(), "LIST_TOO_LARGE", "{refused}");
        // One that no field may hold is not copied into every cell.
        let endless = texts.replace("xxx", &"x".repeat(3_000));
        let file = workbook_with(&rows, &[("xl/sharedStrings.xml", endless.as_bytes())]);
        let list = super::super::from_file(file.path(), RULES).unwrap();
        assert_eq!((list.recipients.len(), list.invalid), (0, 2_998));
    }

    #[test]
    fn a_bomb_beside_something_that_does_not_pack_is_refused() {
        let mut noise = vec![0_u8; 3 << 20];
        let mut seed = 1_u32;
        for byte in &mut noise {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = seed.to_be_bytes()[0];
        }
        let zeros = vec![b' '; 60 << 20];
        let file = zipped(&[("xl/media/image1.png", &noise), ("xl/worksheets/sheet1.xml", &zeros)]);
        let refused = super::super::from_file(file.path(), RULES).unwrap_err();
        assert!(refused.to_string().contains("too large"), "{refused}");
    }

    #[test]
    fn a_bomb_is_refused_before_it_goes_off() {
        let started = Instant::now();
        let zeros = vec![b' '; 60 << 20];
        let file = zipped(&[("xl/worksheets/sheet1.xml", &zeros), ("xl/sharedStrings.xml", &zeros)]);
        let refused = super::super::from_file(file.path(), RULES).unwrap_err();
        assert_eq!(refused.code(), "INVALID_FILE");
        assert!(refused.to_string().contains("too large"), "{refused}");
        assert!(started.elapsed().as_secs() < 20);
    }

    /// Memory for 100 billion texts is asked for before the first is read, and the process ends.
    #[test]
    fn a_table_that_lies_about_its_size_is_refused() {
        let lies = ["100000000000", "18446744073709551615", "99999999999999999999999"];
        for (lie, quote) in lies.iter().zip(["\"", "'", "\""]) {
            let texts = format!(
                "<sst xmlns=\"x\" count={quote}1{quote} uniqueCount = {quote}{lie}{quote}><si><t>a</t></si></sst>"
            );
            let file = zipped(&[
                ("xl/worksheets/sheet1.xml", b"<worksheet/>"),
                ("xl/sharedStrings.xml", texts.as_bytes()),
            ]);
            let refused = super::super::from_file(file.path(), RULES).unwrap_err();
            assert!(refused.to_string().contains("table of texts"), "{lie}: {refused}");
        }
    }

    /// `count` is how often texts are used, and a text may look like anything.
    #[test]
    fn a_table_of_few_texts_that_are_used_often_is_fine() {
        let texts = br#"<sst count="10002" uniqueCount="2"><si><t>https://pay.example/?amount=150000</t></si><si><t>b</t></si></sst>"#;
        assert!(check_texts(&mut texts.as_slice()).is_ok());
        let far = format!("<sst uniqueCount{}=\"{}9\"/>", " ".repeat(60), "0".repeat(60));
        assert!(check_texts(&mut far.as_bytes()).is_ok());
        let lie = far.replace('9', "999999");
        assert!(check_texts(&mut lie.as_bytes()).is_err());
    }

    #[test]
    fn rows_out_of_order_are_refused() {
        let row = |n: u32| format!(r#"<row r="{n}"><c r="A{n}"><v>91987654321{n}</v></c></row>"#);
        let file = workbook(&format!("{}{}{}", row(1), row(2), row(1)));
        let refused = super::super::from_file(file.path(), RULES).unwrap_err();
        assert!(refused.to_string().contains("out of order"), "{refused}");
    }

    #[test]
    fn a_zip_that_is_no_workbook_is_refused() {
        let file = zipped(&[("hello.txt", b"hello")]);
        assert_eq!(super::super::from_file(file.path(), RULES).unwrap_err().code(), "INVALID_FILE");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"PK\x03\x04 and then nothing").unwrap();
        assert_eq!(super::super::from_file(file.path(), RULES).unwrap_err().code(), "INVALID_FILE");
    }
}
