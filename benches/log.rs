//! The figures of the README's table of the message log: `cargo bench --bench log`.
//!
//! A tenant with a million messages of a dozen words: how long until they are all in the index, what a page,
//! a search and a file of them take, and how much memory. Gateway, sandbox and this process are on one
//! machine.
//!
//! `-- --messages N`, `-- --asks N` and `-- --only sqlite|postgres` make it smaller.

#![expect(clippy::print_stdout, reason = "a benchmark shows what it measured")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks are small and positive")]

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sqlx::{Connection as _, PgConnection, QueryBuilder, SqliteConnection};

#[expect(dead_code, reason = "each bench uses its part of it")]
mod support;

use support::{Caller, Engine, Home, Process, argument, describe_machine, engines};

/// Rows in one statement while the log is filled.
const FILL: usize = 500;
/// Different words, as a shop's customers have them.
const WORDS: usize = 30_000;
/// A minute between two messages, until now.
const APART_MS: u64 = 60_000;

type Figure = (String, String);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    describe_machine();
    println!();
    let (mut heads, mut columns) = (vec![], vec![]);
    for engine in engines() {
        println!("{}", engine.name());
        columns.push(measure(&engine).await?);
        heads.push(engine.name());
        println!();
    }
    println!("| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for (place, (name, _)) in columns.first().into_iter().flatten().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|column| column[place].1.as_str()).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
    Ok(())
}

async fn measure(engine: &Engine) -> anyhow::Result<Vec<Figure>> {
    let messages = argument("--messages", 1_000_000);
    let home = Home::make(engine, "power").await?;
    let started = Instant::now();
    fill(engine, home.database(), messages).await?;
    println!("  {messages} messages stored in {:.1?}", started.elapsed());
    let gateway = home.start().await?;
    let caller = home.caller()?;
    let mut figures = vec![];

    let started = Instant::now();
    while caller.get("/api/whatsapp/messages?search=rare7&limit=1").await?["searchIsBehind"] == true {}
    let took = started.elapsed();
    println!("  indexed in {took:.1?}");
    let rate = messages as f64 / took.as_secs_f64();
    figures.push((format!("{messages} messages that came at once: indexed"), format!("{rate:.0}/s")));

    for (name, query) in [
        ("the newest page", "limit=20"),
        ("its next page, by cursor", "limit=20&cursor=msg_7zzzzzzzzzzzzzzzzzzzzzzzzz"),
        ("page 500", "limit=20&page=500"),
        ("those of one number", "limit=20&phone=5511900000007"),
        ("those that failed, 1 in 10,000", "limit=20&status=failed"),
        ("a search for a word that 10 have", "limit=20&search=rare7"),
        ("for one that a third has", "limit=20&search=common"),
        ("for two of which few have both", "limit=20&search=common+rare7"),
        ("for a phrase", "limit=20&search=%22common+order%22"),
        ("for the beginning of a word", "limit=20&search=comm"),
        ("for the last digits of a number", "limit=20&search=000077"),
        ("for what nobody said", "limit=20&search=nobodysaidthis"),
    ] {
        let (p50, p99) = ask(&caller, query).await?;
        println!("  {name}: p50 {p50:.1?}, p99 {p99:.1?}");
        figures.push((format!("{name}: p50, p99"), format!("{}, {} ms", ms(p50), ms(p99))));
    }
    for format in ["jsonl", "csv"] {
        figures.push(export(&caller, &gateway, format, messages).await?);
    }
    Ok(figures)
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

async fn ask(caller: &Caller, query: &str) -> anyhow::Result<(Duration, Duration)> {
    let path = format!("/api/whatsapp/messages?{query}");
    let mut times = vec![];
    for _ in 0..argument("--asks", 200) {
        let started = Instant::now();
        let log = caller.get(&path).await?;
        anyhow::ensure!(log["messages"].is_array(), "{query}: {log}");
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let rank = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    Ok((rank(0.5), rank(0.99)))
}

async fn export(caller: &Caller, gateway: &Process, format: &str, messages: usize) -> anyhow::Result<Figure> {
    let before = gateway.rss_kib();
    let started = Instant::now();
    let mut answer = caller.stream(&format!("/api/whatsapp/messages/export?format={format}")).await?;
    let (mut bytes, mut peak, mut looked) = (0, before, Instant::now());
    while let Some(chunk) = answer.chunk().await? {
        bytes += chunk.len();
        if looked.elapsed() > Duration::from_millis(100) {
            peak = peak.max(gateway.rss_kib());
            looked = Instant::now();
        }
    }
    let took = started.elapsed();
    let rate = messages as f64 / took.as_secs_f64();
    let grown = peak.saturating_sub(before) / 1024;
    println!("  {format}: {} MB in {took:.1?}, memory grew by {grown} MiB", bytes / 1_000_000);
    Ok((format!("all as {format}: messages a second, memory"), format!("{rate:.0}/s, {grown} MiB")))
}

/// Where rows are put.
enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

struct Message {
    key: String,
    wa_id: String,
    phone: String,
    chat: String,
    body: String,
    status: &'static str,
    at: i64,
}

/// A log as if the tenant had had it for years, row by row and without events.
async fn fill(engine: &Engine, url: &str, messages: usize) -> anyhow::Result<()> {
    let mut database = match engine {
        Engine::Sqlite => Database::Sqlite(SqliteConnection::connect(url).await?),
        Engine::Postgres { .. } => Database::Postgres(PgConnection::connect(url).await?),
    };
    let tenant = "SELECT id FROM tenants WHERE name = 'bench'";
    let tenant: String = match &mut database {
        Database::Sqlite(connection) => sqlx::query_scalar(tenant).fetch_one(connection).await?,
        Database::Postgres(connection) => sqlx::query_scalar(tenant).fetch_one(connection).await?,
    };
    let mut chance = StdRng::seed_from_u64(5);
    let newest = wapid_core::clock::Clock::System.now().0 as u64;
    let mut numbers = 0..messages;
    loop {
        let rows: Vec<Message> = numbers
            .by_ref()
            .take(FILL)
            .map(|number| message(&mut chance, number, newest - (messages - number) as u64 * APART_MS / 10))
            .collect();
        if rows.is_empty() {
            break;
        }
        match &mut database {
            Database::Sqlite(connection) => {
                insert::<sqlx::Sqlite>(&tenant, &rows).build().execute(connection).await.map(drop)?
            }
            Database::Postgres(connection) => {
                insert::<sqlx::Postgres>(&tenant, &rows).build().execute(connection).await.map(drop)?
            }
        }
    }
    if let Database::Postgres(connection) = &mut database {
        sqlx::query("ANALYZE messages").execute(connection).await?;
    }
    Ok(())
}

fn message(chance: &mut StdRng, number: usize, at: u64) -> Message {
    // Few words are said often, and most of them seldom.
    let mut words: Vec<String> =
        (0..10).map(|_| format!("w{}", (WORDS as f64 * chance.random::<f64>().powi(4)) as usize)).collect();
    if number.is_multiple_of(3) {
        words.insert(3, "common".to_owned());
        if number.is_multiple_of(300) {
            words.insert(4, "order".to_owned());
        }
    }
    if number % 100_000 < 10 {
        words.push(format!("rare{}", number / 100_000));
    }
    let phone = format!("55119{:08}", number % 20_000);
    Message {
        key: format!(
            "msg_{}",
            ulid::Ulid::from_parts(at, u128::from(chance.random::<u64>())).to_string().to_lowercase()
        ),
        wa_id: format!("3EB0{number:018X}"),
        chat: format!("{phone}@s.whatsapp.net"),
        phone,
        body: words.join(" "),
        status: if number.is_multiple_of(10_000) { "failed" } else { "read" },
        at: i64::try_from(at).expect("a time"),
    }
}

fn insert<'a, DB>(tenant: &'a str, rows: &'a [Message]) -> QueryBuilder<DB>
where
    DB: sqlx::Database,
    &'a str: sqlx::Encode<'a, DB> + sqlx::Type<DB>,
    i64: sqlx::Encode<'a, DB> + sqlx::Type<DB>,
{
    let mut insert = QueryBuilder::new(
        "INSERT INTO messages (tenant_id, mode, session_key, session_id, direction, origin, sender, kind, rank,
            pending, key, wa_id, chat, phone, body, status, created_at) ",
    );
    insert.push_values(rows, |mut row, message| {
        row.push_bind(tenant).push("'test', 'ses_bench', 'main', 'out', 'api', '', 'text', 3, FALSE");
        row.push_bind(message.key.as_str()).push_bind(message.wa_id.as_str());
        row.push_bind(message.chat.as_str()).push_bind(message.phone.as_str());
        row.push_bind(message.body.as_str()).push_bind(message.status).push_bind(message.at);
    });
    insert
}
