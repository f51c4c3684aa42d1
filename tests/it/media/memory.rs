//! A large file passes through a gateway that does not grow.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::host::{Host, Reply};
use super::{MEDIA, noise};
use crate::app::{Caller, Database, Engine};
use crate::process::{Process, home};

/// 100 MiB with `WAPID_TEST_FULL=1`; a test build takes a minute for that on two cores.
pub fn size() -> usize {
    if std::env::var("WAPID_TEST_FULL").is_ok_and(|full| full == "1") { 100 << 20 } else { 48 << 20 }
}

/// Of the promise.
const GROWTH_MAX: u64 = 20 << 20;

/// A field of a process's `status`, in bytes.
pub fn memory(process: &Process, field: &str) -> u64 {
    let pid = process.child.id().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let line = status.lines().find(|line| line.starts_with(field)).expect("the field");
    let kib = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kib.expect("a number") << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_passes_without_growing() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, None);
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    // What the first of everything takes is not the file's.
    let small = Host::new(Reply::file("application/octet-stream", &noise(300_000))).await;
    let warm = caller.post(MEDIA, json!({"mediaUrl": small.url})).await.ok();
    caller.content(&warm).await;

    let size = size();
    let file = noise(size);
    let host = Host::new(Reply::file("application/octet-stream", &file)).await;
    let before = memory(&process, "VmRSS:");
    let stored = caller.post(MEDIA, json!({"mediaUrl": host.url, "type": "document"})).await.ok();
    assert_eq!(stored["size"], size);
    assert_eq!(stored["sha256"], hex::encode(Sha256::digest(&file)));
    let url = stored["url"].as_str().expect("a url");
    // Out in ranges, as a download that was broken off goes on.
    let mut out = Sha256::new();
    for from in (0..size).step_by(32 << 20) {
        let to = (from + (32 << 20)).min(size);
        let part = caller.bytes(Method::GET, url, &[("range", &format!("bytes={from}-{}", to - 1))]).await;
        assert_eq!((part.status, part.body.len()), (206, to - from));
        out.update(part.body);
    }
    assert_eq!(hex::encode(out.finalize()), hex::encode(Sha256::digest(&file)));
    // The most that it ever held, not what it holds now.
    let grown = memory(&process, "VmHWM:").saturating_sub(before);
    println!(
        "{} MiB in and out: {:.1} MiB more memory at most",
        size >> 20,
        grown as f64 / f64::from(1 << 20)
    );
    assert!(grown < GROWTH_MAX, "{grown} bytes more");
    process.kill().await;
}

/// Whatever number comes at once, only so many are on their way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_at_once_stay_in_bounds() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, None);
    let (_, key) = home.create_tenant().await;
    let process = home.start().await;
    let caller = Caller::new(process.url.clone(), &key);
    let file = noise(1 << 20);
    caller.upload("", "application/octet-stream", file.clone()).await.ok();
    let before = memory(&process, "VmRSS:");
    let uploads = (0..50).map(|_| {
        let (caller, file) = (caller.clone(), file.clone());
        async move { caller.upload("", "application/octet-stream", file).await.ok() }
    });
    let all = tokio::time::timeout(Duration::from_secs(120), futures::future::join_all(uploads)).await;
    assert_eq!(all.expect("in time").len(), 50);
    let grown = memory(&process, "VmHWM:").saturating_sub(before);
    println!("50 uploads of 1 MiB at once: {:.1} MiB more memory at most", grown as f64 / f64::from(1 << 20));
    assert!(grown < GROWTH_MAX, "{grown} bytes more");
    process.kill().await;
}
