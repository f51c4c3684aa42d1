//! The kill model: what was answered is there after the process died at any instant.
//!
//! A killed process leaves the files as they are at that moment. So we copy the database and its
//! write-ahead log while writers run, and open the copy.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use wapid_core::id::MessageKey;
use wapid_core::job::JobId;
use wapid_core::message::Status;
use wapid_core::opt_out::Settings;
use wapid_core::phone::Phone;
use wapid_core::store::ledger::Outcome;
use wapid_core::store::{Durability, Store};

use crate::fixture::{MASTER, Shop, TestDb, idempotent, inbound};
use crate::jobs::books::contradictions;
use crate::jobs::{listed, new_job, phones};

const KILLS: usize = 40;
const PROCESSES: usize = 4;
/// Of each of a process' two tasks.
const TURNS: usize = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_answered_survives_a_kill_on_sqlite() {
    TestDb::sqlite().run(whatever_was_answered_survives_a_kill).await;
}

async fn whatever_was_answered_survives_a_kill(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let answered = Arc::new(Mutex::new(Vec::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (shop, answered, stop) = (shop.clone(), answered.clone(), stop.clone());
            tokio::spawn(async move {
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let intent = idempotent(&shop.owner, &format!("{writer}-{n}"), 1);
                    let (key, _) = crate::fixture::accept(&shop.store, intent).await;
                    answered.lock().push((key.clone(), Status::Sending));
                    shop.settle(&key, Outcome::Sent).await;
                    answered.lock().push((key, Status::Sent));
                }
            })
        })
        .collect();

    let copies = tempfile::tempdir().unwrap();
    let mut rounds = Vec::new();
    for kill in 0..KILLS {
        // A random moment: after some more answers, whatever the writers are doing then.
        let goal = answered.lock().len() + rand::random_range(1..60);
        while answered.lock().len() < goal {
            tokio::task::yield_now().await;
        }
        let known = answered.lock().clone();
        let copy = copies.path().join(format!("{kill}.db"));
        copy_as_a_kill_would(Path::new(db.file()), &copy).await;
        rounds.push((copy, known));
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }

    for (copy, known) in rounds {
        let store = opened(&copy, &db).await;
        let survivor = Shop { store, ..shop.clone() };
        kept(&survivor, &known).await;
        let (_, total) = survivor.live().messages_page(&Default::default(), 1, 0).await.unwrap();
        assert_eq!(survivor.used().await, total);
        survivor.store.close().await;
    }
}

/// As many processes as there are stores, all of whose writes go to one file. SQLite lets one write at a
/// time; that is nobody's business but ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_on_one_file_tell_nobody_that_it_is_busy() {
    TestDb::sqlite().run(four_processes_on_one_file).await;
}

async fn four_processes_on_one_file(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let answered = Arc::new(Mutex::new(Answered::default()));
    let mut writers = Vec::new();
    for process in 0..PROCESSES {
        let shop = Shop { store: db.store().await, ..shop.clone() };
        writers.extend((0..2).map(|task| {
            let (shop, answered) = (shop.clone(), answered.clone());
            tokio::spawn(async move { one_of_many(&shop, &answered, process * 2 + task).await })
        }));
    }
    let copies = tempfile::tempdir().unwrap();
    let mut rounds = Vec::new();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let goal = answered.lock().messages.len() + rand::random_range(1..60);
        while answered.lock().messages.len() < goal
            && !writers.iter().all(tokio::task::JoinHandle::is_finished)
        {
            tokio::task::yield_now().await;
        }
        let known = answered.lock().clone();
        let copy = copies.path().join(format!("{}.db", rounds.len()));
        copy_as_a_kill_would(Path::new(db.file()), &copy).await;
        rounds.push((copy, known));
    }
    for writer in writers {
        writer.await.expect("no call of any process was refused");
    }
    assert!(rounds.len() > 4, "{} copies are no sample", rounds.len());
    for (copy, known) in rounds {
        let survivor = Shop { store: opened(&copy, &db).await, ..shop.clone() };
        assert_eq!(contradictions(&survivor.store).await, Vec::<String>::new());
        kept(&survivor, &known.messages).await;
        for job in &known.jobs {
            assert!(survivor.live().job(job).await.unwrap().is_some(), "{job} was made");
        }
        for phone in &known.opt_outs {
            assert!(survivor.live().is_opted_out(phone).await.unwrap(), "an opt-out was answered");
        }
        survivor.store.close().await;
    }
}

/// What callers were told.
#[derive(Clone, Default)]
struct Answered {
    messages: Vec<(MessageKey, Status)>,
    jobs: Vec<JobId>,
    opt_outs: Vec<Phone>,
}

/// Everything that a process writes: messages, what arrives, jobs, leases, lists, sessions.
async fn one_of_many(shop: &Shop, answered: &Mutex<Answered>, writer: usize) {
    let (store, live) = (&shop.store, shop.live());
    let session = shop.add_session(&format!("session {writer}")).await;
    for turn in 0..TURNS {
        let (key, wa_id) =
            crate::fixture::accept(store, idempotent(&shop.owner, &format!("{writer}-{turn}"), 1)).await;
        answered.lock().messages.push((key.clone(), Status::Sending));
        shop.settle(&key, Outcome::Sent).await;
        answered.lock().messages.push((key.clone(), Status::Sent));
        shop.receipt(&wa_id, Status::Delivered).await;
        answered.lock().messages.push((key, Status::Delivered));
        store.receive(vec![inbound(&session, &format!("IN{turn}"))]).await.unwrap();
        match turn % 6 {
            0 => {
                let made = live.create_job(new_job(&session), listed(&phones(5))).await.unwrap();
                answered.lock().jobs.push(made.id);
            }
            1 => assert!(store.claim(&session.session, "a").await.unwrap().is_some()),
            2 => {
                let phone = Phone::parse(&format!("55118{writer:04}{turn:04}"), None).unwrap();
                assert!(live.opt_out(&phone).await.unwrap());
                answered.lock().opt_outs.push(phone);
            }
            3 => live.save_settings(&Settings::default()).await.unwrap(),
            4 => drop(store.tidy(store.clock().now()).await.unwrap()),
            _ => drop(live.ensure_session(&session.session_id, Default::default()).await.unwrap()),
        }
    }
}

/// A copy as the next process finds it.
async fn opened(copy: &Path, db: &TestDb) -> Store {
    let mut file = SqliteConnectOptions::new().filename(copy).connect().await.unwrap();
    let (verdict,): (String,) = sqlx::query_as("PRAGMA integrity_check").fetch_one(&mut file).await.unwrap();
    assert_eq!(verdict, "ok");
    let gaps = "SELECT session_key FROM events GROUP BY session_key HAVING COUNT(*) <> MAX(seq)";
    let gaps: Vec<(String,)> = sqlx::query_as(gaps).fetch_all(&mut file).await.unwrap();
    assert_eq!(gaps, []);
    file.close().await.unwrap();
    let url = format!("sqlite://{}", copy.display());
    Store::open(&url, Durability::Process, &MASTER, db.clock.clone()).await.unwrap()
}

async fn kept(survivor: &Shop, known: &[(MessageKey, Status)]) {
    for (key, status) in known {
        let row = survivor.live().message(key).await.unwrap().expect("an answered message is there");
        assert!(row.status.rank() >= status.rank(), "{key} was {status:?} and is {:?}", row.status);
    }
}

/// The files of a killed process stand still; ours go on changing while we copy. A reader's snapshot
/// keeps the log from being started over meanwhile, so whatever a checkpoint moves into the database
/// during the copy is in the copied log too, and the log's end is as torn as a kill leaves it.
pub async fn copy_as_a_kill_would(from: &Path, to: &Path) {
    let log = |path: &Path| format!("{}-wal", path.display());
    let mut reader = SqliteConnectOptions::new().filename(from).read_only(true).connect().await.unwrap();
    sqlx::query("BEGIN").execute(&mut reader).await.unwrap();
    sqlx::query("SELECT COUNT(*) FROM tenants").fetch_one(&mut reader).await.unwrap();
    std::fs::copy(from, to).unwrap();
    std::fs::copy(log(from), log(to)).unwrap();
    sqlx::query("COMMIT").execute(&mut reader).await.unwrap();
    reader.close().await.unwrap();
}
