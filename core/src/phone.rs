//! What a caller may write in `to`, parsed once.
//!
//! Digits with a country code, with or without `+`, spaces, dashes, dots and brackets; or a whole
//! JID. We refuse what can be no number (length, leading zero, unknown country code) and leave to
//! WhatsApp whether it is somebody: numbering plans change faster than any table.

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

/// Why `to` was refused; the text tells the caller what to fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    #[error("the phone number is empty")]
    Empty,
    #[error("a phone number has only digits, spaces, dashes, dots, brackets and a leading +")]
    NotDigits,
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
    /// # Errors
    /// Says which rule the number breaks.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
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
                ' ' | '-' | '.' | '(' | ')' | '\u{a0}' => {}
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
}

/// Country calling codes are one to three digits, and no code begins another.
fn has_country_code(digits: &str) -> bool {
    (1..=3).any(|n| {
        digits[..n].parse().is_ok_and(|code: u16| phonenumber::metadata::DATABASE.by_code(&code).is_some())
    })
}

impl Recipient {
    /// # Errors
    /// Says what is wrong with `to`.
    pub fn parse(to: &str) -> Result<Self, PhoneError> {
        let to = to.trim();
        let Some((user, server)) = to.split_once('@') else { return Phone::parse(to).map(Self::Person) };
        let plain = |s: &str| !s.is_empty() && s.len() <= 20 && s.bytes().all(|b| b.is_ascii_digit());
        match server {
            "s.whatsapp.net" | "c.us" => Phone::parse(user).map(Self::Person),
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
            assert_eq!(Phone::parse(text).unwrap().digits(), "919876543210", "{text}");
        }
        for jid in ["919876543210@s.whatsapp.net", "919876543210@c.us"] {
            assert_eq!(Recipient::parse(jid).unwrap().jid(), "919876543210@s.whatsapp.net");
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
            assert_eq!(Recipient::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn groups_old_and_new_are_recipients() {
        for jid in ["120363041234567890@g.us", "491700000000-1500000000@g.us"] {
            assert_eq!(Recipient::parse(jid).unwrap().jid(), jid);
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}") {
            let _ = Recipient::parse(&text);
        }

        #[test]
        fn what_parses_parses_again_to_itself(text in "\\+?[1-9][0-9 ().-]{6,20}") {
            if let Ok(phone) = Phone::parse(&text) {
                prop_assert_eq!(Phone::parse(phone.digits()).unwrap(), phone);
            }
        }
    }
}
