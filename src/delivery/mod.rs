//! Events on their way to endpoints.
//!
//! [`Deliveries`] is the handle that others hold. While an endpoint has something to take soon, one
//! *courier* works for it, in the one process that holds its lease. Rows are the truth: a courier may
//! vanish at any instant, and the next one reads where the last one was; what had left without its result
//! being committed leaves again under the same id. What is far off is a wake-up in the queue, and a sweep
//! finds what a lost wake-up left lying.
//!
//! | file | what |
//! |---|---|
//! | `courier` | one endpoint's deliveries: which, when, how many at a time |
//! | `request` | one attempt: the bytes that are sent, and what the answer means |
//! | `hint` | what the owner of a receiver may do about an answer |
//! | `sockets` | how many may be underway, in all and of one tenant |

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::{error, warn};
use wapid_core::clock::At;
use wapid_core::id::EndpointId;
use wapid_core::store::Store;
use wapid_workers::Wakeups;

use crate::outgoing::Outgoing;

mod courier;
mod hint;
mod request;
mod sockets;

pub use hint::hint;
pub use request::{Sent, Trial};

use courier::Courier;
use sockets::Sockets;

/// How often everything that could be delivered is looked at, whatever woke or did not.
const SWEEP_MS: i64 = 10_000;
/// A stop waits so long for answers to what has left.
const STOP_PATIENCE: Duration = Duration::from_secs(2);

/// What deliveries need.
pub struct Parts {
    pub store: Store,
    pub outgoing: Outgoing,
    pub wakeups: Wakeups,
    /// This process in leases.
    pub owner: String,
    /// Deliveries that may be underway at a time.
    pub at_once: usize,
}

/// The couriers of this process. Cheap to clone.
#[derive(Clone)]
pub struct Deliveries(Arc<Inner>);

struct Inner {
    parts: Parts,
    sockets: Sockets,
    bells: Mutex<HashMap<EndpointId, Arc<Bell>>>,
    couriers: Mutex<JoinSet<()>>,
    closing: watch::Sender<bool>,
}

/// How a courier is told to look again.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    /// The endpoint itself may be another: its settings, its state.
    changed: AtomicBool,
    ring: Notify,
}

impl Deliveries {
    /// Begins with what is due already.
    pub fn start(parts: Parts) -> Self {
        let deliveries = Self(Arc::new(Inner {
            sockets: Sockets::new(parts.at_once),
            parts,
            bells: Mutex::default(),
            couriers: Mutex::default(),
            closing: watch::Sender::new(false),
        }));
        let weak = Arc::downgrade(&deliveries.0);
        deliveries.store().on_due(move |endpoints| {
            if let Some(inner) = weak.upgrade() {
                endpoints.iter().for_each(|endpoint| Self(inner.clone()).ring(endpoint, false));
            }
        });
        tokio::spawn(sweep(deliveries.clone()));
        deliveries
    }

    fn store(&self) -> &Store {
        &self.0.parts.store
    }

    /// The way out, for URLs that are to be vetted.
    pub fn outgoing(&self) -> &Outgoing {
        &self.0.parts.outgoing
    }

    /// Looks at whatever a wake-up names.
    pub fn heed(&self, key: &str) {
        if let Some(endpoint) = key.strip_prefix("deliver:") {
            self.poke(&EndpointId(endpoint.to_owned()));
        }
    }

    /// Something about an endpoint changed: look now.
    pub fn poke(&self, endpoint: &EndpointId) {
        self.ring(endpoint, true);
    }

    fn ring(&self, endpoint: &EndpointId, has_changed: bool) {
        if *self.0.closing.borrow() {
            return;
        }
        let mut bells = self.0.bells.lock();
        let bell = bells.entry(endpoint.clone()).or_insert_with(|| {
            let bell = Arc::new(Bell::default());
            let courier = Courier::new(self.clone(), endpoint.clone(), bell.clone());
            let (deliveries, endpoint) = (self.clone(), endpoint.clone());
            let mut couriers = self.0.couriers.lock();
            while couriers.try_join_next().is_some() {}
            couriers.spawn(async move {
                // What a panic says may hold what an event says; the panic hook has said where.
                if tokio::spawn(courier.run()).await.is_err() {
                    error!(endpoint.id = %endpoint, "An endpoint's deliveries met a panic");
                    // The sweep begins again.
                    deliveries.0.bells.lock().remove(&endpoint);
                }
            });
            bell
        });
        if has_changed {
            bell.changed.store(true, Ordering::Release);
        }
        bell.rung.store(true, Ordering::Release);
        bell.ring.notify_one();
    }

    /// Sends nothing new, and waits a moment for what has left.
    pub async fn stop(&self) {
        self.0.closing.send_replace(true);
        let mut couriers = std::mem::take(&mut *self.0.couriers.lock());
        let ended = async { while couriers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP_PATIENCE, ended).await;
    }

    /// Gives up a courier's place, unless its bell was rung meanwhile.
    fn leave(&self, endpoint: &EndpointId, bell: &Bell) -> bool {
        let mut bells = self.0.bells.lock();
        let leaves = !bell.rung.load(Ordering::Acquire) || *self.0.closing.borrow();
        if leaves {
            bells.remove(endpoint);
        }
        leaves
    }

    async fn wake_at(&self, endpoint: &EndpointId, at: At) {
        self.0.parts.wakeups.wake(&format!("deliver:{endpoint}"), at).await;
    }

    async fn wake_elsewhere(&self, instance: &str, endpoint: &EndpointId) {
        let now = self.store().clock().now();
        self.0.parts.wakeups.wake_elsewhere(instance, &format!("deliver:{endpoint}"), now).await;
    }
}

/// Starts what could be delivered and is not, for ever: wake-ups may be lost with their queue.
async fn sweep(deliveries: Deliveries) {
    let mut closing = deliveries.0.closing.subscribe();
    let clock = deliveries.store().clock().clone();
    let mut rounds = clock.rounds(SWEEP_MS);
    loop {
        match deliveries.store().endpoints_with_work(clock.now()).await {
            Ok(due) => due.iter().for_each(|endpoint| deliveries.poke(endpoint)),
            Err(error) => warn!("Deliveries that are due could not be read: {error}"),
        }
        tokio::select! {
            () = rounds.next() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
    }
}
