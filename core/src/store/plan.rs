//! How a database would find a statement's rows; for tests.
//!
//! What runs with every send or every poll must cost the same however long the log and the lists are.
//! So it finds its rows by every column of an index, or it says in its test which part of one it walks
//! and why that part is short.
//!
//! Plans are asked for while the tables are empty, as a process on a fresh database asks for them, and
//! Postgres keeps them.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

/// An empty database with every table and index.
pub(super) enum Plans {
    Sqlite(SqliteConnection),
    Postgres { plans: PgConnection, admin: String, name: String },
}

impl Plans {
    pub(super) async fn sqlite() -> Self {
        let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::migrate!("../migrations/sqlite").run(&mut db).await.unwrap();
        Self::Sqlite(db)
    }

    /// `None` where Postgres is left out on purpose (`core/tests/it/main.rs`). The planner is set as for
    /// whoever asks.
    pub(super) async fn postgres(planner: &[(&str, &str)]) -> Option<Self> {
        let Ok(admin) = std::env::var("WAPID_TEST_POSTGRES") else {
            let meant = std::env::var("WAPID_TEST_SQLITE_ONLY").is_ok_and(|v| v == "1");
            assert!(meant, "set WAPID_TEST_POSTGRES, or WAPID_TEST_SQLITE_ONLY=1 to leave Postgres out");
            return None;
        };
        let name = format!("wapid_plans_{:016x}", rand::random::<u64>());
        let mut server = PgConnection::connect(&admin).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut server).await.unwrap();
        let (server, _) = admin.rsplit_once('/').expect("the URL names a database");
        let mut plans = PgConnection::connect(&format!("{server}/{name}")).await.unwrap();
        sqlx::migrate!("../migrations/postgres").run(&mut plans).await.unwrap();
        // As for a statement whose values are not known yet.
        for (setting, value) in [("plan_cache_mode", "force_generic_plan")].iter().chain(planner) {
            let set = AssertSqlSafe(format!("SET {setting} = '{value}'"));
            sqlx::query(set).execute(&mut plans).await.unwrap();
        }
        Some(Self::Postgres { plans, admin, name })
    }

    pub(super) async fn close(self) {
        if let Self::Postgres { plans, admin, name } = self {
            plans.close().await.unwrap();
            let mut server = PgConnection::connect(&admin).await.unwrap();
            sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name}"))).execute(&mut server).await.unwrap();
        }
    }

    /// The steps of a plan that read more than their rows: scans, and searches by a part of an index.
    /// `types` are those of a row's values where the statement has `{rows}`, and of its parameters
    /// otherwise: `t`ext, `i`nteger, `b`oolean. `walks` are the parts of indexes that may be walked, as
    /// `index (its conditions)`, or as `table (its conditions)` for a table's key on SQLite.
    pub(super) async fn wide_steps(&mut self, sql: &str, types: &str, walks: &[&str]) -> Vec<String> {
        match self {
            Self::Sqlite(db) => on_sqlite(db, sql, types, walks).await,
            Self::Postgres { plans, .. } => on_postgres(plans, sql, types, walks).await,
        }
    }
}

async fn on_sqlite(db: &mut SqliteConnection, sql: &str, types: &str, walks: &[&str]) -> Vec<String> {
    let row = format!("({})", vec!["NULL"; types.len()].join(","));
    let sql = sql.replace("{rows}", &format!("VALUES {row},{row}"));
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(&mut *db).await.unwrap();
    let mut wide = Vec::new();
    for (.., step) in plan {
        let is_wide = if let Some(search) = step.strip_prefix("SEARCH ") {
            !is_whole(db, &sql, search, walks).await
        } else {
            // Rows that the statement brought along or took before are as many as its batch.
            step.starts_with("SCAN ")
                && !["SCAN v", "SCAN n"].contains(&step.as_str())
                && !step.contains("CONSTANT")
                && !step.ends_with("-ROW VALUES CLAUSE")
                // A row of a full-text index by its number; what a statement has counted.
                && !step.ends_with("VIRTUAL TABLE INDEX 0:=")
                && step != "SCAN counted"
        };
        if is_wide {
            wide.push(step);
        }
    }
    wide
}

/// Does `s USING INDEX i (a=? AND b=?)` give every column of the index, or is it a walk that may be?
async fn is_whole(db: &mut SqliteConnection, sql: &str, search: &str, walks: &[&str]) -> bool {
    let (alias, how) = search.split_once(" USING ").expect("a search says by what");
    let alias = alias.strip_suffix(" EXISTS").unwrap_or(alias);
    let (index, rest) = how.split_once(" (").expect("and for which values");
    let (conditions, _) = rest.split_once(')').expect("and where they end");
    let is_key = index == "PRIMARY KEY";
    let name = match index.rsplit_once(' ') {
        _ if is_key => table(db, sql, alias).await,
        Some((_, name)) => name.to_owned(),
        None => panic!("an index has a name: {search}"),
    };
    if walks.contains(&format!("{name} ({conditions})").as_str()) {
        return true;
    }
    let given = conditions.split(" AND ").filter(|one| one.ends_with("=?")).count();
    let of_index = "SELECT seqno FROM pragma_index_info($1)";
    let of_key = "SELECT pk FROM pragma_table_info($1) WHERE pk > 0";
    let columns: Vec<(i64,)> =
        sqlx::query_as(if is_key { of_key } else { of_index }).bind(name).fetch_all(&mut *db).await.unwrap();
    // One that SQLite makes for the occasion, by reading all of a table, has no columns here. One of a
    // table without row ids ends in the table's key, so more can be given than it names.
    !columns.is_empty() && given >= columns.len()
}

/// A plan calls a table by its name in the statement.
async fn table(db: &mut SqliteConnection, sql: &str, alias: &str) -> String {
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let tables: Vec<(String,)> = sqlx::query_as(tables).fetch_all(&mut *db).await.unwrap();
    let words: Vec<&str> = sql.split_whitespace().collect();
    let mut named: Vec<String> = tables
        .into_iter()
        .map(|(table,)| table)
        .filter(|table| table == alias || words.windows(2).any(|pair| pair == [table.as_str(), alias]))
        .collect();
    assert_eq!(named.len(), 1, "{alias} could be any of {named:?} in {sql}");
    named.remove(0)
}

async fn on_postgres(db: &mut PgConnection, sql: &str, types: &str, walks: &[&str]) -> Vec<String> {
    let rows = if sql.contains("{rows}") { 2 } else { 1 };
    let place = |row: usize| {
        let places: Vec<String> = (1..=types.len()).map(|n| format!("${}", row * types.len() + n)).collect();
        format!("({})", places.join(","))
    };
    let sql = sql.replace("{rows}", &format!("VALUES {},{}", place(0), place(1)));
    let named = types.chars().map(|letter| match letter {
        't' => "TEXT",
        'i' => "BIGINT",
        'b' => "BOOLEAN",
        other => panic!("{other} is no type"),
    });
    let named: Vec<&str> = named.collect::<Vec<_>>().repeat(rows);
    let prepare = format!("PREPARE asked ({}) AS {sql}", named.join(","));
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE asked ({})", vec!["NULL"; named.len()].join(","));
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *db).await.unwrap();
    let (plan,): (Value,) = sqlx::query_as(AssertSqlSafe(explain)).fetch_one(&mut *db).await.unwrap();
    sqlx::raw_sql("DEALLOCATE asked").execute(&mut *db).await.unwrap();
    let mut nodes = vec![&plan[0]["Plan"]];
    let mut wide = Vec::new();
    while let Some(node) = nodes.pop() {
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
        let kind = node["Node Type"].as_str().expect("a node has a type");
        let Some(index) = node["Index Name"].as_str() else {
            if kind == "Seq Scan" {
                wide.push(format!("{kind} on {}", node["Relation Name"]));
            }
            continue;
        };
        let conditions = conditions(node["Index Cond"].as_str().unwrap_or_default());
        let walk = format!("{index} ({})", conditions.join(" AND "));
        let of_index = "SELECT indnkeyatts::bigint FROM pg_index WHERE indexrelid = $1::regclass";
        let (columns,): (i64,) = sqlx::query_as(of_index).bind(index).fetch_one(&mut *db).await.unwrap();
        let given = conditions.iter().filter(|one| one.ends_with("=?")).count();
        if i64::try_from(given).expect("a few") < columns && !walks.contains(&walk.as_str()) {
            wide.push(format!("{kind} by {walk}"));
        }
    }
    wide
}

/// `((a = ($1)::text) AND (b > $2))` as `a=?` and `b>?`.
fn conditions(text: &str) -> Vec<String> {
    let conditions = text.split(" AND ").map(|one| one.trim_start_matches('(').split(' '));
    conditions
        .filter_map(|mut words| {
            Some(format!("{}{}?", words.next().filter(|w| !w.is_empty())?, words.next()?))
        })
        .collect()
}

#[tokio::test]
async fn a_whole_index_is_told_from_a_part_of_one() {
    let mut plans = Plans::sqlite().await;
    let mut is_wide = async |sql: &str| !plans.wide_steps(sql, "tt", &[]).await.is_empty();
    let whole = "WITH v (tenant_id, mode) AS ({rows}) SELECT s.windows
        FROM v JOIN tenant_settings s ON s.tenant_id = v.tenant_id AND s.mode = v.mode";
    assert!(!is_wide(whole).await);
    // The same words, of a table whose key is longer.
    for table in ["opt_outs", "daily_usage", "messages", "events"] {
        let part = whole.replace("tenant_settings", table).replace("s.windows", "s.mode");
        assert!(is_wide(&part).await, "{table}");
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
async fn a_whole_index_is_told_from_a_part_of_one_on_postgres() {
    let Some(mut plans) = Plans::postgres(&[("enable_seqscan", "off"), ("enable_bitmapscan", "off")]).await
    else {
        return;
    };
    let mut wide = Vec::new();
    for (sql, types) in [
        ("SELECT body FROM messages WHERE tenant_id = $1 AND mode = $2 AND key = $3", "ttt"),
        ("SELECT body FROM messages WHERE tenant_id = $1 AND mode = $2 AND key > $3", "ttt"),
        ("SELECT body FROM messages WHERE session_key = $1 AND wa_id = $2", "tt"),
        ("SELECT fields FROM recipients WHERE job_id = $1 AND seq = $2", "ti"),
        ("SELECT fields FROM recipients WHERE job_id = $1 ORDER BY seq", "t"),
        ("SELECT data FROM events WHERE kind = $1", "t"),
    ] {
        wide.push(!plans.wide_steps(sql, types, &[]).await.is_empty());
    }
    let named = "messages_by_wa_id (session_key=? AND wa_id=?)";
    let excused = "SELECT body FROM messages WHERE session_key = $1 AND wa_id = $2";
    wide.push(!plans.wide_steps(excused, "tt", &[named]).await.is_empty());
    plans.close().await;
    assert_eq!(wide, [false, true, true, false, true, true, false]);
}

#[tokio::test]
async fn a_walk_is_excused_by_its_own_name_alone() {
    let mut plans = Plans::sqlite().await;
    let walk = "SELECT seq FROM recipients WHERE job_id = $1 AND state = 'queued' ORDER BY seq LIMIT 9";
    assert!(!plans.wide_steps(walk, "", &[]).await.is_empty());
    assert!(plans.wide_steps(walk, "", &["recipients_queued (job_id=? AND state=?)"]).await.is_empty());
    assert!(!plans.wide_steps(walk, "", &["recipients_failed (job_id=? AND state=?)"]).await.is_empty());
}
