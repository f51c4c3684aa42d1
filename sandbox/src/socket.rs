//! The network over WebSocket: what `wapid sandbox` listens with.

use std::sync::Arc;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::net::TcpListener;
use wacore::net::{DisconnectReason, TransportEvent};

use crate::conn::{self, Wire};
use crate::control::{self, Access};
use crate::limits;
use crate::listen;
use crate::net::Net;
use crate::sandbox::{Sandbox, check_book};
use crate::transport::CHUNKS;

/// Enough for small stanzas without a second read. The default of 128 KiB would be most of what an
/// idle connection costs.
pub(crate) const BUFFER_BYTES: usize = 4096;

#[derive(Deserialize)]
pub(crate) struct Connect {
    book: Option<String>,
}

pub(crate) async fn connect(
    State(sandbox): State<Sandbox>,
    Query(Connect { book }): Query<Connect>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Some(Err(error)) = book.as_deref().map(check_book) {
        return control::Refused(error).into_response();
    }
    upgrade
        .max_message_size(limits::FRAME_BYTES)
        .max_frame_size(limits::FRAME_BYTES)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .on_upgrade(move |socket| serve(sandbox.net, socket, book))
}

async fn serve(net: Arc<Net>, socket: WebSocket, book: Option<String>) {
    let (mut sink, mut stream) = socket.split();
    let (received, incoming) = async_channel::bounded(CHUNKS);
    let (outgoing, unsent) = async_channel::bounded(CHUNKS);
    let read = async {
        // Dropped with this: the client's leaving ends the connection, which ends `write`.
        let received = received;
        while let Some(Ok(message)) = stream.next().await {
            let is_open = match message {
                Message::Binary(bytes) => received.send(bytes).await.is_ok(),
                Message::Close(_) => false,
                _ => true,
            };
            if !is_open {
                return;
            }
        }
    };
    let write = async {
        let last = loop {
            match unsent.recv().await {
                Ok(TransportEvent::DataReceived(bytes)) => {
                    if sink.send(Message::Binary(bytes)).await.is_err() {
                        return;
                    }
                }
                Ok(TransportEvent::Disconnected(DisconnectReason::ServerClose { code, reason })) => {
                    break Some(CloseFrame {
                        code: code.unwrap_or(close_code::NORMAL),
                        reason: reason.into(),
                    });
                }
                _ => break None,
            }
        };
        // The client may be gone already.
        let _ = sink.send(Message::Close(last)).await;
    };
    let wire = Wire { incoming, outgoing };
    tokio::join!(
        async {
            tokio::select! {
                () = async { read.await; std::future::pending().await } => {}
                () = write => {}
            }
        },
        conn::serve(net, wire, book),
    );
    // A socket that is closed while bytes wait to be read takes back what its client has not read yet.
    let rest = async { while let Some(Ok(_)) = stream.next().await {} };
    let _ = tokio::time::timeout(limits::LAST_WORD, rest).await;
}

impl Sandbox {
    /// Serves clients and control calls until the process ends.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(&self, listener: TcpListener, access: Access) -> std::io::Result<()> {
        let connections = access.connections;
        listen::serve(listener, self.router(access), connections, listen::Plain).await
    }
}
