//! Wake-ups per second, their latency, what Redis keeps of them, and what an idle queue costs.
//!
//! `cargo bench --workspace --bench wakeups [-- --count 1000000]`; Redis from `WAPID_TEST_REDIS`.

#![expect(clippy::print_stdout, reason = "it prints its figures")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::Notify;
use wapid_core::clock::Clock;
use wapid_workers::{Queue, Wakeups};

/// As many keys as a large installation has sessions.
const KEYS: usize = 10_000;
const LONE: usize = 200;
/// How long an idle queue is watched, and left alone before what remains is measured.
const IDLE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let count = arguments.iter().position(|a| a == "--count").and_then(|at| arguments.get(at + 1));
    let count = count.and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir()?;
    measure("SQLite", Queue::Sqlite(dir.path().join("wakeups.db")), None, count.min(100_000)).await?;
    match std::env::var("WAPID_TEST_REDIS") {
        Ok(url) => measure("Redis", Queue::redis(url.as_str()), Some(url), count).await,
        Err(_) => {
            println!("Redis: not measured; set WAPID_TEST_REDIS");
            Ok(())
        }
    }
}

async fn measure(name: &str, queue: Queue, redis: Option<String>, count: usize) -> anyhow::Result<()> {
    let instance = format!("bench{}", std::process::id());
    let wakeups = Wakeups::open(queue, &instance, Clock::System).await?;
    let (seen, ring) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let running = wakeups.run({
        let (seen, ring) = (seen.clone(), ring.clone());
        move |_: &str| {
            seen.fetch_add(1, Ordering::AcqRel);
            ring.notify_one();
        }
    });
    let before = memory(redis.as_deref()).await?;

    let mut lone = Vec::with_capacity(LONE);
    for n in 0..LONE {
        let (started, already) = (Instant::now(), seen.load(Ordering::Acquire));
        wakeups.wake(&format!("lone:{n}"), Clock::System.now()).await;
        while seen.load(Ordering::Acquire) == already {
            ring.notified().await;
        }
        lone.push(started.elapsed());
    }
    lone.sort();

    let started = Instant::now();
    let mut done = seen.load(Ordering::Acquire);
    let mut peak = before;
    for _ in 0..count.div_ceil(KEYS) {
        for n in 0..KEYS {
            wakeups.wake(&format!("send:{n:026}"), Clock::System.now()).await;
        }
        // Keys that wait already are one wake-up with those put in again.
        let mut quiet = 0;
        while wakeups.depth().await.unwrap_or(0) > 0 && quiet < 600 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            quiet += 1;
        }
        peak = peak.max(memory(redis.as_deref()).await?);
    }
    done = seen.load(Ordering::Acquire) - done;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{name}: {done} wake-ups in {seconds:.1} s, {:.0}/s; lone p50 {:.0} ms, p99 {:.0} ms",
        done as f64 / seconds,
        lone[LONE / 2].as_secs_f64() * 1e3,
        lone[LONE * 99 / 100].as_secs_f64() * 1e3,
    );
    tokio::time::sleep(IDLE / 4).await;
    let (spent, asked) = (cpu_ms()?, commands(redis.as_deref()).await?);
    tokio::time::sleep(IDLE).await;
    let (spent, asked) = (cpu_ms()? - spent, commands(redis.as_deref()).await? - asked);
    println!(
        "{name}: idle, {:.2} % of a core{}",
        spent as f64 / IDLE.as_millis() as f64 * 100.0,
        redis.as_ref().map_or(String::new(), |_| format!(", {} commands/s in Redis", asked / IDLE.as_secs()))
    );
    if redis.is_some() {
        let after = memory(redis.as_deref()).await?;
        println!(
            "{name}: memory {:.1} MB before, {:.1} MB at most, {:.1} MB after",
            before as f64 / 1e6,
            peak as f64 / 1e6,
            after as f64 / 1e6
        );
    }
    running.stop().await;
    Ok(())
}

async fn memory(redis: Option<&str>) -> anyhow::Result<u64> {
    info(redis, "used_memory:").await
}

async fn commands(redis: Option<&str>) -> anyhow::Result<u64> {
    info(redis, "total_commands_processed:").await
}

async fn info(redis: Option<&str>, name: &str) -> anyhow::Result<u64> {
    let Some(url) = redis else { return Ok(0) };
    let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let info: String = redis::cmd("INFO").query_async(&mut connection).await?;
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    Ok(line.and_then(|number| number.trim().parse().ok()).unwrap_or(0))
}

/// What this process has used so far, as Linux counts it: in hundredths of a second.
fn cpu_ms() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(") ").context("a name in parentheses")?;
    let times = after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    Ok(times.sum::<u64>() * 10)
}
