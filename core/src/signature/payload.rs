//! The JSON that is signed, in the one spelling that every language writes again.
//!
//! A receiver that verifies seed 001's field takes it out and serialises the rest, so our bytes must be
//! those of `JSON.stringify(JSON.parse(bytes))`: compact, keys in their order, and numbers as JavaScript
//! writes them (`12`, not `12.0`).
//!
//! Not done here, and so up to whoever makes an event: integers beyond 2^53 are lost in JavaScript (write
//! a string), keys that look like numbers are reordered there, an empty object becomes `[]` in PHP (leave
//! it out).

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::value::RawValue;

/// An object in compact JSON, without the field `signature`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(String);

#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    #[error("a payload is a JSON object")]
    NotAnObject,
    #[error("a payload's field `signature` is ours to add")]
    HasSignature,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Payload {
    /// `value` with its fields in the order in which it serialises them.
    ///
    /// # Errors
    /// When it is no object, or has a field `signature` already.
    pub fn of(value: &impl Serialize) -> Result<Self, PayloadError> {
        let mut bytes = Vec::with_capacity(512);
        value.serialize(&mut Serializer::with_formatter(&mut bytes, AsJavaScript))?;
        let text = String::from_utf8(bytes).expect("serde_json writes UTF-8");
        if !text.starts_with('{') {
            return Err(PayloadError::NotAnObject);
        }
        if serde_json::from_str::<BTreeMap<String, &RawValue>>(&text)?.contains_key("signature") {
            return Err(PayloadError::HasSignature);
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

struct AsJavaScript;

impl Formatter for AsJavaScript {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number(value).as_bytes())
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        // Its shortest digits: JavaScript reads those as a double.
        self.write_f64(writer, value.to_string().parse().unwrap_or(f64::from(value)))
    }
}

/// A finite number as ECMAScript writes it (`Number::toString`, radix 10). serde_json asks for no other.
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let (digits, exponent) = shortest(value.abs());
    let length = i32::try_from(digits.len()).expect("a double has at most 17 digits");
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let written = match exponent {
        21.. => exponential(&digits, exponent),
        0.. if exponent + 1 >= length => format!("{digits}{}", zeros(exponent + 1 - length)),
        0.. => {
            let (whole, rest) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(0));
            format!("{whole}.{rest}")
        }
        -6..0 => format!("0.{}{digits}", zeros(-exponent - 1)),
        _ => exponential(&digits, exponent),
    };
    if value < 0.0 { format!("-{written}") } else { written }
}

/// The fewest digits that mean `value`, and the power of ten of the first.
///
/// Of two that are as near, ECMAScript takes the even one, and Rust's `{:e}` the greater: 192554100608877.12
/// and …13 both mean …125. So it is rounded to as many digits, where that still means the number.
fn shortest(value: f64) -> (String, i32) {
    let short = format!("{value:e}");
    let (mantissa, _) = short.split_once('e').expect("`{:e}` writes an exponent");
    let rounded = format!("{value:.*e}", mantissa.len().saturating_sub(2));
    let text = if rounded.parse() == Ok(value) { rounded } else { short };
    let (mantissa, exponent) = text.split_once('e').expect("`{:e}` writes an exponent");
    (mantissa.replace('.', ""), exponent.parse().expect("`{:e}` writes a number as its exponent"))
}

fn exponential(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{first}{point}{rest}e{exponent:+}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_number_is_written_as_javascript_writes_it() {
        // What node prints for each.
        for (value, text) in [
            (12.0, "12"),
            (-12.5, "-12.5"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-23.550_52, "-23.55052"),
            (1e-6, "0.000001"),
            (1.5e-6, "0.0000015"),
            (1e-7, "1e-7"),
            (1.25e-7, "1.25e-7"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e21, "1.5e+21"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (1_540_432_804_871_017.0 / 8.0, "192554100608877.12"),
            (-1_680_855_454_157_317.0 / 8.0, "-210106931769664.62"),
            (2.0_f64.powi(-44), "5.684341886080802e-14"),
            (9.5e-322, "9.5e-322"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_payload_is_an_object_in_the_order_of_its_fields() {
        #[derive(Serialize)]
        struct Message {
            event: &'static str,
            at: i64,
            data: serde_json::Value,
        }
        let message =
            Message { event: "message", at: 1, data: json!({"lat": 12.0, "text": "é/\u{1}\u{2028}\n"}) };
        assert_eq!(
            Payload::of(&message).unwrap().as_str(),
            "{\"event\":\"message\",\"at\":1,\"data\":{\"lat\":12,\"text\":\"é/\\u0001\u{2028}\\n\"}}"
        );
        assert_eq!(Payload::of(&json!({})).unwrap().as_str(), "{}");
        assert!(matches!(Payload::of(&json!([1])), Err(PayloadError::NotAnObject)));
        assert!(matches!(Payload::of(&json!({"signature": 1})), Err(PayloadError::HasSignature)));
        assert!(matches!(Payload::of(&json!({"sign\u{61}ture": 1})), Err(PayloadError::HasSignature)));
        assert!(Payload::of(&json!({"data": {"signature": 1}})).is_ok());
    }

    proptest! {
        #[test]
        fn every_number_means_what_it_meant(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(number(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
