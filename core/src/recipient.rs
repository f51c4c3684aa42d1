//! A list of people to write to: normalised, each once, and what was wrong with the rest.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize as _;

use crate::phone::{Country, Phone, PhoneError};
use crate::template::{FIELD_MAX, field_key};

/// The longest value of a field, in bytes.
pub const VALUE_MAX: usize = 1_024;
/// The most fields of one recipient.
pub const FIELDS_MAX: usize = 50;
/// The most fields that a list names.
pub const NAMES_MAX: usize = 200;
/// All fields of a list together, in bytes: 100,000 people with 600 bytes each. A list stands in memory
/// until it is stored, and a workbook names one long text a million times with a few bytes each.
pub const BYTES_MAX: usize = 64 << 20;
/// How much of a bad row is shown, in characters.
const GIVEN_MAX: usize = 40;

/// Somebody to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecipient {
    /// Where it stood in the caller's list, from 1; of a file, the line that a person sees.
    pub row: u32,
    pub phone: Phone,
    /// Compact JSON object of strings. Text, because a job has a hundred thousand of them.
    pub fields: Option<Box<str>>,
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub row: u32,
    /// What stood there, cut short.
    pub given: String,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("{0}")]
    Invalid(PhoneError),
    #[error("a row is a phone number, or an object with a phone")]
    NoRow,
    #[error("the field {0} holds a list or an object, and no text, number, true or false")]
    NoText(String),
    #[error("a field's name has 1 to {FIELD_MAX} bytes")]
    FieldName,
    #[error("the field {0} is longer than {VALUE_MAX} bytes")]
    ValueTooLong(String),
    #[error("two fields are called {0}, in upper or lower case, and differ")]
    Twice(String),
    #[error("more than {FIELDS_MAX} fields")]
    TooManyFields,
    #[error("the same number stands in row {of_row}")]
    Duplicate { of_row: u32 },
    /// Written in the other of the two ways that its country has.
    #[error("row {of_row} has the same number in another spelling")]
    Respelled { of_row: u32 },
}

impl Why {
    pub fn code(&self) -> &'static str {
        if self.is_duplicate() { "DUPLICATE" } else { "INVALID_RECIPIENT" }
    }

    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Duplicate { .. } | Self::Respelled { .. })
    }
}

/// A whole list.
#[derive(Debug, Clone, Default)]
pub struct List {
    pub recipients: Vec<NewRecipient>,
    pub problems: Vec<Problem>,
    pub duplicates: usize,
    pub invalid: usize,
    /// How many recipients have each field.
    pub fields: BTreeMap<String, usize>,
}

/// How a list is read.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Of numbers without a country code.
    pub country: Option<Country>,
    /// The most rows.
    pub max: usize,
}

/// Why a whole list was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("at most {max} rows")]
    TooMany { max: usize },
    #[error(
        "row {row}: up to here the fields hold more than {BYTES_MAX} bytes; leave out those that no text names"
    )]
    TooLarge { row: u32 },
    #[error(
        "row {row}: up to here the list names more than {NAMES_MAX} fields; leave out those that no text names"
    )]
    TooManyNames { row: u32 },
}

/// Builds a list row by row.
#[derive(Debug)]
pub struct ListBuilder {
    rules: Rules,
    list: List,
    /// By [`Phone::identity`]: text would cost five times as much.
    seen: HashMap<u64, u32>,
    /// What the fields take up.
    bytes: usize,
}

impl ListBuilder {
    pub fn new(rules: Rules) -> Self {
        Self { rules, list: List::default(), seen: HashMap::new(), bytes: 0 }
    }

    /// Takes a row. What is wrong with it alone is a problem and no error: then it is left out. Fields
    /// without a value are left out of their row.
    ///
    /// # Errors
    /// [`RowError`]: then the list is to be refused.
    pub fn push<'a>(
        &mut self,
        row: u32,
        phone: &str,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), RowError> {
        let parsed = match Phone::parse(phone, self.rules.country) {
            Ok(parsed) => parsed,
            Err(why) => return self.leave_out(row, phone, Why::Invalid(why)),
        };
        let identity = parsed.identity();
        if let Some(of_row) = self.seen.get(&identity).copied() {
            // Rows come in order.
            let first = self.list.recipients.binary_search_by_key(&of_row, |one| one.row);
            let is_same = first.is_ok_and(|place| self.list.recipients[place].phone == parsed);
            let why = if is_same { Why::Duplicate { of_row } } else { Why::Respelled { of_row } };
            return self.leave_out(row, phone, why);
        }
        self.has_room()?;
        let fields = match fields_of(fields) {
            Ok(fields) => fields,
            Err(why) => return self.leave_out(row, phone, why),
        };
        for name in fields.keys() {
            let has_room = self.list.fields.len() < NAMES_MAX;
            match self.list.fields.get_mut(name.as_ref()) {
                Some(count) => *count += 1,
                None if has_room => drop(self.list.fields.insert(name.clone().into_owned(), 1)),
                None => return Err(RowError::TooManyNames { row }),
            }
        }
        let fields = (!fields.is_empty())
            .then(|| serde_json::to_string(&fields).expect("a map of strings is JSON").into_boxed_str());
        self.bytes += fields.as_deref().map_or(0, str::len);
        if self.bytes > BYTES_MAX {
            return Err(RowError::TooLarge { row });
        }
        self.seen.insert(identity, row);
        self.list.recipients.push(NewRecipient { row, phone: parsed, fields });
        Ok(())
    }

    /// Takes a row that is of no use.
    ///
    /// # Errors
    /// [`RowError`]: then the list is to be refused.
    pub fn leave_out(&mut self, row: u32, given: &str, why: Why) -> Result<(), RowError> {
        self.has_room()?;
        if why.is_duplicate() {
            self.list.duplicates += 1;
        } else {
            self.list.invalid += 1;
        }
        self.list.problems.push(Problem { row, given: shown(given), why });
        Ok(())
    }

    fn has_room(&self) -> Result<(), RowError> {
        if self.list.recipients.len() + self.list.problems.len() < self.rules.max {
            Ok(())
        } else {
            Err(RowError::TooMany { max: self.rules.max })
        }
    }

    pub fn finish(mut self) -> List {
        self.list.recipients.shrink_to_fit();
        self.list
    }
}

/// The beginning of what a row or a header holds, for an error.
pub fn shown(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(GIVEN_MAX).collect()
}

/// A row's fields by name. Texts ask for them in any case, so one name in two cases is one field.
fn fields_of<'a>(
    fields: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<BTreeMap<Cow<'a, str>, Cow<'a, str>>, Why> {
    let mut kept = BTreeMap::new();
    let mut places: HashMap<String, Cow<str>> = HashMap::new();
    for (name, value) in fields {
        let (name, value) = (storable(name), storable(value));
        if value.is_empty() {
            continue;
        }
        if name.is_empty() || name.len() > FIELD_MAX {
            return Err(Why::FieldName);
        }
        if value.len() > VALUE_MAX {
            return Err(Why::ValueTooLong(shown(&name)));
        }
        match places.entry(field_key(&name)) {
            Entry::Occupied(there) if *there.get() == value => continue,
            Entry::Occupied(_) => return Err(Why::Twice(shown(&name))),
            Entry::Vacant(place) => drop(place.insert(value.clone())),
        }
        kept.insert(name, value);
        if kept.len() > FIELDS_MAX {
            return Err(Why::TooManyFields);
        }
    }
    Ok(kept)
}

/// Postgres has no NUL in text.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "").trim().to_owned())
    } else {
        Cow::Borrowed(text.trim())
    }
}

/// A recipient's fields, by their names in any spelling that looks the same ([`field_key`]).
#[derive(Debug, Clone, Default)]
pub struct Fields(HashMap<String, String>);

impl Fields {
    /// What is no JSON object of strings has no fields.
    pub fn parse(json: &str) -> Self {
        let mut reader = serde_json::Deserializer::from_str(json);
        let fields = HashMap::<String, String>::deserialize(&mut reader).unwrap_or_default();
        Self(fields.into_iter().map(|(name, value)| (field_key(&name), value)).collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&field_key(name)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { country: None, max: 5 };

    #[test]
    fn each_number_is_taken_once_and_the_rest_is_told_by_row() {
        let mut list = ListBuilder::new(RULES);
        list.push(1, "+91 98765 43210", [("name", "Ana"), ("city", "")].into_iter()).unwrap();
        list.push(2, "hello", std::iter::empty()).unwrap();
        list.push(3, "919876543210", std::iter::empty()).unwrap();
        list.push(4, "919876543211", [("Name", "Bia")].into_iter()).unwrap();
        let list = list.finish();
        assert_eq!((list.recipients.len(), list.duplicates, list.invalid), (2, 1, 1));
        assert_eq!(list.problems[0].why, Why::Invalid(PhoneError::NotDigits));
        assert_eq!(list.problems[1].why, Why::Duplicate { of_row: 1 });
        assert_eq!(list.recipients[0].fields.as_deref(), Some(r#"{"name":"Ana"}"#));
        assert_eq!(Fields::parse(list.recipients[1].fields.as_deref().unwrap()).get("NAME"), Some("Bia"));
    }

    #[test]
    fn a_list_has_limits() {
        let mut list = ListBuilder::new(RULES);
        for row in 1..=5 {
            list.push(row, "x", std::iter::empty()).unwrap();
        }
        assert_eq!(list.push(6, "x", std::iter::empty()), Err(RowError::TooMany { max: 5 }));
    }

    #[test]
    fn a_number_in_its_countrys_two_spellings_is_taken_once() {
        let mut list = ListBuilder::new(Rules { country: None, max: 9 });
        for (row, phone) in (1..).zip(["551187654321", "5511987654321", "+52 1 55 1234 5678", "525512345678"])
        {
            list.push(row, phone, std::iter::empty()).unwrap();
        }
        let list = list.finish();
        assert_eq!((list.recipients.len(), list.duplicates, list.invalid), (2, 2, 0));
        // As it was given first.
        assert_eq!(list.recipients[0].phone.digits(), "551187654321");
        assert_eq!(list.problems[0].why, Why::Respelled { of_row: 1 });
        assert_eq!((list.problems[1].why.code(), list.problems[1].row), ("DUPLICATE", 4));
    }

    #[test]
    fn a_row_that_is_wrong_leaves_the_others_alone() {
        let long = "x".repeat(VALUE_MAX + 1);
        let long_name = "n".repeat(FIELD_MAX + 1);
        let many: Vec<String> = (0..=FIELDS_MAX).map(|n| format!("f{n}")).collect();
        let mut list = ListBuilder::new(Rules { country: None, max: 9 });
        let fit = "y".repeat(VALUE_MAX);
        list.push(1, "919876543210", [("a", long.as_str())].into_iter()).unwrap();
        list.push(2, "919876543210", [(long_name.as_str(), "x")].into_iter()).unwrap();
        list.push(3, "919876543210", many.iter().map(|name| (name.as_str(), "x"))).unwrap();
        list.push(4, "", std::iter::empty()).unwrap();
        list.push(5, "919876543210", [("Name", "Ana"), ("name", "Bia")].into_iter()).unwrap();
        list.push(6, "919876543210", [("Name", "Ana"), ("NAME", " Ana"), ("a", fit.as_str())].into_iter())
            .unwrap();
        let list = list.finish();
        let why: Vec<&Why> = list.problems.iter().map(|problem| &problem.why).collect();
        let expected = [
            Why::ValueTooLong("a".into()),
            Why::FieldName,
            Why::TooManyFields,
            Why::Invalid(PhoneError::Empty),
            Why::Twice("name".into()),
        ];
        assert_eq!(why, expected.iter().collect::<Vec<_>>());
        assert_eq!((list.recipients[0].row, list.invalid), (6, 5));
        assert_eq!(list.fields.keys().collect::<Vec<_>>(), ["Name", "a"]);
    }

    /// As a workbook can: five million cells that name one text.
    #[test]
    fn a_list_takes_up_no_more_than_it_may() {
        let text = "x".repeat(VALUE_MAX);
        let names: Vec<String> = (0..FIELDS_MAX).map(|n| format!("f{n}")).collect();
        let mut list = ListBuilder::new(Rules { country: None, max: 100_000 });
        let mut push = |row: u32| {
            list.push(row, &format!("9198{row:08}"), names.iter().map(|name| (name.as_str(), text.as_str())))
        };
        let refused = (1..100_000).find_map(|row| push(row).err()).unwrap();
        assert!(
            matches!(refused, RowError::TooLarge { row } if row as usize <= BYTES_MAX / VALUE_MAX / FIELDS_MAX + 1),
            "{refused}"
        );
    }

    #[test]
    fn a_list_names_no_more_fields_than_it_may() {
        let names: Vec<String> = (0..=NAMES_MAX).map(|n| format!("f{n}")).collect();
        let mut list = ListBuilder::new(Rules { country: None, max: 100_000 });
        let mut push =
            |row: u32, name: &str| list.push(row, &format!("9198{row:08}"), [(name, "x")].into_iter());
        for (row, name) in (1..).zip(&names[..NAMES_MAX]) {
            push(row, name).unwrap();
        }
        push(900, &names[0]).unwrap();
        assert_eq!(push(901, &names[NAMES_MAX]), Err(RowError::TooManyNames { row: 901 }));
    }

    #[test]
    fn what_somebody_typed_is_kept_and_a_nul_is_not() {
        let mut list = ListBuilder::new(RULES);
        list.push(
            1,
            "919876543210",
            [("typed", r"C:\u0000 \n"), ("zero", "a\0b"), ("none", "\0")].into_iter(),
        )
        .unwrap();
        let list = list.finish();
        let fields = Fields::parse(list.recipients[0].fields.as_deref().unwrap());
        assert_eq!(fields.get("typed"), Some(r"C:\u0000 \n"));
        assert_eq!((fields.get("zero"), fields.get("none")), (Some("ab"), None));
    }
}
