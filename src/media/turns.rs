//! Who may do something large now: so many at once, and no tenant more than its share.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wapid_core::id::TenantId;

/// How long somebody stands in line.
const WAIT: Duration = Duration::from_secs(30);

/// Permission to do it, until it is dropped.
pub struct Turn {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// Everybody else does it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// Cheap to clone.
#[derive(Clone)]
pub struct Turns {
    all: Arc<Semaphore>,
    share: usize,
    own: Arc<Mutex<HashMap<TenantId, Weak<Semaphore>>>>,
}

impl Turns {
    /// So many at once; half of them for one tenant, so that one whose clients are slow holds up no other.
    pub fn new(at_once: usize) -> Self {
        let at_once = at_once.max(1);
        Self { all: Arc::new(Semaphore::new(at_once)), share: at_once.div_ceil(2), own: Arc::default() }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When none was free for 30 s.
    pub async fn take(&self, tenant: &TenantId) -> Result<Turn, Busy> {
        let own = self.of(tenant);
        let turn = async {
            let own = own.acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>(Turn {
                _own: own,
                _all: self.all.clone().acquire_owned().await?,
            })
        };
        tokio::time::timeout(WAIT, turn).await.map_err(|_| Busy)?.map_err(|_| Busy)
    }

    fn of(&self, tenant: &TenantId) -> Arc<Semaphore> {
        let mut own = self.own.lock();
        if let Some(known) = own.get(tenant).and_then(Weak::upgrade) {
            return known;
        }
        own.retain(|_, one| one.strong_count() > 0);
        let fresh = Arc::new(Semaphore::new(self.share));
        own.insert(tenant.clone(), Arc::downgrade(&fresh));
        fresh
    }
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
}
