//! A process that is killed again and again, and its queue.
//!
//! The process is a child: this test's binary, running [`child`]. It says `@put` after `wake` has
//! returned and `@seen` while it executes; the queue outlives it.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, timeout_at};
use wapid_core::clock::Clock;
use wapid_workers::{Queue, Wakeups};

use crate::fixture::{Place, SOON, both};

const KILLS: u32 = 12;
/// From the start of the process.
const BACK_WITHIN: Duration = Duration::from_secs(5);

both!(whatever_was_put_in_before_a_kill_is_executed, what_a_kill_interrupts_is_executed_at_the_next_start);

async fn whatever_was_put_in_before_a_kill_is_executed(place: Place) {
    let (mut put, mut seen) = (HashSet::new(), HashSet::new());
    let mut hear = |line: &str| match said(line) {
        Some(("put", key)) => drop(put.insert(key.to_owned())),
        Some(("seen", key)) => drop(seen.insert(key.to_owned())),
        _ => {}
    };
    for nth in 0..KILLS {
        let mut process = Process::start(&place, "put").await;
        // Some die before they have done anything, some in the middle of it.
        let end = Instant::now() + Duration::from_millis(u64::from(rand::random_range(0..80 * (nth + 1))));
        while let Ok(line) = timeout_at(end, process.lines.next_line()).await {
            hear(&line.unwrap().expect("it lives until it is killed"));
        }
        process.kill(&mut hear).await;
    }
    let executed_before = seen.len();
    assert!(put.len() > 100 && executed_before > 100, "hardly anything happened: {}", put.len());
    let began = Instant::now();
    let mut process = Process::start(&place, "execute").await;
    while !put.is_subset(&seen) {
        let line = timeout_at(began + BACK_WITHIN, process.lines.next_line()).await;
        let Ok(line) = line else {
            let lost: Vec<_> = put.difference(&seen).collect();
            panic!("{} of {} were not executed: {:?}…", lost.len(), put.len(), &lost[..lost.len().min(5)]);
        };
        if let Some(("seen", key)) = said(&line.unwrap().expect("it lives")) {
            seen.insert(key.to_owned());
        }
    }
    println!("{KILLS} kills, {} put in, {} left for the last start", put.len(), put.len() - executed_before);
    process.child.kill().await.unwrap();
}

async fn what_a_kill_interrupts_is_executed_at_the_next_start(place: Place) {
    for _ in 0..3 {
        let mut process = Process::start(&place, "stick").await;
        // On a busy machine what is due later may be executed first.
        let others = process.until(&["sticky"], Instant::now() + SOON).await;
        let mut behind_came = others.iter().any(|key| key == "behind it");
        process.kill(&mut |line| behind_came |= said(line) == Some(("seen", "behind it"))).await;
        let began = Instant::now();
        let mut process = Process::start(&place, "execute").await;
        let rest: &[_] = if behind_came { &["sticky"] } else { &["sticky", "behind it"] };
        process.until(rest, began + BACK_WITHIN).await;
        process.child.kill().await.unwrap();
    }
}

/// The words of one whole line; a line that the kill cut short was not said.
fn said(line: &str) -> Option<(&str, &str)> {
    let (_, said) = line.split_once('@')?;
    said.strip_suffix('.')?.split_once(' ')
}

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    async fn start(place: &Place, task: &str) -> Self {
        let (kind, at) = match &place.queue {
            Queue::Redis { url, .. } => ("redis", url.clone()),
            Queue::Sqlite(path) => ("sqlite", path.display().to_string()),
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--ignored", "--nocapture"])
            .env("WAPID_CRASH_QUEUE", kind)
            .env("WAPID_CRASH_AT", at)
            .env("WAPID_CRASH_INSTANCE", &place.instance)
            .env("WAPID_CRASH_TASK", task)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next_line().await.unwrap().expect("it starts").contains("@ready") {}
        Self { child, lines }
    }

    /// Waits until it has executed all of them; what else it executed meanwhile.
    async fn until(&mut self, keys: &[&str], deadline: Instant) -> Vec<String> {
        let mut missing = keys.to_vec();
        let mut others = Vec::new();
        while !missing.is_empty() {
            let line = timeout_at(deadline, self.lines.next_line()).await;
            let Ok(line) = line else { panic!("it did not execute {missing:?}") };
            let line = line.unwrap().expect("it lives");
            let Some(("seen", executed)) = said(&line) else { continue };
            match missing.iter().position(|key| *key == executed) {
                Some(nth) => drop(missing.swap_remove(nth)),
                None => others.push(executed.to_owned()),
            }
        }
        others
    }

    /// With `kill -9`; and hears what it said before.
    async fn kill(mut self, hear: &mut impl FnMut(&str)) {
        self.child.start_kill().unwrap();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            hear(&line);
        }
        self.child.wait().await.unwrap();
    }
}

// The process.

#[test]
#[ignore = "the process of the tests above: a child of theirs, killed by them"]
fn child() {
    let variable = |name: &str| std::env::var(format!("WAPID_CRASH_{name}"));
    let (Ok(kind), Ok(at), Ok(instance), Ok(task)) =
        (variable("QUEUE"), variable("AT"), variable("INSTANCE"), variable("TASK"))
    else {
        return;
    };
    let queue = if kind == "redis" { Queue::redis(at) } else { Queue::Sqlite(at.into()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(live(queue, &instance, &task));
}

async fn live(queue: Queue, instance: &str, task: &str) {
    let wakeups = Wakeups::open(queue, instance, Clock::System).await.unwrap();
    let sticks = task == "stick";
    let _running = wakeups.run(move |key: &str| {
        say("seen", key);
        if sticks && key == "sticky" {
            loop {
                std::thread::park();
            }
        }
    });
    say("ready", "");
    match task {
        "put" => {
            let putters = (0..4).map(|putter| tokio::spawn(put_for_ever(wakeups.clone(), putter)));
            for putter in putters.collect::<Vec<_>>() {
                putter.await.unwrap();
            }
        }
        "stick" => {
            let now = Clock::System.now();
            wakeups.wake("behind it", now.plus_ms(500)).await;
            wakeups.wake("sticky", now).await;
        }
        _ => {}
    }
    std::future::pending::<()>().await;
}

async fn put_for_ever(wakeups: Wakeups, putter: u32) {
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    for n in 0.. {
        pace.tick().await;
        let key = format!("{}:{putter}:{n}", std::process::id());
        wakeups.wake(&key, Clock::System.now().plus_ms(rand::random_range(0..200))).await;
        say("put", &key);
    }
}

/// One write: a kill leaves whole lines but for the last.
fn say(word: &str, key: &str) {
    let line = format!("@{word} {key}.\n");
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}
