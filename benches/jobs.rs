//! What bulk jobs cost, by one command: `cargo bench --bench jobs`.
//!
//! A gateway and a sandbox, each in a process of its own, and this one as the caller, all on the same
//! machine. Each part begins with an empty database, a new sandbox and `WAPID_DURABILITY=power`.
//!
//! | part | what is done | what is measured |
//! |---|---|---|
//! | `accept` | a list of 100,000 people, as JSON and as a CSV file, to a gateway that has just started | the time to the answer, and how far memory rises above what it was before |
//! | `drain` | 10,000 people over 8 sessions without pauses; then the same people once more | from the first message until every job is seen to be completed. The first time every number is asked for and every chat begun |
//! | `pace` | 1,000 sessions with a job each and a pause of 3.5 s, for a minute | how much later than its pause a message leaves |
//!
//! `-- --only sqlite|postgres` and `-- --part accept|drain|pace` choose; `--recipients N`, `--people N`,
//! `--sessions N`, `--seconds S` and `--pause MS` change the sizes. Postgres is measured where
//! `WAPID_TEST_POSTGRES` names a server; `tests/support/postgres.sh start DIR` starts one. A thousand
//! sessions want `ulimit -n 4096`.

#![expect(clippy::print_stdout, reason = "a benchmark shows what it measured")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranks are small and positive")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wapid_core::clock::{At, Clock};

#[expect(dead_code, reason = "each bench uses its part of it")]
mod support;

use support::{Caller, Engine, Home, argument, customer, describe_machine, engines, word};

/// A list is given so often, each time to a gateway that has just started; the worst counts.
const ROUNDS: usize = 3;
/// Sessions that drain a list together.
const DRAINING: usize = 8;
/// A job that takes longer than this beyond its pauses has failed.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often a job is looked at.
const POLL: Duration = Duration::from_millis(100);
const MESSAGE: &str = "Hello {{name|there}}, 30% off today!";

/// What was measured, and what came out.
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
        if is_wanted("accept") {
            column.append(&mut accept(&engine).await?);
        }
        if is_wanted("drain") {
            column.append(&mut drain(&engine).await?);
        }
        if is_wanted("pace") {
            column.append(&mut pace(&engine).await?);
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

async fn accept(engine: &Engine) -> anyhow::Result<Vec<Figure>> {
    let recipients = argument("--recipients", 100_000);
    let home = Home::make(engine, "power").await?;
    let gateway = home.start().await?;
    home.caller()?.link_all(1).await?;
    drop(gateway);

    // Nothing leaves meanwhile, so that memory tells of the list alone.
    let later = Clock::System.now().plus_ms(3_600_000).iso();
    let (kind, form) = form(recipients, &later);
    let people: Vec<Value> = (0..recipients)
        .map(|number| json!({"phone": customer(number), "name": format!("Person {number}")}))
        .collect();
    let body = json!({"recipients": people, "message": MESSAGE, "scheduleAt": later}).to_string();
    drop(people);
    let mut figures = vec![];
    for (name, kind, body) in [("JSON", "application/json", body), ("a CSV file", &kind, form)] {
        let (mut slowest, mut most) = (Duration::ZERO, 0);
        for _ in 0..ROUNDS {
            let mut gateway = home.start().await?;
            let caller = home.caller()?;
            caller.until_ready(1).await?;
            let before = gateway.rss_kib();
            // The kernel forgets what the peak was.
            std::fs::write(gateway.proc("clear_refs"), "5")?;
            let started = Instant::now();
            let made = caller.post_as(kind, "/api/whatsapp/session/s0/send-bulk", body.clone()).await?;
            let took = started.elapsed();
            anyhow::ensure!(made["total"] == json!(recipients), "{made}");
            let rose = gateway.status_kib("VmHWM").saturating_sub(before);
            println!("  {recipients} as {name}: {took:.2?}, {before} KiB and {rose} KiB more");
            (slowest, most) = (slowest.max(took), most.max(rose));
            gateway.kill().await?;
        }
        let cell = format!("{:.2} s, +{:.0} MiB", slowest.as_secs_f64(), most as f64 / 1024.0);
        let what = format!("recipients as {name}: time to the answer, peak memory; worst of {ROUNDS}");
        figures.push((format!("{} {what}", grouped(recipients)), cell));
    }
    Ok(figures)
}

/// A list as `curl -F` sends it, and its content type.
fn form(recipients: usize, later: &str) -> (String, String) {
    const EDGE: &str = "----wapid-bench";
    let mut form = String::new();
    for (name, value) in [("message", MESSAGE), ("scheduleAt", later)] {
        let _ =
            write!(form, "--{EDGE}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    let _ = write!(
        form,
        "--{EDGE}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"list.csv\"\r\n\r\nphone,name\r\n"
    );
    for number in 0..recipients {
        let _ = write!(form, "{},Person {number}\r\n", customer(number));
    }
    let _ = write!(form, "\r\n--{EDGE}--\r\n");
    (format!("multipart/form-data; boundary={EDGE}"), form)
}

async fn drain(engine: &Engine) -> anyhow::Result<Vec<Figure>> {
    let people = argument("--people", 10_000);
    let home = Home::make(engine, "power").await?;
    let gateway = home.start().await?;
    let caller = home.caller()?;
    caller.link_all(DRAINING).await?;
    caller.populate(people).await?;
    let mut figures = vec![];
    for (name, message) in [("for the first time", "First"), ("once more", "Second")] {
        let cpu = gateway.cpu_s();
        let share = people.div_ceil(DRAINING);
        let made = (0..DRAINING).map(|session| {
            let phones = (session * share..people.min((session + 1) * share)).map(customer);
            start_job(&caller, session, phones.collect(), message, 0)
        });
        let jobs = futures::future::try_join_all(made).await?;
        let mut began = vec![];
        for job in &jobs {
            began.push(time(&completed(&caller, job).await?["startedAt"])?);
        }
        // By our own eyes: `finishedAt` is of WhatsApp's clock, which counts in seconds.
        let took = Clock::System.now().since(began.into_iter().min().expect("there are jobs"));
        let cpu = (gateway.cpu_s() - cpu) / people as f64;
        let rate = people as f64 * 1e3 / took as f64;
        println!("  {people} people {name}: {rate:.0} messages/s; gateway {:.0} µs", cpu * 1e6);
        let cell = format!("{rate:.0}/s, {:.0} µs", cpu * 1e6);
        let what = format!("people {name}, {DRAINING} sessions: messages, gateway CPU per message");
        figures.push((format!("{} {what}", grouped(people)), cell));
    }
    Ok(figures)
}

async fn pace(engine: &Engine) -> anyhow::Result<Vec<Figure>> {
    let (sessions, people) = (argument("--sessions", 1_000), argument("--people", 10_000));
    let (seconds, pause) = (argument("--seconds", 60), argument("--pause", 3_500));
    let messages = seconds * 1_000 / pause + 1;
    anyhow::ensure!(messages <= people, "a job of {messages} messages wants --people {messages}");
    let home = Home::make(engine, "power").await?;
    let gateway = home.start().await?;
    let caller = home.caller()?;
    caller.link_all(sessions).await?;
    caller.populate(people).await?;

    // One after the other within the first pause, so that the load is even.
    let (started, cpu) = (tokio::time::Instant::now(), gateway.cpu_s());
    let made = (0..sessions).map(|session| {
        let caller = &caller;
        let begin = started + Duration::from_millis((session * pause / sessions) as u64);
        let phones = (0..messages).map(|place| customer((session * messages + place) % people)).collect();
        async move {
            tokio::time::sleep_until(begin).await;
            start_job(caller, session, phones, "Hi", pause).await
        }
    });
    let jobs = futures::future::try_join_all(made).await?;
    println!("  {sessions} jobs of {messages} messages made in {:.1?}", started.elapsed());
    for job in &jobs {
        completed(&caller, job).await?;
    }
    let (took, cpu) = (started.elapsed().as_secs_f64(), gateway.cpu_s() - cpu);
    let mut lags = lags(&caller, sessions, messages, i64::try_from(pause)?).await?;
    lags.sort_unstable();
    let rate = (sessions * messages) as f64 / took;
    println!(
        "  {rate:.0} messages/s; late p50 {} ms, p99 {} ms, at most {} ms; \
         gateway {:.0} % of a core, {} KiB",
        rank(&lags, 0.5),
        rank(&lags, 0.99),
        rank(&lags, 1.0),
        cpu / took * 100.0,
        gateway.rss_kib()
    );
    let cell = format!("{}, {}, {} ms", rank(&lags, 0.5), rank(&lags, 0.99), rank(&lags, 1.0));
    Ok(vec![
        (format!("{} jobs, a pause of {pause} ms: late p50, p99, most", grouped(sessions)), cell),
        (
            "… messages, gateway CPU meanwhile".to_owned(),
            format!("{rate:.0}/s, {:.0} % of a core", cpu / took * 100.0),
        ),
    ])
}

/// How many milliseconds later than its pause each message left.
async fn lags(caller: &Caller, sessions: usize, messages: usize, pause: i64) -> anyhow::Result<Vec<i64>> {
    let mut departures: HashMap<String, Vec<At>> = HashMap::new();
    let mut cursor = String::new();
    loop {
        let page = caller.get(&format!("/api/whatsapp/messages?limit=100&direction=out{cursor}")).await?;
        for message in page["messages"].as_array().into_iter().flatten() {
            let left = time(&message["createdAt"])?;
            let session = message["sessionId"].as_str().unwrap_or_default();
            departures.entry(session.to_owned()).or_default().push(left);
        }
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    anyhow::ensure!(departures.len() == sessions, "only {} sessions sent", departures.len());
    let mut lags = Vec::with_capacity(sessions * messages);
    for (session, departures) in departures {
        anyhow::ensure!(departures.len() == messages, "{session} sent {}", departures.len());
        // The log is read from its end.
        lags.extend(departures.windows(2).map(|pair| pair[0].since(pair[1]) - pause));
    }
    anyhow::ensure!(lags.iter().all(|lag| *lag >= 0), "a pause was shortened: {:?}", lags.iter().min());
    Ok(lags)
}

/// 100,000.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

fn rank(sorted: &[i64], share: f64) -> i64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// A job with pauses of exactly this; its id.
async fn start_job(
    caller: &Caller,
    session: usize,
    phones: Vec<String>,
    message: &str,
    pause: usize,
) -> anyhow::Result<String> {
    let body = json!({"recipients": phones, "message": message, "delayMin": pause, "delayMax": pause});
    let made = caller.post(&format!("/api/whatsapp/session/s{session}/send-bulk"), body).await?;
    Ok(made["jobId"].as_str().unwrap_or_default().to_owned())
}

/// The job, when everybody got it.
async fn completed(caller: &Caller, id: &str) -> anyhow::Result<Value> {
    let started = Instant::now();
    loop {
        let job = caller.get(&format!("/api/whatsapp/bulk-job/{id}")).await?;
        if job["status"] == "completed" {
            anyhow::ensure!(job["succeeded"] == job["total"], "not everybody got it: {job}");
            return Ok(job);
        }
        anyhow::ensure!(started.elapsed() < PATIENCE, "it does not end: {job}");
        tokio::time::sleep(POLL).await;
    }
}

fn time(text: &Value) -> anyhow::Result<At> {
    let time = text.as_str().and_then(At::parse);
    time.ok_or_else(|| anyhow::anyhow!("no time: {text}"))
}
