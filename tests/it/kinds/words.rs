//! What needs no file: polls, places, people, answers, mentions.

use image::ImageFormat;
use serde_json::json;

use super::{ANA, SHOP, base64, picture, shop_and_ana, shows, writes};
use crate::app::TestApp;
use crate::on_both_engines;

on_both_engines! {
    async fn a_poll_is_voted_on_and_the_votes_are_read(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let poll = session
            .says(json!({"to": ANA, "type": "poll", "message": "Lunch?", "options": ["Rice", "Beans"]}))
            .await;
        let shown = ana.until_has(&poll).await;
        shows(&shown, json!({"type": "poll", "message": "Lunch?", "options": ["Rice", "Beans"], "selectableCount": 1}));
        let vote = writes(&shop, &ana, json!({"to": SHOP, "type": "vote", "messageId": poll, "votes": ["Beans"]})).await;
        let told = session.until_told("message.vote", &vote).await;
        shows(&told["data"], json!({"targetId": poll, "targetFromMe": true, "votes": ["Beans"], "phone": ANA}));
        // Changed, and taken back.
        for votes in [json!(["Rice"]), json!([])] {
            let vote = writes(&shop, &ana, json!({"to": SHOP, "type": "vote", "messageId": poll, "votes": votes})).await;
            shows(&session.until_told("message.vote", &vote).await["data"], json!({"votes": votes}));
        }

        // And the other way round: hers, with several answers.
        let hers = json!({"to": SHOP, "type": "poll", "message": "Which?", "options": ["A", "B", "C"], "selectableCount": 0});
        let hers = writes(&shop, &ana, hers).await;
        let told = session.until_told("message.received", &hers).await;
        shows(&told["data"], json!({"type": "poll", "body": "Which?", "poll": {"options": ["A", "B", "C"], "selectableCount": 0}}));
        assert!(!told.to_string().contains("secret"), "{told}");
    }
}

on_both_engines! {
    async fn places_and_people_go_both_ways(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let place = json!({"latitude": -23.561_414, "longitude": -46.655_881, "name": "The Shop", "address": "Av. Paulista 1578"});
        let mut body = place.clone();
        (body["to"], body["type"]) = (ANA.into(), "location".into());
        let id = session.says(body.clone()).await;
        let shown = ana.until_has(&id).await;
        shows(&shown, place.clone());
        body["to"] = SHOP.into();
        let id = writes(&shop, &ana, body).await;
        let told = session.until_told("message.received", &id).await;
        shows(&told["data"]["location"], place);

        let people = json!([{"name": "Bia", "phone": "+55 11 90000-0003"}, {"name": "Caio", "phone": "5511900000004"}]);
        for contacts in [json!([people[0]]), people] {
            let id = session.says(json!({"to": ANA, "type": "contact", "contacts": contacts})).await;
            let shown = ana.until_has(&id).await;
            assert_eq!(shown["contacts"].as_array().map(Vec::len), contacts.as_array().map(Vec::len), "{shown}");
            assert_eq!(shown["contacts"][0]["name"], "Bia");
            let id = writes(&shop, &ana, json!({"to": SHOP, "type": "contact", "contacts": contacts})).await;
            let told = session.until_told("message.received", &id).await;
            let cards = told["data"]["contacts"].as_array().expect("cards").clone();
            assert_eq!(cards.len(), contacts.as_array().expect("a list").len());
            shows(&cards[0], json!({"name": "Bia", "phones": ["5511900000003"]}));
        }
    }
}

on_both_engines! {
    async fn an_answer_names_what_it_answers(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let question = ana.send(SHOP, "Do you open on Sundays?").await;
        session.until_logged(&question, "received").await;
        let answer = session
            .says(json!({"to": ANA, "message": "We do, @5511900000002", "quotedMessageId": question, "mentions": [ANA], "expiresIn": 86400}))
            .await;
        let shown = ana.until_has(&answer).await;
        shows(&shown, json!({"quotedMessageId": question, "expiration": 86400}));
        assert!(shown["mentions"][0].as_str().is_some_and(|jid| jid.starts_with(ANA)), "{shown}");

        let reply = json!({"to": SHOP, "type": "text", "message": "Great", "quotedMessageId": answer});
        let reply = writes(&shop, &ana, reply).await;
        let told = session.until_told("message.received", &reply).await;
        shows(&told["data"]["quoted"], json!({"messageId": answer, "type": "text", "body": "We do, @5511900000002"}));
        let row = session.until_logged(&reply, "received").await;
        assert_eq!(row["quoted"]["messageId"], answer);
    }
}

on_both_engines! {
    async fn what_is_sent_on_says_so(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let news = ana.send(SHOP, "Tell everybody").await;
        session.until_logged(&news, "received").await;
        let bia = shop.phone("5511900000003").await;
        let id = session.says(json!({"to": "5511900000003", "type": "forward", "messageId": news})).await;
        let shown = bia.until_has(&id).await;
        shows(&shown, json!({"message": "Tell everybody", "forwarded": true}));
        let hers = json!({"to": SHOP, "type": "text", "message": "Told", "forwarded": true});
        let hers = writes(&shop, &ana, hers).await;
        shows(&session.until_told("message.received", &hers).await["data"], json!({"forwarded": true}));
    }
}

on_both_engines! {
    async fn a_private_answer_to_a_group_leads_there(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let new = json!({"phone": ANA, "subject": "Team", "participants": [SHOP]});
        let made = shop.test.post("/api/sandbox/groups", new).await.ok();
        let group = made["group"]["id"].as_str().expect("an id");
        session.until_event("group.joined", |data| data["groupId"] == group).await;
        let question = writes(&shop, &ana, json!({"to": group, "type": "text", "message": "How much is it?"})).await;
        session.until_logged(&question, "received").await;
        let answer = json!({"to": ANA, "message": "Between us: 10", "quotedMessageId": question});
        let answer = session.says(answer).await;
        shows(&ana.until_has(&answer).await, json!({"quotedMessageId": question, "quotedChat": group}));
        let row = session.until_logged(&answer, "delivered").await;
        assert_eq!(row["quoted"]["chat"], group);
        // In the group itself it is this chat.
        let there = session.says(json!({"to": group, "message": "In private", "quotedMessageId": question})).await;
        let shown = ana.until_has(&there).await;
        assert!(shown["quotedMessageId"] == question.as_str() && shown.get("quotedChat").is_none(), "{shown}");
    }
}

on_both_engines! {
    async fn an_answer_to_a_picture_shows_it_small(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let photo = json!({"to": ANA, "type": "image", "mediaBase64": base64(&picture(ImageFormat::Jpeg))});
        let photo = session.says(photo).await;
        ana.until_has(&photo).await;
        let answer = session.says(json!({"to": ANA, "message": "This one", "quotedMessageId": photo})).await;
        shows(&ana.until_has(&answer).await, json!({"quotedMessageId": photo, "quotedHasThumbnail": true}));
        let row = session.until_logged(&answer, "delivered").await;
        assert!(row["quoted"].get("thumbnail").is_none(), "{row}");
    }
}
