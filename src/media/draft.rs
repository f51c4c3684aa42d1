//! A file on its way in: sealed as it comes, in a temporary file that is gone unless it is kept.

use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use wapid_core::media::HEAD;
use wapid_core::store::media::BlobKey;
use wapid_core::turns::Turn;

use super::seal::{CHUNK, Cipher, SEALED_CHUNK};

/// Written to like any file. Nothing of it is readable on the disk, and dropped it leaves nothing there.
pub struct Draft {
    file: NamedTempFile,
    key: BlobKey,
    cipher: Cipher,
    /// The chunk that is being filled.
    chunk: Vec<u8>,
    number: u32,
    hash: Sha256,
    size: u64,
    head: Vec<u8>,
    most: u64,
    /// Of whoever writes, until it is done.
    _turn: Option<Turn>,
}

/// A whole file, sealed, not yet in its place.
pub struct Finished {
    pub file: NamedTempFile,
    pub key: BlobKey,
    pub size: u64,
    pub sha256: [u8; 32],
    /// Its first bytes, plain.
    pub head: Vec<u8>,
}

impl Draft {
    /// Takes up to `most` bytes, and then fails with [`ErrorKind::FileTooLarge`].
    pub fn new(folder: &Path, most: u64) -> io::Result<Self> {
        let key = BlobKey(rand::random());
        Ok(Self {
            file: NamedTempFile::new_in(folder)?,
            cipher: Cipher::new(&key),
            key,
            chunk: Vec::with_capacity(SEALED_CHUNK),
            number: 0,
            hash: Sha256::new(),
            size: 0,
            head: Vec::new(),
            most,
            _turn: None,
        })
    }

    pub(super) fn with_turn(self, turn: Turn) -> Self {
        Self { _turn: Some(turn), ..self }
    }

    pub(super) fn limit(&mut self, most: u64) {
        self.most = most;
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The first bytes, as many as there are of [`HEAD`].
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Begins anew. What is written from here on has another key: a key seals one content and no other.
    pub fn clear(&mut self) -> io::Result<()> {
        self.file.as_file().set_len(0)?;
        self.file.rewind()?;
        self.key = BlobKey(rand::random());
        self.cipher = Cipher::new(&self.key);
        self.chunk.clear();
        self.head.clear();
        self.hash = Sha256::new();
        (self.number, self.size) = (0, 0);
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Finished> {
        self.put_chunk(true)?;
        Ok(Finished {
            file: self.file,
            key: self.key,
            size: self.size,
            sha256: self.hash.finalize().into(),
            head: self.head,
        })
    }

    fn put_chunk(&mut self, is_last: bool) -> io::Result<()> {
        self.cipher.seal(self.number, is_last, &mut self.chunk);
        self.file.write_all(&self.chunk)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        // A chunk goes out when the next one begins: only then is it known not to be the last.
        if self.chunk.len() == CHUNK {
            self.put_chunk(false)?;
        }
        let taken = &bytes[..bytes.len().min(CHUNK - self.chunk.len())];
        if self.size + taken.len() as u64 > self.most {
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.hash.update(taken);
        let missing = HEAD - self.head.len();
        self.head.extend_from_slice(&taken[..taken.len().min(missing)]);
        self.chunk.extend_from_slice(taken);
        self.size += taken.len() as u64;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// To its beginning, where it is after [`Draft::clear`], or where it stands: whoever downloads rewinds when
/// done.
impl Seek for Draft {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(0) => Ok(0),
            SeekFrom::Current(0) | SeekFrom::End(0) => Ok(self.size),
            _ => Err(ErrorKind::NotSeekable.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::reader::BlobReader;
    use std::io::Read as _;

    fn draft(most: u64) -> (tempfile::TempDir, Draft) {
        let folder = tempfile::tempdir().unwrap();
        let draft = Draft::new(folder.path(), most).unwrap();
        (folder, draft)
    }

    #[test]
    fn what_is_written_is_read_and_lies_sealed() {
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
            let (_folder, mut draft) = draft(u64::MAX);
            let plain: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
            for piece in plain.chunks(7_001) {
                draft.write_all(piece).unwrap();
            }
            let done = draft.finish().unwrap();
            assert_eq!((done.size, &done.sha256[..]), (size as u64, &Sha256::digest(&plain)[..]));
            assert_eq!(done.head, plain[..size.min(HEAD)]);
            let at_rest = std::fs::read(done.file.path()).unwrap();
            assert_eq!(at_rest.len() as u64, super::super::seal::sealed_size(size as u64));
            assert!(size < 64 || !at_rest.windows(32).any(|window| window == &plain[..32]));
            let mut read = vec![];
            BlobReader::of_finished(&done).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == plain, "{size}");
        }
    }

    #[test]
    fn a_draft_takes_no_byte_more_than_it_may() {
        let (_folder, mut draft) = draft(CHUNK as u64 + 5);
        draft.write_all(&vec![0; CHUNK + 5]).unwrap();
        assert_eq!(draft.write_all(&[0]).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_draft_that_begins_anew_has_another_key() {
        let (folder, mut draft) = draft(u64::MAX);
        draft.write_all(&vec![1; 3 * CHUNK]).unwrap();
        let key = draft.key.clone();
        draft.clear().unwrap();
        assert!(draft.key != key);
        draft.write_all(b"again").unwrap();
        draft.rewind().unwrap();
        let done = draft.finish().unwrap();
        let mut read = String::new();
        BlobReader::of_finished(&done).unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, "again");
        drop(done);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
