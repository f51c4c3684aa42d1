//! What is heard of people and groups, on its way into the store: in order, apart from the sessions' tasks.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};
use wapid_core::clock::At;
use wapid_core::id::{SessionKey, TenantId};
use wapid_core::key::Mode;
use wapid_core::people::News;
use wapid_core::store::ledger::{GroupNews, Owner};
use wapid_core::store::{Store, StoreError};

/// Between two tries, while the database is away: it doubles up to the second.
const PAUSE: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];
/// As many receipts, and as much news, as wait while the database is away; what comes on top is dropped, and counted.
pub(super) const WAITING_MAX: usize = 100_000;
/// As many as wait are written together.
const AT_ONCE: usize = 256;
/// How long a tenant's wish about presence is believed.
const WISH_MS: i64 = 5_000;

enum Entry {
    Heard(SessionKey, Piece),
    Barrier(oneshot::Sender<()>),
}

enum Piece {
    People(Owner, Vec<News>),
    Group(GroupNews),
}

/// Hands in what is heard. Cheap to clone.
#[derive(Clone)]
pub struct Heard(mpsc::Sender<Entry>);

impl Heard {
    pub fn start(store: Store) -> Self {
        let (tx, mut queue) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            let mut desk = Desk { store, wishes: HashMap::new() };
            let mut waiting = Vec::new();
            while queue.recv_many(&mut waiting, AT_ONCE).await > 0 {
                let (lines, barriers) = by_session(waiting.drain(..));
                for piece in lines.values().flatten() {
                    desk.learn_wish(piece).await;
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
        self.put(owner.session.clone(), Piece::People(owner.clone(), news), "news of people");
    }

    pub fn note_group(&self, news: GroupNews) {
        self.put(news.session.clone(), Piece::Group(news), "news of a group");
    }

    fn put(&self, session: SessionKey, piece: Piece, what: &'static str) {
        if self.0.try_send(Entry::Heard(session, piece)).is_err() {
            dropped(what);
        }
    }

    /// Returns once everything noted so far is written.
    pub async fn written(&self) {
        let (tx, done) = oneshot::channel();
        let _ = self.0.send(Entry::Barrier(tx)).await;
        let _ = done.await;
    }
}

/// What is heard of one session, in its order: nobody waits for another session's.
type Lines = BTreeMap<SessionKey, Vec<Piece>>;

fn by_session(waiting: impl Iterator<Item = Entry>) -> (Lines, Vec<oneshot::Sender<()>>) {
    let (mut lines, mut barriers) = (Lines::new(), Vec::new());
    for entry in waiting {
        let (session, piece) = match entry {
            Entry::Heard(session, piece) => (session, piece),
            Entry::Barrier(done) => {
                barriers.push(done);
                continue;
            }
        };
        let line = lines.entry(session).or_default();
        match (line.last_mut(), piece) {
            (Some(Piece::People(_, news)), Piece::People(_, more)) => news.extend(more),
            (_, piece) => line.push(piece),
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
    async fn write(&self, line: Vec<Piece>) {
        for piece in line {
            match piece {
                Piece::People(owner, news) => self.people(owner, news).await,
                Piece::Group(news) => {
                    until_written("news of a group", || self.store.note_groups(news.clone())).await;
                }
            }
        }
    }

    async fn people(&self, owner: Owner, mut news: Vec<News>) {
        let wish = self.wishes.get(&(owner.tenant.clone(), owner.mode));
        if !wish.is_some_and(|(told, _)| *told) {
            news.retain(|one| !is_about_presence(one));
        }
        if !news.is_empty() {
            until_written("news of people", || self.store.hear(owner.clone(), news.clone())).await;
        }
    }

    /// Whether the tenant wants presence told, where that is the question.
    async fn learn_wish(&mut self, piece: &Piece) {
        let Piece::People(owner, news) = piece else { return };
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

/// A fault of the database is waited out, however long it takes; WhatsApp tells each thing once. What the database
/// will never take is left out, and counted.
pub(super) async fn until_written<F>(what: &'static str, mut write: impl FnMut() -> F)
where
    F: Future<Output = Result<(), StoreError>>,
{
    let [mut pause, longest] = PAUSE;
    loop {
        match write().await {
            Ok(()) | Err(StoreError::Closed) => return,
            Err(error) if error.is_about_the_data() => {
                error!("What WhatsApp told, {what}, cannot be written and is left out: {error}");
                return dropped(what);
            }
            Err(error) if is_news(&LAST_TOLD) => {
                warn!("What WhatsApp told, {what} and perhaps more, is not written yet: {error}");
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
        pause = longest.min(pause * 2);
    }
}

/// When it was last said that the database is away, in seconds since the process began.
static LAST_TOLD: AtomicU64 = AtomicU64::new(0);

/// Once in ten seconds: everything that waits for the database would say the same.
fn is_news(last: &AtomicU64) -> bool {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    const EVERY_S: u64 = 10;
    // Begins at ten, for at 0 nothing was told yet.
    let now = BEGAN.get_or_init(Instant::now).elapsed().as_secs() + EVERY_S;
    let told = last
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| (now >= last + EVERY_S).then_some(now));
    told.is_ok()
}

/// Counts what is lost of what WhatsApp told.
pub(super) fn dropped(what: &'static str) {
    metrics::counter!("wapid_news_dropped_total", "kind" => what).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_would_say_is_said_once() {
        let last = AtomicU64::new(0);
        assert!(is_news(&last));
        assert!((0..1_000).all(|_| !is_news(&last)));
    }
}
