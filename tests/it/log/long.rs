//! Texts as long as they may be: each part of the log is bounded, and all parts together are the whole.

use serde_json::{Value, json};

use super::{ANA, SHOP};
use crate::app::{TestApp, until};
use crate::on_both_engines;

/// A part of a list, and one row more.
const PART_MAX: usize = 3 << 19;

fn keys(page: &Value, list: &str) -> Vec<String> {
    let rows = page[list].as_array().expect("a list").iter();
    rows.map(|row| row["key"].as_str().expect("a key").to_owned()).collect()
}

on_both_engines! {
    async fn long_texts_end_a_part_and_are_never_left_out(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        // A control character is six bytes of JSON, and one of the log.
        let longest = "\u{1}".repeat(60_000);
        let mut last = String::new();
        for _ in 0..5 {
            last = ana.send(SHOP, &longest).await;
            last = ana.send(SHOP, &format!("short after {last}")).await;
        }
        session.until_logged(&last, "received").await;

        let by_number = shop.test.get("/api/whatsapp/messages?limit=100").await.ok();
        let all = keys(&by_number, "messages");
        assert_eq!((all.len(), &by_number["total"], &by_number["pages"]), (10, &json!(10), &json!(1)));
        assert_eq!(by_number["nextCursor"], Value::Null);
        let mut in_halves = vec![];
        for page in 1..=2 {
            let half = shop.test.get(&format!("/api/whatsapp/messages?limit=6&page={page}")).await.ok();
            in_halves.extend(keys(&half, "messages"));
        }
        assert_eq!(in_halves, all, "a page that has a number is whole");

        for (list, first, next) in [
            ("messages", "/api/whatsapp/messages?limit=100&cursor=msg_7zzzzzzzzzzzzzzzzzzzzzzzzz", "/api/whatsapp/messages?limit=100&cursor="),
            ("messages", "/api/whatsapp/messages?limit=100&direction=in&cursor=msg_7zzzzzzzzzzzzzzzzzzzzzzzzz", "/api/whatsapp/messages?limit=100&direction=in&cursor="),
            ("messages", "/api/whatsapp/session/main/chats/5511900000002/messages?limit=100", "/api/whatsapp/session/main/chats/5511900000002/messages?limit=100&before="),
        ] {
            let (mut read, mut path, mut parts) = (vec![], first.to_owned(), 0);
            loop {
                let part = shop.test.get(&path).await;
                assert!(part.text.len() <= PART_MAX, "{path}: {} bytes", part.text.len());
                let part = part.ok();
                let here = keys(&part, list);
                assert!(!here.is_empty() || part["nextCursor"].is_null(), "{path}");
                read.extend(here);
                parts += 1;
                let Some(cursor) = part["nextCursor"].as_str() else { break };
                path = format!("{next}{cursor}");
            }
            assert_eq!(read, all, "{first}");
            assert!(parts > 1, "{first} was one part");
        }

        let (mut positions, mut after) = (vec![], 0);
        loop {
            let part = shop.test.get(&format!("/api/whatsapp/events?limit=1000&after={after}")).await;
            assert!(part.text.len() <= PART_MAX, "{} bytes of events", part.text.len());
            let part = part.ok();
            positions.extend(part["events"].as_array().expect("events").iter().map(|event| event["position"].clone()));
            after = part["nextAfter"].as_i64().expect("a position");
            if part["hasMore"] == false {
                break;
            }
        }
        let expected: Vec<Value> = (1..=after).map(|position| json!(position)).collect();
        assert_eq!(positions, expected);
        let streamed = shop.test.events_of("/api/whatsapp/events/stream", "after=oldest").await;
        assert_eq!(streamed.lines().count(), positions.len());

        let file = shop.test.get("/api/whatsapp/messages/export?format=jsonl").await.text;
        let rows = file.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let rows: Vec<String> = rows.filter_map(|row| row["key"].as_str().map(str::to_owned)).collect();
        assert_eq!(rows, all);
    }
}

on_both_engines! {
    async fn the_texts_of_a_message_are_read_in_parts(app: TestApp) {
        let shop = app.tenant("shop").await;
        shop.linked("main", SHOP).await;
        let ana = shop.phone(ANA).await;
        let longest = "\u{1}".repeat(60_000);
        let id = ana.send(SHOP, "0").await;
        for number in 1..=5 {
            let edit = json!({"to": SHOP, "type": "edit", "messageId": id, "message": format!("{number}{longest}")});
            shop.test.post(&ana.path("/messages"), edit).await.ok();
        }
        until("the last edit", || async {
            let row = shop.test.get(&format!("/api/whatsapp/messages/{id}")).await.ok();
            row["message"].as_str().expect("a text").starts_with('5').then_some(())
        })
        .await;
        let (mut texts, mut path) = (vec![], format!("/api/whatsapp/messages/{id}"));
        loop {
            let part = shop.test.get(&path).await;
            assert!(part.text.len() <= 2 * PART_MAX, "{} bytes", part.text.len());
            let part = part.ok();
            let here = part["texts"].as_array().expect("texts").iter();
            texts.splice(0..0, here.map(|text| text["message"].as_str().expect("a text")[..1].to_owned()));
            let Some(before) = part["textsBefore"].as_str() else { break };
            path = format!("/api/whatsapp/messages/{id}?before={before}");
        }
        assert_eq!(texts, ["0", "1", "2", "3", "4", "5"]);
        shop.test.get(&format!("/api/whatsapp/messages/{id}?before=x")).await.refused(400, "INVALID_PARAMETER");
    }
}
