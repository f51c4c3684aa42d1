//! A list of people to write to: normalised, each once, and what was wrong with the rest.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize as _;

use crate::phone::{Country, Phone, PhoneError};
use crate::template::FIELD_MAX;

/// The longest value of a field, in bytes.
pub const VALUE_MAX: usize = 1_024;
/// The most fields of one recipient.
pub const FIELDS_MAX: usize = 50;
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("{0}")]
    Invalid(PhoneError),
    #[error("the same number stands in row {of_row}")]
    Duplicate { of_row: u32 },
    /// Written in the other of the two ways that its country has.
    #[error("row {of_row} has the same number in another spelling")]
    Respelled { of_row: u32 },
}

impl Why {
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_RECIPIENT",
            Self::Duplicate { .. } | Self::Respelled { .. } => "DUPLICATE",
        }
    }

    pub fn is_duplicate(self) -> bool {
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
    #[error("row {row}: a field's name has 1 to {FIELD_MAX} bytes")]
    FieldName { row: u32 },
    #[error("row {row}: the field {field} is longer than {VALUE_MAX} bytes")]
    ValueTooLong { row: u32, field: String },
    #[error("row {row}: more than {FIELDS_MAX} fields")]
    TooManyFields { row: u32 },
}

/// Builds a list row by row.
#[derive(Debug)]
pub struct ListBuilder {
    rules: Rules,
    list: List,
    /// By [`Phone::identity`]: text would cost five times as much.
    seen: HashMap<u64, u32>,
}

impl ListBuilder {
    pub fn new(rules: Rules) -> Self {
        Self { rules, list: List::default(), seen: HashMap::new() }
    }

    /// Takes a row. A number that is none, or that stands further up, is a problem and no error. Fields
    /// without a value are left out.
    ///
    /// # Errors
    /// [`RowError`]: then the list is to be refused.
    pub fn push<'a>(
        &mut self,
        row: u32,
        phone: &str,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), RowError> {
        if self.list.recipients.len() + self.list.problems.len() >= self.rules.max {
            return Err(RowError::TooMany { max: self.rules.max });
        }
        let parsed = match Phone::parse_in(phone, self.rules.country) {
            Ok(parsed) => parsed,
            Err(why) => {
                self.list.invalid += 1;
                self.leave_out(row, phone, Why::Invalid(why));
                return Ok(());
            }
        };
        let identity = parsed.identity();
        if let Some(of_row) = self.seen.get(&identity).copied() {
            // Rows come in order.
            let first = self.list.recipients.binary_search_by_key(&of_row, |one| one.row);
            let is_same = first.is_ok_and(|place| self.list.recipients[place].phone == parsed);
            let why = if is_same { Why::Duplicate { of_row } } else { Why::Respelled { of_row } };
            self.list.duplicates += 1;
            self.leave_out(row, phone, why);
            return Ok(());
        }
        let fields = self.fields(row, fields)?;
        self.seen.insert(identity, row);
        self.list.recipients.push(NewRecipient { row, phone: parsed, fields });
        Ok(())
    }

    fn fields<'a>(
        &mut self,
        row: u32,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Option<Box<str>>, RowError> {
        let mut kept: BTreeMap<Cow<str>, Cow<str>> = BTreeMap::new();
        for (name, value) in fields {
            let (name, value) = (storable(name), storable(value));
            if value.is_empty() {
                continue;
            }
            if name.is_empty() || name.len() > FIELD_MAX {
                return Err(RowError::FieldName { row });
            }
            if value.len() > VALUE_MAX {
                return Err(RowError::ValueTooLong { row, field: name.into_owned() });
            }
            kept.insert(name, value);
            if kept.len() > FIELDS_MAX {
                return Err(RowError::TooManyFields { row });
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        for name in kept.keys() {
            match self.list.fields.get_mut(name.as_ref()) {
                Some(count) => *count += 1,
                None => drop(self.list.fields.insert(name.clone().into_owned(), 1)),
            }
        }
        let json = serde_json::to_string(&kept).expect("a map of strings is JSON");
        Ok(Some(json.into_boxed_str()))
    }

    fn leave_out(&mut self, row: u32, given: &str, why: Why) {
        let given = given.trim().chars().filter(|c| !c.is_control()).take(GIVEN_MAX).collect();
        self.list.problems.push(Problem { row, given, why });
    }

    pub fn finish(mut self) -> List {
        self.list.recipients.shrink_to_fit();
        self.list
    }
}

/// Postgres has no NUL in text.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "").trim().to_owned())
    } else {
        Cow::Borrowed(text.trim())
    }
}

/// A recipient's fields, by their names in any case.
#[derive(Debug, Clone, Default)]
pub struct Fields(HashMap<String, String>);

impl Fields {
    /// What is no JSON object of strings has no fields.
    pub fn parse(json: &str) -> Self {
        let mut reader = serde_json::Deserializer::from_str(json);
        let fields = HashMap::<String, String>::deserialize(&mut reader).unwrap_or_default();
        Self(fields.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_lowercase()).map(String::as_str)
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
        let mut list = ListBuilder::new(RULES);
        let long = "x".repeat(VALUE_MAX + 1);
        let refused = list.push(1, "919876543210", [("a", long.as_str())].into_iter());
        assert!(matches!(refused, Err(RowError::ValueTooLong { row: 1, .. })));
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
