//! Whose turn it is, and what a session's jobs wait for.

use std::time::Duration;

use wapid_core::id::SessionKey;
use wapid_core::job::{Hold, JobId, Restriction, State};
use wapid_core::message::Status;
use wapid_core::opt_out::Settings;
use wapid_core::phone::Recipient;
use wapid_core::store::ledger::{Change, Intent, Outcome as Ending};
use wapid_core::store::sessions::SessionSettings;

use super::{Job, blocked, phone_of};
use crate::fixture::{START, Shop, TestDb, accept, both, failed, inbound, intent};

const HOUR: i64 = 3_600_000;

both!(
    jobs_of_a_session_take_turns,
    a_held_job_waits_and_says_why,
    a_hold_ends_with_its_reason,
    a_hold_that_was_overtaken_is_taken_back,
    a_session_with_work_is_one_that_may_send,
    each_job_keeps_its_own_pause,
    a_restriction_holds_every_job_of_its_session,
    only_what_was_sent_after_a_restriction_forgives,
    who_was_met_is_somebody_whose_message_arrived,
);

async fn jobs_of_a_session_take_turns(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let other = shop.add_session("other").await;
    let mut jobs = Vec::new();
    for _ in 0..3 {
        jobs.push(Job::of(&shop, 3).await);
        db.advance(Duration::from_millis(1));
    }
    let elsewhere = Job::on(&shop, &other, 1).await;
    let [a, b, c] = [&jobs[0], &jobs[1], &jobs[2]];
    // Whose first turn it is comes before whose second, the older before the younger.
    assert_eq!(order(a).await, [a, b, c].map(|job| job.id.clone()));
    for (sender, next) in [(a, [b, c, a]), (b, [c, a, b]), (c, [a, b, c]), (b, [a, c, b]), (a, [c, b, a])] {
        db.advance(Duration::from_millis(1));
        let seq = sender.shop.store.waiting(&sender.id, 1).await.unwrap()[0].seq;
        sender.send(seq).await;
        assert_eq!(order(a).await, next.map(|job| job.id.clone()));
    }
    assert_eq!(order(&elsewhere).await, std::slice::from_ref(&elsewhere.id));
    // Who is paused has no turn; and keeps its place.
    c.change(Change::Pause).await;
    assert_eq!(order(a).await, [&b.id, &a.id].map(Clone::clone));
    c.change(Change::Resume).await;
    assert_eq!(order(a).await, [&c.id, &b.id, &a.id].map(Clone::clone));
}

async fn order(job: &Job) -> Vec<JobId> {
    job.agenda().await.jobs.into_iter().map(|active| active.id).collect()
}

async fn a_held_job_waits_and_says_why(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (job, other) = (Job::of(&shop, 3).await, Job::of(&shop, 1).await);
    let until = START.plus_ms(HOUR);
    shop.store.hold_job(&job.id, Hold::Window, until).await.unwrap();
    let row = job.row().await;
    assert_eq!((row.state, row.hold, row.not_before), (State::Pending, Some(Hold::Window), until));
    let active = job.agenda().await.jobs.into_iter().find(|active| active.id == job.id).unwrap();
    assert_eq!((active.hold, active.not_before), (Some(Hold::Window), until));
    assert_eq!(other.row().await.hold, None);
    job.end(1, Ending::Sent).await;
    assert_eq!(job.row().await.hold, None);
    shop.store.hold_job(&job.id, Hold::DailyLimit, until).await.unwrap();
    assert_eq!((job.state().await, job.row().await.hold), (State::Running, Some(Hold::DailyLimit)));
    // What does not run is not held.
    for change in [Change::Pause, Change::Cancel] {
        job.change(change).await;
        let before = job.row().await;
        shop.store.hold_job(&job.id, Hold::Window, until.plus_ms(1)).await.unwrap();
        let after = job.row().await;
        assert_eq!((after.hold, after.not_before), (before.hold, before.not_before), "{change:?}");
    }
}

/// A wider limit, other windows, another zone: what waited for the old ones looks again.
async fn a_hold_ends_with_its_reason(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let stranger = Shop::new(&shop.store, "stranger").await;
    let until = START.plus_ms(HOUR);
    let job = Job::of(&shop, 1).await;
    let strangers = Job::of(&stranger, 1).await;
    let ways: [(&str, &[Hold]); 3] = [
        ("settings", &[Hold::Window]),
        ("session", &[Hold::DailyLimit]),
        ("tenant", &[Hold::Window, Hold::DailyLimit]),
    ];
    for (way, ends) in ways {
        for hold in [Hold::Window, Hold::DailyLimit, Hold::Scheduled] {
            for one in [&job, &strangers] {
                shop.store.hold_job(&one.id, hold, until).await.unwrap();
            }
            match way {
                "settings" => shop.live().save_settings(&Settings::default()).await.unwrap(),
                "session" => {
                    let settings = SessionSettings { daily_limit: Some(9), ..Default::default() };
                    shop.live().ensure_session(&shop.owner.session_id, settings).await.unwrap();
                }
                _ => assert!(shop.store.update_tenant(&shop.tenant).await.unwrap()),
            }
            let row = job.row().await;
            let expected = if ends.contains(&hold) { (None, START) } else { (Some(hold), until) };
            assert_eq!((row.hold, row.not_before), expected, "{way} {hold:?}");
            assert_eq!(strangers.row().await.hold, Some(hold), "{way}");
        }
    }
}

async fn a_session_with_work_is_one_that_may_send(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let mut sessions = Vec::new();
    for name in ["a", "b", "c", "d"] {
        sessions.push(shop.add_session(name).await);
    }
    let [running, paused, held, done] = &sessions[..] else { unreachable!("there are four") };
    // Two jobs are one session.
    Job::on(&shop, running, 1).await.send(1).await;
    Job::on(&shop, running, 1).await;
    Job::on(&shop, paused, 1).await.change(Change::Pause).await;
    let later = Job::on(&shop, held, 1).await;
    shop.store.hold_job(&later.id, Hold::DailyLimit, START.plus_ms(HOUR)).await.unwrap();
    Job::on(&shop, done, 1).await.end(1, Ending::Sent).await;
    let due = async |at| shop.store.sessions_with_work(at).await.unwrap();
    assert_eq!(due(START).await, std::slice::from_ref(&running.session));
    assert_eq!(due(START.plus_ms(HOUR - 1)).await, std::slice::from_ref(&running.session));
    let mut both = [running.session.clone(), held.session.clone()];
    both.sort();
    assert_eq!(due(START.plus_ms(HOUR)).await, both);
    // Whom WhatsApp restricts is not asked about again and again.
    let until = START.plus_ms(2 * HOUR);
    shop.store.restrict(&running.session, Restriction::Blocked, until).await.unwrap();
    assert_eq!(due(until.plus_ms(-1)).await, std::slice::from_ref(&held.session));
    assert_eq!(due(until).await, both);
}

/// Computed from rules that were changed before it was written.
async fn a_hold_that_was_overtaken_is_taken_back(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let job = Job::of(&shop, 1).await;
    let session = &shop.owner.session;
    let before = job.agenda().await.rules;
    assert_eq!(shop.store.rules(session).await.unwrap().as_ref(), Some(&before));
    let settings = SessionSettings { daily_limit: Some(9), ..Default::default() };
    shop.live().ensure_session(&shop.owner.session_id, settings).await.unwrap();
    shop.store.hold_job(&job.id, Hold::DailyLimit, START.plus_ms(HOUR)).await.unwrap();
    let after = shop.store.rules(session).await.unwrap().unwrap();
    assert_eq!((before.limits.1, after.limits.1), (None, Some(9)));
    // Only the hold that is meant.
    shop.store.unhold_job(&job.id, Hold::Window).await.unwrap();
    assert_eq!(job.row().await.hold, Some(Hold::DailyLimit));
    shop.store.unhold_job(&job.id, Hold::DailyLimit).await.unwrap();
    assert_eq!((job.row().await.hold, job.row().await.not_before), (None, START));
}

async fn each_job_keeps_its_own_pause(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (a, b) = (Job::of(&shop, 3).await, Job::of(&shop, 3).await);
    let released = async |job: &Job| {
        let jobs = job.agenda().await.jobs;
        jobs.into_iter().find(|active| active.id == job.id).unwrap().released
    };
    assert_eq!((released(&a).await, released(&b).await), (None, None));
    a.send(1).await;
    db.advance(Duration::from_secs(1));
    b.send(1).await;
    assert_eq!(released(&a).await, Some((START, super::DRAW)));
    assert_eq!(released(&b).await, Some((START.plus_ms(1_000), super::DRAW)));
    assert_eq!(a.agenda().await.last_at, Some(START.plus_ms(1_000)));
}

async fn a_restriction_holds_every_job_of_its_session(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let other = Job::on(&shop, &shop.add_session("other").await, 1).await;
    let (job, second) = (Job::of(&shop, 3).await, Job::of(&shop, 1).await);
    let session = &shop.owner.session;
    assert_eq!(shop.store.standing(session).await.unwrap(), None);
    let until = START.plus_ms(HOUR);
    shop.store.restrict(session, Restriction::Timelock, until).await.unwrap();
    assert_eq!(shop.store.standing(session).await.unwrap(), Some((Some((Restriction::Timelock, until)), 1)));
    assert_eq!(job.agenda().await.restriction, Some((Restriction::Timelock, until)));
    for held in [&job, &second] {
        let row = held.row().await;
        assert_eq!((row.restriction, row.restricted_until), (Some(Restriction::Timelock), Some(until)));
    }
    assert_eq!((other.row().await.restriction, other.agenda().await.restriction), (None, None));
    // Its true end, once WhatsApp has named it; and what it is counted as.
    job.end(1, Ending::Sent).await;
    job.end(2, blocked()).await;
    let ends = START.plus_ms(2 * HOUR);
    shop.store.restrict(session, Restriction::NewChatLimit, ends).await.unwrap();
    let (restriction, strikes) = shop.store.standing(session).await.unwrap().unwrap();
    assert_eq!((restriction, strikes), (Some((Restriction::NewChatLimit, ends)), 1));
    // The pace goes on where it was.
    assert_eq!((job.agenda().await.last_at, job.agenda().await.draw), (Some(START), super::DRAW));
}

async fn only_what_was_sent_after_a_restriction_forgives(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let session: &SessionKey = &shop.owner.session;
    shop.store.forgive(session).await.unwrap();
    assert_eq!(shop.store.standing(session).await.unwrap(), None);
    let job = Job::of(&shop, 2).await;
    job.end(1, blocked()).await;
    let (held, strikes) = shop.store.standing(session).await.unwrap().unwrap();
    assert_eq!((held.is_some(), strikes), (true, 1));
    let (_, until) = held.unwrap();
    db.advance(Duration::from_millis(u64::try_from(until.since(START)).unwrap() - 1));
    shop.store.forgive(session).await.unwrap();
    assert_eq!(shop.store.standing(session).await.unwrap(), Some((held, 1)));
    db.advance(Duration::from_millis(1));
    shop.store.forgive(session).await.unwrap();
    assert_eq!(shop.store.standing(session).await.unwrap(), Some((None, 0)));
    assert_eq!((job.row().await.restriction, job.agenda().await.strikes), (None, 0));
}

async fn who_was_met_is_somebody_whose_message_arrived(db: TestDb) {
    let store = db.store().await;
    let (shop, stranger) = (Shop::new(&store, "shop").await, Shop::new(&store, "stranger").await);
    let met = async |shop: &Shop, seq| {
        store.was_met(&shop.tenant.id, shop.owner.mode, &phone_of(seq)).await.unwrap()
    };
    let to = |seq| Intent { to: Recipient::Person(phone_of(seq)), ..intent(&shop.owner) };
    for (seq, arrives) in [(2, None), (3, Some(Status::Delivered)), (4, Some(Status::Read))] {
        let (key, wa_id) = accept(&store, to(seq)).await;
        shop.settle(&key, Ending::Sent).await;
        assert!(!met(&shop, seq).await);
        if let Some(status) = arrives {
            shop.receipt(&wa_id, status).await;
        }
        assert_eq!(met(&shop, seq).await, arrives.is_some());
    }
    let (key, _) = accept(&store, to(5)).await;
    shop.settle(&key, failed()).await;
    assert!(!met(&shop, 5).await);
    // `inbound` comes from the first number.
    store.receive(vec![inbound(&shop.owner, "A")]).await.unwrap();
    assert!(met(&shop, 1).await);
    for seq in 1..=5 {
        assert!(!met(&stranger, seq).await);
        let other_mode = wapid_core::key::Mode::Test;
        assert!(!store.was_met(&shop.tenant.id, other_mode, &phone_of(seq)).await.unwrap());
    }
}
