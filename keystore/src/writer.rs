//! Many sessions' writes, one commit.
//!
//! Each write is one order: a list of statements that take effect together or not at all. One task
//! per lane takes whatever has queued while its last commit was running and commits it together, so
//! the cost of a commit (an fsync, a round trip) is shared by every session that waited, and nobody
//! waits for a timer. The caller is answered after the commit, never before.
//!
//! A session always uses the same lane, so its orders take effect in the order in which it gave
//! them, even those whose caller went away meanwhile. SQLite has one lane, as it has one writer;
//! Postgres has [`POSTGRES_LANES`], since there a lane mostly waits for round trips. Lanes cannot
//! deadlock: no two of them write the same session.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};
use wapid_core::id::SessionKey;
use wapid_core::store::Db;

use crate::Fault;
use crate::statement::{Statement, bound};

const POSTGRES_LANES: usize = 4;
/// Bounds how long one commit can keep the next caller waiting.
const MOST_ORDERS: usize = 256;

struct Order {
    session: SessionKey,
    /// Of the lease under which it was given; `None` where there is none.
    epoch: Option<i64>,
    statements: Vec<Statement>,
    done: oneshot::Sender<Result<u64, Fault>>,
}

/// The handle of the lanes. They finish what they were given when the last handle is gone.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    lanes: Arc<[mpsc::Sender<Order>]>,
}

impl Writer {
    pub(crate) fn start(db: &Db) -> Self {
        let count = match db {
            Db::Sqlite { .. } => 1,
            Db::Postgres(_) => POSTGRES_LANES,
        };
        let lanes = (0..count)
            .map(|_| {
                let (lane, orders) = mpsc::channel(MOST_ORDERS);
                tokio::spawn(run(db.clone(), orders));
                lane
            })
            .collect();
        Self { lanes }
    }

    /// Commits the statements together and says how many rows they touched.
    pub(crate) async fn commit(
        &self,
        (session, epoch): (&SessionKey, Option<i64>),
        has_ended: &RwLock<bool>,
        statements: Vec<Statement>,
    ) -> Result<u64, Fault> {
        if statements.is_empty() {
            return Ok(0);
        }
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(session);
        #[expect(clippy::cast_possible_truncation, reason = "any lane will do that is always the same")]
        let lane = &self.lanes[hash as usize % self.lanes.len()];
        let (done, answer) = oneshot::channel();
        let place = lane.reserve().await.map_err(|_| Fault::Closed)?;
        {
            // Held while the order is given: an end falls before it or after it, never between.
            let has_ended = has_ended.read();
            if *has_ended {
                return Err(Fault::Ended);
            }
            place.send(Order { session: session.clone(), epoch, statements, done });
        }
        answer.await.map_err(|_| Fault::Closed)?
    }
}

async fn run(db: Db, mut orders: mpsc::Receiver<Order>) {
    let mut batch = Vec::with_capacity(MOST_ORDERS);
    while orders.recv_many(&mut batch, MOST_ORDERS).await > 0 {
        let outcome = apply(&db, &batch).await;
        match outcome {
            Ok(counts) => {
                for (order, count) in batch.drain(..).zip(counts) {
                    let _ = order.done.send(count.ok_or(Fault::Superseded));
                }
            }
            // The database refused a statement. Tried alone, each order answers for itself.
            Err(error) if wapid_core::store::is_about_one(&error) && batch.len() > 1 => {
                for order in batch.drain(..) {
                    let outcome = apply(&db, std::slice::from_ref(&order)).await;
                    let count =
                        outcome.map_err(Fault::from).and_then(|counts| counts[0].ok_or(Fault::Superseded));
                    let _ = order.done.send(count);
                }
            }
            Err(error) => {
                let fault = Fault::from(error);
                for order in batch.drain(..) {
                    let _ = order.done.send(Err(fault.clone()));
                }
            }
        }
    }
}

/// The latest lease of each of the sessions that an array in JSON names.
const EPOCHS_SQLITE: &str = "SELECT name, epoch FROM leases WHERE name IN (SELECT value FROM json_each($1))";
const EPOCHS_POSTGRES: &str =
    "SELECT name, epoch FROM leases WHERE name IN (SELECT json_array_elements_text($1::json))";

/// How many rows each order touched; `None` of one that was refused, since a later lease has begun.
///
/// A process that freezes between the look at the leases and the commit comes back to a transaction that Postgres has
/// ended (`idle_in_transaction_session_timeout`, which is shorter than a lease).
async fn apply(db: &Db, orders: &[Order]) -> sqlx::Result<Vec<Option<u64>>> {
    let fenced: BTreeSet<&str> =
        orders.iter().filter(|order| order.epoch.is_some()).map(|order| order.session.as_str()).collect();
    let epochs_of = match db {
        Db::Sqlite { .. } => EPOCHS_SQLITE,
        Db::Postgres(_) => EPOCHS_POSTGRES,
    };
    Ok(wapid_core::write!(db, |tx| {
        let mut epochs: HashMap<String, i64> = HashMap::new();
        if !fenced.is_empty() {
            let names = serde_json::to_string(&fenced).expect("texts are JSON");
            let found: Vec<(String, i64)> = sqlx::query_as(epochs_of).bind(names).fetch_all(&mut *tx).await?;
            epochs.extend(found);
        }
        let mut counts = Vec::with_capacity(orders.len());
        for order in orders {
            let latest = epochs.get(order.session.as_str());
            if order.epoch.zip(latest).is_some_and(|(own, latest)| own < *latest) {
                counts.push(None);
                continue;
            }
            let mut count = 0;
            for statement in &order.statements {
                let query = bound!(sqlx::query(statement.sql()), statement.values());
                count += query.execute(&mut *tx).await?.rows_affected();
            }
            counts.push(Some(count));
        }
        counts
    }))
}
