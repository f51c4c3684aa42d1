//! The kill model: what was answered is there after the process died at any instant.
//!
//! A killed process leaves the files as they are at that moment. So we copy the database and its
//! write-ahead log while writers run, and open the copy.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use wapid_core::message::Status;
use wapid_core::store::ledger::Outcome;
use wapid_core::store::{Durability, Store};

use crate::fixture::{MASTER, Shop, TestDb, idempotent};

const KILLS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_answered_survives_a_kill_on_sqlite() {
    TestDb::sqlite().run(whatever_was_answered_survives_a_kill).await;
}

async fn whatever_was_answered_survives_a_kill(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let answered = Arc::new(Mutex::new(Vec::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (shop, answered, stop) = (shop.clone(), answered.clone(), stop.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let intent = idempotent(&shop.owner, &format!("{writer}-{n}"), 1);
                    let (key, _) = crate::fixture::accept(&shop.store, intent).await;
                    answered.lock().push((key.clone(), Status::Sending));
                    shop.settle(&key, Outcome::Sent).await;
                    answered.lock().push((key, Status::Sent));
                }
            })
        })
        .collect();

    let copies = tempfile::tempdir().unwrap();
    let mut rounds = Vec::new();
    for kill in 0..KILLS {
        // A random moment: after some more answers, whatever the writers are doing then.
        let goal = answered.lock().len() + rand::random_range(1..60);
        while answered.lock().len() < goal {
            tokio::task::yield_now().await;
        }
        let known = answered.lock().clone();
        let copy = copies.path().join(format!("{kill}.db"));
        copy_as_a_kill_would(Path::new(db.file()), &copy).await;
        rounds.push((copy, known));
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }

    for (copy, known) in rounds {
        let url = format!("sqlite://{}", copy.display());
        let mut file = SqliteConnectOptions::new().filename(&copy).connect().await.unwrap();
        let (verdict,): (String,) =
            sqlx::query_as("PRAGMA integrity_check").fetch_one(&mut file).await.unwrap();
        assert_eq!(verdict, "ok");
        let numbering: (i64, i64) = sqlx::query_as("SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM events")
            .fetch_one(&mut file)
            .await
            .unwrap();
        assert_eq!(numbering.0, numbering.1);
        file.close().await.unwrap();
        let store = Store::open(&url, Durability::Process, &MASTER, db.clock.clone()).await.unwrap();
        let survivor = Shop { store, ..shop.clone() };
        for (key, status) in known {
            let row = survivor.live().message(&key).await.unwrap().expect("an answered message is there");
            assert!(row.status.rank() >= status.rank(), "{key} was {status:?} and is {:?}", row.status);
        }
        let (_, total) = survivor.live().messages_page(&Default::default(), 1, 0).await.unwrap();
        assert_eq!(survivor.used().await, total);
        survivor.store.close().await;
    }
}

/// The files of a killed process stand still; ours go on changing while we copy. A reader's snapshot
/// keeps the log from being started over meanwhile, so whatever a checkpoint moves into the database
/// during the copy is in the copied log too, and the log's end is as torn as a kill leaves it.
pub async fn copy_as_a_kill_would(from: &Path, to: &Path) {
    let log = |path: &Path| format!("{}-wal", path.display());
    let mut reader = SqliteConnectOptions::new().filename(from).read_only(true).connect().await.unwrap();
    sqlx::query("BEGIN").execute(&mut reader).await.unwrap();
    sqlx::query("SELECT COUNT(*) FROM tenants").fetch_one(&mut reader).await.unwrap();
    std::fs::copy(from, to).unwrap();
    std::fs::copy(log(from), log(to)).unwrap();
    sqlx::query("COMMIT").execute(&mut reader).await.unwrap();
    reader.close().await.unwrap();
}
