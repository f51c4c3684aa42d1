//! A stranger, and the same tenant in the other mode, see nothing through any method of `TenantStore`.

use wapid_core::key::Mode;
use wapid_core::message::Status;
use wapid_core::store::ledger::Outcome;
use wapid_core::store::messages::MessageFilter;
use wapid_core::store::sessions::SessionSettings;

use crate::fixture::{Shop, TestDb, Told, both, inbound};

both!(nobody_else_sees_anything);

async fn nobody_else_sees_anything(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::new(&store, "a").await, Shop::new(&store, "b").await);
    let (key, wa_id) = a.accept().await;
    a.settle(&key, Outcome::Sent).await;
    a.receipt(&wa_id, Status::Read).await;
    store.receive(vec![inbound(&a.owner, "IN")]).await.unwrap();
    let only_a = a.add_session("only-a").await;
    assert_eq!(a.events().await.len(), 3);

    let strangers = [
        store.tenant(b.tenant.id.clone(), Mode::Live),
        store.tenant(b.tenant.id.clone(), Mode::Test),
        store.tenant(a.tenant.id.clone(), Mode::Test),
    ];
    for stranger in strangers {
        assert_eq!(stranger.session(&only_a.session_id).await.unwrap(), None);
        let sessions = stranger.sessions().await.unwrap();
        assert!(sessions.iter().all(|row| row.key == b.owner.session), "{sessions:?}");
        assert!(stranger.message(&key).await.unwrap().is_none());
        for session in [None, Some(a.owner.session_id.clone()), Some(only_a.session_id.clone())] {
            let filter = MessageFilter { session, ..MessageFilter::default() };
            let (rows, total) = stranger.messages_page(&filter, 10, 0).await.unwrap();
            assert_eq!((rows.len(), total), (0, 0));
            assert!(stranger.messages_before(&filter, None, 10).await.unwrap().is_empty());
        }
        assert!(stranger.events_after(None, 10).await.unwrap().is_empty());
        assert_eq!(stranger.usage_today().await.unwrap().0, 0);
        // Asking for a foreign name makes one's own session, and leaves the other alone.
        let settings = SessionSettings { name: Some("mine".into()), ..SessionSettings::default() };
        let (row, new) = stranger.ensure_session(&only_a.session_id, settings).await.unwrap();
        assert!(new && row.key != only_a.session);
        assert_eq!(a.live().session(&only_a.session_id).await.unwrap().unwrap().name, None);
    }
}
