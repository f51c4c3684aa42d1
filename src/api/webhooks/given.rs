//! What an owner says of an endpoint.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};
use wapid_core::endpoint::Format;
use wapid_core::signature::Profile;

use crate::usecases::webhooks::{ProfileWish, RotationWish, WebhookWish};

/// An endpoint to be made or changed. What is left out or `null` takes its default, or stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewWebhook)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object with url")]
pub struct Given {
    /// https in live mode
    #[schema(example = "https://example.com/hooks/whatsapp")]
    url: Option<String>,
    /// For people, up to 200 bytes
    description: Option<String>,
    /// `standard` or `classic`, which is the shape of the first endpoint: `{tenantId, event, sessionId, timestamp,
    /// data, signature}`
    #[schema(value_type = Option<String>, example = "standard")]
    format: Option<Format>,
    /// Which events: `message.received`, `message.*`, `*`. `[]`: all of the format's; for the classic one these
    /// are `message`, `qr`, `ready` and `disconnected`
    #[schema(example = json!(["message.*", "session.disconnected"]))]
    events: Option<Vec<String>>,
    /// Only of these sessions; `[]`: of all, and what is of none
    sessions: Option<Vec<String>>,
    /// Headers that the receiver knows: the name of a profile (`wapid`, `ranvedix`, `quixess`, `dualhook`,
    /// `vobiz`) or one of your own. The headers of Standard Webhooks come beside them
    profile: Option<GivenProfile>,
    /// Sent with every request, up to 20; replaces those of before. Stored sealed, never shown again
    headers: Option<BTreeMap<String, String>>,
    /// 16 to 256 bytes. `whsec_…` signs with the bytes that its base64 says, any other with its UTF-8 bytes
    secret: Option<String>,
    /// Requests at the same time, 1 to 64; 8 by default
    concurrency: Option<u16>,
    /// One at a time, in the order of the log: an event waits until the one before it was taken or given up
    ordered: Option<bool>,
    /// Attempts before an event is given up, 1 to 11; 11 by default
    max_attempts: Option<u32>,
    /// For one attempt, 1,000 to 30,000; 15,000 by default
    timeout_ms: Option<i64>,
}

enum GivenProfile {
    Named(String),
    Own(Profile),
}

impl<'de> Deserialize<'de> for GivenProfile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = GivenProfile;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("the name of a profile, or an object with signatureHeader")
            }

            fn visit_str<E>(self, name: &str) -> Result<GivenProfile, E> {
                Ok(GivenProfile::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<GivenProfile, A::Error> {
                Profile::deserialize(MapAccessDeserializer::new(map)).map(GivenProfile::Own)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl PartialSchema for GivenProfile {
    fn schema() -> RefOr<Schema> {
        let named = ObjectBuilder::new().schema_type(Type::String).examples(["wapid"]);
        let own = Ref::from_schema_name(HeaderProfile::name());
        Schema::AnyOf(AnyOfBuilder::new().item(named).item(own).build()).into()
    }
}

impl ToSchema for GivenProfile {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HeaderProfile::name().into_owned(), HeaderProfile::schema()));
    }
}

/// Headers of your own that say the signature and what is signed
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes `Profile`")]
pub struct HeaderProfile {
    #[schema(example = "X-Signature")]
    signature_header: String,
    /// Before the hexadecimal digits: `sha256=`, or nothing
    prefix: Option<String>,
    /// What is signed: `body` (default), or `timestampAndBody`, with a dot between
    signs: Option<String>,
    /// Gets the Unix seconds of the attempt
    timestamp_header: Option<String>,
    event_header: Option<String>,
    id_header: Option<String>,
    /// Puts a field `signature` into the body
    signature_in_body: Option<bool>,
}

/// A new secret, and how long the old one stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotation {
    /// Made where it is left out; of 16 to 256 bytes
    secret: Option<String>,
    /// Hours in which the old one signs as well, 0 to 168; 24 by default
    grace_hours: Option<u32>,
}

impl From<Given> for WebhookWish {
    fn from(given: Given) -> Self {
        Self {
            url: given.url,
            description: given.description,
            format: given.format,
            events: given.events,
            sessions: given.sessions,
            profile: given.profile.map(|profile| match profile {
                GivenProfile::Named(name) => ProfileWish::Named(name),
                GivenProfile::Own(profile) => ProfileWish::Own(profile),
            }),
            headers: given.headers,
            secret: given.secret,
            concurrency: given.concurrency,
            ordered: given.ordered,
            max_attempts: given.max_attempts,
            timeout_ms: given.timeout_ms,
        }
    }
}

impl From<Rotation> for RotationWish {
    fn from(Rotation { secret, grace_hours }: Rotation) -> Self {
        Self { secret, grace_hours }
    }
}
