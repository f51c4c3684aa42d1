//! What a file is, by its content, and which reader it goes to; of what is no list, what it is and what to
//! do.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use wapid_core::recipient::Rules;

use super::packed::{self, Packed};
use super::{ListError, ListOptions, ReadList, csv, json, markup, ods, vcard, xls, xlsx};

/// How much is looked at.
const START: u64 = 64 << 10;

pub fn read(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    let read = read_within(path, rules, options, None)?;
    if options.sheet.is_some() && read.read_as.sheet.is_none() {
        let format = read.read_as.format.name();
        return Err(ListError::Sheet(format!("sheet: the file is {format} and has no sheets")));
    }
    Ok(read)
}

/// `packed_in` is the file's name where it was packed.
fn read_within(
    path: &Path,
    rules: &Rules,
    options: &ListOptions,
    packed_in: Option<&str>,
) -> Result<ReadList, ListError> {
    let mut start = Vec::new();
    File::open(path)?.take(START).read_to_end(&mut start)?;
    if start.is_empty() {
        return Err(ListError::file("the file is empty"));
    }
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return match packed::check(path)? {
            Packed::Xlsx => xlsx::read(path, rules, options),
            Packed::Ods => ods::read(path, rules, options),
            Packed::One(name) if packed_in.is_some() => Err(ListError::file(format!(
                "a zip in a zip; unpack {}",
                wapid_core::recipient::shown(&name)
            ))),
            Packed::One(name) => {
                let file = packed::unpack(path, &name)?;
                let mut read = read_within(file.path(), rules, options, Some(&name))?;
                read.read_as.packed_file = Some(name);
                Ok(read)
            }
        };
    }
    if start.starts_with(b"\xd0\xcf\x11\xe0") {
        return xls::read(path, rules, options);
    }
    if let Some(what) = foreign(&start) {
        return Err(ListError::file(what));
    }
    let text = beginning(&start);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    let begins = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if begins("BEGIN:VCARD") {
        return vcard::read(path, rules, options);
    }
    if begins("BEGIN:VCALENDAR") {
        return Err(ListError::file("a calendar, and no contacts; export the contacts as vCard or CSV"));
    }
    if begins("{\\rtf") {
        return Err(ListError::file(
            "a text document (.rtf); copy its table into a spreadsheet and save that as .xlsx or .csv",
        ));
    }
    if begins("<") {
        return if text.contains("urn:schemas-microsoft-com:office:spreadsheet") {
            markup::read_spreadsheet(path, rules, options)
        } else if text.to_ascii_lowercase().contains("<table") || begins("<!doctype html") || begins("<html")
        {
            markup::read_html(path, rules, options)
        } else {
            Err(ListError::file("an XML file that is no spreadsheet; save the list as .xlsx or .csv"))
        };
    }
    if is_json(text) {
        return read_json(path, rules, options);
    }
    csv::read(path, rules, options)
}

/// Its beginning as text, as far as it is ASCII.
fn beginning(start: &[u8]) -> String {
    let (text, _, _) = encoding_rs::UTF_8.decode(start);
    if text.contains('\0') { text.replace('\0', "") } else { text.into_owned() }
}

/// What can be no list.
fn foreign(start: &[u8]) -> Option<&'static str> {
    let is = |magic: &[u8]| start.starts_with(magic);
    if is(b"%PDF") {
        return Some("a PDF; save the list as .xlsx or .csv where it was made");
    }
    if is(b"\x1f\x8b")
        || is(b"7z\xbc\xaf")
        || is(b"Rar!")
        || is(b"BZh")
        || is(b"\xfd7zXZ")
        || is(b"\x28\xb5\x2f\xfd")
    {
        return Some(
            "a packed file that is no zip (.gz, .7z, .rar and their like); unpack it and send the list in it",
        );
    }
    if is(b"SQLite format 3") {
        return Some("a database; export the list as CSV");
    }
    if is(b"PAR1") || is(b"Obj\x01") || is(b"ARROW1") {
        return Some("a file of data tools (Parquet, Avro, Arrow); export the list as CSV");
    }
    let is_heic = start.get(4..8) == Some(b"ftyp");
    let picture =
        is(b"\x89PNG") || is(b"\xff\xd8\xff") || is(b"GIF8") || is(b"BM\x00") || is(b"II*\0") || is(b"MM\0*");
    if picture || (is(b"RIFF") && start.get(8..12) == Some(b"WEBP")) {
        return Some("a picture; a list is a file of text or a spreadsheet, such as .csv or .xlsx");
    }
    if is_heic || is(b"ID3") || is(b"OggS") || is(b"RIFF") || is(b"fLaC") {
        return Some(
            "a picture, a video or a sound; a list is a file of text or a spreadsheet, such as .csv or .xlsx",
        );
    }
    if is(b"MZ") || is(b"\x7fELF") {
        return Some("a program; a list is a file of text or a spreadsheet, such as .csv or .xlsx");
    }
    None
}

fn is_json(text: &str) -> bool {
    let mut signs = text.chars().filter(|c| !c.is_whitespace());
    match (signs.next(), signs.next()) {
        (Some('['), Some(c)) => c.is_ascii_digit() || matches!(c, '{' | '"' | ']'),
        (Some('{'), Some(c)) => c == '"',
        _ => false,
    }
}

/// An array as `recipients` takes it, or an object a line.
fn read_json(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    let bytes = std::fs::read(path)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| ListError::file("JSON that is not UTF-8; save it as UTF-8"))?;
    let text = text.trim();
    let list = if text.starts_with('[') {
        json::from_json(text, rules, options)?
    } else {
        let lines: Vec<&str> = text
            .lines()
            .map(|line| line.trim().trim_end_matches(','))
            .filter(|line| !line.is_empty())
            .collect();
        if !lines.iter().all(|line| line.starts_with('{') && line.ends_with('}')) {
            return Err(ListError::file(
                "a JSON object, and a list is an array: [{\"phone\": …}, …], or an object on each line",
            ));
        }
        json::from_json(&format!("[{}]", lines.join(",\n")), rules, options)?
    };
    Ok(list)
}
