//! An Excel workbook: calamine reads the cells, `marks` what of them its owner sees.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::Path;

use calamine::{Reader as _, Xlsx, XlsxError, open_workbook};
use wapid_core::recipient::Rules;

use super::cells::text_of;
use super::columns::Row;
use super::marks::{COLUMNS_MAX, Marks, RowMarks, Workbook, broken};
use super::sheets::{RowSink, Sheet, read_list};
use super::{Format, ListError, ListOptions, ReadList, formats, packed};

/// The dimension that a sheet says it has stands at its beginning.
const HEAD: usize = 64 << 10;

type Cells<'a> = calamine::XlsxCellReader<'a, BufReader<File>>;

/// Of a file that `packed::check` has looked through.
pub fn read(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    match read_as_is(path, rules, options) {
        // A dimension that is none (`A0:B3`) keeps the reader from the cells, and says nothing.
        Err(Unread::Dimension) => {
            let mended = without_dimensions(path)?;
            read_as_is(mended.path(), rules, options).map_err(ListError::from_unread)
        }
        read => read.map_err(ListError::from_unread),
    }
}

enum Unread {
    Dimension,
    Refused(ListError),
}

impl From<ListError> for Unread {
    fn from(refused: ListError) -> Self {
        Self::Refused(refused)
    }
}

impl From<XlsxError> for Unread {
    fn from(problem: XlsxError) -> Self {
        Self::Refused(broken(problem))
    }
}

impl ListError {
    fn from_unread(unread: Unread) -> Self {
        match unread {
            Unread::Dimension => broken("the dimension of a sheet"),
            Unread::Refused(refused) => refused,
        }
    }
}

fn read_as_is(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, Unread> {
    let mut book: Xlsx<BufReader<File>> = open_workbook(path).map_err(broken)?;
    let mut archive = packed::open(path)?;
    let workbook = Workbook::read(&mut archive)?;
    let sheets: Vec<Sheet> = book.sheets_metadata().iter().map(Sheet::from).collect();
    read_list(Format::Xlsx, &sheets, workbook.open, rules, options, |at, sink| {
        let name = &sheets[at].name;
        let part = workbook.parts.get(name).map(String::as_str).unwrap_or_default();
        let Ok(part) = archive.by_name(part) else {
            return Err(broken(format!("there is no sheet {}", wapid_core::recipient::shown(name))).into());
        };
        let marks = Marks::of(BufReader::new(part), !workbook.formats.is_empty())?;
        let cells = book.worksheet_cells_reader(name).map_err(|problem| match problem {
            XlsxError::RangeWithoutColumnComponent
            | XlsxError::RangeWithoutRowComponent
            | XlsxError::DimensionCount(_) => Unread::Dimension,
            other => other.into(),
        })?;
        read_rows(cells, marks, &workbook.formats, sink)
    })
}

fn read_rows(
    mut cells: Cells,
    mut marks: Marks<impl std::io::BufRead>,
    formats: &HashMap<usize, String>,
    sink: &mut RowSink,
) -> Result<(), Unread> {
    sink.begin(marks.hidden_columns());
    let mut marked = RowMarks::default();
    let mut row = Row { line: 0, cells: Vec::new(), is_hidden: false, uncalculated: Vec::new() };
    loop {
        let cell = cells.next_cell()?;
        let line = cell.as_ref().map(|cell| cell.get_position().0.saturating_add(1));
        if line.is_none_or(|line| line != row.line) {
            if row.line > 0 {
                while marked.row < row.line {
                    let Some(next) = marks.next_row()? else { break };
                    marked = next;
                }
                if marked.row == row.line {
                    apply(&marked, formats, &mut row);
                }
                let next = Row { line: 0, cells: Vec::new(), is_hidden: false, uncalculated: Vec::new() };
                let last = std::mem::replace(&mut row, next);
                let number = last.line;
                if !sink.take(last)? {
                    return Ok(());
                }
                if line.is_some_and(|line| line < number) {
                    return Err(ListError::file("the sheet's rows are out of order; save it anew").into());
                }
            }
            row.line = line.unwrap_or(0);
        }
        let Some(cell) = cell else { return Ok(()) };
        let column = usize::try_from(cell.get_position().1).unwrap_or(usize::MAX);
        if column >= COLUMNS_MAX {
            continue;
        }
        let text = text_of(cell.get_value());
        if row.cells.len() <= column {
            row.cells.resize(column + 1, String::new());
        }
        row.cells[column] = text;
    }
}

fn apply(marked: &RowMarks, formats: &HashMap<usize, String>, row: &mut Row) {
    row.is_hidden = marked.is_hidden;
    row.uncalculated.clone_from(&marked.uncalculated);
    if formats.is_empty() {
        return;
    }
    for (column, style) in &marked.styles {
        let format = formats.get(style);
        if let Some((cell, format)) = row.cells.get_mut(*column).zip(format)
            && let Some(shown) = formats::shown(format, cell)
        {
            *cell = shown;
        }
    }
}

/// The same workbook, without what its sheets say of their size.
fn without_dimensions(path: &Path) -> Result<tempfile::NamedTempFile, ListError> {
    let mut archive = packed::open(path)?;
    let mended = packed::beside(path)?;
    let mut writer = zip::ZipWriter::new(mended.reopen()?);
    for place in 0..archive.len() {
        let mut part = archive.by_index(place).map_err(packed::broken)?;
        let name = part.name().map_err(packed::broken)?.into_owned();
        if !name.contains("worksheets/") || part.is_dir() {
            writer.raw_copy_file(part).map_err(packed::broken)?;
            continue;
        }
        let mut sheet = Vec::new();
        part.read_to_end(&mut sheet)?;
        let head = &sheet[..sheet.len().min(HEAD)];
        let start = head.windows(10).position(|window| window == b"<dimension");
        let end = start
            .and_then(|start| Some(start..=start + head[start..].iter().position(|byte| *byte == b'>')?));
        if let Some(range) = end {
            sheet.drain(range);
        }
        writer.start_file(name, zip::write::SimpleFileOptions::default()).map_err(packed::broken)?;
        writer.write_all(&sheet)?;
    }
    writer.finish().map_err(packed::broken)?;
    Ok(mended)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Instant;

    use zip::write::SimpleFileOptions;

    use wapid_core::recipient::RowError;

    use super::*;

    fn read_list(path: &Path) -> Result<ReadList, ListError> {
        read_named(path, &[])
    }

    fn read_named(path: &Path, named: &[&str]) -> Result<ReadList, ListError> {
        let rules = Rules { max: 100_000, named: named.iter().copied().collect(), ..Rules::default() };
        super::super::from_file(path, &rules, &ListOptions::default())
    }

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
        let list = read_list(file.path()).map(|read| read.list).unwrap();
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
        let list = read_list(workbook(&rows).path()).map(|read| read.list).unwrap();
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
        let letters: Vec<String> = ('B'..='Z').map(String::from).collect();
        let named: Vec<&str> = letters.iter().map(String::as_str).collect();
        let refused = read_named(file.path(), &named).unwrap_err();
        assert!(matches!(refused, ListError::Row(RowError::TooLarge { .. })), "{refused}");
        // Nobody reads them: what does not fit is left out.
        let list = read_list(file.path()).unwrap().list;
        assert_eq!((list.recipients.len(), list.invalid), (2_998, 0));
        assert!(list.unread["Z"] > 0, "{:?}", list.unread);
        // One that no field may hold is not copied into every cell.
        let endless = texts.replace("xxx", &"x".repeat(3_000));
        let file = workbook_with(&rows, &[("xl/sharedStrings.xml", endless.as_bytes())]);
        let list = read_named(file.path(), &named).unwrap().list;
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
        let refused = read_list(file.path()).map(|read| read.list).unwrap_err();
        assert!(refused.to_string().contains("too large"), "{refused}");
    }

    #[test]
    fn a_bomb_is_refused_before_it_goes_off() {
        let started = Instant::now();
        let zeros = vec![b' '; 60 << 20];
        let file = zipped(&[("xl/worksheets/sheet1.xml", &zeros), ("xl/sharedStrings.xml", &zeros)]);
        let refused = read_list(file.path()).map(|read| read.list).unwrap_err();
        assert!(matches!(refused, ListError::BadFile(_)));
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
            let refused = read_list(file.path()).map(|read| read.list).unwrap_err();
            assert!(refused.to_string().contains("table of texts"), "{lie}: {refused}");
        }
    }

    #[test]
    fn rows_out_of_order_are_refused() {
        let row = |n: u32| format!(r#"<row r="{n}"><c r="A{n}"><v>91987654321{n}</v></c></row>"#);
        let file = workbook(&format!("{}{}{}", row(1), row(2), row(1)));
        let refused = read_list(file.path()).map(|read| read.list).unwrap_err();
        assert!(refused.to_string().contains("out of order"), "{refused}");
    }

    #[test]
    fn a_zip_that_is_no_workbook_is_refused() {
        let file = zipped(&[("hello.txt", b"hello"), ("you.txt", b"you")]);
        assert!(matches!(read_list(file.path()).map(|read| read.list).unwrap_err(), ListError::BadFile(_)));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"PK\x03\x04 and then nothing").unwrap();
        assert!(matches!(read_list(file.path()).map(|read| read.list).unwrap_err(), ListError::BadFile(_)));
    }
}
