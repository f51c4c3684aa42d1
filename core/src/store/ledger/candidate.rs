//! An intent between being asked and being a row.

use super::vocabulary::Intent;
use crate::clock::At;
use crate::id::MessageKey;

/// An intent on its way to a row.
pub(super) struct Candidate<'a> {
    pub place: usize,
    pub intent: &'a Intent,
    pub key: MessageKey,
    pub created_at: At,
    pub day: String,
    pub daily_limit: Option<i64>,
    pub session_limit: Option<i64>,
    pub opt_out_all: bool,
}

pub(super) type Account<'a> = (&'a str, &'static str);

impl Candidate<'_> {
    /// Whose quota it takes.
    pub(super) fn account(&self) -> Account<'_> {
        (self.intent.owner.tenant.as_str(), self.intent.owner.mode.as_str())
    }
}
