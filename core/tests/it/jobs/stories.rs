//! Random stories of one job, played against the store and against the model: after each step both say
//! the same, and at the end the books agree.
//!
//! `WAPID_TEST_CASES` raises the number of stories.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wapid_core::id::MessageKey;
use wapid_core::job::{Outcome, State};
use wapid_core::store::jobs::JobRow;
use wapid_core::store::ledger::{
    Accepted, Change, Intent, Outcome as Ending, ReceiptNews, Refused, Settlement,
};

use super::books::contradictions;
use super::model::{Answer, Model, PEOPLE, Step, Verdict, step};
use super::{Job, phone_of};
use crate::fixture::{Shop, TestDb};

const CASES_SQLITE: u32 = 40;
/// Each step is a round trip there, and the rules are the same.
const CASES_POSTGRES: u32 = 8;
const LONGEST: usize = 40;

#[test]
fn any_story_of_a_job_keeps_its_numbers_true_on_sqlite() {
    check(async { Some(TestDb::sqlite()) }, CASES_SQLITE);
}

#[test]
fn any_story_of_a_job_keeps_its_numbers_true_on_postgres() {
    check(TestDb::postgres(), CASES_POSTGRES);
}

fn check(db: impl Future<Output = Option<TestDb>>, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let Some(db) = runtime.block_on(db) else { return };
    let cases = std::env::var("WAPID_TEST_CASES").map_or(cases, |n| n.parse().expect("a number of cases"));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..LONGEST), |story| runtime.block_on(play(&db, &story)));
    runtime.block_on(db.run(|_| async move { result.unwrap() }));
}

async fn play(db: &TestDb, story: &[Step]) -> Result<(), TestCaseError> {
    let store = db.store().await;
    let shop = Shop::new(&store, &format!("shop {}", rand::random::<u64>())).await;
    let mut world =
        World { job: Job::of(&shop, i64::try_from(PEOPLE).unwrap()).await, epoch: 1, sent: vec![] };
    let mut model = Model::new();
    let mut before = world.job.row().await;
    for (nth, step) in story.iter().enumerate() {
        let expected = model.take(step);
        let answer = world.take(db, step).await;
        prop_assert_eq!(answer, expected, "step {}: {:?}", nth, step);
        let row = world.job.row().await;
        let people = world.job.people().await;
        prop_assert_eq!((row.state, counts(&row)), (model.state, model.counts()), "step {}: {:?}", nth, step);
        let seen: Vec<_> = people.iter().map(|p| (p.outcome, p.attempts, p.error_code.clone())).collect();
        prop_assert_eq!(seen, model.people(), "step {}: {:?}", nth, step);
        // What any of seed 001's pollers stands on.
        prop_assert!(row.processed() <= row.total);
        let may_go_back = matches!(step, Step::Retry { .. });
        prop_assert!(may_go_back || row.processed() >= before.processed(), "step {}: {:?}", nth, step);
        prop_assert_eq!(row.state == State::Completed, model.is_done() && !was_cancelled(&model));
        before = row;
    }
    prop_assert_eq!(contradictions(&world.job.shop.store).await, Vec::<String>::new());
    prop_assert_eq!(told(&world.job).await, model.told);

    // Whatever came before, a job that may go on comes to its end.
    world.finish().await;
    let row = world.job.row().await;
    if row.state != State::Cancelled {
        prop_assert_eq!((row.state, row.processed()), (State::Completed, row.total));
    }
    prop_assert_eq!(contradictions(&world.job.shop.store).await, Vec::<String>::new());
    world.job.shop.store.close().await;
    Ok(())
}

fn was_cancelled(model: &Model) -> bool {
    model.state == State::Cancelled
}

fn counts(row: &JobRow) -> [i64; 3] {
    [row.succeeded, row.failed, row.skipped]
}

/// How often each was told: started, paused, resumed, cancelled, completed.
async fn told(job: &Job) -> [usize; 5] {
    let told = job.told().await;
    ["job.started", "job.paused", "job.resumed", "job.cancelled", "job.completed"]
        .map(|kind| told.iter().filter(|one| *one == kind).count())
}

/// The store's side.
pub struct World {
    pub job: Job,
    pub epoch: i64,
    /// Key and WhatsApp's id of each message.
    pub sent: Vec<(MessageKey, String)>,
}

impl World {
    async fn take(&mut self, db: &TestDb, step: &Step) -> Answer {
        let (job, store) = (self.job.clone(), self.job.shop.store.clone());
        match *step {
            Step::Send(person) => {
                let intent = Intent { epoch: self.epoch, ..job.intent(seq(person)) };
                let wa_id = intent.wa_id.clone();
                return match store.accept(intent).await {
                    Ok(Accepted::New { key, .. }) => {
                        self.sent.push((key, wa_id));
                        Answer::Released(true)
                    }
                    Err(Refused::NotReleased) => Answer::Released(false),
                    other => panic!("{other:?}"),
                };
            }
            Step::Settle(..) | Step::SettleLate(..) | Step::Receipt(..) if self.sent.is_empty() => {}
            Step::Settle(message, verdict) => self.settle(message, verdict, self.epoch).await,
            Step::SettleLate(message, verdict) => self.settle(message, verdict, self.epoch - 1).await,
            Step::Receipt(message, status) => {
                let wa_ids = vec![self.sent[message % self.sent.len()].1.clone()];
                let at = store.clock().now();
                let news =
                    ReceiptNews { owner: job.owner.clone(), by: Default::default(), wa_ids, status, at };
                store.note_receipt(news).await.unwrap();
            }
            Step::Dismiss(person, outcome) => job.dismiss(seq(person), outcome, "DISMISSED").await,
            Step::Steer(change) => return Answer::Steered(job.change(change).await),
            Step::Retry { unknown_too } => {
                let retried = job.shop.live().retry_failed(&job.id, unknown_too).await.unwrap();
                return Answer::Retried(retried);
            }
            Step::OptOut(person) => drop(job.shop.live().opt_out(&phone_of(seq(person))).await.unwrap()),
            Step::OptIn(person) => drop(job.shop.live().opt_in(&phone_of(seq(person))).await.unwrap()),
            Step::Restart => {
                store.close().await;
                self.job.shop.store = db.store().await;
                self.epoch += 1;
                let left = self.job.shop.store.claim_unsettled(&job.owner.session, self.epoch).await.unwrap();
                return Answer::TakenUp(left.len());
            }
        }
        Answer::Done
    }

    async fn settle(&self, message: usize, verdict: Verdict, epoch: i64) {
        let (key, _) = &self.sent[message % self.sent.len()];
        let settlement = Settlement { epoch, ..self.job.settlement(key, verdict.ending()) };
        self.job.shop.store.settle(settlement).await.unwrap();
    }

    /// Lets the job go on, if it may, until everybody has an outcome.
    pub async fn finish(&mut self) {
        self.job.change(Change::Resume).await;
        let live = self.job.shop.live();
        for (key, _) in self.sent.clone() {
            let settlement = Settlement { epoch: self.epoch, ..self.job.settlement(&key, Ending::Sent) };
            self.job.shop.store.settle(settlement).await.unwrap();
        }
        for waiting in self.job.shop.store.waiting(&self.job.id, 99).await.unwrap() {
            if waiting.opted_out {
                assert!(live.is_opted_out(&waiting.phone).await.unwrap());
                self.job.dismiss(waiting.seq, Outcome::Skipped, "OPTED_OUT").await;
            } else if let Ok(Accepted::New { key, .. }) = {
                let intent = Intent { epoch: self.epoch, ..self.job.intent(waiting.seq) };
                self.job.shop.store.accept(intent).await
            } {
                let settlement = Settlement { epoch: self.epoch, ..self.job.settlement(&key, Ending::Sent) };
                self.job.shop.store.settle(settlement).await.unwrap();
            }
        }
    }
}

fn seq(person: usize) -> i64 {
    i64::try_from(person).unwrap() + 1
}
