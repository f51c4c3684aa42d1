//! Blobs in a bucket of an object store that speaks S3.
//!
//! Where it is and who we are there is told by the variables that S3's own tools read: `AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL` (for stores other than Amazon's),
//! `AWS_ALLOW_HTTP`; on Amazon's machines, by their roles.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt as _, RetryConfig};
use tempfile::NamedTempFile;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::drawer;

/// The least that S3 takes as a part of many; each upload holds one in memory.
const PART: u64 = 5 << 20;
/// So many uploads at a time, then.
const UPLOADS_AT_ONCE: usize = 4;
/// For all of a file, however large: before a sweep could take it for nobody's.
const PLACE_WITHIN: Duration = Duration::from_secs(1_800);
/// For one answer of few bytes.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Requests are made again for so long by the client itself.
const RETRY_WITHIN: Duration = Duration::from_secs(20);
/// How often a broken answer is asked for again from where it broke.
const BREAKS_MAX: u32 = 3;

/// Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    home: Path,
    uploads: Arc<Semaphore>,
}

/// What is wrong with a bucket's URL or with what the environment says of it.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    #[error("a bucket is named as s3://bucket or s3://bucket/prefix")]
    Url,
    #[error(transparent)]
    Settings(#[from] object_store::Error),
}

impl Bucket {
    /// # Errors
    /// When the URL is no bucket's, or the environment says what cannot be.
    pub fn open(url: &str, home: &str) -> Result<Self, BucketError> {
        let rest = url.strip_prefix("s3://").ok_or(BucketError::Url)?;
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if name.is_empty() {
            return Err(BucketError::Url);
        }
        let retry = RetryConfig { retry_timeout: RETRY_WITHIN, ..RetryConfig::default() };
        let store = AmazonS3Builder::from_env().with_bucket_name(name).with_retry(retry).build()?;
        Ok(Self::of(Arc::new(store), prefix, home))
    }

    fn of(store: Arc<dyn ObjectStore>, prefix: &str, home: &str) -> Self {
        let home = Path::from(format!("{}/{home}", prefix.trim_matches('/')));
        Self { store, home, uploads: Arc::new(Semaphore::new(UPLOADS_AT_ONCE)) }
    }

    fn path(&self, name: &str) -> Path {
        Path::from(format!("{}/{}/{name}", self.home, drawer(name)))
    }

    pub(super) async fn place(&self, file: NamedTempFile, name: &str) -> io::Result<()> {
        let _turn = self.uploads.acquire().await.map_err(io::Error::other)?;
        let path = self.path(name);
        let sealed = File::from_std(file.reopen()?);
        timeout(PLACE_WITHIN, self.send(&path, sealed)).await.map_err(|_| ErrorKind::TimedOut)?
    }

    async fn send(&self, path: &Path, mut file: File) -> io::Result<()> {
        let first = part(&mut file).await?;
        if (first.len() as u64) < PART {
            self.store.put(path, first.into()).await?;
            return Ok(());
        }
        let mut upload = self.store.put_multipart(path).await?;
        let sent = send_parts(&mut *upload, first, &mut file).await;
        if sent.is_err() {
            // What it leaves behind costs room, which a rule of the bucket's can clear.
            let _ = upload.abort().await;
        }
        sent
    }

    pub(super) fn source(&self, name: &str) -> BucketSource {
        BucketSource {
            store: self.store.clone(),
            path: self.path(name),
            runtime: Handle::current(),
            answer: None,
            at: 0,
            ahead: Bytes::new(),
        }
    }

    pub(super) async fn remove(&self, name: &str) -> io::Result<()> {
        match self.store.delete(&self.path(name)).await {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(problem) => Err(problem.into()),
        }
    }

    pub(super) async fn list(&self, after: Option<&str>, most: usize) -> io::Result<Vec<String>> {
        let mut entries = match after {
            Some(after) => self.store.list_with_offset(Some(&self.home), &self.path(after)),
            None => self.store.list(Some(&self.home)),
        };
        let mut names = Vec::new();
        while names.len() < most {
            let entry = timeout(ANSWER_WITHIN, entries.next()).await.map_err(|_| ErrorKind::TimedOut)?;
            let Some(entry) = entry.transpose()? else { break };
            names.extend(entry.location.filename().map(str::to_owned));
        }
        Ok(names)
    }
}

/// The next part of a file; less than a whole one at its end.
async fn part(file: &mut File) -> io::Result<Bytes> {
    let mut part = Vec::with_capacity(usize::try_from(PART).unwrap_or(0));
    file.take(PART).read_to_end(&mut part).await?;
    Ok(part.into())
}

async fn send_parts(upload: &mut dyn MultipartUpload, first: Bytes, file: &mut File) -> io::Result<()> {
    let mut next = first;
    while !next.is_empty() {
        upload.put_part(next.into()).await?;
        next = part(file).await?;
    }
    upload.complete().await?;
    Ok(())
}

/// A blob's sealed bytes: one answer, read on as long as reading goes on, and another one from elsewhere.
pub struct BucketSource {
    store: Arc<dyn ObjectStore>,
    path: Path,
    runtime: Handle,
    answer: Option<BoxStream<'static, object_store::Result<Bytes>>>,
    at: u64,
    /// Bytes from `at` on that came already.
    ahead: Bytes,
}

impl BucketSource {
    /// Blocks until `into` is full.
    pub(super) fn read_at(&mut self, start: u64, into: &mut [u8]) -> io::Result<()> {
        if start != self.at {
            (self.answer, self.ahead, self.at) = (None, Bytes::new(), start);
        }
        let runtime = self.runtime.clone();
        runtime.block_on(async { timeout(ANSWER_WITHIN, self.fill(into)).await })?
    }

    async fn fill(&mut self, into: &mut [u8]) -> io::Result<()> {
        let (mut filled, mut breaks) = (0, 0);
        while filled < into.len() {
            if self.ahead.is_empty() {
                match self.more().await {
                    Ok(Some(piece)) => self.ahead = piece,
                    Ok(None) => return Err(ErrorKind::UnexpectedEof.into()),
                    Err(problem @ object_store::Error::NotFound { .. }) => return Err(problem.into()),
                    // Whoever reads slowly outlives an answer.
                    Err(_) if breaks < BREAKS_MAX => {
                        breaks += 1;
                        self.answer = None;
                    }
                    Err(problem) => return Err(problem.into()),
                }
                continue;
            }
            let taken = self.ahead.split_to(self.ahead.len().min(into.len() - filled));
            into[filled..filled + taken.len()].copy_from_slice(&taken);
            filled += taken.len();
            self.at += taken.len() as u64;
        }
        Ok(())
    }

    async fn more(&mut self) -> object_store::Result<Option<Bytes>> {
        if self.answer.is_none() {
            let range = Some(GetRange::Offset(self.at));
            let options = GetOptions { range, ..GetOptions::default() };
            self.answer = Some(self.store.get_opts(&self.path, options).await?.into_stream());
        }
        match &mut self.answer {
            Some(answer) => answer.next().await.transpose(),
            None => Ok(None),
        }
    }
}
