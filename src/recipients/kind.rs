//! What a file is, by its content, and which reader it goes to; of what is no list, what it is and what to
//! do.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use wapid_core::recipient::{Rules, shown};

use super::headings::{self, PhoneHeading};
use super::packed::{self, Packed};
use super::{ListError, ListOptions, ReadList, csv, json, markup, ods, vcard, xls, xlsx};

/// How much is looked at.
const START: u64 = 64 << 10;
/// How many lines show whether a file is a chat.
const CHAT_LINES: usize = 20;

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
            Packed::One(name) if packed_in.is_some() => {
                Err(ListError::file(format!("a zip in a zip; unpack {}", shown(&name))))
            }
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
    if text.is_empty() {
        return Err(ListError::file("the file has nothing in it but spaces"));
    }
    if is_chat(text) {
        return Err(ListError::file(
            "a chat that was exported from WhatsApp, and no list; export the contacts as vCard or CSV",
        ));
    }
    if begins("dn:") || begins("version: 1\ndn:") {
        return Err(ListError::file("LDIF; export the contacts as vCard or CSV"));
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
    if is(b"\xff\xfe\0\0") || is(b"\0\0\xfe\xff") {
        return Some("a text in UTF-32; save it as UTF-8");
    }
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

/// `[28/11/2026 10:15:01] Ana: hello`, `28/11/2026, 10:15 - Ana: hello`
fn is_chat(text: &str) -> bool {
    let is_message = |line: &&str| {
        let line = line.trim_start_matches(['\u{200e}', '\u{200f}', '[']);
        let said = line.split_once("] ").or_else(|| line.split_once(" - "));
        said.is_some_and(|(moment, rest)| {
            let (slashes, colons) = (moment.matches(['/', '.', '-']).count(), moment.matches(':').count());
            moment.starts_with(|c: char| c.is_ascii_digit())
                && slashes >= 2
                && colons >= 1
                && rest.contains(':')
        })
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(CHAT_LINES).collect();
    // Before the first message it may say how it is encrypted; messages may have many lines.
    lines.first().is_some_and(is_message)
        || lines.iter().filter(|line| is_message(line)).count() * 2 > lines.len()
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
        let is_lines = lines.iter().all(|line| line.starts_with('{') && line.ends_with('}'));
        if !is_lines || (lines.len() == 1 && answer_of(text).is_some()) {
            if let Some(problem) = answer_of(text) {
                return Err(ListError::file(format!(
                    "the answer of a server that says {problem}, and no list; download the list anew"
                )));
            }
            return Err(ListError::file(
                "a JSON object, and a list is an array: [{\"phone\": …}, …], or an object on each line",
            ));
        }
        json::from_json(&format!("[{}]", lines.join(",\n")), rules, options)?
    };
    Ok(list)
}

/// The error that a server has answered instead of a list.
fn answer_of(text: &str) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let has_phone = object
        .keys()
        .any(|name| matches!(headings::phone(name), PhoneHeading::Sure(_) | PhoneHeading::Perhaps(_)));
    let said = ["error", "message", "detail"].iter().find_map(|name| object.get(*name))?;
    let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
    (!has_phone).then(|| shown(&said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_is_told_by_what_it_is() {
        for (text, told) in [
            ("[28/11/2026 10:15:01] Ana: oi\n[28/11/2026 10:16:01] +55 11 90000-0002: oi\n", "a chat"),
            ("28/11/2026, 10:15 - Ana: oi\n28/11/2026, 10:16 - Bia: oi\n", "a chat"),
            ("dn: cn=Ana\nmobile: +5511900000001\n", "LDIF"),
            (
                r#"{"error":"unauthorized","message":"expired"}"#,
                "the answer of a server that says unauthorized",
            ),
            (" \n\u{feff}\n", "the file has nothing in it"),
        ] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            let refused = read(file.path(), &Rules::default(), &ListOptions::default()).unwrap_err();
            assert!(refused.to_string().starts_with(told), "{refused}");
        }
        for text in ["28/11/2026 10:15;Ana;+5511900000001\n", "Ana - Rio;+5511900000001\n"] {
            assert!(!is_chat(text), "{text}");
        }
    }
}
