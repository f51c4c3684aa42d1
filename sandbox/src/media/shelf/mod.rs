//! The blobs of each book: files on disk, found by what they are and by the paths given out for them.
//!
//! A blob is named by its SHA-256, which WhatsApp calls its token. A path is an address that was
//! given to somebody; it can be gone while the blob stays, for the phones that hold it. Each book has
//! a bound; when it is reached, the oldest blobs leave. What was answered is in the journal, and its
//! file is complete before; files that the journal does not know are taken away at the next start.
//!
//! `token` is how blobs and paths are written; `incoming` is a blob on its way to the shelf.

mod incoming;
mod token;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tracing::{debug, warn};

use crate::account::json;
use crate::journal::{Batch, Journal};
use crate::limits;

pub(crate) use incoming::{Incoming, Unwanted};
pub(crate) use token::{Token, path_id};

use incoming::Part;
use token::direct_path;

/// Where the blobs of one book are, under the folder of all.
const BLOBS: &str = "blobs";
/// Where what is being written is. Nothing there outlives the process.
const INCOMING: &str = "incoming";
/// Where records of blobs lie among those of a book; no phone has this number.
pub(crate) const SHELF: &str = "!media";
/// What is read from a file in one go.
pub(super) const CHUNK: usize = 64 * 1024;

/// What was found under a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub token: Token,
    /// Whether the path led there once and does no longer.
    pub is_gone: bool,
}

/// A blob that was put on a shelf.
pub(crate) struct Stored {
    pub direct_path: String,
}

pub(crate) struct Shelves {
    root: Root,
    books: Mutex<HashMap<String, Shelf>>,
    /// What the media of one book may weigh.
    most: u64,
}

enum Root {
    Folder(PathBuf),
    /// Made when it is first needed: most networks in memory see no media.
    Temporary(OnceLock<Option<TempDir>>),
}

#[derive(Default)]
struct Shelf {
    blobs: HashMap<Token, Blob>,
    by_age: BTreeMap<u64, Token>,
    paths: HashMap<String, Token>,
    /// Uploads that broke off, oldest first.
    parts: VecDeque<Part>,
    bytes: u64,
    /// Promised to uploads that are under way.
    reserved: u64,
    next: u64,
}

/// The record of a blob.
#[derive(Clone, Serialize, Deserialize)]
struct Blob {
    place: u64,
    bytes: u64,
    paths: Vec<Address>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Address {
    id: String,
    is_gone: bool,
}

impl Shelves {
    pub(crate) fn in_folder(folder: PathBuf) -> Self {
        Self { root: Root::Folder(folder), books: Mutex::default(), most: limits::MEDIA_PER_BOOK }
    }

    pub(crate) fn temporary() -> Self {
        let root = Root::Temporary(OnceLock::new());
        Self { root, books: Mutex::default(), most: limits::MEDIA_PER_BOOK }
    }

    /// Where everything of the media host is.
    pub(super) fn folder(&self) -> std::io::Result<&Path> {
        match &self.root {
            Root::Folder(folder) => Ok(folder),
            Root::Temporary(made) => {
                let made = made.get_or_init(|| {
                    let folder = tempfile::Builder::new().prefix("wapid-media-").tempdir();
                    folder.inspect_err(|error| warn!(%error, "The sandbox has no room for media")).ok()
                });
                let missing = || std::io::Error::other("there is no folder for media");
                made.as_ref().map(TempDir::path).ok_or_else(missing)
            }
        }
    }

    /// Names of books are plain, except that `.` and `..` are among them.
    fn book_folder(&self, book: &str) -> std::io::Result<PathBuf> {
        Ok(self.folder()?.join(BLOBS).join(format!("book-{book}")))
    }

    // Into a shelf

    fn evict(&self, book: &str, shelf: &mut Shelf, token: Token, batch: &mut Batch) {
        let Some(blob) = shelf.blobs.remove(&token) else {
            return;
        };
        shelf.by_age.remove(&blob.place);
        shelf.bytes -= blob.bytes;
        for address in &blob.paths {
            shelf.paths.remove(&address.id);
        }
        batch.delete("blob", || record_place(book, token));
        if let Ok(folder) = self.book_folder(book) {
            discard(&folder.join(token.file_name()));
        }
    }

    /// A path to a blob that is on the shelf: the one it has, or another when that is gone.
    pub(crate) fn publish(&self, book: &str, token: Token, journal: &Journal) -> Option<String> {
        let mut books = self.books.lock();
        let mut batch = journal.batch();
        let path = books.get_mut(book)?.publish(book, token, &mut batch);
        journal.append(batch);
        path
    }

    /// The paths to a blob lead nowhere from now on.
    pub(crate) fn expire(&self, book: &str, token: Token, journal: &Journal) {
        let mut books = self.books.lock();
        let Some(blob) = books.get_mut(book).and_then(|shelf| shelf.blobs.get_mut(&token)) else {
            return;
        };
        for address in &mut blob.paths {
            address.is_gone = true;
        }
        let mut batch = journal.batch();
        batch.put("blob", || record_place(book, token), || json(blob));
        journal.append(batch);
    }

    // From a shelf

    pub(crate) fn find(&self, book: &str, id: &str) -> Option<Found> {
        let books = self.books.lock();
        let shelf = books.get(book)?;
        let token = *shelf.paths.get(id)?;
        let address = shelf.blobs.get(&token)?.paths.iter().find(|address| address.id == id)?;
        Some(Found { token, is_gone: address.is_gone })
    }

    /// The bytes of a blob, whatever becomes of its paths.
    pub(crate) fn open(&self, book: &str, token: Token) -> Option<(File, u64)> {
        let bytes = self.books.lock().get(book)?.blobs.get(&token)?.bytes;
        let path = self.book_folder(book).ok()?.join(token.file_name());
        let opened = File::open(path).inspect_err(|error| warn!(%error, "A medium cannot be read"));
        Some((opened.ok()?, bytes))
    }

    /// How much of an upload is here.
    pub(super) fn progress(&self, book: &str, token: Token) -> u64 {
        let books = self.books.lock();
        let part = books.get(book).and_then(|shelf| shelf.parts.iter().find(|part| part.token == token));
        part.map_or(0, |part| part.bytes)
    }

    // The life of a shelf

    pub(crate) fn remove_book(&self, book: &str) {
        if self.books.lock().remove(book).is_some()
            && let Ok(folder) = self.book_folder(book)
            && let Err(error) = fs::remove_dir_all(folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            warn!(%error, "The media of a book that is gone remain on disk");
        }
    }

    /// `None` when the record cannot be read.
    pub(crate) fn restore(&self, book: &str, token: &str, record: &[u8]) -> Option<()> {
        let token = Token::from_hash(&hex::decode(token).ok()?)?;
        let blob: Blob = serde_json::from_slice(record).ok()?;
        self.books.lock().entry(book.to_owned()).or_default().insert(token, blob);
        Some(())
    }

    /// Takes away what no record speaks of: uploads that a crash broke off.
    pub(crate) fn sweep(&self) {
        let Root::Folder(folder) = &self.root else {
            return;
        };
        // Missing when there never was one.
        let _ = fs::remove_dir_all(folder.join(INCOMING));
        let mut books = self.books.lock();
        for entry in entries(&folder.join(BLOBS)) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let shelf = name.strip_prefix("book-").and_then(|book| books.get_mut(book));
            let Some(shelf) = shelf else {
                let _ = fs::remove_dir_all(entry.path());
                continue;
            };
            for file in entries(&entry.path()) {
                let name = file.file_name().to_string_lossy().into_owned();
                let token = hex::decode(&name).ok().and_then(|hash| Token::from_hash(&hash));
                if !token.is_some_and(|token| shelf.blobs.contains_key(&token)) {
                    discard(&file.path());
                }
            }
        }
    }
}

impl Shelf {
    fn insert(&mut self, token: Token, blob: Blob) {
        self.bytes += blob.bytes;
        self.next = self.next.max(blob.place + 1);
        self.by_age.insert(blob.place, token);
        self.paths.extend(blob.paths.iter().map(|address| (address.id.clone(), token)));
        self.blobs.insert(token, blob);
    }

    /// The blob is here: what broke off of it is of no use any more.
    fn forget_parts(&mut self, token: Token) {
        self.parts.retain(|part| {
            if part.token == token {
                self.bytes -= part.bytes;
                discard(&part.path);
            }
            part.token != token
        });
    }

    fn publish(&mut self, book: &str, token: Token, batch: &mut Batch) -> Option<String> {
        let blob = self.blobs.get_mut(&token)?;
        let live = blob.paths.iter().find(|address| !address.is_gone).map(|address| address.id.clone());
        let id = live.unwrap_or_else(|| {
            let id = hex::encode(rand::random::<[u8; 16]>());
            if blob.paths.len() >= limits::PATHS_PER_BLOB {
                let oldest = blob.paths.remove(0);
                self.paths.remove(&oldest.id);
            }
            blob.paths.push(Address { id: id.clone(), is_gone: false });
            self.paths.insert(id.clone(), token);
            id
        });
        batch.put("blob", || record_place(book, token), || json(blob));
        Some(direct_path(book, &id))
    }
}

fn record_place(book: &str, token: Token) -> String {
    format!("{book}/{SHELF}/{}", token.file_name())
}

fn discard(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        debug!(%error, "A file of the media host was gone already");
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::*;

    const BOOK: &str = "..";

    fn shelves(most: u64) -> Arc<Shelves> {
        Arc::new(Shelves { most, ..Shelves::temporary() })
    }

    fn put(shelves: &Arc<Shelves>, bytes: &[u8]) -> (Token, String) {
        let journal = Journal::in_memory();
        let mut incoming = shelves.begin(BOOK, bytes.len() as u64, &journal).expect("room");
        incoming.write_all(bytes).expect("writes");
        let stored = incoming.finish(None, &journal).expect("is wanted");
        let id = path_id(&stored.direct_path).expect("a path").to_owned();
        (shelves.find(BOOK, &id).expect("is there").token, id)
    }

    #[test]
    fn the_oldest_leave_a_full_shelf_with_their_files() {
        let shelves = shelves(250);
        let (oldest, path) = put(&shelves, &[1; 100]);
        let (next, _) = put(&shelves, &[2; 100]);
        let (newest, _) = put(&shelves, &[3; 100]);
        assert!(shelves.open(BOOK, oldest).is_none() && shelves.find(BOOK, &path).is_none());
        assert!(shelves.open(BOOK, next).is_some() && shelves.open(BOOK, newest).is_some());
        let folder = shelves.book_folder(BOOK).expect("a folder");
        assert_eq!(entries(&folder).count(), 2);
        assert!(folder.starts_with(shelves.folder().expect("a folder")), "a book's name leads out of it");
    }

    #[test]
    fn what_is_promised_to_one_upload_is_not_promised_to_another() {
        let (shelves, journal) = (shelves(250), Journal::in_memory());
        let first = shelves.begin(BOOK, 200, &journal).expect("room");
        let refused = shelves.begin(BOOK, 100, &journal).err().expect("no room");
        assert_eq!(refused.code(), "LIMIT_REACHED");
        drop(first);
        assert!(shelves.begin(BOOK, 250, &journal).is_ok());
        assert_eq!(
            entries(&shelves.folder().expect("a folder").join(INCOMING)).count(),
            0,
            "files were left"
        );
    }

    #[test]
    fn a_path_that_is_gone_comes_back_as_another_one() {
        let (shelves, journal) = (shelves(1_000), Journal::in_memory());
        let (token, path) = put(&shelves, &[1; 100]);
        assert_eq!(put(&shelves, &[1; 100]), (token, path.clone()));
        shelves.expire(BOOK, token, &journal);
        assert!(shelves.find(BOOK, &path).is_some_and(|found| found.is_gone));
        assert!(shelves.open(BOOK, token).is_some(), "a phone that holds it still has it");
        let (_, again) = put(&shelves, &[1; 100]);
        assert!(again != path && shelves.find(BOOK, &again).is_some_and(|found| !found.is_gone));
    }

    #[test]
    fn a_blob_is_what_its_name_says() {
        let (shelves, journal) = (shelves(1_000), Journal::in_memory());
        let mut incoming = shelves.begin(BOOK, 4, &journal).expect("room");
        incoming.write_all(b"data").expect("writes");
        let other = Token::from_hash(&[7; 32]).expect("a hash");
        assert!(matches!(incoming.finish(Some(other), &journal), Err(Unwanted::WrongHash)));
        assert!(shelves.open(BOOK, other).is_none());
    }
}
