//! `kill -9` at any instant of an upload leaves no row that promises what is not there, and, after the sweep,
//! no blob that nobody knows.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use wapid::run::Gateway;
use wapid_core::clock::Clock;

use super::retention::blobs;
use super::{MEDIA, noise};
use crate::app::{Caller, Database, Engine, settings, until};
use crate::process::{Home, Process, home, try_get};

/// What is left once a later start has tidied.
async fn left_behind(home: &Home) -> usize {
    let clock = Clock::manual(Clock::System.now());
    clock.advance(Duration::from_secs(2 * 3_600));
    let gateway = Gateway::start(&settings(&home.dir, &home.database), clock).await.expect("it starts");
    gateway.media.tidy(gateway.store.clock().now()).await.expect("it tidies");
    let left = blobs(&home.dir).len();
    gateway.stop().await;
    left
}

async fn a_kill_in_the_middle_of_an_upload_leaves_nothing(engine: Engine) {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(engine, dir.path()).await;
    let home = home(dir.path(), &database, None);
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let kept = caller.upload("", "application/octet-stream", noise(100_000)).await.ok();
    // A body that is half sent and then waits for ever.
    let half = stream::iter([Ok::<_, std::io::Error>(Bytes::from(noise(300_000)))]);
    let body = reqwest::Body::wrap_stream(futures::StreamExt::chain(half, stream::pending()));
    let upload = tokio::spawn({
        let caller = caller.clone();
        async move {
            caller
                .client()
                .post(format!("{}{MEDIA}", caller.url))
                .header("X-API-Key", &caller.key)
                .body(body)
                .send()
                .await
        }
    });
    until("half a file is on the disk", || async { (blobs(dir.path()).len() == 2).then_some(()) }).await;
    process.kill().await;
    assert!(upload.await.expect("no panic").is_err(), "it was answered");
    assert_eq!(left_behind(&home).await, 1);
    let process = home.start().await;
    assert_eq!(caller.get(MEDIA).await.ok()["media"], serde_json::json!([kept]));
    assert_eq!(caller.content(&kept).await, noise(100_000));
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_an_upload_leaves_nothing_on_sqlite() {
    a_kill_in_the_middle_of_an_upload_leaves_nothing(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_an_upload_leaves_nothing_on_postgres() {
    a_kill_in_the_middle_of_an_upload_leaves_nothing(Engine::Postgres).await;
}

/// Between the blob and its row, and between the end of a row and that of its blob.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_never_outlives_its_row_for_long() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, None);
    let (_, key) = home.create_tenant().await;
    let mut process = home.start_to_die_at("media_placed", 1).await;
    let caller = Caller::new(process.url.clone(), &key);
    let request = caller.client().post(format!("{}{MEDIA}", caller.url)).header("X-API-Key", &key);
    assert!(request.body(noise(70_000)).send().await.is_err(), "it was answered");
    until_dead(&mut process).await;
    assert_eq!(blobs(dir.path()).len(), 1, "a blob without a row");
    // Too young to be anybody's mistake, it stays.
    let process = home.start().await;
    assert_eq!(caller.get(MEDIA).await.ok()["media"], serde_json::json!([]));
    assert_eq!(blobs(dir.path()).len(), 1);
    process.kill().await;
    assert_eq!(left_behind(&home).await, 0);

    let process = home.start().await;
    caller.put("/api/whatsapp/settings", serde_json::json!({"mediaKeepDays": 1})).await.ok();
    caller.upload("", "application/octet-stream", noise(70_000)).await.ok();
    expire(&database.url).await;
    process.kill().await;
    let mut process = home.start_to_die_at("media_expired", 1).await;
    until_dead(&mut process).await;
    assert_eq!(blobs(dir.path()).len(), 1, "a blob whose row is gone");
    let process = home.start().await;
    let listed = until("it answers", || try_get(&caller, MEDIA)).await;
    assert_eq!(listed, serde_json::json!({"media": [], "used": 0}));
    process.kill().await;
    assert_eq!(left_behind(&home).await, 0);
}

async fn until_dead(process: &mut Process) {
    tokio::time::timeout(Duration::from_secs(30), process.child.wait())
        .await
        .expect("it dies")
        .expect("it is ours");
}

/// As if its time were over.
async fn expire(url: &str) {
    let pool = sqlx::SqlitePool::connect(url).await.expect("the database opens");
    sqlx::query("UPDATE media SET expires_at = 1").execute(&pool).await.expect("an update");
    pool.close().await;
}
