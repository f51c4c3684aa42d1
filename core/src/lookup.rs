//! How often WhatsApp may be asked whether numbers are on it. Pure.
//!
//! Who asks for many numbers is taken for somebody who harvests them, and is restricted. So an account has
//! one pace for all its questions and one count of the numbers in them, whoever wants to know; and when
//! WhatsApp refuses to look up numbers, nobody asks for a while.

use crate::clock::At;

/// How many numbers may be asked about within an hour where nothing is to be sent to them.
pub const CHECKS_PER_HOUR: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

/// The pause after a refusal, which doubles with each one in a row.
const FIRST_REST_MS: i64 = 1_000;
const LONGEST_REST_MS: i64 = 10 * 60_000;

/// What an account has asked, and when it may ask again.
#[derive(Debug, Default)]
pub struct Pace {
    /// When the hour began that `asked` counts.
    began: Option<At>,
    /// Numbers, those included that are about to be asked about.
    asked: i64,
    next: Option<At>,
    refusals: u32,
    rests_until: Option<At>,
}

/// The hour's numbers are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    pub used: i64,
    pub limit: i64,
    /// When they were asked for in vain, and when the next hour begins.
    pub at: At,
    pub begins_anew: At,
}

/// WhatsApp does not look up numbers for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// Refusals in a row.
    pub refusals: u32,
    pub until: At,
}

impl Pace {
    /// Takes `count` numbers out of the hour, all or none.
    ///
    /// # Errors
    /// [`Spent`], when fewer are left; then nothing was taken.
    pub fn take(&mut self, count: usize, now: At) -> Result<(), Spent> {
        self.begin_hour(now);
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        if count > CHECKS_PER_HOUR - self.asked {
            let begins_anew = self.began.unwrap_or(now).plus_ms(HOUR_MS);
            return Err(Spent { used: self.asked, limit: CHECKS_PER_HOUR, at: now, begins_anew });
        }
        self.asked += count;
        Ok(())
    }

    /// When the next question may be put.
    pub fn opens(&self, now: At) -> At {
        [self.next, self.rests_until].into_iter().flatten().fold(now, At::max)
    }

    /// A question is put, with `untaken` numbers that were not taken out of the hour before; the next one
    /// follows after `gap_ms` at the earliest.
    pub fn ask(&mut self, untaken: usize, gap_ms: i64, now: At) {
        self.begin_hour(now);
        self.asked = self.asked.saturating_add(i64::try_from(untaken).unwrap_or(i64::MAX));
        self.next = Some(now.plus_ms(gap_ms));
    }

    /// WhatsApp answered.
    pub fn answered(&mut self) {
        (self.refusals, self.rests_until) = (0, None);
    }

    /// WhatsApp refused to look up numbers, or did not answer. It may have said for how long it wants to be
    /// left alone.
    pub fn refused(&mut self, backoff_ms: Option<i64>, now: At) -> Rest {
        let rest = FIRST_REST_MS << self.refusals.min(16);
        self.refusals = self.refusals.saturating_add(1);
        let until = now.plus_ms(rest.max(backoff_ms.unwrap_or(0)).min(LONGEST_REST_MS));
        self.rests_until = Some(until);
        Rest { refusals: self.refusals, until }
    }

    /// Is WhatsApp left alone now?
    pub fn rest(&self, now: At) -> Option<Rest> {
        let until = self.rests_until.filter(|until| *until > now)?;
        Some(Rest { refusals: self.refusals, until })
    }

    fn begin_hour(&mut self, now: At) {
        if self.began.is_none_or(|began| now.since(began) >= HOUR_MS) {
            (self.began, self.asked) = (Some(now), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_so_many_numbers_for_checks_and_counts_all() {
        let mut pace = Pace::default();
        let spent = |used, at, begins_anew| {
            Err(Spent { used, limit: CHECKS_PER_HOUR, at: At(at), begins_anew: At(begins_anew) })
        };
        assert_eq!(pace.take(600, At(0)), Ok(()));
        pace.ask(0, 0, At(0));
        assert_eq!(pace.take(401, At(1)), spent(600, 1, HOUR_MS));
        assert_eq!(pace.take(400, At(2)), Ok(()));
        // What is sent is asked about all the same.
        pace.ask(500, 0, At(3));
        assert_eq!(pace.take(1, At(HOUR_MS - 1)), spent(1_500, HOUR_MS - 1, HOUR_MS));
        assert_eq!(pace.take(1_000, At(HOUR_MS)), Ok(()));
        assert_eq!(pace.take(usize::MAX, At(3 * HOUR_MS)), spent(0, 3 * HOUR_MS, 4 * HOUR_MS));
    }

    #[test]
    fn questions_keep_their_distance() {
        let mut pace = Pace::default();
        assert_eq!(pace.opens(At(5)), At(5));
        pace.ask(1, 1_000, At(5));
        assert_eq!(pace.opens(At(6)), At(1_005));
        assert_eq!(pace.opens(At(9_000)), At(9_000));
    }

    #[test]
    fn refusals_in_a_row_are_rested_from_twice_as_long_each_up_to_ten_minutes() {
        let mut pace = Pace::default();
        let rests: Vec<i64> = (0..12).map(|_| pace.refused(None, At(0)).until.0).collect();
        assert_eq!(rests[..4], [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(rests[11], LONGEST_REST_MS);
        assert_eq!(pace.rest(At(1)), Some(Rest { refusals: 12, until: At(LONGEST_REST_MS) }));
        assert_eq!(pace.opens(At(1)), At(LONGEST_REST_MS));
        assert_eq!(pace.rest(At(LONGEST_REST_MS)), None);
        pace.answered();
        assert_eq!((pace.rest(At(1)), pace.opens(At(1))), (None, At(1)));
        assert_eq!(pace.refused(None, At(0)), Rest { refusals: 1, until: At(1_000) });
        // WhatsApp knows better, within bounds.
        assert_eq!(pace.refused(Some(30_000), At(0)).until, At(30_000));
        assert_eq!(pace.refused(Some(i64::MAX), At(0)).until, At(LONGEST_REST_MS));
        assert_eq!(pace.refused(Some(1_000), At(0)).until, At(8_000));
    }
}
