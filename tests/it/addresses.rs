//! What is sent goes to the account that WhatsApp names, however its number was written; and it is stored,
//! told and answered under that account's own number.

use serde_json::{Value, json};

use crate::app::{Phone, Session, TestApp, until};
use crate::jobs::shown;
use crate::on_both_engines;
use crate::people::{ANA, SHOP, shop_and_ana};

/// As people write a number, and as its account is called: the countries that have two spellings, both ways.
const SPELLINGS: [(&str, &str); 6] = [
    ("5511990000002", "551190000002"),
    ("551190000003", "5511990000003"),
    ("525590000004", "5215590000004"),
    ("5215590000005", "525590000005"),
    ("5491190000006", "541190000006"),
    ("2290190000007", "22990000007"),
];

/// Numbers that differ as no numbering plan explains.
const TYPED: &str = "4915200000009";
const ACCOUNT: &str = "4915100000001";

fn jid(number: &str) -> String {
    format!("{number}@s.whatsapp.net")
}

impl Session<'_> {
    /// A phone that a look-up finds under another number as well.
    async fn phone_known_as(&self, account: &str, other: &str) {
        let phone = json!({"phone": account, "name": "Somebody", "knownAs": [other]});
        self.caller.post("/api/sandbox/phones", phone).await.ok();
    }

    async fn chats(&self) -> Vec<Value> {
        self.ask("/chats?limit=100").await["chats"].as_array().unwrap().clone()
    }

    /// The log, newest first.
    async fn log(&self) -> Vec<Value> {
        let log = self.caller.get("/api/whatsapp/messages?limit=100").await.ok();
        log["messages"].as_array().unwrap().clone()
    }
}

impl Phone<'_> {
    async fn texts(&self) -> Vec<String> {
        shown(self.caller(), &self.phone).await
    }
}

on_both_engines! {
    async fn a_message_goes_to_the_account_however_its_number_is_written(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        for (typed, account) in SPELLINGS {
            let phone = shop.phone(account).await;
            let sent = session.send(typed, "hello").await.ok();
            phone.until_shows("hello").await;
            let row = session.until_logged(sent["messageId"].as_str().unwrap(), "delivered").await;
            assert_eq!((&row["chat"], &row["phone"], &row["to"]),
                (&json!(jid(account)), &json!(account), &json!(account)), "{typed}");
            // A receipt may overtake the answer.
            let told = session
                .until_events("message.sent,message.delivered", |events| {
                    let mut told = events.iter().map(|event| &event["data"]);
                    told.find(|data| data["messageId"] == sent["messageId"]).cloned()
                })
                .await;
            assert_eq!((&told["chat"], &told["phone"]), (&json!(jid(account)), &json!(account)));
            // The answer lands in the same chat, which goes by both numbers.
            phone.send(SHOP, "an answer").await;
            let chat = session.until_chat(&jid(account), "answered", |chat| chat["unread"] == 1).await;
            for number in [typed, account] {
                let log = session.ask(&format!("/chats/{number}/messages")).await;
                let texts: Vec<&Value> =
                    log["messages"].as_array().unwrap().iter().map(|one| &one["message"]).collect();
                assert_eq!(texts, ["an answer", "hello"], "{number}");
            }
            assert!(chat["lid"].as_str().is_some_and(|lid| lid.len() == 15), "{chat}");
            let checked = session.tell("/numbers/check", json!({"phones": [typed, account]})).await;
            for one in checked.as_array().unwrap() {
                assert_eq!((&one["exists"], &one["jid"]), (&json!(true), &json!(jid(account))), "{typed}");
                assert_eq!(one["lid"], chat["lid"]);
            }
        }
        assert_eq!(session.chats().await.len(), SPELLINGS.len(), "one chat for each");
    }
}

on_both_engines! {
    async fn any_difference_whatever_is_whatsapps_to_tell(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        session.phone_known_as(ACCOUNT, TYPED).await;
        for text in ["one", "two"] {
            let key = [("idempotency-key", text)];
            let body = json!({"to": TYPED, "message": text}).to_string().into_bytes();
            let send = async || {
                let path = session.path("/send");
                shop.test.call(reqwest::Method::POST, &path, &key, Some(body.clone())).await.ok()
            };
            let sent = send().await;
            assert_eq!(send().await["messageId"], sent["messageId"], "a repeat is answered with the same");
        }
        let phone = shop.phone(ACCOUNT).await;
        phone.until_shows("two").await;
        assert_eq!(phone.texts().await, ["one", "two"]);
        assert!(session.log().await.iter().all(|row| row["chat"] == jid(ACCOUNT)));
    }
}

on_both_engines! {
    async fn messages_about_messages_stay_in_the_accounts_chat(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let (typed, account) = SPELLINGS[0];
        let phone = shop.phone(account).await;
        ana.send(SHOP, "for everybody").await;
        let first = session.send(typed, "first").await.ok();
        phone.until_shows("first").await;
        let id = first["messageId"].clone();
        let tell = async |body: Value| session.tell("/send", body).await;
        // A quote and a reaction name the chat as it was typed, or not at all.
        tell(json!({"to": typed, "message": "second", "quotedMessageId": id})).await;
        tell(json!({"to": typed, "type": "reaction", "messageId": id, "emoji": "👍"})).await;
        tell(json!({"type": "edit", "messageId": id, "message": "first, again"})).await;
        let theirs = session.until_event("message.received", |data| data["body"] == "for everybody").await;
        tell(json!({"to": typed, "type": "forward", "messageId": theirs["messageId"]})).await;
        phone.until_shows("for everybody").await;
        phone.until_shows("first, again").await;
        let inbox = phone.inbox().await;
        let shown = inbox["messages"].as_array().unwrap();
        let of = |text: &str| shown.iter().find(|one| one["message"] == text).unwrap().clone();
        assert_eq!(of("second")["quotedMessageId"], id, "{inbox}");
        assert!(session.log().await.iter().all(|row| row["chat"] == jid(account) || row["chat"] == jid(ANA)));
        assert_eq!(session.chats().await.len(), 2);
    }
}

/// What is known of numbers is in memory; what was sent goes on under the account's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_changes_no_address() {
    let mut app = TestApp::new().await;
    let (typed, account) = SPELLINGS[0];
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    session.phone_known_as(account, TYPED).await;
    session.send(typed, "before").await.ok();
    app.stop().await;
    app.start().await;
    let caller = crate::app::Caller::new(app.url(), &shop.test.key);
    let session = Session { caller: &caller, id: "main".to_owned(), phone: SHOP.to_owned() };
    session.until_ready().await;
    // The chat is known by the other spelling without a question; other differences are asked about.
    assert_eq!(session.ask(&format!("/chats/{typed}/messages")).await["messages"][0]["message"], "before");
    session.send(typed, "after").await.ok();
    session.send(TYPED, "and after").await.ok();
    until("all three", || async { (shown(&caller, account).await.len() == 3).then_some(()) }).await;
    assert_eq!(session.chats().await.len(), 1);
    assert!(session.log().await.iter().all(|row| row["chat"] == jid(account)));
}

on_both_engines! {
    async fn typing_presence_and_read_find_the_account(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let (typed, account) = SPELLINGS[2];
        let phone = shop.phone(account).await;
        phone.does("/presence", json!({"state": "available"})).await;
        // Before anybody has written, and by a number that only a look-up explains.
        session.phone_known_as(account, TYPED).await;
        for number in [typed, TYPED] {
            session.tell("/typing", json!({"to": number, "state": "composing"})).await;
            phone.until_sees(SHOP, "typing", |seen| seen["typing"] == "composing").await;
            session.tell("/typing", json!({"to": number, "state": "paused"})).await;
            phone.until_sees(SHOP, "still", |seen| seen["typing"] == "paused").await;
        }
        let presence = session.ask(&format!("/presence/{typed}")).await;
        assert_eq!((&presence["phone"], &presence["state"]), (&json!(account), &json!("available")));
        let id = phone.send(SHOP, "read me").await;
        session.until_chat(&jid(account), "unread", |chat| chat["unread"] == 1).await;
        let by_other = session.ask(&format!("/chats/{TYPED}/messages")).await;
        assert_eq!(by_other["messages"][0]["message"], "read me");
        session.tell("/read", json!({"chat": typed})).await;
        phone.until_ticked(&id, SHOP, "read").await;
        assert_eq!(session.chats().await[0]["unread"], 0);
        session.tell(&format!("/chats/{typed}/archive"), json!({})).await;
        session.until_chat(&jid(account), "archived", |chat| chat["isArchived"] == true).await;
        let contact = session.ask(&format!("/contacts/{TYPED}")).await;
        assert_eq!(contact["phone"], account, "{contact}");
        // Nobody's number shows nobody anything.
        let nobody = json!({"to": "15550009999", "state": "paused"});
        shop.test.post(&session.path("/typing"), nobody).await.refused(400, "NOT_ON_WHATSAPP");
    }
}

on_both_engines! {
    async fn two_rows_that_are_one_account_get_one_message(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        session.phone_known_as(ACCOUNT, TYPED).await;
        let ana = shop.phone(ANA).await;
        for list in [[TYPED, ACCOUNT, ANA], [ACCOUNT, ANA, TYPED], [ANA, ACCOUNT, TYPED]] {
            let recipients: Vec<String> = list.iter().map(|number| (*number).to_owned()).collect();
            let job = session.quick(&recipients, "Hi").await;
            let done = job.until_completed().await;
            assert_eq!(
                (&done["total"], &done["succeeded"], &done["failed"], &done["skipped"]),
                (&json!(3), &json!(2), &json!(0), &json!(1)),
                "{list:?}"
            );
            let rows = job.recipients("").await;
            // Each keeps what the list said, and the first of the two got it.
            let phones: Vec<&Value> = rows.iter().map(|row| &row["phone"]).collect();
            assert_eq!(phones, list.map(Value::from).iter().collect::<Vec<_>>());
            let twins: Vec<&Value> = rows.iter().filter(|row| row["phone"] != ANA).collect();
            assert_eq!((&twins[0]["outcome"], &twins[1]["outcome"]), (&json!("sent"), &json!("skipped")));
            assert_eq!(twins[1]["code"], "DUPLICATE", "{twins:?}");
        }
        assert_eq!(shown(&shop.test, ACCOUNT).await, ["Hi"; 3]);
        assert_eq!(ana.texts().await, ["Hi"; 3]);
        assert!(session.log().await.iter().all(|row| row["chat"] == jid(ACCOUNT) || row["chat"] == jid(ANA)));
    }
}

/// The number is looked up when its message is written, and what is found out then counts as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_does_not_check_numbers_writes_to_the_account_all_the_same() {
    let app = TestApp::new().await;
    let shop = app.tenant("shop").await;
    let session = shop.linked("main", SHOP).await;
    session.phone_known_as(ACCOUNT, TYPED).await;
    let (typed, account) = SPELLINGS[0];
    let phone = shop.phone(account).await;
    let body = json!({"recipients": [typed, TYPED, ACCOUNT, "15550009999"], "message": "Hi", "delayMin": 0,
        "delayMax": 0, "checkNumbers": false});
    let job = session.bulk(body).await;
    let done = job.until_completed().await;
    assert_eq!((&done["succeeded"], &done["failed"], &done["processed"]), (&json!(2), &json!(2), &json!(4)));
    phone.until_shows("Hi").await;
    assert_eq!(shown(&shop.test, ACCOUNT).await, ["Hi"]);
    // The owner's phone shows what has left, and nothing to a number that nobody has.
    assert_eq!(shown(&shop.test, SHOP).await, ["Hi", "Hi"]);
    let failed = job.recipients("&outcome=failed").await;
    let codes: Vec<&Value> = failed.iter().map(|row| &row["code"]).collect();
    assert_eq!(codes, ["DUPLICATE", "NOT_ON_WHATSAPP"], "{failed:?}");
    let sent = session.log().await.into_iter().filter(|row| row["status"] != "failed");
    let mut chats: Vec<String> = sent.map(|row| row["chat"].as_str().unwrap().to_owned()).collect();
    chats.sort();
    assert_eq!(chats, [jid(ACCOUNT), jid(account)]);
}

on_both_engines! {
    async fn who_opted_out_under_either_number_is_not_written_to(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        session.phone_known_as(ACCOUNT, TYPED).await;
        let out = async |number: &str| {
            shop.test.post("/api/whatsapp/opt-outs", json!({"phone": number})).await.ok();
        };
        shop.test.put("/api/whatsapp/settings", json!({"optOutScope": "all"})).await.ok();
        let (typed, account) = SPELLINGS[1];
        let phone = shop.phone(account).await;
        // One says so by a message, under the account's own number; of the other the owner knows it.
        phone.send(SHOP, "STOP").await;
        until("the opt-out", || async {
            let list = shop.test.get("/api/whatsapp/opt-outs").await.ok();
            list.to_string().contains(account).then_some(())
        })
        .await;
        out(ACCOUNT).await;
        for check in [true, false] {
            let body = json!({"recipients": [typed, TYPED], "message": "Hi", "delayMin": 0, "delayMax": 0,
                "checkNumbers": check});
            let job = session.bulk(body).await;
            let done = job.until_completed().await;
            assert_eq!((&done["succeeded"], &done["processed"]), (&json!(0), &json!(2)), "{done}");
            let rows = job.recipients("").await;
            assert!(rows.iter().all(|row| row["code"] == "OPTED_OUT"), "{rows:?}");
        }
        for number in [typed, account, TYPED, ACCOUNT] {
            session.send(number, "Hi").await.refused(400, "RECIPIENT_OPTED_OUT");
        }
        assert_eq!(phone.texts().await, ["STOP"], "its own");
        assert_eq!(shown(&shop.test, ACCOUNT).await, Vec::<String>::new());
    }
}

on_both_engines! {
    async fn whoever_was_blocked_before_their_lid_was_known_is_not_written_to(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, _ana) = shop_and_ana(&shop).await;
        let (typed, account) = SPELLINGS[0];
        shop.phone(account).await;
        let owner = Phone::of(&shop.test, SHOP);
        for number in [ANA, account] {
            owner.does("/block", json!({"phone": number, "blocked": true})).await;
        }
        until("both on the list", || async {
            let list = session.ask("/blocked").await;
            (list["blocked"].as_array().unwrap().len() == 2).then_some(())
        })
        .await;
        // The first message to each, and one of a job.
        for number in [ANA, typed] {
            session.send(number, "hello").await.refused(400, "RECIPIENT_BLOCKED");
        }
        let job = session.quick(&[ANA.to_owned(), typed.to_owned()], "Hi").await;
        let done = job.until_completed().await;
        assert_eq!((&done["skipped"], &done["succeeded"]), (&json!(2), &json!(0)), "{done}");
        let list = session.ask("/blocked").await;
        let mut phones: Vec<&str> =
            list["blocked"].as_array().unwrap().iter().filter_map(|one| one["phone"].as_str()).collect();
        phones.sort_unstable();
        assert_eq!(phones, [ANA, account], "their numbers are known by now");
        session.tell(&format!("/contacts/{typed}/unblock"), json!({})).await;
        session.send(typed, "hello again").await.ok();
    }
}

on_both_engines! {
    async fn what_one_person_was_told_is_never_shown_to_another(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let (typed, account) = SPELLINGS[0];
        let other = shop.phone(account).await;
        let sent = session.send(ANA, "for Ana alone").await.ok();
        ana.until_shows("for Ana alone").await;
        ana.send(SHOP, "from Ana").await;
        let theirs = session.until_event("message.received", |data| data["body"] == "from Ana").await;
        let (ours, theirs) = (&sent["messageId"], &theirs["messageId"]);
        // Whatever names a message of Ana's chat and somebody else as its chat changes nothing, and quotes nothing.
        let lid = session.tell("/numbers/check", json!({"phone": account})).await[0]["lid"].clone();
        let lid = format!("{}@lid", lid.as_str().expect("a LID").trim_end_matches("@lid"));
        for to in [typed, account, lid.as_str()] {
            for body in [
                json!({"to": to, "type": "edit", "messageId": ours, "message": "for somebody else"}),
                json!({"to": to, "type": "reaction", "messageId": ours, "emoji": "👍"}),
                json!({"to": to, "type": "reaction", "messageId": theirs, "emoji": "👍"}),
                json!({"to": to, "type": "delete", "messageId": ours}),
                json!({"to": to, "message": "an answer", "quotedMessageId": ours}),
                json!({"to": to, "message": "an answer", "quotedMessageId": theirs}),
            ] {
                let answer = session.caller.post(&session.path("/send"), body.clone()).await;
                assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "MESSAGE_NOT_FOUND"), "{body}");
            }
        }
        assert_eq!(ana.texts().await, ["for Ana alone", "from Ana"]);
        assert_eq!(other.texts().await, Vec::<String>::new());
        // By whatever name of hers, it is her chat.
        let hers = session.tell("/numbers/check", json!({"phone": ANA})).await[0]["lid"].clone();
        let hers = format!("{}@lid", hers.as_str().expect("a LID").trim_end_matches("@lid"));
        for (to, text) in [(ANA, "first answer"), (hers.as_str(), "second answer")] {
            session.tell("/send", json!({"to": to, "message": text, "quotedMessageId": theirs})).await;
            ana.until_shows(text).await;
        }
    }
}

on_both_engines! {
    async fn a_person_is_one_by_number_and_by_lid(app: TestApp) {
        let shop = app.tenant("shop").await;
        let (session, ana) = shop_and_ana(&shop).await;
        let checked = session.tell("/numbers/check", json!({"phone": ANA})).await;
        let lid = format!("{}@lid", checked[0]["lid"].as_str().expect("a LID").trim_end_matches("@lid"));
        let first = session.send(ANA, "by number").await.ok();
        let second = session.send(&lid, "by LID").await.ok();
        ana.until_shows("by LID").await;
        for sent in [&first, &second] {
            session.until_logged(sent["messageId"].as_str().unwrap(), "delivered").await;
        }
        let chats = session.chats().await;
        assert_eq!(chats.len(), 1, "{chats:?}");
        // Who asked under the number is left alone under the LID.
        shop.test.put("/api/whatsapp/settings", json!({"optOutScope": "all"})).await.ok();
        shop.test.post("/api/whatsapp/opt-outs", json!({"phone": ANA})).await.ok();
        for to in [ANA, lid.as_str()] {
            session.send(to, "once more").await.refused(400, "RECIPIENT_OPTED_OUT");
        }
        // And forgotten under both.
        let forgotten = shop.test.post(&format!("/api/whatsapp/contacts/{ANA}/forget"), json!({})).await.ok();
        assert_eq!(forgotten["erased"], 2, "{forgotten}");
    }
}

on_both_engines! {
    async fn a_group_finds_the_account_of_a_number_in_another_spelling(app: TestApp) {
        let shop = app.tenant("shop").await;
        let session = shop.linked("main", SHOP).await;
        let (typed, account) = SPELLINGS[0];
        shop.phone(account).await;
        let made = session.tell("/groups", json!({"subject": "Both", "participants": [typed, account]})).await;
        assert_eq!(made["results"].as_array().unwrap().len(), 1, "{made}");
        assert_eq!(made["results"][0]["success"], true, "{made}");
    }
}
