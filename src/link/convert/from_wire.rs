//! What arrived, in our words.
//!
//! Whatever the other side wrote may be missing, too long or nonsense: it is taken as far as it makes sense,
//! and never refused, because a message that cannot be stored would come again for ever.

use wacore::proto_helpers::MessageExt as _;
use wapid_core::content::{
    Body, CARDS_MAX, Card, Cards, Content, Context, Degrees, Delete, Edit, MENTIONS_MAX, Medium, Page, Place,
    Poll, Preview, Quoted, Reaction, STATUS, TEXT_MAX, Target, Vote, Words,
};
use wapid_core::id::MediaId;
use wapid_core::media::Kind;
use wapid_core::text::storable;
use wapid_core::wa_id::WaId;
use waproto::whatsapp as wa;
use waproto::whatsapp::message as part;

use crate::link::file::{File, Look, Place as OnServer};
use crate::link::hosts::ServerPath;

/// Names, file names, MIME types and addresses are cut here, in bytes.
const NAME_MAX: usize = 1_024;
/// A URL is of no use without its end: a longer one is left out, with the page that it leads to.
const URL_MAX: usize = 2_048;
/// A contact card is cut here; with its picture it may be larger.
const VCARD_MAX: usize = 32 << 10;
/// And all cards of one message here.
const VCARDS_MAX: usize = 512 << 10;
/// Longer than any JID.
const JID_MAX: usize = 128;
/// Answers of a poll: WhatsApp's own limit, with room.
const OPTIONS_MAX: usize = 64;
/// A preview larger than this is left out.
const THUMBNAIL_MAX: usize = 32 << 10;
const WAVEFORM_MAX: usize = 256;

/// This account, and who wrote the message at hand.
pub struct Own<'a> {
    /// Users of our own JIDs: number and LID.
    pub users: &'a [String],
    /// Did this account write it, from another device?
    pub from_me: bool,
    /// JID of who wrote it.
    pub sender: &'a str,
}

impl Own<'_> {
    /// Is whoever wrote the message at hand the writer of the one that it names?
    pub fn wrote(&self, target: &Target) -> bool {
        if self.from_me { target.from_me } else { target.sender.as_deref() == Some(self.sender) }
    }
}

/// A message, and what it needs to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub content: Content,
    pub file: Option<File>,
    /// A vote that only the poll's secret opens.
    pub vote: Option<SealedVote>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedVote {
    pub payload: Vec<u8>,
    pub iv: Vec<u8>,
}

/// `None` for what is not a message to a person: key exchanges, history, housekeeping.
pub fn from_wire(message: &wa::Message, own: &Own<'_>) -> Option<Heard> {
    let once = message.is_view_once();
    let secret = message.message_context_info.as_option().and_then(|info| info.message_secret.clone());
    let message = message.get_base_message();
    let secret =
        message.message_context_info.as_option().and_then(|info| info.message_secret.clone()).or(secret);
    let mut heard = change(message, own).or_else(|| said(message, secret.as_deref(), once))?;
    if let Some(info) = context_info(message) {
        heard.content.context = context(info);
        heard.content.context.mentioned_me =
            !own.from_me && info.mentioned_jid.iter().any(|jid| is_ours(jid, own));
    }
    heard.content.context.truncated = is_cut(message);
    if matches!(heard.content.body, Body::Text(_)) {
        heard.content.context.preview = page(message).map(Preview::Of);
    }
    Some(heard)
}

/// Is more of it there than is kept of a text or a card?
fn is_cut(message: &wa::Message) -> bool {
    let edited = message.protocol_message.as_option().and_then(|change| change.edited_message.as_option());
    let message = edited.map_or(message, |edited| edited.get_base_message());
    let texts = [message.text_content(), message.get_caption()];
    let cards = message.contacts_array_message.as_option().map_or(&[][..], |array| array.contacts.as_slice());
    let cards = message.contact_message.as_option().into_iter().chain(cards).take(CARDS_MAX);
    let sizes: Vec<usize> = cards.filter_map(|card| card.vcard.as_ref()).map(String::len).collect();
    texts.into_iter().flatten().any(|text| beginning(text).len() < text.len())
        || sizes.iter().any(|size| *size > VCARD_MAX)
        || sizes.iter().sum::<usize>() > VCARDS_MAX
}

fn plain(body: Body) -> Heard {
    Heard { content: body.into(), file: None, vote: None }
}

/// The seconds of a message that sets its chat's timer; 0 stops it.
pub fn timer(message: &wa::Message) -> Option<u32> {
    let protocol = message.get_base_message().protocol_message.as_option()?;
    let is_timer = protocol.r#type == Some(part::protocol_message::Type::EPHEMERAL_SETTING);
    is_timer.then(|| protocol.ephemeral_expiration.unwrap_or(0))
}

/// What changes another message.
fn change(message: &wa::Message, own: &Own<'_>) -> Option<Heard> {
    if let Some(reaction) = message.reaction_message.as_option() {
        let target = target(reaction.key.as_option()?, own)?;
        let emoji = clipped(reaction.text.as_deref().unwrap_or_default(), 64);
        return Some(plain(Body::Reaction(Reaction { target, emoji })));
    }
    if let Some(update) = message.poll_update_message.as_option() {
        let target = target(update.poll_creation_message_key.as_option()?, own)?;
        let vote = update.vote.as_option()?;
        let sealed = SealedVote { payload: vote.enc_payload.clone()?, iv: vote.enc_iv.clone()? };
        let content = Body::Vote(Vote { target, votes: Vec::new() }).into();
        return Some(Heard { content, file: None, vote: Some(sealed) });
    }
    let protocol = message.protocol_message.as_option()?;
    let target = target(protocol.key.as_option()?, own)?;
    match protocol.r#type? {
        part::protocol_message::Type::REVOKE => {
            // Only an admin takes back what another wrote, and names that one.
            let by_admin = !own.wrote(&target);
            Some(plain(Body::Delete(Delete { target, by_admin })))
        }
        part::protocol_message::Type::MESSAGE_EDIT => {
            let new = protocol.edited_message.as_option()?.get_base_message();
            let words = said(new, None, false)?.content.body.words().cloned()?;
            Some(plain(Body::Edit(Edit { target, words, of: None })))
        }
        _ => None,
    }
}

/// WhatsApp names a message as its writer sees it, who is not always we.
fn target(key: &wa::MessageKey, own: &Own<'_>) -> Option<Target> {
    // What is no id names no message.
    let id = WaId::parse(key.id.as_deref()?).ok()?;
    let by_writer = key.from_me.unwrap_or(false);
    let sender = if by_writer {
        (!own.from_me).then(|| own.sender.to_owned())
    } else {
        named(key.participant.as_deref())
    };
    let from_me = match &sender {
        Some(sender) => is_ours(sender, own),
        // In a chat of two, what the one who writes did not write the other did.
        None => by_writer == own.from_me,
    };
    Some(Target { id, from_me, sender: sender.filter(|_| !from_me) })
}

/// Is it a JID of this account, by number or by LID?
fn is_ours(jid: &str, own: &Own<'_>) -> bool {
    let user = jid.split(['@', ':']).next().unwrap_or_default();
    own.users.iter().any(|own| own == user)
}

fn said(message: &wa::Message, secret: Option<&[u8]>, once: bool) -> Option<Heard> {
    if message.conversation.is_some() || message.extended_text_message.is_set() {
        return Some(plain(Body::Text(words(message.text_content()))));
    }
    if let Some((kind, medium, file)) = medium(message, once) {
        let content = Body::of_medium(kind, medium).into();
        return Some(Heard { content, file, vote: None });
    }
    if let Some(poll) =
        [&message.poll_creation_message, &message.poll_creation_message_v2, &message.poll_creation_message_v3]
            .into_iter()
            .find_map(|poll| poll.as_option())
    {
        return Some(plain(of_poll(poll, secret)));
    }
    if let Some(place) = message.location_message.as_option() {
        let name = place.name.as_deref();
        let degrees = (place.degrees_latitude, place.degrees_longitude);
        return Some(plain(of_place(
            degrees,
            name,
            place.address.as_deref(),
            place.is_live.unwrap_or(false),
        )));
    }
    if let Some(place) = message.live_location_message.as_option() {
        let degrees = (place.degrees_latitude, place.degrees_longitude);
        return Some(plain(of_place(degrees, place.caption.as_deref(), None, true)));
    }
    if let Some(card) = message.contact_message.as_option() {
        return Some(plain(of_cards([card])));
    }
    if let Some(cards) = message.contacts_array_message.as_option() {
        return Some(plain(of_cards(&cards.contacts)));
    }
    if is_housekeeping(message) {
        return None;
    }
    Some(plain(Body::Unknown(words(message.get_caption()))))
}

/// The page below a text. Its picture is not kept.
fn page(message: &wa::Message) -> Option<Page> {
    let text = message.extended_text_message.as_option()?;
    let url = text.matched_text.as_deref().filter(|url| !url.is_empty() && url.len() <= URL_MAX)?;
    let description = named(text.description.as_deref());
    Some(Page { url: clipped(url, URL_MAX), title: named(text.title.as_deref())?, description })
}

fn is_housekeeping(message: &wa::Message) -> bool {
    let bare =
        wa::Message { message_context_info: message.message_context_info.clone(), ..Default::default() };
    message.protocol_message.is_set()
        || message.sender_key_distribution_message.is_set()
        || message.poll_update_message.is_set()
        || message.reaction_message.is_set()
        || *message == bare
}

fn words(text: Option<&str>) -> Words {
    let text = beginning(text.unwrap_or_default());
    Words::plain(clipped(text, text.len()))
}

/// As much of a text as is kept.
fn beginning(text: &str) -> &str {
    text.char_indices().nth(TEXT_MAX).map_or(text, |(end, _)| &text[..end])
}

fn clipped(text: &str, max: usize) -> String {
    storable(&text[..text.floor_char_boundary(max)]).into_owned()
}

/// A name, as much of it as is kept; none where nothing is left.
pub fn named(text: Option<&str>) -> Option<String> {
    text.map(|text| clipped(text, NAME_MAX)).filter(|text| !text.is_empty())
}

/// The fields that every file has, wherever its message keeps them.
macro_rules! on_server {
    ($file:expr, $sidecar:expr) => {
        on_server(
            $file.url.as_deref(),
            $file.direct_path.as_deref(),
            [&$file.media_key, &$file.file_sha256, &$file.file_enc_sha256],
            $file.file_length,
            $file.media_key_timestamp,
            $sidecar,
        )
    };
}

fn on_server(
    url: Option<&str>,
    direct_path: Option<&str>,
    [media_key, sha256, enc_sha256]: [&Option<Vec<u8>>; 3],
    size: Option<u64>,
    made_at: Option<i64>,
    sidecar: Option<Vec<u8>>,
) -> Option<OnServer> {
    let key = |bytes: &Option<Vec<u8>>| <[u8; 32]>::try_from(bytes.as_deref()?).ok();
    Some(OnServer {
        url: clipped(url.unwrap_or_default(), 2 * NAME_MAX),
        direct_path: ServerPath::parse(direct_path?).ok()?,
        media_key: key(media_key)?,
        sha256: key(sha256)?,
        enc_sha256: key(enc_sha256)?,
        size: size.unwrap_or(0),
        made_at: made_at.unwrap_or(0),
        sidecar,
    })
}

fn medium(message: &wa::Message, once: bool) -> Option<(Kind, Medium, Option<File>)> {
    let thumbnail =
        |bytes: &Option<Vec<u8>>| bytes.clone().filter(|b| !b.is_empty() && b.len() <= THUMBNAIL_MAX);
    let mut gif = false;
    let (kind, caption, place, look) = if let Some(image) = message.image_message.as_option() {
        let look = Look {
            mime: mime(image.mimetype.as_deref()),
            width: image.width,
            height: image.height,
            thumbnail: thumbnail(&image.jpeg_thumbnail),
            ..Look::default()
        };
        (Kind::Image, image.caption.as_deref(), on_server!(image, None), look)
    } else if let Some(video) = message.video_message.as_option().or(message.ptv_message.as_option()) {
        gif = video.gif_playback.unwrap_or(false);
        let look = Look {
            mime: mime(video.mimetype.as_deref()),
            width: video.width,
            height: video.height,
            seconds: video.seconds,
            thumbnail: thumbnail(&video.jpeg_thumbnail),
            ..Look::default()
        };
        (Kind::Video, video.caption.as_deref(), on_server!(video, None), look)
    } else if let Some(audio) = message.audio_message.as_option() {
        let look = Look {
            mime: mime(audio.mimetype.as_deref()),
            seconds: audio.seconds,
            waveform: audio.waveform.clone().filter(|w| !w.is_empty() && w.len() <= WAVEFORM_MAX),
            ..Look::default()
        };
        let kind = if audio.ptt.unwrap_or(false) { Kind::Voice } else { Kind::Audio };
        (kind, None, on_server!(audio, None), look)
    } else if let Some(document) = message.document_message.as_option() {
        let look = Look {
            mime: mime(document.mimetype.as_deref()),
            file_name: named(document.file_name.as_deref().or(document.title.as_deref())),
            thumbnail: thumbnail(&document.jpeg_thumbnail),
            ..Look::default()
        };
        (Kind::Document, document.caption.as_deref(), on_server!(document, None), look)
    } else if let Some(sticker) = message.sticker_message.as_option() {
        let look = Look {
            mime: mime(sticker.mimetype.as_deref()),
            width: sticker.width,
            height: sticker.height,
            ..Look::default()
        };
        (Kind::Sticker, None, on_server!(sticker, None), look)
    } else {
        return None;
    };
    let medium = Medium {
        words: words(caption),
        media: MediaId::new(),
        file_name: look.file_name.clone(),
        view_once: once,
        gif,
    };
    Some((kind, medium, place.map(|place| File { kind, place, look })))
}

fn mime(text: Option<&str>) -> String {
    named(text).unwrap_or_else(|| "application/octet-stream".to_owned())
}

fn of_poll(poll: &part::PollCreationMessage, secret: Option<&[u8]>) -> Body {
    let options = poll.options.iter().take(OPTIONS_MAX);
    Body::Poll(Poll {
        message: clipped(poll.name.as_deref().unwrap_or_default(), NAME_MAX),
        options: options.map(|o| clipped(o.option_name.as_deref().unwrap_or_default(), NAME_MAX)).collect(),
        selectable_count: poll.selectable_options_count.unwrap_or(0),
        // Without it no vote opens; a poll without votes is still a poll.
        secret: secret.and_then(|secret| secret.try_into().ok()).unwrap_or_default(),
    })
}

fn of_place(
    (latitude, longitude): (Option<f64>, Option<f64>),
    name: Option<&str>,
    address: Option<&str>,
    live: bool,
) -> Body {
    let latitude = latitude.and_then(|degrees| Degrees::within(degrees, 90.0));
    let longitude = longitude.and_then(|degrees| Degrees::within(degrees, 180.0));
    match (latitude, longitude) {
        (Some(latitude), Some(longitude)) => {
            Body::Location(Place { latitude, longitude, name: named(name), address: named(address), live })
        }
        _ => Body::Unknown(words(name)),
    }
}

/// What is longer than a JID names nobody.
fn mentioned(jids: &[String]) -> Vec<String> {
    let named = jids.iter().filter(|jid| jid.len() <= JID_MAX).take(MENTIONS_MAX);
    named.map(|jid| clipped(jid, JID_MAX)).collect()
}

fn of_cards<'a>(cards: impl IntoIterator<Item = &'a part::ContactMessage>) -> Body {
    let mut left = VCARDS_MAX;
    let contacts = cards.into_iter().take(CARDS_MAX).map(|card| {
        let card = of_card(card, left.min(VCARD_MAX));
        left = left.saturating_sub(card.vcard.len());
        card
    });
    Body::Contact(Cards { contacts: contacts.collect() })
}

/// A vCard is lines of text; another control character would be six bytes in everything that tells of it.
fn of_card(card: &part::ContactMessage, most: usize) -> Card {
    let mut vcard = clipped(card.vcard.as_deref().unwrap_or_default(), most);
    vcard.retain(|letter| !letter.is_control() || matches!(letter, '\r' | '\n' | '\t'));
    let Card { name, vcard } = Card::read(card.display_name.as_deref(), vcard);
    Card { name: clipped(&name, NAME_MAX), vcard }
}

/// Where a message keeps its context: each kind has its own place.
fn context_info(message: &wa::Message) -> Option<&wa::ContextInfo> {
    macro_rules! first {
        ($($field:ident),+ $(,)?) => {
            $(
                if let Some(part) = message.$field.as_option()
                    && let Some(info) = part.context_info.as_option()
                {
                    return Some(info);
                }
            )+
        };
    }
    first!(
        extended_text_message,
        image_message,
        video_message,
        ptv_message,
        audio_message,
        document_message,
        sticker_message,
        location_message,
        live_location_message,
        contact_message,
        contacts_array_message,
        poll_creation_message,
        poll_creation_message_v2,
        poll_creation_message_v3,
    );
    None
}

fn context(info: &wa::ContextInfo) -> Context {
    let quoted = info.stanza_id.as_deref().and_then(|id| WaId::parse(id).ok());
    Context {
        quoted: quoted.map(|id| {
            let shown = info.quoted_message.as_option().map(|quoted| quoted.get_base_message());
            let shown = shown.and_then(|quoted| said(quoted, None, false)).map(|heard| heard.content);
            Quoted {
                id: id.to_string(),
                sender: named(info.participant.as_deref()),
                kind: shown.as_ref().map_or("unknown", Content::kind).to_owned(),
                text: shown.map(|content| content.body.text()).unwrap_or_default(),
                chat: named(info.remote_jid.as_deref()).filter(|jid| jid == STATUS || jid.ends_with("@g.us")),
                thumbnail: None,
            }
        }),
        mentions: mentioned(&info.mentioned_jid),
        forwarded: info.is_forwarded.unwrap_or(false).then(|| info.forwarding_score.unwrap_or(0)),
        expires_in: info.expiration.filter(|seconds| *seconds > 0),
        ..Context::default()
    }
}
