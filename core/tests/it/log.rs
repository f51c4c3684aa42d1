//! Pages, totals and walks of a long log; one message by its id; how it is told what became of it.

use std::time::Duration;

use wapid_core::clock::At;
use wapid_core::id::SessionId;
use wapid_core::message::{MessageName, Origin, Status};
use wapid_core::nack::Nack;
use wapid_core::phone::Recipient;
use wapid_core::store::ledger::{Inbound, Outcome};
use wapid_core::store::log::COUNTED_MAX;
use wapid_core::store::messages::MessageFilter;

use crate::fixture::{START, Shop, TestDb, both, execute, inbound, picture};

both!(
    a_filter_without_an_index_is_exact_over_many_stretches,
    a_log_too_long_to_count_says_at_least,
    rows_are_found_by_chat_type_origin_and_job,
    a_message_is_found_by_whatsapps_id_in_any_session,
    each_step_of_a_message_has_its_time,
    a_refusal_keeps_whatsapps_code_and_says_it_in_words,
    what_has_no_result_yet_says_who_works_on_it,
);

/// 12,000 messages, in which every 1,000th failed.
async fn long_log(db: &TestDb) -> Shop {
    let shop = Shop::new(&db.store().await, "shop").await;
    for part in 0..12 {
        let all = (0..1_000).map(|i| inbound(&shop.owner, &format!("M{part}-{i}"))).collect();
        shop.store.receive(all).await.unwrap();
        db.advance(Duration::from_secs(1));
    }
    execute(&shop.store, "UPDATE messages SET status = 'failed' WHERE wa_id LIKE 'M%-500'").await;
    shop
}

async fn a_filter_without_an_index_is_exact_over_many_stretches(db: TestDb) {
    let shop = long_log(&db).await;
    let failed = MessageFilter { status: Some(Status::Failed), ..Default::default() };
    let page = shop.live().page(&failed, 100, 0).await.unwrap();
    assert_eq!((page.rows.len(), page.total.count, page.total.is_exact, page.next), (12, 12, true, None));
    let ids: Vec<_> = page.rows.iter().map(|row| row.wa_id.clone()).collect();
    assert_eq!(ids.first().map(String::as_str), Some("M11-500"));
    let page = shop.live().page(&failed, 5, 5).await.unwrap();
    assert_eq!((page.total.count, page.total.is_exact), (12, true));
    assert_eq!(
        page.rows.iter().map(|row| &row.wa_id).collect::<Vec<_>>(),
        ids[5..10].iter().collect::<Vec<_>>()
    );
    let beyond = shop.live().page(&failed, 5, 50).await.unwrap();
    assert_eq!((beyond.rows.len(), beyond.total.count), (0, 12));
    // Page by page, by the cursor.
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let mut walk = shop.live().walk(&failed, before.as_ref()).await.unwrap();
        seen.extend(walk.next(5).await.unwrap().into_iter().map(|row| row.wa_id));
        before = walk.position().cloned();
        if before.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    let narrow = MessageFilter { from: Some(START), to: Some(START.plus_ms(3_000)), ..failed };
    assert_eq!(shop.live().page(&narrow, 100, 0).await.unwrap().total.count, 3);
}

async fn a_log_too_long_to_count_says_at_least(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    shop.store.receive(vec![inbound(&shop.owner, "M")]).await.unwrap();
    let copies = COUNTED_MAX + 100;
    let numbers = if db.is_sqlite() {
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {copies})")
    } else {
        format!("WITH n AS (SELECT i FROM generate_series(1, {copies}) AS g (i))")
    };
    let copy = format!(
        "{numbers} INSERT INTO messages (tenant_id, mode, key, session_key, session_id, direction, origin, wa_id,
            chat, sender, kind, body, status, rank, pending, created_at)
        SELECT m.tenant_id, m.mode, substr(m.key, 1, 20) || substr(CAST(1000000000 + n.i AS TEXT), 1, 10),
            m.session_key, m.session_id, 'in', 'contact', 'C' || n.i, m.chat, m.sender, 'text', 'x', 'received',
            0, FALSE, m.created_at
        FROM n, messages m WHERE m.wa_id = 'M'"
    );
    execute(&shop.store, &copy).await;
    let all = MessageFilter::default();
    let page = shop.live().page(&all, 20, 0).await.unwrap();
    assert_eq!((page.rows.len(), page.total.count, page.total.is_exact), (20, COUNTED_MAX, false));
    assert!(page.next.is_some());
    // Whoever has read further is not told of less.
    let deep = shop.live().page(&all, 50, COUNTED_MAX + 30).await.unwrap();
    assert_eq!((deep.rows.len(), deep.total.count, deep.total.is_exact), (50, COUNTED_MAX + 80, false));
    let tried = MessageFilter { status: Some(Status::Received), ..Default::default() };
    let page = shop.live().page(&tried, 20, 0).await.unwrap();
    assert_eq!((page.rows.len(), page.total.count, page.total.is_exact), (20, COUNTED_MAX, false));
}

async fn rows_are_found_by_chat_type_origin_and_job(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let group = "120363041234567890@g.us";
    for i in 0..10 {
        let of_group =
            Inbound { chat: group.into(), is_group: true, ..inbound(&shop.owner, &format!("G{i}")) };
        let of_person = Inbound { content: picture("hi there"), ..inbound(&shop.owner, &format!("P{i}")) };
        shop.store.receive(vec![of_group, of_person]).await.unwrap();
        shop.accept().await;
    }
    execute(&shop.store, "UPDATE messages SET job_id = '0123456789abcdef01234567' WHERE wa_id = 'G3'").await;
    let count = async |filter: MessageFilter| {
        let page = shop.live().page(&filter, 100, 0).await.unwrap();
        assert_eq!(page.total.count, i64::try_from(page.rows.len()).unwrap());
        page.total.count
    };
    let all = MessageFilter::default;
    let chat = |jid: &str| Some(Recipient::parse(jid, None).unwrap());
    assert_eq!(count(MessageFilter { chat: chat(group), ..all() }).await, 10);
    assert_eq!(count(MessageFilter { chat: chat("987@lid"), ..all() }).await, 10);
    assert_eq!(count(MessageFilter { chat: chat("5511900000001"), ..all() }).await, 10);
    assert_eq!(count(MessageFilter { chat: chat("5511900000009"), ..all() }).await, 0);
    assert_eq!(count(MessageFilter { kind: Some("image".into()), ..all() }).await, 10);
    assert_eq!(count(MessageFilter { origin: Some(Origin::Api), ..all() }).await, 10);
    assert_eq!(count(MessageFilter { origin: Some(Origin::Contact), ..all() }).await, 20);
    let job = wapid_core::job::JobId::parse("0123456789abcdef01234567");
    assert_eq!(count(MessageFilter { job: job.clone(), ..all() }).await, 1);
    assert_eq!(count(MessageFilter { job, chat: chat("987@lid"), ..all() }).await, 0);
    // Of two conditions with an index, one is tried row by row.
    let both = MessageFilter {
        chat: chat(group),
        phone: Some(crate::fixture::phone()),
        session: Some(SessionId("main".into())),
        ..all()
    };
    assert_eq!(count(both).await, 10);
}

async fn a_message_is_found_by_whatsapps_id_in_any_session(db: TestDb) {
    let store = db.store().await;
    let (shop, other) = (Shop::new(&store, "shop").await, Shop::new(&store, "other").await);
    let two = shop.add_session("two").await;
    let (key, wa_id) = shop.accept().await;
    // The same message, as another of our numbers received it.
    store.receive(vec![inbound(&two, &wa_id), inbound(&two, "ONLY")]).await.unwrap();
    let named = async |log: Shop, id: &str, session: Option<&str>| {
        let session = session.map(|id| SessionId(id.to_owned()));
        let row =
            log.live().message_named(&MessageName::parse(id).unwrap(), session.as_ref()).await.unwrap()?;
        Some((row.session_id.0, row.key))
    };
    assert_eq!(named(shop.clone(), &wa_id, None).await, Some(("main".into(), key.clone())));
    assert_eq!(named(shop.clone(), &wa_id, Some("two")).await.unwrap().0, "two");
    assert_eq!(named(shop.clone(), "ONLY", None).await.unwrap().0, "two");
    assert_eq!(named(shop.clone(), "ONLY", Some("main")).await, None);
    assert_eq!(named(other.clone(), &wa_id, None).await, None);
    // The log outlives its session.
    store.remove_session(&two.session, true).await.unwrap();
    assert_eq!(named(shop.clone(), "ONLY", None).await.unwrap().0, "two");
    assert_eq!(named(shop.clone(), "ONLY", Some("two")).await.unwrap().0, "two");
    assert_eq!(named(other, "ONLY", None).await, None);
}

async fn each_step_of_a_message_has_its_time(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    let tick = || db.advance(Duration::from_secs(1));
    let times: Vec<_> = (0..5).map(|n| START.plus_ms(n * 1_000)).collect();
    tick();
    shop.settle(&key, Outcome::Sent).await;
    for status in [Status::Delivered, Status::Read, Status::Played] {
        tick();
        shop.receipt(&wa_id, status).await;
    }
    let row = shop.live().message(&key).await.unwrap().unwrap();
    let steps = [Some(row.created_at), row.sent_at, row.delivered_at, row.read_at, row.played_at];
    assert_eq!(steps.map(Option::unwrap).to_vec(), times);
    assert_eq!((row.status, row.failed_at), (Status::Played, None));
    // A late word changes nothing.
    tick();
    shop.receipt(&wa_id, Status::Read).await;
    shop.receipt(&wa_id, Status::Played).await;
    let again = shop.live().message(&key).await.unwrap().unwrap();
    assert_eq!((again.read_at, again.played_at), (row.read_at, row.played_at));
    // Played was heard of first: everything before it has happened too, and its time is not guessed later.
    let (key, wa_id) = shop.accept().await;
    shop.receipt(&wa_id, Status::Played).await;
    let row = shop.live().message(&key).await.unwrap().unwrap();
    let now = Some(db.clock.now());
    assert_eq!((row.sent_at, row.delivered_at, row.read_at, row.played_at), (now, now, now, now));
}

async fn a_refusal_keeps_whatsapps_code_and_says_it_in_words(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, _) = shop.accept().await;
    db.advance(Duration::from_secs(1));
    shop.settle(&key, Outcome::Refused(Nack::new("463"))).await;
    let row = shop.live().message(&key).await.unwrap().unwrap();
    assert_eq!((row.status, row.failed_at, row.sent_at), (Status::Failed, Some(db.clock.now()), None));
    assert_eq!((row.error_code.as_deref(), row.refusal), (Some("BLOCKED_BY_WHATSAPP"), Some(463)));
    assert!(row.error.unwrap().contains("(463)"));
    assert_eq!(shop.used().await, 0, "the quota is given back");
    let (key, _) = shop.accept().await;
    shop.settle(&key, crate::fixture::failed()).await;
    let row = shop.live().message(&key).await.unwrap().unwrap();
    assert_eq!((row.error_code.as_deref(), row.refusal), (Some("NOT_ON_WHATSAPP"), None));
    assert!(row.failed_at.is_some());
}

async fn what_has_no_result_yet_says_who_works_on_it(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let (key, wa_id) = shop.accept().await;
    let (done, _) = shop.accept().await;
    shop.settle(&done, Outcome::Sent).await;
    let pending = async |at: At| {
        let all = shop.store.pending_since(at).await.unwrap();
        all.into_iter().map(|one| (one.key, one.wa_id, one.lease_owner)).collect::<Vec<_>>()
    };
    assert_eq!(pending(db.clock.now()).await, [(key.clone(), wa_id.clone(), None)]);
    assert_eq!(pending(db.clock.now().plus_ms(-1)).await, []);
    shop.store.claim(&shop.owner.session, "me").await.unwrap();
    assert_eq!(pending(db.clock.now()).await, [(key.clone(), wa_id.clone(), Some("me".into()))]);
    // A lease that ran out is nobody's.
    db.advance(Duration::from_secs(16));
    assert_eq!(pending(db.clock.now()).await, [(key, wa_id, None)]);
}
