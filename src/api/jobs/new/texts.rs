//! What the texts of a job ask of its list: each reads as a template, and names fields that somebody has.
//!
//! Who lacks a field is told, and so is what would be sent as it stands although it looks like a place.
//! Nothing here fills a text in; `session/script.rs` does.

use std::collections::{BTreeMap, HashMap};

use wapid_core::content::{Body, Words};
use wapid_core::recipient::List;
use wapid_core::template::{self, FieldNames, Finding, Template, TemplateError, field_key};

use super::order::Drafted;
use super::{Missing, TextWarning};
use crate::api::error::ApiError;

/// Columns that an error names.
const FIELDS_SHOWN: usize = 20;

/// What is to be told of texts that are sent.
#[derive(Default)]
pub(super) struct Remarks {
    pub missing: Vec<Missing>,
    pub warnings: Vec<TextWarning>,
}

/// # Errors
/// For what no recipient should read: `INVALID_TEMPLATE`, or `UNKNOWN_FIELD` for a field that nobody has and
/// that has no default.
pub(super) fn check(variants: &[Drafted], list: &List) -> Result<Remarks, ApiError> {
    // A list and its templates may have thousands of fields each.
    let mut has: HashMap<String, usize> = HashMap::new();
    for (name, count) in &list.fields {
        *has.entry(field_key(name)).or_default() += *count;
    }
    let look = Look { list, has, names: FieldNames::of(list.fields.keys().map(String::as_str)) };
    let mut missing = BTreeMap::new();
    let mut warnings = Vec::new();
    for variant in variants {
        let of = if variants.len() > 1 { format!("variant {}: ", variant.label) } else { String::new() };
        if let Some(Words { message, header, footer }) = variant.draft.words() {
            let texts =
                [("message", Some(message)), ("header", header.as_ref()), ("footer", footer.as_ref())];
            for (place, text) in texts {
                let Some(text) = text else { continue };
                look.template(&format!("{of}{place}"), text, &mut missing, &mut warnings)?;
            }
        } else if let Some(Body::Poll(poll)) = variant.draft.ready() {
            let question = [("message", &poll.message)].into_iter();
            for (place, text) in question.chain(poll.options.iter().map(|option| ("options", option))) {
                look.same_for_all(&format!("{of}{place}"), text, &mut warnings)?;
            }
        }
    }
    let missing = missing.into_iter().map(|(field, recipients)| Missing { field, recipients });
    Ok(Remarks { missing: missing.collect(), warnings })
}

struct Look<'a> {
    list: &'a List,
    /// How many recipients have a field, by its key.
    has: HashMap<String, usize>,
    names: FieldNames<'a>,
}

impl Look<'_> {
    /// A text with places for fields.
    fn template(
        &self,
        place: &str,
        text: &str,
        missing: &mut BTreeMap<String, usize>,
        warnings: &mut Vec<TextWarning>,
    ) -> Result<(), ApiError> {
        let invalid = |why: String| ApiError::bad("INVALID_TEMPLATE", format!("{place}: {why}"));
        let template = Template::parse(text);
        // Of what is not closed no place can be told.
        if let Err(problem @ TemplateError::Unclosed(_)) = &template {
            return Err(invalid(problem.to_string()));
        }
        self.foreign(place, text, warnings)?;
        let template = template.map_err(|problem| invalid(problem.to_string()))?;
        for (field, default) in template.fields() {
            let key = field_key(field);
            if key == "phone" {
                continue;
            }
            let count = self.has.get(&key).copied().unwrap_or(0);
            match default {
                None if count == 0 => return Err(self.unknown(place, field)),
                None => {
                    let lack = self.list.recipients.len().saturating_sub(count);
                    if lack > 0 {
                        missing.insert(field.to_owned(), lack);
                    }
                }
                // Numbers alone have no names, and that is what the default is for.
                Some(default) if count == 0 && !self.list.fields.is_empty() => {
                    let meant = self.names.like(field);
                    let meant = meant.map(|meant| format!("; there is {{{{{meant}}}}}")).unwrap_or_default();
                    warnings.push(TextWarning {
                        place: place.to_owned(),
                        code: "FIELD_OF_NOBODY",
                        warning: format!(
                            "no recipient has a field \"{field}\", so everybody reads \"{default}\"{meant}"
                        ),
                    });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// A text that every recipient reads alike, such as the question of a poll.
    fn same_for_all(&self, place: &str, text: &str, warnings: &mut Vec<TextWarning>) -> Result<(), ApiError> {
        if let Ok(template) = Template::parse(text)
            && let Some((field, _)) = template.fields().next()
        {
            let why = format!(
                "{place}: {{{{{field}}}}} is not filled in here: a poll is the same for everybody; fields are for texts and captions"
            );
            return Err(ApiError::bad("INVALID_TEMPLATE", why));
        }
        self.foreign(place, text, warnings)
    }

    fn foreign(&self, place: &str, text: &str, warnings: &mut Vec<TextWarning>) -> Result<(), ApiError> {
        for finding in template::look(text, &self.names) {
            match finding {
                Finding::Refused(why) => {
                    return Err(ApiError::bad("INVALID_TEMPLATE", format!("{place}: {why}")));
                }
                Finding::Doubtful(warning) => {
                    warnings.push(TextWarning { place: place.to_owned(), code: "PLACE_NOT_FILLED", warning });
                }
            }
        }
        Ok(())
    }

    fn unknown(&self, place: &str, field: &str) -> ApiError {
        let known: Vec<&str> = self.list.fields.keys().map(String::as_str).take(FIELDS_SHOWN).collect();
        let meant = match self.names.like(field) {
            Some(meant) => format!("; write {{{{{meant}}}}}"),
            None => format!("; write {{{{{field}|…}}}} with what they read instead"),
        };
        let why = if known.is_empty() {
            format!("{place}: no recipient has a field \"{field}\"; none has any field at all{meant}")
        } else {
            format!("{place}: no recipient has a field \"{field}\"; there are: {}{meant}", known.join(", "))
        };
        ApiError::bad("UNKNOWN_FIELD", why)
    }
}
