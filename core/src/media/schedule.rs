//! When a download is tried again, and how long a file is kept.

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// How long files are kept where a tenant says nothing else.
pub const KEPT_DAYS: i64 = 30;
pub const KEPT_DAYS_RANGE: std::ops::RangeInclusive<i64> = 1..=3_650;

/// The pauses between tries to fetch what somebody sent us: eight tries in 43 h, well within the weeks
/// for which WhatsApp keeps it.
const PAUSES_MS: [i64; 7] = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, 36 * HOUR];

/// How long to wait after `tries` tries that failed, in ms; `None` when that was the last.
pub fn retry_after(tries: i64) -> Option<i64> {
    PAUSES_MS.get(usize::try_from(tries.checked_sub(1)?).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_is_tried_eight_times_ever_more_rarely() {
        let pauses: Vec<i64> = (1..).map_while(retry_after).collect();
        assert_eq!(pauses.len(), 7);
        assert!(pauses.is_sorted());
        assert!(pauses.iter().sum::<i64>() < 2 * 24 * HOUR);
        assert_eq!(retry_after(0), None);
        assert_eq!(retry_after(i64::MIN), None);
    }
}
