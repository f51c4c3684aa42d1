//! A web server on this machine that answers as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is answered to a request.
#[derive(Clone)]
pub enum Reply {
    /// These bytes, head and all.
    Raw(Vec<u8>),
    /// A head, and then this for ever.
    Endless(String, Vec<u8>),
    /// A head, and then a byte from time to time.
    Drip(String),
}

impl Reply {
    pub fn file(content_type: &str, body: &[u8]) -> Self {
        Self::with(&format!("content-type: {content_type}\r\n"), body)
    }

    /// With headers, each with its line end.
    pub fn with(headers: &str, body: &[u8]) -> Self {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{headers}connection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self::Raw([head.as_bytes(), body].concat())
    }

    pub fn status(status: u16) -> Self {
        Self::Raw(
            format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno\n").into_bytes(),
        )
    }

    pub fn redirect(to: &str) -> Self {
        Self::Raw(
            format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                .into_bytes(),
        )
    }

    async fn play(&self, stream: &mut TcpStream, written: &AtomicUsize) -> std::io::Result<()> {
        let piece = match self {
            Self::Raw(bytes) => return stream.write_all(bytes).await,
            Self::Endless(head, piece) => {
                stream.write_all(head.as_bytes()).await?;
                piece
            }
            Self::Drip(head) => {
                stream.write_all(head.as_bytes()).await?;
                loop {
                    stream.write_all(b"x").await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        };
        loop {
            stream.write_all(piece).await?;
            written.fetch_add(piece.len(), Ordering::Relaxed);
        }
    }
}

/// Serves until it is dropped.
pub struct Host {
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
    written: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Host {
    /// To every request the same.
    pub async fn new(reply: Reply) -> Self {
        Self::answering(move |_| reply.clone()).await
    }

    /// By a request's path.
    pub async fn answering(reply: impl Fn(&str) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (heads, written) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicUsize::new(0)));
        let (seen, counter) = (heads.clone(), written.clone());
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    head.push(byte);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let reply = reply(head.split(' ').nth(1).unwrap_or_default());
                seen.lock().push(head);
                let counter = counter.clone();
                // It ends when the other side hangs up.
                tokio::spawn(async move {
                    let _ = reply.play(&mut stream, &counter).await;
                });
            }
        });
        Self { url, heads, written, server }
    }

    /// What was asked, head by head.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().clone()
    }

    /// Bytes of an endless body that could be written.
    pub fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }
}
