//! An array of numbers and objects, read one by one.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use wapid_core::recipient::{ListBuilder, Rules, Why, shown};
use wapid_core::template::field_key;

use super::headings::{self, PhoneHeading, PhoneRank};
use super::{Format, ListError, ListOptions, ReadAs, ReadColumns, ReadList};

/// The most fields that are read of a row, however long it is.
const FIELDS_READ: usize = 500;
/// What `recipients` is.
const AN_ARRAY: &str = "an array of numbers or objects";
/// Different names of fields whose meaning is remembered.
const NAMES_REMEMBERED: usize = 2_000;

/// Tells what is no list at all before anything else of a request is looked at.
///
/// # Errors
/// [`ListError::BadJson`].
pub fn check_is_list(json: &str) -> Result<(), ListError> {
    if json.trim_start().starts_with('[') {
        return Ok(());
    }
    Err(ListError::BadJson(AN_ARRAY.to_owned()))
}

/// `["919876543210", {"phone":"919876543211","name":"Ana","city":"Rio"}]`
///
/// # Errors
/// [`ListError`], naming the row.
pub fn from_json(text: &str, rules: &Rules, options: &ListOptions) -> Result<ReadList, ListError> {
    let mut rows = Rows {
        builder: ListBuilder::new(rules.clone()),
        names: Names::new(rules, options),
        row: 0,
        refused: None,
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = reader.deserialize_seq(&mut rows);
    if let Some(refused) = rows.refused {
        return Err(refused);
    }
    match read {
        Ok(()) => {
            let list = rows.builder.finish();
            rows.names.check(list.recipients.is_empty())?;
            let columns = ReadColumns {
                phone: rows.names.phone_read,
                name: rows.names.name_read,
                ..ReadColumns::default()
            };
            Ok(ReadList { list, read_as: ReadAs::of(Format::Json, columns) })
        }
        Err(problem) if rows.row == 0 => Err(ListError::BadJson(format!("{AN_ARRAY}: {problem}"))),
        Err(problem) => Err(ListError::BadRow { row: rows.row, why: problem.to_string() }),
    }
}

/// What the names of fields mean; a list has few names and many rows.
struct Names {
    phone_column: Option<String>,
    name_column: Option<String>,
    /// Whether a text asks for `{{name}}`.
    is_name_asked: bool,
    ranks: HashMap<String, (Option<PhoneRank>, Option<u8>)>,
    phone_read: Option<String>,
    /// The same of the row that is read.
    phone_now: String,
    name_read: Option<String>,
    /// The first row's, for an error.
    seen: Vec<String>,
}

impl Names {
    fn new(rules: &Rules, options: &ListOptions) -> Self {
        Self {
            phone_column: options.phone_column.as_deref().map(field_key),
            name_column: options.name_column.as_deref().map(field_key),
            is_name_asked: rules.named.contains("name"),
            ranks: HashMap::new(),
            phone_read: None,
            phone_now: String::new(),
            name_read: None,
            seen: Vec::new(),
        }
    }

    fn ranks(&mut self, name: &str) -> (Option<PhoneRank>, Option<u8>) {
        if let Some(ranks) = self.ranks.get(name) {
            return *ranks;
        }
        let phone = match headings::phone(name) {
            PhoneHeading::Sure(rank) => Some(rank),
            PhoneHeading::Perhaps(PhoneRank::Vague) => Some(PhoneRank::Vague),
            PhoneHeading::Perhaps(_)
            | PhoneHeading::Another(_)
            | PhoneHeading::Never
            | PhoneHeading::Unknown => None,
        };
        let ranks = (phone, headings::name(name));
        if self.ranks.len() < NAMES_REMEMBERED {
            self.ranks.insert(name.to_owned(), ranks);
        }
        ranks
    }

    /// Takes the phone out of a row's fields: `phone` itself, or what is called so in any language.
    fn phone_of(&mut self, fields: &mut Vec<(String, Cell)>) -> Option<Cell> {
        let exactly = |wanted: &str| fields.iter().position(|(name, _)| name == wanted);
        let like = |wanted: &str| fields.iter().position(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let place = match &self.phone_column {
            Some(wanted) => fields.iter().position(|(name, _)| field_key(name) == *wanted),
            None => exactly("phone").or_else(|| like("phone")).or_else(|| {
                let ranked =
                    fields.iter().enumerate().filter_map(|(at, (name, _))| Some((self.ranks(name).0?, at)));
                ranked.min().map(|(_, at)| at)
            }),
        };
        if self.seen.is_empty() {
            self.seen = fields.iter().take(20).map(|(name, _)| shown(name)).collect();
        }
        let (name, cell) = fields.remove(place?);
        if self.phone_read.is_none() {
            self.phone_read = Some(name.clone());
        }
        self.phone_now = name;
        Some(cell)
    }

    /// Whether the field of the number stands in a row once more: then either may be meant.
    fn is_twice(&self, fields: &[(String, Cell)]) -> bool {
        fields.iter().any(|(name, _)| *name == self.phone_now)
    }

    /// What `{{name}}` reads where no field is called so.
    fn alias(&mut self, fields: &[(String, Cell)]) -> Option<String> {
        let place = match &self.name_column {
            Some(wanted) => fields.iter().position(|(name, _)| field_key(name) == *wanted),
            None if fields.iter().any(|(name, _)| field_key(name) == "name") => {
                self.name_read.get_or_insert_with(|| "name".to_owned());
                return None;
            }
            None => {
                let ranked =
                    fields.iter().enumerate().filter_map(|(at, (name, _))| Some((self.ranks(name).1?, at)));
                ranked.min().map(|(_, at)| at)
            }
        };
        let (name, Cell::Text(text)) = &fields[place?] else { return None };
        if self.name_read.is_none() {
            self.name_read = Some(name.clone());
        }
        self.is_name_asked.then(|| text.clone())
    }

    /// A column that no row has.
    fn check(&self, is_empty: bool) -> Result<(), ListError> {
        let missing = [
            ("phoneColumn", &self.phone_column, is_empty && self.phone_read.is_none()),
            ("nameColumn", &self.name_column, self.name_read.is_none()),
        ];
        for (field, wanted, is_missing) in missing {
            if let Some(wanted) = wanted.as_ref().filter(|_| is_missing) {
                let (wanted, seen) = (shown(wanted), self.seen.join(", "));
                return Err(ListError::Column(format!(
                    "{field}: no field is called {wanted}; the fields are: {seen}"
                )));
            }
        }
        Ok(())
    }
}

struct Rows {
    builder: ListBuilder,
    names: Names,
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
            if let Err(refused) = self.take(one) {
                self.refused = Some(refused);
                return Err(A::Error::custom("refused"));
            }
        }
    }
}

impl Rows {
    fn take(&mut self, one: Row) -> Result<(), ListError> {
        let (phone, mut fields) = match one {
            Row::Phone(phone) => (phone, Vec::new()),
            Row::Useless(given) => return Ok(self.builder.leave_out(self.row, &given, Why::NoRow)?),
            Row::Object(mut fields) => match self.names.phone_of(&mut fields) {
                Some(Cell::Text(_)) if self.names.is_twice(&fields) => {
                    let why = Why::TwoPhones(shown(&self.names.phone_now));
                    return Ok(self.builder.leave_out(self.row, "", why)?);
                }
                Some(Cell::Text(phone)) => (phone, fields),
                Some(Cell::Nested) => {
                    return Ok(self.builder.leave_out(self.row, "", Why::NoText("phone".to_owned()))?);
                }
                None => (String::new(), fields),
            },
        };
        if let Some(name) = self.names.alias(&fields) {
            fields.retain(|(name, _)| field_key(name) != "name");
            fields.push(("name".to_owned(), Cell::Text(name)));
        }
        for (name, cell) in &fields {
            if matches!(cell, Cell::Nested) {
                if self.builder.is_named(name) {
                    return Ok(self.builder.leave_out(self.row, &phone, Why::NoText(shown(name)))?);
                }
                self.builder.leave_unread(name);
            }
        }
        let texts = fields.iter().filter_map(|(name, cell)| match cell {
            Cell::Text(text) => Some((name.as_str(), text.as_str())),
            Cell::Nested => None,
        });
        Ok(self.builder.push(self.row, &phone, texts)?)
    }
}

/// An element of the array.
enum Row {
    Phone(String),
    Object(Vec<(String, Cell)>),
    /// Neither; what it looks like.
    Useless(String),
}

/// A field's value.
enum Cell {
    Text(String),
    /// It has others in it.
    Nested,
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
        Ok(Row::Phone(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Row, E> {
        Ok(Row::Phone(number.to_string()))
    }

    /// What programs make of a column of numbers that has gaps: `919876543210.0`.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Row, E> {
        Ok(Row::Phone(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Row, E> {
        Ok(Row::Useless(number.to_string()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Row, E> {
        Ok(Row::Useless(value.to_string()))
    }

    fn visit_unit<E: Error>(self) -> Result<Row, E> {
        Ok(Row::Useless("null".to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Row::Useless("[…]".to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let cell = match map.next_value_seed(Value)? {
                None => Cell::Nested,
                Some(text) if text.trim().is_empty() => continue,
                Some(text) => Cell::Text(text),
            };
            if fields.len() < FIELDS_READ {
                fields.push((name, cell));
            }
        }
        Ok(Row::Object(fields))
    }
}

/// A field's value as text; `None` of what has others in it.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
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
    use wapid_core::recipient::List;

    use super::*;
    use proptest::prelude::*;
    use wapid_core::recipient::RowError;

    fn list(text: &str) -> Result<List, ListError> {
        named(text, &[])
    }

    fn named(text: &str, named: &[&str]) -> Result<List, ListError> {
        let rules = Rules { max: 100_000, named: named.iter().copied().collect(), ..Rules::default() };
        from_json(text, &rules, &ListOptions::default()).map(|read| read.list)
    }

    #[test]
    fn of_two_phones_the_one_that_is_called_so_is_read_and_twins_are_refused() {
        let list = list(
            r#"[{"Phone":"919876543219","phone":"919876543210"}, {"phone":"919876543211","phone":"919876543219"}, {"mobile":"919876543212","phone":"919876543213"}]"#,
        )
        .unwrap();
        let phones: Vec<&str> = list.recipients.iter().map(|one| one.phone.digits()).collect();
        assert_eq!(phones, ["919876543210", "919876543213"]);
        assert_eq!((list.problems[0].row, &list.problems[0].why), (2, &Why::TwoPhones("phone".to_owned())));
    }

    #[test]
    fn numbers_and_objects_may_be_mixed() {
        let list = list(
            r#"["919876543210", {"name":"Ana","phone":"+91 98765 43211","age":30,"vip":true,"x":null}, 919876543212]"#,
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
            (
                r#"{"phone":"919876543219","tags":["a",{"b":[1]}]}"#,
                "the text names the field tags, and it holds a list",
            ),
            (
                r#"{"tags":{"a":{}},"phone":"919876543219"}"#,
                "the text names the field tags, and it holds a list",
            ),
            (r#"{"phone":["919876543219"]}"#, "the text names the field phone, and it holds a list"),
            ("true", "a row is a phone number, or an object"),
            ("null", "a row is a phone number, or an object"),
            ("[[1],2]", "a row is a phone number, or an object"),
            ("-919876543210", "a row is a phone number, or an object"),
        ] {
            let text = format!(r#"["919876543210", {bad}, {{"phone":"919876543211"}}]"#);
            let list = named(&text, &["Tags"]).unwrap();
            assert_eq!((list.recipients.len(), list.invalid, list.problems[0].row), (2, 1, 2), "{bad}");
            assert!(list.problems[0].why.to_string().starts_with(why), "{bad}: {}", list.problems[0].why);
        }
        let long = format!(r#"[{{"phone":"919876543210",{}"b":1}}]"#, r#""a":1e300,"#.repeat(100_000));
        assert_eq!(list(&long).unwrap().recipients.len(), 1);
    }

    #[test]
    fn the_phone_may_be_called_otherwise_where_nothing_is_called_phone() {
        for (text, fields) in [
            (r#"{"number":"919876543210","to":"Rio"}"#, r#"{"to":"Rio"}"#),
            (r#"{"to":"919876543210","x":1}"#, r#"{"x":"1"}"#),
            (r#"{"number":"12b","Phone":919876543210.0}"#, r#"{"number":"12b"}"#),
            (r#"{"phone":919876543210,"to":"Rio"}"#, r#"{"to":"Rio"}"#),
        ] {
            let list = list(&format!("[{text}]")).unwrap();
            assert_eq!(list.recipients[0].phone.digits(), "919876543210", "{text}");
            assert_eq!(list.recipients[0].fields.as_deref(), Some(fields));
        }
    }

    #[test]
    fn the_phone_and_the_name_are_known_by_what_they_are_called() {
        for (text, fields) in [
            (r#"{"Handynummer":"919876543210","Fax":"911"}"#, r#"{"Fax":"911"}"#),
            (r#"{"homePhone":"911","mobile":"919876543210"}"#, r#"{"homePhone":"911"}"#),
            (r#"{"mobile":"","homePhone":"919876543210"}"#, "null"),
            (r#"{"whatsapp":"919876543210","firstName":"Ana"}"#, r#"{"firstName":"Ana","name":"Ana"}"#),
            (r#"{"phone":"919876543210","custom":{"a":1},"tags":["x"]}"#, "null"),
        ] {
            let list = named(&format!("[{text}]"), &["name"]).unwrap();
            assert_eq!(list.recipients[0].phone.digits(), "919876543210", "{text}");
            assert_eq!(list.recipients[0].fields.as_deref().unwrap_or("null"), fields);
        }
    }

    #[test]
    fn a_column_that_is_named_is_taken() {
        let rules = Rules { max: 9, named: ["name"].into_iter().collect(), ..Rules::default() };
        let read = |phone: &str, name: &str| {
            let (phone_column, name_column) = (Some(phone.to_owned()), Some(name.to_owned()));
            let options = ListOptions { phone_column, name_column, ..ListOptions::default() };
            from_json(r#"[{"phone":"x","Zahl":"919876543210","name":"No","Wer":"Ana"}]"#, &rules, &options)
        };
        let list = read("zahl", "WER").unwrap().list;
        assert_eq!(list.recipients[0].fields.as_deref(), Some(r#"{"Wer":"Ana","name":"Ana","phone":"x"}"#));
        for (phone, name) in [("Numer", "Wer"), ("Zahl", "Who")] {
            let refused = read(phone, name).unwrap_err();
            assert!(matches!(refused, ListError::Column(_)));
            assert!(refused.to_string().ends_with("the fields are: phone, Zahl, name, Wer"), "{refused}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [r#"{"phone":"919876543210"}"#, "null", "7", r#""919876543210""#] {
            let refused = list(text).unwrap_err();
            assert!(refused.to_string().contains("an array of numbers or objects"), "{text}: {refused}");
            assert!(matches!(refused, ListError::BadRow { .. } | ListError::BadJson(_)));
        }
        let broken = list(r#"["919876543210", 1e999]"#).unwrap_err();
        assert!(broken.to_string().starts_with("row 2: "), "{broken}");
        let rules = Rules { max: 2, ..Rules::default() };
        let refused = from_json(r#"["1","2","3"]"#, &rules, &ListOptions::default()).unwrap_err();
        assert!(matches!(refused, ListError::Row(RowError::TooMany { .. })));
    }

    #[test]
    fn a_hundred_thousand_are_read() {
        let rows: Vec<String> =
            (0..100_000).map(|n| format!(r#"{{"phone":"55119{n:08}","name":"Person {n}"}}"#)).collect();
        let list = list(&format!("[{}]", rows.join(","))).unwrap();
        assert_eq!((list.recipients.len(), list.fields["name"]), (100_000, 100_000));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "\\PC{0,100}") {
            let _ = list(&text);
        }
    }
}
