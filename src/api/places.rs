//! How many of something a tenant has underway, where that is limited.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use wapid_core::id::TenantId;

/// Counts them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Places(Arc<Mutex<HashMap<TenantId, usize>>>);

/// One of them; it makes room when it is dropped.
pub struct Place {
    places: Places,
    tenant: TenantId,
}

impl Places {
    /// `None` while the tenant has `most` already.
    pub fn enter(&self, tenant: &TenantId, most: usize) -> Option<Place> {
        let mut underway = self.0.lock();
        let count = underway.entry(tenant.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), tenant: tenant.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut underway = self.places.0.lock();
        if let Some(count) = underway.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                underway.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_left() {
        let (places, a, b) = (Places::default(), TenantId("a".into()), TenantId("b".into()));
        let first = places.enter(&a, 1).expect("room");
        assert!(places.enter(&a, 1).is_none());
        assert!(places.enter(&b, 1).is_some());
        drop(first);
        assert!(places.enter(&a, 1).is_some());
        assert!(places.0.lock().is_empty());
    }
}
