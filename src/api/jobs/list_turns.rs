//! Whose list is read and stored now.
//!
//! A list of 100,000 people takes some tens of MB until it is stored, so few are in memory at a time, and one of each
//! tenant. Small ones have turns of their own and are never behind large ones. How long a list takes is bounded
//! elsewhere, by its size and its rows.

use wapid_core::id::TenantId;
use wapid_core::turns::{Turn, Turns};

/// Large lists at a time.
const LARGE_AT_ONCE: usize = 2;
/// Small ones.
const SMALL_AT_ONCE: usize = 16;
/// Bytes of a small list: some thousand people.
const SMALL_MAX: u64 = 64 << 10;
/// Of one that is packed, as workbooks are: unpacked it may have a thousand times as many.
const SMALL_PACKED_MAX: u64 = 16 << 10;

/// Cheap to clone.
#[derive(Clone)]
pub struct ListTurns {
    small: Turns,
    large: Turns,
}

/// How much of a list there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListSize {
    pub bytes: u64,
    pub is_packed: bool,
}

impl ListSize {
    fn is_small(self) -> bool {
        self.bytes <= if self.is_packed { SMALL_PACKED_MAX } else { SMALL_MAX }
    }
}

impl Default for ListTurns {
    fn default() -> Self {
        Self { small: Turns::new(SMALL_AT_ONCE), large: Turns::new(LARGE_AT_ONCE) }
    }
}

impl ListTurns {
    /// Waits for a turn as long as the caller does.
    pub async fn wait(&self, tenant: &TenantId, size: ListSize) -> Turn {
        let turns = if size.is_small() { &self.small } else { &self.large };
        turns.wait(tenant).await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const LARGE: ListSize = ListSize { bytes: 4 << 20, is_packed: false };
    const PACKED: ListSize = ListSize { bytes: SMALL_PACKED_MAX + 1, is_packed: true };
    const SMALL: ListSize = ListSize { bytes: SMALL_MAX, is_packed: false };

    #[tokio::test]
    async fn a_list_waits_for_no_other_tenants_lists_and_a_small_one_for_no_large_one() {
        let turns = ListTurns::default();
        let tenants = ["a", "b", "c"].map(|name| TenantId(name.into()));
        let [a, b, c] = &tenants;
        let _first = turns.wait(a, LARGE).now_or_never().expect("nobody is there");
        assert!(turns.wait(a, PACKED).now_or_never().is_none());
        let second = turns.wait(b, PACKED).now_or_never().expect("another tenant's");
        for tenant in &tenants {
            assert!(turns.wait(tenant, SMALL).now_or_never().is_some());
        }
        // Large ones are in memory, so the third tenant's waits for the first that is done.
        assert!(turns.wait(c, LARGE).now_or_never().is_none());
        drop(second);
        assert!(turns.wait(c, LARGE).now_or_never().is_some());
    }
}
