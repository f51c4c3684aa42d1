//! What a phone is told to send: as it comes over the control surface, and as it is meant.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::inbox::{ContactCard, LinkPreview};
use crate::error::SandboxError;
use crate::group::Addressing;
use crate::limits;

/// One message or one change to a message. Which fields count depends on the kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhoneMessage {
    /// The number of somebody in the same book, or the address of a chat.
    pub to: String,
    #[serde(rename = "type", default)]
    pub kind: MessageKind,
    /// The text, the caption, the question of a poll, the new text of an edit.
    #[serde(rename = "message", default)]
    pub text: String,
    /// Drawn when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,

    #[serde(rename = "mediaBase64", default, with = "base64_text", skip_serializing_if = "Option::is_none")]
    pub media: Option<Bytes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// Loudness over time, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waveform: Option<Vec<u8>>,
    #[serde(default)]
    pub view_once: bool,
    /// Read from the bytes of a picture when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// A small JPEG: of a picture, of a video, or of the page below a text.
    #[serde(
        rename = "thumbnailBase64",
        default,
        with = "base64_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub thumbnail: Option<Bytes>,
    /// What the message says of the medium's size, in bytes; by default the truth.
    pub media_size: Option<u64>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<ContactCard>,

    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// One unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selectable_count: Option<u32>,

    /// What a reaction, an edit, a deletion or a vote is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Empty takes a reaction back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// The chosen options; none takes a vote back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<String>,

    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted_message_id: Option<String>,
    /// Phone numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    #[serde(default)]
    pub forwarded: bool,
    /// After how many seconds the message disappears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<u32>,
    /// The page below a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<LinkPreview>,

    /// In a chat of two: by what the phone names itself and those in it. The number unless it is given;
    /// by LID the number is told beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addressing: Option<Addressing>,
    /// In a chat of two: by LID, and the number is not told. The next message without it shows the number.
    #[serde(default)]
    pub hidden: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    #[default]
    Text,
    Image,
    Video,
    Audio,
    Voice,
    Document,
    Sticker,
    Location,
    Contact,
    Poll,
    Reaction,
    Edit,
    Delete,
    Vote,
    /// Sets after how long the messages of a chat of two disappear: `expiration`, 0 for never. It shows nothing.
    Timer,
}

impl PhoneMessage {
    pub fn text(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self { to: to.into(), text: text.into(), ..Self::default() }
    }

    /// A medium of a kind, with nothing said about it.
    pub fn media(to: impl Into<String>, kind: MessageKind, bytes: impl Into<Bytes>) -> Self {
        Self { to: to.into(), kind, media: Some(bytes.into()), ..Self::default() }
    }

    /// A change of a kind to the message `target`.
    pub fn about(to: impl Into<String>, kind: MessageKind, target: impl Into<String>) -> Self {
        Self { to: to.into(), kind, message_id: Some(target.into()), ..Self::default() }
    }

    /// The same as it is meant, or what is wrong with it.
    pub(crate) fn parse(self) -> Result<Order, SandboxError> {
        if let Some(id) = &self.id {
            bounded("a message id", id, limits::MESSAGE_ID_BYTES)?;
        }
        let context = Context {
            quoted: self.quoted_message_id.clone(),
            mentions: self.mentions.clone(),
            is_forwarded: self.forwarded,
            expiration: self.expiration,
        };
        context.check()?;
        let naming = self.naming()?;
        Ok(Order { to: self.to.clone(), id: self.id.clone(), naming, context, draft: self.draft()? })
    }

    fn naming(&self) -> Result<Naming, SandboxError> {
        match (self.hidden, self.addressing) {
            (true, Some(Addressing::Pn)) => {
                Err(invalid("hidden: whoever is addressed by a number shows theirs"))
            }
            (true, _) => Ok(Naming::Hidden),
            (false, Some(Addressing::Lid)) => Ok(Naming::Lid),
            (false, _) => Ok(Naming::Number),
        }
    }

    fn draft(self) -> Result<Draft, SandboxError> {
        let attached = match self.kind {
            MessageKind::Text => return self.words(),
            MessageKind::Image => AttachmentKind::Image,
            MessageKind::Video => AttachmentKind::Video,
            MessageKind::Audio => AttachmentKind::Audio,
            MessageKind::Voice => AttachmentKind::Voice,
            MessageKind::Document => AttachmentKind::Document,
            MessageKind::Sticker => AttachmentKind::Sticker,
            MessageKind::Location => return self.location(),
            MessageKind::Contact => return self.contact(),
            MessageKind::Poll => return self.poll(),
            MessageKind::Reaction => {
                let emoji = self.emoji.clone().unwrap_or_default();
                at_most("an emoji", emoji.len(), limits::EMOJI_BYTES)?;
                return Ok(Draft::Reaction { target: self.target()?, emoji });
            }
            MessageKind::Edit => {
                text_within(&self.text)?;
                return Ok(Draft::Edit { text: self.text.clone(), target: self.target()? });
            }
            MessageKind::Delete => return Ok(Draft::Delete { target: self.target()? }),
            MessageKind::Timer => {
                let seconds =
                    self.expiration.ok_or_else(|| invalid("expiration: after how many seconds?"))?;
                return Ok(Draft::Timer { seconds });
            }
            MessageKind::Vote => {
                return Ok(Draft::Vote { options: self.votes.clone(), target: self.target()? });
            }
        };
        self.attachment(attached).map(|attachment| Draft::Media(Box::new(attachment)))
    }

    fn words(self) -> Result<Draft, SandboxError> {
        text_within(&self.text)?;
        let Some(page) = self.link_preview else {
            return Ok(Draft::Text { text: self.text, linked: None });
        };
        bounded("linkPreview: a URL", &page.url, limits::PREVIEW_BYTES)?;
        bounded("linkPreview: a title", &page.title, limits::PREVIEW_BYTES)?;
        let description = page.description.as_ref().map_or(0, String::len);
        at_most("linkPreview: bytes of a description", description, limits::PREVIEW_BYTES)?;
        if let Some(thumbnail) = &self.thumbnail {
            at_most("a thumbnail", thumbnail.len(), limits::THUMBNAIL_BYTES)?;
        }
        let linked = Some(Linked { page, thumbnail: self.thumbnail });
        Ok(Draft::Text { text: self.text, linked })
    }

    fn target(self) -> Result<String, SandboxError> {
        self.message_id.ok_or_else(|| invalid("messageId: which message is it about?"))
    }

    fn attachment(self, kind: AttachmentKind) -> Result<Attachment, SandboxError> {
        let bytes = self.media.filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or_else(|| invalid("mediaBase64: a medium has at least one byte"))?;
        at_most("a medium", bytes.len(), limits::PHONE_MEDIA_BYTES)?;
        at_most("characters of a caption", self.text.chars().count(), limits::TEXT_CHARS)?;
        if !self.text.is_empty() && !kind.has_caption() {
            return Err(invalid("message: audio, voice notes and stickers have no caption"));
        }
        let mime_type = self.mime_type.unwrap_or_else(|| kind.usual_mime_type().to_owned());
        bounded("a MIME type", &mime_type, limits::WORD_BYTES)?;
        if let Some(name) = &self.file_name {
            bounded("a file name", name, limits::WORD_BYTES)?;
        }
        if let Some(waveform) = &self.waveform {
            at_most("a waveform", waveform.len(), limits::WAVEFORM_BYTES)?;
        }
        if let Some(thumbnail) = &self.thumbnail {
            at_most("a thumbnail", thumbnail.len(), limits::THUMBNAIL_BYTES)?;
        }
        Ok(Attachment {
            kind,
            bytes,
            caption: (!self.text.is_empty()).then_some(self.text),
            mime_type,
            file_name: self.file_name,
            seconds: self.seconds,
            waveform: self.waveform,
            is_view_once: self.view_once,
            width: self.width,
            height: self.height,
            thumbnail: self.thumbnail,
            claimed_size: self.media_size,
        })
    }

    fn location(self) -> Result<Draft, SandboxError> {
        let (Some(latitude), Some(longitude)) = (self.latitude, self.longitude) else {
            return Err(invalid("latitude, longitude: a place has both"));
        };
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return Err(invalid("latitude is between -90 and 90, longitude between -180 and 180"));
        }
        for word in [&self.name, &self.address].into_iter().flatten() {
            at_most("a name or an address", word.len(), limits::ADDRESS_BYTES)?;
        }
        Ok(Draft::Location { latitude, longitude, name: self.name, address: self.address })
    }

    fn contact(self) -> Result<Draft, SandboxError> {
        if self.contacts.is_empty() || self.contacts.len() > limits::CONTACTS {
            return Err(invalid("contacts: between 1 and 257"));
        }
        for card in &self.contacts {
            bounded("a name", &card.name, limits::WORD_BYTES)?;
            bounded("a number", &card.phone, limits::WORD_BYTES)?;
            if [&card.name, &card.phone].iter().any(|word| word.contains(['\r', '\n'])) {
                return Err(invalid("contacts: a name and a number have one line"));
            }
        }
        Ok(Draft::Contacts(self.contacts))
    }

    /// wacore refuses the same (whatsapp-rust 0.7.0, features/polls.rs).
    fn poll(self) -> Result<Draft, SandboxError> {
        bounded("a question", &self.text, limits::QUESTION_BYTES)?;
        if !(2..=limits::POLL_OPTIONS).contains(&self.options.len()) {
            return Err(invalid("options: between 2 and 12"));
        }
        for (index, option) in self.options.iter().enumerate() {
            bounded("an option", option, limits::QUESTION_BYTES)?;
            if self.options[..index].contains(option) {
                return Err(invalid("options: two are the same"));
            }
        }
        let selectable = self.selectable_count.unwrap_or(1);
        if usize::try_from(selectable).is_ok_and(|count| count > self.options.len()) {
            return Err(invalid("selectableCount: at most the number of options; 0 is any number"));
        }
        Ok(Draft::Poll { question: self.text, options: self.options, selectable })
    }
}

/// A message that may be sent, if its chat and its target exist.
pub(crate) struct Order {
    pub to: String,
    pub id: Option<String>,
    pub naming: Naming,
    pub draft: Draft,
    pub context: Context,
}

/// How the two of a chat are named in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    Number,
    /// As between accounts that WhatsApp migrated: by LID, with the number beside it.
    Lid,
    /// By LID alone, as WhatsApp names people to those who do not know their number.
    Hidden,
}

pub(crate) enum Draft {
    Text { text: String, linked: Option<Linked> },
    Media(Box<Attachment>),
    Location { latitude: f64, longitude: f64, name: Option<String>, address: Option<String> },
    Contacts(Vec<ContactCard>),
    Poll { question: String, options: Vec<String>, selectable: u32 },
    Reaction { target: String, emoji: String },
    Edit { target: String, text: String },
    Delete { target: String },
    Vote { target: String, options: Vec<String> },
    Timer { seconds: u32 },
}

/// The page below a text.
pub(crate) struct Linked {
    pub page: LinkPreview,
    pub thumbnail: Option<Bytes>,
}

pub(crate) struct Attachment {
    pub kind: AttachmentKind,
    pub bytes: Bytes,
    pub caption: Option<String>,
    pub mime_type: String,
    pub file_name: Option<String>,
    pub seconds: Option<u32>,
    pub waveform: Option<Vec<u8>>,
    pub is_view_once: bool,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub thumbnail: Option<Bytes>,
    /// What the message says of its size, where that is not the truth.
    pub claimed_size: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttachmentKind {
    Image,
    Video,
    Audio,
    Voice,
    Document,
    Sticker,
}

impl AttachmentKind {
    fn has_caption(self) -> bool {
        matches!(self, Self::Image | Self::Video | Self::Document)
    }

    fn usual_mime_type(self) -> &'static str {
        match self {
            Self::Image => "image/jpeg",
            Self::Video => "video/mp4",
            Self::Audio => "audio/mpeg",
            Self::Voice => "audio/ogg; codecs=opus",
            Self::Document => "application/octet-stream",
            Self::Sticker => "image/webp",
        }
    }
}

/// What surrounds a message, whatever it says.
pub(crate) struct Context {
    pub quoted: Option<String>,
    pub mentions: Vec<String>,
    pub is_forwarded: bool,
    pub expiration: Option<u32>,
}

impl Context {
    fn check(&self) -> Result<(), SandboxError> {
        at_most("mentions", self.mentions.len(), limits::MENTIONS)?;
        let is_number =
            |text: &String| (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if !self.mentions.iter().all(is_number) {
            return Err(invalid("mentions: phone numbers, digits only"));
        }
        at_most("seconds of expiration", self.expiration.unwrap_or_default() as usize, limits::EXPIRATION)
    }
}

fn bounded(what: &str, text: &str, bytes: usize) -> Result<(), SandboxError> {
    if text.is_empty() || text.len() > bytes {
        return Err(SandboxError::Invalid(format!("{what} has between 1 and {bytes} bytes")));
    }
    Ok(())
}

fn text_within(text: &str) -> Result<(), SandboxError> {
    let most = limits::TEXT_CHARS;
    if text.is_empty() || text.chars().count() > most {
        return Err(SandboxError::Invalid(format!("a text has between 1 and {most} characters")));
    }
    Ok(())
}

fn at_most(what: &str, count: usize, most: usize) -> Result<(), SandboxError> {
    if count > most {
        return Err(SandboxError::Invalid(format!("{what}: at most {most}")));
    }
    Ok(())
}

fn invalid(what: &str) -> SandboxError {
    SandboxError::Invalid(what.to_owned())
}

/// Bytes as JSON has them.
mod base64_text {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD as BASE64;
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde asks with a reference")]
    pub(super) fn serialize<S: Serializer>(bytes: &Option<Bytes>, to: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => to.serialize_str(&BASE64.encode(bytes)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bytes>, D::Error> {
        let Some(text) = Option::<std::borrow::Cow<'de, str>>::deserialize(from)? else {
            return Ok(None);
        };
        let bytes = BASE64.decode(text.as_bytes()).map_err(|_| de::Error::custom("not valid Base64"))?;
        Ok(Some(bytes.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(message: PhoneMessage) -> String {
        message.parse().err().expect("is refused").to_string()
    }

    #[test]
    fn what_a_phone_cannot_send_is_refused_with_the_field() {
        let poll = |options: &[&str]| PhoneMessage {
            kind: MessageKind::Poll,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..PhoneMessage::text("1", "Lunch?")
        };
        assert!(refusal(poll(&["Yes"])).starts_with("options"));
        assert!(refusal(poll(&["Yes", "Yes"])).starts_with("options"));
        assert!(
            refusal(PhoneMessage { selectable_count: Some(3), ..poll(&["Yes", "No"]) })
                .starts_with("selectable")
        );
        assert!(poll(&["Yes", "No"]).parse().is_ok());

        assert!(refusal(PhoneMessage::media("1", MessageKind::Image, "")).starts_with("mediaBase64"));
        let captioned =
            PhoneMessage { text: "la la".into(), ..PhoneMessage::media("1", MessageKind::Voice, "x") };
        assert!(refusal(captioned).starts_with("message"));
        assert!(
            refusal(PhoneMessage { kind: MessageKind::Location, ..PhoneMessage::default() })
                .starts_with("lat")
        );
        assert!(
            refusal(PhoneMessage { kind: MessageKind::Delete, ..PhoneMessage::default() })
                .starts_with("messageId")
        );
        assert!(
            refusal(PhoneMessage { mentions: vec!["a@b".into()], ..PhoneMessage::text("1", "x") })
                .starts_with("mentions")
        );
        let page =
            LinkPreview { url: "https://shop.example/".into(), title: String::new(), description: None };
        assert!(
            refusal(PhoneMessage { link_preview: Some(page), ..PhoneMessage::text("1", "x") })
                .starts_with("linkPreview")
        );
        let by_number =
            PhoneMessage { hidden: true, addressing: Some(Addressing::Pn), ..PhoneMessage::text("1", "x") };
        assert!(refusal(by_number).starts_with("hidden"));
        let huge = vec![0; limits::PHONE_MEDIA_BYTES + 1];
        assert!(refusal(PhoneMessage::media("1", MessageKind::Document, huge)).starts_with("a medium"));
    }

    #[test]
    fn media_travel_as_base64() {
        let sent = PhoneMessage::media("1", MessageKind::Image, vec![0xff, 0xd8]);
        let json = serde_json::to_value(&sent).expect("encodes");
        assert_eq!((&json["mediaBase64"], &json["type"]), (&"/9g=".into(), &"image".into()));
        let back: PhoneMessage = serde_json::from_value(json).expect("decodes");
        assert_eq!(back.media, sent.media);
        let wrong = serde_json::json!({ "to": "1", "mediaBase64": "?" });
        assert!(serde_json::from_value::<PhoneMessage>(wrong).is_err());
    }
}
