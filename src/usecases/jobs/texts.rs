//! What the texts of a job ask of its list: each reads as a template, and names fields that somebody has.
//!
//! Who lacks a field is told, and so is what would be sent as it stands although it looks like a place.
//! Nothing here fills a text in; `session/script.rs` does.

use std::collections::{BTreeMap, HashMap};

use wapid_core::content::{Body, Words};
use wapid_core::recipient::{List, NamedFields};
use wapid_core::template::{self, FieldNames, Finding, Template, TemplateError, field_key};

use super::order::DraftedVariant;
use super::refusal::JobRefusal;
use crate::usecases::field::Field;

/// Columns that an error names.
const FIELDS_SHOWN: usize = 20;

/// What is to be told of texts that are sent.
#[derive(Default)]
pub struct Remarks {
    pub missing: Vec<FieldLack>,
    pub warnings: Vec<TextRemark>,
}

/// A field that some recipients lack, without a default: they read nothing there.
pub struct FieldLack {
    pub field: String,
    pub recipients: usize,
}

/// Which text of a job.
#[derive(Debug, Clone)]
pub struct TextPlace {
    /// The label of its variant, where there are several.
    pub variant: Option<String>,
    pub field: Field,
}

/// A text that is sent, and that perhaps does not say what was meant.
pub struct TextRemark {
    pub place: TextPlace,
    pub doubt: Doubt,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// What stands there looks like a place for a field, as other programs write them.
    PlaceNotFilled,
    /// Everybody reads the default.
    FieldOfNobody,
}

/// The fields that a job's texts name. What is no template is told later, by its place.
pub(super) fn named_fields(drafts: &[DraftedVariant]) -> NamedFields {
    let words = drafts.iter().filter_map(|variant| variant.draft.words());
    let texts = words.flat_map(|Words { message, header, footer }| {
        [Some(message), header.as_ref(), footer.as_ref()].into_iter().flatten()
    });
    let templates: Vec<Template> = texts.filter_map(|text| Template::parse(text).ok()).collect();
    templates.iter().flat_map(Template::fields).map(|(field, _)| field).collect()
}

/// # Errors
/// For what no recipient should read: [`JobRefusal::Template`], or [`JobRefusal::UnknownField`] for a field that
/// nobody has and that has no default.
pub(super) fn check(variants: &[DraftedVariant], list: &List) -> Result<Remarks, JobRefusal> {
    // A list and its templates may have thousands of fields each.
    let mut has: HashMap<String, usize> = HashMap::new();
    for (name, count) in &list.fields {
        *has.entry(field_key(name)).or_default() += *count;
    }
    let look = Look { list, has, names: FieldNames::of(list.fields.keys().map(String::as_str)) };
    let mut missing = BTreeMap::new();
    let mut warnings = Vec::new();
    for variant in variants {
        let label = (variants.len() > 1).then_some(&variant.label);
        let place = |field| TextPlace { variant: label.cloned(), field };
        if let Some(Words { message, header, footer }) = variant.draft.words() {
            let texts = [
                (Field::Message, Some(message)),
                (Field::Header, header.as_ref()),
                (Field::Footer, footer.as_ref()),
            ];
            for (field, text) in texts {
                let Some(text) = text else { continue };
                look.template(&place(field), text, &mut missing, &mut warnings)?;
            }
        } else if let Some(Body::Poll(poll)) = variant.draft.ready() {
            look.same_for_all(&place(Field::Message), &poll.message, &mut warnings)?;
            for option in &poll.options {
                look.same_for_all(&place(Field::Options), option, &mut warnings)?;
            }
        }
    }
    let missing = missing.into_iter().map(|(field, recipients)| FieldLack { field, recipients });
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
        place: &TextPlace,
        text: &str,
        missing: &mut BTreeMap<String, usize>,
        warnings: &mut Vec<TextRemark>,
    ) -> Result<(), JobRefusal> {
        let invalid = |why: String| JobRefusal::Template { place: place.clone(), why };
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
                    warnings.push(TextRemark {
                        place: place.clone(),
                        doubt: Doubt::FieldOfNobody,
                        text: format!(
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
    fn same_for_all(
        &self,
        place: &TextPlace,
        text: &str,
        warnings: &mut Vec<TextRemark>,
    ) -> Result<(), JobRefusal> {
        if let Ok(template) = Template::parse(text)
            && let Some((field, _)) = template.fields().next()
        {
            let why = format!(
                "{{{{{field}}}}} is not filled in here: a poll is the same for everybody; fields are for texts and captions"
            );
            return Err(JobRefusal::Template { place: place.clone(), why });
        }
        self.foreign(place, text, warnings)
    }

    fn foreign(
        &self,
        place: &TextPlace,
        text: &str,
        warnings: &mut Vec<TextRemark>,
    ) -> Result<(), JobRefusal> {
        for finding in template::look(text, &self.names) {
            match finding {
                Finding::Refused(why) => {
                    return Err(JobRefusal::Template { place: place.clone(), why });
                }
                Finding::Doubtful(text) => {
                    warnings.push(TextRemark { place: place.clone(), doubt: Doubt::PlaceNotFilled, text });
                }
            }
        }
        Ok(())
    }

    fn unknown(&self, place: &TextPlace, field: &str) -> JobRefusal {
        let known: Vec<&str> = self.list.fields.keys().map(String::as_str).take(FIELDS_SHOWN).collect();
        let meant = match self.names.like(field) {
            Some(meant) => format!("; write {{{{{meant}}}}}"),
            None => format!("; write {{{{{field}|…}}}} with what they read instead"),
        };
        let why = if known.is_empty() {
            format!("no recipient has a field \"{field}\"; none has any field at all{meant}")
        } else {
            format!("no recipient has a field \"{field}\"; there are: {}{meant}", known.join(", "))
        };
        JobRefusal::UnknownField { place: place.clone(), why }
    }
}
