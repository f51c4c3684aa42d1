//! The figures of the README's table of events: `cargo bench --bench hooks`.
//!
//! Deliveries to a receiver in this process, each committed; from a phone's message to the webhook's request;
//! and many who follow the log at once. Gateway, sandbox and this process are on one machine.
//!
//! `-- --part deliver|inbound|streams`, `-- --events N`, `-- --readers N` and `-- --only sqlite|postgres` make it
//! smaller.

#![expect(clippy::print_stdout, reason = "a benchmark shows what it measured")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks are small and positive")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::StatusCode;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

#[expect(dead_code, reason = "each bench uses its part of it")]
mod support;

use support::{Caller, Engine, Home, all, argument, customer, describe_machine, engines, shop_phone, word};

/// Messages of phones, one after the other.
const INBOUND: usize = 500;
/// Events while everybody follows.
const FOLLOWED: usize = 50;
const PATIENCE: Duration = Duration::from_secs(120);

type Figure = (String, String);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let part = word("--part");
    let is_wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    describe_machine();
    println!();
    let (mut heads, mut columns) = (vec![], vec![]);
    for engine in engines() {
        println!("{}", engine.name());
        let mut column = vec![];
        if is_wanted("deliver") {
            for places in [8, 64] {
                column.push(deliver(&engine, places).await?);
            }
        }
        if is_wanted("inbound") {
            column.push(inbound(&engine).await?);
        }
        if is_wanted("streams") {
            column.append(&mut streams(&engine).await?);
        }
        println!();
        heads.push(engine.name());
        columns.push(column);
    }
    println!("| | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for (place, (name, _)) in columns.first().into_iter().flatten().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|column| column[place].1.as_str()).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
    Ok(())
}

/// Takes everything, once its door is open.
struct Receiver {
    url: String,
    door: watch::Sender<bool>,
    got: mpsc::UnboundedReceiver<(Instant, Bytes)>,
}

impl Receiver {
    async fn open(is_open: bool) -> anyhow::Result<Self> {
        let (told, got) = mpsc::unbounded_channel();
        let (door, entry) = watch::channel(is_open);
        let handler = move |body: Bytes| {
            let (told, mut entry) = (told.clone(), entry.clone());
            async move {
                let _ = entry.wait_for(|is_open| *is_open).await;
                let _ = told.send((Instant::now(), body));
                StatusCode::NO_CONTENT
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let router = axum::Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, door, got })
    }

    async fn next(&mut self) -> anyhow::Result<(Instant, Bytes)> {
        let next = tokio::time::timeout(PATIENCE, self.got.recv()).await?;
        next.ok_or_else(|| anyhow::anyhow!("the receiver has ended"))
    }
}

/// The cheapest event.
async fn something(caller: &Caller, number: usize) -> anyhow::Result<()> {
    caller.post("/api/whatsapp/opt-outs", json!({"phone": customer(number)})).await.map(drop)
}

/// Events wait in front of a closed door; from when it opens until every delivery is committed.
async fn deliver(engine: &Engine, places: usize) -> anyhow::Result<Figure> {
    let events = argument("--events", 10_000);
    let home = Home::make(engine, "power").await?;
    let gateway = home.start().await?;
    let caller = home.caller()?;
    let mut receiver = Receiver::open(false).await?;
    let wish = json!({"url": receiver.url, "concurrency": places, "timeoutMs": 30_000});
    let hook = caller.post("/api/whatsapp/webhooks", wish).await?;
    let id = hook["id"].as_str().unwrap_or_default();
    all("events made", (0..events).map(|number| something(&caller, number))).await?;
    let cpu = gateway.cpu_s();
    let started = Instant::now();
    receiver.door.send_replace(true);
    for _ in 0..events {
        receiver.next().await?;
    }
    loop {
        let waiting =
            caller.get(&format!("/api/whatsapp/webhooks/{id}/deliveries?state=waiting&limit=1")).await?;
        if waiting["deliveries"] == json!([]) {
            break;
        }
        anyhow::ensure!(started.elapsed() < PATIENCE, "{waiting}");
    }
    let rate = events as f64 / started.elapsed().as_secs_f64();
    let cpu = (gateway.cpu_s() - cpu) / events as f64 * 1e6;
    println!("  {events} events, {places} at a time: {rate:.0} deliveries/s, {cpu:.0} µs of CPU each");
    Ok((format!("deliveries per second, {places} at a time"), format!("{rate:.0}")))
}

/// From asking a phone to write until the webhook's request is there: the sandbox, the wire, decryption, two
/// commits and the request are in between.
async fn inbound(engine: &Engine) -> anyhow::Result<Figure> {
    let home = Home::make(engine, "power").await?;
    let _gateway = home.start().await?;
    let caller = home.caller()?;
    caller.link_all(1).await?;
    caller.populate(1).await?;
    let mut receiver = Receiver::open(true).await?;
    let wish = json!({"url": receiver.url, "events": ["message.received"]});
    caller.post("/api/whatsapp/webhooks", wish).await?;
    let path = format!("/api/sandbox/phones/{}/messages", customer(0));
    let mut waits = vec![];
    for number in 0..INBOUND {
        let begun = Instant::now();
        let body = json!({"to": shop_phone(0), "type": "text", "message": format!("hello {number}")});
        caller.post(&path, body).await?;
        let (at, body) = receiver.next().await?;
        let told: Value = serde_json::from_slice(&body)?;
        anyhow::ensure!(told["data"]["body"] == format!("hello {number}"), "{told}");
        waits.push(at.duration_since(begun));
    }
    waits.sort_unstable();
    let (p50, p99) = (rank(&waits, 0.5), rank(&waits, 0.99));
    println!("  {INBOUND} messages of a phone: p50 {p50:.1?}, p99 {p99:.1?}");
    Ok((
        "a phone's message to the webhook's request, p50 / p99".into(),
        format!("{} / {} ms", p50.as_millis(), p99.as_millis()),
    ))
}

/// Everybody follows; how late each hears of what happens, and what a reader costs.
async fn streams(engine: &Engine) -> anyhow::Result<Vec<Figure>> {
    let readers = argument("--readers", 1_000);
    let home = Home::make(engine, "power").await?;
    let gateway = home.start().await?;
    let caller = home.caller()?;
    something(&caller, 0).await?;
    let before = gateway.rss_kib();
    let begun: Arc<Mutex<HashMap<i64, Instant>>> = Arc::default();
    let (heard, mut lags) = mpsc::unbounded_channel();
    for _ in 0..readers {
        let mut answer = caller.stream("/api/whatsapp/events/stream").await?;
        let (begun, heard) = (begun.clone(), heard.clone());
        tokio::spawn(async move {
            let mut rest = String::new();
            while let Ok(Some(chunk)) = answer.chunk().await {
                rest.push_str(&String::from_utf8_lossy(&chunk));
                while let Some((block, after)) = rest.split_once("\n\n") {
                    let position =
                        block.strip_prefix("id: ").and_then(|text| text.lines().next()?.parse().ok());
                    let is_event = block.contains("data: ");
                    rest = after.to_owned();
                    let begun = position.and_then(|position: i64| begun.lock().get(&position).copied());
                    if let Some(begun) = begun.filter(|_| is_event) {
                        let _ = heard.send(begun.elapsed());
                    }
                }
            }
        });
    }
    let memory = gateway.rss_kib().saturating_sub(before) as f64 / readers as f64;
    let mut all_lags = vec![];
    for (number, position) in (1..=FOLLOWED).zip(2..) {
        begun.lock().insert(position, Instant::now());
        something(&caller, number).await?;
        for _ in 0..readers {
            let lag = tokio::time::timeout(PATIENCE, lags.recv()).await?;
            all_lags.push(lag.ok_or_else(|| anyhow::anyhow!("nobody reads"))?);
        }
    }
    all_lags.sort_unstable();
    let (p50, p99) = (rank(&all_lags, 0.5), rank(&all_lags, 0.99));
    println!("  {readers} readers: {memory:.1} KiB each; heard after p50 {p50:.1?}, p99 {p99:.1?}");
    Ok(vec![
        (format!("{readers} live readers, memory each"), format!("{memory:.1} KiB")),
        (
            format!("an event to all of {readers}, p50 / p99"),
            format!("{} / {} ms", p50.as_millis(), p99.as_millis()),
        ),
    ])
}

fn rank(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}
