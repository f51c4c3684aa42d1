//! The protocol of WhatsApp's media hosts, without a network. Blocks.
//!
//! `POST {kind}/{token}?auth=…` uploads, with `&resume=1` it asks how much is there already, with
//! `&file_offset=…` it goes on (whatsapp-rust 0.7.0, src/upload.rs). `GET` of a direct path
//! downloads; the path is secret enough, a pass is looked at when one is shown (wacore 0.7.0,
//! src/download.rs, `MediaRoute`). Refusals mean what clients make of them: 401 and 403 make them
//! fetch a new pass, 404 and 410 say that the medium must be asked for again.

use std::io::{self, Read, Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Media;
use super::pass::{self, Pass};
use super::shelf::{CHUNK, Incoming, Token, Unwanted, path_id};
use crate::error::SandboxError;
use crate::limits;
use crate::net::Net;
use crate::stanza::now;

/// Where clients upload: wacore 0.7.0, `MediaType::upload_path`, and what Baileys has besides.
const UPLOADS: [&str; 11] = [
    "/mms/image",
    "/mms/video",
    "/mms/audio",
    "/mms/document",
    "/mms/md-msg-hist",
    "/mms/md-app-state",
    "/mms/sticker-pack",
    "/mms/thumbnail-sticker-pack",
    "/mms/thumbnail-link",
    "/product/image",
    "/pps/biz-cover-photo",
];

const DOWNLOADS: &str = "/v/";

/// What is asked of the host: the path with its query, from where and how much.
pub(super) struct Asked<'a> {
    pub target: &'a str,
    /// The book of the client, when the way it came says so.
    pub book: Option<&'a str>,
    /// The `Range` header.
    pub range: Option<&'a str>,
}

pub(super) struct Reply {
    pub status: u16,
    pub content: Content,
    /// To be waited for before anything is said: a fault.
    pub delay: Option<Duration>,
}

pub(super) enum Content {
    Json(Value),
    Blob(Blob),
}

pub(super) struct Blob {
    pub body: Box<dyn Read + Send>,
    /// What is promised of the body.
    pub length: u64,
    /// `Content-Range`, for a part.
    pub range: Option<String>,
}

impl Reply {
    fn json(status: u16, content: Value) -> Self {
        Self { status, content: Content::Json(content), delay: None }
    }

    pub(super) fn refusal(status: u16, why: &str) -> Self {
        Self::json(status, json!({ "error": { "code": status, "message": why } }))
    }
}

/// The words of a query, as far as clients use them.
#[derive(Default)]
struct Words<'a> {
    auth: Option<&'a str>,
    token: Option<&'a str>,
    is_progress_asked: bool,
    offset: u64,
}

/// Clients append `?auth=` to a path that has a query, so both signs part words.
fn split(target: &str) -> (&str, Words<'_>) {
    let mut parts = target.split(['?', '&']);
    let path = parts.next().unwrap_or_default();
    let mut words = Words::default();
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name {
            "auth" => words.auth = Some(value),
            "token" => words.token = Some(value),
            "resume" => words.is_progress_asked = value == "1",
            // A number that is none begins at the beginning, where the hash will tell.
            "file_offset" => words.offset = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
    (path, words)
}

/// Whose request it is. A pass that does not belong to the way it came is none.
fn whose(media: &Media, auth: &str, book: Option<&str>) -> Option<Pass> {
    let pass = pass::check(&media.secret, auth, now())?;
    book.is_none_or(|book| book == pass.book).then_some(pass)
}

// Upload

pub(super) fn upload(net: &Net, asked: &Asked<'_>, length: Option<u64>, body: &mut dyn Read) -> Reply {
    let (path, words) = split(asked.target);
    let Some((_, token)) = path.rsplit_once('/').filter(|(kind, _)| UPLOADS.contains(kind)) else {
        return Reply::refusal(404, "there is nothing here");
    };
    let Some(pass) = words.auth.and_then(|auth| whose(&net.media, auth, asked.book)) else {
        return Reply::refusal(401, "the pass is not valid or is over");
    };
    if is_unauthorized(net, &pass) {
        return Reply::refusal(401, "the pass is over");
    }
    let Some(token) = Token::parse(token) else {
        return Reply::refusal(400, "the token is no hash");
    };
    if words.is_progress_asked {
        return progress(net, &pass, token);
    }
    // Without a length it ends where its body ends: Baileys 6 uploads in chunks.
    let total = length.map(|length| words.offset.saturating_add(length));
    if total.unwrap_or(words.offset) > limits::BLOB_BYTES {
        return Reply::refusal(413, "a medium has at most 2 GiB");
    }
    let shelves = &net.media.shelves;
    let incoming = if words.offset == 0 {
        shelves.begin(&pass.book, total, &net.journal).map(Some)
    } else {
        shelves.resume(&pass.book, token, words.offset, total, &net.journal)
    };
    match incoming {
        Ok(Some(incoming)) => receive(net, incoming, token, &mut body.take(length.unwrap_or(u64::MAX))),
        Ok(None) => Reply::refusal(416, "the upload did not break off there"),
        Err(error) => no_room(&error),
    }
}

fn progress(net: &Net, pass: &Pass, token: Token) -> Reply {
    let done = net.media.shelves.publish(&pass.book, token, &net.journal);
    let mut answer = done.map_or_else(|| json!({}), |direct_path| addresses(net, &direct_path));
    let is_complete = answer.get("direct_path").is_some();
    let resume = if is_complete {
        "complete".to_owned()
    } else {
        net.media.shelves.progress(&pass.book, token).to_string()
    };
    answer["resume"] = resume.into();
    settled(net);
    Reply::json(200, answer)
}

fn receive(net: &Net, mut incoming: Incoming, token: Token, body: &mut dyn Read) -> Reply {
    let mut buffer = vec![0; CHUNK];
    let copied = loop {
        match body.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(count) => {
                if let Err(error) = incoming.expect_more(count as u64, &net.journal) {
                    return no_room(&error);
                }
                if let Err(error) = io::Write::write_all(&mut incoming, &buffer[..count]) {
                    break Err(error);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
    };
    if copied.is_err() || !incoming.is_complete() {
        incoming.keep_part(token);
        return Reply::refusal(400, "the upload broke off");
    }
    match net.media.shelves.finish(incoming, Some(token), &net.journal) {
        Ok(stored) => {
            settled(net);
            Reply::json(200, addresses(net, &stored.direct_path))
        }
        Err(Unwanted::WrongHash) => Reply::refusal(400, "the bytes are not what the token says"),
        Err(error) => Reply::refusal(500, &error.to_string()),
    }
}

fn no_room(error: &SandboxError) -> Reply {
    let status = match error {
        SandboxError::LimitReached(_) => 507,
        SandboxError::Invalid(_) => 413,
        _ => 500,
    };
    Reply::refusal(status, &error.to_string())
}

fn addresses(net: &Net, direct_path: &str) -> Value {
    json!({ "url": format!("https://{}{direct_path}", net.media.host()), "direct_path": direct_path })
}

/// What is answered is kept: a crash must not take it back.
fn settled(net: &Net) {
    futures::executor::block_on(net.journal.settled());
}

// Download

pub(super) fn download(net: &Arc<Net>, asked: &Asked<'_>) -> Reply {
    let (path, words) = split(asked.target);
    let named = path.strip_prefix(DOWNLOADS).and_then(|rest| rest.split_once('/'));
    let Some((book, name)) = named.filter(|(book, _)| asked.book.is_none_or(|own| own == *book)) else {
        return Reply::refusal(404, "there is nothing here");
    };
    let pass = match words.auth.map(|auth| whose(&net.media, auth, Some(book))) {
        Some(None) => return Reply::refusal(401, "the pass is not valid or is over"),
        Some(pass) => pass,
        None => None,
    };
    let trouble = pass.map(|pass| trouble(net, &pass)).unwrap_or_default();
    if let Some(refusal) = trouble.refusal {
        return refusal;
    }
    let Some(found) = path_id(name).and_then(|id| net.media.shelves.find(book, id)) else {
        return Reply::refusal(404, "there is nothing here");
    };
    if words.token.is_some_and(|token| Token::parse(token) != Some(found.token)) {
        return Reply::refusal(403, "the token is not that of this path");
    }
    if found.is_gone {
        return Reply::refusal(410, "it is no longer here");
    }
    let Some((mut file, bytes)) = net.media.shelves.open(book, found.token) else {
        return Reply::refusal(404, "there is nothing here");
    };
    let (status, start, length, range) = match asked.range.map(|range| part(range, bytes)) {
        None => (200, 0, bytes, None),
        Some(Some((start, end))) => {
            (206, start, end - start + 1, Some(format!("bytes {start}-{end}/{bytes}")))
        }
        Some(None) => {
            let refused = Reply::refusal(416, "there is no such part");
            return refused;
        }
    };
    if file.seek(SeekFrom::Start(start)).is_err() {
        return Reply::refusal(500, "the file cannot be read");
    }
    let given = if trouble.is_truncated { length / 2 } else { length };
    let body = Box::new(file.take(given));
    Reply { status, content: Content::Blob(Blob { body, length, range }), delay: trouble.delay }
}

/// The first and the last byte of `bytes=…`; `None` when there is no such part. Of several parts
/// only the first is given, which clients of WhatsApp never ask for.
fn part(range: &str, bytes: u64) -> Option<(u64, u64)> {
    let range = range.strip_prefix("bytes=")?.split(',').next()?.trim();
    let last = bytes.checked_sub(1)?;
    let (first, end) = match range.split_once('-')? {
        ("", count) => (bytes.saturating_sub(count.parse().ok()?), last),
        (first, "") => (first.parse().ok()?, last),
        (first, end) => (first.parse().ok()?, end.parse::<u64>().ok()?.min(last)),
    };
    (first <= end).then_some((first, end))
}

/// The faults that strike one download.
#[derive(Default)]
struct Trouble {
    refusal: Option<Reply>,
    delay: Option<Duration>,
    is_truncated: bool,
}

fn trouble(net: &Net, pass: &Pass) -> Trouble {
    if is_unauthorized(net, pass) {
        return Trouble { refusal: Some(Reply::refusal(401, "the pass is over")), ..Trouble::default() };
    }
    let Some(account) = net.account(&pass.book, &pass.phone) else {
        return Trouble::default();
    };
    let faults = &mut account.state.lock().faults;
    if faults.hides_medium() {
        return Trouble { refusal: Some(Reply::refusal(404, "there is nothing here")), ..Trouble::default() };
    }
    Trouble { refusal: None, delay: faults.slow_media, is_truncated: faults.truncates_medium() }
}

fn is_unauthorized(net: &Net, pass: &Pass) -> bool {
    let account = net.account(&pass.book, &pass.phone);
    account.is_none_or(|account| account.state.lock().faults.refuses_pass())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_http_has_them() {
        assert_eq!(part("bytes=0-9", 100), Some((0, 9)));
        assert_eq!(part("bytes=90-", 100), Some((90, 99)));
        assert_eq!(part("bytes=-10", 100), Some((90, 99)));
        assert_eq!(part("bytes=50-500", 100), Some((50, 99)));
        for wrong in ["bytes=100-", "bytes=9-3", "bytes=x-", "lines=1-2", "bytes=-0"] {
            assert_eq!(part(wrong, 100), None, "{wrong}");
        }
        assert_eq!(part("bytes=0-", 0), None);
    }

    #[test]
    fn words_are_found_behind_a_path_that_has_a_query() {
        let (path, words) = split("/v/shop/abc.enc?ccb=11-4?auth=A&token=T");
        assert_eq!((path, words.auth, words.token), ("/v/shop/abc.enc", Some("A"), Some("T")));
    }
}
