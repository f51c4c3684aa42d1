//! A Postgres that takes too long, or does not answer at all.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use wapid_core::store::patient::ANSWER_WITHIN;
use wapid_core::store::{Db, Durability, Store};
use wapid_core::tenant::Tenant;

use crate::fixture::{MASTER, Shop, TestDb, together};
use crate::stalling::StallingProxy;

/// After the deadline itself: what a busy machine takes.
const SLACK: Duration = Duration::from_secs(5);

async fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(TestDb) -> F) {
    if let Some(db) = TestDb::postgres().await {
        db.run(test).await;
    }
}

/// A store whose way to Postgres can fall silent.
async fn behind_a_proxy(db: &TestDb) -> (StallingProxy, Store) {
    let (user, rest) = db.url.split_once('@').unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let proxy = StallingProxy::before(server);
    let url = format!("{user}@{}/{name}", proxy.address());
    let store = Store::open(&url, Durability::Process, &MASTER, db.clock.clone()).await.unwrap();
    (proxy, store)
}

async fn many_reads(store: &Store) -> Vec<wapid_core::store::Result<Vec<Tenant>>> {
    let store = store.clone();
    together((0..40).map(|_| {
        let store = store.clone();
        async move { store.tenants().await }
    }))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_waits_for_a_server_that_is_silent() {
    on_postgres(silent).await;
}

async fn silent(db: TestDb) {
    let (proxy, store) = behind_a_proxy(&db).await;
    let shop = Shop::new(&store, "shop").await;
    shop.accept().await;
    // As many connections as there may be.
    many_reads(&store).await.into_iter().for_each(|read| drop(read.unwrap()));
    proxy.fall_silent();
    let begun = Instant::now();
    let (reads, write) = tokio::join!(many_reads(&store), store.accept(shop.intent()));
    assert!(begun.elapsed() < ANSWER_WITHIN + SLACK, "{:?}", begun.elapsed());
    for read in reads {
        assert!(read.unwrap_err().is_away());
    }
    assert!(write.is_err());

    proxy.let_new_ones_through();
    let begun = Instant::now();
    shop.accept().await;
    many_reads(&store).await.into_iter().for_each(|read| drop(read.unwrap()));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    // What was asked for in the silence is there once or not at all.
    assert!((2..=3).contains(&shop.used().await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_of_the_ledger_costs_nobody_an_error() {
    on_postgres(lost).await;
}

async fn lost(db: TestDb) {
    let (proxy, store) = behind_a_proxy(&db).await;
    let shop = Shop::new(&store, "shop").await;
    shop.accept().await;
    proxy.let_new_ones_through();
    let begun = Instant::now();
    shop.accept().await;
    assert!(begun.elapsed() < Duration::from_secs(3) + SLACK, "{:?}", begun.elapsed());
    assert_eq!(shop.used().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_takes_too_long_is_ended_by_the_server() {
    on_postgres(too_long).await;
}

async fn too_long(db: TestDb) {
    let store = db.store().await;
    let shop = Shop::new(&store, "shop").await;
    let Db::Postgres(pool) = store.db() else { panic!("on SQLite") };
    // Somebody who holds what a send needs, and is no process of ours.
    let mut holder = PgConnection::connect(&db.url).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM tenants FOR UPDATE").execute(&mut *held).await.unwrap();
    sqlx::query("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    let begun = Instant::now();
    let (slept, sent) =
        tokio::join!(sqlx::query("SELECT pg_sleep(60)").execute(pool), store.accept(shop.intent()),);
    assert!(begun.elapsed() < ANSWER_WITHIN + SLACK, "{:?}", begun.elapsed());
    let code = slept.unwrap_err().as_database_error().and_then(|error| error.code().map(Into::into));
    assert_eq!(code, Some("57014".to_owned()));
    let refused = sent.unwrap_err();
    let wapid_core::store::ledger::Refused::Store(refused) = refused else { panic!("{refused}") };
    assert!(refused.is_away(), "{refused}");
    held.rollback().await.unwrap();
    shop.accept().await;
    assert_eq!(shop.used().await, 1);
}

/// A large table, or another process that is at it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_may_take_longer_than_a_statement() {
    on_postgres(migration).await;
}

async fn migration(db: TestDb) {
    db.store().await.close().await;
    let mut holder = PgConnection::connect(&db.url).await.unwrap();
    let mut held = holder.begin().await.unwrap();
    sqlx::query("LOCK TABLE _sqlx_migrations").execute(&mut *held).await.unwrap();
    let opening = tokio::spawn({
        let db = db.clone();
        async move { db.store().await }
    });
    // Not to synchronise: it is the time that such a migration takes.
    tokio::time::sleep(ANSWER_WITHIN + Duration::from_secs(1)).await;
    assert!(!opening.is_finished());
    held.rollback().await.unwrap();
    opening.await.unwrap();
}
