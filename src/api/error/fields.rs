//! What the fields of wishes are called in this API's JSON.

use crate::usecases::field::Field;
use crate::usecases::jobs::TextPlace;

/// `mediaUrl, mediaBase64: why`, or the reason alone where it is about no field.
pub fn told(fields: &[Field], why: &impl std::fmt::Display) -> String {
    let names: Vec<&str> = fields.iter().copied().map(name_of).collect();
    if names.is_empty() { super::sentence(why) } else { format!("{}: {why}", names.join(", ")) }
}

/// `variant B: message`
pub fn place_of(place: &TextPlace) -> String {
    let name = name_of(place.field);
    place.variant.as_ref().map_or_else(|| name.to_owned(), |label| format!("variant {label}: {name}"))
}

/// A field of a field stands behind it.
pub fn name_of(field: Field) -> &'static str {
    match field {
        Field::To => "to",
        Field::DefaultCountry => "defaultCountry",
        Field::Message => "message",
        Field::Header => "header",
        Field::Footer => "footer",
        Field::Kind => "type",
        Field::MediaUrl => "mediaUrl",
        Field::MediaBase64 => "mediaBase64",
        Field::MediaId => "mediaId",
        Field::File => "file",
        Field::FileName => "fileName",
        Field::ViewOnce => "viewOnce",
        Field::LinkPreview => "linkPreview",
        Field::Gif => "gif",
        Field::Options => "options",
        Field::SelectableCount => "selectableCount",
        Field::Latitude => "latitude",
        Field::Longitude => "longitude",
        // A job calls it `placeName`, and is told this all the same.
        Field::PlaceName => "name",
        Field::PlaceAddress => "address",
        Field::Contacts => "contacts",
        Field::ContactName => "contacts: name",
        Field::ContactPhone => "contacts: phone",
        Field::ContactVcard => "contacts: vcard",
        Field::MessageId => "messageId",
        Field::Emoji => "emoji",
        Field::QuotedMessageId => "quotedMessageId",
        Field::Mentions => "mentions",
        Field::ExpiresIn => "expiresIn",
        Field::Typing => "typing",
        Field::Recipients => "recipients",
        Field::JobName => "name",
        Field::Variants => "variants",
        Field::VariantWeight => "variants: weight",
        Field::DelayMin => "delayMin",
        Field::DelayMax => "delayMax",
        Field::ScheduleAt => "scheduleAt",
        Field::Windows => "windows",
        Field::SessionId => "sessionId",
        Field::SessionName => "name",
        Field::PhoneNumber => "phoneNumber",
        Field::DeviceName => "deviceName",
        Field::Proxy => "proxy",
        Field::Url => "url",
        Field::Description => "description",
        Field::Events => "events",
        Field::Sessions => "sessions",
        Field::Profile => "profile",
        Field::Headers => "headers",
        Field::Secret => "secret",
        Field::Concurrency => "concurrency",
        Field::MaxAttempts => "maxAttempts",
        Field::TimeoutMs => "timeoutMs",
        Field::GraceHours => "graceHours",
        Field::Subject => "subject",
        Field::Announce => "announce",
        Field::Locked => "locked",
        Field::EphemeralSeconds => "ephemeralSeconds",
        Field::Action => "action",
        Field::Participants => "participants",
        Field::InviteLink => "link",
        Field::Since => "since",
        Field::Until => "until",
        Field::IdempotencyKey => "Idempotency-Key",
    }
}
