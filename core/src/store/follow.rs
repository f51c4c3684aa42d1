//! Following a tenant's log as it grows.
//!
//! All who follow one log share its newest part: an event is read and written out once, however many
//! read it. Who is further behind reads for itself and costs the others nothing.
//!
//! Nobody is given more than they ask for: what a stranger writes may be long, and many may read slowly. So a reader
//! hears how large the next event is before it holds it.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use super::{Result, TenantStore};
use crate::event::{Event, Kind};
use crate::id::SessionId;

/// Events that are read at a time.
const STEP: usize = 256;
/// What is shared of a log at most.
const SHARED_MAX: usize = 1_000;
const SHARED_BYTES_MAX: usize = 4 << 20;

/// An event as its readers get it.
#[derive(Debug)]
pub struct Told {
    pub position: i64,
    /// `None` for one that this version does not know.
    pub kind: Option<Kind>,
    pub session: Option<SessionId>,
    /// The whole event, compact.
    pub json: Box<str>,
}

impl Told {
    fn of(event: &Event) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            position: event.position,
            kind: Kind::parse(&event.kind),
            session: event.session_id.clone(),
            json: serde_json::to_string(event)?.into_boxed_str(),
        }))
    }
}

/// What those who follow one log share.
#[derive(Default)]
pub(super) struct Tail {
    /// The last position that this process heard of.
    last: watch::Sender<i64>,
    recent: Mutex<Recent>,
}

impl Tail {
    pub(super) fn tell(&self, last: i64) {
        self.last.send_modify(|known| *known = last.max(*known));
    }
}

/// Neighbours in the log, without gaps.
#[derive(Default)]
struct Recent {
    events: VecDeque<Arc<Told>>,
    bytes: usize,
}

impl Recent {
    fn ends(&self) -> Option<(i64, i64)> {
        Some((self.events.front()?.position, self.events.back()?.position))
    }

    fn after(&self, position: i64, first: i64, most: usize) -> Reading {
        let skip = usize::try_from(position + 1 - first).unwrap_or(0);
        let mut left = most;
        let mut events = vec![];
        for event in self.events.iter().skip(skip).take(STEP) {
            let Some(rest) = left.checked_sub(event.json.len()) else {
                return if events.is_empty() {
                    Reading::Large(event.json.len())
                } else {
                    Reading::Events(events)
                };
            };
            left = rest;
            events.push(event.clone());
        }
        Reading::Events(events)
    }

    fn add(&mut self, more: &[Arc<Told>]) {
        for event in more {
            self.bytes += event.json.len();
            self.events.push_back(event.clone());
            while self.events.len() > SHARED_MAX || self.bytes > SHARED_BYTES_MAX {
                let Some(oldest) = self.events.pop_front() else { break };
                self.bytes -= oldest.json.len();
            }
        }
    }
}

/// What comes next.
#[derive(Debug)]
pub enum Reading {
    /// Oldest first. None is the end of the log, as far as it is known.
    Events(Vec<Arc<Told>>),
    /// The next event has so many bytes, which are more than were asked for.
    Large(usize),
}

/// One who reads a log as it grows.
pub struct Follower {
    store: TenantStore,
    tail: Arc<Tail>,
    news: watch::Receiver<i64>,
    /// Everything up to here was read.
    position: i64,
    /// The last part that was read was not the last one there is.
    is_behind: bool,
}

impl TenantStore {
    /// Follows the log from after `position`.
    pub fn follow(&self, position: i64) -> Follower {
        let tail = self.store.hub.tail((self.tenant.clone(), self.mode));
        let news = tail.last.subscribe();
        Follower { store: self.clone(), tail, news, position, is_behind: false }
    }

    /// How many follow the log, in this process.
    pub fn followers(&self) -> usize {
        self.store.hub.tail((self.tenant.clone(), self.mode)).last.receiver_count()
    }
}

impl Follower {
    pub fn position(&self) -> i64 {
        self.position
    }

    /// What is there by now, oldest first: some hundreds, and of `most` bytes. At the end of the log
    /// [`Self::changed`] says when to look again.
    pub async fn read(&mut self, most: usize) -> Result<Reading> {
        self.news.mark_unchanged();
        let mut recent = self.tail.recent.lock().await;
        let (reading, is_behind) = match recent.ends() {
            Some((first, last)) if self.position < last && self.position + 1 >= first => {
                let reading = recent.after(self.position, first, most);
                let is_behind = match &reading {
                    Reading::Events(events) => events.last().is_some_and(|event| event.position < last),
                    Reading::Large(_) => true,
                };
                (reading, is_behind)
            }
            Some((first, _)) if self.position + 1 < first => {
                drop(recent);
                (self.load(most).await?.0, true)
            }
            ends => {
                if ends.is_some_and(|(_, last)| self.position > last) {
                    *recent = Recent::default();
                }
                let (reading, is_behind) = self.load(most).await?;
                if let Reading::Events(events) = &reading {
                    recent.add(events);
                }
                (reading, is_behind)
            }
        };
        self.is_behind = is_behind;
        if let Reading::Events(events) = &reading
            && let Some(last) = events.last()
        {
            self.position = last.position;
        }
        Ok(reading)
    }

    /// Is all read that this process knows of?
    pub fn is_at_end(&self) -> bool {
        !self.is_behind && self.position >= *self.news.borrow()
    }

    /// Returns when the log has grown since the last [`Self::read`].
    pub async fn changed(&mut self) {
        // The sender lives in `tail`, which is ours.
        let _ = self.news.changed().await;
    }

    /// What comes next, and whether there is more behind it.
    async fn load(&self, most: usize) -> Result<(Reading, bool)> {
        let part = self.store.events(self.position, STEP, most).await?;
        if let Some(bytes) = part.too_large {
            return Ok((Reading::Large(bytes), true));
        }
        let events = part.events.iter().map(Told::of).collect::<Result<_>>()?;
        Ok((Reading::Events(events), part.has_more))
    }
}
