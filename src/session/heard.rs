//! What is heard of people and groups, on its way into the store: in order, apart from the sessions' tasks.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::error;
use wapid_core::clock::At;
use wapid_core::id::TenantId;
use wapid_core::key::Mode;
use wapid_core::people::News;
use wapid_core::store::ledger::{GroupNews, Owner};
use wapid_core::store::{Store, StoreError};

/// 12 s in all, as for receipts.
const TRIES: u32 = 7;
/// As many as wait are written together.
const AT_ONCE: usize = 256;
/// How long a tenant's wish about presence is believed.
const WISH_MS: i64 = 5_000;

enum Entry {
    People(Owner, Vec<News>),
    Group(GroupNews),
    Barrier(oneshot::Sender<()>),
}

/// Hands in what is heard. Cheap to clone.
#[derive(Clone)]
pub struct Heard(mpsc::UnboundedSender<Entry>);

impl Heard {
    pub fn start(store: Store) -> Self {
        let (tx, mut queue) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut desk = Desk { store, wishes: HashMap::new() };
            let mut waiting = Vec::new();
            while queue.recv_many(&mut waiting, AT_ONCE).await > 0 {
                for entry in together(waiting.drain(..)) {
                    match entry {
                        Entry::People(owner, news) => desk.people(owner, news).await,
                        Entry::Group(news) => desk.group(news).await,
                        Entry::Barrier(done) => drop(done.send(())),
                    }
                }
            }
        });
        Self(tx)
    }

    pub fn note(&self, owner: &Owner, news: Vec<News>) {
        let _ = self.0.send(Entry::People(owner.clone(), news));
    }

    pub fn note_group(&self, news: GroupNews) {
        let _ = self.0.send(Entry::Group(news));
    }

    /// Returns once everything noted so far is written.
    pub async fn written(&self) {
        let (tx, done) = oneshot::channel();
        let _ = self.0.send(Entry::Barrier(tx));
        let _ = done.await;
    }
}

/// News of one session that follow on one another, as one piece.
fn together(waiting: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for entry in waiting {
        match (all.last_mut(), entry) {
            (Some(Entry::People(known, news)), Entry::People(owner, more)) if *known == owner => {
                news.extend(more);
            }
            (_, entry) => all.push(entry),
        }
    }
    all
}

struct Desk {
    store: Store,
    /// Whether a tenant wants presence told.
    wishes: HashMap<(TenantId, Mode), (bool, At)>,
}

impl Desk {
    async fn people(&mut self, owner: Owner, mut news: Vec<News>) {
        let is_about_presence = |one: &News| matches!(one, News::Presence { .. } | News::Typing { .. });
        if news.iter().any(is_about_presence) && !self.tells_presence(&owner).await {
            news.retain(|one| !is_about_presence(one));
        }
        if !news.is_empty() {
            until_written("people", || self.store.hear(owner.clone(), news.clone())).await;
        }
    }

    async fn group(&self, news: GroupNews) {
        until_written("a group", || self.store.note_groups(news.clone())).await;
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

/// A passing fault of the database is waited out; WhatsApp tells each thing once.
async fn until_written<F>(of: &str, mut write: impl FnMut() -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    let mut pause = Duration::from_millis(100);
    for _ in 0..TRIES {
        match write().await {
            Ok(()) | Err(StoreError::Closed) => return,
            Err(error) => error!("What was heard of {of} was not written and is tried again: {error}"),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}
