//! What sandbox phones write and show.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::{Bytes, HttpBody as _};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wapid_core::phone::Recipient;
use wapid_sandbox::{MessageKind, PhoneMessage, ReceiptKind};

use super::{Number, phone};
use crate::api::Api;
use crate::api::body::{BODY_MAX, Body, read, read_json};
use crate::api::caller::Tester;
use crate::api::error::ApiError;
use crate::api::openapi::{DONE, Done, Refusals};
use crate::api::visit::OwnVisit;

/// A medium of 16 MiB in Base64, and the fields beside it.
const SEND_MAX: usize = 24 << 20;
/// Media that may be in memory at a time on their way to sandbox phones.
pub const SENDS_AT_ONCE: usize = 4;
/// How long such a request may take to arrive.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxShown {
    messages: Vec<InboxMessage>,
    /// Copies with a known id, which a phone does not show again
    redelivered: u64,
}

/// One message as the phone shows it. Reactions, votes, edits and deletions show on the message that they
/// are about. What a message does not have is left out
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxMessage {
    id: String,
    /// The address of the chat
    #[schema(example = "5511900000002@s.whatsapp.net")]
    chat: String,
    from: String,
    to: String,
    from_me: bool,
    /// `text`, `image`, `video`, `audio`, `voice`, `document`, `sticker`, `location`, `contact` or `poll`
    #[serde(rename = "type")]
    kind: String,
    /// The text, the caption, the question of a poll, the name of a place or a contact
    message: String,
    /// Of the bytes that the phone downloaded, checked and decrypted; `null` when it could not
    media_sha256: Option<String>,
    /// Seconds since the epoch
    timestamp: i64,
    mime_type: Option<String>,
    file_name: Option<String>,
    /// Bytes of the medium
    size: Option<u64>,
    seconds: Option<u32>,
    width: Option<u32>,
    height: Option<u32>,
    is_voice: Option<bool>,
    view_once: Option<bool>,
    /// Loudness over time, 0 to 100
    waveform: Option<Vec<u8>>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    name: Option<String>,
    address: Option<String>,
    contacts: Option<Vec<ContactCard>>,
    options: Option<Vec<String>>,
    selectable_count: Option<u32>,
    /// The voters of each option, by phone number
    #[schema(example = json!({"Yes": ["5511900000002"], "No": []}))]
    votes: Option<BTreeMap<String, Vec<String>>>,
    reactions: Option<Vec<ReactionShown>>,
    quoted_message_id: Option<String>,
    /// Where the quoted message is, when it is not in this chat
    quoted_chat: Option<String>,
    /// The quote shows a small picture
    quoted_has_thumbnail: Option<bool>,
    /// Phone numbers
    mentions: Option<Vec<String>>,
    forwarded: Option<bool>,
    /// After how many seconds the message disappears
    expiration: Option<u32>,
    link_preview: Option<InboxPreview>,
    edited: Option<bool>,
    deleted: Option<bool>,
    /// Of one that this phone wrote: how far it is with each reader, by phone number: `delivered`, `read` or `played`
    #[schema(example = json!({"5511900000002": "read"}))]
    receipts: Option<BTreeMap<String, String>>,
}

#[derive(Serialize, ToSchema)]
pub struct ReactionShown {
    from: String,
    #[schema(example = "👍")]
    emoji: String,
}

/// The page below a text, as the phone shows it
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InboxPreview {
    url: String,
    title: String,
    description: Option<String>,
    /// Is there a small picture?
    has_thumbnail: bool,
}

/// The page below a text, as the phone's owner writes it
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhonePreview {
    /// As it stands in the text
    #[schema(example = "https://example.com/shop")]
    url: String,
    title: String,
    description: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactCard {
    #[schema(example = "Ana")]
    name: String,
    #[schema(example = "5511900000003")]
    phone: String,
}

/// What the phone shows, oldest first
#[utoipa::path(
    operation_id = "sandbox_messages",
    get, path = "/api/sandbox/phones/{phone}/messages", tag = "sandbox",
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "What the phone shows", body = InboxShown), Refusals)
)]
pub async fn list(
    State(api): State<Api>,
    tester: Tester,
    visit: OwnVisit,
    Number(number): Number,
) -> Result<Json<wapid_sandbox::Inbox>, ApiError> {
    let number = phone(&number)?;
    visit.prepare().await?;
    Ok(Json(api.sessions.sandbox().messages(&tester.book, &number).await?))
}

/// The medium of a message, decrypted, as the phone has it
#[utoipa::path(
    operation_id = "sandbox_message_media",
    get, path = "/api/sandbox/phones/{phone}/messages/{messageId}/media", tag = "sandbox",
    params(("phone" = String, Path, description = "Its number, in digits"), ("messageId" = String, Path, description = "As the phone lists it")),
    responses(
        (status = 200, description = "The bytes", content((Vec<u8> = "application/octet-stream"), (Vec<u8> = "*/*"))),
        Refusals
    )
)]
pub async fn media(
    State(api): State<Api>,
    tester: Tester,
    Path((number, message)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let medium = api.sessions.sandbox().media(&tester.book, &phone(&number)?, &message).await?;
    let mut response = Response::new(axum::body::Body::from_stream(medium.body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, medium.size.into());
    let named = medium.mime_type.and_then(|name| HeaderValue::try_from(name).ok());
    let unnamed = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, named.unwrap_or(unnamed));
    // Somebody else's file must not be a page of ours.
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    Ok(response)
}

/// What a phone is told to send. Which fields count depends on `type`
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhoneSends {
    #[schema(example = "5511900000002")]
    to: String,
    /// `text` (the default), `image`, `video`, `audio`, `voice`, `document`, `sticker`, `location`, `contact`,
    /// `poll`; or a change to the message `messageId`: `reaction`, `edit`, `delete` (in a group also of what
    /// others wrote, by an admin), `vote`
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The text, the caption, the question of a poll, the new text of an edit
    #[serde(default)]
    message: String,
    /// The medium, at most 16 MiB
    media_base64: Option<String>,
    #[schema(example = "image/jpeg")]
    mime_type: Option<String>,
    file_name: Option<String>,
    /// How long it plays
    seconds: Option<u32>,
    /// Loudness over time, 0 to 100
    waveform: Option<Vec<u8>>,
    #[serde(default)]
    view_once: bool,
    /// Read from the picture when it is not given
    width: Option<u32>,
    height: Option<u32>,
    /// A small JPEG: of a picture, of a video, or of the page below a text
    thumbnail_base64: Option<String>,
    /// What the message says of its medium's size, in bytes; by default the truth
    media_size: Option<u64>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    name: Option<String>,
    address: Option<String>,
    #[serde(default)]
    contacts: Vec<ContactCard>,
    #[serde(default)]
    options: Vec<String>,
    /// How many options one person may choose; 1 by default, 0 for any number
    selectable_count: Option<u32>,
    /// What a reaction, an edit, a deletion or a vote is about
    message_id: Option<String>,
    /// Empty takes a reaction back
    #[schema(example = "👍")]
    emoji: Option<String>,
    /// The chosen options; none takes a vote back
    #[serde(default)]
    votes: Vec<String>,
    quoted_message_id: Option<String>,
    /// Phone numbers
    #[serde(default)]
    mentions: Vec<String>,
    #[serde(default)]
    forwarded: bool,
    /// After how many seconds the message disappears
    expiration: Option<u32>,
    /// Of a text
    link_preview: Option<PhonePreview>,
    /// In a chat of two: `pn` (the default), or `lid`, by which WhatsApp names migrated accounts, with the number
    /// beside it
    #[schema(value_type = Option<String>, example = "lid")]
    addressing: Option<wapid_sandbox::Addressing>,
    /// In a chat of two: by LID, and without the number, as WhatsApp writes for people whose number is hidden.
    /// Until a message of this phone to the same number does without
    #[serde(default)]
    hidden: bool,
}

impl PhoneSends {
    fn into_message(self) -> Result<PhoneMessage, ApiError> {
        let to = match Recipient::parse(&self.to, None)? {
            Recipient::Person(phone) => phone.digits().to_owned(),
            other => other.jid(),
        };
        let kind = self.kind.as_deref().map_or(Ok(MessageKind::Text), kind)?;
        let mentions = self.mentions.iter().map(|number| phone(number)).collect::<Result<_, _>>()?;
        let card = |ContactCard { name, phone }| wapid_sandbox::ContactCard { name, phone };
        let page =
            |PhonePreview { url, title, description }| wapid_sandbox::LinkPreview { url, title, description };
        Ok(PhoneMessage {
            to,
            kind,
            text: self.message,
            id: None,
            media: bytes("mediaBase64", self.media_base64)?,
            mime_type: self.mime_type,
            file_name: self.file_name,
            seconds: self.seconds,
            waveform: self.waveform,
            view_once: self.view_once,
            width: self.width,
            height: self.height,
            thumbnail: bytes("thumbnailBase64", self.thumbnail_base64)?,
            media_size: self.media_size,
            latitude: self.latitude,
            longitude: self.longitude,
            name: self.name,
            address: self.address,
            contacts: self.contacts.into_iter().map(card).collect(),
            options: self.options,
            selectable_count: self.selectable_count,
            message_id: self.message_id,
            emoji: self.emoji,
            votes: self.votes,
            quoted_message_id: self.quoted_message_id,
            mentions,
            forwarded: self.forwarded,
            expiration: self.expiration,
            link_preview: self.link_preview.map(page),
            addressing: self.addressing,
            hidden: self.hidden,
        })
    }
}

fn kind(name: &str) -> Result<MessageKind, ApiError> {
    let known: Result<MessageKind, serde::de::value::Error> =
        MessageKind::deserialize(name.into_deserializer());
    known.map_err(|_| {
        let kinds = "text, image, video, audio, voice, document, sticker, location, contact, poll, reaction, \
                     edit, delete or vote";
        ApiError::bad("UNSUPPORTED_TYPE", format!("type: {kinds}"))
    })
}

fn bytes(field: &str, text: Option<String>) -> Result<Option<Bytes>, ApiError> {
    let decoded = text.map(|text| BASE64.decode(text)).transpose();
    let decoded =
        decoded.map_err(|_| ApiError::bad("INVALID_REQUEST", format!("{field}: not valid Base64")))?;
    Ok(decoded.map(Bytes::from))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhoneSent {
    success: bool,
    message_id: String,
}

/// The phone's owner writes a message, or changes one
#[utoipa::path(
    operation_id = "sandbox_send",
    post, path = "/api/sandbox/phones/{phone}/messages", tag = "sandbox", request_body = PhoneSends,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "The message's id", body = PhoneSent), Refusals)
)]
pub async fn send(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
    body: axum::body::Body,
) -> Result<Json<PhoneSent>, ApiError> {
    let number = phone(&number)?;
    // What may bring a medium is in memory a few at a time.
    let is_small = body.size_hint().upper().is_some_and(|most| most <= BODY_MAX as u64);
    let turn =
        if is_small { None } else { Some(api.media_sends.wait(tester.caller.store.tenant_id()).await) };
    let arrival = tokio::time::timeout(ARRIVAL_MAX, read(body, SEND_MAX)).await;
    let message: PhoneSends = read_json(&arrival.map_err(|_| ApiError::slow_body())??)?;
    let message_id = api.sessions.sandbox().send(&tester.book, &number, message.into_message()?).await?;
    drop(turn);
    Ok(Json(PhoneSent { success: true, message_id }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seen {
    message_id: String,
}

/// The phone's owner reads a message
#[utoipa::path(
    operation_id = "sandbox_read",
    post, path = "/api/sandbox/phones/{phone}/read", tag = "sandbox", request_body = Seen,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn mark_read(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
    body: Body<Seen>,
) -> Result<Json<Done>, ApiError> {
    mark(&api, &tester, &number, &body.value.message_id, ReceiptKind::Read).await
}

/// The phone's owner plays a message
#[utoipa::path(
    operation_id = "sandbox_played",
    post, path = "/api/sandbox/phones/{phone}/played", tag = "sandbox", request_body = Seen,
    params(("phone" = String, Path, description = "Its number, in digits")), responses((status = 200, description = "It is done", body = Done), Refusals)
)]
pub async fn played(
    State(api): State<Api>,
    tester: Tester,
    Number(number): Number,
    body: Body<Seen>,
) -> Result<Json<Done>, ApiError> {
    mark(&api, &tester, &number, &body.value.message_id, ReceiptKind::Played).await
}

async fn mark(
    api: &Api,
    tester: &Tester,
    number: &str,
    message_id: &str,
    kind: ReceiptKind,
) -> Result<Json<Done>, ApiError> {
    api.sessions.sandbox().mark(&tester.book, &phone(number)?, message_id, kind).await?;
    Ok(DONE)
}
