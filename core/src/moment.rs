//! A moment as a caller writes it.
//!
//! It is milliseconds since the epoch, ISO 8601 with an offset, ISO 8601 without one (then by the tenant's own
//! clock), or a day, which is all of that day by the tenant's clock. Seconds since the epoch are refused rather
//! than read as a time of 1970. Whether a moment is too early or too late for what is asked is not decided here.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::clock::At;

/// March 1973 in milliseconds, and a time of today's in seconds.
const LEAST_MS: i64 = 100_000_000_000;
/// The end of the year 9999.
const MOST_MS: i64 = 253_402_300_799_999;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    At(At),
    /// From its first instant to the first of the day after: 23 or 25 hours where clocks change.
    Day {
        begins: At,
        ends: At,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    #[error(
        "a time such as 2026-03-08T10:30:00Z or 2026-03-08T10:30 (by your own clock), a day such as 2026-03-08, \
         or milliseconds since the epoch"
    )]
    NotAMoment,
    #[error("{0} looks like seconds since the epoch; write milliseconds ({0}000), or a time such as {iso}", iso = At(.0 * 1_000).iso())]
    Seconds(i64),
    #[error("a time of the years 1973 to 9999")]
    OutOfRange,
}

impl Moment {
    /// What a text says. `time_zone` is the tenant's; an unknown one counts as UTC, as
    /// [`local_day`](crate::tenant::local_day) has it.
    ///
    /// # Errors
    /// [`MomentError`], for people.
    pub fn parse(text: &str, time_zone: &str) -> Result<Self, MomentError> {
        let text = text.trim();
        let zone = || TimeZone::get(time_zone).unwrap_or(TimeZone::UTC);
        if !text.contains([':', 'T', 't', ' '])
            && let Ok(date) = text.parse::<Date>()
        {
            return Self::day(date, &zone());
        }
        if let Ok(ms) = text.parse() {
            return Self::of_ms(ms);
        }
        // In a query, `+01:00` arrives as ` 01:00` where the plus was not escaped.
        let mended = text.rsplit_once(' ').filter(|(time, _)| time.contains(['T', 't']));
        let mended = mended.map_or_else(|| text.to_owned(), |(time, offset)| format!("{time}+{offset}"));
        if let Ok(stamp) = mended.parse::<jiff::Timestamp>() {
            return in_range(stamp.as_millisecond()).map(Self::At);
        }
        let local: DateTime = text.parse().map_err(|_| MomentError::NotAMoment)?;
        let zoned = local.to_zoned(zone()).map_err(|_| MomentError::OutOfRange)?;
        in_range(zoned.timestamp().as_millisecond()).map(Self::At)
    }

    /// Milliseconds since the epoch. 0 is the beginning of everything.
    ///
    /// # Errors
    /// [`MomentError`], for people.
    pub fn of_ms(ms: i64) -> Result<Self, MomentError> {
        match ms {
            0 => Ok(Self::At(At(0))),
            1..LEAST_MS => Err(MomentError::Seconds(ms)),
            _ => in_range(ms).map(Self::At),
        }
    }

    fn day(date: Date, zone: &TimeZone) -> Result<Self, MomentError> {
        let first_of = |date: Date| {
            let zoned = date.to_zoned(zone.clone()).map_err(|_| MomentError::OutOfRange)?;
            in_range(zoned.timestamp().as_millisecond())
        };
        let after = date.tomorrow().map_err(|_| MomentError::OutOfRange)?;
        Ok(Self::Day { begins: first_of(date)?, ends: first_of(after)? })
    }

    /// Its first instant.
    pub fn begins(self) -> At {
        match self {
            Self::At(at) | Self::Day { begins: at, .. } => at,
        }
    }

    /// The instant that is not before it any more: its own, or that of the day after.
    pub fn ends(self) -> At {
        match self {
            Self::At(at) | Self::Day { ends: at, .. } => at,
        }
    }
}

fn in_range(ms: i64) -> Result<At, MomentError> {
    (0..=MOST_MS).contains(&ms).then_some(At(ms)).ok_or(MomentError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: &str = "America/Sao_Paulo";

    fn begins(text: &str) -> Result<String, MomentError> {
        Moment::parse(text, ZONE).map(|moment| moment.begins().iso())
    }

    #[test]
    fn an_offset_is_kept_and_a_time_without_one_is_the_tenants() {
        for (text, says) in [
            ("2026-12-24T09:00:00Z", "2026-12-24T09:00:00.000Z"),
            ("2026-12-24T09:00:00+05:30", "2026-12-24T03:30:00.000Z"),
            ("2026-12-24T09:00:00 05:30", "2026-12-24T03:30:00.000Z"),
            ("2026-12-24T09:00", "2026-12-24T12:00:00.000Z"),
            ("2026-12-24 09:00:00", "2026-12-24T12:00:00.000Z"),
            (" 2026-12-24T09:00:00.5 ", "2026-12-24T12:00:00.500Z"),
            ("1798102800000", "2026-12-24T09:00:00.000Z"),
            ("0", "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(begins(text).as_deref(), Ok(says), "{text}");
        }
    }

    #[test]
    fn a_day_is_all_of_it_by_the_tenants_clock() {
        for text in ["2026-11-30", "20261130"] {
            let day = Moment::parse(text, ZONE).expect("a day");
            assert_eq!(day.begins().iso(), "2026-11-30T03:00:00.000Z", "{text}");
            assert_eq!(day.ends().iso(), "2026-12-01T03:00:00.000Z", "{text}");
        }
        // The night in which New York's clocks go forward.
        let short = Moment::parse("2026-03-08", "America/New_York").expect("a day");
        assert_eq!(short.ends().since(short.begins()), 23 * 3_600_000);
        let time = Moment::parse("2026-11-30T10:00Z", ZONE).expect("a time");
        assert_eq!(time.begins(), time.ends());
    }

    #[test]
    fn a_time_that_a_clock_skips_is_the_one_an_hour_later() {
        let skipped = Moment::parse("2026-03-08T02:30", "America/New_York").expect("a time");
        assert_eq!(skipped.begins().iso(), "2026-03-08T07:30:00.000Z");
    }

    #[test]
    fn seconds_are_refused_and_named() {
        assert_eq!(Moment::parse("1796016600", ZONE), Err(MomentError::Seconds(1_796_016_600)));
        let why = MomentError::Seconds(1_796_016_600).to_string();
        assert!(why.contains("1796016600000") && why.contains("2026-11-30T"), "{why}");
        assert_eq!(Moment::of_ms(12), Err(MomentError::Seconds(12)));
    }

    #[test]
    fn what_is_no_moment_is_told_what_one_looks_like() {
        for text in
            ["", "yesterday", "2026-11-31", "2026-13-01", "30.11.2026", "11/30/2026", "1.5", "10:30", "2026"]
        {
            assert!(
                matches!(begins(text), Err(MomentError::NotAMoment | MomentError::Seconds(_))),
                "{text}: {:?}",
                begins(text)
            );
        }
        for text in ["-1", "1798102800000000", "9223372036854775807", "1850-01-01", "9999-12-31"] {
            assert_eq!(begins(text), Err(MomentError::OutOfRange), "{text}");
        }
    }
}
