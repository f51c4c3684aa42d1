//! When a delivery is tried again, when an endpoint is left alone, and when it is given up.

use serde::{Deserialize, Serialize};

use crate::clock::At;
use crate::pacing::Draw;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The pauses between attempts: eleven attempts in 2 days, 19 hours, 12 minutes and 36 seconds. Each pause is up to
/// a tenth longer, so that those who failed together do not come back together.
pub const PAUSES_MS: [i64; 10] = [
    SECOND,
    5 * SECOND,
    30 * SECOND,
    2 * MINUTE,
    10 * MINUTE,
    HOUR,
    6 * HOUR,
    12 * HOUR,
    24 * HOUR,
    24 * HOUR,
];
/// The most attempts of one delivery before somebody asks for more.
pub const ATTEMPTS_MAX: u32 = 11;
/// A receiver may ask for a longer pause than ours, up to this.
const RETRY_AFTER_MAX_MS: i64 = DAY;
/// So many failures in a row, and the endpoint is left alone but for one probe at a time.
const BREAK_AT: i64 = 10;
const BREAK_MS: i64 = 30 * SECOND;
const BREAK_MAX_MS: i64 = 10 * MINUTE;
/// An endpoint that took nothing for so long is disabled.
const DISABLE_AFTER_MS: i64 = 5 * DAY;

/// How long to wait after `attempts` attempts that failed; `None` when that was the last.
pub fn pause_after(attempts: u32, attempts_max: Option<u32>, draw: Draw) -> Option<i64> {
    if attempts_max.is_some_and(|most| attempts >= most) {
        return None;
    }
    let pause = *PAUSES_MS.get(usize::try_from(attempts.checked_sub(1)?).ok()?)?;
    Some(pause + draw.within(0, pause / 10))
}

/// What a receiver's `Retry-After` asks for, in milliseconds from now: seconds or a date. What does not
/// read asks for nothing.
pub fn retry_after(text: &str, now: At) -> Option<i64> {
    let text = text.trim();
    let ms = match text.parse::<u64>() {
        Ok(seconds) => i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND),
        Err(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => i64::MAX,
        Err(_) => {
            let date = jiff::fmt::rfc2822::parse(text).ok()?;
            date.timestamp().as_millisecond().saturating_sub(now.0)
        }
    };
    (ms > 0).then(|| ms.min(RETRY_AFTER_MAX_MS))
}

/// How an endpoint has been doing. Its row keeps it, so a restart forgets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Standing {
    /// In a row.
    pub failures: i64,
    /// Nothing has succeeded since.
    pub failing_since: Option<At>,
    /// Nothing is tried before.
    pub paused_until: Option<At>,
}

/// What a result means for the endpoint as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing that anybody must hear of.
    Same,
    /// From here on it is left alone but for probes.
    Broke,
    /// It takes events again.
    Recovered,
    /// It is to be disabled.
    GiveUp,
}

impl Standing {
    /// Only one request at a time, to see whether it is back?
    pub fn is_probing(&self) -> bool {
        self.failures >= BREAK_AT
    }

    pub fn may_try_at(&self, now: At) -> At {
        self.paused_until.map_or(now, |until| until.max(now))
    }

    /// After an attempt that succeeded.
    pub fn after_success(self) -> (Self, Turn) {
        let turn = if self.is_probing() { Turn::Recovered } else { Turn::Same };
        (Self::default(), turn)
    }

    /// After one that began at `begun` and failed. `asked_ms` is how long the receiver asked to be left alone.
    pub fn after_failure(self, begun: At, now: At, asked_ms: Option<i64>) -> (Self, Turn) {
        // Those that were on their way when the others failed say nothing new.
        if self.is_probing() && self.paused_until.is_some_and(|until| begun < until) {
            let asked = asked_ms.map(|ms| now.plus_ms(ms));
            return (Self { paused_until: asked.max(self.paused_until), ..self }, Turn::Same);
        }
        let failures = self.failures.saturating_add(1);
        let since = self.failing_since.unwrap_or(now);
        let beyond = failures - BREAK_AT;
        let own = (beyond >= 0).then(|| (BREAK_MS << beyond.min(10)).min(BREAK_MAX_MS));
        let pause = own.into_iter().chain(asked_ms).max();
        let paused_until = pause.map(|ms| now.plus_ms(ms)).max(self.paused_until);
        let turn = if beyond >= 0 && now.since(since) >= DISABLE_AFTER_MS {
            Turn::GiveUp
        } else if beyond == 0 {
            Turn::Broke
        } else {
            Turn::Same
        };
        (Self { failures, failing_since: Some(since), paused_until }, turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: At = At(1_700_000_000_000);

    proptest! {
        #[test]
        fn each_pause_is_up_to_a_tenth_longer_than_it_says(attempts in 1u32..=10) {
            let base = PAUSES_MS[attempts as usize - 1];
            let pause = pause_after(attempts, None, Draw::random()).unwrap();
            prop_assert!((base..=base + base / 10).contains(&pause));
        }

        #[test]
        fn a_retry_after_never_panics_and_never_asks_for_more_than_a_day(text in "\\PC{0,40}") {
            if let Some(ms) = retry_after(&text, NOW) {
                prop_assert!((1..=RETRY_AFTER_MAX_MS).contains(&ms));
            }
        }
    }

    #[test]
    fn the_schedule_ends_after_eleven_attempts_or_fewer_where_that_is_wanted() {
        assert!(pause_after(10, None, Draw(0)).is_some());
        assert_eq!(pause_after(ATTEMPTS_MAX, None, Draw(0)), None);
        assert!(pause_after(5, Some(6), Draw(0)).is_some());
        assert_eq!(pause_after(6, Some(6), Draw(0)), None);
        assert_eq!(PAUSES_MS.iter().sum::<i64>(), 241_956_000);
    }

    #[test]
    fn a_retry_after_is_seconds_or_a_date_and_at_most_a_day() {
        assert_eq!(retry_after("120", NOW), Some(120_000));
        assert_eq!(retry_after(" 0 ", NOW), None);
        assert_eq!(retry_after("99999999999999999999999", NOW), Some(RETRY_AFTER_MAX_MS));
        // 1,700,000,000 s is Tue, 14 Nov 2023 22:13:20 GMT.
        assert_eq!(retry_after("Tue, 14 Nov 2023 22:15:20 GMT", NOW), Some(120_000));
        assert_eq!(retry_after("Fri, 01 Jan 9999 00:00:00 GMT", NOW), Some(RETRY_AFTER_MAX_MS));
        for garbage in ["", "soon", "-5", "1.5", "Tue, 14 Nov 2022 22:15:20 GMT", "١٢"] {
            assert_eq!(retry_after(garbage, NOW), None, "{garbage}");
        }
    }

    #[test]
    fn a_burst_that_was_on_its_way_counts_once() {
        let mut standing = Standing::default();
        for _ in 0..64 {
            (standing, _) = standing.after_failure(NOW, NOW.plus_ms(5), None);
        }
        assert_eq!((standing.failures, standing.paused_until), (10, Some(NOW.plus_ms(5 + BREAK_MS))));
        let (asked, _) = standing.after_failure(NOW, NOW.plus_ms(6), Some(120_000));
        assert_eq!(asked.paused_until, Some(NOW.plus_ms(120_006)));
    }

    #[test]
    fn ten_failures_in_a_row_break_and_one_success_mends() {
        let mut standing = Standing::default();
        for n in 1..10 {
            let (next, turn) = standing.after_failure(NOW, NOW, None);
            assert_eq!((turn, next.failures, next.paused_until), (Turn::Same, n, None));
            standing = next;
        }
        let (broken, turn) = standing.after_failure(NOW, NOW, None);
        assert_eq!((turn, broken.paused_until), (Turn::Broke, Some(NOW.plus_ms(BREAK_MS))));
        assert!(broken.is_probing());
        let later = NOW.plus_ms(BREAK_MS);
        let (worse, turn) = broken.after_failure(later, later, None);
        assert_eq!((turn, worse.paused_until), (Turn::Same, Some(later.plus_ms(2 * BREAK_MS))));
        assert_eq!(worse.after_success(), (Standing::default(), Turn::Recovered));
        assert_eq!(standing.after_success(), (Standing::default(), Turn::Same));
    }

    #[test]
    fn what_took_nothing_for_five_days_is_given_up() {
        let standing = Standing { failures: 20, failing_since: Some(NOW), paused_until: None };
        let almost = NOW.plus_ms(DISABLE_AFTER_MS - 1);
        let (next, turn) = standing.after_failure(almost, almost, None);
        assert_eq!(turn, Turn::Same);
        assert_eq!(next.paused_until, Some(almost.plus_ms(BREAK_MAX_MS)));
        let probe = NOW.plus_ms(DISABLE_AFTER_MS + BREAK_MAX_MS);
        assert_eq!(next.after_failure(probe, probe, None).1, Turn::GiveUp);
        // Few events, all failed: not enough to judge by.
        let rare = Standing { failures: 3, failing_since: Some(NOW), paused_until: None };
        assert_eq!(
            rare.after_failure(NOW.plus_ms(DISABLE_AFTER_MS), NOW.plus_ms(DISABLE_AFTER_MS), None).1,
            Turn::Same
        );
    }

    #[test]
    fn a_receiver_that_asks_for_a_pause_gets_it() {
        let (standing, _) = Standing::default().after_failure(NOW, NOW, Some(60_000));
        assert_eq!(standing.may_try_at(NOW), NOW.plus_ms(60_000));
        // A later, shorter wish does not undo it.
        let (standing, _) = standing.after_failure(NOW, NOW, Some(1_000));
        assert_eq!(standing.may_try_at(NOW), NOW.plus_ms(60_000));
    }
}
