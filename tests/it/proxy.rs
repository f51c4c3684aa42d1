//! A session's own way out: HTTP CONNECT and SOCKS5, with and without a password.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use futures::FutureExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{Caller, Engine, TestApp, until};

/// What a proxy saw of its clients.
#[derive(Default)]
struct Seen {
    tunnels: AtomicUsize,
    refused: AtomicUsize,
}

const USER: &str = "me";
const PASSWORD: &str = "p@ss";

/// An HTTP proxy that wants a password, and tunnels to wherever it is asked.
async fn http_proxy(seen: Arc<Seen>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let mut head = vec![];
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.expect("a request"));
                }
                let head = String::from_utf8(head).expect("text");
                let target = head.split(' ').nth(1).expect("a target").to_owned();
                let token = base64::prelude::BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
                if !head.starts_with("CONNECT") || !head.contains(&format!("Basic {token}")) {
                    seen.refused.fetch_add(1, Ordering::SeqCst);
                    let _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
                    return;
                }
                let mut server = TcpStream::connect(target).await.expect("the target");
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("a tunnel");
                seen.tunnels.fetch_add(1, Ordering::SeqCst);
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    format!("127.0.0.1:{}", address.port())
}

/// A SOCKS5 proxy (RFC 1928) that wants a password (RFC 1929).
async fn socks_proxy(seen: Arc<Seen>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                if socks(client, &seen).await.is_err() {
                    seen.refused.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    format!("127.0.0.1:{}", address.port())
}

async fn socks(mut client: TcpStream, seen: &Seen) -> std::io::Result<()> {
    let refused = || std::io::Error::other("refused");
    let field = async |client: &mut TcpStream| -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; client.read_u8().await?.into()];
        client.read_exact(&mut bytes).await?;
        Ok(bytes)
    };
    assert_eq!(client.read_u8().await?, 5);
    if !field(&mut client).await?.contains(&2) {
        client.write_all(&[5, 0xff]).await?;
        return Err(refused());
    }
    client.write_all(&[5, 2]).await?;
    assert_eq!(client.read_u8().await?, 1);
    if field(&mut client).await? != USER.as_bytes() || field(&mut client).await? != PASSWORD.as_bytes() {
        client.write_all(&[1, 1]).await?;
        return Err(refused());
    }
    client.write_all(&[1, 0]).await?;
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => {
            let mut ip = [0; 4];
            client.read_exact(&mut ip).await?;
            std::net::Ipv4Addr::from(ip).to_string()
        }
        3 => String::from_utf8(field(&mut client).await?).map_err(|_| refused())?,
        _ => return Err(refused()),
    };
    let port = client.read_u16().await?;
    let mut server = TcpStream::connect((host, port)).await?;
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    seen.tunnels.fetch_add(1, Ordering::SeqCst);
    let _ = copy_bidirectional(&mut client, &mut server).await;
    Ok(())
}

/// The server behind the proxies only counts who gets through: a live session would trust nobody here.
async fn counting_server(reached: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let reached = reached.clone();
            tokio::spawn(async move {
                let mut bytes = [0; 1024];
                let n = client.read(&mut bytes).await.unwrap_or(0);
                if bytes[..n].starts_with(b"GET /ws/chat HTTP/1.1") {
                    reached.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    format!("ws://{address}/ws/chat")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_session_dials_through_its_own_proxy() {
    let reached = Arc::new(AtomicUsize::new(0));
    let url = counting_server(reached.clone()).await;
    let app = TestApp::with(Engine::Sqlite, |config| config.whatsapp_url = url).await;
    let shop = app.tenant("shop").await;
    let (http, socks) = (Arc::new(Seen::default()), Arc::new(Seen::default()));
    let (http_at, socks_at) = (http_proxy(http.clone()).await, socks_proxy(socks.clone()).await);
    for (scheme, at, seen) in [("http", &http_at, &http), ("socks5", &socks_at, &socks)] {
        let before = reached.load(Ordering::SeqCst);
        let proxy = format!("{scheme}://{USER}:p%40ss@{at}");
        shop.live.post("/api/whatsapp/session", json!({"sessionId": scheme, "proxy": proxy})).await.ok();
        until("the server is reached through the proxy", || async {
            let through = seen.tunnels.load(Ordering::SeqCst) > 0;
            (through && reached.load(Ordering::SeqCst) > before).then_some(())
        })
        .await;
        assert_eq!(seen.refused.load(Ordering::SeqCst), 0);
        shop.live.post(&format!("/api/whatsapp/session/{scheme}/stop"), json!({})).await.ok();
    }
    // A wrong password reaches the proxy and nothing behind it.
    let before = reached.load(Ordering::SeqCst);
    let wrong = format!("http://{USER}:wrong@{http_at}");
    shop.live.post("/api/whatsapp/session", json!({"sessionId": "wrong", "proxy": wrong})).await.ok();
    until("the proxy refuses", || async { (http.refused.load(Ordering::SeqCst) > 0).then_some(()) }).await;
    assert_eq!(reached.load(Ordering::SeqCst), before);
    // The proxy's password is sealed at rest.
    let file = std::fs::read(app.dir.path().join("wapid.db")).expect("the database");
    assert!(!file.windows(6).any(|window| window == b"p%40ss"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_inside_is_refused_in_words() {
    let app = TestApp::with(Engine::Sqlite, |config| config.ssrf_allow = "".parse().unwrap()).await;
    let shop = app.tenant("shop").await;
    for key in [&shop.live, &shop.test] {
        for proxy in [
            "http://127.0.0.1:3128",
            "socks5://127.1:1080",
            "socks5h://[::ffff:10.0.0.1]:1080",
            "http://me:secret@169.254.169.254:80",
            "socks5://localhost:6379",
            "http://redis:6379",
        ] {
            let body = json!({"sessionId": "main", "proxy": proxy});
            let refused = key.post("/api/whatsapp/session", body).await.refused(400, "PROXY_NOT_ALLOWED");
            let words = refused["error"].as_str().unwrap_or_default().to_owned();
            assert!(words.starts_with("proxy ") && !words.contains("secret"), "{words}");
        }
        key.get("/api/whatsapp/session/main/status").await.refused(404, "SESSION_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_proxy_is_not_allowed_any_more_says_so_and_dials_nobody() {
    let reached = Arc::new(AtomicUsize::new(0));
    let url = counting_server(reached.clone()).await;
    let mut app = TestApp::with(Engine::Sqlite, |config| config.whatsapp_url = url).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = proxy.local_addr().expect("an address");
    let shop = app.tenant("shop").await;
    let body = json!({"sessionId": "main", "proxy": format!("socks5://{address}")});
    shop.live.post("/api/whatsapp/session", body).await.ok();
    // It was allowed, and dialled.
    drop(proxy.accept().await.expect("a knock"));
    app.stop().await;
    // What is still in the listener's line came before.
    while let Some(Ok(_)) = proxy.accept().now_or_never() {}
    app.config.ssrf_allow = "".parse().expect("nothing");
    app.start().await;
    let live = Caller::new(app.url(), &shop.live_key);
    live.post("/api/whatsapp/session/main/start", json!({})).await;
    until("the session says why", || async {
        let status = live.get("/api/whatsapp/session/main/status").await.ok();
        (status["reason"] == "proxy_not_allowed").then_some(())
    })
    .await;
    assert!(proxy.accept().now_or_never().is_none(), "it was dialled");
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}
