//! Who is told of a commit: readers of a tenant's log, and whoever delivers.
//!
//! What is told is only that there is something to read. With several processes on one Postgres, each
//! tells the others through its `NOTIFY`; a message that is lost there costs the time to the next look.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::follow::Tail;
use super::patient::{ALIVE_WITHIN, ANSWER_WITHIN, PatientPool, within};
use super::{Db, Store};
use crate::id::{EndpointId, TenantId};
use crate::key::Mode;

const CHANNEL: &str = "wapid_events";
/// Of Postgres, less room for what is around it.
const NOTICE_MAX: usize = 7_000;
/// How long after a connection for listening was lost the next is tried.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// After so long without news it is asked whether anybody is still there.
const SILENCE: Duration = Duration::from_secs(10);

/// What a commit added to a tenant's log.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub tenant: TenantId,
    pub mode: Mode,
    /// The log's last position.
    pub last: i64,
    /// Endpoints that have deliveries waiting for it.
    pub endpoints: Vec<EndpointId>,
}

type Log = (TenantId, Mode);
type Due = Box<dyn Fn(&[EndpointId]) + Send + Sync>;

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Hub(Arc<Inner>);

#[derive(Default)]
struct Inner {
    followed: Mutex<HashMap<Log, Weak<Tail>>>,
    due: OnceLock<Due>,
    abroad: OnceLock<mpsc::UnboundedSender<News>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

impl Hub {
    /// After a commit of this process.
    pub(super) fn tell(&self, news: Vec<News>) {
        for news in news {
            self.tell_here(&news);
            if let Some(abroad) = self.0.abroad.get() {
                let _ = abroad.send(news);
            }
        }
    }

    fn tell_here(&self, news: &News) {
        {
            let mut followed = self.0.followed.lock();
            let log = (news.tenant.clone(), news.mode);
            match followed.get(&log).map(Weak::upgrade) {
                Some(Some(tail)) => tail.tell(news.last),
                Some(None) => drop(followed.remove(&log)),
                None => {}
            }
        }
        if let Some(due) = self.0.due.get().filter(|_| !news.endpoints.is_empty()) {
            due(&news.endpoints);
        }
    }

    /// What those who follow a log share.
    pub(super) fn tail(&self, log: Log) -> Arc<Tail> {
        let mut followed = self.0.followed.lock();
        if let Some(tail) = followed.get(&log).and_then(Weak::upgrade) {
            return tail;
        }
        followed.retain(|_, tail| tail.strong_count() > 0);
        let tail = Arc::new(Tail::default());
        followed.insert(log, Arc::downgrade(&tail));
        tail
    }

    /// Wakes everybody: something may have been missed.
    fn tell_all(&self) {
        for tail in self.0.followed.lock().values().filter_map(Weak::upgrade) {
            tail.tell(0);
        }
    }
}

impl Store {
    /// Calls `due` with the endpoints that a commit gave deliveries to, soon after it. Once per store;
    /// later calls change nothing.
    pub fn on_due(&self, due: impl Fn(&[EndpointId]) + Send + Sync + 'static) {
        let _ = self.hub.0.due.set(Box::new(due));
    }

    /// Exchanges news with the other processes on this database, for ever. On SQLite there are none.
    pub fn exchange_news(&self) {
        let Db::Postgres(pool) = &self.db else { return };
        let (abroad, news) = mpsc::unbounded_channel();
        if self.hub.0.abroad.set(abroad).is_err() {
            return;
        }
        // So that nobody hears itself.
        let own = format!("{:016x}", rand::random::<u64>());
        tokio::spawn(publish(pool.clone(), own.clone(), news));
        tokio::spawn(listen(pool.clone(), own, self.hub.clone()));
    }
}

async fn publish(pool: PatientPool, own: String, mut news: mpsc::UnboundedReceiver<News>) {
    let mut batch = Vec::new();
    while news.recv_many(&mut batch, 256).await > 0 {
        let mut latest: HashMap<Log, News> = HashMap::new();
        for one in batch.drain(..) {
            let log = (one.tenant.clone(), one.mode);
            let known = latest.entry(log).or_insert_with(|| News { endpoints: vec![], ..one.clone() });
            known.last = known.last.max(one.last);
            for endpoint in one.endpoints {
                if !known.endpoints.contains(&endpoint) {
                    known.endpoints.push(endpoint);
                }
            }
        }
        let notices: Vec<String> = latest.into_values().map(|news| written(&own, &news)).collect();
        let tell = sqlx::query("SELECT pg_notify($1, notice) FROM UNNEST($2) AS notice");
        // Whoever does not hear it looks by itself before long.
        let _ = tell.bind(CHANNEL).bind(notices).execute(&pool).await;
    }
}

fn written(own: &str, news: &News) -> String {
    let endpoints: Vec<&str> = news.endpoints.iter().map(EndpointId::as_str).collect();
    let mut endpoints = endpoints.join(",");
    if endpoints.len() > NOTICE_MAX {
        endpoints.clear();
    }
    format!("{own} {} {} {} {endpoints}", news.mode.as_str(), news.last, news.tenant)
}

fn read(notice: &str, own: &str) -> Option<News> {
    let mut parts = notice.splitn(4, ' ');
    if parts.next()? == own {
        return None;
    }
    let mode = match parts.next()? {
        "live" => Mode::Live,
        _ => Mode::Test,
    };
    let last = parts.next()?.parse().ok()?;
    let (tenant, endpoints) = parts.next()?.rsplit_once(' ')?;
    let endpoints = endpoints.split(',').filter(|id| !id.is_empty()).map(|id| EndpointId(id.into()));
    Some(News { tenant: TenantId(tenant.into()), mode, last, endpoints: endpoints.collect() })
}

async fn listen(pool: PatientPool, own: String, hub: Hub) {
    let ours = pool.without_deadlines();
    let listening = async {
        loop {
            // Given up unfinished, where nobody answers any more.
            let _ = hear(ours, &own, &hub).await;
            hub.tell_all();
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    };
    tokio::select! {
        () = listening => {}
        () = ours.close_event() => {}
    }
}

/// Listens on a connection of its own until that is lost.
async fn hear(pool: &sqlx::PgPool, own: &str, hub: &Hub) -> sqlx::Result<()> {
    let options = (*pool.connect_options()).clone();
    let single =
        PgPoolOptions::new().max_connections(1).acquire_timeout(ANSWER_WITHIN).connect_lazy_with(options);
    let mut listener = PgListener::connect_with(&single).await?;
    within(ANSWER_WITHIN, listener.listen(CHANNEL)).await?;
    // What was said before we listened.
    hub.tell_all();
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(notice) => match notice? {
                Some(notice) => read(notice.payload(), own).iter().for_each(|news| hub.tell_here(news)),
                None => return Ok(()),
            },
            Err(_) => {
                within(ALIVE_WITHIN, sqlx::query("SELECT 1").execute(&mut listener)).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_reads_as_it_was_written_and_is_not_heard_by_who_wrote_it() {
        let endpoints = vec![EndpointId("ep_1".into()), EndpointId("ep_2".into())];
        let news = News { tenant: TenantId("a shop".into()), mode: Mode::Test, last: 7, endpoints };
        let notice = written("me", &news);
        let heard = read(&notice, "you").unwrap();
        assert_eq!((heard.tenant, heard.mode, heard.last), (news.tenant, Mode::Test, 7));
        assert_eq!(heard.endpoints, news.endpoints);
        assert!(read(&notice, "me").is_none());
    }
}
