//! The index of what messages say: kept behind the log, and never behind what is searched.
//!
//! Triggers note in `search_queue` every message that is new, says something else or is gone, in the
//! transaction of its cause (migration 0009), so nobody who writes the log needs to know of this. An
//! [`Indexer`] takes those notes in batches; a search first takes what is left of its tenant's. So the index
//! is true whenever it is asked, a crash loses nothing, and a send pays for one short row and not for an
//! index of words.
//!
//! Messages of before migration 0009 are taken up in steps, from the newest to the oldest, while everything
//! else goes on; [`Searched`] says how far that is.
//!
//! | file | what |
//! |---|---|
//! | `dialect` | terms in the languages of the two engines |
//! | `find` | which messages a search finds, newest first |

use super::tx::{Texts, Tx, Value, values};
use super::{Db, Result, Store, TenantStore};
use crate::clock::At;
use crate::id::MessageKey;
use crate::search::{Document, Searchable};

mod dialect;
mod find;

use dialect::Dialect;
pub(super) use find::Finder;

/// Messages that are indexed in one transaction: some 10 ms of work.
const STEP: i64 = 256;
/// The most steps that a search takes before it answers with what there is.
const STEPS_BEFORE_A_SEARCH: usize = 100;

/// How much of a log is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Searched {
    /// What is older is not in the index yet.
    pub since: Option<At>,
    /// So much was written meanwhile that some of it waits to be indexed.
    pub is_behind: bool,
}

/// Takes the row, so that nobody else indexes the same log at the same time.
const HOLD: &str = "UPDATE search_scopes SET scope = scope WHERE tenant_id = $1 AND mode = $2
    RETURNING scope, older_than";

/// Another process may take the number, or make the row: then look again.
const MAKE: &str = "INSERT INTO search_scopes (tenant_id, mode, scope)
    SELECT $1, $2, COALESCE(MAX(scope), 0) + 1 FROM search_scopes WHERE TRUE ON CONFLICT DO NOTHING";

const READ_SCOPE: &str = "SELECT scope, older_than FROM search_scopes WHERE tenant_id = $1 AND mode = $2";

const IS_QUEUED: &str = "SELECT key FROM search_queue WHERE tenant_id = $1 AND mode = $2 LIMIT 1";

/// Whose notes come next.
const NEXT: &str = "SELECT tenant_id, mode FROM search_queue
    WHERE (tenant_id, mode) > ($1, $2) ORDER BY tenant_id, mode LIMIT 1";

const UNFINISHED: &str = "SELECT tenant_id, mode FROM search_scopes WHERE older_than IS NOT NULL
    ORDER BY tenant_id, mode LIMIT 1";

const TAKE_SQLITE: &str = "DELETE FROM search_queue WHERE tenant_id = $1 AND mode = $2 AND key IN
    (SELECT key FROM search_queue WHERE tenant_id = $1 AND mode = $2 ORDER BY key LIMIT $3) RETURNING key";

/// A note that is locked is of a change that is not committed yet.
const TAKE_POSTGRES: &str = "DELETE FROM search_queue WHERE tenant_id = $1 AND mode = $2 AND key = ANY(ARRAY
    (SELECT key FROM search_queue WHERE tenant_id = $1 AND mode = $2 ORDER BY key LIMIT $3
        FOR UPDATE SKIP LOCKED)) RETURNING key";

const SAID: &str = "WITH v (tenant_id, mode, key) AS ({rows})
    SELECT m.key, m.body, m.content, m.phone, m.lid, m.sender_name, m.target
    FROM v JOIN messages m ON m.tenant_id = v.tenant_id AND m.mode = v.mode AND m.key = v.key";

const SAID_BEFORE: &str = "SELECT key, body, content, phone, lid, sender_name, target FROM messages
    WHERE tenant_id = $1 AND mode = $2 AND key < $3 ORDER BY key DESC LIMIT $4";

const DONE_DOWN_TO: &str = "UPDATE search_scopes SET older_than = $3 WHERE tenant_id = $1 AND mode = $2";

const PUT_SQLITE: &str = "WITH v (doc, key, words) AS ({rows})
    INSERT OR REPLACE INTO search_docs (rowid, key, words) SELECT v.doc, v.key, v.words FROM v
    WHERE v.key IS NOT NULL";

const PUT_POSTGRES: &str = "WITH v (scope, key, words) AS ({rows})
    INSERT INTO search_docs (scope, key, words) SELECT v.scope, v.key, v.words::tsvector FROM v
    WHERE v.key IS NOT NULL ON CONFLICT (scope, key) DO UPDATE SET words = excluded.words";

const DROP_SQLITE: &str = "DELETE FROM search_docs WHERE rowid IN ({rows})";

const DROP_POSTGRES: &str = "WITH v (scope, key) AS ({rows})
    DELETE FROM search_docs USING v WHERE search_docs.scope = v.scope AND search_docs.key = v.key";

/// A tenant's and mode's part of the index.
#[derive(Debug, sqlx::FromRow)]
struct Scope {
    scope: i64,
    older_than: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Said {
    key: MessageKey,
    body: String,
    content: Option<String>,
    phone: Option<String>,
    lid: Option<String>,
    sender_name: Option<String>,
    /// It only changes this one, whose own words are looked at.
    target: Option<String>,
}

impl Said {
    fn document(&self) -> Document {
        Document::of(&Searchable {
            body: &self.body,
            content: self.content.as_deref(),
            phone: self.phone.as_deref(),
            lid: self.lid.as_deref(),
            sender_name: self.sender_name.as_deref(),
        })
    }
}

/// A message's place in SQLite's index, which only knows numbers: its millisecond and the last bits of its
/// key. The keys of one millisecond are made one after the other by one process (`ledger::workbench::Ids`), so
/// they differ there, and the numbers go up with the keys. `None` for what is no key of ours.
fn document_number(key: &str) -> Option<i64> {
    const LAST_BITS: u32 = 21;
    let id = ulid::Ulid::from_string(key.strip_prefix("msg_")?).ok()?;
    let last = i64::try_from(id.random() & ((1 << LAST_BITS) - 1)).ok()?;
    let ms = i64::try_from(id.timestamp_ms()).ok()?;
    // 42 bits of milliseconds last until the year 2109.
    (ms < 1 << (i64::BITS - 1 - LAST_BITS)).then_some((ms << LAST_BITS) | last)
}

/// Where a document is in the index: its number on SQLite, its scope and key on Postgres.
fn place(dialect: Dialect, scope: i64, key: &MessageKey) -> Option<Vec<Value>> {
    match dialect {
        Dialect::Fts5 => document_number(key.as_str()).map(|number| values![number]),
        Dialect::TsVector => Some(values![scope, key.as_str()]),
    }
}

async fn hold(tx: &mut Tx<'_>, (tenant, mode): (&str, &str)) -> Result<Scope> {
    loop {
        if let Some(scope) = tx.rows(HOLD, values![tenant, mode]).await?.pop() {
            return Ok(scope);
        }
        tx.run(MAKE, values![tenant, mode]).await?;
    }
}

async fn put(tx: &mut Tx<'_>, texts: &mut Texts, scope: i64, messages: &[Said]) -> Result<()> {
    let dialect = Dialect::of_tx(tx);
    let whole = messages.iter().filter(|message| message.target.is_none());
    let rows = whole.filter_map(|message| {
        let words = dialect.document(scope, &message.document());
        Some(match dialect {
            Dialect::Fts5 => values![document_number(message.key.as_str())?, message.key.as_str(), words],
            Dialect::TsVector => values![scope, message.key.as_str(), words],
        })
    });
    let statement = match dialect {
        Dialect::Fts5 => PUT_SQLITE,
        Dialect::TsVector => PUT_POSTGRES,
    };
    tx.run_many(texts, statement, rows.collect()).await?;
    Ok(())
}

async fn drop_documents(
    tx: &mut Tx<'_>,
    texts: &mut Texts,
    scope: i64,
    keys: impl Iterator<Item = &MessageKey>,
) -> Result<()> {
    let dialect = Dialect::of_tx(tx);
    let statement = match dialect {
        Dialect::Fts5 => DROP_SQLITE,
        Dialect::TsVector => DROP_POSTGRES,
    };
    let places = keys.filter_map(|key| place(dialect, scope, key)).collect();
    tx.run_many(texts, statement, places).await?;
    Ok(())
}

/// Takes a message out of the index, in the transaction of its erasure.
pub(super) async fn drop_now(tx: &mut Tx<'_>, log: (&str, &str), key: &MessageKey) -> Result<()> {
    let scope = hold(tx, log).await?.scope;
    drop_documents(tx, &mut Texts::default(), scope, std::iter::once(key)).await
}

/// Takes some of a tenant's notes; how many.
async fn take_up(db: &Db, (tenant, mode): (&str, &str)) -> Result<usize> {
    let mut tx = db.begin().await?;
    let mut texts = Texts::default();
    let scope = hold(&mut tx, (tenant, mode)).await?.scope;
    let take = match Dialect::of_tx(&tx) {
        Dialect::Fts5 => TAKE_SQLITE,
        Dialect::TsVector => TAKE_POSTGRES,
    };
    let mut keys: Vec<(MessageKey,)> = tx.rows(take, values![tenant, mode, STEP]).await?;
    // In the order of the log, so that neighbours are written together.
    keys.sort_unstable();
    // Read after the notes were taken: what is committed after this leaves a note again.
    let rows = keys.iter().map(|(key,)| values![tenant, mode, key.as_str()]).collect();
    let messages: Vec<Said> = tx.many(&mut texts, SAID, rows).await?;
    put(&mut tx, &mut texts, scope, &messages).await?;
    let there: std::collections::HashSet<&MessageKey> = messages.iter().map(|message| &message.key).collect();
    let gone = keys.iter().map(|(key,)| key).filter(|key| !there.contains(*key));
    drop_documents(&mut tx, &mut texts, scope, gone).await?;
    tx.commit().await?;
    Ok(keys.len())
}

/// Takes up some of what was written before there was an index; how many. None when all are in.
async fn take_up_older(db: &Db, (tenant, mode): (&str, &str)) -> Result<usize> {
    let mut tx = db.begin().await?;
    let Scope { scope, older_than } = hold(&mut tx, (tenant, mode)).await?;
    let Some(older_than) = older_than else { return Ok(0) };
    let messages: Vec<Said> = tx.rows(SAID_BEFORE, values![tenant, mode, older_than, STEP]).await?;
    put(&mut tx, &mut Texts::default(), scope, &messages).await?;
    let full = i64::try_from(messages.len()).is_ok_and(|count| count == STEP);
    let position = messages.last().filter(|_| full).map(|message| message.key.as_str());
    tx.run(DONE_DOWN_TO, values![tenant, mode, position]).await?;
    tx.commit().await?;
    Ok(messages.len())
}

/// Keeps the index up with the log.
#[derive(Debug)]
pub struct Indexer {
    store: Store,
    /// Whose turn it was.
    last: (String, String),
}

impl Indexer {
    /// Some messages more, of one tenant after the other: first what is new, then what is older than the
    /// index. How many it looked at; none when there is nothing to do.
    pub async fn step(&mut self) -> Result<usize> {
        let db = &self.store.db;
        for from in [std::mem::take(&mut self.last), Default::default()] {
            let next: Option<(String, String)> =
                db.rows(NEXT, values![from.0.as_str(), from.1.as_str()]).await?.pop();
            if let Some((tenant, mode)) = next {
                self.last = (tenant, mode);
                let taken = take_up(db, (&self.last.0, &self.last.1)).await?;
                if taken > 0 {
                    return Ok(taken);
                }
            }
        }
        let unfinished: Option<(String, String)> = db.rows(UNFINISHED, values![]).await?.pop();
        let Some((tenant, mode)) = unfinished else { return Ok(0) };
        // At least one: the log may have ended just where the last step did.
        Ok(take_up_older(db, (&tenant, &mode)).await?.max(1))
    }
}

impl Store {
    pub fn indexer(&self) -> Indexer {
        Indexer { store: self.clone(), last: Default::default() }
    }
}

impl TenantStore {
    /// Brings the index up to the log.
    pub(super) async fn catch_up(&self) -> Result<Searched> {
        let db = &self.store.db;
        let place = || values![self.tenant.as_str(), self.mode.as_str()];
        let mut is_behind = true;
        for _ in 0..STEPS_BEFORE_A_SEARCH {
            let is_queued = !db.rows::<(String,)>(IS_QUEUED, place()).await?.is_empty();
            // What others hold is not committed yet, or is being indexed.
            if !is_queued || take_up(db, (self.tenant.as_str(), self.mode.as_str())).await? == 0 {
                is_behind = false;
                break;
            }
        }
        let scope: Option<Scope> = db.rows(READ_SCOPE, place()).await?.pop();
        let since = scope.and_then(|scope| scope.older_than).and_then(|key| MessageKey(key).made_at());
        Ok(Searched { since, is_behind })
    }

    async fn scope(&self) -> Result<Option<i64>> {
        let place = values![self.tenant.as_str(), self.mode.as_str()];
        Ok(self.store.db.rows::<Scope>(READ_SCOPE, place).await?.pop().map(|scope| scope.scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::Plans;

    #[test]
    fn numbers_go_up_with_keys() {
        let key = |id: ulid::Ulid| MessageKey(format!("msg_{}", id.to_string().to_lowercase()));
        let first = ulid::Ulid::from_parts(1_772_965_800_000, 12_345);
        let second = first.increment().expect("room");
        let later = ulid::Ulid::from_parts(1_772_965_800_001, 0);
        let numbers = [first, second, later].map(|id| document_number(key(id).as_str()).expect("a key"));
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert_eq!(document_number("msg_"), None);
        assert_eq!(document_number("evt_01kk6n3dq00000000000000000"), None);
        let end =
            format!("msg_{}", ulid::Ulid::from_parts((1 << 48) - 1, u128::MAX).to_string().to_lowercase());
        assert_eq!(document_number(&end), None);
    }

    #[tokio::test]
    async fn every_statement_finds_its_rows_by_an_index_on_sqlite() {
        check(Plans::sqlite().await, [TAKE_SQLITE, PUT_SQLITE, DROP_SQLITE]).await;
    }

    #[tokio::test]
    async fn every_statement_finds_its_rows_by_an_index_on_postgres() {
        let planner = [("enable_seqscan", "off"), ("enable_bitmapscan", "off"), ("enable_hashjoin", "off")];
        if let Some(plans) = Plans::postgres(&planner).await {
            check(plans, [TAKE_POSTGRES, PUT_POSTGRES, DROP_POSTGRES]).await;
        }
    }

    async fn check(mut plans: Plans, [take, put, drop]: [&str; 3]) {
        let whole = &[][..];
        // Of one log: what is new since it was looked at.
        let notes =
            &["search_queue (tenant_id=? AND mode=?)", "search_queue_pkey (tenant_id=? AND mode=?)"][..];
        let next = &["search_queue ((tenant_id,mode)", "search_queue_pkey (ROW(tenant_id,mode)?)"][..];
        let older = &[
            "sqlite_autoindex_messages_1 (tenant_id=? AND mode=? AND key<?)",
            "messages_pkey (tenant_id=? AND mode=? AND key<?)",
        ][..];
        let mut wide = Vec::new();
        for (sql, types, walks) in [
            (HOLD, "tt", whole),
            (READ_SCOPE, "tt", whole),
            (IS_QUEUED, "tt", notes),
            (NEXT, "tt", next),
            (SAID, "ttt", whole),
            (SAID_BEFORE, "ttti", older),
            (DONE_DOWN_TO, "ttt", whole),
            (take, "tti", notes),
            (put, "itt", whole),
            (drop, if drop == DROP_SQLITE { "i" } else { "it" }, whole),
        ] {
            let steps = plans.wide_steps(sql, types, walks).await;
            wide.extend(steps.into_iter().map(|step| format!("{step} in {sql}")));
        }
        plans.close().await;
        assert_eq!(wide, Vec::<String>::new());
    }
}
