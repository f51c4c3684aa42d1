//! A job exists with its last row, and once per idempotency key.

use std::time::Duration;

use wapid_core::job::Outcome::{self, Duplicate, Invalid, Queued};
use wapid_core::job::{Hold, State};
use wapid_core::key::Mode;
use wapid_core::pacing::{Delay, Windows};
use wapid_core::read;
use wapid_core::store::jobs::{JobFilter, Listed, MadeJob, NewJob, NewJobError};
use wapid_core::store::ledger::{Idempotency, Outcome as Ending};
use wapid_core::store::{Db, Store};

use super::{Job, cut_short, listed, new_job, phones, plan, row};
use crate::fixture::{START, Shop, TestDb, accept, both, idempotent, together};

const DAY: Duration = Duration::from_secs(24 * 3_600);

both!(
    a_job_is_stored_as_it_was_given,
    rows_that_cannot_be_written_to_are_counted_apart,
    a_job_begins_to_exist_with_its_last_row,
    a_list_that_cannot_be_stored_leaves_nothing,
    a_job_may_wait_for_its_time,
    jobs_are_listed_newest_first,
    one_key_is_one_job,
    a_key_is_free_again_when_it_expires,
    many_at_once_with_one_key_make_one_job,
    a_messages_key_makes_no_job,
    only_a_session_of_ones_own_that_stays_gets_a_job,
);

async fn a_job_is_stored_as_it_was_given(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let mut plan = plan();
    plan.delay = Delay { min_ms: 0, max_ms: 7 };
    let windows: Windows = serde_json::from_str(r#"[{"days":["mon"],"from":"09:00","to":"18:00"}]"#).unwrap();
    plan.windows = Some(windows);
    plan.check_numbers = false;
    let new = NewJob { name: Some("Spring".into()), plan: plan.clone(), ..new_job(&shop.owner) };
    let fields = r#"{"name":"Ana"}"#;
    let list =
        [Listed { fields: Some(fields), variant: 3, ..row(7, Some("5511900000007"), Outcome::Queued) }];
    let made = shop.live().create_job(new, list.into_iter()).await.unwrap();
    let job = shop.live().job(&made.id).await.unwrap().unwrap();
    assert_eq!((job.name.as_deref(), job.plan, job.state), (Some("Spring"), plan.clone(), State::Pending));
    assert_eq!(
        (job.session_key, job.session_id),
        (shop.owner.session.clone(), shop.owner.session_id.clone())
    );
    assert_eq!((job.not_before, job.created_at, job.hold), (START, START, None));
    assert_eq!((job.started_at, job.finished_at, job.reason), (None, None, None));

    let waiting = shop.store.waiting(&made.id, 9).await.unwrap();
    assert_eq!((waiting[0].seq, waiting[0].phone.digits()), (7, "5511900000007"));
    assert_eq!((waiting[0].fields.as_deref(), waiting[0].variant), (Some(fields), 3));
    let agenda = shop.store.agenda(&shop.owner.session).await.unwrap().unwrap();
    assert_eq!((&agenda.jobs[0].id, &agenda.jobs[0].plan), (&made.id, &plan));
}

async fn rows_that_cannot_be_written_to_are_counted_apart(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let wrong = |seq, outcome, code| Listed {
        code: Some(code),
        error: Some(format!("row {seq}")),
        ..row(seq, None, outcome)
    };
    let list = [
        row(1, Some("5511900000001"), Outcome::Queued),
        wrong(2, Outcome::Invalid, "INVALID_RECIPIENT"),
        Listed { phone: Some("5511900000001"), ..wrong(3, Outcome::Duplicate, "DUPLICATE") },
        row(4, Some("5511900000004"), Outcome::Queued),
        wrong(5, Outcome::Invalid, "INVALID_RECIPIENT"),
    ];
    let made = shop.live().create_job(new_job(&shop.owner), list.into_iter()).await.unwrap();
    let job = Job { shop: shop.clone(), owner: shop.owner.clone(), id: made.id };
    let row = job.row().await;
    assert_eq!((row.total, row.invalid, row.duplicates, row.processed()), (2, 2, 1, 0));
    let people = job.people().await;
    let outcomes: Vec<_> = people.iter().map(|person| (person.seq, person.outcome)).collect();
    assert_eq!(outcomes, [(1, Queued), (2, Invalid), (3, Duplicate), (4, Queued), (5, Invalid)]);
    assert_eq!(
        (people[1].error_code.as_deref(), people[1].error.as_deref()),
        (Some("INVALID_RECIPIENT"), Some("row 2"))
    );
    let waiting = shop.store.waiting(&job.id, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|one| one.seq).collect::<Vec<_>>(), [1, 4]);
    // They have no turn, and do not keep the job from its end.
    assert!(job.release(2).await.is_err() && job.release(3).await.is_err());
    job.end(1, Ending::Sent).await;
    job.end(4, Ending::Sent).await;
    assert_eq!(job.state().await, State::Completed);
    let tallies = shop.live().tallies(&job.id).await.unwrap();
    let told: Vec<_> = tallies.iter().map(|t| (t.outcome, t.error_code.as_deref(), t.count)).collect();
    assert_eq!(
        told,
        [(Duplicate, None, 1), (Invalid, Some("INVALID_RECIPIENT"), 2), (Outcome::Sent, None, 2)]
    );
}

async fn a_job_begins_to_exist_with_its_last_row(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    cut_short(&shop).await;
    let left = stored(&shop.store, "SELECT COUNT(*) FROM recipients").await;
    assert!(left > 0);
    assert!(shop.live().jobs(&JobFilter::default(), None, 10).await.unwrap().rows.is_empty());
    assert!(shop.store.agenda(&shop.owner.session).await.unwrap().unwrap().jobs.is_empty());
    assert!(shop.store.sessions_with_work(db.clock.now()).await.unwrap().is_empty());

    // A list that is being stored is left alone for an hour; jobs that exist, for ever.
    Job::of(&shop, 3).await;
    db.advance(Duration::from_secs(3_599));
    assert_eq!(shop.store.tidy(db.clock.now()).await.unwrap(), 0);
    db.advance(Duration::from_secs(1));
    assert_eq!(shop.store.tidy(db.clock.now()).await.unwrap(), u64::try_from(left).unwrap() + 1);
    assert_eq!(shop.store.tidy(db.clock.now()).await.unwrap(), 0);
    assert_eq!(stored(&shop.store, "SELECT COUNT(*) FROM recipients").await, 3);
    assert_eq!(stored(&shop.store, "SELECT COUNT(*) FROM jobs").await, 1);
}

async fn a_list_that_cannot_be_stored_leaves_nothing(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let phones = phones(1_500);
    let mut list: Vec<Listed<'_>> = listed(&phones).collect();
    // A row that was there before.
    list.push(row(7, Some("5511900000007"), Outcome::Queued));
    let made = shop.live().create_job(with_key(&shop, "k", 1), list.into_iter()).await;
    assert!(matches!(made, Err(NewJobError::Store(_))), "{made:?}");
    assert_eq!(stored(&shop.store, "SELECT COUNT(*) FROM recipients").await, 0);
    assert_eq!(stored(&shop.store, "SELECT COUNT(*) FROM jobs").await, 0);
    // Nor is its key taken.
    assert!(!make(&shop, "k", 2).await.unwrap().repeated);
}

async fn a_job_may_wait_for_its_time(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let phones = phones(2);
    let later = START.plus_ms(60_000);
    let new = NewJob { schedule_at: Some(later), ..new_job(&shop.owner) };
    let made = shop.live().create_job(new, listed(&phones)).await.unwrap();
    let job = shop.live().job(&made.id).await.unwrap().unwrap();
    assert_eq!((job.state, job.not_before, job.hold), (State::Pending, later, Some(Hold::Scheduled)));
    db.advance(Duration::from_millis(59_999));
    assert!(shop.store.sessions_with_work(db.clock.now()).await.unwrap().is_empty());
    db.advance(Duration::from_millis(1));
    assert_eq!(
        shop.store.sessions_with_work(db.clock.now()).await.unwrap(),
        std::slice::from_ref(&shop.owner.session)
    );
    let job = Job { shop: shop.clone(), owner: shop.owner.clone(), id: made.id };
    job.send(1).await;
    assert_eq!(job.row().await.hold, None);
}

async fn jobs_are_listed_newest_first(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let other = shop.add_session("other").await;
    let mut made = Vec::new();
    for turn in 0..5 {
        let owner = if turn % 2 == 0 { &shop.owner } else { &other };
        made.push(Job::on(&shop, owner, 1).await.id);
        db.advance(Duration::from_millis(1));
    }
    made.reverse();
    let live = shop.live();
    let ids = |rows: Vec<wapid_core::store::jobs::JobRow>| rows.into_iter().map(|r| r.id).collect::<Vec<_>>();
    let all = JobFilter::default();
    let first = ids(live.jobs(&all, None, 3).await.unwrap().rows);
    assert_eq!(first, made[..3]);
    assert_eq!(ids(live.jobs(&all, first.last(), 3).await.unwrap().rows), made[3..]);
    let of_other = JobFilter { session: Some(other.session_id.clone()), ..all.clone() };
    assert_eq!(ids(live.jobs(&of_other, None, 9).await.unwrap().rows), [made[1].clone(), made[3].clone()]);
    let started = Job { shop: shop.clone(), owner: other.clone(), id: made[3].clone() };
    started.send(1).await;
    let running = JobFilter { state: Some(State::Running), ..all };
    assert_eq!(ids(live.jobs(&running, None, 9).await.unwrap().rows), [made[3].clone()]);
}

async fn one_key_is_one_job(db: TestDb) {
    let store = db.store().await;
    let (shop, other) = (Shop::new(&store, "shop").await, Shop::new(&store, "other").await);
    let first = make(&shop, "k", 1).await.unwrap();
    let again = make(&shop, "k", 1).await.unwrap();
    assert_eq!((first.repeated, again.repeated, &again.id), (false, true, &first.id));
    let known = shop.live().job_of_key(&key("k", 1)).await.unwrap().unwrap();
    assert_eq!((known.id, known.repeated), (first.id, true));
    assert!(matches!(make(&shop, "k", 2).await, Err(NewJobError::KeyReused)));
    assert!(matches!(shop.live().job_of_key(&key("k", 2)).await, Err(NewJobError::KeyReused)));
    assert!(shop.live().job_of_key(&key("another", 1)).await.unwrap().is_none());
    // Another tenant's key of the same name is its own.
    assert!(!make(&other, "k", 2).await.unwrap().repeated);
    assert_eq!(shop.live().jobs(&JobFilter::default(), None, 9).await.unwrap().rows.len(), 1);
    assert_eq!(stored(&store, "SELECT COUNT(*) FROM jobs").await, 2);
}

async fn a_key_is_free_again_when_it_expires(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let first = make(&shop, "k", 1).await.unwrap();
    db.advance(DAY);
    assert!(shop.live().job_of_key(&key("k", 1)).await.unwrap().is_none());
    let fresh = Idempotency { expires_at: db.clock.now().plus_ms(1_000), ..key("k", 1) };
    let new = NewJob { idempotency: Some(fresh), ..new_job(&shop.owner) };
    let second = shop.live().create_job(new, listed(&phones(1))).await.unwrap();
    assert!(!second.repeated && second.id != first.id);
}

async fn many_at_once_with_one_key_make_one_job(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    for round in 0..4 {
        let made = together((0..12).map(|i| {
            let shop = Shop { store: stores[i % 2].clone(), ..shop.clone() };
            async move { make(&shop, &format!("k{round}"), 1).await.unwrap() }
        }))
        .await;
        assert_eq!(made.iter().filter(|one| !one.repeated).count(), 1);
        assert!(made.iter().all(|one| one.id == made[0].id));
    }
    assert_eq!(stored(&shop.store, "SELECT COUNT(*) FROM jobs").await, 4);
    // Of those that lost nothing is left.
    assert_eq!(stored(&shop.store, "SELECT COUNT(*) FROM recipients").await, 4 * 3);
}

async fn a_messages_key_makes_no_job(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    accept(&shop.store, idempotent(&shop.owner, "k", 1)).await;
    for print in [1, 2] {
        let made = make(&shop, "k", print).await;
        assert!(matches!(made, Err(NewJobError::KeyReused)), "{made:?}");
    }
    assert_eq!(stored(&shop.store, "SELECT COUNT(*) FROM jobs").await, 0);
}

async fn only_a_session_of_ones_own_that_stays_gets_a_job(db: TestDb) {
    let store = db.store().await;
    let (shop, other) = (Shop::new(&store, "shop").await, Shop::new(&store, "other").await);
    let leaving = shop.add_session("leaving").await;
    store.begin_removal(&leaving.session).await.unwrap();
    let gone = shop.add_session("gone").await;
    store.remove_session(&gone.session, true).await.unwrap();
    let test = store.tenant(shop.tenant.id.clone(), Mode::Test);
    for (tenant, owner) in
        [(shop.live(), &leaving), (shop.live(), &gone), (other.live(), &shop.owner), (test, &shop.owner)]
    {
        let made = tenant.create_job(new_job(owner), listed(&phones(3))).await;
        assert!(matches!(made, Err(NewJobError::NoSession)), "{made:?}");
    }
    assert_eq!(stored(&store, "SELECT COUNT(*) FROM jobs").await, 0);
    assert_eq!(stored(&store, "SELECT COUNT(*) FROM recipients").await, 0);
}

/// SQLite has one writer, and so no meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_does_not_begin_while_its_session_goes_on_postgres() {
    if let Some(db) = TestDb::postgres().await {
        db.run(a_job_does_not_begin_while_its_session_goes).await;
    }
}

/// A removal that has begun and is not committed yet, as another process may have it.
async fn a_job_does_not_begin_while_its_session_goes(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let removal = "UPDATE sessions SET removing = TRUE WHERE key = $1";
    let Db::Postgres(pool) = shop.store.db() else { unreachable!("it is Postgres") };
    let mut tx = pool.begin().await.unwrap();
    sqlx::query(removal).bind(&shop.owner.session).execute(&mut *tx).await.unwrap();
    let maker = tokio::spawn({
        let shop = shop.clone();
        async move { shop.live().create_job(new_job(&shop.owner), listed(&phones(3))).await }
    });
    let blocked = "SELECT COUNT(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while !maker.is_finished() && stored(&shop.store, blocked).await == 0 {
        tokio::task::yield_now().await;
    }
    tx.commit().await.unwrap();
    let made = maker.await.unwrap();
    assert!(matches!(made, Err(NewJobError::NoSession)), "{made:?}");
    assert_eq!(stored(&shop.store, "SELECT COUNT(*) FROM jobs").await, 0);
}

fn key(name: &str, print: u8) -> Idempotency {
    Idempotency { key: name.into(), fingerprint: [print; 32], expires_at: START.plus_ms(24 * 3_600_000) }
}

fn with_key(shop: &Shop, name: &str, print: u8) -> NewJob {
    NewJob { idempotency: Some(key(name, print)), ..new_job(&shop.owner) }
}

/// A job for three.
async fn make(shop: &Shop, name: &str, print: u8) -> Result<MadeJob, NewJobError> {
    shop.live().create_job(with_key(shop, name, print), listed(&phones(3))).await
}

async fn stored(store: &Store, count: &'static str) -> i64 {
    let (count,): (i64,) = read!(store.db(), |pool| sqlx::query_as(count).fetch_one(pool).await).unwrap();
    count
}
