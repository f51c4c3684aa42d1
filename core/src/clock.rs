//! What time it is, from one place that tests can turn by hand.
//!
//! [`Clock::System`] is the wall clock. [`Clock::manual`] stands still until somebody calls
//! [`Clock::advance`]; whoever waits on it wakes exactly when its time has come.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A moment: milliseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, sqlx::Type,
)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct At(pub i64);

impl At {
    /// Whole seconds since the epoch, as seed 001's send answer wants them.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment and `ms` milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// ISO 8601 with a zone, or milliseconds since the epoch.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(ms) = text.parse() {
            return Some(Self(ms));
        }
        text.parse::<jiff::Timestamp>().ok().map(|stamp| Self(stamp.as_millisecond()))
    }

    /// `2026-03-08T10:30:00.000Z`: always UTC, always three decimals.
    pub fn iso(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| self.0.to_string(), |t| format!("{t:.3}"))
    }
}

/// Where everything that waits takes its time from. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    Manual(Arc<watch::Sender<i64>>),
}

impl Clock {
    /// A clock that stands at `start` until it is advanced.
    pub fn manual(start: At) -> Self {
        Self::Manual(Arc::new(watch::Sender::new(start.0)))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
    pub fn now(&self) -> At {
        match self {
            Self::System => At(SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))),
            Self::Manual(hand) => At(*hand.borrow()),
        }
    }

    /// Returns once `when` has come.
    pub async fn until(&self, when: At) {
        match self {
            Self::System => {
                let left = u64::try_from(when.since(self.now())).unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(left)).await;
            }
            Self::Manual(hand) => {
                // The sender lives in `self`, so waiting cannot fail.
                let _ = hand.subscribe().wait_for(|now| *now >= when.0).await;
            }
        }
    }

    /// The first round begins so many milliseconds from now.
    pub fn rounds(&self, every_ms: i64) -> Rounds {
        Rounds { clock: self.clone(), every_ms, next: self.now().plus_ms(every_ms) }
    }

    /// Turns a manual clock forward. The system clock does not turn.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(hand) = self {
            let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            hand.send_modify(|now| *now = now.saturating_add(ms));
        }
    }
}

/// What happens again and again, at a distance from one beginning to the next. A round that took longer than
/// that is followed by the next at once.
#[derive(Debug)]
pub struct Rounds {
    clock: Clock,
    every_ms: i64,
    next: At,
}

impl Rounds {
    /// Returns when the next round begins. May be given up and asked again.
    pub async fn next(&mut self) {
        self.clock.until(self.next).await;
        self.next = self.clock.now().plus_ms(self.every_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_prints_as_the_seed_shows_it() {
        assert_eq!(At(1_772_965_800_000).iso(), "2026-03-08T10:30:00.000Z");
        assert_eq!(At(1_772_965_800_007).iso(), "2026-03-08T10:30:00.007Z");
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_exactly_those_who_are_due() {
        let clock = Clock::manual(At(1_000));
        let early = tokio::spawn({
            let c = clock.clone();
            async move { c.until(At(1_500)).await }
        });
        let late = tokio::spawn({
            let c = clock.clone();
            async move { c.until(At(9_000)).await }
        });
        clock.advance(Duration::from_millis(500));
        early.await.unwrap();
        assert!(!late.is_finished());
        late.abort();
    }

    async fn begins(rounds: &mut Rounds) -> bool {
        tokio::select! {
            biased;
            () = rounds.next() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn time_that_passes_within_a_round_counts_for_the_next() {
        let clock = Clock::manual(At(0));
        let mut rounds = clock.rounds(100);
        assert!(!begins(&mut rounds).await, "too early");
        clock.advance(Duration::from_millis(250));
        assert!(begins(&mut rounds).await);
        assert!(!begins(&mut rounds).await, "what was missed is made up for once");
        clock.advance(Duration::from_millis(110));
        assert!(begins(&mut rounds).await);
    }
}
