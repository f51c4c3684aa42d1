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
        session: &SessionKey,
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
            place.send(Order { statements, done });
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
                    let _ = order.done.send(Ok(count));
                }
            }
            // The database refused a statement. Tried alone, each order answers for itself.
            Err(sqlx::Error::Database(_)) if batch.len() > 1 => {
                for order in batch.drain(..) {
                    let outcome = apply(&db, std::slice::from_ref(&order)).await;
                    let _ = order.done.send(outcome.map(|counts| counts[0]).map_err(Fault::from));
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

async fn apply(db: &Db, orders: &[Order]) -> sqlx::Result<Vec<u64>> {
    Ok(wapid_core::write!(db, |tx| {
        let mut counts = Vec::with_capacity(orders.len());
        for order in orders {
            let mut count = 0;
            for statement in &order.statements {
                let query = bound!(sqlx::query(statement.sql()), statement.values());
                count += query.execute(&mut *tx).await?.rows_affected();
            }
            counts.push(count);
        }
        counts
    }))
}
