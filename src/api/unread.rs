//! What a handler leaves of a request's body.
//!
//! Who is refused in the middle of a body goes on writing, and who is cut off while writing sees a broken
//! connection instead of the reason. So the rest is read and thrown away beside the answer, within limits.
//! Somebody who asked whether to send at all (`Expect: 100-continue`) and was refused is not asked for it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use futures::StreamExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::runtime::Handle;

/// Whoever sends more is cut off: half again as much as the largest file that anybody may send us.
const REST_MAX: usize = 150 << 20;
const REST_WITHIN: Duration = Duration::from_secs(20);

/// Lets the rest of a body come when its handler drops it.
pub async fn read_on(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let waits = request.headers().contains_key(header::EXPECT);
    request.map(|body| Body::new(Unread { body: Some(body), waits }))
}

struct Unread {
    /// `None` once it has ended, well or badly.
    body: Option<Body>,
    /// Its sender waits until somebody reads.
    waits: bool,
}

impl HttpBody for Unread {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        self.waits = false;
        let frame = ready!(frame);
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !self.waits && !body.is_end_stream());
        // A process that ends has no runtime any more.
        if let (Some(body), Ok(runtime)) = (rest, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(REST_WITHIN, throw_away(body)));
        }
    }
}

async fn throw_away(body: Body) {
    let mut rest = body.into_data_stream();
    let mut seen = 0;
    while let Some(Ok(piece)) = rest.next().await {
        seen += piece.len();
        if seen > REST_MAX {
            return;
        }
    }
}
