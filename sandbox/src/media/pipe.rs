//! Between code that blocks and code that waits: bytes pass in chunks, a few at a time.
//!
//! Whoever takes nothing for a while is given up, so that no thread hangs on a stranger.

use std::io::{self, BufWriter, Read, Write};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::shelf::CHUNK;

/// Bytes as they come.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// Chunks on their way.
const CHUNKS: usize = 4;
/// How long one chunk may wait to be taken or to come.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Reads on a thread of its own; the stream ends where the reader does, or fails as it does.
pub(super) fn read_in_background(mut from: Box<dyn Read + Send>) -> ByteStream {
    write_in_background(move |mut to| io::copy(&mut from, &mut to).map(|_| ()))
}

/// What `write` writes, on a thread of its own.
pub(crate) fn write_in_background(
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
) -> ByteStream {
    let (chunks, taken) = mpsc::channel(CHUNKS);
    tokio::task::spawn_blocking(move || {
        let mut sink =
            BufWriter::with_capacity(CHUNK, Sink { chunks: chunks.clone(), on: Handle::current() });
        let written = write(&mut sink).and_then(|()| sink.flush());
        // What was buffered before a failure is of no use to anybody.
        let _ = sink.into_parts();
        if let Err(error) = written {
            // Nobody listens when that was the failure.
            let _ = chunks.blocking_send(Err(error));
        }
    });
    stream(taken)
}

fn stream(taken: mpsc::Receiver<io::Result<Bytes>>) -> ByteStream {
    futures::stream::unfold(taken, |mut taken| async move { taken.recv().await.map(|chunk| (chunk, taken)) })
        .boxed()
}

struct Sink {
    chunks: mpsc::Sender<io::Result<Bytes>>,
    on: Handle,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Ok(Bytes::copy_from_slice(bytes));
        let sent = self.on.block_on(tokio::time::timeout(PATIENCE, self.chunks.send(chunk)));
        match sent {
            Ok(Ok(())) => Ok(bytes.len()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that somebody sends, to be read by code that blocks. It ends when the sender is dropped, and breaks off when the
/// sender says so.
pub(super) fn source() -> (mpsc::Sender<io::Result<Bytes>>, Source) {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    (sender, Source { chunks, rest: Bytes::new() })
}

pub(super) struct Source {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl Read for Source {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.rest = chunk?,
                None => return Ok(0),
            }
        }
        let count = self.rest.len().min(to.len());
        self.rest.copy_to_slice(&mut to[..count]);
        Ok(count)
    }
}
