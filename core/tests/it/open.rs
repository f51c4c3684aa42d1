//! Opening a store: migrations, the master key, and databases that go away.

use wapid_core::clock::Clock;
use wapid_core::store::{Db, Durability, Store, StoreError};

use crate::fixture::{MASTER, START, Shop, TestDb, both, together};

both!(
    opening_again_changes_nothing,
    many_processes_may_start_at_once,
    another_master_key_is_told_at_the_start,
    a_database_of_another_kind_is_refused,
    the_ledger_outlives_a_lost_connection,
);

async fn opening_again_changes_nothing(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.accept().await;
    shop.store.close().await;
    let again = Shop { store: db.store().await, ..shop };
    assert_eq!(again.used().await, 1);
    again.accept().await;
}

async fn many_processes_may_start_at_once(db: TestDb) {
    let stores = together((0..6).map(|_| {
        let db = db.clone();
        async move { db.store().await }
    }))
    .await;
    Shop::new(&stores[0], "shop").await;
    assert_eq!(stores[5].tenants().await.unwrap().len(), 1);
}

async fn another_master_key_is_told_at_the_start(db: TestDb) {
    db.store().await.close().await;
    let other = Store::open(&db.url, Durability::Power, &[8; 32], db.clock.clone()).await;
    assert!(matches!(other, Err(StoreError::WrongMasterKey)));
    Store::open(&db.url, Durability::Power, &MASTER, db.clock.clone()).await.unwrap();
}

async fn a_database_of_another_kind_is_refused(_: TestDb) {
    for url in ["mysql://localhost/x", "wapid.db", ""] {
        let result = Store::open(url, Durability::Power, &MASTER, Clock::manual(START)).await;
        assert!(matches!(result, Err(StoreError::UnknownEngine(_))), "{url}");
    }
}

/// What a restart of Postgres does to us; on SQLite, a full disk.
async fn the_ledger_outlives_a_lost_connection(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.accept().await;
    match shop.store.db() {
        Db::Postgres(pool) => {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
            sqlx::query(cut).execute(pool).await.unwrap();
        }
        Db::Sqlite { write, .. } => {
            let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(write).await.unwrap();
            let full = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
            sqlx::query(full).execute(write).await.unwrap();
        }
    }
    // Every caller hears of it, and none waits for ever.
    let results = together((0..200).map(|i| {
        let shop = shop.clone();
        let mut intent = shop.intent();
        intent.content = crate::fixture::text(&"x".repeat(1_000 + i));
        async move { shop.store.accept(intent).await }
    }))
    .await;
    let failed = results.iter().filter(|r| r.is_err()).count();
    assert!(failed > 0);
    if let Db::Sqlite { write, .. } = shop.store.db() {
        sqlx::query("PRAGMA max_page_count = 4294967294").execute(write).await.unwrap();
    }
    shop.accept().await;
    assert_eq!(shop.used().await, i64::try_from(202 - failed).unwrap());
}
