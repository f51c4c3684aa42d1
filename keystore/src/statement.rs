//! One SQL text and its values, for either engine.
//!
//! A write is a list of statements that are made before anybody holds a connection: sealing and
//! copying happen in the caller's task, and the one writer only talks to the database. Many rows go
//! in few statements, whose texts come in few lengths so that each engine prepares them once.

use std::borrow::Cow;
use std::fmt::Write as _;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow};
use wapid_core::store::Db;

use crate::Fault;

/// The most rows or list items of one statement. With at most seven columns it stays far below the
/// 32 766 parameters that SQLite takes.
const LONGEST: usize = 256;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Bytes(Option<Vec<u8>>),
    Int(Option<i64>),
    Bool(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(storable(text).into_owned())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(Some(i64::from(number)))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(claim: bool) -> Self {
        Self::Bool(claim)
    }
}

/// Message ids and JIDs come from strangers, and Postgres refuses NUL in text: one such id would
/// fail a whole batch, and with it the acknowledgement of everybody else's messages.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{2400}")) } else { Cow::Borrowed(text) }
}

/// Gives a query its values. A macro, because the query's type names the engine.
macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                $crate::statement::Value::Text(text) => query.bind(text),
                $crate::statement::Value::Bytes(bytes) => query.bind(bytes),
                $crate::statement::Value::Int(number) => query.bind(number),
                $crate::statement::Value::Bool(claim) => query.bind(claim),
            };
        }
        query
    }};
}
pub(crate) use bound;

#[derive(Debug, Clone)]
pub(crate) struct Statement {
    sql: Cow<'static, str>,
    values: Vec<Value>,
}

impl Statement {
    pub(crate) fn new(sql: &'static str) -> Self {
        Self { sql: Cow::Borrowed(sql), values: Vec::new() }
    }

    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// `{insert} VALUES ($1, …), ($1, …) {conflict}`; `$1` of every row is the session.
    ///
    /// Postgres refuses to touch one row twice in a statement: the rows must differ in their key.
    pub(crate) fn insert<const N: usize>(
        insert: &str,
        conflict: &str,
        session: &str,
        rows: impl IntoIterator<Item = [Value; N]>,
    ) -> Vec<Self> {
        let mut rows: Vec<_> = rows.into_iter().collect();
        let mut statements = Vec::new();
        while !rows.is_empty() {
            // Powers of two: nine texts serve every number of rows.
            let count = LONGEST.min(1 << rows.len().ilog2());
            let mut sql = format!("{insert} VALUES ");
            let mut values = Vec::with_capacity(1 + count * N);
            values.push(session.into());
            for (i, row) in rows.drain(..count).enumerate() {
                sql.push_str(if i == 0 { "($1" } else { ", ($1" });
                for value in row {
                    values.push(value);
                    let _ = write!(sql, ", ${}", values.len());
                }
                sql.push(')');
            }
            sql.push(' ');
            sql.push_str(conflict);
            statements.push(Self { sql: Cow::Owned(sql), values });
        }
        statements
    }

    /// `{self} IN (VALUES ($n, …), …)`, in as many statements as the list needs.
    pub(crate) fn any_of<const N: usize>(self, list: impl IntoIterator<Item = [Value; N]>) -> Vec<Self> {
        let list: Vec<_> = list.into_iter().collect();
        list.chunks(LONGEST)
            .map(|chunk| {
                let mut sql = format!("{} IN (VALUES ", self.sql);
                let mut values = self.values.clone();
                for i in 0..chunk.len().next_power_of_two() {
                    sql.push_str(if i == 0 { "(" } else { ", (" });
                    // Filled up with its last item: in a list, twice is once.
                    for (n, value) in chunk[i.min(chunk.len() - 1)].iter().enumerate() {
                        values.push(value.clone());
                        let _ = write!(sql, "{}${}", if n == 0 { "" } else { ", " }, values.len());
                    }
                    sql.push(')');
                }
                sql.push(')');
                Self { sql: Cow::Owned(sql), values }
            })
            .collect()
    }

    pub(crate) fn sql(&self) -> AssertSqlSafe<Cow<'static, str>> {
        // Made above from literals and placeholders only.
        AssertSqlSafe(self.sql.clone())
    }

    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    pub(crate) async fn fetch_all<R: Row>(self, db: &Db) -> Result<Vec<R>, Fault> {
        Ok(wapid_core::read!(db, |pool| bound!(sqlx::query_as(self.sql()), self.values)
            .fetch_all(pool)
            .await)?)
    }

    pub(crate) async fn fetch_optional<R: Row>(self, db: &Db) -> Result<Option<R>, Fault> {
        Ok(wapid_core::read!(db, |pool| bound!(sqlx::query_as(self.sql()), self.values)
            .fetch_optional(pool)
            .await)?)
    }
}

/// A tuple that both engines can read.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}
impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_are_few_statements_of_few_lengths() {
        let rows = (0..812_u32).map(|id| [id.into(), true.into()]);
        let made = Statement::insert("INSERT INTO t (s, id, up)", "ON CONFLICT DO NOTHING", "ses", rows);
        let counts: Vec<_> = made.iter().map(|s| (s.values().len() - 1) / 2).collect();
        assert_eq!(counts, [256, 256, 256, 32, 8, 4]);
        assert!(
            made[5].sql.ends_with("($1, $6, $7), ($1, $8, $9) ON CONFLICT DO NOTHING"),
            "{}",
            made[5].sql
        );
    }

    #[test]
    fn a_list_is_filled_up_to_a_power_of_two() {
        let list = [1_u32, 2, 3].map(|id| [id.into()]);
        let made = Statement::new("DELETE FROM t WHERE s = $1 AND id").bind("ses").any_of(list);
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].sql, "DELETE FROM t WHERE s = $1 AND id IN (VALUES ($2), ($3), ($4), ($5))");
        assert_eq!(made[0].values()[4], Value::from(3_u32));
    }

    #[test]
    fn a_strangers_nul_is_storable() {
        assert_eq!(storable("3EB0\0AB"), "3EB0␀AB");
    }
}
