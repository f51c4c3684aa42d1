//! A recipient is taken together with its message, its quota and its pace, or nothing is.

use wapid_core::job::Outcome::{self, Queued, Sending};
use wapid_core::job::State;
use wapid_core::message::Status;
use wapid_core::read;
use wapid_core::store::Db;
use wapid_core::store::ledger::{Accepted, Change, Intent, Outcome as Ending, Refused};
use wapid_core::store::sessions::SessionSettings;

use super::books::contradictions;
use super::{DRAW, Job, phone_of};
use crate::fixture::{Shop, TestDb, both, count, together};

both!(
    a_release_takes_its_recipient_and_starts_the_job,
    a_recipient_is_taken_once,
    nothing_leaves_of_a_job_that_does_not_run,
    a_job_is_sent_by_its_own_session_alone,
    who_opted_out_is_not_written_to,
    an_opt_out_that_comes_with_a_release_is_too_late_for_it,
    a_spent_limit_puts_the_recipient_back,
    a_process_that_lost_the_lease_releases_nothing,
    a_message_that_cannot_be_stored_leaves_its_recipient_waiting,
    single_messages_have_no_pace,
);

async fn a_release_takes_its_recipient_and_starts_the_job(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 3).await;
    db.advance(std::time::Duration::from_secs(5));
    let now = db.clock.now();
    let (key, wa_id) = job.send(2).await;
    let row = job.row().await;
    assert_eq!((row.state, row.started_at, row.processed()), (State::Running, Some(now), 0));
    let taken = job.person(2).await;
    assert_eq!((taken.outcome, taken.attempts, taken.settled_at), (Outcome::Sending, 1, None));
    assert_eq!((taken.wa_id, taken.status), (Some(wa_id), Some(Status::Sending)));
    assert_eq!(job.outcomes().await, [Queued, Sending, Queued]);
    let waiting = shop.store.waiting(&job.id, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|one| one.seq).collect::<Vec<_>>(), [1, 3]);
    let agenda = job.agenda().await;
    assert_eq!((agenda.last_at, agenda.draw), (Some(now), DRAW));
    assert_eq!((shop.used().await, shop.live().job_underway(&job.id).await.unwrap()), (1, 1));
    let unsettled = shop.store.claim_unsettled(&shop.owner.session, 2).await.unwrap();
    assert_eq!((&unsettled[0].key, unsettled[0].job.as_ref()), (&key, Some(&(job.id.clone(), 2))));

    // It starts once.
    db.advance(std::time::Duration::from_secs(5));
    job.send(1).await;
    assert_eq!(job.row().await.started_at, Some(now));
    assert_eq!(job.told().await, ["job.started"]);
    let event = &job.events().await[0];
    assert_eq!((event["occurredAt"].as_i64(), event["seq"].as_i64()), (Some(now.0), Some(1)));
    assert_eq!((&event["data"]["state"], &event["data"]["total"]), (&"running".into(), &3.into()));
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

/// Whoever asks first, and however many ask at once: a second message would be shown twice.
async fn a_recipient_is_taken_once(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    let job = Job::of(&shop, 20).await;
    let results = together((0..120).map(|i| {
        let (store, intent) = (stores[i / 60].clone(), job.intent(i64::try_from(i % 20).unwrap() + 1));
        async move { store.accept(intent).await }
    }))
    .await;
    let taken = results.iter().filter(|r| matches!(r, Ok(Accepted::New { .. }))).count();
    let refused = results.iter().filter(|r| matches!(r, Err(Refused::NotReleased))).count();
    assert_eq!((taken, refused), (20, 100), "{results:?}");
    assert_eq!(job.outcomes().await, [Outcome::Sending; 20]);
    assert!(job.people().await.iter().all(|person| person.attempts == 1));
    assert_eq!((shop.used().await, shop.live().job_underway(&job.id).await.unwrap()), (20, 20));
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn nothing_leaves_of_a_job_that_does_not_run(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let unknown = Job { id: wapid_core::job::JobId::new(db.clock.now()), ..Job::of(&shop, 1).await };
    not_released(unknown.release(1).await);

    let job = Job::of(&shop, 3).await;
    job.end(1, Ending::Sent).await;
    for change in [Change::Pause, Change::Cancel] {
        job.change(change).await;
        let before = job.picture().await;
        not_released(job.release(2).await);
        assert_eq!(job.picture().await, before, "{change:?}");
    }

    let done = Job::of(&shop, 2).await;
    done.end(1, Ending::Sent).await;
    done.end(2, super::unknown()).await;
    let before = done.picture().await;
    for seq in [0, 1, 2, 3] {
        not_released(done.release(seq).await);
    }
    assert_eq!(done.picture().await, before);
}

async fn a_job_is_sent_by_its_own_session_alone(db: TestDb) {
    let store = db.store().await;
    let (shop, stranger) = (Shop::new(&store, "shop").await, Shop::new(&store, "stranger").await);
    let job = Job::of(&shop, 2).await;
    let other = shop.add_session("other").await;
    let before = job.picture().await;
    for owner in [&other, &stranger.owner] {
        let intent = Intent { owner: owner.clone(), ..job.intent(1) };
        not_released(store.accept(intent).await);
    }
    assert_eq!(job.picture().await, before);
    assert_eq!((shop.used().await, stranger.used().await), (0, 0));
}

async fn who_opted_out_is_not_written_to(db: TestDb) {
    let store = db.store().await;
    let (shop, other) = (Shop::new(&store, "shop").await, Shop::new(&store, "other").await);
    let (job, others) = (Job::of(&shop, 2).await, Job::of(&other, 1).await);
    assert!(shop.live().opt_out(&phone_of(1)).await.unwrap());
    let before = job.picture().await;
    not_released(job.release(1).await);
    assert_eq!(job.picture().await, before);
    let waiting = store.waiting(&job.id, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|one| one.opted_out).collect::<Vec<_>>(), [true, false]);
    // It is the tenant's list, and single messages are not bulk.
    others.send(1).await;
    store.accept(Intent { job: None, ..job.intent(1) }).await.unwrap();
    assert!(shop.live().opt_in(&phone_of(1)).await.unwrap());
    job.send(1).await;
}

/// Another process may commit an opt-out while this one releases. Who was taken gets the message;
/// taken without a message, nobody would ever hear of them again.
async fn an_opt_out_that_comes_with_a_release_is_too_late_for_it(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let settings = wapid_core::opt_out::Settings { applies_to_all: true, ..Default::default() };
    shop.live().save_settings(&settings).await.unwrap();
    let job = Job::of(&shop, 1).await;
    let opt_out = "INSERT INTO opt_outs (tenant_id, mode, phone, source, created_at)
        SELECT tenant_id, mode, NEW.phone, 'api', 0 FROM jobs WHERE id = NEW.job_id";
    match shop.store.db() {
        Db::Sqlite { write, .. } => {
            let trigger = format!(
                "CREATE TRIGGER meanwhile AFTER UPDATE OF state ON recipients WHEN NEW.state = 'sending'
                BEGIN {opt_out}; END"
            );
            sqlx::query(sqlx::AssertSqlSafe(trigger)).execute(write).await.unwrap();
        }
        Db::Postgres(pool) => {
            let function = format!(
                "CREATE FUNCTION meanwhile() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN {opt_out}; RETURN NULL; END $$"
            );
            sqlx::query(sqlx::AssertSqlSafe(function)).execute(pool).await.unwrap();
            let trigger = "CREATE TRIGGER meanwhile AFTER UPDATE OF state ON recipients
                FOR EACH ROW WHEN (NEW.state = 'sending') EXECUTE FUNCTION meanwhile()";
            sqlx::query(trigger).execute(pool).await.unwrap();
        }
    }
    job.send(1).await;
    assert!(shop.live().is_opted_out(&phone_of(1)).await.unwrap());
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

/// The tenant's limit or the session's: the job waits as if nobody had asked.
async fn a_spent_limit_puts_the_recipient_back(db: TestDb) {
    let store = db.store().await;
    let tenants = Shop::with(&store, "by tenant", "UTC", Some(2)).await;
    let sessions = Shop::new(&store, "by session").await;
    let settings = SessionSettings { daily_limit: Some(2), ..Default::default() };
    sessions.live().ensure_session(&sessions.owner.session_id, settings).await.unwrap();
    for shop in [tenants, sessions] {
        let job = Job::of(&shop, 4).await;
        job.end(1, super::blocked()).await;
        shop.accept().await;
        job.end(2, Ending::Sent).await;
        let before = job.picture().await;
        // One who was tried before, one who was not.
        for seq in [1, 3] {
            let refused = job.release(seq).await;
            assert!(matches!(refused, Err(Refused::LimitReached { limit: 2, used: 2 })), "{refused:?}");
        }
        assert_eq!(job.picture().await, before);

        // Nothing of this one has left.
        let late = Job::of(&shop, 2).await;
        let before = late.picture().await;
        assert!(matches!(late.release(1).await, Err(Refused::LimitReached { .. })));
        assert_eq!(late.picture().await, before);
        assert_eq!(late.told().await, Vec::<String>::new());
        // Among several that ask at once, it takes what is left and no more.
        db.advance(std::time::Duration::from_secs(24 * 3_600));
        let results = together([1, 2].into_iter().chain([3, 4]).map(|seq| {
            let job = if seq < 3 { late.clone() } else { job.clone() };
            async move { job.release(seq).await }
        }))
        .await;
        assert_eq!(count(&results), (2, 2));
        assert_eq!(contradictions(&store).await, Vec::<String>::new());
    }
}

async fn a_process_that_lost_the_lease_releases_nothing(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 1).await;
    for epoch in [1, 2] {
        assert_eq!(shop.store.claim(&shop.owner.session, "a").await.unwrap(), Some(epoch));
    }
    let before = job.picture().await;
    let refused = job.release(1).await;
    assert!(matches!(refused, Err(Refused::LeaseLost)), "{refused:?}");
    assert_eq!(job.picture().await, before);
    shop.store.accept(Intent { epoch: 2, ..job.intent(1) }).await.unwrap();
}

async fn a_message_that_cannot_be_stored_leaves_its_recipient_waiting(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 12).await;
    let (_, taken) = job.send(1).await;
    let results = together((2..=12).map(|seq| {
        let job = job.clone();
        let mut intent = job.intent(seq);
        if seq == 7 {
            // An id that exists in this chat: the row before has it.
            intent.to = job.intent(1).to;
            intent.wa_id.clone_from(&taken);
        }
        async move { job.shop.store.accept(intent).await }
    }))
    .await;
    for (seq, result) in (2..).zip(&results) {
        assert_eq!(result.is_err(), seq == 7, "{seq}: {result:?}");
    }
    let person = job.person(7).await;
    assert_eq!((person.outcome, person.attempts, person.wa_id), (Outcome::Queued, 0, None));
    assert_eq!(shop.used().await, 11);
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn single_messages_have_no_pace(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 1).await;
    shop.accept().await;
    let agenda = job.agenda().await;
    assert_eq!((agenda.last_at, agenda.strikes), (None, 0));
    let rows: Vec<(String,)> =
        read!(shop.store.db(), |pool| sqlx::query_as("SELECT session_key FROM pace").fetch_all(pool).await)
            .unwrap();
    assert_eq!(rows, []);
}

fn not_released(result: Result<Accepted, Refused>) {
    assert!(matches!(result, Err(Refused::NotReleased)), "{result:?}");
}
