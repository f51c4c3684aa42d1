//! An array of numbers and objects, read one by one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use wapid_core::recipient::{FIELDS_MAX, List, ListBuilder, Rules, Why, shown};

use super::ListError;

/// What the phone may be called where there is no `phone`.
const OTHERS: [&str; 2] = ["number", "to"];

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
            let taken = match one.wrong {
                Some(why) => self.builder.leave_out(self.row, &one.phone, why),
                None => self.builder.push(self.row, &one.phone, fields),
            };
            if let Err(refused) = taken {
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
    /// Why it is of no use, where that shows already.
    wrong: Option<Why>,
}

impl Row {
    fn of(phone: impl Into<String>) -> Self {
        Self { phone: phone.into(), ..Self::default() }
    }

    fn none(given: &str) -> Self {
        Self { wrong: Some(Why::NoRow), ..Self::of(given) }
    }
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
        Ok(Row::of(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Row, E> {
        Ok(Row::of(number.to_string()))
    }

    /// What programs make of a column of numbers that has gaps: `919876543210.0`.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Row, E> {
        Ok(Row::of(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Row, E> {
        Ok(Row::none(&number.to_string()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Row, E> {
        Ok(Row::none(&value.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Row, E> {
        Ok(Row::none("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Row::none("[…]"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::default();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Cell)?;
            match value {
                None => drop(row.wrong.get_or_insert(Why::NoText(shown(&name)))),
                Some(value) if value.trim().is_empty() => {}
                Some(value) if name.eq_ignore_ascii_case("phone") => row.phone = value,
                Some(value) if row.fields.len() < FIELDS_MAX + OTHERS.len() => row.fields.push((name, value)),
                // No more than that is kept of a row, however long it is.
                Some(_) => drop(row.wrong.get_or_insert(Why::TooManyFields)),
            }
        }
        for other in OTHERS {
            let place = row.fields.iter().position(|(name, _)| name.eq_ignore_ascii_case(other));
            if let Some(place) = place.filter(|_| row.phone.is_empty()) {
                row.phone = row.fields.remove(place).1;
            }
        }
        Ok(row)
    }
}

/// A field's value as text; `None` of what has others in it.
struct Cell;

impl<'de> DeserializeSeed<'de> for Cell {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Some(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
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
    fn a_row_of_no_use_is_told_and_the_list_goes_on() {
        for (bad, why) in [
            (r#"{"phone":null}"#, "the phone number is empty"),
            (r#"{"phone":"","name":"x"}"#, "the phone number is empty"),
            (r#"{"name":"x"}"#, "the phone number is empty"),
            (r#""""#, "the phone number is empty"),
            (r#"{"phone":"919876543219","tags":["a",{"b":[1]}]}"#, "the field tags holds a list"),
            (r#"{"tags":{"a":{}},"phone":"919876543219"}"#, "the field tags holds a list"),
            (r#"{"phone":["919876543219"]}"#, "the field phone holds a list"),
            ("true", "a row is a phone number, or an object"),
            ("null", "a row is a phone number, or an object"),
            ("[[1],2]", "a row is a phone number, or an object"),
            ("-919876543210", "a row is a phone number, or an object"),
        ] {
            let text = format!(r#"["919876543210", {bad}, {{"phone":"919876543211"}}]"#);
            let list = from_json(&text, RULES).unwrap();
            assert_eq!((list.recipients.len(), list.invalid, list.problems[0].row), (2, 1, 2), "{bad}");
            assert!(list.problems[0].why.to_string().starts_with(why), "{bad}: {}", list.problems[0].why);
        }
        let long = format!(r#"[{{"phone":"919876543210",{}"b":1}}]"#, r#""a":1e300,"#.repeat(100_000));
        assert_eq!(from_json(&long, RULES).unwrap().problems[0].why, Why::TooManyFields);
    }

    #[test]
    fn the_phone_may_be_called_otherwise_where_nothing_is_called_phone() {
        for (text, fields) in [
            (r#"{"number":"919876543210","to":"Rio"}"#, r#"{"to":"Rio"}"#),
            (r#"{"to":"919876543210","x":1}"#, r#"{"x":"1"}"#),
            (r#"{"number":"12b","Phone":919876543210.0}"#, r#"{"number":"12b"}"#),
            (r#"{"phone":919876543210,"to":"Rio"}"#, r#"{"to":"Rio"}"#),
        ] {
            let list = from_json(&format!("[{text}]"), RULES).unwrap();
            assert_eq!(list.recipients[0].phone.digits(), "919876543210", "{text}");
            assert_eq!(list.recipients[0].fields.as_deref(), Some(fields));
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [r#"{"phone":"919876543210"}"#, "null", "7", r#""919876543210""#] {
            let refused = from_json(text, RULES).unwrap_err();
            assert!(refused.to_string().contains("an array of numbers or objects"), "{text}: {refused}");
            assert_eq!(refused.code(), "INVALID_RECIPIENTS");
        }
        let broken = from_json(r#"["919876543210", 1e999]"#, RULES).unwrap_err();
        assert!(broken.to_string().starts_with("row 2: "), "{broken}");
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
