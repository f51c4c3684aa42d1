//! What a message says, both ways. Pure.
//!
//! The same words for what we send and for what arrives, stored as JSON beside the message's row: so what was
//! sent can be sent again under its id, and what was received can be forwarded. A medium is named by its id; its
//! bytes, type and size are the media store's.
//!
//! | file | what |
//! |---|---|
//! | `card` | a contact card |
//! | `signs` | whether a text can be seen, and whether it is one emoji |

use serde::{Deserialize, Serialize};

use crate::id::MediaId;
use crate::media::Kind as MediaKind;
use crate::wa_id::WaId;

mod card;
mod signs;

pub use card::Card;
pub use signs::{is_blank, is_one_emoji};

/// The longest text or caption, in characters, as WhatsApp counts.
pub const TEXT_MAX: usize = 65_536;
/// A poll, as WhatsApp's own apps limit it: characters of the question and of an answer, and answers.
pub const QUESTION_MAX: usize = 255;
pub const OPTION_MAX: usize = 100;
pub const OPTIONS: std::ops::RangeInclusive<usize> = 2..=12;
/// Contact cards in one message.
pub const CARDS_MAX: usize = 50;
/// People mentioned in one message; a group has at most 1,024 members.
pub const MENTIONS_MAX: usize = 1_024;

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    #[serde(flatten)]
    pub body: Body,
    #[serde(flatten)]
    pub context: Context,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Body {
    Text(Words),
    Image(Medium),
    Video(Medium),
    Audio(Medium),
    /// Recorded, not chosen from files: shown with a waveform, and says when it was played.
    Voice(Medium),
    Document(Medium),
    Sticker(Medium),
    Poll(Poll),
    Location(Place),
    Contact(Cards),
    Reaction(Reaction),
    Edit(Edit),
    Delete(Delete),
    Vote(Vote),
    /// Something that WhatsApp knows and we do not.
    Unknown(Words),
}

/// Text as its writer wrote it, with a line above and below.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
}

/// A file, with its caption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Medium {
    #[serde(flatten)]
    pub words: Words,
    pub media: MediaId,
    /// Shown for a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Opens once, then it is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub view_once: bool,
    /// A video that plays by itself, again and again, without sound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gif: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Poll {
    /// The question.
    pub message: String,
    pub options: Vec<String>,
    /// How many answers one may choose; 0 is any number.
    pub selectable_count: u32,
    /// Votes are sealed with it. Drawn before the poll is sent, so that a resend carries the same.
    #[serde(with = "hex")]
    pub secret: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub latitude: Degrees,
    pub longitude: Degrees,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// It moved while it was shared; this is where it began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
}

/// A finite number of degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Degrees(f64);

impl Eq for Degrees {}

impl Degrees {
    /// Within ±`most`: 90 for a latitude, 180 for a longitude.
    pub fn within(degrees: f64, most: f64) -> Option<Self> {
        (degrees.is_finite() && degrees.abs() <= most).then_some(Self(degrees))
    }

    pub fn get(self) -> f64 {
        self.0
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cards {
    pub contacts: Vec<Card>,
}

/// Another message, as WhatsApp names it within its chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    #[serde(rename = "targetId")]
    pub id: WaId,
    /// Did this number write it?
    #[serde(rename = "targetFromMe", default)]
    pub from_me: bool,
    /// JID of who wrote it, where that is not plain from the chat: in groups.
    #[serde(rename = "targetSender", default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    #[serde(flatten)]
    pub target: Target,
    /// Empty takes it back.
    pub emoji: String,
}

/// New words for a message. One of a medium keeps its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    #[serde(flatten)]
    pub target: Target,
    #[serde(flatten)]
    pub words: Words,
    /// What the message is, where it is a file: WhatsApp repeats it in the edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<EditedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditedFile {
    pub kind: MediaKind,
    pub media: MediaId,
    #[serde(rename = "fileName", default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
}

/// Takes a message back, for everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delete {
    #[serde(flatten)]
    pub target: Target,
    /// By an admin of the group, who may take back what others wrote.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_admin: bool,
}

/// Somebody's answers to a poll; it replaces the same person's earlier ones, and none takes them back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    #[serde(flatten)]
    pub target: Target,
    pub votes: Vec<String>,
}

/// What is said beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<Quoted>,
    /// JIDs of people who are told of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// This number is among them, by whichever name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mentioned_me: bool,
    /// How often it was forwarded before, where it was; WhatsApp shows it, and from 5 on "many times".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<u32>,
    /// Seconds until it is gone; 0 for one that stays although its chat disappears. `None` is as the chat
    /// has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u32>,
    /// Of a text: the page that it leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
    /// It was longer than anything that WhatsApp's own apps send, and what is here is its beginning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Why nothing else of it is here: a word for programs, such as [`NOT_STORABLE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// The store refused a message as it came.
pub const NOT_STORABLE: &str = "not_storable";

/// What is shown below a text of the page that it leads to. We store the wish, and make the rest when the text
/// leaves: what a page says is read then, not when the message was asked for. What arrives has it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Preview {
    /// Of the first URL in the text, where that can be had.
    Wanted,
    Of(Page),
}

/// A page, as much of it as is shown. Its small picture travels beside it and is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// As it stands in the text.
    pub url: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The message that another one answers, as much of it as is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quoted {
    pub id: String,
    /// JID of who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub text: String,
    /// JID of the chat it is in, where the answer is in another one: a group that is answered in private, or
    /// [`STATUS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// The small picture of a file that we answer, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
}

/// Where statuses are, instead of a chat.
pub const STATUS: &str = "status@broadcast";

impl Content {
    pub fn text(message: impl Into<String>) -> Self {
        Body::Text(Words::plain(message)).into()
    }

    pub fn kind(&self) -> &'static str {
        self.body.kind()
    }

    /// The message that it changes, instead of being one itself.
    pub fn target(&self) -> Option<&Target> {
        match &self.body {
            Body::Reaction(Reaction { target, .. })
            | Body::Edit(Edit { target, .. })
            | Body::Delete(Delete { target, .. })
            | Body::Vote(Vote { target, .. }) => Some(target),
            _ => None,
        }
    }

    /// The file it carries or repeats.
    pub fn file(&self) -> Option<(MediaKind, &MediaId)> {
        if let Body::Edit(Edit { of: Some(file), .. }) = &self.body {
            return Some((file.kind, &file.media));
        }
        self.body.medium().map(|(kind, medium)| (kind, &medium.media))
    }

    /// Is a page to be read before it leaves?
    pub fn wants_preview(&self) -> bool {
        matches!(self.body, Body::Text(_)) && self.context.preview == Some(Preview::Wanted)
    }

    /// The same with that page below it.
    #[must_use]
    pub fn showing(&self, page: Page) -> Self {
        let context = Context { preview: Some(Preview::Of(page)), ..self.context.clone() };
        Self { body: self.body.clone(), context }
    }

    /// Does it take of the daily limit? What only changes a message does not.
    pub fn is_counted(&self) -> bool {
        self.target().is_none()
    }

    /// Why it cannot be sent, once a recipient's fields are filled in: a code and its reason.
    pub fn unfit(&self) -> Option<(&'static str, &'static str)> {
        let words = self.body.words()?;
        let text = &words.message;
        if words.rendered().chars().count() > TEXT_MAX {
            Some(("MESSAGE_TOO_LONG", "with its fields filled in, the message is too long"))
        } else if matches!(self.body, Body::Text(_)) && is_blank(text) {
            Some(("MESSAGE_EMPTY", "with its fields filled in, the message is empty"))
        } else {
            None
        }
    }

    /// A copy to send on: not an answer, mentioning nobody, without the page below it, counted as WhatsApp
    /// counts. `None` for what is no message of its own, or opens once.
    pub fn forwarded(&self) -> Option<Self> {
        // WhatsApp Web jumps to this from the fifth on (wacore 0.7.0, src/proto_helpers.rs).
        const MANY: u32 = 127;
        if self.target().is_some() || matches!(self.body, Body::Unknown(_)) {
            return None;
        }
        if self.body.medium().is_some_and(|(_, medium)| medium.view_once) {
            return None;
        }
        let mut body = self.body.clone();
        if let Body::Poll(poll) = &mut body {
            poll.secret = rand::random();
        }
        let times = match self.context.forwarded {
            None => 0,
            Some(times) if times >= 4 => MANY,
            Some(times) => times + 1,
        };
        Some(Self { body, context: Context { forwarded: Some(times), ..Context::default() } })
    }
}

impl From<Body> for Content {
    fn from(body: Body) -> Self {
        Self { body, context: Context::default() }
    }
}

impl Body {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Image(_) => "image",
            Self::Video(_) => "video",
            Self::Audio(_) => "audio",
            Self::Voice(_) => "voice",
            Self::Document(_) => "document",
            Self::Sticker(_) => "sticker",
            Self::Poll(_) => "poll",
            Self::Location(_) => "location",
            Self::Contact(_) => "contact",
            Self::Reaction(_) => "reaction",
            Self::Edit(_) => "edit",
            Self::Delete(_) => "delete",
            Self::Vote(_) => "vote",
            Self::Unknown(_) => "unknown",
        }
    }

    pub fn of_medium(kind: MediaKind, medium: Medium) -> Self {
        match kind {
            MediaKind::Image => Self::Image(medium),
            MediaKind::Video => Self::Video(medium),
            MediaKind::Audio => Self::Audio(medium),
            MediaKind::Voice => Self::Voice(medium),
            MediaKind::Document => Self::Document(medium),
            MediaKind::Sticker => Self::Sticker(medium),
        }
    }

    pub fn medium(&self) -> Option<(MediaKind, &Medium)> {
        Some(match self {
            Self::Image(medium) => (MediaKind::Image, medium),
            Self::Video(medium) => (MediaKind::Video, medium),
            Self::Audio(medium) => (MediaKind::Audio, medium),
            Self::Voice(medium) => (MediaKind::Voice, medium),
            Self::Document(medium) => (MediaKind::Document, medium),
            Self::Sticker(medium) => (MediaKind::Sticker, medium),
            _ => return None,
        })
    }

    /// What is to be read of it: the text or caption.
    pub fn words(&self) -> Option<&Words> {
        match self {
            Self::Text(words) | Self::Unknown(words) | Self::Edit(Edit { words, .. }) => Some(words),
            other => other.medium().map(|(_, medium)| &medium.words),
        }
    }

    /// The same, to fill in.
    pub fn words_mut(&mut self) -> Option<&mut Words> {
        match self {
            Self::Text(words) | Self::Unknown(words) | Self::Edit(Edit { words, .. }) => Some(words),
            Self::Image(medium)
            | Self::Video(medium)
            | Self::Audio(medium)
            | Self::Voice(medium)
            | Self::Document(medium)
            | Self::Sticker(medium) => Some(&mut medium.words),
            _ => None,
        }
    }

    /// What the log shows as `message`.
    pub fn text(&self) -> String {
        match self {
            Self::Poll(poll) => poll.message.clone(),
            Self::Location(place) => place.name.clone().or(place.address.clone()).unwrap_or_default(),
            Self::Contact(cards) => {
                cards.contacts.iter().map(|card| card.name.as_str()).collect::<Vec<_>>().join(", ")
            }
            Self::Reaction(reaction) => reaction.emoji.clone(),
            Self::Vote(vote) => vote.votes.join(", "),
            Self::Delete(_) => String::new(),
            other => other.words().map(|words| words.message.clone()).unwrap_or_default(),
        }
    }
}

impl Words {
    pub fn plain(message: impl Into<String>) -> Self {
        Self { message: message.into(), header: None, footer: None }
    }

    /// As WhatsApp shows it: the header in bold above, the footer in italics below.
    pub fn rendered(&self) -> String {
        let mut parts = Vec::with_capacity(3);
        parts.extend(self.header.as_deref().map(|header| marked(header, '*')));
        if !self.message.is_empty() {
            parts.push(self.message.clone());
        }
        parts.extend(self.footer.as_deref().map(|footer| marked(footer, '_')));
        parts.join("\n\n")
    }
}

/// WhatsApp's marks work within one line and must touch the text, so every line gets its own pair.
fn marked(text: &str, mark: char) -> String {
    text.lines()
        .map(|line| match line.trim() {
            "" => String::new(),
            line => format!("{mark}{}{mark}", unmarked(line, mark)),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Without the pairs of that mark that a writer put there: within another pair they would show as they are typed.
/// As WhatsApp reads them: a pair holds a text without spaces at its ends and stands between words.
fn unmarked(line: &str, mark: char) -> String {
    let signs: Vec<char> = line.chars().collect();
    let is_word = |place: Option<usize>| {
        place.and_then(|place| signs.get(place)).is_some_and(|sign| sign.is_alphanumeric())
    };
    let is_space = |place: usize| signs.get(place).is_none_or(|sign| sign.is_whitespace());
    let is_mark = |place: usize| signs.get(place) == Some(&mark);
    let opens = |place: usize| {
        is_mark(place) && !is_word(place.checked_sub(1)) && !is_space(place + 1) && !is_mark(place + 1)
    };
    let closes = |place: usize| is_mark(place) && !is_space(place - 1) && !is_word(Some(place + 1));
    let mut plain = String::with_capacity(line.len());
    let mut place = 0;
    while place < signs.len() {
        let end = if opens(place) { (place + 2..signs.len()).find(|end| closes(*end)) } else { None };
        match end {
            Some(end) => {
                plain.extend(&signs[place + 1..end]);
                place = end + 1;
            }
            None => {
                plain.push(signs[place]);
                place += 1;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            id: WaId::parse("3EB0AA").unwrap(),
            from_me: false,
            sender: Some("5511900000002@s.whatsapp.net".into()),
        }
    }

    fn every_body() -> Vec<Body> {
        let medium = || Medium {
            words: Words { message: "a caption".into(), header: Some("H".into()), footer: None },
            media: MediaId::new(),
            file_name: Some("a.pdf".into()),
            view_once: true,
            gif: false,
        };
        let degrees = |value| Degrees::within(value, 180.0).unwrap();
        vec![
            Body::Text(Words::plain("hello")),
            Body::Image(medium()),
            Body::Video(medium()),
            Body::Audio(medium()),
            Body::Voice(medium()),
            Body::Document(medium()),
            Body::Sticker(medium()),
            Body::Poll(Poll {
                message: "Lunch?".into(),
                options: vec!["Yes".into(), "No".into()],
                selectable_count: 1,
                secret: [7; 32],
            }),
            Body::Location(Place {
                latitude: degrees(-23.5),
                longitude: degrees(0.1 + 0.2),
                name: Some("Here".into()),
                address: None,
                live: false,
            }),
            Body::Contact(Cards { contacts: vec![Card { name: "Ana".into(), vcard: "BEGIN:VCARD".into() }] }),
            Body::Reaction(Reaction { target: target(), emoji: "👍".into() }),
            Body::Edit(Edit { target: target(), words: Words::plain("new"), of: None }),
            Body::Delete(Delete { target: target(), by_admin: false }),
            Body::Vote(Vote { target: target(), votes: vec!["Yes".into()] }),
            Body::Unknown(Words::default()),
        ]
    }

    fn page() -> Page {
        let description = Some("Open from 8".into());
        Page { url: "https://shop.example/a".into(), title: "The Shop".into(), description }
    }

    #[test]
    fn everything_comes_back_from_the_row_as_it_went() {
        for body in every_body() {
            let context = Context {
                quoted: Some(Quoted {
                    id: "A".into(),
                    sender: None,
                    kind: "image".into(),
                    text: "q".into(),
                    chat: Some(STATUS.into()),
                    thumbnail: Some("/9j/".into()),
                }),
                mentions: vec!["1@lid".into()],
                mentioned_me: true,
                forwarded: Some(0),
                expires_in: Some(86_400),
                preview: Some(Preview::Of(page())),
                truncated: true,
                unreadable: Some(NOT_STORABLE.into()),
            };
            let wish = Context { preview: Some(Preview::Wanted), ..Context::default() };
            for context in [context, wish, Context::default()] {
                let content = Content { body: body.clone(), context };
                let json = serde_json::to_string(&content).unwrap();
                assert_eq!(serde_json::from_str::<Content>(&json).unwrap(), content, "{json}");
                assert!(json.contains(&format!("\"type\":\"{}\"", content.kind())), "{json}");
            }
        }
    }

    #[test]
    fn a_text_of_an_older_row_still_reads() {
        let old = r#"{"type":"text","message":"hello","footer":"The Store"}"#;
        let content: Content = serde_json::from_str(old).unwrap();
        let words = Words { message: "hello".into(), header: None, footer: Some("The Store".into()) };
        assert_eq!(content, Body::Text(words).into());
    }

    #[test]
    fn a_header_is_bold_and_a_footer_italic() {
        let words = Words {
            message: "It is on its way.".into(),
            header: Some("Order\nUpdate ".into()),
            footer: Some("The Store".into()),
        };
        assert_eq!(words.rendered(), "*Order*\n*Update*\n\nIt is on its way.\n\n_The Store_");
        let bare = Words { message: String::new(), header: None, footer: Some("The Store".into()) };
        assert_eq!(bare.rendered(), "_The Store_");
    }

    #[test]
    fn a_header_that_is_bold_already_is_bold_once() {
        for (header, shown) in [
            ("*A*", "*A*"),
            ("*Order* 12", "*Order 12*"),
            ("*A* and *B*", "*A and B*"),
            ("Order *1234*!", "*Order 1234!*"),
            ("_A_", "*_A_*"),
            ("5 * 3 * 2", "*5 * 3 * 2*"),
            ("2*3*4", "*2*3*4*"),
            ("Terms*", "*Terms**"),
            ("**A**", "**A**"),
            ("*", "***"),
        ] {
            let words = Words { message: String::new(), header: Some(header.into()), footer: None };
            assert_eq!(words.rendered(), shown, "{header}");
        }
        let words =
            Words { message: String::new(), header: None, footer: Some("_The_ snake_case Store".into()) };
        assert_eq!(words.rendered(), "_The snake_case Store_");
    }

    #[test]
    fn only_what_is_a_message_of_its_own_is_counted_and_forwarded() {
        for body in every_body() {
            let changes = matches!(body, Body::Reaction(_) | Body::Edit(_) | Body::Delete(_) | Body::Vote(_));
            let content = Content::from(body);
            assert_eq!(content.is_counted(), !changes);
            if changes {
                assert_eq!(content.forwarded(), None);
            }
        }
        assert_eq!(Content::from(Body::Unknown(Words::default())).forwarded(), None);
    }

    #[test]
    fn forwarding_counts_as_whatsapp_counts() {
        let mut content = Content::text("news");
        let mut scores = Vec::new();
        for _ in 0..7 {
            content = content.forwarded().unwrap();
            scores.push(content.context.forwarded.unwrap());
        }
        assert_eq!(scores, [0, 1, 2, 3, 4, 127, 127]);
    }

    #[test]
    fn a_wish_is_one_until_the_page_is_there() {
        let mut content = Content::text("see https://shop.example/a");
        assert!(!content.wants_preview());
        content.context.preview = Some(Preview::Wanted);
        assert!(content.wants_preview());
        assert!(!content.showing(page()).wants_preview());
        assert_eq!(content.forwarded().unwrap().context.preview, None);
    }

    #[test]
    fn degrees_are_finite_and_within_their_range() {
        assert!(Degrees::within(90.0, 90.0).is_some());
        for wrong in [90.1, -90.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Degrees::within(wrong, 90.0), None);
        }
    }
}
