//! What a request for a job wishes, in the words of use cases.

use serde::Deserialize as _;
use serde_json::Value;
use wapid_core::moment::MomentError;

use super::arrival::Asked;
use super::{NewBulk, NewVariant};
use crate::api::error::ApiError;
use crate::recipients::ListOptions;
use crate::usecases::field::Field;
use crate::usecases::jobs::{JobWish, VariantWish};
use crate::usecases::moments::WrittenMoment;
use crate::usecases::refusal::Refusal;
use crate::usecases::send::{CardWish, ContentWish};

impl Asked {
    /// # Errors
    /// For a time that is neither a text nor a number.
    pub fn wish(self) -> Result<JobWish, ApiError> {
        let Self { mut new, file, turn, .. } = self;
        Ok(JobWish {
            content: content_of(&mut new),
            options: options_of(&mut new),
            recipients: new.recipients,
            file,
            default_country: new.default_country,
            variants: new.variants.map(|all| all.into_iter().map(VariantWish::from).collect()),
            delay_min: new.delay_min,
            delay_max: new.delay_max,
            name: new.name,
            schedule_at: moment_of(new.schedule_at)?,
            windows: new.windows,
            check_numbers: new.check_numbers,
            turn,
        })
    }
}

fn moment_of(value: Option<Value>) -> Result<Option<WrittenMoment>, ApiError> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let refused = Refusal::Moment { field: Field::ScheduleAt, why: MomentError::NotAMoment };
    WrittenMoment::deserialize(value).map(Some).map_err(|_| refused.into())
}

/// What its messages say, taken out of it.
fn content_of(new: &mut NewBulk) -> ContentWish {
    ContentWish {
        kind: new.kind.take(),
        message: new.message.take(),
        header: new.header.take(),
        footer: new.footer.take(),
        media_url: new.media_url.take(),
        media_base64: new.media_base64.take(),
        media_id: new.media_id.take(),
        media_mime_type: new.media_mime_type.take(),
        file_name: new.file_name.take(),
        view_once: new.view_once,
        link_preview: new.link_preview,
        gif: new.gif,
        options: new.options.take(),
        selectable_count: new.selectable_count,
        latitude: new.latitude,
        longitude: new.longitude,
        place_name: new.place_name.take(),
        place_address: new.address.take(),
        contacts: new.contacts.take().map(|cards| cards.into_iter().map(CardWish::from).collect()),
    }
}

/// What it says of its list, taken out of it. A form sends what nobody filled in as well.
fn options_of(new: &mut NewBulk) -> ListOptions {
    let filled = |text: &mut Option<String>| text.take().filter(|text| !text.trim().is_empty());
    ListOptions {
        phone_column: filled(&mut new.phone_column),
        name_column: filled(&mut new.name_column),
        sheet: filled(&mut new.sheet),
        encoding: filled(&mut new.encoding),
        include_hidden: new.include_hidden.unwrap_or(false),
    }
}

impl From<NewVariant> for VariantWish {
    fn from(new: NewVariant) -> Self {
        let NewVariant { message, header, footer, label, weight } = new;
        Self { message, header, footer, label, weight }
    }
}
