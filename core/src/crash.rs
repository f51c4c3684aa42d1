//! Places at which a test lets the process die.
//!
//! Between any two steps of a send the process may be killed, and a test that kills at random instants
//! meets the short gaps rarely. A debug build that finds `WAPID_CRASH_AT=name:3` in its environment
//! aborts at the third pass through that place; an optimised one has no such places.
//! `tests/it/jobs/crash_points.rs` sweeps over them.

/// Dies here if the environment says so.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static CHOSEN: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let chosen = std::env::var("WAPID_CRASH_AT").ok()?;
        let (name, pass) = chosen.rsplit_once(':')?;
        Some((name.to_owned(), pass.parse().ok()?))
    });
    static PASSES: AtomicU32 = AtomicU32::new(0);

    if let Some((chosen, pass)) = &*CHOSEN
        && chosen == name
        && PASSES.fetch_add(1, Ordering::Relaxed) + 1 == *pass
    {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_name: &'static str) {}
