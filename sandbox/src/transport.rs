//! Ways to reach the network: in memory, and over a WebSocket.
//!
//! whatsapp-rust-tokio-transport 0.7.0 sets no TCP_NODELAY, which cost 48 ms at the 95th percentile
//! on loopback; ours sets it. It speaks plain `ws://` only: a sandbox holds nothing worth a
//! certificate, and a transport that cannot do TLS cannot reach WhatsApp by mistake.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use async_channel::{Receiver, Sender};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use wacore::net::{DisconnectReason, Transport, TransportEvent, TransportFactory};

use crate::conn::{self, Wire};
use crate::net::Net;
use crate::socket::BUFFER_BYTES;

/// Chunks under way in each direction of one connection. A chunk holds many small stanzas.
pub(crate) const CHUNKS: usize = 16;

type Connection = (Arc<dyn Transport>, Receiver<TransportEvent>);

/// Connections that never leave the process, all with one phone book.
pub(crate) struct Memory {
    pub net: Arc<Net>,
    pub book: String,
}

#[async_trait]
impl TransportFactory for Memory {
    async fn create_transport(&self) -> anyhow::Result<Connection> {
        let (outgoing, events) = async_channel::bounded(CHUNKS);
        let (sent, incoming) = async_channel::bounded(CHUNKS);
        outgoing.try_send(TransportEvent::Connected).expect("the channel is new and empty");
        let wire = Wire { incoming, outgoing };
        tokio::spawn(conn::serve(Arc::clone(&self.net), wire, Some(self.book.clone())));
        Ok((Arc::new(Pipe { sent }), events))
    }
}

/// The client's sending end of any transport here.
struct Pipe {
    sent: Sender<Bytes>,
}

#[async_trait]
impl Transport for Pipe {
    async fn send(&self, data: Bytes) -> anyhow::Result<()> {
        self.sent.send(data).await.map_err(|_| anyhow!("the connection is closed"))
    }

    async fn disconnect(&self) {
        self.sent.close();
    }
}

/// A client's connections to a sandbox at a `ws://` URL.
pub fn ws_transport(url: &str) -> Arc<dyn TransportFactory> {
    Arc::new(WebSocket { url: url.to_owned() })
}

struct WebSocket {
    url: String,
}

#[async_trait]
impl TransportFactory for WebSocket {
    async fn create_transport(&self) -> anyhow::Result<Connection> {
        let authority = self
            .url
            .strip_prefix("ws://")
            .map(|rest| rest.split(['/', '?']).next().unwrap_or_default())
            .context("a sandbox is reached at a ws:// address")?;
        let address = if authority.rsplit(']').next().is_some_and(|end| end.contains(':')) {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let stream = TcpStream::connect(&address).await?;
        stream.set_nodelay(true)?;
        let config =
            WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(BUFFER_BYTES);
        let (socket, _) =
            tokio_tungstenite::client_async_with_config(&self.url, stream, Some(config)).await?;
        let (outgoing, events) = async_channel::bounded(CHUNKS);
        let (sent, unsent) = async_channel::bounded(CHUNKS);
        outgoing.try_send(TransportEvent::Connected).expect("the channel is new and empty");
        tokio::spawn(pump(socket, unsent, outgoing));
        Ok((Arc::new(Pipe { sent }), events))
    }
}

async fn pump(socket: WebSocketStream<TcpStream>, unsent: Receiver<Bytes>, events: Sender<TransportEvent>) {
    let (mut sink, mut stream) = socket.split();
    let write = async {
        while let Ok(bytes) = unsent.recv().await {
            if sink.send(Message::Binary(bytes)).await.is_err() {
                return;
            }
        }
        // The other side may be gone already.
        let _ = sink.close().await;
    };
    let read = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    if events.send(TransportEvent::DataReceived(bytes)).await.is_err() {
                        return DisconnectReason::Unknown;
                    }
                }
                Some(Ok(Message::Close(_))) | None => return DisconnectReason::StreamEnded,
                Some(Ok(_)) => {}
                Some(Err(error)) => return DisconnectReason::ReadError(error.to_string()),
            }
        }
    };
    let reason = tokio::select! {
        reason = read => reason,
        () = write => DisconnectReason::Unknown,
    };
    // A full channel has a client that will see the end by the closing of it.
    let _ = events.try_send(TransportEvent::Disconnected(reason));
}
