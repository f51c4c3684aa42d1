//! Sessions: made once, within the plan, and gone when they are removed.

use std::time::Duration;

use wapid_core::id::{SessionId, SessionKey};
use wapid_core::message::Status;
use wapid_core::session::{Account, End};
use wapid_core::store::sessions::{NewSessionError, Saved, SessionSettings};

use crate::fixture::{Shop, TestDb, both, idempotent, together};

both!(
    asking_twice_is_one_session,
    asking_at_once_is_one_session,
    the_plan_holds_also_in_a_race,
    settings_change_what_they_name_and_keep_the_rest,
    a_proxy_is_sealed_in_its_place,
    an_account_remembers_when_it_was_linked,
    a_session_being_removed_takes_no_new_start,
    a_removed_session_leaves_its_log_and_fails_what_was_open,
);

fn id(text: &str) -> SessionId {
    SessionId::parse(text).unwrap()
}

fn account(device: u8) -> Account {
    Account { phone: "5511".into(), jid: format!("5511:{device}@s.whatsapp.net"), lid: None }
}

async fn asking_twice_is_one_session(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (again, new) = shop.live().ensure_session(&id("main"), SessionSettings::default()).await.unwrap();
    assert!(!new && again.wanted);
    assert_eq!(again.key, shop.owner.session);
    let (other, new) = shop.live().ensure_session(&id("äther"), SessionSettings::default()).await.unwrap();
    assert!(new);
    // Ordered by bytes on both engines.
    let (upper, _) = shop.live().ensure_session(&id("Zed"), SessionSettings::default()).await.unwrap();
    let listed: Vec<_> = shop.live().sessions().await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(listed, [upper.id, again.id, other.id]);
}

async fn asking_at_once_is_one_session(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let results = together((0..16).map(|_| {
        let shop = shop.clone();
        async move { shop.live().ensure_session(&id("x"), SessionSettings::default()).await.unwrap() }
    }))
    .await;
    assert_eq!(results.iter().filter(|(_, new)| *new).count(), 1);
    assert!(results.iter().all(|(row, _)| row.key == results[0].0.key));
}

async fn the_plan_holds_also_in_a_race(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let mut shop = Shop::new(&stores[0], "shop").await;
    shop.tenant.session_limit = Some(3);
    shop.store.update_tenant(&shop.tenant).await.unwrap();
    let results = together((0..10).map(|i| {
        let shop = Shop { store: stores[i % 2].clone(), ..shop.clone() };
        async move { shop.live().ensure_session(&id(&format!("s{i}")), SessionSettings::default()).await }
    }))
    .await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 2);
    for refused in results.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, NewSessionError::LimitReached { limit: 3, used: 3 }), "{refused:?}");
    }
    // One that exists is always welcome, and the other mode counts for itself.
    shop.live().ensure_session(&id("main"), SessionSettings::default()).await.unwrap();
    let test = shop.store.tenant(shop.tenant.id.clone(), wapid_core::key::Mode::Test);
    test.ensure_session(&id("main"), SessionSettings::default()).await.unwrap();
}

async fn settings_change_what_they_name_and_keep_the_rest(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let all = SessionSettings {
        name: Some("Sales".into()),
        device_name: Some("Shop".into()),
        proxy: Some("socks5://u:p@127.0.0.1:1".into()),
        daily_limit: None,
        any_number: None,
    };
    shop.live().ensure_session(&id("main"), all).await.unwrap();
    let one = SessionSettings { name: Some("Care".into()), ..SessionSettings::default() };
    let (row, _) = shop.live().ensure_session(&id("main"), one).await.unwrap();
    assert_eq!((row.name.as_deref(), row.device_name.as_deref()), (Some("Care"), Some("Shop")));
    assert_eq!(row.proxy.as_deref(), Some("socks5://u:p@127.0.0.1:1"));
    assert_eq!(shop.store.session_by_key(&row.key).await.unwrap(), Some(row.clone()));
    assert_eq!(shop.store.all_sessions().await.unwrap(), [row]);
}

async fn a_proxy_is_sealed_in_its_place(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let proxy = "http://user:secret@127.0.0.1:8080";
    let settings = SessionSettings { proxy: Some(proxy.into()), ..SessionSettings::default() };
    let (row, _) = shop.live().ensure_session(&id("p"), settings).await.unwrap();
    let sealed: Vec<u8> = wapid_core::read!(shop.store.db(), |pool| {
        sqlx::query_scalar("SELECT proxy FROM sessions WHERE session_id = 'p'").fetch_one(pool).await.unwrap()
    });
    let place = format!("session:{}:proxy", row.key);
    assert_eq!(shop.store.seal().open(&place, &sealed).unwrap(), proxy.as_bytes());
    assert!(shop.store.seal().open(&format!("session:{}:proxy", shop.owner.session), &sealed).is_err());
}

async fn an_account_remembers_when_it_was_linked(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let key = &shop.owner.session;
    let save = async |account: Option<Account>, ended: Option<End>| {
        let saved = Saved { wanted: ended.is_none(), account, ended };
        shop.store.save_session(key, None, Some(saved), None).await.unwrap();
        shop.store.session_by_key(key).await.unwrap().unwrap()
    };
    let linked_at = db.clock.now();
    assert_eq!(save(Some(account(1)), None).await.linked_at, Some(linked_at));
    db.advance(Duration::from_secs(9));
    let row = save(Some(account(1)), Some(End::Replaced)).await;
    assert_eq!((row.linked_at, row.wanted, row.ended), (Some(linked_at), false, Some(End::Replaced)));
    let row = save(Some(account(2)), None).await;
    assert_eq!((row.linked_at, row.account, row.ended), (Some(db.clock.now()), Some(account(2)), None));
    assert_eq!(save(None, Some(End::LoggedOut)).await.linked_at, None);
}

async fn a_session_being_removed_takes_no_new_start(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.store.begin_removal(&shop.owner.session).await.unwrap();
    let refused = shop.live().ensure_session(&id("main"), SessionSettings::default()).await.unwrap_err();
    assert!(matches!(refused, NewSessionError::Removing), "{refused:?}");
    assert!(shop.live().sessions().await.unwrap().is_empty());
    let row = shop.live().session(&id("main")).await.unwrap().unwrap();
    assert!(row.removing && !row.wanted);
    assert_eq!(shop.store.all_sessions().await.unwrap(), [row]);
}

async fn a_removed_session_leaves_its_log_and_fails_what_was_open(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (open, _) = shop.accept().await;
    shop.store.claim(&shop.owner.session, "me").await.unwrap();
    shop.store.remove_session(&shop.owner.session, true).await.unwrap();
    shop.store.remove_session(&shop.owner.session, true).await.unwrap();
    shop.store.remove_session(&SessionKey::new(), true).await.unwrap();
    assert_eq!(shop.live().session(&id("main")).await.unwrap(), None);
    let row = shop.live().message(&open).await.unwrap().unwrap();
    assert_eq!((row.status, row.error_code.as_deref()), (Status::Failed, Some("SESSION_REMOVED")));
    assert_eq!(
        (shop.events().await, shop.used().await),
        (vec!["message.failed".to_owned(), "session.disconnected".to_owned()], 0)
    );
    assert!(shop.store.accept(idempotent(&shop.owner, "k", 1)).await.is_err());
    // The name is free again, for another session.
    let again = shop.add_session("main").await;
    assert_ne!(again.session, shop.owner.session);
    assert_eq!(shop.store.claim(&again.session, "me").await.unwrap(), Some(1));
}
