//! What is heard of people, on its way into the store: in order, apart from the sessions' tasks.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::error;
use wapid_core::clock::At;
use wapid_core::id::TenantId;
use wapid_core::key::Mode;
use wapid_core::people::News;
use wapid_core::store::ledger::Owner;
use wapid_core::store::{Store, StoreError};

/// 12 s in all, as for receipts.
const TRIES: u32 = 7;
/// As many as wait are written together.
const AT_ONCE: usize = 256;
/// How long a tenant's wish about presence is believed.
const WISH_MS: i64 = 5_000;

/// Hands in what is heard. Cheap to clone.
#[derive(Clone)]
pub struct Heard(mpsc::UnboundedSender<(Owner, Vec<News>)>);

impl Heard {
    pub fn start(store: Store) -> Self {
        let (tx, mut queue) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut desk = Desk { store, wishes: HashMap::new() };
            let mut waiting = Vec::new();
            while queue.recv_many(&mut waiting, AT_ONCE).await > 0 {
                for (owner, news) in by_owner(waiting.drain(..)) {
                    desk.write(owner, news).await;
                }
            }
        });
        Self(tx)
    }

    pub fn note(&self, owner: &Owner, news: Vec<News>) {
        let _ = self.0.send((owner.clone(), news));
    }
}

/// What follows on one another of one session, together.
fn by_owner(waiting: impl Iterator<Item = (Owner, Vec<News>)>) -> Vec<(Owner, Vec<News>)> {
    let mut grouped: Vec<(Owner, Vec<News>)> = Vec::new();
    for (owner, news) in waiting {
        match grouped.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, known)) => known.extend(news),
            None => grouped.push((owner, news)),
        }
    }
    grouped
}

struct Desk {
    store: Store,
    /// Whether a tenant wants presence told.
    wishes: HashMap<(TenantId, Mode), (bool, At)>,
}

impl Desk {
    async fn write(&mut self, owner: Owner, mut news: Vec<News>) {
        let is_about_presence = |one: &News| matches!(one, News::Presence { .. } | News::Typing { .. });
        if news.iter().any(is_about_presence) && !self.tells_presence(&owner).await {
            news.retain(|one| !is_about_presence(one));
        }
        if news.is_empty() {
            return;
        }
        let mut pause = Duration::from_millis(100);
        for _ in 0..TRIES {
            match self.store.hear(owner.clone(), news.clone()).await {
                Ok(()) | Err(StoreError::Closed) => return,
                Err(error) => error!("What was heard of people was not written and is tried again: {error}"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn tells_presence(&mut self, owner: &Owner) -> bool {
        let now = self.store.clock().now();
        let place = (owner.tenant.clone(), owner.mode);
        if let Some((wish, asked)) = self.wishes.get(&place)
            && now.since(*asked) < WISH_MS
        {
            return *wish;
        }
        let tenant = self.store.tenant(owner.tenant.clone(), owner.mode);
        let Ok(wish) = tenant.tells_presence().await else { return false };
        self.wishes.insert(place, (wish, now));
        wish
    }
}
