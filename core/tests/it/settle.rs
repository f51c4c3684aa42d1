//! Results and receipts: a status only moves forward, and each step is told once.

use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use wapid_core::key::Mode;
use wapid_core::message::{ReceiptSender, Status};
use wapid_core::store::ledger::{Outcome, Owner, ReceiptNews, Settlement};

use crate::fixture::{Shop, TestDb, both, failed, inbound, together};

both!(
    a_sent_message_is_sent_once,
    a_failed_message_says_why_and_stays_failed,
    a_receipt_that_overtakes_the_ack_counts_as_both,
    what_was_delivered_cannot_fail,
    each_step_has_its_time,
    any_order_of_news_moves_only_forward,
    one_receipt_names_many_messages,
    a_receipt_for_nothing_of_ours_changes_nothing,
    a_receipt_counts_from_its_own_chat,
    a_stranger_settles_nothing,
    a_late_process_settles_nothing,
    what_is_unsettled_is_sent_again_under_its_id,
);

async fn a_sent_message_is_sent_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, _) = shop.accept().await;
    db.advance(Duration::from_millis(250));
    together((0..8).map(|_| {
        let (shop, key) = (shop.clone(), key.clone());
        async move { shop.settle(&key, Outcome::Sent).await }
    }))
    .await;
    let row = shop.live().message(&key).await.unwrap().unwrap();
    assert_eq!((row.status, row.sent_at), (Status::Sent, Some(db.clock.now())));
    assert_eq!(shop.events().await, ["message.sent"]);
    assert!(shop.store.claim_unsettled(&shop.owner.session, 9).await.unwrap().is_empty());
}

async fn a_failed_message_says_why_and_stays_failed(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    shop.settle(&key, failed()).await;
    shop.settle(&key, Outcome::Sent).await;
    shop.receipt(&wa_id, Status::Read).await;
    let row = shop.live().message(&key).await.unwrap().unwrap();
    assert_eq!((row.status, row.error_code.as_deref()), (Status::Failed, Some("NOT_ON_WHATSAPP")));
    assert_eq!((row.error.as_deref(), row.sent_at), (Some("nobody there"), None));
    assert_eq!(shop.events().await, ["message.failed"]);
}

async fn a_receipt_that_overtakes_the_ack_counts_as_both(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    shop.receipt(&wa_id, Status::Delivered).await;
    shop.settle(&key, Outcome::Sent).await;
    let row = shop.live().message(&key).await.unwrap().unwrap();
    let now = Some(db.clock.now());
    assert_eq!((row.status, row.sent_at, row.delivered_at, row.read_at), (Status::Delivered, now, now, None));
    assert_eq!(shop.events().await, ["message.delivered"]);
    assert!(shop.store.claim_unsettled(&shop.owner.session, 9).await.unwrap().is_empty());
}

async fn what_was_delivered_cannot_fail(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    shop.receipt(&wa_id, Status::Delivered).await;
    shop.settle(&key, failed()).await;
    assert_eq!(shop.status(&key).await, Status::Delivered);
    assert_eq!(shop.used().await, 1);
}

async fn each_step_has_its_time(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    let start = db.clock.now();
    shop.settle(&key, Outcome::Sent).await;
    for status in [Status::Delivered, Status::Read, Status::Played] {
        db.advance(Duration::from_secs(1));
        shop.receipt(&wa_id, status).await;
    }
    let row = shop.live().message(&key).await.unwrap().unwrap();
    let at = |s: i64| Some(start.plus_ms(s * 1_000));
    assert_eq!(
        (row.status, row.sent_at, row.delivered_at, row.read_at),
        (Status::Played, at(0), at(1), at(2))
    );
    assert_eq!(shop.events().await, ["message.sent", "message.delivered", "message.read", "message.played"]);
}

/// Against the rule itself, `Status::advance`, one after the other.
async fn any_order_of_news_moves_only_forward(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let heard = proptest::sample::select(vec![
        Status::Sent,
        Status::Failed,
        Status::Delivered,
        Status::Read,
        Status::Played,
    ]);
    let stories = proptest::collection::vec(heard, 0..8);
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for _ in 0..100 {
        let story = stories.new_tree(&mut runner).unwrap().current();
        let before = shop.events().await.len();
        let (key, wa_id) = shop.accept().await;
        let (mut expected, mut steps) = (Status::Sending, Vec::new());
        for &news in &story {
            match news {
                Status::Sent => shop.settle(&key, Outcome::Sent).await,
                Status::Failed => shop.settle(&key, failed()).await,
                receipt => shop.receipt(&wa_id, receipt).await,
            }
            if let Some(next) = expected.advance(news) {
                expected = next;
                steps.push(format!("message.{}", next.as_str()));
            }
            assert_eq!(shop.status(&key).await, expected, "{story:?}");
        }
        assert_eq!(shop.events().await[before..], steps, "{story:?}");
    }
    // The same news all at once end at the furthest, by some true order.
    for _ in 0..50 {
        let story = stories.new_tree(&mut runner).unwrap().current();
        let (key, wa_id) = shop.accept().await;
        let furthest = story.iter().filter(|s| **s != Status::Failed).max_by_key(|s| s.rank()).copied();
        let may_fail = story.contains(&Status::Failed);
        together(story.clone().into_iter().map(|news| {
            let (shop, key, wa_id) = (shop.clone(), key.clone(), wa_id.clone());
            async move {
                match news {
                    Status::Sent => shop.settle(&key, Outcome::Sent).await,
                    Status::Failed => shop.settle(&key, failed()).await,
                    receipt => shop.receipt(&wa_id, receipt).await,
                }
            }
        }))
        .await;
        let end = shop.status(&key).await;
        assert!(
            Some(end) == furthest || (may_fail && end == Status::Failed) || story.is_empty(),
            "{story:?} ended as {end:?}"
        );
    }
}

async fn one_receipt_names_many_messages(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let mut wa_ids = Vec::new();
    let mut keys = Vec::new();
    for _ in 0..300 {
        let (key, wa_id) = shop.accept().await;
        keys.push(key);
        wa_ids.push(wa_id);
    }
    wa_ids.push(wa_ids[0].clone());
    wa_ids.push("NOT-OURS".into());
    let (by, at) = (ReceiptSender::default(), db.clock.now());
    let news = ReceiptNews { owner: shop.owner.clone(), by, wa_ids, status: Status::Read, at };
    shop.store.note_receipt(news).await.unwrap();
    for key in &keys {
        assert_eq!(shop.status(key).await, Status::Read);
    }
    assert_eq!(shop.events().await, vec!["message.read"; 300]);
}

async fn a_receipt_for_nothing_of_ours_changes_nothing(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::new(&store, "a").await, Shop::new(&store, "b").await);
    let (key, wa_id) = a.accept().await;
    store.receive(vec![inbound(&a.owner, "IN1")]).await.unwrap();
    a.receipt("IN1", Status::Read).await;
    b.receipt(&wa_id, Status::Read).await;
    // The right session in the wrong mode, or under a stranger's name.
    for owner in [
        Owner { mode: Mode::Test, ..a.owner.clone() },
        Owner { tenant: b.tenant.id.clone(), ..a.owner.clone() },
    ] {
        let news = ReceiptNews {
            owner,
            by: ReceiptSender::default(),
            wa_ids: vec![wa_id.clone()],
            status: Status::Read,
            at: db.clock.now(),
        };
        store.note_receipt(news).await.unwrap();
    }
    a.receipt(&wa_id, Status::Sent).await;
    assert_eq!(a.status(&key).await, Status::Sending);
    assert_eq!(a.events().await, ["message.received"]);
}

async fn a_receipt_counts_from_its_own_chat(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    let names = |group: Option<&str>, phone: Option<&str>, lid: Option<&str>| {
        let text = |name: Option<&str>| name.map(str::to_owned);
        ReceiptSender { group: text(group), phone: text(phone), lid: text(lid) }
    };
    let told = async |by: ReceiptSender, status| {
        let (owner, wa_ids, at) = (shop.owner.clone(), vec![wa_id.clone()], db.clock.now());
        shop.store.note_receipt(ReceiptNews { owner, by, wa_ids, status, at }).await.unwrap();
        shop.status(&key).await
    };
    let (ours, theirs) = (crate::fixture::phone(), "5511900000099");
    for stranger in [
        names(None, Some(theirs), None),
        names(None, Some(theirs), Some("77")),
        names(Some("120363000000000001@g.us"), Some(ours.digits()), None),
    ] {
        assert_eq!(told(stranger.clone(), Status::Read).await, Status::Sending, "{stranger:?}");
    }
    // In one commit with the honest one, a stranger's does not stand in its place.
    let by = [names(None, Some(theirs), None), names(None, Some(ours.digits()), Some("42"))];
    let notes = by.map(|by| {
        let (owner, wa_ids, at) = (shop.owner.clone(), vec![wa_id.clone()], db.clock.now());
        shop.store.note_receipt(ReceiptNews { owner, by, wa_ids, status: Status::Delivered, at })
    });
    let [theirs, ours] = notes;
    let (theirs, ours) = tokio::join!(theirs, ours);
    theirs.and(ours).unwrap();
    assert_eq!(shop.status(&key).await, Status::Delivered);
    // Whom WhatsApp calls by a name that nobody here knows, it has routed.
    assert_eq!(told(names(None, None, Some("42")), Status::Read).await, Status::Read);
    assert_eq!(shop.events().await, ["message.delivered", "message.read"]);
}

async fn a_stranger_settles_nothing(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::new(&store, "a").await, Shop::new(&store, "b").await);
    let (key, _) = a.accept().await;
    b.settle(&key, Outcome::Sent).await;
    let other_mode = Owner { mode: Mode::Test, ..a.owner.clone() };
    store.settle(Settlement { owner: other_mode, ..a.settlement(&key, failed()) }).await.unwrap();
    assert_eq!(a.status(&key).await, Status::Sending);
    assert!(a.events().await.is_empty() && b.events().await.is_empty());
}

async fn a_late_process_settles_nothing(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, _) = shop.accept().await;
    let again = shop.store.claim_unsettled(&shop.owner.session, 2).await.unwrap();
    assert_eq!(again.len(), 1);
    shop.settle(&key, failed()).await;
    assert_eq!(shop.status(&key).await, Status::Sending);
    let current = Settlement { epoch: 2, ..shop.settlement(&key, Outcome::Sent) };
    shop.store.settle(current).await.unwrap();
    // Nor does it undo what the current one settled.
    shop.settle(&key, failed()).await;
    assert_eq!(shop.status(&key).await, Status::Sent);
    assert_eq!(shop.used().await, 1);
    assert!(shop.store.claim_unsettled(&shop.owner.session, 1).await.unwrap().is_empty());
}

async fn what_is_unsettled_is_sent_again_under_its_id(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (first, first_id) = shop.accept().await;
    let (second, second_id) = shop.accept().await;
    let (done, _) = shop.accept().await;
    shop.settle(&done, Outcome::Sent).await;
    let other = shop.add_session("other").await;
    crate::fixture::accept(&shop.store, crate::fixture::intent(&other)).await;
    let left = shop.store.claim_unsettled(&shop.owner.session, 5).await.unwrap();
    let seen: Vec<_> = left.iter().map(|m| (m.key.clone(), m.wa_id.clone())).collect();
    assert_eq!(seen, [(first, first_id), (second, second_id)]);
    assert_eq!((&left[0].to, &left[0].content), (&shop.intent().to, &shop.intent().content));
    // An older claim finds nothing of a newer one.
    assert!(shop.store.claim_unsettled(&shop.owner.session, 4).await.unwrap().is_empty());
    assert_eq!(shop.store.claim_unsettled(&shop.owner.session, 6).await.unwrap().len(), 2);
}
