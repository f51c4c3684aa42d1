//! One attempt: the bytes that are sent, and what the answer means.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use wapid_core::clock::At;
use wapid_core::delivery::retry_after;
use wapid_core::endpoint::Settings;
use wapid_core::event::format::{Addressed, payload};
use wapid_core::event::{Event, Kind};
use wapid_core::id::TenantId;
use wapid_core::key::Mode;
use wapid_core::signature::{Delivery, Signed, sign};
use wapid_core::store::endpoints::Keys;

use crate::outgoing::{ANSWER_KEPT, Asker, Order, Outgoing};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/json");

/// What is sent to whom, and how.
pub struct Trial<'a> {
    pub tenant: &'a TenantId,
    pub mode: Mode,
    pub settings: &'a Settings,
    pub keys: &'a Keys,
    pub event: &'a Event,
    pub at: At,
}

/// What came of it.
#[derive(Debug)]
pub struct Sent {
    pub duration: Duration,
    pub status: Option<StatusCode>,
    /// The class of what went wrong; none for an answer that says yes.
    pub error: Option<&'static str>,
    pub answer: Option<String>,
    /// How long the receiver asked to be left alone.
    pub asked_ms: Option<i64>,
}

impl Sent {
    /// Nothing was answered.
    pub(super) fn failed(error: &'static str) -> Self {
        Self { duration: Duration::ZERO, status: None, error: Some(error), answer: None, asked_ms: None }
    }

    pub fn is_success(&self) -> bool {
        self.error.is_none()
    }

    /// The receiver wants nothing more, ever.
    pub fn is_gone(&self) -> bool {
        self.status == Some(StatusCode::GONE)
    }
}

impl Trial<'_> {
    /// The bytes and headers of this attempt.
    ///
    /// # Errors
    /// When the event's data is no object, or has a field `signature`.
    pub fn signed(&self) -> Result<Signed, wapid_core::signature::PayloadError> {
        let event = self.event;
        let word = match Kind::parse(&event.kind) {
            Some(kind) => self.settings.word(kind.as_str()),
            None => &event.kind,
        };
        let addressed = Addressed { tenant: self.tenant, mode: self.mode, word, event };
        let payload = payload(self.settings.format, addressed)?;
        let delivery = Delivery { id: &event.id, event: word, at: self.at, payload: &payload };
        Ok(sign(delivery, &self.keys.valid(self.at), &self.settings.profile))
    }

    /// Sends it. The URL is vetted anew: what it may reach can have changed since it was given.
    pub async fn send(&self, outgoing: &Outgoing, signed: &Signed) -> Sent {
        let begun = tokio::time::Instant::now();
        let failed = |error| Sent { duration: begun.elapsed(), ..Sent::failed(error) };
        let target = match outgoing
            .check(&self.settings.url, Asker { tenant: self.tenant.clone(), mode: self.mode })
        {
            Ok(target) => target,
            Err(refusal) => return failed(refusal.code()),
        };
        let order = Order {
            method: Method::POST,
            headers: headers(self.keys, signed),
            body: signed.body.clone().into(),
            within: Duration::from_millis(u64::try_from(self.settings.timeout_ms).unwrap_or(15_000)),
            keep: ANSWER_KEPT,
        };
        match outgoing.fetch(&target, order).await {
            Err(failure) => failed(failure.code()),
            Ok(answer) => {
                let asked = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                Sent {
                    duration: begun.elapsed(),
                    status: Some(answer.status),
                    error: class_of(answer.status),
                    answer: Some(text_of(&answer.body)),
                    asked_ms: asked
                        .filter(|_| is_throttle(answer.status))
                        .and_then(|text| retry_after(text, self.at)),
                }
            }
        }
    }
}

/// What is no text takes more room as text than it did. Postgres stores no NUL.
fn text_of(body: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(body).replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(ANSWER_KEPT));
    text
}

/// Ours win over the owner's.
fn headers(keys: &Keys, signed: &Signed) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in keys.headers.iter().chain(&signed.headers) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers
}

/// 2xx is yes; everything else is no, a redirect too.
fn class_of(status: StatusCode) -> Option<&'static str> {
    match status.as_u16() {
        200..=299 => None,
        300..=399 => Some("redirect"),
        401 | 403 => Some("unauthorized"),
        410 => Some("gone"),
        429 => Some("throttled"),
        400..=499 => Some("client_error"),
        _ => Some("server_error"),
    }
}

fn is_throttle(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}
