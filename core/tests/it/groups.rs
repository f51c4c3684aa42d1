//! What groups are called: the later of two names counts, and events carry it.

use serde_json::json;
use wapid_core::clock::At;
use wapid_core::event::{EventData, GroupEvent, NewEvent};
use wapid_core::store::groups::GroupName;
use wapid_core::store::ledger::GroupNews;

use crate::fixture::{Shop, TestDb, Told as _, both};

both!(
    the_later_name_counts_in_whatever_order_they_come,
    an_event_carries_the_name_that_is_known,
    names_go_with_their_session_and_are_nobody_elses,
);

const TEAM: &str = "120363000000000001@g.us";
const CLUB: &str = "120363000000000002@g.us";

fn name(jid: &str, subject: &str, at: i64) -> GroupName {
    GroupName { jid: jid.into(), subject: subject.into(), at: At(at) }
}

fn news(shop: &Shop, names: Vec<GroupName>, events: Vec<NewEvent>) -> GroupNews {
    GroupNews { session: shop.owner.session.clone(), names, events }
}

async fn note(shop: &Shop, names: Vec<GroupName>) {
    shop.store.note_groups(news(shop, names, vec![])).await.unwrap();
}

async fn the_later_name_counts_in_whatever_order_they_come(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let called = || async { shop.live().group_names(&shop.owner.session).await.unwrap() };
    note(&shop, vec![name(TEAM, "Team", 2_000), name(CLUB, "Club", 1_000)]).await;
    note(&shop, vec![name(TEAM, "Before", 1_000)]).await;
    assert_eq!(called().await, [name(TEAM, "Team", 2_000), name(CLUB, "Club", 1_000)]);
    // WhatsApp's times are whole seconds: the last word within one counts.
    note(&shop, vec![name(TEAM, "Same second", 2_000)]).await;
    assert_eq!(called().await[0], name(TEAM, "Same second", 2_000));
    let twice = vec![name(TEAM, "Last", 4_000), name(TEAM, "Middle", 3_000), name(TEAM, "La\0st", 4_000)];
    note(&shop, twice).await;
    assert_eq!(called().await[0], name(TEAM, "Last", 4_000));
}

async fn an_event_carries_the_name_that_is_known(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let event = |group: &str, subject: Option<&str>| {
        let (group_id, subject) = (group.to_owned(), subject.map(str::to_owned));
        let told = GroupEvent { group_id, subject, ..GroupEvent::default() };
        NewEvent::new(At(1_000), EventData::GroupUpdated(told))
    };
    let events = vec![event(TEAM, None), event(CLUB, None), event(CLUB, Some("Its own"))];
    shop.store.note_groups(news(&shop, vec![name(TEAM, "Team", 1_000)], events)).await.unwrap();
    let stored = shop.live().events_after(None, 10).await.unwrap();
    let told: Vec<_> = stored.iter().map(|event| event["data"]["subject"].clone()).collect();
    assert_eq!(told, [json!("Team"), json!(null), json!("Its own")]);
}

async fn names_go_with_their_session_and_are_nobody_elses(db: TestDb) {
    let store = db.store().await;
    let (shop, stranger) = (Shop::new(&store, "shop").await, Shop::new(&store, "stranger").await);
    note(&shop, vec![name(TEAM, "Team", 1_000)]).await;
    assert_eq!(stranger.live().group_names(&shop.owner.session).await.unwrap(), []);
    assert_eq!(stranger.live().group_names(&stranger.owner.session).await.unwrap(), []);
    store.remove_session(&shop.owner.session, true).await.unwrap();
    // A word that comes too late is about nobody.
    note(&shop, vec![name(TEAM, "Team", 2_000)]).await;
    let count: Vec<_> = shop.live().group_names(&shop.owner.session).await.unwrap();
    assert_eq!(count, []);
}
