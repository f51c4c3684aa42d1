//! How slowly a request's body may come.
//!
//! Nothing for half a minute, or less than a telephone line carries over all of it, and it is given up: whoever drips
//! a byte now and then would hold a connection for ever. Routes that read files and lists have deadlines of their own
//! beside this one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// A body that stops arriving is given up after this long.
const SILENCE: Duration = Duration::from_secs(30);
/// A body of any size may take so long,
const START: Duration = Duration::from_secs(60);
/// and a second more for so many bytes.
const PER_SECOND: u64 = 1_600;

/// Gives a body up that comes too slowly.
pub async fn pace(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    request.map(|body| Body::new(Paced { body, seen: 0, reading: None }))
}

struct Paced {
    body: Body,
    seen: u64,
    /// From when somebody reads: until then its sender may be waiting for us.
    reading: Option<Reading>,
}

struct Reading {
    began: Instant,
    deadline: Pin<Box<Sleep>>,
}

impl Reading {
    fn begin(now: Instant) -> Self {
        Self { began: now, deadline: Box::pin(sleep_until(deadline(now, 0, now))) }
    }
}

/// Until when the next piece must be there, of a body of which so much came.
fn deadline(began: Instant, seen: u64, now: Instant) -> Instant {
    (now + SILENCE).min(began + START + Duration::from_secs(seen / PER_SECOND))
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, seen, reading } = &mut *self;
        let frame = Pin::new(body).poll_frame(cx);
        let now = Instant::now();
        let reading = reading.get_or_insert_with(|| Reading::begin(now));
        if let Poll::Ready(frame) = frame {
            let piece = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            *seen += piece.map_or(0, |piece| piece.len() as u64);
            reading.deadline.as_mut().reset(deadline(reading.began, *seen, now));
            return Poll::Ready(frame);
        }
        reading.deadline.as_mut().poll(cx).map(|()| {
            let late = io::Error::new(io::ErrorKind::TimedOut, "the body came too slowly");
            Some(Err(axum::Error::new(late)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_line_is_waited_for_and_who_drips_is_not() {
        let began = Instant::now();
        let at = |second| began + Duration::from_secs(second);
        // After so many seconds so much came; until when the next piece must come.
        for (second, seen, until) in [
            (0, 0, 30),
            (25, 1, 55),
            (50, 2, 60),
            (59, 100, 60),
            // Over a slow line, ten minutes long.
            (600, 600 * PER_SECOND, 630),
            (600, 540 * PER_SECOND, 600),
            // Fast at first, and then silent.
            (5, 1 << 20, 35),
        ] {
            assert_eq!(deadline(began, seen, at(second)), at(until), "{seen} bytes in {second} s");
        }
    }

    #[tokio::test]
    async fn what_comes_in_time_is_left_as_it_is() {
        let request = pace(Request::new(Body::from("all of it"))).await;
        assert_eq!(request.body().size_hint().exact(), Some(9));
        let bytes = axum::body::to_bytes(request.into_body(), 100).await.unwrap();
        assert_eq!(bytes, "all of it");
        assert!(pace(Request::new(Body::empty())).await.body().is_end_stream());
    }
}
