//! Finding messages by what they say.

use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use wapid_core::id::MessageKey;
use wapid_core::key::Mode;
use wapid_core::phone::Phone;
use wapid_core::search::Query;
use wapid_core::store::TenantStore;
use wapid_core::store::ledger::Inbound;
use wapid_core::store::messages::MessageFilter;

use crate::fixture::{Shop, TestDb, both, execute, inbound, intent, picture, text, together};

mod model;
mod older;

both!(
    what_was_said_is_found,
    a_message_is_found_from_the_moment_it_is_stored,
    what_changes_is_found_as_it_is_now,
    a_message_that_is_gone_is_not_found,
    nobody_finds_what_another_has,
    a_search_goes_with_every_other_filter,
    a_walk_and_the_pages_see_each_message_once,
    nothing_that_is_typed_is_an_error,
    everybody_may_index_at_the_same_time,
    a_log_that_grew_by_thousands_is_searched_whole,
);

pub fn searched(typed: &str) -> MessageFilter {
    MessageFilter { search: Some(Query::parse(typed).unwrap()), ..Default::default() }
}

/// What a search shows, newest first.
pub async fn found(log: &TenantStore, typed: &str) -> Vec<String> {
    let page = log.page(&searched(typed), 100, 0).await.unwrap();
    let by_cursor = log.messages_before(&searched(typed), None, 100).await.unwrap();
    let keys = |rows: &[wapid_core::store::messages::MessageRow]| {
        rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&page.rows), keys(&by_cursor), "{typed}");
    assert_eq!(page.total.count, i64::try_from(page.rows.len()).unwrap(), "{typed}");
    page.rows.into_iter().map(|row| row.body).collect()
}

/// Each in a millisecond of its own.
pub async fn hear(db: &TestDb, shop: &Shop, bodies: &[&str]) {
    for (i, body) in bodies.iter().enumerate() {
        let message = Inbound { content: text(*body), ..inbound(&shop.owner, &format!("{i}-{body}")) };
        shop.store.receive(vec![message]).await.unwrap();
        db.advance(Duration::from_millis(1));
    }
}

async fn what_was_said_is_found(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let said = [
        "Olá! Seu pedido nº 1234 chegou: https://shop.example/p/AB-12?x=1",
        "東京都に住んでいます",
        "ยินดีต้อนรับสู่ร้านของเรา",
        "Ваш заказ уже в пути 🚚",
        "مرحباً بكم في متجرنا",
        "Don't call +55 (11) 90000-0002 before 9:30",
        "STRASSE straße Straße",
    ];
    hear(&db, &shop, &said).await;
    let log = shop.live();
    for (typed, places) in [
        ("pedido", &[0][..]),
        ("PEDIDO chegou ola", &[0]),
        ("ped", &[0]),
        ("pedido xyz", &[]),
        ("ped chegou", &[]),
        ("\"pedido chegou\"", &[]),
        ("\"nº 1234\"", &[0]),
        ("1234", &[0]),
        ("shop.example", &[0]),
        ("example.shop", &[]),
        ("ab-12", &[0]),
        ("東京", &[1]),
        ("京都", &[1]),
        ("都", &[1]),
        ("東都", &[]),
        ("住んで", &[1]),
        ("ร้าน", &[2]),
        ("ต้อนรับ", &[2]),
        ("заказ в", &[3]),
        ("🚚", &[3]),
        ("🚗", &[]),
        ("متجر", &[4]),
        ("مرحبا", &[4]),
        ("11 90000-0002", &[5]),
        ("11900000002", &[5]),
        ("+5511900000002", &[5]),
        ("don't", &[5]),
        ("strasse", &[6]),
        ("straße", &[6]),
        // Of the sender: everybody here has the same name and number.
        ("ana straße", &[6]),
        ("5511900000001 pedido", &[0]),
        ("0001 pedido", &[0]),
        ("!?", &[]),
    ] {
        let expected: Vec<_> = places.iter().map(|place| said[*place].to_owned()).collect();
        assert_eq!(found(&log, typed).await, expected, "{typed}");
    }
    assert_eq!(found(&log, "+55 11 90000-0001").await.len(), said.len());
    assert_eq!(found(&log, "Ana").await.first().map(String::as_str), Some(said[6]), "the newest first");
}

async fn a_message_is_found_from_the_moment_it_is_stored(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    for i in 0..20 {
        let mut intent = shop.intent();
        intent.content = text(format!("order number{i} is on its way"));
        shop.store.accept(intent).await.unwrap();
        assert_eq!(found(&shop.live(), &format!("number{i}")).await.len(), 1);
        assert_eq!(found(&shop.live(), "order").await.len(), i + 1);
    }
    // Also when nobody but the background looked.
    let mut indexer = shop.store.indexer();
    shop.accept().await;
    assert_eq!(indexer.step().await.unwrap(), 1);
    assert_eq!(indexer.step().await.unwrap(), 0);
    assert_eq!(found(&shop.live(), "hello").await.len(), 1);
}

async fn what_changes_is_found_as_it_is_now(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    hear(&db, &shop, &["the old price", "something else"]).await;
    assert_eq!(found(&shop.live(), "price").await, ["the old price"]);
    execute(&shop.store, "UPDATE messages SET body = 'the new offer' WHERE body = 'the old price'").await;
    assert_eq!(found(&shop.live(), "old price").await, Vec::<String>::new());
    assert_eq!(found(&shop.live(), "new offer").await, ["the new offer"]);
    // A status is no change of that kind, and costs no note.
    execute(&shop.store, "UPDATE messages SET status = 'read', read_at = 1").await;
    assert_eq!(shop.store.indexer().step().await.unwrap(), 0);
}

async fn a_message_that_is_gone_is_not_found(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    hear(&db, &shop, &["first words", "second words"]).await;
    assert_eq!(found(&shop.live(), "words").await.len(), 2);
    execute(&shop.store, "DELETE FROM messages WHERE body = 'first words'").await;
    assert_eq!(found(&shop.live(), "words").await, ["second words"]);
    // Never indexed at all.
    hear(&db, &shop, &["third words"]).await;
    execute(&shop.store, "DELETE FROM messages WHERE body = 'third words'").await;
    assert_eq!(found(&shop.live(), "words").await, ["second words"]);
    assert_eq!(shop.store.indexer().step().await.unwrap(), 0);
}

async fn nobody_finds_what_another_has(db: TestDb) {
    let store = db.store().await;
    let (a, b) = (Shop::new(&store, "a").await, Shop::new(&store, "b").await);
    hear(&db, &a, &["a secret of a"]).await;
    hear(&db, &b, &["a secret of b", "more of b"]).await;
    assert_eq!(found(&a.live(), "secret").await, ["a secret of a"]);
    assert_eq!(found(&b.live(), "secret").await, ["a secret of b"]);
    assert_eq!(found(&a.live(), "s").await.len() + found(&a.live(), "se").await.len(), 1);
    let test = store.tenant(a.tenant.id.clone(), Mode::Test);
    assert_eq!(found(&test, "secret").await, Vec::<String>::new());
    // Nor by what stands before its words.
    for scope in ["1wsecret", "2wsecret", "1 wsecret", "g"] {
        assert_eq!(found(&a.live(), scope).await, Vec::<String>::new(), "{scope}");
    }
}

async fn a_search_goes_with_every_other_filter(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let other = Phone::parse("447700900123", None).unwrap();
    let two = shop.add_session("two").await;
    for i in 0..30 {
        let offer = format!("offer {i}");
        let message = Inbound {
            content: if i % 5 == 0 { picture(&offer) } else { text(offer) },
            phone: Some(if i % 3 == 0 { other.clone() } else { crate::fixture::phone() }),
            ..inbound(if i % 2 == 0 { &two } else { &shop.owner }, &format!("M{i}"))
        };
        shop.store.receive(vec![message]).await.unwrap();
        db.advance(Duration::from_secs(1));
    }
    let count = async |filter: MessageFilter| {
        let page = shop.live().page(&filter, 100, 0).await.unwrap();
        assert!(page.total.is_exact);
        assert_eq!(page.total.count, i64::try_from(page.rows.len()).unwrap());
        let second = shop.live().page(&filter, 2, 2).await.unwrap();
        assert_eq!(second.total, page.total);
        let keys: Vec<_> = page.rows.iter().map(|row| &row.key).skip(2).take(2).collect();
        assert_eq!(second.rows.iter().map(|row| &row.key).collect::<Vec<_>>(), keys);
        page.total.count
    };
    let all = || searched("offer");
    let (start, second) = (crate::fixture::START, |n: i64| Some(crate::fixture::START.plus_ms(n * 1_000)));
    assert_eq!(count(all()).await, 30);
    assert_eq!(count(MessageFilter { phone: Some(other.clone()), ..all() }).await, 10);
    assert_eq!(count(MessageFilter { session: Some(two.session_id.clone()), ..all() }).await, 15);
    assert_eq!(count(MessageFilter { kind: Some("image".into()), ..all() }).await, 6);
    assert_eq!(count(MessageFilter { from: second(10), to: second(20), ..all() }).await, 10);
    assert_eq!(count(MessageFilter { from: second(30), ..all() }).await, 0);
    assert_eq!(count(MessageFilter { to: Some(start), ..all() }).await, 0);
    let narrow = MessageFilter {
        phone: Some(other),
        session: Some(two.session_id.clone()),
        kind: Some("image".into()),
        ..all()
    };
    assert_eq!(count(narrow).await, 1);
}

async fn a_walk_and_the_pages_see_each_message_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    // Some in the same millisecond, some with nothing to find in between.
    for i in 0..120 {
        let mut all = vec![Inbound { content: text("nothing"), ..inbound(&shop.owner, &format!("N{i}")) }];
        all.extend((0..3).map(|j| Inbound {
            content: text(format!("found {i} {j}")),
            ..inbound(&shop.owner, &format!("F{i}-{j}"))
        }));
        shop.store.receive(all).await.unwrap();
        db.advance(Duration::from_millis(1));
    }
    let filter = searched("found");
    let all: Vec<MessageKey> = shop
        .live()
        .messages_before(&MessageFilter::default(), None, 1_000)
        .await
        .unwrap()
        .into_iter()
        .filter(|row| row.body.starts_with("found"))
        .map(|row| row.key)
        .collect();
    assert_eq!(all.len(), 360);
    let mut walk = shop.live().walk(&filter, None).await.unwrap();
    let mut seen = Vec::new();
    while walk.position().is_some() || seen.is_empty() {
        seen.extend(walk.next(7).await.unwrap().into_iter().map(|row| row.key));
        // What arrives meanwhile does not disturb it.
        shop.store.accept(intent(&shop.owner)).await.unwrap();
    }
    assert_eq!(seen, all);
    // From request to request.
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let mut walk = shop.live().walk(&filter, before.as_ref()).await.unwrap();
        seen.extend(walk.next(7).await.unwrap().into_iter().map(|row| row.key));
        before = walk.position().cloned();
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, all);
    let mut seen = Vec::new();
    for page in 0..52 {
        let page = shop.live().page(&filter, 7, page * 7).await.unwrap();
        assert_eq!((page.total.count, page.total.is_exact), (360, true));
        seen.extend(page.rows.into_iter().map(|row| row.key));
    }
    assert_eq!(seen, all);
}

/// What no search should be taken for, the same at every run.
fn whatever_somebody_types() -> Vec<String> {
    let part = prop_oneof![
        3 => proptest::sample::select(vec![
            "\"", "'", "*", "AND", "OR", "NOT", "NEAR(", "^", ":*", "<->", "|", "&", "!", "(", ")", "\\", "words:",
            "{key words}:", "\0", "--", ";", "+", "-",
        ]).prop_map(str::to_owned),
        1 => "[a-c]{1,3}",
    ];
    let typed = prop_oneof![
        1 => "\\PC{0,40}",
        2 => proptest::collection::vec(part, 0..12).prop_map(|parts| parts.join(" ")),
        1 => any::<String>().prop_map(|text| text.chars().take(200).collect()),
    ];
    let mut runner = TestRunner::deterministic();
    (0..400).map(|_| typed.new_tree(&mut runner).unwrap().current()).collect()
}

async fn nothing_that_is_typed_is_an_error(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    hear(&db, &shop, &["a b c AND OR NOT NEAR * ^ : ( ) { } \" ' \\ & | ! <-> % _ ; --"]).await;
    for typed in whatever_somebody_types() {
        let page = shop.live().page(&searched(&typed), 10, 0).await;
        page.unwrap_or_else(|error| panic!("{typed:?}: {error}"));
    }
    for longest in
        ["ab".repeat(128), "京".repeat(256), "1 ".repeat(128), "\"a\"".repeat(85), "a ".repeat(128)]
    {
        shop.live()
            .page(&searched(&longest), 10, 0)
            .await
            .unwrap_or_else(|error| panic!("{longest}: {error}"));
    }
}

/// Several processes on Postgres; several searches on SQLite.
async fn everybody_may_index_at_the_same_time(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let stores = together((0..3).map(|_| {
        let db = db.clone();
        async move { db.store().await }
    }))
    .await;
    let tasks = (0..12).map(|i| {
        let (shop, store) = (shop.clone(), stores[i % 3].clone());
        async move {
            let log = store.tenant(shop.tenant.id.clone(), Mode::Live);
            for j in 0..8 {
                let mut intent = shop.intent();
                intent.content = text(format!("common task{i} step{j}"));
                store.accept(intent).await.unwrap();
                if i % 4 == 0 {
                    store.indexer().step().await.unwrap();
                }
                assert_eq!(found(&log, &format!("task{i} step{j} common")).await.len(), 1);
            }
        }
    });
    together(tasks).await;
    assert_eq!(found(&shop.live(), "common").await.len(), 96);
}

async fn a_log_that_grew_by_thousands_is_searched_whole(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    for part in 0..6 {
        let all = (0..1_000)
            .map(|i| Inbound {
                content: text(format!("burst {}", if i % 100 == 0 { "rare" } else { "usual" })),
                ..inbound(&shop.owner, &format!("M{part}-{i}"))
            })
            .collect();
        shop.store.receive(all).await.unwrap();
    }
    let page = shop.live().page(&searched("burst rare"), 100, 0).await.unwrap();
    assert_eq!((page.rows.len(), page.total.count), (60, 60));
    assert_eq!(page.searched, Some(Default::default()));
    let page = shop.live().page(&searched("burst"), 10, 0).await.unwrap();
    assert_eq!((page.rows.len(), page.total.count, page.total.is_exact), (10, 6_000, true));
}
