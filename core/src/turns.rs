//! Who may do something costly now: so many at once, and no tenant more than its share.
//!
//! The first turn of a tenant is never behind another tenant's second one. All that goes beyond each tenant's
//! first comes out of one half of the turns, so that a few tenants whose work hangs leave the other half to
//! everybody else. What is done in a turn, and how long that may take, is decided elsewhere.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::id::TenantId;

/// How long somebody stands in line at most.
const WAIT: Duration = Duration::from_secs(30);

/// Permission to do it, until it is dropped.
pub struct Turn {
    _held: Vec<OwnedSemaphorePermit>,
    /// Kept while one of its turns is held, and forgotten after that.
    _own: Arc<OwnTurns>,
}

/// Everybody else does it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// Cheap to clone. `K` is whoever has a share: a tenant, or a tenant in one mode.
#[derive(Clone)]
pub struct Turns<K = TenantId> {
    all: Arc<Semaphore>,
    /// Those beyond each tenant's first.
    beyond: Arc<Semaphore>,
    share: usize,
    own: Arc<Mutex<HashMap<K, Weak<OwnTurns>>>>,
}

struct OwnTurns {
    first: Arc<Semaphore>,
    beyond: Arc<Semaphore>,
}

impl<K: Clone + Eq + Hash> Turns<K> {
    /// So many at once; half of them for one tenant, so that one whose clients are slow holds up no other.
    pub fn new(at_once: usize) -> Self {
        Self::with_share(at_once, at_once.div_ceil(2))
    }

    /// So many at once, and `share` of them for one tenant.
    pub fn with_share(at_once: usize, share: usize) -> Self {
        let (at_once, share) = (at_once.max(1), share.max(1));
        Self {
            all: Arc::new(Semaphore::new(at_once)),
            beyond: Arc::new(Semaphore::new((at_once / 2).max(share) - 1)),
            share,
            own: Arc::default(),
        }
    }

    /// Waits for a turn, but not for ever.
    ///
    /// # Errors
    /// When none was free for 30 s.
    pub async fn take(&self, tenant: &K) -> Result<Turn, Busy> {
        tokio::time::timeout(WAIT, self.wait(tenant)).await.map_err(|_| Busy)
    }

    /// Waits for a turn as long as the caller does: who is dropped has left the line.
    pub async fn wait(&self, tenant: &K) -> Turn {
        let own = self.of(tenant);
        let first = acquire(&own.first);
        let beyond = async { (acquire(&own.beyond).await, acquire(&self.beyond).await) };
        let mut held = tokio::select! {
            biased;
            first = first => vec![first],
            (own, common) = beyond => vec![own, common],
        };
        held.push(acquire(&self.all).await);
        Turn { _held: held, _own: own }
    }

    fn of(&self, tenant: &K) -> Arc<OwnTurns> {
        let mut own = self.own.lock();
        if let Some(known) = own.get(tenant).and_then(Weak::upgrade) {
            return known;
        }
        own.retain(|_, one| one.strong_count() > 0);
        let fresh = Arc::new(OwnTurns {
            first: Arc::new(Semaphore::new(1)),
            beyond: Arc::new(Semaphore::new(self.share - 1)),
        });
        own.insert(tenant.clone(), Arc::downgrade(&fresh));
        fresh
    }
}

async fn acquire(turns: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    turns.clone().acquire_owned().await.expect("nobody closes it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn a_tenant_leaves_turns_to_others() {
        let turns = Turns::new(4);
        let (a, b) = (TenantId("a".into()), TenantId("b".into()));
        let held = [turns.take(&a).await.unwrap(), turns.take(&a).await.unwrap()];
        assert!(turns.take(&a).now_or_never().is_none(), "half of four is two");
        let other = turns.take(&b).await.unwrap();
        drop(held);
        drop(turns.take(&a).await.unwrap());
        drop(other);
        assert_eq!(turns.own.lock().get(&a).map(Weak::strong_count), Some(0), "nothing is kept of a tenant");
    }

    #[tokio::test]
    async fn so_many_at_once_and_then_a_line() {
        let turns = Turns::new(2);
        let tenants: Vec<_> = (0..3).map(|n| TenantId(format!("t{n}"))).collect();
        let first = turns.take(&tenants[0]).await.unwrap();
        let _second = turns.take(&tenants[1]).await.unwrap();
        assert!(turns.take(&tenants[2]).now_or_never().is_none());
        drop(first);
        assert!(turns.take(&tenants[2]).await.is_ok());
    }

    #[tokio::test]
    async fn many_who_want_all_they_can_get_leave_a_first_turn_to_the_next() {
        let turns = Turns::with_share(16, 4);
        let mut held = vec![];
        for greedy in 0..8 {
            for _ in 0..20 {
                // So many tries in one go would use up what the runtime lets a task do before it gives way.
                held.extend(tokio::task::unconstrained(turns.wait(&greedy)).now_or_never());
            }
        }
        assert_eq!(held.len(), 8 + 7, "the first of each, and half of all but one beyond");
        assert!(turns.wait(&100).now_or_never().is_some());
        // One who leaves lets the next of its own in.
        drop(held);
        assert!(turns.wait(&0).now_or_never().is_some());
    }

    #[tokio::test]
    async fn whoever_is_gone_has_left_the_line() {
        let turns = Turns::new(1);
        let held = turns.wait(&1).await;
        let mut gone = Box::pin(turns.wait(&2));
        assert!(futures::poll!(&mut gone).is_pending());
        let mut next = Box::pin(turns.wait(&3));
        assert!(futures::poll!(&mut next).is_pending());
        drop((gone, held));
        assert!(next.now_or_never().is_some());
    }
}
