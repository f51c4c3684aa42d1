//! A blob on its way to a shelf.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Part, Shelves, TOO_LARGE, Token, discard};
use crate::error::SandboxError;
use crate::journal::Journal;
use crate::limits;

/// Room on a shelf, given back when it is dropped.
pub(super) struct Room {
    pub shelves: Arc<Shelves>,
    pub book: String,
    pub bytes: u64,
}

/// By how much the room grows of an upload that does not say how long it is.
pub(super) const STEP: u64 = 1 << 20;

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(shelf) = self.shelves.books.lock().get_mut(&self.book) {
            shelf.reserved = shelf.reserved.saturating_sub(self.bytes);
        }
    }
}

/// A blob that is being written. Dropped, it leaves nothing.
pub(crate) struct Incoming {
    pub(super) room: Room,
    pub(super) path: Option<PathBuf>,
    pub(super) file: File,
    pub(super) hash: Sha256,
    pub(super) written: u64,
    /// How long it will be, where its client says so.
    pub(super) expected: Option<u64>,
}

/// What is read from a file in one go.
pub(in crate::media) const CHUNK: usize = 64 * 1024;

impl Incoming {
    /// Whether all is there that was announced. What was not announced is complete when its body ends.
    pub(in crate::media) fn is_complete(&self) -> bool {
        self.expected.is_none_or(|expected| self.written == expected)
    }

    /// Makes room for so many bytes more, before they are written.
    pub(in crate::media) fn expect_more(
        &mut self,
        bytes: u64,
        journal: &Journal,
    ) -> Result<(), SandboxError> {
        let wanted = self.written.saturating_add(bytes);
        if wanted <= self.room.bytes {
            return Ok(());
        }
        if wanted > limits::BLOB_BYTES {
            return Err(SandboxError::Invalid(TOO_LARGE.into()));
        }
        let missing = (wanted - self.room.bytes).max(STEP).min(limits::BLOB_BYTES - self.room.bytes);
        let shelves = Arc::clone(&self.room.shelves);
        shelves.promise(&self.room.book, missing, journal)?;
        self.room.bytes += missing;
        Ok(())
    }

    /// The upload broke off: what came stays for a while, for a client that goes on.
    pub(in crate::media) fn keep_part(mut self, token: Token) {
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
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
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
