//! Contacts as phones and mail programs write them: vCard 2.1, 3.0 and 4.0.
//!
//! Ours, because the crates for it read one version alone, and a whole file at a time. Of a card its
//! numbers, names and a few fields are read; pictures and whatever else is in it are passed over. A card's
//! row is the line that it begins in.

use std::collections::HashMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use quoted_printable::{ParseMode, decode};
use wapid_core::phone::{Country, Phone};
use wapid_core::recipient::{ListBuilder, Rules};

use super::encoding::{Charset, Taken, encoding_of};
use super::headings::{self, PhoneRank};
use super::{Format, ListError, ListOptions, ReadAs, ReadColumns, ReadList};

/// The longest line that counts, unfolded, in bytes. Pictures are longer.
const LINE_MAX: usize = 16 << 10;
/// Numbers of one card that are looked at.
const NUMBERS_MAX: usize = 20;
/// The shortest number that WhatsApp has, in digits.
const WHATSAPP_ID_MIN: usize = 7;

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
        None => encoding_of(&mut file, rules.country)?,
    };
    let (mut text, other_encoding) = taken.charset.decode_lines(&std::fs::read(path)?);
    if !text.contains('\n') {
        // As old Macintosh programs end their lines.
        text = text.replace('\r', "\n");
    }
    let mut builder = ListBuilder::new(rules.clone());
    let mut card: Option<Card> = None;
    // Cards within a card: a secretary's.
    let (mut agents, mut begins_agent) = (0_usize, false);
    for line in Lines::of(&text) {
        let Some(property) = Property::of(&line.text) else { continue };
        let is_card = property.value.trim().eq_ignore_ascii_case("VCARD");
        let is_agent = std::mem::replace(&mut begins_agent, property.name == "AGENT");
        match (property.name.as_str(), &mut card) {
            ("BEGIN", Some(_)) if is_card && (is_agent || agents > 0) => agents += 1,
            ("END", Some(_)) if is_card && agents > 0 => agents -= 1,
            _ if agents > 0 => {}
            ("BEGIN", open) if is_card && open.is_none() => {
                *open = Some(Card { row: line.row, ..Card::default() });
            }
            ("END", open) if is_card => {
                if let Some(card) = open.take() {
                    card.push(&mut builder, rules.country)?;
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
        other_encoding,
        ..ReadAs::of(Format::Vcard, columns)
    };
    Ok(ReadList { list: builder.finish(), read_as })
}

/// What of a person counts.
#[derive(Debug, Default)]
struct Card {
    row: u32,
    phones: Vec<CardPhone>,
    /// What the owner calls the properties of a group: `item1.X-ABLabel:WhatsApp`.
    labels: HashMap<String, String>,
    fields: HashMap<&'static str, String>,
}

#[derive(Debug)]
struct CardPhone {
    group: Option<String>,
    /// What its types say.
    said: String,
    /// WhatsApp itself has said who it is.
    is_on_whatsapp: bool,
    number: String,
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
            "X-ABLABEL" => {
                // `_$!<HomeFAX>!$_` is a label of Apple's own.
                let label = unescaped(&property.value);
                let label = label.trim_start_matches("_$!<").trim_end_matches(">!$_").to_owned();
                self.labels.extend(property.group.clone().map(|group| (group, label)));
            }
            "TEL" if self.phones.len() < NUMBERS_MAX => {
                let number = match &property.whatsapp_id {
                    Some(id) => format!("+{id}"),
                    None => unescaped(&property.value).trim().to_owned(),
                };
                if !number.is_empty() {
                    self.phones.push(CardPhone {
                        group: property.group.clone(),
                        said: property.types.join(" "),
                        is_on_whatsapp: property.whatsapp_id.is_some(),
                        number,
                    });
                }
            }
            _ => {}
        }
    }

    /// The best number, of equal ones the earlier; one that reads before any that does not.
    fn phone(&self, home: Option<Country>) -> &str {
        let ranked = self.phones.iter().filter_map(|phone| {
            let label = phone.group.as_ref().and_then(|group| self.labels.get(group));
            let said = format!("{} {}", phone.said, label.map_or("", String::as_str));
            // A fax machine is nobody.
            let rank = headings::label(&said, PhoneRank::Phone)?;
            let rank = if phone.is_on_whatsapp { PhoneRank::WhatsApp } else { rank };
            Some((Phone::parse(&phone.number, home).is_err(), rank, phone.number.as_str()))
        });
        ranked.min_by_key(|(is_none, rank, _)| (*is_none, *rank)).map_or("", |(_, _, number)| number)
    }

    fn push(mut self, builder: &mut ListBuilder, home: Option<Country>) -> Result<(), ListError> {
        if !self.fields.contains_key("name") {
            let part = |name: &str| self.fields.get(name).map(String::as_str).unwrap_or_default();
            let name = format!("{} {}", part("First Name"), part("Last Name"));
            let name = if name.trim().is_empty() { part("Organization").to_owned() } else { name };
            self.fields.insert("name", name.trim().to_owned());
        }
        let fields = self.fields.iter().map(|(name, value)| (*name, value.as_str()));
        Ok(builder.push(self.row, self.phone(home), fields)?)
    }
}

/// A line with what it says, decoded.
#[derive(Debug)]
struct Property {
    name: String,
    /// Properties of one group belong together.
    group: Option<String>,
    /// The digits that WhatsApp has for a number.
    whatsapp_id: Option<String>,
    /// `CELL`, `WORK`, `FAX`.
    types: Vec<String>,
    value: String,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Plain,
    QuotedPrintable,
    Base64,
}

impl Written {
    fn of(said: &str) -> Self {
        match said.to_ascii_uppercase().as_str() {
            "QUOTED-PRINTABLE" => Self::QuotedPrintable,
            "B" | "BASE64" => Self::Base64,
            _ => Self::Plain,
        }
    }
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
        let name = parts.next()?.trim().to_ascii_uppercase();
        let (group, name) = match name.rsplit_once('.') {
            Some((group, name)) => (Some(group.to_owned()), name.to_owned()),
            None => (None, name),
        };
        let (mut types, mut charset, mut written, mut whatsapp_id) = (Vec::new(), None, Written::Plain, None);
        for part in parts {
            let (key, said) = part.split_once('=').unwrap_or(("TYPE", part));
            let said = said.trim().trim_matches('"');
            match key.trim().to_ascii_uppercase().as_str() {
                "TYPE" if Written::of(said) != Written::Plain => written = Written::of(said),
                "TYPE" => types.extend(said.split(',').map(|one| one.trim().to_ascii_lowercase())),
                "ENCODING" => written = Written::of(said),
                "CHARSET" => charset = Charset::parse(&said.replace("latin-", "latin")).ok(),
                "WAID" if said.len() >= WHATSAPP_ID_MIN && said.bytes().all(|b| b.is_ascii_digit()) => {
                    whatsapp_id = Some(said.to_owned());
                }
                _ => {}
            }
        }
        // They say how, and not where.
        types.retain(|one| {
            !matches!(one.as_str(), "voice" | "pref" | "internet" | "msg" | "text" | "video" | "iphone")
        });
        let bytes = match written {
            Written::Plain => None,
            Written::QuotedPrintable => decode(value, ParseMode::Robust).ok(),
            Written::Base64 => BASE64.decode(value.trim()).ok(),
        };
        let value = bytes.map_or_else(
            || value.to_owned(),
            |bytes| match (charset, std::str::from_utf8(&bytes)) {
                (Some(charset), _) => charset.decode(&bytes),
                (None, Ok(text)) => text.to_owned(),
                // What such old cards are written in where they do not say.
                (None, Err(_)) => encoding_rs::WINDOWS_1252.decode(&bytes).0.into_owned(),
            },
        );
        Some(Self { name, group, whatsapp_id, types, value })
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
              BEGIN:VCARD\nVERSION:4.0\nFN:Zo\xc3\xab\nTEL;VALUE=uri;TYPE=\"voice,cell\":tel:+55-11-90000-0003\nORG:Caf\xc3\xa9\\; Co;Sales\nEND:VCARD\n\
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

    fn numbers(body: &str) -> Vec<String> {
        let list = cards(format!("BEGIN:VCARD\nFN:Ana\n{body}\nEND:VCARD\n").as_bytes()).unwrap();
        list.recipients.iter().map(|one| one.phone.digits().to_owned()).collect()
    }

    #[test]
    fn a_label_says_what_kind_of_number_it_is() {
        for body in [
            "item1.TEL;type=pref:+551133334444\nitem1.X-ABLabel:_$!<HomeFAX>!$_\nitem2.TEL:+5511900000001\nitem2.X-ABLabel:WhatsApp",
            "TEL;type=CELL:+551133334444\nitem1.TEL:+5511900000001\nitem1.X-ABLabel:WhatsApp",
            "TEL;type=HOME:+551133334444\nitem1.TEL:+5511900000001\nitem1.X-ABLabel:Celular",
            // WhatsApp's own digits, whatever is shown beside them.
            "item1.TEL;waid=5511900000001:011 90000-0001\nitem1.X-ABLabel:Mobile",
            "TEL;type=CELL:+551133334444\nTEL;type=HOME;waid=5511900000001:+55 11 90000-0001",
            "TEL;type=CELL:x\nTEL;type=HOME:+5511900000001",
            // The secretary's is not theirs.
            "AGENT:\nBEGIN:VCARD\nFN:Eva\nTEL:+5511900000009\nEND:VCARD\nTEL:+5511900000001",
        ] {
            assert_eq!(numbers(body), ["5511900000001"], "{body}");
        }
        for body in [
            "item1.TEL:+551133334444\nitem1.X-ABLabel:_$!<WorkFAX>!$_",
            // An extension is nobody's phone.
            "TEL;VALUE=uri:tel:+55-11-90000-0001;ext=5",
        ] {
            assert!(numbers(body).is_empty(), "{body}");
        }
    }

    #[test]
    fn a_name_is_read_however_it_is_written() {
        for (name, read) in [
            ("FN;CHARSET=UTF-8;ENCODING=BASE64:Sm/Do28=", "João"),
            ("FN;ENCODING=QUOTED-PRINTABLE:Jo=E3o", "João"),
            ("FN;CHARSET=latin-1;ENCODING=QUOTED-PRINTABLE:Jo=E3o", "João"),
            ("FN;CHARSET=windows-1251;ENCODING=QUOTED-PRINTABLE:=C8=E2=E0=ED", "Иван"),
        ] {
            for end in ["\r\n", "\n", "\r"] {
                let card = ["BEGIN:VCARD", name, "TEL:+5511900000001", "END:VCARD", ""].join(end);
                let list = cards(card.as_bytes()).unwrap();
                let json = list.recipients[0].fields.clone().unwrap().into_string();
                assert_eq!(json, format!(r#"{{"name":"{read}"}}"#), "{name}");
            }
        }
    }

    #[test]
    fn a_card_that_does_not_end_is_told() {
        let refused = cards(b"BEGIN:VCARD\nFN:Ana\nTEL:+5511900000001\n").unwrap_err();
        assert_eq!(refused.to_string(), "row 1: a card that does not end; END:VCARD is missing");
    }
}
