//! Files in a bucket: the same promises, over S3's own protocol.

use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use reqwest::Method;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use serde_json::json;

use super::retention::blobs;
use super::{MEDIA, noise};
use crate::app::{Caller, Database, Engine, until};
use crate::process::{Home, home};

const BUCKET: &str = "wapid-files";
const KEY_ID: &str = "AKTEST";
const SECRET: &str = "SKTEST";

/// A server of buckets, on a folder.
struct Buckets {
    url: String,
    folder: tempfile::TempDir,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Buckets {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Buckets {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a folder"));
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = service.build();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(connection);
            }
        });
        Self { url, folder, server }
    }

    /// The files of the bucket's objects.
    fn objects(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.folder.path().join(BUCKET)];
        let mut found = vec![];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    }

    async fn start(&self, home: &Home, secret: &str) -> crate::process::Process {
        let mut command = home.command();
        command
            .env("WAPID_MEDIA_URL", format!("s3://{BUCKET}/some/prefix"))
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", secret);
        home.start_with(command).await
    }
}

async fn files_lie_in_a_bucket(engine: Engine) {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(engine, dir.path()).await;
    let home = home(dir.path(), &database, None);
    let (_, key) = home.create_tenant().await;
    let buckets = Buckets::new().await;
    let process = buckets.start(&home, SECRET).await;
    let caller = Caller::new(process.url.clone(), &key);
    // One request, and several parts.
    let mut stored = vec![];
    for size in [1, 300_000, 5 << 20, (12 << 20) + 345] {
        let file = noise(size);
        let media = caller.upload("", "application/octet-stream", file.clone()).await.ok();
        assert!(caller.content(&media).await == file, "{size}");
        stored.push((media, file));
    }
    assert_eq!(blobs(dir.path()).len(), 0, "nothing stays on this machine");
    assert_eq!(buckets.objects().len(), 4);
    assert!(buckets.objects().iter().all(|path| path.to_string_lossy().contains("/some/prefix/")));
    let (media, file) = stored.last().expect("four");
    let url = media["url"].as_str().expect("a url");
    for (from, to) in [(0, 1), (7 << 20, (9 << 20) + 5), (file.len() - 1, file.len())] {
        let part = caller.bytes(Method::GET, url, &[("range", &format!("bytes={from}-{}", to - 1))]).await;
        assert!(part.status == 206 && part.body == file[from..to], "{from}..{to}");
    }
    // Another process finds the same.
    process.kill().await;
    let process = buckets.start(&home, SECRET).await;
    for (media, file) in &stored {
        assert!(caller.content(media).await == *file);
    }
    let id = media["mediaId"].as_str().expect("an id");
    caller.delete(&format!("{MEDIA}/{id}")).await.ok();
    assert_eq!(buckets.objects().len(), 3);
    // An object that somebody took away is missed, not invented.
    let (first, _) = &stored[0];
    for object in buckets.objects() {
        std::fs::remove_file(object).expect("it is there");
    }
    caller.get(first["url"].as_str().expect("a url")).await.refused(404, "MEDIA_NOT_STORED");
    process.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_lie_in_a_bucket_on_sqlite() {
    files_lie_in_a_bucket(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_lie_in_a_bucket_on_postgres() {
    files_lie_in_a_bucket(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_refuses_us_stores_nothing_and_leaves_no_row() {
    let dir = tempfile::tempdir().expect("a folder");
    let database = Database::new(Engine::Sqlite, dir.path()).await;
    let home = home(dir.path(), &database, None);
    let (_, key) = home.create_tenant().await;
    let buckets = Buckets::new().await;
    let process = buckets.start(&home, "another secret").await;
    let caller = Caller::new(process.url.clone(), &key);
    caller.upload("", "text/plain", "x").await.refused(500, "INTERNAL");
    assert_eq!(caller.get(MEDIA).await.ok(), json!({"media": [], "used": 0}));
    until("nothing is left on the disk", || async { blobs(dir.path()).is_empty().then_some(()) }).await;
    assert!(buckets.objects().is_empty());
    process.kill().await;
}
