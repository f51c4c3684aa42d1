//! A list of people to write to: normalised, each once, and what was wrong with the rest.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize as _;

use crate::phone::{Country, Phone, PhoneError};
use crate::template::{FIELD_MAX, field_key};
use crate::text::storable;

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
/// The most rows that a list names of a kind.
const ROWS_SHOWN: usize = 20;
/// The most names of fields that a list says it has left out.
const UNREAD_MAX: usize = 50;

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
    #[error("the text names the field {0}, and it holds a list or an object here, and no text or number")]
    NoText(String),
    #[error("the text names the field {0}, and it is longer than {VALUE_MAX} bytes here")]
    ValueTooLong(String),
    #[error("the text names the field {0}, and two fields are called so, in upper or lower case, and differ")]
    Twice(String),
    #[error("the texts name more than {FIELDS_MAX} fields")]
    TooManyFields,
    #[error(
        "its number is a formula that was never calculated; open the file in a spreadsheet, save it and upload that"
    )]
    Uncalculated,
    #[error(
        "its country or area code stands in a column of its own, and with the number it makes no phone number, or more than one; write the whole number in one column, with + and the country code"
    )]
    NotJoined,
    #[error("it stands above the headings, which are in row {headings}, and was taken for a title")]
    AboveHeadings { headings: u32 },
    #[error("it has two fields that are called {0}")]
    TwoPhones(String),
    #[error("a row of totals")]
    Total,
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
    /// Fields that no text names and that did not fit, and of how many recipients they were left out.
    pub unread: BTreeMap<String, usize>,
    /// Recipients whose number is in no numbering plan.
    pub unplanned: Rows,
}

/// Some rows of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    pub count: usize,
    /// The first of them.
    pub first: Vec<u32>,
}

impl Rows {
    pub fn add(&mut self, row: u32) {
        self.count += 1;
        if self.first.len() < ROWS_SHOWN {
            self.first.push(row);
        }
    }
}

/// How a list is read.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Of numbers without a country code.
    pub country: Option<Country>,
    /// The most rows.
    pub max: usize,
    pub named: NamedFields,
}

/// The fields that the texts of a job name. They must be right; any other is kept where it fits, and its
/// owner need not mend what nobody reads.
#[derive(Debug, Clone, Default)]
pub struct NamedFields(Arc<HashSet<String>>);

impl NamedFields {
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(&field_key(name))
    }
}

impl<'a> FromIterator<&'a str> for NamedFields {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        Self(Arc::new(names.into_iter().map(field_key).collect()))
    }
}

/// Why a whole list was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("at most {max} rows")]
    TooMany { max: usize },
    #[error(
        "row {row}: up to here the fields that the texts name hold more than {BYTES_MAX} bytes; shorten them, or make two jobs"
    )]
    TooLarge { row: u32 },
    #[error("row {row}: the texts name more than {NAMES_MAX} fields of the list")]
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
        let parsed = Phone::parse(phone, self.rules.country).map_err(Why::Invalid);
        self.push_read(row, phone, parsed, fields)
    }

    /// The same of a number that was read already, from more than `phone` says.
    ///
    /// # Errors
    /// [`RowError`]: then the list is to be refused.
    pub fn push_read<'a>(
        &mut self,
        row: u32,
        phone: &str,
        parsed: Result<Phone, Why>,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), RowError> {
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(why) => return self.leave_out(row, phone, why),
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
        let mut unread = Vec::new();
        let mut fields = match fields_of(fields, &self.rules.named, &mut unread) {
            Ok(fields) => fields,
            Err(why) => return self.leave_out(row, phone, why),
        };
        self.fit(&mut fields, &mut unread);
        unread.iter().for_each(|name| self.leave_unread(name));
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
        if !parsed.is_in_a_plan() {
            self.list.unplanned.add(row);
        }
        self.list.recipients.push(NewRecipient { row, phone: parsed, fields });
        Ok(())
    }

    /// What no text names gives way where the list is full.
    fn fit<'a>(&self, fields: &mut BTreeMap<Cow<'a, str>, Cow<'a, str>>, unread: &mut Vec<Cow<'a, str>>) {
        let size_of = |name: &str, value: &str| name.len() + value.len() + r#""":"","#.len();
        let size: usize = fields.iter().map(|(name, value)| size_of(name, value)).sum();
        let mut names_left = NAMES_MAX.saturating_sub(self.list.fields.len());
        let mut bytes_left = BYTES_MAX.saturating_sub(self.bytes + "{}".len());
        if fields.len() <= names_left && size <= bytes_left {
            return;
        }
        // Named ones have the first claim.
        for by_name in [true, false] {
            fields.retain(|name, value| {
                if self.rules.named.contains(name) != by_name {
                    return true;
                }
                let is_new = !self.list.fields.contains_key(name.as_ref());
                let size = size_of(name, value);
                let keeps = by_name || (size <= bytes_left && (!is_new || names_left > 0));
                if keeps {
                    bytes_left = bytes_left.saturating_sub(size);
                    names_left = names_left.saturating_sub(usize::from(is_new));
                } else {
                    unread.push(name.clone());
                }
                keeps
            });
        }
    }

    /// Notes that a row's field was left out, and its row was not.
    pub fn leave_unread(&mut self, name: &str) {
        let name = shown(name);
        let has_room = self.list.unread.len() < UNREAD_MAX;
        match self.list.unread.get_mut(&name) {
            Some(count) => *count += 1,
            None if has_room => drop(self.list.unread.insert(name, 1)),
            None => {}
        }
    }

    /// Whether a text names this field.
    pub fn is_named(&self, name: &str) -> bool {
        self.rules.named.contains(name)
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

/// A row's fields by name, those that a text names first. One name in two spellings is one field.
fn fields_of<'a>(
    fields: impl Iterator<Item = (&'a str, &'a str)>,
    named: &NamedFields,
    unread: &mut Vec<Cow<'a, str>>,
) -> Result<BTreeMap<Cow<'a, str>, Cow<'a, str>>, Why> {
    let mut kept = BTreeMap::new();
    let mut places: HashMap<String, Cow<str>> = HashMap::new();
    let mut others = Vec::new();
    for (name, value) in fields {
        let (name, value) = (trimmed(name), trimmed(value));
        if value.is_empty() || name.is_empty() {
            continue;
        }
        let key = field_key(&name);
        if !named.0.contains(&key) {
            others.push((name, key, value));
            continue;
        }
        if value.len() > VALUE_MAX {
            return Err(Why::ValueTooLong(shown(&name)));
        }
        match places.get(&key) {
            Some(there) if *there == value => continue,
            Some(_) => return Err(Why::Twice(shown(&name))),
            None => drop(places.insert(key, value.clone())),
        }
        kept.insert(name, value);
        if kept.len() > FIELDS_MAX {
            return Err(Why::TooManyFields);
        }
    }
    for (name, key, value) in others {
        let fits = name.len() <= FIELD_MAX && value.len() <= VALUE_MAX;
        if places.get(&key).is_some_and(|there| *there == value) {
            continue;
        }
        if !fits || places.contains_key(&key) || kept.len() >= FIELDS_MAX {
            unread.push(name);
            continue;
        }
        places.insert(key, value.clone());
        kept.insert(name, value);
    }
    Ok(kept)
}

fn trimmed(text: &str) -> Cow<'_, str> {
    match storable(text) {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
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

    fn rules(max: usize, named: &[&str]) -> Rules {
        Rules { max, named: named.iter().copied().collect(), ..Rules::default() }
    }

    #[test]
    fn each_number_is_taken_once_and_the_rest_is_told_by_row() {
        let mut list = ListBuilder::new(rules(5, &[]));
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
    fn a_number_that_no_plan_knows_is_taken_and_told() {
        let mut list = ListBuilder::new(rules(50, &[]));
        list.push(1, "919876543210", std::iter::empty()).unwrap();
        (2..=30).for_each(|row| list.push(row, &format!("{}", 1_234_500 + row), std::iter::empty()).unwrap());
        let list = list.finish();
        assert_eq!(
            (list.recipients.len(), list.unplanned.count, list.unplanned.first.len()),
            (30, 29, ROWS_SHOWN)
        );
        assert_eq!(list.unplanned.first[0], 2);
    }

    #[test]
    fn a_list_has_limits() {
        let mut list = ListBuilder::new(rules(5, &[]));
        for row in 1..=5 {
            list.push(row, "x", std::iter::empty()).unwrap();
        }
        assert_eq!(list.push(6, "x", std::iter::empty()), Err(RowError::TooMany { max: 5 }));
    }

    #[test]
    fn a_number_in_its_countrys_two_spellings_is_taken_once() {
        let mut list = ListBuilder::new(rules(9, &[]));
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

    /// What a text names must be right; its row is told.
    #[test]
    fn a_row_that_is_wrong_leaves_the_others_alone() {
        let long = "x".repeat(VALUE_MAX + 1);
        let many: Vec<String> = (0..=FIELDS_MAX).map(|n| format!("f{n}")).collect();
        let named: Vec<&str> = many.iter().map(String::as_str).chain(["a", "NAME"]).collect();
        let mut list = ListBuilder::new(rules(9, &named));
        let fit = "y".repeat(VALUE_MAX);
        list.push(1, "919876543210", [("a", long.as_str())].into_iter()).unwrap();
        list.push(2, "919876543210", many.iter().map(|name| (name.as_str(), "x"))).unwrap();
        list.push(3, "", std::iter::empty()).unwrap();
        list.push(4, "919876543210", [("Name", "Ana"), ("name", "Bia")].into_iter()).unwrap();
        list.push(5, "919876543210", [("Name", "Ana"), ("NAME", " Ana"), ("a", fit.as_str())].into_iter())
            .unwrap();
        let list = list.finish();
        let why: Vec<&Why> = list.problems.iter().map(|problem| &problem.why).collect();
        let expected = [
            Why::ValueTooLong("a".into()),
            Why::TooManyFields,
            Why::Invalid(PhoneError::Empty),
            Why::Twice("name".into()),
        ];
        assert_eq!(why, expected.iter().collect::<Vec<_>>());
        assert_eq!((list.recipients[0].row, list.invalid), (5, 4));
        assert_eq!(list.fields.keys().collect::<Vec<_>>(), ["Name", "a"]);
    }

    #[test]
    fn what_no_text_names_may_be_anything() {
        let long = "x".repeat(VALUE_MAX + 1);
        let question = "q".repeat(FIELD_MAX + 1);
        let many: Vec<String> = (0..60).map(|n| format!("f{n}")).collect();
        let mut list = ListBuilder::new(rules(9, &["name", "f59"]));
        let twice =
            [("email", "a@x.example"), ("name", "Ana"), ("Email", "b@x.example"), ("email", "a@x.example")];
        list.push(1, "919876543210", twice.into_iter()).unwrap();
        list.push(2, "919876543211", [("notes", long.as_str()), (&question, "x"), ("", "x")].into_iter())
            .unwrap();
        list.push(3, "919876543212", many.iter().map(|name| (name.as_str(), "x"))).unwrap();
        let list = list.finish();
        assert_eq!((list.recipients.len(), list.invalid), (3, 0));
        let fields = |place: usize| list.recipients[place].fields.as_deref();
        assert_eq!(fields(0), Some(r#"{"email":"a@x.example","name":"Ana"}"#));
        assert_eq!(fields(1), None);
        let third = Fields::parse(fields(2).unwrap());
        assert_eq!((third.get("f59"), third.get("f0"), third.get("f58")), (Some("x"), Some("x"), None));
        assert_eq!((list.unread["Email"], list.unread["notes"], list.unread["f58"]), (1, 1, 1));
        assert_eq!(list.unread.len(), 3 + 10, "{:?}", list.unread);
    }

    #[test]
    fn an_accent_is_typed_either_way() {
        let mut list = ListBuilder::new(rules(9, &["Pre\u{301}nom"]));
        list.push(1, "919876543210", [("Prénom", "Zoé"), ("PRE\u{301}NOM", "Zoé")].into_iter()).unwrap();
        let list = list.finish();
        let fields = Fields::parse(list.recipients[0].fields.as_deref().unwrap());
        assert_eq!((fields.get("pre\u{301}nom"), fields.get("PRÉNOM")), (Some("Zoé"), Some("Zoé")));
    }

    /// As a workbook can: five million cells that name one text.
    #[test]
    fn a_list_takes_up_no_more_than_it_may() {
        let text = "x".repeat(VALUE_MAX);
        let names: Vec<String> = (0..FIELDS_MAX).map(|n| format!("f{n}")).collect();
        let named: Vec<&str> = names.iter().map(String::as_str).collect();
        let filled = |named: &[&str]| {
            let mut list = ListBuilder::new(rules(100_000, named));
            let fields = || names.iter().map(|name| (name.as_str(), text.as_str()));
            let refused = (1..2_000).find_map(|row| list.push(row, &format!("9198{row:08}"), fields()).err());
            (list.finish(), refused)
        };
        let (_, refused) = filled(&named);
        assert!(
            matches!(refused, Some(RowError::TooLarge { row }) if row as usize <= BYTES_MAX / VALUE_MAX / FIELDS_MAX + 1),
            "{refused:?}"
        );
        // Nobody reads them: they are left out from where there is no room.
        let (list, refused) = filled(&[]);
        assert_eq!((list.recipients.len(), refused), (1_999, None));
        let kept: usize = list.recipients.iter().filter_map(|one| one.fields.as_deref()).map(str::len).sum();
        assert!((BYTES_MAX - VALUE_MAX - 100..=BYTES_MAX).contains(&kept), "{kept}");
        assert!(list.unread["f49"] > 0);
    }

    #[test]
    fn a_list_names_no_more_fields_than_it_may() {
        let names: Vec<String> = (0..=NAMES_MAX).map(|n| format!("f{n}")).collect();
        let named: Vec<&str> = names.iter().map(String::as_str).collect();
        let filled = |named: &[&str]| {
            let mut list = ListBuilder::new(rules(100_000, named));
            let pushed = (1..).zip(&names).try_for_each(|(row, name)| {
                list.push(row, &format!("9198{row:08}"), [(name.as_str(), "x")].into_iter())
            });
            (list.finish(), pushed)
        };
        assert_eq!(filled(&named).1, Err(RowError::TooManyNames { row: 201 }));
        let (list, pushed) = filled(&[]);
        assert_eq!((pushed, list.recipients.len(), list.fields.len()), (Ok(()), 201, NAMES_MAX));
        assert_eq!(list.unread["f200"], 1);
    }

    #[test]
    fn what_somebody_typed_is_kept_and_a_nul_is_not() {
        let mut list = ListBuilder::new(rules(5, &[]));
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
