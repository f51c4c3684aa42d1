//! The message log: pages as the seed shows them, filters, and a cursor for deep reads; searches, files, and
//! what becomes of messages.

mod erase;
mod export;
mod long;
mod search;
mod truth;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::on_both_engines;

const SHOP: &str = "5511900000001";
const ANA: &str = "5511900000002";
const BEA: &str = "5511900000003";

on_both_engines! {
    async fn pages_filters_and_cursors_agree(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let other = shop.linked("other", "5511900000009").await;
        let ana = shop.phone(ANA).await;
        shop.phone(BEA).await;
        for i in 0..42 {
            session.send(if i % 2 == 0 { ANA } else { BEA }, &format!("text {i}")).await.ok();
        }
        other.send(ANA, "from the other").await.ok();
        let last = ana.send(SHOP, "an answer").await;
        session.until_logged(&last, "received").await;

        let log = |query: &str| {
            let (caller, path) = (&shop.test, format!("/api/whatsapp/messages{query}"));
            async move { caller.get(&path).await.ok() }
        };
        let first = log("").await;
        assert_eq!((&first["total"], &first["page"], &first["pages"]), (&json!(44), &json!(1), &json!(3)));
        assert_eq!(first["messages"].as_array().map(Vec::len), Some(20));
        assert_eq!(first["messages"][0]["message"], "an answer");
        let row = &first["messages"][2];
        for field in ["sessionId", "to", "message", "status", "type", "createdAt"] {
            assert!(row[field].is_string(), "{field}: {row}");
        }
        assert!(row["createdAt"].as_str().unwrap().len() == 24 && row["createdAt"].as_str().unwrap().ends_with('Z'));

        let mut by_page = vec![];
        for page in 1..=3 {
            by_page.extend(log(&format!("?page={page}")).await["messages"].as_array().unwrap().clone());
        }
        let mut by_cursor: Vec<Value> = vec![];
        let mut query = "?limit=7".to_owned();
        loop {
            let part = log(&query).await;
            by_cursor.extend(part["messages"].as_array().unwrap().clone());
            let Some(cursor) = part["nextCursor"].as_str() else { break };
            query = format!("?limit=7&cursor={cursor}");
        }
        let ids = |rows: &[Value]| rows.iter().map(|row| row["messageId"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&by_page).len(), 44);
        assert_eq!(ids(&by_page), ids(&by_cursor));

        assert_eq!(log("?sessionId=other").await["total"], 1);
        assert_eq!(log("?direction=in").await["total"], 1);
        assert_eq!(log("?origin=contact").await["total"], 1);
        assert_eq!(log("?type=text&origin=api").await["total"], 43);
        assert_eq!(log("?type=image").await["total"], 0);
        assert_eq!(log(&format!("?chat={BEA}@s.whatsapp.net")).await["total"], 21);
        assert_eq!(log("?status=received").await["total"], 1);
        assert_eq!(log(&format!("?phone=%2B{BEA}")).await["total"], 21);
        let middle = by_page[20]["createdAt"].as_str().unwrap();
        let (newer, older) = (log(&format!("?from={middle}")).await, log(&format!("?to={middle}")).await);
        assert_eq!(newer["total"].as_i64().unwrap() + older["total"].as_i64().unwrap(), 44);
        // A day is all of it, at either end.
        let day = |row: &Value| row["createdAt"].as_str().unwrap()[..10].to_owned();
        let (first, last) = (day(by_page.last().unwrap()), day(&by_page[0]));
        assert_eq!(log(&format!("?from={first}&to={last}")).await["total"], 44);
        assert_eq!(log("?from=2020-01-01&to=2020-01-01").await["total"], 0);
        assert_eq!(log("?from=2020-01-01T00:00:00+05:30").await["total"], 44);
        let seconds = shop.test.get("/api/whatsapp/messages?to=1796016600").await;
        let said = seconds.refused(400, "INVALID_PARAMETER");
        assert!(said["error"].as_str().unwrap().contains("1796016600000"), "{said}");
        assert_eq!(log("?page=99").await["messages"], json!([]));
        for bad in ["?page=0", "?limit=101", "?limit=x", "?direction=up", "?status=lost", "?phone=x", "?from=yesterday",
            "?cursor=abc", "?type=Image%20x", "?chat=x@y", "?origin=web", "?jobId=1"] {
            shop.test.get(&format!("/api/whatsapp/messages{bad}")).await.refused(400, "INVALID_PARAMETER");
        }
        assert_eq!(shop.live.get("/api/whatsapp/messages").await.ok()["total"], 0);
    }
}
