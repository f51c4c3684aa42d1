//! Contacts as phones and mail programs write them: vCard 2.1, 3.0 and 4.0.
//!
//! Ours, because the crates for it read one version alone, and a whole file at a time. Of a card its
//! numbers, names and a few fields are read; pictures and whatever else is in it are passed over. A card's
//! row is the line that it begins in.

use std::collections::HashMap;
use std::path::Path;

use encoding_rs::Encoding;
use quoted_printable::{ParseMode, decode};
use wapid_core::recipient::{ListBuilder, Rules};

use super::encoding::{Charset, Taken, encoding_of};
use super::headings::{self, PhoneRank};
use super::{Format, ListError, ListOptions, ReadAs, ReadColumns, ReadList};

/// The longest line that counts, unfolded, in bytes. Pictures are longer.
const LINE_MAX: usize = 16 << 10;
/// Numbers of one card that are looked at.
const NUMBERS_MAX: usize = 20;

pub fn read(path: &Path, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    for (field, column) in [("phoneColumn", &options.phone_column), ("nameColumn", &options.name_column)] {
        if column.is_some() {
            return Err(ListError::Column(format!(
                "{field}: the file holds contacts (vCard) and has no columns"
            )));
        }
    }
    let mut file = std::fs::File::open(path)?;
    let taken = match &options.encoding {
        Some(label) => Taken { charset: Charset::parse(label)?, is_assumed: false },
        None => encoding_of(&mut file)?,
    };
    let text = taken.charset.decode(&std::fs::read(path)?);
    let mut builder = ListBuilder::new(rules.clone());
    let mut card: Option<Card> = None;
    for line in Lines::of(&text) {
        let Some(property) = Property::of(&line.text) else { continue };
        match (property.name.as_str(), &mut card) {
            ("BEGIN", open) if property.value.eq_ignore_ascii_case("VCARD") && open.is_none() => {
                *open = Some(Card { row: line.row, ..Card::default() });
            }
            ("END", open) if property.value.eq_ignore_ascii_case("VCARD") => {
                if let Some(card) = open.take() {
                    card.push(&mut builder)?;
                }
            }
            (_, Some(card)) => card.take(&property),
            (_, None) => {}
        }
    }
    if let Some(card) = card {
        return Err(ListError::BadRow {
            row: card.row,
            why: "a card that does not end; END:VCARD is missing".into(),
        });
    }
    let columns =
        ReadColumns { phone: Some("TEL".to_owned()), name: Some("FN".to_owned()), ..ReadColumns::default() };
    let read_as = ReadAs {
        encoding: Some(taken.charset.name()),
        is_encoding_assumed: taken.is_assumed,
        ..ReadAs::of(Format::Vcard, columns)
    };
    Ok(ReadList { list: builder.finish(), read_as })
}

/// What of a person counts.
#[derive(Debug, Default)]
struct Card {
    row: u32,
    /// The best first, of equal ones the earlier.
    phones: Vec<(PhoneRank, String)>,
    fields: HashMap<&'static str, String>,
}

impl Card {
    fn take(&mut self, property: &Property) {
        let parts = || property.parts();
        let mut set = |name: &'static str, value: String| {
            if !value.trim().is_empty() {
                self.fields.entry(name).or_insert(value);
            }
        };
        match property.name.as_str() {
            "FN" => set("name", unescaped(&property.value)),
            "N" => {
                let mut parts = parts();
                parts.resize(2, String::new());
                set("First Name", parts.swap_remove(1));
                set("Last Name", parts.swap_remove(0));
            }
            "NICKNAME" => set("Nickname", unescaped(&property.value)),
            "ORG" => set("Organization", parts().swap_remove(0)),
            "TITLE" => set("Title", unescaped(&property.value)),
            "EMAIL" => set("Email", unescaped(&property.value)),
            "BDAY" => set("Birthday", unescaped(&property.value)),
            "TEL" if self.phones.len() < NUMBERS_MAX => {
                // A fax machine is nobody.
                if let Some(rank) = headings::label(&property.types.join(" "), PhoneRank::Phone) {
                    let number = unescaped(&property.value);
                    let number = number.trim();
                    let uri = number.get(..4).filter(|start| start.eq_ignore_ascii_case("tel:"));
                    let number = uri.map_or(number, |_| &number[4..]);
                    let number = number.split(';').next().unwrap_or_default().trim();
                    if !number.is_empty() {
                        self.phones.push((rank, number.to_owned()));
                    }
                }
            }
            _ => {}
        }
    }

    fn push(mut self, builder: &mut ListBuilder) -> Result<(), ListError> {
        if !self.fields.contains_key("name") {
            let part = |name: &str| self.fields.get(name).map(String::as_str).unwrap_or_default();
            let name = format!("{} {}", part("First Name"), part("Last Name"));
            let name = if name.trim().is_empty() { part("Organization").to_owned() } else { name };
            self.fields.insert("name", name.trim().to_owned());
        }
        self.phones.sort_by_key(|(rank, _)| *rank);
        let phone = self.phones.first().map_or("", |(_, number)| number.as_str());
        let fields = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        Ok(builder.push(self.row, phone, fields)?)
    }
}

/// A line with what it says, decoded.
#[derive(Debug)]
struct Property {
    name: String,
    /// `CELL`, `WORK`, `FAX`.
    types: Vec<String>,
    value: String,
}

impl Property {
    /// `item1.TEL;TYPE=CELL,VOICE;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:…`
    fn of(line: &str) -> Option<Self> {
        let mut is_quoted = false;
        let colon = line.char_indices().find(|(_, c)| {
            is_quoted ^= *c == '"';
            *c == ':' && !is_quoted
        });
        let (head, value) = (&line[..colon?.0], &line[colon?.0 + 1..]);
        let mut parts = head.split(';');
        let name = parts.next()?.rsplit('.').next()?.trim().to_ascii_uppercase();
        let (mut types, mut charset, mut is_encoded) = (Vec::new(), None, false);
        for part in parts {
            let (key, said) = part.split_once('=').unwrap_or(("TYPE", part));
            let said = said.trim().trim_matches('"');
            match key.trim().to_ascii_uppercase().as_str() {
                "TYPE" if said.eq_ignore_ascii_case("QUOTED-PRINTABLE") => is_encoded = true,
                "TYPE" => types.extend(said.split(',').map(|one| one.trim().to_ascii_lowercase())),
                "ENCODING" => is_encoded = said.eq_ignore_ascii_case("QUOTED-PRINTABLE"),
                "CHARSET" => charset = Encoding::for_label(said.as_bytes()),
                _ => {}
            }
        }
        // They say how, and not where.
        types.retain(|one| {
            !matches!(one.as_str(), "voice" | "pref" | "internet" | "msg" | "text" | "video" | "iphone")
        });
        let value = match is_encoded.then(|| decode(value, ParseMode::Robust)) {
            Some(Ok(bytes)) => charset.unwrap_or(encoding_rs::UTF_8).decode(&bytes).0.into_owned(),
            _ => value.to_owned(),
        };
        Some(Self { name, types, value })
    }

    /// Of a name: `Silva;Ana;;;`
    fn parts(&self) -> Vec<String> {
        let mut parts = vec![String::new()];
        let mut letters = self.value.chars();
        while let Some(c) = letters.next() {
            match c {
                ';' => parts.push(String::new()),
                '\\' => {
                    let escaped = letters.next();
                    parts.last_mut().expect("one at least").extend(escaped.map(unescaped_letter));
                }
                c => parts.last_mut().expect("one at least").push(c),
            }
        }
        parts.iter().map(|part| part.trim().to_owned()).collect()
    }
}

fn unescaped_letter(c: char) -> char {
    if matches!(c, 'n' | 'N') { '\n' } else { c }
}

fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' => text.extend(letters.next().map(unescaped_letter)),
            c => text.push(c),
        }
    }
    text.trim().to_owned()
}

/// Lines that were folded, whole again.
struct Lines<'a> {
    lines: std::iter::Peekable<std::iter::Enumerate<std::str::Lines<'a>>>,
}

struct Line {
    row: u32,
    text: String,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self { lines: text.lines().enumerate().peekable() }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let (place, first) = self.lines.next()?;
        let mut text = first.trim_start_matches('\u{feff}').to_owned();
        let head = text.split(':').next().unwrap_or_default();
        let is_encoded = head.to_ascii_uppercase().contains("QUOTED-PRINTABLE");
        while let Some((_, next)) = self.lines.peek() {
            // Of 2.1, an encoded line goes on where it ends in `=`.
            let is_soft = is_encoded && text.ends_with('=');
            let is_folded = next.starts_with([' ', '\t']);
            if !is_soft && !is_folded {
                break;
            }
            if is_soft {
                text.pop();
            }
            if text.len() < LINE_MAX {
                text.push_str(if is_soft { next } else { &next[1..] });
            }
            self.lines.next();
        }
        Some(Line { row: u32::try_from(place + 1).unwrap_or(u32::MAX), text })
    }
}

#[cfg(test)]
mod tests {
    use wapid_core::recipient::List;

    use super::*;

    fn cards(text: &[u8]) -> Result<List, ListError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let rules = Rules { max: 100, ..Rules::default() };
        super::super::from_file(file.path(), &rules, &ListOptions::default()).map(|read| read.list)
    }

    #[test]
    fn cards_of_every_version_are_read() {
        let list = cards(
            b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:S=C3=A3o;Jo=C3=\r\n=A3o;;;\r\nTEL;HOME;FAX:+55 11 3000-0001\r\nTEL;CELL:+55 11 90000-0001\r\nEND:VCARD\r\n\
              BEGIN:VCARD\nVERSION:3.0\nFN:Ana \\, B\nitem1.TEL;type=WORK;type=pref:+55 11 3000-0002\nTEL;type=CELL;type=VOICE:+55 11\n  90000-0002\nPHOTO;ENCODING=b:AAAA\n AAAA\nEND:VCARD\n\
              BEGIN:VCARD\nVERSION:4.0\nFN:Zo\xc3\xab\nTEL;VALUE=uri;TYPE=\"voice,cell\":tel:+55-11-90000-0003;ext=5\nORG:Caf\xc3\xa9\\; Co;Sales\nEND:VCARD\n\
              BEGIN:VCARD\nVERSION:4.0\nFN:Nobody\nTEL;TYPE=fax:+551130000004\nEND:VCARD\n",
        )
        .unwrap();
        let read: Vec<(&str, u32)> =
            list.recipients.iter().map(|one| (one.phone.digits(), one.row)).collect();
        assert_eq!(read, [("5511900000001", 1), ("5511900000002", 8), ("5511900000003", 17)]);
        let fields = |place: usize| list.recipients[place].fields.clone().unwrap().into_string();
        assert_eq!(
            fields(0),
            "{\"First Name\":\"Jo\u{e3}o\",\"Last Name\":\"S\u{e3}o\",\"name\":\"Jo\u{e3}o S\u{e3}o\"}"
        );
        assert_eq!(fields(1), r#"{"name":"Ana , B"}"#);
        assert_eq!(fields(2), r#"{"Organization":"Café; Co","name":"Zoë"}"#);
        assert_eq!((list.invalid, list.problems[0].row), (1, 23));
    }

    #[test]
    fn a_card_that_does_not_end_is_told() {
        let refused = cards(b"BEGIN:VCARD\nFN:Ana\nTEL:+5511900000001\n").unwrap_err();
        assert_eq!(refused.to_string(), "row 1: a card that does not end; END:VCARD is missing");
    }
}
