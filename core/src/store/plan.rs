//! How SQLite would find a statement's rows; for tests.
//!
//! What runs with every send or every poll must cost the same however long the log and the lists are.
//! So it finds its rows by every column of an index, or it says in its test which part of one it walks
//! and why that part is short.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

/// An empty database with every table and index.
pub(super) struct Plans(SqliteConnection);

impl Plans {
    pub(super) async fn new() -> Self {
        let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::migrate!("../migrations/sqlite").run(&mut db).await.unwrap();
        Self(db)
    }

    /// The steps of a plan that read more than their rows: scans, and searches by a part of an index.
    /// `{rows}` stands for rows of `columns` values; `walks` are the parts of indexes that may be
    /// walked, as `index (its conditions)`, or as `table (its conditions)` for a table's key.
    pub(super) async fn wide_steps(&mut self, sql: &str, columns: usize, walks: &[&str]) -> Vec<String> {
        let row = format!("({})", vec!["NULL"; columns].join(","));
        let sql = sql.replace("{rows}", &format!("VALUES {row},{row}"));
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).fetch_all(&mut self.0).await.unwrap();
        let mut wide = Vec::new();
        for (.., step) in plan {
            let is_wide = if let Some(search) = step.strip_prefix("SEARCH ") {
                !self.is_whole(&sql, search, walks).await
            } else {
                // Rows that the statement brought along or took before are as many as its batch.
                step.starts_with("SCAN ")
                    && !["SCAN v", "SCAN n"].contains(&step.as_str())
                    && !step.contains("CONSTANT")
            };
            if is_wide {
                wide.push(step);
            }
        }
        wide
    }

    /// Does `s USING INDEX i (a=? AND b=?)` give every column of the index, or is it a walk that may be?
    async fn is_whole(&mut self, sql: &str, search: &str, walks: &[&str]) -> bool {
        let (alias, how) = search.split_once(" USING ").expect("a search says by what");
        let (index, rest) = how.split_once(" (").expect("and for which values");
        let (conditions, _) = rest.split_once(')').expect("and where they end");
        let is_key = index == "PRIMARY KEY";
        let name = match index.rsplit_once(' ') {
            _ if is_key => self.table(sql, alias).await,
            Some((_, name)) => name.to_owned(),
            None => panic!("an index has a name: {search}"),
        };
        if walks.contains(&format!("{name} ({conditions})").as_str()) {
            return true;
        }
        let given = conditions.split(" AND ").filter(|one| one.ends_with("=?")).count();
        let of_index = "SELECT seqno FROM pragma_index_info($1)";
        let of_key = "SELECT pk FROM pragma_table_info($1) WHERE pk > 0";
        let columns: Vec<(i64,)> = sqlx::query_as(if is_key { of_key } else { of_index })
            .bind(name)
            .fetch_all(&mut self.0)
            .await
            .unwrap();
        // One that SQLite makes for the occasion, by reading all of a table, has no columns here. One of a
        // table without row ids ends in the table's key, so more can be given than it names.
        !columns.is_empty() && given >= columns.len()
    }

    /// A plan calls a table by its name in the statement.
    async fn table(&mut self, sql: &str, alias: &str) -> String {
        let tables: Vec<(String,)> = sqlx::query_as("SELECT name FROM sqlite_master WHERE type = 'table'")
            .fetch_all(&mut self.0)
            .await
            .unwrap();
        let words: Vec<&str> = sql.split_whitespace().collect();
        let mut named: Vec<String> = tables
            .into_iter()
            .map(|(table,)| table)
            .filter(|table| table == alias || words.windows(2).any(|pair| pair == [table.as_str(), alias]))
            .collect();
        assert_eq!(named.len(), 1, "{alias} could be any of {named:?} in {sql}");
        named.remove(0)
    }
}

#[tokio::test]
async fn a_whole_index_is_told_from_a_part_of_one() {
    let mut plans = Plans::new().await;
    let mut is_wide = async |sql: &str| !plans.wide_steps(sql, 2, &[]).await.is_empty();
    let whole = "WITH v (tenant_id, mode) AS ({rows}) SELECT s.windows
        FROM v JOIN tenant_settings s ON s.tenant_id = v.tenant_id AND s.mode = v.mode";
    assert!(!is_wide(whole).await);
    // The same words, of a table whose key is longer.
    for table in ["opt_outs", "daily_usage", "messages", "events"] {
        assert!(
            is_wide(&whole.replace("tenant_settings", table).replace("s.windows", "s.mode")).await,
            "{table}"
        );
    }
    for part in [
        "SELECT key FROM messages WHERE session_key = $1 AND wa_id = $2",
        "SELECT COUNT(*) FROM recipients WHERE job_id = $1",
        "SELECT seq FROM recipients WHERE job_id = $1 AND seq > $2 ORDER BY seq LIMIT 9",
        "SELECT body FROM messages WHERE status = 'sent'",
        "SELECT COUNT(*) FROM events",
        // By an index that SQLite would make first.
        "SELECT a.key FROM messages a JOIN messages b ON a.body = b.kind WHERE b.tenant_id = $1
            AND b.mode = $2 AND b.key = $3",
    ] {
        assert!(is_wide(part).await, "{part}");
    }
    assert!(!is_wide("SELECT body FROM messages WHERE tenant_id = $1 AND mode = $2 AND key = $3").await);
    assert!(!is_wide("SELECT seq FROM recipients WHERE job_id = $1 AND seq = $2").await);
}

#[tokio::test]
async fn a_walk_is_excused_by_its_own_name_alone() {
    let mut plans = Plans::new().await;
    let walk = "SELECT seq FROM recipients WHERE job_id = $1 AND state = 'queued' ORDER BY seq LIMIT 9";
    assert!(!plans.wide_steps(walk, 0, &[]).await.is_empty());
    assert!(plans.wide_steps(walk, 0, &["recipients_queued (job_id=? AND state=?)"]).await.is_empty());
    assert!(!plans.wide_steps(walk, 0, &["recipients_failed (job_id=? AND state=?)"]).await.is_empty());
}
