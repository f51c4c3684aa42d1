//! The blobs of each book: files on disk, found by what they are and by the paths given out for them.
//!
//! A blob is named by its SHA-256, which WhatsApp calls its token. A path is an address that was
//! given to somebody; it can be gone while the blob stays, for the phones that hold it. Each book has
//! a bound; when it is reached, the oldest blobs leave. What was answered is in the journal, and its
//! file is complete before; files that the journal does not know are taken away at the next start.

mod incoming;
mod name;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tracing::{debug, warn};

use self::incoming::Room;
pub(super) use self::incoming::{CHUNK, Incoming};
use self::name::direct_path;
pub(crate) use self::name::{Token, path_id};
use crate::account::json;
use crate::error::SandboxError;
use crate::journal::{Batch, Journal};
use crate::limits;
use crate::private;

/// Where the blobs of one book are, under the folder of all.
const BLOBS: &str = "blobs";
/// Where what is being written is. Nothing there outlives the process.
const INCOMING: &str = "incoming";

const TOO_LARGE: &str = "a medium has at most 2 GiB";

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

struct Part {
    token: Token,
    path: PathBuf,
    bytes: u64,
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

/// Why a blob was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwanted {
    #[error("the bytes are not what their name says")]
    WrongHash,
    #[error("the file system refuses: {0}")]
    Io(#[from] std::io::Error),
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

    /// Makes room for a blob of so many bytes, and a file to write it to. When it is not known how many, the room grows
    /// with them.
    pub(crate) fn begin(
        self: &Arc<Self>,
        book: &str,
        bytes: Option<u64>,
        journal: &Journal,
    ) -> Result<Incoming, SandboxError> {
        let room = self.reserve(book, bytes.unwrap_or_default(), journal)?;
        let made = || -> std::io::Result<(PathBuf, File)> {
            let folder = self.folder()?.join(INCOMING);
            private::make_folder(&folder)?;
            let path = folder.join(hex::encode(rand::random::<[u8; 16]>()));
            let file = private::make_new(&path)?;
            Ok((path, file))
        };
        let (path, file) = made().map_err(|error| SandboxError::Storage(error.to_string()))?;
        Ok(Incoming { room, path: Some(path), file, hash: Sha256::new(), written: 0, expected: bytes })
    }

    /// Goes on with an upload that broke off after `offset` bytes, if that is where it broke off.
    pub(super) fn resume(
        self: &Arc<Self>,
        book: &str,
        token: Token,
        offset: u64,
        bytes: Option<u64>,
        journal: &Journal,
    ) -> Result<Option<Incoming>, SandboxError> {
        let part = {
            let mut books = self.books.lock();
            let Some(shelf) = books.get_mut(book) else {
                return Ok(None);
            };
            let found = shelf.parts.iter().position(|part| part.token == token && part.bytes == offset);
            let Some(part) = found.and_then(|index| shelf.parts.remove(index)) else {
                return Ok(None);
            };
            shelf.bytes -= part.bytes;
            part
        };
        let room = self.reserve(book, bytes.unwrap_or(offset), journal);
        let room = room.inspect_err(|_| discard(&part.path))?;
        let reopened = || -> std::io::Result<(File, Sha256)> {
            let mut file = File::options().read(true).write(true).open(&part.path)?;
            let mut hash = Sha256::new();
            let mut buffer = vec![0; CHUNK];
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    count => hash.update(&buffer[..count]),
                }
            }
            file.seek(SeekFrom::End(0))?;
            Ok((file, hash))
        };
        let (file, hash) = reopened().map_err(|error| SandboxError::Storage(error.to_string()))?;
        Ok(Some(Incoming { room, path: Some(part.path), file, hash, written: offset, expected: bytes }))
    }

    fn reserve(self: &Arc<Self>, book: &str, bytes: u64, journal: &Journal) -> Result<Room, SandboxError> {
        if bytes > limits::BLOB_BYTES {
            return Err(SandboxError::Invalid(TOO_LARGE.into()));
        }
        self.promise(book, bytes, journal)?;
        Ok(Room { shelves: Arc::clone(self), book: book.to_owned(), bytes })
    }

    /// Sets so many bytes of a shelf aside; the oldest blobs leave for them.
    fn promise(&self, book: &str, bytes: u64, journal: &Journal) -> Result<(), SandboxError> {
        let mut books = self.books.lock();
        let shelf = books.entry(book.to_owned()).or_default();
        let mut batch = journal.batch();
        while shelf.bytes + shelf.reserved + bytes > self.most || shelf.blobs.len() >= limits::BLOBS_PER_BOOK
        {
            if let Some(part) = shelf.parts.pop_front() {
                shelf.bytes -= part.bytes;
                discard(&part.path);
            } else if let Some(oldest) = shelf.by_age.first_key_value().map(|(_, token)| *token) {
                self.evict(book, shelf, oldest, &mut batch);
            } else {
                return Err(SandboxError::LimitReached("the media of this book".into()));
            }
        }
        shelf.reserved += bytes;
        journal.append(batch);
        Ok(())
    }

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

    /// Puts what was written on the shelf, if it is what `expected` says. It counts once the journal
    /// has settled.
    pub(crate) fn finish(
        &self,
        mut incoming: Incoming,
        expected: Option<Token>,
        journal: &Journal,
    ) -> Result<Stored, Unwanted> {
        let token = Token::of(&incoming.hash);
        if expected.is_some_and(|expected| expected != token) {
            return Err(Unwanted::WrongHash);
        }
        let book = incoming.room.book.clone();
        let folder = self.book_folder(&book)?;
        private::make_folder(&folder)?;
        if let Some(path) = &incoming.path {
            fs::rename(path, folder.join(token.file_name()))?;
            incoming.path = None;
        }
        let mut books = self.books.lock();
        let shelf = books.get_mut(&book).ok_or_else(|| std::io::Error::other("the book is gone"))?;
        shelf.parts.retain(|part| {
            let is_other = part.token != token;
            if !is_other {
                discard(&part.path);
            }
            is_other
        });
        if !shelf.blobs.contains_key(&token) {
            let place = shelf.next;
            shelf.insert(token, Blob { place, bytes: incoming.written, paths: Vec::new() });
        }
        let mut batch = journal.batch();
        let path = shelf.publish(&book, token, &mut batch);
        journal.append(batch);
        Ok(Stored { direct_path: path.ok_or_else(|| std::io::Error::other("the blob is gone"))? })
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

/// Where records of blobs lie among those of a book; no phone has this number.
pub(crate) const SHELF: &str = "!media";

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

    use super::*;

    const BOOK: &str = "..";

    fn shelves(most: u64) -> Arc<Shelves> {
        Arc::new(Shelves { most, ..Shelves::temporary() })
    }

    fn put(shelves: &Arc<Shelves>, bytes: &[u8]) -> (Token, String) {
        let journal = Journal::in_memory();
        let mut incoming = shelves.begin(BOOK, Some(bytes.len() as u64), &journal).expect("room");
        incoming.write_all(bytes).expect("writes");
        let stored = shelves.finish(incoming, None, &journal).expect("is wanted");
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
        let first = shelves.begin(BOOK, Some(200), &journal).expect("room");
        let refused = shelves.begin(BOOK, Some(100), &journal).err().expect("no room");
        assert_eq!(refused.code(), "LIMIT_REACHED");
        drop(first);
        assert!(shelves.begin(BOOK, Some(250), &journal).is_ok());
        assert_eq!(
            entries(&shelves.folder().expect("a folder").join(INCOMING)).count(),
            0,
            "files were left"
        );
    }

    #[test]
    fn an_upload_of_unknown_length_is_promised_room_as_it_grows() {
        let (shelves, journal) = (shelves(2 << 20), Journal::in_memory());
        let (oldest, _) = put(&shelves, &[1; 100]);
        let mut unknown = shelves.begin(BOOK, None, &journal).expect("room for nothing yet");
        assert!(shelves.open(BOOK, oldest).is_some());
        unknown.expect_more(100, &journal).expect("room");
        unknown.write_all(&[2; 100]).expect("writes");
        let mut other = shelves.begin(BOOK, None, &journal).expect("room for nothing yet");
        let refused = other.expect_more(2 << 20, &journal).expect_err("one step is promised to the first");
        assert_eq!(refused.code(), "LIMIT_REACHED");
        assert_eq!(other.expect_more(limits::BLOB_BYTES + 1, &journal).expect_err("too large").status(), 400);
        drop(other);
        shelves.finish(unknown, None, &journal).expect("is wanted");
        assert_eq!(shelves.books.lock().get(BOOK).map(|shelf| shelf.reserved), Some(0));
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
        let mut incoming = shelves.begin(BOOK, Some(4), &journal).expect("room");
        incoming.write_all(b"data").expect("writes");
        let other = Token::from_hash(&Sha256::digest(b"other")).expect("a hash");
        assert!(matches!(shelves.finish(incoming, Some(other), &journal), Err(Unwanted::WrongHash)));
        assert!(shelves.open(BOOK, other).is_none());
    }
}
