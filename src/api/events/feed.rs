//! One reader's way through the log, whatever carries it.
//!
//! A reader takes what it wants when it can: what it does not take is in the log and nowhere else. So a
//! slow one costs nobody anything; `serve` hangs up on one that takes nothing at all. An event that is large is read
//! once there is room for it among all that the tenant's readers have not taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use wapid_core::id::KeyId;
use wapid_core::store::follow::{Follower, Reading, Told};
use wapid_core::store::{Store, StoreError};

use super::query::Wanted;
use crate::api::visit::OwnVisit;
use crate::door::Room;

/// Events that are read at a time, in bytes. A larger one needs room of its own.
const STEP_BYTES: usize = 16 << 10;
/// How often a reader hears from us while nothing happens, and its key is looked at.
const BEAT: Duration = Duration::from_secs(15);

pub struct Feed {
    store: Store,
    key: KeyId,
    stop: CancellationToken,
    follower: Follower,
    visit: OwnVisit,
    /// For the next event of the queue.
    room: Option<Room>,
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
    /// Its room is held until it is written.
    Event(Arc<Told>, Option<Room>),
    /// Nothing happened that it wants; everything up to this position was looked at.
    Beat(i64),
    /// It was so slow that what comes next is kept no longer. The last item.
    Gone,
}

impl Feed {
    pub fn new(
        store: Store,
        (key, visit): (KeyId, OwnVisit),
        stop: CancellationToken,
        follower: Follower,
        wanted: Vec<Wanted>,
    ) -> Self {
        Self {
            store,
            key,
            visit,
            room: None,
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
                let room = self.room.take();
                if self.wanted.iter().all(|wanted| wanted.wants(&event)) {
                    return Some(Item::Event(event, room));
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
            let events = match self.read().await {
                Ok(Some(events)) => events,
                // There was no room for a while: a sign of life meanwhile.
                Ok(None) => continue,
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

    /// What comes next. `None` where it is large, and there was no room for it.
    async fn read(&mut self) -> Result<Option<Vec<Arc<Told>>>, StoreError> {
        let bytes = match self.follower.read(STEP_BYTES).await? {
            Reading::Events(events) => return Ok(Some(events)),
            Reading::Large(bytes) => bytes,
        };
        if let Some(visit) = &self.visit.0 {
            let Ok(room) = visit.room(bytes).await else { return Ok(None) };
            self.room = room;
        }
        // It may have become smaller, by an erasure, but no larger.
        match self.follower.read(bytes).await? {
            Reading::Events(events) => Ok(Some(events)),
            Reading::Large(_) => Ok(None),
        }
    }
}
