//! What a request wants said: its fields, checked. A file is fetched or stored only when all else is right.

use serde::Deserialize;
use utoipa::ToSchema;
use wapid_core::content::{
    Body, CARDS_MAX, Card, Cards, Degrees, Medium, OPTION_MAX, OPTIONS, Place, Poll, Preview, QUESTION_MAX,
    TEXT_MAX, Words, is_blank,
};
use wapid_core::id::MediaId;
use wapid_core::media::{Kind, Origin, State, document_name, file_name};
use wapid_core::phone::Country;
use wapid_core::store::TenantStore;
use wapid_core::store::media::MediaRow;

use crate::api::Api;
use crate::api::error::ApiError;
use crate::api::home::GivenNumber;
use crate::media::{Declared, Unreadable, is_data_url};

/// Header and footer are one line of a bubble, not a second message.
const EDGE_MAX: usize = 1_024;
const NAME_MAX: usize = 255;
/// A whole path, of which the last part is taken.
const FILE_NAME_MAX: usize = 4_096;
/// With a picture it may be larger than its lines.
const VCARD_MAX: usize = 32 << 10;

/// A contact card: a name and a number, or a whole vCard
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCard {
    #[schema(example = "Ana")]
    pub name: Option<String>,
    pub phone: Option<GivenNumber>,
    pub vcard: Option<String>,
}

/// The fields that say something, of a single send and of a bulk job alike.
#[derive(Debug, Default)]
pub struct Said {
    pub kind: Option<String>,
    pub message: Option<String>,
    pub header: Option<String>,
    pub footer: Option<String>,
    pub media_url: Option<String>,
    pub media_base64: Option<String>,
    pub media_id: Option<String>,
    pub media_mime_type: Option<String>,
    pub file_name: Option<String>,
    pub view_once: Option<bool>,
    pub link_preview: Option<bool>,
    pub gif: Option<bool>,
    pub options: Option<Vec<String>>,
    pub selectable_count: Option<u32>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub name: Option<String>,
    pub address: Option<String>,
    pub contacts: Option<Vec<NewCard>>,
    /// Of the cards' numbers that are written without a country code.
    pub home: Option<Country>,
    /// Its file is that of another variant.
    pub same_file: bool,
}

/// Checked; a file is still where it was.
#[derive(Debug)]
pub enum Draft {
    Ready(Body),
    Medium(Box<NewMedium>),
}

#[derive(Debug)]
pub struct NewMedium {
    kind: Kind,
    words: Words,
    /// None once it is in the store.
    from: Option<From>,
    mime: Option<String>,
    file_name: Option<String>,
    view_once: bool,
    gif: bool,
}

/// Where a file comes from.
#[derive(Debug)]
enum From {
    Url(String),
    Base64(String),
    Given(MediaId),
}

fn invalid(why: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::bad("INVALID_REQUEST", why)
}

/// Only a text leads to a page.
pub fn no_preview() -> ApiError {
    invalid("linkPreview: for texts")
}

impl Said {
    /// The wish for a preview. A text without a URL may have it too: the texts of a job differ.
    ///
    /// # Errors
    /// For what is no text.
    pub fn preview(&self) -> Result<Option<Preview>, ApiError> {
        match (self.link_preview, self.kind.as_deref()) {
            (None | Some(false), _) => Ok(None),
            (Some(true), None | Some("text")) => Ok(Some(Preview::Wanted)),
            (Some(true), Some(_)) => Err(no_preview()),
        }
    }

    /// Without the fields that are there and say nothing, and with the name as people may see it: many a
    /// client sends all of its fields, filled in or not.
    fn tidied(mut self) -> Self {
        let is_given = |text: &String| !text.trim().is_empty();
        self.media_url = self.media_url.filter(is_given);
        self.media_base64 = self.media_base64.filter(is_given);
        self.media_id = self.media_id.filter(is_given);
        self.media_mime_type = self.media_mime_type.filter(is_given);
        self.file_name = self.file_name.as_deref().and_then(file_name);
        self
    }

    /// # Errors
    /// Says which field to fix.
    pub fn draft(self) -> Result<Draft, ApiError> {
        clean("fileName", self.file_name.as_deref(), FILE_NAME_MAX)?;
        let this = self.tidied();
        let kind = this.kind.as_deref().unwrap_or("text");
        this.check_fields(kind)?;
        if let Some(kind) = Kind::parse(kind) {
            return this.medium(kind).map(|medium| Draft::Medium(Box::new(medium)));
        }
        match kind {
            "text" => this.text(),
            "poll" => this.poll(),
            "location" => this.location(),
            "contact" => this.cards(),
            _ => Err(invalid(
                "type: text, image, video, audio, voice, document, sticker, poll, location or contact",
            )),
        }
        .map(Draft::Ready)
    }

    /// Refuses what another type would say: whoever gave it means it.
    fn check_fields(&self, kind: &str) -> Result<(), ApiError> {
        let is_said = |text: &Option<String>| text.as_deref().is_some_and(|text| !is_blank(text));
        let has_words = is_said(&self.message) || is_said(&self.header) || is_said(&self.footer);
        let has_file = self.media_url.is_some() || self.media_base64.is_some() || self.media_id.is_some();
        let is_file = Kind::parse(kind).is_some();
        let misplaced = [
            ("mediaUrl, mediaBase64, mediaId", has_file && !is_file && kind != "text"),
            ("viewOnce", self.view_once == Some(true) && !is_file),
            ("gif", self.gif == Some(true) && !is_file),
            (
                "options, selectableCount",
                (self.options.is_some() || self.selectable_count.is_some()) && kind != "poll",
            ),
            (
                "latitude, longitude",
                (self.latitude.is_some() || self.longitude.is_some()) && kind != "location",
            ),
            ("contacts", self.contacts.is_some() && kind != "contact"),
            ("message, header, footer", has_words && matches!(kind, "location" | "contact")),
        ];
        match misplaced.into_iter().find(|(_, is_misplaced)| *is_misplaced) {
            Some((fields, _)) => Err(invalid(format!("{fields}: not with the type {kind}"))),
            None => Ok(()),
        }
    }

    /// What of it is not sent although it was asked for.
    pub fn notice(&self) -> Option<&'static str> {
        let is_said = |text: &Option<String>| text.as_deref().is_some_and(|text| !is_blank(text));
        let has_words = is_said(&self.message) || is_said(&self.header) || is_said(&self.footer);
        (self.kind.as_deref() == Some("audio") && has_words)
            .then_some("WhatsApp shows no text with audio: message, header and footer were left out")
    }

    fn words(&self) -> Result<Words, ApiError> {
        words(self.message.as_deref(), self.header.as_deref(), self.footer.as_deref())
    }

    fn text(&self) -> Result<Body, ApiError> {
        if self.media_url.is_some() || self.media_base64.is_some() || self.media_id.is_some() {
            return Err(invalid("type: with a file it is image, video, audio, voice, document or sticker"));
        }
        let words = self.words()?;
        if is_blank(&words.message) {
            return Err(invalid("message: required, and not empty"));
        }
        Ok(Body::Text(words))
    }

    fn medium(self, kind: Kind) -> Result<NewMedium, ApiError> {
        let words = self.words()?;
        let has_words = !words.rendered().is_empty();
        // The contract of seed 001 lets audio have them; see `notice`.
        let words = if kind == Kind::Audio { Words::default() } else { words };
        if has_words && matches!(kind, Kind::Voice | Kind::Sticker) {
            return Err(invalid(format!(
                "message, header, footer: {} has none; send a text beside it",
                kind.as_str()
            )));
        }
        let view_once = self.view_once.unwrap_or(false);
        if view_once && !matches!(kind, Kind::Image | Kind::Video | Kind::Voice) {
            return Err(invalid("viewOnce: for images, videos and voice notes"));
        }
        let gif = self.gif.unwrap_or(false);
        if gif && kind != Kind::Video {
            return Err(invalid("gif: for videos"));
        }
        let from = match (self.media_url, self.media_base64, self.media_id) {
            // It holds its file, wherever it stands.
            (Some(url), None, None) if is_data_url(&url) => Some(From::Base64(url)),
            (Some(url), None, None) => Some(From::Url(url)),
            (None, Some(text), None) => Some(From::Base64(text)),
            (None, None, Some(id)) => Some(From::Given(MediaId::parse(&id).ok_or_else(ApiError::no_media)?)),
            (None, None, None) if self.same_file => None,
            (None, None, None) => {
                return Err(ApiError::bad(
                    "MEDIA_MISSING",
                    "mediaUrl, mediaBase64, mediaId, or a form's file: one of them is required",
                ));
            }
            _ => return Err(invalid("mediaUrl, mediaBase64, mediaId, file: one of them, not several")),
        };
        Ok(NewMedium {
            kind,
            words,
            from,
            mime: self.media_mime_type,
            file_name: self.file_name,
            view_once,
            gif,
        })
    }

    fn poll(self) -> Result<Body, ApiError> {
        // A poll has one text: its lines above and below are part of it.
        let Words { message, header, footer } = self.words()?;
        let lines = [header.as_deref(), Some(message.trim()), footer.as_deref()];
        let question = lines.into_iter().flatten().collect::<Vec<_>>().join("\n");
        let question = if is_blank(&message) { "" } else { question.as_str() };
        if question.is_empty() || question.chars().count() > QUESTION_MAX {
            return Err(invalid(format!("message: the poll's question, 1 to {QUESTION_MAX} characters")));
        }
        let options: Vec<String> =
            self.options.unwrap_or_default().iter().map(|option| option.trim().to_owned()).collect();
        if !OPTIONS.contains(&options.len()) {
            return Err(invalid(format!(
                "options: the poll's answers, {} to {}",
                OPTIONS.start(),
                OPTIONS.end()
            )));
        }
        for (place, option) in options.iter().enumerate() {
            let length = option.chars().count();
            if is_blank(option) || length > OPTION_MAX || option.contains('\0') {
                return Err(invalid(format!("options: each 1 to {OPTION_MAX} characters")));
            }
            if options[..place].contains(option) {
                return Err(invalid("options: each a different one"));
            }
        }
        let selectable_count = self.selectable_count.unwrap_or(1);
        if usize::try_from(selectable_count).is_ok_and(|count| count > options.len()) {
            return Err(invalid("selectableCount: not more than there are options; 0 for any number"));
        }
        Ok(Body::Poll(Poll {
            message: question.to_owned(),
            options,
            selectable_count,
            secret: rand::random(),
        }))
    }

    fn location(self) -> Result<Body, ApiError> {
        let degrees = |name: &str, value: Option<f64>, most: f64| {
            let value = value.ok_or_else(|| invalid(format!("{name}: required, in degrees")))?;
            Degrees::within(value, most).ok_or_else(|| invalid(format!("{name}: -{most} to {most} degrees")))
        };
        let text = |name: &str, text: &Option<String>| {
            let text = clean(name, text.as_deref(), NAME_MAX * 4)?.filter(|text| !text.trim().is_empty());
            Ok::<_, ApiError>(text.map(str::to_owned))
        };
        Ok(Body::Location(Place {
            latitude: degrees("latitude", self.latitude, 90.0)?,
            longitude: degrees("longitude", self.longitude, 180.0)?,
            name: text("name", &self.name)?,
            address: text("address", &self.address)?,
            live: false,
        }))
    }

    fn cards(self) -> Result<Body, ApiError> {
        let contacts = self.contacts.unwrap_or_default();
        if contacts.is_empty() || contacts.len() > CARDS_MAX {
            return Err(invalid(format!("contacts: 1 to {CARDS_MAX}")));
        }
        let contacts = contacts.into_iter().map(|new| card(new, self.home)).collect::<Result<_, _>>()?;
        Ok(Body::Contact(Cards { contacts }))
    }
}

/// A text and the lines above and below it, of a message or of an edit.
///
/// # Errors
/// Names the field with NUL in it, or the one that is too long.
pub fn words(message: Option<&str>, header: Option<&str>, footer: Option<&str>) -> Result<Words, ApiError> {
    let edge = |name: &str, text: Option<&str>| {
        let text = clean(name, text, EDGE_MAX)?;
        Ok::<_, ApiError>(text.filter(|text| !is_blank(text)).map(str::to_owned))
    };
    let message = clean("message", message, TEXT_MAX)?.unwrap_or_default().to_owned();
    let words = Words { message, header: edge("header", header)?, footer: edge("footer", footer)? };
    if words.rendered().chars().count() > TEXT_MAX {
        let why = format!("message: with header and footer at most {TEXT_MAX} characters");
        return Err(ApiError::bad("MESSAGE_TOO_LONG", why));
    }
    Ok(words)
}

fn card(new: NewCard, home: Option<Country>) -> Result<Card, ApiError> {
    let name = clean("contacts: name", new.name.as_deref(), NAME_MAX)?.map(str::trim);
    match (new.phone, new.vcard) {
        (Some(phone), None) => {
            let phone = phone.phone(home).map_err(|problem| {
                ApiError::bad("INVALID_RECIPIENT", format!("contacts: phone: {problem}"))
            })?;
            let digits = format!("+{}", phone.digits());
            Ok(Card::of(name.filter(|name| !name.is_empty()).unwrap_or(&digits), &phone))
        }
        (None, Some(vcard)) => {
            let vcard = vcard.trim();
            let upper = vcard.get(..11).is_some_and(|begin| begin.eq_ignore_ascii_case("BEGIN:VCARD"));
            if !upper || vcard.len() > VCARD_MAX || vcard.contains('\0') {
                return Err(invalid(format!("contacts: vcard: a vCard of at most {VCARD_MAX} bytes")));
            }
            let card = Card::read(name, vcard.to_owned());
            if card.name.is_empty() {
                return Err(invalid("contacts: name: required where the vCard has none"));
            }
            Ok(card)
        }
        _ => Err(invalid("contacts: each with a phone or a vcard")),
    }
}

/// A text within its limit, without NUL.
fn clean<'a>(name: &str, text: Option<&'a str>, max: usize) -> Result<Option<&'a str>, ApiError> {
    match text {
        Some(text) if text.contains('\0') => Err(invalid(format!("{name}: without NUL characters"))),
        Some(text) if text.chars().count() > max => {
            Err(ApiError::bad("MESSAGE_TOO_LONG", format!("{name}: at most {max} characters")))
        }
        text => Ok(text),
    }
}

impl Draft {
    /// The words of it that a job's templates fill in.
    pub fn words(&self) -> Option<&Words> {
        match self {
            Self::Ready(body) => body.words(),
            Self::Medium(medium) => Some(&medium.words),
        }
    }

    /// What it says where it has no file.
    pub fn ready(&self) -> Option<&Body> {
        match self {
            Self::Ready(body) => Some(body),
            Self::Medium(_) => None,
        }
    }

    /// Puts its file into the store, where it has one. It is checked by its content there.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub async fn store(&mut self, api: &Api, tenant: &TenantStore) -> Result<Option<MediaRow>, ApiError> {
        let Self::Medium(medium) = self else { return Ok(None) };
        let Some(from) = medium.from.take() else { return Ok(None) };
        let declared = |origin| Declared {
            kind: Some(medium.kind),
            mime: medium.mime.clone(),
            file_name: medium.file_name.clone(),
            origin,
        };
        let row = match from {
            From::Url(url) => api.media.fetch_url(tenant, &url, declared(Origin::Url)).await?,
            From::Base64(text) => api.media.from_base64(tenant, text, declared(Origin::Base64)).await?,
            From::Given(id) => given(tenant, &id, medium.kind).await?,
        };
        Ok(Some(row))
    }

    /// What the message says, with its file. Without one it can be shown and not sent.
    pub fn body(self, file: Option<&MediaRow>) -> Body {
        match self {
            Self::Ready(body) => body,
            Self::Medium(medium) => {
                let NewMedium { kind, words, file_name, view_once, gif, .. } = *medium;
                let media = file.map_or_else(MediaId::new, |file| file.id.clone());
                let named = file_name.or_else(|| file.and_then(|file| file.file_name.clone()));
                let file_name = match (kind, file) {
                    (Kind::Document, Some(file)) => Some(document_name(named.as_deref(), &file.mime)),
                    _ => named,
                };
                Body::of_medium(kind, Medium { words, media, file_name, view_once, gif })
            }
        }
    }
}

/// A file that was given before, which may go as what it is, or as a document.
async fn given(tenant: &TenantStore, id: &MediaId, kind: Kind) -> Result<MediaRow, ApiError> {
    let row = tenant.media(id).await?.ok_or_else(ApiError::no_media)?;
    if row.state != State::Stored {
        return Err(Unreadable::NotStored(row.state).into());
    }
    if row.kind != kind && kind != Kind::Document {
        return Err(ApiError::bad(
            "MEDIA_TYPE_MISMATCH",
            format!("type: the file of this mediaId is {}; it can also go as a document", row.kind.as_str()),
        ));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &str) -> Said {
        Said { kind: Some(kind.to_owned()), ..Said::default() }
    }

    fn refusal(said: Said) -> String {
        format!("{:?}", said.draft().expect_err("a refusal"))
    }

    #[test]
    fn each_kind_says_what_it_lacks() {
        for (kind, field) in [
            ("text", "message"),
            ("image", "mediaUrl"),
            ("poll", "message"),
            ("location", "latitude"),
            ("contact", "contacts"),
            ("smoke", "type"),
        ] {
            let refusal = refusal(said(kind));
            assert!(refusal.contains(field), "{kind}: {refusal}");
        }
    }

    #[test]
    fn only_a_text_may_show_a_page() {
        let wish = |kind: Option<&str>, link_preview| {
            Said { kind: kind.map(str::to_owned), link_preview, ..Said::default() }.preview()
        };
        for kind in [None, Some("text")] {
            assert_eq!(wish(kind, Some(true)).unwrap(), Some(Preview::Wanted));
            assert_eq!(wish(kind, None).unwrap(), None);
        }
        for kind in ["image", "poll", "contact", "smoke"] {
            assert!(wish(Some(kind), Some(true)).is_err(), "{kind}");
            assert_eq!(wish(Some(kind), Some(false)).unwrap(), None);
        }
    }

    #[test]
    fn a_poll_has_two_to_twelve_different_answers() {
        let poll = |options: &[&str], count| {
            let options = options.iter().map(|option| (*option).to_owned()).collect();
            Said {
                message: Some("Lunch?".into()),
                options: Some(options),
                selectable_count: count,
                ..said("poll")
            }
            .draft()
        };
        assert!(poll(&["A", "B"], None).is_ok());
        assert!(poll(&["A", "B"], Some(0)).is_ok());
        assert!(poll(&["A"], None).is_err());
        assert!(poll(&["A", " A "], None).is_err());
        assert!(poll(&["A", ""], None).is_err());
        assert!(poll(&["A", "B"], Some(3)).is_err());
        let many: Vec<String> = (0..13).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(poll(&many, None).is_err());
        let long = "x".repeat(101);
        assert!(poll(&["A", &long], None).is_err());
    }

    #[test]
    fn a_card_is_made_of_a_number_or_is_a_whole_vcard() {
        let card = |name: Option<&str>, phone: Option<&str>, vcard: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let new = NewCard {
                name: owned(name),
                phone: owned(phone).map(GivenNumber::Text),
                vcard: owned(vcard),
            };
            Said { contacts: Some(vec![new]), ..said("contact") }.draft()
        };
        assert!(card(Some("Ana"), Some("+55 11 90000-0002"), None).is_ok());
        assert!(card(None, Some("5511900000002"), None).is_ok());
        assert!(card(None, None, Some("BEGIN:VCARD\nFN:Ana\nEND:VCARD")).is_ok());
        assert!(card(None, None, Some("BEGIN:VCARD\nEND:VCARD")).is_err());
        assert!(card(Some("Ana"), None, Some("Ana")).is_err());
        assert!(card(Some("Ana"), None, None).is_err());
        assert!(card(Some("Ana"), Some("12"), None).is_err());
    }
}
