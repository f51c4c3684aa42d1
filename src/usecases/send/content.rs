//! What a message is to say: the fields of a wish, checked. A file is fetched or stored only when all else is right.

use wapid_core::content::{
    Body, CARDS_MAX, Card, Cards, Degrees, Medium, OPTION_MAX, OPTIONS, Place, Poll, Preview, QUESTION_MAX,
    TEXT_MAX, Words, is_blank,
};
use wapid_core::id::MediaId;
use wapid_core::media::{Kind, Origin, State, document_name, file_name};
use wapid_core::phone::{Country, Phone};
use wapid_core::store::TenantStore;
use wapid_core::store::media::MediaRow;

use super::refusal::ContentRefusal;
use crate::media::{Declared, Media, Unreadable, is_data_url};
use crate::usecases::field::Field;
use crate::usecases::refusal::{Missing, Refusal};

/// Header and footer are one line of a bubble, not a second message.
const EDGE_MAX: usize = 1_024;
const NAME_MAX: usize = 255;
/// A whole path, of which the last part is taken.
const FILE_NAME_MAX: usize = 4_096;
/// With a picture it may be larger than its lines.
pub const VCARD_MAX: usize = 32 << 10;

/// A contact card: a name and a number, or a whole vCard.
#[derive(Debug, Clone, Default)]
pub struct CardWish {
    pub name: Option<String>,
    pub phone: Option<String>,
    pub vcard: Option<String>,
}

/// What a message is to say, a single one or a job's.
#[derive(Debug, Default)]
pub struct ContentWish {
    /// A text where it is left out.
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
    pub place_name: Option<String>,
    pub place_address: Option<String>,
    pub contacts: Option<Vec<CardWish>>,
}

/// Where the file of a message is, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileOf {
    ItsWish,
    /// Another variant of the same job brings it.
    OtherVariant,
}

/// What of a wish is not sent, because WhatsApp shows no such thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    WordsWithAudio,
}

/// What a message is to say, checked; a file is still where it was.
#[derive(Debug)]
pub enum ContentDraft {
    Ready(Body),
    Medium(Box<MediumDraft>),
}

#[derive(Debug)]
pub struct MediumDraft {
    kind: Kind,
    words: Words,
    /// None once it is in the store.
    from: Option<FileSource>,
    mime: Option<String>,
    file_name: Option<String>,
    view_once: bool,
    gif: bool,
}

/// Where a file comes from.
#[derive(Debug)]
enum FileSource {
    Url(String),
    Base64(String),
    Given(MediaId),
}

impl ContentWish {
    /// The wish for a preview. A text without a URL may have it too: the texts of a job differ.
    ///
    /// # Errors
    /// For what is no text.
    pub fn preview(&self) -> Result<Option<Preview>, ContentRefusal> {
        match (self.link_preview, self.kind.as_deref()) {
            (None | Some(false), _) => Ok(None),
            (Some(true), None | Some("text")) => Ok(Some(Preview::Wanted)),
            (Some(true), Some(_)) => Err(ContentRefusal::NoPreview),
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

    /// Numbers on its cards that are written without a country code are of `home`.
    ///
    /// # Errors
    /// Says which field to fix.
    pub fn draft(self, home: Option<Country>, file: FileOf) -> Result<ContentDraft, Refusal> {
        clean(Field::FileName, self.file_name.as_deref(), FILE_NAME_MAX)?;
        let this = self.tidied();
        let kind = this.kind.as_deref().unwrap_or("text");
        this.check_fields(kind)?;
        if let Some(kind) = Kind::parse(kind) {
            return this.medium(kind, file).map(|medium| ContentDraft::Medium(Box::new(medium)));
        }
        let body = match kind {
            "text" => this.text(),
            "poll" => this.poll(),
            "location" => this.location(),
            "contact" => this.cards(home),
            _ => Err(ContentRefusal::UnknownKind),
        };
        Ok(ContentDraft::Ready(body?))
    }

    /// Refuses what another type would say: whoever gave it means it.
    fn check_fields(&self, kind: &str) -> Result<(), ContentRefusal> {
        let is_said = |text: &Option<String>| text.as_deref().is_some_and(|text| !is_blank(text));
        let has_words = is_said(&self.message) || is_said(&self.header) || is_said(&self.footer);
        let has_file = self.media_url.is_some() || self.media_base64.is_some() || self.media_id.is_some();
        let is_file = Kind::parse(kind).is_some();
        let misplaced: [(&'static [Field], bool); 7] = [
            (&[Field::MediaUrl, Field::MediaBase64, Field::MediaId], has_file && !is_file && kind != "text"),
            (&[Field::ViewOnce], self.view_once == Some(true) && !is_file),
            (&[Field::Gif], self.gif == Some(true) && !is_file),
            (
                &[Field::Options, Field::SelectableCount],
                (self.options.is_some() || self.selectable_count.is_some()) && kind != "poll",
            ),
            (
                &[Field::Latitude, Field::Longitude],
                (self.latitude.is_some() || self.longitude.is_some()) && kind != "location",
            ),
            (&[Field::Contacts], self.contacts.is_some() && kind != "contact"),
            (
                &[Field::Message, Field::Header, Field::Footer],
                has_words && matches!(kind, "location" | "contact"),
            ),
        ];
        match misplaced.into_iter().find(|(_, is_misplaced)| *is_misplaced) {
            Some((fields, _)) => Err(ContentRefusal::Misplaced { fields, kind: kind.to_owned() }),
            None => Ok(()),
        }
    }

    /// What of it is not sent although it was asked for.
    pub fn left_out(&self) -> Option<LeftOut> {
        let is_said = |text: &Option<String>| text.as_deref().is_some_and(|text| !is_blank(text));
        let has_words = is_said(&self.message) || is_said(&self.header) || is_said(&self.footer);
        (self.kind.as_deref() == Some("audio") && has_words).then_some(LeftOut::WordsWithAudio)
    }

    fn words(&self) -> Result<Words, ContentRefusal> {
        words(self.message.as_deref(), self.header.as_deref(), self.footer.as_deref())
    }

    fn text(&self) -> Result<Body, ContentRefusal> {
        if self.media_url.is_some() || self.media_base64.is_some() || self.media_id.is_some() {
            return Err(ContentRefusal::TextWithFile);
        }
        let words = self.words()?;
        if is_blank(&words.message) {
            return Err(ContentRefusal::NoText);
        }
        Ok(Body::Text(words))
    }

    fn medium(self, kind: Kind, file: FileOf) -> Result<MediumDraft, Refusal> {
        let words = self.words()?;
        let has_words = !words.rendered().is_empty();
        // The contract of seed 001 lets audio have them; see `left_out`.
        let words = if kind == Kind::Audio { Words::default() } else { words };
        if has_words && matches!(kind, Kind::Voice | Kind::Sticker) {
            return Err(ContentRefusal::NoWordsWith(kind).into());
        }
        let view_once = self.view_once.unwrap_or(false);
        if view_once && !matches!(kind, Kind::Image | Kind::Video | Kind::Voice) {
            return Err(ContentRefusal::CannotOpenOnce.into());
        }
        let gif = self.gif.unwrap_or(false);
        if gif && kind != Kind::Video {
            return Err(ContentRefusal::CannotLoop.into());
        }
        let from = match (self.media_url, self.media_base64, self.media_id) {
            // It holds its file, wherever it stands.
            (Some(url), None, None) if is_data_url(&url) => Some(FileSource::Base64(url)),
            (Some(url), None, None) => Some(FileSource::Url(url)),
            (None, Some(text), None) => Some(FileSource::Base64(text)),
            (None, None, Some(id)) => {
                Some(FileSource::Given(MediaId::parse(&id).ok_or(Refusal::Missing(Missing::File))?))
            }
            (None, None, None) if file == FileOf::OtherVariant => None,
            (None, None, None) => return Err(ContentRefusal::NoFile.into()),
            _ => return Err(ContentRefusal::SeveralFiles.into()),
        };
        Ok(MediumDraft {
            kind,
            words,
            from,
            mime: self.media_mime_type,
            file_name: self.file_name,
            view_once,
            gif,
        })
    }

    fn poll(self) -> Result<Body, ContentRefusal> {
        // A poll has one text: its lines above and below are part of it.
        let Words { message, header, footer } = self.words()?;
        let lines = [header.as_deref(), Some(message.trim()), footer.as_deref()];
        let question = lines.into_iter().flatten().collect::<Vec<_>>().join("\n");
        let question = if is_blank(&message) { "" } else { question.as_str() };
        if question.is_empty() || question.chars().count() > QUESTION_MAX {
            return Err(ContentRefusal::Question);
        }
        let options: Vec<String> =
            self.options.unwrap_or_default().iter().map(|option| option.trim().to_owned()).collect();
        if !OPTIONS.contains(&options.len()) {
            return Err(ContentRefusal::OptionCount);
        }
        for (place, option) in options.iter().enumerate() {
            let length = option.chars().count();
            if is_blank(option) || length > OPTION_MAX || option.contains('\0') {
                return Err(ContentRefusal::OptionLength);
            }
            if options[..place].contains(option) {
                return Err(ContentRefusal::OptionTwice);
            }
        }
        let selectable_count = self.selectable_count.unwrap_or(1);
        if usize::try_from(selectable_count).is_ok_and(|count| count > options.len()) {
            return Err(ContentRefusal::SelectableCount);
        }
        Ok(Body::Poll(Poll {
            message: question.to_owned(),
            options,
            selectable_count,
            secret: rand::random(),
        }))
    }

    fn location(self) -> Result<Body, ContentRefusal> {
        let degrees = |field: Field, value: Option<f64>, most: f64| {
            let value = value.ok_or(ContentRefusal::NoDegrees(field))?;
            Degrees::within(value, most).ok_or(ContentRefusal::Degrees { field, most })
        };
        let text = |field: Field, text: &Option<String>| {
            let text = clean(field, text.as_deref(), NAME_MAX * 4)?.filter(|text| !text.trim().is_empty());
            Ok::<_, ContentRefusal>(text.map(str::to_owned))
        };
        Ok(Body::Location(Place {
            latitude: degrees(Field::Latitude, self.latitude, 90.0)?,
            longitude: degrees(Field::Longitude, self.longitude, 180.0)?,
            name: text(Field::PlaceName, &self.place_name)?,
            address: text(Field::PlaceAddress, &self.place_address)?,
            live: false,
        }))
    }

    fn cards(self, home: Option<Country>) -> Result<Body, ContentRefusal> {
        let contacts = self.contacts.unwrap_or_default();
        if contacts.is_empty() || contacts.len() > CARDS_MAX {
            return Err(ContentRefusal::ContactCount);
        }
        let contacts = contacts.into_iter().map(|new| card(new, home)).collect::<Result<_, _>>()?;
        Ok(Body::Contact(Cards { contacts }))
    }
}

/// A text and the lines above and below it, of a message or of an edit.
///
/// # Errors
/// Names the field with NUL in it, or the one that is too long.
pub fn words(
    message: Option<&str>,
    header: Option<&str>,
    footer: Option<&str>,
) -> Result<Words, ContentRefusal> {
    let edge = |field: Field, text: Option<&str>| {
        let text = clean(field, text, EDGE_MAX)?;
        Ok::<_, ContentRefusal>(text.filter(|text| !is_blank(text)).map(str::to_owned))
    };
    let message = clean(Field::Message, message, TEXT_MAX)?.unwrap_or_default().to_owned();
    let words = Words { message, header: edge(Field::Header, header)?, footer: edge(Field::Footer, footer)? };
    if words.rendered().chars().count() > TEXT_MAX {
        return Err(ContentRefusal::TextTooLong);
    }
    Ok(words)
}

fn card(new: CardWish, home: Option<Country>) -> Result<Card, ContentRefusal> {
    let name = clean(Field::ContactName, new.name.as_deref(), NAME_MAX)?.map(str::trim);
    match (new.phone, new.vcard) {
        (Some(phone), None) => {
            let phone = Phone::parse(&phone, home).map_err(ContentRefusal::ContactPhone)?;
            let digits = format!("+{}", phone.digits());
            Ok(Card::of(name.filter(|name| !name.is_empty()).unwrap_or(&digits), &phone))
        }
        (None, Some(vcard)) => {
            let vcard = vcard.trim();
            let upper = vcard.get(..11).is_some_and(|begin| begin.eq_ignore_ascii_case("BEGIN:VCARD"));
            if !upper || vcard.len() > VCARD_MAX || vcard.contains('\0') {
                return Err(ContentRefusal::ContactVcard);
            }
            let card = Card::read(name, vcard.to_owned());
            if card.name.is_empty() {
                return Err(ContentRefusal::ContactName);
            }
            Ok(card)
        }
        _ => Err(ContentRefusal::ContactOfNothing),
    }
}

/// A text within its limit, without NUL.
fn clean(field: Field, text: Option<&str>, most: usize) -> Result<Option<&str>, ContentRefusal> {
    match text {
        Some(text) if text.contains('\0') => Err(ContentRefusal::Nul(field)),
        Some(text) if text.chars().count() > most => Err(ContentRefusal::TooLong { field, most }),
        text => Ok(text),
    }
}

impl ContentDraft {
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
    pub async fn store_file(
        &mut self,
        media: &Media,
        tenant: &TenantStore,
    ) -> Result<Option<MediaRow>, Refusal> {
        let Self::Medium(medium) = self else { return Ok(None) };
        let Some(from) = medium.from.take() else { return Ok(None) };
        let declared = |origin| Declared {
            kind: Some(medium.kind),
            mime: medium.mime.clone(),
            file_name: medium.file_name.clone(),
            origin,
        };
        let row = match from {
            FileSource::Url(url) => media.fetch_url(tenant, &url, declared(Origin::Url)).await?,
            FileSource::Base64(text) => media.from_base64(tenant, text, declared(Origin::Base64)).await?,
            FileSource::Given(id) => given(tenant, &id, medium.kind).await?,
        };
        Ok(Some(row))
    }

    /// What the message says, with its file. Without one it can be shown and not sent.
    pub fn body(self, file: Option<&MediaRow>) -> Body {
        match self {
            Self::Ready(body) => body,
            Self::Medium(medium) => {
                let MediumDraft { kind, words, file_name, view_once, gif, .. } = *medium;
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
async fn given(tenant: &TenantStore, id: &MediaId, kind: Kind) -> Result<MediaRow, Refusal> {
    let row = tenant.media(id).await?.ok_or(Refusal::Missing(Missing::File))?;
    if row.state != State::Stored {
        return Err(Unreadable::NotStored(row.state).into());
    }
    if row.kind != kind && kind != Kind::Document {
        return Err(ContentRefusal::FileOfOtherKind(row.kind).into());
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &str) -> ContentWish {
        ContentWish { kind: Some(kind.to_owned()), ..ContentWish::default() }
    }

    fn refused(said: ContentWish) -> Field {
        said.draft(None, FileOf::ItsWish).expect_err("a refusal").fields()[0]
    }

    #[test]
    fn each_kind_says_what_it_lacks() {
        for (kind, field) in [
            ("text", Field::Message),
            ("image", Field::MediaUrl),
            ("poll", Field::Message),
            ("location", Field::Latitude),
            ("contact", Field::Contacts),
            ("smoke", Field::Kind),
        ] {
            assert_eq!(refused(said(kind)), field, "{kind}");
        }
    }

    #[test]
    fn only_a_text_may_show_a_page() {
        let wish = |kind: Option<&str>, link_preview| {
            ContentWish { kind: kind.map(str::to_owned), link_preview, ..ContentWish::default() }.preview()
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
            ContentWish {
                message: Some("Lunch?".into()),
                options: Some(options),
                selectable_count: count,
                ..said("poll")
            }
            .draft(None, FileOf::ItsWish)
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
            let new = CardWish { name: owned(name), phone: owned(phone), vcard: owned(vcard) };
            ContentWish { contacts: Some(vec![new]), ..said("contact") }.draft(None, FileOf::ItsWish)
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
