//! Messages are found by what they say, at once, whatever somebody types.

use serde_json::{Value, json};

use crate::app::{Caller, TestApp};
use crate::on_both_engines;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";

/// What a search shows, newest first.
async fn found(caller: &Caller, typed: &str, more: &str) -> Vec<String> {
    let log = search(caller, typed, more).await;
    assert_eq!(
        log["total"].as_i64(),
        log["messages"].as_array().map(|all| i64::try_from(all.len()).unwrap())
    );
    let rows = log["messages"].as_array().expect("messages");
    rows.iter().map(|row| row["message"].as_str().expect("a text").to_owned()).collect()
}

async fn search(caller: &Caller, typed: &str, more: &str) -> Value {
    let typed: String = url::form_urlencoded::byte_serialize(typed.as_bytes()).collect();
    caller.get(&format!("/api/whatsapp/messages?limit=100&search={typed}{more}")).await.ok()
}

on_both_engines! {
    async fn what_was_sent_and_received_is_found_at_once(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        let order = json!({"to": ANA, "header": "Atenção", "message": "Seu pedido chegou, João! 🎉", "footer": "A Loja"});
        shop.test.post(&session.path("/send"), order).await.ok();
        let sent = "Seu pedido chegou, João! 🎉";
        assert_eq!(found(&shop.test, "joao pedido", "").await, [sent]);
        let answer = "Obrigada! Recebi o pedido 東京タワー";
        let id = ana.send(SHOP, answer).await;
        session.until_logged(&id, "received").await;
        assert_eq!(found(&shop.test, "pedido", "").await, [answer, sent]);
        for (typed, expected) in [
            ("PEDI", &[answer, sent][..]),
            ("\"pedido chegou\"", &[sent]),
            ("\"chegou pedido\"", &[]),
            ("atencao loja", &[sent]),
            ("🎉", &[sent]),
            ("タワー", &[answer]),
            ("京タ", &[answer]),
            ("obrigada recebi xyz", &[]),
            ("55 11 90000-0002", &[answer, sent]),
            ("0002", &[answer, sent]),
            ("0003", &[]),
            ("\" OR 1=1 --", &[]),
            (" ", &[answer, sent]),
        ] {
            assert_eq!(found(&shop.test, typed, "").await, expected, "{typed}");
        }
        assert_eq!(found(&shop.test, "pedido", "&direction=in").await, [answer]);
        assert_eq!(found(&shop.test, "pedido", "&status=received&type=text&sessionId=main").await, [answer]);
        assert_eq!(found(&shop.test, "pedido", "&sessionId=other").await, Vec::<String>::new());
        // A log that is searched whole says nothing of it.
        let log = search(&shop.test, "pedido", "").await;
        assert!(log["indexedSince"].is_null() && log["searchIsBehind"].is_null(), "{log}");
        assert!(log["totalIsAtLeast"].is_null());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_is_read_by_page_and_by_cursor() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    shop.phone(ANA).await;
    for i in 0..25 {
        session.send(ANA, &format!("{} number {i}", if i % 5 == 0 { "odd" } else { "usual" })).await.ok();
    }
    let all = found(&shop.test, "usual", "").await;
    assert_eq!(all.len(), 20);
    let (mut by_page, mut by_cursor) = (vec![], vec![]);
    let texts = |log: &Value| {
        let rows = log["messages"].as_array().expect("messages").iter();
        rows.map(|row| row["message"].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    for page in 1..=3 {
        let log =
            shop.test.get(&format!("/api/whatsapp/messages?search=usual&limit=8&page={page}")).await.ok();
        assert_eq!((&log["total"], &log["pages"]), (&json!(20), &json!(3)));
        by_page.extend(texts(&log));
    }
    let mut query = "?search=usual&limit=8".to_owned();
    loop {
        let log = shop.test.get(&format!("/api/whatsapp/messages{query}")).await.ok();
        by_cursor.extend(texts(&log));
        let Some(cursor) = log["nextCursor"].as_str() else { break };
        query = format!("?search=usual&limit=8&cursor={cursor}");
    }
    assert_eq!((by_page, by_cursor), (all.clone(), all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_that_is_too_long_or_too_deep_is_refused() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let long = "x".repeat(257);
    for bad in [format!("?search={long}"), "?search=x&page=101&limit=100".to_owned()] {
        shop.test.get(&format!("/api/whatsapp/messages{bad}")).await.refused(400, "INVALID_PARAMETER");
    }
    let fits = "%C3%A9".repeat(256);
    shop.test.get(&format!("/api/whatsapp/messages?search={fits}")).await.ok();
    shop.test.get("/api/whatsapp/messages?search=x&page=100&limit=100").await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_finds_nothing() {
    let app = TestApp::new().await;
    let (a, b) = (app.tenant("a").await, app.tenant("b").await);
    let session = a.linked("main", SHOP).await;
    a.phone(ANA).await;
    session.send(ANA, "between us").await.ok();
    assert_eq!(found(&a.test, "between", "").await.len(), 1);
    for stranger in [&b.test, &b.live, &a.live] {
        assert_eq!(found(stranger, "between", "").await, Vec::<String>::new());
    }
}
