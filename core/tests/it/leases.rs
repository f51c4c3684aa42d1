//! Leases: one process runs a session, and one that slept finds out.

use std::time::Duration;

use wapid_core::event::{EventData, NewEvent};
use wapid_core::message::Status;
use wapid_core::session::End;
use wapid_core::store::leases::LEASE_MS;
use wapid_core::store::ledger::{Intent, Outcome};
use wapid_core::store::sessions::Saved;

use crate::fixture::{Shop, TestDb, Told as _, accept, both, session_event, together};

both!(
    one_of_many_gets_a_free_lease,
    a_lease_is_stolen_only_after_it_ran_out,
    an_owner_takes_its_own_lease_again,
    renewing_keeps_what_is_still_held,
    a_released_lease_is_free_and_its_epoch_grows_on,
    a_sleeper_finds_its_results_refused,
    a_sleeper_says_nothing_of_a_session_that_another_runs,
);

const LEASE: Duration = Duration::from_millis(LEASE_MS.unsigned_abs());

async fn one_of_many_gets_a_free_lease(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    let results = together((0..10).map(|i| {
        let (store, session) = (stores[i % 2].clone(), shop.owner.session.clone());
        async move { store.claim(&session, &format!("process {i}")).await.unwrap() }
    }))
    .await;
    assert_eq!(results.iter().flatten().collect::<Vec<_>>(), [&1]);
}

async fn a_lease_is_stolen_only_after_it_ran_out(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (store, session) = (&shop.store, &shop.owner.session);
    assert_eq!(store.claim(session, "a").await.unwrap(), Some(1));
    db.advance(LEASE - Duration::from_millis(1));
    assert_eq!(store.claim(session, "b").await.unwrap(), None);
    db.advance(Duration::from_millis(1));
    assert_eq!(store.claim(session, "b").await.unwrap(), Some(2));
    assert_eq!(store.claim(session, "a").await.unwrap(), None);
}

async fn an_owner_takes_its_own_lease_again(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    for epoch in 1..4 {
        assert_eq!(shop.store.claim(&shop.owner.session, "a").await.unwrap(), Some(epoch));
    }
}

async fn renewing_keeps_what_is_still_held(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (store, other) = (&shop.store, shop.add_session("other").await);
    store.claim(&shop.owner.session, "a").await.unwrap();
    store.claim(&other.session, "a").await.unwrap();
    for _ in 0..5 {
        db.advance(LEASE / 2);
        assert_eq!(store.renew_leases("a").await.unwrap().len(), 2);
        assert_eq!(store.claim(&other.session, "b").await.unwrap(), None);
    }
    db.advance(LEASE);
    assert_eq!(store.claim(&other.session, "b").await.unwrap(), Some(2));
    assert_eq!(store.renew_leases("a").await.unwrap(), [shop.owner.session.0]);
    assert!(store.renew_leases("nobody").await.unwrap().is_empty());
}

async fn a_released_lease_is_free_and_its_epoch_grows_on(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (store, session) = (&shop.store, &shop.owner.session);
    store.claim(session, "a").await.unwrap();
    store.release(session, "stranger").await.unwrap();
    assert_eq!(store.claim(session, "b").await.unwrap(), None);
    store.release(session, "a").await.unwrap();
    assert!(store.renew_leases("a").await.unwrap().is_empty());
    assert_eq!(store.claim(session, "b").await.unwrap(), Some(2));
}

async fn a_sleeper_finds_its_results_refused(db: TestDb) {
    let sleeper = Shop::new(&db.store().await, "shop").await;
    let heir = db.store().await;
    let session = &sleeper.owner.session;
    let epoch = sleeper.store.claim(session, "a").await.unwrap().unwrap();
    let (key, _) = accept(&sleeper.store, Intent { epoch, ..sleeper.intent() }).await;
    db.advance(LEASE);
    let epoch = heir.claim(session, "b").await.unwrap().unwrap();
    assert_eq!(heir.claim_unsettled(session, epoch).await.unwrap().len(), 1);
    sleeper.settle(&key, Outcome::Sent).await;
    assert_eq!(sleeper.status(&key).await, Status::Sending);
    assert!(sleeper.store.accept(sleeper.intent()).await.is_err());
}

async fn a_sleeper_says_nothing_of_a_session_that_another_runs(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (store, session) = (&shop.store, &shop.owner.session);
    let save = async |epoch: Option<i64>, wanted: bool| {
        let data = EventData::SessionDisconnected(session_event(&shop.owner));
        let event = NewEvent::new(db.clock.now(), data);
        let saved = Saved { wanted, account: None, ended: (!wanted).then_some(End::Replaced) };
        store.save_session(session, epoch, Some(saved), Some(event)).await.unwrap()
    };
    let events = async || shop.live().events_after(None, 100).await.unwrap().len();
    let row = async || store.session_by_key(session).await.unwrap().unwrap();
    assert_eq!(store.claim(session, "a").await.unwrap(), Some(1));
    assert!(save(Some(1), true).await);
    let told = events().await;
    db.advance(LEASE);
    assert_eq!(store.claim(session, "b").await.unwrap(), Some(2));
    // It wakes, and hears that WhatsApp has replaced its connection.
    assert!(!save(Some(1), false).await);
    assert_eq!((row().await.wanted, row().await.ended, events().await), (true, None, told));
    // What the holder says counts, and what an owner wishes at any process.
    assert!(save(Some(2), true).await);
    assert!(save(None, false).await);
    assert_eq!((row().await.wanted, events().await), (false, told + 2));
}
