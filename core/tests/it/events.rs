//! Events: numbered within their session without gaps, whoever writes and how many at once.

use serde_json::{Value, json};
use wapid_core::event::{EventData, NewEvent};
use wapid_core::message::Status;
use wapid_core::store::ledger::{Outcome, Owner};
use wapid_core::store::sessions::Saved;

use crate::fixture::{Shop, TestDb, Told, accept, both, failed, inbound, intent, session_event, together};

both!(
    numbers_have_no_gaps_under_concurrency,
    numbers_have_no_gaps_with_two_processes,
    a_reader_goes_on_where_it_stopped,
    an_event_says_what_the_contract_says,
    a_saved_session_and_its_event_are_one,
);

/// Everything that makes events, side by side, on three sessions.
async fn churn(shops: &[Shop], owners: &[Owner], rounds: usize) {
    together((0..rounds).map(|i| {
        let (shop, owner) = (shops[i % shops.len()].clone(), owners[i % owners.len()].clone());
        async move {
            let (key, wa_id) = accept(&shop.store, intent(&owner)).await;
            let outcome = if i % 7 == 0 { failed() } else { Outcome::Sent };
            let settlement = shop.settlement(&key, outcome);
            let shop = Shop { owner: owner.clone(), ..shop };
            let (settled, (), received, saved) = tokio::join!(
                shop.store
                    .settle(wapid_core::store::ledger::Settlement { owner: owner.clone(), ..settlement }),
                shop.receipt(&wa_id, Status::Delivered),
                shop.store.receive(vec![inbound(&owner, &format!("IN{i}"))]),
                shop.store.save_session(&owner.session, None, None, Some(ready(&shop))),
            );
            settled.unwrap();
            saved.unwrap();
            assert_eq!(received.unwrap().new, [true]);
        }
    }))
    .await;
}

fn ready(shop: &Shop) -> NewEvent {
    NewEvent::new(shop.store.clock().now(), EventData::SessionReady(session_event(&shop.owner)))
}

async fn check_numbers(shop: &Shop, owners: &[Owner]) {
    let events = shop.live().events_after(None, 100_000).await.unwrap();
    let positions: Vec<i64> = events.iter().map(|event| event["position"].as_i64().unwrap()).collect();
    assert_eq!(positions, (1..=i64::try_from(events.len()).unwrap()).collect::<Vec<_>>());
    for owner in owners {
        let of_session = |event: &&Value| event["sessionId"] == owner.session_id.as_str();
        let mut numbers: Vec<i64> =
            events.iter().filter(of_session).map(|event| event["seq"].as_i64().unwrap()).collect();
        numbers.sort_unstable();
        assert!(numbers.len() > 10);
        assert_eq!(numbers, (1..=i64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
    }
}

async fn numbers_have_no_gaps_under_concurrency(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let owners = [shop.owner.clone(), shop.add_session("two").await, shop.add_session("three").await];
    churn(std::slice::from_ref(&shop), &owners, 150).await;
    check_numbers(&shop, &owners).await;
    // Within one process ids sort as the numbers do.
    let events = shop.live().events_after(None, 100_000).await.unwrap();
    let main: Vec<_> = events.iter().filter(|e| e["sessionId"] == "main").map(|e| &e["seq"]).collect();
    assert!(main.is_sorted_by_key(|seq| seq.as_i64()));
}

async fn numbers_have_no_gaps_with_two_processes(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let twin = Shop { store: db.store().await, ..shop.clone() };
    let owners = [shop.owner.clone(), shop.add_session("two").await];
    // An odd number of sessions per shop would keep each in one process.
    churn(&[shop.clone(), shop.clone(), twin.clone(), twin], &owners, 100).await;
    check_numbers(&shop, &owners).await;
}

async fn a_reader_goes_on_where_it_stopped(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    for i in 0..25 {
        shop.store.receive(vec![inbound(&shop.owner, &format!("M{i}"))]).await.unwrap();
    }
    let (mut after, mut seen) = (None::<String>, Vec::new());
    loop {
        let page = shop.live().events_after(after.as_deref(), 10).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last["id"].as_str().unwrap().to_owned());
        seen.extend(page.iter().map(|event| event["seq"].as_i64().unwrap()));
    }
    assert_eq!(seen, (1..=25).collect::<Vec<_>>());
}

async fn an_event_says_what_the_contract_says(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    shop.settle(&key, failed()).await;
    let events = shop.live().events_after(None, 10).await.unwrap();
    let mut event = events[0].clone();
    assert!(event["id"].as_str().unwrap().starts_with("evt_"));
    event["id"] = Value::Null;
    assert!(event["data"]["contactId"].as_str().unwrap().starts_with("con_"));
    event["data"]["contactId"] = Value::Null;
    assert_eq!(
        event,
        json!({
            "id": null, "sessionId": "main", "seq": 1, "kind": "message.failed", "occurredAt": db.clock.now().0,
            "position": 1,
            "data": {
                "messageId": wa_id, "key": key, "direction": "out", "origin": "api", "chat": "5511900000001@s.whatsapp.net",
                "phone": "5511900000001", "lid": null, "type": "text", "status": "failed", "contactId": null,
                "error": { "code": "NOT_ON_WHATSAPP", "message": "nobody there" },
            },
        })
    );
}

async fn a_saved_session_and_its_event_are_one(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let saved = Saved { wanted: false, account: None, ended: None };
    shop.store
        .save_session(&shop.owner.session, None, Some(saved.clone()), Some(ready(&shop)))
        .await
        .unwrap();
    assert!(!shop.live().session(&shop.owner.session_id).await.unwrap().unwrap().wanted);
    assert_eq!(shop.events().await, ["session.ready"]);
    // A session that goes says so, once, and stays gone.
    shop.store.remove_session(&shop.owner.session, true).await.unwrap();
    shop.store.save_session(&shop.owner.session, None, Some(saved), Some(ready(&shop))).await.unwrap();
    assert_eq!(shop.live().session(&shop.owner.session_id).await.unwrap(), None);
    assert_eq!(shop.events().await, ["session.ready", "session.disconnected"]);
}
