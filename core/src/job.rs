//! A bulk job: one content, many recipients.

use serde::{Deserialize, Serialize};

use crate::clock::At;
use crate::content::Content;
use crate::pacing::{Delay, Windows};

/// The most recipients in one job.
pub const RECIPIENTS_MAX: usize = 100_000;
/// The most variants in one job.
pub const VARIANTS_MAX: usize = 26;
/// How often a recipient is tried whom WhatsApp refuses to let us write to, while it takes what is for
/// others; and one to whom our side could not send.
pub const BLOCKED_TRIES: i64 = 3;
/// How often where it takes nothing at all since it refused: then that is about the number that writes.
/// The waits between tries double up to a day, so these are more than a week.
pub const STRICKEN_TRIES: i64 = 12;

/// A job's name: 24 hex digits, as seed 001 shows it. The first 12 are the milliseconds of its making,
/// so that jobs sort by creation; the others are random.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct JobId(String);

impl JobId {
    pub fn new(now: At) -> Self {
        let random = rand::random::<u64>() & 0xffff_ffff_ffff;
        Self(format!("{:012x}{random:012x}", now.0.clamp(0, 0xffff_ffff_ffff)))
    }

    /// `None` for what can be no job's name.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 24 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum State {
    /// Its recipients are being stored; nobody sees it yet, and a crash takes it away.
    Loading,
    /// Nothing has left.
    Pending,
    Running,
    Paused,
    /// Every recipient has an outcome.
    Completed,
    /// Stopped for good by its owner.
    Cancelled,
    /// Stopped for good by something else; `reason` says what.
    Failed,
}

impl State {
    pub const SHOWN: [Self; 6] =
        [Self::Pending, Self::Running, Self::Paused, Self::Completed, Self::Cancelled, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Those that callers may name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::SHOWN.into_iter().find(|state| state.as_str() == word)
    }

    /// Seed 001's four words. Its samples poll until `completed` or `failed`, so nothing that can go on
    /// is ever called either.
    pub fn status(self) -> &'static str {
        match self {
            Self::Loading | Self::Pending => "pending",
            Self::Running | Self::Paused => "running",
            Self::Completed => "completed",
            Self::Cancelled | Self::Failed => "failed",
        }
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }
}

/// Why a job waits until a time that is stored with it. What its session waits for is the session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case", type_name = "text")]
pub enum Hold {
    /// Its owner named a time.
    Scheduled,
    /// The tenant's or the session's messages of this day are spent.
    DailyLimit,
    /// No sending window is open.
    Window,
    /// WhatsApp does not look up numbers now.
    NumberCheck,
}

impl Hold {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::DailyLimit => "daily_limit",
            Self::Window => "window",
            Self::NumberCheck => "number_check",
        }
    }
}

/// Why every job of a session waits: WhatsApp restricts its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case", type_name = "text")]
pub enum Restriction {
    /// It refused a message (463, 475) and did not say for how long.
    Blocked,
    /// It may not start chats until a time that WhatsApp named.
    Timelock,
    /// It has started as many chats as WhatsApp allows in this cycle.
    NewChatLimit,
}

impl Restriction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Timelock => "timelock",
            Self::NewChatLimit => "new_chat_limit",
        }
    }
}

/// What became of one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Outcome {
    Queued,
    /// Its message is on its way.
    Sending,
    Sent,
    Failed,
    /// Opted out.
    Skipped,
    /// Not a number that could be written to; not part of the total.
    Invalid,
    /// The same number stands further up; not part of the total.
    Duplicate,
}

impl Outcome {
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Sending,
        Self::Sent,
        Self::Failed,
        Self::Skipped,
        Self::Invalid,
        Self::Duplicate,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Invalid => "invalid",
            Self::Duplicate => "duplicate",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// What a job says and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// At least one. With several, one is drawn per recipient.
    pub variants: Vec<Variant>,
    pub delay: Delay,
    /// `None`: the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
    /// Ask WhatsApp for each number before writing to it?
    pub check_numbers: bool,
}

/// One of the texts that a job tries against each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// `A`, `B`, … unless its owner named it.
    pub label: String,
    /// Its texts are templates.
    pub content: Content,
    /// How often it is drawn, beside the others.
    pub weight: u32,
}

impl Plan {
    /// Which variant a recipient gets, for `draw` from 0 to 999,999.
    pub fn variant(&self, draw: u32) -> usize {
        let all: u64 = self.variants.iter().map(|v| u64::from(v.weight)).sum();
        let mut rest = u64::from(draw.min(999_999)) * all.max(1) / 1_000_000;
        for (place, variant) in self.variants.iter().enumerate() {
            match rest.checked_sub(u64::from(variant.weight)) {
                Some(less) => rest = less,
                None => return place,
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jobs_name_is_24_hex_digits_and_sorts_by_creation() {
        let (first, second) = (JobId::new(At(1_772_965_800_000)), JobId::new(At(1_772_965_800_001)));
        assert!(first < second);
        assert_eq!(JobId::parse(first.as_str()), Some(first));
        for wrong in ["", "65f1a2b3c4d5e6f7a8b9c0d", "65F1A2B3C4D5E6F7A8B9C0D1", "65f1a2b3c4d5e6f7a8b9c0d/"] {
            assert_eq!(JobId::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_that_can_go_on_is_called_over() {
        for state in State::SHOWN {
            assert_eq!(["completed", "failed"].contains(&state.status()), state.is_over(), "{state:?}");
        }
    }

    #[test]
    fn variants_are_drawn_by_weight() {
        let variant =
            |label: &str, weight| Variant { label: label.into(), content: Content::text(""), weight };
        let plan = Plan {
            variants: vec![variant("A", 1), variant("B", 0), variant("C", 3)],
            delay: Delay::default(),
            windows: None,
            check_numbers: true,
        };
        let mut drawn = [0; 3];
        for draw in (0..1_000_000).step_by(1_000) {
            drawn[plan.variant(draw)] += 1;
        }
        assert_eq!(drawn, [250, 0, 750]);
    }
}
