//! Bulk jobs, as the store keeps them.
//!
//! | file | what it holds to |
//! |---|---|
//! | [`making`] | a job exists with its last row, and once per idempotency key |
//! | [`releasing`] | a recipient is taken with its message, or nothing is |
//! | [`settling`] | each recipient has one outcome, counted once |
//! | [`steering`] | pause, resume, cancel, and a session that goes |
//! | [`retrying`] | failed recipients stand in line again |
//! | [`turns`] | whose turn it is, and what a session waits for |
//! | [`limits`] | the day's messages, of a tenant and of a session |
//! | [`opt_outs`] | who is not written to, and by which words |
//! | [`strangers`] | nobody else sees or steers any of it |
//! | [`stories`] | any order of events keeps the numbers true, as [`model`] has them |
//! | [`at_once`] | so does everything at once |
//! | [`kill`] | so does a kill at any instant |
//! | [`books`] | what two tables say of one thing |

use serde_json::Value;
use tokio::sync::Notify;
use wapid_core::id::MessageKey;
use wapid_core::job::{JobId, Outcome, Plan, State, Variant};
use wapid_core::pacing::{Delay, Draw};
use wapid_core::phone::{Phone, Recipient};
use wapid_core::store::jobs::{Agenda, JobRow, Listed, NewJob, RecipientRow};
use wapid_core::store::ledger::{
    Accepted, BLOCKED, Change, Changed, Dismissal, Intent, JobPart, Outcome as Ending, Owner, Refused,
    Settlement,
};

use crate::fixture::{Shop, Told, intent, text};

mod at_once;
pub mod books;
mod kill;
mod limits;
mod making;
mod model;
mod opt_outs;
mod releasing;
mod retrying;
mod settling;
mod steering;
mod stories;
mod strangers;
mod turns;

/// Of the pause after every message of these tests.
const DRAW: Draw = Draw(500_000);

/// A job of a shop.
#[derive(Clone)]
struct Job {
    shop: Shop,
    owner: Owner,
    id: JobId,
}

impl Job {
    /// For so many people, on the shop's own session.
    async fn of(shop: &Shop, people: i64) -> Self {
        Self::on(shop, &shop.owner, people).await
    }

    async fn on(shop: &Shop, owner: &Owner, people: i64) -> Self {
        let phones = phones(people);
        let made = shop.live().create_job(new_job(owner), listed(&phones)).await.unwrap();
        assert!(!made.repeated);
        Self { shop: shop.clone(), owner: owner.clone(), id: made.id }
    }

    async fn row(&self) -> JobRow {
        self.shop.live().job(&self.id).await.unwrap().expect("the job is there")
    }

    async fn state(&self) -> State {
        self.row().await.state
    }

    /// Succeeded, failed, skipped.
    async fn counts(&self) -> [i64; 3] {
        let row = self.row().await;
        assert_eq!(row.processed(), row.succeeded + row.failed + row.skipped);
        assert!(row.processed() <= row.total, "{row:?}");
        [row.succeeded, row.failed, row.skipped]
    }

    async fn people(&self) -> Vec<RecipientRow> {
        let mut people: Vec<RecipientRow> = Vec::new();
        loop {
            let after = people.last().map_or(0, |last| last.seq);
            let part = self.shop.live().recipients(&self.id, None, after, 100_000).await.unwrap();
            people.extend(part.rows);
            if !part.is_cut {
                return people;
            }
        }
    }

    async fn person(&self, seq: i64) -> RecipientRow {
        self.shop.live().recipients(&self.id, None, seq - 1, 1).await.unwrap().rows.remove(0)
    }

    async fn outcomes(&self) -> Vec<Outcome> {
        self.people().await.into_iter().map(|person| person.outcome).collect()
    }

    fn intent(&self, seq: i64) -> Intent {
        let part = JobPart { job: self.id.clone(), seq, draw: DRAW };
        let to = Recipient::Person(phone_of(seq));
        Intent { to, job: Some(part), ..intent(&self.owner) }
    }

    async fn release(&self, seq: i64) -> Result<Accepted, Refused> {
        self.shop.store.accept(self.intent(seq)).await
    }

    /// Releases a recipient; panics if it is refused.
    async fn send(&self, seq: i64) -> (MessageKey, String) {
        crate::fixture::accept(&self.shop.store, self.intent(seq)).await
    }

    fn settlement(&self, key: &MessageKey, outcome: Ending) -> Settlement {
        Settlement { owner: self.owner.clone(), ..self.shop.settlement(key, outcome) }
    }

    async fn settle(&self, key: &MessageKey, outcome: Ending) {
        self.shop.store.settle(self.settlement(key, outcome)).await.unwrap();
    }

    /// Releases and settles.
    async fn end(&self, seq: i64, outcome: Ending) {
        let (key, _) = self.send(seq).await;
        self.settle(&key, outcome).await;
    }

    async fn dismiss(&self, seq: i64, outcome: Outcome, code: &'static str) {
        let at = self.shop.store.clock().now();
        let error = code.to_lowercase();
        let dismissal = Dismissal { job: self.id.clone(), seq, outcome, code, error, at };
        self.shop.store.dismiss(dismissal).await.unwrap();
    }

    async fn change(&self, change: Change) -> Changed {
        self.shop.live().change_job(&self.id, change).await.unwrap()
    }

    async fn agenda(&self) -> Agenda {
        self.shop.store.agenda(&self.owner.session).await.unwrap().expect("the session is there")
    }

    /// What was told of the job, in the order of its session's numbers: ids of one millisecond that two
    /// processes made have no order.
    async fn events(&self) -> Vec<Value> {
        let mut events = self.shop.live().events_after(None, 100_000).await.unwrap();
        events.retain(|event| {
            event["kind"].as_str().is_some_and(|kind| kind.starts_with("job."))
                && event["data"]["jobId"] == self.id.as_str()
        });
        events.sort_by_key(|event| event["seq"].as_i64());
        events
    }

    async fn told(&self) -> Vec<String> {
        self.events().await.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
    }

    /// All that a refusal must leave as it was.
    async fn picture(&self) -> String {
        let session = self.shop.live().outlook(&self.owner.session).await.unwrap();
        format!(
            "{:#?} {:#?} {:#?} {session:#?} {} {:?}",
            self.row().await,
            self.people().await,
            self.agenda().await,
            self.shop.used().await,
            self.shop.events().await,
        )
    }
}

fn plan() -> Plan {
    Plan {
        variants: vec![Variant { label: "A".into(), content: text("Hi {name}"), weight: 1 }],
        delay: Delay::default(),
        windows: None,
        check_numbers: true,
    }
}

pub fn new_job(owner: &Owner) -> NewJob {
    NewJob {
        session: owner.session.clone(),
        session_id: owner.session_id.clone(),
        name: None,
        plan: plan(),
        schedule_at: None,
        idempotency: None,
    }
}

/// Of rows 1 to `count`.
pub fn phones(count: i64) -> Vec<String> {
    (1..=count).map(|seq| format!("55119{seq:08}")).collect()
}

fn phone_of(seq: i64) -> Phone {
    Phone::parse(&format!("55119{seq:08}"), None).unwrap()
}

pub fn listed(phones: &[String]) -> impl Iterator<Item = Listed<'_>> + Send {
    (1..).zip(phones).map(|(seq, phone)| row(seq, Some(phone), Outcome::Queued))
}

/// Rings when row `seq` is read.
fn listed_ringing<'a>(
    phones: &'a [String],
    at: i64,
    bell: &'a Notify,
) -> impl Iterator<Item = Listed<'a>> + Send {
    (1..).zip(phones).map(move |(seq, phone)| {
        if seq == at {
            bell.notify_one();
        }
        row(seq, Some(phone), Outcome::Queued)
    })
}

/// A job whose maker goes away in the middle of its list, as a caller that hangs up does.
async fn cut_short(shop: &Shop) {
    let (phones, middle, live) = (phones(3_000), Notify::new(), shop.live());
    tokio::select! {
        biased;
        () = middle.notified() => {}
        made = live.create_job(new_job(&shop.owner), listed_ringing(&phones, 2_000, &middle)) => {
            panic!("it was made: {made:?}")
        }
    }
}

fn row(seq: i64, phone: Option<&str>, outcome: Outcome) -> Listed<'_> {
    Listed { seq, phone, fields: None, variant: 0, outcome, code: None, error: None }
}

/// WhatsApp does not let the session write to that person now.
fn blocked() -> Ending {
    Ending::Failed { code: BLOCKED.into(), error: "not now".into() }
}

/// Nobody knows whether it arrived.
fn unknown() -> Ending {
    Ending::Failed { code: "OUTCOME_UNKNOWN".into(), error: "no answer".into() }
}
