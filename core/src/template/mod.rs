//! Texts with places for a recipient's fields: `Hello {{name|there}}`. Pure.
//!
//! `{{field}}` is replaced by the recipient's value, `{{field|default}}` by the default where there is
//! none, and `\{{` is a literal `{{`. What a value holds is never read as a template again.
//!
//! | file | what |
//! |---|---|
//! | `name` | which names are the same field, and what people call a name |
//! | `foreign` | places as other senders write them, told before anybody reads them |
//! | `filter` | filters of other template languages |
//! | `meant` | what to write instead |

use std::borrow::Cow;

mod filter;
mod foreign;
mod meant;
mod name;

pub use foreign::{Finding, look};
pub use name::{FieldNames, field_key};

/// The longest field name, in bytes.
pub const FIELD_MAX: usize = 64;

/// A text that was read once and is filled in many times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field { name: String, default: Option<String> },
}

/// Why a text is no template. Places are counted in characters, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the {{{{ at character {0} is not closed; write }}}}, or \\{{{{ for the two brackets themselves")]
    Unclosed(usize),
    #[error("the field at character {0} has no name; write {{{{name}}}}")]
    Nameless(usize),
    #[error(
        "the field name at character {0} is longer than 64 bytes, or has brackets, a backslash or a sign that nobody sees"
    )]
    BadName(usize),
}

impl Template {
    /// # Errors
    /// Says where and what to write instead.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            let place = text[..text.len() - rest.len() + open].chars().count() + 1;
            if let Some(before) = rest[..open].strip_suffix('\\') {
                plain.push_str(&foreign::unescaped(before));
                plain.push_str("{{");
                rest = &rest[open + 2..];
                continue;
            }
            plain.push_str(&foreign::unescaped(&rest[..open]));
            let inside = &rest[open + 2..];
            let close = inside.find("}}").ok_or(TemplateError::Unclosed(place))?;
            let field = &inside[..close];
            if field.contains("{{") {
                return Err(TemplateError::Unclosed(place));
            }
            let (name, default) = match field.split_once('|') {
                Some((name, default)) => (name::tidy(name), Some(default_of(default))),
                None => (name::tidy(field), None),
            };
            if name.is_empty() {
                return Err(TemplateError::Nameless(place));
            }
            if name.len() > FIELD_MAX || !name.chars().all(name::may_be_named) {
                return Err(TemplateError::BadName(place));
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Field { name, default });
            rest = &inside[close + 2..];
        }
        plain.push_str(&foreign::unescaped(rest));
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self(parts))
    }

    /// A text without fields, whatever it looks like.
    pub fn plain(text: Cow<'_, str>) -> Self {
        Self(vec![Part::Text(text.into_owned())])
    }

    /// The fields it names, each with its default.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Field { name, default } => Some((name.as_str(), default.as_deref())),
        })
    }

    /// `lookup` answers a field's value; what it does not know, and what is empty, reads as the default.
    pub fn render<'v>(&self, lookup: impl Fn(&str) -> Option<&'v str>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Field { name, default } => {
                    let value = lookup(name).filter(|value| !value.trim().is_empty());
                    text.push_str(value.or(default.as_deref()).unwrap_or_default());
                }
            }
        }
        text
    }
}

/// A backslash before the call of a filter says that these words are the default.
fn default_of(text: &str) -> String {
    let text = text.trim();
    let literal = text.strip_prefix('\\').filter(|rest| filter::is_filter(rest));
    literal.unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn render(template: &str) -> String {
        let lookup = |name: &str| match name {
            "name" => Some("Ana"),
            "tricky" => Some("{{name}}"),
            "empty" => Some(" "),
            _ => None,
        };
        Template::parse(template).unwrap().render(lookup)
    }

    #[test]
    fn a_field_reads_as_the_recipients_value_or_the_default() {
        assert_eq!(render("Hi {{name}}, {{ name }}!"), "Hi Ana, Ana!");
        assert_eq!(render("Hi {{nick|there}}"), "Hi there");
        assert_eq!(render("Hi {{empty|there}}"), "Hi there");
        assert_eq!(render("Hi {{nick}}."), "Hi .");
        assert_eq!(render("{{name}}{{name}}"), "AnaAna");
        assert_eq!(render(""), "");
    }

    #[test]
    fn a_name_may_be_of_any_script() {
        for name in
            ["नाम", "ชื่อ", "имя", "姓名", "الاسم", "nom de l\u{65}\u{301}te\u{301}", "می\u{200c}خواهم", "tên"]
        {
            let template = Template::parse(&format!("{{{{{name}|x}}}}!")).unwrap();
            assert_eq!(template.fields().collect::<Vec<_>>(), [(name, Some("x"))]);
        }
        for name in ["a{b", "a\\b", "a\u{0}b"] {
            assert!(Template::parse(&format!("{{{{{name}}}}}")).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_name_may_have_signs_of_a_columns_name() {
        for name in ["CPF/CNPJ", "Valor R$", "Qual é o seu nome?", "Cidade, UF", "a+b (c) #1 100% 'd'"] {
            let template = Template::parse(&format!("{{{{{name}|x}}}}!")).unwrap();
            assert_eq!(template.fields().collect::<Vec<_>>(), [(name, Some("x"))]);
        }
    }

    #[test]
    fn what_a_value_holds_is_not_read_again() {
        assert_eq!(render("{{tricky}}"), "{{name}}");
    }

    #[test]
    fn brackets_can_be_written() {
        assert_eq!(render(r"\{{name}} {one} }} {{name}}"), "{{name}} {one} }} Ana");
    }

    #[test]
    fn what_other_senders_fill_in_can_be_written_too() {
        assert_eq!(
            render(r"\{name} {{name}} \${name} \%name% \[[name]]"),
            "{name} Ana ${name} %name% [[name]]"
        );
        assert_eq!(render(r"{{nick|\upper}} {{nick|\default('x')}} {{nick|\o/}}"), r"upper default('x') \o/");
        assert_eq!(render(r"C:\{name}\x \d{2} a\[b] \o/"), r"C:\{name}\x \d{2} a\[b] \o/");
    }

    #[test]
    fn what_nobody_sees_is_not_of_a_name() {
        let names = |text: &str| {
            let template = Template::parse(text).unwrap();
            template.fields().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            names("{{\u{a0}first\u{a0}name\u{200b}}} {{\u{200e}nom\u{200f}|x}}"),
            ["first name", "nom"]
        );
        assert_eq!(names("{{می\u{200c}خواهم\u{200c}}}"), ["می\u{200c}خواهم"]);
        assert_eq!(Template::parse("{{\u{200b}}}"), Err(TemplateError::Nameless(1)));
    }

    #[test]
    fn an_error_says_where() {
        let parse = |text: &str| Template::parse(text).unwrap_err();
        assert_eq!(parse("é {{name"), TemplateError::Unclosed(3));
        assert_eq!(parse("{{a {{b}}"), TemplateError::Unclosed(1));
        assert_eq!(parse("{{}}"), TemplateError::Nameless(1));
        assert_eq!(parse("{{|x}}"), TemplateError::Nameless(1));
        assert_eq!(parse("{{a}b}}"), TemplateError::BadName(1));
        assert!(parse("{{x").to_string().contains("write }}, or \\{{"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn a_text_without_fields_is_itself(text in "[^{\\\\]{0,60}") {
            prop_assert_eq!(Template::parse(&text).unwrap().render(|_| None), text);
        }
    }
}
