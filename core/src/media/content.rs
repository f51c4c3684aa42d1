//! A type by content, and whether what a file is called agrees.
//!
//! Whoever names a type or a file may be mistaken (servers often are, browsers guess by names), so
//! content wins within a family: a PNG called `photo.jpg` is a PNG. Across families nobody is mistaken
//! innocently: a program called `invoice.pdf`, or a page for logging in where a picture was, is refused.

use super::Kind;

/// So many first bytes say what a file is.
pub const HEAD: usize = 8 << 10;

/// What WhatsApp's own voice notes are.
pub const VOICE: &str = "audio/ogg; codecs=opus";
const OGG: &str = "audio/ogg";
const ZIP: &str = "application/zip";
const OLE: &str = "application/x-ole-storage";
const HTML: &str = "text/html";
const XML: &str = "text/xml";
/// Of Windows.
const PROGRAM: &str = "application/vnd.microsoft.portable-executable";
const ANYTHING: &str = "application/octet-stream";

const IMAGES: &[&str] = &["image/jpeg", "image/png", "image/webp", "image/gif"];
const VIDEOS: &[&str] = &["video/mp4", "video/3gpp", "video/quicktime"];
const AUDIOS: &[&str] = &["audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", OGG, VOICE];
/// All that can be turned into a voice note; the browsers' own recorders make webm.
const VOICES: &[&str] = &[
    "audio/aac",
    "audio/amr",
    "audio/mpeg",
    "audio/mp4",
    OGG,
    VOICE,
    "audio/wav",
    "audio/flac",
    "audio/webm",
];
const STICKERS: &[&str] = &["image/webp"];

/// What servers say of what they know nothing about.
const GENERIC: &[&str] = &[
    ANYTHING,
    "binary/octet-stream",
    "application/binary",
    "application/x-download",
    "application/force-download",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
    // PHP says so of whatever a script writes.
    "text/html",
    "application/xhtml+xml",
    "application/unknown",
    "*/*",
];

/// Other words for the same, the ones that [`infer`] has among them.
const ALIASES: &[(&str, &str)] = &[
    ("image/jpg", "image/jpeg"),
    ("image/pjpeg", "image/jpeg"),
    ("image/x-png", "image/png"),
    ("audio/mp3", "audio/mpeg"),
    ("audio/x-mp3", "audio/mpeg"),
    ("audio/m4a", "audio/mp4"),
    ("audio/x-m4a", "audio/mp4"),
    ("audio/mp4a-latm", "audio/mp4"),
    ("audio/x-wav", "audio/wav"),
    ("audio/wave", "audio/wav"),
    ("audio/vnd.wave", "audio/wav"),
    ("audio/x-flac", "audio/flac"),
    ("audio/x-aac", "audio/aac"),
    ("audio/aacp", "audio/aac"),
    ("audio/opus", VOICE),
    ("audio/3gpp", "video/3gpp"),
    ("application/ogg", OGG),
    ("video/3gp", "video/3gpp"),
    ("video/3gpp2", "video/3gpp"),
    ("video/x-m4v", "video/mp4"),
    ("application/x-pdf", "application/pdf"),
    ("application/x-zip-compressed", ZIP),
    ("application/x-zip", ZIP),
    ("application/x-gzip", "application/gzip"),
    ("application/x-rar-compressed", "application/vnd.rar"),
    ("application/xml", XML),
    ("application/xhtml+xml", HTML),
    ("text/rtf", "application/rtf"),
    ("application/x-msdownload", PROGRAM),
    ("application/x-dosexec", PROGRAM),
    (
        "application/application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
];

/// By the end of a name, both ways: the first of a type is the one to give it.
const EXTENSIONS: &[(&str, &str)] = &[
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("png", "image/png"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heif"),
    ("svg", "image/svg+xml"),
    ("mp4", "video/mp4"),
    ("3gp", "video/3gpp"),
    ("mov", "video/quicktime"),
    ("aac", "audio/aac"),
    ("amr", "audio/amr"),
    ("mp3", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("ogg", OGG),
    ("ogg", VOICE),
    ("opus", VOICE),
    ("wav", "audio/wav"),
    ("pdf", "application/pdf"),
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("ppt", "application/vnd.ms-powerpoint"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odt", "application/vnd.oasis.opendocument.text"),
    ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
    ("odp", "application/vnd.oasis.opendocument.presentation"),
    ("epub", "application/epub+zip"),
    ("apk", "application/vnd.android.package-archive"),
    ("zip", ZIP),
    ("rar", "application/vnd.rar"),
    ("7z", "application/x-7z-compressed"),
    ("gz", "application/gzip"),
    ("rtf", "application/rtf"),
    ("csv", "text/csv"),
    ("txt", "text/plain"),
    ("vcf", "text/vcard"),
    ("ics", "text/calendar"),
    ("html", HTML),
    ("htm", HTML),
    ("xml", XML),
    ("json", "application/json"),
    ("exe", PROGRAM),
];

/// What a file is to be shown as, and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub kind: Kind,
    pub mime: String,
}

/// Why a file is not taken for what it is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeRefusal {
    #[error("the file is called {claimed}, and its content is {found}")]
    Mismatch { claimed: String, found: String },
    #[error("{} must be {}, and this is {found}", article(*.kind), .taken.join(", "))]
    NotOfKind { kind: Kind, taken: &'static [&'static str], found: String },
}

fn article(kind: Kind) -> String {
    let article = if matches!(kind, Kind::Image | Kind::Audio) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// Decides by a file's first [`HEAD`] bytes (all of a smaller one). `kind` is what it is to be sent as,
/// where somebody said so.
///
/// # Errors
/// When it is something else than it is called, or than is sent as `kind`.
pub fn judge(
    kind: Option<Kind>,
    declared: Option<&str>,
    file_name: Option<&str>,
    head: &[u8],
) -> Result<Verdict, TypeRefusal> {
    let found = sniff(head);
    let declared = declared.and_then(normal);
    // A name counts where it is all that its receiver will see.
    let named = file_name.filter(|_| kind.is_none_or(|kind| kind == Kind::Document)).and_then(by_name);
    for claimed in [declared.as_deref(), named].into_iter().flatten() {
        if !agrees(claimed, found, head) {
            let found = found.unwrap_or("something else").to_owned();
            return Err(TypeRefusal::Mismatch { claimed: claimed.to_owned(), found });
        }
    }
    let claimed = declared.or_else(|| named.map(str::to_owned));
    let mime = match (claimed, found) {
        (Some(claimed), None) => claimed,
        // A container says less than the name of what is in it.
        (Some(claimed), Some(ZIP | OLE | XML)) => claimed,
        (_, Some(found)) => found.to_owned(),
        (None, None) if is_text(head) => "text/plain".to_owned(),
        (None, None) => ANYTHING.to_owned(),
    };
    let kind = kind.unwrap_or_else(|| kind_of(&mime));
    let mime = match (kind, mime.as_str()) {
        // The same container, with or without pictures in it.
        (Kind::Audio | Kind::Voice, "video/mp4" | "video/3gpp" | "video/quicktime") => "audio/mp4".to_owned(),
        (Kind::Voice, "video/webm" | "video/x-matroska") => "audio/webm".to_owned(),
        _ => mime,
    };
    let taken = taken(kind);
    if taken.is_empty() || taken.contains(&mime.as_str()) {
        Ok(Verdict { kind, mime })
    } else {
        Err(TypeRefusal::NotOfKind { kind, taken, found: mime })
    }
}

/// Empty: anything.
fn taken(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Image => IMAGES,
        Kind::Video => VIDEOS,
        Kind::Audio => AUDIOS,
        Kind::Voice => VOICES,
        Kind::Sticker => STICKERS,
        Kind::Document => &[],
    }
}

fn kind_of(mime: &str) -> Kind {
    [(Kind::Image, IMAGES), (Kind::Video, VIDEOS), (Kind::Audio, AUDIOS)]
        .into_iter()
        .find_map(|(kind, types)| types.contains(&mime).then_some(kind))
        .unwrap_or(Kind::Document)
}

/// What first bytes are, where they tell.
pub fn sniff(head: &[u8]) -> Option<&'static str> {
    if let Some(brand) = head.get(4..12).and_then(|bytes| bytes.strip_prefix(b"ftyp")) {
        return Some(of_brand(brand));
    }
    if head.starts_with(b"OggS") {
        // The first page's one packet follows 27 bytes and a table of one entry.
        let is_opus = head.get(28..36) == Some(b"OpusHead");
        return Some(if is_opus { VOICE } else { OGG });
    }
    if head.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Some(OLE);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if is_html(text) {
        return Some(HTML);
    }
    if text.starts_with(b"<?xml") {
        return Some(XML);
    }
    // Two letters begin many a text as well; three bytes of sync begin no text.
    let found = infer::get(head)?.mime_type();
    let is_weak = found == PROGRAM && is_text(head);
    let known = ALIASES.iter().find_map(|(alias, mime)| (*alias == found).then_some(*mime)).unwrap_or(found);
    (known != ANYTHING && !is_weak).then_some(known)
}

/// Of ISO media files: mp4 and its relatives.
fn of_brand(brand: &[u8]) -> &'static str {
    match brand {
        b"M4A " | b"M4B " | b"F4A " => "audio/mp4",
        b"qt  " => "video/quicktime",
        b"avif" | b"avis" => "image/avif",
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => "image/heif",
        [b'3', b'g', ..] => "video/3gpp",
        _ => "video/mp4",
    }
}

fn is_html(text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 8] =
        [b"<!doctype html", b"<html", b"<head", b"<script", b"<body", b"<iframe", b"<title", b"<table"];
    BEGINNINGS.iter().any(|tag| {
        let ends = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))
            && ends(text.get(tag.len()))
    })
}

/// A type as it is compared: one spelling, no parameters, nothing generic.
fn normal(given: &str) -> Option<String> {
    let lower = given.trim().to_ascii_lowercase();
    let essence = lower.split(';').next().unwrap_or_default().trim();
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&b))
    };
    let (family, rest) = essence.split_once('/')?;
    if !is_token(family) || !is_token(rest) || essence.len() > 127 || GENERIC.contains(&essence) {
        return None;
    }
    if essence == OGG && lower.contains("opus") {
        return Some(VOICE.to_owned());
    }
    let known = ALIASES.iter().find_map(|(alias, mime)| (*alias == essence).then_some(*mime));
    Some(known.unwrap_or(essence).to_owned())
}

pub(super) fn by_name(name: &str) -> Option<&'static str> {
    let (_, end) = name.rsplit_once('.')?;
    EXTENSIONS.iter().find_map(|(ext, mime)| ext.eq_ignore_ascii_case(end).then_some(*mime))
}

/// The end of a name for a type; `bin` for one that has none.
pub fn extension(mime: &str) -> &'static str {
    EXTENSIONS.iter().find_map(|(ext, known)| (*known == mime).then_some(*ext)).unwrap_or("bin")
}

/// Could a file with this content be what somebody calls it?
fn agrees(claimed: &str, found: Option<&str>, head: &[u8]) -> bool {
    let family = |mime: &str| match mime.split_once('/') {
        // Sound alone may lie in a container for video, and is often called by its name.
        Some(("audio" | "video", _)) => "played",
        Some(("image", "svg+xml")) => "text",
        Some(("image", _)) => "image",
        _ => "",
    };
    let Some(found) = found else {
        // Nothing that we would have recognised, and text where that was said.
        return match family(claimed) {
            "played" | "image" => false,
            "text" => is_text(head),
            _ if is_signed(claimed) => false,
            _ if is_written(claimed) => is_text(head),
            _ => true,
        };
    };
    if claimed == found {
        return true;
    }
    // Many a format that we do not know lies in a common container.
    let is_free = |mime: &str| !is_signed(mime) && !is_written(mime) && family(mime).is_empty();
    match found {
        ZIP => in_zip(claimed) || is_free(claimed),
        OLE => in_ole(claimed) || is_free(claimed),
        XML => claimed.ends_with("xml") || is_free(claimed),
        // A page instead of what was to be there is the most common of all mistakes.
        HTML => claimed == "text/markdown",
        _ if is_free(claimed) => family(found).is_empty() && !is_program(found),
        _ => {
            let (claimed, found) = (family(claimed), family(found));
            !claimed.is_empty() && claimed == found
        }
    }
}

/// Files of this type begin in a way that [`sniff`] knows.
fn is_signed(mime: &str) -> bool {
    const SIGNED: [&str; 9] = [
        "application/pdf",
        "application/vnd.rar",
        "application/x-7z-compressed",
        "application/gzip",
        "application/rtf",
        PROGRAM,
        ZIP,
        HTML,
        OLE,
    ];
    SIGNED.contains(&mime) || in_zip(mime) || in_ole(mime)
}

fn in_zip(mime: &str) -> bool {
    mime.starts_with("application/vnd.openxmlformats-officedocument.")
        || mime.starts_with("application/vnd.oasis.opendocument.")
        || matches!(mime, "application/epub+zip" | "application/vnd.android.package-archive")
}

fn in_ole(mime: &str) -> bool {
    matches!(mime, "application/msword" | "application/vnd.ms-excel" | "application/vnd.ms-powerpoint")
}

fn is_program(mime: &str) -> bool {
    const PROGRAMS: [&str; 6] = [
        PROGRAM,
        "application/x-executable",
        "application/x-mach-binary",
        "application/java",
        "application/wasm",
        "text/x-shellscript",
    ];
    PROGRAMS.contains(&mime)
}

/// Files of this type are text.
fn is_written(mime: &str) -> bool {
    mime.starts_with("text/")
        || mime.ends_with("+xml")
        || mime.ends_with("+json")
        || matches!(
            mime,
            "application/json" | "application/x-ndjson" | "application/yaml" | "application/x-yaml"
        )
}

/// No byte that no text has. UTF-16 has them, and says so first.
fn is_text(head: &[u8]) -> bool {
    let is_utf16 = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let is_odd = |b: &u8| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    is_utf16 || !head.iter().any(is_odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
    const WEBP: &[u8] = b"RIFF\x24\0\0\0WEBPVP8 ";
    const PDF: &[u8] = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n";
    const EXE: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0";
    const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
    const M4A: &[u8] = b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom";
    const MP3: &[u8] = b"ID3\x04\0\0\0\0\0\0";
    const ZIPPED: &[u8] = b"PK\x03\x04\x14\0\0\0\x08\0";
    const OLD_WORD: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0";
    const PAGE: &[u8] = b"\n <!DOCTYPE html><html><body>Log in</body></html>";

    fn opus() -> Vec<u8> {
        let mut page = b"OggS\0\x02".to_vec();
        page.resize(26, 0);
        page.extend_from_slice(b"\x01\x13OpusHead\x01\x01");
        page
    }

    fn says(kind: &str, declared: &str, name: &str, head: &[u8]) -> Result<String, TypeRefusal> {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        judge(Kind::parse(kind), some(declared).as_deref(), some(name).as_deref(), head)
            .map(|verdict| format!("{} {}", verdict.kind, verdict.mime))
    }

    #[track_caller]
    fn is(kind: &str, declared: &str, name: &str, head: &[u8], verdict: &str) {
        assert_eq!(says(kind, declared, name, head).unwrap(), verdict);
    }

    #[track_caller]
    fn is_a_lie(kind: &str, declared: &str, name: &str, head: &[u8]) {
        let said = says(kind, declared, name, head);
        assert!(matches!(said, Err(TypeRefusal::Mismatch { .. })), "{said:?}");
    }

    #[track_caller]
    fn is_not_sent_so(kind: &str, declared: &str, head: &[u8]) {
        let said = says(kind, declared, "", head);
        assert!(matches!(said, Err(TypeRefusal::NotOfKind { .. })), "{said:?}");
    }

    #[test]
    fn content_says_what_a_file_is() {
        is("", "", "", PNG, "image image/png");
        is("", "", "", JPEG, "image image/jpeg");
        is("", "", "", WEBP, "image image/webp");
        is("sticker", "", "", WEBP, "sticker image/webp");
        is("", "", "", MP4, "video video/mp4");
        is("", "", "", M4A, "audio audio/mp4");
        is("", "", "", MP3, "audio audio/mpeg");
        is("", "", "", &opus(), "audio audio/ogg; codecs=opus");
        is("", "", "", PDF, "document application/pdf");
        is("", "", "", PAGE, "document text/html");
        is("", "", "", b"hello, world", "document text/plain");
        is("", "", "", b"\0\x01\x02\x03 what?", "document application/octet-stream");
        is("document", "", "", JPEG, "document image/jpeg");
    }

    #[test]
    fn a_mistake_within_a_family_is_mended() {
        is("image", "image/jpeg", "photo.jpg", PNG, "image image/png");
        is("", "image/jpg; charset=binary", "", JPEG, "image image/jpeg");
        is("document", "", "photo.jpg", PNG, "document image/png");
        is("", "application/octet-stream", "", PNG, "image image/png");
        for generic in ["text/plain", "text/html; charset=UTF-8", "TEXT/HTML", "application/xhtml+xml", ""] {
            is("", generic, "", PDF, "document application/pdf");
            is("image", generic, "", PNG, "image image/png");
            is("document", generic, "a.csv", b"a,b\n1,2\n", "document text/csv");
        }
        is("audio", "audio/mpeg", "", M4A, "audio audio/mp4");
        is("audio", "", "", MP4, "audio audio/mp4");
        is("voice", "audio/mp4", "", MP4, "voice audio/mp4");
        is("audio", "audio/ogg", "", &opus(), "audio audio/ogg; codecs=opus");
    }

    #[test]
    fn a_lie_is_refused() {
        is_a_lie("image", "image/jpeg", "", PAGE);
        is_a_lie("image", "image/jpeg", "", b"just some text");
        is_a_lie("document", "application/pdf", "", EXE);
        is_a_lie("document", "", "invoice.pdf", EXE);
        is_a_lie("document", "application/pdf", "invoice.pdf", PAGE);
        is_a_lie("", "application/pdf", "", ZIPPED);
        is_a_lie("document", "application/pdf", "", b"\0\x01\x02");
        is_a_lie("document", "text/csv", "", EXE);
        is_a_lie("document", "text/csv", "", PAGE);
        is_a_lie("document", "text/csv", "", b"a,b\n\0\0");
        is_a_lie("document", "", "page.html", EXE);
        is_a_lie("video", "video/mp4", "", PNG);
        is_a_lie("document", "image/png", "", ZIPPED);
        is_a_lie("document", "application/msword", "", ZIPPED);
        is_a_lie(
            "document",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "",
            PDF,
        );
    }

    #[test]
    fn what_cannot_be_sent_so_is_refused() {
        is_not_sent_so("image", "", PAGE);
        is_not_sent_so("image", "", PDF);
        is_not_sent_so("image", "", b"\0\x01\x02");
        is_not_sent_so("image", "", MP4);
        is_not_sent_so("sticker", "", PNG);
        is_not_sent_so("video", "", MP3);
        is_not_sent_so("audio", "", PNG);
        is_not_sent_so("audio", "", b"RIFF\0\0\0\0WAVEfmt ");
        is_not_sent_so("voice", "", PDF);
        let said = judge(Some(Kind::Image), None, None, PAGE).unwrap_err().to_string();
        assert_eq!(
            said,
            "an image must be image/jpeg, image/png, image/webp, image/gif, and this is text/html"
        );
    }

    #[test]
    fn a_container_is_what_it_is_called() {
        let sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
        is("document", sheet, "", ZIPPED, &format!("document {sheet}"));
        is("document", "", "list.xlsx", ZIPPED, &format!("document {sheet}"));
        is("document", "", "", ZIPPED, "document application/zip");
        is("document", "application/vnd.apple.pages", "", ZIPPED, "document application/vnd.apple.pages");
        is("document", "application/msword", "", OLD_WORD, "document application/msword");
        is("document", "", "old.doc", OLD_WORD, "document application/msword");
        is("document", "", "feed.xml", b"<?xml version='1.0'?><rss/>", "document text/xml");
        is("document", "image/svg+xml", "", b"<?xml version='1.0'?><svg/>", "document image/svg+xml");
        is("document", "text/csv", "a.csv", b"a,b\n1,2\n", "document text/csv");
        is("document", "application/json", "", b"{}", "document application/json");
        is("document", "application/x-own", "x.own", b"\0\x01", "document application/x-own");
    }

    #[test]
    fn text_that_begins_like_a_program_is_text() {
        is("document", "", "notes.txt", b"MZ is how a program begins", "document text/plain");
    }

    #[test]
    fn nothing_and_noise_are_told_without_a_panic() {
        for length in 0..64 {
            let _ = judge(None, Some("a/b"), Some("."), &vec![0xff; length]);
            let _ = judge(None, Some("///;;"), Some("x."), &opus()[..length.min(38)]);
        }
    }

    #[test]
    fn a_type_has_an_end_for_a_name() {
        assert_eq!(extension("image/jpeg"), "jpg");
        assert_eq!(extension(VOICE), "ogg");
        assert_eq!(extension("application/x-own"), "bin");
    }
}
