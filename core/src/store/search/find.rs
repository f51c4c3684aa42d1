//! Which messages a search finds, newest first.
//!
//! SQLite reads the documents of a search in the order of their numbers, and stops when it has enough.
//! Postgres collects everything that a search finds before it knows the newest. So it is first asked
//! about the newest documents alone: what is said often is there, and what is said seldom is soon collected.

use super::dialect::Dialect;
use super::{Result, TenantStore, document_number};
use crate::id::MessageKey;
use crate::search::Query;
use crate::store::tx::{Value, values};

/// How many of the newest documents Postgres looks at one by one.
const RECENT: i64 = 2_000;
/// And whether it is worth it: for so many messages at most.
const RECENT_WISH: i64 = 100;

const SQLITE: &str = "SELECT key FROM search_docs WHERE search_docs MATCH $1 AND rowid < $2 AND rowid >= $3
    ORDER BY rowid DESC LIMIT $4 OFFSET $5";

const COUNT_SQLITE: &str = "SELECT COUNT(*) FROM (SELECT rowid FROM search_docs
    WHERE search_docs MATCH $1 AND rowid < $2 AND rowid >= $3 LIMIT $4) AS found";

const POSTGRES: &str = "WITH found AS MATERIALIZED (
        SELECT key FROM search_docs WHERE words @@ $1::tsquery AND key < $2 AND key >= $3)
    SELECT key FROM found ORDER BY key DESC LIMIT $4 OFFSET $5";

const RECENT_POSTGRES: &str = "SELECT d.key FROM (SELECT key, words FROM search_docs
        WHERE scope = $1 AND key < $3 AND key >= $4 ORDER BY key DESC LIMIT $5) d
    WHERE d.words @@ $2::tsquery ORDER BY d.key DESC LIMIT $6 OFFSET $7";

const COUNT_POSTGRES: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM search_docs
    WHERE words @@ $1::tsquery AND key < $2 AND key >= $3 LIMIT $4) AS found";

/// A search of one tenant's log, within a part of it.
#[derive(Debug)]
pub(in crate::store) struct Finder {
    store: TenantStore,
    dialect: Dialect,
    scope: i64,
    words: String,
    from: Option<MessageKey>,
}

impl Finder {
    /// Not before `from`. `None`: nothing is found.
    pub(in crate::store) async fn of(
        store: &TenantStore,
        query: &Query,
        from: Option<MessageKey>,
    ) -> Result<Option<Self>> {
        let Some(scope) = store.scope().await?.filter(|_| !query.is_empty()) else { return Ok(None) };
        let dialect = Dialect::of(&store.store.db);
        Ok(Some(Self { store: store.clone(), dialect, scope, words: dialect.query(scope, query), from }))
    }

    /// The newest before `before`, at most `limit`, without the first `offset` of them.
    pub(in crate::store) async fn keys(
        &self,
        before: Option<&MessageKey>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<MessageKey>> {
        let db = &self.store.store.db;
        let mut place = self.place(before);
        let statement = match self.dialect {
            Dialect::Fts5 => SQLITE,
            Dialect::TsVector => {
                if limit + offset <= RECENT_WISH {
                    let mut recent = values![self.scope];
                    recent.extend(self.place(before));
                    recent.extend(values![RECENT, limit, offset]);
                    let keys: Vec<(MessageKey,)> = db.rows(RECENT_POSTGRES, recent).await?;
                    if i64::try_from(keys.len()).is_ok_and(|found| found == limit) {
                        return Ok(keys.into_iter().map(|(key,)| key).collect());
                    }
                }
                POSTGRES
            }
        };
        place.extend(values![limit, offset]);
        let keys: Vec<(MessageKey,)> = db.rows(statement, place).await?;
        Ok(keys.into_iter().map(|(key,)| key).collect())
    }

    /// How many there are before `before`; not more than `most` are counted.
    pub(in crate::store) async fn count(&self, before: Option<&MessageKey>, most: i64) -> Result<i64> {
        let statement = match self.dialect {
            Dialect::Fts5 => COUNT_SQLITE,
            Dialect::TsVector => COUNT_POSTGRES,
        };
        let mut place = self.place(before);
        place.extend(values![most]);
        let counted: Vec<(i64,)> = self.store.store.db.rows(statement, place).await?;
        Ok(counted.first().map_or(0, |(count,)| *count))
    }

    /// The words, and between which documents.
    fn place(&self, before: Option<&MessageKey>) -> Vec<Value> {
        let words = self.words.as_str();
        match self.dialect {
            Dialect::Fts5 => {
                let number = |key: &MessageKey| document_number(key.as_str()).unwrap_or(i64::MAX);
                values![words, before.map_or(i64::MAX, number), self.from.as_ref().map_or(i64::MIN, number)]
            }
            Dialect::TsVector => {
                // After every key, and before.
                let before = before.map_or("~", MessageKey::as_str);
                values![words, before, self.from.as_ref().map_or("", MessageKey::as_str)]
            }
        }
    }
}
