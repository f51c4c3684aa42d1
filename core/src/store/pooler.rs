//! Whether a pooler stands between us and Postgres, and whether what it gives us is ours alone.
//!
//! What we set, lock, prepare and listen to belongs to a connection of Postgres. PgBouncer and its like keep one for
//! each of ours in session mode. In transaction and statement mode our next statement may meet another one, in which
//! somebody else has left something: that must be told at the start, and not by the first message that is lost.
//!
//! A pooler is known by a setting in the packet that begins a connection: Postgres takes any, a pooler refuses it or
//! does not pass it on. Then two connections mark the session that they are given, in turns, and look for each
//! other's marks. In session mode neither can ever see the other's; a pooler that shares has soon given every session
//! that it has at hand to both.

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

/// A setting that nobody else has.
const MARK: &str = "wapid.mark";
/// As many sessions as a pooler may have at hand for us and hand out in turns.
const ROUNDS: usize = 50;
/// The beginnings of codes with which it is Postgres that does not let us in: who we are, which database, no room, not
/// now.
const OF_POSTGRES: [&str; 4] = ["28", "3D", "53", "57"];

/// Who is between us and Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    Nobody,
    /// Each of our connections has one of Postgres for itself.
    SessionPooler,
    /// After what it gives a connection to somebody else: a transaction, a statement.
    SharingPooler(&'static str),
}

pub(super) async fn look(options: &PgConnectOptions) -> sqlx::Result<Between> {
    let mark = format!("wapid-{:016x}", rand::random::<u64>());
    let marked = options.clone().options([(MARK, &mark)]);
    let mut first = match PgConnection::connect_with(&marked).await {
        Ok(mut connection) => {
            if marking(&mut connection).await?.as_ref() == Some(&mark) {
                connection.close().await?;
                return Ok(Between::Nobody);
            }
            connection
        }
        Err(problem) if is_of_a_pooler(&problem) => PgConnection::connect_with(options).await?,
        Err(problem) => return Err(problem),
    };
    let mut second = PgConnection::connect_with(options).await?;
    let mut between = Between::SessionPooler;
    let mut last = None;
    for round in 0..ROUNDS {
        // Only in each second round: with two sessions that take turns, each would otherwise be given its own for ever.
        let is_changed = round % 2 == 1 && marking(&mut first).await? != last;
        let fresh = format!("{mark}-{round}");
        ask(&mut first, format!("SELECT set_config('{MARK}', '{fresh}', false)")).await?;
        match second.execute(sqlx::raw_sql("BEGIN")).await {
            Ok(_) => {}
            Err(problem) if is_of_a_pooler(&problem) => return Ok(Between::SharingPooler("statement")),
            Err(problem) => return Err(problem),
        }
        let seen = marking(&mut second).await?;
        let own = marking(&mut first).await?;
        second.execute(sqlx::raw_sql("ROLLBACK")).await?;
        if is_changed || seen.is_some_and(|seen| seen.starts_with(&mark)) || own.as_ref() != Some(&fresh) {
            between = Between::SharingPooler("transaction");
            break;
        }
        last = Some(fresh);
    }
    first.close().await?;
    second.close().await?;
    Ok(between)
}

/// What Postgres itself would have taken.
fn is_of_a_pooler(problem: &sqlx::Error) -> bool {
    let code = problem.as_database_error().and_then(|refusal| refusal.code());
    code.is_some_and(|code| !OF_POSTGRES.iter().any(|class| code.starts_with(class)))
}

/// The mark of the session that a connection is given.
async fn marking(connection: &mut PgConnection) -> sqlx::Result<Option<String>> {
    ask(connection, format!("SELECT current_setting('{MARK}', true)")).await?.try_get(0)
}

/// In the simple protocol, which prepares nothing: a name of ours could be taken in somebody else's session.
async fn ask(connection: &mut PgConnection, question: String) -> sqlx::Result<PgRow> {
    connection.fetch_one(sqlx::raw_sql(AssertSqlSafe(question))).await
}
