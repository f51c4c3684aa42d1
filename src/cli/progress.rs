//! A job's progress in words. Pure: what the API told, the time and the zone are arguments.
//!
//! Times are shown as the clock of whoever reads shows them, not in the tenant's zone: a terminal is read
//! beside a watch.

use std::collections::VecDeque;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Deserializer};
use wapid_core::clock::At;

/// A rate is what the last minute brought: at the seed's pace that is some 17 messages.
const RATE_WINDOW_MS: i64 = 60_000;
/// Sooner than this a rate is a guess.
const RATE_AFTER_MS: i64 = 1_000;

/// A job as the API tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub job_id: String,
    pub session_id: String,
    pub name: Option<String>,
    status: String,
    state: String,
    reason: Option<String>,
    pub total: i64,
    pub processed: i64,
    succeeded: i64,
    failed: i64,
    skipped: i64,
    duplicates: i64,
    invalid: i64,
    waiting: Option<Waiting>,
    #[serde(default, deserialize_with = "moment")]
    started_at: Option<At>,
    #[serde(default, deserialize_with = "moment")]
    finished_at: Option<At>,
    #[serde(default, deserialize_with = "moment")]
    estimated_end_at: Option<At>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Waiting {
    reason: String,
    #[serde(default, deserialize_with = "moment")]
    until: Option<At>,
    message: String,
}

fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<At>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    At::parse(&text).map(Some).ok_or_else(|| serde::de::Error::custom(format!("{text} is no time")))
}

impl Progress {
    pub fn is_over(&self) -> bool {
        self.is_completed() || self.status == "failed"
    }

    pub fn is_completed(&self) -> bool {
        self.status == "completed"
    }

    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// `Job 65f1a2b3c4d5e6f7a8b9c0d1 "Spring sale" of session main`
    pub fn title(&self) -> String {
        let name = self.name.as_ref().map_or_else(String::new, |name| format!(" \"{name}\""));
        format!("Job {}{name} of session {}", self.job_id, self.session_id)
    }

    /// Who has an outcome.
    pub fn sums(&self) -> String {
        format!("{} of {} sent, {} failed, {} skipped", self.succeeded, self.total, self.failed, self.skipped)
    }

    /// What goes on just now, and until when. `per_second` is what was seen of its speed.
    pub fn standing(&self, per_second: Option<f64>, now: At, zone: &TimeZone) -> String {
        let now_words = match (self.state.as_str(), &self.waiting) {
            ("waiting", Some(waiting)) => waiting.words(now, zone),
            ("running", _) => per_second.map_or_else(|| "running".to_owned(), rate),
            ("pending", _) => "about to begin".to_owned(),
            (state, _) => state.to_owned(),
        };
        let end = self.estimated_end_at.map(|end| format!(", {}", remaining(end, now, zone)));
        now_words + &end.unwrap_or_default()
    }

    /// How it ended, in one line.
    pub fn summary(&self) -> String {
        let took = match (self.started_at, self.finished_at) {
            (Some(from), Some(to)) => format!(" in {}", duration(to.since(from))),
            _ => String::new(),
        };
        let how = match (self.state.as_str(), &self.reason) {
            ("completed", _) => format!("Completed{took}"),
            ("cancelled", _) => "Cancelled".to_owned(),
            (_, Some(reason)) => format!("Failed ({reason})"),
            _ => "Failed".to_owned(),
        };
        let opted_out = if self.skipped > 0 { " (opted out)" } else { "" };
        let untouched = self.total - self.processed;
        let rest = if untouched > 0 { format!(", {untouched} not written to") } else { String::new() };
        let left_out = match (self.duplicates, self.invalid) {
            (0, 0) => String::new(),
            (duplicates, invalid) => format!(
                " (and {duplicates} duplicate and {invalid} unusable rows of the list, which are not counted)"
            ),
        };
        format!("{how}: {}{opted_out}{rest}{left_out}", self.sums())
    }

    /// One line of a list.
    pub fn row(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let sums = self.sums();
        format!("{}  {:<9}  {:<12}  {sums}  {name}", self.job_id, self.state, self.session_id)
    }
}

impl Waiting {
    fn words(&self, now: At, zone: &TimeZone) -> String {
        let until = self.until.map(|until| clock_time(until, now, zone));
        match (self.reason.as_str(), until) {
            ("scheduled", Some(at)) => format!("waiting for its start at {at}"),
            ("window", Some(at)) => format!("waiting for a sending window until {at}"),
            ("daily_limit", Some(at)) => format!("waiting until {at}: the day's messages are spent"),
            // The rest the gateway says better: it knows the session and what WhatsApp said.
            (_, Some(at)) => format!("waiting until {at}: {}", self.message),
            (_, None) => format!("waiting: {}", self.message),
        }
    }
}

/// `09:00` today, `Mon 09:00` within a week, `2026-03-08 09:00` beyond; seconds where they matter.
fn clock_time(at: At, now: At, zone: &TimeZone) -> String {
    let (Some(then), Some(today)) = (zoned(at, zone), zoned(now, zone)) else { return at.iso() };
    let days = today.date().until(then.date()).map_or(i32::MAX, |span| span.get_days());
    let format = match days {
        0 if at.since(now).abs() < 120_000 => "%H:%M:%S",
        0 => "%H:%M",
        1..7 => "%a %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    let shown = then.strftime(format).to_string();
    // Hardly anybody's watch shows UTC: this is a container or a server, and its reader is told.
    if then.strftime("%Z").to_string() == "UTC" { shown + " UTC" } else { shown }
}

fn zoned(at: At, zone: &TimeZone) -> Option<Zoned> {
    Timestamp::from_millisecond(at.0).ok().map(|stamp| stamp.to_zoned(zone.clone()))
}

fn remaining(end: At, now: At, zone: &TimeZone) -> String {
    match end.since(now) {
        ..90_000 => format!("about {} s left", (end.since(now).max(0) + 999) / 1_000),
        90_000..5_400_000 => format!("about {} min left", (end.since(now) + 30_000) / 60_000),
        _ => format!("ends about {}", clock_time(end, now, zone)),
    }
}

fn duration(ms: i64) -> String {
    match ms {
        ..9_950 => format!("{:.1} s", ms.max(0) as f64 / 1_000.0),
        9_950..90_000 => format!("{} s", (ms + 500) / 1_000),
        90_000..5_400_000 => format!("{} min", (ms + 30_000) / 60_000),
        _ => format!("{} h {:02} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// In the unit in which it is a number one can picture.
fn rate(per_second: f64) -> String {
    match per_second {
        fast if fast >= 9.95 => format!("{fast:.0} a second"),
        fast if fast >= 0.95 => format!("{fast:.1} a second"),
        slow if slow * 60.0 >= 0.95 => format!("{:.0} a minute", slow * 60.0),
        slow => format!("{:.0} an hour", slow * 3_600.0),
    }
}

/// How fast a job goes, from looks at it.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<(At, i64)>);

impl Pace {
    /// Takes a look in, and answers recipients per second where that can be told.
    pub fn look(&mut self, job: &Progress, now: At) -> Option<f64> {
        if !job.is_running() {
            // What follows a wait is a new run, not the mean of both.
            self.0.clear();
            return None;
        }
        self.0.push_back((now, job.processed));
        while self.0.front().is_some_and(|(at, _)| now.since(*at) > RATE_WINDOW_MS) {
            self.0.pop_front();
        }
        let (from, before) = *self.0.front()?;
        let (ms, done) = (now.since(from), job.processed - before);
        (ms >= RATE_AFTER_MS && done > 0).then(|| done as f64 * 1_000.0 / ms as f64)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A Friday, 10:30 in São Paulo.
    const NOW: &str = "2026-03-06T13:30:00.000Z";

    fn now() -> At {
        At::parse(NOW).unwrap()
    }

    fn zone() -> TimeZone {
        TimeZone::get("America/Sao_Paulo").unwrap()
    }

    fn job(more: Value) -> Progress {
        let mut job = json!({
            "status": "running", "state": "running", "jobId": "65f1a2b3c4d5e6f7a8b9c0d1", "sessionId": "main",
            "total": 40, "processed": 14, "succeeded": 12, "failed": 1, "skipped": 1, "duplicates": 0,
            "invalid": 0, "paused": false
        });
        job.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(job).unwrap()
    }

    fn waits(reason: &str, until: Option<&str>, message: &str) -> String {
        let mut waiting = json!({"reason": reason, "message": message});
        if let Some(until) = until {
            waiting["until"] = until.into();
        }
        job(json!({"state": "waiting", "waiting": waiting})).standing(None, now(), &zone())
    }

    #[test]
    fn a_job_that_waits_says_for_what_and_until_when() {
        let monday = Some("2026-03-09T12:00:00.000Z");
        assert_eq!(waits("window", monday, "x"), "waiting for a sending window until Mon 09:00");
        assert_eq!(waits("scheduled", monday, "x"), "waiting for its start at Mon 09:00");
        assert_eq!(
            waits("daily_limit", Some("2026-03-07T03:00:30.000Z"), "x"),
            "waiting until Sat 00:00: the day's messages are spent"
        );
        assert_eq!(
            waits("blocked", Some("2026-03-06T14:00:00.000Z"), "WhatsApp refused a message"),
            "waiting until 11:00: WhatsApp refused a message"
        );
        assert_eq!(waits("session", None, "The session is resting"), "waiting: The session is resting");
        // One that a newer gateway has.
        assert_eq!(
            waits("moon", Some("2026-03-13T12:00:00Z"), "Full"),
            "waiting until 2026-03-13 09:00: Full"
        );
    }

    #[test]
    fn a_time_is_told_as_exactly_as_it_is_near() {
        let tell = |at: &str| clock_time(At::parse(at).unwrap(), now(), &zone());
        assert_eq!(tell("2026-03-06T13:31:30.000Z"), "10:31:30");
        assert_eq!(tell("2026-03-06T13:32:00.000Z"), "10:32");
        assert_eq!(tell("2026-03-07T02:59:00.000Z"), "23:59");
        // Tomorrow there, today in UTC.
        assert_eq!(tell("2026-03-07T03:00:00.000Z"), "Sat 00:00");
        assert_eq!(tell("2026-03-12T12:00:00.000Z"), "Thu 09:00");
        assert_eq!(tell("2026-03-13T12:00:00.000Z"), "2026-03-13 09:00");
        assert_eq!(clock_time(now(), now(), &TimeZone::UTC), "13:30:00 UTC");
    }

    #[test]
    fn a_running_job_says_how_fast_it_is_and_when_it_ends() {
        let ends = |at: &str, rate| job(json!({"estimatedEndAt": at})).standing(rate, now(), &zone());
        assert_eq!(ends("2026-03-06T13:30:07.200Z", Some(4.12)), "4.1 a second, about 8 s left");
        assert_eq!(ends("2026-03-06T13:29:00.000Z", None), "running, about 0 s left");
        assert_eq!(ends("2026-03-06T13:42:00.000Z", Some(0.285)), "17 a minute, about 12 min left");
        assert_eq!(ends("2026-03-06T18:00:00.000Z", Some(0.01)), "36 an hour, ends about 15:00");
        assert_eq!(ends("2026-03-09T12:05:00.000Z", Some(48.7)), "49 a second, ends about Mon 09:05");
        assert_eq!(job(json!({})).standing(None, now(), &zone()), "running");
        let paused = job(json!({"state": "paused", "paused": true}));
        assert_eq!(paused.standing(None, now(), &zone()), "paused");
    }

    #[test]
    fn the_summary_accounts_for_everybody() {
        let over = |status: &str, more: Value| {
            let mut all = json!({"status": status, "state": status});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            job(all).summary()
        };
        let times = json!({
            "processed": 40, "succeeded": 38,
            "startedAt": "2026-03-06T13:29:00.000Z", "finishedAt": "2026-03-06T13:29:09.400Z"
        });
        assert_eq!(
            over("completed", times),
            "Completed in 9.4 s: 38 of 40 sent, 1 failed, 1 skipped (opted out)"
        );
        assert_eq!(
            over("failed", json!({"state": "cancelled", "reason": "cancelled"})),
            "Cancelled: 12 of 40 sent, 1 failed, 1 skipped (opted out), 26 not written to"
        );
        assert_eq!(
            over("failed", json!({"reason": "session_removed", "duplicates": 2})),
            "Failed (session_removed): 12 of 40 sent, 1 failed, 1 skipped (opted out), 26 not written \
             to (and 2 duplicate and 0 unusable rows of the list, which are not counted)"
        );
    }

    #[test]
    fn lengths_of_time_are_told_in_their_own_unit() {
        let told = [9_940, 9_400, 75_400, 90_000, 3_700_000, 7_260_000].map(duration);
        assert_eq!(told, ["9.9 s", "9.4 s", "75 s", "2 min", "62 min", "2 h 01 min"]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_minute_and_begins_anew_after_a_wait() {
        let mut pace = Pace::default();
        let mut look = |second: i64, processed: i64, state: &str| {
            let seen = job(json!({"state": state, "processed": processed}));
            pace.look(&seen, now().plus_ms(second * 1_000))
        };
        assert_eq!(look(0, 0, "running"), None);
        assert_eq!(look(1, 4, "running"), Some(4.0));
        assert_eq!(look(60, 64, "running"), Some(64.0 / 60.0));
        // The first second has left the window.
        assert_eq!(look(61, 64, "running"), Some(1.0));
        assert_eq!(look(62, 64, "paused"), None);
        assert_eq!(look(90, 64, "running"), None);
        assert_eq!(look(92, 70, "running"), Some(3.0));
    }
}
