//! Numbers in requests: as a text or as a JSON number. What a number means is for `wapid_core::phone`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::phone::{Country, Phone, PhoneError, Recipient};

/// JavaScript's numbers are exact up to here: what comes beyond may be another number already.
const EXACT_MAX: u64 = 1 << 53;

/// A number or JID as it is given: a text in any spelling, or a JSON number of the digits
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = PhoneNumber, example = "919876543210")]
pub enum GivenNumber {
    Text(String),
    Digits(u64),
}

impl GivenNumber {
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Digits(digits) => Cow::Owned(digits.to_string()),
        }
    }

    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Digits(digits) => digits.to_string(),
        }
    }

    pub fn phone(&self, home: Option<Country>) -> Result<Phone, PhoneError> {
        Phone::parse(&self.text(), home)
    }

    pub fn recipient(&self, home: Option<Country>) -> Result<Recipient, PhoneError> {
        Recipient::parse(&self.text(), home)
    }
}

impl<'de> Deserialize<'de> for GivenNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Given;

        impl Visitor<'_> for Given {
            type Value = GivenNumber;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a phone number as a text, such as \"+919876543210\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<GivenNumber, E> {
                Ok(GivenNumber::Text(text.to_owned()))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<GivenNumber, E> {
                Ok(GivenNumber::Text(text))
            }

            fn visit_u64<E: Error>(self, digits: u64) -> Result<GivenNumber, E> {
                if digits > EXACT_MAX {
                    return Err(E::custom("this number is too large to be exact; write it as a text"));
                }
                Ok(GivenNumber::Digits(digits))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<GivenNumber, E> {
                Err(E::custom("a phone number is not negative; write it as a text"))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<GivenNumber, E> {
                Err(E::custom("a phone number has no decimals or exponent; write it as a text"))
            }
        }

        deserializer.deserialize_any(Given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_text_or_an_exact_json_number() {
        let read =
            |json: &str| serde_json::from_str::<GivenNumber>(json).map(|given| given.text().into_owned());
        assert_eq!(read("\"+91 98765 43210\"").unwrap(), "+91 98765 43210");
        assert_eq!(read("919876543210").unwrap(), "919876543210");
        assert_eq!(read("9007199254740992").unwrap(), "9007199254740992");
        for (json, why) in [
            ("9007199254740993", "too large to be exact"),
            ("919876543210.0", "no decimals"),
            ("9.19876E+11", "no decimals"),
            ("-919876543210", "not negative"),
            ("true", "a phone number as a text"),
            ("null", "a phone number as a text"),
            ("[1]", "a phone number as a text"),
        ] {
            let refused = read(json).unwrap_err().to_string();
            assert!(refused.contains(why), "{json}: {refused}");
        }
    }
}
