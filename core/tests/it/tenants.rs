//! Tenants, and keys that open only what is theirs.

use std::time::Duration;

use wapid_core::id::{KeyId, TenantId};
use wapid_core::key::Mode;
use wapid_core::store::tenants::{NewTenant, NewTenantError};
use wapid_core::tenant::TenantError;

use crate::fixture::{Shop, TestDb, both};

both!(
    a_key_opens_its_tenant_and_mode,
    a_revoked_key_dies_at_once_here_and_within_5_s_elsewhere,
    a_rotated_key_works_on_for_its_grace,
    rotating_with_no_grace_kills_at_once,
    a_dead_key_cannot_be_rotated,
    a_key_is_found_by_id_public_part_or_text,
    the_database_holds_no_key,
    a_tenant_is_found_by_id_or_name,
    a_bad_tenant_is_refused_with_the_reason,
    two_first_starts_make_one_default_tenant,
    limits_and_zone_can_change,
);

fn named(name: &str) -> NewTenant {
    NewTenant { id: None, name: name.into(), time_zone: "UTC".into(), daily_limit: None, session_limit: None }
}

async fn a_key_opens_its_tenant_and_mode(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::new(&store, "a").await, Shop::new(&store, "b").await);
    for (key, tenant, mode) in [
        (&a.live_key, &a.tenant.id, Mode::Live),
        (&a.test_key, &a.tenant.id, Mode::Test),
        (&b.live_key, &b.tenant.id, Mode::Live),
    ] {
        for _ in 0..2 {
            let caller = store.authenticate(key).await.unwrap().unwrap();
            assert_eq!((&caller.tenant, caller.mode), (tenant, mode));
        }
    }
    // The public part of one and the secret of another.
    let mixed = wapid_core::key::ApiKey::new(Mode::Live);
    for stranger in ["", "wapid_live_", mixed.reveal(), &a.live_key[1..], &a.live_key.replace("live", "test")]
    {
        assert_eq!(store.authenticate(stranger).await.unwrap(), None);
    }
}

async fn a_revoked_key_dies_at_once_here_and_within_5_s_elsewhere(db: TestDb) {
    let (here, elsewhere) = (db.store().await, db.store().await);
    let shop = Shop::new(&here, "shop").await;
    let caller = here.authenticate(&shop.live_key).await.unwrap().unwrap();
    assert!(elsewhere.authenticate(&shop.live_key).await.unwrap().is_some());
    assert!(here.revoke_key(&caller.key).await.unwrap());
    assert!(here.revoke_key(&caller.key).await.unwrap());
    assert_eq!(here.authenticate(&shop.live_key).await.unwrap(), None);
    db.advance(Duration::from_millis(4_999));
    assert!(elsewhere.authenticate(&shop.live_key).await.unwrap().is_some());
    db.advance(Duration::from_millis(1));
    assert_eq!(elsewhere.authenticate(&shop.live_key).await.unwrap(), None);
    assert!(!here.revoke_key(&KeyId::new()).await.unwrap());
    assert!(here.authenticate(&shop.test_key).await.unwrap().is_some());
}

async fn a_rotated_key_works_on_for_its_grace(db: TestDb) {
    let store = db.store().await;
    let shop = Shop::new(&store, "shop").await;
    let (row, old) = store.create_key(&shop.tenant.id, Mode::Test, Some("ci")).await.unwrap();
    let (new_row, new) = store.rotate_key(&row.id, 60_000).await.unwrap().unwrap();
    assert_eq!((new_row.mode, new_row.label.as_deref(), new.mode()), (Mode::Test, Some("ci"), Mode::Test));
    assert_eq!(new_row.tenant_id, shop.tenant.id);
    assert!(store.authenticate(new.reveal()).await.unwrap().is_some());
    db.advance(Duration::from_millis(59_000));
    assert!(store.authenticate(old.reveal()).await.unwrap().is_some());
    // Remembered one second ago, and still dead on time.
    db.advance(Duration::from_millis(1_000));
    assert_eq!(store.authenticate(old.reveal()).await.unwrap(), None);
    assert!(store.authenticate(new.reveal()).await.unwrap().is_some());
}

async fn rotating_with_no_grace_kills_at_once(db: TestDb) {
    let store = db.store().await;
    let shop = Shop::new(&store, "shop").await;
    let caller = store.authenticate(&shop.live_key).await.unwrap().unwrap();
    assert!(store.rotate_key(&caller.key, 0).await.unwrap().is_some());
    assert_eq!(store.authenticate(&shop.live_key).await.unwrap(), None);
}

async fn a_dead_key_cannot_be_rotated(db: TestDb) {
    let store = db.store().await;
    let shop = Shop::new(&store, "shop").await;
    let (revoked, _) = store.create_key(&shop.tenant.id, Mode::Live, None).await.unwrap();
    store.revoke_key(&revoked.id).await.unwrap();
    let (expired, _) = store.create_key(&shop.tenant.id, Mode::Live, None).await.unwrap();
    store.rotate_key(&expired.id, 0).await.unwrap().unwrap();
    let count = store.keys(&shop.tenant.id).await.unwrap().len();
    for id in [revoked.id, expired.id, KeyId::new()] {
        assert!(store.rotate_key(&id, 1_000).await.unwrap().is_none());
    }
    assert_eq!(store.keys(&shop.tenant.id).await.unwrap().len(), count);
    // A second rotation does not lengthen the grace of the first.
    let (row, old) = store.create_key(&shop.tenant.id, Mode::Live, None).await.unwrap();
    store.rotate_key(&row.id, 1_000).await.unwrap().unwrap();
    store.rotate_key(&row.id, 1_000_000).await.unwrap().unwrap();
    db.advance(Duration::from_secs(1));
    assert_eq!(store.authenticate(old.reveal()).await.unwrap(), None);
}

async fn a_key_is_found_by_id_public_part_or_text(db: TestDb) {
    let store = db.store().await;
    let shop = Shop::new(&store, "shop").await;
    let (row, key) = store.create_key(&shop.tenant.id, Mode::Live, Some("app")).await.unwrap();
    for text in [row.id.as_str(), key.public(), key.reveal()] {
        assert_eq!(store.find_key(text).await.unwrap().as_ref(), Some(&row));
    }
    let stranger = wapid_core::key::ApiKey::new(Mode::Live);
    assert_eq!(store.find_key(stranger.reveal()).await.unwrap(), None);
    let listed = store.keys(&shop.tenant.id).await.unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed.contains(&row));
    assert!(store.keys(&TenantId::new()).await.unwrap().is_empty());
}

async fn the_database_holds_no_key(db: TestDb) {
    let store = db.store().await;
    let shop = Shop::new(&store, "shop").await;
    let hash: Vec<Vec<u8>> = wapid_core::read!(store.db(), |pool| {
        sqlx::query_scalar("SELECT hash FROM api_keys ORDER BY mode").fetch_all(pool).await.unwrap()
    });
    assert_eq!(hash, [store.seal().hash(&shop.live_key), store.seal().hash(&shop.test_key)]);
    if db.is_sqlite() {
        let secret = &shop.live_key.as_bytes()["wapid_live_".len() + 8..];
        for file in [db.file().to_owned(), format!("{}-wal", db.file())] {
            let bytes = std::fs::read(file).unwrap();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

async fn a_tenant_is_found_by_id_or_name(db: TestDb) {
    let store = db.store().await;
    let (tenant, _, _) = store.create_tenant(named(" Zoo ")).await.unwrap();
    let (other, _, _) = store.create_tenant(named("Ape")).await.unwrap();
    assert_eq!(store.find_tenant("Zoo").await.unwrap().as_ref(), Some(&tenant));
    assert_eq!(store.find_tenant(tenant.id.as_str()).await.unwrap().as_ref(), Some(&tenant));
    assert_eq!(store.find_tenant("zoo").await.unwrap(), None);
    assert_eq!(store.tenants().await.unwrap(), [other, tenant]);
}

async fn a_bad_tenant_is_refused_with_the_reason(db: TestDb) {
    let store = db.store().await;
    let refusal = async |new: NewTenant| store.create_tenant(new).await.unwrap_err();
    for name in ["", "  ", &"x".repeat(101)] {
        assert!(matches!(refusal(named(name)).await, NewTenantError::Invalid(TenantError::BadName)));
    }
    let zone = NewTenant { time_zone: "Mars/Olympus".into(), ..named("a") };
    assert!(matches!(refusal(zone).await, NewTenantError::Invalid(TenantError::UnknownTimeZone(_))));
    let limit = NewTenant { daily_limit: Some(-1), ..named("a") };
    assert!(matches!(refusal(limit).await, NewTenantError::Invalid(TenantError::NegativeLimit)));
    assert!(store.tenants().await.unwrap().is_empty());
    store.create_tenant(named("a")).await.unwrap();
    assert!(matches!(refusal(named("a")).await, NewTenantError::NameTaken(name) if name == "a"));
}

async fn two_first_starts_make_one_default_tenant(db: TestDb) {
    let (a, b) = (db.store().await, db.store().await);
    let default = || NewTenant { id: Some(TenantId("default".into())), ..named("default") };
    let (one, two) = tokio::join!(a.create_tenant(default()), b.create_tenant(default()));
    assert_eq!(usize::from(one.is_ok()) + usize::from(two.is_ok()), 1);
    assert_eq!(a.tenants().await.unwrap().len(), 1);
    assert_eq!(a.keys(&TenantId("default".into())).await.unwrap().len(), 2);
}

async fn limits_and_zone_can_change(db: TestDb) {
    let store = db.store().await;
    let (mut tenant, _, _) = store.create_tenant(named("a")).await.unwrap();
    tenant.daily_limit = Some(5);
    tenant.session_limit = Some(2);
    tenant.time_zone = "Asia/Kolkata".into();
    assert!(store.update_tenant(&tenant).await.unwrap());
    assert_eq!(store.find_tenant("a").await.unwrap().unwrap(), tenant);
    tenant.id = TenantId::new();
    assert!(!store.update_tenant(&tenant).await.unwrap());
}
