//! Each recipient has one outcome, counted once, in the commit of its message's result.

use std::time::Duration;

use wapid_core::clock::At;
use wapid_core::job::{BLOCKED_TRIES, Outcome, Restriction, STRICKEN_TRIES, State};
use wapid_core::message::Status;
use wapid_core::store::ledger::{BLOCKED, Change, Changed, Outcome as Ending, SEND_FAILED, Settlement};

use super::books::contradictions;
use super::{Job, blocked, unknown};
use crate::fixture::{Shop, TestDb, Told, both, failed, together};

const MINUTE: i64 = 60_000;

both!(
    each_result_is_counted_once,
    a_receipt_that_overtakes_the_ack_counts_once,
    what_was_counted_as_sent_stays_so,
    a_late_process_counts_nothing,
    a_recipient_without_a_message_is_counted_once,
    a_job_is_completed_with_its_last_and_says_so_once,
    a_paused_job_is_completed_by_what_was_under_way,
    who_may_not_be_written_to_now_is_tried_a_few_times,
    a_number_that_may_write_to_nobody_costs_no_recipient_its_tries,
    what_our_side_could_not_send_waits_in_line_again,
    each_refusal_doubles_the_wait_up_to_a_day,
    the_refusals_of_one_stretch_are_one,
);

async fn each_result_is_counted_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 3).await;
    let (first, _) = job.send(1).await;
    let (second, _) = job.send(2).await;
    db.advance(Duration::from_secs(1));
    together((0..16).map(|i| {
        let job = job.clone();
        let (key, outcome) =
            if i % 2 == 0 { (first.clone(), Ending::Sent) } else { (second.clone(), failed()) };
        async move { job.settle(&key, outcome).await }
    }))
    .await;
    assert_eq!(job.counts().await, [1, 1, 0]);
    let now = Some(db.clock.now());
    let (sent, not) = (job.person(1).await, job.person(2).await);
    assert_eq!((sent.outcome, sent.error_code, sent.settled_at), (Outcome::Sent, None, now));
    assert_eq!(
        (not.outcome, not.error_code.as_deref(), not.settled_at),
        (Outcome::Failed, Some("NOT_ON_WHATSAPP"), now)
    );
    assert_eq!((not.error.as_deref(), not.status), (Some("nobody there"), Some(Status::Failed)));
    assert_eq!((job.state().await, shop.live().job_underway(&job.id).await.unwrap()), (State::Running, 0));
    let told: Vec<_> = shop.live().events_after(None, 99).await.unwrap();
    let of_job = told.iter().filter(|event| event["data"]["jobId"] == job.id.as_str()).count();
    assert_eq!((told.len(), of_job), (3, 3), "job.started and two messages: {told:?}");
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn a_receipt_that_overtakes_the_ack_counts_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 2).await;
    for (seq, status) in [(1, Status::Delivered), (2, Status::Read)] {
        let (key, wa_id) = job.send(seq).await;
        shop.receipt(&wa_id, status).await;
        assert_eq!(job.counts().await, [seq, 0, 0]);
        job.settle(&key, Ending::Sent).await;
        shop.receipt(&wa_id, Status::Played).await;
        assert_eq!(job.counts().await, [seq, 0, 0]);
    }
    assert_eq!(job.person(1).await.status, Some(Status::Played));
    assert_eq!(job.told().await, ["job.started", "job.completed"]);
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

/// WhatsApp took it and then refused it. The log says so; a count that went back would confuse whoever
/// polls, and nobody knows who saw the message.
async fn what_was_counted_as_sent_stays_so(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 2).await;
    let (key, _) = job.send(1).await;
    job.settle(&key, Ending::Sent).await;
    job.settle(&key, failed()).await;
    assert_eq!(job.counts().await, [1, 0, 0]);
    let person = job.person(1).await;
    assert_eq!((person.outcome, person.status), (Outcome::Sent, Some(Status::Failed)));
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn a_late_process_counts_nothing(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 1).await;
    let (key, _) = job.send(1).await;
    // Another process has taken the session over, and the message with it.
    assert_eq!(shop.store.claim_unsettled(&shop.owner.session, 2).await.unwrap().len(), 1);
    let before = job.picture().await;
    for outcome in [Ending::Sent, failed(), blocked()] {
        job.settle(&key, outcome).await;
    }
    assert_eq!(job.picture().await, before);
    let current = Settlement { epoch: 2, ..job.settlement(&key, Ending::Sent) };
    shop.store.settle(current).await.unwrap();
    assert_eq!((job.state().await, job.counts().await), (State::Completed, [1, 0, 0]));
}

async fn a_recipient_without_a_message_is_counted_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 4).await;
    together((0..12).map(|i| {
        let job = job.clone();
        async move {
            match i % 2 {
                0 => job.dismiss(1, Outcome::Skipped, "OPTED_OUT").await,
                _ => job.dismiss(2, Outcome::Failed, "NOT_ON_WHATSAPP").await,
            }
        }
    }))
    .await;
    assert_eq!((job.state().await, job.counts().await), (State::Pending, [0, 1, 1]));
    let person = job.person(2).await;
    assert_eq!(
        (person.error_code.as_deref(), person.error.as_deref()),
        (Some("NOT_ON_WHATSAPP"), Some("not_on_whatsapp"))
    );
    assert_eq!((person.attempts, person.settled_at), (0, Some(db.clock.now())));
    // Whoever was taken meanwhile has a message, and keeps it.
    let (key, _) = job.send(3).await;
    job.dismiss(3, Outcome::Failed, "NOT_ON_WHATSAPP").await;
    assert_eq!(job.person(3).await.outcome, Outcome::Sending);
    job.settle(&key, Ending::Sent).await;
    job.dismiss(3, Outcome::Skipped, "OPTED_OUT").await;
    assert_eq!(job.counts().await, [1, 1, 1]);
    job.dismiss(4, Outcome::Skipped, "OPTED_OUT").await;
    assert_eq!(job.told().await, ["job.started", "job.completed"]);
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn a_job_is_completed_with_its_last_and_says_so_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 30).await;
    let mut keys = Vec::new();
    for seq in 1..=29 {
        keys.push(job.send(seq).await.0);
    }
    let last = keys.pop().unwrap();
    for key in keys {
        job.settle(&key, Ending::Sent).await;
    }
    job.dismiss(30, Outcome::Skipped, "OPTED_OUT").await;
    let row = job.row().await;
    assert_eq!((row.state, row.processed(), row.finished_at), (State::Running, 29, None));
    db.advance(Duration::from_secs(9));
    together((0..16).map(|_| {
        let (job, last) = (job.clone(), last.clone());
        async move { job.settle(&last, Ending::Sent).await }
    }))
    .await;
    let row = job.row().await;
    assert_eq!((row.state, row.processed(), row.finished_at), (State::Completed, 30, Some(db.clock.now())));
    assert!(job.agenda().await.jobs.is_empty());
    assert_eq!(job.told().await, ["job.started", "job.completed"]);
    let told = &job.events().await[1]["data"];
    let numbers = ["total", "succeeded", "failed", "skipped", "processed"].map(|name| told[name].as_i64());
    assert_eq!(numbers, [Some(30), Some(29), Some(0), Some(1), Some(30)]);
    assert_eq!((&told["state"], &told["sessionId"]), (&"completed".into(), &"main".into()));

    // All at once, as from a batch.
    let quick = Job::of(&shop, 20).await;
    let mut keys = Vec::new();
    for seq in 1..=20 {
        keys.push(quick.send(seq).await.0);
    }
    together(keys.into_iter().map(|key| {
        let job = quick.clone();
        async move { job.settle(&key, Ending::Sent).await }
    }))
    .await;
    assert_eq!((quick.state().await, quick.counts().await), (State::Completed, [20, 0, 0]));
    assert_eq!(quick.told().await, ["job.started", "job.completed"]);
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn a_paused_job_is_completed_by_what_was_under_way(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 1).await;
    let (key, _) = job.send(1).await;
    assert_eq!(job.change(Change::Pause).await, Changed::Done);
    job.settle(&key, Ending::Sent).await;
    assert_eq!(job.state().await, State::Completed);
    assert_eq!(job.told().await, ["job.started", "job.paused", "job.completed"]);
}

async fn who_may_not_be_written_to_now_is_tried_a_few_times(db: TestDb) {
    let shop = Shop::with(&db.store().await, "shop", "UTC", Some(1)).await;
    let job = Job::of(&shop, 1).await;
    for attempt in 1..BLOCKED_TRIES {
        refuse_after_another_was_taken(&db, &job).await;
        let person = job.person(1).await;
        assert_eq!((person.outcome, person.attempts, person.settled_at), (Outcome::Queued, attempt, None));
        assert_eq!(person.error_code.as_deref(), Some(BLOCKED));
        assert_eq!((job.state().await, job.counts().await), (State::Running, [0, 0, 0]));
        // Its quota is there for the next try.
        assert_eq!(shop.used().await, 0);
    }
    let waiting = shop.store.waiting(&job.id, 9).await.unwrap();
    assert_eq!(waiting.iter().map(|one| (one.seq, one.attempts)).collect::<Vec<_>>(), [(1, 2)]);
    refuse_after_another_was_taken(&db, &job).await;
    let person = job.person(1).await;
    assert_eq!((person.outcome, person.attempts), (Outcome::Failed, BLOCKED_TRIES));
    assert_eq!((job.state().await, job.counts().await), (State::Completed, [0, 1, 0]));
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());

    // One who is taken at the second try has no error.
    let other = Job::of(&shop, 1).await;
    other.end(1, blocked()).await;
    other.end(1, Ending::Sent).await;
    let person = other.person(1).await;
    assert_eq!((person.outcome, person.attempts, person.error_code), (Outcome::Sent, 2, None));
}

/// WhatsApp takes what is for others: the refusal is about this recipient.
async fn refuse_after_another_was_taken(db: &TestDb, job: &Job) {
    db.advance(Duration::from_secs(86_400));
    job.shop.store.forgive(&job.owner.session).await.unwrap();
    job.end(1, blocked()).await;
}

async fn a_number_that_may_write_to_nobody_costs_no_recipient_its_tries(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 2).await;
    for _ in 1..STRICKEN_TRIES {
        job.end(1, blocked()).await;
        assert_eq!(job.person(1).await.outcome, Outcome::Queued);
        db.advance(Duration::from_secs(86_400));
    }
    // Not for ever: somebody must be told.
    job.end(1, blocked()).await;
    assert_eq!((job.person(1).await.outcome, job.counts().await), (Outcome::Failed, [0, 1, 0]));
    // A number of the tenant that may write is judged by itself.
    let other = Job::on(&shop, &shop.add_session("other").await, 1).await;
    for attempt in 1..=BLOCKED_TRIES {
        assert_eq!(other.person(1).await.outcome, Outcome::Queued, "{attempt}");
        db.advance(Duration::from_secs(86_400));
        shop.store.forgive(&other.owner.session).await.unwrap();
        other.end(1, blocked()).await;
    }
    assert_eq!(other.person(1).await.outcome, Outcome::Failed);
}

async fn what_our_side_could_not_send_waits_in_line_again(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 1).await;
    let fault = || Ending::Failed { code: SEND_FAILED.into(), error: "it could not be sent".into() };
    for _ in 1..BLOCKED_TRIES {
        job.end(1, fault()).await;
        assert_eq!((job.person(1).await.outcome, job.counts().await), (Outcome::Queued, [0, 0, 0]));
    }
    // That says nothing about the number.
    assert_eq!(standing(&job).await, (None, 0));
    job.end(1, fault()).await;
    assert_eq!((job.state().await, job.counts().await), (State::Completed, [0, 1, 0]));
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn each_refusal_doubles_the_wait_up_to_a_day(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let other = shop.add_session("other").await;
    let job = Job::of(&shop, 20).await;
    for (nth, minutes) in (1..).zip([30, 60, 120, 240, 480, 1_440, 1_440, 1_440]) {
        // The wait before is over at this instant.
        job.end(nth, blocked()).await;
        let until = db.clock.now().plus_ms(minutes * MINUTE);
        assert_eq!(standing(&job).await, (Some((Restriction::Blocked, until)), nth), "{nth}");
        let agenda = job.agenda().await;
        assert_eq!((agenda.restriction, agenda.strikes), (Some((Restriction::Blocked, until)), nth));
        db.advance(Duration::from_millis(u64::try_from(minutes * MINUTE).unwrap()));
    }
    let row = job.row().await;
    assert_eq!((row.restriction, row.restricted_until), (Some(Restriction::Blocked), Some(db.clock.now())));
    // After a message that was taken the next refusal is a first one again; single messages count too.
    shop.store.forgive(&shop.owner.session).await.unwrap();
    assert_eq!(standing(&job).await, (None, 0));
    let (key, _) = shop.accept().await;
    shop.settle(&key, blocked()).await;
    let until = db.clock.now().plus_ms(30 * MINUTE);
    assert_eq!(standing(&job).await, (Some((Restriction::Blocked, until)), 1));
    assert_eq!(shop.store.standing(&other.session).await.unwrap(), None);
}

async fn the_refusals_of_one_stretch_are_one(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 20).await;
    let start = db.clock.now();
    let mut keys = Vec::new();
    for seq in 1..=9 {
        keys.push(job.send(seq).await.0);
    }
    let late = keys.pop().unwrap();
    together(keys.into_iter().map(|key| {
        let job = job.clone();
        async move { job.settle(&key, blocked()).await }
    }))
    .await;
    let first = (Some((Restriction::Blocked, start.plus_ms(30 * MINUTE))), 1);
    assert_eq!(standing(&job).await, first);
    // The answer to what had left before comes while it waits.
    db.advance(Duration::from_secs(29 * 60));
    job.settle(&late, blocked()).await;
    assert_eq!(standing(&job).await, first);
    // Other failures say nothing about the number.
    job.end(10, failed()).await;
    job.end(11, unknown()).await;
    assert_eq!(standing(&job).await, first);
}

async fn standing(job: &Job) -> (Option<(Restriction, At)>, i64) {
    job.shop.store.standing(&job.owner.session).await.unwrap().expect("it was refused once")
}
