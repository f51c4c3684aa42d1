//! What arrives is stored once.

use serde_json::json;
use wapid_core::key::Mode;
use wapid_core::message::{Direction, Status};
use wapid_core::store::ledger::{Inbound, Owner};

use crate::fixture::{Shop, TestDb, Told, both, inbound, text, together};

both!(
    what_arrives_twice_is_stored_once,
    the_same_id_from_another_sender_is_another_message,
    what_the_owner_sends_from_the_phone_is_ours,
    the_echo_of_our_own_message_is_not_new,
    a_text_with_a_nul_is_stored,
    what_arrives_for_a_foreign_or_missing_session_is_not_stored,
    a_history_of_a_thousand_is_one_call,
);

async fn what_arrives_twice_is_stored_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (one, two) = (inbound(&shop.owner, "A"), inbound(&shop.owner, "B"));
    let new = shop.store.receive(vec![one.clone(), two.clone(), one.clone()]).await.unwrap().new;
    assert_eq!(new, [true, true, false]);
    assert_eq!(shop.store.receive(vec![two.clone()]).await.unwrap().new, [false]);
    let results = together((0..16).map(|_| {
        let (shop, third) = (shop.clone(), inbound(&shop.owner, "C"));
        async move { shop.store.receive(vec![third]).await.unwrap().new[0] }
    }))
    .await;
    assert_eq!(results.iter().filter(|new| **new).count(), 1);
    let (rows, total) = shop.live().messages_page(&Default::default(), 10, 0).await.unwrap();
    assert_eq!(total, 3);
    let row = &rows[2];
    assert_eq!(
        (row.direction, row.status, row.origin.as_str()),
        (Direction::In, Status::Received, "contact")
    );
    assert_eq!((row.sent_at, row.created_at), (Some(one.sent_at), db.clock.now()));
    assert_eq!(shop.used().await, 0);
    let events = shop.live().events_after(None, 10).await.unwrap();
    assert_eq!(events.len(), 3);
    let contact = &events[0]["data"]["contactId"];
    assert!(contact.as_str().is_some_and(|id| id.starts_with("con_")), "{contact}");
    assert_eq!(
        events[0]["data"],
        json!({
            "contactId": contact, "messageId": "A", "key": row.key, "chat": "987@lid", "from": "5511900000001@s.whatsapp.net",
            "phone": "5511900000001", "lid": "987", "senderName": "Ana", "type": "text", "body": "hi there",
            "isGroup": false, "hasMedia": false, "timestamp": one.sent_at.seconds(),
        })
    );
}

async fn the_same_id_from_another_sender_is_another_message(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let one = inbound(&shop.owner, "A");
    let group = |sender: &str| Inbound {
        chat: "120363041234567890@g.us".into(),
        sender: sender.into(),
        phone: None,
        is_group: true,
        ..one.clone()
    };
    let new = shop
        .store
        .receive(vec![one.clone(), group("1@lid"), group("2@lid"), group("1@lid")])
        .await
        .unwrap()
        .new;
    assert_eq!(new, [true, true, true, false]);
    let events = shop.live().events_after(None, 10).await.unwrap();
    assert_eq!((&events[1]["data"]["from"], &events[1]["data"]["isGroup"]), (&json!("1@lid"), &json!(true)));
}

async fn what_the_owner_sends_from_the_phone_is_ours(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let mine = Inbound { from_me: true, ..inbound(&shop.owner, "A") };
    assert_eq!(shop.store.receive(vec![mine.clone()]).await.unwrap().new, [true]);
    assert_eq!(shop.store.receive(vec![mine]).await.unwrap().new, [false]);
    shop.receipt("A", Status::Delivered).await;
    let (rows, _) = shop.live().messages_page(&Default::default(), 10, 0).await.unwrap();
    let row = &rows[0];
    assert_eq!((row.direction, row.origin.as_str(), row.sender.as_str()), (Direction::Out, "phone", ""));
    assert_eq!(row.status, Status::Delivered);
    assert_eq!(shop.events().await, ["message.sent", "message.delivered"]);
    assert_eq!(shop.used().await, 0);
}

async fn the_echo_of_our_own_message_is_not_new(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (_, wa_id) = shop.accept().await;
    // The same chat may come back under its hidden name.
    for chat in ["5511900000001@s.whatsapp.net", "987@lid"] {
        let echo = Inbound { from_me: true, chat: chat.into(), ..inbound(&shop.owner, &wa_id) };
        assert_eq!(shop.store.receive(vec![echo]).await.unwrap().new, [false]);
    }
    // But a contact may use any id.
    assert_eq!(shop.store.receive(vec![inbound(&shop.owner, &wa_id)]).await.unwrap().new, [true]);
}

async fn a_text_with_a_nul_is_stored(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let odd = Inbound {
        content: text("a\0b"),
        sender_name: Some("\0".into()),
        lid: Some(String::new()),
        ..inbound(&shop.owner, "A")
    };
    assert_eq!(shop.store.receive(vec![odd]).await.unwrap().new, [true]);
    let (rows, _) = shop.live().messages_page(&Default::default(), 10, 0).await.unwrap();
    assert_eq!(rows[0].body, "ab");
    assert_eq!(shop.live().events_after(None, 1).await.unwrap()[0]["data"]["body"], "ab");
}

async fn what_arrives_for_a_foreign_or_missing_session_is_not_stored(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::new(&store, "a").await, Shop::new(&store, "b").await);
    let foreign = Owner { tenant: b.tenant.id.clone(), ..a.owner.clone() };
    let other_mode = Owner { mode: Mode::Test, ..a.owner.clone() };
    let all = vec![inbound(&foreign, "A"), inbound(&a.owner, "A"), inbound(&other_mode, "A")];
    assert_eq!(store.receive(all).await.unwrap().new, [false, true, false]);
    assert_eq!((a.events().await.len(), b.events().await.len()), (1, 0));
}

async fn a_history_of_a_thousand_is_one_call(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let all: Vec<_> = (0..1_000).map(|i| inbound(&shop.owner, &format!("M{i:04}"))).collect();
    assert!(shop.store.receive(all).await.unwrap().new.iter().all(|new| *new));
    let (rows, total) = shop.live().messages_page(&Default::default(), 3, 0).await.unwrap();
    assert_eq!(total, 1_000);
    assert_eq!(rows.iter().map(|r| r.wa_id.as_str()).collect::<Vec<_>>(), ["M0999", "M0998", "M0997"]);
}
