//! Figures, not facts: run with `cargo nextest run -p wapid-sandbox --run-ignored only measure
//! --no-capture`, in release for figures worth quoting.

use std::time::Instant;

use wapid_sandbox::{Sandbox, Storage};

use crate::support::{ALICE, BOB, BOOK, CAROL, linked, people, shows};

const MESSAGES: usize = 2000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn text_per_second() {
    let folder = tempfile::tempdir().expect("a folder");
    for storage in [Storage::Memory, Storage::Folder(folder.path().into())] {
        let name = format!("{storage:?}").chars().take(6).collect::<String>();
        let sandbox = Sandbox::open(storage).await.expect("opens");
        people(&sandbox).await;
        let alice = linked(&sandbox, ALICE).await;
        let bob = linked(&sandbox, BOB).await;
        alice.send(BOB, "warm").await;
        bob.text("warm").await;
        for (to, what) in [(CAROL, "a phone"), (BOB, "a client and its phone")] {
            let since = Instant::now();
            for number in 0..MESSAGES {
                alice.send(to, &format!("{what} {number}")).await;
            }
            let last = format!("{what} {}", MESSAGES - 1);
            shows(&sandbox, to, |inbox| inbox.messages.last().is_some_and(|message| message.message == last))
                .await;
            let rate = MESSAGES as f64 / since.elapsed().as_secs_f64();
            println!("{name}: {rate:.0} messages/s to {what}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn memory_per_idle_device() {
    const DEVICES: usize = 100;
    let sandbox = Sandbox::open(Storage::Memory).await.expect("opens");
    let before = resident();
    let mut devices = Vec::new();
    for number in 0..DEVICES {
        let phone = format!("1666{number:07}");
        sandbox.create_phone(BOOK, &phone, "Idle").await.expect("a phone");
        devices.push(linked(&sandbox, &phone).await);
    }
    let each = (resident() - before) / DEVICES;
    println!("{each} KiB for each idle device, its client included");
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a process has memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}
