//! Memory of answers that are being made or that nobody has read yet: so much in all, and a part of it for one tenant.
//!
//! Whoever reads slowly, or not at all, holds what was made for it. Beyond its tenant's part the next answer is not
//! made, and others are not touched by that.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wapid_core::id::TenantId;

use super::Full;

/// For answers of all tenants, in KiB.
const ALL: u32 = 48 << 10;
/// Of one tenant.
const OWN: u32 = 12 << 10;
/// How long somebody waits for others' answers to be read.
const WAIT: Duration = Duration::from_secs(10);

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Rooms(Arc<Shared>);

struct Shared {
    all: Arc<Semaphore>,
    own: Mutex<HashMap<TenantId, Weak<Semaphore>>>,
}

/// Memory that an answer may take, until it is dropped.
pub struct Room {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl Rooms {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared { all: Arc::new(Semaphore::new(ALL as usize)), own: Mutex::default() }))
    }

    /// Waits for room for so many bytes; for all that one tenant may have where they are more.
    ///
    /// # Errors
    /// When there was none for 10 s.
    pub(super) async fn take(&self, tenant: &TenantId, bytes: usize) -> Result<Room, Full> {
        let size = kib(bytes);
        let own = self.of(tenant);
        let taken = async {
            let own = own.acquire_many_owned(size).await.ok()?;
            Some(Room { own, all: self.0.all.clone().acquire_many_owned(size).await.ok()? })
        };
        tokio::time::timeout(WAIT, taken).await.ok().flatten().ok_or(Full::Answers)
    }

    fn of(&self, tenant: &TenantId) -> Arc<Semaphore> {
        let mut own = self.0.own.lock();
        if let Some(known) = own.get(tenant).and_then(Weak::upgrade) {
            return known;
        }
        own.retain(|_, one| one.strong_count() > 0);
        let fresh = Arc::new(Semaphore::new(OWN as usize));
        own.insert(tenant.clone(), Arc::downgrade(&fresh));
        fresh
    }
}

impl Room {
    /// Makes it as large as what was made. It does not wait: whoever does so with room in hand waits for another who
    /// does the same.
    ///
    /// # Errors
    /// When there is not so much.
    pub fn fit(mut self, bytes: usize) -> Result<Self, Full> {
        let (size, before) = (kib(bytes) as usize, self.own.num_permits());
        if let Some(less) = before.checked_sub(size) {
            drop((self.own.split(less), self.all.split(less)));
            return Ok(self);
        }
        let more = u32::try_from(size - before).unwrap_or(OWN);
        let own = self.own.semaphore().clone().try_acquire_many_owned(more).map_err(|_| Full::Answers)?;
        let all = self.all.semaphore().clone().try_acquire_many_owned(more).map_err(|_| Full::Answers)?;
        self.own.merge(own);
        self.all.merge(all);
        Ok(self)
    }
}

fn kib(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(OWN).min(OWN)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const MIB: usize = 1 << 20;

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        future.now_or_never()
    }

    #[tokio::test]
    async fn a_tenant_whose_answers_nobody_reads_holds_up_itself_alone() {
        let rooms = Rooms::new();
        let (slow, other) = (TenantId("slow".into()), TenantId("other".into()));
        let held = [rooms.take(&slow, 8 * MIB).await.ok(), rooms.take(&slow, 4 * MIB).await.ok()];
        assert!(held.iter().all(Option::is_some));
        assert!(now(rooms.take(&slow, 1)).is_none(), "it waits for its own");
        assert!(now(rooms.take(&other, MIB)).is_some());
        drop(held);
        assert!(now(rooms.take(&slow, 40 * MIB)).is_some(), "more than all of it is all of it");
        assert_eq!(rooms.0.all.available_permits(), ALL as usize);
    }

    #[tokio::test]
    async fn room_is_made_as_large_as_what_was_made() {
        let rooms = Rooms::new();
        let tenant = TenantId("shop".into());
        let room = rooms.take(&tenant, 2 * MIB).await.unwrap_or_else(|full| panic!("{full}"));
        let room = room.fit(1).unwrap_or_else(|full| panic!("{full}"));
        assert_eq!(rooms.0.all.available_permits(), ALL as usize - 1);
        let room = room.fit(3 * MIB).unwrap_or_else(|full| panic!("{full}"));
        assert_eq!(rooms.0.all.available_permits(), ALL as usize - (3 << 10));
        let rest = rooms.take(&tenant, 9 * MIB).await.unwrap_or_else(|full| panic!("{full}"));
        assert_eq!(room.fit(4 * MIB).err(), Some(Full::Answers));
        drop(rest);
        assert_eq!(rooms.0.all.available_permits(), ALL as usize);
    }
}
