//! How many files and sockets this process may hold open at a time, and what they are for.
//!
//! Systemd and shells give a process 1,024, which a thousand idle connections of anybody use up. So the limit is raised
//! to what the system allows, and connections get a share of it: databases, WhatsApp, webhooks and files keep theirs.

/// As many as a large gateway needs.
const WANTED: u64 = 65_536;
/// Under which a gateway still works.
const LEAST: u64 = 1_024;
/// Of each ten, connections of callers.
const CONNECTIONS_OF_TEN: u64 = 6;
/// And one of ten, deliveries to webhooks.
const DELIVERIES_OF_TEN: u64 = 1;

/// Raises the limit of this process as far as the system allows; the limit then.
pub fn raise_limit() -> u64 {
    // Where it cannot be read, as on Windows, there is none.
    let limit = rlimit::increase_nofile_limit(WANTED).unwrap_or(WANTED);
    if limit < LEAST {
        tracing::warn!("This process may open {limit} files and sockets only; raise `ulimit -n` to {WANTED}");
    }
    limit
}

/// How many connections may be open to this process.
pub fn connections_max(limit: u64) -> usize {
    tenths(limit, CONNECTIONS_OF_TEN)
}

/// How many deliveries to webhooks may be underway.
pub fn deliveries_max(limit: u64) -> usize {
    tenths(limit, DELIVERIES_OF_TEN)
}

fn tenths(limit: u64, parts: u64) -> usize {
    usize::try_from(limit / 10 * parts).unwrap_or(usize::MAX).max(1)
}

/// Are nearly all that this process may open in use? `false` where that cannot be told.
pub fn are_short() -> bool {
    let limit = rlimit::Resource::NOFILE.get_soft().unwrap_or(u64::MAX);
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64);
    open > limit / 20 * 19
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_all_else() {
        assert_eq!(connections_max(1_024), 612);
        assert_eq!(connections_max(65_536), 39_318);
        assert_eq!(connections_max(0), 1);
        assert_eq!(deliveries_max(1_024), 102);
        assert!(raise_limit() >= 256);
        assert!(!are_short());
    }
}
