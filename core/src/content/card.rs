//! A contact card: a vCard with a name.

use serde::{Deserialize, Serialize};

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

    /// The numbers on it, as digits: by WhatsApp's own parameter where there is one.
    pub fn numbers(&self) -> Vec<String> {
        self.vcard.lines().filter_map(number_of).collect()
    }
}

fn number_of(line: &str) -> Option<String> {
    let (name, value) = line.split_once(':')?;
    // A property may be grouped: `item1.TEL`.
    let mut parts = name.split(';');
    let property = parts.next()?.rsplit('.').next()?;
    if !property.eq_ignore_ascii_case("TEL") {
        return None;
    }
    let named = parts.find_map(|part| part.strip_prefix("waid="));
    let digits: String = named.unwrap_or(value).chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
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
