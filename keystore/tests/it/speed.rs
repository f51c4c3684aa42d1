//! Figures, not facts: `cargo nextest run -p wapid-keystore --release --run-ignored only speed --no-capture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use wacore::store::traits::*;
use wapid_core::id::SessionKey;
use wapid_core::store::{Db, Durability};
use wapid_keystore::Keystores;

use crate::engine::{Database, Engine, seal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn sqlite() {
    measure(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn postgres() {
    measure(Engine::Postgres).await;
}

async fn measure(engine: Engine) {
    let Some(database) = Database::fresh(engine).await else { return };
    for durability in [Durability::Process, Durability::Power] {
        let db = Db::connect(&database.url, durability).await.unwrap();
        let keystores = Keystores::new(db, seal());
        for sessions in [1, 8, 64] {
            let flushes = flushes(&keystores, sessions).await;
            println!("{engine:?} {durability:?}: {sessions} sessions flush {flushes:.0} times/s");
        }
        println!("{engine:?} {durability:?}: 812 prekeys in {:?}", prekeys(&keystores).await);
        println!("{engine:?} {durability:?}: 500 devices exist and load in {:?}", restore(&keystores).await);
    }
}

/// A flush: five ratchets, five identities and a consumed prekey.
async fn flushes(keystores: &Keystores, sessions: usize) -> f64 {
    const PERIOD: Duration = Duration::from_secs(2);
    let record = Bytes::from(vec![7; 1200]);
    let tasks: Vec<_> = (0..sessions)
        .map(|_| {
            let keystore = keystores.of(SessionKey::new());
            let record = record.clone();
            tokio::spawn(async move {
                let addresses: Vec<Arc<str>> = (0..5).map(|n| format!("55{n}@lid").into()).collect();
                let ratchets: Vec<_> = addresses.iter().map(|a| (a.clone(), record.clone())).collect();
                let identities: Vec<_> = addresses.iter().map(|a| (a.clone(), [7; 32])).collect();
                let (start, mut count) = (Instant::now(), 0_u32);
                while start.elapsed() < PERIOD {
                    keystore.put_sessions_batch(&ratchets).await.unwrap();
                    keystore.remove_prekey(count).await.unwrap();
                    keystore.put_identities_batch(&identities).await.unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut total = 0;
    for task in tasks {
        total += task.await.unwrap();
    }
    f64::from(total) / PERIOD.as_secs_f64()
}

async fn prekeys(keystores: &Keystores) -> Duration {
    let keystore = keystores.of(SessionKey::new());
    let keys: Vec<_> = (1..=812).map(|id| (id, Bytes::from(vec![7; 80]))).collect();
    let start = Instant::now();
    keystore.store_prekeys_batch(&keys, false).await.unwrap();
    start.elapsed()
}

async fn restore(keystores: &Keystores) -> Duration {
    let all: Vec<_> = (0..500).map(|_| keystores.of(SessionKey::new())).collect();
    for keystore in &all {
        keystore.create().await.unwrap();
    }
    let start = Instant::now();
    let loads: Vec<_> = all
        .into_iter()
        .map(|keystore| {
            tokio::spawn(async move {
                assert!(keystore.exists().await.unwrap());
                assert!(keystore.load().await.unwrap().is_some());
            })
        })
        .collect();
    for load in loads {
        load.await.unwrap();
    }
    start.elapsed()
}
