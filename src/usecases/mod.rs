//! What a caller can do: the rules of every call, whichever front it came through.
//!
//! A use case is a function. It takes the [`GatewayParts`] it works with, who calls (a [`Caller`], or an
//! [`OwnSession`] of theirs) and a wish; it gives an answer, or a [`Refusal`]: which rule refused, and which fields of
//! the wish are meant. Here is what is required, what is assumed, what goes together and how much is too much.
//!
//! How a request looks, what its fields are called and which status a refusal has is the business of fronts. They
//! parse, call one function and shape what it gives.
//!
//! [`Caller`]: crate::caller::Caller
//! [`OwnSession`]: crate::caller::OwnSession
//!
//! | file | what |
//! |---|---|
//! | `refusal` | why a call is not done |
//! | `field` | the fields of wishes, as refusals name them |
//! | `home` | the country of numbers that are written without its code |
//! | `moments` | times, by the tenant's clock |
//! | `once` | a call that may be repeated, and is done once |
//! | `send/` | one message: what it says, and the messages that it names |
//! | `jobs/` | bulk jobs: new ones, and what their owners want of them |
//! | `webhooks/` | endpoints of a tenant, and what they missed |
//! | `groups` | groups of a session's number |
//! | `sessions` | a number is linked, or brought back up |

use crate::delivery::Deliveries;
use crate::media::Media;
use crate::session::Sessions;

pub mod field;
pub mod groups;
pub mod home;
pub mod jobs;
pub mod moments;
pub mod once;
pub mod refusal;
pub mod send;
pub mod sessions;
pub mod webhooks;

/// The running parts of the gateway that calls work with. Cheap to clone.
#[derive(Clone)]
pub struct GatewayParts {
    pub sessions: Sessions,
    pub deliveries: Deliveries,
    pub media: Media,
}
