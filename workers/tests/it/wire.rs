//! A way to a Redis that is far, or whose connections go dead without an end.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub struct Wire {
    port: u16,
    deaths: watch::Sender<u32>,
    _tasks: JoinSet<()>,
}

impl Wire {
    /// Everything takes so long in each direction.
    pub async fn to(redis: &str, delay: Duration) -> Self {
        let redis = redis.trim_start_matches("redis://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (deaths, mut tasks) = (watch::Sender::new(0), JoinSet::new());
        tasks.spawn({
            let deaths = deaths.clone();
            async move {
                let mut connections = JoinSet::new();
                loop {
                    let (near, _) = listener.accept().await.unwrap();
                    let far = TcpStream::connect(&redis).await.unwrap();
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    connections.spawn(carry(near_in, far_out, delay, deaths.subscribe()));
                    connections.spawn(carry(far_in, near_out, delay, deaths.subscribe()));
                }
            }
        });
        Self { port, deaths, _tasks: tasks }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Nothing comes through on the connections of now any more; new ones work.
    pub fn go_dead(&self) {
        self.deaths.send_modify(|deaths| *deaths += 1);
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    mut death: watch::Receiver<u32>,
) {
    let carried = async {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(size) = from.read(&mut bytes).await {
            if size == 0 {
                return;
            }
            tokio::time::sleep(delay).await;
            if to.write_all(&bytes[..size]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = carried => {}
        _ = death.changed() => std::future::pending().await,
    }
}
