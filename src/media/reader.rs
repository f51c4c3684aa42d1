//! A stored file, read: from any place, verified, one chunk in memory.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures::Stream;
use futures::stream::try_unfold;

use super::draft::Finished;
use super::seal::{CHUNK, Cipher, Damaged, SEALED_CHUNK, chunks, sealed_size};
use super::shelf::Source;
use wapid_core::store::media::BlobKey;

/// The plain bytes of a stored file. It blocks: use it in a thread of its own (`spawn_blocking`).
pub struct BlobReader {
    source: Source,
    cipher: Cipher,
    size: u64,
    at: u64,
    /// The chunk that is open, and its number.
    chunk: Vec<u8>,
    number: Option<u64>,
}

impl BlobReader {
    pub(super) fn new(source: Source, key: &BlobKey, size: u64) -> Self {
        Self { source, cipher: Cipher::new(key), size, at: 0, chunk: Vec::new(), number: None }
    }

    /// Of a file that is not in its place yet.
    pub(super) fn of_finished(finished: &Finished) -> io::Result<Self> {
        let source = Source::File(finished.file.reopen()?);
        Ok(Self::new(source, &finished.key, finished.size))
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.size
    }

    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// Opens the chunk that `at` is in.
    fn load(&mut self) -> io::Result<()> {
        let number = self.at / CHUNK as u64;
        if self.number == Some(number) {
            return Ok(());
        }
        self.number = None;
        let start = number * SEALED_CHUNK as u64;
        let length = (sealed_size(self.size) - start).min(SEALED_CHUNK as u64);
        self.chunk.resize(usize::try_from(length).unwrap_or(SEALED_CHUNK), 0);
        self.source.read_at(start, &mut self.chunk).map_err(|problem| match problem.kind() {
            ErrorKind::UnexpectedEof => damaged(),
            _ => problem,
        })?;
        let is_last = number + 1 == chunks(self.size);
        let place = u32::try_from(number).map_err(|_| damaged())?;
        self.cipher.open(place, is_last, &mut self.chunk).map_err(|_| damaged())?;
        self.number = Some(number);
        Ok(())
    }

    /// The rest of the open chunk from where it stands, or of the next.
    fn rest(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.size {
            return Ok(&[]);
        }
        self.load()?;
        let from = usize::try_from(self.at % CHUNK as u64).unwrap_or(0);
        self.chunk.get(from..).ok_or_else(damaged)
    }
}

fn damaged() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, Damaged)
}

impl Read for BlobReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = self.rest()?;
        let taken = rest.len().min(into.len());
        into[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken as u64;
        Ok(taken)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.at = at.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Part of a file in pieces of at most a chunk, for whoever does not block. The first is read already: what
/// cannot be read at all is known before anything is promised.
pub(super) async fn pieces(
    reader: BlobReader,
    range: Range<u64>,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    let (reader, first) = piece(reader, range.start, range.end).await?;
    let state = (reader, range.start, range.end, Some(first));
    Ok(try_unfold(state, |(reader, at, end, ready)| async move {
        let (reader, piece) = match ready {
            Some(ready) => (reader, ready),
            None => piece(reader, at, end).await?,
        };
        if piece.is_empty() {
            return Ok(None);
        }
        let next = at + piece.len() as u64;
        Ok(Some((piece, (reader, next, end, None))))
    }))
}

async fn piece(mut reader: BlobReader, at: u64, end: u64) -> io::Result<(BlobReader, Bytes)> {
    let read = move || {
        reader.seek(SeekFrom::Start(at))?;
        let rest = reader.rest()?;
        let wanted = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let piece = Bytes::copy_from_slice(&rest[..rest.len().min(wanted)]);
        Ok((reader, piece))
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::draft::Draft;
    use futures::TryStreamExt as _;
    use std::io::Write as _;

    const SIZE: usize = 3 * CHUNK + 1_000;

    fn plain() -> Vec<u8> {
        (0..SIZE).map(|n| u8::try_from(n % 253).unwrap()).collect()
    }

    /// A stored file and its sealed bytes, which a test may change.
    struct Stored {
        _folder: tempfile::TempDir,
        done: Finished,
    }

    impl Stored {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut draft = Draft::new(folder.path(), u64::MAX).unwrap();
            draft.write_all(&plain()).unwrap();
            Self { done: draft.finish().unwrap(), _folder: folder }
        }

        fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
            let mut bytes = std::fs::read(self.done.file.path()).unwrap();
            change(&mut bytes);
            std::fs::write(self.done.file.path(), bytes).unwrap();
        }

        fn reader(&self) -> BlobReader {
            BlobReader::of_finished(&self.done).unwrap()
        }

        fn read(&self) -> io::Result<Vec<u8>> {
            let mut read = vec![];
            self.reader().read_to_end(&mut read).map(|_| read)
        }
    }

    #[test]
    fn any_part_is_read_from_anywhere() {
        let stored = Stored::new();
        let mut reader = stored.reader();
        for at in [0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 17, SIZE - 1, 5] {
            reader.seek(SeekFrom::Start(at as u64)).unwrap();
            let mut read = vec![0; 300.min(SIZE - at)];
            reader.read_exact(&mut read).unwrap();
            assert!(read == plain()[at..at + read.len()], "{at}");
        }
        assert_eq!(reader.seek(SeekFrom::End(-3)).unwrap(), SIZE as u64 - 3);
        assert_eq!(reader.read(&mut [0; 9]).unwrap(), 3);
        assert_eq!(reader.seek(SeekFrom::Current(99)).unwrap(), SIZE as u64 + 99);
        assert_eq!(reader.read(&mut [0; 9]).unwrap(), 0);
        assert!(reader.seek(SeekFrom::Current(-1 << 40)).is_err());
    }

    #[tokio::test]
    async fn a_range_comes_in_pieces() {
        let stored = Stored::new();
        for (from, to) in
            [(0, SIZE), (0, 1), (CHUNK - 1, CHUNK + 1), (70_000, 140_000), (SIZE - 1, SIZE), (9, 9)]
        {
            let pieces = pieces(stored.reader(), from as u64..to as u64).await.unwrap();
            let read: Vec<Bytes> = pieces.try_collect().await.unwrap();
            assert!(read.concat() == plain()[from..to], "{from}..{to}");
            assert!(read.iter().all(|piece| piece.len() <= CHUNK));
        }
    }

    #[test]
    fn what_was_cut_moved_or_swapped_does_not_read() {
        type Change = Box<dyn FnOnce(&mut Vec<u8>)>;
        let changes: Vec<(&str, Change)> = vec![
            ("a lost byte", Box::new(|bytes| bytes.truncate(bytes.len() - 1))),
            ("a lost last chunk", Box::new(|bytes| bytes.truncate(3 * SEALED_CHUNK))),
            ("all but the first chunk lost", Box::new(|bytes| bytes.truncate(SEALED_CHUNK))),
            ("nothing left", Box::new(Vec::clear)),
            ("two chunks swapped", Box::new(|bytes| bytes[..2 * SEALED_CHUNK].rotate_left(SEALED_CHUNK))),
            ("a chunk doubled", Box::new(|bytes| bytes.copy_within(..SEALED_CHUNK, SEALED_CHUNK))),
            ("a changed bit", Box::new(|bytes| bytes[SEALED_CHUNK + 5] ^= 1)),
        ];
        for (what, change) in changes {
            let stored = Stored::new();
            stored.change(change);
            assert_eq!(stored.read().unwrap_err().kind(), ErrorKind::InvalidData, "{what}");
        }
    }

    #[test]
    fn a_file_that_is_said_to_be_shorter_does_not_read() {
        // A row that was changed to hide a file's end.
        let mut stored = Stored::new();
        stored.done.size = 3 * CHUNK as u64;
        assert_eq!(stored.read().unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn another_files_bytes_do_not_read() {
        let (stored, other) = (Stored::new(), Stored::new());
        let bytes = std::fs::read(other.done.file.path()).unwrap();
        stored.change(|own| *own = bytes);
        assert_eq!(stored.read().unwrap_err().kind(), ErrorKind::InvalidData);
    }

    #[test]
    fn an_undamaged_part_of_a_damaged_file_reads() {
        let stored = Stored::new();
        stored.change(|bytes| bytes[3] ^= 1);
        let mut reader = stored.reader();
        reader.seek(SeekFrom::Start(CHUNK as u64)).unwrap();
        let mut read = vec![];
        reader.read_to_end(&mut read).unwrap();
        assert!(read == plain()[CHUNK..]);
    }
}
