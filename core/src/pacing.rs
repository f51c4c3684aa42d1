//! When the next bulk message may leave. Pure.
//!
//! A pause is drawn once, when a message leaves, and stored as a place in the range
//! ([`Draw`]), not as a time: so a restart cannot shorten it, and jobs with different ranges that share
//! a session each see a pause that is uniform in their own range.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};
use serde::{Deserialize, Serialize};

use crate::clock::At;

/// Seed 001's defaults, in milliseconds.
pub const DELAY_MIN_MS: i64 = 2_000;
pub const DELAY_MAX_MS: i64 = 5_000;
/// The longest pause one may ask for: an hour.
pub const DELAY_LIMIT_MS: i64 = 3_600_000;
/// How far ahead an end is estimated.
const HORIZON_DAYS: i64 = 400;
/// Stretches of open time that an estimate looks at. Who needs more has windows of minutes, and an end
/// that nobody can tell.
const STRETCHES_MAX: usize = 2_000;
/// Three for each day of the week; a list longer than this is a mistake.
const WINDOWS_MAX: usize = 21;

/// A range of pauses, both ends included, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    pub min_ms: i64,
    pub max_ms: i64,
}

impl Default for Delay {
    fn default() -> Self {
        Self { min_ms: DELAY_MIN_MS, max_ms: DELAY_MAX_MS }
    }
}

/// A place in a range of pauses, in millionths from 0 to 999,999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct Draw(pub i64);

impl Draw {
    const PARTS: i64 = 1_000_000;

    pub fn random() -> Self {
        Self(rand::random_range(0..Self::PARTS))
    }

    /// The place in `[min, max]` that it names.
    pub fn within(self, min: i64, max: i64) -> i64 {
        min + (max - min + 1) * self.0.clamp(0, Self::PARTS - 1) / Self::PARTS
    }
}

impl Delay {
    /// The pause at `draw`: every millisecond of the range is as likely as any other.
    pub fn at(self, draw: Draw) -> i64 {
        draw.within(self.min_ms, self.max_ms)
    }

    pub fn mean_ms(self) -> i64 {
        i64::midpoint(self.min_ms, self.max_ms)
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    fn of(date: Date) -> Self {
        const WEEK: [Day; 7] = [Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri, Day::Sat, Day::Sun];
        let place = date.weekday().to_monday_zero_offset();
        WEEK[usize::try_from(place).expect("a weekday counts from zero")]
    }
}

/// Hours of some days in which bulk messages may leave. One that ends at or before its beginning
/// ends on the next day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Empty: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    pub from: Hour,
    pub to: Hour,
}

/// A time of day in minutes, written `09:00`; `24:00` is the day's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hour(i64);

impl TryFrom<String> for Hour {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = "a time of day is written 09:00";
        let (hours, minutes) = text.split_once(':').ok_or(wrong)?;
        let number = |digits: &str| match digits.len() {
            1 | 2 if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse::<i64>().map_err(|_| wrong),
            _ => Err(wrong),
        };
        let all = number(hours)? * 60 + number(minutes)?;
        if number(minutes)? > 59 || all > 24 * 60 { Err(wrong) } else { Ok(Self(all)) }
    }
}

impl From<Hour> for String {
    fn from(hour: Hour) -> Self {
        format!("{:02}:{:02}", hour.0 / 60, hour.0 % 60)
    }
}

/// When bulk messages may leave, in a tenant's time zone. None at all: always.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Windows(pub Vec<Window>);

/// Why windows were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error("at most {WINDOWS_MAX} windows")]
    TooMany,
    #[error("a window that ends when it begins is empty; leave windows out to send at any time")]
    Empty,
    #[error("days: each day once")]
    RepeatedDay,
}

impl Windows {
    /// # Errors
    /// When there are too many, or one is empty or names a day twice.
    pub fn check(&self) -> Result<(), WindowError> {
        if self.0.len() > WINDOWS_MAX {
            return Err(WindowError::TooMany);
        }
        if self.0.iter().any(|window| window.from == window.to) {
            return Err(WindowError::Empty);
        }
        let repeats = |days: &[Day]| days.iter().enumerate().any(|(place, day)| days[..place].contains(day));
        if self.0.iter().any(|window| repeats(&window.days)) {
            return Err(WindowError::RepeatedDay);
        }
        Ok(())
    }

    /// The first moment from `now` on that is inside a window: `now` itself when one is open. Hours are
    /// the zone's own, whatever its clocks do: what the clocks skip begins when they go on.
    pub fn opens(&self, now: At, zone: &TimeZone) -> At {
        self.spans(now, zone)
            .filter(|(_, end)| *end > now)
            .map(|(start, _)| start.max(now))
            .min()
            .unwrap_or(now)
    }

    /// Every window from the day before `now` to a week after, as moments.
    fn spans<'a>(&'a self, now: At, zone: &'a TimeZone) -> impl Iterator<Item = (At, At)> + 'a {
        let today = zoned(now, zone).date();
        (-1..=8_i64).flat_map(move |ahead| {
            let date = today.checked_add(ahead.days()).unwrap_or(today);
            self.begun_on(date, zone)
        })
    }

    /// The windows that begin on a day, as moments.
    fn begun_on<'a>(&'a self, date: Date, zone: &'a TimeZone) -> impl Iterator<Item = (At, At)> + 'a {
        let of_day = move |window: &&Window| window.days.is_empty() || window.days.contains(&Day::of(date));
        self.0.iter().filter(of_day).map(move |window| {
            let overnight = i64::from(window.to <= window.from);
            let last = date.checked_add(overnight.days()).unwrap_or(date);
            (moment(date, window.from, zone), moment(last, window.to, zone))
        })
    }

    /// When a day is open, from its midnight to the next; windows that overlap or touch are one.
    fn stretches(&self, date: Date, zone: &TimeZone) -> Vec<(At, At)> {
        let next = date.checked_add(1.day()).unwrap_or(date);
        let (midnight, end) = (moment(date, Hour(0), zone), moment(next, Hour(0), zone));
        if self.0.is_empty() {
            return vec![(midnight, end)];
        }
        let before = date.checked_sub(1.day()).unwrap_or(date);
        let mut spans: Vec<(At, At)> = self
            .begun_on(before, zone)
            .chain(self.begun_on(date, zone))
            .map(|(from, to)| (from.max(midnight), to.min(end)))
            .filter(|(from, to)| from < to)
            .collect();
        spans.sort_unstable();
        spans.dedup_by(|later, earlier| {
            let one = later.0 <= earlier.1;
            if one {
                earlier.1 = earlier.1.max(later.1);
            }
            one
        });
        spans
    }
}

/// The zone of that name, or UTC: see [`crate::tenant::local_day`].
pub fn zone_of(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// The beginning of the zone's next day, whatever its length.
pub fn next_midnight(now: At, zone: &TimeZone) -> At {
    let tomorrow = zoned(now, zone).date().checked_add(1.day());
    tomorrow.map_or_else(|_| now.plus_ms(86_400_000), |date| moment(date, Hour(0), zone))
}

fn zoned(at: At, zone: &TimeZone) -> Zoned {
    Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

fn moment(date: Date, hour: Hour, zone: &TimeZone) -> At {
    let (date, hour) =
        if hour.0 == 24 * 60 { (date.checked_add(1.day()).unwrap_or(date), Hour(0)) } else { (date, hour) };
    let hour_of_day = i8::try_from(hour.0 / 60).expect("a day has 24 hours");
    let minute = i8::try_from(hour.0 % 60).expect("an hour has 60 minutes");
    // What the clocks skip is moved to after the gap, what they repeat happens the first time.
    let local = date.at(hour_of_day, minute, 0, 0).to_zoned(zone.clone());
    local.map_or(At(0), |zoned| At(zoned.timestamp().as_millisecond()))
}

/// What an estimate knows of a job's road.
#[derive(Debug, Clone)]
pub struct Road<'a> {
    pub now: At,
    pub not_before: At,
    /// The mean time between two messages of this job, those of other jobs between them included.
    pub gap_ms: i64,
    /// Messages left today, and messages a day; `None` is no limit.
    pub quota: Option<(i64, i64)>,
    pub windows: &'a Windows,
    pub zone: &'a TimeZone,
}

impl Road<'_> {
    /// When `remaining` messages will have left; `None` when that is never, or too far to say.
    pub fn end(&self, remaining: i64) -> Option<At> {
        let begin = self.now.max(self.not_before);
        let gap = self.gap_ms.max(1);
        let last = self.now.plus_ms(HORIZON_DAYS * 86_400_000);
        let mut left = remaining;
        let mut today = self.quota.map(|(today, _)| today.max(0));
        let mut date = zoned(self.now, self.zone).date();
        let mut seen = 0;
        while moment(date, Hour(0), self.zone) < last && seen < STRETCHES_MAX {
            for (from, to) in self.windows.stretches(date, self.zone) {
                seen += 1;
                let at = from.max(begin);
                if at >= to {
                    continue;
                }
                let fits = (to.since(at) + gap - 1) / gap;
                let may = today.map_or(fits, |today| fits.min(today));
                if left <= may {
                    return Some(at.plus_ms(left * gap));
                }
                left -= may;
                today = today.map(|today| today - may);
            }
            date = date.checked_add(1.day()).ok()?;
            today = self.quota.map(|(_, daily)| daily.max(0));
        }
        None
    }
}

/// When a job may send its next message, `None` for at once: after its own pause, and after the shortest
/// pause of all jobs of its session since the session's last message. So jobs that share a number send no
/// faster together than one of them alone, and a slow one holds up nobody.
pub fn due(
    own: Delay,
    released: Option<(At, Draw)>,
    last: Option<At>,
    shortest_ms: i64,
    now: At,
) -> Option<At> {
    // A clock that was set back must not hold anybody longer than the pause.
    let after = |at: At, pause_ms| at.min(now).plus_ms(pause_ms);
    let own = released.map(|(at, draw)| after(at, own.at(draw)));
    let shared = last.map(|at| after(at, shortest_ms));
    own.max(shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn windows(json: &str) -> Windows {
        serde_json::from_str(json).unwrap()
    }

    fn at(text: &str) -> At {
        At::parse(text).unwrap()
    }

    #[test]
    fn a_slow_job_does_not_set_the_pace_of_a_fast_one() {
        let (slow, fast) = (Delay { min_ms: 60_000, max_ms: 60_000 }, Delay { min_ms: 2_000, max_ms: 2_000 });
        let (last, now) = (At(100_000), At(100_500));
        let due = |own, released: i64| due(own, Some((At(released), Draw(0))), Some(last), 2_000, now);
        // The fast one was the last to send, the slow one 30 s before it.
        assert_eq!(due(fast, 100_000), Some(At(102_000)));
        assert_eq!(due(slow, 70_000), Some(At(130_000)));
        // Whose own pause is long over still keeps the number's.
        assert_eq!(due(slow, 1_000), Some(At(102_000)));
    }

    #[test]
    fn a_job_that_never_sent_waits_for_its_sessions_pause_alone() {
        let own = Delay { min_ms: 60_000, max_ms: 60_000 };
        assert_eq!(due(own, None, None, 0, At(5)), None);
        assert_eq!(due(own, None, Some(At(100)), 2_000, At(200)), Some(At(2_100)));
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nobody_longer_than_a_pause() {
        let own = Delay { min_ms: 2_000, max_ms: 2_000 };
        let now = At(1_000);
        let far = At(3_600_000);
        assert_eq!(due(own, Some((far, Draw(0))), Some(far), 2_000, now), Some(At(3_000)));
    }

    #[test]
    fn every_pause_of_a_range_is_as_likely_as_any_other() {
        let delay = Delay { min_ms: 2_000, max_ms: 2_003 };
        let mut seen = [0; 4];
        for draw in (0..1_000_000).step_by(1_000) {
            seen[usize::try_from(delay.at(Draw(draw)) - 2_000).unwrap()] += 1;
        }
        assert_eq!(seen, [250; 4]);
    }

    proptest! {
        #[test]
        fn a_pause_stays_in_its_range(min in 0..DELAY_LIMIT_MS, more in 0..DELAY_LIMIT_MS, draw in 0..1_000_000_i64) {
            let delay = Delay { min_ms: min, max_ms: min + more };
            let pause = delay.at(Draw(draw));
            prop_assert!((delay.min_ms..=delay.max_ms).contains(&pause));
        }

        #[test]
        fn a_window_that_opens_is_open(hours in 0..24_i64, length in 1..24_i64, now in 0..4_000_000_000_000_i64) {
            let windows = Windows(vec![Window {
                days: vec![Day::Tue, Day::Sat],
                from: Hour(hours * 60),
                to: Hour((hours + length) % 24 * 60),
            }]);
            for name in ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"] {
                let zone = zone_of(name);
                let opens = windows.opens(At(now), &zone);
                prop_assert!(opens >= At(now));
                prop_assert_eq!(windows.opens(opens, &zone), opens);
                prop_assert!(opens.since(At(now)) <= 8 * 86_400_000);
            }
        }
    }

    #[test]
    fn a_window_opens_at_its_hour_of_its_days() {
        let office = windows(r#"[{"days":["mon","tue","wed","thu","fri"],"from":"09:00","to":"18:00"}]"#);
        let zone = zone_of("America/Sao_Paulo");
        // A Sunday.
        assert_eq!(office.opens(at("2026-03-08T10:30:00Z"), &zone), at("2026-03-09T12:00:00Z"));
        let open = at("2026-03-09T15:00:00Z");
        assert_eq!(office.opens(open, &zone), open);
        assert_eq!(office.opens(at("2026-03-09T21:00:00Z"), &zone), at("2026-03-10T12:00:00Z"));
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_begins() {
        let night = windows(r#"[{"days":["sat"],"from":"22:00","to":"06:00"}]"#);
        let utc = TimeZone::UTC;
        let sunday = at("2026-03-08T05:59:59Z");
        assert_eq!(night.opens(sunday, &utc), sunday);
        assert_eq!(night.opens(at("2026-03-08T06:00:00Z"), &utc), at("2026-03-14T22:00:00Z"));
    }

    #[test]
    fn what_the_clocks_skip_begins_when_they_go_on() {
        // New York, 2026-03-08: 02:00 to 03:00 does not exist.
        let early = windows(r#"[{"from":"02:30","to":"04:00"}]"#);
        let zone = zone_of("America/New_York");
        assert_eq!(early.opens(at("2026-03-08T06:00:00Z"), &zone), at("2026-03-08T07:30:00Z"));
    }

    #[test]
    fn a_day_ends_at_the_zones_midnight() {
        let zone = zone_of("America/New_York");
        let midnight = next_midnight(at("2026-03-08T12:00:00Z"), &zone);
        assert_eq!(midnight, at("2026-03-09T04:00:00Z"));
        assert_eq!(next_midnight(midnight, &zone), at("2026-03-10T04:00:00Z"));
    }

    #[test]
    fn an_estimate_walks_through_days_limits_and_windows() {
        let zone = TimeZone::UTC;
        let now = at("2026-03-09T00:00:00Z");
        let always = Windows::default();
        let road = Road { now, not_before: now, gap_ms: 1_000, quota: None, windows: &always, zone: &zone };
        assert_eq!(road.end(60), Some(now.plus_ms(60_000)));
        let limited = Road { quota: Some((10, 100)), ..road.clone() };
        // 10 today, 100 tomorrow, the rest on the day after.
        assert_eq!(limited.end(115), Some(at("2026-03-11T00:00:05Z")));
        let office = windows(r#"[{"from":"09:00","to":"10:00"}]"#);
        let open = Road { windows: &office, ..road.clone() };
        assert_eq!(open.end(3_600), Some(at("2026-03-09T10:00:00Z")));
        assert_eq!(open.end(3_601), Some(at("2026-03-10T09:00:01Z")));
        let never = Road { quota: Some((0, 0)), ..road };
        assert_eq!(never.end(1), None);
    }

    #[test]
    fn an_estimate_counts_time_that_two_windows_share_once() {
        let zone = TimeZone::UTC;
        let now = at("2026-03-09T00:00:00Z");
        let shared = windows(
            r#"[{"from":"09:00","to":"10:00"},{"from":"09:30","to":"10:30"},{"from":"23:00","to":"01:00"}]"#,
        );
        let road = Road { now, not_before: now, gap_ms: 60_000, quota: None, windows: &shared, zone: &zone };
        // An hour of the night before, 90 minutes, and the night.
        assert_eq!(road.end(60), Some(at("2026-03-09T01:00:00Z")));
        assert_eq!(road.end(150), Some(at("2026-03-09T10:30:00Z")));
        assert_eq!(road.end(270), Some(at("2026-03-10T01:00:00Z")));
    }

    #[test]
    fn an_end_behind_thousands_of_windows_is_not_told() {
        let zone = zone_of("America/New_York");
        let now = at("2026-03-09T00:00:00Z");
        let minutes =
            (0..48).map(|half| Window { days: vec![], from: Hour(half * 30), to: Hour(half * 30 + 1) });
        let minutes = Windows(minutes.collect());
        let road =
            Road { now, not_before: now, gap_ms: 3_600_000, quota: None, windows: &minutes, zone: &zone };
        assert!(road.end(1_000).is_some());
        // Within the horizon, but 10,000 windows away.
        assert_eq!(road.end(10_000), None);
        assert_eq!(road.end(30_000), None);
    }

    #[test]
    fn windows_that_are_a_mistake_are_refused() {
        let minute = |n| Window { days: vec![], from: Hour(n), to: Hour(n + 1) };
        let many = |count| Windows((0..count).map(minute).collect()).check();
        assert_eq!((many(21), many(22)), (Ok(()), Err(WindowError::TooMany)));
        let days =
            |days: &str| windows(&format!(r#"[{{"days":[{days}],"from":"09:00","to":"10:00"}}]"#)).check();
        assert_eq!(days(r#""mon","tue""#), Ok(()));
        assert_eq!(days(r#""mon","tue","mon""#), Err(WindowError::RepeatedDay));
    }

    #[test]
    fn an_hour_is_written_as_people_write_it() {
        assert!(serde_json::from_str::<Hour>("\"9:05\"").is_ok());
        for wrong in ["", "9", "24:01", "12:60", "-1:00", "ab:cd", "009:00"] {
            assert!(serde_json::from_str::<Hour>(&format!("\"{wrong}\"")).is_err(), "{wrong}");
        }
    }
}
