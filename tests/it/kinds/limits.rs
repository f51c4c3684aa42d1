//! How long texts may be, what they are made of, and what counts as one emoji.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{ANA, SHOP, shop_and_ana, writes};
use crate::app::TestApp;
use crate::on_both_engines;

const MOST: usize = 65_536;

/// JSON as programs write it that keep to ASCII: everything else escaped.
fn escaped(body: &Value) -> Vec<u8> {
    let mut text = String::new();
    for sign in body.to_string().chars() {
        if sign.is_ascii() {
            text.push(sign);
        } else {
            for unit in sign.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04x}").unwrap();
            }
        }
    }
    text.into_bytes()
}

on_both_engines! {
    async fn a_text_of_65_536_characters_goes_both_ways_in_every_script(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        for sign in ["x", "漢", "😀"] {
            let longest = format!("{}!", sign.repeat(MOST - 1));
            let body = json!({"to": ANA, "message": longest});
            let answer = shop.test.call(reqwest::Method::POST, &session.path("/send"), &[], Some(escaped(&body))).await;
            let id = answer.ok()["messageId"].as_str().expect("an id").to_owned();
            assert!(ana.until_has(&id).await["message"] == longest.as_str(), "{sign}");
            let too_long = json!({"to": ANA, "message": format!("{longest}{sign}")});
            let refused = shop.test.post(&session.path("/send"), too_long).await.refused(400, "MESSAGE_TOO_LONG");
            assert!(refused["error"].as_str().expect("words").contains("65536 characters"), "{refused}");
            let edit = json!({"type": "edit", "messageId": id, "message": format!("{longest}{sign}")});
            shop.test.post(&session.path("/send"), edit).await.refused(400, "MESSAGE_TOO_LONG");

            let hers = writes(&shop, &ana, json!({"to": SHOP, "type": "text", "message": longest})).await;
            let told = session.until_told("message.received", &hers).await["data"].clone();
            assert!(told["body"] == longest.as_str() && told.get("truncated").is_none(), "{sign}");
            let row = session.until_logged(&hers, "received").await;
            assert!(row["message"] == longest.as_str() && row.get("truncated").is_none(), "{sign}");
        }
        // The lines above and below are part of what WhatsApp counts.
        let body = json!({"to": ANA, "message": "x".repeat(MOST), "footer": "The Shop"});
        shop.test.post(&session.path("/send"), body).await.refused(400, "MESSAGE_TOO_LONG");
    }
}

on_both_engines! {
    async fn an_edit_is_checked_as_a_text_is(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let ours = session.says(json!({"to": ANA, "message": "We open at 8"})).await;
        ana.until_has(&ours).await;
        let nul = "a\0b";
        for (code, fields) in [
            ("INVALID_REQUEST", json!({"message": nul})),
            ("INVALID_REQUEST", json!({"message": "x", "header": nul})),
            ("INVALID_REQUEST", json!({"message": "x", "footer": nul})),
            ("INVALID_REQUEST", json!({"message": ""})),
            ("INVALID_REQUEST", json!({"message": " \n"})),
            ("INVALID_REQUEST", json!({"message": "\u{200b}"})),
            ("INVALID_REQUEST", json!({"message": "\u{2060}\u{feff}\u{3164}"})),
            ("INVALID_REQUEST", json!({})),
            ("MESSAGE_TOO_LONG", json!({"message": "x".repeat(MOST + 1)})),
            ("MESSAGE_TOO_LONG", json!({"message": "x", "header": "h".repeat(1_025)})),
            ("MESSAGE_TOO_LONG", json!({"message": "x", "footer": "f".repeat(70_000)})),
        ] {
            for base in [json!({"to": ANA}), json!({"type": "edit", "messageId": ours})] {
                let mut body = fields.clone();
                body.as_object_mut().expect("an object").extend(base.as_object().expect("an object").clone());
                let answer = shop.test.post(&session.path("/send"), body.clone()).await;
                assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, code), "{}", answer.text);
            }
        }
        assert_eq!(ana.until_has(&ours).await["message"], "We open at 8");
        session.says(json!({"type": "edit", "messageId": ours, "message": "At 9", "header": "é".repeat(1_024)})).await;
        ana.until_is(&ours, |shown| shown["edited"] == true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reaction_is_one_emoji_as_readers_count() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let (session, ana) = shop_and_ana(&shop).await;
    let hers = ana.send(SHOP, "Thank you!").await;
    session.until_logged(&hers, "received").await;
    let reacts = async |emoji: &str| {
        let body = json!({"type": "reaction", "messageId": hers, "emoji": emoji});
        shop.test.post(&session.path("/send"), body).await
    };
    for emoji in ["5️⃣", "#️⃣", "🇧🇷", "👨‍👩‍👧‍👦", "👍🏽", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "❤️‍🔥", "❤"]
    {
        reacts(emoji).await.ok();
        let is_it = |shown: &Value| shown["reactions"][0]["emoji"] == emoji;
        ana.until_is(&hers, is_it).await;
    }
    for none in [" ", "👍👍", "👍🏽👍", "a", "é", "日", "5", "🇧", "\u{200d}", "\u{200b}", "\0", "👍\0", ":-)"]
    {
        let refused = reacts(none).await.refused(400, "INVALID_REQUEST");
        assert!(refused["error"].as_str().expect("words").starts_with("emoji: "), "{none:?}: {refused}");
    }
    reacts("").await.ok();
    ana.until_is(&hers, |shown| shown["reactions"].as_array().is_none_or(Vec::is_empty)).await;
}
