//! What of a message is looked at.

use std::collections::HashMap;

use serde_json::Value;

use super::Term;
use super::fold::fold;
use super::token::{Token, grouped_numbers, tokens};

/// The first so many terms of a message are looked at. Postgres counts positions up to 16,383.
const TERMS_MAX: usize = 8_000;
/// Postgres knows so many places of a word in a text.
const PLACES_MAX: usize = 256;
/// Numbers in groups that are found in any other spelling, of one message.
const NUMBERS_MAX: usize = 32;
/// How deep a content is looked into.
const DEPTH_MAX: usize = 8;

/// Fields of a content that people read, whichever kind of message has them. What a message replies to
/// is not among them: it is a message of its own.
const READ_FIELDS: [&str; 13] = [
    "header",
    "footer",
    "filename",
    "question",
    "options",
    "name",
    "address",
    "title",
    "description",
    "caption",
    "phone",
    "phones",
    "displayname",
];

/// What of a message is looked at. One function, [`Document::of`], makes a document of it: whatever else is
/// to be found is added here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Searchable<'a> {
    /// Text, caption or question.
    pub body: &'a str,
    /// JSON: what else was said, such as the name of a file.
    pub content: Option<&'a str>,
    /// Of the other party.
    pub phone: Option<&'a str>,
    pub lid: Option<&'a str>,
    pub sender_name: Option<&'a str>,
}

/// A message as a sequence of terms. A place without one keeps its neighbours apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document(Vec<Option<Term>>);

impl Document {
    pub fn of(message: &Searchable<'_>) -> Self {
        let mut it = Writing::default();
        let body = fold(message.body);
        it.text(&body);
        let mut numbers: Vec<String> =
            grouped_numbers(&body).into_iter().map(|number| number.digits).collect();
        let content = message.content.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        let mut read = Vec::new();
        collect(&content, false, 0, &mut read);
        // A caption and a question are the body as well.
        for text in read.into_iter().filter(|text| *text != message.body) {
            let text = fold(text);
            it.text(&text);
            numbers.extend(grouped_numbers(&text).into_iter().map(|number| number.digits));
        }
        if let Some(name) = message.sender_name {
            it.text(&fold(name));
        }
        numbers.truncate(NUMBERS_MAX);
        for digits in &numbers {
            it.apart(Term::from_behind(digits));
        }
        for digits in numbers.iter().map(String::as_str).chain(message.phone).chain(message.lid) {
            it.apart(Term::word(digits.chars()));
        }
        if let Some(digits) = message.phone {
            it.apart(Term::from_behind(digits));
        }
        Self(it.places)
    }

    /// Each with its place, from 1.
    pub fn terms(&self) -> impl Iterator<Item = (usize, &Term)> {
        let places = self.0.iter().enumerate();
        places.filter_map(|(place, term)| term.as_ref().map(|term| (place + 1, term)))
    }

    /// Term by term, and `None` where two are kept apart.
    pub fn places(&self) -> &[Option<Term>] {
        &self.0
    }
}

#[derive(Default)]
struct Writing {
    places: Vec<Option<Term>>,
    seen: HashMap<Term, usize>,
}

impl Writing {
    fn text(&mut self, folded: &str) {
        self.gap();
        for term in tokens(folded).iter().flat_map(Token::terms) {
            self.term(term);
        }
    }

    fn apart(&mut self, term: Term) {
        self.gap();
        self.term(term);
    }

    fn gap(&mut self) {
        if !self.places.is_empty() && self.places.len() < TERMS_MAX {
            self.places.push(None);
        }
    }

    fn term(&mut self, term: Term) {
        if self.places.len() >= TERMS_MAX || term.text().is_empty() {
            return;
        }
        let seen = self.seen.entry(term.clone()).or_default();
        *seen += 1;
        let term = (*seen <= PLACES_MAX).then_some(term);
        self.places.push(term);
    }
}

/// The texts of a content that people read.
fn collect<'a>(value: &'a Value, is_read: bool, depth: usize, into: &mut Vec<&'a str>) {
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::String(text) if is_read => into.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, is_read, depth + 1, into)),
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| *name != "context") {
                let name = name.replace('_', "").to_lowercase();
                collect(value, READ_FIELDS.contains(&name.as_str()), depth + 1, into);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(message: Searchable<'_>) -> String {
        let document = Document::of(&message);
        let words = document.places().iter().map(|place| match place {
            Some(Term::Word(word)) => word.as_str(),
            Some(Term::FromBehind(digits)) => digits.as_str(),
            None => "|",
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_was_said_who_said_it_and_their_number() {
        let message = Searchable {
            body: "Olá, ligue (11) 90000-0002",
            phone: Some("5511900000001"),
            lid: Some("987"),
            sender_name: Some("Ana Souza"),
            content: None,
        };
        assert_eq!(
            terms(message),
            "ola ligue 11 90000 0002 | ana souza | 20000000911 | 11900000002 | 5511900000001 | 987 | 1000000091155"
        );
    }

    #[test]
    fn what_a_content_says_beside_its_text() {
        let content = r#"{"type":"document","media":"med_1","fileName":"Nota-7.pdf","caption":"the bill",
            "context":{"quoted":{"text":"never","title":"never"}},"options":["Yes",{"name":"No"}],"url":"never"}"#;
        let message = Searchable { body: "the bill", content: Some(content), ..Default::default() };
        assert_eq!(terms(message), "the bill | nota 7 pdf | yes | no");
        let header = r#"{"type":"text","message":"x","header":"Order","footer":"Shop"}"#;
        let message = Searchable { body: "x", content: Some(header), ..Default::default() };
        assert_eq!(terms(message), "x | shop | order");
        let broken = Searchable { body: "x", content: Some("{"), ..Default::default() };
        assert_eq!(terms(broken), "x");
    }

    #[test]
    fn an_endless_text_has_an_end() {
        let long = "ha ".repeat(30_000);
        let document = Document::of(&Searchable { body: &long, ..Default::default() });
        assert_eq!(document.places().len(), TERMS_MAX);
        assert_eq!(document.terms().count(), PLACES_MAX);
        let word = "x".repeat(60_000);
        let document = Document::of(&Searchable { body: &word, ..Default::default() });
        assert_eq!(
            document.terms().map(|(_, term)| term.text().len()).collect::<Vec<_>>(),
            [super::super::WORD_MAX]
        );
    }
}
