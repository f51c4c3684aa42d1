//! HTTP/1 on a socket, for strangers: bounded connections, a deadline for headers, and nobody holds a connection by
//! taking nothing.
//!
//! `axum::serve` has neither bound nor deadline. A connection counts until its socket closes, also as a WebSocket. How
//! long a body may take is for whoever reads it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tracing::{debug, warn};

/// A request's headers must arrive within this, and the next request of a connection that is kept.
pub(crate) const HEADERS: Duration = Duration::from_secs(10);
/// A client that takes nothing of what it is sent for so long is hung up on.
const TAKING: Duration = Duration::from_secs(60);
/// The pause when no connection can be accepted: usually the process is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// What one connection buffers of a request's headers.
const BUFFER_BYTES: usize = 16 * 1024;

/// What becomes of a connection before HTTP is spoken on it; `None` ends it.
pub(crate) trait Secure: Clone + Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    fn secure(&self, stream: TcpStream) -> impl Future<Output = Option<Self::Stream>> + Send;
}

/// HTTP on the bare socket.
#[derive(Clone)]
pub(crate) struct Plain;

impl Secure for Plain {
    type Stream = TcpStream;

    async fn secure(&self, stream: TcpStream) -> Option<TcpStream> {
        Some(stream)
    }
}

/// Serves for ever. Of more than `connections` at a time the later ones are closed unanswered.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    secure: impl Secure,
) -> io::Result<()> {
    let mut server = Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(BUFFER_BYTES);
    let room = Arc::new(Semaphore::new(connections));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!("A connection was not accepted: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            debug!(%peer, "Closed a connection: {connections} are open");
            continue;
        };
        // Without it the second of two small stanzas waits for an acknowledgement of the first.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "A connection keeps Nagle's algorithm");
        }
        tokio::spawn(one(server.clone(), router.clone(), secure.clone(), stream, peer, place));
    }
}

async fn one(
    server: Builder,
    router: Router,
    secure: impl Secure,
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    let Some(stream) = secure.secure(stream).await else {
        return;
    };
    let mut stream = Box::pin(TimeoutStream::new(stream));
    stream.as_mut().set_write_timeout_pinned(Some(TAKING));
    let stream = TokioIo::new(Counted { stream, _place: place });
    let service = TowerToHyperService::new(router);
    if let Err(error) = server.serve_connection(stream, service).with_upgrades().await {
        debug!(%peer, "A connection ended: {error}");
    }
}

/// A connection that counts until it is closed. hyper hands it on when it becomes a WebSocket.
struct Counted<S> {
    stream: S,
    _place: OwnedSemaphorePermit,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
