//! What a caller may write in `to`, parsed once.
//!
//! Digits with a country code, with or without `+`, spaces, dashes, dots and brackets, in any of
//! Unicode's shapes of them; or a whole JID. We refuse what can be no number (length, leading zero, unknown country code) and leave to
//! WhatsApp whether it is somebody: numbering plans change faster than any table.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A phone number in international form, digits only, as WhatsApp writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Phone(String);

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// `919876543210@s.whatsapp.net`
    Person(Phone),
    /// Somebody whose number is hidden: `123456789@lid`.
    Hidden(String),
    /// `120363…@g.us`
    Group(String),
}

/// A country whose code is put before numbers that are written without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(phonenumber::country::Id);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a country is two letters of ISO 3166, such as BR or IN")]
pub struct CountryError;

impl Country {
    /// # Errors
    /// [`CountryError`] for what is no ISO 3166 code of a country with a numbering plan.
    pub fn parse(code: &str) -> Result<Self, CountryError> {
        let code = code.trim().to_ascii_uppercase();
        if code.len() != 2 {
            return Err(CountryError);
        }
        code.parse().map(Self).map_err(|_| CountryError)
    }
}

/// Why `to` was refused; the text tells the caller what to fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    #[error("the phone number is empty")]
    Empty,
    #[error("a phone number has only digits, spaces, dashes, dots, brackets and a leading +")]
    NotDigits,
    #[error("a spreadsheet has rounded this number (9.19E+11); format its column as text and save again")]
    Rounded,
    #[error("a phone number with its country code has 7 to 15 digits")]
    Length,
    #[error("write the number with its country code and without a leading 0")]
    LeadingZero,
    #[error("the number does not begin with a known country code")]
    UnknownCountry,
    #[error("not a WhatsApp JID: use digits@s.whatsapp.net, digits@lid or id@g.us")]
    BadJid,
    #[error("messages to status and broadcast lists, channels and bots are not supported")]
    UnsupportedJid,
}

impl Phone {
    /// A number as people and programs write them: perhaps in the national form of `home`, perhaps with what
    /// a spreadsheet has made of it.
    ///
    /// # Errors
    /// Says which rule the number breaks.
    pub fn parse(text: &str, home: Option<Country>) -> Result<Self, PhoneError> {
        let text = tidy(text);
        let text = text.trim().trim_start_matches('\'').trim();
        let text = text.strip_suffix(".0").unwrap_or(text);
        let exponent = |c: char| matches!(c, 'e' | 'E');
        if text.split_once(exponent).is_some_and(|(number, power)| {
            let numeric = |part: &str| {
                part.chars().any(|c| c.is_ascii_digit())
                    && part.chars().all(|c| c.is_ascii_digit() || "+.,".contains(c))
            };
            numeric(number) && numeric(power)
        }) {
            return Err(PhoneError::Rounded);
        }
        let text = text.strip_suffix("@s.whatsapp.net").or(text.strip_suffix("@c.us")).unwrap_or(text);
        if let Some(rest) = text.strip_prefix("00") {
            return Self::parse_international(rest);
        }
        let Some(Country(country)) = home.filter(|_| !text.starts_with('+')) else {
            return Self::parse_international(text);
        };
        // Digits and separators only, as `parse` wants them; whether the length fits is judged below.
        if let Err(why @ (PhoneError::Empty | PhoneError::NotDigits)) = Self::parse_international(text) {
            return Err(why);
        }
        let national = phonenumber::parse(Some(country), text).ok().filter(phonenumber::is_valid);
        let international = Self::parse_international(text).ok();
        let is_valid = |phone: &Self| {
            phonenumber::parse(None, format!("+{}", phone.digits())).is_ok_and(|n| phonenumber::is_valid(&n))
        };
        match (national, international) {
            // 919876543210 is no Indian subscriber but a whole number; the library reads it as the latter.
            (Some(number), _) => {
                let text = number.format().mode(phonenumber::Mode::E164).to_string();
                Self::parse_international(&text)
            }
            (None, Some(phone)) if is_valid(&phone) => Ok(phone),
            // Numbering plans change faster than any table: where neither reading is known to be right, a
            // number of a whole one's length is one.
            (None, Some(phone)) if phone.digits().len() >= 11 => Ok(phone),
            (None, _) => match phonenumber::parse(Some(country), text) {
                Ok(number) => {
                    Self::parse_international(&number.format().mode(phonenumber::Mode::E164).to_string())
                }
                Err(_) => Self::parse_international(text),
            },
        }
    }

    /// A number as WhatsApp itself writes it, in a JID or a notification: digits alone, taken as they stand.
    ///
    /// # Errors
    /// For what is no number of 7 to 15 digits with a country code.
    pub fn from_whatsapp(digits: &str) -> Result<Self, PhoneError> {
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PhoneError::NotDigits);
        }
        Self::parse_international(digits)
    }

    /// A number with its country code.
    fn parse_international(text: &str) -> Result<Self, PhoneError> {
        let text = tidy(text);
        let text = text.trim();
        let rest = text.strip_prefix('+').unwrap_or(text);
        if rest.is_empty() {
            return Err(PhoneError::Empty);
        }
        let mut digits = String::with_capacity(15);
        for c in rest.chars() {
            match c {
                '0'..='9' if digits.len() > 15 => return Err(PhoneError::Length),
                '0'..='9' => digits.push(c),
                ' ' | '-' | '.' | '(' | ')' => {}
                _ => return Err(PhoneError::NotDigits),
            }
        }
        if digits.starts_with('0') {
            return Err(PhoneError::LeadingZero);
        }
        if !(7..=15).contains(&digits.len()) {
            return Err(PhoneError::Length);
        }
        if !has_country_code(&digits) {
            return Err(PhoneError::UnknownCountry);
        }
        Ok(Self(digits))
    }

    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The other way of writing the same line, where its country has two.
    ///
    /// Brazil put a 9 before its mobile numbers; Mexico had a 1 between the country code and a mobile
    /// number and gave it up; Argentina has a 9 there for calls from abroad. People write both, and WhatsApp
    /// names an account by the one it was registered with: lists say `5511987654321` of whom WhatsApp calls
    /// `551187654321`. Who said stop under one spelling must not be written to under the other.
    ///
    /// Only where both can be nothing but one line: a Brazilian number of eight digits that does not begin
    /// with 6 to 9 is a landline, and the one with a 9 before it is somebody else.
    #[must_use]
    pub fn other_spelling(&self) -> Option<Self> {
        let digits = self.0.as_str();
        // What both spellings begin with, what the longer one has after it, and what follows here.
        let (code, between, rest) = match (digits.get(..2)?, digits.get(2..)?) {
            ("55", rest) if rest.len() >= 10 => (&digits[..4], "9", &digits[4..]),
            ("52", rest) => ("52", "1", rest),
            ("54", rest) => ("54", "9", rest),
            _ => return None,
        };
        let (short, begins) = match code {
            "52" => (10, '2'..='9'),
            "54" => (10, '1'..='3'),
            // Areas have no 0.
            _ if code.contains('0') => return None,
            _ => (8, '6'..='9'),
        };
        let fits = |number: &str| number.len() == short && number.starts_with(|c| begins.contains(&c));
        match rest.strip_prefix(between) {
            Some(number) if fits(number) => Some(Self(format!("{code}{number}"))),
            _ if fits(rest) => Some(Self(format!("{code}{between}{rest}"))),
            _ => None,
        }
    }

    /// Every spelling of the line, this one included, always in the same order.
    #[must_use]
    pub fn spellings(&self) -> Vec<Self> {
        let mut all = Vec::from_iter(self.other_spelling());
        all.push(self.clone());
        all.sort_unstable();
        all
    }

    /// The same number for every spelling of a line: its shortest one, which fits, as no number has more
    /// than 15 digits.
    #[must_use]
    pub fn identity(&self) -> u64 {
        let number = |phone: &Self| phone.0.parse::<u64>().expect("15 digits fit");
        self.other_spelling().as_ref().map_or_else(|| number(self), |other| number(other).min(number(self)))
    }
}

/// A number without what nobody sees, with ASCII's dashes and spaces for all others, and without the `(0)`
/// of `+44 (0)7911 123456`, which is for who calls from within the country.
///
/// What is copied from a web page or an address book has such signs: WhatsApp itself puts marks of
/// direction around a number.
fn tidy(text: &str) -> Cow<'_, str> {
    let mut tidy = Cow::Borrowed(text);
    if !text.is_ascii() {
        let seen = text.chars().filter_map(|c| match c {
            '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => None,
            '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
            c if c.is_whitespace() && !c.is_ascii() => Some(' '),
            c => Some(c),
        });
        tidy = Cow::Owned(seen.collect());
    }
    if let Some((code, number)) = tidy.split_once("(0)") {
        let digits: String = code.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.strip_prefix("00").unwrap_or(&digits);
        let is_code = (1..=3).contains(&digits.len()) && is_country_code(digits);
        // Of Italy's numbers it is a part, and called from abroad as well.
        if is_code && digits != "39" {
            tidy = Cow::Owned(format!("{code}{number}"));
        }
    }
    tidy
}

fn is_country_code(digits: &str) -> bool {
    digits.parse().is_ok_and(|code: u16| phonenumber::metadata::DATABASE.by_code(&code).is_some())
}

/// Country calling codes are one to three digits, and no code begins another.
fn has_country_code(digits: &str) -> bool {
    (1..=3).any(|n| is_country_code(&digits[..n]))
}

impl Recipient {
    /// # Errors
    /// Says what is wrong with `to`.
    pub fn parse(to: &str, home: Option<Country>) -> Result<Self, PhoneError> {
        let to = to.trim();
        let Some((user, server)) = to.split_once('@') else {
            return Phone::parse(to, home).map(Self::Person);
        };
        let plain = |s: &str| !s.is_empty() && s.len() <= 20 && s.bytes().all(|b| b.is_ascii_digit());
        match server {
            "s.whatsapp.net" | "c.us" => Phone::parse(user, None).map(Self::Person),
            "lid" if plain(user) => Ok(Self::Hidden(user.to_owned())),
            "g.us" if is_group_id(user) => Ok(Self::Group(user.to_owned())),
            "broadcast" | "newsletter" | "bot" => Err(PhoneError::UnsupportedJid),
            _ => Err(PhoneError::BadJid),
        }
    }

    /// The chat's JID, as WhatsApp writes it.
    pub fn jid(&self) -> String {
        match self {
            Self::Person(phone) => format!("{}@s.whatsapp.net", phone.digits()),
            Self::Hidden(lid) => format!("{lid}@lid"),
            Self::Group(id) => format!("{id}@g.us"),
        }
    }

    /// The number behind it, where it shows one.
    pub fn phone(&self) -> Option<&Phone> {
        match self {
            Self::Person(phone) => Some(phone),
            Self::Hidden(_) | Self::Group(_) => None,
        }
    }
}

/// `120363…` or the older `<creator>-<time>`.
fn is_group_id(user: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.len() <= 24 && s.bytes().all(|b| b.is_ascii_digit());
    user.split_once('-').map_or_else(|| digits(user), |(creator, time)| digits(creator) && digits(time))
}

impl std::fmt::Display for Phone {
    /// Masked, because this is what reaches a log by accident. [`Phone::digits`] is the number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}…{}", &self.0[..2], &self.0[self.0.len() - 2..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_of_writing_a_number_is_the_same_number() {
        for text in
            ["919876543210", "+919876543210", "+91 98765 43210", "91-98765-43210", " +91 (98765) 432.10 "]
        {
            assert_eq!(Phone::parse(text, None).unwrap().digits(), "919876543210", "{text}");
        }
        for jid in ["919876543210@s.whatsapp.net", "919876543210@c.us"] {
            assert_eq!(Recipient::parse(jid, None).unwrap().jid(), "919876543210@s.whatsapp.net");
        }
    }

    #[test]
    fn what_copying_leaves_around_a_number_does_not_matter() {
        for text in [
            "\u{202a}+91 98765 43210\u{202c}",
            "\u{2066}+91\u{a0}98765\u{2011}43210\u{2069}",
            "\u{feff}919876543210",
            "+91\u{3000}98765\u{2009}43210\u{200e}",
            "91\u{2013}98765\u{2212}432\u{2060}10",
        ] {
            assert_eq!(Phone::parse(text, None).unwrap().digits(), "919876543210", "{text:?}");
            assert_eq!(Phone::parse(text, Country::parse("BR").ok()).unwrap().digits(), "919876543210");
        }
        assert_eq!(Phone::parse("\u{200b}", None), Err(PhoneError::Empty));
    }

    #[test]
    fn the_zero_for_callers_from_within_is_left_out() {
        for text in ["+44 (0)7911 123456", "+44(0) 7911-123456", "44 (0)7911 123456", "+44 (0) 7911 (123456)"]
        {
            assert_eq!(Phone::parse(text, None).unwrap().digits(), "447911123456", "{text}");
            for country in ["GB", "BR"] {
                let parsed = Phone::parse(text, Country::parse(country).ok());
                assert_eq!(parsed.unwrap().digits(), "447911123456", "{text} {country}");
            }
        }
        assert_eq!(Phone::parse("0044 (0)7911 123456", None).unwrap().digits(), "447911123456");
        // Part of the number there, and here it follows no country code.
        assert_eq!(Phone::parse("+39 (0)6 1234 5678", None).unwrap().digits(), "390612345678");
        assert_eq!(Phone::parse("+91 98765 (0)4321", None).unwrap().digits(), "919876504321");
    }

    #[test]
    fn two_spellings_of_one_line_are_known() {
        for (one, other) in [
            ("5511987654321", "551187654321"),
            ("5585960000001", "558560000001"),
            ("5215512345678", "525512345678"),
            ("5491112345678", "541112345678"),
        ] {
            let [one, other] = [one, other].map(|text| Phone::parse(text, None).unwrap());
            assert_eq!(one.other_spelling().as_ref(), Some(&other));
            assert_eq!(other.other_spelling().as_ref(), Some(&one));
            assert_eq!(one.identity(), other.identity());
            assert_eq!(one.spellings(), other.spellings());
        }
    }

    #[test]
    fn lines_that_are_two_stay_two() {
        for text in [
            // A landline of São Paulo, and the mobile that has its digits after a 9.
            "551134567890",
            "5511934567890",
            // No area has a 0.
            "550187654321",
            "55118765432",
            "521551234567",
            "525512345",
            "549911234567",
            "919876543210",
            "447911123456",
        ] {
            let phone = Phone::parse(text, None).unwrap();
            assert_eq!(phone.other_spelling(), None, "{text}");
            assert_eq!((phone.identity().to_string().as_str(), phone.spellings().len()), (text, 1));
        }
    }

    #[test]
    fn a_refusal_says_what_to_fix() {
        let cases = [
            ("", PhoneError::Empty),
            ("+", PhoneError::Empty),
            ("hello", PhoneError::NotDigits),
            ("9198765x3210", PhoneError::NotDigits),
            ("٩١٩٨٧٦٥٤٣٢١٠", PhoneError::NotDigits),
            ("123456", PhoneError::Length),
            ("1234567890123456", PhoneError::Length),
            ("09876543210", PhoneError::LeadingZero),
            ("2109876543", PhoneError::UnknownCountry),
            ("x@lid", PhoneError::BadJid),
            ("1@example.com", PhoneError::BadJid),
            ("status@broadcast", PhoneError::UnsupportedJid),
            ("123@newsletter", PhoneError::UnsupportedJid),
        ];
        for (text, why) in cases {
            assert_eq!(Recipient::parse(text, None), Err(why), "{text}");
        }
    }

    #[test]
    fn a_number_in_national_form_gets_its_countrys_code() {
        for (text, country, digits) in [
            ("919876543210", "IN", "919876543210"),
            ("9876543210", "IN", "919876543210"),
            ("09876543210", "IN", "919876543210"),
            ("11 91234-5678", "BR", "5511912345678"),
            ("(11) 91234-5678", "br", "5511912345678"),
            ("5511912345678", "BR", "5511912345678"),
            ("+44 7911 123456", "BR", "447911123456"),
            ("00447911123456", "BR", "447911123456"),
            ("07911 123456", "GB", "447911123456"),
            ("'919876543210", "IN", "919876543210"),
            ("919876543210.0", "IN", "919876543210"),
        ] {
            let country = Some(Country::parse(country).unwrap());
            assert_eq!(Phone::parse(text, country).unwrap().digits(), digits, "{text}");
        }
        let none = Phone::parse("09876543210", None);
        assert_eq!(none, Err(PhoneError::LeadingZero));
        assert_eq!(Phone::parse("hello", Country::parse("BR").ok()), Err(PhoneError::NotDigits));
        assert_eq!(Phone::parse("12", Country::parse("BR").ok()), Err(PhoneError::Length));
        assert!(Country::parse("XX").is_err() && Country::parse("").is_err());
    }

    #[test]
    fn what_a_spreadsheet_has_rounded_is_not_a_number() {
        for text in ["9.19877E+11", "9,19877E+11", "9.19877e11"] {
            assert_eq!(Phone::parse(text, None), Err(PhoneError::Rounded), "{text}");
        }
    }

    #[test]
    fn groups_old_and_new_are_recipients() {
        for jid in ["120363041234567890@g.us", "491700000000-1500000000@g.us"] {
            assert_eq!(Recipient::parse(jid, None).unwrap().jid(), jid);
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}") {
            let _ = Recipient::parse(&text, None);
        }

        #[test]
        fn a_lists_number_never_panics(text in "\\PC{0,40}") {
            let _ = Phone::parse(&text, None);
            let _ = Phone::parse(&text, Country::parse("BR").ok());
        }

        #[test]
        fn a_spellings_other_spelling_is_itself(text in "5[245][0-9]{8,12}") {
            let phone = Phone::parse(&text, None).unwrap();
            if let Some(other) = phone.other_spelling() {
                prop_assert_eq!(Phone::parse(other.digits(), None).unwrap(), other.clone());
                prop_assert_eq!(other.identity(), phone.identity());
                prop_assert_eq!(other.other_spelling(), Some(phone));
            }
        }

        #[test]
        fn what_parses_parses_again_to_itself(text in "\\+?[1-9][0-9 ().-]{6,20}") {
            if let Ok(phone) = Phone::parse(&text, None) {
                prop_assert_eq!(Phone::parse(phone.digits(), None).unwrap(), phone);
            }
        }
    }
}
