//! HTTP/1 on a socket, with a deadline for headers and a graceful end.
//!
//! `axum::serve` has no deadline for headers, so a client that sends one byte a minute would hold a
//! connection for ever.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// A request's headers must arrive within this.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that takes nothing of its answer for this long is hung up on: a stream that nobody reads costs
/// nothing after it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection made just before the stop has its request still on the way; it gets this long to come.
const ARRIVAL: Duration = Duration::from_millis(300);
/// Requests in progress get this long when the process stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// Serves until `stop`, then lets requests in progress finish.
///
/// Of more than `connections_max` connections the later ones are closed at once, unanswered.
pub async fn serve(listener: TcpListener, router: Router, connections_max: usize, stop: CancellationToken) {
    let mut server = Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(64 * 1024);
    let (connections, drain) = (TaskTracker::new(), CancellationToken::new());
    let room = Arc::new(Semaphore::new(connections_max));
    loop {
        let (stream, peer): (_, SocketAddr) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Usually out of file descriptors: let some connections end first.
                    warn!("A connection was not accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stop.cancelled() => break,
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            metrics::counter!("wapid_connections_refused_total").increment(1);
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let mut stream = Box::pin(TimeoutStream::new(stream));
        stream.as_mut().set_write_timeout_pinned(Some(WRITE_TIMEOUT));
        let connection = server.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let drain = drain.clone();
        connections.spawn(async move {
            let _place = place;
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
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
