//! Opening a store: migrations, the master key, and databases that go away.

use std::time::{Duration, Instant};

use wapid_core::clock::Clock;
use wapid_core::store::leases::LEASE_MS;
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

/// A process that froze (SIGSTOP, a paused container) in the middle of a transaction: its peers must go on
/// before its leases run out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_process_does_not_stop_its_peers_on_postgres() {
    if let Some(db) = TestDb::postgres().await {
        db.run(a_frozen_process_does_not_stop_its_peers).await;
    }
}

async fn a_frozen_process_does_not_stop_its_peers(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.accept().await;
    let Db::Postgres(pool) = shop.store.db() else { panic!("on SQLite") };
    let mut frozen = pool.begin().await.unwrap();
    sqlx::query("UPDATE daily_usage SET used = used").execute(&mut *frozen).await.unwrap();
    let peer = Shop { store: db.store().await, ..shop.clone() };
    let lease = Duration::from_millis(u64::try_from(LEASE_MS).unwrap());
    tokio::time::timeout(lease, peer.accept()).await.expect("its peer waits for it");
    assert!(sqlx::query("SELECT 1").execute(&mut *frozen).await.is_err());
    // It wakes, finds its transaction gone, and works.
    drop(frozen);
    shop.accept().await;
    assert_eq!(shop.used().await, 3);
}

/// What a restart of Postgres does to us; on SQLite, a full disk.
async fn the_ledger_outlives_a_lost_connection(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.accept().await;
    match shop.store.db() {
        Db::Postgres(pool) => {
            // By one statement, for another might be asked on a connection that is cut; and among what is asked
            // for, for a condition may be looked at for the backends of other tests before the one beside it.
            let cut = "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
            let cut: Vec<(i32, bool)> = sqlx::query_as(cut).fetch_all(pool).await.unwrap();
            let others: Vec<i32> = cut.into_iter().map(|(pid, _)| pid).collect();
            let left = "SELECT COUNT(*) FROM pg_stat_activity WHERE pid = ANY($1)";
            let deadline = Instant::now() + Duration::from_secs(10);
            // Asked on one of them, it ends with it.
            while !matches!(sqlx::query_scalar::<_, i64>(left).bind(&others).fetch_one(pool).await, Ok(0)) {
                assert!(Instant::now() < deadline, "they are there still");
            }
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
        intent.content = crate::fixture::text("x".repeat(1_000 + i));
        async move { shop.store.accept(intent).await }
    }))
    .await;
    let failed = results.iter().filter(|r| r.is_err()).count();
    // A full disk refuses; a connection that was lost before anything happened on it is replaced.
    assert_eq!(failed > 0, db.is_sqlite(), "{failed}");
    if let Db::Sqlite { write, .. } = shop.store.db() {
        sqlx::query("PRAGMA max_page_count = 4294967294").execute(write).await.unwrap();
    }
    shop.accept().await;
    assert_eq!(shop.used().await, i64::try_from(202 - failed).unwrap());
}
