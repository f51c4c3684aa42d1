//! A way to a server that can fall silent: what was sent stays on the way, and no connection is closed.
//!
//! The test binaries that need it compile this file by its path, as they do `redis.rs`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub struct StallingProxy {
    address: SocketAddr,
    /// Connections made before this one are silent.
    silent_before: watch::Sender<u64>,
    made: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl StallingProxy {
    /// Before a server, by its host and port.
    pub fn before(server: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket of ours");
        let address = listener.local_addr().expect("an address");
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let (silent_before, silence) = watch::channel(0);
        let made = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        let (server, count) = (server.to_owned(), made.clone());
        tasks.spawn(async move {
            let mut relays = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                relays.spawn(relay(from_client, to_server, number, silence.clone()));
                relays.spawn(relay(from_server, to_client, number, silence.clone()));
            }
        });
        Self { address, silent_before, made, _tasks: tasks }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every connection, and each new one.
    pub fn fall_silent(&self) {
        self.silent_before.send_replace(u64::MAX);
    }

    /// What is there stays silent for good; what is made from now on is heard.
    pub fn let_new_ones_through(&self) {
        self.silent_before.send_replace(self.made.load(Ordering::SeqCst));
    }
}

async fn relay(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    number: u64,
    mut silent_before: watch::Receiver<u64>,
) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        if silent_before.wait_for(|before| *before <= number).await.is_err() {
            return;
        }
        if read == 0 || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
