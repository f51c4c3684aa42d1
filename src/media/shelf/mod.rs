//! Where blobs lie: a folder of ours, or a bucket of an object store.
//!
//! A blob's name is a ULID of the time at which it was put there. Its place is `<home>/<end of the name>/<name>`:
//! the home is the database's, because two may share a bucket, and the end of a name is random, so that no
//! folder holds very many.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use tempfile::NamedTempFile;
use ulid::Ulid;
use wapid_core::clock::At;

mod bucket;
mod folder;

pub use bucket::Bucket;
pub use folder::Folder;

use bucket::BucketSource;

/// Cheap to clone.
#[derive(Clone)]
pub enum Shelf {
    Folder(Folder),
    Bucket(Bucket),
}

impl Shelf {
    /// Puts a sealed file into its place, whole and lasting, or not at all.
    pub async fn place(&self, file: NamedTempFile, name: &str) -> io::Result<()> {
        match self {
            Self::Folder(folder) => {
                let (folder, name) = (folder.clone(), name.to_owned());
                tokio::task::spawn_blocking(move || folder.place(file, &name))
                    .await
                    .map_err(io::Error::other)?
            }
            Self::Bucket(bucket) => bucket.place(file, name).await,
        }
    }

    /// A blob to read from; that of a folder is open from here on, whoever removes it.
    pub fn source(&self, name: &str) -> io::Result<Source> {
        match self {
            Self::Folder(folder) => Ok(Source::File(folder.source(name)?)),
            Self::Bucket(bucket) => Ok(Source::Bucket(Box::new(bucket.source(name)))),
        }
    }

    /// Removes a blob. One that is gone already is no error.
    pub async fn remove(&self, name: &str) -> io::Result<()> {
        match self {
            Self::Folder(folder) => {
                let (folder, name) = (folder.clone(), name.to_owned());
                tokio::task::spawn_blocking(move || folder.remove(&name)).await.map_err(io::Error::other)?
            }
            Self::Bucket(bucket) => bucket.remove(name).await,
        }
    }

    /// Names of blobs that are there, at most so many, in the order of their places, after `after`.
    pub async fn list(&self, after: Option<String>, most: usize) -> io::Result<Vec<String>> {
        match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                let list = move || folder.list(after.as_deref(), most);
                tokio::task::spawn_blocking(list).await.map_err(io::Error::other)?
            }
            Self::Bucket(bucket) => bucket.list(after.as_deref(), most).await,
        }
    }
}

/// A blob's sealed bytes, read by a thread that may block.
pub enum Source {
    File(File),
    Bucket(Box<BucketSource>),
}

impl Source {
    /// Fills `into` from there.
    pub fn read_at(&mut self, start: u64, into: &mut [u8]) -> io::Result<()> {
        match self {
            Self::File(file) => {
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(into)
            }
            Self::Bucket(source) => source.read_at(start, into),
        }
    }
}

/// A name for a blob that is put into its place now.
pub fn new_name(now: At) -> String {
    let ms = u64::try_from(now.0).unwrap_or(0);
    Ulid::from_parts(ms, rand::random()).to_string().to_lowercase()
}

/// When a blob was put there; `None` for what is no name of ours.
pub fn placed_at(name: &str) -> Option<At> {
    let is_ours = name.len() == 26 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let ulid = Ulid::from_string(name).ok().filter(|_| is_ours)?;
    i64::try_from(ulid.timestamp_ms()).ok().map(At)
}

/// The folder of a name.
fn drawer(name: &str) -> &str {
    name.get(name.len().saturating_sub(2)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_and_nothing_else() {
        let at = At(1_772_965_800_000);
        let name = new_name(at);
        assert_eq!(placed_at(&name), Some(at));
        assert_ne!(name, new_name(at));
        assert_eq!(drawer(&name), &name[24..]);
        for other in
            ["", "x", "../../../../../etc/passwd", "01JNS9Z4M000000000000000000", &name.to_uppercase()]
        {
            assert_eq!(placed_at(other), None, "{other}");
        }
    }
}
