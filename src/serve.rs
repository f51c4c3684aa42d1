//! HTTP/1 on a socket, with a deadline for headers and a graceful end.
//!
//! `axum::serve` has no deadline for headers, so a client that sends one byte a minute would hold a
//! connection for ever. Nor does it know who is to leave when there are too many: that is the [`Door`]'s to say.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1::Builder;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::door::{Door, Visit};

/// A request's headers must arrive within this.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that takes nothing of its answer for this long is hung up on: a stream that nobody reads costs
/// nothing after it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection made just before the stop has its request still on the way; it gets this long to come.
const ARRIVAL: Duration = Duration::from_millis(300);
/// Requests in progress get this long when the process stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// Where a request came from: the socket's other end. Every request has it as an extension.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Serves until `stop`, then lets requests in progress finish.
pub async fn serve(listener: TcpListener, router: Router, door: Door, stop: CancellationToken) {
    let mut server = Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(64 * 1024);
    let (connections, drain) = (TaskTracker::new(), CancellationToken::new());
    loop {
        let (socket, (stream, peer)) = tokio::select! {
            accepted = async { (door.socket().await, accept(&listener).await) } => accepted,
            () = stop.cancelled() => break,
        };
        let Some(seat) = door.enter(peer.ip(), socket) else {
            metrics::counter!("wapid_connections_refused_total").increment(1);
            continue;
        };
        let _ = stream.set_nodelay(true);
        let mut stream = Box::pin(TimeoutStream::new(stream));
        stream.as_mut().set_write_timeout_pinned(Some(WRITE_TIMEOUT));
        let (server, drain) = (server.clone(), drain.clone());
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let answer = service_fn(|mut request: Request<Incoming>| {
                let visit = seat.visit();
                let answer = visit.as_ref().map(|visit| {
                    request.extensions_mut().insert(Peer(peer));
                    request.extensions_mut().insert(visit.clone());
                    service.call(request)
                });
                async move {
                    let (Some(answer), Some(visit)) = (answer, visit) else {
                        return Err(io::Error::from(io::ErrorKind::ConnectionAborted));
                    };
                    let Ok(answer) = answer.await;
                    Ok(answer.map(|body| Attended { body, visit }))
                }
            });
            let mut connection = pin!(server.serve_connection(TokioIo::new(stream), answer).with_upgrades());
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = seat.asked_to_leave() => {
                    metrics::counter!("wapid_connections_sent_away_total").increment(1);
                    return;
                }
                () = drain.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%peer, "A connection ended: {error}");
            }
        });
    }
    drop(listener);
    tokio::time::sleep(ARRIVAL).await;
    drain.cancel();
    connections.close();
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, connections.wait()).await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                // Usually out of file descriptors: let some connections end first.
                warn!("A connection was not accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// An answer's body. The visit lasts until it has been handed over.
struct Attended {
    body: Body,
    #[expect(dead_code, reason = "held until the body ends")]
    visit: Visit,
}

impl HttpBody for Attended {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
