//! What is refused of a webhook.

use wapid_core::id::SessionIdError;
use wapid_core::signature::{ProfileError, SecretError};
use wapid_core::store::endpoints::NewEndpointError;

use super::settings::{DESCRIPTION_MAX, HEADER_VALUE_MAX, HEADERS_MAX, NAMES_MAX};
use crate::outgoing::Refusal as UrlRefusal;
use crate::usecases::field::Field;

#[derive(Debug, thiserror::Error)]
pub enum WebhookRefusal {
    #[error("missing")]
    NoUrl,
    /// Nothing may be fetched from there.
    #[error(transparent)]
    Url(#[from] UrlRefusal),
    #[error("one line of at most {max} bytes", max = DESCRIPTION_MAX)]
    Description,
    #[error("at most {max}", max = NAMES_MAX)]
    EventCount,
    #[error("`{0}` names no event")]
    NoSuchEvent(String),
    #[error("at most {max}", max = NAMES_MAX)]
    SessionCount,
    #[error(transparent)]
    Session(SessionIdError),
    #[error("wapid, ranvedix, quixess, dualhook, vobiz, or headers of your own")]
    NoSuchProfile,
    #[error(transparent)]
    Profile(ProfileError),
    #[error("at most {max}", max = HEADERS_MAX)]
    HeaderCount,
    #[error("`{0}` is not a header's name")]
    HeaderName(String),
    #[error("the value of `{name}` must be one line of at most {max} bytes", max = HEADER_VALUE_MAX)]
    HeaderValue { name: String },
    #[error("`{0}` is ours to set")]
    HeaderIsOurs(String),
    #[error("{least} to {most}")]
    OutOfRange { field: Field, least: i64, most: i64 },
    /// Only the one-URL setting knows endpoints that sign nothing.
    #[error("must not be empty")]
    NoSecret,
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    NotMade(#[from] NewEndpointError),
    #[error("must be before the end")]
    EndsBeforeItBegins,
    #[error("another recovery of this endpoint runs; wait for it or cancel it")]
    RecoveryRuns,
}

impl WebhookRefusal {
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::NoUrl | Self::Url(_) => &[Field::Url],
            Self::Description => &[Field::Description],
            Self::EventCount | Self::NoSuchEvent(_) => &[Field::Events],
            Self::SessionCount | Self::Session(_) => &[Field::Sessions],
            Self::NoSuchProfile | Self::Profile(_) => &[Field::Profile],
            Self::HeaderCount | Self::HeaderName(_) | Self::HeaderValue { .. } | Self::HeaderIsOurs(_) => {
                &[Field::Headers]
            }
            Self::OutOfRange { field, .. } => std::slice::from_ref(field),
            Self::NoSecret | Self::Secret(_) => &[Field::Secret],
            Self::EndsBeforeItBegins => &[Field::Since],
            Self::NotMade(_) | Self::RecoveryRuns => &[],
        }
    }
}
