//! A file that a tenant's URL leads to, one piece after the other.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::fetch::{Failure, Outgoing};
use super::target::Target;

/// Where a redirect leads is fetched in turn, so often.
const REDIRECTS_MAX: u32 = 3;

/// How much of somebody's time and bytes a download may take.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// For everything: names, connections, redirects, head and body.
    pub within: Duration,
    /// For each piece of the body.
    pub stall: Duration,
    /// Bytes of the body.
    pub most: u64,
}

/// A file on its way. Dropped, its connection is.
#[derive(Debug)]
pub struct Download {
    answer: reqwest::Response,
    wish: Wish,
    deadline: Instant,
    seen: u64,
}

/// Why there is no file, or not all of it. Coarse on purpose, like [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("there is nothing at this URL (404)")]
    NotFound,
    #[error("the server wants to know who asks (401 or 403)")]
    Forbidden,
    #[error("the server refuses (4xx)")]
    Refused,
    #[error("the server failed (5xx)")]
    ServerFailed,
    #[error("the server answers with no file")]
    NoFile,
    #[error("the URL leads on and on")]
    TooManyRedirects,
    #[error("the URL leads from https:// to http://")]
    Downgrade,
    #[error("the server answers compressed, although it was asked not to")]
    Compressed,
    #[error("the file is larger than {most} bytes")]
    TooLarge { most: u64 },
    #[error("the file stopped coming")]
    Stalled,
}

impl DownloadError {
    /// Was it ourselves who would not go there?
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Failed(Failure::Refused(_)) | Self::Downgrade)
    }

    /// For programs; stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::Failed(failure) => failure.code(),
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Refused => "refused",
            Self::ServerFailed => "server_failed",
            Self::NoFile => "no_file",
            Self::TooManyRedirects => "too_many_redirects",
            Self::Downgrade => "redirect_without_tls",
            Self::Compressed => "compressed_answer",
            Self::TooLarge { .. } => "too_large",
            Self::Stalled => "stalled",
        }
    }
}

impl Outgoing {
    /// Asks for a file and waits for the head of the answer.
    ///
    /// # Errors
    /// When no file is there to be read, or one that is too large by what its head says.
    pub async fn download(&self, target: Target, wish: Wish) -> Result<Download, DownloadError> {
        let deadline = Instant::now() + wish.within;
        let mut target = target;
        for _ in 0..=REDIRECTS_MAX {
            let request = |client: &reqwest::Client| client.get(target.url.clone());
            let answer = self.send(&target, request, deadline).await?;
            if !is_redirect(answer.status()) {
                return Download::of(answer, wish, deadline);
            }
            target = self.next(&target, &answer)?;
        }
        Err(DownloadError::TooManyRedirects)
    }

    /// Where a redirect leads, vetted like the first URL.
    pub(super) fn next(&self, from: &Target, answer: &reqwest::Response) -> Result<Target, DownloadError> {
        let location = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let to = location.and_then(|to| from.url.join(to).ok()).ok_or(DownloadError::NoFile)?;
        if from.url.scheme() == "https" && to.scheme() == "http" {
            return Err(DownloadError::Downgrade);
        }
        self.check(to.as_str(), from.asker.clone()).map_err(|refusal| Failure::Refused(refusal).into())
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl Download {
    fn of(answer: reqwest::Response, wish: Wish, deadline: Instant) -> Result<Self, DownloadError> {
        match answer.status() {
            // All of it, whichever word the server has for that.
            StatusCode::OK | StatusCode::CREATED | StatusCode::NON_AUTHORITATIVE_INFORMATION => {}
            StatusCode::PARTIAL_CONTENT if is_whole(answer.headers()) => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(DownloadError::NotFound),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(DownloadError::Forbidden),
            status if status.is_client_error() => return Err(DownloadError::Refused),
            status if status.is_server_error() => return Err(DownloadError::ServerFailed),
            _ => return Err(DownloadError::NoFile),
        }
        let encoding = answer.headers().get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(DownloadError::Compressed);
        }
        if answer.content_length().is_some_and(|length| length > wish.most) {
            return Err(DownloadError::TooLarge { most: wish.most });
        }
        Ok(Self { answer, wish, deadline, seen: 0 })
    }

    /// Where it was found, after all redirects.
    pub fn url(&self) -> &Url {
        self.answer.url()
    }

    /// What the server says that it is.
    pub fn content_type(&self) -> Option<&str> {
        self.answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok())
    }

    /// What it is called: by the server, or by the end of its URL.
    pub fn file_name(&self) -> Option<String> {
        let disposition = self.answer.headers().get(header::CONTENT_DISPOSITION);
        let given = disposition.and_then(|text| name_in(&String::from_utf8_lossy(text.as_bytes())));
        given.or_else(|| name_of(self.answer.url()))
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When it stops coming, breaks off, or goes on beyond what it may.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, DownloadError> {
        let stall = Instant::now() + self.wish.stall;
        match timeout_at(stall.min(self.deadline), self.answer.chunk()).await {
            Err(_) if self.deadline <= stall => Err(Failure::TimedOut.into()),
            Err(_) => Err(DownloadError::Stalled),
            Ok(Err(_)) => Err(Failure::Broken.into()),
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(chunk))) => {
                self.seen += chunk.len() as u64;
                if self.seen > self.wish.most {
                    return Err(DownloadError::TooLarge { most: self.wish.most });
                }
                Ok(Some(chunk))
            }
        }
    }
}

/// A part that nobody asked for, and that is everything: `bytes 0-9/10`.
fn is_whole(headers: &http::HeaderMap) -> bool {
    let range = headers.get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let parts = range.and_then(|range| range.strip_prefix("bytes 0-")?.split_once('/'));
    parts.is_some_and(|(last, size)| {
        let (last, size) = (last.trim().parse::<u64>(), size.trim().parse::<u64>());
        matches!((last, size), (Ok(last), Ok(size)) if last.checked_add(1) == Some(size))
    })
}

/// `attachment; filename="a.pdf"; filename*=UTF-8''%c3%a4.pdf`: the latter, where it is there.
fn name_in(disposition: &str) -> Option<String> {
    let mut plain = None;
    for part in parts_of(disposition).skip(1) {
        let Some((name, value)) = part.split_once('=') else { continue };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                let mut parts = value.splitn(3, '\'');
                let is_utf8 = parts.next().is_some_and(|charset| charset.eq_ignore_ascii_case("utf-8"));
                if let (true, Some(text)) = (is_utf8, parts.nth(1)) {
                    return Some(decoded(text));
                }
            }
            "filename" => plain = Some(value.trim_matches('"').replace('\\', "")),
            _ => {}
        }
    }
    plain.filter(|name| !name.is_empty())
}

/// Between semicolons that stand outside of quotes.
fn parts_of(disposition: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    disposition.split(move |c: char| {
        match c {
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = is_quoted && c == '\\' && !is_escaped;
        c == ';' && !is_quoted
    })
}

fn name_of(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    (!last.is_empty()).then(|| decoded(last))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_what_the_server_says() {
        for (header, name) in [
            ("attachment; filename=\"a b.pdf\"", Some("a b.pdf")),
            ("attachment; filename=a.pdf", Some("a.pdf")),
            ("inline; filename=\"x.pdf\"; filename*=UTF-8''%C3%A4.pdf", Some("ä.pdf")),
            ("attachment; FILENAME*=utf-8'de'%E2%82%AC.txt; filename=y", Some("€.txt")),
            ("attachment; filename*=ISO-8859-1''%e4; filename=\"z\"", Some("z")),
            ("attachment; filename=\"a; b.pdf\"", Some("a; b.pdf")),
            ("attachment; filename=\"a \\\"b\\\".pdf\"", Some("a \"b\".pdf")),
            ("attachment", None),
            ("attachment; filename=\"\"", None),
            ("; = ;;", None),
        ] {
            assert_eq!(name_in(header).as_deref(), name, "{header}");
        }
    }

    #[test]
    fn a_part_that_is_everything_is_whole() {
        for (range, is) in [
            ("bytes 0-9/10", true),
            ("bytes 0-8/10", false),
            ("bytes 1-9/10", false),
            ("bytes 0-9/*", false),
            ("", false),
        ] {
            let headers = http::HeaderMap::from_iter([(header::CONTENT_RANGE, range.parse().unwrap())]);
            assert_eq!(is_whole(&headers), is, "{range}");
        }
        assert!(!is_whole(&http::HeaderMap::new()));
    }

    #[test]
    fn or_by_the_end_of_its_url() {
        let name = |url: &str| name_of(&Url::parse(url).unwrap());
        assert_eq!(name("https://a.example/b/c%20d.pdf?x=y").as_deref(), Some("c d.pdf"));
        assert_eq!(name("https://a.example/"), None);
    }
}
