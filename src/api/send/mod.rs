//! Send one message: the request as JSON or as a form, which `arrival` takes in, and the answer.

use std::borrow::Cow;
use std::fmt;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use wapid_core::people::TYPING_MAX_MS;

use super::error::{ApiError, ErrorBody};
use super::given_number::GivenNumber;
use super::openapi::Refusals;
use crate::caller::OwnSession;
use crate::session::TypingWish;
use crate::usecases::once::Once;
use crate::usecases::send::{CardWish, ContentWish, LeftOut, MentionWish, MessageWish, SentMessage};
use crate::usecases::{self, GatewayParts};

mod arrival;

use arrival::Asked;

/// Among mentions: all of a group.
const EVERYBODY: &str = "all";

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewMessage {
    /// Digits with country code, in any spelling, or a JID of a person or group. Not needed where `messageId`
    /// names a message: it goes to that chat
    to: Option<GivenNumber>,
    /// Of numbers without a country code: ISO 3166, such as `BR`. Otherwise that of the settings
    #[schema(example = "IN")]
    default_country: Option<String>,
    /// Text, caption, or a poll's question; up to 65,536 characters, header and footer included
    #[schema(example = "Your order #1234 has been shipped!")]
    message: Option<String>,
    /// `text` (default), `image`, `video`, `audio`, `voice`, `document`, `sticker`, `poll`, `location`,
    /// `contact`, `reaction`, `edit`, `delete` or `forward`
    #[serde(rename = "type")]
    #[schema(example = "text")]
    kind: Option<String>,
    /// Shown bold above the message; up to 1,024 characters
    header: Option<String>,
    /// Shown in italics below the message; up to 1,024 characters
    footer: Option<String>,
    /// A file on the internet
    #[schema(example = "https://example.com/invoice.pdf")]
    media_url: Option<String>,
    /// The file itself, in base64 or as a data URL; up to 16 MiB of it
    media_base64: Option<String>,
    /// A file that was given before, with `POST /api/whatsapp/media`
    media_id: Option<String>,
    /// What the file is said to be; its content decides
    #[schema(example = "application/pdf")]
    media_mime_type: Option<String>,
    /// Shown for documents
    file_name: Option<String>,
    /// Opens once: images, videos and voice notes
    view_once: Option<bool>,
    /// Of a text: show the page of its first http(s) URL below it, with title, description and a small picture.
    /// The page is read when the message leaves, within 5 s in all, up to 512 KiB of it and 2 MiB of its picture;
    /// whatever fails, the text goes without. `false` by default
    link_preview: Option<bool>,
    /// A video that plays by itself, again and again
    gif: Option<bool>,
    /// A poll's answers, 2 to 12
    options: Option<Vec<String>>,
    /// How many of them one may choose: 1 by default, 0 for any number
    selectable_count: Option<u32>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    /// Of a place
    name: Option<String>,
    /// Of a place
    address: Option<String>,
    /// Contact cards
    contacts: Option<Vec<NewCard>>,
    /// The message that is reacted to, edited, deleted or forwarded: its `messageId`
    message_id: Option<String>,
    /// Of a reaction; empty takes it back
    emoji: Option<String>,
    /// The message that this one answers: its `messageId`
    quoted_message_id: Option<String>,
    /// Numbers or JIDs that are mentioned; write them into the text as `@919876543210`. In a group, `all` is
    /// everybody in it
    mentions: Option<Vec<GivenNumber>>,
    /// In a disappearing chat: seconds, 86400, 604800 or 7776000; as the chat is set, unless said
    expires_in: Option<u32>,
    /// Shows the other side that somebody types, or records, before the message leaves: `true` for as long as a
    /// person would need for it, or for so many milliseconds, at most 20,000. The answer comes after that
    typing: Option<Pause>,
}

/// Before a message.
enum Pause {
    Natural(bool),
    Ms(i64),
}

impl<'de> Deserialize<'de> for Pause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Pause;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                write!(formatter, "true, or 1 to {TYPING_MAX_MS} milliseconds")
            }

            fn visit_bool<E>(self, wanted: bool) -> Result<Pause, E> {
                Ok(Pause::Natural(wanted))
            }

            fn visit_i64<E>(self, ms: i64) -> Result<Pause, E> {
                Ok(Pause::Ms(ms))
            }

            fn visit_u64<E>(self, ms: u64) -> Result<Pause, E> {
                Ok(Pause::Ms(i64::try_from(ms).unwrap_or(i64::MAX)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl PartialSchema for Pause {
    fn schema() -> RefOr<Schema> {
        let natural = ObjectBuilder::new().schema_type(Type::Boolean);
        let ms =
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(TYPING_MAX_MS));
        Schema::AnyOf(AnyOfBuilder::new().item(natural).item(ms).build()).into()
    }
}

impl ToSchema for Pause {
    fn name() -> Cow<'static, str> {
        "TypingBefore".into()
    }
}

impl Pause {
    fn wish(self) -> Option<TypingWish> {
        match self {
            Self::Natural(wanted) => wanted.then_some(TypingWish::Natural),
            Self::Ms(ms) => Some(TypingWish::Ms(ms)),
        }
    }
}

/// A contact card: a name and a number, or a whole vCard
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCard {
    #[schema(example = "Ana")]
    name: Option<String>,
    phone: Option<GivenNumber>,
    vcard: Option<String>,
}

impl From<NewCard> for CardWish {
    fn from(new: NewCard) -> Self {
        let NewCard { name, phone, vcard } = new;
        Self { name, phone: phone.map(GivenNumber::into_text), vcard }
    }
}

impl From<NewMessage> for MessageWish {
    fn from(new: NewMessage) -> Self {
        let mention = |given: GivenNumber| match given.into_text() {
            text if text == EVERYBODY => MentionWish::Everybody,
            text => MentionWish::Person(text),
        };
        Self {
            to: new.to.map(GivenNumber::into_text),
            default_country: new.default_country,
            content: ContentWish {
                kind: new.kind,
                message: new.message,
                header: new.header,
                footer: new.footer,
                media_url: new.media_url,
                media_base64: new.media_base64,
                media_id: new.media_id,
                media_mime_type: new.media_mime_type,
                file_name: new.file_name,
                view_once: new.view_once,
                link_preview: new.link_preview,
                gif: new.gif,
                options: new.options,
                selectable_count: new.selectable_count,
                latitude: new.latitude,
                longitude: new.longitude,
                place_name: new.name,
                place_address: new.address,
                contacts: new.contacts.map(|cards| cards.into_iter().map(CardWish::from).collect()),
            },
            file: None,
            message_id: new.message_id,
            emoji: new.emoji,
            quoted_message_id: new.quoted_message_id,
            mentions: new.mentions.unwrap_or_default().into_iter().map(mention).collect(),
            expires_in: new.expires_in,
            typing: new.typing.and_then(Pause::wish),
            turn: None,
        }
    }
}

/// The fields of `NewMessage`, a part each, and the file as the part `file`. Texts are written as they are,
/// everything else as JSON
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what `arrival` reads part by part")]
pub struct MessageForm {
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    success: bool,
    /// WhatsApp's id of the message
    #[schema(example = "3EB0B430A8B7F6C1D2E3")]
    message_id: String,
    /// When WhatsApp took it, in seconds since the epoch
    #[schema(example = 1_708_243_200)]
    timestamp: i64,
    /// What of the request was left out: fields that nobody knows, what WhatsApp does not show. Also which fields
    /// were read under another spelling of their name
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
}

/// Send a message
///
/// Answers once WhatsApp's server has taken the message. With an `Idempotency-Key`, a repeated
/// request within 24 hours answers with the first one's message and sends nothing.
#[utoipa::path(
    operation_id = "send_message",
    post, path = "/api/whatsapp/session/{id}/send", tag = "messages",
    params(
        ("id" = String, Path, description = "Your sessionId"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 257, description = "1 to 255 visible ASCII characters, bare or in double quotes")
    ),
    request_body(content(
        (NewMessage = "application/json"),
        (MessageForm = "multipart/form-data")
    )),
    responses(
        (status = 200, description = "WhatsApp has taken the message", body = Sent, headers(
            ("Idempotency-Replayed" = Option<String>, description = "`true` on a repeated answer")
        )),
        (status = 429, description = "The daily limit is reached; it starts again at the tenant's midnight", body = ErrorBody),
        (status = 500, description = "`OUTCOME_UNKNOWN`: WhatsApp has not answered; the message keeps its id and goes on", body = ErrorBody),
        Refusals
    )
)]
pub async fn send(
    State(gateway): State<GatewayParts>,
    session: OwnSession,
    headers: HeaderMap,
    asked: Asked,
) -> Result<Response, ApiError> {
    let once = key_of(&headers).map(|key| Once { key, asked: asked.print.clone() });
    let (wish, unread) = asked.wish();
    let SentMessage { sent, left_out } = usecases::send::send(&gateway, session, wish, once).await?;
    let notices: Vec<String> = left_out
        .map(|left_out| notice_of(left_out).to_owned())
        .into_iter()
        .chain(unread.filter(|_| !sent.repeated))
        .collect();
    let notice = (!notices.is_empty()).then(|| notices.join("; "));
    let answer = Sent { success: true, message_id: sent.wa_id, timestamp: sent.at.seconds(), notice };
    Ok(answered(answer, sent.repeated))
}

/// What of a request was not sent, for the answer's `notice`.
pub fn notice_of(left_out: LeftOut) -> &'static str {
    match left_out {
        LeftOut::WordsWithAudio => {
            "WhatsApp shows no text with audio: message, header and footer were left out"
        }
    }
}

/// An answer that says whether it was given before, to a request with the same idempotency key.
pub fn answered(answer: impl Serialize, repeated: bool) -> Response {
    let mut response = Json(answer).into_response();
    if repeated {
        let replayed = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(replayed, HeaderValue::from_static("true"));
    }
    response
}

/// Bare, or quoted as the IETF draft writes it. What does not read is empty, and refused like that.
pub fn key_of(headers: &HeaderMap) -> Option<String> {
    let key = headers.get("idempotency-key")?.to_str().unwrap_or_default().trim();
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    Some(key.to_owned())
}
