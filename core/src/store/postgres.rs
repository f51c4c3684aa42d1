//! Connections to Postgres: how they are made, and what each of them is told first.
//!
//! Our settings are told by `SET` after connecting and not in the packet that begins a connection, because a pooler
//! such as PgBouncer refuses what it does not know there.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::patient::{PatientPool, PatientTransaction, within};
use super::{Durability, Result, StoreError, away};

/// How many connections the pool may hold. The ledger and whoever listens for other processes' news have theirs.
const CONNECTIONS_MAX: u32 = 16;

/// What every connection of ours is told. Times are milliseconds.
///
/// A process that freezes inside a transaction holds rows that others wait for. Postgres ends such a transaction
/// before a statement of theirs would be ended, and before the process's leases run out (15 s): so whoever takes its
/// sessions over can work.
const SETTINGS: [(&str, &str); 3] = [
    ("idle_in_transaction_session_timeout", "8000"),
    ("lock_timeout", "9000"),
    ("statement_timeout", "10000"),
];

/// For what may take as long as it takes: a migration of a large table, and the wait for the one who migrates.
const NO_DEADLINES: [(&str, &str); 2] = [("lock_timeout", "0"), ("statement_timeout", "0")];

/// A server that answers at all begins a transaction within this: it takes no lock.
const BEGIN_WITHIN: Duration = Duration::from_secs(3);
/// And takes us in within this.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Opens the pool, once somebody has answered who is fit for us.
///
/// # Errors
/// [`StoreError::Away`], with what is wrong and what to do about it.
pub(super) async fn open(url: &str, durability: Durability) -> Result<PatientPool> {
    // The error names a part of the URL and never all of it.
    let options = PgConnectOptions::from_str(url)
        .map_err(|problem| StoreError::Away(format!("WAPID_DATABASE_URL does not read: {problem}")))?;
    // Of no use to us, who read no floats as text, and unknown to PgBouncer.
    let options = options.extra_float_digits(None);
    away::knock(&options).await?;
    let settings = settings_of(durability);
    let pool = PatientPool::options()
        .max_connections(CONNECTIONS_MAX)
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move { tell(connection, settings).await })
        })
        .connect_with(options)
        .await?;
    Ok(PatientPool::over(pool, durability))
}

fn settings_of(durability: Durability) -> String {
    let commit = if durability == Durability::Power { "on" } else { "off" };
    written(&SETTINGS) + &written(&[("synchronous_commit", commit)])
}

fn written(settings: &[(&str, &str)]) -> String {
    settings.iter().fold(String::new(), |text, (name, value)| text + "SET " + name + " = '" + value + "';")
}

async fn tell(connection: &mut PgConnection, settings: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(settings)).execute(connection).await.map(drop)
}

/// Brings the schema up to date, without deadlines.
pub(super) async fn migrate(pool: &PatientPool) -> Result<()> {
    let options = (*pool.without_deadlines().connect_options()).clone();
    let single = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT_WITHIN)
        .after_connect(|connection, _| Box::pin(tell(connection, written(&NO_DEADLINES))))
        .connect_with(options)
        .await?;
    sqlx::migrate!("../migrations/postgres").run(&single).await?;
    single.close().await;
    Ok(())
}

/// A connection for one user, who keeps it. A pool would ask for a sign of life before and after each use.
pub(super) struct OwnConnection {
    options: PgConnectOptions,
    settings: String,
    connection: Option<PgConnection>,
}

impl OwnConnection {
    /// To where the pool goes, with settings of its own beside everybody's.
    pub(super) fn beside(pool: &PatientPool, settings: &[(&str, &str)], statements_kept: usize) -> Self {
        let options = (*pool.without_deadlines().connect_options()).clone();
        Self {
            options: options.statement_cache_capacity(statements_kept),
            settings: settings_of(pool.durability()) + &written(settings),
            connection: None,
        }
    }

    /// # Errors
    /// When nobody answers. Nothing has happened then, so whoever asks may [leave](Self::leave) and ask again.
    pub(super) async fn begin(&mut self) -> sqlx::Result<PatientTransaction<'_>> {
        if self.connection.is_none() {
            let connected = async {
                let mut connection = PgConnection::connect_with(&self.options).await?;
                tell(&mut connection, self.settings.clone()).await?;
                Ok(connection)
            };
            self.connection = Some(within(CONNECT_WITHIN, connected).await?);
        }
        let connection = self.connection.as_mut().expect("it was made above");
        within(BEGIN_WITHIN, connection.begin()).await.map(PatientTransaction::around)
    }

    /// Gives a connection up that may be broken; the next transaction gets a new one.
    pub(super) fn leave(&mut self) {
        self.connection = None;
    }
}
