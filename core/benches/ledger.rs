//! How fast the log is written: accept and settle, by some callers at once.
//!
//! `cargo bench -p wapid-core --bench ledger -- [URL] [seconds]`; without a URL a SQLite file in the
//! temporary folder. Prints one line per durability and number of callers. CPU is this process's;
//! a Postgres server's comes on top and is not seen here.

#![expect(clippy::print_stdout, reason = "a benchmark shows what it measured")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wapid_core::clock::Clock;
use wapid_core::content::Content;
use wapid_core::id::SessionId;
use wapid_core::key::Mode;
use wapid_core::message::{ReceiptSender, Status, new_wa_id};
use wapid_core::phone::{Phone, Recipient};
use wapid_core::store::ledger::{Accepted, Intent, Outcome, Owner, ReceiptNews, Settlement};
use wapid_core::store::tenants::NewTenant;
use wapid_core::store::{Durability, Store};

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let url = args.next();
    let seconds = args.next().map_or(Ok(5), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    println!(
        "{:<9} {:>8} {:>12} {:>14} {:>9} {:>9}",
        "", "callers", "sends/s", "CPU ms/1000", "p50 ms", "p99 ms"
    );
    for durability in [Durability::Process, Durability::Power] {
        for callers in [8, 64, 256] {
            let file = folder.path().join(format!("{durability:?}{callers}.db"));
            let url = url.clone().unwrap_or_else(|| format!("sqlite://{}", file.display()));
            let store = Store::open(&url, durability, &[7; 32], Clock::System).await?;
            let run = measure(&store, callers, Duration::from_secs(seconds)).await?;
            println!(
                "{:<9} {callers:>8} {:>12.0} {:>14.0} {:>9.2} {:>9.2}",
                format!("{durability:?}"),
                run.sends_per_second,
                run.cpu_ms_per_thousand,
                run.p50_ms,
                run.p99_ms
            );
            store.close().await;
        }
    }
    println!("RSS {} MiB", rss_mib());
    Ok(())
}

struct Run {
    sends_per_second: f64,
    cpu_ms_per_thousand: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// A send is an accept, a settle and a delivery receipt, as in life.
async fn measure(store: &Store, callers: usize, time: Duration) -> Result<Run, Box<dyn std::error::Error>> {
    let owners = owners(store, 8).await?;
    let (stop, sends) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (start, cpu) = (Instant::now(), cpu_ms());
    let tasks: Vec<_> = (0..callers)
        .map(|i| {
            let (store, owner) = (store.clone(), owners[i % owners.len()].clone());
            let (stop, sends) = (stop.clone(), sends.clone());
            tokio::spawn(async move {
                let mut waits = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    send(&store, &owner).await;
                    waits.push(asked.elapsed());
                    sends.fetch_add(1, Ordering::Relaxed);
                }
                waits
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    let (sends, elapsed, cpu) = (sends.load(Ordering::Relaxed), start.elapsed(), cpu_ms() - cpu);
    stop.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    for task in tasks {
        waits.append(&mut task.await?);
    }
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "counts of seconds' work")]
    let sends = sends as f64;
    Ok(Run {
        sends_per_second: sends / elapsed.as_secs_f64(),
        cpu_ms_per_thousand: cpu / sends * 1e3,
        p50_ms: at(50),
        p99_ms: at(99),
    })
}

async fn send(store: &Store, owner: &Owner) {
    let wa_id = new_wa_id();
    let intent = Intent {
        owner: owner.clone(),
        to: Recipient::Person(Phone::parse("5511900000001", None).expect("a good number")),
        asked: None,
        lid: None,
        content: Content::text("Your order has shipped and will arrive on Friday."),
        wa_id: wa_id.clone(),
        epoch: 1,
        idempotency: None,
        job: None,
    };
    let Accepted::New { key, created_at: at } = store.accept(intent).await.expect("accepted") else {
        unreachable!("no idempotency key was given")
    };
    let owner = owner.clone();
    let settlement = Settlement { owner: owner.clone(), key, epoch: 1, outcome: Outcome::Sent, at };
    store.settle(settlement).await.expect("settled");
    let by = ReceiptSender::default();
    let news = ReceiptNews { owner, by, wa_ids: vec![wa_id], status: Status::Delivered, at };
    store.note_receipt(news).await.expect("noted");
}

async fn owners(store: &Store, count: usize) -> Result<Vec<Owner>, Box<dyn std::error::Error>> {
    let new = NewTenant {
        id: None,
        name: new_wa_id(),
        time_zone: "America/Sao_Paulo".into(),
        daily_limit: Some(1_000_000_000),
        session_limit: None,
    };
    let (tenant, _, _) = store.create_tenant(new).await?;
    let scoped = store.tenant(tenant.id.clone(), Mode::Live);
    let mut owners = Vec::new();
    for i in 0..count {
        let id = SessionId::parse(&format!("session {i}"))?;
        let (row, _) = scoped.ensure_session(&id, Default::default()).await?;
        owners.push(Owner { tenant: row.tenant, mode: row.mode, session: row.key, session_id: row.id });
    }
    Ok(owners)
}

/// User and system time of this process, from `/proc`, in ticks of 10 ms.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        * 10.0
}

fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
}
