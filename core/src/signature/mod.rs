//! What a webhook request carries so that its receiver knows it is ours. Pure: an event in, bytes out.
//!
//! Three schemes at once, so that a receiver takes the one it can:
//!
//! | where | what is signed | who verifies it |
//! |---|---|---|
//! | `webhook-id`, `webhook-timestamp`, `webhook-signature` | `id.timestamp.body`, with every valid secret | the libraries of Standard Webhooks; replays are noticed |
//! | a header of the endpoint's [`Profile`] | the body as sent, or `timestamp.body` | one line in any language |
//! | the field `signature`, last in the body | the body without it | seed 001's contract |
//!
//! | file | what |
//! |---|---|
//! | `secret` | the key, as its owner writes it |
//! | `payload` | the JSON that is signed, in the one spelling that every language writes again |
//! | `profile` | the headers of an endpoint |
//! | `sign` | body and headers of a request |

mod payload;
mod profile;
mod secret;
mod sign;

pub use payload::{Payload, PayloadError};
pub use profile::{Profile, ProfileError, Signs};
pub use secret::{Secret, SecretError};
pub use sign::{Delivery, Signed, sign};
