//! Reading the log: exact totals, filters, and pages that cost the same however deep.

use std::time::Duration;

use wapid_core::clock::At;
use wapid_core::id::{MessageKey, SessionId};
use wapid_core::message::{Direction, Status};
use wapid_core::phone::Phone;
use wapid_core::store::Db;
use wapid_core::store::ledger::{Inbound, Outcome};
use wapid_core::store::messages::MessageFilter;

use crate::fixture::{START, Shop, TestDb, both, inbound, intent};

both!(
    a_page_has_the_newest_first_and_the_exact_total,
    each_filter_finds_its_rows,
    walking_by_key_sees_every_row_once,
    reading_uses_an_index,
);

/// 30 sent a minute apart on "main", then 10 received on "two".
async fn shop_with_a_log(db: &TestDb) -> Shop {
    let shop = Shop::new(&db.store().await, "shop").await;
    for i in 0..30 {
        let (key, _) = shop.accept().await;
        if i < 20 {
            shop.settle(&key, Outcome::Sent).await;
        }
        db.advance(Duration::from_secs(60));
    }
    let two = shop.add_session("two").await;
    let other = Phone::parse("447700900123", None).unwrap();
    for i in 0..10 {
        let message = Inbound { phone: Some(other.clone()), ..inbound(&two, &format!("M{i}")) };
        shop.store.receive(vec![message]).await.unwrap();
    }
    shop
}

async fn a_page_has_the_newest_first_and_the_exact_total(db: TestDb) {
    let shop = shop_with_a_log(&db).await;
    let all = MessageFilter::default();
    let (first, total) = shop.live().messages_page(&all, 15, 0).await.unwrap();
    assert_eq!((first.len(), total), (15, 40));
    assert_eq!(first[0].wa_id, "M9");
    let (rest, total) = shop.live().messages_page(&all, 100, 15).await.unwrap();
    assert_eq!((rest.len(), total), (25, 40));
    assert!(first.iter().chain(&rest).is_sorted_by(|a, b| a.key > b.key));
    let (beyond, total) = shop.live().messages_page(&all, 10, 1_000).await.unwrap();
    assert_eq!((beyond.len(), total), (0, 40));
}

async fn each_filter_finds_its_rows(db: TestDb) {
    let shop = shop_with_a_log(&db).await;
    let count = async |filter: MessageFilter| {
        let (rows, total) = shop.live().messages_page(&filter, 100, 0).await.unwrap();
        assert_eq!(i64::try_from(rows.len()).unwrap(), total);
        assert_eq!(shop.live().messages_before(&filter, None, 100).await.unwrap().len(), rows.len());
        total
    };
    let all = MessageFilter::default;
    assert_eq!(count(MessageFilter { session: Some(SessionId("two".into())), ..all() }).await, 10);
    assert_eq!(count(MessageFilter { direction: Some(Direction::Out), ..all() }).await, 30);
    assert_eq!(count(MessageFilter { status: Some(Status::Sent), ..all() }).await, 20);
    assert_eq!(
        count(MessageFilter { phone: Some(Phone::parse("447700900123", None).unwrap()), ..all() }).await,
        10
    );
    // From inclusive, to exclusive, to the millisecond.
    let minute = |n: i64| Some(START.plus_ms(n * 60_000));
    assert_eq!(count(MessageFilter { from: minute(5), to: minute(10), ..all() }).await, 5);
    let just_after = Some(START.plus_ms(5 * 60_000 + 1));
    assert_eq!(count(MessageFilter { from: just_after, to: minute(10), ..all() }).await, 4);
    assert_eq!(count(MessageFilter { from: Some(At(0)), to: Some(START), ..all() }).await, 0);
    let narrow = MessageFilter {
        session: Some(SessionId("main".into())),
        direction: Some(Direction::Out),
        status: Some(Status::Sending),
        phone: Some(crate::fixture::phone()),
        from: minute(25),
        ..all()
    };
    assert_eq!(count(narrow).await, 5);
}

async fn walking_by_key_sees_every_row_once(db: TestDb) {
    let shop = shop_with_a_log(&db).await;
    let (mut before, mut seen) = (None::<MessageKey>, Vec::new());
    loop {
        let page = shop.live().messages_before(&MessageFilter::default(), before.as_ref(), 7).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.key.clone());
        // What arrives meanwhile does not disturb the walk.
        shop.store.accept(intent(&shop.owner)).await.unwrap();
        seen.extend(page.into_iter().map(|row| row.key));
    }
    assert_eq!(seen.len(), 40);
    assert!(seen.is_sorted_by(|a, b| a > b));
}

/// The plan of each kind of read, in the words of the engine.
async fn reading_uses_an_index(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    for (tail, index) in [
        ("", ["tenant_id=? AND mode=?", "messages_pkey"]),
        ("AND key < 'msg_1'", ["AND key<?", "messages_pkey"]),
        ("AND session_id = 'main'", ["messages_by_session", "messages_by_session"]),
        ("AND phone = '1' AND key < 'msg_1'", ["messages_by_phone", "messages_by_phone"]),
    ] {
        let query = format!(
            "SELECT * FROM messages WHERE tenant_id = 't' AND mode = 'live' {tail} ORDER BY key DESC LIMIT 20"
        );
        let plan = match shop.store.db() {
            Db::Sqlite { read, .. } => {
                let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
                let rows: Vec<(i64, i64, i64, String)> =
                    sqlx::query_as(explain).fetch_all(read).await.unwrap();
                rows.into_iter().map(|row| row.3).collect::<String>()
            }
            Db::Postgres(pool) => {
                let mut tx = pool.begin().await.unwrap();
                // An empty table is read whole, whatever its indexes.
                sqlx::query("SET LOCAL enable_seqscan = off").execute(&mut *tx).await.unwrap();
                sqlx::query("SET LOCAL enable_bitmapscan = off").execute(&mut *tx).await.unwrap();
                let explain = sqlx::AssertSqlSafe(format!("EXPLAIN {query}"));
                let rows: Vec<(String,)> = sqlx::query_as(explain).fetch_all(&mut *tx).await.unwrap();
                rows.into_iter().map(|row| row.0).collect()
            }
        };
        let index = if db.is_sqlite() { index[0] } else { index[1] };
        assert!(plan.contains(index), "{query}: {plan}");
        assert!(!plan.contains("TEMP B-TREE") && !plan.contains("Sort"), "{query}: {plan}");
    }
}
