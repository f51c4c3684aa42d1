//! Times in bodies and queries, as JSON and as a parameter have them. What they mean is for `usecases/moments`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Unexpected, Visitor};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use wapid_core::moment::Moment;
use wapid_core::store::TenantStore;

use super::error::ApiError;
use crate::usecases::moments::WrittenMoment;

/// What the parameter `name` of a query says, by the tenant's clock.
///
/// # Errors
/// `INVALID_PARAMETER` with what a moment looks like.
pub async fn of_parameter(name: &str, text: &str, store: &TenantStore) -> Result<Moment, ApiError> {
    let read = Moment::parse(text, &store.time_zone().await?);
    read.map_err(|problem| ApiError::parameter(format!("{name}: {problem}")))
}

impl<'de> Deserialize<'de> for WrittenMoment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl Visitor<'_> for Either {
    type Value = WrittenMoment;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a time such as 2026-03-08T10:30:00Z, or milliseconds since the epoch")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<WrittenMoment, E> {
        Ok(WrittenMoment::Text(text.to_owned()))
    }

    fn visit_i64<E: serde::de::Error>(self, ms: i64) -> Result<WrittenMoment, E> {
        Ok(WrittenMoment::Milliseconds(ms))
    }

    fn visit_u64<E: serde::de::Error>(self, ms: u64) -> Result<WrittenMoment, E> {
        let ms = i64::try_from(ms).map_err(|_| E::invalid_value(Unexpected::Unsigned(ms), &self))?;
        Ok(WrittenMoment::Milliseconds(ms))
    }
}

impl PartialSchema for WrittenMoment {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).examples(["2026-03-08T10:30:00Z"]);
        let number =
            ObjectBuilder::new().schema_type(Type::Integer).description(Some("Milliseconds since the epoch"));
        let either = AnyOfBuilder::new().item(text).item(number).description(Some(
            "A time (ISO 8601; without an offset it goes by the tenant's clock), a day, or milliseconds since the epoch",
        ));
        Schema::AnyOf(either.build()).into()
    }
}

impl ToSchema for WrittenMoment {
    fn name() -> Cow<'static, str> {
        "Moment".into()
    }
}
