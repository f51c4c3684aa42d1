//! A database behind PgBouncer: right in session mode as Debian installs it, refused in words in the others.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use wapid_core::store::{Db, Durability, Store};

use crate::fixture::{MASTER, Shop, TestDb, together};
use crate::pgbouncer::PgBouncer;

fn through(
    bouncer: &PgBouncer,
    db: &TestDb,
) -> impl Future<Output = wapid_core::store::Result<Store>> + use<> {
    let (url, clock) = (bouncer.url().to_owned(), db.clock.clone());
    async move { Store::open(&url, Durability::Power, &MASTER, clock).await }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pgbouncer_in_session_mode_is_as_good_as_postgres() {
    if let Some(db) = TestDb::postgres().await {
        db.run(in_session_mode).await;
    }
}

async fn in_session_mode(db: TestDb) {
    let bouncer = PgBouncer::before(&db.url, "session", &["default_pool_size = 100"]).await;
    // They migrate side by side, under a lock of the session.
    let stores = together((0..4).map(|_| through(&bouncer, &db))).await;
    let stores: Vec<Store> = stores.into_iter().map(Result::unwrap).collect();
    let shop = Shop::new(&stores[0], "shop").await;
    for _ in 0..20 {
        shop.accept().await;
    }
    assert_eq!(shop.used().await, 20);
    let Db::Postgres(pool) = stores[0].db() else { panic!("on SQLite") };
    for (name, value) in [
        ("synchronous_commit", "on"),
        ("idle_in_transaction_session_timeout", "8s"),
        ("lock_timeout", "9s"),
        ("statement_timeout", "10s"),
    ] {
        let show = AssertSqlSafe(format!("SHOW {name}"));
        let set: String = sqlx::query_scalar(show).fetch_one(pool).await.unwrap();
        assert_eq!(set, value, "{name}");
    }
    for store in stores {
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pgbouncer_that_shares_connections_is_refused_in_words() {
    if let Some(db) = TestDb::postgres().await {
        db.run(that_shares).await;
    }
}

async fn that_shares(db: TestDb) {
    for (mode, more) in [
        ("transaction", &[][..]),
        ("statement", &[]),
        // What other people recommend for drivers that send what PgBouncer does not know.
        ("transaction", &["ignore_startup_parameters = extra_float_digits,options"]),
        // Whoever comes is given the session that rested longest, and there are many.
        ("transaction", &["server_round_robin = 1", "min_pool_size = 10"]),
        ("transaction", &["server_round_robin = 1", "default_pool_size = 2"]),
        ("transaction", &["server_round_robin = 1", "default_pool_size = 3"]),
        ("transaction", &["server_reset_query_always = 1"]),
    ] {
        let bouncer = PgBouncer::before(&db.url, mode, more).await;
        // Others are at work there.
        let neighbours = together((0..12).map(|_| {
            let url = bouncer.url().to_owned();
            async move { PgConnection::connect(&url).await }
        }))
        .await;
        for mut neighbour in neighbours.into_iter().filter_map(Result::ok) {
            let _ = sqlx::raw_sql("SELECT 1").execute(&mut neighbour).await;
            let _ = neighbour.close().await;
        }
        for _ in 0..3 {
            let begun = std::time::Instant::now();
            let told = through(&bouncer, &db).await.unwrap_err().to_string();
            assert!(told.contains("pool_mode = session"), "{mode} {more:?}: {told}");
            assert!(told.contains(&format!("after each {mode}")), "{mode} {more:?}: {told}");
            assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        }
    }
    // Nothing was half done there.
    let mut server = PgConnection::connect(&db.url).await.unwrap();
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&mut server)
        .await
        .unwrap();
    assert_eq!(tables, 0);
}
