//! A phone number.

use serde::{Deserialize, Serialize};

use super::{Country, PhoneError, plan, reading, spellings, written};

/// A phone number in international form, digits only, as WhatsApp writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Phone(String);

impl Phone {
    /// A number as people and programs write it: perhaps in the national form of `home`, perhaps with what a
    /// list, a link or a spreadsheet has made of it.
    ///
    /// # Errors
    /// Says what to write instead.
    pub fn parse(text: &str, home: Option<Country>) -> Result<Self, PhoneError> {
        let text = written::tidy(text);
        if let Some(user) = text.strip_suffix("@s.whatsapp.net").or_else(|| text.strip_suffix("@c.us")) {
            return Self::from_jid(user);
        }
        Self::of(reading::read(&written::Written::of(&text)?, home)?)
    }

    /// A number as WhatsApp itself writes it, in a JID or a notification: digits alone, taken as they stand.
    ///
    /// # Errors
    /// For what is no number of 7 to 15 digits with a country code.
    pub fn from_whatsapp(digits: &str) -> Result<Self, PhoneError> {
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PhoneError::NotDigits);
        }
        Self::of(digits.to_owned())
    }

    /// What stands before the `@` of a person's JID: WhatsApp's own digits, perhaps with a device behind them,
    /// or what somebody put before it.
    pub(super) fn from_jid(user: &str) -> Result<Self, PhoneError> {
        let number = match user.split_once(':') {
            Some((number, device)) if device.bytes().all(|b| b.is_ascii_digit()) => number,
            _ => user,
        };
        if number.bytes().all(|b| b.is_ascii_digit()) {
            return Self::from_whatsapp(number);
        }
        Self::of(reading::read(&written::Written::of(number)?, None)?)
    }

    fn of(digits: String) -> Result<Self, PhoneError> {
        if digits.is_empty() {
            return Err(PhoneError::Empty);
        }
        if digits.starts_with('0') {
            return Err(PhoneError::LeadingZero);
        }
        if !(7..=15).contains(&digits.len()) {
            return Err(PhoneError::Length);
        }
        if plan::code_of(&digits).is_none() {
            return Err(PhoneError::UnknownCountry);
        }
        Ok(Self(digits))
    }

    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Does a numbering plan know it, under one of its spellings? Plans change faster than any table, so a number
    /// that none knows may be somebody's all the same.
    pub fn is_in_a_plan(&self) -> bool {
        reading::is_in_a_plan(&self.0)
    }

    /// Every number that the line has had and may still be written by, this one included, always in the same
    /// order.
    #[must_use]
    pub fn spellings(&self) -> Vec<Self> {
        let mut all: Vec<Self> = spellings::others(&self.0).into_iter().map(Self).collect();
        all.push(self.clone());
        all.sort_unstable();
        all
    }

    /// The same number for every spelling of a line: its smallest one, which fits, as no number has more than
    /// 15 digits.
    #[must_use]
    pub fn identity(&self) -> u64 {
        let number = |digits: &str| digits.parse::<u64>().expect("15 digits fit");
        let others = spellings::others(&self.0);
        others.iter().map(|other| number(other)).fold(number(&self.0), u64::min)
    }
}

impl std::fmt::Display for Phone {
    /// Masked, because this is what reaches a log by accident. [`Phone::digits`] is the number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}…{}", &self.0[..2], &self.0[self.0.len() - 2..])
    }
}
