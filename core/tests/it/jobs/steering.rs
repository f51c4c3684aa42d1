//! Pause, resume, cancel; and a session that goes.

use std::time::Duration;

use wapid_core::job::{JobId, Outcome, State};
use wapid_core::message::Status;
use wapid_core::store::ledger::{Change, Changed, Outcome as Ending};

use super::books::contradictions;
use super::{Job, blocked, cut_short};
use crate::fixture::{Shop, TestDb, Told, both, together};

both!(
    each_state_answers_each_wish,
    a_wish_is_granted_once,
    a_job_that_nobody_sees_cannot_be_steered,
    a_cancelled_job_still_counts_what_was_under_way,
    nothing_leaves_after_a_pause_was_answered,
    a_job_that_had_not_begun_is_pending_again,
    the_jobs_of_a_session_that_goes_fail,
);

async fn each_state_answers_each_wish(db: TestDb) {
    use Change::{Cancel, Pause, Resume};
    use Changed::{AlreadySo, Done, TooLate};
    use State::{Cancelled, Completed, Failed, Paused, Pending, Running};
    let store = db.store().await;
    for (from, change, answer, to) in [
        (Pending, Pause, Done, Paused),
        (Pending, Resume, AlreadySo, Pending),
        (Pending, Cancel, Done, Cancelled),
        (Running, Pause, Done, Paused),
        (Running, Resume, AlreadySo, Running),
        (Running, Cancel, Done, Cancelled),
        (Paused, Pause, AlreadySo, Paused),
        (Paused, Resume, Done, Running),
        (Paused, Cancel, Done, Cancelled),
        (Completed, Pause, TooLate(Completed), Completed),
        (Completed, Resume, TooLate(Completed), Completed),
        (Completed, Cancel, TooLate(Completed), Completed),
        (Cancelled, Pause, TooLate(Cancelled), Cancelled),
        (Cancelled, Resume, TooLate(Cancelled), Cancelled),
        (Cancelled, Cancel, AlreadySo, Cancelled),
        (Failed, Pause, TooLate(Failed), Failed),
        (Failed, Resume, TooLate(Failed), Failed),
        (Failed, Cancel, TooLate(Failed), Failed),
    ] {
        let shop = Shop::new(&store, &format!("{from:?} {change:?}")).await;
        let job = in_state(&shop, from).await;
        let (before, told) = (job.row().await, job.told().await.len());
        db.advance(Duration::from_secs(1));
        assert_eq!(job.change(change).await, answer, "{from:?} {change:?}");
        let after = job.row().await;
        assert_eq!(after.state, to, "{from:?} {change:?}");
        let counts =
            |row: &wapid_core::store::jobs::JobRow| (row.total, row.succeeded, row.failed, row.skipped);
        assert_eq!((counts(&after), after.started_at), (counts(&before), before.started_at));
        let ended =
            if (answer, change) == (Done, Cancel) { Some(db.clock.now()) } else { before.finished_at };
        assert_eq!(after.finished_at, ended, "{from:?} {change:?}");
        let word = match change {
            Pause => "job.paused",
            Resume => "job.resumed",
            Cancel => "job.cancelled",
        };
        let expected: &[&str] = if answer == Done { &[word] } else { &[] };
        assert_eq!(job.told().await[told..], *expected, "{from:?} {change:?}");
    }
    assert_eq!(contradictions(&store).await, Vec::<String>::new());
}

async fn in_state(shop: &Shop, state: State) -> Job {
    let job = Job::of(shop, 2).await;
    match state {
        State::Loading | State::Pending => {}
        State::Running => job.end(1, Ending::Sent).await,
        State::Paused | State::Cancelled => {
            job.end(1, Ending::Sent).await;
            let change = if state == State::Paused { Change::Pause } else { Change::Cancel };
            assert_eq!(job.change(change).await, Changed::Done);
        }
        State::Completed => {
            job.end(1, Ending::Sent).await;
            job.dismiss(2, Outcome::Skipped, "OPTED_OUT").await;
        }
        State::Failed => {
            // One session's removal leaves the others.
            let leaving = shop.add_session("leaving").await;
            let job = Job::on(shop, &leaving, 2).await;
            shop.store.remove_session(&leaving.session, true).await.unwrap();
            return job;
        }
    }
    assert_eq!(job.state().await, state);
    job
}

async fn a_wish_is_granted_once(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    let job = Job::of(&shop, 2).await;
    job.send(1).await;
    let changes = [Change::Pause, Change::Resume, Change::Cancel];
    let words = ["job.started", "job.paused", "job.resumed", "job.cancelled"];
    for (nth, change) in changes.into_iter().enumerate() {
        let answers = together((0..12).map(|i| {
            let shop = Shop { store: stores[i % 2].clone(), ..shop.clone() };
            let job = Job { shop, ..job.clone() };
            async move { job.change(change).await }
        }))
        .await;
        assert_eq!(answers.iter().filter(|answer| **answer == Changed::Done).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|answer| matches!(answer, Changed::Done | Changed::AlreadySo)));
        assert_eq!(job.told().await, words[..nth + 2]);
    }
    // What is told of a job is numbered with the session's other news.
    let seqs: Vec<_> = job.events().await.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
}

/// One that is still being stored, and one that never was.
async fn a_job_that_nobody_sees_cannot_be_steered(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    cut_short(&shop).await;
    let (loading,): (String,) = wapid_core::read!(shop.store.db(), |pool| {
        sqlx::query_as("SELECT id FROM jobs WHERE state = 'loading'").fetch_one(pool).await
    })
    .unwrap();
    for id in [JobId::parse(&loading).unwrap(), JobId::new(db.clock.now())] {
        let job = Job { shop: shop.clone(), owner: shop.owner.clone(), id };
        for change in [Change::Pause, Change::Resume, Change::Cancel] {
            assert_eq!(job.change(change).await, Changed::NotFound, "{change:?}");
        }
        let retried = shop.live().retry_failed(&job.id, true).await.unwrap();
        assert_eq!(retried, wapid_core::store::jobs::Retried::NotFound);
        assert!(shop.live().job(&job.id).await.unwrap().is_none());
        assert!(job.release(1).await.is_err());
        assert!(job.events().await.is_empty());
    }
}

async fn a_cancelled_job_still_counts_what_was_under_way(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 5).await;
    let mut sent = Vec::new();
    for seq in 1..=4 {
        sent.push(job.send(seq).await);
    }
    assert_eq!(job.change(Change::Cancel).await, Changed::Done);
    assert_eq!(shop.live().job_underway(&job.id).await.unwrap(), 4);
    job.settle(&sent[0].0, Ending::Sent).await;
    shop.receipt(&sent[1].1, Status::Delivered).await;
    job.settle(&sent[2].0, super::unknown()).await;
    // One whom WhatsApp refused waits again, for nothing.
    job.settle(&sent[3].0, blocked()).await;
    assert_eq!((job.state().await, job.counts().await), (State::Cancelled, [2, 1, 0]));
    assert_eq!(
        job.outcomes().await,
        [Outcome::Sent, Outcome::Sent, Outcome::Failed, Outcome::Queued, Outcome::Queued]
    );
    assert!(job.release(4).await.is_err());
    assert_eq!(job.told().await, ["job.started", "job.cancelled"]);

    // Not even when everybody has an outcome is it anything but cancelled.
    let all = Job::of(&shop, 1).await;
    let (key, _) = all.send(1).await;
    all.change(Change::Cancel).await;
    all.settle(&key, Ending::Sent).await;
    assert_eq!((all.state().await, all.counts().await), (State::Cancelled, [1, 0, 0]));
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

/// The answer to a pause is a promise: what is not taken by then stays.
async fn nothing_leaves_after_a_pause_was_answered(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    for round in 0..8 {
        let job = Job::of(&shop, 40).await;
        let runner = tokio::spawn({
            let job = job.clone();
            async move {
                let mut taken = 0;
                for seq in 1..=40 {
                    taken += i64::from(job.release(seq).await.is_ok());
                }
                taken
            }
        });
        while shop.live().job_underway(&job.id).await.unwrap() < round {
            tokio::task::yield_now().await;
        }
        // Through the same process, or through another one.
        let elsewhere = Job {
            shop: Shop { store: stores[usize::try_from(round % 2).unwrap()].clone(), ..shop.clone() },
            ..job.clone()
        };
        assert_eq!(elsewhere.change(Change::Pause).await, Changed::Done);
        let answered = shop.live().job_underway(&job.id).await.unwrap();
        assert_eq!(runner.await.unwrap(), answered);
        assert_eq!(shop.live().job_underway(&job.id).await.unwrap(), answered);
    }
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn a_job_that_had_not_begun_is_pending_again(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 1).await;
    for change in [Change::Pause, Change::Resume] {
        assert_eq!(job.change(change).await, Changed::Done);
    }
    assert_eq!(job.state().await, State::Pending);
    job.end(1, Ending::Sent).await;
    assert_eq!(job.told().await, ["job.paused", "job.resumed", "job.started", "job.completed"]);
}

async fn the_jobs_of_a_session_that_goes_fail(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let leaving = shop.add_session("leaving").await;
    let stays = Job::of(&shop, 2).await;
    let (running, paused) = (Job::on(&shop, &leaving, 3).await, Job::on(&shop, &leaving, 2).await);
    let (done, cancelled) = (Job::on(&shop, &leaving, 1).await, Job::on(&shop, &leaving, 1).await);
    running.end(1, Ending::Sent).await;
    running.send(2).await;
    paused.change(Change::Pause).await;
    done.end(1, Ending::Sent).await;
    cancelled.change(Change::Cancel).await;
    stays.send(1).await;
    let after = shop.live().events_after(None, 999).await.unwrap().len();
    db.advance(Duration::from_secs(1));
    shop.store.remove_session(&leaving.session, true).await.unwrap();

    for (job, counts) in [(&running, [1, 1, 0]), (&paused, [0, 0, 0])] {
        let row = job.row().await;
        assert_eq!((row.state, row.reason.as_deref()), (State::Failed, Some("session_removed")));
        assert_eq!((row.finished_at, job.counts().await), (Some(db.clock.now()), counts));
        assert!(job.release(3).await.is_err());
        let last = job.events().await.pop().unwrap();
        assert_eq!(
            (&last["kind"], &last["data"]["reason"]),
            (&"job.failed".into(), &"session_removed".into())
        );
        let processed = counts.iter().sum::<i64>();
        assert_eq!(
            (&last["data"]["state"], &last["data"]["processed"]),
            (&"failed".into(), &processed.into())
        );
    }
    // Nobody is left to send the second, and nobody knows whether it arrived.
    let person = running.person(2).await;
    assert_eq!((person.outcome, person.error_code.as_deref()), (Outcome::Failed, Some("SESSION_REMOVED")));
    assert_eq!((done.state().await, cancelled.state().await), (State::Completed, State::Cancelled));
    assert_eq!(stays.state().await, State::Running);
    let events = shop.live().events_after(None, 999).await.unwrap();
    let kinds: Vec<_> = events[after..].iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message.failed", "job.failed", "job.failed", "session.disconnected"]);

    assert!(shop.store.agenda(&leaving.session).await.unwrap().is_none());
    assert!(shop.live().outlook(&leaving.session).await.unwrap().is_none());
    assert_eq!(shop.store.standing(&leaving.session).await.unwrap(), None);
    // Once is enough.
    shop.store.remove_session(&leaving.session, true).await.unwrap();
    assert_eq!(shop.live().events_after(None, 999).await.unwrap().len(), after + 4);
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}
