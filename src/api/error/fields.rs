//! What the fields of wishes are called in this API's JSON.

use crate::usecases::field::Field;

/// `mediaUrl, mediaBase64: why`, or the reason alone where it is about no field.
pub fn told(fields: &[Field], why: &impl std::fmt::Display) -> String {
    let names: Vec<&str> = fields.iter().copied().map(name_of).collect();
    if names.is_empty() { super::sentence(why) } else { format!("{}: {why}", names.join(", ")) }
}

/// A field of a field stands behind it.
fn name_of(field: Field) -> &'static str {
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
        Field::IdempotencyKey => "Idempotency-Key",
    }
}
