//! One transaction, one row type and one list of values, whichever the engine.
//!
//! The ledger is too large to be expanded once per engine, as [`read!`](crate::read) and
//! [`write!`](crate::write) do with a single query; it is written against this instead.
//!
//! [`Tx::many`] runs one statement over many rows. The text of such a statement has `{rows}` where
//! `VALUES ($1, $2), ($3, $4), …` belongs. Batches are filled up to a power of two with rows of
//! NULLs, which join nothing and which inserts leave out, so that a handful of texts serves every
//! size and stays in the engines' statement caches.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, SqlSafeStr, SqlStr, Sqlite, Transaction};

use super::Db;
use super::patient::PatientTransaction;
use crate::clock::At;
use crate::text::storable;

/// The most rows in one statement: with 20 columns 2,560 parameters, far below both engines' limits
/// (32,766 and 65,535), and small enough for the statement caches.
const ROWS_MAX: usize = 128;

/// What a statement can be given.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    /// NULL of the same type: Postgres wants to know.
    fn null(&self) -> Self {
        match self {
            Self::Text(_) => Self::Text(None),
            Self::Int(_) => Self::Int(None),
            Self::Bool(_) => Self::Bool(None),
            Self::Bytes(_) => Self::Bytes(None),
        }
    }
}

/// Whatever a stranger wrote and no one cleaned: it is stored without NUL, and never refused for it.
fn owned(text: String) -> String {
    match storable(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(clean) => clean,
    }
}

macro_rules! value_from {
    ($($type:ty => |$it:ident| $value:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($it: $type) -> Self {
                $value
            }
        }
    )*};
}
value_from! {
    &str => |it| Self::Text(Some(storable(it).into_owned()));
    String => |it| Self::Text(Some(owned(it)));
    Option<String> => |it| Self::Text(it.map(owned));
    Option<&str> => |it| Self::Text(it.map(|it| storable(it).into_owned()));
    i64 => |it| Self::Int(Some(it));
    Option<i64> => |it| Self::Int(it);
    At => |it| Self::Int(Some(it.0));
    Option<At> => |it| Self::Int(it.map(|at| at.0));
    bool => |it| Self::Bool(Some(it));
    Option<bool> => |it| Self::Bool(it);
    Option<Vec<u8>> => |it| Self::Bytes(it);
}

/// `values![a, b, c]`: a list of [`Value`]s.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::tx::Value::from($value)),*] };
}
pub(super) use values;

/// Reads from a row of either engine.
pub(super) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}
impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// A transaction on either engine. Dropped without [`Self::commit`] it is rolled back.
#[derive(Debug)]
pub(super) enum Tx<'c> {
    Sqlite(Transaction<'c, Sqlite>),
    Postgres(PatientTransaction<'c>),
}

/// Runs `$query` with `$values` bound to it.
macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Text(it) => query.bind(it),
                Value::Int(it) => query.bind(it),
                Value::Bool(it) => query.bind(it),
                Value::Bytes(it) => query.bind(it),
            };
        }
        query
    }};
}

impl Tx<'_> {
    pub(super) async fn rows<T: Row>(
        &mut self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> sqlx::Result<Vec<T>> {
        match self {
            Self::Sqlite(tx) => bound!(sqlx::query_as(sql), values).fetch_all(&mut **tx).await,
            Self::Postgres(tx) => bound!(sqlx::query_as(sql), values).fetch_all(&mut **tx).await,
        }
    }

    /// Runs a statement that answers no rows; how many it touched.
    pub(super) async fn run(&mut self, sql: impl SqlSafeStr, values: Vec<Value>) -> sqlx::Result<u64> {
        Ok(match self {
            Self::Sqlite(tx) => bound!(sqlx::query(sql), values).execute(&mut **tx).await?.rows_affected(),
            Self::Postgres(tx) => bound!(sqlx::query(sql), values).execute(&mut **tx).await?.rows_affected(),
        })
    }

    /// Runs a statement with `{rows}` over all of `rows` and answers what it returns.
    pub(super) async fn many<T: Row>(
        &mut self,
        texts: &mut Texts,
        sql: &'static str,
        rows: Vec<Vec<Value>>,
    ) -> sqlx::Result<Vec<T>> {
        let mut answers = Vec::new();
        for (sql, values) in texts.chunks(sql, rows) {
            answers.append(&mut self.rows(sql, values).await?);
        }
        Ok(answers)
    }

    /// [`Self::many`] for a statement that returns nothing; how many rows it touched.
    pub(super) async fn run_many(
        &mut self,
        texts: &mut Texts,
        sql: &'static str,
        rows: Vec<Vec<Value>>,
    ) -> sqlx::Result<u64> {
        let mut touched = 0;
        for (sql, values) in texts.chunks(sql, rows) {
            touched += self.run(sql, values).await?;
        }
        Ok(touched)
    }

    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }
}

impl Db {
    pub(super) async fn begin(&self) -> sqlx::Result<Tx<'static>> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Runs one query outside a transaction.
    pub(super) async fn rows<T: Row>(
        &self,
        sql: impl SqlSafeStr,
        values: Vec<Value>,
    ) -> sqlx::Result<Vec<T>> {
        crate::read!(self, |pool| bound!(sqlx::query_as(sql), values).fetch_all(pool).await)
    }
}

/// Statements over many rows, as written out for each size that occurred.
#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<(&'static str, usize), Arc<str>>);

impl Texts {
    fn chunks(&mut self, sql: &'static str, rows: Vec<Vec<Value>>) -> Vec<(SqlStr, Vec<Value>)> {
        let mut chunks = Vec::with_capacity(rows.len().div_ceil(ROWS_MAX));
        let mut rows = rows.into_iter().peekable();
        while let Some(first) = rows.peek() {
            let filler: Vec<Value> = first.iter().map(Value::null).collect();
            let mut values: Vec<Value> = rows.by_ref().take(ROWS_MAX).flatten().collect();
            let size = (values.len() / filler.len()).next_power_of_two();
            while values.len() < size * filler.len() {
                values.extend_from_slice(&filler);
            }
            let columns = filler.len();
            let text = self.0.entry((sql, size)).or_insert_with(|| written_out(sql, columns, size).into());
            chunks.push((AssertSqlSafe(Arc::clone(text)).into_sql_str(), values));
        }
        chunks
    }
}

fn written_out(sql: &str, columns: usize, rows: usize) -> String {
    let mut values = String::from("VALUES ");
    for row in 0..rows {
        values.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { "," };
            let _ = write!(values, "{comma}${}", row * columns + column + 1);
        }
        values.push(')');
    }
    sql.replace("{rows}", &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_cut_and_filled_up_to_few_sizes() {
        let mut texts = Texts::default();
        let sizes: Vec<usize> = texts
            .chunks("{rows}", (0..ROWS_MAX + 3).map(|_| values!["a", 1]).collect())
            .iter()
            .map(|(_, values)| values.len() / 2)
            .collect();
        assert_eq!(sizes, [ROWS_MAX, 4]);
    }

    #[test]
    fn a_statement_is_written_out_once_per_size() {
        assert_eq!(written_out("WITH v AS ({rows})", 2, 2), "WITH v AS (VALUES ($1,$2),($3,$4))");
    }
}
