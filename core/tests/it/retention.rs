//! Messages are kept for as long as their tenant says, and for ever where it says nothing.

use std::time::Duration;

use wapid_core::message::Status;
use wapid_core::store::ledger::Outcome;

use crate::fixture::{Shop, TestDb, both, execute, idempotent, inbound};
use crate::search::found;

both!(
    messages_are_kept_for_ever_by_default,
    what_is_older_than_the_tenant_wants_goes_and_nothing_else,
    what_is_not_over_is_kept,
    a_request_that_can_be_repeated_finds_its_message,
    ten_thousand_go_in_steps,
);

const DAY: Duration = Duration::from_secs(24 * 3600);

async fn tidy(shop: &Shop) {
    shop.store.tidy(shop.store.clock().now()).await.unwrap();
}

async fn total(shop: &Shop) -> i64 {
    shop.live().messages_page(&Default::default(), 1, 0).await.unwrap().1
}

async fn messages_are_kept_for_ever_by_default(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.store.receive(vec![inbound(&shop.owner, "A")]).await.unwrap();
    assert_eq!(shop.live().message_days().await.unwrap(), None);
    db.advance(DAY * 4_000);
    tidy(&shop).await;
    assert_eq!(total(&shop).await, 1);
    shop.live().keep_messages(Some(30)).await.unwrap();
    assert_eq!(shop.live().message_days().await.unwrap(), Some(30));
    // Other settings leave it alone.
    shop.live().save_settings(&Default::default()).await.unwrap();
    assert_eq!(shop.live().message_days().await.unwrap(), Some(30));
    shop.live().keep_messages(None).await.unwrap();
    tidy(&shop).await;
    assert_eq!(total(&shop).await, 1);
}

async fn what_is_older_than_the_tenant_wants_goes_and_nothing_else(db: TestDb) {
    let store = db.store().await;
    let (shop, other) = (Shop::new(&store, "shop").await, Shop::new(&store, "other").await);
    shop.live().keep_messages(Some(10)).await.unwrap();
    for day in 0..20 {
        for one in [&shop, &other] {
            let (key, wa_id) = one.accept().await;
            one.settle(&key, Outcome::Sent).await;
            one.receipt(&wa_id, Status::Read).await;
            store.receive(vec![inbound(&one.owner, &format!("D{day}"))]).await.unwrap();
        }
        db.advance(DAY);
    }
    tidy(&shop).await;
    // A day begins with its messages.
    assert_eq!((total(&shop).await, total(&other).await), (20, 40));
    let oldest = shop.live().messages_page(&Default::default(), 1, 19).await.unwrap().0.remove(0);
    assert_eq!(db.clock.now().since(oldest.created_at), 10 * 86_400_000);
    assert_eq!(oldest.status, Status::Read);
    assert_eq!(found(&shop.live(), "there").await.len(), 10);
    assert_eq!(found(&other.live(), "there").await.len(), 20);
    // Twice is once.
    tidy(&shop).await;
    assert_eq!(total(&shop).await, 20);
}

async fn what_is_not_over_is_kept(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.live().keep_messages(Some(1)).await.unwrap();
    let (sending, _) = shop.accept().await;
    let of_jobs =
        [("pending", true), ("running", true), ("paused", true), ("completed", false), ("failed", false)];
    for (i, (state, _)) in of_jobs.iter().enumerate() {
        let (key, _) = shop.accept().await;
        shop.settle(&key, Outcome::Sent).await;
        let owner = &shop.owner;
        execute(
            &shop.store,
            &format!(
                "INSERT INTO jobs (tenant_id, mode, id, session_key, session_id, state, plan, not_before, created_at)
                 VALUES ('{}', 'live', 'job{i}', '{}', 'main', '{state}', '{{}}', 0, 0)",
                owner.tenant, owner.session
            ),
        )
        .await;
        execute(&shop.store, &format!("UPDATE messages SET job_id = 'job{i}' WHERE key = '{key}'")).await;
    }
    db.advance(DAY * 5);
    tidy(&shop).await;
    let left = shop.live().messages_before(&Default::default(), None, 100).await.unwrap();
    let mut jobs: Vec<_> =
        left.iter().filter_map(|row| row.job_id.as_ref()).map(ToString::to_string).collect();
    jobs.sort();
    assert_eq!(jobs, ["job0", "job1", "job2"]);
    assert!(left.iter().any(|row| row.key == sending));
    assert_eq!(left.len(), 4);
    // And goes once it is over.
    shop.settle(&sending, Outcome::Sent).await;
    tidy(&shop).await;
    assert_eq!(total(&shop).await, 3);
}

async fn a_request_that_can_be_repeated_finds_its_message(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.live().keep_messages(Some(1)).await.unwrap();
    let first = idempotent(&shop.owner, "K", 1);
    let key = match shop.store.accept(first.clone()).await.unwrap() {
        wapid_core::store::ledger::Accepted::New { key, .. } => key,
        repeat @ wapid_core::store::ledger::Accepted::Repeat { .. } => panic!("{repeat:?}"),
    };
    shop.settle(&key, Outcome::Sent).await;
    db.advance(DAY - Duration::from_secs(1));
    tidy(&shop).await;
    let (_, message) = shop.live().idempotency_key("K").await.unwrap().expect("it is not a day old");
    assert!(shop.live().message(&message).await.unwrap().is_some());
    db.advance(Duration::from_secs(2));
    tidy(&shop).await;
    assert!(shop.live().idempotency_key("K").await.unwrap().is_none());
    assert!(shop.live().message(&key).await.unwrap().is_some(), "an hour of grace");
    db.advance(Duration::from_secs(3_600));
    tidy(&shop).await;
    assert!(shop.live().message(&key).await.unwrap().is_none());
}

async fn ten_thousand_go_in_steps(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.live().keep_messages(Some(1)).await.unwrap();
    for part in 0..10 {
        let all = (0..1_000).map(|i| inbound(&shop.owner, &format!("M{part}-{i}"))).collect();
        shop.store.receive(all).await.unwrap();
    }
    db.advance(DAY * 2);
    shop.store.receive(vec![inbound(&shop.owner, "NEW")]).await.unwrap();
    // Whoever writes meanwhile is not held up.
    let deadline = Duration::from_secs(5);
    let (done, sent) = tokio::join!(shop.store.tidy(db.clock.now()), async {
        let mut sent = 0;
        for _ in 0..20 {
            tokio::time::timeout(deadline, shop.accept()).await.expect("a send is held up");
            sent += 1;
        }
        sent
    });
    assert!(done.unwrap() >= 10_000);
    assert_eq!(total(&shop).await, 1 + sent);
    assert_eq!(found(&shop.live(), "there").await.len(), 1);
}
