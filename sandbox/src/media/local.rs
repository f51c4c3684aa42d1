//! The media host for a client in this process. It leads nowhere else.

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use async_trait::async_trait;
use tokio::runtime::Handle;
use wacore::net::{HttpClient, HttpRequest, HttpResponse, StreamingHttpResponse, UploadBody};

use super::host::{self, Asked, Content, Reply};
use crate::limits;
use crate::net::Net;

/// A client of one phone book.
pub(crate) struct Local {
    pub net: Arc<Net>,
    pub book: String,
}

/// The part of a URL behind the host, whichever host that is.
pub(super) fn target(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    Some(&rest[rest.find('/')?..])
}

pub(super) fn range_of(request: &HttpRequest) -> Option<&str> {
    let named = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("range"));
    named.map(|(_, value)| value.as_str())
}

impl Local {
    fn ask(&self, request: &HttpRequest, length: Option<u64>, body: &mut dyn Read) -> Reply {
        let Some(target) = target(&request.url) else {
            return Reply::refusal(404, "there is nothing here");
        };
        let asked = Asked { target, book: Some(&self.book), range: range_of(request) };
        if request.method == "POST" {
            host::upload(&self.net, &asked, length, body)
        } else {
            host::download(&self.net, &asked)
        }
    }
}

/// The whole answer, for a client that wants it so.
fn buffered(reply: Reply) -> anyhow::Result<HttpResponse> {
    let body = match reply.content {
        Content::Json(json) => json.to_string().into_bytes(),
        Content::Blob(blob) => {
            ensure!(blob.length <= limits::BUFFERED_BYTES, "too much to be read at once");
            let mut body = Vec::new();
            let read = blob.body.take(limits::BUFFERED_BYTES).read_to_end(&mut body)?;
            ensure!(read as u64 == blob.length, "the connection ended early");
            body
        }
    };
    Ok(HttpResponse { status_code: reply.status, body })
}

fn streamed(reply: Reply) -> StreamingHttpResponse {
    let body: Box<dyn Read + Send> = match reply.content {
        Content::Json(json) => Box::new(Cursor::new(json.to_string().into_bytes())),
        Content::Blob(blob) => blob.body,
    };
    StreamingHttpResponse { status_code: reply.status, body }
}

fn wait(delay: Option<Duration>) -> anyhow::Result<()> {
    if let Some(delay) = delay {
        let on = Handle::try_current().context("not on a thread of the runtime")?;
        on.block_on(tokio::time::sleep(delay));
    }
    Ok(())
}

#[async_trait]
impl HttpClient for Local {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let client = Self { net: Arc::clone(&self.net), book: self.book.clone() };
        tokio::task::spawn_blocking(move || {
            let body = request.body.clone().unwrap_or_default();
            let length = body.len() as u64;
            let reply = client.ask(&request, Some(length), &mut Cursor::new(body));
            wait(reply.delay)?;
            buffered(reply)
        })
        .await?
    }

    fn supports_streaming(&self) -> bool {
        true
    }

    fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
        if request.method != "GET" {
            bail!("only downloads are streamed");
        }
        let reply = self.ask(&request, None, &mut std::io::empty());
        wait(reply.delay)?;
        Ok(streamed(reply))
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
        buffered(self.ask(&request, Some(content_length), &mut body))
    }
}
