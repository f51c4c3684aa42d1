//! Why a call is not done.
//!
//! A [`Refusal`] says which rule refused, and [`Refusal::fields`] which fields of the wish are meant. Its text is a
//! fragment in plain words that reads well behind the name of its field. It knows no status, no code and no name in
//! JSON: the API adds those (`api/error/`), and a form shows the text beside its input.
//!
//! The rules of a resource have a small enum beside its functions: whoever changes a rule reads its refusal on the same
//! screen, and its enum is short enough to be matched on. Here they are gathered, with what the layers below refuse.

use std::fmt;

use wapid_core::clock::At;
use wapid_core::moment::MomentError;
use wapid_core::phone::CountryError;
use wapid_core::store::StoreError;

use super::field::Field;
use super::groups::GroupRefusal;
use super::jobs::JobRefusal;
use super::once::KEY_MAX;
use super::send::{ContentRefusal, MessageRefusal};
use super::sessions::SessionRefusal;
use super::webhooks::WebhookRefusal;
use crate::media::{Refusal as FileRefusal, Unreadable};
use crate::session::SendRefusal;

/// Something that a wish names and that is nobody's, or somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Message,
    File,
    Job,
    Webhook,
    Event,
    Recovery,
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Message => "message in the log",
            Self::File => "file",
            Self::Job => "job",
            Self::Webhook => "webhook",
            Self::Event => "event, or it is too old to be kept",
            Self::Recovery => "recovery",
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such {0}")]
    Missing(Missing),
    #[error(transparent)]
    Country(#[from] CountryError),
    #[error("1 to {} visible ASCII characters", KEY_MAX)]
    IdempotencyKey,
    #[error(transparent)]
    Content(#[from] ContentRefusal),
    #[error(transparent)]
    Message(#[from] MessageRefusal),
    #[error(transparent)]
    Session(#[from] SessionRefusal),
    #[error(transparent)]
    Job(#[from] JobRefusal),
    #[error(transparent)]
    Webhook(#[from] WebhookRefusal),
    #[error("{why}")]
    Moment {
        field: Field,
        #[source]
        why: MomentError,
    },
    /// With the time at which the tenant's next day begins, where that is known.
    #[error("all messages of the day are sent: {used} of {limit}")]
    DaySpent { limit: i64, used: i64, begins_anew: Option<At>, at: At },
    #[error(transparent)]
    Send(#[from] SendRefusal),
    #[error(transparent)]
    Group(#[from] GroupRefusal),
    #[error(transparent)]
    File(#[from] FileRefusal),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// The fields of the wish that are meant; none where it is about no field.
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Country(_) => &[Field::DefaultCountry],
            Self::IdempotencyKey => &[Field::IdempotencyKey],
            Self::Content(refusal) => refusal.fields(),
            Self::Message(refusal) => refusal.fields(),
            Self::Session(refusal) => refusal.fields(),
            Self::Job(refusal) => refusal.fields(),
            Self::Webhook(refusal) => refusal.fields(),
            Self::Group(refusal) => refusal.fields(),
            Self::Moment { field, .. } => std::slice::from_ref(field),
            Self::Missing(_)
            | Self::DaySpent { .. }
            | Self::Send(_)
            | Self::File(_)
            | Self::Unreadable(_)
            | Self::Store(_) => &[],
        }
    }
}
