//! A file's bytes, whole or in part.
//!
//! What strangers sent is shown as what it is and does nothing: no type is guessed, no script runs, and what
//! a browser would not merely show is saved.

use std::ops::Range;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use wapid_core::media::extension;
use wapid_core::store::media::MediaRow;

use super::{GivenId, found};
use crate::api::Api;
use crate::api::error::{ApiError, ErrorBody};
use crate::api::openapi::Refusals;
use crate::caller::Caller;
use crate::media::Unreadable;

/// Nothing of a file runs, wherever it is opened.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// Whoever has the file may keep it, and asks whether it is still there.
const CACHE: HeaderValue = HeaderValue::from_static("private, no-cache");
/// What RFC 8187 lets stand.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// A file's bytes
///
/// `Range` asks for a part of them, `If-Range` and `If-None-Match` take the `ETag` of an answer before. `HEAD`
/// answers with the headers alone. A file that arrived and was not fetched yet is fetched now; while that
/// lasts the answer is `MEDIA_NOT_STORED`.
#[utoipa::path(
    operation_id = "get_media_content",
    get, path = "/api/whatsapp/media/{mediaId}/content", tag = "media",
    params(
        ("mediaId" = String, Path, description = "The file"),
        ("Range" = Option<String>, Header, description = "`bytes=0-1023`, `bytes=1024-` or `bytes=-512`")
    ),
    responses(
        (status = 200, description = "All of it", content((Vec<u8> = "application/octet-stream"), (Vec<u8> = "*/*"))),
        (status = 206, description = "The part that was asked for", content((Vec<u8> = "application/octet-stream"), (Vec<u8> = "*/*"))),
        (status = 304, description = "It is what `If-None-Match` names"),
        (status = 416, description = "No byte of it is in the range", body = ErrorBody),
        Refusals
    )
)]
pub async fn content(
    State(api): State<Api>,
    caller: Caller,
    id: GivenId,
    headers: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    let mut row = found(&caller.store, id).await?;
    if row.blob.is_none() {
        // What was too large to be fetched by itself, or failed, is fetched now that somebody wants it.
        row = api.sessions.fetch_file(&caller.store, row).await?;
    }
    answer(&api, &row, &headers).await
}

/// Answers with a file's bytes as a request's headers ask for them.
pub async fn answer(api: &Api, row: &MediaRow, headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    if row.blob.is_none() {
        return Err(Unreadable::NotStored(row.state).into());
    }
    let size = row.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
    let tag = format!("\"{}\"", row.sha256.as_ref().map(hex::encode).unwrap_or_default());
    let mut response = Response::builder()
        .header(header::ETAG, &tag)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CACHE_CONTROL, CACHE)
        .header(header::CONTENT_SECURITY_POLICY, POLICY);
    if names(headers, &header::IF_NONE_MATCH).is_some_and(|tags| is_among(&tag, tags)) {
        return finished(response.status(StatusCode::NOT_MODIFIED), Body::empty());
    }
    let range = match wanted(headers, &tag, size) {
        Wanted::All => 0..size,
        Wanted::Part(range) => {
            let told = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            response = response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, told);
            range
        }
        Wanted::Nothing => return Err(ApiError::no_such_range(size)),
    };
    let length = range.end - range.start;
    let pieces = api.media.open(row, range).await?;
    let response = response
        .header(header::CONTENT_TYPE, &row.mime)
        .header(header::CONTENT_LENGTH, length)
        .header(header::CONTENT_DISPOSITION, disposition(row));
    finished(response, Body::from_stream(pieces))
}

fn finished(response: axum::http::response::Builder, body: Body) -> Result<Response<Body>, ApiError> {
    Ok(response.body(body).map_err(anyhow::Error::from)?)
}

fn names<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// By weak comparison, as `If-None-Match` is to be read.
fn is_among(tag: &str, tags: &str) -> bool {
    tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    /// There is no such part.
    Nothing,
}

/// Which part is asked for. What does not read, more than one part, and a part of another content (`If-Range`)
/// are all of it, as RFC 9110 lets us.
fn wanted(headers: &HeaderMap, tag: &str, size: u64) -> Wanted {
    let same = headers.get(header::IF_RANGE).is_none_or(|given| given.as_bytes() == tag.as_bytes());
    let range = names(headers, &header::RANGE).filter(|_| same);
    range.and_then(|text| part_of(text, size)).unwrap_or(Wanted::All)
}

fn part_of(text: &str, size: u64) -> Option<Wanted> {
    let (unit, range) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More than any file has.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let part = match (first.trim(), last.trim()) {
        ("", last) => size.saturating_sub(number(last)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            first..last.saturating_add(1).min(size)
        }
    };
    Some(if part.start < part.end { Wanted::Part(part) } else { Wanted::Nothing })
}

/// Shown, where a browser does no more than that; saved otherwise. The name as RFC 6266 has it: for old
/// readers in ASCII, for all others as it is.
fn disposition(row: &MediaRow) -> String {
    let is_shown = ["image/", "audio/", "video/"].iter().any(|family| row.mime.starts_with(family));
    let how = if is_shown && row.mime != "image/svg+xml" { "inline" } else { "attachment" };
    let own = || format!("{}.{}", row.kind, extension(&row.mime));
    let name = row.file_name.clone().unwrap_or_else(own);
    let is_plain = |c: char| (c.is_ascii_alphanumeric() || " .-_()+".contains(c)).then_some(c);
    let plain: String = name.chars().map(|c| is_plain(c).unwrap_or('_')).collect();
    format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(&name, PLAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc\"";

    fn of(size: u64, range: &str, if_range: Option<&str>) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        if let Some(tag) = if_range {
            headers.insert(header::IF_RANGE, tag.parse().unwrap());
        }
        wanted(&headers, TAG, size)
    }

    #[test]
    fn a_range_is_read_as_the_rfc_says() {
        for (range, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-99", Wanted::Part(0..100)),
            ("bytes=90-200", Wanted::Part(90..100)),
            ("bytes=99-", Wanted::Part(99..100)),
            ("Bytes = 5 - 9", Wanted::Part(5..10)),
            ("bytes=-1", Wanted::Part(99..100)),
            ("bytes=-1000", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Nothing),
            ("bytes=100-200", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=0-99999999999999999999999", Wanted::Part(0..100)),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=9-5", Wanted::All),
            ("bytes=0-1,4-5", Wanted::All),
            ("bytes=", Wanted::All),
            ("bytes=-", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=--1", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("x", Wanted::All),
        ] {
            assert_eq!(of(100, range, None), expected, "{range}");
        }
        assert_eq!(of(0, "bytes=0-", None), Wanted::Nothing);
        assert_eq!(of(0, "bytes=-5", None), Wanted::Nothing);
    }

    #[test]
    fn a_part_of_another_content_is_not_given() {
        assert_eq!(of(100, "bytes=0-1", Some(TAG)), Wanted::Part(0..2));
        for other in ["\"abd\"", "W/\"abc\"", "Fri, 27 Nov 2026 00:00:00 GMT"] {
            assert_eq!(of(100, "bytes=0-1", Some(other)), Wanted::All, "{other}");
        }
    }

    #[test]
    fn a_tag_is_found_among_others() {
        assert!(is_among(TAG, "\"x\", W/\"abc\"") && is_among(TAG, "*"));
        assert!(!is_among(TAG, "abc") && !is_among(TAG, ""));
    }
}
