//! Who is not written to, by which words, and what else a tenant wants of its bulk messages.

use std::time::Duration;

use wapid_core::clock::At;
use wapid_core::content::{Body, Words};
use wapid_core::message::Status;
use wapid_core::opt_out::{OptOut, Settings, Source};
use wapid_core::pacing::Windows;
use wapid_core::phone::Phone;
use wapid_core::store::Db;
use wapid_core::store::ledger::{Inbound, Intent, Refused};
use wapid_core::store::messages::MessageFilter;

use super::{Job, phone_of};
use crate::fixture::{START, Shop, TestDb, Told, both, inbound, phone, text, together};

both!(
    settings_are_kept_as_they_were_given,
    a_number_is_on_the_list_once,
    the_list_is_read_page_by_page,
    who_says_a_word_to_stop_is_on_the_list_and_told_once,
    who_says_a_word_to_start_is_off_it,
    only_a_persons_whole_text_is_a_word,
    a_tenant_may_want_it_to_count_for_every_message,
    a_confirmation_is_told_once_however_many_words_arrive_at_once,
    an_opt_out_counts_for_both_spellings_of_a_number,
    a_word_counts_for_both_spellings_of_a_number,
    both_spellings_at_once_are_one_opt_out,
    an_older_list_of_opt_outs_learns_the_other_spellings,
    a_list_of_before_a_renumbering_learns_the_old_and_new_numbers,
);

const WITH_NINE: &str = "5511960000001";
const WITHOUT: &str = "551160000001";

async fn settings_are_kept_as_they_were_given(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    assert_eq!(shop.live().settings().await.unwrap(), Settings::default());
    let windows: Windows = serde_json::from_str(r#"[{"from":"09:00","to":"18:00"}]"#).unwrap();
    let full = Settings {
        default_country: Some("BR".into()),
        windows,
        stop_words: Some(vec!["chega".into()]),
        start_words: Some(vec![]),
        confirmation: Some("Até logo!".into()),
        applies_to_all: true,
    };
    for settings in [full, Settings { stop_words: Some(vec![]), ..Settings::default() }, Settings::default()]
    {
        shop.live().save_settings(&settings).await.unwrap();
        assert_eq!(shop.live().settings().await.unwrap(), settings);
        let job = Job::of(&shop, 1).await;
        assert_eq!(job.agenda().await.rules.windows, settings.windows);
        let outlook = shop.live().outlook(&shop.owner.session).await.unwrap().unwrap();
        assert_eq!(outlook.windows, settings.windows);
    }
}

async fn a_number_is_on_the_list_once(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let live = shop.live();
    assert!(!live.is_opted_out(&phone()).await.unwrap());
    assert!(!live.opt_in(&phone()).await.unwrap());
    let added = together((0..8).map(|_| {
        let live = live.clone();
        async move { live.opt_out(&phone()).await.unwrap() }
    }))
    .await;
    assert_eq!(added.iter().filter(|added| **added).count(), 1);
    assert!(live.is_opted_out(&phone()).await.unwrap());
    // Whoever is on it by a call stays there by a call, whatever comes later.
    db.advance(Duration::from_secs(1));
    shop.store.receive(vec![says(&shop, "A", "stop")]).await.unwrap();
    let expected = OptOut { phone: phone(), source: Source::Api, created_at: START };
    assert_eq!(live.opt_outs(None, 9).await.unwrap(), [expected]);
    assert!(live.opt_in(&phone()).await.unwrap());
    assert!(live.opt_outs(None, 9).await.unwrap().is_empty());
}

async fn the_list_is_read_page_by_page(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    for seq in [5, 1, 4, 2, 3] {
        shop.live().opt_out(&phone_of(seq)).await.unwrap();
    }
    let mut after: Option<String> = None;
    let mut read: Vec<Phone> = Vec::new();
    for expected in [2, 2, 1, 0] {
        let page = shop.live().opt_outs(after.as_deref(), 2).await.unwrap();
        assert_eq!(page.len(), expected);
        read.extend(page.into_iter().map(|one| one.phone));
        after = read.last().map(|phone| phone.digits().to_owned());
    }
    assert_eq!(read, (1..=5).map(phone_of).collect::<Vec<_>>());
}

async fn who_says_a_word_to_stop_is_on_the_list_and_told_once(db: TestDb) {
    let shop = Shop::with(&db.store().await, "shop", "UTC", Some(0)).await;
    let settings = Settings { confirmation: Some("Bye!".into()), ..Settings::default() };
    shop.live().save_settings(&settings).await.unwrap();
    let word = says(&shop, "A", " Stop. ");
    let received = shop.store.receive(vec![word.clone()]).await.unwrap();
    assert_eq!((received.new, received.answered), (vec![true], true));
    let expected = OptOut { phone: phone(), source: Source::Message, created_at: db.clock.now() };
    assert_eq!(shop.live().opt_outs(None, 9).await.unwrap(), [expected]);

    // The answer is a message like others: it waits for a sender of any epoch. No quota pays for it.
    let answer = shop.store.claim_unsettled(&shop.owner.session, 1).await.unwrap();
    assert_eq!(
        (answer.len(), answer[0].content.body.text(), answer[0].job.is_none()),
        (1, "Bye!".to_owned(), true)
    );
    assert_eq!(answer[0].to, shop.intent().to);
    assert_eq!(shop.used().await, 0);
    let events = shop.live().events_after(None, 9).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(told, ["message.received", "optout.added"]);
    let data = &events[1]["data"];
    assert_eq!(
        (&data["phone"], &data["source"], &data["messageId"]),
        (&phone().digits().into(), &"message".into(), &"A".into())
    );

    // The same message again, and the same word again.
    assert!(!shop.store.receive(vec![word]).await.unwrap().answered);
    assert!(!shop.store.receive(vec![says(&shop, "B", "STOP")]).await.unwrap().answered);
    assert_eq!(outgoing(&shop).await, ["Bye!"]);
    assert_eq!(shop.events().await, ["message.received", "optout.added", "message.received"]);

    // Nothing is said where the tenant has nothing to say.
    let quiet = Shop::new(&shop.store, "quiet").await;
    assert!(!shop.store.receive(vec![says(&quiet, "A", "stop")]).await.unwrap().answered);
    assert!(quiet.live().is_opted_out(&phone()).await.unwrap());
    assert_eq!(outgoing(&quiet).await, Vec::<String>::new());
}

async fn who_says_a_word_to_start_is_off_it(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let settings = Settings { confirmation: Some("Bye!".into()), ..Settings::default() };
    shop.live().save_settings(&settings).await.unwrap();
    shop.live().opt_out(&phone()).await.unwrap();
    for (id, new) in [("A", true), ("B", false)] {
        assert!(!shop.store.receive(vec![says(&shop, id, "start")]).await.unwrap().answered);
        assert_eq!(shop.events().await.iter().filter(|kind| *kind == "optout.removed").count(), 1, "{new}");
    }
    assert!(!shop.live().is_opted_out(&phone()).await.unwrap());
    // Who changes their mind in one breath ends with the last word, and is told of each stop.
    let words = ["stop", "start", "stop"].into_iter().enumerate();
    let words = words.map(|(nth, word)| says(&shop, &format!("C{nth}"), word)).collect();
    assert!(shop.store.receive(words).await.unwrap().answered);
    assert!(shop.live().is_opted_out(&phone()).await.unwrap());
    assert_eq!(outgoing(&shop).await, ["Bye!", "Bye!"]);
}

async fn only_a_persons_whole_text_is_a_word(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let own = Settings { stop_words: Some(vec!["chega".into()]), ..Settings::default() };
    let stop = says(&shop, "A", "stop");
    let words = vec![
        says(&shop, "B", "please stop by at noon"),
        Inbound { from_me: true, wa_id: "C".parse().unwrap(), ..stop.clone() },
        Inbound { is_group: true, wa_id: "D".parse().unwrap(), ..stop.clone() },
        Inbound {
            content: Body::Unknown(Words::plain("stop")).into(),
            wa_id: "E".parse().unwrap(),
            ..stop.clone()
        },
        Inbound { phone: None, wa_id: "F".parse().unwrap(), ..stop.clone() },
    ];
    shop.store.receive(words).await.unwrap();
    assert!(shop.live().opt_outs(None, 9).await.unwrap().is_empty());
    // Its own words are a tenant's only ones.
    shop.live().save_settings(&own).await.unwrap();
    shop.store.receive(vec![stop]).await.unwrap();
    assert!(shop.live().opt_outs(None, 9).await.unwrap().is_empty());
    shop.store.receive(vec![says(&shop, "G", "Chega!")]).await.unwrap();
    assert!(shop.live().is_opted_out(&phone()).await.unwrap());
}

async fn a_tenant_may_want_it_to_count_for_every_message(db: TestDb) {
    let store = db.store().await;
    let (shop, other) = (Shop::new(&store, "shop").await, Shop::new(&store, "other").await);
    let settings = Settings { applies_to_all: true, ..Settings::default() };
    shop.live().save_settings(&settings).await.unwrap();
    shop.live().opt_out(&phone()).await.unwrap();
    let job = Job::of(&shop, 2).await;
    let before = job.picture().await;
    let results = together((0..20).map(|i| {
        let (store, intent) = (store.clone(), if i % 2 == 0 { shop.intent() } else { other.intent() });
        async move { store.accept(intent).await }
    }))
    .await;
    for (i, result) in results.iter().enumerate() {
        assert_eq!(matches!(result, Err(Refused::OptedOut)), i % 2 == 0, "{result:?}");
        assert_eq!(result.is_ok(), i % 2 == 1, "{result:?}");
    }
    assert_eq!(job.picture().await, before);
    // Others, and other chats, are written to.
    store.accept(Intent { job: None, ..job.intent(2) }).await.unwrap();
    job.send(2).await;
}

async fn a_confirmation_is_told_once_however_many_words_arrive_at_once(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    let other = shop.add_session("other").await;
    let settings = Settings { confirmation: Some("Bye!".into()), ..Settings::default() };
    shop.live().save_settings(&settings).await.unwrap();
    together((0..24).map(|i: usize| {
        // To both of its numbers, through both processes.
        let owner = if i.is_multiple_of(3) { other.clone() } else { shop.owner.clone() };
        let word = Inbound { owner, ..says(&shop, &format!("W{i}"), "stop") };
        let store = stores[i % 2].clone();
        async move { store.receive(vec![word]).await.unwrap() }
    }))
    .await;
    assert_eq!(outgoing(&shop).await, ["Bye!"]);
    assert_eq!(shop.events().await.iter().filter(|kind| *kind == "optout.added").count(), 1);
}

fn number(digits: &str) -> Phone {
    Phone::parse(digits, None).unwrap()
}

async fn listed(shop: &Shop) -> Vec<String> {
    let all = shop.live().opt_outs(None, 99).await.unwrap();
    all.into_iter().map(|one| one.phone.digits().to_owned()).collect()
}

/// WhatsApp may know somebody by the one and the shop by the other.
async fn an_opt_out_counts_for_both_spellings_of_a_number(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let live = shop.live();
    for (given, other) in [(WITH_NINE, WITHOUT), (WITHOUT, WITH_NINE), ("5215512345678", "525512345678")] {
        assert!(live.opt_out(&number(given)).await.unwrap());
        assert!(live.is_opted_out(&number(other)).await.unwrap(), "{other}");
        assert!(!live.opt_out(&number(other)).await.unwrap(), "{other} was there");
        assert_eq!(listed(&shop).await, [given], "once, as it was given");
        assert!(live.opt_in(&number(other)).await.unwrap());
        assert!(!live.is_opted_out(&number(given)).await.unwrap());
        assert!(!live.opt_in(&number(given)).await.unwrap());
    }
}

async fn a_word_counts_for_both_spellings_of_a_number(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let of = |wa_id, body, digits| Inbound { phone: Some(number(digits)), ..says(&shop, wa_id, body) };
    shop.store.receive(vec![of("A", "stop", WITHOUT)]).await.unwrap();
    assert!(shop.live().is_opted_out(&number(WITH_NINE)).await.unwrap());
    shop.store.receive(vec![of("B", "stop", WITH_NINE)]).await.unwrap();
    assert_eq!(listed(&shop).await, [WITHOUT]);
    shop.store.receive(vec![of("C", "start", WITH_NINE)]).await.unwrap();
    assert!(!shop.live().is_opted_out(&number(WITHOUT)).await.unwrap());
    let told = shop.events().await.into_iter().filter(|kind| kind.starts_with("optout")).collect::<Vec<_>>();
    assert_eq!(told, ["optout.added", "optout.removed"]);
}

async fn both_spellings_at_once_are_one_opt_out(db: TestDb) {
    let stores = [db.store().await, db.store().await];
    let shop = Shop::new(&stores[0], "shop").await;
    for _ in 0..8 {
        let added = together((0..8_usize).map(|i| {
            let live = stores[i % 2].tenant(shop.tenant.id.clone(), wapid_core::key::Mode::Live);
            async move { live.opt_out(&number([WITH_NINE, WITHOUT][i / 2 % 2])).await.unwrap() }
        }))
        .await;
        assert_eq!(added.iter().filter(|added| **added).count(), 1);
        assert_eq!(listed(&shop).await.len(), 1);
        assert!(shop.live().opt_in(&number(WITHOUT)).await.unwrap());
    }
}

async fn an_older_list_of_opt_outs_learns_the_other_spellings(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    let older = ["ALTER TABLE opt_outs DROP COLUMN given", "DELETE FROM _sqlx_migrations WHERE version = 4"];
    for sql in older {
        execute(&shop, sql.to_owned()).await;
    }
    let pairs = [
        (WITH_NINE, WITHOUT),
        ("552170000001", "5521970000001"),
        ("5215512345678", "525512345678"),
        ("523312345678", "5213312345678"),
        ("5491112345678", "541112345678"),
        ("543512345678", "5493512345678"),
    ];
    let lonely =
        ["551134567890", "5511934567890", "550160000001", "919876543210", "549911234567", "521551234567"];
    // On the list in both, the earlier one first.
    let twice = [("5511970000009", 1), ("551170000009", 2), ("5511980000009", 2), ("551180000009", 1)];
    let once = pairs.iter().map(|(given, _)| (*given, 3)).chain(lonely.map(|given| (given, 3)));
    for (digits, at) in once.chain(twice) {
        let sql = "INSERT INTO opt_outs (tenant_id, mode, phone, source, created_at) VALUES";
        let tenant = shop.tenant.id.as_str();
        execute(&shop, format!("{sql} ('{tenant}', 'live', '{digits}', 'api', {at})")).await;
    }
    shop.store.close().await;

    let shop = Shop { store: db.store().await, ..shop };
    let mut given: Vec<&str> = pairs.iter().map(|(given, _)| *given).chain(lonely).collect();
    given.extend(["5511970000009", "551180000009"]);
    given.sort_unstable();
    assert_eq!(listed(&shop).await, given);
    for (given, other) in pairs {
        assert!(shop.live().is_opted_out(&number(other)).await.unwrap(), "{other} of {given}");
    }
    let rows = "SELECT COUNT(*) FROM opt_outs";
    let count: i64 = match shop.store.db() {
        Db::Sqlite { write, .. } => sqlx::query_scalar(rows).fetch_one(write).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(rows).fetch_one(pool).await.unwrap(),
    };
    assert_eq!(count, 2 * 6 + 6 + 4);
    for (digits, _) in twice {
        assert!(shop.live().is_opted_out(&number(digits)).await.unwrap());
    }
}

async fn a_list_of_before_a_renumbering_learns_the_old_and_new_numbers(db: TestDb) {
    let shop = Shop::new(&db.store().await, "shop").await;
    execute(&shop, "DELETE FROM _sqlx_migrations WHERE version = 13".to_owned()).await;
    let families = [
        &["22997123456", "2290197123456"][..],
        &["2250707123456", "22507123456"],
        &["22541123456", "2250141123456"],
        &["24102123456", "2412123456", "24162123456"],
        &["24177123456", "24107123456", "2417123456"],
        &["841201234567", "84701234567"],
        &["84391234567", "841691234567"],
        &["5712345678", "576012345678"],
        &["237667123456", "23767123456"],
    ];
    let lonely = ["2250718139912", "84911234567", "573001234567", "919876543210"];
    // On the list under two numbers, the earlier one first.
    let twice = [("24106123456", 2), ("2416123456", 1)];
    let once = families.iter().map(|family| (family[0], 3)).chain(lonely.map(|given| (given, 3)));
    for (digits, at) in once.chain(twice) {
        let sql = "INSERT INTO opt_outs (tenant_id, mode, phone, source, created_at) VALUES";
        let tenant = shop.tenant.id.as_str();
        execute(&shop, format!("{sql} ('{tenant}', 'live', '{digits}', 'api', {at})")).await;
    }
    shop.store.close().await;

    let shop = Shop { store: db.store().await, ..shop };
    let mut given: Vec<&str> = families.iter().map(|family| family[0]).chain(lonely).collect();
    given.push("2416123456");
    given.sort_unstable();
    assert_eq!(listed(&shop).await, given);
    for family in families {
        let phone = number(family[0]);
        for spelling in phone.spellings() {
            assert!(family.contains(&spelling.digits()), "{}", spelling.digits());
            assert!(shop.live().is_opted_out(&spelling).await.unwrap(), "{}", spelling.digits());
        }
        assert_eq!(phone.spellings().len(), family.len());
    }
    assert!(shop.live().is_opted_out(&number("24166123456")).await.unwrap());
    // And as the rules have it that are in use: taken off under one, it is off under all.
    assert!(shop.live().opt_in(&number("24166123456")).await.unwrap());
    assert!(!shop.live().is_opted_out(&number("2416123456")).await.unwrap());
}

async fn execute(shop: &Shop, sql: String) {
    let sql = sqlx::AssertSqlSafe(sql);
    match shop.store.db() {
        Db::Sqlite { write, .. } => drop(sqlx::query(sql).execute(write).await.unwrap()),
        Db::Postgres(pool) => drop(sqlx::query(sql).execute(pool).await.unwrap()),
    }
}

fn says(shop: &Shop, wa_id: &str, body: &str) -> Inbound {
    Inbound { content: text(body), sent_at: At(START.0 - 1), ..inbound(&shop.owner, wa_id) }
}

/// The texts of what waits to leave.
async fn outgoing(shop: &Shop) -> Vec<String> {
    let filter = MessageFilter { status: Some(Status::Sending), ..MessageFilter::default() };
    let (rows, _) = shop.live().messages_page(&filter, 99, 0).await.unwrap();
    rows.into_iter().map(|row| row.body).collect()
}
