//! Who may be connected, and how much of that one tenant may hold.
//!
//! A connection is a *seat*, a request on it a *visit*. When all seats are taken, a connection that carries no
//! tenant's request leaves for the next one: strangers that never showed a key first, down to an eighth of the
//! seats, those of the largest crowd before others, and whoever was silent for longest first. What carries a tenant's request is never closed for
//! somebody else; so each tenant holds a share of requests and of streams, and beyond that is refused in words. The
//! last seats are left to sends of tenants that hold few, and to whoever asks for no tenant's rows: health and metrics.
//!
//! Answers that nobody has read yet take memory, of which each tenant has a share as well: a [`Room`].
//!
//! Nothing here knows HTTP, keys or routes: `serve` brings connections, `api` says whose a visit is.

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use wapid_core::id::{KeyId, TenantId};

mod crowd;
mod room;

pub use room::Room;

use crowd::{Crowd, Held, SeatNumber};
use room::Rooms;

/// Connections that were asked to leave and are not closed yet.
const LEAVING_MAX: usize = 64;
/// Streams of one key, however much room there is.
const STREAMS_OF_KEY: usize = 1_000;
/// And of one tenant.
const STREAMS: usize = 2_000;

/// How many of what there may be, of all the connections that this process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub connections: usize,
    /// Of them, those that carry a tenant's request.
    busy: usize,
    /// And with sends of who holds little.
    busy_with_sends: usize,
    /// Requests of one tenant at the same time.
    requests: usize,
    /// So many a tenant may hold at most to be served by what is left for sends.
    requests_when_full: usize,
    /// Streams and waiting requests of one tenant.
    streams: usize,
    streams_of_key: usize,
    /// So many connections that never showed a key stay while a tenant has idle ones: a health check among them has
    /// time to ask.
    strangers: usize,
}

impl Bounds {
    pub fn of(connections: usize) -> Self {
        let connections = connections.max(16);
        let of = |part: usize| (connections / part).max(1);
        Self {
            connections,
            busy: connections - of(8),
            busy_with_sends: connections - of(32),
            requests: of(4),
            requests_when_full: of(16),
            streams: of(8).min(STREAMS),
            streams_of_key: of(8).min(STREAMS_OF_KEY),
            strangers: of(8),
        }
    }
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// A message to one person.
    Send,
    Other,
}

/// What is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("{0} requests of this tenant are underway already; wait for their answers")]
    Tenant(usize),
    #[error("the gateway carries as many requests as it may; sends to one person are still taken")]
    Gateway,
    #[error("{0} streams of this tenant are open already; close some")]
    Streams(usize),
    #[error("{0} streams of this key are open already; close some")]
    StreamsOfKey(usize),
    #[error(
        "answers of this tenant that were not read yet take all the memory they may; read them, or ask for less"
    )]
    Answers,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Door {
    crowd: Arc<Mutex<Crowd>>,
    /// Open sockets, whether they are seated still or are leaving.
    sockets: Arc<Semaphore>,
    rooms: Rooms,
}

impl Door {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            crowd: Arc::new(Mutex::new(Crowd::new(bounds))),
            sockets: Arc::new(Semaphore::new(bounds.connections + LEAVING_MAX)),
            rooms: Rooms::new(),
        }
    }

    /// Waits until there is a socket for one more.
    pub async fn socket(&self) -> OwnedSemaphorePermit {
        self.sockets.clone().acquire_owned().await.expect("the door's sockets are never closed")
    }

    /// Seats a connection; `None` where every one that there is carries somebody's request.
    pub fn enter(&self, address: IpAddr, socket: OwnedSemaphorePermit) -> Option<Seat> {
        let leave = CancellationToken::new();
        let number = self.crowd.lock().enter(address, leave.clone())?;
        let place = Place { door: self.clone(), number, _socket: socket };
        Some(Seat { place: Arc::new(place), leave })
    }
}

/// A connection's.
pub struct Seat {
    place: Arc<Place>,
    leave: CancellationToken,
}

/// Held by a connection, and by the request that it was upgraded with.
struct Place {
    door: Door,
    number: SeatNumber,
    _socket: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.crowd.lock().leave(self.number);
    }
}

impl Seat {
    /// Returns when the connection is to be closed for somebody else's.
    pub async fn asked_to_leave(&self) {
        self.leave.cancelled().await;
    }

    /// A request begins; `None` where the connection was asked to leave.
    pub fn visit(&self) -> Option<Visit> {
        let is_seated = self.place.door.crowd.lock().begin(self.place.number);
        let place = self.place.clone();
        is_seated.then(|| Visit(Arc::new(Stay { place, held: Mutex::default(), room: Mutex::default() })))
    }
}

/// A request, until the last clone is dropped. Cheap to clone.
#[derive(Clone)]
pub struct Visit(Arc<Stay>);

struct Stay {
    place: Arc<Place>,
    held: Mutex<Held>,
    /// For its answer, while that is made.
    room: Mutex<Option<Room>>,
}

impl Visit {
    /// It is this tenant's: it counts to its share, and its connection is not closed for another.
    ///
    /// # Errors
    /// Says what is full.
    pub fn admit(&self, tenant: &TenantId, errand: Errand) -> Result<(), Full> {
        let Place { door, number, .. } = &*self.0.place;
        door.crowd.lock().admit(*number, &mut self.0.held.lock(), tenant, errand)
    }

    /// It waits for events with this key. Only an admitted one counts.
    ///
    /// # Errors
    /// Says what is full.
    pub fn follow(&self, key: &KeyId) -> Result<(), Full> {
        self.0.place.door.crowd.lock().follow(&mut self.0.held.lock(), key)
    }

    /// Waits for room for so many bytes of what is to be answered. One that is nobody's yet takes none.
    ///
    /// # Errors
    /// When its tenant's answers take all they may.
    pub async fn room(&self, bytes: usize) -> Result<Option<Room>, Full> {
        let tenant = self.0.held.lock().tenant.clone();
        let Some(tenant) = tenant else { return Ok(None) };
        self.0.place.door.rooms.take(&tenant, bytes).await.map(Some)
    }

    /// The same, kept until the answer is made: see [`Self::answer`].
    ///
    /// # Errors
    /// As [`Self::room`].
    pub async fn prepare(&self, bytes: usize) -> Result<(), Full> {
        if self.0.room.lock().is_some() {
            return Ok(());
        }
        let room = self.room(bytes).await?;
        *self.0.room.lock() = room;
        Ok(())
    }

    /// The answer is made, and is so small that it needs none.
    pub fn forget_room(&self) {
        self.0.room.lock().take();
    }

    /// The answer is made and has so many bytes: room for it, until they are read.
    ///
    /// # Errors
    /// As [`Self::room`].
    pub async fn answer(&self, bytes: usize) -> Result<Option<Room>, Full> {
        let prepared = self.0.room.lock().take();
        match prepared {
            Some(room) => room.fit(bytes).map(Some),
            None => self.room(bytes).await,
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let held = std::mem::take(self.held.get_mut());
        self.place.door.crowd.lock().end(self.place.number, held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_shrink_with_what_there_is() {
        let small = Bounds::of(612);
        assert_eq!((small.requests, small.streams, small.streams_of_key), (153, 76, 76));
        assert_eq!((small.busy, small.busy_with_sends, small.requests_when_full), (536, 593, 38));
        let large = Bounds::of(39_318);
        assert_eq!((large.requests, large.streams, large.streams_of_key), (9_829, 2_000, 1_000));
        for connections in [0, 1, 16, 100] {
            let least = Bounds::of(connections);
            assert!(least.busy < least.busy_with_sends && least.busy_with_sends < least.connections);
            assert!(least.streams <= least.requests && least.requests < least.busy);
        }
    }

    #[tokio::test]
    async fn a_seat_is_free_when_its_connection_and_its_request_are_gone() {
        let door = Door::new(Bounds { connections: 1, busy: 1, busy_with_sends: 1, ..Bounds::of(0) });
        let address = IpAddr::from([192, 0, 2, 1]);
        let seat = door.enter(address, door.socket().await).expect("a seat");
        let visit = seat.visit().expect("nobody else came");
        visit.admit(&TenantId("shop".into()), Errand::Other).expect("room");
        // As of a WebSocket: its connection is handed over with the request.
        drop(seat);
        assert!(door.enter(address, door.socket().await).is_none());
        drop(visit);
        let seat = door.enter(address, door.socket().await).expect("a seat");
        let next = door.enter(address, door.socket().await).expect("it was idle");
        seat.asked_to_leave().await;
        assert!(seat.visit().is_none());
        assert!(next.visit().is_some());
    }
}
