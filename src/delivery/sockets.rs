//! How many deliveries may be underway: in all, and of one tenant.
//!
//! An endpoint's own limit says what its receiver takes. This one says what we have: receivers that never answer hold
//! a socket each until their deadline, and a tenant may have many endpoints.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use wapid_core::id::TenantId;

/// One tenant's part of all.
const PART: usize = 8;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Sockets(Arc<Shared>);

struct Shared {
    at_once: usize,
    of_tenant: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Default)]
struct Taken {
    all: usize,
    own: HashMap<TenantId, usize>,
}

/// One of them; it is free again when it is dropped.
pub(super) struct Socket {
    sockets: Sockets,
    tenant: TenantId,
}

impl Sockets {
    pub(super) fn new(at_once: usize) -> Self {
        let at_once = at_once.max(1);
        Self(Arc::new(Shared {
            at_once,
            of_tenant: at_once.div_ceil(PART),
            taken: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// `None` while all are taken, or all that this tenant may have.
    pub(super) fn take(&self, tenant: &TenantId) -> Option<Socket> {
        let mut taken = self.0.taken.lock();
        let own = taken.own.get(tenant).copied().unwrap_or_default();
        if taken.all >= self.0.at_once || own >= self.0.of_tenant {
            return None;
        }
        taken.all += 1;
        taken.own.insert(tenant.clone(), own + 1);
        Some(Socket { sockets: self.clone(), tenant: tenant.clone() })
    }

    /// Returns once one has become free since this was called.
    pub(super) fn freed(&self) -> Notified<'_> {
        self.0.freed.notified()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        {
            let mut taken = self.sockets.0.taken.lock();
            taken.all -= 1;
            if let Some(own) = taken.own.get_mut(&self.tenant) {
                *own -= 1;
                if *own == 0 {
                    taken.own.remove(&self.tenant);
                }
            }
        }
        self.sockets.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_tenant_whose_receivers_hang_leaves_sockets_to_others() {
        let sockets = Sockets::new(16);
        let (hanging, other) = (TenantId("hanging".into()), TenantId("other".into()));
        let held = [sockets.take(&hanging).expect("one"), sockets.take(&hanging).expect("two")];
        assert!(sockets.take(&hanging).is_none(), "an eighth of sixteen");
        assert!(sockets.take(&other).is_some());
        let freed = sockets.freed();
        drop(held);
        assert!(freed.now_or_never().is_some());
        assert!(sockets.0.taken.lock().own.is_empty());
        assert!(sockets.take(&hanging).is_some());
    }

    #[test]
    fn there_are_no_more_than_there_are() {
        let sockets = Sockets::new(2);
        let tenants: Vec<_> = (0..3).map(|number| TenantId(format!("t{number}"))).collect();
        let _held = [sockets.take(&tenants[0]).expect("one"), sockets.take(&tenants[1]).expect("two")];
        assert!(sockets.take(&tenants[2]).is_none());
    }
}
