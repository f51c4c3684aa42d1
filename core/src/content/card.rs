//! A contact card: a vCard with a name.

use serde::{Deserialize, Serialize};

use super::is_blank;
use crate::phone::Phone;

/// A contact card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub name: String,
    /// vCard 3.0.
    pub vcard: String,
}

impl Card {
    /// A card with a name and a number, in the form that WhatsApp offers to write to.
    pub fn of(name: &str, phone: &Phone) -> Self {
        let digits = phone.digits();
        let name = one_line(name);
        let escaped = escape(&name);
        let vcard = format!(
            "BEGIN:VCARD\nVERSION:3.0\nN:;{escaped};;;\nFN:{escaped}\nTEL;type=CELL;type=VOICE;waid={digits}:+{digits}\nEND:VCARD"
        );
        Self { name, vcard }
    }

    /// A card as somebody wrote it: under the name given with it, or else the one on it.
    pub fn read(name: Option<&str>, vcard: String) -> Self {
        let name = name.filter(|name| !is_blank(name)).map(str::to_owned);
        let name = name.or_else(|| name_on(&vcard)).unwrap_or_default();
        Self { name, vcard }
    }

    /// The numbers on it, as digits: by WhatsApp's own parameter where there is one.
    pub fn numbers(&self) -> Vec<String> {
        self.vcard.lines().filter_map(number_of).collect()
    }
}

/// The parameters and the value of a line, where it says that property.
fn property<'a>(line: &'a str, wanted: &str) -> Option<(std::str::Split<'a, char>, &'a str)> {
    let (name, value) = line.split_once(':')?;
    // A property may be grouped: `item1.TEL`.
    let mut parts = name.split(';');
    let property = parts.next()?.rsplit('.').next()?;
    property.trim().eq_ignore_ascii_case(wanted).then_some((parts, value))
}

fn number_of(line: &str) -> Option<String> {
    let (mut parameters, value) = property(line, "TEL")?;
    let named = parameters.find_map(|part| part.strip_prefix("waid="));
    let digits: String = named.unwrap_or(value).chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

/// The name as it is to be shown; where a card has none, the parts of a name, given name first, or an organisation.
fn name_on(vcard: &str) -> Option<String> {
    let lines = unfolded(vcard);
    let value = |wanted: &str| {
        let values = lines.iter().filter_map(|line| Some(property(line, wanted)?.1));
        values.map(str::to_owned).find(|value| !is_blank(value))
    };
    let shown = value("FN").map(|name| unescape(&name));
    let parts = || {
        let name = value("N")?;
        let mut parts: Vec<String> = split_value(&name);
        parts.truncate(2);
        parts.reverse();
        Some(parts.join(" "))
    };
    let organisation = || value("ORG").map(|name| split_value(&name).join(" "));
    [shown, parts(), organisation()]
        .into_iter()
        .flatten()
        .map(|name| one_line(&name))
        .find(|name| !is_blank(name))
}

/// RFC 2426, section 2.6: a line that begins with a space goes on the one before.
fn unfolded(vcard: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in vcard.lines() {
        match (lines.last_mut(), line.strip_prefix([' ', '\t'])) {
            (Some(last), Some(rest)) => last.push_str(rest),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// The parts between semicolons that are not escaped.
fn split_value(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut signs = value.chars();
    while let Some(sign) = signs.next() {
        let part = parts.last_mut().expect("there is one from the beginning");
        match sign {
            '\\' => part.extend(signs.next().map(|sign| if matches!(sign, 'n' | 'N') { ' ' } else { sign })),
            ';' => parts.push(String::new()),
            sign => part.push(sign),
        }
    }
    parts
}

fn unescape(value: &str) -> String {
    // A semicolon that means nothing in a name is one.
    split_value(value).join(";")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// RFC 2426, section 5: these characters mean something in a value.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | ';' | ',') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_without_a_name_beside_it_has_the_one_on_it() {
        let named = |name: Option<&str>, lines: &str| {
            Card::read(name, format!("BEGIN:VCARD\r\nVERSION:3.0\r\n{lines}\r\nEND:VCARD")).name
        };
        for (lines, name) in [
            ("FN:Ana", "Ana"),
            ("fn:Ana", "Ana"),
            ("FN;CHARSET=UTF-8:Ana Lúcia", "Ana Lúcia"),
            ("item1.FN:Ana", "Ana"),
            ("FN:Ana\\, the \\;-shop", "Ana, the ;-shop"),
            ("FN:A very long\r\n  name", "A very long name"),
            ("N:Silva;Ana;;;\r\nTEL:1", "Ana Silva"),
            ("FN:\r\nN:;Ana;;;", "Ana"),
            ("ORG:The Shop;Sales", "The Shop Sales"),
            ("TEL:+55 11 90000-0001", ""),
        ] {
            assert_eq!(named(None, lines), name, "{lines}");
            assert_eq!(named(Some(" \u{200b}"), lines), name, "{lines}");
            assert_eq!(named(Some("Bia"), lines), "Bia");
        }
    }

    #[test]
    fn a_card_names_its_number_and_nobody_writes_a_second_line_into_it() {
        let phone = Phone::parse("5511900000001", None).unwrap();
        let card = Card::of("Ana; \"the\nTEL:1\" Shop", &phone);
        assert_eq!(card.numbers(), ["5511900000001"]);
        assert_eq!(card.vcard.lines().count(), 6);
        assert!(card.vcard.contains("FN:Ana\\; \"the TEL:1\" Shop"), "{}", card.vcard);
        let foreign =
            Card { name: "B".into(), vcard: "item1.TEL;TYPE=home:+55 (11) 90000-0002\nX:TEL".into() };
        assert_eq!(foreign.numbers(), ["5511900000002"]);
    }
}
