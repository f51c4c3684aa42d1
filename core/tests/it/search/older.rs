//! A log that is older than its index is taken up in steps, and every search says how far.

use wapid_core::store::Store;
use wapid_core::store::ledger::Inbound;

use super::{found, hear, searched};
use crate::fixture::{Shop, TestDb, both, execute, inbound, text};

both!(what_is_older_than_the_index_is_taken_up_from_the_newest_on, a_crash_between_two_steps_loses_nothing,);

/// As migration 0009 leaves a log that was there before it.
async fn forget_the_index(store: &Store) {
    execute(store, "DELETE FROM search_queue").await;
    execute(store, "DELETE FROM search_docs").await;
    execute(store, "DELETE FROM search_scopes").await;
    execute(
        store,
        "INSERT INTO search_scopes (tenant_id, mode, scope, older_than)
         SELECT tenant_id, mode, ROW_NUMBER() OVER (ORDER BY tenant_id, mode), MAX(key) || '~'
         FROM messages GROUP BY tenant_id, mode",
    )
    .await;
}

/// 700 messages, a millisecond apart: more than two steps.
async fn shop_with_a_past(db: &TestDb, name: &str) -> Shop {
    let shop = Shop::new(&db.store().await, name).await;
    for part in 0..7 {
        let all = (0..100)
            .map(|i| Inbound {
                content: text(format!("past {part}")),
                ..inbound(&shop.owner, &format!("P{part}-{i}"))
            })
            .collect();
        shop.store.receive(all).await.unwrap();
        db.advance(std::time::Duration::from_secs(1));
    }
    shop
}

async fn what_is_older_than_the_index_is_taken_up_from_the_newest_on(db: TestDb) {
    let shop = shop_with_a_past(&db, "shop").await;
    let other = shop_with_a_past(&db, "other").await;
    forget_the_index(&shop.store).await;
    let log = shop.live();
    let before = log.page(&searched("past"), 10, 0).await.unwrap();
    assert_eq!(before.total.count, 0);
    let newest = log.messages_before(&Default::default(), None, 1).await.unwrap().remove(0);
    assert_eq!(before.searched.unwrap().since, Some(newest.created_at));
    // What is new meanwhile is found at once.
    hear(&db, &shop, &["brand new"]).await;
    assert_eq!(found(&log, "new").await, ["brand new"]);
    let (mut indexer, mut counts, mut since) = (shop.store.indexer(), vec![], newest.created_at);
    loop {
        let page = log.page(&searched("past"), 10, 0).await.unwrap();
        counts.push(page.total.count);
        if let Some(now) = page.searched.unwrap().since {
            assert!(now <= since);
            since = now;
            // And truly from then on.
            let newer = log
                .messages_before(
                    &wapid_core::store::messages::MessageFilter {
                        from: Some(now.plus_ms(1)),
                        ..Default::default()
                    },
                    None,
                    1_000,
                )
                .await
                .unwrap();
            let older =
                i64::try_from(newer.iter().filter(|row| row.body.starts_with("past")).count()).unwrap();
            assert!(page.total.count >= older);
        }
        if indexer.step().await.unwrap() == 0 {
            break;
        }
    }
    assert!(counts.is_sorted() && counts.len() > 3, "{counts:?}");
    for log in [log, other.live()] {
        let page = log.page(&searched("past"), 10, 0).await.unwrap();
        assert_eq!((page.total.count, page.searched), (700, Some(Default::default())));
    }
    assert_eq!(found(&shop.live(), "new").await, ["brand new"]);
}

async fn a_crash_between_two_steps_loses_nothing(db: TestDb) {
    let shop = shop_with_a_past(&db, "shop").await;
    forget_the_index(&shop.store).await;
    assert!(shop.store.indexer().step().await.unwrap() > 0);
    let next = Shop { store: db.store().await, ..shop };
    let mut indexer = next.store.indexer();
    while indexer.step().await.unwrap() > 0 {}
    let page = next.live().page(&searched("past"), 10, 0).await.unwrap();
    assert_eq!((page.total.count, page.searched), (700, Some(Default::default())));
}
