//! The day's messages, of a tenant and of a session, jobs and single sends alike.

use std::time::Duration;

use wapid_core::clock::At;
use wapid_core::store::ledger::{Intent, Outcome as Ending, Owner};
use wapid_core::store::sessions::SessionSettings;
use wapid_core::store::{Store, jobs::Outlook};

use super::books::contradictions;
use super::{Job, blocked};
use crate::fixture::{START, Shop, TestDb, accept, both, count, failed, intent, together};

const DAY: Duration = Duration::from_secs(24 * 3_600);

both!(
    an_outlook_tells_what_is_left_of_the_narrower_limit,
    an_outlook_counts_the_tenants_days,
    a_session_never_passes_its_limit_however_many_ask,
    what_one_session_is_refused_is_left_for_the_others,
    both_limits_are_exact_in_two_processes,
    a_failure_gives_back_the_day_it_took_to_both,
    a_sessions_limit_can_change,
);

async fn an_outlook_tells_what_is_left_of_the_narrower_limit(db: TestDb) {
    let store = db.store().await;
    let mut shop = Shop::new(&store, "shop").await;
    let other = shop.add_session("other").await;
    let job = Job::of(&shop, 9).await;
    // Nobody counts where there is no limit; the day's messages are counted all the same.
    assert_eq!(outlook(&shop, &shop.owner).await.quota, None);
    job.send(1).await;
    for _ in 0..4 {
        accept(&store, intent(&other)).await;
    }

    // Of the tenant 5 are used, of the session 1.
    for (by_tenant, by_session, expected) in [
        (Some(10), None, Some((5, 10))),
        (None, Some(4), Some((3, 4))),
        (Some(10), Some(4), Some((3, 4))),
        (Some(6), Some(100), Some((1, 6))),
        (Some(5), Some(4), Some((0, 4))),
        // Today the tenant's is less, on other days the session's.
        (Some(8), Some(6), Some((3, 6))),
    ] {
        shop.tenant.daily_limit = by_tenant;
        store.update_tenant(&shop.tenant).await.unwrap();
        limit(&shop, &shop.owner, by_session).await;
        assert_eq!(outlook(&shop, &shop.owner).await.quota, expected, "{by_tenant:?} {by_session:?}");
    }
    // Two jobs share the pace: what is paused or over does not.
    assert_eq!(outlook(&shop, &shop.owner).await.jobs, 1);
    Job::of(&shop, 1).await;
    Job::of(&shop, 1).await.change(wapid_core::store::ledger::Change::Pause).await;
    Job::of(&shop, 1).await.end(1, Ending::Sent).await;
    assert_eq!((outlook(&shop, &shop.owner).await.jobs, outlook(&shop, &other).await.jobs), (2, 0));
}

async fn an_outlook_counts_the_tenants_days(db: TestDb) {
    // Auckland is 13 hours ahead: its day began at 11:00 UTC of the day before.
    let shop = Shop::with(&db.store().await, "shop", "Pacific/Auckland", Some(5)).await;
    limit(&shop, &shop.owner, Some(3)).await;
    let midnight = At::parse("2026-03-08T11:00:00Z").unwrap();
    shop.accept().await;
    assert_eq!(outlook(&shop, &shop.owner).await.time_zone, "Pacific/Auckland");
    assert_eq!(outlook(&shop, &shop.owner).await.quota, Some((2, 3)));
    db.advance(Duration::from_millis(u64::try_from(midnight.since(START)).unwrap() - 1));
    assert_eq!(outlook(&shop, &shop.owner).await.quota, Some((2, 3)));
    db.advance(Duration::from_millis(1));
    assert_eq!(outlook(&shop, &shop.owner).await.quota, Some((3, 3)));
}

async fn a_session_never_passes_its_limit_however_many_ask(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    limit(&shop, &shop.owner, Some(20)).await;
    let job = Job::of(&shop, 32).await;
    let results = together((0..64).map(|i| {
        let intent = if i % 2 == 0 { job.intent(i / 2 + 1) } else { shop.intent() };
        let store = shop.store.clone();
        async move { store.accept(intent).await }
    }))
    .await;
    assert_eq!(count(&results), (20, 44));
    assert_eq!((shop.used().await, outlook(&shop, &shop.owner).await.quota), (20, Some((0, 20))));
    let sent = results.iter().step_by(2).filter(|result| result.is_ok()).count();
    assert_eq!(shop.live().job_underway(&job.id).await.unwrap(), i64::try_from(sent).unwrap());
    assert_eq!(shop.store.waiting(&job.id, 99).await.unwrap().len(), 32 - sent);
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

/// 64 ask at once, half of them on a session that may send four: the tenant's other session gets all
/// that the tenant has left.
async fn what_one_session_is_refused_is_left_for_the_others(db: TestDb) {
    let shop = Shop::with(&db.store().await, "shop", "UTC", Some(30)).await;
    let other = shop.add_session("other").await;
    limit(&shop, &shop.owner, Some(4)).await;
    for round in 0..3 {
        let (job, others) = (Job::of(&shop, 32).await, Job::on(&shop, &other, 16).await);
        // The narrow session's ask first.
        let intents = (1..=32).map(|seq| job.intent(seq));
        let intents = intents.chain((1..=16).map(|seq| others.intent(seq)));
        let intents = intents.chain((0..16).map(|_| intent(&other)));
        let results = race(std::slice::from_ref(&shop.store), intents.collect()).await;
        // Whoever comes first: nothing of the tenant's thirty is lost, and the narrow session gets no more.
        let (narrow, wide) = (count(&results[..32]).0, count(&results[32..]).0);
        assert!(narrow <= 4, "{round}: {narrow}");
        assert_eq!(narrow + wide, 30, "{round}");
        assert_eq!(shop.used().await, 30);
        assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
        db.advance(DAY);
    }
}

async fn both_limits_are_exact_in_two_processes(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::with(&stores[0], "shop", "UTC", Some(30)).await;
    let other = shop.add_session("other").await;
    limit(&shop, &shop.owner, Some(12)).await;
    limit(&shop, &other, Some(25)).await;
    for _ in 0..3 {
        let (job, others) = (Job::of(&shop, 16).await, Job::on(&shop, &other, 16).await);
        let intents =
            (1..=16).flat_map(|seq| [job.intent(seq), intent(&other), shop.intent(), others.intent(seq)]);
        let results = race(&stores, intents.collect()).await;
        assert_eq!(count(&results), (30, 34));
        let of_session = |owner: &Owner| outlook_used(&shop, owner.clone());
        let (mine, theirs) = (of_session(&shop.owner).await, of_session(&other).await);
        assert!(mine <= 12 && theirs <= 25 && mine + theirs == 30, "{mine} and {theirs}");
        assert_eq!(shop.used().await, 30);
        assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
        db.advance(DAY);
    }
}

async fn outlook_used(shop: &Shop, owner: Owner) -> i64 {
    let sql = "SELECT used FROM session_usage WHERE session_key = $1 ORDER BY day DESC LIMIT 1";
    let (used,): (i64,) = wapid_core::read!(shop.store.db(), |pool| {
        sqlx::query_as(sql).bind(owner.session).fetch_one(pool).await
    })
    .unwrap();
    used
}

async fn a_failure_gives_back_the_day_it_took_to_both(db: TestDb) {
    let shop = Shop::with(&db.store().await, "shop", "UTC", Some(9)).await;
    limit(&shop, &shop.owner, Some(2)).await;
    let job = Job::of(&shop, 6).await;
    let yesterdays = [job.send(1).await.0, job.send(2).await.0];
    db.advance(DAY);
    let todays = [job.send(3).await.0, job.send(4).await.0];
    for key in &yesterdays {
        job.settle(key, failed()).await;
        job.settle(key, failed()).await;
    }
    assert_eq!((shop.used().await, outlook(&shop, &shop.owner).await.quota), (2, Some((0, 2))));
    assert!(job.release(5).await.is_err());
    job.settle(&todays[0], blocked()).await;
    assert_eq!((shop.used().await, outlook(&shop, &shop.owner).await.quota), (1, Some((1, 2))));
    job.send(5).await;
    job.settle(&todays[1], Ending::Sent).await;
    assert!(job.release(6).await.is_err());
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn a_sessions_limit_can_change(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    limit(&shop, &shop.owner, Some(1)).await;
    shop.accept().await;
    assert!(shop.store.accept(shop.intent()).await.is_err());
    limit(&shop, &shop.owner, Some(2)).await;
    shop.accept().await;
    // Below what is used: nothing is taken away, nothing more leaves.
    limit(&shop, &shop.owner, Some(0)).await;
    assert!(shop.store.accept(shop.intent()).await.is_err());
    assert_eq!(shop.used().await, 2);
    limit(&shop, &shop.owner, None).await;
    shop.accept().await;
    assert_eq!(contradictions(&shop.store).await, Vec::<String>::new());
}

async fn limit(shop: &Shop, owner: &Owner, daily: Option<i64>) {
    // Below zero is no limit.
    let settings = SessionSettings { daily_limit: Some(daily.unwrap_or(-1)), ..Default::default() };
    let (row, _) = shop.live().ensure_session(&owner.session_id, settings).await.unwrap();
    assert_eq!(row.daily_limit, daily);
}

async fn outlook(shop: &Shop, owner: &Owner) -> Outlook {
    shop.live().outlook(&owner.session).await.unwrap().expect("the session is there")
}

/// Asks for all at once, in turn through each process; answers in the order of the asking.
async fn race(
    stores: &[Store],
    intents: Vec<Intent>,
) -> Vec<Result<wapid_core::store::ledger::Accepted, wapid_core::store::ledger::Refused>> {
    let calls = intents.into_iter().enumerate().map(|(nth, intent)| {
        let store = stores[nth % stores.len()].clone();
        async move { store.accept(intent).await }
    });
    together(calls.collect::<Vec<_>>()).await
}
