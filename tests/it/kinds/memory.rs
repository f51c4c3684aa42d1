//! Large files and many of them leave through a gateway that does not grow.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{ANA, SHOP, base64, sha256};
use crate::app::{Caller, Database, Engine, Tenant};
use crate::media::host::{Host, Reply};
use crate::media::memory::{memory, size};
use crate::media::noise;
use crate::process::home;

/// Of the promise, with the sandbox and both phones in the same process.
const GROWTH_MAX: u64 = 20 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_by_url_is_sent_without_growing() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, None);
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let shop = Tenant { live_key: String::new(), test: caller.clone(), live: caller };
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    // What the first of everything takes is not the file's.
    let small = Host::new(Reply::file("application/octet-stream", &noise(300_000))).await;
    let warm = session.says(json!({"to": ANA, "type": "document", "mediaUrl": small.url})).await;
    ana.until_is(&warm, |message| message["mediaSha256"].is_string()).await;

    let file = noise(size());
    let host = Host::new(Reply::file("application/octet-stream", &file)).await;
    let before = memory(&process, "VmRSS:");
    let body = json!({"to": ANA, "type": "document", "mediaUrl": host.url, "fileName": "large.bin"});
    let request = shop.test.client().post(format!("{}{}", shop.test.url, session.path("/send")));
    let request = request.header("X-API-Key", &shop.test.key).timeout(Duration::from_secs(150));
    let answer = request.body(body.to_string()).send().await.expect("the gateway answers");
    let answer: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
    let id = answer["messageId"].as_str().unwrap_or_else(|| panic!("{answer}"));
    let shown = ana.until_is(id, |message| message["mediaSha256"].is_string()).await;
    assert_eq!(shown["mediaSha256"], hex::encode(Sha256::digest(&file)));
    let grown = memory(&process, "VmHWM:").saturating_sub(before);
    println!(
        "{} MiB sent by URL: {:.1} MiB more memory at most",
        file.len() >> 20,
        grown as f64 / f64::from(1 << 20)
    );
    assert!(grown < GROWTH_MAX, "{grown} bytes more");
    process.kill().await;
}

/// Whatever number comes at once, only so many bodies and uploads are in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_files_at_once_stay_in_bounds() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, None);
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let shop = Tenant { live_key: String::new(), test: caller.clone(), live: caller };
    let session = shop.linked("main", SHOP).await;
    let ana = shop.phone(ANA).await;
    let file = noise(900 << 10);
    let body = json!({"to": ANA, "type": "document", "mediaBase64": base64(&file), "fileName": "a.bin"});
    session.says(body.clone()).await;
    let before = memory(&process, "VmRSS:");
    let ids = futures::future::join_all((0..50).map(|_| session.says(body.clone()))).await;
    for id in ids {
        let shown = ana.until_is(&id, |message| message["mediaSha256"].is_string()).await;
        assert_eq!(shown["mediaSha256"], sha256(&file));
    }
    let grown = memory(&process, "VmHWM:").saturating_sub(before);
    println!(
        "50 sends of 900 KiB in base64 at once: {:.1} MiB more memory at most",
        grown as f64 / f64::from(1 << 20)
    );
    // A few bodies of 1.2 MiB as text, twice while they are read, and eight uploads.
    assert!(grown < 32 << 20, "{grown} bytes more");
    process.kill().await;
}
