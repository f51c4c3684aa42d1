//! Files that are not what they say, and servers that are not what they seem: a clear error each, in bounded
//! time and memory.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use image::ImageFormat;
use serde_json::json;

use super::host::{Host, Reply};
use super::retention::blobs;
use super::{MEDIA, noise, picture};
use crate::app::{Answer, TestApp};

const PAGE: &[u8] = b"<!DOCTYPE html><html><body>Please log in</body></html>";
const PROGRAM: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0\0\0\0\0@\0\0\0\0\0\0\0PE\0\0";
const PDF: &[u8] = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\n%%EOF\n";

/// A PNG that says it is that large, with as much data as a few rows have.
pub fn bomb(width: u32, height: u32) -> Vec<u8> {
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let length = u32::try_from(content.len()).expect("small");
        let named = [name.as_slice(), content].concat();
        let mut sum = flate2::Crc::new();
        sum.update(&named);
        [&length.to_be_bytes(), named.as_slice(), &sum.sum().to_be_bytes()].concat()
    };
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let mut rows = ZlibEncoder::new(vec![], Compression::best());
    rows.write_all(&vec![0; 4 << 20]).expect("memory takes all");
    let rows = rows.finish().expect("memory takes all");
    let parts = [chunk(b"IHDR", &head), chunk(b"IDAT", &rows), chunk(b"IEND", &[])].concat();
    [b"\x89PNG\r\n\x1a\n".as_slice(), &parts].concat()
}

/// What this process holds in memory, in bytes; each test has a process of its own.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).map_or(0, |pages| pages.parse::<usize>().expect("a number") << 12)
}

fn is_left(app: &TestApp) -> usize {
    blobs(app.dir.path()).len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_lies_is_refused() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let jpeg = picture(60, 40, ImageFormat::Jpeg);
    let png = picture(60, 40, ImageFormat::Png);
    let webp = picture(512, 512, ImageFormat::WebP);
    let cut = |file: &[u8]| file[..file.len() * 2 / 3].to_vec();
    let cases: Vec<(&str, &str, &str, Vec<u8>, &str)> = vec![
        ("a page called a picture", "?type=image", "image/jpeg", PAGE.to_vec(), "MEDIA_TYPE_MISMATCH"),
        ("a page sent as a picture", "?type=image", "", PAGE.to_vec(), "MEDIA_TYPE_NOT_ALLOWED"),
        (
            "a program called a PDF",
            "?type=document",
            "application/pdf",
            PROGRAM.to_vec(),
            "MEDIA_TYPE_MISMATCH",
        ),
        ("the same by its name", "?fileName=invoice.pdf", "", PROGRAM.to_vec(), "MEDIA_TYPE_MISMATCH"),
        ("a page called a PDF", "?fileName=a.pdf", "application/pdf", PAGE.to_vec(), "MEDIA_TYPE_MISMATCH"),
        ("a PDF sent as a video", "?type=video", "", PDF.to_vec(), "MEDIA_TYPE_NOT_ALLOWED"),
        ("a picture called a video", "?type=video", "video/mp4", png.clone(), "MEDIA_TYPE_MISMATCH"),
        ("a pixel bomb", "?type=image", "image/png", bomb(60_000, 60_000), "MEDIA_DIMENSIONS"),
        ("a flat one", "?type=image", "image/png", bomb(1, 10_001), "MEDIA_DIMENSIONS"),
        ("one that says too little", "?type=image", "image/png", bomb(9_000, 9_000), "MEDIA_DIMENSIONS"),
        ("a half JPEG", "?type=image", "image/jpeg", cut(&jpeg), "MEDIA_DAMAGED"),
        ("a half PNG", "?type=image", "image/png", cut(&png), "MEDIA_DAMAGED"),
        ("a half WebP", "?type=image", "image/webp", cut(&webp), "MEDIA_DAMAGED"),
        ("a half sticker", "?type=sticker", "image/webp", cut(&webp), "MEDIA_DAMAGED"),
        (
            "a sticker of another size",
            "?type=sticker",
            "",
            picture(511, 512, ImageFormat::WebP),
            "MEDIA_DIMENSIONS",
        ),
        (
            "a sticker that is no WebP",
            "?type=sticker",
            "",
            picture(512, 512, ImageFormat::Png),
            "MEDIA_TYPE_NOT_ALLOWED",
        ),
        (
            "a video without its index",
            "?type=video",
            "",
            b"\0\0\0\x14ftypisom\0\0\0\0isom\0\0\0\x08mdat".to_vec(),
            "MEDIA_DAMAGED",
        ),
        ("the first bytes of a picture", "?type=image", "", b"\x89PNG\r\n\x1a\n".to_vec(), "MEDIA_DAMAGED"),
    ];
    for (what, query, content_type, file, code) in cases {
        let (before, began) = (resident(), Instant::now());
        let answer = shop.test.upload(query, content_type, file).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, code), "{what}: {}", answer.text);
        assert!(began.elapsed() < Duration::from_secs(10), "{what} took {:?}", began.elapsed());
        let grown = resident().saturating_sub(before);
        assert!(grown < 64 << 20, "{what} took {grown} bytes of memory");
    }
    assert_eq!(is_left(&app), 0, "something is left of what was refused");
    // Each of them whole, and as what it is.
    for (query, content_type, file) in [
        ("?type=image", "image/jpeg", jpeg),
        ("?type=image", "image/png", png),
        ("?type=image", "image/png", picture(1, 9_000, ImageFormat::Png)),
        ("?type=sticker", "image/webp", webp),
        ("?type=document", "", PROGRAM.to_vec()),
        ("?fileName=a.pdf", "application/pdf", PDF.to_vec()),
        ("?type=document", "text/html", PAGE.to_vec()),
    ] {
        shop.test.upload(query, content_type, file).await.ok();
    }
}

/// A picture that decodes to more than its pixels: rows that go on and on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decompression_bomb_is_refused_or_harmless() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let before = resident();
    // 4 MiB of zeros for a picture of 12 bytes: the rest is not for it to decode.
    let answer = shop.test.upload("?type=image", "image/png", bomb(2, 2)).await;
    assert!(answer.status == 200 || answer.code() == "MEDIA_DAMAGED", "{}", answer.text);
    // Rows for less than it says.
    let answer = shop.test.upload("?type=image", "image/png", bomb(4_000, 4_000)).await;
    answer.refused(400, "MEDIA_DAMAGED");
    let grown = resident().saturating_sub(before);
    assert!(grown < 128 << 20, "{grown} bytes of memory");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_read_up_to_its_limit() {
    let app = TestApp::with(crate::app::Engine::Sqlite, |config| {
        config.media_document_max = wapid::config::Size(1 << 20);
    })
    .await;
    let shop = app.tenant("shop").await;
    shop.test.upload("?type=document", "", noise(1 << 20)).await.ok();
    shop.test.upload("?type=document", "", noise((1 << 20) + 1)).await.refused(400, "MEDIA_TOO_LARGE");
    // By its content it is a sticker's or a picture's limit that counts.
    let mut large = picture(512, 512, ImageFormat::WebP);
    large.resize(600_000, 0);
    shop.test.upload("?type=sticker", "", large).await.refused(400, "MEDIA_TOO_LARGE");
    let mut large = picture(50, 50, ImageFormat::Jpeg);
    large.resize((16 << 20) + 1, 0);
    shop.test.upload("", "image/jpeg", large).await.refused(400, "MEDIA_TOO_LARGE");
    assert_eq!(is_left(&app), 1);
}

/// What a URL that answers so comes to.
async fn fetched(app: &TestApp, reply: Reply, kind: &str) -> (Answer, Host) {
    let host = Host::new(reply).await;
    let shop = app.tenant(&format!("shop {}", host.url)).await;
    let answer = shop.test.post(MEDIA, json!({"mediaUrl": host.url, "type": kind})).await;
    (answer, host)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_keep_to_the_rules_is_given_up() {
    let app = TestApp::new().await;
    let mut gzip = GzEncoder::new(vec![], Compression::best());
    gzip.write_all(&vec![0; 50 << 20]).expect("memory takes all");
    let gzip = gzip.finish().expect("memory takes all");
    let photo = picture(40, 40, ImageFormat::Jpeg);
    let ok = "HTTP/1.1 200 OK\r\n";
    let short = [
        format!("{ok}content-length: {}\r\nconnection: close\r\n\r\n", photo.len() + 9).into_bytes(),
        photo.clone(),
    ];
    let long = [format!("{ok}content-length: {}\r\n\r\n", photo.len() - 9).into_bytes(), photo.clone()];
    let huge = format!("{ok}content-length: 9999999999\r\n\r\n").into_bytes();
    let mut head = noise(8 << 10);
    head[..photo.len().min(8 << 10)].copy_from_slice(&photo[..photo.len().min(8 << 10)]);
    for (what, reply, code, within) in [
        ("compressed", Reply::with("content-encoding: gzip\r\n", &gzip), "MEDIA_URL_FAILED", 5),
        ("not all that was promised", Reply::Raw(short.concat()), "MEDIA_URL_FAILED", 5),
        ("more than was promised", Reply::Raw(long.concat()), "MEDIA_DAMAGED", 5),
        ("too much by its own word", Reply::Raw(huge), "MEDIA_TOO_LARGE", 5),
        ("endless", Reply::Endless(format!("{ok}connection: close\r\n\r\n"), head), "MEDIA_TOO_LARGE", 30),
        ("slow", Reply::Drip(format!("{ok}content-length: 100000\r\n\r\n")), "MEDIA_URL_FAILED", 20),
        ("nothing there", Reply::status(404), "MEDIA_URL_FAILED", 5),
        ("not for us", Reply::status(403), "MEDIA_URL_FAILED", 5),
        ("broken", Reply::status(500), "MEDIA_URL_FAILED", 5),
        ("no content", Reply::status(204), "MEDIA_URL_FAILED", 5),
        ("empty", Reply::with("", b""), "MEDIA_EMPTY", 5),
        ("not HTTP", Reply::Raw(b"220 mail.example ESMTP\r\n".to_vec()), "MEDIA_URL_FAILED", 5),
        ("a page for a picture", Reply::file("text/html", PAGE), "MEDIA_TYPE_NOT_ALLOWED", 5),
        ("a page called a picture", Reply::file("image/jpeg", PAGE), "MEDIA_TYPE_MISMATCH", 5),
    ] {
        let (before, began) = (resident(), Instant::now());
        let (answer, host) = fetched(&app, reply, "image").await;
        assert_eq!(answer.code(), code, "{what}: {}", answer.text);
        assert!(began.elapsed() < Duration::from_secs(within), "{what} took {:?}", began.elapsed());
        // The kernel takes some on its way.
        assert!(host.written() < 48 << 20, "{what} could write {} bytes", host.written());
        let grown = resident().saturating_sub(before);
        assert!(grown < 48 << 20, "{what} took {grown} bytes of memory");
    }
    assert_eq!(is_left(&app), 0);
    let (answer, _host) = fetched(&app, Reply::file("image/jpeg", &photo), "image").await;
    answer.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_leads_only_where_a_url_may() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let photo = picture(40, 40, ImageFormat::Jpeg);
    let host = Host::answering(move |path| match path {
        "/photo.jpg" => Reply::file("image/jpeg", &photo),
        "/1" => Reply::redirect("/2"),
        "/2" => Reply::redirect("3?x=y"),
        "/3?x=y" => Reply::redirect("/photo.jpg"),
        "/0" => Reply::redirect("/1"),
        "/loop" => Reply::redirect("/loop"),
        "/private" => Reply::redirect("http://10.0.0.1/photo.jpg"),
        "/metadata" => Reply::redirect("http://169.254.169.254/latest/meta-data/"),
        "/next-door" => Reply::redirect("http://127.0.0.2:80/"),
        "/user" => Reply::redirect("http://me:pw@127.0.0.1/"),
        "/file" => Reply::redirect("file:///etc/passwd"),
        "/ftp" => Reply::redirect("ftp://127.0.0.1/x"),
        "/port" => Reply::redirect("http://93.184.216.34:22/"),
        "/nowhere" => Reply::Raw(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".to_vec()),
        _ => Reply::status(404),
    })
    .await;
    let fetch = async |path: &str| {
        let url = format!("{}{path}", host.url);
        shop.test.post(MEDIA, json!({"mediaUrl": url, "type": "image"})).await
    };
    let media = fetch("/1").await.ok();
    assert_eq!(media["fileName"], "photo.jpg", "it is called by where it was");
    for (path, code) in [
        ("/0", "MEDIA_URL_FAILED"),
        ("/loop", "MEDIA_URL_FAILED"),
        ("/private", "MEDIA_URL_REFUSED"),
        ("/metadata", "MEDIA_URL_REFUSED"),
        ("/next-door", "MEDIA_URL_REFUSED"),
        ("/user", "MEDIA_URL_REFUSED"),
        ("/file", "MEDIA_URL_REFUSED"),
        ("/ftp", "MEDIA_URL_REFUSED"),
        ("/port", "MEDIA_URL_REFUSED"),
        ("/nowhere", "MEDIA_URL_FAILED"),
    ] {
        let answer = fetch(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, code), "{path}: {}", answer.text);
    }
    assert_eq!(
        host.heads().iter().filter(|head| head.starts_with("GET /loop ")).count(),
        4,
        "and no further"
    );
    for url in ["http://10.0.0.1/a.jpg", "http://[::1]/a", "http://169.254.169.254/", "http://10.1/"] {
        let asked = shop.test.post(MEDIA, json!({"mediaUrl": url})).await;
        asked.refused(400, "MEDIA_URL_REFUSED");
    }
    // A live key asks by TLS only, but of whom the operator allows.
    let live = shop.live.post(MEDIA, json!({"mediaUrl": "http://93.184.216.34/a.jpg"})).await;
    live.refused(400, "MEDIA_URL_REFUSED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_drips_is_given_up_and_holds_up_nobody() {
    let app = TestApp::new().await;
    let (slow, quick) = (app.tenant("slow").await, app.tenant("quick").await);
    let drip = || {
        let bytes = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Some((Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"x")), ()))
        });
        reqwest::Body::wrap_stream(bytes)
    };
    let began = Instant::now();
    let dripping: Vec<_> = (0..20)
        .map(|_| {
            let (caller, body) = (slow.test.clone(), drip());
            tokio::spawn(async move { caller.upload("?type=document", "text/csv", body).await })
        })
        .collect();
    for _ in 0..20 {
        quick.test.upload("", "text/plain", "quick").await.ok();
    }
    assert!(began.elapsed() < Duration::from_secs(10), "the others waited {:?}", began.elapsed());
    for one in dripping {
        let answer = one.await.expect("no panic");
        let code = answer.code();
        assert!(["BODY_TIMEOUT", "MEDIA_BUSY"].contains(&code.as_str()), "{}", answer.text);
    }
    assert!(began.elapsed() < Duration::from_secs(60), "they held on for {:?}", began.elapsed());
    assert_eq!(is_left(&app), 20);
}
