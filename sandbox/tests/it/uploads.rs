//! Uploads that do not say how long they are, as those of Baileys 6.

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::media::{AtHost, field, token};
use crate::support::{ALICE, DEADLINE, bytes, linked, network, serve};

/// A body in pieces: reqwest does not know its length, and sends it in chunks.
fn in_pieces(body: &[u8]) -> reqwest::Body {
    let pieces: Vec<std::io::Result<Bytes>> =
        body.chunks(7_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    reqwest::Body::wrap_stream(futures::stream::iter(pieces))
}

#[tokio::test]
async fn an_upload_in_chunks_is_taken() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (remote, address) = serve(&sandbox).await;
    let host = AtHost::of(&alice, remote.http(crate::support::BOOK)).await;
    let http = crate::support::http();
    let blob = bytes(3 << 20);
    let url = |blob: &[u8], more: &str| {
        let name = token(blob);
        format!("http://{address}/mms/document/{name}?auth={}&token={name}{more}", host.auth)
    };
    let answer = http.post(url(&blob, "")).body(in_pieces(&blob)).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = answer.json().await.expect("JSON");
    let path = answer["direct_path"].as_str().expect("a path");
    assert_eq!(host.get(path).await.body, blob);
    let other = http.post(url(&blob[1..], "")).body(in_pieces(&blob)).send().await.expect("an answer");
    assert_eq!(other.status(), 400, "not what its name says");
    let nothing = http.post(url(b"", "")).body(in_pieces(b"")).send().await.expect("an answer");
    assert_eq!(nothing.status(), 200, "nothing is a blob as well");
    let pass = url(&blob, "").replace(&host.auth, "none");
    assert_eq!(http.post(pass).body(in_pieces(&blob)).send().await.expect("an answer").status(), 401);
}

#[tokio::test]
async fn an_upload_in_chunks_that_breaks_goes_on_where_it_broke() {
    let sandbox = network().await;
    let alice = linked(&sandbox, ALICE).await;
    let (remote, address) = serve(&sandbox).await;
    let host = AtHost::of(&alice, remote.http(crate::support::BOOK)).await;
    let blob = bytes(200_000);
    let name = token(&blob);
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let head = format!(
        "POST /mms/image/{name}?auth={}&token={name} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
        host.auth, 50_000
    );
    stream.write_all(head.as_bytes()).await.expect("writes");
    stream.write_all(&blob[..50_000]).await.expect("writes");
    // Half of another chunk's length: this is no end of a body.
    stream.write_all(b"\r\n4").await.expect("writes");
    stream.shutdown().await.expect("closes");
    let mut answer = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("an end").expect("reads");
    let noticed = async {
        while field(&host.upload(&name, "&resume=1", b"").await, "resume") != "50000" {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, noticed).await.expect("what came is kept");
    let url = format!("http://{address}/mms/image/{name}?auth={}&token={name}&file_offset=50000", host.auth);
    let rest = crate::support::http().post(url).body(in_pieces(&blob[50_000..])).send().await;
    let rest: serde_json::Value = rest.expect("an answer").json().await.expect("JSON");
    assert_eq!(host.get(rest["direct_path"].as_str().expect("a path")).await.body, blob);
}
