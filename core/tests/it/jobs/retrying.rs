//! Failed recipients stand in line again.

use std::time::Duration;

use wapid_core::job::Outcome::{self, Failed, Queued, Sending, Sent, Skipped};
use wapid_core::job::{STRICKEN_TRIES, State};
use wapid_core::store::jobs::Retried;
use wapid_core::store::ledger::{Change, Outcome as Ending};

use super::books::contradictions;
use super::{Job, blocked, listed, new_job, phones, unknown};
use crate::fixture::{Shop, TestDb, both, failed, together};

both!(
    who_failed_waits_again_and_who_may_have_got_it_only_if_asked_for,
    a_job_that_was_completed_goes_on,
    a_job_that_runs_goes_on_and_a_paused_one_stays_paused,
    a_job_that_had_sent_nothing_is_pending_again,
    a_job_that_is_over_is_not_tried_again,
    a_retry_has_all_its_tries,
    a_retry_takes_as_many_as_there_are_and_is_told_once,
    many_retries_at_once_take_each_recipient_once,
);

async fn who_failed_waits_again_and_who_may_have_got_it_only_if_asked_for(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = job_with_outcomes(&shop, 6).await;
    assert_eq!(job.counts().await, [1, 3, 1]);
    assert_eq!(retry(&job, false).await, Retried::Queued { count: 2, unknown: 1 });
    assert_eq!((job.state().await, job.counts().await), (State::Running, [1, 1, 1]));
    assert_eq!(job.outcomes().await, [Sent, Queued, Failed, Queued, Skipped, Queued]);
    let again = job.person(2).await;
    assert_eq!((again.attempts, again.error_code, again.error, again.settled_at), (0, None, None, None));
    assert_eq!((again.wa_id, again.status), (None, None));
    assert_eq!(job.person(3).await.error_code.as_deref(), Some("OUTCOME_UNKNOWN"));

    // Asked again, there is nobody but them.
    assert_eq!(retry(&job, false).await, Retried::Queued { count: 0, unknown: 1 });
    assert_eq!(retry(&job, true).await, Retried::Queued { count: 1, unknown: 0 });
    assert_eq!(
        (job.counts().await, retry(&job, true).await),
        ([1, 0, 1], Retried::Queued { count: 0, unknown: 0 })
    );
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
    // Each wish that moved somebody was told, with what it moved.
    let told: Vec<_> = job.events().await.into_iter().filter(|e| e["kind"] == "job.resumed").collect();
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0]["data"]["retried"], &told[1]["data"]["retried"]), (&2.into(), &1.into()));
    assert_eq!((&told[0]["data"]["failed"], &told[0]["data"]["state"]), (&1.into(), &"running".into()));
}

async fn a_job_that_was_completed_goes_on(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = job_with_outcomes(&shop, 5).await;
    let row = job.row().await;
    assert_eq!((row.state, row.finished_at), (State::Completed, Some(db.clock.now())));
    let started = row.started_at;
    db.advance(Duration::from_secs(60));
    assert_eq!(retry(&job, true).await, Retried::Queued { count: 3, unknown: 0 });
    let row = job.row().await;
    assert_eq!((row.state, row.finished_at, row.started_at), (State::Running, None, started));
    assert_eq!(row.processed(), 2);
    assert_eq!(job.agenda().await.jobs[0].id, job.id);
    for seq in [2, 3, 4] {
        job.end(seq, Ending::Sent).await;
    }
    let row = job.row().await;
    assert_eq!((row.state, row.finished_at), (State::Completed, Some(db.clock.now())));
    assert_eq!(job.told().await, ["job.started", "job.completed", "job.resumed", "job.completed"]);
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn a_job_that_runs_goes_on_and_a_paused_one_stays_paused(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 4).await;
    job.end(1, failed()).await;
    let (key, _) = job.send(2).await;
    assert_eq!(retry(&job, false).await, Retried::Queued { count: 1, unknown: 0 });
    assert_eq!((job.state().await, job.counts().await), (State::Running, [0, 0, 0]));
    job.end(1, failed()).await;
    job.change(Change::Pause).await;
    assert_eq!(retry(&job, false).await, Retried::Queued { count: 1, unknown: 0 });
    assert_eq!((job.state().await, job.counts().await), (State::Paused, [0, 0, 0]));
    assert!(job.release(1).await.is_err());
    // Who is being sent to is nobody's to retry.
    assert_eq!(job.outcomes().await, [Queued, Sending, Queued, Queued]);
    job.settle(&key, Ending::Sent).await;
    job.change(Change::Resume).await;
    for seq in [1, 3, 4] {
        job.end(seq, Ending::Sent).await;
    }
    assert_eq!((job.state().await, job.counts().await), (State::Completed, [4, 0, 0]));
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

/// Nobody of the list was on WhatsApp: it was completed without a message, so it never started.
async fn a_job_that_had_sent_nothing_is_pending_again(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 2).await;
    job.dismiss(1, Outcome::Failed, "NOT_ON_WHATSAPP").await;
    assert_eq!(retry(&job, false).await, Retried::Queued { count: 1, unknown: 0 });
    assert_eq!(job.state().await, State::Pending);
    for seq in [1, 2] {
        job.dismiss(seq, Outcome::Failed, "NOT_ON_WHATSAPP").await;
    }
    assert_eq!((job.state().await, job.row().await.started_at), (State::Completed, None));
    assert_eq!(retry(&job, false).await, Retried::Queued { count: 2, unknown: 0 });
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
    for seq in [1, 2] {
        job.end(seq, Ending::Sent).await;
    }
    assert_eq!(
        job.told().await,
        ["job.resumed", "job.completed", "job.resumed", "job.started", "job.completed"]
    );
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn a_job_that_is_over_is_not_tried_again(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let leaving = shop.add_session("leaving").await;
    let (cancelled, gone) = (Job::of(&shop, 2).await, Job::on(&shop, &leaving, 2).await);
    cancelled.end(1, failed()).await;
    gone.end(1, failed()).await;
    cancelled.change(Change::Cancel).await;
    // It was completed before its session went; nobody is left to send what would wait.
    let done = Job::on(&shop, &leaving, 1).await;
    done.end(1, failed()).await;
    shop.store.remove_session(&leaving.session, true).await.unwrap();
    assert_eq!(
        (retry(&done, true).await, done.state().await),
        (Retried::TooLate(State::Failed), State::Completed)
    );
    assert_eq!(done.counts().await, [0, 1, 0]);
    for (job, state) in [(cancelled, State::Cancelled), (gone, State::Failed)] {
        let before = (format!("{:?}", job.row().await), job.told().await);
        assert_eq!(retry(&job, true).await, Retried::TooLate(state));
        assert_eq!((format!("{:?}", job.row().await), job.told().await), before);
        assert_eq!(job.outcomes().await, [Outcome::Failed, Outcome::Queued]);
    }
}

async fn a_retry_has_all_its_tries(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 1).await;
    for _ in 0..2 {
        for attempt in 1..=STRICKEN_TRIES {
            assert_eq!(job.person(1).await.outcome, Outcome::Queued, "{attempt}");
            job.end(1, blocked()).await;
        }
        assert_eq!(job.person(1).await.outcome, Outcome::Failed);
        assert_eq!(retry(&job, false).await, Retried::Queued { count: 1, unknown: 0 });
    }
    // The messages that failed are no longer its recipient's; late news of them change nothing.
    let before = job.picture().await;
    let keys: Vec<(wapid_core::id::MessageKey,)> = wapid_core::read!(shop.store.db(), |pool| {
        sqlx::query_as("SELECT key FROM messages").fetch_all(pool).await
    })
    .unwrap();
    assert_eq!(keys.len(), 24);
    for (key,) in keys {
        job.settle(&key, Ending::Sent).await;
    }
    assert_eq!(job.picture().await, before);
}

async fn a_retry_takes_as_many_as_there_are_and_is_told_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let phones = phones(2_500);
    let made = shop.live().create_job(new_job(&shop.owner), listed(&phones)).await.unwrap();
    let job = Job { shop: shop.clone(), owner: shop.owner.clone(), id: made.id };
    together((1..=2_500).map(|seq| {
        let job = job.clone();
        async move {
            let code = if seq % 5 == 0 { "OUTCOME_UNKNOWN" } else { "NOT_ON_WHATSAPP" };
            job.dismiss(seq, Outcome::Failed, code).await;
        }
    }))
    .await;
    assert_eq!((job.state().await, job.counts().await), (State::Completed, [0, 2_500, 0]));
    assert_eq!(retry(&job, false).await, Retried::Queued { count: 2_000, unknown: 500 });
    assert_eq!(job.counts().await, [0, 500, 0]);
    assert_eq!(retry(&job, true).await, Retried::Queued { count: 500, unknown: 0 });
    assert_eq!((job.state().await, job.counts().await), (State::Pending, [0, 0, 0]));
    assert_eq!(job.told().await, ["job.completed", "job.resumed", "job.resumed"]);
    let told: Vec<_> = job.events().await.iter().map(|event| event["data"]["retried"].as_i64()).collect();
    assert_eq!(told, [None, Some(2_000), Some(500)]);
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn many_retries_at_once_take_each_recipient_once(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    let job = job_with_outcomes(&shop, 6).await;
    let answers = together((0..12).map(|i| {
        let job = Job { shop: Shop { store: stores[i % 2].clone(), ..shop.clone() }, ..job.clone() };
        async move { retry(&job, true).await }
    }))
    .await;
    let counts = answers.iter().map(|answer| match answer {
        Retried::Queued { count, unknown: 0 } => *count,
        other => panic!("{other:?}"),
    });
    assert_eq!(counts.sum::<i64>(), 3);
    assert_eq!(job.counts().await, [1, 0, 1]);
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

/// Sent, failed, unknown, failed, skipped; the others wait. The codes sort on both sides of the unknown.
async fn job_with_outcomes(shop: &Shop, people: i64) -> Job {
    let job = Job::of(shop, people).await;
    job.end(1, Ending::Sent).await;
    job.end(2, failed()).await;
    job.end(3, unknown()).await;
    job.dismiss(4, Outcome::Failed, "TOO_LONG").await;
    job.dismiss(5, Outcome::Skipped, "OPTED_OUT").await;
    job
}

async fn retry(job: &Job, unknown_too: bool) -> Retried {
    job.shop.live().retry_failed(&job.id, unknown_too).await.unwrap()
}
