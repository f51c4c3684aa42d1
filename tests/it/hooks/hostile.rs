//! T22: what a receiver does to us costs nobody else anything.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Hook, something};
use crate::app::TestApp;
use crate::receiver::Receiver;

/// Answers a request and goes on in its own way until we hang up.
async fn misbehave(mut stream: TcpStream, way: usize) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    let drip = Duration::from_millis(300);
    match way % 5 {
        // A body, one byte at a time.
        0 => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await?;
            loop {
                stream.write_all(b"x").await?;
                tokio::time::sleep(drip).await;
            }
        }
        // Headers without end.
        1 => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            loop {
                stream.write_all(b"x-more: y\r\n").await?;
                tokio::time::sleep(drip).await;
            }
        }
        // 1 GB as fast as it goes.
        2 => {
            stream.write_all(b"HTTP/1.1 500 No\r\ncontent-length: 1000000000\r\n\r\n").await?;
            let chunk = vec![b'x'; 1 << 16];
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        // 10 MB of zeros in a few KB.
        3 => {
            use std::io::Write as _;
            let mut bomb = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
            bomb.write_all(&vec![0; 10 << 20]).unwrap();
            let bomb = bomb.finish().unwrap();
            let head = format!(
                "HTTP/1.1 500 No\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                bomb.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&bomb).await
        }
        // Nothing.
        _ => loop {
            tokio::time::sleep(drip).await;
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_receivers_do_not_delay_a_healthy_one() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut way = 0;
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(misbehave(stream, way));
            way += 1;
        }
    });
    let mut hostile = vec![];
    for _ in 0..12 {
        let wish = json!({"url": url, "concurrency": 16, "timeoutMs": 2_000});
        hostile.push(
            shop.test.post("/api/whatsapp/webhooks", wish).await.ok()["id"].as_str().unwrap().to_owned(),
        );
    }
    let receiver = Receiver::new().await;
    Hook::new(&shop.test, &receiver, json!({})).await;
    let mut waits = vec![];
    let mut events = vec![];
    for number in 0..20 {
        let begun = Instant::now();
        let event = something(&shop.test, number).await;
        let got = receiver.until_gets("the healthy one gets it", |got| got.id() == event).await;
        waits.push(got.at.saturating_duration_since(begun));
        events.push(event);
    }
    waits.sort();
    assert!(waits[18] < Duration::from_secs(2), "{waits:?}");
    // Each attempt ended in time, and each way is known for what it was.
    let mut classes = std::collections::BTreeSet::new();
    for id in &hostile {
        let story = Hook { caller: &shop.test, id: id.clone(), secret: String::new() };
        let tried = crate::app::until("an attempt has ended", || async {
            let tried = story.delivery(&events[0]).await["tried"].clone();
            tried.as_array().is_some_and(|tried| !tried.is_empty()).then_some(tried)
        })
        .await;
        for one in tried.as_array().unwrap() {
            assert!(one["durationMs"].as_i64().unwrap() <= 3_000, "{one}");
            assert!(one["answer"].as_str().is_none_or(|answer| answer.len() <= 8 << 10));
            classes.insert(one["error"].as_str().unwrap_or("taken").to_owned());
        }
    }
    assert!(classes.contains("server_error") && classes.contains("timed_out"), "{classes:?}");
}
