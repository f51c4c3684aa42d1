//! Intents: quota, idempotency keys, and whose session it is.

use std::time::Duration;

use wapid_core::clock::At;
use wapid_core::id::{MessageKey, SessionKey};
use wapid_core::key::Mode;
use wapid_core::message::Status;
use wapid_core::store::ledger::{Accepted, Idempotency, Intent, Outcome, Owner, Refused};

use crate::fixture::{START, Shop, TestDb, accept, both, count, failed, idempotent, intent, text, together};

both!(
    an_accepted_message_is_in_the_log_as_sending,
    of_64_racing_for_10_exactly_10_win,
    of_64_racing_for_10_in_two_processes_exactly_10_win,
    a_refusal_says_the_limit_and_what_is_used,
    a_lowered_limit_refuses_and_takes_nothing,
    each_tenant_and_mode_has_its_own_quota,
    a_day_ends_at_the_tenants_midnight_also_when_clocks_change,
    thirty_days_have_thirty_quotas,
    a_failure_gives_back_the_day_it_took,
    of_100_with_one_key_one_is_new_and_all_get_it,
    one_key_in_two_processes_is_one_message,
    a_key_for_another_body_is_refused,
    a_key_is_free_again_when_it_expires,
    a_key_of_a_refused_message_is_free,
    a_key_belongs_to_its_tenant_and_mode,
    a_foreign_removed_or_unknown_session_takes_nothing,
    a_process_that_lost_the_lease_accepts_nothing,
    a_poison_message_harms_no_other,
    a_closed_store_says_so,
);

async fn an_accepted_message_is_in_the_log_as_sending(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    let row = shop.live().message(&key).await.unwrap().unwrap();
    assert_eq!((row.status, row.wa_id, row.origin.as_str()), (Status::Sending, wa_id, "api"));
    assert_eq!((row.chat.as_str(), row.body.as_str()), ("5511900000001@s.whatsapp.net", "hello"));
    assert_eq!((row.created_at, row.sent_at), (START, None));
    assert_eq!(shop.used().await, 1);
    assert!(shop.events().await.is_empty());
}

async fn of_64_racing_for_10_exactly_10_win(db: TestDb) {
    let shop = Shop::with(&db.store().await, "shop", "UTC", Some(100)).await;
    for _ in 0..90 {
        shop.accept().await;
    }
    let results = together((0..64).map(|_| {
        let shop = shop.clone();
        async move { shop.store.accept(shop.intent()).await }
    }))
    .await;
    assert_eq!(count(&results), (10, 54));
    assert_eq!(shop.used().await, 100);
}

async fn of_64_racing_for_10_in_two_processes_exactly_10_win(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::with(&stores[0], "shop", "UTC", Some(100)).await;
    for _ in 0..90 {
        shop.accept().await;
    }
    let results = together((0..64).map(|i| {
        let (store, intent) = (stores[i % 2].clone(), shop.intent());
        async move { store.accept(intent).await }
    }))
    .await;
    assert_eq!(count(&results), (10, 54));
    assert_eq!(shop.used().await, 100);
    assert_eq!(shop.live().messages_page(&Default::default(), 1, 0).await.unwrap().1, 100);
}

async fn a_refusal_says_the_limit_and_what_is_used(db: TestDb) {
    let shop = Shop::with(&db.store().await, "shop", "UTC", Some(1)).await;
    shop.accept().await;
    let refused = shop.store.accept(shop.intent()).await.unwrap_err();
    assert!(matches!(refused, Refused::LimitReached { limit: 1, used: 1 }), "{refused:?}");
    assert_eq!(shop.live().usage_today().await.unwrap(), (1, Some(1)));
}

async fn a_lowered_limit_refuses_and_takes_nothing(db: TestDb) {
    let mut shop = Shop::with(&db.store().await, "shop", "UTC", Some(3)).await;
    for _ in 0..3 {
        shop.accept().await;
    }
    shop.tenant.daily_limit = Some(2);
    assert!(shop.store.update_tenant(&shop.tenant).await.unwrap());
    let refused = shop.store.accept(shop.intent()).await.unwrap_err();
    assert!(matches!(refused, Refused::LimitReached { limit: 2, used: 3 }), "{refused:?}");
    assert_eq!(shop.used().await, 3);
}

async fn each_tenant_and_mode_has_its_own_quota(db: TestDb) {
    let store = db.store().await;
    let (a, b) =
        (Shop::with(&store, "a", "UTC", Some(1)).await, Shop::with(&store, "b", "UTC", Some(1)).await);
    a.accept().await;
    b.accept().await;
    let test = store.tenant(a.tenant.id.clone(), Mode::Test);
    let (row, _) = test.ensure_session(&a.owner.session_id, Default::default()).await.unwrap();
    let owner = Owner { mode: Mode::Test, session: row.key, ..a.owner.clone() };
    accept(&store, intent(&owner)).await;
    assert_eq!((a.used().await, b.used().await, test.usage_today().await.unwrap().0), (1, 1, 1));
}

async fn a_day_ends_at_the_tenants_midnight_also_when_clocks_change(db: TestDb) {
    // New York, 2026-03-08, is 23 hours long; it began at 05:00 UTC.
    let shop = Shop::with(&db.store().await, "shop", "America/New_York", Some(1)).await;
    let midnight = At(1_772_946_000_000).plus_ms(23 * 3_600_000);
    shop.accept().await;
    db.advance(ms(midnight.since(START) - 1));
    let late = shop.store.accept(shop.intent()).await;
    assert!(matches!(late, Err(Refused::LimitReached { .. })), "{late:?}");
    db.advance(ms(1));
    shop.accept().await;
    assert_eq!(shop.used().await, 1);
}

async fn thirty_days_have_thirty_quotas(db: TestDb) {
    let mut shop = Shop::with(&db.store().await, "shop", "Europe/Berlin", Some(2)).await;
    let mut days = std::collections::BTreeMap::<String, usize>::new();
    for hour in 0..30 * 24 {
        // The tenant moves in the middle, into a zone with another offset.
        if hour == 15 * 24 {
            shop.tenant.time_zone = "America/Sao_Paulo".into();
            shop.store.update_tenant(&shop.tenant).await.unwrap();
        }
        let day = wapid_core::tenant::local_day(db.clock.now(), &shop.tenant.time_zone);
        let taken = days.entry(day).or_default();
        if shop.store.accept(shop.intent()).await.is_ok() {
            *taken += 1;
        }
        db.advance(Duration::from_secs(3_600));
    }
    assert!(days.len() >= 30 && days.values().all(|taken| *taken == 2), "{days:?}");
}

async fn a_failure_gives_back_the_day_it_took(db: TestDb) {
    let mut shop = Shop::with(&db.store().await, "shop", "UTC", Some(5)).await;
    let (yesterdays, _) = shop.accept().await;
    db.advance(Duration::from_secs(24 * 3_600));
    let (todays, _) = shop.accept().await;
    shop.accept().await;
    // Also when the tenant's days have changed meanwhile.
    shop.tenant.time_zone = "Pacific/Kiritimati".into();
    shop.store.update_tenant(&shop.tenant).await.unwrap();
    shop.settle(&yesterdays, failed()).await;
    shop.settle(&yesterdays, failed()).await;
    shop.tenant.time_zone = "UTC".into();
    shop.store.update_tenant(&shop.tenant).await.unwrap();
    assert_eq!(shop.used().await, 2);
    shop.settle(&todays, failed()).await;
    assert_eq!(shop.used().await, 1);
}

async fn of_100_with_one_key_one_is_new_and_all_get_it(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let results = together((0..100).map(|_| {
        let shop = shop.clone();
        async move { shop.store.accept(idempotent(&shop.owner, "k", 1)).await.unwrap() }
    }))
    .await;
    let new: Vec<&MessageKey> = results
        .iter()
        .filter_map(|r| match r {
            Accepted::New { key, .. } => Some(key),
            Accepted::Repeat { .. } => None,
        })
        .collect();
    assert_eq!(new.len(), 1);
    assert!(results.iter().all(|r| match r {
        Accepted::New { key, .. } | Accepted::Repeat { key } => key == new[0],
    }));
    assert_eq!(shop.used().await, 1);
}

async fn one_key_in_two_processes_is_one_message(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    for round in 0..20 {
        let results = together((0..8).map(|i| {
            let (store, intent) = (stores[i % 2].clone(), idempotent(&shop.owner, &format!("k{round}"), 1));
            async move { store.accept(intent).await.unwrap() }
        }))
        .await;
        assert_eq!(results.iter().filter(|r| matches!(r, Accepted::New { .. })).count(), 1);
    }
    assert_eq!(shop.used().await, 20);
}

async fn a_key_for_another_body_is_refused(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    accept(&shop.store, idempotent(&shop.owner, "k", 1)).await;
    let results = together((0..4).map(|_| {
        let shop = shop.clone();
        async move { shop.store.accept(idempotent(&shop.owner, "k", 2)).await }
    }))
    .await;
    assert!(results.iter().all(|r| matches!(r, Err(Refused::KeyReused))), "{results:?}");
    assert_eq!(shop.used().await, 1);
}

async fn a_key_is_free_again_when_it_expires(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    accept(&shop.store, idempotent(&shop.owner, "k", 1)).await;
    db.advance(Duration::from_secs(24 * 3_600));
    let fresh =
        Idempotency { key: "k".into(), fingerprint: [2; 32], expires_at: db.clock.now().plus_ms(1_000) };
    accept(&shop.store, Intent { idempotency: Some(fresh), ..shop.intent() }).await;
    // Tidying takes what has expired and nothing else.
    assert_eq!(shop.store.tidy(db.clock.now()).await.unwrap(), 0);
    for i in 0..600 {
        let key = Idempotency { key: format!("k{i}"), fingerprint: [1; 32], expires_at: db.clock.now() };
        accept(&shop.store, Intent { idempotency: Some(key), ..shop.intent() }).await;
    }
    assert_eq!(shop.store.tidy(db.clock.now()).await.unwrap(), 600);
}

async fn a_key_of_a_refused_message_is_free(db: TestDb) {
    let mut shop = Shop::with(&db.store().await, "shop", "UTC", Some(0)).await;
    let refused = shop.store.accept(idempotent(&shop.owner, "k", 1)).await;
    assert!(matches!(refused, Err(Refused::LimitReached { limit: 0, used: 0 })), "{refused:?}");
    shop.tenant.daily_limit = None;
    shop.store.update_tenant(&shop.tenant).await.unwrap();
    accept(&shop.store, idempotent(&shop.owner, "k", 2)).await;
}

async fn a_key_belongs_to_its_tenant_and_mode(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::new(&store, "a").await, Shop::new(&store, "b").await);
    accept(&store, idempotent(&a.owner, "k", 1)).await;
    accept(&store, idempotent(&b.owner, "k", 2)).await;
}

async fn a_foreign_removed_or_unknown_session_takes_nothing(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::with(&store, "a", "UTC", Some(9)).await, Shop::new(&store, "b").await);
    let stranger = Owner { tenant: a.tenant.id.clone(), ..b.owner.clone() };
    let other_mode = Owner { mode: Mode::Test, ..a.owner.clone() };
    let unknown = Owner { session: SessionKey::new(), ..a.owner.clone() };
    let leaving = a.add_session("leaving").await;
    store.begin_removal(&leaving.session).await.unwrap();
    let all = [stranger, other_mode, unknown, leaving];
    let results = together(all.map(|owner| {
        let store = store.clone();
        async move { store.accept(idempotent(&owner, "k", 1)).await }
    }))
    .await;
    assert!(results.iter().all(|r| matches!(r, Err(Refused::NoSession))), "{results:?}");
    assert_eq!(a.used().await, 0);
    accept(&store, idempotent(&a.owner, "k", 2)).await;
}

async fn a_process_that_lost_the_lease_accepts_nothing(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    assert_eq!(shop.store.claim(&shop.owner.session, "a").await.unwrap(), Some(1));
    shop.accept().await;
    assert_eq!(shop.store.claim(&shop.owner.session, "a").await.unwrap(), Some(2));
    let refused = shop.store.accept(shop.intent()).await;
    assert!(matches!(refused, Err(Refused::LeaseLost)), "{refused:?}");
    accept(&shop.store, Intent { epoch: 2, ..shop.intent() }).await;
}

async fn a_poison_message_harms_no_other(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (_, taken) = shop.accept().await;
    let results = together((0..200).map(|i| {
        let shop = shop.clone();
        let mut intent = shop.intent();
        // An id that exists in this chat cannot be stored again.
        if i % 50 == 7 {
            intent.wa_id.clone_from(&taken);
        }
        intent.content = text(format!("{i}"));
        async move { shop.store.accept(intent).await }
    }))
    .await;
    for (i, result) in results.iter().enumerate() {
        match result {
            Ok(Accepted::New { .. }) => assert_ne!(i % 50, 7),
            Err(Refused::Store(_)) => assert_eq!(i % 50, 7),
            other => panic!("{i}: {other:?}"),
        }
    }
    assert_eq!(shop.used().await, 197);
    let (key, _) = shop.accept().await;
    shop.settle(&key, Outcome::Sent).await;
}

async fn a_closed_store_says_so(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let calls = (0..50).map(|_| {
        let shop = shop.clone();
        async move { shop.store.accept(shop.intent()).await }
    });
    let (results, ()) = tokio::join!(together(calls), shop.store.close());
    let again = db.store().await;
    let log = again.tenant(shop.tenant.id.clone(), Mode::Live);
    let (_, total) = log.messages_page(&Default::default(), 1, 0).await.unwrap();
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), usize::try_from(total).unwrap());
    assert!(matches!(
        shop.store.accept(shop.intent()).await,
        Err(Refused::Store(wapid_core::store::StoreError::Closed))
    ));
}

fn ms(n: i64) -> Duration {
    Duration::from_millis(u64::try_from(n).unwrap())
}
