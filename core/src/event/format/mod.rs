//! An event in the words of an endpoint's format: the bytes that are signed and sent.
//!
//! Pure: the same event in the same format is the same bytes in every attempt. What is formatted is the event as the
//! log has it, whichever version of ours wrote it, so its data is taken as it is and not read into a struct.

use crate::endpoint::Format;
use crate::event::Event;
use crate::id::TenantId;
use crate::key::Mode;
use crate::signature::{Payload, PayloadError};

mod classic;
mod standard;

/// An event on its way to an endpoint: whose it is, and what the endpoint calls its type.
#[derive(Debug, Clone, Copy)]
pub struct Addressed<'a> {
    pub tenant: &'a TenantId,
    pub mode: Mode,
    pub word: &'a str,
    pub event: &'a Event,
}

/// # Errors
/// When the event's data is no object, or has a field `signature`.
pub fn payload(format: Format, addressed: Addressed<'_>) -> Result<Payload, PayloadError> {
    match format {
        Format::Classic => classic::payload(addressed),
        Format::Standard => standard::payload(addressed),
    }
}
