//! The figures of the README's table, by one command: `cargo bench --bench gateway`.
//!
//! A gateway and a sandbox, each in a process of its own, and this one as the callers, all on the
//! same machine. Every send goes through HTTP, is encrypted, is decrypted by a simulated phone, and is
//! answered after its result is committed.
//!
//! `-- --sessions N`, `-- --seconds S` and `-- --only sqlite|postgres` make it smaller. Postgres is measured where
//! `WAPID_TEST_POSTGRES` names a server; `tests/support/postgres.sh start DIR` starts one.

#![expect(clippy::print_stdout, reason = "a benchmark shows what it measured")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks are small and positive")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

#[expect(dead_code, reason = "each bench uses its part of it")]
mod support;

use support::{Caller, Home, Process, argument, customer, describe_machine, engines};

/// Sessions that send at the same time.
const BUSY_SESSIONS: usize = 8;
/// Callers at the same time, spread over the busy sessions, each writing to somebody else.
const CALLERS: usize = 64;
/// One after another, for the latency of a lone send.
const LONE_SENDS: usize = 1_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (sessions, seconds) = (argument("--sessions", 500), argument("--seconds", 15));
    describe_machine();
    println!(
        "{sessions} sessions; sends for {seconds} s by {CALLERS} callers over {BUSY_SESSIONS} sessions; {LONE_SENDS} lone sends\n"
    );
    let mut rows = vec![];
    for engine in engines() {
        for durability in ["power", "process"] {
            let home = Home::make(&engine, durability).await?;
            rows.push(measure(&format!("{}, {durability}", engine.name()), &home, sessions, seconds).await?);
        }
    }
    println!(
        "| engine | RSS per idle session | start to all ready | sends per second | lone send p50 | p99 | CPU of gateway per send |"
    );
    println!("|---|---|---|---|---|---|---|");
    rows.iter().for_each(|row| println!("{row}"));
    Ok(())
}

async fn measure(name: &str, home: &Home, sessions: usize, seconds: usize) -> anyhow::Result<String> {
    println!("{name}");
    let mut gateway = home.start().await?;
    let caller = home.caller()?;
    let empty = gateway.rss_kib();
    caller.link_all(sessions).await?;
    gateway.kill().await?;

    let started = Instant::now();
    let gateway = home.start().await?;
    caller.until_ready(sessions).await?;
    let cold_start = started.elapsed();
    // Buffers of the start are freed; what stays is what an idle session costs.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let idle = gateway.rss_kib();
    let per_session = idle.saturating_sub(empty) / sessions as u64;
    println!("  all ready {cold_start:.1?} after kill -9; {idle} KiB with, {empty} KiB without sessions");

    caller.populate(CALLERS).await?;
    // The first message to somebody fetches keys; that is paid once, not per message.
    let warm = (0..CALLERS).map(|number| send(&caller, number));
    futures::future::try_join_all(warm).await?;
    let (rate, cpu) = load(&caller, &gateway, seconds).await?;
    println!(
        "  {rate:.0} sends/s; gateway {:.0} µs, sandbox {:.0} MiB",
        cpu * 1e6,
        home.sandbox.rss_kib() as f64 / 1024.0
    );

    let mut latencies = Vec::with_capacity(LONE_SENDS);
    for _ in 0..LONE_SENDS {
        let started = Instant::now();
        send(&caller, 0).await?;
        latencies.push(started.elapsed());
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies[(LONE_SENDS as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("  lone send p50 {:.1} ms, p99 {:.1} ms\n", at(0.5), at(0.99));
    Ok(format!(
        "| {name} | {per_session} KiB | {:.1} s | {rate:.0} | {:.1} ms | {:.1} ms | {:.0} µs |",
        cold_start.as_secs_f64(),
        at(0.5),
        at(0.99),
        cpu * 1e6
    ))
}

async fn send(caller: &Caller, number: usize) -> anyhow::Result<()> {
    let path = format!("/api/whatsapp/session/s{}/send", number % BUSY_SESSIONS);
    let body = json!({"to": customer(number), "message": "Your OTP is *123456*. Valid for 10 minutes."});
    caller.post(&path, body).await.map(|_| ())
}

/// Sends per second, and the gateway's CPU seconds per send.
async fn load(caller: &Caller, gateway: &Process, seconds: usize) -> anyhow::Result<(f64, f64)> {
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (started, cpu) = (Instant::now(), gateway.cpu_s());
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let (caller, stop, sent) = (caller.clone(), stop.clone(), sent.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    send(&caller, number).await?;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
    let (count, elapsed, cpu) = (sent.load(Ordering::Relaxed), started.elapsed(), gateway.cpu_s() - cpu);
    stop.store(true, Ordering::Relaxed);
    for task in callers {
        task.await??;
    }
    Ok((count as f64 / elapsed.as_secs_f64(), cpu / count as f64))
}
