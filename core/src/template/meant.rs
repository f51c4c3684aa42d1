//! What somebody meant who wrote a place in another language than ours: its field and its default. Pure.

use super::FIELD_MAX;
use super::filter::{QUOTES, is_filter};
use super::name::{FieldNames, is_of_a_name, may_be_named, tidy};

/// What of a default is repeated, in characters.
const DEFAULT_SHOWN: usize = 60;

/// A field, and what to write for those without it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meant {
    name: String,
    default: Option<String>,
}

impl Meant {
    /// Reads what stood between the brackets, whichever they were. What cannot be made out is `name`.
    pub(super) fn of(inside: &str, fields: &FieldNames<'_>) -> Self {
        let inside = tidy(inside);
        let is_noise = |c: char| !is_of_a_name(c) && !QUOTES.contains(&c) && c != ')';
        let inside = inside.trim_matches(is_noise).trim_matches([' ', '.', '-']);
        let quoted = between_quotes(inside);
        let is_call = inside.contains('(') && !inside.contains('|');
        let (name, default) = match (inside.split_once(' '), quoted.as_slice()) {
            // `token('name', 'there')`
            (_, [name, rest @ ..]) if is_call => (name.as_str(), rest.first().cloned()),
            // `default name "there"`, `if name`
            (
                Some(("default" | "fallback" | "or" | "upper" | "lower" | "if" | "unless" | "each", rest)),
                _,
            ) => (begin(rest).split(' ').next().unwrap_or_default(), quoted.first().cloned()),
            _ => {
                let name = begin(inside);
                let behind = inside[name.len()..].trim_start_matches(|c: char| "|,:?;/=& ".contains(c));
                // `name,fallback=there`
                let behind = behind.rsplit_once('=').map_or(behind, |(_, value)| value).trim();
                let is_default = !behind.is_empty() && !is_filter(behind) && behind.chars().all(is_of_a_name);
                let (name, spoken) = match name.split_once(" or ") {
                    Some((name, default)) => (name, Some(default.to_owned())),
                    None => (name.trim_end().strip_suffix(" or").unwrap_or(name), None),
                };
                let default = quoted.first().cloned().or_else(|| is_default.then(|| behind.to_owned()));
                (name, default.or(spoken))
            }
        };
        let name = name.trim_matches(|c: char| " .-_".contains(c));
        // `Tel/Cell` is the column `Tel/Cel` rather than `Tel`.
        let whole = fields.like(inside).filter(|_| quoted.is_empty() && !inside.contains('|'));
        let default = default.filter(|default| whole.is_none() && fields.known(default).is_none());
        let name = whole.or_else(|| fields.closest(name)).unwrap_or(name);
        let is_name = !name.is_empty() && name.len() <= FIELD_MAX && name.chars().all(may_be_named);
        let name = if is_name { name } else { "name" }.to_owned();
        let is_plain = |text: &String| {
            !text.trim().is_empty()
                && !text.contains(['{', '}', '|'])
                && text.chars().count() <= DEFAULT_SHOWN
        };
        Self { name, default: default.filter(is_plain) }
    }

    /// What to write instead.
    pub(super) fn spelling(&self) -> String {
        match &self.default {
            Some(default) => format!("write {{{{{}|{default}}}}}", self.name),
            None => format!("write {{{{{}}}}}", self.name),
        }
    }
}

/// What of a text can be a name, from its beginning.
fn begin(text: &str) -> &str {
    let end = text.find(|c: char| !is_of_a_name(c)).unwrap_or(text.len());
    text[..end].trim_end()
}

/// The texts that stand between quotes, in order.
fn between_quotes(text: &str) -> Vec<String> {
    let mut quoted = Vec::new();
    let mut open = None;
    for (place, letter) in text.char_indices().filter(|(_, letter)| QUOTES.contains(letter)) {
        match open.take() {
            None => open = Some(place + letter.len_utf8()),
            Some(begin) => quoted.push(text[begin..place].to_owned()),
        }
    }
    quoted
}
