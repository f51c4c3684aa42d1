//! A kill at any instant leaves whole jobs: their numbers, their recipients and their messages agree, and
//! what was answered is there.
//!
//! On SQLite the files are copied as a kill would leave them. On Postgres the connections are cut, which
//! rolls back whatever they were in the middle of.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use wapid_core::id::{MessageKey, SessionId};
use wapid_core::job::{JobId, Outcome, State};
use wapid_core::message::Status;
use wapid_core::store::jobs::{JobFilter, Retried};
use wapid_core::store::ledger::{Accepted, Change, Outcome as Ending, Owner, ReceiptNews, Settlement};
use wapid_core::store::{Db, Durability, Store};

use super::books::contradictions;
use super::{Job, blocked, listed, new_job, phones, unknown};
use crate::crash::copy_as_a_kill_would;
use crate::fixture::{MASTER, Shop, TestDb, failed};

const KILLS: usize = 16;
const WRITERS: usize = 6;
const PEOPLE: i64 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_instant_leaves_whole_jobs_on_sqlite() {
    TestDb::sqlite().run(a_kill_at_any_instant_leaves_whole_jobs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_at_any_instant_leaves_whole_jobs_on_postgres() {
    if let Some(db) = TestDb::postgres().await {
        db.run(a_cut_at_any_instant_leaves_whole_jobs).await;
    }
}

async fn a_kill_at_any_instant_leaves_whole_jobs(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let work = Work::begin(&shop);
    let copies = tempfile::tempdir().unwrap();
    let mut rounds = Vec::new();
    for kill in 0..KILLS {
        work.go_on_for(rand::random_range(1..60)).await;
        let known = work.answered.lock().clone();
        let copy = copies.path().join(format!("{kill}.db"));
        copy_as_a_kill_would(Path::new(db.file()), &copy).await;
        rounds.push((copy, known));
    }
    let refused = work.errors.load(Ordering::Relaxed);
    work.end().await;
    assert_eq!(refused, 0, "somebody was told of an error");
    for (copy, known) in rounds {
        let url = format!("sqlite://{}", copy.display());
        let store = Store::open(&url, Durability::Process, &MASTER, db.clock.clone()).await.unwrap();
        let shop = Shop { store, ..shop.clone() };
        assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
        known.is_kept(&shop).await;
        shop.store.close().await;
    }
}

async fn a_cut_at_any_instant_leaves_whole_jobs(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let work = Work::begin(&shop);
    let Db::Postgres(pool) = shop.store.db() else { unreachable!("it is Postgres") };
    for _ in 0..KILLS {
        work.go_on_for(rand::random_range(1..30)).await;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()";
        // Our own connection may be one that was cut before.
        while sqlx::query(cut).execute(pool).await.is_err() {}
    }
    let known = work.answered.lock().clone();
    work.end().await;
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
    known.is_kept(&shop).await;

    // The next process takes up what is on its way, and every job comes to its end.
    for message in shop.store.claim_unsettled(&shop.owner.session, 2).await.unwrap() {
        let current = shop.settlement(&message.key, Ending::Sent);
        shop.store.settle(Settlement { epoch: 2, ..current }).await.unwrap();
    }
    let filter = JobFilter { session: Some(shop.owner.session_id.clone()), ..JobFilter::default() };
    for row in shop.live().jobs(&filter, None, 10_000).await.unwrap().rows {
        let job = Job { shop: shop.clone(), owner: shop.owner.clone(), id: row.id };
        job.change(Change::Resume).await;
        for waiting in shop.store.waiting(&job.id, PEOPLE).await.unwrap() {
            job.dismiss(waiting.seq, Outcome::Skipped, "OPTED_OUT").await;
        }
        let row = job.row().await;
        assert_eq!((row.state, row.processed()), (State::Completed, PEOPLE), "{row:?}");
    }
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

/// What callers were told.
#[derive(Clone, Default)]
struct Answered {
    jobs: HashSet<JobId>,
    messages: Vec<(MessageKey, Status)>,
}

impl Answered {
    async fn is_kept(&self, shop: &Shop) {
        for id in &self.jobs {
            assert!(shop.live().job(id).await.unwrap().is_some(), "{id} was made");
        }
        for (key, status) in &self.messages {
            let row = shop.live().message(key).await.unwrap().expect("an answered message is there");
            assert!(row.status.rank() >= status.rank(), "{key} was {status:?} and is {:?}", row.status);
        }
    }
}

/// Writers that make jobs and work through them, and steer them meanwhile.
#[derive(Clone)]
struct Work {
    shop: Shop,
    answered: Arc<Mutex<Answered>>,
    /// Calls that came back, with whatever answer.
    calls: Arc<AtomicUsize>,
    errors: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    writers: Arc<Mutex<Vec<tokio::task::JoinHandle<()>>>>,
}

impl Work {
    fn begin(shop: &Shop) -> Self {
        let work = Self {
            shop: shop.clone(),
            answered: Arc::default(),
            calls: Arc::default(),
            errors: Arc::default(),
            stop: Arc::default(),
            writers: Arc::default(),
        };
        let writers = (0..WRITERS).map(|_| {
            let work = work.clone();
            tokio::spawn(async move { while work.one_job().await.is_some() {} })
        });
        work.writers.lock().extend(writers);
        work
    }

    async fn go_on_for(&self, calls: usize) {
        let goal = self.calls.load(Ordering::Relaxed) + calls;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while self.calls.load(Ordering::Relaxed) < goal {
            assert!(tokio::time::Instant::now() < deadline, "the writers stand still");
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let writers = std::mem::take(&mut *self.writers.lock());
        for writer in writers {
            writer.await.unwrap();
        }
    }

    /// Notes a call; `None` when it was refused, or everybody is to stop.
    fn note<T, E: std::fmt::Debug>(&self, result: Result<T, E>) -> Option<T> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = &result {
            self.errors.fetch_add(1, Ordering::Relaxed);
            assert!(matches!(self.shop.store.db(), Db::Postgres(_)), "{error:?}");
        }
        result.ok()
    }

    /// `None` when everybody is to stop.
    async fn one_job(&self) -> Option<()> {
        let phones = phones(PEOPLE);
        let made = self.shop.live().create_job(new_job(&self.shop.owner), listed(&phones)).await;
        let Some(made) = self.note(made) else { return self.go_on() };
        self.answered.lock().jobs.insert(made.id.clone());
        let job = Job { shop: self.shop.clone(), owner: self.shop.owner.clone(), id: made.id };
        for seq in 1..=PEOPLE {
            self.go_on()?;
            self.one_person(&job, seq).await;
            match rand::random_range(0..12) {
                0 => drop(self.note(self.shop.live().change_job(&job.id, Change::Pause).await)),
                1 => {
                    let retried = self.note(self.shop.live().retry_failed(&job.id, true).await);
                    assert!(matches!(retried, None | Some(Retried::Queued { .. })), "{retried:?}");
                }
                _ => {}
            }
            self.note(self.shop.live().change_job(&job.id, Change::Resume).await);
        }
        // Who failed in a job that is completed by now.
        self.note(self.shop.live().retry_failed(&job.id, true).await);
        self.one_removal().await;
        self.go_on()
    }

    /// A session with a job in the middle of its list goes.
    async fn one_removal(&self) -> Option<()> {
        let id = SessionId::parse(&format!("s{:x}", rand::random::<u64>())).expect("it is an id");
        let (session, _) = self.note(self.shop.live().ensure_session(&id, Default::default()).await)?;
        let owner = Owner { session: session.key, session_id: id, ..self.shop.owner.clone() };
        let phones = phones(2);
        let made = self.note(self.shop.live().create_job(new_job(&owner), listed(&phones)).await)?;
        let job = Job { shop: self.shop.clone(), owner: owner.clone(), id: made.id };
        self.note(job.release(1).await);
        self.note(self.shop.store.remove_session(&owner.session, true).await)
    }

    async fn one_person(&self, job: &Job, seq: i64) {
        let store = &self.shop.store;
        let intent = job.intent(seq);
        let wa_id = intent.wa_id.clone();
        let Some(Accepted::New { key, .. }) = self.note(store.accept(intent).await) else { return };
        self.answered.lock().messages.push((key.clone(), Status::Sending));
        let (outcome, status) = match rand::random_range(0..8) {
            0 => (failed(), Status::Failed),
            1 => (unknown(), Status::Failed),
            2 => (blocked(), Status::Failed),
            3 => {
                let at = store.clock().now();
                let (wa_ids, status) = (vec![wa_id], Status::Delivered);
                let news =
                    ReceiptNews { owner: job.owner.clone(), by: Default::default(), wa_ids, status, at };
                if self.note(store.note_receipt(news).await).is_some() {
                    self.answered.lock().messages.push((key, status));
                }
                return;
            }
            _ => (Ending::Sent, Status::Sent),
        };
        if self.note(store.settle(job.settlement(&key, outcome)).await).is_some() {
            self.answered.lock().messages.push((key, status));
        }
    }

    fn go_on(&self) -> Option<()> {
        (!self.stop.load(Ordering::Relaxed)).then_some(())
    }
}
