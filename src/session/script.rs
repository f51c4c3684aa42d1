//! What a job says to each recipient: its templates, read once.

use std::borrow::Cow;

use wapid_core::job::Plan;
use wapid_core::message::Content;
use wapid_core::phone::Phone;
use wapid_core::recipient::Fields;
use wapid_core::template::Template;

/// The variants of a job, ready to be filled in.
pub struct Script(Vec<Lines>);

struct Lines {
    message: Template,
    header: Option<Template>,
    footer: Option<Template>,
}

impl Script {
    pub fn of(plan: &Plan) -> Self {
        Self(plan.variants.iter().map(|variant| Lines::of(&variant.content)).collect())
    }

    /// What this recipient reads. `variant` was drawn when the job was made.
    pub fn content(&self, variant: usize, phone: &Phone, fields: &Fields) -> Content {
        let lines = self.0.get(variant).or(self.0.first()).expect("a job has a variant");
        let lookup = |name: &str| {
            if name.eq_ignore_ascii_case("phone") { Some(phone.digits()) } else { fields.get(name) }
        };
        let fill = |template: &Template| template.render(lookup);
        let edge =
            |template: &Option<Template>| template.as_ref().map(fill).filter(|text| !text.trim().is_empty());
        Content::Text {
            message: fill(&lines.message),
            header: edge(&lines.header),
            footer: edge(&lines.footer),
        }
    }
}

impl Lines {
    fn of(content: &Content) -> Self {
        match content {
            Content::Text { message, header, footer } => Self {
                message: template(message),
                header: header.as_deref().map(template),
                footer: footer.as_deref().map(template),
            },
        }
    }
}

/// A job is refused when a template of it does not read, so the text itself is only for the day on which
/// the rules of templates have changed.
fn template(text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|_| Template::plain(Cow::Borrowed(text)))
}
