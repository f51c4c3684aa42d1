//! The media host of a sandbox in another process, for a client in this one.
//!
//! The client names WhatsApp's hosts; what it asks goes to the sandbox's own address instead, and
//! nowhere else.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use reqwest::header::{CONTENT_LENGTH, RANGE};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};

use super::local::{range_of, target};
use super::pipe::PATIENCE;
use super::shelf::CHUNK;
use crate::limits;

/// Chunks on their way to the sandbox.
const CHUNKS: usize = 4;

/// A client of one phone book.
pub(crate) struct Remote {
    /// Without a deadline for the whole of a request: media take as long as they take.
    pub http: reqwest::Client,
    pub url: Arc<str>,
    pub book: String,
}

impl Remote {
    fn request(&self, request: &HttpRequest) -> anyhow::Result<reqwest::RequestBuilder> {
        let target = target(&request.url).context("not an address of a media host")?;
        if request.method == "POST" {
            return Ok(self.http.post(format!("{}{target}", self.url)));
        }
        let is_own = target.strip_prefix("/v/").is_some_and(|rest| {
            rest.strip_prefix(self.book.as_str()).is_some_and(|rest| rest.starts_with('/'))
        });
        ensure!(is_own, "not an address of this book");
        let get = self.http.get(format!("{}{target}", self.url));
        Ok(match range_of(request) {
            Some(range) => get.header(RANGE, range),
            None => get,
        })
    }
}

/// Whoever says nothing for so long is gone.
async fn patient<T>(wait: impl Future<Output = reqwest::Result<T>>, patience: Duration) -> anyhow::Result<T> {
    let done = tokio::time::timeout(patience, wait).await;
    Ok(done.context("the sandbox does not answer")?.map_err(reqwest::Error::without_url)?)
}

/// The whole answer.
async fn buffered(mut response: reqwest::Response) -> anyhow::Result<HttpResponse> {
    let status_code = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = patient(response.chunk(), PATIENCE).await? {
        ensure!((body.len() + chunk.len()) as u64 <= limits::BUFFERED_BYTES, "too much to be read at once");
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse { status_code, body })
}

#[async_trait]
impl HttpClient for Remote {
    async fn execute(&self, mut request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let body = request.body.take().unwrap_or_default();
        let mut asked = self.request(&request)?;
        // The time that much data may take on a slow machine.
        let patience = PATIENCE + Duration::from_secs(body.len() as u64 >> 20);
        if request.method == "POST" {
            asked = asked.header(CONTENT_LENGTH, body.len()).body(body);
        }
        buffered(patient(asked.send(), patience).await?).await
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        if request.method != "GET" {
            bail!("only downloads are streamed");
        }
        let on = Handle::try_current().context("not on a thread of the runtime")?;
        let response = on.block_on(patient(self.request(&request)?.send(), PATIENCE))?;
        let status_code = response.status().as_u16();
        Ok(StreamingHttpResponse { status_code, body: Box::new(Body { response, on, rest: Bytes::new() }) })
    }

    fn supports_upload_streaming(&self) -> bool {
        true
    }

    fn execute_upload(
        &self,
        request: HttpRequest,
        mut body: UploadBody,
        content_length: u64,
    ) -> anyhow::Result<HttpResponse> {
        let on = Handle::try_current().context("not on a thread of the runtime")?;
        let (chunks, taken) = mpsc::channel::<io::Result<Bytes>>(CHUNKS);
        let stream = futures::stream::unfold(taken, |mut taken| async move {
            taken.recv().await.map(|chunk| (chunk, taken))
        });
        let asked = self.request(&request)?.header(CONTENT_LENGTH, content_length);
        let answer = on.spawn(asked.body(reqwest::Body::wrap_stream(stream.boxed())).send());
        let mut buffer = vec![0; CHUNK];
        loop {
            let chunk = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => Ok(Bytes::copy_from_slice(&buffer[..count])),
                Err(error) => Err(error),
            };
            let is_broken = chunk.is_err();
            let sent = on.block_on(tokio::time::timeout(PATIENCE, chunks.send(chunk)));
            // Whoever takes no more has answered, or is gone: the answer tells.
            if is_broken || !matches!(sent, Ok(Ok(()))) {
                break;
            }
        }
        drop(chunks);
        on.block_on(async {
            let answered =
                tokio::time::timeout(PATIENCE, answer).await.context("the sandbox does not answer")?;
            buffered(answered?.map_err(reqwest::Error::without_url)?).await
        })
    }
}

struct Body {
    response: reqwest::Response,
    on: Handle,
    rest: Bytes,
}

impl Read for Body {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            let next = self.on.block_on(patient(self.response.chunk(), PATIENCE));
            match next.map_err(io::Error::other)? {
                Some(chunk) => self.rest = chunk,
                None => return Ok(0),
            }
        }
        let count = self.rest.len().min(to.len());
        self.rest.copy_to_slice(&mut to[..count]);
        Ok(count)
    }
}
