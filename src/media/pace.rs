//! How slowly a file may come: with a deadline for all of it, and so many bytes in every while before that.

use std::time::Duration;

use tokio::time::Instant;

/// Where no more than [`LEAST`] came in so long, nobody waits on.
const WHILE: Duration = Duration::from_secs(10);
/// Slower than any telephone line of the last thirty years.
const LEAST: u64 = 16 << 10;
/// For a file of any size.
const START: Duration = Duration::from_secs(60);
/// And so much for each second more.
const PER_SECOND: u64 = 256 << 10;

/// How long a file of that many bytes may take.
pub fn within(size: u64) -> Duration {
    START + Duration::from_secs(size / PER_SECOND)
}

/// Watches over one file.
#[derive(Debug)]
pub struct Pace {
    began: Instant,
    until: Instant,
    window: Instant,
    seen: u64,
}

impl Pace {
    /// For a file of up to so many bytes.
    pub fn new(most: u64, now: Instant) -> Self {
        Self { began: now, until: now + within(most), window: now + WHILE, seen: 0 }
    }

    /// It may be so large, as is known now.
    pub fn limit(&mut self, most: u64) {
        self.until = self.began + within(most);
    }

    /// Until when the next piece must be here.
    pub fn deadline(&self) -> Instant {
        self.window.min(self.until)
    }

    pub fn saw(&mut self, bytes: usize, now: Instant) {
        self.seen += bytes as u64;
        if self.seen >= LEAST {
            (self.seen, self.window) = (0, now + WHILE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn who_drips_is_not_waited_for() {
        let began = Instant::now();
        let mut pace = Pace::new(1 << 30, began);
        for second in 1..10 {
            pace.saw(1_000, began + seconds(second));
        }
        assert_eq!(pace.deadline(), began + WHILE);
        pace.saw(10_000, began + seconds(9));
        assert_eq!(pace.deadline(), began + seconds(9) + WHILE);
    }

    #[test]
    fn all_of_it_has_a_deadline_by_its_size() {
        let began = Instant::now();
        let mut pace = Pace::new(100 << 20, began);
        pace.limit(0);
        for fifth in 1..=12 {
            pace.saw(20_000, began + seconds(5 * fifth));
        }
        assert_eq!(pace.deadline(), began + START);
        assert_eq!(within(100 << 20), Duration::from_secs(460));
    }
}
