//! The media host: what clients may do there, what they may not, and what becomes of media.

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use wacore::download::{Downloadable, MediaType};
use wacore::media_retry::MediaRetryResult;
use wacore::net::{HttpClient, HttpRequest, HttpResponse};
use wapid_sandbox::{Fault, FaultKind, MessageKind, PhoneMessage, Sandbox, Storage};
use whatsapp_rust::Jid;
use whatsapp_rust::features::MediaReuploadRequest;

use crate::kinds::collected;
use crate::support::{
    ALICE, BOB, BOOK, CAROL, DEADLINE, Linked, Parts, bytes, linked, network, people, serve, sha256, shown,
    start,
};

/// What a client does at the host, by hand.
pub struct AtHost {
    http: Arc<dyn HttpClient>,
    pub auth: String,
}

impl AtHost {
    pub async fn of(client: &Linked, http: Arc<dyn HttpClient>) -> Self {
        let conn = client.client.refresh_media_conn(true).await.expect("a media connection");
        Self { http, auth: conn.auth }
    }

    async fn upload_to(&self, path: &str, query: &str, body: &[u8]) -> HttpResponse {
        let url = format!("https://anything.example{path}?{query}");
        self.http.execute(HttpRequest::post(url).with_body(body.to_vec())).await.expect("an answer")
    }

    pub async fn upload(&self, token: &str, more: &str, body: &[u8]) -> HttpResponse {
        self.upload_to(
            &format!("/mms/image/{token}"),
            &format!("auth={}&token={token}{more}", self.auth),
            body,
        )
        .await
    }

    pub async fn get(&self, path: &str) -> HttpResponse {
        self.http
            .execute(HttpRequest::get(format!("https://anything.example{path}")))
            .await
            .expect("an answer")
    }

    async fn part(&self, path: &str, range: &str) -> HttpResponse {
        let request = HttpRequest::get(format!("https://anything.example{path}")).with_header("Range", range);
        self.http.execute(request).await.expect("an answer")
    }
}

pub fn token(body: &[u8]) -> String {
    BASE64.encode(Sha256::digest(body))
}

pub fn field(answer: &HttpResponse, name: &str) -> String {
    let json: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    json[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}")).to_owned()
}

#[tokio::test]
async fn what_is_uploaded_is_downloaded_in_whole_and_in_parts() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let host = AtHost::of(&alice, sandbox.http(BOOK)).await;
    let blob = bytes(10_000);
    let answer = host.upload(&token(&blob), "", &blob).await;
    assert_eq!(answer.status_code, 200);
    let path = field(&answer, "direct_path");
    assert!(field(&answer, "url").ends_with(&path));
    assert_eq!(host.get(&path).await.body, blob);
    // As whatsapp-rust asks for it.
    let asked = host.get(&format!("{path}?auth={}&token={}", host.auth, token(&blob))).await;
    assert_eq!((asked.status_code, asked.body.len()), (200, 10_000));
    let part = host.part(&path, "bytes=100-199").await;
    assert_eq!((part.status_code, part.body), (206, blob[100..200].to_vec()));
    let end = host.part(&path, "bytes=-5").await;
    assert_eq!((end.status_code, end.body), (206, blob[9_995..].to_vec()));
    assert_eq!(host.part(&path, "bytes=10000-").await.status_code, 416);
    // Twice is once.
    assert_eq!(field(&host.upload(&token(&blob), "", &blob).await, "direct_path"), path);
}

#[tokio::test]
async fn what_is_wrong_with_an_upload_is_refused() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let host = AtHost::of(&alice, sandbox.http(BOOK)).await;
    let blob = bytes(1_000);
    let right = token(&blob);
    let status = async |answer: HttpResponse| answer.status_code;
    assert_eq!(status(host.upload(&token(b"other"), "", &blob).await).await, 400, "another hash");
    assert_eq!(status(host.upload("nonsense", "", &blob).await).await, 400, "no hash");
    for auth in ["", "auth=forged.pass", &format!("auth={}x", host.auth)] {
        let answer = host.upload_to(&format!("/mms/image/{right}"), auth, &blob).await;
        assert_eq!(answer.status_code, 401, "{auth}");
    }
    for path in ["/mms/unknown/", "/elsewhere/", "/"] {
        let answer = host.upload_to(&format!("{path}{right}"), &format!("auth={}", host.auth), &blob).await;
        assert_eq!(answer.status_code, 404, "{path}");
    }
    let nothing = host.get(&format!("/v/{BOOK}/0123456789abcdef.enc")).await;
    assert_eq!(nothing.status_code, 404);
    // A book does not reach into another one, also with a path that is right.
    let path = field(&host.upload(&right, "", &blob).await, "direct_path");
    sandbox.create_phone("bank", BOB, "Bob").await.expect("a phone");
    let elsewhere = AtHost { http: sandbox.http("bank"), auth: host.auth.clone() };
    assert_eq!(elsewhere.get(&path).await.status_code, 404);
    assert_eq!(elsewhere.upload(&right, "", &blob).await.status_code, 401);
    // The hash in a download must be that of the path.
    let wrong = host.get(&format!("{path}&token={}", token(b"other"))).await;
    assert_eq!(wrong.status_code, 403);
    let forged = host.get(&format!("{path}&auth=forged.pass")).await;
    assert_eq!(forged.status_code, 401);
    assert_eq!(host.get(&path).await.body, blob);
}

/// Bytes without an end that nobody has to hold.
struct Endless;

impl Read for Endless {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        to.fill(7);
        Ok(to.len())
    }
}

#[tokio::test]
async fn an_upload_that_is_too_large_is_not_even_read() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let host = AtHost::of(&alice, sandbox.http(BOOK)).await;
    let url = format!("https://anything.example/mms/document/{}?auth={}", token(b"x"), host.auth);
    let http = sandbox.http(BOOK);
    let answer = tokio::task::spawn_blocking(move || {
        http.execute_upload(HttpRequest::post(url), Box::new(Endless), (2 << 30) + 27)
    })
    .await
    .expect("no panic")
    .expect("an answer");
    assert_eq!(answer.status_code, 413);
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_where_it_was() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let host = AtHost::of(&alice, sandbox.http(BOOK)).await;
    let blob = bytes(300_000);
    let right = token(&blob);
    let url = format!("https://anything.example/mms/image/{right}?auth={}&token={right}", host.auth);
    let (http, begun) = (sandbox.http(BOOK), blob[..100_000].to_vec());
    let cut = tokio::task::spawn_blocking(move || {
        http.execute_upload(HttpRequest::post(url), Box::new(Cursor::new(begun)), 300_000)
    });
    assert_eq!(cut.await.expect("no panic").expect("an answer").status_code, 400);
    assert_eq!(field(&host.upload(&right, "&resume=1", b"").await, "resume"), "100000");
    assert_eq!(host.upload(&right, "&file_offset=50000", &blob[50_000..]).await.status_code, 416);
    let rest = host.upload(&right, "&file_offset=100000", &blob[100_000..]).await;
    assert_eq!(rest.status_code, 200);
    assert_eq!(host.get(&field(&rest, "direct_path")).await.body, blob);
    let again = host.upload(&right, "&resume=1", b"").await;
    assert_eq!(
        (field(&again, "resume"), field(&again, "direct_path")),
        ("complete".into(), field(&rest, "direct_path"))
    );
    // One that goes on with something else is what it is not.
    let other = bytes(50_000);
    let url = format!("https://anything.example/mms/image/{}?auth={}", token(&other), host.auth);
    let (http, begun) = (sandbox.http(BOOK), other[..10_000].to_vec());
    let cut = tokio::task::spawn_blocking(move || {
        http.execute_upload(HttpRequest::post(url), Box::new(Cursor::new(begun)), 50_000)
    });
    assert_eq!(cut.await.expect("no panic").expect("an answer").status_code, 400);
    let wrong = host.upload(&token(&other), "&file_offset=10000", &blob[..40_000]).await;
    assert_eq!(wrong.status_code, 400);
    assert_eq!(field(&host.upload(&token(&other), "&resume=1", b"").await, "resume"), "0");
}

#[tokio::test]
async fn a_client_whose_pass_is_over_gets_another() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let data = bytes(1_000);
    alice.client.upload(data.clone(), MediaType::Image, Default::default()).await.expect("uploads");
    sandbox.fault(BOOK, ALICE, FaultKind::MediaUnauthorized.into()).await.expect("a fault");
    alice.client.upload(data, MediaType::Image, Default::default()).await.expect("uploads with a new pass");
}

async fn image_from_carol(
    sandbox: &Sandbox,
    alice: &Linked,
) -> (String, waproto::whatsapp::message::ImageMessage) {
    let out = PhoneMessage::media(ALICE, MessageKind::Image, bytes(20_000));
    let id = sandbox.send(BOOK, CAROL, out).await.expect("sent");
    let message = alice.message(&id).await;
    (id, message.image_message.into_option().expect("an image"))
}

#[tokio::test]
async fn downloads_fail_as_told_and_then_work() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (_, image) = image_from_carol(&sandbox, &alice).await;
    let strike = async |kind, count| {
        let fault = Fault { count: Some(count), ..Fault::from(kind) };
        sandbox.fault(BOOK, ALICE, fault).await.expect("a fault");
    };
    // The client asks twice, with another pass the second time.
    strike(FaultKind::MediaMissing, 2).await;
    let missing = alice.client.download(&image).await.expect_err("is missing");
    assert!(format!("{missing:#}").contains("404"), "{missing:#}");
    strike(FaultKind::TruncatedMedia, 1).await;
    alice.client.download(&image).await.expect_err("is truncated");
    let slow = Fault { ms: Some(200), ..Fault::from(FaultKind::SlowMedia) };
    sandbox.fault(BOOK, ALICE, slow).await.expect("a fault");
    let begun = std::time::Instant::now();
    assert_eq!(alice.download(&image).await, bytes(20_000));
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

fn request<'a>(id: &'a str, chat: &'a Jid, image: &'a dyn Downloadable) -> MediaReuploadRequest<'a> {
    MediaReuploadRequest {
        msg_id: id,
        chat_jid: chat,
        media_key: image.media_key().expect("a key"),
        is_from_me: false,
        participant: None,
    }
}

#[tokio::test]
async fn a_medium_that_expired_is_put_on_the_host_again_by_the_phone() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (id, mut image) = image_from_carol(&sandbox, &alice).await;
    sandbox.fault(BOOK, ALICE, FaultKind::MediaExpired.into()).await.expect("a fault");
    let gone = alice.client.download(&image).await.expect_err("is gone");
    assert!(format!("{gone:#}").contains("410"), "{gone:#}");

    let chat = Jid::pn(CAROL);
    let answer =
        alice.client.media_reupload().request(&request(&id, &chat, &image)).await.expect("an answer");
    let MediaRetryResult::Success { direct_path } = answer else { panic!("{answer:?}") };
    image.direct_path = Some(direct_path);
    assert_eq!(alice.download(&image).await, bytes(20_000));

    // Somebody who does not know the key of the medium learns nothing.
    let mut guess = image.clone();
    guess.media_key = Some(vec![9; 32]);
    let answer = alice.client.media_reupload().request(&request(&id, &chat, &guess)).await;
    let answer = answer.expect("an answer");
    assert!(matches!(answer, MediaRetryResult::DecryptionError), "{answer:?}");
    // Nor about a message that the phone never had.
    let answer = alice.client.media_reupload().request(&request("NONE", &chat, &image)).await;
    let answer = answer.expect("an answer");
    assert!(matches!(answer, MediaRetryResult::NotFound), "{answer:?}");
}

#[tokio::test]
async fn a_phone_that_lost_the_medium_says_so() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (id, image) = image_from_carol(&sandbox, &alice).await;
    for kind in [FaultKind::MediaExpired, FaultKind::LoseMedia] {
        sandbox.fault(BOOK, ALICE, kind.into()).await.expect("a fault");
    }
    let lost = sandbox.media(BOOK, ALICE, &id).await.err().expect("is lost");
    assert_eq!(lost.code(), "MEDIA_NOT_FOUND");
    let chat = Jid::pn(CAROL);
    let answer =
        alice.client.media_reupload().request(&request(&id, &chat, &image)).await.expect("an answer");
    assert!(matches!(answer, MediaRetryResult::NotFound), "{answer:?}");
    // Carol's phone still has it.
    assert_eq!(collected(sandbox.media(BOOK, CAROL, &id).await.expect("held")).await, bytes(20_000));
}

#[tokio::test]
async fn a_phone_shows_no_medium_that_is_not_what_the_message_says() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let upload =
        alice.client.upload(bytes(500), MediaType::Image, Default::default()).await.expect("uploads");
    let image = |upload: &whatsapp_rust::upload::UploadResponse| waproto::whatsapp::message::ImageMessage {
        direct_path: Some(upload.direct_path.clone()),
        media_key: Some(upload.media_key.to_vec()),
        file_sha256: Some(upload.file_sha256.to_vec()),
        file_enc_sha256: Some(upload.file_enc_sha256.to_vec()),
        ..Default::default()
    };
    let mut other_content = image(&upload);
    other_content.file_sha256 = Some(vec![1; 32]);
    let mut other_key = image(&upload);
    other_key.media_key = Some(vec![1; 32]);
    let mut nowhere = image(&upload);
    nowhere.direct_path = Some(format!("/v/{BOOK}/0000.enc?ccb=11-4"));
    for lying in [other_content, other_key, nowhere] {
        let message = waproto::whatsapp::Message { image_message: lying.into(), ..Default::default() };
        let id = alice.send_message(CAROL, message).await;
        let message = shown(&sandbox, CAROL, &id, |_| true).await;
        assert_eq!(message.media_sha256, None);
        let refused = sandbox.media(BOOK, CAROL, &id).await.err().expect("no medium");
        assert_eq!(refused.code(), "MEDIA_NOT_FOUND");
    }
    let message = waproto::whatsapp::Message { image_message: image(&upload).into(), ..Default::default() };
    let id = alice.send_message(CAROL, message).await;
    assert_eq!(shown(&sandbox, CAROL, &id, |_| true).await.media_sha256, Some(sha256(&bytes(500))));
}

#[tokio::test]
async fn a_sandbox_in_another_process_streams_media_both_ways() {
    let sandbox = Sandbox::open(Storage::Memory).await.expect("opens");
    people(&sandbox).await;
    let (remote, _) = serve(&sandbox).await;
    let parts = Parts { transport: remote.transport(BOOK), http: remote.http(BOOK), ..Parts::of(&sandbox) };
    let alice = start(parts).await;
    remote.scan(BOOK, ALICE, &alice.qr().await).await.expect("a valid code");
    alice.online().await;

    // More than the client sends in one piece without asking whether it is there already.
    let data = bytes(6 << 20);
    let mut encrypted = Vec::new();
    let info =
        wacore::upload::encrypt_media_streaming(Cursor::new(&data), &mut encrypted, MediaType::Document);
    let info = info.expect("encrypts");
    let upload = alice.client.upload_stream(bytes::Bytes::from(encrypted), info, MediaType::Document).await;
    let upload = upload.expect("uploads");
    let document = waproto::whatsapp::message::DocumentMessage {
        direct_path: Some(upload.direct_path),
        media_key: Some(upload.media_key.to_vec()),
        file_sha256: Some(upload.file_sha256.to_vec()),
        file_enc_sha256: Some(upload.file_enc_sha256.to_vec()),
        file_length: Some(upload.file_length),
        ..Default::default()
    };
    let message =
        waproto::whatsapp::Message { document_message: document.clone().into(), ..Default::default() };
    let id = alice.send_message(CAROL, message).await;
    assert_eq!(shown(&sandbox, CAROL, &id, |_| true).await.media_sha256, Some(sha256(&data)));
    let held = remote.media(BOOK, CAROL, &id).await.expect("held");
    assert_eq!((held.size, held.sha256.clone()), (data.len() as u64, sha256(&data)));
    assert_eq!(collected(held).await, data);
    assert_eq!(alice.download(&document).await, data);

    let host = AtHost::of(&alice, remote.http(BOOK)).await;
    let wrong = host.upload(&token(b"other"), "", &bytes(100)).await;
    assert_eq!(wrong.status_code, 400);
    let refused = AtHost { auth: "forged.pass".into(), ..host };
    // A client that is refused hears so, also when it has much to say.
    assert_eq!(refused.upload(&token(&data), "", &data).await.status_code, 401);

    let out = PhoneMessage::media(ALICE, MessageKind::Image, bytes(9_000));
    let id = remote.send(BOOK, CAROL, out).await.expect("sent");
    let got = alice.message(&id).await;
    assert_eq!(alice.download(got.image_message.as_option().expect("an image")).await, bytes(9_000));
}

#[tokio::test]
async fn an_upload_whose_connection_breaks_goes_on_over_another() {
    use tokio::io::AsyncWriteExt as _;
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (remote, address) = serve(&sandbox).await;
    let host = AtHost::of(&alice, remote.http(BOOK)).await;
    let blob = bytes(200_000);
    let name = token(&blob);

    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connects");
    let head = format!(
        "POST /mms/image/{name}?auth={}&token={name} HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n",
        host.auth
    );
    stream.write_all(head.as_bytes()).await.expect("writes");
    stream.write_all(&blob[..50_000]).await.expect("writes");
    stream.flush().await.expect("writes");
    drop(stream);
    let noticed = async {
        while field(&host.upload(&name, "&resume=1", b"").await, "resume") != "50000" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, noticed).await.expect("what came is kept");
    let rest = host.upload(&name, "&file_offset=50000", &blob[50_000..]).await;
    assert_eq!(rest.status_code, 200);
    assert_eq!(host.get(&field(&rest, "direct_path")).await.body, blob);
}

#[tokio::test]
async fn the_media_host_is_believed_by_whoever_trusts_its_authority() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let host = sandbox.media_host(listener).await.expect("opens");
    let trusting = https(&std::fs::read(host.authority()).expect("a file"));
    tokio::spawn(host.serve(100));
    let conn = alice.client.refresh_media_conn(true).await.expect("a media connection");
    assert_eq!(conn.hosts[0].hostname, address.to_string());

    let blob = bytes(200_000);
    let name = token(&blob);
    let url = format!("https://{address}/mms/image/{name}?auth={}&token={name}", conn.auth);
    let answer = trusting.post(url).body(blob.clone()).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = answer.json().await.expect("JSON");
    let got = trusting.get(answer["url"].as_str().expect("a URL")).send().await.expect("an answer");
    assert_eq!(got.bytes().await.expect("bytes"), blob);
    let part = trusting.get(answer["url"].as_str().expect("a URL")).header("Range", "bytes=5-9").send().await;
    let part = part.expect("an answer");
    assert_eq!((part.status().as_u16(), &part.bytes().await.expect("bytes")[..]), (206, &blob[5..10]));

    let doubting = https(b"");
    doubting.get(answer["url"].as_str().expect("a URL")).send().await.expect_err("nobody vouches for it");
}

/// A client of the web that trusts these and nobody else.
fn https(authorities: &[u8]) -> reqwest::Client {
    let mut roots = rustls::RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities) {
        roots.add(authority.expect("a certificate")).expect("an authority");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().expect("a client")
}
