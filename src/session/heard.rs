//! What is heard of people and groups, on its way into the store: in order, apart from the sessions' tasks.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::error;
use wapid_core::clock::At;
use wapid_core::id::{SessionKey, TenantId};
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
                let (lines, barriers) = by_session(waiting.drain(..));
                for entry in lines.values().flatten() {
                    desk.learn_wish(entry).await;
                }
                let desk = &desk;
                futures::future::join_all(lines.into_values().map(|line| desk.write(line))).await;
                for done in barriers {
                    let _ = done.send(());
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

/// What is heard of one session, in its order: nobody waits for another session's.
type Lines = BTreeMap<SessionKey, Vec<Entry>>;

fn by_session(waiting: impl Iterator<Item = Entry>) -> (Lines, Vec<oneshot::Sender<()>>) {
    let (mut lines, mut barriers) = (Lines::new(), Vec::new());
    for entry in waiting {
        let session = match &entry {
            Entry::People(owner, _) => owner.session.clone(),
            Entry::Group(news) => news.session.clone(),
            Entry::Barrier(_) => {
                if let Entry::Barrier(done) = entry {
                    barriers.push(done);
                }
                continue;
            }
        };
        let line = lines.entry(session).or_default();
        match (line.last_mut(), entry) {
            (Some(Entry::People(_, news)), Entry::People(_, more)) => news.extend(more),
            (_, entry) => line.push(entry),
        }
    }
    (lines, barriers)
}

struct Desk {
    store: Store,
    /// Whether a tenant wants presence told.
    wishes: HashMap<(TenantId, Mode), (bool, At)>,
}

impl Desk {
    async fn write(&self, line: Vec<Entry>) {
        for entry in line {
            match entry {
                Entry::People(owner, news) => self.people(owner, news).await,
                Entry::Group(news) => {
                    until_written("a group", || self.store.note_groups(news.clone())).await;
                }
                Entry::Barrier(_) => {}
            }
        }
    }

    async fn people(&self, owner: Owner, mut news: Vec<News>) {
        let wish = self.wishes.get(&(owner.tenant.clone(), owner.mode));
        if !wish.is_some_and(|(told, _)| *told) {
            news.retain(|one| !is_about_presence(one));
        }
        if !news.is_empty() {
            until_written("people", || self.store.hear(owner.clone(), news.clone())).await;
        }
    }

    /// Whether the tenant wants presence told, where that is the question.
    async fn learn_wish(&mut self, entry: &Entry) {
        let Entry::People(owner, news) = entry else { return };
        let now = self.store.clock().now();
        let place = (owner.tenant.clone(), owner.mode);
        let is_known = self.wishes.get(&place).is_some_and(|(_, asked)| now.since(*asked) < WISH_MS);
        if is_known || !news.iter().any(is_about_presence) {
            return;
        }
        let tenant = self.store.tenant(owner.tenant.clone(), owner.mode);
        match tenant.tells_presence().await {
            Ok(told) => drop(self.wishes.insert(place, (told, now))),
            // What a passing moment showed is not worth waiting for.
            Err(_) => drop(self.wishes.remove(&place)),
        }
    }
}

fn is_about_presence(news: &News) -> bool {
    matches!(news, News::Presence { .. } | News::Typing { .. })
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
