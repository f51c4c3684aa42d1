//! What a job says to each recipient: its templates, read once.

use std::borrow::Cow;

use wapid_core::content::{Body, Content, Words};
use wapid_core::job::Plan;
use wapid_core::phone::Phone;
use wapid_core::recipient::Fields;
use wapid_core::template::{Template, field_key};

/// The variants of a job, ready to be filled in.
pub struct Script(Vec<Lines>);

/// A variant's content, and the templates of its words where it has any.
struct Lines {
    content: Content,
    words: Option<Templates>,
}

struct Templates {
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
        let mut content = lines.content.clone();
        let lookup = |name: &str| {
            if field_key(name) == "phone" { Some(phone.digits()) } else { fields.get(name) }
        };
        let fill = |template: &Template| template.render(lookup);
        let edge =
            |template: &Option<Template>| template.as_ref().map(fill).filter(|text| !text.trim().is_empty());
        if let (Some(templates), Some(words)) = (&lines.words, content.body.words_mut()) {
            *words = Words {
                message: fill(&templates.message),
                header: edge(&templates.header),
                footer: edge(&templates.footer),
            };
        }
        if let Body::Poll(poll) = &mut content.body {
            // Who could open one person's vote must not open another's.
            poll.secret = rand::random();
        }
        content
    }
}

impl Lines {
    fn of(content: &Content) -> Self {
        let words = content.body.words().map(|words| Templates {
            message: template(&words.message),
            header: words.header.as_deref().map(template),
            footer: words.footer.as_deref().map(template),
        });
        Self { content: content.clone(), words }
    }
}

/// A job is refused when a template of it does not read, so the text itself is only for the day on which
/// the rules of templates have changed.
fn template(text: &str) -> Template {
    Template::parse(text).unwrap_or_else(|_| Template::plain(Cow::Borrowed(text)))
}
