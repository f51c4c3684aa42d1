//! An array of numbers and objects, read one by one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use wapid_core::recipient::{List, ListBuilder, Rules};

use super::ListError;

/// `["919876543210", {"phone":"919876543211","name":"Ana","city":"Rio"}]`
///
/// # Errors
/// [`ListError`], naming the row.
pub fn from_json(text: &str, rules: Rules) -> Result<List, ListError> {
    let mut rows = Rows { builder: ListBuilder::new(rules), row: 0, refused: None };
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = reader.deserialize_seq(&mut rows);
    if let Some(refused) = rows.refused {
        return Err(refused);
    }
    match read {
        Ok(()) => Ok(rows.builder.finish()),
        Err(problem) if rows.row == 0 => {
            Err(ListError::BadJson(format!("an array of numbers or objects: {problem}")))
        }
        Err(problem) => Err(ListError::BadRow { row: rows.row, why: problem.to_string() }),
    }
}

struct Rows {
    builder: ListBuilder,
    row: u32,
    refused: Option<ListError>,
}

impl<'de> Visitor<'de> for &mut Rows {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        loop {
            self.row += 1;
            let Some(one) = seq.next_element_seed(One)? else { return Ok(()) };
            let fields = one.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            if let Err(refused) = self.builder.push(self.row, &one.phone, fields) {
                self.refused = Some(refused.into());
                return Err(A::Error::custom("refused"));
            }
        }
    }
}

#[derive(Default)]
struct Row {
    phone: String,
    fields: Vec<(String, String)>,
}

struct One;

impl<'de> DeserializeSeed<'de> for One {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a phone number or an object with a phone")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Row, E> {
        Ok(Row { phone: text.to_owned(), fields: vec![] })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Row, E> {
        Ok(Row { phone: number.to_string(), fields: vec![] })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::default();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Cell(&name))?;
            match name.as_str() {
                "phone" => row.phone = value,
                // Other names for it, where there is none of that name.
                "number" | "to" if row.phone.is_empty() => row.phone = value,
                _ => row.fields.push((name, value)),
            }
        }
        if row.phone.is_empty() {
            return Err(A::Error::custom("phone: required"));
        }
        Ok(row)
    }
}

/// A field's value as text.
struct Cell<'n>(&'n str);

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Cell<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text, a number or true or false in the field {}", self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        Ok(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules { country: None, max: 100_000 };

    #[test]
    fn numbers_and_objects_may_be_mixed() {
        let list = from_json(
            r#"["919876543210", {"name":"Ana","phone":"+91 98765 43211","age":30,"vip":true,"x":null}, 919876543212]"#,
            RULES,
        )
        .unwrap();
        assert_eq!(list.recipients.len(), 3);
        let fields = list.recipients[1].fields.as_deref();
        assert_eq!(fields, Some(r#"{"age":"30","name":"Ana","vip":"true"}"#));
        assert_eq!(list.fields.get("name"), Some(&1));
    }

    #[test]
    fn a_refusal_names_the_row() {
        for (text, row) in [
            (r#"["919876543210", {"name":"x"}]"#, "row 2: phone: required"),
            (r#"[{"phone":"919876543210","tags":["a"]}]"#, "in the field tags"),
            (r#"["919876543210", true]"#, "row 2: "),
            (r#"{"phone":"919876543210"}"#, "an array of numbers or objects"),
            ("null", "an array of numbers or objects"),
        ] {
            let refused = from_json(text, RULES).unwrap_err();
            assert!(refused.to_string().contains(row), "{text}: {refused}");
            assert_eq!(refused.code(), "INVALID_RECIPIENTS");
        }
        let refused = from_json(r#"["1","2","3"]"#, Rules { country: None, max: 2 }).unwrap_err();
        assert_eq!(refused.code(), "TOO_MANY_RECIPIENTS");
    }

    #[test]
    fn a_hundred_thousand_are_read() {
        let rows: Vec<String> =
            (0..100_000).map(|n| format!(r#"{{"phone":"55119{n:08}","name":"Person {n}"}}"#)).collect();
        let list = from_json(&format!("[{}]", rows.join(",")), RULES).unwrap();
        assert_eq!((list.recipients.len(), list.fields["name"]), (100_000, 100_000));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,100}") {
            let _ = from_json(&text, RULES);
        }
    }
}
