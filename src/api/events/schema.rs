//! What events look like, for `openapi.json`. Written by `wapid_core`; a test holds what happens to it.

#![expect(dead_code, reason = "read by utoipa only")]

use serde::Serialize;
use utoipa::openapi::schema::{
    AnyOfBuilder, Discriminator, Object, ObjectBuilder, OneOfBuilder, Schema, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use wapid_core::event::Kind;

/// Every type of event
pub struct EventType;

impl PartialSchema for EventType {
    fn schema() -> RefOr<Schema> {
        let names = Kind::ALL.iter().map(|kind| kind.as_str());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl ToSchema for EventType {}

/// Something that happened, in this shape everywhere: in the log, in streams, and in webhooks of the format
/// `standard`, which have `tenantId` and `mode` besides. Its `type` says what `data` is.
pub struct Event;

/// What all events have in common.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct Envelope {
    /// Stable: the same in every attempt, replay and stream. By it you know what you have
    #[schema(example = "evt_01jdg3…")]
    id: String,
    /// Of the shape of `data`; 1. New fields may come without a new version
    version: i64,
    /// In the log of this tenant and mode: one more with each event, without gaps
    position: i64,
    /// Absent for what is of no session
    session_id: Option<String>,
    /// Within the session: one more with each of its events, without gaps
    sequence: Option<i64>,
    #[schema(example = "2026-03-08T10:30:00.000Z")]
    occurred_at: String,
}

/// Events whose `data` has the same shape.
struct Family {
    /// In `openapi.json`.
    name: &'static str,
    kinds: Vec<Kind>,
    data: fn() -> (String, RefOr<Schema>),
    parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Family {
    /// The types `names` (whole, or up to a `*`), with `data` as `D` has it.
    fn of<D: ToSchema>(name: &'static str, names: &[&str]) -> Self {
        let is_named = |kind: &Kind| {
            names.iter().any(|one| match one.strip_suffix('*') {
                Some(family) => kind.as_str().starts_with(family),
                None => *one == kind.as_str(),
            })
        };
        let kinds = Kind::ALL.iter().copied().filter(is_named).collect();
        Self { name, kinds, data: || (D::name().into_owned(), D::schema()), parts: D::schemas }
    }

    fn all() -> Vec<Self> {
        let changes = ["message.reaction", "message.edited", "message.deleted", "message.vote"];
        let outgoing =
            ["message.sent", "message.delivered", "message.read", "message.played", "message.failed"];
        vec![
            Self::of::<SessionEvent>("SessionHappened", &["session.*"]),
            Self::of::<ReceivedEvent>("MessageReceived", &["message.received"]),
            Self::of::<MessageEvent>("MessageAdvanced", &outgoing),
            Self::of::<ChangeEvent>("MessageChanged", &changes),
            Self::of::<MediaEvent>("MediaHappened", &["media.*"]),
            Self::of::<GroupEvent>("GroupHappened", &["group.*"]),
            Self::of::<JobEvent>("JobHappened", &["job.*"]),
            Self::of::<OptOutEvent>("OptOutHappened", &["optout.*"]),
            Self::of::<PresenceEvent>("PresenceUpdated", &["presence.*"]),
            Self::of::<TypingEvent>("ChatTyping", &["chat.*"]),
            Self::of::<CallEvent>("CallReceived", &["call.*"]),
            Self::of::<EndpointEvent>("EndpointHappened", &["endpoint.*"]),
        ]
    }

    fn schema(&self) -> Schema {
        let mut envelope = envelope();
        let names = self.kinds.iter().map(|kind| kind.as_str());
        let names = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        envelope.properties.insert("type".to_owned(), names.into());
        let (data, _) = (self.data)();
        envelope.properties.insert("data".to_owned(), Ref::from_schema_name(data).into());
        envelope.required.extend(["type".to_owned(), "data".to_owned()]);
        envelope.description = None;
        Schema::Object(envelope)
    }
}

/// An event as an endpoint of the format `standard` is sent it: with whose it is. Generators that put types together
/// from parts take no choice as one, so its `data` is any of the shapes.
pub fn sent_event() -> Object {
    let mut sent = envelope();
    let test = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["test"]));
    let event_type = Ref::from_schema_name(EventType::name());
    let either = AnyOfBuilder::new().item(event_type).item(test);
    sent.properties.insert("type".to_owned(), Schema::AnyOf(either.build()).into());
    let shapes = Family::all()
        .into_iter()
        .fold(AnyOfBuilder::new(), |shapes, family| shapes.item(Ref::from_schema_name((family.data)().0)));
    let test = ObjectBuilder::new().schema_type(Type::Object).description(Some("Of a test"));
    sent.properties.insert("data".to_owned(), Schema::AnyOf(shapes.item(test).build()).into());
    sent.required.extend(["type".to_owned(), "data".to_owned()]);
    sent
}

fn envelope() -> Object {
    let RefOr::T(Schema::Object(envelope)) = Envelope::schema() else {
        unreachable!("a struct with named fields is an object")
    };
    envelope
}

impl PartialSchema for Event {
    fn schema() -> RefOr<Schema> {
        let families = Family::all();
        let mapping = families.iter().flat_map(|family| {
            let leads_to = Ref::from_schema_name(family.name).ref_location;
            family.kinds.iter().map(move |kind| (kind.as_str().to_owned(), leads_to.clone()))
        });
        let by_type = Discriminator::with_mapping("type", mapping);
        let description = "Something that happened, in this shape everywhere: in the log, in streams, and in webhooks \
                           of the format `standard`, which have `tenantId` and `mode` besides. Its `type` says what \
                           `data` is";
        let mut one_of = OneOfBuilder::new().discriminator(Some(by_type)).description(Some(description));
        for family in &families {
            one_of = one_of.item(Ref::from_schema_name(family.name));
        }
        Schema::OneOf(one_of.build()).into()
    }
}

impl ToSchema for Event {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((EventType::name().into_owned(), EventType::schema()));
        for family in Family::all() {
            schemas.push((family.name.to_owned(), family.schema().into()));
            schemas.push((family.data)());
            (family.parts)(schemas);
        }
    }
}

/// `session.*`: where a session stands now
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEvent {
    session_id: String,
    status: String,
    /// Why, as in the session's status
    reason: Option<String>,
    /// The linked number, where known
    phone_number: Option<String>,
    /// With the reason `other_number`: the number that the session belongs to
    expected_phone_number: Option<String>,
    /// With the reason `removed`: WhatsApp was told. When false, remove the device on the phone
    logged_out: Option<bool>,
    /// Unix milliseconds
    since: i64,
}

/// `message.received`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedEvent {
    /// WhatsApp's
    message_id: String,
    /// Ours, of the message log
    key: String,
    /// The chat's JID
    chat: String,
    /// Who wrote it: `919876543210@s.whatsapp.net`, or another JID where the number is hidden
    from: String,
    /// Who wrote it, where the number is known
    phone: Option<String>,
    /// WhatsApp's hidden id of who wrote it, where known
    lid: Option<String>,
    /// The same person's for ever, whichever of the two is known
    #[schema(example = "con_01jdg3…")]
    contact_id: Option<String>,
    sender_name: Option<String>,
    r#type: String,
    /// Text, caption, question, or the name of a place or person
    body: String,
    is_group: bool,
    has_media: bool,
    /// Unix seconds, by WhatsApp
    timestamp: i64,
    /// A group's subject, where known
    chat_name: Option<String>,
    /// What is known of its file; `media.stored` follows once it is fetched
    media: Option<MediaShown>,
    media_id: Option<String>,
    view_once: Option<bool>,
    poll: Option<PollShown>,
    location: Option<PlaceShown>,
    contacts: Option<Vec<CardShown>>,
    quoted: Option<QuotedShown>,
    /// JIDs of people it mentions: by the number where it is known, by the LID otherwise. The text names them as its
    /// writer's app does: in groups mostly by `@` and the LID
    mentions: Option<Vec<String>>,
    /// It mentions this number, by the number or by its LID
    mentioned_me: Option<bool>,
    forwarded: Option<bool>,
    /// How often it was forwarded before
    forwarded_times: Option<u32>,
    /// In a disappearing chat: seconds until it is gone
    expires_in: Option<u32>,
    /// It was longer than 65,536 characters, and its end is not here
    truncated: Option<bool>,
    /// Why nothing else of it is here: `not_storable`
    unreadable: Option<String>,
    link_preview: Option<LinkPreviewShown>,
    /// What it said was erased on somebody's request, and only the fact is left
    erased: Option<bool>,
}

/// What a message of the log says beside its text, by its type
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageDetails {
    media_id: Option<String>,
    view_once: Option<bool>,
    poll: Option<PollShown>,
    location: Option<PlaceShown>,
    contacts: Option<Vec<CardShown>>,
    /// Of a reaction; empty where it was taken back
    emoji: Option<String>,
    /// Of a vote: all that this person chooses
    votes: Option<Vec<String>>,
    /// Deleted by an admin of the group
    by_admin: Option<bool>,
    /// Of a reaction, a vote, an edit or a delete: the message that it changes
    target_id: Option<String>,
    target_from_me: Option<bool>,
    quoted: Option<QuotedShown>,
    /// JIDs of people it mentions
    mentions: Option<Vec<String>>,
    /// It mentions this number, by the number or by its LID
    mentioned_me: Option<bool>,
    forwarded: Option<bool>,
    /// How often it was forwarded before
    forwarded_times: Option<u32>,
    /// In a disappearing chat: seconds until it is gone
    expires_in: Option<u32>,
    /// It was longer than 65,536 characters, and its end is not here
    truncated: Option<bool>,
    /// Why nothing else of it is here: `not_storable`
    unreadable: Option<String>,
    link_preview: Option<LinkPreviewShown>,
}

/// `message.reaction`, `.edited`, `.deleted`, `.vote`: of a message in either direction
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeEvent {
    /// Of the change itself
    message_id: String,
    key: String,
    /// The message that was changed
    target_id: String,
    /// Did this number write it?
    target_from_me: bool,
    /// `out` where the change was made on this number's own phone
    direction: Option<String>,
    chat: String,
    from: String,
    phone: Option<String>,
    lid: Option<String>,
    contact_id: Option<String>,
    sender_name: Option<String>,
    chat_name: Option<String>,
    r#type: String,
    /// The emoji, the new words, or the answers
    body: String,
    is_group: bool,
    has_media: bool,
    timestamp: i64,
    /// Of a reaction; empty where it was taken back
    emoji: Option<String>,
    /// Of a vote: all that this person chooses now
    votes: Option<Vec<String>>,
    /// Deleted by an admin of the group
    by_admin: Option<bool>,
    /// `phone` where the change was made on this number's own phone
    origin: Option<String>,
    quoted: Option<QuotedShown>,
    mentions: Option<Vec<String>>,
    mentioned_me: Option<bool>,
    truncated: Option<bool>,
    /// Why nothing else of it is here: `not_storable`
    unreadable: Option<String>,
    /// What it said was erased on somebody's request, and only the fact is left
    erased: Option<bool>,
}

/// `media.stored`, `media.failed`: what became of the file of a message that arrived
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaEvent {
    media_id: String,
    message_id: String,
    chat: String,
    r#type: String,
    mime_type: Option<String>,
    file_name: Option<String>,
    size: Option<i64>,
    /// In hex
    sha256: Option<String>,
    /// With `media.failed`: `gone`, `unreachable`, `broken`, `too_large`, `storage_full`, or `larger_than_said`: it is
    /// larger than its sender says and than what is fetched unasked, so it waits until its content is asked for
    error: Option<String>,
}

/// What is known of a file before it is fetched
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MediaShown {
    id: String,
    mime_type: String,
    file_name: Option<String>,
    size: Option<i64>,
    seconds: Option<i64>,
    width: Option<i64>,
    height: Option<i64>,
}

/// A poll's answers
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PollShown {
    options: Vec<String>,
    /// How many one may choose; 0 is any number
    selectable_count: u32,
}

/// A place
#[derive(Serialize, ToSchema)]
pub struct PlaceShown {
    latitude: f64,
    longitude: f64,
    name: Option<String>,
    address: Option<String>,
    /// It moves while it is shared; this is where it began
    live: Option<bool>,
}

/// A contact card
#[derive(Serialize, ToSchema)]
pub struct CardShown {
    name: String,
    phones: Vec<String>,
    vcard: String,
}

/// The page below a text, as its writer's app read it
#[derive(Serialize, ToSchema)]
pub struct LinkPreviewShown {
    /// As it stands in the text
    #[schema(example = "https://example.com/shop")]
    url: String,
    title: String,
    description: Option<String>,
}

/// The message that one answers
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotedShown {
    message_id: String,
    from: Option<String>,
    r#type: String,
    body: String,
    /// The chat it is in, where that is another one: a group that is answered in private, or `status@broadcast`
    chat: Option<String>,
    /// It is a status of this number
    is_status: Option<bool>,
}

/// `message.sent`, `.delivered`, `.read`, `.played`, `.failed`: of one that this session sent, from here or
/// from its phone. A status only advances, and may be skipped: what was delivered was sent
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageEvent {
    message_id: String,
    key: String,
    /// `out`
    direction: String,
    chat: String,
    /// Who brought it here: `api` or `phone`, the owner's own phone or another device of it
    origin: String,
    /// The other party, where known
    phone: Option<String>,
    lid: Option<String>,
    contact_id: Option<String>,
    r#type: String,
    status: String,
    /// With `message.sent` of one that was written on the phone, as are the rest of its fields, which are those of
    /// `message.received`. One that was sent from here does not repeat its text, which may be a code for one person's
    /// eyes; `GET /api/whatsapp/messages/{key}` has it
    body: Option<String>,
    /// This number's own JID
    from: Option<String>,
    sender_name: Option<String>,
    is_group: Option<bool>,
    has_media: Option<bool>,
    timestamp: Option<i64>,
    /// Of an edit, a delete or a reaction: the message that it changes
    target_id: Option<String>,
    target_from_me: Option<bool>,
    chat_name: Option<String>,
    media: Option<MediaShown>,
    media_id: Option<String>,
    view_once: Option<bool>,
    poll: Option<PollShown>,
    location: Option<PlaceShown>,
    contacts: Option<Vec<CardShown>>,
    quoted: Option<QuotedShown>,
    mentions: Option<Vec<String>>,
    forwarded: Option<bool>,
    forwarded_times: Option<u32>,
    expires_in: Option<u32>,
    truncated: Option<bool>,
    /// Why nothing else of it is here: `not_storable`
    unreadable: Option<String>,
    link_preview: Option<LinkPreviewShown>,
    /// Of a bulk job's
    job_id: Option<String>,
    /// With `message.failed`
    error: Option<MessageError>,
    /// What it said was erased on somebody's request, and only the fact is left
    erased: Option<bool>,
}

/// Why a message failed
#[derive(Serialize, ToSchema)]
pub struct MessageError {
    /// Stable
    code: Option<String>,
    message: Option<String>,
}

/// `group.joined`, `group.left`: of the session's own number. `group.participants`: of others.
/// `group.updated`: one of subject, description and settings
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupEvent {
    #[schema(example = "120363041234567890@g.us")]
    group_id: String,
    /// What it is called now, where known
    subject: Option<String>,
    /// Who did it, where WhatsApp says
    by: Option<GroupPerson>,
    /// Unix seconds, by WhatsApp
    timestamp: i64,
    /// With `joined`: `created`, `added` or `invite`; with `left`: `left`, `removed` or `ended`
    reason: Option<String>,
    /// With `participants`: `add`, `remove`, `leave`, `promote` or `demote`
    action: Option<String>,
    /// With `participants`
    participants: Option<Vec<GroupPerson>>,
    /// With `updated`
    changed: Option<GroupChange>,
}

/// A person, by number and by WhatsApp's hidden id, where known
#[derive(Serialize, ToSchema)]
pub struct GroupPerson {
    phone: Option<String>,
    lid: Option<String>,
}

/// What it is from here on; one of these
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupChange {
    subject: Option<String>,
    /// Null for one that was taken away
    description: Option<String>,
    announce: Option<bool>,
    locked: Option<bool>,
    ephemeral_seconds: Option<u32>,
}

/// `job.*`: where a bulk job stands now
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobEvent {
    job_id: String,
    session_id: String,
    state: String,
    total: i64,
    succeeded: i64,
    failed: i64,
    skipped: i64,
    processed: i64,
    /// With `job.failed`
    reason: Option<String>,
    /// With `job.resumed` by `retry-failed`: how many are tried again
    retried: Option<i64>,
}

/// `optout.added`, `optout.removed`
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptOutEvent {
    phone: String,
    lid: Option<String>,
    contact_id: Option<String>,
    /// `api`, or `message` for somebody who said so
    source: String,
    message_id: Option<String>,
}

/// `presence.updated`: somebody whom a session follows came or went. Changes of the same instant may come in either
/// order. Only with `presenceEvents` in the settings
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceEvent {
    phone: Option<String>,
    lid: Option<String>,
    contact_id: Option<String>,
    /// `available` or `unavailable`
    state: String,
    /// Of somebody who went, and shows it
    last_seen: Option<String>,
}

/// `chat.typing`: somebody types, records or stopped; who says nothing more for 25 seconds has stopped too, without
/// an event. Changes of the same instant may come in either order. Only with `presenceEvents` in the settings
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypingEvent {
    /// The chat's id
    chat: String,
    phone: Option<String>,
    lid: Option<String>,
    contact_id: Option<String>,
    /// `composing`, `recording` or `paused`
    state: String,
    is_group: bool,
}

/// `call.received`: somebody rings, and the phone with it; nobody can answer here
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallEvent {
    call_id: String,
    /// The caller's JID
    from: String,
    phone: Option<String>,
    lid: Option<String>,
    contact_id: Option<String>,
    is_video: bool,
    is_group: bool,
    /// The group's JID
    group: Option<String>,
    /// It rang while the session was away
    missed: bool,
    /// Unix seconds, by WhatsApp
    timestamp: i64,
}

/// `endpoint.*`: of another endpoint than the one that is told. `failing`: it failed ten times in a row and
/// gets one try at a time; `recovered`; `disabled` with a reason; `enabled`; `exhausted`: an event was given up
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointEvent {
    endpoint_id: String,
    /// With `disabled`: `owner`, `gone` or `failing`
    reason: Option<String>,
    /// With `exhausted`
    event_id: Option<String>,
    attempts: Option<i64>,
    last_attempt: Option<LastAttempt>,
}

/// What came of the last try
#[derive(Serialize, ToSchema)]
pub struct LastAttempt {
    status: Option<i64>,
    error: Option<String>,
}
