//! A copy of SQLite's files, taken while batches are being written, is what a power cut could leave:
//! it must open, be whole, and hold all of each batch or nothing of it.

use bytes::Bytes;
use rand::RngExt as _;
use wacore::store::traits::SignalStore as _;
use wapid_core::id::SessionKey;
use wapid_core::store::Db;
use wapid_keystore::Keystores;

use crate::engine::{Database, Engine, connect, seal};

const COPIES: usize = 25;
const WRITERS: usize = 4;
/// More than one statement takes.
const BATCH: u32 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_copy_of_the_files_is_whole_and_has_all_of_a_batch_or_nothing() {
    let database = Database::fresh(Engine::Sqlite).await.unwrap();
    let keystores = database.keystores();
    let sessions: Vec<_> = (0..WRITERS).map(|_| SessionKey::new()).collect();
    let writers: Vec<_> = sessions
        .iter()
        .map(|session| {
            let keystore = keystores.of(session.clone());
            tokio::spawn(async move {
                for round in 0_u64.. {
                    let record = Bytes::from(round.to_string());
                    let keys: Vec<_> = (1..=BATCH).map(|id| (id, record.clone())).collect();
                    keystore.store_prekeys_batch(&keys, false).await.unwrap();
                }
            })
        })
        .collect();

    let Db::Sqlite { write, .. } = &database.db else { unreachable!("SQLite was asked for") };
    sqlx::query("PRAGMA wal_autocheckpoint = 0").execute(write).await.unwrap();
    let mut rounds = Vec::new();
    for nth in 0..COPIES {
        if nth % 3 == 0 {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(write).await.unwrap();
        }
        let copy = tempfile::tempdir().unwrap();
        copy_torn(&database, copy.path());
        rounds.push(check(&format!("sqlite://{}", copy.path().join("wapid.db").display()), &sessions).await);
    }
    writers.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(rounds.iter().max() > rounds.iter().min(), "nothing was written meanwhile: {rounds:?}");
}

/// The database, which only a checkpoint touches, and none runs now; and the log, cut at any byte.
fn copy_torn(database: &Database, to: &std::path::Path) {
    for file in database.files() {
        let name = file.file_name().unwrap().to_str().unwrap();
        let mut bytes = std::fs::read(&file).unwrap();
        match name {
            "wapid.db" => {}
            "wapid.db-wal" => bytes.truncate(rand::rng().random_range(0..=bytes.len())),
            _ => continue,
        }
        std::fs::write(to.join(name), bytes).unwrap();
    }
}

/// The latest round that the copy holds.
async fn check(url: &str, sessions: &[SessionKey]) -> u64 {
    let db = connect(url).await;
    let Db::Sqlite { write, .. } = &db else { unreachable!("a SQLite URL") };
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(write).await.unwrap();
    assert_eq!(verdict, "ok");
    let keystores = Keystores::new(db, seal());
    let ids: Vec<u32> = (1..=BATCH).collect();
    let mut latest = 0;
    for session in sessions {
        let found = keystores.of(session.clone()).load_prekeys_batch(&ids).await.unwrap();
        assert!(found.is_empty() || found.len() == ids.len(), "{} of a batch", found.len());
        if let Some((_, first)) = found.first() {
            assert!(found.iter().all(|(_, record)| record == first), "two rounds in one batch");
            latest = latest.max(std::str::from_utf8(first).unwrap().parse().unwrap());
        }
    }
    latest
}
