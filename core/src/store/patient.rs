//! A pool and a transaction of Postgres in which no statement is waited for without end.
//!
//! Postgres itself ends a statement that takes too long (`statement_timeout`). That does not help where Postgres does
//! not answer at all: a stopped server, a firewall that forgot the connection, a pooler that hangs. So every statement
//! has a deadline on our side as well, a little later than the server's. A connection on which one has passed is not
//! used again: the pool asks each one for a sign of life when it comes back, and closes what stays silent.
//!
//! What waits on purpose (LISTEN, migrations) does not go through here.

use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use sqlx::postgres::{PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{
    Connection as _, Describe, Either, Execute, Executor, PgConnection, PgPool, Postgres, Result, SqlStr,
    Transaction,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::Durability;

/// How long one statement may take, the wait for a connection included. Postgres ends it 2 s before.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(12);
/// How long a connection may take for a sign of life, before it counts as dead.
pub(super) const ALIVE_WITHIN: Duration = Duration::from_secs(2);
/// How long a caller waits for a connection.
const CONNECTION_WITHIN: Duration = Duration::from_secs(10);

fn too_late(patience: Duration) -> sqlx::Error {
    let text = format!("no answer within {} s", patience.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, text).into()
}

/// The outcome of what asks the database, or an error once it has taken too long.
pub(super) async fn within<T>(patience: Duration, asked: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(patience, asked).await.unwrap_or_else(|_| Err(too_late(patience)))
}

/// The same for rows as they come: the last one has the deadline of the first.
fn rows_within<'e, T: Send + 'e>(rows: BoxStream<'e, Result<T>>) -> BoxStream<'e, Result<T>> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    let bounded = stream::unfold(Some(rows), move |rows| async move {
        let mut rows = rows?;
        match timeout_at(deadline, rows.next()).await {
            Ok(Some(row)) => Some((row, Some(rows))),
            Ok(None) => None,
            Err(_) => Some((Err(too_late(ANSWER_WITHIN)), None)),
        }
    });
    bounded.boxed()
}

/// The connections to one Postgres. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PatientPool {
    pool: PgPool,
    durability: Durability,
}

/// A transaction of a [`PatientPool`], or on a connection of somebody's own. Dropped without [`Self::commit`] it is
/// rolled back.
#[derive(Debug)]
pub struct PatientTransaction<'c>(Patient<'c>);

/// Where a transaction's statements run: `query.execute(&mut *transaction)`.
#[derive(Debug)]
pub struct Patient<'c>(Transaction<'c, Postgres>);

impl PatientPool {
    /// What a pool of ours does with its connections.
    pub(super) fn options() -> PgPoolOptions {
        // sqlx asks for a sign of life too, but would wait for it without end.
        PgPoolOptions::new()
            .acquire_timeout(CONNECTION_WITHIN)
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(is_alive(connection)))
            .after_release(|connection, _| Box::pin(is_alive(connection)))
    }

    pub(super) fn over(pool: PgPool, durability: Durability) -> Self {
        Self { pool, durability }
    }

    /// What its connections promise of a commit.
    pub(super) fn durability(&self) -> Durability {
        self.durability
    }

    /// The pool below, for what waits on purpose.
    pub fn without_deadlines(&self) -> &PgPool {
        &self.pool
    }

    /// # Errors
    /// When no connection answers in time.
    pub async fn begin(&self) -> Result<PatientTransaction<'static>> {
        within(ANSWER_WITHIN, self.pool.begin()).await.map(PatientTransaction::around)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn is_alive(connection: &mut PgConnection) -> Result<bool> {
    within(ALIVE_WITHIN, connection.ping()).await.map(|()| true)
}

impl<'c> PatientTransaction<'c> {
    pub(super) fn around(begun: Transaction<'c, Postgres>) -> Self {
        Self(Patient(begun))
    }

    /// # Errors
    /// When the database refuses, or does not say in time whether it is done; then it may be.
    pub async fn commit(self) -> Result<()> {
        within(ANSWER_WITHIN, self.0.0.commit()).await
    }
}

impl<'c> Deref for PatientTransaction<'c> {
    type Target = Patient<'c>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for PatientTransaction<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// The same for either: every statement goes on to what is inside, with a deadline.
macro_rules! patient_executor {
    ($lifetime:lifetime, $type:ty, |$it:ident| $inside:expr) => {
        impl<$lifetime> Executor<$lifetime> for $type {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(
                self,
                query: E,
            ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                let $it = self;
                rows_within($inside.fetch_many(query))
            }

            fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                let $it = self;
                within(ANSWER_WITHIN, $inside.fetch_optional(query)).boxed()
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [PgTypeInfo],
            ) -> BoxFuture<'e, Result<PgStatement>>
            where
                $lifetime: 'e,
            {
                let $it = self;
                within(ANSWER_WITHIN, $inside.prepare_with(sql, parameters)).boxed()
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>>>
            where
                $lifetime: 'e,
            {
                let $it = self;
                within(ANSWER_WITHIN, $inside.describe(sql)).boxed()
            }
        }
    };
}
patient_executor!('c, &'_ PatientPool, |pool| (&pool.pool));
patient_executor!('c, &'c mut Patient<'_>, |patient| (&mut *patient.0));
