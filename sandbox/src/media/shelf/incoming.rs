//! A blob on its way to the shelf: room for it, a file for it, and what becomes of one that breaks off.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Blob, CHUNK, INCOMING, Shelves, Stored, Token, discard};
use crate::error::SandboxError;
use crate::journal::Journal;
use crate::limits;

/// An upload that broke off.
pub(super) struct Part {
    pub(super) token: Token,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// Why a blob was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwanted {
    #[error("the bytes are not what their name says")]
    WrongHash,
    #[error("the file system refuses: {0}")]
    Io(#[from] io::Error),
}

impl Shelves {
    /// Makes room for a blob of so many bytes, and a file to write it to.
    pub(crate) fn begin(
        self: &Arc<Self>,
        book: &str,
        bytes: u64,
        journal: &Journal,
    ) -> Result<Incoming, SandboxError> {
        let room = self.reserve(book, bytes, journal)?;
        let made = || -> io::Result<(PathBuf, File)> {
            let folder = self.folder()?.join(INCOMING);
            fs::create_dir_all(&folder)?;
            let path = folder.join(hex::encode(rand::random::<[u8; 16]>()));
            let file = File::options().create_new(true).read(true).write(true).open(&path)?;
            Ok((path, file))
        };
        let (path, file) = made().map_err(storage)?;
        Ok(Incoming { room, path: Some(path), file, hash: Sha256::new(), written: 0, expected: bytes })
    }

    /// Goes on with an upload that broke off after `offset` bytes, if that is where it broke off.
    pub(crate) fn resume(
        self: &Arc<Self>,
        book: &str,
        token: Token,
        offset: u64,
        bytes: u64,
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
        let room = self.reserve(book, bytes, journal).inspect_err(|_| discard(&part.path))?;
        let (file, hash) = reopened(&part.path).map_err(storage)?;
        Ok(Some(Incoming { room, path: Some(part.path), file, hash, written: offset, expected: bytes }))
    }

    fn reserve(self: &Arc<Self>, book: &str, bytes: u64, journal: &Journal) -> Result<Room, SandboxError> {
        if bytes > limits::BLOB_BYTES {
            return Err(SandboxError::Invalid("a medium has at most 2 GiB".into()));
        }
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
                journal.append(batch);
                return Err(SandboxError::LimitReached("the media of this book".into()));
            }
        }
        shelf.reserved += bytes;
        journal.append(batch);
        Ok(Room { shelves: Arc::clone(self), book: book.to_owned(), bytes })
    }
}

fn storage(error: io::Error) -> SandboxError {
    SandboxError::Storage(error.to_string())
}

/// A part of an upload, ready for the rest, and the hash of what is there.
fn reopened(path: &Path) -> io::Result<(File, Sha256)> {
    let mut file = File::options().read(true).write(true).open(path)?;
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
}

/// Room on a shelf, given back when it is dropped.
struct Room {
    shelves: Arc<Shelves>,
    book: String,
    bytes: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(shelf) = self.shelves.books.lock().get_mut(&self.book) {
            shelf.reserved = shelf.reserved.saturating_sub(self.bytes);
        }
    }
}

/// A blob that is being written. Dropped, it leaves nothing.
pub(crate) struct Incoming {
    room: Room,
    path: Option<PathBuf>,
    file: File,
    hash: Sha256,
    written: u64,
    expected: u64,
}

impl Incoming {
    pub(crate) fn is_complete(&self) -> bool {
        self.written == self.expected
    }

    /// Puts what was written on the shelf, if it is what `expected` says. It counts once the journal
    /// has settled.
    pub(crate) fn finish(mut self, expected: Option<Token>, journal: &Journal) -> Result<Stored, Unwanted> {
        let token = Token(self.hash.clone().finalize().into());
        if expected.is_some_and(|expected| expected != token) {
            return Err(Unwanted::WrongHash);
        }
        let shelves = Arc::clone(&self.room.shelves);
        let folder = shelves.book_folder(&self.room.book)?;
        fs::create_dir_all(&folder)?;
        if let Some(path) = &self.path {
            fs::rename(path, folder.join(token.file_name()))?;
            self.path = None;
        }
        let mut books = shelves.books.lock();
        let gone = || io::Error::other("the book is gone");
        let shelf = books.get_mut(&self.room.book).ok_or_else(gone)?;
        shelf.forget_parts(token);
        if !shelf.blobs.contains_key(&token) {
            let place = shelf.next;
            shelf.insert(token, Blob { place, bytes: self.written, paths: Vec::new() });
        }
        let mut batch = journal.batch();
        let path = shelf.publish(&self.room.book, token, &mut batch);
        journal.append(batch);
        // The room is given back under the same lock, later.
        drop(books);
        Ok(Stored { direct_path: path.ok_or_else(gone)? })
    }

    /// The upload broke off: what came stays for a while, for a client that goes on.
    pub(crate) fn keep_part(mut self, token: Token) {
        let shelves = Arc::clone(&self.room.shelves);
        let mut books = shelves.books.lock();
        let Some(shelf) = books.get_mut(&self.room.book) else {
            return;
        };
        let Some(path) = self.path.take_if(|_| self.written > 0) else {
            return;
        };
        shelf.bytes += self.written;
        shelf.parts.push_back(Part { token, path, bytes: self.written });
        if shelf.parts.len() > limits::PARTS_PER_BOOK
            && let Some(oldest) = shelf.parts.pop_front()
        {
            shelf.bytes -= oldest.bytes;
            discard(&oldest.path);
        }
        // The room is given back under the same lock, when both are dropped.
        drop(books);
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            discard(path);
        }
    }
}
