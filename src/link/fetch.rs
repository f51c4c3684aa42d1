//! The client's plain HTTP needs: WhatsApp's version, and files, which go by a piece at a time.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use http::header::CONTENT_LENGTH;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};
use wapid_core::media::DOCUMENT_LIMIT_MAX;

use super::dial::Proxy;

/// The largest answer we read whole, in bytes.
const ANSWER_MAX: usize = 16 << 20;
/// The largest file of WhatsApp's, in bytes, with what its encryption adds.
const FILE_MAX: u64 = DOCUMENT_LIMIT_MAX + (1 << 20);
/// A small question and its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// A file of 2 GiB at some 2 MiB/s.
const FILE_TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// A server from which nothing comes for so long is gone.
const STALL: Duration = Duration::from_secs(30);
/// A piece of a file on its way up, and how many may wait for the socket.
const PIECE: usize = 64 << 10;
const PIECES: usize = 4;

/// HTTP over the session's own way to the internet.
pub struct Fetch(reqwest::Client);

impl Fetch {
    /// # Errors
    /// When the proxy's URL cannot be used.
    pub fn new(proxy: Option<&Proxy>) -> Result<Self, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            // A host of WhatsApp's that leads elsewhere is not followed: the account's token would go along.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(STALL)
            .timeout(ANSWER_TIMEOUT);
        let builder = match proxy {
            Some(proxy) => builder
                .proxy(reqwest::Proxy::all(proxy.for_fetch())?)
                // Of names only the proxy's own is looked up here.
                .dns_resolver(Arc::new(proxy.names())),
            None => builder,
        };
        Ok(Self(builder.build()?))
    }

    fn request(&self, request: &HttpRequest) -> anyhow::Result<reqwest::RequestBuilder> {
        let mut outgoing = self.0.request(request.method.parse()?, &request.url);
        for (name, value) in &request.headers {
            outgoing = outgoing.header(name, value);
        }
        Ok(outgoing)
    }
}

#[async_trait]
impl HttpClient for Fetch {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let mut outgoing = self.request(&request)?;
        if let Some(body) = request.body {
            outgoing = outgoing.body(body);
        }
        whole(outgoing.send().await?).await
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    /// From a thread that may block, as the client calls it.
    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        let handle = Handle::current();
        let answer = handle.block_on(self.request(&request)?.timeout(FILE_TIMEOUT).send())?;
        let status_code = answer.status().as_u16();
        let body = Box::new(Incoming { handle, answer, piece: Bytes::new(), left: FILE_MAX });
        Ok(StreamingHttpResponse { status_code, body })
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    /// From a thread that may block, which reads the file while the socket takes it. WhatsApp's servers want
    /// its length beforehand.
    fn execute_upload(
        &self,
        request: HttpRequest,
        mut body: UploadBody,
        content_length: u64,
    ) -> anyhow::Result<HttpResponse> {
        let handle = Handle::current();
        let (pieces, mut waiting) = mpsc::channel::<io::Result<Bytes>>(PIECES);
        let stream = futures::stream::poll_fn(move |context| waiting.poll_recv(context));
        let outgoing = self
            .request(&request)?
            .timeout(FILE_TIMEOUT)
            .header(CONTENT_LENGTH, content_length)
            .body(reqwest::Body::wrap_stream(stream));
        let answered = CancellationToken::new();
        let sending = handle.spawn({
            let answered = answered.clone();
            async move {
                let _told = answered.drop_guard();
                whole(outgoing.send().await?).await
            }
        });
        handle.block_on(async {
            loop {
                let mut piece = vec![0; PIECE];
                // A file, or bytes in memory: it does not wait for anybody.
                let read = body.read(&mut piece);
                let piece = match read {
                    Ok(0) => break,
                    Ok(size) => {
                        piece.truncate(size);
                        Ok(piece.into())
                    }
                    Err(problem) => Err(problem),
                };
                tokio::select! {
                    sent = pieces.send(piece) => if sent.is_err() { break },
                    // Who has refused a file reads no more of it.
                    () = answered.cancelled() => break,
                }
            }
        });
        drop(pieces);
        handle.block_on(sending)?
    }
}

async fn whole(mut answer: reqwest::Response) -> anyhow::Result<HttpResponse> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        anyhow::ensure!(
            body.len() + chunk.len() <= ANSWER_MAX,
            "the answer is larger than {ANSWER_MAX} bytes"
        );
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse { status_code: answer.status().as_u16(), body })
}

/// An answer's body as it comes.
struct Incoming {
    handle: Handle,
    answer: reqwest::Response,
    piece: Bytes,
    /// Bytes that it may still have.
    left: u64,
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.handle.block_on(self.answer.chunk()).map_err(io::Error::other)? {
                Some(piece) => {
                    let left = self.left.checked_sub(piece.len() as u64);
                    self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
                    self.piece = piece;
                }
                None => return Ok(0),
            }
        }
        let size = into.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut into[..size]);
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use wapid_core::id::TenantId;
    use wapid_core::key::Mode;

    use super::*;
    use crate::outgoing::{Asker, Outgoing};

    /// The first bytes that a proxy hears from the client.
    async fn greeting(scheme: &str) -> [u8; 4] {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("{scheme}://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let outgoing = Outgoing::new("127.0.0.1".parse().unwrap()).unwrap();
        let asker = Asker { tenant: TenantId("shop".into()), mode: Mode::Live };
        let fetch = Fetch::new(Some(&Proxy::parse(&proxy, &outgoing, asker).unwrap())).unwrap();
        let asked =
            tokio::spawn(async move { fetch.execute(HttpRequest::get("https://example.invalid/")).await });
        let (mut heard, mut bytes) = (listener.accept().await.unwrap().0, [0; 4]);
        let _ = heard.read(&mut bytes).await.unwrap();
        asked.abort();
        bytes
    }

    #[tokio::test]
    async fn a_proxy_is_spoken_to_in_its_own_language() {
        assert_eq!(greeting("socks5").await[0], 5);
        assert_eq!(&greeting("http").await, b"CONN");
    }

    /// Reads a request to its end and answers it.
    async fn serve(answer: &'static [u8]) -> (String, tokio::task::JoinHandle<Vec<u8>>) {
        use tokio::io::AsyncWriteExt as _;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        let heard = tokio::spawn(async move {
            let mut stream = listener.accept().await.unwrap().0;
            let mut heard = vec![];
            let mut chunk = vec![0; 64 << 10];
            loop {
                let size = stream.read(&mut chunk).await.unwrap();
                heard.extend_from_slice(&chunk[..size]);
                let text = String::from_utf8_lossy(&heard);
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if size == 0 || body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    break;
                }
            }
            stream.write_all(answer).await.unwrap();
            heard
        });
        (url, heard)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_goes_up_in_pieces_with_its_length_beforehand() {
        let (url, heard) = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let file = vec![b'x'; 300_000];
        let body: UploadBody = Box::new(io::Cursor::new(file));
        let fetch = Fetch::new(None).unwrap();
        let sent = move || fetch.execute_upload(HttpRequest::post(url), body, 300_000);
        let answer = tokio::task::spawn_blocking(sent).await.unwrap().unwrap();
        assert_eq!((answer.status_code, answer.body.as_slice()), (200, b"ok".as_slice()));
        let heard = String::from_utf8(heard.await.unwrap()).unwrap();
        let (head, body) = heard.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 300000") && !head.contains("transfer-encoding"), "{head}");
        assert_eq!(body.len(), 300_000);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_comes_down_in_pieces_with_its_status() {
        let (url, _) = serve(b"HTTP/1.1 410 Gone\r\ncontent-length: 5\r\n\r\nwhole").await;
        let fetch = Fetch::new(None).unwrap();
        let read = move || {
            let mut answer = fetch.execute_streaming(HttpRequest::get(url)).unwrap();
            let mut body = String::new();
            answer.body.read_to_string(&mut body).unwrap();
            (answer.status_code, body)
        };
        assert_eq!(tokio::task::spawn_blocking(read).await.unwrap(), (410, "whole".to_owned()));
    }
}
