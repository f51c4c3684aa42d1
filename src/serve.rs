//! HTTP/1 on a socket, with a deadline for headers and a graceful end.
//!
//! `axum::serve` has no deadline for headers, so a client that sends one byte a minute would hold a
//! connection for ever.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// A request's headers must arrive within this.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection made just before the stop has its request still on the way; it gets this long to come.
const ARRIVAL: Duration = Duration::from_millis(300);
/// Requests in progress get this long when the process stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(3);

/// Serves until `stop`, then lets requests in progress finish.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    // Telling HTTP/2 from HTTP/1 has no deadline: who says nothing would never be hung up on.
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(64 * 1024);
    let graceful = GracefulShutdown::new();
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
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%peer, "A connection ended: {error}");
            }
        });
    }
    drop(listener);
    tokio::time::sleep(ARRIVAL).await;
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await;
}
