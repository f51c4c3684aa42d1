//! One reader's way through the log, whatever carries it.
//!
//! A reader takes what it wants when it can: what it does not take is in the log and nowhere else. So a
//! slow one costs nobody anything; `serve` hangs up on one that takes nothing at all.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use wapid_core::id::KeyId;
use wapid_core::store::Store;
use wapid_core::store::follow::{Follower, Told};

use super::query::Wanted;

/// How often a reader hears from us while nothing happens, and its key is looked at.
const BEAT: Duration = Duration::from_secs(15);

pub struct Feed {
    store: Store,
    key: KeyId,
    stop: CancellationToken,
    follower: Follower,
    /// What a ticket leaves, and what the reader wants of it.
    wanted: Vec<Wanted>,
    queue: VecDeque<Arc<Told>>,
    /// Everything up to here was told or is not wanted.
    position: i64,
    beat_at: Instant,
    /// Was the log read since the last beat? What no news told of is found then.
    is_caught_up: bool,
    is_over: bool,
}

/// What a reader is told next.
pub enum Item {
    Event(Arc<Told>),
    /// Nothing happened that it wants; everything up to this position was looked at.
    Beat(i64),
    /// It was so slow that what comes next is kept no longer. The last item.
    Gone,
}

impl Feed {
    pub fn new(
        store: Store,
        key: KeyId,
        stop: CancellationToken,
        follower: Follower,
        wanted: Vec<Wanted>,
    ) -> Self {
        Self {
            store,
            key,
            stop,
            position: follower.position(),
            follower,
            wanted,
            queue: VecDeque::new(),
            beat_at: Instant::now(),
            is_caught_up: false,
            is_over: false,
        }
    }

    /// None: the reader shall go. It comes back where it was.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            if self.is_over || self.stop.is_cancelled() {
                return None;
            }
            if Instant::now() >= self.beat_at {
                if !self.store.is_key_good(&self.key).await.unwrap_or(true) {
                    return None;
                }
                self.beat_at = Instant::now() + BEAT;
                return Some(Item::Beat(self.position));
            }
            while let Some(event) = self.queue.pop_front() {
                self.position = event.position;
                if self.wanted.iter().all(|wanted| wanted.wants(&event)) {
                    return Some(Item::Event(event));
                }
            }
            if self.is_caught_up && self.follower.is_at_end() {
                tokio::select! {
                    () = self.follower.changed() => {}
                    () = tokio::time::sleep_until(self.beat_at) => self.is_caught_up = false,
                    () = self.stop.cancelled() => return None,
                }
                continue;
            }
            let events = match self.follower.read().await {
                Ok(events) => events,
                Err(error) => {
                    warn!("A stream ends because the log could not be read: {error}");
                    return None;
                }
            };
            if events.first().is_some_and(|first| first.position > self.position + 1) {
                self.is_over = true;
                return Some(Item::Gone);
            }
            self.is_caught_up = true;
            self.queue.extend(events);
        }
    }
}
